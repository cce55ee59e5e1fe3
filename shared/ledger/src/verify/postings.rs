//! Stored postings against derived ones, in constant memory: a keyed sum per segment first, names only where sums differ.
//!
//! Invariant: the sum does not depend on order, and its keys are drawn again in each run, so that nobody can choose rows
//! whose sum comes out right. Rows of one segment are held only if its sums differ.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher as _, Hash as _, Hasher};
use std::sync::Arc;

use super::Unchecked;
use super::evidence::{Evidence, EvidenceFault, Given};
use super::finding_log::posting_row;
use super::findings::{Finding, FindingKind};
use super::reader::read_listed;
use crate::entry::scan::Scanned;
use crate::log::LogId;
use crate::posting::{Posting, PostingMember, postings, time_of, widen};
use crate::segment::{Segment, SegmentName, folder};

/// Hashes postings under keys of this run.
#[derive(Debug, Default)]
pub(crate) struct PostingHasher {
    left: RandomState,
    right: RandomState,
}

/// The sum over the postings of one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PostingSum {
    left: u64,
    right: u64,
    rows: u64,
}

/// What all postings of a segment have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Common<'a> {
    pub(crate) log: &'a LogId,
    pub(crate) first: u64,
    pub(crate) segment: &'a str,
    pub(crate) version_id: &'a str,
}

/// The rows of one log that are about one segment: its first entry and its name, hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Group {
    first: u64,
    segment: u64,
}

impl PostingHasher {
    fn add(&self, sum: &mut PostingSum, common: Common<'_>, key: &str, times: [&str; 2], members: &[PostingMember]) {
        let hash = |state: &RandomState| {
            let mut hasher = state.build_hasher();
            (common.log.as_str(), common.first, common.segment, common.version_id, key, times).hash(&mut hasher);
            members.len().hash(&mut hasher);
            for member in members {
                (member.offset, member.length, member.first).hash(&mut hasher);
                member.at.hash(&mut hasher);
            }
            hasher.finish()
        };
        sum.left = sum.left.wrapping_add(hash(&self.left));
        sum.right = sum.right.wrapping_add(hash(&self.right));
        sum.rows += 1;
    }

    fn group(&self, first: u64, segment: &str) -> Group {
        Group { first, segment: self.left.hash_one(segment) }
    }
}

/// The postings of one segment while its lines pass.
#[derive(Debug, Default)]
pub(crate) struct Deriving {
    by_record: HashMap<u64, usize>,
    records: Vec<Derived>,
    key: String,
}

#[derive(Debug)]
struct Derived {
    key: String,
    from: String,
    to: String,
    members: Vec<PostingMember>,
}

impl Deriving {
    pub(crate) fn clear(&mut self) {
        self.by_record.clear();
        self.records.clear();
    }

    /// Adds line `at` of the member.
    pub(crate) fn add(&mut self, hasher: &PostingHasher, member: [u64; 3], at: u32, entry: Scanned<'_>) {
        self.key.clear();
        entry.record.write_key(entry.org, &mut self.key);
        let place = *self.by_record.entry(hasher.right.hash_one(&self.key)).or_insert_with(|| {
            self.records.push(Derived {
                key: self.key.clone(),
                from: String::new(),
                to: String::new(),
                members: Vec::new(),
            });
            self.records.len() - 1
        });
        let record = &mut self.records[place];
        widen((&mut record.from, &mut record.to), time_of(entry.event_type, entry.occurred_at));
        let [offset, length, first] = member;
        match record.members.last_mut() {
            Some(last) if last.offset == offset => last.at.push(at),
            _ => record.members.push(PostingMember { offset, length, first, at: vec![at] }),
        }
    }

    /// A member's length is known only once it has been unpacked.
    pub(crate) fn sum(&self, hasher: &PostingHasher, common: Common<'_>) -> PostingSum {
        let mut sum = PostingSum::default();
        for record in &self.records {
            hasher.add(&mut sum, common, &record.key, [&record.from, &record.to], &record.members);
        }
        sum
    }
}

/// The stored postings' sums, by log and segment.
pub(crate) struct Stored {
    hasher: Arc<PostingHasher>,
    sums: HashMap<LogId, HashMap<Group, PostingSum>>,
    /// What is looked at row by row.
    differing: HashMap<LogId, HashSet<Group>>,
}

impl Stored {
    /// Reads all stored postings once; `None` if they are not part of the evidence.
    pub(crate) fn read(
        evidence: &(impl Evidence + ?Sized),
        wanted: impl Fn(&LogId) -> bool,
    ) -> Result<Option<Self>, EvidenceFault> {
        let hasher = Arc::new(PostingHasher::default());
        let mut sums: HashMap<LogId, HashMap<Group, PostingSum>> = HashMap::new();
        let given = evidence.postings(&mut |posting| {
            if !wanted(&posting.log) {
                return;
            }
            if !sums.contains_key(&posting.log) {
                sums.insert(posting.log.clone(), HashMap::new());
            }
            let Some(of_log) = sums.get_mut(&posting.log) else { return };
            let sum = of_log.entry(hasher.group(posting.first, &posting.segment)).or_default();
            let common = common_of(&posting);
            hasher.add(sum, common, &posting.record_key, [&posting.from, &posting.to], &posting.members);
        })?;
        Ok((given == Given::All).then(|| Self { hasher, sums, differing: HashMap::new() }))
    }

    /// The keys of this run, for those who derive.
    pub(crate) fn hasher(&self) -> Arc<PostingHasher> {
        Arc::clone(&self.hasher)
    }

    /// Whether any posting is about this segment.
    pub(crate) fn names(&self, name: &SegmentName) -> bool {
        let group = self.hasher.group(name.first, &name.key());
        self.sums.get(&name.log).is_some_and(|sums| sums.contains_key(&group))
    }

    /// Compares one segment; whether its postings must be looked at row by row. `optional`: rows may be missing yet.
    pub(crate) fn settle(&mut self, name: &SegmentName, derived: PostingSum, optional: bool) -> bool {
        let stored = self.take(name);
        let differs = stored != derived && !(optional && stored.rows == 0);
        if differs {
            let group = self.hasher.group(name.first, &name.key());
            self.differing.entry(name.log.clone()).or_default().insert(group);
        }
        differs
    }

    /// Leaves out a segment that could not be read whole.
    pub(crate) fn skip(&mut self, name: &SegmentName) {
        self.take(name);
    }

    fn take(&mut self, name: &SegmentName) -> PostingSum {
        let group = self.hasher.group(name.first, &name.key());
        self.sums.get_mut(&name.log).and_then(|sums| sums.remove(&group)).unwrap_or_default()
    }

    /// Names every posting that is wrong: of the segments that differ, and of those that no log has. `wanted` says by log
    /// and first entry which rows this run speaks of; the others need no second look. What cannot be seen now leaves those
    /// logs unchecked whose rows are in question, and no other.
    pub(crate) fn findings(
        mut self,
        evidence: &(impl Evidence + ?Sized),
        differing: &[Differing],
        wanted: impl Fn(&LogId, u64) -> bool,
        findings: &mut Vec<Finding>,
        unchecked: &mut Vec<Unchecked>,
    ) {
        for (log, sums) in std::mem::take(&mut self.sums) {
            self.differing.entry(log).or_default().extend(sums.into_keys());
        }
        self.differing.retain(|log, groups| {
            groups.retain(|group| wanted(log, group.first));
            !groups.is_empty()
        });
        if self.differing.is_empty() {
            return;
        }
        let mut stored: HashMap<(LogId, u64, String), Posting> = HashMap::new();
        let mut left_out: BTreeMap<LogId, u64> = BTreeMap::new();
        let listed = evidence.postings(&mut |posting| {
            let group = self.hasher.group(posting.first, &posting.segment);
            if !self.differing.get(&posting.log).is_some_and(|groups| groups.contains(&group)) {
                return;
            }
            if stored.len() == MAX_ROWS {
                *left_out.entry(posting.log).or_default() += 1;
                return;
            }
            let place = (posting.log.clone(), posting.first, posting.record_key.clone());
            // A table has one row of a key; a folder's list can have several.
            if let Some(other) = stored.insert(place, posting) {
                findings.push(finding(FindingKind::PostingExtra, &other));
            }
        });
        if let Err(fault) = listed {
            let fault = Arc::new(fault);
            let logs: BTreeSet<&LogId> = self.differing.keys().collect();
            unchecked.extend(logs.iter().map(|log| Unchecked { log: log.to_string(), fault: Arc::clone(&fault) }));
            return;
        }
        for segment in differing {
            // A segment that cannot be read has findings of its own.
            let bytes = match read_listed(evidence, &segment.version, None, &mut Vec::new()) {
                Ok(bytes) => bytes,
                Err(fault) => {
                    stored.retain(|_, row| row.segment != segment.version.key);
                    if unchecked.iter().all(|known| known.log != segment.log.as_str()) {
                        unchecked.push(Unchecked { log: segment.log.to_string(), fault: Arc::new(fault) });
                    }
                    continue;
                }
            };
            let Some(bytes) = bytes else { continue };
            let Ok(read) = Segment::read(&segment.version.key, &bytes) else { continue };
            for derived in postings(&read, &segment.version.version_id).unwrap_or_default() {
                let place = (derived.log.clone(), derived.first, derived.record_key.clone());
                match stored.remove(&place) {
                    Some(row) if row == derived => {}
                    Some(_) => findings.push(finding(FindingKind::PostingAltered, &derived)),
                    None if segment.optional || left_out.contains_key(&segment.log) => {}
                    None => findings.push(finding(FindingKind::PostingMissing, &derived)),
                }
            }
        }
        // Whatever is wrong with these, it is not passed over.
        findings.extend(left_out.iter().map(|(log, rows)| {
            let detail = format!("{rows} more of its rows are in question than are told one by one");
            FindingKind::PostingAltered.at(folder(log), None, detail)
        }));
        let mut extra: Vec<Posting> = stored.into_values().collect();
        extra.sort_by(|left, right| (left.first, &left.record_key).cmp(&(right.first, &right.record_key)));
        findings.extend(extra.iter().map(|row| finding(FindingKind::PostingExtra, row)));
    }
}

/// A segment whose postings differ.
#[derive(Debug)]
pub(crate) struct Differing {
    pub(crate) log: LogId,
    pub(crate) version: super::evidence::ObjectVersion,
    pub(crate) optional: bool,
}

/// At the row's key; the entry is the first that the row names.
fn finding(kind: FindingKind, posting: &Posting) -> Finding {
    let member = posting.members.first();
    let entry = member.map(|member| member.first + member.at.first().copied().map_or(0, u64::from));
    let key = posting_row(posting);
    kind.at(key, entry, format!("the row is about {}", posting.segment))
}

fn common_of(posting: &Posting) -> Common<'_> {
    Common { log: &posting.log, first: posting.first, segment: &posting.segment, version_id: &posting.version_id }
}

/// Rows kept for naming: beyond it the index is to be rebuilt anyway.
const MAX_ROWS: usize = 20_000;
