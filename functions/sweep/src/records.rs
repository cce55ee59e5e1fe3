//! A record's entries, read through its postings: by ranges, by version, each line checked.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledgerline_custody::access::{Found, plan_reads};
use ledgerline_custody::retention::longer;
use ledgerline_lambda::clock::Clock;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::posting::Posting;

use crate::error::SweepError;
use crate::{CALLS_AT_ONCE, Run};

impl<C: Clock> Run<'_, C> {
    /// The record's postings in the log.
    pub(crate) async fn postings(&self, log: &LogId, record: &str) -> Result<Vec<Posting>, SweepError> {
        let mut postings = self.stores.ledger.postings.of(record).await?;
        postings.retain(|posting| posting.log == *log);
        Ok(postings)
    }

    /// The entries that these postings name: all of them, or an error.
    pub(crate) async fn entries(&self, postings: &[Posting]) -> Result<Vec<Found>, SweepError> {
        let reads = plan_reads(postings);
        let found = stream::iter(&reads).map(|read| async move {
            let place = &read.place;
            let ledger = &self.stores.ledger;
            let bytes = ledger.segments.read_range(&place.segment, &place.version_id, read.offset, read.length).await?;
            let accepted = read.accept(&bytes);
            accepted.map_err(|reason| SweepError::Posting { key: place.segment.clone(), reason })
        });
        let found: Vec<Vec<Found>> = found.buffered(CALLS_AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Locks the segments of these postings at least until then; those that are locked for longer are left alone.
    pub(crate) async fn lengthen(&self, postings: &[Posting], until_s: u64) -> Result<(), SweepError> {
        let segments = &self.stores.ledger.segments;
        for posting in postings {
            // A version that is gone was pruned, or is verification's to miss.
            let Some(held) = segments.protection(&posting.segment, &posting.version_id).await? else { continue };
            if let Some(lock) = longer(held.lock, self.settings.publication.locks.mode, until_s) {
                segments.extend_lock(&posting.segment, &posting.version_id, &lock).await?;
            }
        }
        Ok(())
    }
}
