//! Silver: the events as analysts see them, one Parquet file per bronze object and day of occurrence.
//!
//! Invariant: a file holds no personal data (its values are ids, times and what the policy made [`Clear`]), the same
//! rows in the same order give the same bytes, and every column is optional, so that a reader of one file reads all.
//! Columns are only ever added.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ledgerline_privacy::{Clear, View};
use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type};
use time::{Date, OffsetDateTime};

use crate::ids::ObjectId;
use crate::keys;

mod columns;

use columns::{COLUMNS, ColumnKind, FIELD_COLUMNS, From};

/// One event. What has no column of its own is looked up in `fields` by the column's name.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The org.
    pub org: &'a str,
    /// The event's id.
    pub event_id: &'a str,
    /// The interaction, if the event has one.
    pub interaction_id: Option<&'a str>,
    /// The type of the entity, if the event is about one.
    pub entity_type: Option<&'a str>,
    /// The id of the entity.
    pub entity_id: Option<&'a str>,
    /// The source, as its adapter names it.
    pub source: &'a str,
    /// The source's topic, with a placeholder for ids.
    pub topic: &'a str,
    /// The version of the source's schema.
    pub schema_version: &'a str,
    /// The event type, such as `customer.start`.
    pub event_type: &'a str,
    /// The activity, for process mining.
    pub activity: &'a str,
    /// Where in the activity the event stands: `start`, `complete`…
    pub lifecycle: Option<&'a str>,
    /// When it occurred, in epoch milliseconds. Decides the file.
    pub occurred_at_ms: i64,
    /// When ingest received it.
    pub ingested_at_ms: Option<i64>,
    /// When transform processed it.
    pub processed_at_ms: Option<i64>,
    /// The random name of the customer's subject.
    pub customer_ref: Option<&'a str>,
    /// What the policy let through, sorted by name.
    pub fields: &'a [(&'static str, Clear)],
    /// The names of what it did not.
    pub masked: &'a [&'static str],
    /// The policy's version.
    pub policy_version: &'a str,
    /// The lineage token.
    pub lineage_token: &'a str,
    /// The lineage provenance, JSON.
    pub lineage_provenance: &'a str,
    /// The line in the bronze object, from 0.
    pub bronze_line: u64,
    /// Keys and JSON kinds of fields that no adapter knows.
    pub extra: &'a BTreeMap<String, &'static str>,
}

/// A finished file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilverFile {
    /// Its key.
    pub key: String,
    /// The day on which its rows occurred.
    pub date: Date,
    /// How many rows it has.
    pub rows: u64,
    /// Its bytes.
    pub parquet: Bytes,
}

/// Writes one bronze object's rows, each to the file of the day on which it occurred.
#[derive(Debug)]
pub struct SilverWriter {
    object: ObjectId,
    bronze_object: String,
    schema: Arc<Type>,
    properties: WriterPropertiesPtr,
    days: BTreeMap<Date, Day>,
}

impl SilverWriter {
    /// A writer for the rows of a bronze object.
    pub fn new(object: ObjectId) -> Result<Self, SilverError> {
        let fields = COLUMNS.iter().map(|column| column.parquet().map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        let schema = Arc::new(Type::group_type_builder("silver_events").with_fields(fields).build()?);
        let (bronze_object, properties) = (object.to_hex(), Arc::new(properties()));
        Ok(Self { object, bronze_object, schema, properties, days: BTreeMap::new() })
    }

    /// Adds a row. Rows of one day keep the order in which they came.
    pub fn push(&mut self, row: &Row<'_>) -> Result<(), SilverError> {
        let date = utc_date(row.occurred_at_ms).ok_or(SilverError::Time)?;
        let day = match self.days.entry(date) {
            std::collections::btree_map::Entry::Occupied(day) => day.into_mut(),
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(Day::new(self.schema.clone(), self.properties.clone())?)
            }
        };
        day.push(row, &self.bronze_object)
    }

    /// The finished files, by day.
    pub fn finish(self) -> Result<Vec<SilverFile>, SilverError> {
        let object = self.object;
        let file = |(date, day): (Date, Day)| {
            let (rows, parquet) = day.finish()?;
            Ok(SilverFile { key: keys::silver_events(date, object), date, rows, parquet })
        };
        self.days.into_iter().map(file).collect()
    }
}

/// Why no file could be written.
#[derive(Debug, thiserror::Error)]
pub enum SilverError {
    /// A time that no calendar day has.
    #[error("a silver row's time is out of the calendar's range")]
    Time,
    /// The Parquet library's own.
    #[error("the silver file could not be written as Parquet: {0}")]
    Parquet(#[from] ParquetError),
}

/// One day's file: rows are gathered by column and written out as row groups.
struct Day {
    file: SerializedFileWriter<Vec<u8>>,
    columns: Vec<Values>,
    pending: usize,
    rows: u64,
}

impl std::fmt::Debug for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Day {{ rows: {} }}", self.rows)
    }
}

impl Day {
    fn new(schema: Arc<Type>, properties: WriterPropertiesPtr) -> Result<Self, SilverError> {
        let file = SerializedFileWriter::new(Vec::new(), schema, properties)?;
        let columns = COLUMNS.iter().map(|column| Values::new(column.kind)).collect();
        Ok(Self { file, columns, pending: 0, rows: 0 })
    }

    fn push(&mut self, row: &Row<'_>, bronze_object: &str) -> Result<(), SilverError> {
        self.push_fields(row.fields);
        for (column, values) in COLUMNS.iter().zip(&mut self.columns) {
            match column.from {
                From::Field => {}
                From::Text(text) => values.push_text(text(row)),
                From::Int(int) => values.push_int(int(row)),
                From::BronzeObject => values.push_text(Some(bronze_object)),
                From::MaskedFields => values.push_joined(row.masked),
                From::Extra => values.push_extra(row.extra),
            }
        }
        self.rows += 1;
        self.pending += 1;
        if self.pending == ROW_GROUP_ROWS { self.flush() } else { Ok(()) }
    }

    /// Goes through the columns and the fields in step, both sorted by name.
    fn push_fields(&mut self, mut fields: &[(&'static str, Clear)]) {
        for &at in FIELD_COLUMNS.iter() {
            let mut value = None;
            while let Some(((name, clear), rest)) = fields.split_first() {
                match (*name).cmp(COLUMNS[at].name) {
                    Ordering::Greater => break,
                    Ordering::Equal => value = Some(clear),
                    // A field without a column: the ledger has it.
                    Ordering::Less => {}
                }
                fields = rest;
                if value.is_some() {
                    break;
                }
            }
            self.columns[at].push_field(value);
        }
    }

    fn flush(&mut self) -> Result<(), SilverError> {
        if self.pending == 0 {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for values in &mut self.columns {
            let Some(mut column) = group.next_column()? else { break };
            values.write(column.untyped())?;
            column.close()?;
        }
        group.close()?;
        self.pending = 0;
        Ok(())
    }

    fn finish(mut self) -> Result<(u64, Bytes), SilverError> {
        self.flush()?;
        Ok((self.rows, Bytes::from(self.file.into_inner()?)))
    }
}

/// The values of one column that are not written out yet. `present` has a 1 for a value and a 0 for null.
enum Values {
    Text { present: Vec<i16>, bytes: Vec<u8>, ends: Vec<usize> },
    Int { present: Vec<i16>, values: Vec<i64> },
    Bool { present: Vec<i16>, values: Vec<bool> },
}

impl Values {
    fn new(kind: ColumnKind) -> Self {
        let present = Vec::new();
        match kind {
            ColumnKind::Text => Self::Text { present, bytes: Vec::new(), ends: Vec::new() },
            ColumnKind::Int | ColumnKind::Time => Self::Int { present, values: Vec::new() },
            ColumnKind::Bool => Self::Bool { present, values: Vec::new() },
        }
    }

    fn push_null(&mut self) {
        match self {
            Self::Text { present, .. } | Self::Int { present, .. } | Self::Bool { present, .. } => present.push(0),
        }
    }

    fn push_text(&mut self, text: Option<&str>) {
        match (self, text) {
            (Self::Text { present, bytes, ends }, Some(text)) => {
                bytes.extend_from_slice(text.as_bytes());
                ends.push(bytes.len());
                present.push(1);
            }
            (column, _) => column.push_null(),
        }
    }

    fn push_int(&mut self, int: Option<i64>) {
        match (self, int) {
            (Self::Int { present, values }, Some(int)) => {
                values.push(int);
                present.push(1);
            }
            (column, _) => column.push_null(),
        }
    }

    /// A value of another kind than its column's is null here; the ledger has it.
    fn push_field(&mut self, field: Option<&Clear>) {
        match (self, field.map(Clear::view)) {
            (column @ Self::Text { .. }, Some(View::Text(text))) => column.push_text(Some(text)),
            (column @ Self::Int { .. }, Some(View::Int(int) | View::Time(int))) => column.push_int(Some(int)),
            (Self::Bool { present, values }, Some(View::Bool(flag))) => {
                values.push(flag);
                present.push(1);
            }
            (column, _) => column.push_null(),
        }
    }

    /// Names, by comma; null if there are none.
    fn push_joined(&mut self, names: &[&str]) {
        if names.is_empty() { self.push_null() } else { self.push_text(Some(&names.join(","))) }
    }

    /// `{"key":"kind"}`; null if there is nothing extra.
    fn push_extra(&mut self, extra: &BTreeMap<String, &'static str>) {
        // A map of strings always has a JSON form.
        let json = if extra.is_empty() { None } else { serde_json::to_string(extra).ok() };
        self.push_text(json.as_deref());
    }

    fn write(&mut self, column: &mut ColumnWriter<'_>) -> Result<(), ParquetError> {
        match (self, column) {
            (Self::Text { present, bytes, ends }, ColumnWriter::ByteArrayColumnWriter(writer)) => {
                let arena = Bytes::from(std::mem::take(bytes));
                let mut start = 0;
                let slice = |end: &usize| ByteArray::from(arena.slice(std::mem::replace(&mut start, *end)..*end));
                let values: Vec<ByteArray> = ends.iter().map(slice).collect();
                writer.write_batch(&values, Some(present), None)?;
                ends.clear();
                present.clear();
            }
            (Self::Int { present, values }, ColumnWriter::Int64ColumnWriter(writer)) => {
                writer.write_batch(values, Some(present), None)?;
                values.clear();
                present.clear();
            }
            (Self::Bool { present, values }, ColumnWriter::BoolColumnWriter(writer)) => {
                writer.write_batch(values, Some(present), None)?;
                values.clear();
                present.clear();
            }
            _ => return Err(ParquetError::General("a column's values are not of its schema's type".to_owned())),
        }
        Ok(())
    }
}

fn properties() -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by("ledgerline".to_owned())
        .set_compression(Compression::SNAPPY)
        // Per row group, for skipping; the per-page index costs more than files of this size gain by it.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true);
    for unique in UNIQUE {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(*unique), false);
    }
    properties.build()
}

fn utc_date(epoch_ms: i64) -> Option<Date> {
    OffsetDateTime::from_unix_timestamp(epoch_ms.div_euclid(1000)).ok().map(|at| at.date())
}

/// Rows that are gathered before they are written out: at some 600 bytes each, 20 MiB of memory.
const ROW_GROUP_ROWS: usize = 32 * 1024;

/// Columns whose values hardly repeat: a dictionary would be built in vain.
const UNIQUE: &[&str] = &["event_id", "bronze_line", "occurred_at"];

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_privacy::{Policy, PseudonymKey};
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    use serde_json::{Value, json};
    use time::macros::date;

    /// What a row borrows.
    struct Owned {
        fields: Vec<(&'static str, Clear)>,
        masked: Vec<&'static str>,
        extra: BTreeMap<String, &'static str>,
    }

    fn owned(fields: &[(&'static str, Value)]) -> Owned {
        let masked = Policy::built_in().mask(&PseudonymKey::new(1, [7; 32]), fields.iter().map(|(n, v)| (*n, v)));
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
            ingested_at_ms: Some(occurred_at_ms + 350),
            processed_at_ms: None,
            customer_ref: None,
            fields: &owned.fields,
            masked: &owned.masked,
            policy_version: "builtin-1",
            lineage_token: "11111111-1111-4111-8111-111111111111",
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
            ("held_duration_ms", json!(30000)),
            ("skill_expression_applied", json!(false)),
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
        ] {
            assert_eq!(rows[0][column], value, "{column}");
        }
        assert_eq!(rows[0].as_object().map(|row| row.len()), Some(COLUMNS.len()));
        assert!(!String::from_utf8_lossy(&files[0].parquet).contains("5555550142"));
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
}
