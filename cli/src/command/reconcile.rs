//! `reconcile`: after a table was put back to an earlier day, takes away again what came back of people who were erased, and names what
//! nobody but a person can put right.
//!
//! Invariant: nothing is written unless asked. What is written, and on which condition, [`ledgerline_custody::restored`] decides; run again,
//! it finds what is left. Its answer holds ids of requests and counts, nobody's name and no record.

use std::io;

use ledgerline_custody::restored::{Found, How, Open, Repeat, Report, Restored};
use ledgerline_event::instant;
use ledgerline_store::request::State;
use serde_json::{Value, json};

use crate::answer::{Answer, Answered, Outcome};
use crate::args::ReconcileArgs;
use crate::cloud::{Cloud, told};
use crate::context::Context;
use crate::fault::Fault;
use crate::screen::{Mark, Screen, counted, grouped};

/// Looks, and if asked puts right.
pub(super) fn run(args: &ReconcileArgs, context: &Context) -> Answered {
    let since_ms = args.restored_to.as_deref().map(moment).transpose()?;
    let cloud = Cloud::open(&args.deployment.stack)?;
    let operator = &cloud.operator;
    let rows = |table| told(operator.rows_of(table));
    let (control, index, keys) = (rows("ControlTable")?, rows("IndexTable")?, rows("KeysTable")?);
    let (ledger, queue) = (told(operator.objects_of("LedgerBucket"))?, told(operator.messages_of("EraseQueue"))?);
    let restored = Restored::new(&control, &index, &keys, &ledger, &queue);
    let now_ms = i64::try_from(context.now_ms).unwrap_or(i64::MAX);
    let progress = context.progress("segments and pages of rows", None);
    let how = How { applies: args.apply, since_ms, now_ms };
    let report = cloud.ask(restored.reconcile(&how, &|| progress.inc(1)));
    progress.finish_and_clear();
    let name = args.deployment.stack.display().to_string();
    Ok(Box::new(Reconciled { name, applied: args.apply, since: args.restored_to.clone(), report: report? }))
}

fn moment(text: &str) -> Result<i64, Fault> {
    instant::parse(text).ok_or_else(|| {
        Fault::new(
            format!("{text:?} is no moment"),
            "write the moment to which the table was put back in UTC, as 2026-11-20T10:00:00Z",
        )
    })
}

struct Reconciled {
    name: String,
    applied: bool,
    since: Option<String>,
    report: Report,
}

impl Reconciled {
    /// Whether anybody has to do anything more.
    fn is_done(&self) -> bool {
        let Report { found, left, repeat, lost, strangers, .. } = &self.report;
        let is_put_right = found.total() == 0 || (self.applied && *left == 0);
        is_put_right && repeat.is_empty() && lost.is_empty() && strangers.is_empty()
    }
}

/// Each kind of what comes back, and how it is told.
fn kinds(found: &Found) -> [(&'static str, u64); 12] {
    [
        ("identifiers that name who is gone", found.identifiers),
        ("subjects that are gone", found.subjects),
        ("their links", found.links),
        ("records that name them", found.records),
        ("wrapped keys that are gone", found.keys),
        ("aliases that are gone", found.aliases),
        ("rows of what a CRM says of them", found.crm),
        ("closed requests with whom they were about", found.requests),
        ("identifiers that name closed requests", found.asked),
        ("held records whose erasure was put off", found.put_off),
        ("records whose hold is lifted, for the eraser", found.released),
        ("destroyed keys that nothing says are gone", found.not_gone),
    ]
}

/// What to do about an erasure that is to be repeated.
fn repeating(state: Option<State>) -> &'static str {
    match state {
        None => "the table does not know it any more: ask again; the certificate says whom it was about",
        Some(State::Received | State::Verified) => "verify and approve it again",
        Some(State::Approved | State::CoolingOff | State::Erasing) => "it runs again by itself: wait until it is done",
        Some(State::Cancelled | State::Refused | State::Done) => "ask again; the certificate says whom it was about",
    }
}

/// What to do about a request of which nobody knows whom it is about.
fn losing(state: State) -> &'static str {
    match state {
        State::Erasing => {
            "it cannot end: ask again for the same person; its messages end in the erase queue's dead-letter queue"
        }
        _ => "cancel it, and ask again",
    }
}

/// What to do about a request of which somebody has no alias any more.
fn approving(state: State) -> &'static str {
    match state {
        State::Erasing => {
            "it was approved before; should it wait for approval again, somebody approves it who had no part in it"
        }
        _ => "cancel it and ask again: whoever made it could approve it now",
    }
}

impl Answer for Reconciled {
    fn outcome(&self) -> Outcome {
        Outcome::of(self.is_done())
    }

    fn json(&self) -> Value {
        let mut told = json!({ "applied": self.applied, "restoredTo": self.since });
        let report = serde_json::to_value(&self.report).unwrap_or_default();
        if let (Some(told), Value::Object(report)) = (told.as_object_mut(), report) {
            told.extend(report);
        }
        told
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let Report { segments, destroyed, found, left, repeat, lost, strangers } = &self.report;
        screen.title("RECONCILE", &self.name)?;
        let since = self.since.as_deref().map_or_else(|| "all of it".to_owned(), |since| format!("since {since}"));
        screen.fact("ledger read", &format!("{}, {since}", counted(*segments, "segment", "segments")))?;
        screen.fact("keys it calls destroyed", &grouped(*destroyed))?;
        screen.section(if self.applied { "what had come back, and is gone again" } else { "what has come back" })?;
        let rows: Vec<Vec<String>> = kinds(found)
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(kind, count)| vec![kind.to_owned(), grouped(count)])
            .collect();
        match rows.is_empty() {
            true => screen.say("Nothing.")?,
            false => screen.table(&["what", "count"], &rows)?,
        }
        if *left > 0 {
            let what = format!("{} others kept writing", counted(*left, "record", "records"));
            screen.check(Mark::Bad, &what, "run the same command again")?;
        }
        if !(repeat.is_empty() && lost.is_empty() && strangers.is_empty()) {
            screen.section("what somebody has to do")?;
        }
        for Repeat { request, orgs, done_on, state } in repeat {
            let orgs: Vec<&str> = orgs.iter().map(String::as_str).collect();
            let what = format!("the erasure {request} of {} was done on {done_on}: repeat it", orgs.join(", "));
            screen.check(Mark::Bad, &what, repeating(*state))?;
        }
        for Open { request, state } in lost {
            let what = format!("{request} is {}, and nobody knows any more whom it is about", state.as_str());
            screen.check(Mark::Bad, &what, losing(*state))?;
        }
        for Open { request, state } in strangers {
            let what =
                format!("{request} is {}, and somebody who took a step of it would be taken for new", state.as_str());
            screen.check(Mark::Bad, &what, approving(*state))?;
        }
        match (self.is_done(), found.total(), self.applied) {
            (true, _, _) => screen.verdict(Mark::Good, DONE),
            (false, 1.., false) => {
                screen.verdict(Mark::Look, "Nothing was written. --apply takes away what came back.")
            }
            (false, ..) => screen.verdict(Mark::Bad, "It is not all put right yet: see above."),
        }
    }
}

const DONE: &str = "Nothing of anybody who was erased is left in the tables. Transform may run again.";

#[cfg(test)]
mod tests {
    use super::*;

    fn reconciled(applied: bool, report: Report) -> Reconciled {
        Reconciled { name: "stack.json".to_owned(), applied, since: Some("2026-11-20T10:00:00Z".to_owned()), report }
    }

    fn drawn(reconciled: &Reconciled) -> String {
        let mut bytes = Vec::new();
        reconciled.draw(&mut Screen::new(&mut bytes, 100, false)).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn came_back() -> Report {
        Report {
            segments: 7,
            destroyed: 31,
            found: Found { links: 4_900, keys: 12, ..Found::default() },
            ..Report::default()
        }
    }

    #[test]
    fn a_dry_run_says_what_it_would_do_and_is_not_well() {
        let dry = reconciled(false, came_back());
        assert_eq!(dry.outcome(), Outcome::Broken);
        let text = drawn(&dry);
        for part in ["4,900", "12", "31", "7 segments, since 2026-11-20T10:00:00Z", "--apply"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("aliases"), "what did not come back is not told: {text}");
        let applied = reconciled(true, came_back());
        assert_eq!(applied.outcome(), Outcome::Holds);
        assert!(drawn(&applied).contains("Transform may run again"));
        assert_eq!(reconciled(true, Report { left: 1, ..came_back() }).outcome(), Outcome::Broken);
        assert_eq!(reconciled(false, Report::default()).outcome(), Outcome::Holds);
    }

    #[test]
    fn what_somebody_has_to_do_is_said_of_each_request() {
        let repeat = |state| Repeat {
            request: "req_1".to_owned(),
            orgs: ["acme".to_owned()].into(),
            done_on: "2026-11-21".to_owned(),
            state,
        };
        let open = |state| Open { request: "req_2".to_owned(), state };
        let report = Report {
            repeat: vec![repeat(None), repeat(Some(State::CoolingOff))],
            lost: vec![open(State::Verified), open(State::Erasing)],
            strangers: vec![open(State::Received)],
            ..Report::default()
        };
        let told = reconciled(true, report);
        assert_eq!(told.outcome(), Outcome::Broken);
        let text = drawn(&told);
        for part in
            ["req_1 of acme was done on 2026-11-21", "ask again", "by itself", "cancel it", "cannot end", "for new"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(told.json()["repeat"][1]["state"], "cooling_off");
        assert_eq!(told.json()["restoredTo"], "2026-11-20T10:00:00Z");
    }

    #[test]
    fn a_moment_is_one() {
        assert_eq!(moment("1970-01-01T00:00:01Z").unwrap(), 1_000);
        assert!(moment("yesterday").is_err() && moment("2026-11-20").is_err());
    }
}
