//! Proofs that an entry is in a log and that a log only grew, and the C2SP tlog-proof file that carries one offline.
//!
//! Invariant: verifying is pure and needs no tile; a proof has exactly as many hashes as sizes and index say. Making one
//! reads no more than the tree's right edge and the tiles above the entry, and every tile is checked against the root.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tlog_tiles::HashReader;

use crate::checkpoint::{Checkpoint, CheckpointError, UnverifiedCheckpoint};
use crate::publish::{edge_of_tiles, subtree_root};
use crate::signing::VerifyingKeys;
use crate::tile::{FULL_WIDTH, HEIGHT, LEVELS, MAX_TREE_SIZE, Tile, hashes, partial_tiles};
use crate::tree::{Edge, Hash, leaf_hash, node_hash};

/// Reads tiles.
pub trait ReadTile {
    /// Why a tile cannot be read.
    type Error;
    /// A tile's bytes. A wider tile of the same place is as good: a partial one may be gone once the full one is there.
    fn tile(&self, tile: &Tile) -> Result<Vec<u8>, Self::Error>;
}

/// Tiles that were read beforehand, such as those that [`tiles_for_inclusion`] names; the error is the missing tile.
impl ReadTile for HashMap<Tile, Vec<u8>> {
    type Error = Tile;

    fn tile(&self, tile: &Tile) -> Result<Vec<u8>, Tile> {
        self.get(tile).or_else(|| self.get(&tile.full())).cloned().ok_or(*tile)
    }
}

/// The proof that the tree of this size and root has a leaf at `index`: siblings from the leaf upwards.
pub fn prove_inclusion<R: ReadTile>(
    tiles: &R,
    index: u64,
    size: u64,
    root: &Hash,
) -> Result<Vec<Hash>, ProveError<R::Error>> {
    if index >= size || size > MAX_TREE_SIZE {
        return Err(ProveError::OutOfRange);
    }
    prove_from(tiles, size, root, |reader| tlog_tiles::prove_record(size, index, reader))
}

/// The proof that the tree of size `to` and root `root` begins with the tree of size `from`. From nothing, it is empty.
pub fn prove_consistency<R: ReadTile>(
    tiles: &R,
    from: u64,
    to: u64,
    root: &Hash,
) -> Result<Vec<Hash>, ProveError<R::Error>> {
    if from > to || to > MAX_TREE_SIZE {
        return Err(ProveError::OutOfRange);
    }
    if from == 0 {
        return Ok(Vec::new());
    }
    prove_from(tiles, to, root, |reader| tlog_tiles::prove_tree(to, from, reader))
}

/// The tiles that [`prove_inclusion`] reads, for who reads them otherwise than one by one.
pub fn tiles_for_inclusion(index: u64, size: u64) -> Option<Vec<Tile>> {
    let asked = Asked::default();
    if index >= size || size > MAX_TREE_SIZE {
        return None;
    }
    tlog_tiles::prove_record(size, index, &asked).ok()?;
    tiles_for(asked, size)
}

/// The tiles that [`prove_consistency`] reads.
pub fn tiles_for_consistency(from: u64, to: u64) -> Option<Vec<Tile>> {
    let asked = Asked::default();
    if from > to || to > MAX_TREE_SIZE {
        return None;
    }
    if from > 0 {
        tlog_tiles::prove_tree(to, from, &asked).ok()?;
    }
    tiles_for(asked, to)
}

/// Verifies that the tree of this size and root has `leaf` at `index`.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<(), ProofError> {
    verify_subtree_inclusion(leaf, index, (0, size), proof, root)
}

/// Verifies that the tree of size `to` begins with the tree of size `from`. From nothing, every tree grows, and the
/// proof must be empty; the vectors call it useless, and refuse a larger tree after an empty one.
pub fn verify_consistency(
    (from, from_root): (u64, &Hash),
    (to, to_root): (u64, &Hash),
    proof: &[Hash],
) -> Result<(), ProofError> {
    if from == 0 && to > 0 {
        return Err(ProofError::OutOfRange);
    }
    if from == to && from_root != to_root {
        return Err(ProofError::AnotherRoot);
    }
    verify_subtree_consistency((0, from), from_root, (to, to_root), proof)
}

/// Verifies that the subtree over the leaves `start..end` has `leaf` at the tree's `index`: the general form, after
/// draft-ietf-plants-merkle-tree-certs. A tree is the subtree from 0.
pub fn verify_subtree_inclusion(
    leaf: &Hash,
    index: u64,
    (start, end): (u64, u64),
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if !is_subtree(start, end) || !(start..end).contains(&index) {
        return Err(ProofError::OutOfRange);
    }
    let (mut node, mut last) = (index - start, end - start - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::WrongLength);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            // A node at the right edge without a sibling stands for its parents.
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::WrongLength);
    }
    if hash == *root { Ok(()) } else { Err(ProofError::AnotherRoot) }
}

/// Verifies that the tree of this size and root has, over the leaves `start..end`, the subtree of that root: the
/// general form, after draft-ietf-plants-merkle-tree-certs. An empty subtree is in every tree.
pub fn verify_subtree_consistency(
    (start, end): (u64, u64),
    subtree_root: &Hash,
    (size, root): (u64, &Hash),
    proof: &[Hash],
) -> Result<(), ProofError> {
    if start == end && end <= size {
        let empty = *subtree_root == Edge::empty().root();
        return if !proof.is_empty() {
            Err(ProofError::WrongLength)
        } else if empty {
            Ok(())
        } else {
            Err(ProofError::AnotherRoot)
        };
    }
    if !is_subtree(start, end) || end > size {
        return Err(ProofError::OutOfRange);
    }
    let (mut first, mut node, mut last) = (start, end - 1, size - 1);
    // Up to the largest whole subtree that ends at `end`: its root is in both trees.
    while first != node && (node & 1 == 1 || node == last) {
        (first, node, last) = (first >> 1, node >> 1, last >> 1);
    }
    let mut rest = proof.iter();
    let shared = if first == node { subtree_root } else { rest.next().ok_or(ProofError::WrongLength)? };
    let (mut then, mut now) = (*shared, *shared);
    for sibling in rest {
        if last == 0 {
            return Err(ProofError::WrongLength);
        }
        if node & 1 == 1 || node == last {
            if first < node {
                then = node_hash(sibling, &then);
            }
            now = node_hash(sibling, &now);
            while node & 1 == 0 && node != 0 {
                (first, node, last) = (first >> 1, node >> 1, last >> 1);
            }
        } else {
            now = node_hash(&now, sibling);
        }
        (first, node, last) = (first >> 1, node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::WrongLength);
    }
    if then == *subtree_root && now == *root { Ok(()) } else { Err(ProofError::AnotherRoot) }
}

/// A C2SP tlog-proof: an entry's place, its inclusion proof and the checkpoint. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq)]
pub struct TlogProof {
    /// Extra data for the application; nothing authenticates it.
    pub extra: Option<Vec<u8>>,
    /// The entry's index.
    pub index: u64,
    /// The inclusion proof.
    pub path: Vec<Hash>,
    /// The checkpoint.
    pub checkpoint: UnverifiedCheckpoint,
}

impl TlogProof {
    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{PROOF_HEADER}\n");
        if let Some(extra) = &self.extra {
            text.push_str(&format!("extra {}\n", STANDARD.encode(extra)));
        }
        text.push_str(&format!("index {}\n", self.index));
        self.path.iter().for_each(|hash| text.push_str(&format!("{}\n", STANDARD.encode(hash.0))));
        text.push('\n');
        let mut bytes = text.into_bytes();
        bytes.extend(self.checkpoint.note());
        bytes
    }

    /// Reads a file; any spelling but the one that we would write is refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        if bytes.len() > MAX_FILE_BYTES {
            return Err(ProofError::Malformed);
        }
        let text = str::from_utf8(bytes).map_err(|_| ProofError::Malformed)?;
        let (head, note) = text.split_once("\n\n").ok_or(ProofError::Malformed)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(PROOF_HEADER) {
            return Err(ProofError::Malformed);
        }
        let mut line = lines.next().ok_or(ProofError::Malformed)?;
        let mut extra = None;
        if let Some(encoded) = line.strip_prefix("extra ") {
            let data = STANDARD.decode(encoded).map_err(|_| ProofError::Malformed)?;
            // Without data the line is left out.
            extra = Some(data).filter(|data| !data.is_empty());
            line = lines.next().ok_or(ProofError::Malformed)?;
        }
        let index = line.strip_prefix("index ").and_then(|index| index.parse().ok()).ok_or(ProofError::Malformed)?;
        let hashes = lines.map(|line| STANDARD.decode(line).ok().and_then(|hash| Hash::from_slice(&hash)));
        let path: Vec<Hash> = hashes.collect::<Option<_>>().ok_or(ProofError::Malformed)?;
        let checkpoint = UnverifiedCheckpoint::parse(note.as_bytes())?;
        let read = Self { extra, index, path, checkpoint };
        if read.to_bytes() == bytes { Ok(read) } else { Err(ProofError::Malformed) }
    }

    /// Verifies that `entry`, a line without its newline, is where this proof says, by trusted keys alone.
    pub fn check(self, entry: &[u8], keys: &VerifyingKeys) -> Result<Proven, ProofError> {
        let checkpoint = self.checkpoint.verify(keys)?;
        verify_inclusion(&leaf_hash(entry), self.index, checkpoint.size(), &self.path, checkpoint.root())?;
        Ok(Proven { index: self.index, checkpoint })
    }
}

/// Reads a tlog-proof file and verifies it for `entry`, a line without its newline.
pub fn check(proof: &[u8], entry: &[u8], keys: &VerifyingKeys) -> Result<Proven, ProofError> {
    TlogProof::parse(proof)?.check(entry, keys)
}

/// What a checked proof says.
#[derive(Debug, Clone, PartialEq)]
pub struct Proven {
    /// The entry's index.
    pub index: u64,
    /// The checkpoint, verified.
    pub checkpoint: Checkpoint,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The file is no tlog-proof.
    #[error("not a tlog-proof")]
    Malformed,
    /// No trusted checkpoint is in it.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The place is not in the tree, or the tree shrank.
    #[error("there can be no such proof: the index or a size is out of range")]
    OutOfRange,
    /// Another number of hashes than the sizes need.
    #[error("the proof has too few or too many hashes")]
    WrongLength,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    AnotherRoot,
}

/// Why no proof could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProveError<E> {
    /// A tile could not be read.
    #[error("a tile cannot be read")]
    Read(E),
    /// A tile is too short, or no row of hashes.
    #[error("the tile {} is too short, or no row of hashes", .0.path())]
    NotATile(Tile),
    /// The tiles are not those of the tree with this root.
    #[error("the tiles do not make the tree with this root")]
    AnotherRoot,
    /// The index or a size is out of range.
    #[error("the index or a size is out of range")]
    OutOfRange,
}

/// Whether `start..end` are the leaves below one node of some tree.
fn is_subtree(start: u64, end: u64) -> bool {
    // From 0, any; else the start is a multiple of the next power of two, which above 2⁶³ nothing but 0 is.
    let width = || (end - start).checked_next_power_of_two();
    start < end && (start == 0 || width().is_some_and(|width| start.is_multiple_of(width)))
}

/// Makes a proof from tiles, each of which is checked against the root before a hash of it is used.
fn prove_from<R: ReadTile>(
    tiles: &R,
    size: u64,
    root: &Hash,
    prove: impl FnOnce(&CheckedTiles<'_, R>) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error>,
) -> Result<Vec<Hash>, ProveError<R::Error>> {
    let reader = CheckedTiles { tiles, size, root, fault: RefCell::new(None) };
    let proof = prove(&reader);
    match (reader.fault.into_inner(), proof) {
        (Some(fault), _) => Err(fault),
        (None, Ok(proof)) => Ok(proof.into_iter().map(|hash| Hash(hash.0)).collect()),
        (None, Err(_)) => Err(ProveError::OutOfRange),
    }
}

/// The tiles that hold these nodes and what authenticates them: first the tree's right edge, which makes the root, then
/// full tiles, each after the one above it, which holds its root.
fn tiles_of(nodes: &[u64], size: u64) -> Option<Vec<Tile>> {
    let mut tiles = partial_tiles(size)?;
    for node in nodes {
        let (mut place, _) = place_of(*node);
        let mut missing = Vec::new();
        while !tiles.iter().any(|known| (known.level(), known.index()) == place) {
            missing.push(Tile::new(place.0, place.1, FULL_WIDTH).filter(|tile| tile.level() < LEVELS)?);
            place = above(place);
        }
        tiles.extend(missing.into_iter().rev());
    }
    Some(tiles)
}

fn tiles_for(asked: Asked, size: u64) -> Option<Vec<Tile>> {
    let nodes = asked.0.into_inner();
    if nodes.is_empty() { Some(Vec::new()) } else { tiles_of(&nodes, size) }
}

/// The tile that holds a node, as level and index, and the node's hashes in it: a place and a power of two.
fn place_of(node: u64) -> ((u8, u64), Range<usize>) {
    let (height, index) = tlog_tiles::split_stored_hash_index(node);
    let (level, within) = (height / HEIGHT, height % HEIGHT);
    let first = index << within;
    let width = u64::from(FULL_WIDTH);
    // Below 256.
    let offset = usize::try_from(first % width).unwrap_or_default();
    ((level, first / width), offset..offset + (1 << within))
}

fn above((level, index): (u8, u64)) -> (u8, u64) {
    (level + 1, index / u64::from(FULL_WIDTH))
}

/// The `tlog_tiles` crate's view of a tree's nodes. Its own reader of tiles counts subtrees where it means tiles, and so
/// leaves up to some tens of tiles unchecked.
struct CheckedTiles<'a, R: ReadTile> {
    tiles: &'a R,
    size: u64,
    root: &'a Hash,
    fault: RefCell<Option<ProveError<R::Error>>>,
}

impl<R: ReadTile> CheckedTiles<'_, R> {
    fn nodes(&self, nodes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, ProveError<R::Error>> {
        let mut checked: HashMap<(u8, u64), Vec<Hash>> = HashMap::new();
        let mut edge = Vec::new();
        let tiles = tiles_of(nodes, self.size).ok_or(ProveError::OutOfRange)?;
        for tile in tiles.iter().filter(|tile| !tile.is_full()) {
            edge.push((*tile, self.read(tile)?));
        }
        // Lengths are right by now.
        if edge_of_tiles(self.size, &edge).ok().is_none_or(|edge| edge.root() != *self.root) {
            return Err(ProveError::AnotherRoot);
        }
        checked.extend(edge.iter().map(|(tile, bytes)| ((tile.level(), tile.index()), hashes(bytes).collect())));
        for tile in tiles.iter().filter(|tile| tile.is_full()) {
            let place = (tile.level(), tile.index());
            let hashes: Vec<Hash> = hashes(&self.read(tile)?).collect();
            let within = usize::try_from(tile.index() % u64::from(FULL_WIDTH)).unwrap_or_default();
            let expected = checked.get(&above(place)).and_then(|above| above.get(within));
            if expected != Some(&subtree_root(&hashes)) {
                return Err(ProveError::AnotherRoot);
            }
            checked.insert(place, hashes);
        }
        let found = nodes.iter().map(|node| {
            let (place, range) = place_of(*node);
            let hashes = checked.get(&place).and_then(|hashes| hashes.get(range)).ok_or(ProveError::OutOfRange)?;
            Ok(tlog_tiles::Hash(subtree_root(hashes).0))
        });
        found.collect()
    }

    fn read(&self, tile: &Tile) -> Result<Vec<u8>, ProveError<R::Error>> {
        let mut bytes = self.tiles.tile(tile).map_err(ProveError::Read)?;
        if bytes.len() < tile.bytes() || bytes.len() > tile.full().bytes() || !bytes.len().is_multiple_of(32) {
            return Err(ProveError::NotATile(*tile));
        }
        bytes.truncate(tile.bytes());
        Ok(bytes)
    }
}

impl<R: ReadTile> HashReader for CheckedTiles<'_, R> {
    fn read_hashes(&self, nodes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        // The crate's error cannot carry the reader's.
        self.nodes(nodes).map_err(|fault| {
            *self.fault.borrow_mut() = Some(fault);
            tlog_tiles::Error::InvalidTile
        })
    }
}

/// Notes the nodes that a proof is made of.
#[derive(Default)]
struct Asked(RefCell<Vec<u64>>);

impl HashReader for Asked {
    fn read_hashes(&self, nodes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        self.0.borrow_mut().extend(nodes);
        Ok(vec![tlog_tiles::Hash::default(); nodes.len()])
    }
}

const PROOF_HEADER: &str = "c2sp.org/tlog-proof@v1";
/// Proof, checkpoint and some extra data.
const MAX_FILE_BYTES: usize = 1024 * 1024;
