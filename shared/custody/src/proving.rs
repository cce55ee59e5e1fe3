//! Proofs of the ledger's own acts, from what is stored: where an act stands in its log, the checkpoint that covers it, the hashes between.
//!
//! Invariant: a checkpoint is given only if a key that may sign the log signed it, and every tile is held against it: a proof is right, or
//! is not made. Nothing here waits: what is not committed, indexed or signed yet is told as such.

use std::collections::{BTreeSet, HashMap};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::PlanOf;
use ledgerline_ledger::checkpoint::{CheckpointError, UnverifiedCheckpoint};
use ledgerline_ledger::chunk::ChunkId;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::member;
use ledgerline_ledger::proof::{prove_inclusion, tiles_for_inclusion};
use ledgerline_ledger::signing::VerifyingKeys;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_ledger::tile::Tile;
use ledgerline_ledger::tree::Hash;
use ledgerline_store::bucket::Bucket;
use ledgerline_store::checkpoint::Checkpoints;
use ledgerline_store::delivery;
use ledgerline_store::head::Heads;
use ledgerline_store::plan::Plans;
use ledgerline_store::table::Table;
use ledgerline_store::tile::Tiles;

/// Where proofs come from.
#[derive(Clone, Debug)]
pub struct Proving {
    heads: Heads,
    tiles: Tiles,
    checkpoints: Checkpoints,
}

/// A line of an act's plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The log that it goes to.
    pub log: LogId,
    /// The chunk that holds it, and it alone.
    pub chunk: ChunkId,
    /// The entry's line.
    pub line: String,
}

/// A log's checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The note, with the signatures of the log's keys alone.
    pub note: String,
    /// The keys that signed it, as verifier keys.
    pub keys: Vec<String>,
    /// How many entries it covers.
    pub size: u64,
    root: Hash,
}

impl Proving {
    /// Over the control table and the ledger's bucket.
    pub fn new(control: std::sync::Arc<dyn Table>, ledger: std::sync::Arc<dyn Bucket>) -> Self {
        let (tiles, checkpoints) = (Tiles::new(std::sync::Arc::clone(&ledger)), Checkpoints::new(ledger));
        Self { heads: Heads::new(control), tiles, checkpoints }
    }

    /// The lines of an act's plan, of which each chunk holds one; `None` if there is no such plan.
    ///
    /// # Errors
    /// The bucket's; `Corrupt` for a plan of another form.
    pub async fn planned(plans: &Plans, object: ObjectId) -> Result<Option<Vec<Planned>>, StoreError> {
        let Some(kept) = delivery::find(plans, PlanOf::Acts, object).await? else { return Ok(None) };
        let mut lines = Vec::new();
        for pointer in kept.header.pointers(kept.header_bytes) {
            let what = "read an act's plan";
            let corrupt = || StoreError::Corrupt(Failure::new(what));
            let bytes = plans.read_chunk(&pointer).await?;
            let (text, _) = member::unpack(&bytes, member::MAX_TEXT_BYTES)
                .map_err(|error| StoreError::Corrupt(Failure::caused_by(what, error)))?;
            let line = text.strip_suffix('\n').filter(|line| !line.contains('\n')).ok_or_else(corrupt)?;
            let log = LogId::parse(&pointer.log).map_err(|_| corrupt())?;
            let chunk = ChunkId { of: PlanOf::Acts, object: object.to_hex(), ordinal: pointer.ordinal };
            lines.push(Planned { log, chunk, line: line.to_owned() });
        }
        Ok(Some(lines))
    }

    /// Where these chunks of one line each stand in a log, in their order; `None` of one that is not committed.
    ///
    /// # Errors
    /// The table's.
    pub async fn indexes(&self, log: &LogId, chunks: &[ChunkId]) -> Result<Vec<Option<u64>>, StoreError> {
        let mut found = HashMap::new();
        for some in chunks.chunks(KEYS_PER_READ) {
            let markers = self.heads.markers(log, some).await?;
            found.extend(markers.into_iter().map(|marker| (marker.chunk, marker.first)));
        }
        Ok(chunks.iter().map(|chunk| found.get(chunk).copied()).collect())
    }

    /// A log's newest checkpoint; `None` before there is one that a key signed which may sign now.
    ///
    /// # Errors
    /// The stores'; `Corrupt` for a checkpoint with a false signature.
    pub async fn signed(&self, log: &LogId) -> Result<Option<Signed>, StoreError> {
        let corrupt = |error: CheckpointError| {
            StoreError::Corrupt(Failure::caused_by(format!("read the checkpoint of {log}"), error))
        };
        let (Some(head), Some((note, _))) = (self.heads.head(log).await?, self.checkpoints.live(log).await?) else {
            return Ok(None);
        };
        let keys = VerifyingKeys::parse(&head.signing_keys)
            .map_err(|error| StoreError::Corrupt(Failure::caused_by(format!("read the keys of {log}"), error)))?;
        let note = own_signatures(&note, &keys);
        let checkpoint = match UnverifiedCheckpoint::parse(&note).and_then(|note| note.verify(&keys)) {
            Ok(checkpoint) => checkpoint,
            // The keys changed in this moment: the next one is signed by those that are allowed.
            Err(CheckpointError::NotSigned) => return Ok(None),
            Err(error) => return Err(corrupt(error)),
        };
        let signed_by = keys.iter().filter(|key| checkpoint.keys().contains(&key.id()));
        Ok(Some(Signed {
            keys: signed_by.map(|key| key.vkey()).collect(),
            size: checkpoint.size(),
            root: *checkpoint.root(),
            note: String::from_utf8_lossy(&note).into_owned(),
        }))
    }

    /// The proofs that a checkpoint covers the entries at these places, from the leaves upwards.
    ///
    /// # Errors
    /// The bucket's; `NotFound` for a tile that is not there (any more): ask again with a newer checkpoint; `Corrupt` for tiles that do not
    /// make its root.
    pub async fn paths(&self, log: &LogId, signed: &Signed, indexes: &[u64]) -> Result<Vec<Vec<Hash>>, StoreError> {
        let out_of_range = || StoreError::Corrupt(Failure::new(format!("an index of {log} is beyond its checkpoint")));
        let mut tiles = BTreeSet::new();
        for index in indexes {
            tiles.extend(tiles_for_inclusion(*index, signed.size).ok_or_else(out_of_range)?);
        }
        let reads: Vec<_> = tiles.into_iter().map(|tile| self.tile(log, tile)).collect();
        let tiles: HashMap<Tile, Vec<u8>> = stream::iter(reads).buffered(CALLS_AT_ONCE).try_collect().await?;
        let prove = |index: &u64| {
            prove_inclusion(&tiles, *index, signed.size, &signed.root).map_err(|error| {
                StoreError::Corrupt(Failure::new(format!("no proof of entry {index} of {log}: {error}")))
            })
        };
        indexes.iter().map(prove).collect()
    }

    async fn tile(&self, log: &LogId, tile: Tile) -> Result<(Tile, Vec<u8>), StoreError> {
        for wanted in [tile, tile.full()] {
            if let Some(mut bytes) = self.tiles.tile(&wanted.key(log)).await?.map(|bytes| bytes.to_vec()) {
                bytes.truncate(tile.bytes());
                return Ok((tile, bytes));
            }
        }
        Err(StoreError::NotFound(Failure::new(format!("{} is not there", tile.key(log)))))
    }
}

/// A note with the lines of these keys alone: whoever cosigned it is nobody whom its reader must know.
fn own_signatures(note: &[u8], keys: &VerifyingKeys) -> Vec<u8> {
    let Ok(text) = str::from_utf8(note) else { return note.to_vec() };
    let Some((body, signatures)) = text.split_once("\n\n") else { return note.to_vec() };
    let is_own = |line: &&str| {
        let named = line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' '));
        let id = named.and_then(|(_, signature)| key_id(signature));
        named.zip(id).is_some_and(|((name, _), id)| keys.find(name, id).is_some())
    };
    let own: String = signatures.split_inclusive('\n').filter(is_own).collect();
    format!("{body}\n\n{own}").into_bytes()
}

/// The key's id in a signature line: its first four bytes.
fn key_id(signature: &str) -> Option<u32> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(signature.trim_end()).ok()?;
    Some(u32::from_be_bytes(*bytes.first_chunk()?))
}

const KEYS_PER_READ: usize = 100;
const CALLS_AT_ONCE: usize = 8;

#[cfg(test)]
mod tests {
    use ledgerline_ledger::checkpoint::CheckpointBody;
    use ledgerline_ledger::signing::{KeyKind, LocalSigner};
    use ledgerline_ledger::tree::Edge;

    use super::*;

    #[test]
    fn others_signatures_are_left_out_of_a_note() {
        let signer = |name: &str, seed| LocalSigner::from_seed(name, &[seed; 32]).unwrap();
        let (log, witness) = (signer("d/acme/request/1/0", 7), signer("w", 8));
        let key = log.verifying_key(KeyKind::Log);
        let body = CheckpointBody::new("d/acme/request/1/0", 0, Edge::empty().root()).unwrap();
        let signature = log.sign_now(body.text().as_bytes());
        let alone = body.signed(&key, &signature).unwrap();
        let cosignature = witness.sign_now(&alone.cosignature_message(9));
        let both = alone.clone().with_cosignature(&witness.verifying_key(KeyKind::Witness), 9, &cosignature).unwrap();
        let keys = VerifyingKeys::new([key]).unwrap();
        assert_ne!(both.note(), alone.note());
        assert_eq!(own_signatures(&both.note(), &keys), alone.note());
        assert_eq!(own_signatures(&alone.note(), &keys), alone.note());
        for other in [&b"\xff"[..], b"a note", b"a\n\nb\n"] {
            assert!(own_signatures(other, &keys).len() <= other.len());
        }
    }
}
