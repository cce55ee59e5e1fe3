//! Which dates' repeats were told, in the control table: one row a UTC date.
//!
//! Invariant: a date's row says as of how many marks ([`crate::gold_date`]) the repeats of all contacts that the date's events bear on were
//! told; it never goes back. Contacts of the seven days before bear on it, too. Once `settled`, only a further mark asks again.

use std::sync::Arc;

use ledgerline_lake::keys::{iso_date, parse_iso_date};
use ledgerline_ledger::store::StoreError;
use serde::Deserialize;
use time::Date;

use crate::table::{Condition, Key, Query, Returning, Row, Table, Write, corrupt, read_row};

/// The key of a date's row.
pub fn key(date: Date) -> Key {
    Key::new(REPEATS, iso_date(date))
}

/// The date whose row a key is of.
pub fn parse_key(key: &Key) -> Option<Date> {
    parse_iso_date(&key.sk).filter(|_| key.pk == REPEATS)
}

/// A date whose repeats were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The date.
    pub date: Date,
    /// As of how many marks.
    pub touched: u64,
    /// Whether the seven days after it were over.
    pub settled: bool,
}

/// The dates of one deployment.
#[derive(Clone, Debug)]
pub struct GoldRepeats {
    table: Arc<dyn Table>,
}

impl GoldRepeats {
    /// Rows of the control table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// All dates, in their order.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn all(&self) -> Result<Vec<Told>, StoreError> {
        let rows = self.table.query("list the dates of repeats", &Query::partition(REPEATS)).await?;
        rows.into_iter().map(|(sk, row)| read(&sk, row)).collect()
    }

    /// Says that a date's repeats were told; no news, where a later run said more.
    ///
    /// # Errors
    /// The table's.
    pub async fn tell(&self, told: Told) -> Result<(), StoreError> {
        let what = format!("note the repeats of {}", iso_date(told.date));
        let write = Write::update(key(told.date)).set(TOUCHED, told.touched).set(SETTLED, told.settled);
        let first = write.clone().when(Condition::Absent);
        let again = write.when(Condition::at_most(TOUCHED, told.touched));
        for write in [first, again] {
            match self.table.write(&what, write, Returning::Nothing).await {
                Err(StoreError::Conflict(_)) => {}
                other => return other.map(drop),
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Stored {
    touched: u64,
    settled: bool,
}

fn read(sk: &str, row: Row) -> Result<Told, StoreError> {
    let date = parse_iso_date(sk).ok_or_else(|| corrupt("a row of repeats is of no date"))?;
    let Stored { touched, settled } = read_row("read a row of repeats", row)?;
    Ok(Told { date, touched, settled })
}

const REPEATS: &str = "GOLD#REPEATS";
const TOUCHED: &str = "touched";
const SETTLED: &str = "settled";

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn a_key_is_read_as_it_is_written() {
        let date = date!(2026 - 12 - 31);
        assert_eq!((key(date), parse_key(&key(date))), (Key::new("GOLD#REPEATS", "2026-12-31"), Some(date)));
        for other in [Key::new("GOLD#REPEATS", "2026-12-32"), Key::new("GOLD", "2026-12-31")] {
            assert_eq!(parse_key(&other), None, "{other}");
        }
    }
}
