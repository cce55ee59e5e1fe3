//! Derives everything again from what the stores hold, and names every contradiction: leaves, edge and root of each log
//! from its segments, markers against plans, postings against entries, counts against markers, tiles and checkpoints
//! against leaves, locks, orphans; what is sealed is opened, by keys that the product cannot open.
//!
//! It trusts nothing that the product computed; only the format readers of `ledgerline_ledger` and `ledgerline_lake` are
//! shared with it.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_event::catalogue::built_in;
use ledgerline_lake::keys;
use ledgerline_lake::keys::PlanOf;
use ledgerline_lake::plan::Header;
use ledgerline_ledger::acts::is_act;
use ledgerline_ledger::append::Marker;
use ledgerline_ledger::chunk::ChunkId;
use ledgerline_ledger::entry::{Entry, Line, Record};
use ledgerline_ledger::head::Head;
use ledgerline_ledger::lock::Lock;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::posting::{Posting, postings};
use ledgerline_ledger::segment::{Segment, SegmentName};
use ledgerline_ledger::tree::{Edge, leaf_hash};
use ledgerline_privacy::pseudonym::is_alias;

mod derived;

use crate::bucket::{FakeBucket, Version};
use crate::opener::Opener;
use crate::table::FakeTable;

/// The type of the entity that an act about a log itself is about.
const LOG: &str = "log";

/// The stores to look at.
#[derive(Debug, Clone, Copy)]
pub struct Stores<'a> {
    /// Heads, markers, counts.
    pub control: &'a FakeTable,
    /// Segments.
    pub ledger: &'a FakeBucket,
    /// Postings.
    pub index: &'a FakeTable,
    /// Plans.
    pub staged: &'a FakeBucket,
    /// Wrapped keys; `None`: entries are sealed by nobody, and their blocks are noise.
    pub keys: Option<&'a FakeTable>,
    /// What every lock must cover.
    pub lock: Lock,
    /// The deployment's id, with which every log's origin begins.
    pub deployment: &'a str,
    /// The public keys that checkpoints must verify by, oldest first: a later size is never signed by an earlier one.
    pub public_keys: &'a [[u8; 32]],
}

/// What was found where all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Found {
    /// Committed entries.
    pub entries: u64,
    /// Committed segments.
    pub segments: usize,
    /// Committed chunks.
    pub chunks: usize,
    /// Chunks that plans hold and no log has.
    pub open_chunks: usize,
    /// Segments that no log has, and whose entries are all committed elsewhere.
    pub orphans: usize,
    /// Entries that are in tiles.
    pub published: u64,
    /// Entries that the newest known checkpoints cover.
    pub signed: u64,
    /// Archived checkpoints.
    pub checkpoints: usize,
}

/// Checks all stores against each other.
///
/// # Errors
/// Every contradiction, in words.
pub fn check_everything(stores: &Stores<'_>) -> Result<Found, Vec<String>> {
    let (lines, events) = (BTreeMap::new(), BTreeSet::new());
    let mut check = Check { stores, found: Found::default(), problems: Vec::new(), lines, events };
    let mut committed = BTreeSet::new();
    let mut markers = BTreeMap::new();
    for log in stores.control.logs() {
        let log_markers = stores.control.all_markers(&log);
        committed.extend(log_markers.iter().map(|marker| marker.segment.clone()));
        check.log(&log, &log_markers);
        markers.insert(log, log_markers);
    }
    check.plans(&markers);
    check.counts(&markers);
    check.orphans(&committed);
    check.strangers();
    check.sealed();
    if check.problems.is_empty() { Ok(check.found) } else { Err(check.problems) }
}

struct Check<'a> {
    stores: &'a Stores<'a>,
    found: Found,
    problems: Vec<String>,
    /// Committed lines by log.
    lines: BTreeMap<LogId, Vec<String>>,
    /// The ids of committed events.
    events: BTreeSet<String>,
}

impl Check<'_> {
    fn log(&mut self, log: &LogId, markers: &[Marker]) {
        let stored = self.stores.control.stored_head(log);
        let head = match stored.map(|stored| stored.verify(log)) {
            Some(Ok(head)) => head,
            Some(Err(error)) => return self.problem(format!("{log}: {error}")),
            None => return self.problem(format!("{log}: no head")),
        };
        let names: BTreeSet<&str> = markers.iter().map(|marker| marker.segment.as_str()).collect();
        let mut names: Vec<SegmentName> = names.into_iter().filter_map(SegmentName::parse).collect();
        names.sort_by_key(|name| name.first);
        let mut edge = Edge::empty();
        let mut leaves = Vec::new();
        let mut expected_postings = Vec::new();
        for name in &names {
            self.expect(name.log == *log && name.first == edge.size(), || format!("{}: not next in {log}", name.key()));
            let Some((segment, version)) = self.segment(&name.key()) else { continue };
            leaves.extend(segment.lines().map(|line| leaf_hash(line.as_bytes())));
            leaves[edge.size() as usize..].iter().for_each(|leaf| edge.append(*leaf));
            self.entries(log, &segment);
            self.markers_tile(name, markers);
            if name.end() <= head.indexed() {
                expected_postings.extend(postings(&segment, &version.version_id).unwrap_or_default());
            }
            self.found.segments += 1;
        }
        self.expect(edge == *head.edge(), || format!("{log}: the segments' root is not the head's"));
        self.postings(log, &head, expected_postings);
        derived::check(self, log, &head, &leaves);
        self.found.entries += edge.size();
        self.found.chunks += markers.len();
    }

    /// The object of a committed segment: one version, unchanged, locked long enough.
    fn segment(&mut self, key: &str) -> Option<(Segment, Version)> {
        let version = self.evidence(key)?;
        match Segment::read(key, &version.bytes) {
            Ok(segment) => Some((segment, version)),
            Err(error) => {
                self.problem(format!("{key}: {error}"));
                None
            }
        }
    }

    /// A locked object: one version, no delete marker over it, locked long enough.
    fn evidence(&mut self, key: &str) -> Option<Version> {
        let versions = self.stores.ledger.versions(key);
        self.expect(versions.len() == 1, || format!("{key}: {} versions", versions.len()));
        let version = versions.into_iter().next()?;
        let wanted = self.stores.lock;
        let locked = version.lock.is_some_and(|lock| lock.covers(&wanted));
        self.expect(locked && version.tag.is_none(), || format!("{key}: locked too weakly or too shortly, or tagged"));
        Some(version)
    }

    /// Each line is an entry of the log's org; each event is in all logs together once.
    fn entries(&mut self, log: &LogId, segment: &Segment) {
        for line in segment.lines() {
            match Line::check(line) {
                Ok(line) => {
                    let header = line.header();
                    self.expect(header.org == log.org(), || format!("{log}: an entry of another org"));
                    let names_nobody = match &header.record {
                        Record::Entity { kind, id } => kind == LOG || built_in().is_impersonal(kind) || is_alias(id),
                        Record::Interaction(_) => true,
                    };
                    self.expect(names_nobody, || format!("{log}: an entry is about somebody by name"));
                    let is_new = self.events.insert(header.event_id.clone());
                    self.expect(is_new, || format!("{log}: an event is committed twice"));
                }
                Err(error) => self.problem(format!("{log}: {error}")),
            }
        }
        self.lines.entry(log.clone()).or_default().extend(segment.lines().map(str::to_owned));
    }

    fn markers_tile(&mut self, name: &SegmentName, markers: &[Marker]) {
        let key = name.key();
        let mut inside: Vec<&Marker> = markers.iter().filter(|marker| marker.segment == key).collect();
        inside.sort_by_key(|marker| marker.first);
        let mut reached = name.first;
        for marker in inside {
            self.expect(marker.first == reached, || format!("{}: markers overlap or leave a gap", name.key()));
            reached = marker.first + marker.count;
        }
        self.expect(reached == name.end(), || format!("{}: markers do not reach its end", name.key()));
    }

    /// Below `indexed` exactly the postings that follow from the segments; above it, what a repair may have begun.
    fn postings(&mut self, log: &LogId, head: &Head, mut expected: Vec<Posting>) {
        let order = |posting: &Posting| (posting.first, posting.record_key.clone());
        expected.sort_by_key(order);
        let stored = self.stores.index.all_postings(log);
        let (indexed, begun): (Vec<_>, Vec<_>) = stored.into_iter().partition(|row| row.first < head.indexed());
        self.expect(indexed == expected, || format!("{log}: its postings do not follow from its segments"));
        self.expect(begun.iter().all(|row| row.first < head.size()), || format!("{log}: a posting beyond its end"));
    }

    /// Each committed chunk's lines are its plan's lines: acts from where acts' plans lie, and from nowhere else.
    fn plans(&mut self, markers: &BTreeMap<LogId, Vec<Marker>>) {
        let mut seen = BTreeSet::new();
        let mut by_chunk: BTreeMap<&ChunkId, Vec<(&LogId, &Marker)>> = BTreeMap::new();
        for (log, marker) in markers.iter().flat_map(|(log, rows)| rows.iter().map(move |row| (log, row))) {
            by_chunk.entry(&marker.chunk).or_default().push((log, marker));
        }
        for (key, bytes) in self.stores.staged.under(keys::STAGED) {
            let Ok((header, header_bytes)) = Header::read(&bytes) else {
                self.problem(format!("{key}: its header cannot be read"));
                continue;
            };
            let of = keys::parse_staged(&key).map(|(of, _)| of);
            self.expect(of == Some(header.of()), || format!("{key}: a plan in the place of another"));
            for pointer in header.pointers(header_bytes) {
                let log = LogId::parse(&pointer.log).ok();
                let chunk = pointer.chunk_id().expect("a header's pointer");
                let found = by_chunk.get(&chunk).map_or(&[][..], Vec::as_slice);
                let [(found_log, marker)] = found else {
                    self.expect(found.is_empty(), || format!("{key}: chunk {} is committed twice", pointer.ordinal));
                    self.found.open_chunks += 1;
                    continue;
                };
                let range = pointer.offset as usize..(pointer.offset + pointer.length) as usize;
                let planned = bytes.get(range).and_then(|member| pointer.read(member).ok());
                let planned: Vec<&str> = planned.iter().flat_map(|lines| lines.iter()).collect();
                let at = marker.first as usize..(marker.first + marker.count) as usize;
                let committed = self.lines.get(*found_log).and_then(|lines| lines.get(at)).unwrap_or_default();
                let same = log.as_ref() == Some(*found_log) && committed == planned.as_slice();
                let is_act = |line: &String| Entry::read(line.as_bytes()).is_ok_and(|entry| is_act(&entry.event_type));
                let in_place = committed.iter().all(|line| is_act(line) == (of == Some(PlanOf::Acts)));
                self.expect(same, || format!("{key}: chunk {} was not committed as planned", pointer.ordinal));
                self.expect(in_place, || format!("{key}: chunk {} has acts among source events", pointer.ordinal));
                seen.insert(chunk);
            }
        }
        let all: usize = markers.values().map(Vec::len).sum();
        self.expect(seen.len() == all, || "a marker names a chunk that no plan has".to_owned());
    }

    /// The counts of each bronze object's row are those of its markers.
    fn counts(&mut self, markers: &BTreeMap<LogId, Vec<Marker>>) {
        let mut expected: BTreeMap<(PlanOf, String), (u64, BTreeSet<u32>)> = BTreeMap::new();
        for marker in markers.values().flatten() {
            let row = expected.entry((marker.chunk.of, marker.chunk.object.clone())).or_default();
            row.0 += marker.count;
            row.1.insert(marker.chunk.ordinal);
        }
        let rows = self.stores.control.objects();
        let objects: BTreeSet<&(PlanOf, String)> = expected.keys().chain(&rows).collect();
        for named in objects {
            let (of, object) = named;
            let row = self.stores.control.progress(*of, object);
            let wanted = expected.get(named).cloned().unwrap_or_default();
            let counted = (row.committed, row.done) == wanted;
            self.expect(counted, || format!("{of:?} {object}: its counts are not its markers'"));
        }
    }

    /// A segment in no log is benign only if each entry of it is committed.
    fn orphans(&mut self, committed: &BTreeSet<String>) {
        let known: BTreeSet<&str> = self.lines.values().flatten().map(String::as_str).collect();
        let is_benign = |key: &str, version: &Version| {
            Segment::read(key, &version.bytes).is_ok_and(|segment| segment.lines().all(|line| known.contains(line)))
        };
        let orphans: Vec<(String, bool)> = self.stores.ledger.look(|objects| {
            let segments = objects.iter().filter(|(key, _)| SegmentName::parse(key).is_some());
            let orphans = segments.filter(|(key, _)| !committed.contains(*key));
            orphans.map(|(key, found)| (key.clone(), found.iter().all(|version| is_benign(key, version)))).collect()
        });
        for (key, is_benign) in orphans {
            self.expect(is_benign, || format!("{key}: an orphan with entries that no log has"));
            self.found.orphans += 1;
        }
    }

    /// Every object is of a kind that is known, and of a log that has a head.
    fn strangers(&mut self) {
        let folders: Vec<String> = self.stores.control.logs().iter().map(|log| format!("ledger/{log}/")).collect();
        for key in self.stores.ledger.keys("") {
            // An orphan may be all that there is of a log.
            let known = SegmentName::parse(&key).is_some() || folders.iter().any(|folder| key.starts_with(folder));
            self.expect(known, || format!("{key}: of no log"));
        }
    }

    /// Every block of every committed entry opens.
    fn sealed(&mut self) {
        let Some(keys) = self.stores.keys else { return };
        let mut opener = match Opener::of(self.stores.deployment, keys, self.stores.control) {
            Ok(opener) => opener,
            Err(problems) => return self.problems.extend(problems),
        };
        for line in self.lines.values().flatten() {
            let opened = Entry::read(line.as_bytes()).map_err(|error| error.to_string());
            self.problems.extend(opened.and_then(|entry| opener.open(&entry)).err());
        }
    }

    fn expect(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds {
            self.problem(problem());
        }
    }

    fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }
}
