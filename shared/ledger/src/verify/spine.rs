//! The tree while leaves stream past: the unfinished tile of each level, and nothing else.
//!
//! Invariant: a spine of size n holds at most 255 hashes per level; every full tile leaves it exactly once, when its last
//! hash arrives, so that tiles can be compared with stored ones without keeping a leaf.

use crate::tile::FULL_WIDTH;
use crate::tree::{Edge, Hash, node_hash};

/// Hashes in a full tile.
pub(crate) const TILE_WIDTH: usize = FULL_WIDTH as usize;

/// A full tile that has just been completed, or an unfinished one at the end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tile<'a> {
    pub(crate) level: u8,
    pub(crate) index: u64,
    pub(crate) hashes: &'a [Hash],
}

/// The right side of a growing tree, in tiles.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spine {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Spine {
    /// The spine at `size`, its unfinished tiles read from elsewhere: `read(level, index, width)` gives a tile's first
    /// `width` hashes.
    pub(crate) fn restore(size: u64, mut read: impl FnMut(u8, u64, usize) -> Option<Vec<Hash>>) -> Option<Self> {
        let mut levels = Vec::new();
        let (mut level, mut nodes) = (0, size);
        while nodes > 0 {
            let width = (nodes % TILE_WIDTH as u64) as usize;
            let hashes = if width == 0 { Vec::new() } else { read(level, nodes / TILE_WIDTH as u64, width)? };
            if hashes.len() != width {
                return None;
            }
            levels.push(hashes);
            nodes /= TILE_WIDTH as u64;
            level += 1;
        }
        Some(Self { size, levels })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf; `full` sees every tile that it completes, the lowest first.
    pub(crate) fn push(&mut self, leaf: Hash, full: &mut impl FnMut(Tile<'_>)) {
        self.size += 1;
        self.push_at(0, leaf, full);
    }

    fn push_at(&mut self, mut level: usize, mut hash: Hash, full: &mut impl FnMut(Tile<'_>)) {
        loop {
            if self.levels.len() == level {
                self.levels.push(Vec::with_capacity(TILE_WIDTH));
            }
            let hashes = &mut self.levels[level];
            hashes.push(hash);
            if hashes.len() < TILE_WIDTH {
                return;
            }
            // Nodes of this level up to the end, less the tile itself: its index.
            let index = (self.size >> (8 * (level as u32 + 1))) - 1;
            full(Tile { level: level as u8, index, hashes });
            hash = subtree_root(hashes);
            hashes.clear();
            level += 1;
        }
    }

    /// The leaves of the unfinished tile of level 0.
    pub(crate) fn open_leaves(&self) -> &[Hash] {
        self.levels.first().map_or(&[], Vec::as_slice)
    }

    /// Replaces the unfinished leaf tile and what follows from it: used to follow stored tiles where they differ.
    pub(crate) fn replace_open_leaves(&mut self, leaves: &[Hash]) {
        if let Some(open) = self.levels.first_mut() {
            let kept = leaves.len().min(open.len());
            open[..kept].copy_from_slice(&leaves[..kept]);
        }
    }

    /// The unfinished tiles, the lowest first.
    pub(crate) fn open_tiles(&self) -> impl Iterator<Item = Tile<'_>> {
        (0_u8..).zip(&self.levels).filter(|(_, hashes)| !hashes.is_empty()).map(|(level, hashes)| Tile {
            level,
            index: self.size >> (8 * (u32::from(level) + 1)),
            hashes,
        })
    }

    /// The right edge, from which the root follows.
    pub(crate) fn edge(&self) -> Option<Edge> {
        let mut roots = Vec::new();
        for hashes in self.levels.iter().rev() {
            let mut rest = hashes.as_slice();
            while !rest.is_empty() {
                let width = 1 << rest.len().ilog2();
                roots.push(subtree_root(&rest[..width]));
                rest = &rest[width..];
            }
        }
        Edge::from_parts(self.size, roots)
    }

    /// The root of the log so far.
    pub(crate) fn root(&self) -> Hash {
        self.edge().unwrap_or_default().root()
    }
}

/// The root over a power of two of nodes.
fn subtree_root(nodes: &[Hash]) -> Hash {
    let mut row = [Hash([0; 32]); TILE_WIDTH];
    let mut width = nodes.len();
    row[..width].copy_from_slice(nodes);
    while width > 1 {
        width /= 2;
        for at in 0..width {
            row[at] = node_hash(&row[2 * at], &row[2 * at + 1]);
        }
    }
    row[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::leaf_hash;
    use std::collections::BTreeMap;

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|index| leaf_hash(&index.to_be_bytes())).collect()
    }

    #[test]
    fn the_spine_has_the_edge_of_the_tree_and_gives_each_tile_once() {
        let mut spine = Spine::default();
        let mut edge = Edge::empty();
        let mut tiles: BTreeMap<(u8, u64), Vec<Hash>> = BTreeMap::new();
        for leaf in leaves(70_000) {
            edge.append(leaf);
            spine.push(leaf, &mut |tile| {
                assert!(tiles.insert((tile.level, tile.index), tile.hashes.to_vec()).is_none());
            });
            if spine.size() % 997 == 0 || spine.size() < 600 {
                assert_eq!(spine.edge().unwrap(), edge, "size {}", spine.size());
            }
        }
        assert_eq!(tiles.keys().filter(|(level, _)| *level == 0).count(), 70_000 / 256);
        assert_eq!(tiles.keys().filter(|(level, _)| *level == 1).count(), 1);
        for tile in spine.open_tiles() {
            tiles.insert((tile.level, tile.index), tile.hashes.to_vec());
        }
        // Every size can be restored from the tiles alone.
        for size in [1, 255, 256, 257, 65_535, 65_536, 65_537, 69_999, 70_000] {
            let restored = Spine::restore(size, |level, index, width| {
                tiles.get(&(level, index)).and_then(|tile| tile.get(..width)).map(<[Hash]>::to_vec)
            });
            let mut expected = Edge::empty();
            leaves(size).into_iter().for_each(|leaf| expected.append(leaf));
            assert_eq!(restored.unwrap().edge().unwrap(), expected, "size {size}");
        }
    }

    #[test]
    fn nothing_is_restored_from_too_few_hashes() {
        assert!(Spine::restore(300, |_, _, _| None).is_none());
        assert!(Spine::restore(300, |_, _, width| Some(leaves(width as u64 - 1))).is_none());
        assert_eq!(Spine::restore(0, |_, _, _| None).unwrap().root(), Edge::empty().root());
    }
}
