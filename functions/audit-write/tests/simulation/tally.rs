//! What occurred in episodes, by name; and what must occur in a run of full length, since a simulation proves nothing of what
//! never happened in it.

use std::collections::BTreeMap;
use std::fmt;

use crate::simulation::op::NAMES;

/// What happened, by name.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    ops: BTreeMap<&'static str, u64>,
    events: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        other.ops.iter().for_each(|(name, times)| *self.ops.entry(name).or_default() += times);
        other.events.iter().for_each(|(name, times)| self.count(name, *times));
    }

    pub(crate) fn ops(&self) -> u64 {
        self.ops.values().sum()
    }

    pub(crate) fn count_op(&mut self, name: &'static str) {
        *self.ops.entry(name).or_default() += 1;
    }

    pub(crate) fn count(&mut self, event: &str, times: u64) {
        *self.events.entry(event.to_owned()).or_default() += times;
    }

    pub(crate) fn assert_all_occurred(&self) {
        for op in NAMES {
            assert!(self.ops.get(op).is_some_and(|times| *times > 0), "no {op} in {self}");
        }
        for event in EVENTS {
            assert!(self.events.get(event).is_some_and(|times| *times > 0), "no {event} in {self}");
        }
    }
}

/// What must occur in a run of full length: each kind of fault, at the calls where it matters, and what follows from it.
const EVENTS: [&str; 27] = [
    "message",
    "message again",
    "message twice in a batch",
    "message returned",
    "death of a process",
    "clock back",
    "log halted by its archive",
    "key allowed",
    "log signed by several keys",
    "orphan",
    "lock of an orphan lengthened",
    "full tile",
    "checkpoint",
    "Lost s3:PutObject segment",
    "PersistedButErrored s3:PutObject segment",
    "Conflict s3:PutObject segment",
    "Throttled s3:PutObject segment",
    "Lost dynamodb:TransactWriteItems",
    "PersistedButErrored dynamodb:TransactWriteItems",
    "Conflict dynamodb:TransactWriteItems",
    "Partly dynamodb:BatchWriteItem",
    "Conflict dynamodb:UpdateItem",
    "PersistedButErrored s3:PutObject archived checkpoint",
    "Conflict s3:PutObject live checkpoint",
    "Lost kms:Sign",
    "Unread s3:ListObjectVersions",
    "Unread dynamodb:GetItem",
];

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} operations", self.ops())?;
        self.ops.iter().try_for_each(|(name, times)| writeln!(f, "{times:>10} {name}"))?;
        writeln!(f, "in which occurred")?;
        self.events.iter().try_for_each(|(name, times)| writeln!(f, "{times:>10} {name}"))
    }
}
