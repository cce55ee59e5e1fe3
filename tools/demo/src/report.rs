//! What a run of the demo found: the one record behind the terminal, `report.json` and `report.html`.
//!
//! Invariant: everything in it was observed in this run; nothing is computed twice for different audiences. It shows
//! personal data of invented people only (the generator's), and says so.

use ledgerline_traffic::r#gen::Counts;
use serde::Serialize;
use serde_json::{Map, Value};

/// A run of the demo.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// Version of this format.
    pub v: u8,
    /// When the run began, RFC 3339.
    pub started_at: String,
    /// How long it took, building and starting excluded.
    pub seconds: f64,
    /// Seed of the traffic.
    pub seed: u64,
    /// Day of the traffic.
    pub date: String,
    /// What became of what was sent: the equation.
    #[serde(flatten)]
    pub tally: Tally,
    /// What was sent.
    pub sent: Counts,
    /// How fast it went.
    pub pace: Pace,
    /// One event, before and after.
    pub caller: Caller,
    /// One identity audit, whole, before and after.
    pub identity: Identity,
    /// An access request, answered.
    pub access: Access,
    /// An event that was sent and asked for at once.
    pub at_once: AtOnce,
    /// A locked object, attacked.
    pub lock: Lock,
    /// An exported copy, altered.
    pub tamper: Tamper,
    /// The day in figures.
    pub figures: Figures,
    /// Names of the segments that this run added to the ledger.
    pub segments: Vec<String>,
    /// What was checked.
    pub checks: Vec<Check>,
    /// Where to look next: what, and the command or file.
    pub next: Vec<(String, String)>,
}

/// `in = committed + filtered + duplicate + quarantined + in flight`, of this run's bronze objects and quarantine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tally {
    /// Documents that reached the chain.
    pub r#in: u64,
    /// Entries in the ledger.
    pub committed: u64,
    /// Left out by policy.
    pub filtered: u64,
    /// Sent again.
    pub duplicate: u64,
    /// Kept whole, aside.
    pub quarantined: u64,
    /// Planned, not yet committed.
    pub in_flight: u64,
}

impl Tally {
    /// The right-hand side of the equation.
    pub(super) fn accounted(&self) -> u64 {
        self.committed + self.filtered + self.duplicate + self.quarantined + self.in_flight
    }

    /// Both sides together.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            r#in: self.r#in + other.r#in,
            committed: self.committed + other.committed,
            filtered: self.filtered + other.filtered,
            duplicate: self.duplicate + other.duplicate,
            quarantined: self.quarantined + other.quarantined,
            in_flight: self.in_flight + other.in_flight,
        }
    }
}

/// Throughput, as found on this machine.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pace {
    /// From the first put to the last commit.
    pub seconds: f64,
    /// Documents per second over that time.
    pub documents_per_second: f64,
    /// Objects that the delivery stream wrote.
    pub bronze_objects: u64,
}

/// A piece of text, and whether it is personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Span {
    /// The text.
    pub text: String,
    /// Whether it says something about somebody.
    pub personal: bool,
}

/// One event as it came and as analysts see it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Caller {
    /// The source's topic.
    pub topic: String,
    /// The interaction.
    pub interaction_id: String,
    /// The event's fields, by path, with what is personal in them.
    pub raw: Vec<(String, Vec<Span>)>,
    /// The silver row's columns that hold something, in the file's order.
    pub silver: Vec<(String, Value)>,
    /// The Parquet object.
    pub silver_object: String,
    /// How many planted identifiers were looked for…
    pub searched: u64,
    /// …in how many silver rows and ledger entries of this run…
    pub searched_rows: u64,
    /// …and in how many entries…
    pub searched_entries: u64,
    /// …and how many were found there.
    pub found: u64,
}

/// An identity audit of another system as it came, as analysts see it, and as the ledger keeps it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Identity {
    /// The interaction.
    pub interaction_id: String,
    /// All of the event's members, by path, with what is personal in them.
    pub raw: Vec<(String, Vec<Span>)>,
    /// The silver row's columns that hold something, in the file's order.
    pub silver: Vec<(String, Value)>,
    /// The Parquet object.
    pub silver_object: String,
    /// The ledger entry's members that hold something, by path.
    pub entry: Vec<(String, Value)>,
    /// The segment that the entry is in.
    pub segment: String,
    /// Who may read what the entry holds sealed.
    pub sealed: Sealed,
}

/// An entry's sealed content: who was refused it, and what its holder reads.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sealed {
    /// Functions that asked KMS for the month's private key.
    pub attempts: Vec<Attempt>,
    /// The blocks that the key's holder opened.
    pub opened: Vec<Opened>,
}

/// A block that was opened.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Opened {
    /// Whose content it is.
    pub party: String,
    /// The id of its key.
    pub key_id: String,
    /// Names and values.
    pub content: Vec<(String, Value)>,
}

/// An access request by phone number.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Access {
    /// The number as asked.
    pub phone: String,
    /// How long the answer took, all pages.
    pub milliseconds: u64,
    /// Interactions in the answer.
    pub interactions: u64,
    /// Entries in the answer.
    pub entries: u64,
    /// Whether the answer says that it is complete.
    pub complete: bool,
    /// As of when.
    pub as_of: String,
    /// Entries by interaction: id, first time, last time, activities in order.
    pub timeline: Vec<Held>,
    /// One entry of the answer, as it stands in the ledger.
    pub example: Map<String, Value>,
}

/// What is held of one interaction.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Held {
    /// The interaction.
    pub interaction_id: String,
    /// Its first event.
    pub from: String,
    /// Its last event.
    pub to: String,
    /// Types of its events, in event order.
    pub types: Vec<String>,
}

/// An event that was sent to capture and asked for by the next call.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AtOnce {
    /// Its interaction, which has no other event.
    pub interaction_id: String,
    /// What capture answered.
    pub status: u16,
    /// Whether the answer promised that the next access request finds it.
    pub journaled: bool,
    /// When capture had answered, from when it was sent on.
    pub milliseconds_to_send: u64,
    /// When the access request was answered, likewise.
    pub milliseconds_to_answer: u64,
    /// Its entries in that answer.
    pub at_once: u64,
    /// Those of them that were not in the ledger yet.
    pub on_its_way: u64,
    /// Its entries in an answer once all is processed, with their places.
    pub committed: u64,
    /// Those that had none even then.
    pub still_on_its_way: u64,
}

/// A locked segment, and who tried what.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Lock {
    /// The object's key.
    pub key: String,
    /// The version under attack.
    pub version_id: String,
    /// GOVERNANCE or COMPLIANCE.
    pub mode: String,
    /// Until when.
    pub retain_until: String,
    /// What was tried.
    pub attempts: Vec<Attempt>,
    /// Whether object, mode and date are as they were.
    pub unchanged: bool,
}

/// Something an administrator tried.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attempt {
    /// In words.
    pub what: String,
    /// The call.
    pub call: String,
    /// HTTP status of the answer.
    pub status: u16,
    /// S3's error code; empty if S3 let it happen.
    pub code: String,
    /// S3's message.
    pub message: String,
}

/// An exported copy of a log, altered by one byte and recomputed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tamper {
    /// The log.
    pub log: String,
    /// How many entries the head commits.
    pub size: u64,
    /// The head's root, hex.
    pub head_root: String,
    /// The root recomputed from the untouched copy.
    pub root: String,
    /// The root recomputed from the altered copy.
    pub altered_root: String,
    /// The entry that was found, by its index.
    pub index: u64,
    /// Its event id.
    pub event_id: String,
    /// The segment that it lies in.
    pub segment: String,
    /// Text around the byte: before it, the byte as it was, the byte as it became, after it.
    pub around: [String; 4],
    /// The leaf hash that the log committed.
    pub leaf: String,
    /// The leaf hash of the altered line.
    pub altered_leaf: String,
    /// The untouched copy.
    pub copy: String,
    /// The altered copy.
    pub altered_copy: String,
}

/// A day's figures, as the API answers them.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    /// The day.
    pub date: String,
    /// The zone whose day it is.
    pub time_zone: String,
    /// The figures hold what was stored by then.
    pub as_of: String,
    /// How often they changed.
    pub revision: u64,
    /// How long the API took.
    pub milliseconds: u64,
    /// All queues together.
    pub totals: Queue,
    /// Each queue, its media added up.
    pub queues: Vec<Queue>,
    /// All queues by half hours, where anything happened.
    pub half_hours: Vec<HalfHour>,
    /// What `ledgerline gold show` prints.
    pub table: String,
}

/// A queue's day.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Queue {
    /// The queue; none for what happened beside all queues.
    pub queue_id: Option<String>,
    /// Contacts that left it.
    pub contacts: u64,
    /// Of these, those that gave up.
    pub abandoned: u64,
    /// Answered within the target.
    pub service_level_pct: Option<f64>,
    /// Mean handle time.
    pub avg_duration_sec: Option<f64>,
    /// First contact resolution.
    pub fcr_rate_pct: Option<f64>,
    /// Mean survey score.
    pub customer_satisfaction_avg: Option<f64>,
}

/// Half an hour of all queues.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HalfHour {
    /// When it began, RFC 3339.
    pub start: String,
    /// Contacts that came.
    pub offered: u64,
    /// Contacts that were answered.
    pub answered: u64,
    /// Contacts that gave up.
    pub abandoned: u64,
}

/// Something that must hold.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Check {
    /// What must hold.
    pub name: String,
    /// Whether it did.
    pub passed: bool,
    /// The numbers behind it.
    pub detail: String,
    /// What to do if it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// `12,345`
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
pub(super) mod sample;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_has_the_equation_at_its_top() {
        let report = serde_json::to_value(sample::report()).unwrap();
        for name in ["in", "committed", "filtered", "duplicate", "quarantined", "inFlight"] {
            assert!(report[name].is_u64(), "{name}");
        }
    }

    #[test]
    fn digits_come_in_groups_of_three() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"].map(str::to_owned));
    }
}
