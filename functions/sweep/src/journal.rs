//! Clears the journal of what is committed by now, and says what is not.
//!
//! Invariant: a row is deleted a minute after it was found committed, and not before: an access request that was under way then and reads
//! no row has read the entry (`LINGERS_MS`). What is not committed stays, whatever its age, until it expires. There is no state from run to
//! run: each looks at the newest hours, and at one of the older ones in its turn.

use ledgerline_event::instant;
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::PlanOf;
use ledgerline_lambda::clock::Clock;
use ledgerline_lambda::telemetry;
use ledgerline_store::journal::{EVENTS_READ, Journaled, KEPT_DAYS, Listed, hour_of};

use crate::error::SweepError;
use crate::{MINUTE_MS, Run, Summary};

/// How long a row stays once its entry was found committed: twice as long as an answer may take.
const LINGERS_MS: i64 = 60_000;
/// What is not committed after so long is told: Firehose gathers for a quarter of an hour at most, and the rest takes minutes.
const LATE_MS: i64 = 60 * MINUTE_MS;
/// The hours that every run looks at: what came in them is late, or is not yet.
const NEWEST_HOURS: i64 = 3;
/// The hours in which rows may be left.
const HOURS: i64 = KEPT_DAYS as i64 * 24 + 1;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// What was found.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    on_their_way: u64,
    cleared: u64,
    late: u64,
    /// The oldest that is late, epoch milliseconds.
    oldest_ms: Option<i64>,
}

impl Counts {
    pub(crate) fn add_to(self, summary: &mut Summary) {
        summary.journaled += self.on_their_way;
        summary.cleared += self.cleared;
    }
}

impl<C: Clock> Run<'_, C> {
    /// Looks at the hours whose turn it is.
    pub(crate) async fn clear_journal(&self, counts: &mut Counts) -> Result<(), SweepError> {
        for hour in hours(self.now_ms()) {
            let mut after: Option<Listed> = None;
            while self.has_time() {
                let listed = self.stores.journal.listed(&hour, after.as_ref()).await?;
                self.clear(&listed, counts).await?;
                if listed.len() < EVENTS_READ {
                    break;
                }
                after = listed.last().cloned();
            }
        }
        if counts.late > 0 {
            telemetry::journal_behind(counts.late, counts.oldest_ms.map(instant::to_rfc3339).as_deref());
        }
        Ok(())
    }

    async fn clear(&self, listed: &[Listed], counts: &mut Counts) -> Result<(), SweepError> {
        if listed.is_empty() {
            return Ok(());
        }
        let (journal, now_ms) = (&self.stores.journal, self.now_ms());
        let rows = journal.rows(listed).await?;
        let (mut gone, mut open) = (Vec::new(), Vec::new());
        for (one, row) in listed.iter().zip(rows) {
            match row {
                // An erasure deleted it, or it expired.
                None => gone.push(one.clone()),
                Some(event) if event.committed_at_ms.is_some_and(|at_ms| now_ms - at_ms >= LINGERS_MS) => {
                    journal.forget(&one.record, &[event]).await?;
                    counts.cleared += 1;
                }
                Some(event) if event.committed_at_ms.is_some() => {}
                Some(event) => open.push((one, event)),
            }
        }
        for gone in gone.chunks(ROWS_PER_BATCH) {
            journal.unlist(gone).await?;
        }
        let committed = self.committed(&open).await?;
        for ((one, event), committed) in open.iter().zip(committed) {
            if committed {
                journal.note_committed(&one.record, &one.claim_id, now_ms).await?;
                continue;
            }
            counts.on_their_way += 1;
            let came_ms = instant::parse(&event.received_at).unwrap_or(now_ms);
            if now_ms - came_ms > LATE_MS {
                counts.late += 1;
                counts.oldest_ms = Some(counts.oldest_ms.map_or(came_ms, |oldest_ms| oldest_ms.min(came_ms)));
            }
        }
        Ok(())
    }

    /// Whether all that was planned of each event's bronze object is committed: the event is among it.
    async fn committed(&self, open: &[(&Listed, Journaled)]) -> Result<Vec<bool>, SweepError> {
        let of = |event: &Journaled| -> Option<ObjectId> { event.planned.as_ref()?.object.parse().ok() };
        let mut objects: Vec<(PlanOf, ObjectId)> =
            open.iter().filter_map(|(_, event)| of(event)).map(|id| (PlanOf::Bronze, id)).collect();
        objects.sort_unstable_by_key(|(_, id)| *id);
        objects.dedup();
        if objects.is_empty() {
            return Ok(vec![false; open.len()]);
        }
        let rows = self.stores.ledger.rows.progress(&objects).await?;
        let is_through = |id: ObjectId| {
            let at = objects.iter().position(|(_, known)| *known == id)?;
            let row = rows.get(at)?.as_ref()?;
            Some(row.planned_at_ms.is_some() && row.committed >= row.counts.planned)
        };
        Ok(open.iter().map(|(_, event)| of(event).and_then(is_through).unwrap_or_default()).collect())
    }
}

/// The newest hours, and of the older ones the one whose turn this minute is: each has two turns a day.
fn hours(now_ms: i64) -> Vec<String> {
    let turn = NEWEST_HOURS + now_ms.div_euclid(MINUTE_MS).rem_euclid(HOURS - NEWEST_HOURS);
    (0..NEWEST_HOURS).chain([turn]).map(|ago| hour_of(now_ms - ago * HOUR_MS)).collect()
}

/// Rows that a table takes in one call.
const ROWS_PER_BATCH: usize = 25;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_run_looks_at_the_newest_hours_and_every_other_hour_has_its_turn() {
        let now_ms = 1_772_460_000_000;
        assert_eq!(hours(now_ms)[..3], ["2026030214", "2026030213", "2026030212"]);
        let mut seen = BTreeSet::new();
        for minute in 0..12 * 60 + 60 {
            seen.extend(hours(now_ms + minute * MINUTE_MS));
        }
        // Half a day later every hour that was there at first was looked at, but for those that expired meanwhile.
        let wanted = (0..KEPT_DAYS as i64 * 24 - 13).map(|ago| hour_of(now_ms - ago * HOUR_MS));
        assert_eq!(wanted.filter(|hour| !seen.contains(hour)).count(), 0);
    }
}
