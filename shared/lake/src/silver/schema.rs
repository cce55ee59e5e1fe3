//! The version of silver's schema, and which files a reader may read.
//!
//! Invariant: a version is a number of columns, the first so many of [`columns`](fn@super::columns), and says nothing else. A file whose columns
//! are not those of its version is refused, and so is one of a version that this code does not know: what a column of another name or
//! type means is never guessed. What an older file lacks is null.

use bytes::Bytes;
use parquet::file::metadata::{FileMetaData, KeyValue};
use parquet::file::reader::{FileReader as _, SerializedFileReader};

use super::columns::COLUMNS;

/// The version that is written.
pub const VERSION: usize = COLUMNS_OF.len();

/// How many columns files of each version have, from version 1 on. Add, never change.
const COLUMNS_OF: [usize; 2] = [101, 107];

/// Where a file's metadata has its version. Files of version 1 have none.
const NAME: &str = "ledgerline.silver";

/// Why a file is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// It is no Parquet file.
    #[error("the silver file is not Parquet, or is damaged")]
    Damaged,
    /// Its version is a number that this code does not know, or no number.
    #[error(
        "the silver file has a version of the schema that this program does not know (it knows 1 to {VERSION}): use a newer one"
    )]
    Unknown,
    /// Its columns are not those of its version.
    #[error(
        "the silver file is of version {version} of the schema, and its column {at} is not {name}: somebody else wrote it"
    )]
    Column {
        /// The version that it says.
        version: usize,
        /// The place of the first column that differs, from 0.
        at: usize,
        /// What should be there.
        name: &'static str,
    },
    /// It has more columns than its version.
    #[error(
        "the silver file is of version {version} of the schema, and has columns that this version lacks: somebody else wrote it"
    )]
    TooWide {
        /// The version that it says.
        version: usize,
    },
}

/// What a file's metadata says of its version.
pub(super) fn written() -> Vec<KeyValue> {
    vec![KeyValue::new(NAME.to_owned(), VERSION.to_string())]
}

/// The version of a file that may be read.
///
/// # Errors
/// Why it may not be.
pub fn version_of(parquet: &Bytes) -> Result<usize, SchemaError> {
    let reader = SerializedFileReader::new(parquet.clone()).map_err(|_| SchemaError::Damaged)?;
    let file = reader.metadata().file_metadata();
    let version = stated(file).ok_or(SchemaError::Unknown)?;
    let columns = version.checked_sub(1).and_then(|at| COLUMNS_OF.get(at)).ok_or(SchemaError::Unknown)?;
    let fields = file.schema().get_fields();
    for (at, column) in COLUMNS[..*columns].iter().enumerate() {
        let expected = column.parquet().map_err(|_| SchemaError::Damaged)?;
        if fields.get(at).is_none_or(|field| **field != expected) {
            return Err(SchemaError::Column { version, at, name: column.name });
        }
    }
    if fields.len() > *columns { Err(SchemaError::TooWide { version }) } else { Ok(version) }
}

/// The version that a file states: the first, if it states none; none, if what it states is not a number.
fn stated(file: &FileMetaData) -> Option<usize> {
    let stated = file.key_value_metadata().into_iter().flatten().find(|pair| pair.key == NAME);
    match stated {
        None => Some(1),
        Some(pair) => pair.value.as_deref()?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::types::Type;

    use super::*;

    #[test]
    fn the_last_version_has_all_columns() {
        assert_eq!(COLUMNS_OF.last(), Some(&COLUMNS.len()));
        assert!(COLUMNS_OF.is_sorted());
    }

    /// A file of these columns, by their places, that says this version.
    fn file(columns: &[usize], version: Option<&str>) -> Bytes {
        let fields = columns.iter().map(|at| Arc::new(COLUMNS[*at].parquet().unwrap())).collect();
        let schema = Arc::new(Type::group_type_builder("silver_events").with_fields(fields).build().unwrap());
        let said = version.map(|version| vec![KeyValue::new(NAME.to_owned(), version.to_owned())]);
        let properties = WriterProperties::builder().set_key_value_metadata(said).build();
        SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap().into_inner().unwrap().into()
    }

    #[test]
    fn older_files_are_read_and_what_is_not_understood_is_refused() {
        let all: Vec<usize> = (0..COLUMNS.len()).collect();
        let column = |version, at: usize| Err(SchemaError::Column { version, at, name: COLUMNS[at].name });
        let swapped = [&all[..15], &[16, 15], &all[17..]].concat();
        for (columns, version, expected) in [
            (&all[..101], None, Ok(1)),
            (&all[..101], Some("1"), Ok(1)),
            (&all[..], Some("2"), Ok(2)),
            // As if the columns themselves told the version.
            (&all[..], None, Err(SchemaError::TooWide { version: 1 })),
            (&all[..101], Some("2"), column(2, 101)),
            (&all[..100], None, column(1, 100)),
            (&swapped, Some("2"), column(2, 15)),
            (&all[..], Some("3"), Err(SchemaError::Unknown)),
            (&all[..], Some("0"), Err(SchemaError::Unknown)),
            (&all[..], Some("two"), Err(SchemaError::Unknown)),
        ] {
            assert_eq!(version_of(&file(columns, version)), expected, "{} columns, {version:?}", columns.len());
        }
        assert_eq!(version_of(&Bytes::from_static(b"PAR1")), Err(SchemaError::Damaged));
    }
}
