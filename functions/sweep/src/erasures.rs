//! Wakes the erasures whose time has come: one that cooled off, one that waits for what is under way, one whose message was lost;
//! and the days on which acts of deletion are recorded.
//!
//! Invariant: a message says no more than "look at this request". The row that names it stays, and is found again a minute later, until the
//! eraser moves it: a message that is lost, or sent twice, changes nothing.

use ledgerline_lambda::clock::Clock;

use crate::Run;
use crate::error::SweepError;

/// Erasures that one run wakes: two are worked on at once, and a run comes every minute. What is due first is woken first.
const AT_ONCE: usize = 25;

impl<C: Clock> Run<'_, C> {
    /// Sends the eraser a message for each request that is due, and counts it.
    pub(crate) async fn wake_erasures(&self, woken: &mut u64) -> Result<(), SweepError> {
        for (at, id) in self.stores.wakes.due(&self.now(), AT_ONCE).await? {
            self.stores.erase.wake((&at, &id)).await?;
            *woken += 1;
        }
        Ok(())
    }
}
