//! Notes how far bronze is planned, every minute, for access answers to say.
//!
//! Invariant: the row is replaced only by a run that read it, so that of two runs the one whose row was replaced meanwhile
//! leaves its result. What time does not suffice for, the next run takes up where this one stopped; until then the moment
//! stays where the last whole listing put it.

use futures_util::future::try_join_all;
use ledgerline_custody::planned::{BEHIND_MS, Planning};
use ledgerline_custody::reconciliation::object_id;
use ledgerline_event::instant;
use ledgerline_lake::keys::PlanOf;
use ledgerline_lambda::clock::Clock;
use ledgerline_lambda::telemetry;
use ledgerline_store::bronze_object::BronzeObject;

use crate::bronze::ROWS_AT_ONCE;
use crate::error::SweepError;
use crate::{CALLS_AT_ONCE, Run};

/// The state's key.
pub const STATE_KEY: &str = "sweep/planned.json";

impl<C: Clock> Run<'_, C> {
    /// Lists what is new in bronze and notes the moment before which all of it is planned; returns how many objects are not.
    pub(crate) async fn note_planned(&self) -> Result<u64, SweepError> {
        let loaded = self.stores.states.load(STATE_KEY).await?;
        let before = self.stores.planned.through().await?;
        // Taken before anything is listed: what is written from here on is the next listing's.
        let now_ms = self.now_ms();
        let read = loaded.as_ref().and_then(|loaded| Planning::read(&loaded.bytes));
        let mut state = read.unwrap_or_else(|| Planning::since(before, now_ms));
        if self.has_time() && state.begin(now_ms) {
            self.look_at_unplanned(&mut state, now_ms).await?;
            self.list_unseen(&mut state).await?;
            let through_ms = state.through_ms();
            // The row first: it is true whether or not the state is kept, and a step back must not wait for the next run.
            if before != Some(through_ms) {
                self.stores.planned.keep_through(through_ms, before).await?;
            }
            let tag = loaded.map(|loaded| loaded.tag);
            self.stores.states.store(STATE_KEY, state.write()?, tag.as_deref()).await?;
        }
        let (through_ms, open) = (state.through_ms(), state.open());
        if now_ms - through_ms > BEHIND_MS {
            let oldest = open.first().map(|object| object.key.as_str());
            telemetry::bronze_behind(&instant::to_rfc3339(through_ms), open.len(), oldest);
        }
        Ok(open.len() as u64)
    }

    /// Takes off what was planned since, and, of the oldest, what was removed.
    async fn look_at_unplanned(&self, state: &mut Planning, now_ms: i64) -> Result<(), SweepError> {
        for objects in state.open().chunks(ROWS_AT_ONCE) {
            if !self.has_time() {
                return Ok(());
            }
            self.judge_planned(state, objects).await?;
        }
        let old = state.maybe_gone(CALLS_AT_ONCE, now_ms);
        let found = try_join_all(old.iter().map(|object| self.stores.bronze.page(&object.key, ""))).await?;
        for (object, found) in old.iter().zip(found) {
            if found.iter().all(|one| one.key != object.key) {
                // The template's alarm looks for these words.
                tracing::error!(key = object.key, "given up: never through, and its object is gone from bronze");
                state.judged(object, true);
            }
        }
        Ok(())
    }

    /// Goes on with the listing as far as there is time.
    async fn list_unseen(&self, state: &mut Planning) -> Result<(), SweepError> {
        while self.has_time()
            && let Some((prefix, after)) = state.next_page(self.settings.late_after_ms)
        {
            let page = self.stores.bronze.page(&prefix, &after).await?;
            for objects in state.unseen(&page).chunks(ROWS_AT_ONCE) {
                self.judge_planned(state, objects).await?;
            }
            state.took_page(&page);
        }
        Ok(())
    }

    async fn judge_planned(&self, state: &mut Planning, objects: &[BronzeObject]) -> Result<(), SweepError> {
        let id = |object: &BronzeObject| object_id(&self.settings.bronze_bucket, &object.key);
        let named: Vec<_> = objects.iter().map(|object| (PlanOf::Bronze, id(object))).collect();
        for (object, row) in objects.iter().zip(self.stores.ledger.rows.progress(&named).await?) {
            state.judged(object, row.is_some_and(|row| row.planned_at_ms.is_some()));
        }
        Ok(())
    }
}
