//! The events of a silver file.
//!
//! Invariant: a file is read only if its schema is one that this code knows ([`super::super::silver::version_of`]), a row group at a time, and
//! of its columns those alone that events have. What an older file lacks is null.

use bytes::Bytes;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader as _, RowGroupReader, SerializedFileReader};

use super::event::Event;
use crate::silver::{SchemaError, version_of};

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not one of silver's that this code knows.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The Parquet library's.
    #[error("the silver file is damaged: {0}")]
    Parquet(#[from] ParquetError),
    /// A value that every row has is missing.
    #[error("the silver file has a row without {0}: it is damaged")]
    Missing(&'static str),
}

/// Hands on the events of an organisation's conversations, in the order of the rows. Rows about an entity are passed over.
///
/// # Errors
/// See [`ReadError`].
pub fn read_events(parquet: &Bytes, org: &str, each: &mut dyn FnMut(Event)) -> Result<(), ReadError> {
    version_of(parquet)?;
    let reader = SerializedFileReader::new(parquet.clone())?;
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group)?;
        let columns = Columns::read(&*group)?;
        for row in 0..columns.rows {
            if columns.orgs.text(row)? == Some(org)
                && let Some(event) = columns.event(row)?
            {
                each(event);
            }
        }
    }
    Ok(())
}

/// The columns of a row group that events have.
struct Columns {
    rows: usize,
    orgs: Texts,
    cases: Texts,
    ids: Texts,
    kinds: Texts,
    activities: Texts,
    times: Vec<Option<i64>>,
    sequences: Vec<Option<i64>>,
    ranks: Vec<Option<i64>>,
    wrapups: Vec<Option<i64>>,
    erased: Vec<Option<bool>>,
    customers: Texts,
    legs: [Texts; 3],
    /// In the order of [`OPTIONAL`].
    optional: Vec<Texts>,
}

/// Columns that an event has as they are, if the row has them.
const OPTIONAL: [&str; 11] = [
    "media",
    "direction",
    "queue_id",
    "agent_ref",
    "flow_id",
    "outbound_campaign_id",
    "acd_outcome",
    "disconnect_type",
    "wrapup_code",
    "flow_outcome",
    "outcome",
];

impl Columns {
    fn read(group: &dyn RowGroupReader) -> Result<Self, ReadError> {
        let texts = |name| values::<ByteArrayType>(group, name).map(Texts);
        let ints = |name| values::<Int64Type>(group, name);
        Ok(Self {
            rows: rows_of(group),
            orgs: texts("org")?,
            cases: texts("interaction_id")?,
            ids: texts("event_id")?,
            kinds: texts("event_type")?,
            activities: texts("activity")?,
            times: ints("occurred_at_ms")?,
            sequences: ints("source_sequence")?,
            ranks: ints("event_rank")?,
            wrapups: ints("wrapup_duration_ms")?,
            erased: values::<BoolType>(group, "erased")?,
            customers: texts("customer_ref")?,
            legs: [texts("session_id")?, texts("communication_id")?, texts("participant_id")?],
            optional: OPTIONAL.into_iter().map(texts).collect::<Result<_, _>>()?,
        })
    }

    fn event(&self, row: usize) -> Result<Option<Event>, ReadError> {
        let Some(case) = self.cases.owned(row)? else { return Ok(None) };
        let int = |values: &[Option<i64>]| values.get(row).copied().flatten();
        let must = |texts: &Texts, name| texts.owned(row)?.ok_or(ReadError::Missing(name));
        let mut optional = self.optional.iter().map(|texts| texts.owned(row));
        let mut next = || optional.next().transpose().map(Option::flatten);
        let is_erased = self.erased.get(row).copied().flatten() == Some(true);
        let [session, communication, participant] = &self.legs;
        let leg = session.text(row)?.or(communication.text(row)?).or(participant.text(row)?);
        Ok(Some(Event {
            case,
            at_ms: int(&self.times).ok_or(ReadError::Missing("occurred_at_ms"))?,
            sequence: int(&self.sequences),
            rank: int(&self.ranks).unwrap_or(i64::from(u8::MAX)),
            id: must(&self.ids, "event_id")?,
            kind: must(&self.kinds, "event_type")?,
            activity: must(&self.activities, "activity")?,
            media: next()?,
            direction: next()?,
            queue: next()?,
            agent: next()?,
            flow: next()?,
            campaign: next()?,
            acd_outcome: next()?,
            disconnect_type: next()?,
            wrapup_code: next()?,
            flow_outcome: next()?,
            outcome: next()?,
            leg: leg.map(str::to_owned),
            wrapup_ms: int(&self.wrapups).filter(|ms| (0..=LONGEST_MS).contains(ms)),
            customer: if is_erased { None } else { self.customers.owned(row)? },
        }))
    }
}

/// A column of texts.
struct Texts(Vec<Option<ByteArray>>);

impl Texts {
    fn text(&self, row: usize) -> Result<Option<&str>, ReadError> {
        let value = self.0.get(row).and_then(Option::as_ref);
        Ok(value.map(ByteArray::as_utf8).transpose()?)
    }

    fn owned(&self, row: usize) -> Result<Option<String>, ReadError> {
        Ok(self.text(row)?.map(str::to_owned))
    }
}

fn rows_of(group: &dyn RowGroupReader) -> usize {
    usize::try_from(group.metadata().num_rows()).unwrap_or_default()
}

/// All values of a column; none where the file has no such column.
fn values<T: Readable>(group: &dyn RowGroupReader, name: &str) -> Result<Vec<Option<T::T>>, ReadError> {
    let place = group.metadata().columns().iter().position(|column| column.column_descr().name() == name);
    let (Some(place), rows) = (place, rows_of(group)) else { return Ok(Vec::new()) };
    let damaged =
        || ReadError::Parquet(ParquetError::General(format!("column {name} ends early or is of another type")));
    let mut reader = T::of(group.get_column_reader(place)?).ok_or_else(damaged)?;
    let (mut values, mut present) = (Vec::new(), Vec::with_capacity(rows));
    while present.len() < rows {
        let (read, ..) = reader.read_records(rows - present.len(), Some(&mut present), None, &mut values)?;
        if read == 0 {
            return Err(damaged());
        }
    }
    let mut values = values.into_iter();
    Ok(present.into_iter().map(|there| if there == 1 { values.next() } else { None }).collect())
}

/// A type whose values silver has.
trait Readable: DataType {
    fn of(reader: ColumnReader) -> Option<ColumnReaderImpl<Self>>
    where
        Self: Sized;
}

impl Readable for ByteArrayType {
    fn of(reader: ColumnReader) -> Option<ColumnReaderImpl<Self>> {
        if let ColumnReader::ByteArrayColumnReader(reader) = reader { Some(reader) } else { None }
    }
}

impl Readable for Int64Type {
    fn of(reader: ColumnReader) -> Option<ColumnReaderImpl<Self>> {
        if let ColumnReader::Int64ColumnReader(reader) = reader { Some(reader) } else { None }
    }
}

impl Readable for BoolType {
    fn of(reader: ColumnReader) -> Option<ColumnReaderImpl<Self>> {
        if let ColumnReader::BoolColumnReader(reader) = reader { Some(reader) } else { None }
    }
}

/// A longer duration is a source's mistake: 366 days, as the figures have it.
const LONGEST_MS: i64 = 31_622_400_000;
