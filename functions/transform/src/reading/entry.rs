//! From a masked event to its entry's line, and to what silver keeps beside it.
//!
//! Invariant: an entry has what the policy let through, and sealed what else its event says of people; it names nobody, not even by
//! a pseudonym.

use std::collections::BTreeSet;

use ledgerline_event::catalogue::built_in;
use ledgerline_event::document::Rejection;
use ledgerline_event::{LineageFrom, Links, SourceEvent, instant};
use ledgerline_lake::keys::PlanOf;
use ledgerline_ledger::entry::{EntryError, Field, Party, PendingEntry, Record, Sealed, Source};
use ledgerline_ledger::tree::Hash;
use ledgerline_privacy::{Clear, Identifier, Kind, Masked, View, words};
use ledgerline_sealed::{Buffer, Member, Place};

use super::content::Unclear;
use super::keys::Keys;
use super::whom::Identified;
use super::{Adapted, Event, Gathering, Owner};
use crate::config::PROCESS_NAME;
use crate::tokens::{self, derived};

/// What seals the content of one event after the other.
#[derive(Default)]
pub(super) struct Sealer {
    /// What the event that is being read says of people.
    buffer: Buffer,
    /// The keys drawn so far.
    pub(super) keys: Keys,
}

/// What an entry has of its event's content beside what is in clear.
struct Sealing {
    sealed: Sealed,
    /// The names of the fields that are neither in clear nor sealed, sorted.
    masked: Vec<String>,
    /// The blocks' keys, in [`Read::keys`](super::Read::keys).
    keys: Vec<usize>,
}

impl Gathering<'_> {
    /// The event as it may be kept. What cannot become an entry is refused here, before anything is claimed.
    pub(super) fn take(
        &mut self,
        number: u64,
        raw: &[u8],
        event: &SourceEvent<'_>,
        about: &Record,
        whom: &Identified,
    ) -> Result<Event, Rejection> {
        let key = self.settings.pseudonyms.newest();
        let fields = event.fields.iter().map(|field| (field.name, &*field.value));
        let Masked { mut clear, masked, rest } = self.settings.policy.mask(key, fields);
        let event_id = self.object.event_id(PlanOf::Bronze, number);
        let region = self.settings.regions.of(event.names_of_source());
        let unclear = Unclear::new(event, about, &rest, whom, region);
        let Sealing { sealed, masked: masked_in_entry, keys } = self.seal(&event_id, raw, &unclear, &whom.identifiers);
        // What joins rows in silver must not join entries: an entry names no person, not even by a pseudonym.
        let plain = clear.iter().filter(|(name, _)| !self.settings.policy.is_silver_only(name));
        let mut salt = [0; 16];
        (self.random)(&mut salt);
        let entry = PendingEntry {
            event_id,
            org: event.org.to_string(),
            event_type: event.event_type.to_owned(),
            activity: event.activity.to_owned(),
            record: about.clone(),
            occurred_at: instant::to_rfc3339(event.occurred_at_ms),
            late: false,
            time_from_envelope: event.time_from_envelope,
            zone_assumed: event.zone_assumed,
            fields: plain.map(|(name, value)| ((*name).to_owned(), entry_field(value))).collect(),
            masked: masked_in_entry,
            sealed,
            lineage_token: lineage_token(event, about),
            schema_version: event.schema_version.to_string(),
            policy_version: self.settings.policy.version().to_owned(),
            source: Source { object: self.object.to_hex(), line: number },
            salt,
        };
        // The adapter checked ids and times; what it let through and the ledger does not names no usable record.
        let reason =
            |error| if matches!(error, EntryError::TooLong) { Rejection::TooLong } else { Rejection::NoRecord };
        let mut line_text = entry.to_line().map_err(reason)?.into_text();
        // Held until the plan: of 100,000 lines some 100 MB would be room that nothing fills.
        line_text.shrink_to_fit();
        if event.lineage_from == LineageFrom::Source && !tokens::is_replaceable(&line_text, &entry.lineage_token) {
            return Err(Rejection::TooLong);
        }
        let extra = event.extra.iter().map(|one| (words::plain_name(one.name).to_owned(), one.kind().as_str()));
        self.name_process(&mut clear, &masked);
        // A token that was refused is found again by its pseudonym, and by nothing else.
        let refused = event.refused_token.as_ref().map(|raw| raw.expose_for_pseudonym());
        let refused =
            refused.and_then(|raw| Identifier::parse(Kind::LineageToken, raw, self.settings.regions.default_region()));
        Ok(Event {
            adapted: Adapted::default(),
            event_id: entry.event_id,
            claim_id: String::new(),
            claim_record: None,
            journaled: None,
            named_by_source: event.native_id.is_some(),
            sequence: event.sequence,
            rank: event.rank,
            time_from_envelope: event.time_from_envelope,
            zone_assumed: event.zone_assumed,
            country_assumed: false,
            damaged: event.damaged,
            line: line_text,
            keys,
            source: event.source,
            topic: event.topic.to_string(),
            schema_version: entry.schema_version,
            event_type: event.event_type,
            activity: event.activity,
            lifecycle: event.lifecycle.as_str(),
            fields: clear,
            masked,
            extra: extra.collect(),
            lineage_token: entry.lineage_token,
            lineage_from: event.lineage_from,
            lineage_ref: refused.map(|refused| key.pseudonym(&refused).as_str().to_owned()),
            bronze_line: number,
        })
    }

    /// Seals what the event with these identifiers says of people, for each owner under the key of its record, and forgets it. A deletion
    /// makes no link by which an erasure would find what it says: that is sealed for nobody.
    fn seal(&mut self, event_id: &str, raw: &[u8], unclear: &Unclear<'_, '_>, identifiers: &[usize]) -> Sealing {
        let Self { settings, random, sealer, records, read, .. } = self;
        let seals = unclear.event.links != Links::WidenOnly;
        let Some(Sealer { buffer, keys }) = sealer.as_mut().filter(|_| seals) else {
            let masked = unclear.rest.iter().map(|field| field.name.to_owned()).collect();
            return Sealing { sealed: Sealed::default(), masked, keys: Vec::new() };
        };
        let record_key = unclear.about.key(&unclear.event.org);
        // The next record's place, if it is new. Should the event be refused, another record gets the place and what was drawn for it,
        // under which nothing is sealed that is kept.
        let record = records.get(&record_key).copied().unwrap_or(read.records.len());
        let place = Place { deployment: &settings.deployment, record: &record_key, event_id };
        let mut content = buffer.event(unclear.names_customer, &Hash::of_object(raw).0);
        let unsealed = unclear.add_to(&mut content);
        let mut used = Vec::with_capacity(Party::ALL.len());
        let seals = content.seal(&place, *random, |party| {
            let owner = match party {
                Party::Customer => Owner::of_customers(identifiers),
                Party::Joint => Owner::Joint,
                Party::Agent => Owner::Agent,
            };
            let (place, key) = keys.of(record, owner, *random);
            used.push(place);
            key
        });
        let too_large = seals.masked.into_iter().filter_map(|member| match member {
            Member::Field(name) => Some(name),
            Member::Identifier(_) | Member::Unlisted | Member::Raw => None,
        });
        let masked: BTreeSet<&str> = unsealed.into_iter().chain(too_large).collect();
        Sealing { sealed: seals.sealed, masked: masked.into_iter().map(str::to_owned).collect(), keys: used }
    }

    /// Silver can be joined by whom a row names, though not by a value: the first of the customer's identifiers of each kind that has
    /// a column, and the masked fields that the description lists. The entry's line is made by now, and has none of it.
    pub(super) fn add_refs(
        &self,
        fields: &mut Vec<(&'static str, Clear)>,
        event: &SourceEvent<'_>,
        identifiers: &[usize],
    ) {
        let of_customer = identifiers.iter().filter_map(|&at| self.read.refs[at].clone());
        let told = built_in().joinable().filter_map(|(what, names)| {
            let said =
                names.iter().filter_map(|name| event.fields.iter().find(|field| field.name == *name)?.value.as_str());
            let told = said.filter_map(|raw| self.join_key.of_text(what, raw)).next()?;
            Some((what.column(), told))
        });
        add_fields(fields, of_customer.chain(told));
    }

    /// Silver names the process of every interaction whose direction is known: the source's own name, or the description's. An entry
    /// has what its source said, and nothing that follows from it.
    fn name_process(&self, clear: &mut Vec<(&'static str, Clear)>, masked: &[&str]) {
        let at = |name: &str, clear: &[(&'static str, Clear)]| clear.binary_search_by(|(known, _)| (*known).cmp(name));
        let Err(place) = at(PROCESS_NAME, clear) else { return };
        let direction = at("direction", clear).ok().and_then(|at| clear[at].1.as_text());
        let named = self.settings.process_names.iter().find(|(of, _)| Some(*of) == direction);
        if let Some((_, name)) = named.filter(|_| !masked.contains(&PROCESS_NAME)) {
            clear.insert(place, (PROCESS_NAME, name.clone()));
        }
    }
}

/// Adds fields to those of an event, which are sorted by name; what is there stays.
fn add_fields(fields: &mut Vec<(&'static str, Clear)>, more: impl Iterator<Item = (&'static str, Clear)>) {
    for (column, value) in more {
        if let Err(at) = fields.binary_search_by(|(name, _)| (*name).cmp(column)) {
            fields.insert(at, (column, value));
        }
    }
}

/// The event's lineage token. One that was derived from an id of a person would tell whoever guesses the id: here it is derived
/// from the alias.
fn lineage_token(event: &SourceEvent<'_>, about: &Record) -> String {
    match about {
        Record::Entity { kind, .. } if event.lineage_from != LineageFrom::Source && !built_in().is_impersonal(kind) => {
            derived(about)
        }
        _ => event.lineage_token.to_string(),
    }
}

/// A clear value as the ledger writes it; times as text.
fn entry_field(value: &Clear) -> Field {
    match value.view() {
        View::Text(text) => Field::Text(text.to_owned()),
        View::Int(number) => Field::Int(number),
        View::Bool(flag) => Field::Bool(flag),
        View::Time(epoch_ms) => Field::Text(instant::to_rfc3339(epoch_ms)),
        View::List(items) => Field::List(items.iter().map(entry_field).collect()),
    }
}
