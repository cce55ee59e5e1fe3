//! Silver files, read as analysts would: rows of named columns.
//!
//! Invariant: a row has the columns that hold something, in the file's order; times are RFC 3339.

use bytes::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;
use xtask::fault::Fault;

use crate::r#gen::milliseconds;

/// One row: column and value, without what is null.
pub type Row = Vec<(String, Value)>;

/// All rows of a Parquet object. `key` names it if it cannot be read.
///
/// # Errors
/// The bytes are no Parquet file, or a damaged one.
pub fn rows(bytes: Vec<u8>, key: &str) -> Result<Vec<Row>, Fault> {
    let damaged = |error| Fault::caused_by(format!("{key} is no Parquet file"), error, "look at transform's log");
    let reader = SerializedFileReader::new(Bytes::from(bytes)).map_err(damaged)?;
    let rows = reader.get_row_iter(None).map_err(damaged)?;
    rows.map(|row| {
        let row = row.map_err(damaged)?;
        let cells = row.get_column_iter().filter_map(|(name, field)| Some((name.clone(), value(field)?)));
        Ok(cells.collect())
    })
    .collect()
}

/// A column of a row; `None` if it holds nothing.
pub fn cell<'r>(row: &'r [(String, Value)], column: &str) -> Option<&'r Value> {
    row.iter().find(|(name, _)| name == column).map(|(_, value)| value)
}

/// A column of a row, as text.
pub fn text<'r>(row: &'r [(String, Value)], column: &str) -> Option<&'r str> {
    cell(row, column).and_then(Value::as_str)
}

fn value(field: &Field) -> Option<Value> {
    Some(match field {
        Field::Null => return None,
        Field::Bool(flag) => Value::from(*flag),
        Field::Int(number) => Value::from(*number),
        Field::Long(number) => Value::from(*number),
        Field::Double(number) => Value::from(*number),
        Field::Str(text) => Value::from(text.as_str()),
        Field::TimestampMillis(at_ms) => Value::from(milliseconds(*at_ms)),
        other => Value::from(other.to_string()),
    })
}
