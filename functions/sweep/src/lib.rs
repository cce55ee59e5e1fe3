//! Finishes what was left open, brings back what was forgotten, says what is complete, prunes what has expired.
//!
//! Six parts, each independent of the others: one that fails does not stop the rest, and the next run, a minute later,
//! takes it up again.
//!
//! 0. [`month_keys`]: the keys of this month and the next two, without which transform plans nothing.
//! 1. [`planned`]: how far bronze is planned, which access answers say; and the journal, which is cleared of what is committed.
//! 2. [`logs`]: heads that are not indexed, not published or not signed, by the same code as audit-write's.
//! 3. [`bronze`]: objects that nobody planned, chunks that nobody committed.
//! 4. [`follow`]: complete interactions get their entry; audit triggers lengthen locks.
//! 5. [`prune`]: expired segments go, after an entry that a signed checkpoint covers.
//!
//! Invariant: everything that is written can be written again, by this run, the next one or another at the same time,
//! without a difference. Own state is a cursor and what is open behind it; lost, it is built again from the evidence.

use std::collections::BTreeSet;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use ledgerline_custody::acts::{Act, ActStores, Recorded, record_acts};
use ledgerline_custody::publication::{Memory, Publication};
use ledgerline_event::instant;
use ledgerline_lambda::clock::Clock;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::month_key;
use serde::Serialize;

pub mod bronze;
pub mod config;
pub mod error;
pub mod follow;
mod journal;
pub mod logs;
pub mod month_keys;
pub mod planned;
pub mod prune;
pub mod records;
pub mod stores;

use config::Settings;
use error::SweepError;
use stores::Stores;

/// A run ends by itself after this long, so that the schedule's next one does not meet it.
const RUN_MS: i64 = 50_000;
/// When each part must end, in percent of the run from its start. How far bronze is planned is told first, which takes a second
/// unless bronze grew in a leap. Then comes signing; neither it nor a long list of open objects may keep interactions from being
/// completed. What a part does not reach is the next run's.
const PLANNED_ENDS_AT: i64 = 15;
/// The journal takes some calls, and thousands of events a second.
const JOURNAL_ENDS_AT: i64 = 10;
const LOGS_END_AT: i64 = 40;
const BRONZE_ENDS_AT: i64 = 65;
/// The same within a log that is followed: catching up may not keep what is due from being completed, nor completing the expired
/// from being pruned.
pub(crate) const ADVANCING_ENDS_AT: i64 = 60;
pub(crate) const COMPLETING_ENDS_AT: i64 = 85;
/// No step begins this close to the invocation's deadline: the longest, a segment of 64 MiB read, followed and kept
/// with a state of [`ledgerline_custody::completion::OPEN_MAX`] interactions, takes some 5 s.
const RESERVE_MS: i64 = 10_000;
/// Calls under way at once: enough to hide a round trip of some 5 ms behind the others, few beside the live traffic.
pub const CALLS_AT_ONCE: usize = 8;

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Logs looked at.
    pub logs: u64,
    /// Logs whose tiles were brought up to their heads.
    pub published: u64,
    /// Checkpoints signed.
    pub signed: u64,
    /// Bronze objects that are listed and not planned.
    pub unplanned: u64,
    /// Bronze objects looked at.
    pub objects: u64,
    /// Notifications sent again.
    pub notified: u64,
    /// Pointers sent again.
    pub resent: u64,
    /// Bronze objects that left the window and never were through.
    pub given_up: u64,
    /// Rows of acts that cannot be read, and are brought back by nobody.
    pub unreadable: u64,
    /// Events in the journal that are on their way.
    pub journaled: u64,
    /// Events that the journal was cleared of.
    pub cleared: u64,
    /// Segments followed.
    pub followed: u64,
    /// Interactions that are not completed yet.
    pub open: u64,
    /// Completions written.
    pub completed: u64,
    /// Retentions extended.
    pub extended: u64,
    /// Prunings announced.
    pub pruned: u64,
    /// Versions of expired segments deleted.
    pub deleted: u64,
    /// Logs that the time did not suffice for: not finished, not followed, or neither.
    pub passed_over: u64,
    /// Parts that failed.
    pub failures: u64,
}

/// One run: what it may use and until when.
pub struct Run<'a, C> {
    /// The stores.
    pub stores: &'a Stores,
    /// What decides how it goes.
    pub settings: &'a Settings,
    /// What this process has seen of logs.
    pub memory: &'a Memory,
    /// The time.
    pub clock: &'a C,
    /// When it ends.
    pub until_ms: i64,
}

/// One run of the sweep.
pub async fn handle<C: Clock>(
    stores: &Stores,
    settings: &Settings,
    memory: &Memory,
    clock: &C,
    deadline_ms: i64,
) -> Summary {
    let until_ms = (clock.now_ms() + RUN_MS).min(deadline_ms - RESERVE_MS);
    let run = Run { stores, settings, memory, clock, until_ms };
    let mut summary = Summary::default();
    for month in month_key::due(clock.now_ms()).into_iter().filter(|_| run.has_time()) {
        guarded("month keys", &month, &mut summary, run.make_month_key(&month)).await;
    }
    let names = guarded("list", "", &mut summary, async { Ok(stores.ledger.heads.logs().await?) }).await;
    let names = turned(names.unwrap_or_default(), clock.now_ms());
    let (logs, bronze) = (run.part(LOGS_END_AT), run.part(BRONZE_ENDS_AT));
    let unplanned = guarded("planned", "", &mut summary, run.part(PLANNED_ENDS_AT).note_planned()).await;
    summary.unplanned = unplanned.unwrap_or_default();
    let mut cleared = journal::Counts::default();
    guarded("journal", "", &mut summary, run.part(JOURNAL_ENDS_AT).clear_journal(&mut cleared)).await;
    cleared.add_to(&mut summary);
    let mut passed_over: BTreeSet<&LogId> = BTreeSet::new();
    for log in &names {
        if !logs.has_time() {
            passed_over.insert(log);
            continue;
        }
        let finished = guarded("logs", log.as_str(), &mut summary, logs.finish(log)).await;
        finished.into_iter().for_each(|finished| finished.add_to(&mut summary));
    }
    let mut reconciled = bronze::Counts::default();
    guarded("bronze", "", &mut summary, bronze.reconcile(&mut reconciled)).await;
    reconciled.add_to(&mut summary);
    for log in &names {
        if !run.has_time() {
            passed_over.insert(log);
            continue;
        }
        let mut counts = follow::Counts::default();
        guarded("follow", log.as_str(), &mut summary, run.follow(log, &mut counts)).await;
        counts.add_to(&mut summary);
    }
    summary.passed_over = passed_over.len() as u64;
    tracing::info!(summary = ?serde_json::to_string(&summary).unwrap_or_default(), "swept");
    summary
}

/// Does one part; what stops it is told and counted, and no more. A panic is that part's alone, too.
pub(crate) async fn guarded<T>(
    part: &'static str,
    of: &str,
    summary: &mut Summary,
    work: impl Future<Output = Result<T, SweepError>>,
) -> Option<T> {
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    match outcome {
        Ok(Ok(done)) => return Some(done),
        Ok(Err(error)) if error.is_race() => {
            tracing::info!(part, of, %error, "another run wrote first");
            return None;
        }
        // The template's alarm looks for these words.
        Ok(Err(error)) => tracing::error!(part, of, %error, cause = chain(&error), "a part of the sweep failed"),
        Err(_) => tracing::error!(part, of, "a part of the sweep failed: it panicked"),
    }
    summary.failures += 1;
    None
}

impl<'a, C: Clock> Run<'a, C> {
    /// This run, ending once so much of what is left of it is over.
    pub(crate) fn part(&self, percent: i64) -> Run<'a, C> {
        let now_ms = self.clock.now_ms();
        let left_ms = (self.until_ms - now_ms).max(0);
        let Self { stores, settings, memory, clock, .. } = *self;
        Run { stores, settings, memory, clock, until_ms: self.until_ms.min(now_ms + left_ms * percent / 100) }
    }

    /// Whether there is time for another step.
    pub(crate) fn has_time(&self) -> bool {
        self.clock.now_ms() < self.until_ms
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    pub(crate) fn now(&self) -> String {
        instant::to_rfc3339(self.clock.now_ms())
    }

    pub(crate) fn publication(&self) -> Publication<'_> {
        let Stores { ledger, signer, .. } = self.stores;
        Publication { stores: ledger, signer: &**signer, settings: &self.settings.publication, memory: self.memory }
    }

    /// Where acts go.
    pub(crate) fn act_stores(&self) -> ActStores<'_> {
        let Stores { ledger, notes, plans, pointers, .. } = self.stores;
        ActStores { plans, queue: pointers, rows: &ledger.rows, notes, random: self.stores.random() }
    }

    /// Records an act under its purpose.
    pub(crate) async fn record(&self, purpose: &str, act: Act) -> Result<Recorded, StoreError> {
        record_acts(&self.act_stores(), purpose, &[act], &self.now()).await
    }
}

/// The logs from another one on with each minute, so that one which takes all the time does not starve the others.
fn turned(mut names: Vec<LogId>, now_ms: i64) -> Vec<LogId> {
    if let Some(count) = i64::try_from(names.len()).ok().filter(|count| *count > 0) {
        let turn = now_ms.div_euclid(MINUTE_MS).rem_euclid(count);
        names.rotate_left(usize::try_from(turn).unwrap_or_default());
    }
    names
}

/// What lies beneath an error, told by `Display`: `Debug` of an SDK error prints a whole HTTP answer.
fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

pub(crate) const MINUTE_MS: i64 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_log_comes_first_in_its_turn() {
        let names: Vec<LogId> = ["a", "b", "c"].map(|org| LogId::first_of(org, "entity").unwrap()).into();
        let first = |minute: i64| turned(names.clone(), minute * MINUTE_MS)[0].org().to_owned();
        assert_eq!([0, 1, 2, 3, -1].map(first), ["a", "b", "c", "a", "c"]);
        assert!(turned(Vec::new(), 7).is_empty());
    }
}
