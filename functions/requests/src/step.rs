//! Taking a request a step on.
//!
//! Invariant: a step is taken from what was read, and from nothing else: of two callers at once the second reads again and may be refused.
//! An approval is of the preview as it is now, or refused.

use std::collections::BTreeSet;

use ledgerline_custody::query::QueryError;
use ledgerline_custody::request::ask::{self, Approval};
use ledgerline_custody::request::machine::{self, Action, Actor};
use ledgerline_lambda::caller::Caller;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::request::{Approved, RequestRow, State, Who, WhoChange};
use ledgerline_store::usage::Use;

use crate::problem::Problem;
use crate::reach::{self, Preview};
use crate::{Answered, Call, DAY_S, show};

/// How often a step is begun again since others took one.
const ROUNDS: usize = 4;

/// What is to be done about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Verify,
    Approve,
    Cancel,
    Refuse,
    Extend,
}

impl Verb {
    /// The last parts of paths.
    pub(crate) const WORDS: [(&'static str, Self); 5] = [
        ("verify", Self::Verify),
        ("approve", Self::Approve),
        ("cancel", Self::Cancel),
        ("refuse", Self::Refuse),
        ("extend", Self::Extend),
    ];

    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::WORDS.into_iter().find(|(known, _)| *known == word).map(|(_, verb)| verb)
    }

    /// What the log says of it.
    fn done(self) -> &'static str {
        match self {
            Self::Verify => "verified",
            Self::Approve => "approved",
            Self::Cancel => "cancelled",
            Self::Refuse => "refused",
            Self::Extend => "extended",
        }
    }
}

/// What the caller says.
struct Said {
    /// The action; an approval's without the counts of its preview, which are of the moment that it is taken.
    action: Action,
    /// For people to read.
    text: Option<String>,
    approval: Option<Approval>,
}

impl Said {
    fn read(verb: Verb, body: &[u8]) -> Result<Self, QueryError> {
        Ok(match verb {
            Verb::Verify => {
                let ask::Verification { method, reference } = ask::verification(body)?;
                Self { action: Action::Verify(method), text: reference, approval: None }
            }
            Verb::Approve => {
                let approval = ask::approval(body)?;
                let digest = approval.digest.clone();
                let action = Action::Approve(Approved { digest, records: 0, shared: 0, lines: 0, entries: 0 });
                Self { action, text: None, approval: Some(approval) }
            }
            Verb::Cancel => Self { action: Action::Cancel, text: Some(ask::reason(body)?), approval: None },
            Verb::Refuse => Self { action: Action::Refuse, text: Some(ask::reason(body)?), approval: None },
            Verb::Extend => Self { action: Action::Extend, text: Some(ask::reason(body)?), approval: None },
        })
    }
}

/// One straight line, begun again if another step was taken meanwhile: read, decide, write row and note in one, record the act.
pub(crate) async fn take(call: &Call<'_>, id: &str, verb: Verb, body: &[u8]) -> Result<Answered, Problem> {
    let said = Said::read(verb, body).map_err(Problem::of_query)?;
    // Who may not see it hears nothing of it, and leaves no alias.
    let mut row = call.request(id).await?;
    let keys = call.keys_of_request().await?;
    let by = call.alias(&keys).await?;
    let Caller { is_client, is_person, .. } = call.caller;
    let actor = Actor { alias: &by, is_client, is_person };
    for round in 0..ROUNDS {
        if round > 0 {
            row = call.request(id).await?;
        }
        let who = call.who(id).await?;
        let kept = who.clone().unwrap_or_default();
        let decided_so = said.approval.as_ref().is_none_or(|approval| going(approval) == kept.erase_shared);
        if decided_so && machine::is_repeated(&row, &kept, &said.action, actor, said.text.as_deref()) {
            return finish(call, verb, id, &row, &kept, by).await;
        }
        let rules = call.settings().rules;
        let mut next = machine::next(&row, &said.action, actor, rules, call.now_ms).map_err(Problem::of_refused)?;
        let who = who.ok_or_else(|| StoreError::Corrupt(Failure::new("an open request is about nobody")))?;
        let mut change = WhoChange { text: said.text.clone(), ..WhoChange::default() };
        // Before the work, and once, however often it is begun again.
        if round == 0 {
            call.count(&by, if said.approval.is_some() { Use::Preview } else { Use::Step }).await?;
        }
        if let Some(approval) = &said.approval {
            let preview = reach::preview(call, id, &row, &who).await?;
            change.erase_shared = Some(decided(&preview, approval)?);
            next.approved = Some(preview.approved());
        }
        if next.state.is_final() {
            change.expires_at_s = Some(call.now_s() + call.settings().closed_kept_days * DAY_S);
        }
        change.wake = begins_at(&next, &said.action);
        let now = (call.now.as_str(), call.now_s());
        match call.stores().requests.advance(id, (&row, &next), change, &who.duplicates, now).await {
            Ok(()) => {
                return finish(call, verb, id, &next, &who, by).await;
            }
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(Problem::not_recorded(&error, NOT_RECORDED)),
        }
    }
    Err(StoreError::Conflict(Failure::new("others took steps of the same request")).into())
}

const NOT_RECORDED: &str =
    "The step could not be recorded, or it is not known whether it was; the same words again find it if it was.";

/// The shared records that go, if the approval is of this preview and names no others.
fn decided(preview: &Preview, approval: &Approval) -> Result<Vec<String>, Problem> {
    if preview.reach.digest != approval.digest {
        return Err(Problem::preview_changed());
    }
    let shared: BTreeSet<&str> = preview.reach.shared.iter().map(|one| one.record.as_str()).collect();
    if !approval.shared.keys().all(|record| shared.contains(record.as_str())) {
        return Err(Problem::not_shared());
    }
    Ok(going(approval))
}

/// The shared records whose joint content goes.
fn going(approval: &Approval) -> Vec<String> {
    approval.shared.iter().filter(|(_, goes)| **goes).map(|(record, _)| record.clone()).collect()
}

/// From when on the eraser may take the request up that this step approved, RFC 3339: sweep wakes it then.
fn begins_at(next: &RequestRow, action: &Action) -> Option<String> {
    let Action::Approve(_) = action else { return None };
    match next.state {
        State::CoolingOff => next.cooling_off_until.clone(),
        // Approved again, it goes on at once.
        State::Erasing => next.history.last().map(|done| done.at.clone()),
        _ => None,
    }
}

/// What follows a step: its act, that nobody asks about these identifiers any more, or that an erasure may begin; then the answer.
async fn finish(
    call: &Call<'_>,
    verb: Verb,
    id: &str,
    row: &RequestRow,
    who: &Who,
    by: String,
) -> Result<Answered, Problem> {
    call.settle(id, row).await;
    if row.state.is_final() {
        call.forget_asked(id, &row.orgs, who).await?;
    }
    if verb == Verb::Approve && may_begin(row, &call.now) {
        // The row that sweep wakes it by is there: a message only spares a minute.
        if let Err(error) = call.stores().erase.erase(id).await {
            tracing::warn!(request = id, kind = error.kind(), %error, "an erasure waits for sweep");
        }
    }
    let (who, erasing) = (call.who(id).await?, call.erasing(id, row).await?);
    Ok(Answered {
        status: 200,
        what: verb.done(),
        request: Some(id.to_owned()),
        state: Some(row.state.as_str()),
        by: Some(by),
        body: show::whole(id, row, who.as_ref(), erasing.as_ref(), call.now_ms).into(),
    })
}

/// Whether an approved erasure need not wait any longer.
fn may_begin(row: &RequestRow, now: &str) -> bool {
    match row.state {
        State::CoolingOff => row.cooling_off_until.as_deref().is_some_and(|until| until <= now),
        state => state == State::Erasing,
    }
}
