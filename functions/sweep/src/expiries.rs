//! Deletes bronze objects that an erasure rewrote, on the day on which they would have expired: a bucket's lifecycle counts from the
//! rewriting, and what is left in them belongs to other people, of whom nothing is to be kept for longer either.
//!
//! Invariant: an object's row goes once no version of the object is left, and a deletion may be repeated: a run that ends in between leaves
//! the row, and the next run begins again. Nothing outside bronze is deleted, whatever a row says. Left out: what was never rewritten,
//! which the lifecycle deletes.

use futures_util::future::join_all;
use ledgerline_event::instant;
use ledgerline_lake::keys::BRONZE;
use ledgerline_lambda::clock::Clock;
use ledgerline_store::subject::date_of;

use crate::error::SweepError;
use crate::{CALLS_AT_ONCE, MINUTE_MS, Run};

/// Objects of one day that one run deletes: at some four calls each, and eight at once, a second of the run. A day's ten thousand are gone
/// within four hours.
const AT_ONCE: usize = 50;
/// Earlier days that are looked at in turn, one a minute, for what an outage left: all of them every 6 hours and 40 minutes.
const EARLIER_DAYS: i64 = 400;

impl<C: Clock> Run<'_, C> {
    /// Deletes what expires today, and what should have gone on one of the days before; counts the objects that are gone.
    pub(crate) async fn expire_rewritten(&self, expired: &mut u64) -> Result<(), SweepError> {
        let mut failed = None;
        for day in days(self.now_ms()) {
            let keys = self.stores.expiries.of(&day, AT_ONCE).await?;
            for some in keys.chunks(CALLS_AT_ONCE) {
                for outcome in join_all(some.iter().map(|key| self.expire(&day, key))).await {
                    match outcome {
                        Ok(gone) => *expired += u64::from(gone),
                        // One that fails does not keep the others.
                        Err(error) => failed = Some(error),
                    }
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Deletes one object, and then its row. `false`: there was no time left.
    async fn expire(&self, day: &str, key: &str) -> Result<bool, SweepError> {
        if !self.has_time() {
            return Ok(false);
        }
        if !key.starts_with(BRONZE) {
            return Err(SweepError::NotBronze { day: day.to_owned() });
        }
        self.stores.bronze.expire(key).await?;
        self.stores.expiries.remove(day, key).await?;
        Ok(true)
    }
}

/// Today, and the earlier day whose turn it is, `yyyy-mm-dd`.
fn days(now_ms: i64) -> [String; 2] {
    let turn = now_ms.div_euclid(MINUTE_MS).rem_euclid(EARLIER_DAYS);
    [0, 1 + turn].map(|back| date_of(&instant::to_rfc3339(now_ms - back * DAY_MS)).to_owned())
}

const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn today_is_looked_at_each_minute_and_each_earlier_day_in_its_turn() {
        // 2026-03-02T00:00:00Z.
        let start_ms = 1_772_409_600_000;
        let looked_at: Vec<[String; 2]> = (0..EARLIER_DAYS).map(|minute| days(start_ms + minute * MINUTE_MS)).collect();
        assert!(looked_at.iter().all(|[today, _]| today == "2026-03-02"));
        let earlier: BTreeSet<&String> = looked_at.iter().map(|[_, earlier]| earlier).collect();
        let ends = [earlier.first(), earlier.last()].map(|day| day.unwrap().as_str());
        assert_eq!((earlier.len(), ends), (400, ["2025-01-26", "2026-03-01"]));
    }
}
