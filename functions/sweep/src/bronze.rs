//! Bronze objects that nobody planned are notified again; chunks that nobody committed are pointed at again.
//!
//! Invariant: an object gets a turn at most every half hour, whoever sweeps: the turn is noted in its row, on condition,
//! before anything is sent. A crash in between costs that turn.

use ledgerline_custody::reconciliation::{
    BACKLOG_MAX, BronzeObject, ListBronze as _, NotifyBronze as _, PAGE, PointerBacklog as _, Progress, Reconciling,
    SweepRows as _, Verdict, judge,
};
use ledgerline_custody::state::KeepState as _;
use ledgerline_lake::ObjectId;
use ledgerline_lake::delivery;
use ledgerline_lake::ports::SendPointers as _;
use ledgerline_lambda::clock::Clock;

use crate::error::SweepError;
use crate::ports::Ports;
use crate::{Run, Summary};

/// The state's key.
pub const STATE_KEY: &str = "sweep/bronze.json";

/// What was brought back.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    objects: u64,
    notified: u64,
    resent: u64,
    given_up: u64,
}

impl Counts {
    pub(crate) fn add_to(self, summary: &mut Summary) {
        summary.objects += self.objects;
        summary.notified += self.notified;
        summary.resent += self.resent;
        summary.given_up += self.given_up;
    }
}

/// Whether there is room in the queues: what is missing is most likely among the messages of a long one.
#[derive(Debug, Clone, Copy)]
struct Room {
    notices: bool,
    pointers: bool,
}

impl<P: Ports, C: Clock> Run<'_, P, C> {
    /// Begins a pass over bronze every half hour, and goes on with one that is not at its end.
    pub(crate) async fn reconcile(&self, counts: &mut Counts) -> Result<(), SweepError> {
        let loaded = self.ports.states().load(STATE_KEY).await?;
        let now_ms = self.now_ms();
        let read = loaded.as_ref().and_then(|loaded| Reconciling::read(&loaded.bytes));
        let mut state = read.unwrap_or_else(|| Reconciling::from_nothing(now_ms));
        let begins = state.begin(now_ms);
        if !begins && state.next_page().is_none() {
            return Ok(());
        }
        let room = Room {
            notices: self.ports.notices().backlog().await? < BACKLOG_MAX,
            pointers: self.ports.pointers().backlog().await? < BACKLOG_MAX,
        };
        if begins {
            for open in state.open().chunks(PAGE) {
                self.look_at(&mut state, open, room, counts).await?;
            }
        }
        while self.has_time() {
            let Some((prefix, after)) = state.next_page() else { break };
            let page = self.ports.bronze().page(&prefix, after).await?;
            let due = state.took_page(&page);
            self.look_at(&mut state, &due, room, counts).await?;
        }
        // A crash before this repeats the run's pages; the turns in the rows keep it from sending anything twice.
        let tag = loaded.map(|loaded| loaded.tag);
        Ok(self.ports.states().store(STATE_KEY, state.write()?, tag.as_deref()).await?)
    }

    /// Looks at the rows of these objects and does what each needs.
    async fn look_at(
        &self,
        state: &mut Reconciling,
        objects: &[BronzeObject],
        room: Room,
        counts: &mut Counts,
    ) -> Result<(), SweepError> {
        if objects.is_empty() {
            return Ok(());
        }
        let ids: Vec<ObjectId> =
            objects.iter().map(|object| ObjectId::of(&self.settings.bronze_bucket, &object.key)).collect();
        let rows = self.ports.rows().progress(&ids).await?;
        for ((object, id), row) in objects.iter().zip(ids).zip(rows) {
            let verdict = judge(row.as_ref(), self.now_ms());
            counts.objects += 1;
            let sent = match verdict {
                Verdict::Notify if room.notices => self.notify(id, object, row.as_ref(), counts).await,
                Verdict::Resend if room.pointers => self.resend(id, object, row.as_ref(), counts).await,
                Verdict::Notify | Verdict::Resend | Verdict::Wait | Verdict::Through => Ok(()),
            };
            if let Err(error) = sent {
                // This object's alone; it stays open and has its next turn.
                tracing::warn!(object = %id, %error, "not brought back");
            }
            if state.judged(object, verdict, self.now_ms()) {
                counts.given_up += 1;
                // The template's alarm looks for these words.
                tracing::error!(object = %id, "given up: never through in four days");
            }
        }
        Ok(())
    }

    async fn notify(
        &self,
        id: ObjectId,
        object: &BronzeObject,
        row: Option<&Progress>,
        counts: &mut Counts,
    ) -> Result<(), SweepError> {
        if self.has_turn(id, object, row).await? {
            self.ports.notices().notify(&self.settings.bronze_bucket, &object.key).await?;
            counts.notified += 1;
        }
        Ok(())
    }

    async fn resend(
        &self,
        id: ObjectId,
        object: &BronzeObject,
        row: Option<&Progress>,
        counts: &mut Counts,
    ) -> Result<(), SweepError> {
        let Some(row) = row else { return Ok(()) };
        if !self.has_turn(id, object, Some(row)).await? {
            return Ok(());
        }
        let Some(plan) = delivery::find(self.ports.plans(), id).await? else {
            tracing::error!(object = %id, "its plan is gone, and not all of it is committed");
            return Ok(());
        };
        let mut pointers = plan.header.pointers(plan.header_bytes);
        pointers.retain(|pointer| !row.done.contains(&pointer.ordinal));
        self.ports.pointers().send(&pointers).await?;
        counts.resent += pointers.len() as u64;
        Ok(())
    }

    async fn has_turn(&self, id: ObjectId, object: &BronzeObject, row: Option<&Progress>) -> Result<bool, SweepError> {
        let before = row.and_then(|row| row.swept_at_ms);
        Ok(self.ports.rows().take_turn(id, &object.key, before, self.now_ms()).await?)
    }
}
