//! The months' keys, to which party keys are wrapped, in the control table: one row a month, with its public half in clear and
//! its private half as KMS wrapped it.
//!
//! Invariant: a month's key is never replaced: what is sealed to it opens by the private half that stands beside it. Nothing here opens
//! one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ledgerline_ledger::store::StoreError;
use ledgerline_sealed::MonthKey;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use time::OffsetDateTime;

use crate::data_key;
use crate::table::{Key, Returning, Row, Table, Write, corrupt, read_row, to_row};

/// What the keys are for, in keys and encryption contexts.
pub const PURPOSE: &str = "party";

/// The key of a month's row.
pub fn key(month: &str) -> Key {
    Key::new(data_key::partition(PURPOSE), month)
}

/// The month whose row a key is of.
pub fn parse_key(key: &Key) -> Option<&str> {
    (key.pk == data_key::partition(PURPOSE)).then_some(key.sk.as_str())
}

/// The month of a moment, `yyyy-mm`.
pub fn of_time(at_ms: i64) -> String {
    text(number(at_ms))
}

/// The months that must have a key at a moment: its own, and the two after, so that what makes them may fail for two months.
pub fn due(now_ms: i64) -> Vec<String> {
    let first = number(now_ms);
    (first..first + MONTHS_DUE).map(text).collect()
}

/// The month of a moment, counted from the year 0.
fn number(at_ms: i64) -> i32 {
    let at = OffsetDateTime::from_unix_timestamp(at_ms.div_euclid(1_000)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.year() * 12 + i32::from(u8::from(at.month())) - 1
}

fn text(month: i32) -> String {
    format!("{:04}-{:02}", month.div_euclid(12), month.rem_euclid(12) + 1)
}

/// The keys of all months.
#[derive(Clone, Debug)]
pub struct MonthKeys {
    table: Arc<dyn Table>,
    /// Those that this process has read. None ever changes.
    seen: Arc<Mutex<BTreeMap<String, MonthKey>>>,
}

impl MonthKeys {
    /// Rows of the control table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table, seen: Arc::default() }
    }

    /// A month's key; `None` if nobody made it yet.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn of(&self, month: &str) -> Result<Option<MonthKey>, StoreError> {
        let seen = || self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = seen().get(month) {
            return Ok(Some(*known));
        }
        let found = self.table.get(&format!("read the key of {month}"), &key(month)).await?.map(read).transpose()?;
        seen().extend(found.map(|found| (month.to_owned(), found)));
        Ok(found)
    }

    /// Keeps a month's key, made at `now`, RFC 3339; `wrapped` is its private half.
    ///
    /// # Errors
    /// `Conflict`: the month has one, which is the key.
    pub async fn create(&self, month: &str, public: &MonthKey, wrapped: &[u8], now: &str) -> Result<(), StoreError> {
        let what = format!("create the key of {month}");
        self.table.write(&what, created(month, public, wrapped, now)?, Returning::Nothing).await.map(drop)
    }
}

/// The write that keeps a month's key where there is none.
///
/// # Errors
/// `Corrupt`, which would be a defect.
pub fn created(month: &str, public: &MonthKey, wrapped: &[u8], now: &str) -> Result<Write, StoreError> {
    let bytes = |bytes: &[u8]| ByteBuf::from(bytes);
    let row = MonthRow { public: bytes(public.as_point()), wrapped: bytes(wrapped), created_at: Some(now.to_owned()) };
    Ok(Write::create(key(month), to_row("write a month's key", &row)?))
}

/// The key in a row.
///
/// # Errors
/// `Corrupt` if it is no point of P-256 in its form.
pub fn read(row: Row) -> Result<MonthKey, StoreError> {
    let what = "read a month's key";
    let MonthRow { public, .. } = read_row(what, row)?;
    MonthKey::from_point(&public).ok_or_else(|| corrupt(what))
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MonthRow {
    public: ByteBuf,
    wrapped: ByteBuf,
    created_at: Option<String>,
}

const MONTHS_DUE: i32 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{IntoValue as _, Value};

    #[test]
    fn the_months_that_are_due_cross_a_year() {
        let at = |now: time::OffsetDateTime| due(now.unix_timestamp() * 1_000);
        assert_eq!(at(time::macros::datetime!(2026-03-31 23:59:59 UTC)), ["2026-03", "2026-04", "2026-05"]);
        assert_eq!(at(time::macros::datetime!(2026-11-01 0:00 UTC)), ["2026-11", "2026-12", "2027-01"]);
        assert_eq!(at(time::macros::datetime!(2026-12-31 0:00 UTC)), ["2026-12", "2027-01", "2027-02"]);
        assert_eq!([of_time(1_772_460_000_000), of_time(-1)], ["2026-03", "1969-12"]);
    }

    #[test]
    fn a_row_without_a_point_is_not_a_key() {
        let good = [&[4; 1][..], &[7; 64]].concat();
        let row =
            |public: Value| Row::from([("public".to_owned(), public), ("wrapped".to_owned(), good[..].into_value())]);
        assert_eq!(read(row(good[..].into_value())).unwrap().as_point(), good);
        let compressed = [&[2; 1][..], &[7; 64]].concat();
        for bad in [good[..64].into_value(), compressed[..].into_value(), "".into_value()] {
            assert!(matches!(read(row(bad)), Err(StoreError::Corrupt(_))));
        }
        assert!(matches!(read(Row::new()), Err(StoreError::Corrupt(_))));
    }
}
