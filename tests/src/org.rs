//! An organisation of a test's own: everything that became of what it sent.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_event::catalogue::built_in;
use ledgerline_ledger::tree::{Edge, leaf_hash};
use ledgerline_store::record;
use ledgerline_store::table::Key;
use serde_json::Value;

use crate::stack::{Stack, key_of, number, text};

/// The counts of a test's bronze objects, added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines read.
    pub seen: u64,
    /// Entries in the ledger.
    pub committed: u64,
    /// Left out by the policy.
    pub filtered: u64,
    /// Owned by another object, or seen before in the same one.
    pub duplicate: u64,
    /// Kept whole under `quarantine/`.
    pub quarantined: u64,
    /// Planned and not committed yet.
    pub in_flight: u64,
    /// Objects whose row is not `planned` yet.
    pub unfinished: u64,
}

impl Counts {
    /// `in = committed + filtered + duplicate + quarantined + in flight`.
    pub fn reconcile(&self) -> bool {
        self.seen == self.committed + self.filtered + self.duplicate + self.quarantined + self.in_flight
    }
}

/// One organisation on the stack.
pub struct Org<'a> {
    /// The stack.
    pub stack: &'a Stack,
    /// Its name, which no other test has.
    pub name: String,
}

impl<'a> Org<'a> {
    /// A new organisation; `what` appears in its name so that a person finds it again.
    pub fn new(stack: &'a Stack, what: &str) -> Self {
        Self { stack, name: format!("{what}-{}", uuid::Uuid::new_v4().simple()) }
    }

    /// A phone number of this organisation's own: digits of its name, behind a code of the plan.
    pub fn phone(&self) -> String {
        let digits: u32 = self.name.bytes().fold(7, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
        format!("+1 212 {:03} {:04}", 200 + digits % 700, digits / 700 % 10_000)
    }

    /// The bronze objects that hold any line about one of its records.
    pub fn objects(&self) -> BTreeSet<String> {
        let rows = self.stack.items("IndexTable", &record::partition(&format!("{}/", self.name)));
        let object = |key: Key| record::parse_bronze_key(&key).map(|(_, object)| object.to_owned());
        rows.iter().map(key_of).filter_map(object).collect()
    }

    /// Its objects' counts, added up.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for object in self.objects() {
            match self.stack.object_row(&object) {
                Some(row) if text(&row, "status") == "planned" => {
                    counts.seen += number(&row, "in");
                    counts.committed += number(&row, "committed");
                    counts.filtered += number(&row, "filtered");
                    counts.duplicate += number(&row, "duplicate");
                    counts.quarantined += number(&row, "quarantined");
                    counts.in_flight += number(&row, "planned").saturating_sub(number(&row, "committed"));
                }
                _ => counts.unfinished += 1,
            }
        }
        counts
    }

    /// Waits until its objects have seen `lines` lines and nothing of them is in flight.
    pub fn settled(&self, lines: u64) -> Counts {
        self.stack.wait_for(&format!("{lines} lines of {} to be settled", self.name), || {
            let counts = self.counts();
            let done = counts.seen >= lines && counts.in_flight == 0 && counts.unfinished == 0;
            if done { Ok(counts) } else { Err(format!("{counts:?}")) }
        })
    }

    /// Waits until its objects have so many entries in the ledger and nothing of them is in flight. What the stream
    /// gathered into the same objects and is no event does not count.
    pub fn committed(&self, entries: u64) -> Counts {
        self.stack.wait_for(&format!("{entries} entries of {}", self.name), || {
            let counts = self.counts();
            let done = counts.committed >= entries && counts.in_flight == 0 && counts.unfinished == 0;
            if done { Ok(counts) } else { Err(format!("{counts:?}")) }
        })
    }

    /// Its logs of both classes, each with its entries in the ledger's order, every segment checked: the names tile the
    /// log from 0 to the head's size, and the root recomputed from the lines is the head's.
    pub fn ledger(&self) -> BTreeMap<String, Vec<Value>> {
        let mut logs = BTreeMap::new();
        for class in ["interaction", "entity"] {
            let log = format!("{}/{class}/1/0", self.name);
            let Some(head) = self.stack.head(&log) else { continue };
            let size = number(&head, "size");
            let mut edge = Edge::empty();
            let mut entries = Vec::new();
            for key in self.stack.keys("LedgerBucket", &format!("ledger/{log}/segment/")) {
                let (bytes, _) = self.stack.object("LedgerBucket", &key);
                let segment = ledgerline_ledger::segment::Segment::read(&key, &bytes).unwrap();
                // A segment that was put and never committed would overlap its successor.
                if segment.name().first != edge.size() || edge.size() >= size {
                    continue;
                }
                for line in segment.lines() {
                    edge.append(leaf_hash(line.as_bytes()));
                    entries.push(serde_json::from_str(line).unwrap());
                }
            }
            assert_eq!(edge.size(), size, "the segments of {log} do not reach the head");
            let aws_sdk_dynamodb::types::AttributeValue::B(root) = &head["root"] else { panic!("no root in {log}") };
            assert_eq!(root.as_ref(), edge.root().0, "the root of {log} does not follow from its lines");
            logs.insert(log, entries);
        }
        logs
    }

    /// All its entries.
    pub fn entries(&self) -> Vec<Value> {
        self.ledger().into_values().flatten().collect()
    }
}

/// Each event id once, and the entries that one bronze object put into one log in the order of occurrence.
///
/// # Panics
/// If not.
pub fn assert_once_and_in_order(entries: &[Value]) {
    let mut ids = BTreeSet::new();
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    for entry in entries {
        assert!(ids.insert(entry["eventId"].to_string()), "committed twice: {}", entry["eventId"]);
        let object = format!("{} {}", entry["source"]["object"], entry.get("entity").is_some());
        let occurred = entry["occurredAt"].as_str().unwrap().to_owned();
        if let Some(before) = last.insert(object, occurred.clone()) {
            assert!(before <= occurred, "out of order: {before} before {occurred}");
        }
    }
}

/// The same counts with a place among its type's in place of each id that may be a person's: the ledger has an alias there, which is
/// random. By count, so that two lists agree if any naming of the records makes them agree.
pub fn nameless(per_record: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut nameless = BTreeMap::new();
    let mut persons: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (record, count) in per_record {
        match record.split_once('/') {
            Some((kind, _)) if !built_in().is_impersonal(kind) => persons.entry(kind).or_default().push(*count),
            _ => drop(nameless.insert(record.clone(), *count)),
        }
    }
    for (kind, mut counts) in persons {
        counts.sort_unstable();
        nameless.extend((0..).zip(counts).map(|(place, count): (u32, u64)| (format!("{kind}/{place}"), count)));
    }
    nameless
}

/// How many entries each record has, by interaction id or `type/id`.
pub fn per_record(entries: &[Value]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for entry in entries {
        let record = match entry["interactionId"].as_str() {
            Some(id) => id.to_owned(),
            None => {
                format!("{}/{}", entry["entity"]["type"].as_str().unwrap(), entry["entity"]["id"].as_str().unwrap())
            }
        };
        *counts.entry(record).or_default() += 1;
    }
    counts
}
