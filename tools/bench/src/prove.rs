//! What a proof costs whoever makes it: its bytes, and the tiles that are read, by the size of the tree.
//!
//! Every leaf of the measured trees is the same, so every node of a level is, and a tile of a tree of any size is known
//! without the tree. What a proof reads and holds follows from index and size alone; each one made here is also verified.

use std::cell::Cell;
use std::convert::Infallible;

use ledgerline_ledger::checkpoint::{CheckpointBody, UnverifiedCheckpoint};
use ledgerline_ledger::proof::{self, ReadTile, TlogProof};
use ledgerline_ledger::publish::edge_of_tiles;
use ledgerline_ledger::signing::{KeyKind, LocalSigner, VerifyingKeys};
use ledgerline_ledger::tile::{Tile, partial_tiles};
use ledgerline_ledger::tree::{Hash, leaf_hash, node_hash};

/// Trees of which proofs are made.
const SIZES: [u64; 3] = [10_000, 1_000_000, 100_000_000];
/// Entries that are proven in each, evenly apart.
const PROOFS: u64 = 1_000;
/// The entry that every leaf is of.
const ENTRY: &[u8] = b"{}";
const ORIGIN: &str = "bench/acme/interaction/1/0";

/// One line per size.
pub(super) fn measure() -> Result<Vec<String>, String> {
    let signer = LocalSigner::from_seed(ORIGIN, &[1; 32]).map_err(|error| error.to_string())?;
    SIZES.iter().map(|size| measure_size(*size, &signer)).collect()
}

fn measure_size(size: u64, signer: &LocalSigner) -> Result<String, String> {
    let tiles = Uniform::new();
    let partial = partial_tiles(size).ok_or("the tree is too large")?;
    let partial: Vec<_> = partial.into_iter().map(|tile| (tile, tiles.bytes(&tile))).collect();
    let root = edge_of_tiles(size, &partial).map_err(|error| error.to_string())?.root();
    let key = signer.verifying_key(KeyKind::Log);
    let body = CheckpointBody::new(ORIGIN, size, root).map_err(|error| error.to_string())?;
    let signature = signer.sign_now(body.text().as_bytes());
    let note = body.signed(&key, &signature).map_err(|error| error.to_string())?.note();
    let keys = VerifyingKeys::new([key]).map_err(|error| error.to_string())?;
    let (mut reads, mut read_bytes, mut proof_bytes) = (Spread::default(), Spread::default(), Spread::default());
    for index in (0..PROOFS).map(|n| n * (size - 1) / (PROOFS - 1)) {
        tiles.reads.set(0);
        tiles.bytes.set(0);
        let path = proof::prove_inclusion(&tiles, index, size, &root).map_err(|error| format!("{error:?}"))?;
        let checkpoint = UnverifiedCheckpoint::parse(&note).map_err(|error| error.to_string())?;
        let file = TlogProof { extra: None, index, path, checkpoint }.to_bytes();
        proof::check(&file, ENTRY, &keys).map_err(|error| error.to_string())?;
        reads.add(tiles.reads.get());
        read_bytes.add(tiles.bytes.get());
        proof_bytes.add(file.len() as u64);
    }
    Ok(format!("  {size:>11} leaves  file {proof_bytes} bytes, tiles read {reads}, {read_bytes} bytes"))
}

/// Tiles of a tree whose leaves are all the same.
struct Uniform {
    /// The hash of a node of each level of tiles.
    levels: Vec<Hash>,
    reads: Cell<u64>,
    bytes: Cell<u64>,
}

impl Uniform {
    fn new() -> Self {
        let up = |hash: &Hash| Some((0..8).fold(*hash, |hash, _| node_hash(&hash, &hash)));
        let levels = std::iter::successors(Some(leaf_hash(ENTRY)), up).take(7).collect();
        Self { levels, reads: Cell::new(0), bytes: Cell::new(0) }
    }

    fn bytes(&self, tile: &Tile) -> Vec<u8> {
        self.levels[usize::from(tile.level())].0.repeat(usize::from(tile.width()))
    }
}

impl ReadTile for Uniform {
    type Error = Infallible;

    fn tile(&self, tile: &Tile) -> Result<Vec<u8>, Infallible> {
        self.reads.set(self.reads.get() + 1);
        self.bytes.set(self.bytes.get() + tile.bytes() as u64);
        Ok(self.bytes(tile))
    }
}

/// The mean and the most of what was counted.
#[derive(Default)]
struct Spread {
    sum: u64,
    count: u64,
    most: u64,
}

impl Spread {
    fn add(&mut self, value: u64) {
        self.sum += value;
        self.count += 1;
        self.most = self.most.max(value);
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} (at most {})", self.sum as f64 / self.count.max(1) as f64, self.most)
    }
}
