//! The listing, sorted by what each object is: per log its segments, tiles and checkpoints.
//!
//! Invariant: every listed version ends either in an inventory or in a finding. Of a key that is written once, the oldest
//! version is the evidence: whatever came later came over it. Rows are small, as there are as many as objects.

use std::collections::BTreeMap;

use super::evidence::{Evidence, EvidenceFault, ObjectVersion};
use super::findings::{Finding, FindingKind};
use super::{LockRule, Options};
use crate::checkpoint::{archive_key, live_key};
use crate::lock::{Lock, LockMode};
use crate::log::LogId;
use crate::segment::SegmentName;
use crate::tile::{FULL_WIDTH, HEIGHT, LEVELS, MAX_TREE_SIZE, Tile};

/// One version, without its key.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    version_id: Box<str>,
    is_latest: bool,
    bytes: u64,
    lock: Option<Lock>,
    pub(crate) written_ms: u64,
}

impl Row {
    /// The version again, to be read.
    pub(crate) fn version(&self, key: String) -> ObjectVersion {
        ObjectVersion {
            key,
            version_id: self.version_id.to_string(),
            is_latest: self.is_latest,
            is_delete_marker: false,
            bytes: self.bytes,
            lock: self.lock,
            legal_hold: false,
            last_modified_ms: self.written_ms,
        }
    }

    pub(crate) fn version_id(&self) -> &str {
        &self.version_id
    }
}

/// A segment by its name.
#[derive(Debug, Clone)]
pub(crate) struct SegmentRow {
    pub(crate) first: u64,
    pub(crate) count: u64,
    digest: u64,
    pub(crate) row: Row,
}

impl SegmentRow {
    pub(crate) fn end(&self) -> u64 {
        self.first.saturating_add(self.count)
    }

    /// The first eight bytes of the object's SHA-256, as the name says.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn name(&self, log: &LogId) -> SegmentName {
        SegmentName { log: log.clone(), first: self.first, count: self.count, digest: format!("{:016x}", self.digest) }
    }
}

/// A tile by its name; a full one has a width of 256.
#[derive(Debug, Clone)]
pub(crate) struct TileRow {
    pub(crate) tile: Tile,
    pub(crate) row: Row,
}

/// An archived checkpoint by the size in its name.
#[derive(Debug, Clone)]
pub(crate) struct ArchivedRow {
    pub(crate) size: u64,
    pub(crate) row: Row,
}

/// What lies in one log's folder.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inventory {
    /// By first index.
    pub(crate) segments: Vec<SegmentRow>,
    /// By level, index and width.
    pub(crate) tiles: Vec<TileRow>,
    /// By size.
    pub(crate) archived: Vec<ArchivedRow>,
    /// Versions of the live checkpoint, the oldest first.
    pub(crate) live: Vec<Row>,
}

impl Inventory {
    /// All stored versions of one tile, the narrowest first.
    pub(crate) fn tile_rows(&self, level: u8, index: u64) -> &[TileRow] {
        let start = self.tiles.partition_point(|tile| (tile.tile.level(), tile.tile.index()) < (level, index));
        let end = self.tiles.partition_point(|tile| (tile.tile.level(), tile.tile.index()) <= (level, index));
        &self.tiles[start..end]
    }
}

/// All logs that the options ask for, and what is wrong already with the listing.
pub(crate) fn list(
    evidence: &(impl Evidence + ?Sized),
    options: &Options,
) -> Result<(BTreeMap<LogId, Inventory>, Vec<Finding>), EvidenceFault> {
    let mut logs: BTreeMap<LogId, Inventory> = BTreeMap::new();
    let mut findings = Vec::new();
    evidence.versions(&mut |version| {
        let Some((log, place)) = Place::parse(&version.key) else {
            let detail = format!("version {}: the ledger has no such name", version.version_id);
            findings.push(FindingKind::ForeignObject.at(version.key, None, detail));
            return;
        };
        if !options.logs.is_empty() && !options.logs.contains(&log) {
            return;
        }
        if version.is_delete_marker {
            // A partial tile is made to be overwritten and expires by the bucket's lifecycle, which leaves markers.
            if !matches!(place, Place::Tile(tile) if !tile.is_full()) {
                let detail = format!("delete marker {}", version.version_id);
                findings.push(FindingKind::DeleteMarker.at(version.key, place.entry(), detail));
            }
            // The log exists, even if nothing but markers is left of it.
            logs.entry(log).or_default();
            return;
        }
        logs.entry(log).or_default().add(place, version);
    })?;
    for (log, inventory) in &mut logs {
        inventory.settle(log, options, &mut findings);
    }
    Ok((logs, findings))
}

impl Inventory {
    fn add(&mut self, place: Place, version: ObjectVersion) {
        let row = Row {
            version_id: version.version_id.into_boxed_str(),
            is_latest: version.is_latest,
            bytes: version.bytes,
            lock: version.lock,
            written_ms: version.last_modified_ms,
        };
        match place {
            Place::Segment(first, count, digest) => self.segments.push(SegmentRow { first, count, digest, row }),
            Place::Tile(tile) => self.tiles.push(TileRow { tile, row }),
            Place::Archived(size) => self.archived.push(ArchivedRow { size, row }),
            Place::Live => self.live.push(row),
        }
    }

    /// Sorts, keeps the oldest version of what is written once, and looks at locks.
    fn settle(&mut self, log: &LogId, options: &Options, findings: &mut Vec<Finding>) {
        // Of what is written once the oldest counts; a file that no list dates is younger than all.
        let age = |row: &Row| (row.written_ms, u64::from(row.is_latest));
        // Of what is replaced the latest is the youngest, whatever a clock that was set back says.
        let turn = |row: &Row| (u64::from(row.is_latest), row.written_ms);
        self.segments.shrink_to_fit();
        self.tiles.shrink_to_fit();
        self.archived.shrink_to_fit();
        self.live.sort_unstable_by_key(turn);
        self.segments.sort_unstable_by_key(|segment| (segment.first, segment.count, segment.digest, age(&segment.row)));
        self.segments.dedup_by(|later, kept| {
            let again = (later.first, later.count, later.digest) == (kept.first, kept.count, kept.digest);
            if again {
                findings.push(extra(later.name(log).key(), Some(later.first), &later.row, &kept.row));
            }
            again
        });
        self.tiles.sort_unstable_by_key(|row| {
            let order = if row.tile.is_full() { age(&row.row) } else { turn(&row.row) };
            (row.tile.level(), row.tile.index(), row.tile.width(), order)
        });
        self.tiles.dedup_by(|later, kept| {
            let again = later.tile.is_full() && later.tile == kept.tile;
            if again {
                findings.push(extra(later.tile.key(log), None, &later.row, &kept.row));
            }
            again
        });
        self.archived.sort_unstable_by_key(|checkpoint| (checkpoint.size, age(&checkpoint.row)));
        self.archived.dedup_by(|later, kept| {
            let again = later.size == kept.size;
            if again {
                findings.push(extra(archive_key(log, later.size), None, &later.row, &kept.row));
            }
            again
        });
        let mut check = |row: &Row, key: &dyn Fn() -> String, entry| {
            if let Some((kind, detail)) = lock_fault(log, row, options) {
                findings.push(kind.at(key(), entry, format!("version {}{detail}", row.version_id())));
            }
        };
        for segment in &self.segments {
            check(&segment.row, &|| segment.name(log).key(), Some(segment.first));
        }
        for row in self.tiles.iter().filter(|row| row.tile.is_full()) {
            check(&row.row, &|| row.tile.key(log), None);
        }
        for checkpoint in &self.archived {
            check(&checkpoint.row, &|| archive_key(log, checkpoint.size), None);
        }
    }
}

fn extra(key: String, entry: Option<u64>, later: &Row, kept: &Row) -> Finding {
    let detail = format!("version {} was written over version {}", later.version_id, kept.version_id);
    FindingKind::ExtraVersion.at(key, entry, detail)
}

/// What is wrong with a version's lock, if anything is.
fn lock_fault(log: &LogId, row: &Row, options: &Options) -> Option<(FindingKind, String)> {
    let missing = (FindingKind::LockMissing, " has no lock".to_owned());
    let policy = match &options.locks {
        LockRule::Ignore => return None,
        LockRule::Present => return row.lock.is_none().then_some(missing),
        LockRule::AtLeast(policy) => policy,
    };
    let wanted = policy.lacking(log, row.lock, row.written_ms, options.now_ms)?;
    let Some(held) = row.lock else { return Some(missing) };
    if held.mode < wanted.mode {
        return Some((FindingKind::LockTooWeak, format!(" is locked in {} mode", mode_name(held.mode))));
    }
    let short_days = wanted.retain_until_s.saturating_sub(held.retain_until_s).div_ceil(DAY_S);
    let days = policy.classes.days(log);
    Some((FindingKind::LockTooShort, format!(": its lock ends {short_days} days before {days} days are over")))
}

fn mode_name(mode: LockMode) -> &'static str {
    match mode {
        LockMode::Governance => "governance",
        LockMode::Compliance => "compliance",
    }
}

/// Whether an object of the ledger has this key.
pub(super) fn is_key(key: &str) -> bool {
    Place::parse(key).is_some()
}

/// What a key names inside its log.
enum Place {
    /// First index, count, digest.
    Segment(u64, u64, u64),
    Tile(Tile),
    Archived(u64),
    Live,
}

impl Place {
    /// Places beyond the largest tree are nobody's: below it no index or size overflows.
    fn parse(key: &str) -> Option<(LogId, Self)> {
        if let Some(name) = SegmentName::parse(key) {
            name.first.checked_add(name.count).filter(|end| *end <= MAX_TREE_SIZE)?;
            let digest = u64::from_str_radix(&name.digest, 16).ok()?;
            return Some((name.log, Self::Segment(name.first, name.count, digest)));
        }
        let path = key.strip_prefix(ROOT)?;
        let log_length = path.match_indices('/').nth(3)?.0;
        let log = LogId::parse(&path[..log_length]).ok()?;
        let rest = &path[log_length + 1..];
        let place = if rest == LIVE {
            Self::Live
        } else if let Some(size) = rest.strip_prefix(ARCHIVE) {
            Self::Archived(size.parse().ok().filter(|size| *size <= MAX_TREE_SIZE)?)
        } else {
            Self::Tile(Tile::parse_key(key).filter(|(_, tile)| is_in_a_tree(tile))?.1)
        };
        // Writing the key again catches every other spelling.
        (place.key(&log) == key).then_some((log, place))
    }

    fn key(&self, log: &LogId) -> String {
        match *self {
            Self::Segment(first, count, digest) => {
                SegmentName { log: log.clone(), first, count, digest: format!("{digest:016x}") }.key()
            }
            Self::Tile(tile) => tile.key(log),
            Self::Archived(size) => archive_key(log, size),
            Self::Live => live_key(log),
        }
    }

    fn entry(&self) -> Option<u64> {
        match self {
            Self::Segment(first, ..) => Some(*first),
            _ => None,
        }
    }
}

/// Whether a tree of the largest size has this tile.
fn is_in_a_tree(tile: &Tile) -> bool {
    tile.level() < LEVELS && tile.index() <= (MAX_TREE_SIZE >> (HEIGHT * tile.level())) / u64::from(FULL_WIDTH)
}

const ROOT: &str = "ledger/";
const LIVE: &str = "checkpoint";
const ARCHIVE: &str = "checkpoints/";
const DAY_S: u64 = 24 * 60 * 60;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn segment(first: u64, count: u64) -> SegmentRow {
        let row = Row { version_id: "v".into(), is_latest: true, bytes: 1, lock: None, written_ms: 1 };
        SegmentRow { first, count, digest: 7, row }
    }

    #[test]
    fn every_key_has_one_spelling() {
        for key in [
            "ledger/acme/interaction/1/0/checkpoint",
            "ledger/acme/interaction/1/0/checkpoints/00000000000000000100",
            "ledger/acme/interaction/1/0/tile/0/000",
            "ledger/acme/interaction/1/0/tile/1/x001/x234/067.p/8",
            "ledger/acme/interaction/1/0/segment/00000000000000000000-5-0123456789abcdef.jsonl.gz",
        ] {
            let (log, place) = Place::parse(key).unwrap();
            assert_eq!(place.key(&log), key);
        }
        for key in [
            "ledger/acme/interaction/1/0/checkpoint/",
            "ledger/acme/interaction/1/0/checkpoints/100",
            "ledger/acme/interaction/1/0/tile/0/1",
            "ledger/acme/interaction/1/0/tile/00/001",
            "ledger/acme/interaction/1/0/tile/0/x000/001",
            "ledger/acme/interaction/1/0/tile/0/001.p/256",
            "ledger/acme/interaction/1/0/tile/0/001.p/0",
            "ledger/acme/interaction/1/0/tile/9/001",
            "ledger/acme/interaction/1/0/tile/0/x281/x474/x976/x710/657",
            "ledger/acme/interaction/1/0/tile/6/001",
            "ledger/acme/interaction/1/0/checkpoints/18446744073709551615",
            "ledger/acme/interaction/1/0/segment/18446744073709551000-5-0123456789abcdef.jsonl.gz",
            "ledger/acme/interaction/1/0/notes.txt",
            "ledger/acme/interaction/1/0/segment/18446744073709551615-5-0123456789abcdef.jsonl.gz",
            "ledger/acme/interaction/checkpoint",
            "other/acme/interaction/1/0/checkpoint",
        ] {
            assert!(Place::parse(key).is_none(), "{key}");
        }
    }
}
