//! Logs to which nobody appends: what their last append left open is finished by the code that appends use.
//!
//! A log that is appended to finishes itself; doing it beside audit-write is harmless, since every step may be repeated
//! and a turn to sign is taken once.

use ledgerline_custody::publication::Checkpointed;
use ledgerline_lambda::clock::Clock;
use ledgerline_ledger::log::LogId;

use crate::error::SweepError;
use crate::{Run, Summary};

/// What was finished of a log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Finished {
    tiles: bool,
    signed: bool,
}

impl Finished {
    pub(crate) fn add_to(self, summary: &mut Summary) {
        summary.logs += 1;
        summary.published += u64::from(self.tiles);
        summary.signed += u64::from(self.signed);
    }
}

impl<C: Clock> Run<'_, C> {
    /// Postings, counts, tiles, checkpoint: whatever of it is missing.
    pub(crate) async fn finish(&self, log: &LogId) -> Result<Finished, SweepError> {
        let now_ms = u64::try_from(self.now_ms()).unwrap_or_default();
        let Some(published) = self.publication().catch_up(log, now_ms).await? else { return Ok(Finished::default()) };
        Ok(Finished { tiles: published.tiles, signed: published.checkpoint == Checkpointed::Signed })
    }
}
