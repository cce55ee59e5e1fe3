//! The tiles that follow from new leaves. Pure.
//!
//! Invariant: a [`Publication`] exists only if the tree that its tiles make, down to the bytes that will be written, has
//! the root that was expected; so no wrong tile can be planned, whatever was read.

use crate::tile::{self, FULL_WIDTH, HEIGHT, LEVELS, Tile};
use crate::tree::{Edge, Hash, node_hash};

/// Tiles to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Tiles with their bytes: all that the tree of `size` has and the published one did not.
    pub tiles: Vec<(Tile, Vec<u8>)>,
    /// Partial tiles of the published tree whose full tiles are among `tiles`; once these are written, nobody needs them.
    pub outgrown: Vec<Tile>,
    /// The size that is published once they are written.
    pub size: u64,
    /// The root of the tree of this size.
    pub root: Hash,
}

/// The tiles that must be read before anything can be published: the partial ones at the published tree's right edge.
pub fn tiles_needed(published_size: u64) -> Result<Vec<Tile>, PublishError> {
    tile::partial_tiles(published_size).ok_or(PublishError::TooLarge)
}

/// Plans the tiles from `published_size` on. `partial` are the [`tiles_needed`] with their bytes, `new_leaves` all leaves
/// from there to the new size, whose root must be `expected_root`.
pub fn plan_publication(
    published_size: u64,
    partial: &[(Tile, Vec<u8>)],
    new_leaves: &[Hash],
    expected_root: &Hash,
) -> Result<Publication, PublishError> {
    let size = published_size.checked_add(new_leaves.len() as u64).ok_or(PublishError::TooLarge)?;
    let edge_then = read_partial(published_size, partial)?;
    let edge_now = tiles_needed(size)?;
    let mut plan = Publication { tiles: Vec::new(), outgrown: Vec::new(), size, root: *expected_root };
    let mut right_edge = Vec::with_capacity(edge_now.len());
    let mut nodes = new_leaves.to_vec();
    for level in 0..LEVELS {
        let before = published_size >> (HEIGHT * level);
        let old = edge_then.iter().find(|(tile, _)| tile.level() == level);
        if let Some((tile, hashes)) = old {
            nodes.splice(0..0, hashes.iter().copied());
            if nodes.len() >= usize::from(FULL_WIDTH) {
                plan.outgrown.push(*tile);
            }
        }
        let mut roots = Vec::with_capacity(nodes.len() / usize::from(FULL_WIDTH));
        for (index, hashes) in (before / u64::from(FULL_WIDTH)..).zip(nodes.chunks(usize::from(FULL_WIDTH))) {
            let width = u16::try_from(hashes.len()).map_err(|_| PublishError::TooLarge)?;
            let tile = Tile::new(level, index, width).ok_or(PublishError::TooLarge)?;
            if old.is_none_or(|(old, _)| *old != tile) {
                plan.tiles.push((tile, tile::bytes_of(hashes)));
            }
            if tile.is_full() {
                roots.push(subtree_root(hashes));
            } else {
                right_edge.push((tile, hashes.to_vec()));
            }
        }
        nodes = roots;
    }
    let root = edge_of(size, &right_edge)?.root();
    if root == *expected_root { Ok(plan) } else { Err(PublishError::AnotherRoot { size, root }) }
}

/// The edge of a published tree, from its partial tiles.
pub fn edge_of_tiles(size: u64, partial: &[(Tile, Vec<u8>)]) -> Result<Edge, PublishError> {
    edge_of(size, &read_partial(size, partial)?)
}

/// The root of a whole subtree: `hashes` are a power of two.
pub(crate) fn subtree_root(hashes: &[Hash]) -> Hash {
    let mut nodes = hashes.to_vec();
    while nodes.len() > 1 {
        nodes = nodes.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
    }
    nodes.first().copied().unwrap_or_else(|| Edge::empty().root())
}

/// The hashes of the partial tiles of a tree of `size`, from the leaves upwards.
fn read_partial(size: u64, partial: &[(Tile, Vec<u8>)]) -> Result<Vec<(Tile, Vec<Hash>)>, PublishError> {
    let needed = tiles_needed(size)?.into_iter().map(|tile| {
        let (_, bytes) = partial.iter().find(|(given, _)| *given == tile).ok_or(PublishError::Missing(tile))?;
        let fits = bytes.len() == tile.bytes();
        if fits { Ok((tile, tile::hashes(bytes).collect())) } else { Err(PublishError::WrongLength(tile)) }
    });
    needed.collect()
}

/// The maximal full subtrees below the hashes of partial tiles: eight bits of the size per level.
fn edge_of(size: u64, partial: &[(Tile, Vec<Hash>)]) -> Result<Edge, PublishError> {
    let mut roots = Vec::new();
    for (_, hashes) in partial.iter().rev() {
        let mut rest = hashes.as_slice();
        while !rest.is_empty() {
            let (subtree, behind) = rest.split_at(1 << rest.len().ilog2());
            roots.push(subtree_root(subtree));
            rest = behind;
        }
    }
    Edge::from_parts(size, roots).ok_or(PublishError::TooLarge)
}

/// Why nothing can be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// A tile of the published tree was not given.
    #[error("the published tree's tile {} is missing", .0.path())]
    Missing(Tile),
    /// A tile of the published tree has another length than its width says.
    #[error("the published tree's tile {} has the wrong length", .0.path())]
    WrongLength(Tile),
    /// The tiles that were read, or the leaves, are not the log's.
    #[error("tiles and leaves make root {root} at size {size}, which is not the head's")]
    AnotherRoot {
        /// The size.
        size: u64,
        /// The root that came out.
        root: Hash,
    },
    /// More entries than tiles are made for.
    #[error("the tree is too large for tiles")]
    TooLarge,
}
