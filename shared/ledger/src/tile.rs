//! Hash tiles: the Merkle tree cut into blocks of 256 hashes, named as C2SP tlog-tiles names them.
//!
//! Invariant: a [`Tile`] is a place that a tree can have, and its path has one spelling; what a tree of a size consists
//! of follows from the size alone.

use crate::log::LogId;
use crate::tree::Hash;

/// How many hashes a full tile has.
pub const FULL_WIDTH: u16 = 256;
/// The largest tree that is cut into tiles here: seven levels, some 10¹⁶ entries. Above it, shifts by whole levels
/// would leave 64 bits.
pub const MAX_TREE_SIZE: u64 = (1 << (HEIGHT * LEVELS)) - 1;

/// A tile's place and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    level: u8,
    index: u64,
    width: u16,
}

impl Tile {
    /// How many bytes a full one has.
    pub const MAX_BYTES: usize = FULL_WIDTH as usize * HASH_BYTES;

    /// A tile at a level (0 to 63) and index, 1 to 256 hashes wide.
    pub fn new(level: u8, index: u64, width: u16) -> Option<Self> {
        (level < MAX_LEVELS && (1..=FULL_WIDTH).contains(&width)).then_some(Self { level, index, width })
    }

    /// The level; its hashes are roots of 256 to the power of it leaves.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// The index within the level.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes it has.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether it has 256 hashes and so never changes again.
    pub fn is_full(&self) -> bool {
        self.width == FULL_WIDTH
    }

    /// The full tile at this place.
    pub fn full(&self) -> Self {
        Self { width: FULL_WIDTH, ..*self }
    }

    /// How many bytes it has.
    pub fn bytes(&self) -> usize {
        usize::from(self.width) * HASH_BYTES
    }

    /// `tile/<L>/<N>[.p/<W>]`
    pub fn path(&self) -> String {
        let mut index = format!("{:03}", self.index % PATH_BASE);
        let mut rest = self.index / PATH_BASE;
        while rest > 0 {
            index = format!("x{:03}/{index}", rest % PATH_BASE);
            rest /= PATH_BASE;
        }
        let partial = if self.is_full() { String::new() } else { format!(".p/{}", self.width) };
        format!("tile/{}/{index}{partial}", self.level)
    }

    /// Parses a path; any spelling but [`Tile::path`]'s is refused.
    pub fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, width.parse().ok().filter(|width| *width < FULL_WIDTH)?),
            None => (rest, FULL_WIDTH),
        };
        let index = index.split('/').try_fold(0_u64, |index, element| {
            let digits: u64 = element.strip_prefix('x').unwrap_or(element).parse().ok()?;
            index.checked_mul(PATH_BASE)?.checked_add(digits)
        })?;
        // Writing it again catches every other spelling: signs, leading zeros, a missing or surplus `x`.
        Self::new(level.parse().ok()?, index, width).filter(|tile| tile.path() == path)
    }

    /// `ledger/<log>/tile/…`
    pub fn key(&self, log: &LogId) -> String {
        format!("{ROOT}{log}/{}", self.path())
    }

    /// Parses an object key.
    pub fn parse_key(key: &str) -> Option<(LogId, Self)> {
        let below = key.strip_prefix(ROOT)?;
        let (log, path) = below.split_at(below.match_indices('/').nth(LOG_PARTS - 1)?.0);
        Some((LogId::parse(log).ok()?, Self::parse(path.strip_prefix('/')?)?))
    }
}

/// The prefix of a log's tiles.
pub fn folder(log: &LogId) -> String {
    format!("{ROOT}{log}/tile/")
}

/// The tiles that a tree of size `to` has and one of size `from` does not: full ones, and the partial ones at its right
/// edge. `None` if the tree shrinks or is too large.
pub fn new_tiles(from: u64, to: u64) -> Option<Vec<Tile>> {
    if from > to || to > MAX_TREE_SIZE {
        return None;
    }
    tlog_tiles::Tile::new_tiles(HEIGHT, from, to).iter().map(of_theirs).collect()
}

/// The partial tiles at the right edge of a tree, from the leaves upwards. `None` if it is too large.
pub fn partial_tiles(size: u64) -> Option<Vec<Tile>> {
    if size > MAX_TREE_SIZE {
        return None;
    }
    let levels = (0..LEVELS).map(|level| (level, size >> (HEIGHT * level)));
    let wide = levels.filter_map(|(level, nodes)| {
        let width = u16::try_from(nodes % u64::from(FULL_WIDTH)).ok()?;
        Tile::new(level, nodes / u64::from(FULL_WIDTH), width)
    });
    Some(wide.collect())
}

fn of_theirs(tile: &tlog_tiles::Tile) -> Option<Tile> {
    Tile::new(tile.level(), tile.level_index(), u16::try_from(tile.width()).ok()?)
}

/// The hashes in a tile's bytes.
pub(crate) fn hashes(bytes: &[u8]) -> impl Iterator<Item = Hash> {
    bytes.chunks_exact(HASH_BYTES).filter_map(Hash::from_slice)
}

/// A tile's bytes from its hashes.
pub(crate) fn bytes_of(hashes: &[Hash]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(hashes.len() * HASH_BYTES);
    hashes.iter().for_each(|hash| bytes.extend_from_slice(&hash.0));
    bytes
}

/// Two to this power hashes are one tile.
pub(crate) const HEIGHT: u8 = 8;
/// Levels of the largest tree here.
pub(crate) const LEVELS: u8 = 7;
/// Levels that a path may name.
const MAX_LEVELS: u8 = 64;
const HASH_BYTES: usize = 32;
const PATH_BASE: u64 = 1000;
const ROOT: &str = "ledger/";
/// A log's name has four parts, any of which may read `tile`.
const LOG_PARTS: usize = 4;
