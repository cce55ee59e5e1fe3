//! A silver file without what says of a person in some of its rows: the rows are as transform writes one that an erasure covers.
//!
//! Invariant: of a chunk of a column in which no value goes every byte is kept, with its statistics; one in which some do is encoded
//! again, with new ones. Rows keep their order, and the file its version of the schema with all else that its footer says. One of a version
//! that this code does not know is refused: which of its columns tell of a person is never guessed.

use std::sync::Arc;

use bytes::Bytes;
use ledgerline_ledger::entry::Record;
use parquet::basic::Type as Physical;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::column::writer::{ColumnCloseResult, ColumnWriter};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader as _, RowGroupReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};

use super::{SilverError, TOKEN, is_erased, properties, version_of};

/// A row, as far as it decides whether what it says of a person goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilverRow<'a> {
    /// Its line in the bronze object, from 0.
    pub line: u64,
    /// The customer's name in silver, if it has one.
    pub customer_ref: Option<&'a str>,
    /// `<org>/<record>`.
    pub record: String,
    /// When it occurred, epoch milliseconds.
    pub occurred_at_ms: i64,
    /// Whether it is erased already.
    pub erased: bool,
}

/// Takes what says of a person out of the rows of which `goes` says so. `None`: nothing changed. It is asked of each row once, in order, of
/// those that are erased, too, whose answer changes nothing.
///
/// # Errors
/// [`SilverError::Schema`] for a file of another version, or whose columns are not those of its own; [`SilverError::Parquet`] if its rows are
/// not as silver's are.
pub fn erase_rows(parquet: Bytes, goes: &dyn Fn(&SilverRow<'_>) -> bool) -> Result<Option<Vec<u8>>, SilverError> {
    version_of(&parquet)?;
    let reader = SerializedFileReader::new(parquet.clone())?;
    let groups = (0..reader.num_row_groups()).map(|group| reader.get_row_group(group));
    let groups = groups.collect::<Result<Vec<_>, _>>()?;
    let going = groups.iter().map(|group| Going::of(&**group, goes)).collect::<Result<Vec<_>, _>>()?;
    if going.iter().all(Going::is_nothing) {
        return Ok(None);
    }
    let of_file = reader.metadata().file_metadata();
    let (schema, said) = (of_file.schema_descr().root_schema_ptr(), of_file.key_value_metadata().cloned());
    let mut file = SerializedFileWriter::new(Vec::with_capacity(parquet.len()), schema, Arc::new(properties(said)))?;
    for (group, going) in groups.iter().zip(&going) {
        let mut out = file.next_row_group()?;
        for column in 0..group.num_columns() {
            let values = if going.is_nothing() { None } else { going.values(&**group, column)? };
            match values {
                None => append(&mut out, group.metadata(), column, &parquet)?,
                Some(values) => {
                    let mut writer =
                        out.next_column()?.ok_or_else(|| foreign("it has more columns than its schema"))?;
                    values.write(writer.untyped())?;
                    writer.close()?;
                }
            }
        }
        out.close()?;
    }
    Ok(Some(file.into_inner()?))
}

/// Which rows of a row group go.
struct Going {
    /// Whether each does that is not erased yet.
    rows: Vec<bool>,
    /// How each came by its token.
    lineage_from: Vec<Option<ByteArray>>,
}

impl Going {
    fn of(group: &dyn RowGroupReader, goes: &dyn Fn(&SilverRow<'_>) -> bool) -> Result<Self, SilverError> {
        let texts = |name: &str| read::<ByteArrayType>(group, place_of(group, name)?);
        let ints = |name: &str| read::<Int64Type>(group, place_of(group, name)?);
        let (orgs, interactions) = (texts("org")?, texts("interaction_id")?);
        let (kinds, ids, refs) = (texts("entity_type")?, texts("entity_id")?, texts("customer_ref")?);
        let (lines, times) = (ints("bronze_line")?, ints("occurred_at_ms")?);
        let erased = read::<BoolType>(group, place_of(group, ERASED_COLUMN)?)?;
        let mut rows = Vec::with_capacity(lines.len());
        for row in 0..lines.len() {
            let org = text(orgs.get(row))?.unwrap_or_default();
            let record = match (text(interactions.get(row))?, text(kinds.get(row))?, text(ids.get(row))?) {
                (Some(id), ..) => Record::Interaction(id.to_owned()).key(org),
                (None, Some(kind), Some(id)) => Record::Entity { kind: kind.to_owned(), id: id.to_owned() }.key(org),
                _ => return Err(foreign("a row is about no record")),
            };
            let line = lines[row].and_then(|line| u64::try_from(line).ok());
            let erased = erased.get(row).copied().flatten() == Some(true);
            let row = SilverRow {
                line: line.ok_or_else(|| foreign("a row is of no line"))?,
                customer_ref: text(refs.get(row))?,
                record,
                occurred_at_ms: times[row].ok_or_else(|| foreign("a row says no time"))?,
                erased,
            };
            rows.push(goes(&row) && !erased);
        }
        Ok(Self { rows, lineage_from: texts("lineage_from")? })
    }

    fn is_nothing(&self) -> bool {
        !self.rows.contains(&true)
    }

    /// The values of a column without those that go; `None` if none does.
    fn values(&self, group: &dyn RowGroupReader, column: usize) -> Result<Option<Column>, SilverError> {
        let described = group.metadata().column(column).column_descr();
        let name = described.name();
        if name == ERASED_COLUMN {
            let mut flags = read::<BoolType>(group, column)?;
            self.rows.iter().zip(&mut flags).filter(|(goes, _)| **goes).for_each(|(_, flag)| *flag = Some(true));
            return Ok(Some(Column::Bool(flags)));
        }
        if name != TOKEN && !is_erased(name, "") {
            return Ok(None);
        }
        Ok(match described.physical_type() {
            Physical::BYTE_ARRAY => self.without(name, read::<ByteArrayType>(group, column)?)?.map(Column::Text),
            Physical::INT64 => self.without(name, read::<Int64Type>(group, column)?)?.map(Column::Int),
            Physical::BOOLEAN => self.without(name, read::<BoolType>(group, column)?)?.map(Column::Bool),
            _ => return Err(foreign("a column is of another type")),
        })
    }

    fn without<T>(&self, name: &str, mut values: Vec<Option<T>>) -> Result<Option<Vec<Option<T>>>, SilverError> {
        let mut is_changed = false;
        for (row, value) in values.iter_mut().enumerate().filter(|(row, _)| self.rows[*row]) {
            let lineage_from = text(self.lineage_from.get(row))?.unwrap_or_default();
            if is_erased(name, lineage_from) {
                is_changed |= value.take().is_some();
            }
        }
        Ok(is_changed.then_some(values))
    }
}

/// A column's values, a row each.
enum Column {
    Text(Vec<Option<ByteArray>>),
    Int(Vec<Option<i64>>),
    Bool(Vec<Option<bool>>),
}

impl Column {
    fn write(self, column: &mut ColumnWriter<'_>) -> Result<(), ParquetError> {
        match (self, column) {
            (Self::Text(values), ColumnWriter::ByteArrayColumnWriter(writer)) => {
                let (values, present) = split(values);
                writer.write_batch(&values, Some(&present), None)?;
            }
            (Self::Int(values), ColumnWriter::Int64ColumnWriter(writer)) => {
                let (values, present) = split(values);
                writer.write_batch(&values, Some(&present), None)?;
            }
            (Self::Bool(values), ColumnWriter::BoolColumnWriter(writer)) => {
                let (values, present) = split(values);
                writer.write_batch(&values, Some(&present), None)?;
            }
            _ => return Err(ParquetError::General("a column's values are not of its schema's type".to_owned())),
        }
        Ok(())
    }
}

/// The values that are there, and 1 for a row with one and 0 for one without.
fn split<T>(values: Vec<Option<T>>) -> (Vec<T>, Vec<i16>) {
    let present = values.iter().map(|value| i16::from(value.is_some())).collect();
    (values.into_iter().flatten().collect(), present)
}

/// Copies a column of a row group as it is.
fn append(
    out: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    group: &RowGroupMetaData,
    column: usize,
    parquet: &Bytes,
) -> Result<(), SilverError> {
    let metadata = group.column(column).clone();
    let close = ColumnCloseResult {
        bytes_written: u64::try_from(metadata.compressed_size()).unwrap_or_default(),
        rows_written: u64::try_from(group.num_rows()).unwrap_or_default(),
        metadata,
        bloom_filter: None,
        column_index: None,
        offset_index: None,
    };
    Ok(out.append_column(parquet, close)?)
}

/// All values of an optional column of a row group.
fn read<T: Readable>(group: &dyn RowGroupReader, column: usize) -> Result<Vec<Option<T::T>>, SilverError> {
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
    if group.metadata().column(column).column_descr().max_def_level() != 1 {
        return Err(foreign("a column is not optional"));
    }
    let mut reader = T::of(group.get_column_reader(column)?).ok_or_else(|| foreign("a column is of another type"))?;
    let (mut values, mut present) = (Vec::new(), Vec::new());
    while present.len() < rows {
        let (read, ..) = reader.read_records(rows - present.len(), Some(&mut present), None, &mut values)?;
        if read == 0 {
            return Err(foreign("a column ends before its rows"));
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

macro_rules! readable {
    ($($of:ty: $variant:ident),*) => { $(
        impl Readable for $of {
            fn of(reader: ColumnReader) -> Option<ColumnReaderImpl<Self>> {
                if let ColumnReader::$variant(reader) = reader { Some(reader) } else { None }
            }
        }
    )* };
}

readable!(ByteArrayType: ByteArrayColumnReader, Int64Type: Int64ColumnReader, BoolType: BoolColumnReader);

fn place_of(group: &dyn RowGroupReader, name: &str) -> Result<usize, SilverError> {
    let columns = group.metadata().columns();
    columns.iter().position(|column| column.column_descr().name() == name).ok_or_else(|| foreign("a column is missing"))
}

fn text(value: Option<&Option<ByteArray>>) -> Result<Option<&str>, SilverError> {
    let value = value.and_then(Option::as_ref);
    value.map(|value| std::str::from_utf8(value.data()).map_err(|_| foreign("a text is damaged"))).transpose()
}

fn foreign(what: &str) -> SilverError {
    SilverError::Parquet(ParquetError::General(what.to_owned()))
}

/// The column that says whether a row is erased.
const ERASED_COLUMN: &str = "erased";

#[cfg(test)]
mod tests;
