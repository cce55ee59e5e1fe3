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
    /// Whether an envelope told that time, the event itself having none.
    pub time_from_envelope: bool,
    /// Whether that time stated no offset and was taken as UTC.
    pub zone_assumed: bool,
    /// The source's own number of the event within its record.
    pub sequence: Option<i64>,
    /// Where the event stands among those of one instant, ascending.
    pub event_rank: u8,
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
    /// Whose the token is: `source`, `derived`, or `refused` if the source's was no token and one was derived.
    pub lineage_from: &'static str,
    /// The pseudonym of the source's token if it was refused.
    pub lineage_ref: Option<&'a str>,
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
                From::Bool(flag) => values.push_bool(flag(row)),
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

    fn push_bool(&mut self, flag: bool) {
        match self {
            Self::Bool { present, values } => {
                values.push(flag);
                present.push(1);
            }
            column => column.push_null(),
        }
    }

    /// A value of another kind than its column's is null here; the ledger has it.
    fn push_field(&mut self, field: Option<&Clear>) {
        match (self, field.map(Clear::view)) {
            (column @ Self::Text { .. }, Some(View::Text(text))) => column.push_text(Some(text)),
            (column @ Self::Int { .. }, Some(View::Int(int) | View::Time(int))) => column.push_int(Some(int)),
            (column @ Self::Bool { .. }, Some(View::Bool(flag))) => column.push_bool(flag),
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
const UNIQUE: &[&str] = &["event_id", "bronze_line", "occurred_at", "occurred_at_ms"];

#[cfg(test)]
mod tests;
