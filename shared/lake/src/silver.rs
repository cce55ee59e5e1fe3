//! Silver: the events as analysts see them, one Parquet file per bronze object and day of occurrence.
//!
//! Invariant: a file holds no personal data (its values are ids, times and what the policy made [`Clear`]), the same
//! rows in the same order give the same bytes, and every column is optional, so that a reader of one file reads all.
//! Columns are only ever added; a file says which version of the schema it is of.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use ledgerline_event::catalogue::built_in;
use ledgerline_privacy::{Clear, View};
use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type};
use time::{Date, OffsetDateTime};

use crate::ids::ObjectId;
use crate::keys;

mod columns;
mod erase;
mod lineage;
mod schema;

use columns::{COLUMNS, Column, FIELD_COLUMNS, From};
pub use columns::{ColumnKind, ERASED, TOKEN, columns, is_erased};
pub use erase::{SilverRow, erase_rows};
pub use lineage::{LineageRow, LinesError, lineage_rows};
pub use schema::{SchemaError, VERSION, version_of};

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
    /// Only its source's region says which country a phone number of its customer's belongs to.
    pub country_assumed: bool,
    /// What was wrong with the event and did not keep it from being read: `damaged_text`.
    pub flaws: Option<&'static str>,
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
    /// The customer's tier, as a CRM says it.
    pub crm_tier: Option<&'a str>,
    /// What the customer has, as a CRM says it.
    pub crm_product: Option<&'a str>,
    /// Who looks after the customer's account, as a CRM says it: words, or a pseudonym.
    pub crm_owner: Option<&'a str>,
    /// The version of the look-up that the outcome comes from, if there is one.
    pub outcome_map: Option<&'a str>,
    /// What the policy let through, sorted by name.
    pub fields: &'a [(&'static str, Clear)],
    /// The names of what it did not.
    pub masked: &'a [&'static str],
    /// The policy's version.
    pub policy_version: &'a str,
    /// The lineage token.
    pub lineage_token: &'a str,
    /// Whose the token is: `source`, `derived`, `refused` if the source's was no token and one was derived, `shared` if other
    /// records have the source's, too.
    pub lineage_from: &'static str,
    /// The pseudonym of the source's token if it was refused.
    pub lineage_ref: Option<&'a str>,
    /// The derived token that stands in the entry, where other records have the source's token, too.
    pub lineage_derived: Option<&'a str>,
    /// Whether an erasure covers it: then its row is null in every column that [`is_erased`] names, whatever stands here.
    pub erased: bool,
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
        let (bronze_object, properties) = (object.to_hex(), Arc::new(properties(Some(schema::written()))));
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
    /// The Parquet library's own, or the file is not one of silver's.
    #[error("the silver file could not be read or written as Parquet: {0}")]
    Parquet(#[from] ParquetError),
    /// The file is not of a version of the schema that this code knows.
    #[error(transparent)]
    Schema(#[from] SchemaError),
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
        let at = self.pending;
        let stays = |column: &Column| !(row.erased && is_erased(column.name, row.lineage_from));
        self.push_fields(at, row.fields, stays);
        for (column, values) in COLUMNS.iter().zip(&mut self.columns).filter(|(column, _)| stays(column)) {
            match column.from {
                From::Field => {}
                From::Text(text) => values.push_text(at, text(row)),
                From::Int(int) => values.push_int(at, int(row)),
                From::Bool(flag) => values.push_bool(at, flag(row)),
                From::BronzeObject => values.push_text(at, Some(bronze_object)),
                From::MaskedFields => values.push_joined(at, row.masked),
                From::Extra => values.push_extra(at, row.extra),
                From::Custom => values.push_custom(at, row.fields),
            }
        }
        self.rows += 1;
        self.pending += 1;
        if self.pending == ROW_GROUP_ROWS { self.flush() } else { Ok(()) }
    }

    /// Goes through the columns and the fields in step, both sorted by name. A field without a column is passed over: `custom` has it, or
    /// the ledger alone.
    fn push_fields(&mut self, at: usize, fields: &[(&'static str, Clear)], stays: impl Fn(&Column) -> bool) {
        let mut columns = FIELD_COLUMNS.iter().copied().peekable();
        for (name, clear) in fields {
            while columns.next_if(|column| COLUMNS[*column].name < *name).is_some() {}
            let column = columns.next_if(|column| COLUMNS[*column].name == *name);
            if let Some(column) = column.filter(|column| stays(&COLUMNS[*column])) {
                self.columns[column].push_field(at, clear);
            }
        }
    }

    fn flush(&mut self) -> Result<(), SilverError> {
        if self.pending == 0 {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for values in &mut self.columns {
            let Some(mut column) = group.next_column()? else { break };
            values.write(self.pending, column.untyped())?;
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

/// The values of one column that are not written out yet. A row for which nothing was pushed is null.
struct Values {
    /// 1 for a row with a value and 0 for one without, as far as the last row with a value.
    present: Vec<i16>,
    of: Typed,
}

enum Typed {
    /// Where in `bytes` each text is. One that is the same as the one before it is there once: in most columns the next row
    /// says what the last one said.
    Text {
        bytes: Vec<u8>,
        spans: Vec<Range<usize>>,
    },
    Int(Vec<i64>),
    Bool(Vec<bool>),
}

impl Values {
    fn new(kind: ColumnKind) -> Self {
        let of = match kind {
            ColumnKind::Text => Typed::Text { bytes: Vec::new(), spans: Vec::new() },
            ColumnKind::Int | ColumnKind::Time => Typed::Int(Vec::new()),
            ColumnKind::Bool => Typed::Bool(Vec::new()),
        };
        Self { present: Vec::new(), of }
    }

    /// The row has a value, and those between it and the last one that has do not.
    fn mark(&mut self, at: usize) {
        self.present.resize(at, 0);
        self.present.push(1);
    }

    fn push_text(&mut self, at: usize, text: Option<&str>) {
        if let (Typed::Text { bytes, spans }, Some(text)) = (&mut self.of, text) {
            let span = match spans.last() {
                Some(last) if bytes[last.clone()] == *text.as_bytes() => last.clone(),
                _ => {
                    bytes.extend_from_slice(text.as_bytes());
                    bytes.len() - text.len()..bytes.len()
                }
            };
            spans.push(span);
            self.mark(at);
        }
    }

    fn push_int(&mut self, at: usize, int: Option<i64>) {
        if let (Typed::Int(values), Some(int)) = (&mut self.of, int) {
            values.push(int);
            self.mark(at);
        }
    }

    fn push_bool(&mut self, at: usize, flag: bool) {
        if let Typed::Bool(values) = &mut self.of {
            values.push(flag);
            self.mark(at);
        }
    }

    /// A value of another kind than its column's is null here; the ledger has it.
    fn push_field(&mut self, at: usize, field: &Clear) {
        match field.view() {
            View::Text(text) => self.push_text(at, Some(text)),
            View::Int(int) | View::Time(int) => self.push_int(at, Some(int)),
            View::Bool(flag) => self.push_bool(at, flag),
            View::List(_) => {}
        }
    }

    /// Names, by comma; null if there are none.
    fn push_joined(&mut self, at: usize, names: &[&str]) {
        if !names.is_empty() {
            self.push_text(at, Some(&names.join(",")));
        }
    }

    /// `{"key":"kind"}`; null if there is nothing extra.
    fn push_extra(&mut self, at: usize, extra: &BTreeMap<String, &'static str>) {
        // A map of strings always has a JSON form.
        let json = if extra.is_empty() { None } else { serde_json::to_string(extra).ok() };
        self.push_text(at, json.as_deref());
    }

    /// `{"name":value}`, by name, of the fields that the description keeps here; null if there is none.
    fn push_custom(&mut self, at: usize, fields: &[(&'static str, Clear)]) {
        let of = |name: &&'static str| {
            let field = fields.binary_search_by(|(field, _)| field.cmp(name)).ok()?;
            Some((*name, &fields[field].1))
        };
        let said: BTreeMap<&str, &Clear> = built_in().custom_fields().iter().filter_map(of).collect();
        // A map of clear values always has a JSON form.
        let json = if said.is_empty() { None } else { serde_json::to_string(&said).ok() };
        self.push_text(at, json.as_deref());
    }

    /// Writes so many rows out.
    fn write(&mut self, rows: usize, column: &mut ColumnWriter<'_>) -> Result<(), ParquetError> {
        self.present.resize(rows, 0);
        let present = Some(&self.present[..]);
        match (&mut self.of, column) {
            (Typed::Text { bytes, spans }, ColumnWriter::ByteArrayColumnWriter(writer)) => {
                let arena = Bytes::from(std::mem::take(bytes));
                let values: Vec<ByteArray> = spans.drain(..).map(|span| ByteArray::from(arena.slice(span))).collect();
                writer.write_batch(&values, present, None)?;
            }
            (Typed::Int(values), ColumnWriter::Int64ColumnWriter(writer)) => {
                writer.write_batch(values, present, None)?;
                values.clear();
            }
            (Typed::Bool(values), ColumnWriter::BoolColumnWriter(writer)) => {
                writer.write_batch(values, present, None)?;
                values.clear();
            }
            _ => return Err(ParquetError::General("a column's values are not of its schema's type".to_owned())),
        }
        self.present.clear();
        Ok(())
    }
}

/// How files are written; `said` is what the footer says of them, above all of which version they are.
fn properties(said: Option<Vec<KeyValue>>) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by("ledgerline".to_owned())
        .set_key_value_metadata(said)
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
