//! The proof that an entry is in its log: what `ledgerline check-proof` takes.
//!
//! Invariant: a proof is right or is not made: each tile is checked against the checkpoint's root. Whether the checkpoint is signed is for
//! whoever is shown it to say; the function knows no key.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledgerline_ledger::checkpoint::UnverifiedCheckpoint;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::proof::{TlogProof, prove_inclusion, tiles_for_inclusion, verify_inclusion};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_ledger::tile::Tile;
use serde::Serialize;

use super::read::{Read, ReadEntry};
use crate::Stores;

/// Tiles under way at once; a tree of 16 million entries has three on the way to one of them, and as many at its edge.
const PARALLEL: usize = 8;

/// A proof as it is handed out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Proof {
    /// The C2SP tlog-proof, the checkpoint at its end.
    tlog_proof: String,
    /// The entry's line, which the proof is about.
    entry: String,
}

/// A log's newest signed tree, with the tiles that were read of it.
#[derive(Debug)]
pub(super) struct Tree {
    checkpoint: UnverifiedCheckpoint,
    tiles: HashMap<Tile, Vec<u8>>,
}

/// The proof of an entry; none while no checkpoint covers it.
pub(super) async fn of(
    stores: &Stores,
    read: &Read,
    entry: &ReadEntry,
    trees: &mut BTreeMap<LogId, Option<Tree>>,
) -> Result<Option<Proof>, StoreError> {
    let Some((log, head)) =
        read.head.as_ref().filter(|(log, head)| *log == entry.place.log && head.signed() > entry.order.index)
    else {
        return Ok(None);
    };
    let tree = match trees.entry(log.clone()) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(free) => {
            let note = stores.ledger.checkpoints.of_size(log, head.signed()).await?;
            let tree = note.map(|note| UnverifiedCheckpoint::parse(&note)).transpose().map_err(corrupt)?;
            free.insert(tree.map(|checkpoint| Tree { checkpoint, tiles: HashMap::new() }))
        }
    };
    let Some(tree) = tree else { return Ok(None) };
    let (size, root) = tree.checkpoint.claimed_tree();
    let index = entry.order.index;
    let Some(needed) = tiles_for_inclusion(index, size) else { return Ok(None) };
    let missing: Vec<Tile> = needed.into_iter().filter(|tile| !tree.tiles.contains_key(tile)).collect();
    let found: Vec<(Tile, Vec<u8>)> = stream::iter(missing)
        .map(|tile| async move { Ok::<_, StoreError>((tile, self::tile(stores, log, tile).await?)) })
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    tree.tiles.extend(found);
    let path = prove_inclusion(&tree.tiles, index, size, &root).map_err(|_| broken(log))?;
    verify_inclusion(&entry.leaf, index, size, &path, &root).map_err(|_| broken(log))?;
    let proof = TlogProof { extra: None, index, path, checkpoint: tree.checkpoint.clone() };
    let tlog_proof = String::from_utf8(proof.to_bytes()).map_err(|error| corrupt(error.utf8_error()))?;
    Ok(Some(Proof { tlog_proof, entry: entry.text.clone() }))
}

/// A tile's bytes. A partial one may be gone once the full one is there.
async fn tile(stores: &Stores, log: &LogId, tile: Tile) -> Result<Vec<u8>, StoreError> {
    for stored in [tile, tile.full()] {
        if let Some(bytes) = stores.ledger.tiles.tile(&stored.key(log)).await? {
            let mut bytes = bytes.to_vec();
            bytes.truncate(tile.bytes());
            return Ok(bytes);
        }
    }
    Err(broken(log))
}

fn corrupt(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Corrupt(Failure::caused_by("read a checkpoint", error))
}

/// What `ledgerline verify` says more of.
fn broken(log: &LogId) -> StoreError {
    StoreError::Corrupt(Failure::new(format!("the tree of {log} gives no proof: verify the log")))
}
