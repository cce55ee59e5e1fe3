//! Hash tiles: what is new since the last publication, put in parallel, built on the partial tiles that lie there.
//!
//! Invariant: nothing is put unless the tiles give the head's root. A full tile is put once, under lock.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledgerline_ledger::head::{Head, SegmentRef};
use ledgerline_ledger::lock::Lock;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::publish::{PublishError, plan_publication, tiles_needed};
use ledgerline_ledger::segment::Segment;
use ledgerline_ledger::tile;
use ledgerline_ledger::tree::Hash;
use ledgerline_store::segment::Put;

use super::{EvidenceError, LogError, PARALLEL, Publication};

impl Publication<'_> {
    /// Puts the tiles from what is published to the head's size; returns the keys of partial tiles that they replace.
    pub(super) async fn put_tiles(&self, log: &LogId, head: &Head, now_ms: u64) -> Result<Vec<String>, LogError> {
        let (tiles, lock) = (&self.stores.tiles, self.settings.locks.lock(log, now_ms));
        let unpublishable = |error| match error {
            PublishError::Missing(tile) => evidence(&tile.key(log), EvidenceError::TileMissing),
            error => evidence(&tile::folder(log), error.into()),
        };
        let mut built_on = Vec::new();
        for tile in tiles_needed(head.published()).map_err(unpublishable)? {
            if let Some(bytes) = tiles.tile(&tile.key(log)).await? {
                built_on.push((tile, bytes.to_vec()));
            }
        }
        let mut leaves = Vec::new();
        for segment in head.unpublished() {
            leaves.extend(self.leaves(segment).await?);
        }
        let plan = plan_publication(head.published(), &built_on, &leaves, &head.root()).map_err(unpublishable)?;
        let puts =
            stream::iter(plan.tiles).map(|(tile, bytes)| self.put_tile(tile.key(log), bytes, tile.is_full(), lock));
        puts.buffer_unordered(PARALLEL).try_collect::<()>().await?;
        // A partial tile that is as it was is not among the new ones, and stays.
        let still = tiles_needed(plan.size).map_err(unpublishable)?;
        let replaced = built_on.iter().map(|(tile, _)| tile).filter(|tile| !still.contains(tile));
        Ok(replaced.map(|tile| tile.key(log)).collect())
    }

    /// A segment's leaf hashes: from memory if this process appended it, else from its stored bytes.
    async fn leaves(&self, segment: &SegmentRef) -> Result<Vec<Hash>, LogError> {
        if let Some(leaves) = self.memory.leaves(segment) {
            return Ok(leaves);
        }
        let bytes = self.stores.segments.read(&segment.key, &segment.version_id).await?;
        let read = Segment::read(&segment.key, &bytes).map_err(|error| evidence(&segment.key, error.into()))?;
        Ok(read.leaves().collect())
    }

    async fn put_tile(&self, key: String, bytes: Vec<u8>, full: bool, lock: Lock) -> Result<(), LogError> {
        let tiles = &self.stores.tiles;
        if !full {
            return Ok(tiles.put_partial(&key, &bytes).await?);
        }
        match tiles.put_full(&key, &bytes, &lock).await? {
            Put::Written { .. } => Ok(()),
            // Put by a run that crashed before its mark, or by another writer.
            Put::Exists if tiles.tile(&key).await?.is_some_and(|there| there == bytes) => Ok(()),
            Put::Exists => Err(evidence(&key, EvidenceError::OtherBytes)),
        }
    }
}

fn evidence(key: &str, error: EvidenceError) -> LogError {
    LogError::Evidence { key: key.to_owned(), error }
}
