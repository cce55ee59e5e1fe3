//! Expired segments go: announced by an entry, then covered by a signed checkpoint, then deleted.
//!
//! | step | stored if the run ends there | the next look |
//! |---|---|---|
//! | 1 `LOG_PRUNED` planned and queued | an entry that says what may go | finds it committed; the same purpose writes no second one |
//! | 2 an archived checkpoint covers the entry | the announcement, signed | deletes |
//! | 3 a segment's postings removed, its first record's last | fewer postings | removes the rest; without any the segment is an orphan, and goes |
//! | 4 the segment's version deleted | less | goes on with the next |
//!
//! Invariant: nothing is deleted that is not below a covered `prunedTo`, or that any lock, hold or class still keeps; S3
//! refuses it, too. Tiles and checkpoints are never touched.

use ledgerline_custody::acts::Recorded;
use ledgerline_custody::committed::first_record;
use ledgerline_custody::completion::Following;
use ledgerline_custody::retention::{Pruned, is_old_enough, is_unprotected, prunable_to, prune_act};
use ledgerline_lambda::clock::Clock;
use ledgerline_ledger::head::Head;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::posting::{Posting, postings};
use ledgerline_ledger::segment::{Segment, SegmentName};
use ledgerline_store::segment::SegmentVersion;

use crate::Run;
use crate::error::SweepError;
use crate::follow::Counts;

/// Between two looks at a log: locks are counted in days.
const EVERY_MS: i64 = 60 * 60 * 1000;
/// Between two announcements of a log: segments expire one by one, and an entry for each would be as many again.
const ANNOUNCED_EVERY_MS: i64 = 24 * 60 * 60 * 1000;
/// Versions looked at in one look, oldest first: 24,000 a day, of which one is written every few seconds at most.
const VERSIONS_MAX: usize = 1_000;

impl<C: Clock> Run<'_, C> {
    /// Looks for expired segments every hour: announces how far the log may be pruned, deletes what was announced and
    /// is covered.
    pub(crate) async fn prune(
        &self,
        log: &LogId,
        head: &Head,
        state: &mut Following,
        counts: &mut Counts,
    ) -> Result<(), SweepError> {
        let now_ms = self.now_ms();
        if now_ms - state.looked_for_expired_at_ms() < EVERY_MS || !self.has_time() {
            return Ok(());
        }
        let versions = self.versions_by_expiry(log).await?;
        if versions.iter().any(|(_, expired)| *expired) {
            let before = self.pruned(log).await?;
            // Tiles up to a checkpoint are made of segments, and an interaction that is open will be read again.
            let needed_from = state.needed_from().unwrap_or(u64::MAX).min(head.signed());
            let to =
                prunable_to(versions.iter().map(|(version, expired)| (version.key.as_str(), *expired)), needed_from);
            counts.pruned += u64::from(self.announce(log, to, before.as_ref()).await?);
            if let Some(pruned) = before.filter(|pruned| pruned.index < head.signed()) {
                self.delete_below(log, &pruned, &versions, counts).await?;
            }
        }
        state.looked_for_expired(now_ms);
        Ok(())
    }

    /// The log's oldest versions up to the first that is too young, each with whether it is expired.
    async fn versions_by_expiry(&self, log: &LogId) -> Result<Vec<(SegmentVersion, bool)>, SweepError> {
        let now_ms = self.now_ms();
        let days = self.settings.publication.locks.classes.days(log);
        let mut found = Vec::new();
        for version in self.stores.ledger.segments.from(log, 0, VERSIONS_MAX).await? {
            let old_enough = is_old_enough(&version, days, now_ms);
            let expired = old_enough && self.is_unprotected(&version).await?;
            found.push((version, expired));
            if !old_enough {
                break;
            }
        }
        Ok(found)
    }

    async fn is_unprotected(&self, version: &SegmentVersion) -> Result<bool, SweepError> {
        let protection = self.stores.ledger.segments.protection(&version.key, &version.version_id).await?;
        Ok(protection.is_none_or(|protection| is_unprotected(&protection, self.now_ms())))
    }

    /// Announces a pruning that goes further than the last, at most one a day. `true` if it is a new one.
    async fn announce(&self, log: &LogId, to: u64, before: Option<&Pruned>) -> Result<bool, SweepError> {
        let further = before.is_none_or(|before| to > before.to && self.now_ms() - before.at_ms >= ANNOUNCED_EVERY_MS);
        if to == 0 || !further {
            return Ok(false);
        }
        let (purpose, act) = prune_act(log, to, &self.now());
        Ok(matches!(self.record(&purpose, act).await?, Recorded::Now(_)))
    }

    /// Deletes the expired versions below a pruning whose entry an archived checkpoint covers.
    async fn delete_below(
        &self,
        log: &LogId,
        pruned: &Pruned,
        versions: &[(SegmentVersion, bool)],
        counts: &mut Counts,
    ) -> Result<(), SweepError> {
        let ledger = &self.stores.ledger;
        // The head says that one is archived; the archive must say so itself.
        if ledger.checkpoints.archived(log, pruned.index + 1, 1).await?.is_empty() {
            return Ok(());
        }
        for (version, expired) in versions {
            // Held, or extended, since it was announced: it keeps all that follows it.
            if !expired {
                return Ok(());
            }
            let Some(name) = SegmentName::parse(&version.key).filter(|name| name.end() <= pruned.to) else { continue };
            if !self.has_time() {
                return Ok(());
            }
            // Held, or extended, since it was looked at: its postings must stay.
            if !self.is_unprotected(version).await? {
                return Ok(());
            }
            if !self.delete(log, &name, version).await? {
                return Ok(());
            }
            counts.deleted += 1;
            tracing::info!(key = version.key, "expired and deleted");
        }
        Ok(())
    }

    /// Deletes a version and the postings that lead to it. `false`: it is held or locked after all, and stays as it was.
    async fn delete(&self, log: &LogId, name: &SegmentName, version: &SegmentVersion) -> Result<bool, SweepError> {
        let forgotten = self.forget_postings(log, name, version).await?;
        match self.stores.ledger.segments.delete(&version.key, &version.version_id).await {
            Ok(()) => Ok(true),
            Err(error) => {
                let protection = self.stores.ledger.segments.protection(&version.key, &version.version_id).await;
                // Gone after all: then so are its postings. A crash before they are put back leaves them to
                // `rebuild-postings`, if it is held by the next look.
                if !matches!(protection, Ok(None)) {
                    self.stores.ledger.postings.put(&forgotten).await?;
                }
                let Some(protection) = protection? else { return Err(error.into()) };
                if is_unprotected(&protection, self.now_ms()) {
                    return Err(error.into());
                }
                tracing::warn!(key = version.key, "held or locked meanwhile: it stays, and so do its postings");
                Ok(false)
            }
        }
    }

    /// Removes the postings of a committed segment and says which; an orphan has none, and rows at its place are another
    /// segment's.
    async fn forget_postings(
        &self,
        log: &LogId,
        name: &SegmentName,
        version: &SegmentVersion,
    ) -> Result<Vec<Posting>, SweepError> {
        let ledger = &self.stores.ledger;
        let bytes = ledger.segments.read(&version.key, &version.version_id).await?;
        let segment = Segment::read(&version.key, &bytes);
        let segment = segment.map_err(|error| SweepError::Segment { key: version.key.clone(), error })?;
        let broken = |error| SweepError::Entry { key: version.key.clone(), error };
        let first = first_record(&segment).map_err(broken)?;
        let committed = self.stores.ledger.postings.place(&first, log, name.first).await?;
        if committed.is_none_or(|(key, id)| key != version.key || id != version.version_id) {
            return Ok(Vec::new());
        }
        let rows = postings(&segment, &version.version_id).map_err(broken)?;
        let (last, others): (Vec<_>, Vec<_>) = rows.iter().cloned().partition(|row| row.record_key == first);
        self.stores.ledger.postings.forget(&others).await?;
        self.stores.ledger.postings.forget(&last).await?;
        Ok(rows)
    }
}
