//! Rows that go are those that transform writes of what an erasure covers; of all others every byte stays.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_privacy::{Clear, FieldRule, Policy, PseudonymKey, Rule, Side, Store};
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::record::Row as ParquetRow;
use parquet::schema::types::Type;

use super::*;
use crate::ids::ObjectId;
use crate::silver::columns::COLUMNS;
use crate::silver::{ERASED, ROW_GROUP_ROWS, Row, SchemaError, SilverWriter};

/// 2026-03-02T12:00:00Z
const NOON_MS: i64 = 1_772_452_800_000;

/// A row of a line; every third is of nobody, every fourth of an entity, every fifth has no token of its source's.
fn row<'r>(line: u64, fields: &'r [(&'static str, Clear)], extra: &'r BTreeMap<String, &'static str>) -> Row<'r> {
    let is_entity = line.is_multiple_of(4);
    Row {
        org: "acme",
        event_id: "c017ca9349716df434f7ea50dde47c16",
        interaction_id: (!is_entity).then_some("c-1"),
        entity_type: is_entity.then_some("Contact"),
        entity_id: is_entity.then_some("x_1"),
        source: "genesys-eventbridge",
        topic: "t",
        schema_version: "2",
        event_type: "user.end",
        activity: "Agent disconnected",
        lifecycle: Some("complete"),
        occurred_at_ms: NOON_MS + line as i64,
        time_from_envelope: false,
        zone_assumed: false,
        country_assumed: false,
        flaws: None,
        sequence: None,
        event_rank: 58,
        ingested_at_ms: Some(NOON_MS),
        processed_at_ms: None,
        customer_ref: (!line.is_multiple_of(3)).then_some("c_0a1b"),
        crm_tier: (!line.is_multiple_of(3)).then_some("Gold"),
        crm_product: (!line.is_multiple_of(7)).then_some("Credit card"),
        crm_owner: (!line.is_multiple_of(2)).then_some("p1_ef"),
        outcome_map: Some("1"),
        fields,
        masked: &["ani"],
        policy_version: "test-1",
        lineage_token: "11111111-1111-4111-8111-111111111111",
        lineage_from: if line.is_multiple_of(5) { "derived" } else { "source" },
        lineage_ref: None,
        lineage_derived: None,
        erased: false,
        lineage_provenance: "{}",
        bronze_line: line,
        extra,
    }
}

/// Fields of an event: one of the centre's, a survey's score, and one that stands in `custom`.
fn fields() -> Vec<(&'static str, Clear)> {
    let rules = [("media", "word:media"), ("requested_language_id", "uuid"), ("survey_score_centi", "whole:10000")];
    let field = |(name, rule)| FieldRule {
        name,
        store: Store::Both,
        rule: Some(Rule::parse(rule).unwrap()),
        side: Side::Centre,
    };
    let policy = Policy::new("test-1", rules.map(field)).unwrap();
    let said = [
        ("media", r#""voice""#),
        ("requested_language_id", r#""5169b6fa-0543-5428-8d60-2e3d7a1d2909""#),
        ("survey_score_centi", "450"),
    ];
    let said = said.map(|(name, text)| (name, ledgerline_json::parse(text.as_bytes()).unwrap()));
    let clear = policy.mask(&PseudonymKey::new(1, [7; 32]), said.iter().map(|(name, value)| (*name, value))).clear;
    assert_eq!(clear.len(), 3);
    clear
}

/// A file of so many rows, those of these lines erased by transform.
fn file(rows: u64, erased: &BTreeSet<u64>) -> Bytes {
    let fields = fields();
    let extra = BTreeMap::from([("organizationId".to_owned(), "string")]);
    let mut writer = SilverWriter::new(ObjectId::of("bucket", "bronze/x")).unwrap();
    for line in 0..rows {
        writer.push(&Row { erased: erased.contains(&line), ..row(line, &fields, &extra) }).unwrap();
    }
    writer.finish().unwrap().remove(0).parquet
}

fn rows(parquet: &Bytes) -> Vec<ParquetRow> {
    let reader = SerializedFileReader::new(parquet.clone()).unwrap();
    reader.get_row_iter(None).unwrap().map(Result::unwrap).collect()
}

fn metadata(parquet: &Bytes) -> ParquetMetaData {
    SerializedFileReader::new(parquet.clone()).unwrap().metadata().clone()
}

/// The bytes of every chunk, by row group and column.
fn chunks(parquet: &Bytes) -> BTreeMap<(usize, String), Bytes> {
    let mut all = BTreeMap::new();
    for (group, of) in metadata(parquet).row_groups().iter().enumerate() {
        for column in of.columns() {
            let (start, length) = column.byte_range();
            let bytes = parquet.slice(start as usize..(start + length) as usize);
            all.insert((group, column.column_descr().name().to_owned()), bytes);
        }
    }
    all
}

fn erase(parquet: &Bytes, goers: &BTreeSet<u64>) -> Option<Bytes> {
    erase_rows(parquet.clone(), &|row| goers.contains(&row.line)).unwrap().map(Bytes::from)
}

#[test]
fn a_row_that_goes_is_the_one_that_transform_writes_and_the_others_stay() {
    let whole = file(40, &BTreeSet::new());
    for goers in [BTreeSet::from([0]), BTreeSet::from([5, 6, 7]), (0..40).collect(), BTreeSet::from([39])] {
        let erased = erase(&whole, &goers).unwrap();
        assert_eq!(rows(&erased), rows(&file(40, &goers)), "{goers:?}");
        // Done again, and with fewer, it changes nothing.
        assert_eq!(erase(&erased, &goers), None);
        assert_eq!(erase(&erased, &BTreeSet::new()), None);
    }
    assert_eq!(erase(&whole, &BTreeSet::from([40])), None);
}

#[test]
fn rows_may_go_one_after_the_other_and_those_that_transform_erased_stay_so() {
    let mut parquet = file(40, &BTreeSet::from([3]));
    for line in [7, 8, 30] {
        parquet = erase(&parquet, &BTreeSet::from([line])).unwrap();
    }
    assert_eq!(rows(&parquet), rows(&file(40, &BTreeSet::from([3, 7, 8, 30]))));
}

#[test]
fn chunks_in_which_nothing_goes_keep_every_byte_and_their_statistics() {
    let group = ROW_GROUP_ROWS as u64;
    let whole = file(2 * group + 3, &BTreeSet::new());
    // In the second of three row groups.
    let goers = BTreeSet::from([group + 1, group + 2]);
    let erased = erase(&whole, &goers).unwrap();
    let (before, after) = (chunks(&whole), chunks(&erased));
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    let changed: BTreeSet<(usize, &str)> = before
        .iter()
        .filter(|(at, bytes)| after[*at] != **bytes)
        .map(|((group, name), _)| (*group, name.as_str()))
        .collect();
    let expected = [
        "crm_owner",
        "crm_product",
        "crm_tier",
        "custom",
        "customer_ref",
        "erased",
        "extra",
        "lineage_provenance",
        "lineage_token",
        "masked_fields",
    ];
    assert_eq!(changed, expected.map(|name| (1, name)).into());
    let (old, new) = (metadata(&whole), metadata(&erased));
    for (group, (old, new)) in old.row_groups().iter().zip(new.row_groups()).enumerate() {
        assert_eq!(old.num_rows(), new.num_rows());
        for (old, new) in old.columns().iter().zip(new.columns()) {
            let name = old.column_descr().name();
            assert_eq!(old.statistics() == new.statistics(), !changed.contains(&(group, name)), "{group} {name}");
            assert_eq!(old.num_values(), new.num_values());
        }
    }
    assert_eq!(rows(&erased).len(), 2 * ROW_GROUP_ROWS + 3);
}

#[test]
fn a_chunk_of_which_all_values_go_is_all_null() {
    let erased = erase(&file(12, &BTreeSet::new()), &(0..12).collect()).unwrap();
    for column in metadata(&erased).row_group(0).columns() {
        if is_erased(column.column_descr().name(), "") {
            let nulls = column.statistics().and_then(|statistics| statistics.null_count_opt());
            let expected = if column.column_descr().name() == TOKEN { 9 } else { 12 };
            assert_eq!(nulls, Some(expected), "{}", column.column_descr().name());
        }
    }
}

#[test]
fn it_is_asked_of_each_row_what_decides() {
    let seen = std::cell::RefCell::new(Vec::new());
    let parquet = file(5, &BTreeSet::from([1]));
    let found = erase_rows(parquet, &|row| {
        seen.borrow_mut().push((
            row.line,
            row.customer_ref.map(str::to_owned),
            row.record.clone(),
            row.occurred_at_ms,
            row.erased,
        ));
        false
    });
    assert_eq!(found.unwrap(), None);
    let name = || Some("c_0a1b".to_owned());
    let expected = [
        (0, None, "acme/Contact/x_1", false),
        (1, None, "acme/c-1", true),
        (2, name(), "acme/c-1", false),
        (3, None, "acme/c-1", false),
        (4, name(), "acme/Contact/x_1", false),
    ];
    let expected =
        expected.map(|(line, name, record, erased)| (line, name, record.to_owned(), NOON_MS + line as i64, erased));
    assert_eq!(seen.into_inner(), expected);
}

/// The file as it was before the last columns were added: of the first version, which says so by saying nothing.
fn of_version_1(parquet: &Bytes) -> Bytes {
    let reader = SerializedFileReader::new(parquet.clone()).unwrap();
    let columns = COLUMNS.iter().position(|column| column.name == "survey_score_centi").unwrap();
    let fields = COLUMNS[..columns].iter().map(|column| Arc::new(column.parquet().unwrap())).collect();
    let schema = Arc::new(Type::group_type_builder("silver_events").with_fields(fields).build().unwrap());
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties(None))).unwrap();
    for group in reader.metadata().row_groups() {
        let mut out = file.next_row_group().unwrap();
        (0..columns).for_each(|column| append(&mut out, group, column, parquet).unwrap());
        out.close().unwrap();
    }
    file.into_inner().unwrap().into()
}

/// The same file, which says something else of itself.
fn saying(parquet: &Bytes, said: Option<Vec<KeyValue>>) -> Bytes {
    let reader = SerializedFileReader::new(parquet.clone()).unwrap();
    let schema = reader.metadata().file_metadata().schema_descr().root_schema_ptr();
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties(said))).unwrap();
    for group in reader.metadata().row_groups() {
        let mut out = file.next_row_group().unwrap();
        (0..group.num_columns()).for_each(|column| append(&mut out, group, column, parquet).unwrap());
        out.close().unwrap();
    }
    file.into_inner().unwrap().into()
}

#[test]
fn all_that_a_file_says_of_itself_stays_and_so_does_its_version() {
    let whole = file(12, &BTreeSet::new());
    let said = |parquet: &Bytes| metadata(parquet).file_metadata().key_value_metadata().cloned();
    let goers = BTreeSet::from([1, 2]);
    let erased = erase(&whole, &goers).unwrap();
    assert_eq!((version_of(&erased), said(&erased)), (Ok(2), said(&whole)));
    let more = [said(&whole).unwrap(), vec![KeyValue::new("somebody".to_owned(), "else's".to_owned())]].concat();
    let erased = erase(&saying(&whole, Some(more.clone())), &goers).unwrap();
    assert_eq!(said(&erased), Some(more));
    // Of a version without the last columns it is so still: a number would make readers look for them.
    let old = of_version_1(&whole);
    let erased = erase(&old, &goers).unwrap();
    assert_eq!((version_of(&erased), said(&erased)), (Ok(1), None));
    assert_eq!(rows(&erased), rows(&of_version_1(&file(12, &goers))));
}

#[test]
fn a_file_of_a_later_version_is_refused_since_its_columns_are_not_known() {
    let version = |text: &str| Some(vec![KeyValue::new("ledgerline.silver".to_owned(), text.to_owned())]);
    let whole = file(5, &BTreeSet::new());
    assert!(erase(&saying(&whole, version("2")), &BTreeSet::from([1])).is_some());
    let error = erase_rows(saying(&whole, version("3")), &|_| true).unwrap_err();
    assert!(matches!(error, SilverError::Schema(SchemaError::Unknown)), "{error}");
}

#[test]
fn every_column_of_a_person_is_null_in_a_row_that_went_and_figures_keep_theirs() {
    let names = |row: &ParquetRow| -> BTreeMap<String, bool> {
        row.get_column_iter()
            .map(|(name, field)| (name.clone(), !matches!(field, parquet::record::Field::Null)))
            .collect()
    };
    let whole = file(12, &BTreeSet::new());
    let erased = erase(&whole, &BTreeSet::from([1])).unwrap();
    let (before, after) = (names(&rows(&whole)[1]), names(&rows(&erased)[1]));
    let gone: Vec<&str> =
        before.iter().filter(|(name, is)| **is && !after[*name]).map(|(name, _)| name.as_str()).collect();
    for column in ["crm_owner", "crm_product", "crm_tier", "custom", "customer_ref"] {
        assert!(gone.contains(&column), "{column}");
    }
    assert!(ERASED.iter().all(|name| !after[*name]));
    assert!(["media", "survey_score_centi", "outcome_map", "occurred_at_ms"].iter().all(|name| after[*name]));
}

#[test]
fn what_is_not_a_silver_file_is_refused() {
    let parquet = file(5, &BTreeSet::new());
    for bad in [Bytes::new(), Bytes::from_static(b"PAR1PAR1"), parquet.slice(..parquet.len() - 9)] {
        assert!(erase_rows(bad, &|_| true).is_err());
    }
    assert!(COLUMNS.iter().any(|column| column.name == ERASED_COLUMN));
}
