//! What is sent: events of a few people in two orgs, and the bronze objects that hold their lines, some of them more than once.

use std::collections::BTreeSet;

use ledgerline_privacy::Kind;
use ledgerline_testkit::faults::Dice;

use crate::traffic::{DAY, Line, MINUTE, Person, SECOND, T0, audit, beat, both, call, call_in, mail, nobody};

/// Those who may be erased.
pub(crate) const PEOPLE: [Person; 4] = [Person(41), Person(52), Person(63), Person(74)];

/// An identifier of somebody's in an org.
pub(crate) type Who = (&'static str, Person, &'static str);

/// The words for kinds, which have no order of their own.
pub(crate) fn word(kind: Kind) -> &'static str {
    kind.label()
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum About {
    /// A record's key.
    Interaction(String),
    /// Somebody's contact, by an alias.
    Contact(&'static str, Person),
}

#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) line: Line,
    pub(crate) about: About,
    pub(crate) who: BTreeSet<Who>,
    /// No policy keeps it.
    pub(crate) is_filtered: bool,
}

/// A line of an object: an event, and when it was received.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) event: usize,
    pub(crate) received_ms: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    pub(crate) events: Vec<Event>,
    /// By name.
    pub(crate) objects: Vec<(String, Vec<Sent>)>,
}

impl Traffic {
    /// What a seed says. No two events occur at one time, so that none is another one sent again.
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let events: Vec<Event> = (0..4 + dice.below(10)).map(|n| draw(dice, n)).collect();
        let mut objects: Vec<(String, Vec<Sent>)> =
            (0..2 + dice.below(4)).map(|n| (format!("o-{n}"), Vec::new())).collect();
        for (at, event) in events.iter().enumerate() {
            for time in 0..1 + u64::from(dice.below(3) == 0) {
                // Sent again, it is received at another time: perhaps after whatever erasure there is.
                let received_ms = match (time, dice.below(3)) {
                    (0, _) | (_, 0) => event.line.received_ms,
                    _ => event.line.received_ms + 3 * DAY,
                };
                let object = dice.below(objects.len() as u64) as usize;
                objects[object].1.push(Sent { event: at, received_ms });
            }
        }
        objects.retain(|(_, lines)| !lines.is_empty());
        Self { events, objects }
    }

    /// The lines of an object, as they are sent.
    pub(crate) fn lines(&self, object: usize) -> Vec<Line> {
        self.objects[object].1.iter().map(|sent| self.events[sent.event].line.again(sent.received_ms)).collect()
    }

    /// The earlier of when a line's event occurred and when it was received.
    pub(crate) fn reached_ms(&self, sent: &Sent) -> i64 {
        sent.received_ms.min(self.events[sent.event].line.occurred_ms)
    }
}

fn draw(dice: &mut Dice, n: u64) -> Event {
    // One in five occurs after every erasure, and one while there are some: perhaps within the hour that a record's end is rounded up by.
    let late = match dice.below(5) {
        0 => 3 * DAY,
        1 => DAY + dice.below(6 * 60) as i64 * MINUTE,
        _ => 0,
    };
    let at_ms = T0 + late + n as i64 * SECOND;
    let (one, other) = (PEOPLE[dice.below(4) as usize], PEOPLE[dice.below(4) as usize]);
    let interaction = format!("c-{}", dice.below(4));
    let of = |kind| ("acme", one, word(kind));
    let about = |org: &str| About::Interaction(format!("{org}/{interaction}"));
    let (line, about, who) = match dice.below(12) {
        0..=2 => (call(&interaction, one, at_ms), about("acme"), vec![of(Kind::Phone)]),
        3 => (call_in("beta", &interaction, one, at_ms), about("beta"), vec![("beta", one, word(Kind::Phone))]),
        4 | 5 => (mail(&interaction, one, at_ms), about("acme"), vec![of(Kind::Email)]),
        6 | 7 => {
            let who = vec![of(Kind::Phone), ("acme", other, word(Kind::Email))];
            (both(&interaction, one, other, at_ms), about("acme"), who)
        }
        8 | 9 => (nobody(&interaction, at_ms), about("acme"), Vec::new()),
        10 => (beat(&interaction, one, at_ms), about("acme"), vec![of(Kind::Phone)]),
        _ => (audit(one, n as u32, at_ms), About::Contact("acme", one), vec![of(Kind::ExternalContact)]),
    };
    let is_filtered = line.raw.contains("heartbeat");
    Event { line, about, who: who.into_iter().collect(), is_filtered }
}
