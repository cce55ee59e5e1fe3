//! What may be done about a request, by whom, and what comes of it.
//!
//! | action | from | to |
//! |---|---|---|
//! | verify | received | verified |
//! | approve | verified | cooling_off (an erasure), approved (any other) |
//! | approve | erasing, while it waits for an approval | erasing |
//! | cancel | received, verified, approved, cooling_off | cancelled |
//! | refuse | received, verified, approved | refused |
//! | extend, once, before it is due | all but done, cancelled, refused | the same, due later |
//!
//! What carries an erasure out takes these steps, which nobody can ask for:
//!
//! | step | from | to |
//! |---|---|---|
//! | [`begin`] | cooling_off, once that is over | erasing |
//! | [`wait`] | erasing, unless it waits | erasing, waiting for an approval |
//! | [`finish`] | erasing, unless it waits | done |
//!
//! Invariant: everything else is refused with its reason. Anyone who approves shows as a person, and neither made the request nor asked for the
//! same while it was open.

use std::collections::BTreeSet;

use ledgerline_event::instant;
use ledgerline_store::request::{Approved, Done, Method, Regime, RequestKind, RequestRow, State, Step, Who};

use super::clock;

/// Who acts.
#[derive(Clone, Copy, Debug)]
pub struct Actor<'a> {
    /// The principal's alias.
    pub alias: &'a str,
    /// A program, with nobody behind it.
    pub is_client: bool,
    /// The token says that a person signed in.
    pub is_person: bool,
}

/// What is done about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The requester's identity was checked.
    Verify(Method),
    /// What the preview shows may be done.
    Approve(Approved),
    /// The request is withdrawn.
    Cancel,
    /// The request is turned down.
    Refuse,
    /// The deadline moves.
    Extend,
}

impl Action {
    /// The line that it makes in the history.
    pub fn step(&self) -> Step {
        match self {
            Self::Verify(_) => Step::Verified,
            Self::Approve(_) => Step::Approved,
            Self::Cancel => Step::Cancelled,
            Self::Refuse => Step::Refused,
            Self::Extend => Step::Extended,
        }
    }
}

/// Who must be another than whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Separation {
    /// Who approves did not make the request.
    #[default]
    Creator,
    /// Who approves neither made nor verified it.
    CreatorAndVerifier,
    /// One person verifies, another approves, and neither made it.
    All,
}

impl Separation {
    /// The words of the deployment's parameter.
    pub const WORDS: [(&'static str, Self); 3] =
        [("creator", Self::Creator), ("creator-and-verifier", Self::CreatorAndVerifier), ("all", Self::All)];
}

/// What a deployment decides.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Who must be another than whom.
    pub separation: Separation,
    /// How long an approved erasure can be taken back.
    pub cooling_off_ms: i64,
}

/// Why an action is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The request is in another state.
    State(State),
    /// It was given more time before.
    ExtendedBefore,
    /// It is overdue: the law lets the time be extended only while it runs.
    ExtendedTooLate,
    /// The approver made the request, asked for the same, or verified it.
    SelfApproval,
    /// The verifier made the request, or asked for the same.
    SelfVerification,
    /// A program approves, or verifies where that asks for a person.
    NoHuman,
    /// Nothing says that a person approves, or verifies where that asks for a person.
    NoSignOfPerson,
}

/// A request that came now.
pub fn received(kind: RequestKind, regime: Regime, orgs: Vec<String>, by: &str, now_ms: i64) -> RequestRow {
    let at = instant::to_rfc3339(now_ms);
    RequestRow {
        kind,
        regime,
        orgs,
        state: State::Received,
        received_at: at.clone(),
        due_at: clock::due_at(regime, now_ms, false),
        extended: false,
        version: 1,
        history: vec![Done { step: Step::Received, at, by: by.to_owned(), method: None }],
        approved: None,
        cooling_off_until: None,
        waits_for_approval: false,
        also_asked_by: BTreeSet::new(),
        certificate: None,
    }
}

/// Whether a principal made a request, or asked for the same while it was open: anyone who repeats it has asked, too.
pub fn asked(row: &RequestRow, alias: &str) -> bool {
    row.also_asked_by.contains(alias) || did(row, Step::Received, alias)
}

fn did(row: &RequestRow, step: Step, alias: &str) -> bool {
    row.history.iter().any(|done| done.step == step && done.by == alias)
}

/// The state that an action leads to, if it is possible.
fn leads_to(row: &RequestRow, step: Step) -> Option<State> {
    use State::{Approved, Cancelled, CoolingOff, Erasing, Received, Refused, Verified};
    match (step, row.state) {
        (Step::Verified, Received) => Some(Verified),
        (Step::Approved, Verified) if row.kind == RequestKind::Erasure => Some(CoolingOff),
        (Step::Approved, Verified) => Some(Approved),
        (Step::Approved, Erasing) if row.waits_for_approval => Some(Erasing),
        (Step::Cancelled, Received | Verified | Approved | CoolingOff) => Some(Cancelled),
        (Step::Refused, Received | Verified | Approved) => Some(Refused),
        (Step::Extended, state) if !state.is_final() && !row.extended => Some(state),
        _ => None,
    }
}

/// What may be done about a request as it stands now, whoever does it.
pub fn possible(row: &RequestRow, now_ms: i64) -> Vec<Step> {
    let all = [Step::Verified, Step::Approved, Step::Cancelled, Step::Refused, Step::Extended];
    all.into_iter().filter(|step| leads_to(row, *step).is_some() && in_time(row, *step, now_ms)).collect()
}

/// Whether it is not too late for a step. A time that cannot be read is no obstacle.
fn in_time(row: &RequestRow, step: Step, now_ms: i64) -> bool {
    step != Step::Extended || instant::parse(&row.due_at).is_none_or(|due_ms| now_ms <= due_ms)
}

/// The request after an action, one step on; or why it is refused.
pub fn next(
    row: &RequestRow,
    action: &Action,
    actor: Actor<'_>,
    rules: Rules,
    now_ms: i64,
) -> Result<RequestRow, Refused> {
    let step = action.step();
    let state = leads_to(row, step).ok_or(match step {
        Step::Extended if !row.state.is_final() => Refused::ExtendedBefore,
        _ => Refused::State(row.state),
    })?;
    if !in_time(row, step, now_ms) {
        return Err(Refused::ExtendedTooLate);
    }
    check_actor(row, step, actor, rules.separation)?;
    let at = instant::to_rfc3339(now_ms);
    let mut next = RequestRow { state, version: row.version + 1, ..row.clone() };
    let mut done = Done { step, at, by: actor.alias.to_owned(), method: None };
    match action {
        Action::Verify(method) => done.method = Some(*method),
        Action::Approve(approved) => {
            next.approved = Some(approved.clone());
            next.waits_for_approval = false;
            if state == State::CoolingOff {
                next.cooling_off_until = Some(instant::to_rfc3339(now_ms.saturating_add(rules.cooling_off_ms)));
            }
        }
        Action::Extend => {
            next.extended = true;
            let received_ms = instant::parse(&row.received_at).unwrap_or(now_ms);
            next.due_at = clock::due_at(row.regime, received_ms, true);
        }
        Action::Cancel | Action::Refuse => {}
    }
    next.history.push(done);
    Ok(next)
}

/// An approved erasure that begins now; `None` while it can be taken back, and from any other state.
pub fn begin(row: &RequestRow, now_ms: i64) -> Option<RequestRow> {
    let until_ms = row.cooling_off_until.as_deref().and_then(instant::parse)?;
    let begins = row.state == State::CoolingOff && until_ms <= now_ms;
    begins.then(|| RequestRow { state: State::Erasing, version: row.version + 1, ..row.clone() })
}

/// An erasure that found more than was approved, and waits for another approval; `None` if it does not erase, or waits as it is.
pub fn wait(row: &RequestRow) -> Option<RequestRow> {
    goes_on(row).then(|| RequestRow { waits_for_approval: true, version: row.version + 1, ..row.clone() })
}

/// An erasure that is done now, in the name of the one who approved it; `None` if it does not erase, or waits for an approval.
pub fn finish(row: &RequestRow, now_ms: i64) -> Option<RequestRow> {
    let approver = row.history.iter().rfind(|done| done.step == Step::Approved).filter(|_| goes_on(row))?;
    let done = Done { step: Step::Done, at: instant::to_rfc3339(now_ms), by: approver.by.clone(), method: None };
    let mut next = RequestRow { state: State::Done, version: row.version + 1, ..row.clone() };
    next.history.push(done);
    Some(next)
}

fn goes_on(row: &RequestRow) -> bool {
    row.state == State::Erasing && !row.waits_for_approval
}

fn check_actor(row: &RequestRow, step: Step, actor: Actor<'_>, separation: Separation) -> Result<(), Refused> {
    let (asked, verified) = (asked(row, actor.alias), did(row, Step::Verified, actor.alias));
    // A program would stand for anyone who has its credentials.
    let by_a_person = step == Step::Approved || step == Step::Verified && separation == Separation::All;
    match step {
        _ if by_a_person && actor.is_client => Err(Refused::NoHuman),
        _ if by_a_person && !actor.is_person => Err(Refused::NoSignOfPerson),
        Step::Approved if asked => Err(Refused::SelfApproval),
        Step::Approved if separation != Separation::Creator && verified => Err(Refused::SelfApproval),
        Step::Verified if separation == Separation::All && asked => Err(Refused::SelfVerification),
        _ => Ok(()),
    }
}

/// Whether the last thing that was done about the request is this very action, by the same actor with the same words: a caller that did not
/// hear the answer asks again, and is told how the request stands.
pub fn is_repeated(row: &RequestRow, who: &Who, action: &Action, actor: Actor<'_>, text: Option<&str>) -> bool {
    let Some(last) = row.history.last() else { return false };
    let place = row.history.len() as u64 - 1;
    let said = who.notes.iter().find(|note| note.step == place).map(|note| note.text.as_str());
    let is_same = match action {
        Action::Verify(method) => last.method == Some(*method),
        Action::Approve(approved) => row.approved.as_ref().is_some_and(|before| before.digest == approved.digest),
        Action::Cancel | Action::Refuse | Action::Extend => true,
    };
    last.step == action.step() && last.by == actor.alias && said == text && is_same
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_store::request::Note;

    const NOW_MS: i64 = 1_772_460_000_350;
    const RULES: Rules = Rules { separation: Separation::Creator, cooling_off_ms: 24 * 3_600_000 };

    fn approved() -> Approved {
        Approved { digest: "d".to_owned(), records: 3, shared: 1, lines: 9, entries: 8 }
    }

    fn actions() -> [Action; 5] {
        [Action::Verify(Method::Callback), Action::Approve(approved()), Action::Cancel, Action::Refuse, Action::Extend]
    }

    /// A request in a state, that `maker` made and `verifier` verified.
    fn request(kind: RequestKind, state: State) -> RequestRow {
        let mut row = received(kind, Regime::Gdpr, vec!["acme".to_owned()], "maker", NOW_MS);
        if state != State::Received {
            let at = row.received_at.clone();
            let method = Some(Method::Document);
            row.history.push(Done { step: Step::Verified, at, by: "verifier".to_owned(), method });
        }
        RequestRow { state, also_asked_by: BTreeSet::from(["repeater".to_owned()]), ..row }
    }

    fn human(alias: &str) -> Actor<'_> {
        Actor { alias, is_client: false, is_person: true }
    }

    fn outcome(row: &RequestRow, action: &Action, actor: Actor<'_>, separation: Separation) -> Result<State, Refused> {
        next(row, action, actor, Rules { separation, ..RULES }, NOW_MS).map(|next| next.state)
    }

    /// The table of the module's comment, spelled out apart from the code.
    #[test]
    fn every_state_and_every_action_is_allowed_or_refused_with_its_reason() {
        use State::{Approved, Cancelled, CoolingOff, Done, Erasing, Received, Refused as No, Verified};
        let mut seen = 0;
        for kind in RequestKind::ALL {
            let after_approval = if kind == RequestKind::Erasure { CoolingOff } else { Approved };
            for state in State::ALL {
                for (waits, extended) in [(false, false), (false, true), (true, false), (true, true)] {
                    let row = RequestRow { waits_for_approval: waits, extended, ..request(kind, state) };
                    for action in actions() {
                        let expected = match (&action, state) {
                            (Action::Verify(_), Received) => Ok(Verified),
                            (Action::Approve(_), Verified) => Ok(after_approval),
                            (Action::Approve(_), Erasing) if waits => Ok(Erasing),
                            (Action::Cancel, Received | Verified | Approved | CoolingOff) => Ok(Cancelled),
                            (Action::Refuse, Received | Verified | Approved) => Ok(No),
                            (Action::Extend, Done | Cancelled | No) => Err(Refused::State(state)),
                            (Action::Extend, _) if extended => Err(Refused::ExtendedBefore),
                            (Action::Extend, _) => Ok(state),
                            _ => Err(Refused::State(state)),
                        };
                        let found = outcome(&row, &action, human("other"), Separation::All);
                        assert_eq!(found, expected, "{action:?} in {state:?}, waits {waits}, extended {extended}");
                        let offered = possible(&row, NOW_MS).contains(&action.step());
                        assert_eq!(offered, expected.is_ok(), "{action:?} in {state:?}");
                        seen += 1;
                    }
                }
            }
        }
        assert_eq!(seen, 3 * 8 * 4 * 5);
    }

    #[test]
    fn who_may_do_what_depends_on_who_did_what() {
        let policies = [Separation::Creator, Separation::CreatorAndVerifier, Separation::All];
        for separation in policies {
            for (is_client, is_person) in [(false, true), (false, false), (true, false), (true, true)] {
                for alias in ["maker", "repeater", "verifier", "other"] {
                    let actor = Actor { alias, is_client, is_person };
                    let received = request(RequestKind::Erasure, State::Received);
                    let verified = request(RequestKind::Erasure, State::Verified);
                    let verify = match (separation, alias) {
                        (Separation::All, _) if is_client => Err(Refused::NoHuman),
                        (Separation::All, _) if !is_person => Err(Refused::NoSignOfPerson),
                        (Separation::All, "maker" | "repeater") => Err(Refused::SelfVerification),
                        _ => Ok(State::Verified),
                    };
                    assert_eq!(outcome(&received, &Action::Verify(Method::Account), actor, separation), verify);
                    let approve = match (is_client, is_person, separation, alias) {
                        (true, ..) => Err(Refused::NoHuman),
                        (_, false, ..) => Err(Refused::NoSignOfPerson),
                        (_, _, _, "maker" | "repeater") => Err(Refused::SelfApproval),
                        (_, _, Separation::CreatorAndVerifier | Separation::All, "verifier") => {
                            Err(Refused::SelfApproval)
                        }
                        _ => Ok(State::CoolingOff),
                    };
                    assert_eq!(outcome(&verified, &Action::Approve(approved()), actor, separation), approve);
                    for (action, state) in [
                        (Action::Cancel, State::Cancelled),
                        (Action::Refuse, State::Refused),
                        (Action::Extend, State::Verified),
                    ] {
                        assert_eq!(outcome(&verified, &action, actor, separation), Ok(state));
                    }
                }
            }
        }
        // A second approval asks the same of who gives it.
        let waits = RequestRow { waits_for_approval: true, ..request(RequestKind::Erasure, State::Erasing) };
        let approve = Action::Approve(approved());
        for own in ["maker", "repeater"] {
            assert_eq!(outcome(&waits, &approve, human(own), Separation::Creator), Err(Refused::SelfApproval));
        }
        let program = Actor { is_person: false, ..human("verifier") };
        assert_eq!(outcome(&waits, &approve, program, Separation::Creator), Err(Refused::NoSignOfPerson));
        assert_eq!(outcome(&waits, &approve, human("verifier"), Separation::Creator), Ok(State::Erasing));
    }

    #[test]
    fn time_is_extended_while_it_runs() {
        let row = request(RequestKind::Access, State::Verified);
        let due_ms = instant::parse(&row.due_at).unwrap();
        for (now_ms, is_late) in [(due_ms, false), (due_ms + 1, true)] {
            let extended = next(&row, &Action::Extend, human("maker"), RULES, now_ms);
            assert_eq!(extended.err(), is_late.then_some(Refused::ExtendedTooLate));
            assert_eq!(possible(&row, now_ms).contains(&Step::Extended), !is_late);
            assert!(possible(&row, now_ms).contains(&Step::Approved), "an overdue request is to be done all the same");
        }
    }

    #[test]
    fn a_step_says_who_when_and_how_and_is_counted() {
        let received = request(RequestKind::Erasure, State::Received);
        let verified =
            next(&received, &Action::Verify(Method::Callback), human("verifier"), RULES, NOW_MS + 1).unwrap();
        assert_eq!((verified.version, verified.history.len()), (2, 2));
        let at = "2026-03-02T14:00:00.351Z".to_owned();
        let line = Done { step: Step::Verified, at, by: "verifier".to_owned(), method: Some(Method::Callback) };
        assert_eq!(verified.history[1], line);
        let cooling = next(&verified, &Action::Approve(approved()), human("approver"), RULES, NOW_MS).unwrap();
        assert_eq!(cooling.cooling_off_until.as_deref(), Some("2026-03-03T14:00:00.350Z"));
        assert_eq!(cooling.approved, Some(approved()));
        let longer = next(&cooling, &Action::Extend, human("maker"), RULES, NOW_MS).unwrap();
        assert_eq!((longer.due_at.as_str(), longer.extended), ("2026-06-02T23:59:59.999Z", true));
        assert_eq!(longer.state, State::CoolingOff);
        let waits = RequestRow { waits_for_approval: true, state: State::Erasing, ..longer };
        let again = next(&waits, &Action::Approve(approved()), human("approver"), RULES, NOW_MS + 9).unwrap();
        assert!(!again.waits_for_approval && again.cooling_off_until == waits.cooling_off_until);
        let copy = request(RequestKind::Access, State::Verified);
        let copy = next(&copy, &Action::Approve(approved()), human("approver"), RULES, NOW_MS).unwrap();
        assert_eq!((copy.state, copy.cooling_off_until), (State::Approved, None));
    }

    /// The second table of the module's comment.
    #[test]
    fn an_erasure_begins_waits_and_ends_from_its_states_alone() {
        let mut seen = 0;
        for state in State::ALL {
            for waits in [false, true] {
                for until_ms in [None, Some(NOW_MS - 1), Some(NOW_MS), Some(NOW_MS + 1)] {
                    let row = request(RequestKind::Erasure, State::Verified);
                    let mut row = next(&row, &Action::Approve(approved()), human("first"), RULES, NOW_MS).unwrap();
                    row.cooling_off_until = until_ms.map(instant::to_rfc3339);
                    (row.state, row.waits_for_approval) = (state, waits);
                    let is_over = until_ms.is_some_and(|until_ms| until_ms <= NOW_MS);
                    let (found, case) = (begin(&row, NOW_MS), format!("{state:?}, waits {waits}, {until_ms:?}"));
                    assert_eq!(found.is_some(), state == State::CoolingOff && is_over, "{case}");
                    let goes_on = state == State::Erasing && !waits;
                    assert_eq!(wait(&row).is_some(), goes_on, "{case}");
                    assert_eq!(finish(&row, NOW_MS).is_some(), goes_on, "{case}");
                    for after in [found, wait(&row), finish(&row, NOW_MS)].into_iter().flatten() {
                        assert_eq!(after.version, row.version + 1, "{case}");
                    }
                    seen += 1;
                }
            }
        }
        assert_eq!(seen, 8 * 2 * 4);
    }

    #[test]
    fn an_erasure_is_done_in_the_name_of_the_last_who_approved_it() {
        let verified = request(RequestKind::Erasure, State::Verified);
        let now_rules = Rules { cooling_off_ms: 0, ..RULES };
        let row = next(&verified, &Action::Approve(approved()), human("first"), now_rules, NOW_MS).unwrap();
        let waits = wait(&begin(&row, NOW_MS).unwrap()).unwrap();
        assert_eq!((waits.state, waits.waits_for_approval), (State::Erasing, true));
        assert_eq!(waits.history, row.history, "neither is a step that anybody took");
        let again = next(&waits, &Action::Approve(approved()), human("second"), now_rules, NOW_MS + 1).unwrap();
        let done = finish(&again, NOW_MS + 2).unwrap();
        let at = "2026-03-02T14:00:00.352Z".to_owned();
        assert_eq!(done.history.last(), Some(&Done { step: Step::Done, at, by: "second".to_owned(), method: None }));
        assert_eq!(possible(&done, NOW_MS), []);
        // Nobody approved it: a row that no caller can make.
        assert_eq!(finish(&request(RequestKind::Erasure, State::Erasing), NOW_MS), None);
    }

    #[test]
    fn the_same_action_with_the_same_words_by_the_same_actor_is_a_repetition() {
        let verified = request(RequestKind::Erasure, State::Verified);
        let row = next(&verified, &Action::Approve(approved()), human("approver"), RULES, NOW_MS).unwrap();
        let who = Who::default();
        let is = |row: &RequestRow, who: &Who, action: &Action, alias: &str, text: Option<&str>| {
            is_repeated(row, who, action, human(alias), text)
        };
        let approve = Action::Approve(approved());
        assert!(is(&row, &who, &approve, "approver", None));
        assert!(!is(&row, &who, &approve, "other", None));
        assert!(!is(&row, &who, &Action::Cancel, "approver", None));
        let other = Action::Approve(Approved { digest: "e".to_owned(), ..approved() });
        assert!(!is(&row, &who, &other, "approver", None));
        let refused = next(&verified, &Action::Refuse, human("v"), RULES, NOW_MS).unwrap();
        let who = Who { notes: vec![Note { step: 2, text: "no proof".to_owned() }], ..Who::default() };
        assert!(is(&refused, &who, &Action::Refuse, "v", Some("no proof")));
        assert!(!is(&refused, &who, &Action::Refuse, "v", Some("other words")));
        assert!(!is(&refused, &who, &Action::Refuse, "v", None));
    }
}
