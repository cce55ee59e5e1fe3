//! Which lines of quarantine, of error objects and of spilled ones were put back into the stream, in the control table.
//!
//! Invariant: a line is marked after the stream took it, and never before, so that a crash between the two sends it twice and loses
//! nothing. A mark outlives its line. Left out: what the line held.

use std::sync::Arc;

use ledgerline_event::instant;
use ledgerline_ledger::store::StoreError;

use crate::table::{IntoValue as _, Key, Returning, Row, Table, Write};

/// The key of a line's mark; lines are counted from 0.
pub fn key(object_key: &str, line: u64) -> Key {
    Key::new(format!("{REPLAY}{object_key}"), line.to_string())
}

/// The object and the line that a mark is of.
pub fn parse_key(key: &Key) -> Option<(&str, u64)> {
    let object_key = key.pk.strip_prefix(REPLAY).filter(|object_key| !object_key.is_empty())?;
    // `parse` takes a sign, too.
    let is_number = key.sk.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| key.sk.parse().ok()).flatten().map(|line| (object_key, line))
}

/// A line of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The object's key.
    pub object_key: String,
    /// The line's number, from 0.
    pub line: u64,
}

/// The marks of all lines.
#[derive(Clone, Debug)]
pub struct ReplayMarks {
    table: Arc<dyn Table>,
}

impl ReplayMarks {
    /// Rows of the control table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// Which of these lines, which are distinct, are marked, in their order.
    ///
    /// # Errors
    /// The table's.
    pub async fn of(&self, places: &[Place]) -> Result<Vec<bool>, StoreError> {
        let keys: Vec<Key> = places.iter().map(|place| key(&place.object_key, place.line)).collect();
        let rows = self.table.batch_get("read marks of replayed lines", &keys).await?;
        Ok(rows.into_iter().map(|row| row.is_some()).collect())
    }

    /// Marks a line that the stream took at `now_ms`, unless it is marked; `false`: it was, by another run or before. With the
    /// days after which its object expires, the mark does, [`KEPT_LONGER_DAYS`] later; without, never.
    ///
    /// # Errors
    /// The table's.
    pub async fn mark(&self, place: &Place, now_ms: i64, expires_days: Option<u32>) -> Result<bool, StoreError> {
        let mut row = Row::from([("at".to_owned(), instant::to_rfc3339(now_ms).into_value())]);
        if let Some(days) = expires_days {
            let ttl = now_ms.div_euclid(1_000) + i64::from(days + KEPT_LONGER_DAYS) * DAY_S;
            row.insert("ttl".to_owned(), ttl.into_value());
        }
        let what = format!("mark line {} of {} as replayed", place.line, place.object_key);
        let write = Write::create(key(&place.object_key, place.line), row);
        match self.table.write(&what, write, Returning::Nothing).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// How much longer than its object a mark is kept: a lifecycle deletes a day or two late, and a version that was replaced is kept a
/// while.
pub const KEPT_LONGER_DAYS: u32 = 30;
const DAY_S: i64 = 86_400;
const REPLAY: &str = "REPLAY#";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marks_key_is_read_back_and_no_other_is() {
        let object = "quarantine/redrive/x.jsonl";
        assert_eq!(parse_key(&key(object, 17)), Some((object, 17)));
        for (pk, sk) in [("REPLAY#", "1"), ("REPLAY#x", ""), ("REPLAY#x", "+1"), ("REPLAY#x", "MARK"), ("x", "1")] {
            assert_eq!(parse_key(&Key::new(pk, sk)), None, "{pk} {sk}");
        }
    }
}
