//! The months' keys, to which party keys are wrapped, in the control table: one row a month, with its public half in clear and
//! its private half as KMS wrapped it.
//!
//! Invariant: a month's key is never replaced: what is sealed to it opens by the private half that stands beside it. Nothing here opens
//! one.

use std::sync::Arc;

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

/// The month of a moment in RFC 3339, `yyyy-mm`.
pub fn of_time(time: &str) -> Option<&str> {
    let is_month = |text: &&str| {
        text.bytes().enumerate().all(|(at, byte)| if at == 4 { byte == b'-' } else { byte.is_ascii_digit() })
    };
    time.get(..MONTH_BYTES).filter(is_month)
}

/// The months that must have a key at a moment: its own, and the two after, so that what makes them may fail for two months.
pub fn due(now_ms: i64) -> Vec<String> {
    let Ok(now) = OffsetDateTime::from_unix_timestamp(now_ms.div_euclid(1_000)) else { return Vec::new() };
    let first = now.year() * 12 + i32::from(u8::from(now.month())) - 1;
    let text = |month: i32| format!("{:04}-{:02}", month.div_euclid(12), month.rem_euclid(12) + 1);
    (first..first + MONTHS_DUE).map(text).collect()
}

/// The keys of all months.
#[derive(Clone, Debug)]
pub struct MonthKeys {
    table: Arc<dyn Table>,
}

impl MonthKeys {
    /// Rows of the control table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// A month's key; `None` if nobody made it yet.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn of(&self, month: &str) -> Result<Option<MonthKey>, StoreError> {
        self.table.get(&format!("read the key of {month}"), &key(month)).await?.map(read).transpose()
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
const MONTH_BYTES: usize = "yyyy-mm".len();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{IntoValue as _, Value};

    #[test]
    fn a_moments_month_is_read_and_nothing_else_is() {
        assert_eq!(of_time("2026-03-02T14:00:00.000Z"), Some("2026-03"));
        for bad in ["", "2026-0", "2026/03-02", "202a-03-02", "20-6-03-02", "2026-0é"] {
            assert_eq!(of_time(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_months_that_are_due_cross_a_year() {
        let at = |now: time::OffsetDateTime| due(now.unix_timestamp() * 1_000);
        assert_eq!(at(time::macros::datetime!(2026-03-31 23:59:59 UTC)), ["2026-03", "2026-04", "2026-05"]);
        assert_eq!(at(time::macros::datetime!(2026-11-01 0:00 UTC)), ["2026-11", "2026-12", "2027-01"]);
        assert_eq!(at(time::macros::datetime!(2026-12-31 0:00 UTC)), ["2026-12", "2027-01", "2027-02"]);
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
