//! What is sent: events of a few people in two orgs, and the bronze objects that hold their lines, some of them more than once.

use std::collections::BTreeSet;

use ledgerline_custody::own::parse_list;
use ledgerline_event::instant;
use ledgerline_lake::ObjectId;
use ledgerline_lake::bronze::{NewEvent, write_event};
use ledgerline_privacy::{Identifier, Kind, PseudonymKey, Region};
use ledgerline_testkit::faults::Dice;
use serde_json::json;

use crate::world::{BUCKET, T0, World, key};

/// The orgs.
pub(crate) const ORGS: [&str; 2] = ["acme", "beta"];
/// Those who may be erased: so many people.
pub(crate) const PEOPLE: u64 = 4;
/// Whose number is marked as shared at some time.
pub(crate) const SHARED: u64 = 8;
/// The company itself: its number is a hotline.
const COMPANY: u64 = 9;
/// How far ahead a source's clock may be: a line that does not say when it came came no earlier than that before its event.
const AHEAD_MS: i64 = 48 * 3_600_000;

/// What an identifier is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sort {
    Phone,
    Email,
    /// A name given upstream.
    Customer,
    /// The id of a contact: it names a record, too.
    Contact,
}

/// An identifier of somebody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Who {
    pub(crate) person: u64,
    pub(crate) sort: Sort,
}

impl Who {
    /// All of a person's.
    pub(crate) fn all(person: u64) -> [Self; 4] {
        [Sort::Phone, Sort::Email, Sort::Customer, Sort::Contact].map(|sort| Self { person, sort })
    }

    pub(crate) fn is_own(self) -> bool {
        self.person == COMPANY
    }

    fn value(self) -> String {
        let Self { person, sort } = self;
        match sort {
            Sort::Phone => format!("+155555501{:02}", 40 + person),
            Sort::Email => format!("ada.{person}@example.com"),
            Sort::Customer => format!("cust_hash_0a1b2c{person}"),
            Sort::Contact => format!("cd68e249-e098-5dc9-9073-5e6b8a2b818{person}"),
        }
    }

    pub(crate) fn pseudonym(self) -> String {
        let kind = match self.sort {
            Sort::Phone => Kind::Phone,
            Sort::Email => Kind::Email,
            Sort::Customer => Kind::CustomerIdHash,
            Sort::Contact => Kind::ExternalContact,
        };
        let identifier = Identifier::parse(kind, &self.value(), Region::US).unwrap();
        PseudonymKey::new(1, [1; 32]).pseudonym(&identifier).as_str().to_owned()
    }
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum About {
    Interaction(u64),
    Contact(u64),
}

/// What is made of an event that comes for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Said,
    Filtered,
    /// It makes no link, and any cutoff covers it.
    Deletion,
}

#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) org: &'static str,
    pub(crate) about: About,
    pub(crate) form: Form,
    /// Whom it names.
    pub(crate) who: Vec<Who>,
    pub(crate) occurred_ms: i64,
    pub(crate) token: Option<String>,
    raw: String,
}

impl Event {
    /// The record of an interaction; a contact's is known by its alias alone.
    pub(crate) fn interaction(&self) -> Option<String> {
        match self.about {
            About::Interaction(n) => Some(format!("{}/c-{n}", self.org)),
            About::Contact(_) => None,
        }
    }

    /// Whether it names somebody, or is about them.
    pub(crate) fn concerns(&self, who: Who) -> bool {
        self.who.contains(&who) || (who.sort == Sort::Contact && self.about == About::Contact(who.person))
    }
}

/// A line of an object's.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The event; none in a line of rubbish.
    pub(crate) event: Option<usize>,
    received_ms: Option<i64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) key: String,
    pub(crate) id: String,
    pub(crate) lines: Vec<Line>,
}

#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    pub(crate) events: Vec<Event>,
    pub(crate) objects: Vec<Object>,
}

impl Traffic {
    /// What a seed says. No two events occur at one time, so that none is another one sent again.
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let events: Vec<Event> = (0..3 + dice.below(12)).map(|n| draw_event(dice, n)).collect();
        let object = |n| {
            let key = key(&format!("o-{n}"));
            Object { id: ObjectId::of(BUCKET, &key).to_hex(), key, lines: Vec::new() }
        };
        let mut objects: Vec<Object> = (0..2 + dice.below(4)).map(object).collect();
        let count = objects.len() as u64;
        for (at, event) in events.iter().enumerate() {
            let times = 1 + u64::from(dice.below(3) == 0) + u64::from(dice.below(8) == 0);
            for _ in 0..times {
                // Others load lines as they are, and into the org of the deployment.
                let is_loaded = event.org == ORGS[0] && dice.below(8) == 0;
                let received_ms = (!is_loaded).then(|| T0 + dice.below(50) as i64 * 1_000);
                let lines = &mut objects[dice.below(count) as usize].lines;
                let place = dice.below(lines.len() as u64 + 1) as usize;
                lines.insert(place, Line { event: Some(at), received_ms });
            }
        }
        if dice.below(3) == 0 {
            let line = Line { event: None, received_ms: Some(T0) };
            objects[dice.below(count) as usize].lines.push(line);
        }
        Self { events, objects }
    }

    pub(crate) fn seed(&self, world: &mut World) {
        world.own_numbers = parse_list(&Who { person: COMPANY, sort: Sort::Phone }.value(), Region::US).unwrap();
        for object in &self.objects {
            let mut bytes = Vec::new();
            object.lines.iter().for_each(|line| self.write(line, &mut bytes));
            world.bronze.seed(&object.key, bytes);
        }
    }

    fn write(&self, line: &Line, bytes: &mut Vec<u8>) {
        let event = line.event.map(|at| &self.events[at]);
        match (event, line.received_ms) {
            (None, _) => bytes.extend_from_slice(b"garbage\n"),
            (Some(event), None) => bytes.extend_from_slice(format!("{}\n", event.raw).as_bytes()),
            (Some(event), Some(received_at_ms)) => {
                let (occurred_at_ms, raw) = (Some(event.occurred_ms), event.raw.as_bytes());
                let (lineage_token, source, replayed, cut, has_line_break) = (None, None, 0, &[][..], false);
                let (org, lines) = (event.org, &mut *bytes);
                let new = NewEvent {
                    org,
                    lineage_token,
                    received_at_ms,
                    occurred_at_ms,
                    source,
                    replayed,
                    cut,
                    raw,
                    has_line_break,
                };
                write_event(&new, lines);
            }
        }
    }

    /// Whether an erasure of everything up to `cutoff_ms` covers a line, whomever it is of.
    pub(crate) fn is_before(&self, line: &Line, cutoff_ms: i64) -> bool {
        let Some(event) = line.event.map(|at| &self.events[at]) else { return false };
        let received_ms = line.received_ms.unwrap_or(event.occurred_ms - AHEAD_MS);
        event.form == Form::Deletion || event.occurred_ms <= cutoff_ms || received_ms <= cutoff_ms
    }

    /// Those who may be erased, once for every event that names them; somebody, if none does.
    pub(crate) fn people(&self) -> Vec<(&'static str, u64)> {
        let named = self.events.iter().flat_map(|event| event.who.iter().map(|who| (event.org, who.person)));
        let people: Vec<_> = named.filter(|(_, person)| *person < PEOPLE).collect();
        if people.is_empty() { vec![(ORGS[0], 0)] } else { people }
    }

    /// All interactions that any line is about.
    pub(crate) fn interactions(&self) -> BTreeSet<String> {
        self.events.iter().filter_map(Event::interaction).collect()
    }
}

fn draw_event(dice: &mut Dice, n: u64) -> Event {
    let org = ORGS[usize::from(dice.below(4) == 0)];
    let occurred_ms = T0 + dice.below(40) as i64 * 1_000 + n as i64;
    let at = instant::to_rfc3339(occurred_ms);
    let interaction = dice.below(4);
    let person = dice.below(PEOPLE);
    let (about, form, who, token, raw) = match dice.below(12) {
        0 | 1 => {
            let who = vec![Who { person, sort: Sort::Customer }];
            let (form, kind) = match dice.below(2) {
                0 => (Form::Said, "IDENTITY_RESOLUTION"),
                _ => (Form::Deletion, "DATA_DELETION"),
            };
            let said = json!({"auditEvent": {"eventType": kind, "timestamp": at, "interactionId": format!("c-{interaction}"),
                "resolvedCustomerId": who[0].value(), "deletionReason": "RTBF_REQUEST", "status": "SUCCESS"}});
            (About::Interaction(interaction), form, who, None, said.to_string())
        }
        2..=4 => {
            let contact = Who { person, sort: Sort::Contact };
            (About::Contact(person), Form::Said, vec![contact], None, audit(org, n, &at, &contact.value()))
        }
        kind => {
            let (form, word) = if kind < 7 { (Form::Filtered, "heartbeat") } else { (Form::Said, "answered") };
            let who = draw_names(dice, person);
            let token = (dice.below(3) == 0).then(|| format!("lt-{:05}", 10_001 + dice.below(3)));
            let mut said = json!({"eventId": format!("e-{n}"), "interactionId": format!("c-{interaction}"), "eventType": word,
                "timestamp": at, "mediaType": "VOICE"});
            for one in &who {
                let name = if one.sort == Sort::Phone { "customerPhone" } else { "customerEmail" };
                said[name] = json!(spelled(dice, *one));
            }
            if let Some(token) = &token {
                said["customFields"] = json!({"lineageToken": token});
            }
            (About::Interaction(interaction), form, who, token, said.to_string())
        }
    };
    Event { org, about, form, who, occurred_ms, token, raw }
}

/// A number, an address, both, or none; each of somebody's, or the company's own or a shared number.
fn draw_names(dice: &mut Dice, person: u64) -> Vec<Who> {
    let mut who = Vec::new();
    if dice.below(4) > 0 {
        let person = match dice.below(10) {
            0 => COMPANY,
            1 => SHARED,
            _ => person,
        };
        who.push(Who { person, sort: Sort::Phone });
    }
    if dice.below(2) == 0 {
        // Now and then of somebody else: a call that was passed on.
        let person = if dice.below(4) == 0 { dice.below(PEOPLE) } else { person };
        who.push(Who { person, sort: Sort::Email });
    }
    who
}

fn spelled(dice: &mut Dice, who: Who) -> String {
    let value = who.value();
    match (who.sort, dice.below(3)) {
        (Sort::Phone, 0) => format!("tel:{value}"),
        (Sort::Phone, 1) => format!("({}) {}-{}", &value[2..5], &value[5..8], &value[8..]),
        (Sort::Email, 0) => value.to_uppercase(),
        _ => value,
    }
}

/// The audit of a change to a contact.
fn audit(org: &str, n: u64, at: &str, contact: &str) -> String {
    json!({
        "detail-type": "v2.audits.entitytype.{id}.entityid.{id}",
        "source": format!("aws.partner/genesys.com/cloud/{org}/fixture"),
        "detail": {"topicName": format!("v2.audits.entitytype.Contact.entityid.{contact}"), "version": "2", "eventBody": {
            "id": format!("671caae1-a237-5bee-a4ad-{n:012}"), "serviceName": "ExternalContacts", "eventTime": at,
            "action": "Update", "entityType": "Contact", "entity": {"id": contact, "name": "Avery Quill"},
        }},
    })
    .to_string()
}
