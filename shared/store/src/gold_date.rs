//! The dates whose figures may have changed, in the control table: one row a date.
//!
//! Invariant: a date is dirty from the moment on at which a silver file of it, or of a day beside it, was written, and before its rows are
//! planned, until gold has computed it from all that was there by then. `touched` counts what was written, `computed` is the count
//! that gold had read before it looked; it never goes back, so that of two runs the older one cannot take the newer one's marks away.

use std::collections::BTreeSet;
use std::sync::Arc;

use ledgerline_lake::keys::{iso_date, parse_iso_date};
use ledgerline_ledger::store::StoreError;
use serde::Deserialize;
use time::macros::date;
use time::{Date, OffsetDateTime};

use crate::table::{Condition, Key, Query, Returning, Row, Table, Write, corrupt, read_row};

/// The first date that gold computes, as the lake's tables begin: times before it are no events'.
pub const FIRST_DATE: Date = date!(1990 - 01 - 01);

/// How many days after today gold computes: a source's clock may go two days ahead.
pub const DAYS_AHEAD: i64 = 2;

/// The key of a date's row.
pub fn key(date: Date) -> Key {
    Key::new(GOLD, iso_date(date))
}

/// The date whose row a key is of.
pub fn parse_key(key: &Key) -> Option<Date> {
    parse_iso_date(&key.sk).filter(|_| key.pk == GOLD)
}

/// A date that was touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoldDate {
    /// The date.
    pub date: Date,
    /// How often something was written that counts in its figures.
    pub touched: u64,
    /// How many of these gold has computed.
    pub computed: u64,
}

impl GoldDate {
    /// Whether its figures may have changed since they were computed.
    pub fn is_dirty(&self) -> bool {
        self.touched > self.computed
    }
}

/// The dates that silver files of these days touch: each day and those beside it, since sessions and work after a call cross midnight; only
/// what gold computes, from [`FIRST_DATE`] to [`DAYS_AHEAD`] after `now_ms`.
pub fn touched_by(days: impl IntoIterator<Item = Date>, now_ms: i64) -> BTreeSet<Date> {
    let today = OffsetDateTime::from_unix_timestamp(now_ms.div_euclid(1_000)).map(OffsetDateTime::date);
    let last = today.ok().and_then(|today| today.checked_add(time::Duration::days(DAYS_AHEAD)));
    let beside = |day: Date| [day.previous_day(), Some(day), day.next_day()];
    let dates = days.into_iter().flat_map(beside).flatten();
    dates.filter(|date| (Some(FIRST_DATE)..=last).contains(&Some(*date))).collect()
}

/// The dates of one deployment.
#[derive(Clone, Debug)]
pub struct GoldDates {
    table: Arc<dyn Table>,
}

impl GoldDates {
    /// Rows of the control table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// Says that something was written that counts in the date's figures.
    ///
    /// # Errors
    /// The table's.
    pub async fn touch(&self, date: Date) -> Result<(), StoreError> {
        let write = Write::update(key(date)).add(TOUCHED, 1_u64).set_if_absent(COMPUTED, 0_u64);
        self.table.write(&format!("mark the figures of {}", iso_date(date)), write, Returning::Nothing).await.map(drop)
    }

    /// The date's row; `None` if nothing was ever written.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn of(&self, date: Date) -> Result<Option<GoldDate>, StoreError> {
        let row = self.table.get(&format!("read the mark of {}", iso_date(date)), &key(date)).await?;
        row.map(|row| read(&iso_date(date), row)).transpose()
    }

    /// All dates that were ever touched, in their order.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn all(&self) -> Result<Vec<GoldDate>, StoreError> {
        let rows = self.table.query("list the dates of figures", &Query::partition(GOLD)).await?;
        rows.into_iter().map(|(sk, row)| read(&sk, row)).collect()
    }

    /// Those of [`GoldDates::all`] that are dirty.
    ///
    /// # Errors
    /// As for all of them.
    pub async fn dirty(&self) -> Result<Vec<GoldDate>, StoreError> {
        Ok(self.all().await?.into_iter().filter(GoldDate::is_dirty).collect())
    }

    /// Says that the date's figures hold all that had been written when its row said `touched`. Whether that is news: `false` if a later
    /// run said as much before, or if nobody ever touched the date.
    ///
    /// # Errors
    /// The table's.
    pub async fn computed(&self, date: Date, touched: u64) -> Result<bool, StoreError> {
        let write = Write::update(key(date)).set(COMPUTED, touched).when(Condition::below(COMPUTED, touched));
        match self.table.write(&format!("note the figures of {}", iso_date(date)), write, Returning::Nothing).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[derive(Deserialize)]
struct Stored {
    touched: u64,
    computed: u64,
}

fn read(sk: &str, row: Row) -> Result<GoldDate, StoreError> {
    let date = parse_iso_date(sk).ok_or_else(|| corrupt("a mark of figures is of no date"))?;
    let Stored { touched, computed } = read_row("read a mark of figures", row)?;
    Ok(GoldDate { date, touched, computed })
}

const GOLD: &str = "GOLD";
const TOUCHED: &str = "touched";
const COMPUTED: &str = "computed";

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-02T14:00:00Z.
    const NOW_MS: i64 = 1_772_460_000_000;

    #[test]
    fn a_day_touches_itself_and_those_beside_it_within_what_gold_computes() {
        let touched = |days: &[Date]| touched_by(days.iter().copied(), NOW_MS).into_iter().collect::<Vec<_>>();
        assert_eq!(
            touched(&[date!(2026 - 03 - 01), date!(2026 - 02 - 28), date!(2026 - 03 - 01)]),
            [date!(2026 - 02 - 27), date!(2026 - 02 - 28), date!(2026 - 03 - 01), date!(2026 - 03 - 02)]
        );
        assert_eq!(touched(&[date!(1990 - 01 - 01)]), [date!(1990 - 01 - 01), date!(1990 - 01 - 02)]);
        assert_eq!(touched(&[date!(2026 - 03 - 04)]), [date!(2026 - 03 - 03), date!(2026 - 03 - 04)]);
        for far in [date!(1970 - 01 - 01), date!(2612 - 01 - 01), Date::MIN, Date::MAX] {
            assert_eq!(touched(&[far]), [], "{far}");
        }
    }

    #[test]
    fn a_key_is_read_as_it_is_written() {
        let date = date!(2026 - 12 - 31);
        assert_eq!((key(date), parse_key(&key(date))), (Key::new("GOLD", "2026-12-31"), Some(date)));
        for other in [Key::new("GOLD", "2026-12-32"), Key::new("GOLD", "HEAD"), Key::new("GOLDS", "2026-12-31")] {
            assert_eq!(parse_key(&other), None, "{other}");
        }
    }
}
