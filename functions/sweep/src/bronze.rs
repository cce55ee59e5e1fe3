//! Bronze objects that nobody planned are notified again; chunks that nobody committed are pointed at again, those of the
//! ledger's own acts with them.
//!
//! Invariant: an object gets a turn at most every half hour, whoever sweeps: the turn is noted in its row, on condition,
//! before anything is sent. A crash in between costs that turn. However many objects are open, a run looks at as many as its
//! time allows and notes where it stopped; the next run goes on there.

use futures_util::future::join_all;
use ledgerline_custody::reconciliation::{BACKLOG_MAX, Place, Reconciling, Verdict, judge, object_id};
use ledgerline_custody::request::acts;
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::{PlanOf, plan_of};
use ledgerline_lambda::clock::Clock;
use ledgerline_store::bronze_object::BronzeObject;
use ledgerline_store::delivery;
use ledgerline_store::object_row::Progress;
use ledgerline_store::request::parse_act_key;

use crate::error::SweepError;
use crate::{CALLS_AT_ONCE, Run, Summary};

/// The state's key.
pub const STATE_KEY: &str = "sweep/bronze.json";
/// Rows read at once: one call of DynamoDB's.
pub(crate) const ROWS_AT_ONCE: usize = 100;

/// What was brought back.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    objects: u64,
    notified: u64,
    resent: u64,
    given_up: u64,
    unreadable: u64,
}

impl Counts {
    pub(crate) fn add_to(self, summary: &mut Summary) {
        summary.objects += self.objects;
        summary.notified += self.notified;
        summary.resent += self.resent;
        summary.given_up += self.given_up;
        summary.unreadable += self.unreadable;
    }
}

/// Whether there is room in the queues: what is missing is most likely among the messages of a long one.
#[derive(Debug, Clone, Copy)]
struct Room {
    notices: bool,
    pointers: bool,
}

/// What one object's turn came to.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    notified: u64,
    resent: u64,
    /// There is nothing to bring back.
    nothing_there: bool,
}

impl<C: Clock> Run<'_, C> {
    /// Begins a pass over bronze and acts every half hour, and goes on with one that is not at its end.
    pub(crate) async fn reconcile(&self, counts: &mut Counts) -> Result<(), SweepError> {
        let loaded = self.stores.states.load(STATE_KEY).await?;
        let now_ms = self.now_ms();
        let read = loaded.as_ref().and_then(|loaded| Reconciling::read(&loaded.bytes));
        let mut state = read.unwrap_or_else(|| Reconciling::from_nothing(now_ms));
        if !state.begin(now_ms, self.settings.late_after_ms) {
            return Ok(());
        }
        let room = Room {
            notices: self.stores.notices.backlog().await? < BACKLOG_MAX,
            pointers: self.stores.pointers.backlog().await? < BACKLOG_MAX,
        };
        if self.look_at_open(&mut state, room, counts).await? {
            while self.look_at_page(&mut state, room, counts).await? {}
        }
        // A crash before this repeats the run's pages; the turns in the rows keep it from sending anything twice.
        let tag = loaded.map(|loaded| loaded.tag);
        Ok(self.stores.states.store(STATE_KEY, state.write()?, tag.as_deref()).await?)
    }

    /// Looks at what was open when the pass began; `true` once that is done.
    async fn look_at_open(&self, state: &mut Reconciling, room: Room, counts: &mut Counts) -> Result<bool, SweepError> {
        while self.has_time() {
            let open = state.next_open(ROWS_AT_ONCE);
            if open.is_empty() {
                state.looked_at_open(None);
                return Ok(true);
            }
            let looked_at = self.look_at(state, &open, room, counts).await?;
            if let Some(last) = open[..looked_at].last() {
                state.looked_at_open(Some(last));
            }
        }
        Ok(false)
    }

    /// Looks at what is due of the next page; `true` if there may be another.
    async fn look_at_page(&self, state: &mut Reconciling, room: Room, counts: &mut Counts) -> Result<bool, SweepError> {
        let Some((place, after)) = state.next_page().filter(|_| self.has_time()) else { return Ok(false) };
        let page = match &place {
            Place::Bronze(prefix) => self.stores.bronze.page(prefix, after).await?,
            Place::Acts(hour) => {
                let noted = self.stores.notes.acts(hour, after).await?;
                if noted.unreadable > 0 {
                    counts.unreadable += noted.unreadable;
                    // The template's alarm looks for the first of these words.
                    tracing::error!(
                        hour,
                        rows = noted.unreadable,
                        "given up: never through, for acts' rows that cannot be read"
                    );
                }
                noted.acts
            }
        };
        let due = state.due(&page);
        let mut looked_at = 0;
        while looked_at < due.len() {
            let next = &due[looked_at..due.len().min(looked_at + ROWS_AT_ONCE)];
            let done = self.look_at(state, next, room, counts).await?;
            looked_at += done;
            if done < next.len() {
                if let Some(last) = due[..looked_at].last() {
                    state.stopped_behind(last);
                }
                return Ok(false);
            }
        }
        state.took_page(&page);
        Ok(true)
    }

    /// Looks at the rows of these objects and does what each needs, as far as there is time; returns how many it looked at.
    async fn look_at(
        &self,
        state: &mut Reconciling,
        objects: &[BronzeObject],
        room: Room,
        counts: &mut Counts,
    ) -> Result<usize, SweepError> {
        let id = |object: &BronzeObject| object_id(&self.settings.bronze_bucket, &object.key);
        let named: Vec<_> = objects.iter().map(|object| (plan_of(&object.key), id(object))).collect();
        let rows = self.stores.ledger.rows.progress(&named).await?;
        let mut looked_at = 0;
        for (objects, rows) in objects.chunks(CALLS_AT_ONCE).zip(rows.chunks(CALLS_AT_ONCE)) {
            if !self.has_time() {
                break;
            }
            let judged = objects.iter().zip(rows).map(|(object, row)| async move {
                let verdict = judge(row.as_ref(), self.now_ms());
                (object, verdict, self.bring_back(id(object), object, row.as_ref(), verdict, room).await)
            });
            for (object, verdict, sent) in join_all(judged).await {
                let sent = sent.unwrap_or_else(|error| {
                    // This object's alone; it stays open and has its next turn.
                    tracing::warn!(object = %id(object), %error, "not brought back");
                    Sent::default()
                });
                counts.objects += 1;
                counts.notified += sent.notified;
                counts.resent += sent.resent;
                let verdict = if sent.nothing_there { Verdict::Through } else { verdict };
                if state.judged(object, verdict, self.now_ms()) {
                    counts.given_up += 1;
                    // The template's alarm looks for these words.
                    tracing::error!(object = %id(object), "given up: never through in four days");
                }
            }
            looked_at += objects.len();
        }
        Ok(looked_at)
    }

    async fn bring_back(
        &self,
        id: ObjectId,
        object: &BronzeObject,
        row: Option<&Progress>,
        verdict: Verdict,
        room: Room,
    ) -> Result<Sent, SweepError> {
        match verdict {
            Verdict::Notify if plan_of(&object.key) == PlanOf::Acts => match room.pointers {
                true => self.carry_out(id, object, row).await,
                false => Ok(Sent::default()),
            },
            Verdict::Notify if room.notices => self.notify(id, object, row).await,
            Verdict::Resend if room.pointers => self.resend(id, object, row).await,
            Verdict::Notify | Verdict::Resend | Verdict::Wait | Verdict::Through | Verdict::Poisoned => {
                Ok(Sent::default())
            }
        }
    }

    async fn notify(&self, id: ObjectId, object: &BronzeObject, row: Option<&Progress>) -> Result<Sent, SweepError> {
        if !self.has_turn(id, object, row).await? {
            return Ok(Sent::default());
        }
        self.stores.notices.notify(&self.settings.bronze_bucket, &object.key).await?;
        Ok(Sent { notified: 1, ..Sent::default() })
    }

    /// Carries out an act's plan that whoever kept it did not. An act without a plan is its caller's to record again, unless it is a
    /// request's: that follows from the request's row.
    async fn carry_out(&self, id: ObjectId, object: &BronzeObject, row: Option<&Progress>) -> Result<Sent, SweepError> {
        let Some(plan) = delivery::find(&self.stores.plans, PlanOf::Acts, id).await? else {
            return self.record_step(id, object, row).await;
        };
        if !self.has_turn(id, object, row).await? {
            return Ok(Sent::default());
        }
        delivery::carry_out(&self.stores.pointers, &self.stores.ledger.rows, &plan, &self.now()).await?;
        Ok(Sent { resent: plan.header.chunks.len() as u64, ..Sent::default() })
    }

    /// Records the act of a request's step, which was noted in one transaction with the step.
    async fn record_step(
        &self,
        id: ObjectId,
        object: &BronzeObject,
        row: Option<&Progress>,
    ) -> Result<Sent, SweepError> {
        let nothing_there = Sent { nothing_there: true, ..Sent::default() };
        let Some((request, step)) = parse_act_key(&object.key) else { return Ok(nothing_there) };
        let Some(request_row) = self.stores.requests.request(request).await? else { return Ok(nothing_there) };
        if !self.has_turn(id, object, row).await? {
            return Ok(Sent::default());
        }
        let recorded = acts::record(&self.act_stores(), request, &request_row, step, &self.now()).await?;
        Ok(if recorded.is_some() { Sent { resent: 1, ..Sent::default() } } else { nothing_there })
    }

    async fn resend(&self, id: ObjectId, object: &BronzeObject, row: Option<&Progress>) -> Result<Sent, SweepError> {
        let Some(row) = row else { return Ok(Sent::default()) };
        if !self.has_turn(id, object, Some(row)).await? {
            return Ok(Sent::default());
        }
        let Some(plan) = delivery::find(&self.stores.plans, plan_of(&object.key), id).await? else {
            tracing::error!(object = %id, "its plan is gone, and not all of it is committed");
            return Ok(Sent::default());
        };
        let mut pointers = plan.header.pointers(plan.header_bytes);
        pointers.retain(|pointer| row.is_missing(pointer.ordinal));
        self.stores.pointers.send(&pointers).await?;
        Ok(Sent { resent: pointers.len() as u64, ..Sent::default() })
    }

    async fn has_turn(&self, id: ObjectId, object: &BronzeObject, row: Option<&Progress>) -> Result<bool, SweepError> {
        let before = row.and_then(|row| row.swept_at_ms);
        Ok(self.stores.ledger.rows.take_turn(id, &object.key, before, self.now_ms()).await?)
    }
}
