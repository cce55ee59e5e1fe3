//! Rows are read back from the files as they were pushed, and a file is the same whenever it is written.

use super::*;
use ledgerline_privacy::{FieldRule, Policy, PseudonymKey, Rule, Side, Store};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use time::macros::date;

/// What a row borrows.
struct Owned {
    fields: Vec<(&'static str, Clear)>,
    masked: Vec<&'static str>,
    extra: BTreeMap<String, &'static str>,
}

fn owned(fields: &[(&'static str, Value)]) -> Owned {
    let rules = [
        ("consent_gdpr", "bool"),
        ("held_duration_ms", "duration_ms"),
        ("media", "word:media"),
        ("queue_id", "uuid|phrase"),
        ("queue_name", "phrase"),
        ("requested_language_id", "uuid"),
        ("requested_routings", "list:word:routing"),
        ("skill_expression_applied", "bool"),
        ("started_at", "time"),
        ("survey_score_centi", "whole:10000"),
        ("wrapup_duration_ms", "duration_ms"),
    ];
    let field = |(name, rule)| FieldRule {
        name,
        store: Store::Both,
        rule: Some(Rule::parse(rule).unwrap()),
        side: Side::Centre,
    };
    let policy = Policy::new("test-1", rules.map(field)).unwrap();
    let texts: Vec<_> = fields.iter().map(|(name, value)| (*name, value.to_string())).collect();
    let fields: Vec<_> =
        texts.iter().map(|(name, text)| (*name, ledgerline_json::parse(text.as_bytes()).unwrap())).collect();
    let masked = policy.mask(&PseudonymKey::new(1, [7; 32]), fields.iter().map(|(name, value)| (*name, value)));
    Owned { fields: masked.clear, masked: masked.masked, extra: BTreeMap::new() }
}

fn row(owned: &Owned, occurred_at_ms: i64, bronze_line: u64) -> Row<'_> {
    Row {
        org: "acme",
        event_id: "c017ca9349716df434f7ea50dde47c16",
        interaction_id: Some("11111111-1111-4111-8111-111111111111"),
        entity_type: None,
        entity_id: None,
        source: "genesys-eventbridge",
        topic: "v2.detail.events.conversation.{id}.user.end",
        schema_version: "2",
        event_type: "user.end",
        activity: "Agent disconnected",
        lifecycle: Some("complete"),
        occurred_at_ms,
        time_from_envelope: false,
        zone_assumed: true,
        country_assumed: true,
        flaws: None,
        sequence: None,
        event_rank: 58,
        ingested_at_ms: Some(occurred_at_ms + 350),
        processed_at_ms: None,
        customer_ref: None,
        crm_tier: None,
        crm_product: None,
        crm_owner: None,
        outcome_map: None,
        fields: &owned.fields,
        masked: &owned.masked,
        policy_version: "test-1",
        lineage_token: "11111111-1111-4111-8111-111111111111",
        lineage_from: "derived",
        lineage_ref: None,
        lineage_derived: None,
        erased: false,
        lineage_provenance: "{}",
        bronze_line,
        extra: &owned.extra,
    }
}

fn write(rows: &[Row<'_>]) -> Vec<SilverFile> {
    let mut writer = SilverWriter::new(ObjectId::of("bucket", "bronze/x")).unwrap();
    rows.iter().for_each(|row| writer.push(row).unwrap());
    writer.finish().unwrap()
}

fn read(file: &SilverFile) -> Vec<Value> {
    let reader = SerializedFileReader::new(file.parquet.clone()).unwrap();
    let json = |row: parquet::record::Row| row.get_column_iter().map(|(n, v)| (n.clone(), to_json(v))).collect();
    reader.get_row_iter(None).unwrap().map(|row| json(row.unwrap())).collect()
}

fn to_json(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(flag) => json!(flag),
        Field::Long(number) => json!(number),
        Field::Str(text) => json!(text),
        Field::TimestampMillis(ms) => json!(ms),
        other => panic!("no column has the type of {other}"),
    }
}

#[test]
fn values_are_read_back_as_they_were_pushed() {
    let mut one = owned(&[
        ("media", json!("voice")),
        ("queue_id", json!("5169b6fa-0543-5428-8d60-2e3d7a1d2909")),
        ("queue_name", json!("Billing (voice)")),
        ("held_duration_ms", json!(30000)),
        ("skill_expression_applied", json!(false)),
        ("consent_gdpr", json!(true)),
        ("started_at", json!("2026-03-02T13:59:00Z")),
        ("ani", json!("tel:+15555550142")),
        ("dnis", json!("tel:+15555550000")),
    ]);
    one.extra.insert("organizationId".to_owned(), "string");
    let files = write(&[row(&one, NOON_MS, 7)]);
    let rows = read(&files[0]);
    assert_eq!((files.len(), files[0].rows, rows.len()), (1, 1, 1));
    for (column, value) in [
        ("org", json!("acme")),
        ("event_id", json!("c017ca9349716df434f7ea50dde47c16")),
        ("media", json!("VOICE")),
        ("queue_id", json!("5169b6fa-0543-5428-8d60-2e3d7a1d2909")),
        ("held_duration_ms", json!(30000)),
        ("interacting_duration_ms", Value::Null),
        ("skill_expression_applied", json!(false)),
        ("pii_collected", Value::Null),
        ("occurred_at", json!(NOON_MS)),
        // date -u -d 2026-03-02T13:59:00Z +%s000
        ("started_at", json!(1_772_459_940_000_i64)),
        ("processed_at", Value::Null),
        ("masked_fields", json!("ani,dnis")),
        ("extra", json!("{\"organizationId\":\"string\"}")),
        ("bronze_object", json!(ObjectId::of("bucket", "bronze/x").to_hex())),
        ("bronze_line", json!(7)),
        ("entity_type", Value::Null),
        ("customer_ref", Value::Null),
        ("queue_name", json!("Billing (voice)")),
        ("state_name", Value::Null),
        ("consent_gdpr", json!(true)),
        ("request_pending", Value::Null),
        ("occurred_at_ms", json!(NOON_MS)),
        ("source_sequence", Value::Null),
        ("event_rank", json!(58)),
        ("occurred_at_from", json!("own")),
        ("zone_assumed", json!(true)),
        ("country_assumed", json!(true)),
        ("lineage_from", json!("derived")),
        ("lineage_ref", Value::Null),
        ("lineage_derived", Value::Null),
        ("erased", json!(false)),
    ] {
        assert_eq!(rows[0][column], value, "{column}");
    }
    assert_eq!(rows[0].as_object().map(|row| row.len()), Some(COLUMNS.len()));
    assert!(!String::from_utf8_lossy(&files[0].parquet).contains("5555550142"));
}

#[test]
fn order_and_origin_of_a_row_are_read_back() {
    let none = owned(&[]);
    let plain = row(&none, NOON_MS, 0);
    let told = Row {
        time_from_envelope: true,
        zone_assumed: false,
        country_assumed: false,
        flaws: None,
        sequence: Some(-3),
        event_rank: u8::MAX,
        lineage_from: "refused",
        lineage_ref: Some("p1_00"),
        lineage_derived: Some("11111111-1111-5111-8111-111111111111"),
        ..plain
    };
    let rows = read(&write(&[told, plain])[0]);
    for (column, first, second) in [
        ("occurred_at_from", json!("envelope"), json!("own")),
        ("zone_assumed", json!(false), json!(true)),
        ("country_assumed", json!(false), json!(true)),
        ("source_sequence", json!(-3), Value::Null),
        ("event_rank", json!(255), json!(58)),
        ("lineage_from", json!("refused"), json!("derived")),
        ("lineage_ref", json!("p1_00"), Value::Null),
        ("lineage_derived", json!("11111111-1111-5111-8111-111111111111"), Value::Null),
    ] {
        assert_eq!((&rows[0][column], &rows[1][column]), (&first, &second), "{column}");
    }
}

#[test]
fn what_figures_and_analysts_ask_for_is_read_back() {
    let one = owned(&[
        ("survey_score_centi", json!("8750")),
        ("requested_routings", json!(["standard", "BULLSEYE"])),
        ("requested_language_id", json!("8B315B72-A4CE-5E30-A09F-ADDAD0059A02")),
        ("media", json!("voice")),
    ]);
    let said = Row {
        crm_tier: Some("Gold"),
        crm_product: Some("Credit card"),
        crm_owner: Some("p1_00"),
        outcome_map: Some("1"),
        ..row(&one, NOON_MS, 0)
    };
    let none = owned(&[("media", json!("voice"))]);
    let files = write(&[said, row(&none, NOON_MS, 1)]);
    let custom = json!(
        "{\"requested_language_id\":\"8b315b72-a4ce-5e30-a09f-addad0059a02\",\"requested_routings\":[\"STANDARD\",\"BULLSEYE\"]}"
    );
    let rows = read(&files[0]);
    for (column, value) in [
        ("crm_tier", json!("Gold")),
        ("crm_product", json!("Credit card")),
        ("crm_owner", json!("p1_00")),
        ("survey_score_centi", json!(8_750)),
        ("outcome_map", json!("1")),
        ("custom", custom),
    ] {
        assert_eq!((&rows[0][column], &rows[1][column]), (&value, &Value::Null), "{column}");
    }
    assert_eq!(version_of(&files[0].parquet), Ok(VERSION));
}

#[test]
fn every_column_has_a_type_that_glue_knows() {
    let all: Vec<(&str, &str)> = columns().map(|(name, kind)| (name, kind.glue())).collect();
    assert_eq!(all.len(), COLUMNS.len());
    for (name, glue) in [
        ("org", "string"),
        ("occurred_at", "timestamp"),
        ("occurred_at_ms", "bigint"),
        ("erased", "boolean"),
        ("survey_nps", "bigint"),
        ("custom", "string"),
    ] {
        assert!(all.contains(&(name, glue)), "{name}");
    }
    assert!(all.iter().all(|(name, _)| *name != "date"), "the partition's key is in no file");
}

#[test]
fn a_row_that_an_erasure_covers_has_nothing_of_a_person_and_is_otherwise_as_it_was() {
    let owned = owned(&[
        ("media", json!("VOICE")),
        ("ani", json!("+15555550142")),
        ("requested_routings", json!(["STANDARD"])),
        ("survey_score_centi", json!(450)),
    ]);
    for (lineage_from, token_stays) in [("source", false), ("shared", false), ("derived", true), ("refused", true)] {
        let whole = Row {
            customer_ref: Some("c_00"),
            crm_tier: Some("Gold"),
            outcome_map: Some("1"),
            lineage_from,
            lineage_ref: Some("p1_00"),
            ..row(&owned, NOON_MS, 0)
        };
        let rows = read(&write(&[whole, Row { erased: true, ..whole }])[0]);
        for (column, value) in rows[0].as_object().unwrap() {
            let expected = match column.as_str() {
                "erased" => json!(true),
                TOKEN if token_stays => value.clone(),
                TOKEN => Value::Null,
                name if ERASED.contains(&name) => Value::Null,
                _ => value.clone(),
            };
            assert_eq!(rows[1][column], expected, "{lineage_from}: {column}");
        }
        for there in ["customer_ref", "masked_fields", "crm_tier", "custom"] {
            assert!(!rows[0][there].is_null(), "{lineage_from}: {there}");
        }
        assert_eq!((&rows[1]["survey_score_centi"], &rows[1]["outcome_map"]), (&json!(450), &json!("1")));
    }
}

#[test]
fn rows_go_to_the_file_of_their_day_in_their_order() {
    let none = owned(&[]);
    let midnight = NOON_MS + 43_200_000;
    let files = write(&[row(&none, midnight, 0), row(&none, midnight - 1, 1), row(&none, midnight - 5, 2)]);
    let dates: Vec<(Date, u64)> = files.iter().map(|file| (file.date, file.rows)).collect();
    assert_eq!(dates, vec![(date!(2026 - 03 - 02), 2), (date!(2026 - 03 - 03), 1)]);
    let object = ObjectId::of("bucket", "bronze/x");
    assert_eq!(files[0].key, format!("silver/events/date=2026-03-02/{object}.parquet"));
    let lines: Vec<Value> = read(&files[0]).iter().map(|row| row["bronze_line"].clone()).collect();
    assert_eq!(lines, vec![json!(1), json!(2)]);
}

#[test]
fn equal_rows_give_equal_bytes() {
    let one = owned(&[("media", json!("CHAT")), ("wrapup_duration_ms", json!(1))]);
    let rows: Vec<Row<'_>> = (0..1000).map(|n| row(&one, NOON_MS, n)).collect();
    assert_eq!(write(&rows), write(&rows));
}

#[test]
fn rows_beyond_a_row_group_are_all_there() {
    let one = owned(&[("media", json!("CHAT"))]);
    let all = ROW_GROUP_ROWS as u64 + 3;
    let rows: Vec<Row<'_>> = (0..all).map(|n| row(&one, NOON_MS, n)).collect();
    let file = &write(&rows)[0];
    let reader = SerializedFileReader::new(file.parquet.clone()).unwrap();
    assert_eq!((reader.num_row_groups(), file.rows), (2, all));
    let lines: Vec<Value> = read(file).iter().map(|row| row["bronze_line"].clone()).collect();
    assert_eq!(lines, (0..all).map(|n| json!(n)).collect::<Vec<_>>());
}

#[test]
fn no_rows_make_no_file() {
    assert!(write(&[]).is_empty());
}

#[test]
fn time_beyond_the_calendar_is_refused() {
    let none = owned(&[]);
    let mut writer = SilverWriter::new(ObjectId::of("bucket", "bronze/x")).unwrap();
    assert!(matches!(writer.push(&row(&none, i64::MAX / 2, 0)), Err(SilverError::Time)));
    assert!(writer.finish().unwrap().is_empty());
}

/// 2026-03-02T12:00:00Z
const NOON_MS: i64 = 1_772_452_800_000;

#[test]
fn the_rows_of_lines_say_how_their_events_came_and_nothing_of_a_person() {
    let owned = owned(&[]);
    let mut writer = SilverWriter::new(ObjectId::of("bucket", "key")).unwrap();
    for line in 0..5 {
        let masked: &[&'static str] = if line == 3 { &["ani", "customer_name"] } else { &[] };
        let row = Row { masked, erased: line == 4, lineage_from: "source", ..row(&owned, 7, line) };
        writer.push(&row).unwrap();
    }
    let file = writer.finish().unwrap().remove(0);
    let rows = lineage_rows(&file.parquet, &[1, 3, 4, 9].into()).unwrap();
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), [1, 3, 4], "of a line that is not there nothing");
    let told = LineageRow {
        lineage_provenance: Some("{}".into()),
        lineage_from: Some("source".into()),
        ..LineageRow::default()
    };
    assert_eq!(rows[&1], told);
    assert_eq!(rows[&3], LineageRow { masked_fields: Some("ani,customer_name".into()), ..told.clone() });
    assert_eq!(rows[&4], LineageRow { erased: true, lineage_provenance: None, ..told });
    assert!(lineage_rows(&Bytes::from_static(b"PAR1"), &[1].into()).is_err());
    assert!(lineage_rows(&file.parquet, &BTreeSet::new()).unwrap().is_empty());
}
