//! An answer's page: as many interactions and entries as fit, in a fixed order, and where the next page goes on.
//!
//! Invariant: pages that follow each other's tokens give each entry once: records go by their keys, which never change,
//! and entries by [`EventOrder`]. A page always makes progress, and its body fits Lambda's answer by construction.
//! What is missing is said: `complete` is false as soon as anything was missing on this page or one before it.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_ledger::entry::{Party, Record, Sealed};
use ledgerline_store::journal::Journaled;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::access::{Fault, Found, Lasted, split_record};
use crate::order::EventOrder;
use crate::query::{DateRange, RequestType};

/// Bytes that a page's interactions may take inside the function's answer, where the body is a JSON string and each of
/// its quotes and backslashes takes one byte more. Lambda answers with 6 MB (6,291,456 bytes) at most. What is not
/// counted here: status and headers (< 1 KB), the envelope with its token (< 4 KB), and up to [`MAX_FAULTS`] faults of
/// < 700 bytes. The largest entry, 256 KiB escaped to twice that, fits an empty page five times over.
pub const PAGE_BYTES: usize = 5 * 1024 * 1024;
/// Faults that an answer spells out; the rest is counted.
pub const MAX_FAULTS: usize = 100;

/// The body of an answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Every event that lay in bronze before this moment is in the answer, all pages together, or its interaction is
    /// marked pending; null while nobody knows such a moment.
    pub as_of: Option<String>,
    /// Nothing was missing up to the end of this page, and `as_of` is fresh or lies behind the range.
    pub complete: bool,
    /// What was asked, as it was understood.
    pub request: Asked,
    /// Whether the customer is known.
    pub customer: Customer,
    /// The systems asked.
    pub systems: Systems,
    /// The customer's interactions, by org and id.
    pub interactions: Vec<Interaction>,
    /// How many more interactions name the customer in filtered lines alone, and have no entry: nothing of them is
    /// missing. Each is counted on one page, whatever the range, which nothing tells it to be in or out of.
    #[serde(skip_serializing_if = "is_none")]
    pub filtered: usize,
    /// Where to go on; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// The question without the person.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// The organisations that were asked, sorted. None of them was named by the caller alone: one that nobody knows is
    /// not asked.
    pub orgs: Vec<String>,
    /// `ACCESS`…
    pub request_type: &'static str,
    /// The range in UTC; absent ends are open.
    pub date_range: Span,
}

/// A range's ends.
#[derive(Debug, Serialize)]
pub struct Span {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
}

impl Asked {
    /// What a query asked.
    pub fn of(orgs: Vec<String>, request_type: RequestType, range: &DateRange) -> Self {
        let date_range = Span { from: range.from.clone(), to: range.to.clone() };
        Self { orgs, request_type: request_type.label(), date_range }
    }
}

/// Whether and as how many subjects the customer is known.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    /// Any subject at all.
    pub found: bool,
    /// Subjects, one per identifier that was ever seen.
    pub subjects: usize,
    /// A subject is shared or was, or an identifier was the company's own once: interactions may have been left unlinked, and are not
    /// in the answer.
    #[serde(skip_serializing_if = "is_false")]
    pub limited: bool,
    /// A subject or an identifier does not name one person: it is the company's own, marked, or at the cap. What it alone is linked
    /// to is only named.
    #[serde(skip_serializing_if = "is_false")]
    pub shared: bool,
    /// A name that was asked is too short to be one customer's alone: what is found may be several customers'.
    #[serde(skip_serializing_if = "is_false")]
    pub weak: bool,
    /// Spellings that were not asked and may be the same customer's, or another's: a Brazilian mobile number with and without its
    /// ninth digit. Whoever knows that they are this customer's asks by them, too.
    #[serde(skip_serializing_if = "is_none")]
    pub other_spellings: usize,
}

/// The systems that were asked.
#[derive(Debug, Serialize)]
pub struct Systems {
    /// The evidence.
    pub ledger: Reads,
}

/// Reads of one system, and how they went.
#[derive(Debug, Default, Serialize)]
pub struct Reads {
    /// Reads tried.
    pub asked: usize,
    /// Reads that came back and checked out.
    pub answered: usize,
    /// Reads that failed, after retries, or did not check out.
    pub failed: usize,
    /// What failed, the first [`MAX_FAULTS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Fault>,
}

impl Reads {
    /// Notes how one read went.
    pub fn note(&mut self, fault: Option<Fault>) {
        self.asked += 1;
        match fault {
            None => self.answered += 1,
            Some(fault) => {
                self.failed += 1;
                if self.failures.len() < MAX_FAULTS {
                    self.failures.push(fault);
                }
            }
        }
    }
}

/// One interaction, or entity, with its entries.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Interaction {
    org: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    interaction_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity: Option<Entity>,
    /// Earliest occurrence known.
    first: String,
    /// Latest occurrence known.
    last: String,
    #[serde(flatten)]
    marks: Marks,
    entries: Vec<Placed>,
}

#[derive(Debug, Serialize)]
struct Entity {
    #[serde(rename = "type")]
    kind: String,
    id: String,
}

/// What a reader must know of an interaction beside its entries. Marks that do not hold are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Marks {
    /// It began before the range and reaches into it.
    #[serde(skip_serializing_if = "is_false")]
    pub began_before_range: bool,
    /// Entries of it are known to exist and not committed yet: none is, or its links reach beyond those that are.
    #[serde(skip_serializing_if = "is_false")]
    pub pending: bool,
    /// Some of its entries could not be read.
    #[serde(skip_serializing_if = "is_false")]
    pub incomplete: bool,
    /// Only shared subjects are linked to it: it may be anybody's, and nothing of it was read.
    #[serde(skip_serializing_if = "is_false")]
    pub shared: bool,
    /// Its first entries stand on the page before.
    #[serde(skip_serializing_if = "is_false")]
    pub continued: bool,
    /// Its next entries stand on the next page.
    #[serde(skip_serializing_if = "is_false")]
    pub continues: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Placed {
    /// Where it stands in the ledger.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
    /// It is not in the ledger yet: capture took it, and it is on its way.
    #[serde(skip_serializing_if = "is_false")]
    journal: bool,
    /// When capture took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    received_at: Option<String>,
    /// Of each block what there is to it, once that is known.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    sealed: BTreeMap<Party, BlockState>,
    /// The ledger's line, byte for byte: its RFC 8785 form gives the leaf hash. Of what is on its way, what the policy lets through.
    entry: Box<RawValue>,
    /// Its blocks' parties and key ids.
    #[serde(skip)]
    blocks: Vec<(Party, String)>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    log: String,
    index: u64,
    segment: String,
    version_id: String,
    leaf_hash: String,
}

/// What there is to a sealed block. Nobody who answers opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum BlockState {
    /// Its key was not destroyed.
    Closed,
    /// Its key was destroyed: it cannot be opened any more.
    Destroyed,
}

/// A page in the making.
#[derive(Debug)]
pub struct Page {
    entries_left: usize,
    bytes_left: usize,
    interactions: Vec<Interaction>,
}

/// How much of a record a page took.
#[derive(Debug, PartialEq, Eq)]
pub enum Took {
    /// All that was left of it.
    Whole,
    /// Its entries up to this one.
    UpTo(EventOrder),
    /// Nothing: the page is full.
    Nothing,
}

impl Page {
    /// An empty page for `page_size` entries, in an answer that names these orgs.
    pub fn new(page_size: usize, orgs: &[String]) -> Self {
        // Two quotes, each escaped, and a comma.
        let names: usize = orgs.iter().map(|org| org.len() + 5).sum();
        Self::within(page_size, PAGE_BYTES.saturating_sub(names))
    }

    fn within(page_size: usize, bytes: usize) -> Self {
        Self { entries_left: page_size, bytes_left: bytes, interactions: Vec::new() }
    }

    /// How many more entries it may take; 0 if it is full.
    pub fn room(&self) -> usize {
        self.entries_left
    }

    /// Takes a record: its entries in event order, without those up to `after`, which an earlier page gave. Before them stands what is
    /// `on_its_way`, with the record's first entries: it takes no place, and goes to the next page whole where it does not fit.
    pub fn take(
        &mut self,
        record_key: &str,
        lasted: &Lasted,
        marks: Marks,
        on_its_way: &[Journaled],
        entries: &[Found],
        after: Option<&EventOrder>,
    ) -> Result<Took, serde_json::Error> {
        let begin = after.map_or(0, |after| entries.partition_point(|entry| entry.order <= *after));
        let rest = &entries[begin..];
        if self.entries_left == 0 {
            return Ok(Took::Nothing);
        }
        let head_bytes = 2 * (record_key.len() + HEAD_BYTES);
        let mut interaction = Interaction::new(record_key, lasted, Marks { continued: after.is_some(), ..marks });
        let mut bytes = head_bytes;
        for event in on_its_way.iter().filter(|_| after.is_none()) {
            let placed = Placed::on_its_way(event)?;
            bytes += escaped_bytes(&serde_json::to_string(&placed)?) + 1;
            interaction.entries.push(placed);
        }
        let told = interaction.entries.len();
        if told > 0 && bytes > self.bytes_left && !self.interactions.is_empty() {
            self.entries_left = 0;
            return Ok(Took::Nothing);
        }
        for entry in rest.iter().take(self.entries_left) {
            let placed = Placed::of(entry)?;
            let sealed = if placed.blocks.is_empty() { 0 } else { SEALED_BYTES };
            let more = escaped_bytes(&serde_json::to_string(&placed)?) + 1 + sealed;
            // An empty page takes its first entry whatever its size, or the answer would never move on.
            let must = self.interactions.is_empty() && interaction.entries.len() == told;
            if bytes + more > self.bytes_left && !must {
                break;
            }
            bytes += more;
            interaction.entries.push(placed);
        }
        let taken = interaction.entries.len() - told;
        let last = rest[..taken].last();
        let is_first = self.interactions.is_empty() && told > 0;
        if last.is_none() && (!rest.is_empty() || bytes > self.bytes_left) && !is_first {
            self.entries_left = 0;
            return Ok(Took::Nothing);
        }
        // A record without entries takes a place, too: a page of nothing but pending ones has an end.
        self.entries_left -= taken.max(1);
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        interaction.marks.continues = taken < rest.len();
        self.interactions.push(interaction);
        match last {
            Some(last) if taken < rest.len() => {
                self.entries_left = 0;
                Ok(Took::UpTo(last.order.clone()))
            }
            _ => Ok(Took::Whole),
        }
    }

    /// The ids of the keys that seal blocks on the page, each once.
    pub fn key_ids(&self) -> BTreeSet<&str> {
        let placed = self.interactions.iter().flat_map(|interaction| &interaction.entries);
        placed.flat_map(|placed| &placed.blocks).map(|(_, key_id)| key_id.as_str()).collect()
    }

    /// The page's interactions, where these keys were destroyed.
    pub fn finish(mut self, destroyed: &BTreeSet<String>) -> Vec<Interaction> {
        for placed in self.interactions.iter_mut().flat_map(|interaction| &mut interaction.entries) {
            let state = |id| if destroyed.contains(id) { BlockState::Destroyed } else { BlockState::Closed };
            placed.sealed = placed.blocks.iter().map(|(party, key_id)| (*party, state(key_id))).collect();
        }
        self.interactions
    }
}

impl Interaction {
    fn new(record_key: &str, lasted: &Lasted, marks: Marks) -> Self {
        let (org, record) =
            split_record(record_key).unwrap_or_else(|| ("", Record::Interaction(record_key.to_owned())));
        let (interaction_id, entity) = match record {
            Record::Interaction(id) => (Some(id), None),
            Record::Entity { kind, id } => (None, Some(Entity { kind, id })),
        };
        let (first, last) = (lasted.first.clone(), lasted.last.clone());
        Self { org: org.to_owned(), interaction_id, entity, first, last, marks, entries: Vec::new() }
    }

    /// How many entries it has on this page.
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// What a reader must know of it.
    pub fn marks(&self) -> Marks {
        self.marks
    }
}

impl Placed {
    /// An event that is on its way.
    fn on_its_way(event: &Journaled) -> Result<Self, serde_json::Error> {
        Ok(Self {
            place: None,
            journal: true,
            received_at: Some(event.received_at.clone()),
            sealed: BTreeMap::new(),
            entry: RawValue::from_string(event.line.clone())?,
            blocks: Vec::new(),
        })
    }

    fn of(found: &Found) -> Result<Self, serde_json::Error> {
        let Sealed { key_ids, blocks } = serde_json::from_str(&found.text)?;
        Ok(Self {
            place: Some(Place {
                log: found.place.log.to_string(),
                index: found.order.index,
                segment: found.place.segment.clone(),
                version_id: found.place.version_id.clone(),
                leaf_hash: found.leaf.hex(),
            }),
            journal: false,
            received_at: None,
            sealed: BTreeMap::new(),
            entry: RawValue::from_string(found.text.clone())?,
            // The act of an erasure names keys, too, and has no block.
            blocks: blocks.iter().filter_map(|block| Some((block.p, key_ids.get(block.k)?.clone()))).collect(),
        })
    }
}

/// The bytes that a JSON text takes as a JSON string. It holds no control characters: they are escaped already.
fn escaped_bytes(json: &str) -> usize {
    json.len() + json.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_false(mark: &bool) -> bool {
    !mark
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// What is said of an entry's blocks at most, with its comma, escaped.
const SEALED_BYTES: usize =
    r#"\"sealed\":{\"customer\":\"destroyed\",\"joint\":\"destroyed\",\"agent\":\"destroyed\"},"#.len();

/// An interaction's own members: names, marks, two times.
const HEAD_BYTES: usize = 320;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::SegmentPlace;
    use ledgerline_ledger::log::LogId;
    use ledgerline_ledger::tree::leaf_hash;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn log() -> LogId {
        LogId::parse("acme/interaction/1/0").unwrap()
    }

    fn lasted() -> Lasted {
        Lasted { first: "2026-03-02T14:00:00.000Z".to_owned(), last: "2026-03-02T15:00:00.000Z".to_owned() }
    }

    fn found(record: &str, index: u64, size: usize) -> Found {
        sealed_found(record, index, size, "[]", "[]")
    }

    fn sealed_found(record: &str, index: u64, size: usize, key_ids: &str, blocks: &str) -> Found {
        let x = "\\\"".repeat(size / 2);
        let text = format!(r#"{{"keyIds":{key_ids},"n":{index},"sealed":{blocks},"x":"{x}"}}"#);
        Found {
            record: record.to_owned(),
            order: EventOrder {
                occurred_at: format!("2026-03-02T14:00:00.{index:03}Z"),
                rank: 2,
                log: "acme/interaction/1/0".to_owned(),
                index,
            },
            place: SegmentPlace { log: log(), segment: "ledger/s".to_owned(), version_id: "v".to_owned() },
            leaf: leaf_hash(text.as_bytes()),
            text,
        }
    }

    /// What all pages give, following positions as the function does.
    fn all_pages(records: &[(String, Vec<Found>)], page_size: usize, bytes: usize) -> Vec<Vec<Interaction>> {
        let (mut pages, mut at, mut after) = (Vec::new(), 0, None::<EventOrder>);
        while at < records.len() {
            let mut page = Page::within(page_size, bytes);
            while at < records.len() {
                let (key, entries) = &records[at];
                match page.take(key, &lasted(), Marks::default(), &[], entries, after.as_ref()).unwrap() {
                    Took::Whole => (at, after) = (at + 1, None),
                    Took::UpTo(order) => after = Some(order),
                    Took::Nothing => break,
                }
            }
            pages.push(page.finish(&["a", "b", "c"].map(str::to_owned).into()));
            assert!(pages.len() < 1_000, "no progress");
        }
        pages
    }

    #[test]
    fn an_answer_has_this_shape() {
        let mut page = Page::new(10, &[]);
        let marks = Marks { began_before_range: true, ..Marks::default() };
        let entries = [found("acme/c-1", 0, 2)];
        assert_eq!(page.take("acme/c-1", &lasted(), marks, &[], &entries, None).unwrap(), Took::Whole);
        let pending = Marks { pending: true, ..Marks::default() };
        assert_eq!(page.take("acme/User/u-1", &lasted(), pending, &[], &[], None).unwrap(), Took::Whole);
        let value: Value = serde_json::to_value(page.finish(&BTreeSet::new())).unwrap();
        assert_eq!(
            value,
            json!([
                { "org": "acme", "interactionId": "c-1", "first": "2026-03-02T14:00:00.000Z",
                  "last": "2026-03-02T15:00:00.000Z", "beganBeforeRange": true,
                  "entries": [{
                    "place": { "log": "acme/interaction/1/0", "index": 0, "segment": "ledger/s", "versionId": "v",
                               "leafHash": entries[0].leaf.hex() },
                    "entry": { "keyIds": [], "n": 0, "sealed": [], "x": "\"" } }] },
                { "org": "acme", "entity": { "type": "User", "id": "u-1" }, "first": "2026-03-02T14:00:00.000Z",
                  "last": "2026-03-02T15:00:00.000Z", "pending": true, "entries": [] }
            ])
        );
    }

    fn journaled(claim_id: &str, size: usize) -> Journaled {
        Journaled {
            claim_id: claim_id.to_owned(),
            line: json!({ "x": "\"".repeat(size) }).to_string(),
            occurred_at: "2026-03-02T14:30:00.000Z".to_owned(),
            received_at: "2026-03-02T14:31:00.000Z".to_owned(),
            subjects: BTreeSet::new(),
            planned: None,
            committed_at_ms: None,
        }
    }

    #[test]
    fn what_is_on_its_way_stands_once_before_the_first_entries() {
        let entries: Vec<Found> = (0..3).map(|n| found("acme/c-1", n, 0)).collect();
        let on_its_way = [journaled("a", 1)];
        let mut page = Page::new(2, &[]);
        let took = page.take("acme/c-1", &lasted(), Marks::default(), &on_its_way, &entries, None).unwrap();
        let Took::UpTo(order) = took else { panic!("{took:?}") };
        let value = serde_json::to_value(page.finish(&BTreeSet::new())).unwrap();
        let told = value[0]["entries"].as_array().unwrap();
        assert_eq!(
            told[0],
            json!({ "journal": true, "receivedAt": "2026-03-02T14:31:00.000Z", "entry": { "x": "\"" } })
        );
        assert_eq!((told.len(), told[1].get("journal"), value[0]["continues"].as_bool()), (3, None, Some(true)));
        let mut page = Page::new(2, &[]);
        page.take("acme/c-1", &lasted(), Marks::default(), &on_its_way, &entries, Some(&order)).unwrap();
        assert_eq!(page.finish(&BTreeSet::new())[0].entries(), 1, "the next page does not tell it again");
    }

    #[test]
    fn what_is_on_its_way_goes_to_the_next_page_whole_and_an_empty_one_takes_it() {
        let many: Vec<Journaled> = ["a", "b", "c"].map(|id| journaled(id, 1_000)).to_vec();
        let mut page = Page::within(10, 8_000);
        let small = [found("acme/c-1", 0, 0)];
        assert_eq!(page.take("acme/c-1", &lasted(), Marks::default(), &[], &small, None).unwrap(), Took::Whole);
        let second = |page: &mut Page| page.take("acme/c-2", &lasted(), Marks::default(), &many, &[], None).unwrap();
        assert_eq!((second(&mut page), page.room()), (Took::Nothing, 0));
        let mut next = Page::within(10, 8_000);
        assert_eq!((second(&mut next), next.finish(&BTreeSet::new())[0].entries()), (Took::Whole, 3));
    }

    #[test]
    fn what_an_entry_holds_sealed_is_closed_or_destroyed_by_party() {
        let both = r#"[{"b":"AAAA","k":0,"p":"customer"},{"b":"AAAA","k":1,"p":"agent"}]"#;
        let entries = [
            found("acme/c-1", 0, 2),
            sealed_found("acme/c-1", 1, 2, r#"["a","b"]"#, both),
            // The act of an erasure.
            sealed_found("acme/c-1", 2, 2, r#"["a"]"#, "[]"),
            sealed_found("acme/c-1", 3, 2, r#"["c"]"#, r#"[{"b":"AAAA","k":0,"p":"joint"}]"#),
        ];
        for (destroyed, customer, agent, joint) in [
            (&[][..], "closed", "closed", "closed"),
            (&["a"], "destroyed", "closed", "closed"),
            (&["a", "b"], "destroyed", "destroyed", "closed"),
            (&["a", "b", "c"], "destroyed", "destroyed", "destroyed"),
        ] {
            let mut page = Page::new(10, &[]);
            assert_eq!(page.take("acme/c-1", &lasted(), Marks::default(), &[], &entries, None).unwrap(), Took::Whole);
            assert!(page.key_ids().into_iter().eq(["a", "b", "c"]));
            let destroyed = destroyed.iter().map(|id| (*id).to_owned()).collect();
            let value = serde_json::to_value(page.finish(&destroyed)).unwrap();
            let told = value[0]["entries"].as_array().unwrap().iter().map(|entry| entry.get("sealed").cloned());
            let both = json!({ "customer": customer, "agent": agent });
            assert_eq!(told.collect::<Vec<_>>(), [None, Some(both), None, Some(json!({ "joint": joint }))]);
        }
    }

    #[test]
    fn the_names_of_the_orgs_take_their_bytes_of_the_page() {
        let orgs: Vec<String> = (0..1_000).map(|n| format!("{n:064}")).collect();
        let written = serde_json::value::to_raw_value(&orgs).unwrap();
        // The list's brackets and the comma that its last name lacks.
        assert_eq!(PAGE_BYTES - Page::new(1, &orgs).bytes_left, escaped_bytes(written.get()) - 2 + 1);
        assert_eq!(Page::new(1, &[]).bytes_left, PAGE_BYTES);
    }

    #[test]
    fn a_record_goes_on_where_the_page_before_left_it() {
        let records = [("acme/c-1".to_owned(), (0..5).map(|n| found("acme/c-1", n, 0)).collect())];
        let pages = all_pages(&records, 2, PAGE_BYTES);
        let marks: Vec<_> = pages
            .iter()
            .map(|page| (page[0].entries(), page[0].marks().continued, page[0].marks().continues))
            .collect();
        assert_eq!(marks, [(2, false, true), (2, true, true), (1, true, false)]);
    }

    #[test]
    fn faults_are_counted_and_the_first_hundred_named() {
        let mut reads = Reads::default();
        reads.note(None);
        (0..150).for_each(|_| reads.note(Some(Fault::of_head(&log()))));
        assert_eq!((reads.asked, reads.answered, reads.failed, reads.failures.len()), (151, 1, 150, MAX_FAULTS));
    }

    proptest! {
        #[test]
        fn every_entry_is_given_once_in_order_and_pages_keep_their_bounds(
            sizes in prop::collection::vec(prop::collection::vec(0usize..3_000, 0..9), 0..12),
            page_size in 1usize..12,
        ) {
            let bytes = 8_000;
            let three_ids = r#"["a","b","c"]"#;
            let three_blocks = r#"[{"b":"","k":0,"p":"customer"},{"b":"","k":1,"p":"joint"},{"b":"","k":2,"p":"agent"}]"#;
            let records: Vec<(String, Vec<Found>)> = sizes.iter().enumerate().map(|(at, sizes)| {
                let key = format!("acme/c-{at:02}");
                let of = |(n, size): (usize, &usize)| {
                    let (ids, blocks) = if size % 2 == 0 { (three_ids, three_blocks) } else { ("[]", "[]") };
                    sealed_found(&key, n as u64, *size, ids, blocks)
                };
                let entries = sizes.iter().enumerate().map(of).collect();
                (key, entries)
            }).collect();
            let pages = all_pages(&records, page_size, bytes);
            let mut given = Vec::new();
            for page in &pages {
                prop_assert!(page.iter().map(|one| one.entries().max(1)).sum::<usize>() <= page_size);
                let body = serde_json::to_string(page).unwrap();
                let single = page.len() == 1 && page[0].entries() == 1;
                prop_assert!(single || escaped_bytes(&body) <= bytes + 2, "{} bytes", escaped_bytes(&body));
                for one in page {
                    let id = one.interaction_id.clone().unwrap();
                    given.extend(one.entries.iter().map(|entry| {
                        let entry: Value = serde_json::to_value(entry).unwrap();
                        (format!("acme/{id}"), entry["entry"]["n"].as_u64().unwrap())
                    }));
                }
            }
            let wanted: Vec<_> = records.iter()
                .flat_map(|(key, entries)| entries.iter().map(move |one| (key.clone(), one.order.index))).collect();
            prop_assert_eq!(given, wanted);
            let named: std::collections::BTreeSet<_> = pages.iter().flatten().map(|one| one.interaction_id.clone()).collect();
            prop_assert_eq!(named.len(), records.len());
        }
    }
}
