//! `subject`: marks whose identifier names no person (a switchboard, a test line), takes the mark away, shows both.
//!
//! A subject is of one org: an identifier is looked up in the org that is named, or in the only one that there is.
//!
//! Invariant: an identifier comes by standard input alone, never as an argument, which a shell's history and `ps` would
//! show; and nothing of it is written anywhere. A subject is never made here. Each command may be repeated: what is done
//! already is said to be.

use std::io::{self, BufRead as _, Read as _};

use ledgerline_custody::query::{Query, Who};
use ledgerline_privacy::Region;
use ledgerline_store::subject::{SubjectState, date_of};
use serde_json::{Value, json};

use crate::answer::{Answer, Answered};
use crate::args::{SubjectCommand, WhichSubject};
use crate::cloud::{Cloud, told};
use crate::context::Context;
use crate::fault::Fault;
use crate::screen::{Mark, Screen, counted};

/// Longest line that is read: an identifier of 512 bytes, its kind, and white space.
const LINE_BYTES: u64 = 1_024;

/// Shares, unshares or shows.
pub(super) fn run(what: &SubjectCommand, context: &Context) -> Answered {
    let (SubjectCommand::Share(which) | SubjectCommand::Unshare(which) | SubjectCommand::Show(which)) = what;
    // What is wrong with the command line is said before any deployment is asked.
    let asked = Asked::read(which)?;
    let cloud = Cloud::open(&which.deployment.stack)?;
    let (who, cap) = (asked.who(&cloud)?, cloud.fan_out_cap()?);
    let org = match (&which.org, &who) {
        (Some(org), _) => Some(org.clone()),
        (None, Who::Subject(_)) => None,
        (None, _) => Some(the_only(cloud.ask(told(cloud.operator.orgs())?.all())?)?),
    };
    let subjects = told(cloud.operator.subjects())?;
    let subject = the_one(cloud.ask(cloud.operator.subjects_named(&who, org.as_deref()))?)?;
    let read = |subject: &str| {
        let state = cloud.ask(subjects.states(&[subject]))?.into_iter().next().flatten();
        state.ok_or_else(|| {
            Fault::new(format!("there is no subject {subject}"), "see whether the stack file is the right deployment's")
        })
    };
    let before = read(&subject)?;
    if let Some(org) = org.filter(|org| !before.is_of(org)) {
        return Err(Fault::new(
            format!("{subject} is not of the org {org}"),
            "leave out --org: a subject id needs none",
        ));
    }
    let mark = match what {
        SubjectCommand::Show(_) => None,
        SubjectCommand::Share(_) => Some(Some(context.now_text())),
        SubjectCommand::Unshare(_) => Some(None),
    };
    let (state, done) = match mark {
        None => (before, Done::Shown),
        Some(_) if !before.active => {
            return Err(Fault::new(
                format!("{subject} is erased, or is being erased"),
                "there is nothing to mark: it gets no links, and has none that an access answer would show",
            ));
        }
        Some(since) => {
            let marking = subjects.mark_shared(&subject, before.generation, since.as_deref());
            let was = cloud.ask(marking)?.shared_at.is_some();
            let done = if since.is_some() { Done::Shared { was } } else { Done::Unshared { was } };
            (read(&subject)?, done)
        }
    };
    let today = date_of(&context.now_text()).to_owned();
    Ok(Box::new(Told { subject, state, done, cap, today }))
}

/// Who is meant, as it was given.
enum Asked {
    /// By one of our own names.
    Ours(Who),
    /// By an identifier: the body of a question about it.
    Identifier(Vec<u8>),
}

impl Asked {
    /// Reads the argument, or for `-` the line on standard input.
    fn read(which: &WhichSubject) -> Result<Self, Fault> {
        if which.who != "-" {
            // The argument is not repeated: it may be what should not have been one.
            return Who::ours(&which.who).map(Self::Ours).ok_or_else(|| {
                Fault::new(
                    "WHO is neither a subject id (s_…) nor a pseudonym (p1_…)",
                    "name one of these; or write - for WHO, and give an identifier as one line on standard input, such as phone:+1 555 555 0142",
                )
            });
        }
        let mut line = String::new();
        io::stdin().lock().take(LINE_BYTES).read_line(&mut line).map_err(|error| {
            Fault::caused_by("cannot read standard input", &error, "give one line of UTF-8 text, kind:value")
        })?;
        Self::of_line(&line)
    }

    fn of_line(line: &str) -> Result<Self, Fault> {
        let (kind, value) = line.trim().split_once(':').ok_or_else(|| {
            Fault::new("the line on standard input is not kind:value", "write it as phone:+1 555 555 0142")
        })?;
        let body = json!({ "identifiers": [{ "kind": kind.trim(), "value": value.trim() }] });
        Ok(Self::Identifier(body.to_string().into_bytes()))
    }

    /// Whom it names, in the way that the deployment's access requests are read.
    fn who(self, cloud: &Cloud) -> Result<Who, Fault> {
        match self {
            Self::Ours(who) => Ok(who),
            Self::Identifier(body) => Self::identified(&body, cloud.region()?),
        }
    }

    fn identified(body: &[u8], region: Region) -> Result<Who, Fault> {
        let query = Query::parse(body, region).map_err(|error| {
            let remedy =
                "write it as kind:value, such as phone:+1 555 555 0142, email:…, account:…, external_contact:…";
            Fault::caused_by("the line on standard input names nobody", &error, remedy)
        })?;
        Ok(query.who)
    }
}

/// The org that is meant where none is named.
fn the_only(mut orgs: Vec<String>) -> Result<String, Fault> {
    match (orgs.pop(), orgs.as_slice()) {
        (Some(org), []) => Ok(org),
        (Some(last), others) => Err(Fault::new(
            "this deployment has several orgs, and what names a customer to one names another's customer, or nobody, to the next",
            format!("name the org that is meant by --org: {}, {last}", others.join(", ")),
        )),
        (None, _) => Err(nobody()),
    }
}

/// The subject that was found, if it is one.
fn the_one(mut found: Vec<String>) -> Result<String, Fault> {
    match (found.pop(), found.as_slice()) {
        (Some(subject), []) => Ok(subject),
        (Some(last), others) => Err(Fault::new(
            format!("the identifier may stand for {} subjects: {}, {last}", others.len() + 1, others.join(", ")),
            "look at each with `ledgerline subject show`, and name the one that you mean by its id",
        )),
        (None, _) => Err(nobody()),
    }
}

fn nobody() -> Fault {
    Fault::new(
        "nobody is known by that: no subject has it",
        "see that org, kind and spelling are as the source sends them; what was never seen cannot be marked beforehand",
    )
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Shown,
    Shared {
        /// It was marked before.
        was: bool,
    },
    Unshared {
        /// It was marked before.
        was: bool,
    },
}

struct Told {
    subject: String,
    state: SubjectState,
    done: Done,
    cap: u64,
    today: String,
}

impl Told {
    fn is_at_cap(&self) -> bool {
        self.state.links >= self.cap
    }

    /// What follows from the state, for those who read answers.
    fn meaning(&self) -> &'static str {
        if !self.state.active {
            return "It is erased, or is being erased: access answers do not show it.";
        }
        match (self.state.is_shared(self.cap), self.state.missed) {
            (true, _) => {
                "Its events count as if the identifier were absent: they are linked to nobody, and silver names no customer. \
                 Access answers about it say `shared` and are not complete; they name an interaction that no other subject \
                 is linked to, without its entries."
            }
            (false, true) => {
                "Its events are linked, and its interactions are answered whole. What came while it was shared stays \
                 unlinked: access answers about it say `limited` and are never complete."
            }
            (false, false) => "Its events are linked, and access answers about it are whole.",
        }
    }
}

impl Answer for Told {
    fn json(&self) -> Value {
        let name = self.state.name.as_ref();
        let mut told = json!({
            "subject": self.subject, "org": name.map(|name| &name.org), "kind": name.map(|name| name.kind.label()), "active": self.state.active, "links": self.state.links,
            "linksToday": self.state.links_of(&self.today), "shared": self.state.is_shared(self.cap),
            "sharedAt": self.state.shared_at, "atCap": self.is_at_cap(), "missed": self.state.missed,
            "means": self.meaning(),
        });
        if let Done::Shared { was } = self.done {
            told["changed"] = json!(!was);
        }
        if let Done::Unshared { was } = self.done {
            told["changed"] = json!(was);
        }
        told
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("SUBJECT", &self.subject)?;
        if let Some(name) = &self.state.name {
            screen.fact("org", &name.org)?;
            screen.fact("found by", name.kind.label())?;
        }
        screen.fact("state", if self.state.active { "active" } else { "erased, or being erased" })?;
        let today = self.state.links_of(&self.today);
        let links = counted(self.state.links, "interaction", "interactions");
        screen.fact("links", &format!("{links}, {} of them new today", crate::screen::grouped(today)))?;
        screen.fact("shared since", self.state.shared_at.as_deref().unwrap_or("–"))?;
        screen.fact("missed", if self.state.missed { "events may have been left unlinked" } else { "nothing" })?;
        screen.gap()?;
        screen.say(self.meaning())?;
        if self.is_at_cap() {
            let detail = "raise FanOutCap if it is a person's after all";
            screen.check(Mark::Look, "It has as many links as a subject may have, and is shared by that.", detail)?;
        }
        let verdict = match self.done {
            Done::Shown => return screen.gap(),
            Done::Shared { was: false } => "It is marked as shared.",
            Done::Shared { was: true } => "It was marked as shared already.",
            Done::Unshared { was: true } => "Its mark is taken away.",
            Done::Unshared { was: false } => "It was not marked.",
        };
        screen.verdict(Mark::Good, verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_privacy::Kind;
    use ledgerline_store::subject::{Day, SubjectName};

    fn told(state: SubjectState, done: Done) -> Told {
        Told { subject: "s_1".to_owned(), state, done, cap: 5_000, today: "2026-03-02".to_owned() }
    }

    fn drawn(told: &Told) -> String {
        let mut out = Vec::new();
        told.draw(&mut Screen::new(&mut out, 116, false)).unwrap();
        String::from_utf8(out).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn marked() -> SubjectState {
        let day = Some(Day { date: "2026-03-02".to_owned(), links: 12 });
        let shared_at = Some("2026-03-02T14:00:00.000Z".to_owned());
        let name = SubjectName { org: "acme".to_owned(), kind: Kind::Phone, pseudonym: "p1_x".to_owned() };
        SubjectState { name: Some(name), links: 40, shared_at, missed: true, day, ..SubjectState::NEW }
    }

    #[test]
    fn an_identifier_is_read_as_an_access_request_reads_it() {
        let read = |line: &str| match Asked::of_line(line)? {
            Asked::Ours(who) => Ok(who),
            Asked::Identifier(body) => Asked::identified(&body, Region::US),
        };
        let Who::Identifiers(all) = read("phone: +1 555 555 0142\n").unwrap() else { panic!("no identifiers") };
        let Who::Identifiers(same) = read("phone:tel:+15555550142").unwrap() else { panic!("no identifiers") };
        assert_eq!(all, same);
        assert!(all.iter().any(|one| one.kind().label() == "phone"));
        for line in ["", "+15555550142", "phone:", "fax:+15555550142", "phone:jane 15555550142"] {
            let fault = read(line).unwrap_err();
            let (what, remedy) = fault.told();
            assert!(remedy.contains("phone:+1 555 555 0142"), "{fault}");
            assert!(!what.contains("5555550142") && !what.contains("jane"), "nothing of the line is repeated: {what}");
        }
    }

    #[test]
    fn only_one_subject_is_marked_and_others_are_named() {
        let found = |ids: &[&str]| the_one(ids.iter().map(|id| (*id).to_owned()).collect());
        assert_eq!(found(&["s_1"]).unwrap(), "s_1");
        assert!(found(&["s_1", "s_2"]).unwrap_err().to_string().contains("2 subjects: s_1, s_2"));
        assert!(found(&[]).unwrap_err().to_string().contains("cannot be marked beforehand"));
    }

    #[test]
    fn the_only_org_is_meant_and_of_several_one_must_be_named() {
        let only = |orgs: &[&str]| the_only(orgs.iter().map(|org| (*org).to_owned()).collect());
        assert_eq!(only(&["acme"]).unwrap(), "acme");
        let several = only(&["acme", "beta"]).unwrap_err();
        assert!(several.told().1.contains("--org: acme, beta"), "{several}");
        assert!(only(&[]).unwrap_err().to_string().contains("nobody is known"));
    }

    #[test]
    fn an_answer_says_what_was_done_and_what_access_answers_say_from_now_on() {
        let shared = told(marked(), Done::Shared { was: false });
        let means = shared.meaning();
        assert!(means.contains("not complete"));
        let document = json!({
            "subject": "s_1", "org": "acme", "kind": "phone", "active": true, "links": 40, "linksToday": 12, "shared": true,
            "sharedAt": "2026-03-02T14:00:00.000Z", "atCap": false, "missed": true, "changed": true, "means": means,
        });
        assert_eq!(shared.json(), document);
        let text = drawn(&shared);
        for part in [
            "SUBJECT s_1",
            "org acme found by phone",
            "40 interactions, 12 of them new today",
            "without its entries",
            "It is marked",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(drawn(&told(marked(), Done::Shared { was: true })).contains("already"));

        let freed = SubjectState { shared_at: None, ..marked() };
        let unshared = told(freed.clone(), Done::Unshared { was: true });
        assert_eq!((&unshared.json()["changed"], &unshared.json()["shared"]), (&json!(true), &json!(false)));
        assert!(drawn(&unshared).contains("never complete"), "what was missed stays so");
        assert!(drawn(&told(freed, Done::Unshared { was: false })).contains("It was not marked."));
        let fresh = told(SubjectState { links: 1, ..SubjectState::NEW }, Done::Shown);
        assert_eq!((fresh.json().get("changed"), fresh.json()["linksToday"].as_u64()), (None, Some(0)));
        assert!(fresh.meaning().contains("are whole"));
    }

    #[test]
    fn a_subject_at_the_cap_is_shared_without_a_mark() {
        let full =
            told(SubjectState { links: 5_000, missed: true, ..SubjectState::NEW }, Done::Unshared { was: false });
        assert_eq!((&full.json()["shared"], &full.json()["atCap"]), (&json!(true), &json!(true)));
        assert!(drawn(&full).contains("raise FanOutCap"), "{}", drawn(&full));
        let erased = told(SubjectState { active: false, ..SubjectState::NEW }, Done::Shown);
        assert!(drawn(&erased).contains("do not show it"));
    }
}
