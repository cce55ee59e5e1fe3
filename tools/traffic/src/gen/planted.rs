//! What was planted in generated traffic, and where; and the counts that must come out at the other end.
//!
//! Invariant: a value enters an event only together with its entry here.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::GenArgs;

/// The list that `--planted FILE` writes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Planted {
    /// Seed of the run.
    pub seed: u64,
    /// Day of the run.
    pub date: String,
    /// Organization that the events name.
    pub org: String,
    /// What was sent.
    pub counts: Counts,
    /// Distinct events of every interaction (by conversation id) and entity (`type/id`, as the source has it).
    pub per_record: BTreeMap<String, u64>,
    /// Distinct events by topic; those without an envelope by their shape, as silver names its source.
    pub per_topic: BTreeMap<String, u64>,
    /// Every personal value in the traffic.
    pub identifiers: Vec<Identifier>,
    #[serde(skip)]
    found: BTreeMap<(&'static str, String), Places>,
}

/// What was sent: `documents = events + duplicates + malformed`.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Interactions.
    pub interactions: u64,
    /// Firehose records.
    pub records: u64,
    /// Documents in those records, broken ones too: a record may hold two, and of a bulk batch each element is one.
    pub documents: u64,
    /// Distinct events.
    pub events: u64,
    /// Events sent a second time.
    pub duplicates: u64,
    /// Documents that must end in quarantine.
    pub malformed: u64,
    /// Distinct events that drifted from the models, but must still be committed.
    pub drifted: u64,
    /// Distinct events in the guides' shapes, which other systems than Genesys sent.
    pub guides: u64,
}

/// One personal value.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Identifier {
    /// phone, email, name, account, card, externalContact, agent, ip, cvv, pin; of the guides' shapes also ssn, password,
    /// payment_token, customer_id_hash, phone_hash, email_hash, account_hash.
    pub kind: &'static str,
    /// The value in its canonical form.
    pub value: String,
    /// Strings that must not occur where no personal data may be: the forms in which the value was written.
    pub needles: BTreeSet<String>,
    /// Topics and pointers into the event body.
    pub places: BTreeSet<String>,
    /// Interactions or entities that hold it anywhere.
    pub records: BTreeSet<String>,
    /// Interactions that it identifies as its customer's, by topic and direction.
    pub resolves: BTreeSet<String>,
}

#[derive(Debug, Clone, Default)]
struct Places {
    needles: BTreeSet<String>,
    places: BTreeSet<String>,
    records: BTreeSet<String>,
    resolves: BTreeSet<String>,
}

/// Where a value is put, and what that means.
pub(super) struct Place<'a> {
    /// Conversation id, or `entityType/entityId`.
    pub(super) record: &'a str,
    /// `customer.start`, `audit`…
    pub(super) topic: &'a str,
    /// Pointer into the event body.
    pub(super) pointer: &'a str,
    /// Whether it names the customer of this interaction.
    pub(super) resolves: bool,
}

impl Planted {
    pub(super) fn new(args: &GenArgs) -> Self {
        Self {
            seed: args.seed,
            date: args.date.to_string(),
            org: args.org.clone(),
            counts: Counts { interactions: u64::from(args.interactions), ..Counts::default() },
            per_record: BTreeMap::new(),
            per_topic: BTreeMap::new(),
            identifiers: Vec::new(),
            found: BTreeMap::new(),
        }
    }

    /// Notes that `value` was put somewhere, written as `written` there.
    pub(super) fn note(&mut self, kind: &'static str, value: &str, written: &str, place: &Place<'_>) {
        let found = self.found.entry((kind, value.to_owned())).or_default();
        if !found.needles.contains(written) {
            found.needles.insert(written.to_owned());
        }
        let pointer = format!("{}:{}", place.topic, place.pointer);
        if !found.places.contains(&pointer) {
            found.places.insert(pointer);
        }
        found.records.insert(place.record.to_owned());
        if place.resolves {
            found.resolves.insert(place.record.to_owned());
        }
    }

    /// Counts one distinct event of a record.
    pub(super) fn count(&mut self, record: &str, topic: &str) {
        self.counts.events += 1;
        *self.per_record.entry(record.to_owned()).or_default() += 1;
        *self.per_topic.entry(topic.to_owned()).or_default() += 1;
    }

    /// Counts one distinct event of an interaction that another system than Genesys tells, in the named shape.
    pub(super) fn count_flat(&mut self, record: &str, shape: &str) {
        self.counts.guides += 1;
        self.count(record, shape);
    }

    pub(super) fn finish(&mut self, records: usize) {
        self.counts.records = records as u64;
        self.counts.documents = self.counts.events + self.counts.duplicates + self.counts.malformed;
        let found = std::mem::take(&mut self.found);
        self.identifiers = found
            .into_iter()
            .map(|((kind, value), places)| Identifier {
                kind,
                value,
                needles: places.needles,
                places: places.places,
                records: places.records,
                resolves: places.resolves,
            })
            .collect();
    }
}
