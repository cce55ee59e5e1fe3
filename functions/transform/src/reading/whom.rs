//! Whom an event names, and what it is about.
//!
//! Invariant: outside, an id that may be a person's stands as its alias; of whom an event names, places in a list of pseudonyms are
//! known.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_custody::erasure::cutoff_from;
use ledgerline_custody::own::domain_of;
use ledgerline_event::catalogue::built_in;
use ledgerline_event::{Links, Record as AboutRef, SourceEvent};
use ledgerline_ledger::entry::Record;
use ledgerline_privacy::{Identifier, Kind, Personal};

use super::waiting::{Alias, Person};
use super::{Gathering, Named};

/// What an event is about.
pub(super) struct About {
    /// As everything outward names it: an id that may be a person's stands as its alias.
    pub(super) about: Record,
    /// As claims name it, where that is not the same.
    pub(super) claim_record: Option<String>,
    /// The pseudonyms of whose id it is.
    pub(super) names: BTreeSet<String>,
}

impl About {
    /// About what is named by its source's id.
    pub(super) fn impersonal(about: Record) -> Self {
        Self { about, claim_record: None, names: BTreeSet::new() }
    }
}

/// Whom an event names.
pub(super) struct Identified {
    /// The customer side's identifiers without the company's own, in [`Read::identifiers`](super::Read::identifiers).
    pub(super) identifiers: Vec<usize>,
    /// Which of the event's identifiers name somebody, were it the company itself.
    pub(super) is_read: Vec<bool>,
    /// The country of one of those was assumed.
    pub(super) country_assumed: bool,
}

/// Values as they are spelled: the place of whom each names, and whether its country was assumed.
pub(super) type Spellings = BTreeMap<Personal, Option<(usize, bool)>>;

/// Longer spellings are read again whenever they come.
const MEMO_BYTES: usize = 64;

impl Gathering<'_> {
    /// What the event is about. Nothing while an alias is not known.
    pub(super) fn about(&mut self, number: u64, received_at_ms: Option<i64>, event: &SourceEvent<'_>) -> Option<About> {
        let (kind, id, sent) = match &event.record {
            AboutRef::Interaction(id) => return Some(About::impersonal(Record::Interaction(id.to_string()))),
            AboutRef::Entity { kind, id, .. } if built_in().is_impersonal(kind) => {
                return Some(About::impersonal(Record::Entity { kind: kind.to_string(), id: id.to_string() }));
            }
            AboutRef::Entity { kind, id, sent } => (kind.to_string(), id, sent),
        };
        let name = self.settings.event_key.claim_record(&event.org, sent, id);
        let is_deletion = event.links == Links::WidenOnly;
        let reached_ms = cutoff_from(event.occurred_at_ms, received_at_ms, is_deletion);
        let known = self.waiting.known(&name).and_then(|(person, Alias { name, cutoff })| {
            let is_covered = cutoff.is_some_and(|cutoff| cutoff.covers(reached_ms, reached_ms));
            let of_line = is_covered.then(|| self.settings.event_key.alias_of_line(&self.object.to_hex(), number));
            Some((person, of_line.or_else(|| name.clone())?))
        });
        let Some((person, id)) = known else {
            let settings = self.settings;
            self.waiting.ask(name, reached_ms, || Person::of(settings, event, &kind, sent, id));
            return None;
        };
        let names = person.all_names().cloned().collect();
        let claimed = Record::Entity { kind: kind.clone(), id: name }.key(&event.org);
        Some(About { about: Record::Entity { kind, id }, claim_record: Some(claimed), names })
    }

    /// Whom the event names.
    pub(super) fn identifiers(&mut self, event: &SourceEvent<'_>) -> Identified {
        let region = self.settings.regions.of(event.names_of_source());
        let (mut places, mut country_assumed) = (Vec::with_capacity(event.identifiers.len()), false);
        let mut is_read = Vec::with_capacity(event.identifiers.len());
        for (kind, raw) in &event.identifiers {
            let known = match self.spelled.get(&region).and_then(|spelled| spelled.get(raw)) {
                Some(known) if *kind == Kind::Phone => *known,
                _ => {
                    let read = Identifier::read(*kind, raw.expose_for_pseudonym(), region);
                    let known = read.map(|read| (self.identifier(read.identifier), read.country_assumed));
                    if *kind == Kind::Phone && raw.expose_for_pseudonym().len() <= MEMO_BYTES {
                        self.spelled.entry(region).or_default().insert(raw.clone(), known);
                    }
                    known
                }
            };
            is_read.push(known.is_some());
            if let Some((place, assumed)) = known {
                country_assumed |= assumed;
                places.push(place);
            }
        }
        places.retain(|&place| !self.own.names(&event.org, place, &self.read.identifiers[place]));
        Identified { identifiers: places, is_read, country_assumed }
    }

    fn identifier(&mut self, identifier: Identifier) -> usize {
        if let Some(&at) = self.identifiers.get(&identifier) {
            return at;
        }
        let pseudonyms = self.settings.pseudonyms.pseudonyms(&identifier);
        let pseudonyms = pseudonyms.iter().map(|name| name.as_str().to_owned()).collect();
        let at = self.read.identifiers.len();
        self.read.refs.push(self.join_key.of_identifier(&identifier));
        let (kind, domain) = (identifier.kind(), domain_of(&identifier).map(Personal::new));
        self.read.identifiers.push(Named { kind, pseudonyms, domain });
        self.identifiers.insert(identifier, at);
        at
    }
}
