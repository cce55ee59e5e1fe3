//! One log from its first entry, or from a trusted checkpoint, to its end.
//!
//! Invariant: entries pass once, in order; at each size that somebody vouches for, the root is compared before the next
//! entry is looked at.

use std::collections::{HashMap, HashSet};

use super::comparing::{Comparing, Settled, hashes_of};
use super::evidence::{Evidence, EvidenceFault, HeadRow, ObjectVersion};
use super::finding_log::head_row;
use super::findings::{Finding, FindingKind};
use super::inventory::Inventory;
use super::jobs::{self, Done, Job};
use super::notes::{Keys, claimed_size};
use super::postings::{Differing, Stored};
use super::reader::{Act, Scratch, SegmentReader, read_listed};
use super::{LogReport, Options, Progress, chain, workers};
use crate::checkpoint::{Checkpoint, archive_key, live_key};
use crate::log::LogId;
use crate::tile::FULL_WIDTH;
use crate::tree::Hash;

/// What verification of one log works with.
pub(super) struct Scope<'a, E: ?Sized> {
    pub(super) evidence: &'a E,
    pub(super) log: &'a LogId,
    pub(super) inventory: &'a Inventory,
    pub(super) options: &'a Options,
    /// The head, if heads are part of the evidence and this log has one.
    pub(super) head: Option<&'a HeadRow>,
    pub(super) heads_are_given: bool,
    /// Checkpoints of this log that the caller trusts.
    pub(super) trusted: Vec<Checkpoint>,
    /// Notes that witnesses cosigned.
    pub(super) cosigned: Vec<&'a str>,
    /// How old a quorum's cosignatures may be.
    pub(super) witnessed_within_s: Option<u64>,
    /// Digests of segments that stand at several places: in which logs.
    pub(super) copies: &'a HashMap<u64, Vec<LogId>>,
}

/// Something to compare when the log has a certain size; in this order, if several have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Watch {
    /// A checkpoint that the caller trusts.
    Trusted(usize),
    /// An archived checkpoint.
    Archived(usize),
    /// A version of the live one.
    Live(usize),
    /// A cosigned one.
    Cosigned(usize),
    /// The head.
    Head,
    /// The end of the last segment.
    End,
}

/// Verifies one log.
pub(super) fn check<E: Evidence + ?Sized>(
    scope: &Scope<'_, E>,
    keys: Keys,
    postings: &mut Option<Stored>,
    found: &mut Found,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<LogReport, EvidenceFault> {
    let mut check = Check::new(scope, keys);
    let looked = look_through(&mut check, postings, &mut found.differing, progress);
    // What was found before a fault stays found.
    found.findings.append(&mut check.findings);
    found.findings.append(&mut check.tree.findings);
    looked.map(|()| check.report)
}

/// What the logs gave together.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) findings: Vec<Finding>,
    pub(super) differing: Vec<Differing>,
}

fn look_through<E: Evidence + ?Sized>(
    check: &mut Check<'_, E>,
    postings: &mut Option<Stored>,
    differing: &mut Vec<Differing>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), EvidenceFault> {
    let scope = check.scope;
    check.read_live()?;
    check.arrange(postings.as_ref())?;
    check.begin()?;
    let jobs = jobs::plan(scope.inventory, &check.chain, check.start, check.claimed_end());
    let total = jobs.last().map_or(check.start, |job| job.to);
    let hasher = postings.as_ref().map(Stored::hasher);
    let reader = SegmentReader { evidence: scope.evidence, log: scope.log, hasher: hasher.as_deref() };
    workers::in_order(
        scope.options.threads,
        &jobs,
        |scratch: &mut Scratch, job| jobs::run(&reader, scope.inventory, scratch, job),
        |job, done| {
            check.take(job, done, postings, differing)?;
            progress(Progress { log: scope.log, done: job.to, total, events: check.events });
            Ok(())
        },
    )?;
    check.finish()
}

pub(super) struct Check<'a, E: ?Sized> {
    pub(super) scope: &'a Scope<'a, E>,
    pub(super) keys: Keys,
    pub(super) tree: Comparing<'a, E>,
    pub(super) findings: Vec<Finding>,
    pub(super) report: LogReport,
    /// The segments of the log, as places in the inventory.
    pub(super) chain: Vec<usize>,
    /// Those outside it with their leaves.
    pub(super) outside: Vec<(usize, Vec<Hash>)>,
    /// Leaves of segments outside the log, until they are found in it.
    pub(super) strays: HashSet<Hash>,
    /// Entries below it are not read.
    pub(super) start: u64,
    /// The index after the last entry that a segment holds.
    pub(super) end: u64,
    /// Versions of the live checkpoint, by their place in the inventory.
    pub(super) live: Vec<(usize, Vec<u8>)>,
    pub(super) watches: Vec<(u64, Watch)>,
    pub(super) next_watch: usize,
    archived: HashMap<usize, Option<Vec<u8>>>,
    /// The tree cannot be followed: leaves are missing that no tile has.
    pub(super) blind: bool,
    pub(super) acts: Vec<Act>,
    /// The size of the last root that somebody vouched for.
    pub(super) settled: u64,
    /// Signed checkpoints that contradict the entries: key, size, root.
    pub(super) contradicting: Vec<(String, u64, Hash)>,
    pub(super) newest: Option<Checkpoint>,
    /// Entries read so far that source events are behind.
    events: u64,
    /// No key is trusted for this log, which is said once and not of every checkpoint.
    keyless: bool,
}

impl<'a, E: Evidence + ?Sized> Check<'a, E> {
    fn new(scope: &'a Scope<'a, E>, keys: Keys) -> Self {
        Self {
            scope,
            keys,
            tree: Comparing::new(scope.evidence, scope.log, scope.inventory),
            findings: Vec::new(),
            report: LogReport::of(scope.log),
            chain: Vec::new(),
            outside: Vec::new(),
            strays: HashSet::new(),
            start: 0,
            end: 0,
            live: Vec::new(),
            watches: Vec::new(),
            next_watch: 0,
            archived: HashMap::new(),
            blind: false,
            acts: Vec::new(),
            settled: 0,
            contradicting: Vec::new(),
            newest: None,
            events: 0,
            keyless: false,
        }
    }

    /// All versions of the live checkpoint; of a run that begins at a trusted one, the latest alone.
    fn read_live(&mut self) -> Result<(), EvidenceFault> {
        let rows = &self.scope.inventory.live;
        let from = if self.scope.options.incremental { rows.len().saturating_sub(1) } else { 0 };
        for (place, row) in rows.iter().enumerate().skip(from) {
            let version = row.version(live_key(self.scope.log));
            if let Some(bytes) = read_listed(self.scope.evidence, &version, None, &mut self.findings)? {
                self.live.push((place, bytes));
            }
        }
        Ok(())
    }

    /// The largest size that anything claims for the log: where to stop looking for leaves.
    fn claimed_end(&self) -> u64 {
        let scope = self.scope;
        let archived = scope.inventory.archived.last().map_or(0, |row| row.size);
        let live = self.live.iter().filter_map(|(_, note)| claimed_size(note));
        let trusted = scope.trusted.iter().map(Checkpoint::size);
        let head = scope.head.map_or(0, |head| head.size);
        live.chain(trusted).chain([archived, head, self.end]).max().unwrap_or(0)
    }

    /// Which segments are the log, where they leave gaps, and which stand outside.
    fn arrange(&mut self, postings: Option<&Stored>) -> Result<(), EvidenceFault> {
        let scope = self.scope;
        let inventory = scope.inventory;
        // A head says where the log ends; what lies beyond it was not committed, unless something else vouches for it.
        let bound = if scope.head.is_some() { self.claimed_end() } else { u64::MAX };
        let arranged = chain::arrange(&inventory.segments, bound, |place| self.claim(place, postings))?;
        self.chain = arranged.inside;
        let segments = self.chain.iter().map(|place| &inventory.segments[*place]);
        let mut reached = None;
        for segment in segments {
            if let Some(end) = reached.filter(|end| *end < segment.first) {
                let detail = format!("entries {end} to {} are in no segment", segment.first - 1);
                self.findings.push(FindingKind::EntriesMissing.at(self.missing_key(end), Some(end), detail));
            }
            reached = Some(segment.end());
        }
        self.end = reached.unwrap_or(0);
        self.report.segments = self.chain.len() as u64;
        self.keys.begin_at(self.chain.first().map_or(0, |place| inventory.segments[*place].first));
        self.start_at(&arranged.outside);
        let reader = SegmentReader { evidence: scope.evidence, log: scope.log, hasher: None };
        for place in arranged.outside {
            if inventory.segments[place].end() <= self.start {
                continue;
            }
            let read = reader.read(&mut Scratch::default(), &inventory.segments[place])?;
            self.findings.extend(read.findings);
            self.strays.extend(&read.leaves);
            self.outside.push((place, read.leaves));
        }
        Ok(())
    }

    /// What speaks for a contested segment.
    fn claim(&self, place: usize, postings: Option<&Stored>) -> Result<chain::Claim, EvidenceFault> {
        let name = self.scope.inventory.segments[place].name(self.scope.log);
        let named = postings.is_some_and(|stored| stored.names(&name));
        Ok(chain::Claim { known: self.known(place, &name.key())?, named })
    }

    /// How many of a contested segment's entries are known to belong where it puts them: the tiles have their leaves, and
    /// contradict none, or the head names it.
    fn known(&self, place: usize, key: &str) -> Result<u64, EvidenceFault> {
        let (scope, inventory) = (self.scope, self.scope.inventory);
        let segment = &inventory.segments[place];
        if scope.head.is_some_and(|head| head.segments.iter().any(|(named, _)| named == key)) {
            return Ok(segment.count);
        }
        let reader = SegmentReader { evidence: scope.evidence, log: scope.log, hasher: None };
        let leaves = reader.read(&mut Scratch::default(), segment)?.leaves;
        let width = u64::from(FULL_WIDTH);
        let mut known = 0;
        for index in segment.first / width..segment.end().div_ceil(width) {
            let Some(row) = inventory.tile_rows(0, index).last() else { break };
            let version = row.row.version(row.tile.key(scope.log));
            let bytes = read_listed(scope.evidence, &version, None, &mut Vec::new())?;
            let Some(stored) = bytes.as_deref().and_then(|bytes| hashes_of(bytes, row)) else { continue };
            let pairs = (index * width..).zip(&stored).filter(|(at, _)| *at >= segment.first);
            for (at, hash) in pairs.take_while(|(at, _)| *at < segment.end()) {
                if leaves.get((at - segment.first) as usize) != Some(hash) {
                    return Ok(0);
                }
                known += 1;
            }
        }
        Ok(known)
    }

    /// A run that begins at a trusted checkpoint reads from the last segment's end that is not beyond it, nor beyond the
    /// first entry of an outsider that reaches over it: what such an orphan repeats was committed at or after that entry,
    /// since its writer had seen the log so long, and none of it in there.
    fn start_at(&mut self, outside: &[usize]) {
        let mut base = self.scope.trusted.iter().map(Checkpoint::size).max().filter(|_| self.scope.options.incremental);
        let segments = &self.scope.inventory.segments;
        while let Some(reached) = base {
            let ends = self.chain.iter().map(|place| segments[*place].end());
            let start = ends.take_while(|end| *end <= reached).last().unwrap_or(0);
            let outsiders = outside.iter().map(|place| &segments[*place]);
            let straddling = outsiders.filter(|outsider| outsider.first < start && start < outsider.end());
            base = straddling.map(|outsider| outsider.first).min();
            self.start = start;
        }
    }

    /// The tree at the start, and the list of what to compare at which size.
    fn begin(&mut self) -> Result<(), EvidenceFault> {
        if self.start > 0 && !self.tree.restart(self.start)? {
            // Without tiles there is no other way than from the first entry.
            self.start = 0;
            self.tree.restart(0)?;
        }
        let scope = self.scope;
        let mut watches = vec![(self.end, Watch::End)];
        watches.extend(scope.head.map(|head| (head.size, Watch::Head)));
        watches.extend(scope.inventory.archived.iter().enumerate().map(|(at, row)| (row.size, Watch::Archived(at))));
        watches.extend(scope.trusted.iter().enumerate().map(|(at, note)| (note.size(), Watch::Trusted(at))));
        let live = self.live.iter().enumerate();
        watches.extend(live.map(|(at, (_, note))| (claimed_size(note).unwrap_or(0), Watch::Live(at))));
        let cosigned = scope.cosigned.iter().enumerate();
        watches.extend(cosigned.map(|(at, note)| (claimed_size(note.as_bytes()).unwrap_or(0), Watch::Cosigned(at))));
        watches.sort_unstable();
        self.watches = watches;
        self.skip_watches_below(self.start)?;
        self.look()
    }

    /// Passes over sizes to which no entries lead. What the caller relies on is compared by tiles alone, where they can.
    fn skip_watches_below(&mut self, size: u64) -> Result<(), EvidenceFault> {
        while let Some((at, watch)) = self.watches.get(self.next_watch).copied().filter(|(at, _)| *at < size) {
            self.next_watch += 1;
            self.compare_by_tiles(at, watch)?;
        }
        Ok(())
    }

    /// A trusted or cosigned checkpoint of a size to which no entries lead.
    pub(super) fn compare_by_tiles(&mut self, size: u64, watch: Watch) -> Result<(), EvidenceFault> {
        let (named, checkpoint) = match watch {
            Watch::Trusted(at) => ("trusted", Some(self.scope.trusted[at].clone())),
            Watch::Cosigned(at) => {
                let note = self.scope.cosigned[at].as_bytes();
                ("cosigned", self.accept(&live_key(self.scope.log), None, note))
            }
            Watch::Archived(_) | Watch::Live(_) | Watch::Head | Watch::End => return Ok(()),
        };
        let Some(checkpoint) = checkpoint else { return Ok(()) };
        let root = checkpoint.root();
        let (kind, detail) = match self.tree.root_at(size)? {
            Some(by_tiles) if by_tiles == *root => {
                self.note_witnesses(&checkpoint);
                return Ok(());
            }
            Some(by_tiles) => {
                let detail = format!("the {named} root of {size} entries is {root}, the log's tiles give {by_tiles}");
                (FindingKind::LogForked, detail)
            }
            None => {
                let detail = format!("it has {size} entries, and neither segments nor tiles give the log of that size");
                (FindingKind::CheckpointUnverifiable, format!("a {named} checkpoint: {detail}"))
            }
        };
        self.findings.push(kind.at(live_key(self.scope.log), Some(size), detail));
        Ok(())
    }

    /// Remembers the largest checkpoint that enough witnesses cosigned, and since when they have.
    fn note_witnesses(&mut self, checkpoint: &Checkpoint) {
        let Some(since_s) = self.keys.witnessed_at(checkpoint) else { return };
        let before = (self.report.witnessed, self.report.witnessed_at_s.unwrap_or(0));
        if (checkpoint.size(), since_s) > before {
            self.report.witnessed = checkpoint.size();
            self.report.witnessed_at_s = Some(since_s);
        }
    }

    /// Takes the result of one job.
    fn take(
        &mut self,
        job: &Job,
        mut done: Done,
        postings: &mut Option<Stored>,
        differing: &mut Vec<Differing>,
    ) -> Result<(), EvidenceFault> {
        self.findings.append(&mut done.read.findings);
        self.findings.append(&mut done.findings);
        self.archived = done.archived.drain(..).collect();
        if let Some(place) = job.segment {
            self.report.entries += done.own;
            self.report.bytes += done.read.bytes;
            // Of a segment that has more lines than its name says, the rest is no part of the log.
            let event = done.read.newest_event.filter(|entry| *entry < job.to);
            self.report.newest_event = event.or(self.report.newest_event);
            self.events += done.read.events;
            if let Some(stored) = postings {
                differing.extend(self.compare_postings(place, &done, stored));
            }
        }
        // Committed is committed, even where the tree cannot be followed.
        if !self.strays.is_empty() {
            for leaf in &done.leaves {
                self.strays.remove(leaf);
            }
        }
        if self.blind || self.tree.size() != job.from {
            self.skip_watches_below(job.from)?;
            self.blind = !self.tree.restart(job.from)?;
            // The tree stands on the tiles now: of what was read before, only what they have is in it.
            self.forget_acts(|leaf, stored| stored == Some(*leaf))?;
            if !self.blind {
                self.look()?;
            }
        }
        if self.blind {
            // Nor are its acts believed: what they stand in is compared with nothing.
            return Ok(());
        }
        self.note_acts(std::mem::take(&mut done.read.acts));
        for leaf in &done.leaves {
            self.tree.push(*leaf, &done.tiles)?;
            if self.watches.get(self.next_watch).is_some_and(|(size, _)| *size == self.tree.size()) {
                self.look()?;
            }
        }
        self.blind = self.tree.size() < job.to;
        Ok(())
    }

    fn compare_postings(&self, place: usize, done: &Done, stored: &mut Stored) -> Option<Differing> {
        let segment = &self.scope.inventory.segments[place];
        let name = segment.name(self.scope.log);
        if done.own < segment.count {
            // It could not be read whole: that is the finding, not what the index says of it.
            stored.skip(&name);
            return None;
        }
        let optional = match self.scope.head {
            Some(head) => segment.first >= head.indexed,
            None => self.is_recent(segment.row.written_ms),
        };
        let differs = stored.settle(&name, done.read.postings, optional);
        let (log, version) = (self.scope.log.clone(), segment.row.version(name.key()));
        differs.then_some(Differing { log, version, optional })
    }

    /// Compares with everything that is to be compared at this size.
    fn look(&mut self) -> Result<(), EvidenceFault> {
        while let Some((_, watch)) =
            self.watches.get(self.next_watch).copied().filter(|(size, _)| *size == self.tree.size())
        {
            self.next_watch += 1;
            match watch {
                Watch::Archived(place) => {
                    let size = self.scope.inventory.archived[place].size;
                    if let Some(note) = self.archived_note(place)? {
                        self.note(archive_key(self.scope.log, size), Some(size), &note)?;
                    }
                }
                Watch::Live(at) => {
                    let note = std::mem::take(&mut self.live[at].1);
                    self.note(live_key(self.scope.log), None, &note)?;
                    self.live[at].1 = note;
                }
                Watch::Trusted(at) => self.trusted(at)?,
                Watch::Cosigned(at) => self.cosigned(at)?,
                Watch::Head => self.head()?,
                Watch::End => self.report.root = self.tree.root().hex(),
            }
        }
        Ok(())
    }

    /// An archived checkpoint's bytes: read ahead by the job that it lies in, or now.
    pub(super) fn archived_note(&mut self, place: usize) -> Result<Option<Vec<u8>>, EvidenceFault> {
        if let Some(note) = self.archived.remove(&place) {
            return Ok(note);
        }
        let row = &self.scope.inventory.archived[place];
        let version: ObjectVersion = row.row.version(archive_key(self.scope.log, row.size));
        read_listed(self.scope.evidence, &version, None, &mut self.findings)
    }

    /// A note's checkpoint, if it is one of this log under an accepted key and of the size that it is named for.
    pub(super) fn accept(&mut self, key: &str, named: Option<u64>, note: &[u8]) -> Option<Checkpoint> {
        if self.keys.are_none() {
            if !self.keyless {
                let detail = "no key that is trusted is named like an origin of this log";
                self.findings.push(FindingKind::CheckpointUnsigned.at(live_key(self.scope.log), None, detail));
            }
            self.keyless = true;
            return None;
        }
        let (kind, detail) = match self.keys.check(self.scope.log, note) {
            Ok(checkpoint) if named.is_some_and(|size| size != checkpoint.size()) => {
                (FindingKind::CheckpointMisnamed, format!("it is for a log of {} entries", checkpoint.size()))
            }
            // Before its root is looked at: what a retired key says of the log is nothing to compare entries with.
            Ok(checkpoint) => match self.keys.retired(&checkpoint) {
                None => return Some(checkpoint),
                Some(detail) => (FindingKind::CheckpointRetiredKey, detail),
            },
            Err(refused) => refused,
        };
        self.findings.push(kind.at(key, named, detail));
        None
    }

    fn note(&mut self, key: String, named: Option<u64>, note: &[u8]) -> Result<(), EvidenceFault> {
        let Some(checkpoint) = self.accept(&key, named, note) else { return Ok(()) };
        if !self.vouched(checkpoint.root())? {
            self.contradicting.push((key, checkpoint.size(), *checkpoint.root()));
            return Ok(());
        }
        self.report.checkpoints += u64::from(named.is_some());
        self.report.signed = self.report.signed.max(checkpoint.size());
        self.keys.signed(&checkpoint);
        self.keys.cover(checkpoint.size())?;
        self.note_witnesses(&checkpoint);
        self.newest = Some(checkpoint);
        Ok(())
    }

    /// Whether the log has this root now, by its entries or by its tiles; settles who is to blame where they differ.
    fn vouched(&mut self, root: &Hash) -> Result<bool, EvidenceFault> {
        match self.tree.settle(root)? {
            Settled::Entries(disagreements) => self.blame_tiles(disagreements),
            Settled::Tiles(disagreements) => {
                self.blame_entries(disagreements);
                // Where no tile is, the entry itself is what was signed.
                self.forget_acts(|leaf, stored| stored.is_none_or(|stored| stored == *leaf))?;
            }
            Settled::Neither => return Ok(false),
        }
        self.settled = self.tree.size();
        Ok(true)
    }

    fn trusted(&mut self, at: usize) -> Result<(), EvidenceFault> {
        let (size, root) = (self.scope.trusted[at].size(), *self.scope.trusted[at].root());
        if !self.vouched(&root)? {
            let detail = format!("the trusted root of {size} entries is {root}, the log's is {}", self.tree.root());
            self.findings.push(FindingKind::LogForked.at(live_key(self.scope.log), Some(size), detail));
        } else {
            self.keys.signed(&self.scope.trusted[at]);
        }
        Ok(())
    }

    fn cosigned(&mut self, at: usize) -> Result<(), EvidenceFault> {
        let note = self.scope.cosigned[at];
        let Some(checkpoint) = self.accept(&live_key(self.scope.log), None, note.as_bytes()) else { return Ok(()) };
        if !self.vouched(checkpoint.root())? {
            let (size, root) = (checkpoint.size(), checkpoint.root());
            let detail = format!("the cosigned root of {size} entries is {root}, the log's is {}", self.tree.root());
            self.findings.push(FindingKind::LogForked.at(live_key(self.scope.log), Some(size), detail));
        } else {
            self.note_witnesses(&checkpoint);
        }
        Ok(())
    }

    fn head(&mut self) -> Result<(), EvidenceFault> {
        let Some(head) = self.scope.head else { return Ok(()) };
        if head.root != self.tree.root() && self.tree.root_by_tiles()? != head.root {
            let detail = format!("its root is {}, the entries give {}", head.root, self.tree.root());
            self.findings.push(FindingKind::HeadForked.at(self.head_key(), Some(head.size), detail));
        }
        Ok(())
    }

    pub(super) fn head_key(&self) -> String {
        head_row(self.scope.log)
    }

    /// How the name of a segment that begins here would begin.
    pub(super) fn missing_key(&self, first: u64) -> String {
        format!("{}{first:020}", crate::segment::folder(self.scope.log))
    }

    /// Whether something was written so lately that what follows it may still be on its way.
    pub(super) fn is_recent(&self, written_ms: u64) -> bool {
        self.is_within(written_ms, GRACE_MS)
    }

    pub(super) fn is_within(&self, written_ms: u64, span_ms: u64) -> bool {
        written_ms.abs_diff(self.scope.options.now_ms) < span_ms
    }
}

/// What a crash leaves is finished by the sweep within minutes; an hour is what it takes to be sure that nobody will.
pub(super) const GRACE_MS: u64 = 60 * 60 * 1000;
