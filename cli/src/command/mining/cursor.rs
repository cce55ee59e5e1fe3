//! How far a push came: a file, written anew after each batch that arrived.
//!
//! Invariant: what stands in it arrived. It is of one push: another org, date, view or engine is refused. The moment from which cases are settled is
//! kept with it, so that what goes on sends the cases that the first run would have, and so is the size that the engine takes, so that a batch
//! whose answer was lost is sent again under the same id.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ledgerline_lake::mining::bulk::{Limits, Position, digest};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::private;

const VERSION: u8 = 1;

/// A push, as far as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct State {
    v: u8,
    /// A digest of what is sent where.
    push: String,
    /// Cases whose last event occurred later are not sent; epoch milliseconds.
    pub(super) settled_ms: i64,
    /// How many records a batch may have.
    pub(super) batch_records: usize,
    /// The last record that arrived; none before the first.
    pub(super) after: Option<Position>,
    /// Batches that arrived.
    pub(super) batches: u64,
    /// Records that arrived.
    pub(super) records: u64,
    /// Whether all arrived.
    pub(super) done: bool,
}

/// The file of a push.
pub(super) struct Cursor {
    path: PathBuf,
    pub(super) state: State,
}

impl Cursor {
    /// The push that this file remembers, or a new one. `what` says what is sent where, in an order of its own.
    pub(super) fn open(path: &Path, what: &[&str], settled_ms: i64) -> Result<Self, Fault> {
        let push = digest(what);
        let new = || State {
            v: VERSION,
            push: push.clone(),
            settled_ms,
            batch_records: Limits::default().records,
            after: None,
            batches: 0,
            records: 0,
            done: false,
        };
        let remedy = "name another file with --cursor, or put this one away to send everything again";
        let state = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => new(),
            Err(error) => return Err(Fault::caused_by(format!("cannot read {}", path.display()), &error, remedy)),
            Ok(bytes) => serde_json::from_slice::<State>(&bytes).map_err(|error| {
                Fault::caused_by(format!("{} is no cursor of a push", path.display()), &error, remedy)
            })?,
        };
        if state.v != VERSION {
            return Err(Fault::new(
                format!("{} is a cursor of version {}, and this program knows {VERSION}", path.display(), state.v),
                remedy,
            ));
        }
        if state.push != push {
            return Err(Fault::new(
                format!(
                    "{} is the cursor of another push: of another org, dates, view, names or engine",
                    path.display()
                ),
                remedy,
            ));
        }
        let cursor = Self { path: path.to_owned(), state };
        // Before anything is sent: a push whose progress cannot be kept is not begun.
        cursor.save()?;
        Ok(cursor)
    }

    /// Writes it.
    pub(super) fn save(&self) -> Result<(), Fault> {
        let json = serde_json::to_vec_pretty(&self.state).map_err(io::Error::from);
        json.and_then(|json| private::put_file(&self.path, &json)).map_err(|error| {
            let what = format!("cannot write {}", self.path.display());
            Fault::caused_by(what, &error, "name a place that you may write to with --cursor")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_goes_on_where_its_file_says_and_another_one_does_not() {
        let path = std::env::temp_dir().join(format!("ledgerline-cursor-{}.json", std::process::id()));
        let _ = fs::remove_file(&path);
        let mut cursor = Cursor::open(&path, &["acme", "https://mine.example"], 17).unwrap();
        assert_eq!((cursor.state.after.clone(), cursor.state.batch_records), (None, 1_000));
        cursor.state.after = Some(Position { case: "c-1".to_owned(), order: 4 });
        (cursor.state.batches, cursor.state.records, cursor.state.batch_records) = (1, 4, 500);
        cursor.save().unwrap();
        // Later: the moment of the first run stays.
        let again = Cursor::open(&path, &["acme", "https://mine.example"], 99).unwrap();
        assert_eq!((again.state.settled_ms, &again.state), (17, &cursor.state));
        for (what, said) in
            [(["acme", "https://other.example"], "another push"), (["acmeh", "ttps://mine.example"], "another push")]
        {
            assert!(Cursor::open(&path, &what, 17).err().unwrap().to_string().contains(said));
        }
        for (text, said) in [("{}", "is no cursor"), ("{\"v\":1", "is no cursor")] {
            fs::write(&path, text).unwrap();
            assert!(Cursor::open(&path, &["acme"], 17).err().unwrap().to_string().contains(said), "{text}");
        }
        fs::remove_file(&path).unwrap();
    }
}
