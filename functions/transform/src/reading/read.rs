//! What a bronze object holds, by what may be known of it.
//!
//! Invariant: of a line there is what the policy let through, pseudonyms and sealed blocks, and of no value more.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ledgerline_event::LineageFrom;
use ledgerline_lake::plan::Counts;
use ledgerline_ledger::entry::Record;
use ledgerline_ledger::log::LogId;
use ledgerline_privacy::{Clear, Kind, Personal};
use ledgerline_store::claim::{Claim, Unclaimed, plan_claims};

use super::Drawn;

/// What is asked of every line that is about somebody, whatever becomes of it.
#[derive(Clone, Debug, Default)]
pub struct Adapted {
    /// Its place among those that are asked, from 0.
    pub place: usize,
    /// Its record, in [`Read::records`].
    pub record: usize,
    /// The customer side's identifiers, in [`Read::identifiers`], in the adapter's order. The company's own are not among them.
    pub identifiers: Vec<usize>,
    /// When it occurred, epoch milliseconds.
    pub occurred_at_ms: i64,
    /// When ingest received it.
    pub received_at_ms: Option<i64>,
    /// It may widen its customer's links, and make none: a deletion.
    pub only_widens: bool,
}

/// Which way an event came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Through capture.
    Capture,
    /// Another. It may have come through capture, too.
    Another,
}

/// An event of the object that the policy keeps, once.
#[derive(Clone, Debug)]
pub struct Event {
    /// What is asked of its line.
    pub adapted: Adapted,
    /// Its id, 32 hex digits, which follows from its place.
    pub event_id: String,
    /// What it is claimed by: a keyed digest of what it says, 32 hex digits. It is the same for the event sent again, and in a
    /// claim alone: whoever has the key could try phone numbers against it.
    pub claim_id: String,
    /// `<org>/<record>` as claims name it, where the record is not named by its source's id.
    pub claim_record: Option<String>,
    /// Which way it came, if capture may have journaled it: it is of a type that an audit is about.
    pub journaled: Option<Way>,
    /// Whether its source named it: then its identity does not fix when it occurred.
    pub named_by_source: bool,
    /// The source's own sequence number.
    pub sequence: Option<i64>,
    /// Orders events of one instant.
    pub rank: u8,
    /// Only an envelope says when it occurred.
    pub time_from_envelope: bool,
    /// Its time had no offset and was taken as UTC.
    pub zone_assumed: bool,
    /// A phone number of its customer's says no country: its source's region was assumed.
    pub country_assumed: bool,
    /// A text in it was damaged before it came.
    pub damaged: bool,
    /// The ledger's line.
    pub line: String,
    /// The keys of its blocks, in [`Read::keys`].
    pub keys: Vec<usize>,
    /// The source, as its adapter names it.
    pub source: &'static str,
    /// The topic's template.
    pub topic: String,
    /// The version of the source's schema.
    pub schema_version: String,
    /// The event type.
    pub event_type: &'static str,
    /// The activity.
    pub activity: &'static str,
    /// Where in the activity it stands.
    pub lifecycle: &'static str,
    /// What the policy let through, sorted by name.
    pub fields: Vec<(&'static str, Clear)>,
    /// The names of what it did not.
    pub masked: Vec<&'static str>,
    /// Unknown keys and the kinds of their values.
    pub extra: BTreeMap<String, &'static str>,
    /// The lineage token.
    pub lineage_token: String,
    /// How it came by it.
    pub lineage_from: LineageFrom,
    /// The pseudonym of what its source sent in place of a token.
    pub lineage_ref: Option<String>,
    /// Its line in the object, from 0.
    pub bronze_line: u64,
}

/// A record that the object holds lines of.
#[derive(Clone, Debug)]
pub struct RecordSeen {
    /// `<org>/<record>`.
    pub key: String,
    /// The organisation.
    pub org: String,
    /// The interaction or entity.
    pub about: Record,
    /// The pseudonyms of whose id names it, in any of its lines, under all versions of the key.
    pub names: BTreeSet<String>,
    /// The log that it is pinned to, unless it was pinned before.
    pub first_log: LogId,
    /// How many lines are about it.
    pub lines: u64,
    /// The first [`LINES_NAMED`](ledgerline_store::record::LINES_NAMED) of them, by number.
    pub at: Vec<u64>,
    /// The days on which its events occurred, counted from the epoch; a filtered line's time was not checked, and does not count.
    pub days: BTreeSet<i64>,
}

/// An identifier, by what may be known of it.
#[derive(Clone, Debug)]
pub struct Named {
    /// What it is.
    pub kind: Kind,
    /// Its pseudonyms under all versions of the key, newest first.
    pub pseudonyms: Vec<String>,
    /// Its domain if it is an e-mail address: for the lists of own domains, and never stored.
    pub domain: Option<Personal>,
}

/// What a bronze object holds.
#[derive(Debug, Default)]
pub struct Read {
    /// Events, each claim id once, in the order of their lines.
    pub events: Vec<Event>,
    /// The records, in the order in which they turned up.
    pub records: Vec<RecordSeen>,
    /// The identifiers.
    pub identifiers: Vec<Named>,
    /// The orgs whose events name somebody, were it the company itself.
    pub naming_orgs: BTreeSet<String>,
    /// The keys that seal the events' content. Events that are not kept may have drawn some.
    pub keys: Vec<Drawn>,
    /// What silver keeps of each identifier to join rows by: the column and the ref.
    pub refs: Vec<Option<(&'static str, Clear)>>,
    /// Lines that are not blank.
    pub input: u64,
    /// Lines that are filtered, by the filter's name.
    pub filtered: BTreeMap<&'static str, u64>,
    /// Those of them that are events. They, too, must be found should whom they name be erased.
    pub filtered_lines: Vec<Adapted>,
    /// Lines whose event stood in an earlier one.
    pub repeated_lines: Vec<Adapted>,
    /// Lines that are not events, by the reason's code.
    pub quarantined: BTreeMap<&'static str, u64>,
    /// Those of them that ingest had taken for events: it told of the others.
    pub refused: BTreeMap<&'static str, u64>,
    /// Those lines, gzipped, if there are any.
    pub quarantine_gz: Option<Bytes>,
    /// Events whose outcome's word is in no row of the look-up.
    pub unknown_outcomes: u64,
}

impl Read {
    /// The claims of all events.
    pub fn claims<'a>(&'a self, object: &'a str, expires_at_s: i64) -> Vec<Claim<'a>> {
        let unclaimed = self.events.iter().map(|event| Unclaimed {
            record: event.claim_record.as_deref().unwrap_or(&self.records[event.adapted.record].key),
            occurred_at_ms: event.adapted.occurred_at_ms,
            named_by_source: event.named_by_source,
            event: &event.claim_id,
        });
        plan_claims(object, expires_at_s, unclaimed)
    }

    /// The org that a line is of.
    pub fn org(&self, line: &Adapted) -> &str {
        &self.records[line.record].org
    }

    /// All lines that are about somebody: kept, repeated and filtered ones.
    pub fn adapted(&self) -> impl Iterator<Item = &Adapted> {
        let events = self.events.iter().map(|event| &event.adapted);
        events.chain(&self.repeated_lines).chain(&self.filtered_lines)
    }

    /// The counts, if so many of the events are this object's own.
    pub fn counts(&self, owned: usize) -> Counts {
        let planned = owned as u64;
        let duplicate = self.repeated_lines.len() as u64 + (self.events.len() as u64).saturating_sub(planned);
        let (filtered, quarantined) = (self.filtered.values().sum(), self.quarantined.values().sum());
        Counts { input: self.input, filtered, duplicate, quarantined, planned }
    }
}
