//! Leaves against tiles: the tree by the segments, the tree by the stored tiles where they differ, and who is to blame.
//!
//! Invariant: a tile is only a witness. Where leaves and a tile disagree, both trees are followed until a root that
//! somebody vouches for (a signed or trusted checkpoint) tells which one was committed; then both go on from the right one,
//! so that one altered entry does not hide what comes after it.

use std::collections::HashMap;

use super::evidence::{Evidence, EvidenceFault};
use super::findings::{Finding, FindingKind};
use super::inventory::{Inventory, TileRow};
use super::reader::read_listed;
use super::spine::{Spine, TILE_WIDTH, Tile};
use crate::log::LogId;
use crate::tree::Hash;

/// Bytes of tiles that were read ahead, by their place in the inventory.
pub(crate) type TileBytes = HashMap<usize, Option<Vec<u8>>>;

/// A place where leaves and a stored tile disagree, until it is known which is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disagreement {
    /// The stored tile.
    pub(crate) tile: String,
    /// The first entry at which they differ.
    pub(crate) entry: u64,
    /// What happened to the entries, if the tile is right.
    pub(crate) kind: FindingKind,
}

/// The tree while its leaves come in.
pub(crate) struct Comparing<'a, E: ?Sized> {
    evidence: &'a E,
    log: &'a LogId,
    inventory: &'a Inventory,
    /// By the segments' leaves.
    by_entries: Spine,
    /// By the stored tiles, from the first disagreement on.
    by_tiles: Option<Spine>,
    /// Leaves moved up or down: all later tiles differ, too, and say nothing new.
    shifted: bool,
    pub(crate) disagreements: Vec<Disagreement>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) tiles: u64,
}

impl<'a, E: Evidence + ?Sized> Comparing<'a, E> {
    pub(crate) fn new(evidence: &'a E, log: &'a LogId, inventory: &'a Inventory) -> Self {
        Self {
            evidence,
            log,
            inventory,
            by_entries: Spine::default(),
            by_tiles: None,
            shifted: false,
            disagreements: Vec::new(),
            findings: Vec::new(),
            tiles: 0,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.by_entries.size()
    }

    pub(crate) fn root(&self) -> Hash {
        self.by_entries.root()
    }

    /// Starts again at `size`, from stored tiles alone; whether they were all there.
    pub(crate) fn restart(&mut self, size: u64) -> Result<bool, EvidenceFault> {
        let restored = self.restored(size)?;
        self.by_tiles = None;
        let whole = restored.is_some();
        self.by_entries = restored.unwrap_or_default();
        Ok(whole)
    }

    /// The root that the log had at `size`, from stored tiles alone; `None` if they are not all there.
    pub(crate) fn root_at(&self, size: u64) -> Result<Option<Hash>, EvidenceFault> {
        Ok(self.restored(size)?.map(|spine| spine.root()))
    }

    fn restored(&self, size: u64) -> Result<Option<Spine>, EvidenceFault> {
        let mut fault = None;
        let restored = Spine::restore(size, |level, index, width| match self.stored_prefix(level, index, width) {
            Ok(hashes) => hashes,
            Err(error) => {
                fault = Some(error);
                None
            }
        });
        fault.map_or(Ok(restored), Err)
    }

    /// The first `width` hashes of a tile, from whichever stored version has so many.
    fn stored_prefix(&self, level: u8, index: u64, width: usize) -> Result<Option<Vec<Hash>>, EvidenceFault> {
        for row in self.inventory.tile_rows(level, index).iter().rev() {
            if usize::from(row.tile.width()) < width {
                break;
            }
            let bytes = read_listed(self.evidence, &row.row.version(row.tile.key(self.log)), None, &mut Vec::new())?;
            if let Some(mut hashes) = bytes.as_deref().and_then(|bytes| hashes_of(bytes, row)) {
                hashes.truncate(width);
                return Ok(Some(hashes));
            }
        }
        Ok(None)
    }

    /// Adds one leaf.
    pub(crate) fn push(&mut self, leaf: Hash, ahead: &TileBytes) -> Result<(), EvidenceFault> {
        if self.by_entries.open_leaves().len() + 1 < TILE_WIDTH {
            self.by_entries.push(leaf, &mut |_| {});
            if let Some(by_tiles) = &mut self.by_tiles {
                by_tiles.push(leaf, &mut |_| {});
            }
            return Ok(());
        }
        let index = self.by_entries.size() / TILE_WIDTH as u64;
        let mut computed = self.by_entries.open_leaves().to_vec();
        computed.push(leaf);
        let stored = self.leaf_tile(index, &computed, ahead)?;
        if stored.is_some() && self.by_tiles.is_none() {
            self.by_tiles = Some(self.by_entries.clone());
        }
        let mut upper_by_tiles = HashMap::new();
        if let Some(by_tiles) = &mut self.by_tiles {
            let right = stored.as_ref().unwrap_or(&computed);
            by_tiles.replace_open_leaves(right);
            by_tiles.push(right.last().copied().unwrap_or(leaf), &mut |tile| {
                upper_by_tiles.insert((tile.level, tile.index), tile.hashes.to_vec());
            });
        }
        let mut upper = Vec::new();
        self.by_entries.push(leaf, &mut |tile| {
            if tile.level > 0 {
                upper.push((tile.level, tile.index, tile.hashes.to_vec()));
            }
        });
        for (level, index, hashes) in upper {
            let other = upper_by_tiles.get(&(level, index)).map(Vec::as_slice);
            self.upper_tile(Tile { level, index, hashes: &hashes }, other)?;
        }
        Ok(())
    }

    /// Compares a leaf tile; gives the stored hashes if they disagree, filled up with the computed ones.
    fn leaf_tile(
        &mut self,
        index: u64,
        computed: &[Hash],
        ahead: &TileBytes,
    ) -> Result<Option<Vec<Hash>>, EvidenceFault> {
        let inventory = self.inventory;
        let rows = inventory.tile_rows(0, index);
        let base = inventory.tiles.partition_point(|tile| (tile.tile.level(), tile.tile.index()) < (0, index));
        let mut reference: Option<(Vec<Hash>, bool)> = None;
        for (at, row) in rows.iter().enumerate().rev() {
            let bytes = match ahead.get(&(base + at)) {
                Some(bytes) => bytes.clone(),
                None => self.read(row)?,
            };
            let Some(bytes) = bytes else { continue };
            self.tiles += 1;
            let Some(stored) = hashes_of(&bytes, row) else {
                self.altered(row, index * TILE_WIDTH as u64, "it has another length than its name says");
                continue;
            };
            let agrees = is_prefix(&stored, computed);
            match &reference {
                None => {
                    if !agrees {
                        self.disagree(row, index, computed, &stored);
                    }
                    reference = Some((stored, agrees));
                }
                // A narrower version that says what the widest says adds nothing.
                Some((widest, _)) if agrees || is_prefix(&stored, widest) => {}
                Some(_) => {
                    let at = first_difference(&stored, computed).unwrap_or(0);
                    self.altered(row, index * TILE_WIDTH as u64 + at as u64, "it contradicts entries and wider tile");
                }
            }
        }
        let Some((mut stored, false)) = reference else {
            if reference.is_some_and(|(stored, _)| stored.len() == computed.len()) {
                self.shifted = false;
            }
            return Ok(None);
        };
        stored.truncate(computed.len());
        stored.extend_from_slice(&computed[stored.len()..]);
        Ok(Some(stored))
    }

    fn disagree(&mut self, row: &TileRow, index: u64, computed: &[Hash], stored: &[Hash]) {
        let Some(at) = first_difference(stored, computed) else { return };
        let kind = kind_of(computed, stored, at);
        let moved =
            matches!(kind, FindingKind::EntryDropped | FindingKind::EntryInserted | FindingKind::EntryDuplicated);
        if !self.shifted {
            let entry = index * TILE_WIDTH as u64 + at as u64;
            self.disagreements.push(Disagreement { tile: row.tile.key(self.log), entry, kind });
        }
        self.shifted |= moved;
    }

    /// Compares a tile above the leaves: it must be what the entries give, or what the tiles below it give.
    fn upper_tile(&mut self, tile: Tile<'_>, by_tiles: Option<&[Hash]>) -> Result<(), EvidenceFault> {
        let inventory = self.inventory;
        let entry = tile.index << (8 * (u32::from(tile.level) + 1));
        for row in inventory.tile_rows(tile.level, tile.index) {
            let Some(bytes) = self.read(row)? else { continue };
            self.tiles += 1;
            let agrees = hashes_of(&bytes, row).is_some_and(|stored| {
                is_prefix(&stored, tile.hashes) || by_tiles.is_some_and(|other| is_prefix(&stored, other))
            });
            if !agrees {
                self.altered(row, entry, "its hashes do not follow from the tiles below it");
            }
        }
        Ok(())
    }

    /// Compares the tiles that are unfinished at the log's end.
    pub(crate) fn finish(&mut self) -> Result<(), EvidenceFault> {
        let open: Vec<(u8, u64, Vec<Hash>)> =
            self.by_entries.open_tiles().map(|tile| (tile.level, tile.index, tile.hashes.to_vec())).collect();
        for (level, index, hashes) in open {
            if level == 0 {
                if let Some(stored) = self.leaf_tile(index, &hashes, &TileBytes::new())? {
                    let mut by_tiles = self.by_tiles.take().unwrap_or_else(|| self.by_entries.clone());
                    by_tiles.replace_open_leaves(&stored);
                    self.by_tiles = Some(by_tiles);
                }
            } else {
                let other = self.by_tiles.as_ref().and_then(|spine| {
                    spine.open_tiles().find(|tile| tile.level == level).map(|tile| tile.hashes.to_vec())
                });
                self.upper_tile(Tile { level, index, hashes: &hashes }, other.as_deref())?;
            }
        }
        Ok(())
    }

    /// Whether the root that somebody vouches for is the entries', the tiles', or neither's. After it, both trees go on
    /// from what was vouched for, and the disagreements up to here are settled.
    pub(crate) fn settle(&mut self, root: &Hash) -> Result<Settled, EvidenceFault> {
        if *root == self.by_entries.root() {
            self.by_tiles = None;
            return Ok(Settled::Entries(std::mem::take(&mut self.disagreements)));
        }
        let (by_tiles, open) = self.follow_tiles()?;
        if *root != by_tiles.root() {
            return Ok(Settled::Neither);
        }
        if let Some((row, stored)) = open {
            let computed = self.by_entries.open_leaves().to_vec();
            self.disagree(row, row.tile.index(), &computed, &stored);
        }
        self.by_entries = by_tiles;
        self.by_tiles = None;
        Ok(Settled::Tiles(std::mem::take(&mut self.disagreements)))
    }

    /// The leaf that the stored tiles have at a place, if they reach there.
    pub(crate) fn leaf_by_tiles(&mut self, entry: u64) -> Result<Option<Hash>, EvidenceFault> {
        let inventory = self.inventory;
        let stored = self.widest(inventory.tile_rows(0, entry / TILE_WIDTH as u64))?;
        let at = (entry % TILE_WIDTH as u64) as usize;
        Ok(stored.and_then(|(_, hashes)| hashes.get(at).copied()))
    }

    /// The root that the stored tiles give.
    pub(crate) fn root_by_tiles(&mut self) -> Result<Hash, EvidenceFault> {
        Ok(self.follow_tiles()?.0.root())
    }

    /// The tree by the tiles, its unfinished leaf tile too, and that tile's stored version.
    fn follow_tiles(&mut self) -> Result<(Spine, Option<Stored<'a>>), EvidenceFault> {
        let mut by_tiles = self.by_tiles.clone().unwrap_or_else(|| self.by_entries.clone());
        if self.by_entries.open_leaves().is_empty() {
            return Ok((by_tiles, None));
        }
        let inventory = self.inventory;
        let open = self.widest(inventory.tile_rows(0, self.size() / TILE_WIDTH as u64))?;
        if let Some((_, stored)) = &open {
            by_tiles.replace_open_leaves(stored);
        }
        Ok((by_tiles, open))
    }

    /// The widest readable version of a tile.
    fn widest(&mut self, rows: &'a [TileRow]) -> Result<Option<Stored<'a>>, EvidenceFault> {
        for row in rows.iter().rev() {
            if let Some(hashes) = self.read(row)?.and_then(|bytes| hashes_of(&bytes, row)) {
                return Ok(Some((row, hashes)));
            }
        }
        Ok(None)
    }

    fn read(&mut self, row: &TileRow) -> Result<Option<Vec<u8>>, EvidenceFault> {
        read_listed(self.evidence, &row.row.version(row.tile.key(self.log)), None, &mut self.findings)
    }

    fn altered(&mut self, row: &TileRow, entry: u64, detail: &str) {
        self.findings.push(FindingKind::TileAltered.at(row.tile.key(self.log), Some(entry), detail));
    }
}

/// A stored tile and its hashes.
type Stored<'a> = (&'a TileRow, Vec<Hash>);

/// Whom a root that somebody vouches for agrees with, and the disagreements that it settles.
pub(crate) enum Settled {
    /// The entries are right; the tiles that disagreed were altered.
    Entries(Vec<Disagreement>),
    /// The tiles are right; the entries that disagreed were altered.
    Tiles(Vec<Disagreement>),
    /// Neither.
    Neither,
}

/// The hashes of a stored tile, if it is as long as its name says.
pub(crate) fn hashes_of(bytes: &[u8], row: &TileRow) -> Option<Vec<Hash>> {
    if bytes.len() != usize::from(row.tile.width()) * HASH_BYTES {
        return None;
    }
    bytes.chunks_exact(HASH_BYTES).map(Hash::from_slice).collect()
}

/// Whether one is the beginning of the other.
fn is_prefix(left: &[Hash], right: &[Hash]) -> bool {
    let shared = left.len().min(right.len());
    left[..shared] == right[..shared]
}

fn first_difference(left: &[Hash], right: &[Hash]) -> Option<usize> {
    left.iter().zip(right).position(|(left, right)| left != right)
}

/// What was done to the entries, told by where each side's hash at the first difference stands on the other side.
fn kind_of(computed: &[Hash], stored: &[Hash], at: usize) -> FindingKind {
    let found_in_stored = stored.iter().position(|hash| *hash == computed[at]);
    let stored_is_in_computed = computed.contains(&stored[at]);
    match (found_in_stored, stored_is_in_computed) {
        (Some(place), _) if place < at => FindingKind::EntryDuplicated,
        (Some(_), true) => FindingKind::EntryReordered,
        (Some(_), false) => FindingKind::EntryDropped,
        (None, true) => FindingKind::EntryInserted,
        (None, false) => FindingKind::EntryAltered,
    }
}

const HASH_BYTES: usize = 32;
