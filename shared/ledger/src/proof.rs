//! Proofs that an entry is in a log and that a log only grew, and the C2SP tlog-proof file that carries one offline.
//!
//! Invariant: verifying is pure and needs no tile; a proof has exactly as many hashes as sizes and index say. Making one
//! reads no more than the tree's right edge and the tiles above the entry, and every tile is checked against the root.

use std::cell::RefCell;
use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tlog_tiles::{TileHashReader, TileReader};

use crate::checkpoint::{Checkpoint, CheckpointError, UnverifiedCheckpoint};
use crate::signing::VerifyingKeys;
use crate::tile::{HEIGHT, MAX_TREE_SIZE, Tile, of_theirs};
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
    read_through(tiles, size, root, |reader| tlog_tiles::prove_record(size, index, reader))
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
    read_through(tiles, to, root, |reader| tlog_tiles::prove_tree(to, from, reader))
}

/// The tiles that [`prove_inclusion`] reads, for who reads them otherwise than one by one.
pub fn tiles_for_inclusion(index: u64, size: u64) -> Vec<Tile> {
    let asked = Asked::default();
    // It reads all tiles at once, before it looks at the root; here it ends with the asking.
    let _ = prove_inclusion(&asked, index, size, &Edge::empty().root());
    asked.0.into_inner()
}

/// The tiles that [`prove_consistency`] reads.
pub fn tiles_for_consistency(from: u64, to: u64) -> Vec<Tile> {
    let asked = Asked::default();
    let _ = prove_consistency(&asked, from, to, &Edge::empty().root());
    asked.0.into_inner()
}

/// Verifies that the tree of this size and root has `leaf` at `index`.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
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
    let width = end.checked_sub(start).filter(|width| *width > 0).and_then(u64::checked_next_power_of_two);
    width.is_some_and(|width| start & (width - 1) == 0)
}

/// Makes a proof over a reader that checks every tile against the root before it uses a hash.
fn read_through<R: ReadTile>(
    tiles: &R,
    size: u64,
    root: &Hash,
    prove: impl FnOnce(&TileHashReader<'_>) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error>,
) -> Result<Vec<Hash>, ProveError<R::Error>> {
    let adapter = Adapter { tiles, fault: RefCell::new(None) };
    let proof = prove(&TileHashReader::new(size, tlog_tiles::Hash(root.0), &adapter));
    match (adapter.fault.into_inner(), proof) {
        (Some(fault), _) => Err(fault),
        (None, Ok(proof)) => Ok(proof.into_iter().map(|hash| Hash(hash.0)).collect()),
        (None, Err(_)) => Err(ProveError::AnotherRoot),
    }
}

/// Our tiles for the `tlog_tiles` crate, whose error cannot carry the reader's.
struct Adapter<'a, R: ReadTile> {
    tiles: &'a R,
    fault: RefCell<Option<ProveError<R::Error>>>,
}

impl<R: ReadTile> Adapter<'_, R> {
    fn read(&self, tile: &tlog_tiles::Tile) -> Result<Vec<u8>, ProveError<R::Error>> {
        let tile = of_theirs(tile).ok_or(ProveError::OutOfRange)?;
        let mut bytes = self.tiles.tile(&tile).map_err(ProveError::Read)?;
        if bytes.len() < tile.bytes() || bytes.len() > tile.full().bytes() || bytes.len() % 32 != 0 {
            return Err(ProveError::NotATile(tile));
        }
        bytes.truncate(tile.bytes());
        Ok(bytes)
    }
}

impl<R: ReadTile> TileReader for Adapter<'_, R> {
    fn height(&self) -> u8 {
        HEIGHT
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read: Result<Vec<_>, _> = tiles.iter().map(|tile| self.read(tile)).collect();
        read.map_err(|fault| {
            *self.fault.borrow_mut() = Some(fault);
            tlog_tiles::Error::InvalidTile
        })
    }

    fn save_tiles(&self, _tiles: &[tlog_tiles::Tile], _data: &[Vec<u8>]) {}
}

/// Notes what is asked for, and answers with hashes of nothing.
#[derive(Default)]
struct Asked(RefCell<Vec<Tile>>);

impl ReadTile for Asked {
    type Error = std::convert::Infallible;

    fn tile(&self, tile: &Tile) -> Result<Vec<u8>, Self::Error> {
        self.0.borrow_mut().push(*tile);
        Ok(vec![0; tile.bytes()])
    }
}

const PROOF_HEADER: &str = "c2sp.org/tlog-proof@v1";
/// Proof, checkpoint and some extra data.
const MAX_FILE_BYTES: usize = 1024 * 1024;
