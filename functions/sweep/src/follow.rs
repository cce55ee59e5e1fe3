//! Follows a log's segments: audit triggers lengthen locks, complete interactions get their entry.
//!
//! Invariant: the cursor moves past a segment only after what its triggers ask for was done; a completion is read from the
//! record's postings, never from what the follower remembers. State is kept with a condition: of two runs at once the
//! second learns that it lost, and all that it wrote was the same.

use futures_util::stream::{self, StreamExt as _};
use ledgerline_custody::acts::Recorded;
use ledgerline_custody::committed::CommittedSegments;
use ledgerline_custody::completion::{Completion, Following, Mark, Trigger, completed, triggers};
use ledgerline_custody::retention::{Pruned, extension_act, pruned};
use ledgerline_lambda::clock::Clock;
use ledgerline_ledger::entry::EntryError;
use ledgerline_ledger::head::Head;
use ledgerline_ledger::log::LogId;

use crate::error::SweepError;
use crate::{ADVANCING_ENDS_AT, CALLS_AT_ONCE, COMPLETING_ENDS_AT, Run, Summary};

/// What came of following a log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub(crate) followed: u64,
    pub(crate) open: u64,
    pub(crate) completed: u64,
    pub(crate) extended: u64,
    pub(crate) pruned: u64,
    pub(crate) deleted: u64,
    pub(crate) failures: u64,
}

impl Counts {
    pub(crate) fn add_to(self, summary: &mut Summary) {
        summary.followed += self.followed;
        summary.open += self.open;
        summary.completed += self.completed;
        summary.extended += self.extended;
        summary.pruned += self.pruned;
        summary.deleted += self.deleted;
        summary.failures += self.failures;
    }
}

/// Where a log's state is kept.
pub fn state_key(log: &LogId) -> String {
    format!("sweep/{log}/open.jsonl.gz")
}

impl<C: Clock> Run<'_, C> {
    /// Follows the log as far as it is indexed, completes what is due, and looks for what has expired.
    pub(crate) async fn follow(&self, log: &LogId, counts: &mut Counts) -> Result<(), SweepError> {
        let head = self.publication().load_head(log).await?;
        let key = state_key(log);
        let loaded = self.stores.states.load(&key).await?;
        let read = loaded.as_ref().and_then(|loaded| Following::read(log, &loaded.bytes));
        let mut state = read.unwrap_or_else(|| Following::from_nothing(log, head.indexed()));
        // What stops the follower does not stop what it has reached from being completed and kept.
        let (advancing, completing) = (self.part(ADVANCING_ENDS_AT), self.part(COMPLETING_ENDS_AT));
        let advanced = advancing.advance(log, &head, &mut state, counts).await;
        completing.complete_due(log, &mut state, counts).await;
        state.forget_completed(self.now_ms());
        let pruned = if advanced.is_ok() && state.cursor() == head.indexed() {
            self.prune(log, &head, &mut state, counts).await
        } else {
            Ok(())
        };
        counts.open += state.open() as u64;
        let bytes = state.write()?;
        if loaded.as_ref().is_none_or(|loaded| loaded.bytes != bytes) {
            let tag = loaded.map(|loaded| loaded.tag);
            self.stores.states.store(&key, bytes, tag.as_deref()).await?;
        }
        advanced.and(pruned)
    }

    async fn advance(
        &self,
        log: &LogId,
        head: &Head,
        state: &mut Following,
        counts: &mut Counts,
    ) -> Result<(), SweepError> {
        let mut segments = CommittedSegments::new(log, &self.stores.ledger);
        while state.cursor() < head.indexed() && self.has_time() {
            let (segment, version) = match segments.beginning_at(state.cursor()).await? {
                Some(next) => next,
                // Nothing begins here: pruned, or missing.
                None => match self.pruned(log).await?.filter(|pruned| pruned.to > state.cursor()) {
                    Some(pruned) => {
                        state.skip_to(pruned.to);
                        continue;
                    }
                    None => return Err(missing(log, state.cursor())),
                },
            };
            let broken = |error: EntryError| SweepError::Entry { key: version.key.clone(), error };
            for trigger in triggers(&segment, &self.settings.triggers.types).map_err(broken)? {
                counts.extended += u64::from(self.extend(log, &trigger).await?);
            }
            state.follow(&segment, version.written_at_ms).map_err(broken)?;
            counts.followed += 1;
        }
        Ok(())
    }

    /// How far the log says that it is pruned.
    pub(crate) async fn pruned(&self, log: &LogId) -> Result<Option<Pruned>, SweepError> {
        let record = ledgerline_custody::acts::record_of_log(log).key(log.org());
        let postings = self.postings(log, &record).await?;
        Ok(pruned(&self.entries(&postings).await?))
    }

    /// Lengthens the locks of all that holds the trigger's record, then says so. `true` if it was not said before.
    async fn extend(&self, log: &LogId, trigger: &Trigger) -> Result<bool, SweepError> {
        let now_ms = self.now_ms();
        let until_s = self.settings.triggers.until_s(&trigger.occurred_at, now_ms);
        // An extension that would be over by now was made when its time was, or would change nothing.
        let now_s = u64::try_from(now_ms / 1000).unwrap_or_default();
        let Some(until_s) = until_s.filter(|until_s| *until_s > now_s) else { return Ok(false) };
        self.lengthen(&self.postings(log, &trigger.record).await?, until_s).await?;
        let Some((purpose, act)) = extension_act(log, trigger, until_s, &self.now()) else { return Ok(false) };
        Ok(matches!(self.record(&purpose, act).await?, Recorded::Now(_)))
    }

    async fn complete_due(&self, log: &LogId, state: &mut Following, counts: &mut Counts) {
        let due = state.due(self.now_ms(), self.settings.silence_ms);
        let completions = stream::iter(&due).map(|(record, completion)| async move {
            let outcome = if self.has_time() { Some(self.complete(log, record, *completion).await) } else { None };
            (record, outcome)
        });
        let outcomes: Vec<_> = completions.buffered(CALLS_AT_ONCE).collect().await;
        for (record, outcome) in outcomes {
            match outcome {
                Some(Ok(new)) => {
                    counts.completed += u64::from(new);
                    state.completed(record, self.now_ms());
                }
                // This interaction's alone; it stays due.
                Some(Err(error)) => {
                    counts.failures += 1;
                    tracing::error!(%log, %error, cause = crate::chain(&error), "a part of the sweep failed");
                }
                None => {}
            }
        }
    }

    /// Completes the record unless its newest completion says the same. `true` if there is a new one.
    async fn complete(&self, log: &LogId, record: &str, completion: Completion) -> Result<bool, SweepError> {
        let postings = self.postings(log, record).await?;
        let found = self.entries(&postings).await?;
        let marks: Result<Vec<Mark>, EntryError> = found.iter().map(Mark::of).collect();
        let marks = marks.map_err(|error| SweepError::Entry { key: log.to_string(), error })?;
        self.keep_for_triggers(&postings, &marks).await?;
        let Some(completed) = completed(&marks) else { return Ok(false) };
        let Some((purpose, act)) = completed.act(log, record, completion, &self.now()) else { return Ok(false) };
        Ok(matches!(self.record(&purpose, act).await?, Recorded::Now(_)))
    }

    /// What came after a trigger is kept as long as what came before it.
    async fn keep_for_triggers(
        &self,
        postings: &[ledgerline_ledger::posting::Posting],
        marks: &[Mark],
    ) -> Result<(), SweepError> {
        let Some(until_s) = self.kept_until_s(marks) else { return Ok(()) };
        self.lengthen(postings, until_s).await
    }

    fn kept_until_s(&self, marks: &[Mark]) -> Option<u64> {
        let now_ms = self.now_ms();
        let settings = &self.settings.triggers;
        let triggering = marks.iter().filter(|mark| settings.types.contains(&mark.event_type));
        let until_s = triggering.filter_map(|mark| settings.until_s(mark.occurred_at(), now_ms)).max()?;
        (until_s > u64::try_from(now_ms / 1000).unwrap_or_default()).then_some(until_s)
    }
}

fn missing(log: &LogId, first: u64) -> SweepError {
    SweepError::SegmentMissing { log: log.to_string(), first }
}
