//! Gold: the counters of half hours and the figures of days, as analysts read them, one Parquet file a date each.
//!
//! Invariant: a file is a function of its rows alone, which are ordered by their keys, so that equal figures are equal bytes. A
//! reader takes a counter that a file does not have for 0, and refuses a file whose key columns are not there.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ledgerline_figures::{Counters, DayKey, DayRow, Figures, Interval, IntervalKey, Repeats, ServiceLevel};
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::record::{Field, Row};
use parquet::schema::types::Type;

/// What a column holds; all of them may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoldKind {
    /// UTF-8 text.
    Text,
    /// A 64-bit integer.
    Int,
    /// A double.
    Ratio,
}

impl GoldKind {
    /// As Glue's tables spell it.
    pub fn glue(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Int => "bigint",
            Self::Ratio => "double",
        }
    }
}

/// The columns of the interval file, in its order.
pub fn interval_columns() -> Vec<(&'static str, GoldKind)> {
    let keys = INTERVAL_TEXTS.iter().map(|name| (*name, GoldKind::Text)).chain([(START, GoldKind::Int)]);
    keys.chain(Counters::NAMES.iter().map(|name| (*name, GoldKind::Int))).collect()
}

/// The columns of the daily file, in its order.
pub fn daily_columns() -> Vec<(&'static str, GoldKind)> {
    let keys = DAILY_TEXTS.iter().map(|name| (*name, GoldKind::Text)).chain([(TOTAL, GoldKind::Int)]);
    let ratios = Figures::default().ratios().map(|(name, _)| (name, GoldKind::Ratio));
    let counts = Counters::NAMES.iter().chain(Repeats::NAMES).map(|name| (*name, GoldKind::Int));
    keys.chain(ratios).chain(counts).collect()
}

/// Why a file could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum GoldError {
    /// The Parquet library's own.
    #[error("the gold file is no Parquet that can be written or read: {0}")]
    Parquet(#[from] ParquetError),
    /// A key column that is missing, null or of another type, or a negative counter.
    #[error("the gold file has no readable column {0}: run gold for its date again, after deleting the file")]
    Column(&'static str),
}

/// The file of these rows, whatever their order.
///
/// # Errors
/// The library's.
pub fn write_intervals(rows: &[Interval]) -> Result<Bytes, GoldError> {
    let mut rows: Vec<&Interval> = rows.iter().collect();
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    let mut table = Columns::of("gold_interval_queue_metrics", interval_columns());
    for Interval { key, counters } in rows {
        let texts =
            [Some(&key.org), key.division.as_ref(), key.queue_id.as_ref(), Some(&key.media), Some(&key.direction)];
        let texts = texts.map(|text| Cell::Text(text.map(String::as_str)));
        let ints = std::iter::once(key.interval_start_ms).chain(counters.values());
        table.push(texts.into_iter().chain(ints.map(|value| Cell::Int(Some(value)))));
    }
    table.write()
}

/// The file of a date's rows.
///
/// # Errors
/// The library's.
pub fn write_daily(rows: &BTreeMap<DayKey, DayRow>, level: ServiceLevel) -> Result<Bytes, GoldError> {
    let mut table = Columns::of("gold_daily_queue_metrics", daily_columns());
    for (key, row) in rows {
        let figures = Figures::of(&row.counters, row.repeats.as_ref(), level);
        let texts = [Some(&key.org), key.queue_id.as_ref(), Some(&key.media)];
        let texts = texts.map(|text| Cell::Text(text.map(String::as_str)));
        let ratios = figures.ratios().map(|(_, ratio)| Cell::Ratio(ratio.map(|ratio| ratio.as_f64())));
        let counters = row.counters.values().into_iter().map(Some);
        let repeats = match &row.repeats {
            Some(repeats) => repeats.values().into_iter().map(Some).collect(),
            None => vec![None; Repeats::NAMES.len()],
        };
        let counts = counters.chain(repeats).map(Cell::Int);
        table.push(texts.into_iter().chain([Cell::Int(Some(figures.total_contacts))]).chain(ratios).chain(counts));
    }
    table.write()
}

/// The rows of an interval file.
///
/// # Errors
/// See [`GoldError`].
pub fn read_intervals(parquet: Bytes) -> Result<Vec<Interval>, GoldError> {
    let reader = SerializedFileReader::new(parquet)?;
    reader.get_row_iter(None)?.map(|row| read_interval(&row?)).collect()
}

fn read_interval(row: &Row) -> Result<Interval, GoldError> {
    let (mut texts, mut start_ms, mut counters) = (BTreeMap::new(), None, Counters::default());
    for (name, field) in row.get_column_iter() {
        match field {
            Field::Str(text) => drop(texts.insert(name.as_str(), text.clone())),
            Field::Long(value) if name == START => start_ms = Some(*value),
            Field::Long(value) => {
                if let Some(counter) = counters.named(name) {
                    *counter = (*value).max(0);
                }
            }
            _ => {}
        }
    }
    let mut must = |name: &'static str| texts.remove(name).ok_or(GoldError::Column(name));
    let (org, media, direction) = (must("org")?, must("media")?, must("direction")?);
    let interval_start_ms = start_ms.ok_or(GoldError::Column(START))?;
    let (division, queue_id) = (texts.remove("division"), texts.remove("queue_id"));
    let key = IntervalKey { org, division, queue_id, media, direction, interval_start_ms };
    Ok(Interval { key, counters })
}

enum Cell<'a> {
    Text(Option<&'a str>),
    Int(Option<i64>),
    Ratio(Option<f64>),
}

/// Rows gathered by column: a day has some ten thousand, at 30 columns of 8 bytes.
struct Columns {
    name: &'static str,
    columns: Vec<(&'static str, Values)>,
}

struct Values {
    present: Vec<i16>,
    of: Typed,
}

enum Typed {
    Text(Vec<ByteArray>),
    Int(Vec<i64>),
    Ratio(Vec<f64>),
}

impl Columns {
    fn of(name: &'static str, columns: Vec<(&'static str, GoldKind)>) -> Self {
        let values = |kind| match kind {
            GoldKind::Text => Typed::Text(Vec::new()),
            GoldKind::Int => Typed::Int(Vec::new()),
            GoldKind::Ratio => Typed::Ratio(Vec::new()),
        };
        let columns = columns.into_iter().map(|(name, kind)| (name, Values { present: Vec::new(), of: values(kind) }));
        Self { name, columns: columns.collect() }
    }

    fn push<'a>(&mut self, cells: impl Iterator<Item = Cell<'a>>) {
        for ((_, values), cell) in self.columns.iter_mut().zip(cells) {
            let is_present = match (&mut values.of, cell) {
                (Typed::Text(all), Cell::Text(Some(text))) => {
                    all.push(ByteArray::from(text));
                    true
                }
                (Typed::Int(all), Cell::Int(Some(value))) => {
                    all.push(value);
                    true
                }
                (Typed::Ratio(all), Cell::Ratio(Some(value))) => {
                    all.push(value);
                    true
                }
                _ => false,
            };
            values.present.push(i16::from(is_present));
        }
    }

    fn write(self) -> Result<Bytes, GoldError> {
        let fields = self.columns.iter().map(|(name, values)| {
            let (physical, logical) = match values.of {
                Typed::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
                Typed::Int(_) => (Physical::INT64, None),
                Typed::Ratio(_) => (Physical::DOUBLE, None),
            };
            let builder = Type::primitive_type_builder(name, physical);
            builder.with_repetition(Repetition::OPTIONAL).with_logical_type(logical).build().map(Arc::new)
        });
        let schema = Type::group_type_builder(self.name).with_fields(fields.collect::<Result<Vec<_>, _>>()?).build()?;
        let properties = WriterProperties::builder()
            .set_created_by("ledgerline".to_owned())
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .build();
        let mut file = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
        let mut group = file.next_row_group()?;
        for (_, values) in self.columns {
            let Some(mut column) = group.next_column()? else { break };
            let present = Some(&values.present[..]);
            match (values.of, column.untyped()) {
                (Typed::Text(all), ColumnWriter::ByteArrayColumnWriter(writer)) => {
                    writer.write_batch(&all, present, None)?
                }
                (Typed::Int(all), ColumnWriter::Int64ColumnWriter(writer)) => {
                    writer.write_batch(&all, present, None)?
                }
                (Typed::Ratio(all), ColumnWriter::DoubleColumnWriter(writer)) => {
                    writer.write_batch(&all, present, None)?
                }
                _ => {
                    return Err(
                        ParquetError::General("a column's values are not of its schema's type".to_owned()).into()
                    );
                }
            };
            column.close()?;
        }
        group.close()?;
        Ok(file.into_inner()?.into())
    }
}

const INTERVAL_TEXTS: [&str; 5] = ["org", "division", "queue_id", "media", "direction"];
const DAILY_TEXTS: [&str; 3] = ["org", "queue_id", "media"];
const START: &str = "interval_start_ms";
const TOTAL: &str = "total_contacts";

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_figures::by_day;

    fn interval(queue: Option<&str>, start_ms: i64, answered: i64) -> Interval {
        let key = IntervalKey {
            org: "acme".to_owned(),
            division: None,
            queue_id: queue.map(str::to_owned),
            media: "VOICE".to_owned(),
            direction: "INBOUND".to_owned(),
            interval_start_ms: start_ms,
        };
        let counters = Counters { answered, within_target: 1, handled: 2, talk_ms: 5_000, ..Counters::default() };
        Interval { key, counters }
    }

    #[test]
    fn rows_are_read_as_they_were_written_and_their_order_does_not_matter() {
        let rows = [interval(None, 0, 1), interval(Some("q-1"), 1_800_000, 2), interval(Some("q-1"), 0, 3)];
        let sorted = [rows[0].clone(), rows[2].clone(), rows[1].clone()];
        let bytes = write_intervals(&rows).unwrap();
        assert_eq!(read_intervals(bytes.clone()).unwrap(), sorted);
        assert_eq!(write_intervals(&sorted).unwrap(), bytes);
        assert_eq!(read_intervals(write_intervals(&[]).unwrap()).unwrap(), []);
        assert!(read_intervals(Bytes::from_static(b"PAR1")).is_err());
    }

    #[test]
    fn a_daily_file_is_no_interval_file() {
        let rows = by_day(&[interval(Some("q-1"), 0, 3)], |_| true, None);
        let bytes = write_daily(&rows, ServiceLevel::default()).unwrap();
        assert!(matches!(read_intervals(bytes), Err(GoldError::Column("direction"))));
    }

    #[test]
    fn a_days_row_has_its_figures_and_nulls_where_there_is_no_denominator() {
        let rows = by_day(&[interval(Some("q-1"), 0, 3)], |_| true, None);
        let bytes = write_daily(&rows, ServiceLevel::default()).unwrap();
        let reader = SerializedFileReader::new(bytes).unwrap();
        let row = reader.get_row_iter(None).unwrap().next().unwrap().unwrap();
        let cells: BTreeMap<&str, &Field> = row.get_column_iter().map(|(name, field)| (name.as_str(), field)).collect();
        assert_eq!(cells.len(), daily_columns().len());
        assert_eq!(cells["total_contacts"], &Field::Long(3));
        assert_eq!(cells["service_level_pct"], &Field::Double(33.33));
        assert_eq!(cells["avg_duration_sec"], &Field::Double(2.5));
        assert_eq!((cells["fcr_rate_pct"], cells["fcr_eligible"]), (&Field::Null, &Field::Null));
    }
}
