//! Rows of a silver file by their lines: what lineage tells of them, and nothing of whom they are about.
//!
//! Invariant: of a row no other columns are read than those named here. A file of another schema is refused ([`version_of`]).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader as _, RowGroupReader, SerializedFileReader};

use super::columns::COLUMNS;
use super::schema::{SchemaError, version_of};

/// What silver says of an event's way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LineageRow {
    /// Whether an erasure covers it: then the others are null.
    pub erased: bool,
    /// The names of what the policy masked, by comma.
    pub masked_fields: Option<String>,
    /// The provenance, JSON.
    pub lineage_provenance: Option<String>,
    /// Whose the token is: `source`, `derived`, `refused` or `shared`.
    pub lineage_from: Option<String>,
}

/// Why rows cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// It is no file of silver's.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The Parquet library's own.
    #[error("the silver file could not be read as Parquet: {0}")]
    Parquet(#[from] ParquetError),
    /// A column holds something else than text.
    #[error("the silver file has a text that is not UTF-8")]
    Text,
}

/// The rows of these lines; of a line that the file does not have, nothing.
///
/// # Errors
/// See [`LinesError`].
pub fn lineage_rows(parquet: &Bytes, lines: &BTreeSet<u64>) -> Result<BTreeMap<u64, LineageRow>, LinesError> {
    version_of(parquet)?;
    let reader = SerializedFileReader::new(parquet.clone())?;
    let mut found = BTreeMap::new();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group)?;
        let numbers = read::<Int64Type>(&*group, place("bronze_line")?)?;
        let wanted = |number: &Option<i64>| {
            number.and_then(|number| u64::try_from(number).ok()).filter(|line| lines.contains(line))
        };
        let rows: Vec<(usize, u64)> =
            numbers.iter().enumerate().filter_map(|(row, number)| Some((row, wanted(number)?))).collect();
        if rows.is_empty() {
            continue;
        }
        let erased = read::<BoolType>(&*group, place("erased")?)?;
        let [masked, provenance, from] = ["masked_fields", "lineage_provenance", "lineage_from"]
            .map(|name| place(name).and_then(|at| read::<ByteArrayType>(&*group, at)));
        let (masked, provenance, from) = (masked?, provenance?, from?);
        for (row, line) in rows {
            found.insert(
                line,
                LineageRow {
                    erased: erased.get(row).copied().flatten().unwrap_or_default(),
                    masked_fields: text(&masked, row)?,
                    lineage_provenance: text(&provenance, row)?,
                    lineage_from: text(&from, row)?,
                },
            );
        }
    }
    Ok(found)
}

/// A column's place, the same in each version that has it.
fn place(name: &str) -> Result<usize, ParquetError> {
    let at = COLUMNS.iter().position(|column| column.name == name);
    at.ok_or_else(|| ParquetError::General(format!("silver has no column {name}")))
}

fn text(values: &[Option<ByteArray>], row: usize) -> Result<Option<String>, LinesError> {
    let Some(Some(value)) = values.get(row) else { return Ok(None) };
    std::str::from_utf8(value.data()).map(|text| Some(text.to_owned())).map_err(|_| LinesError::Text)
}

/// A column's values, row by row.
fn read<T: Readable>(group: &dyn RowGroupReader, column: usize) -> Result<Vec<Option<T::T>>, ParquetError> {
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
    let mut reader = T::of(group.get_column_reader(column)?)
        .ok_or_else(|| ParquetError::General("a column is of another type".to_owned()))?;
    let (mut values, mut present) = (Vec::new(), Vec::with_capacity(rows));
    while present.len() < rows {
        let (read, ..) = reader.read_records(rows - present.len(), Some(&mut present), None, &mut values)?;
        if read == 0 {
            return Err(ParquetError::General("a column ends before its rows".to_owned()));
        }
    }
    let mut values = values.into_iter();
    Ok(present.into_iter().map(|there| if there == 1 { values.next() } else { None }).collect())
}

/// A type whose values are read here.
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
