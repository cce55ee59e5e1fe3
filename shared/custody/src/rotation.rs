//! A new signing key's way into a log: announced by an entry, vouched for by a checkpoint of a key that signs already, then
//! allowed to sign. And the way back: a key that may still sign becomes the last one that may.
//!
//! Invariant: a key is allowed only once a checkpoint by a key that the caller knows was verified to cover the announcing
//! entry. What a reader of the log can follow later is checked here before it is relied on; nothing is believed from the
//! tables but where to look, and who may sign now. An allowed key is the last of the list: no key after it can retire it
//! with a first signature. Repeating a step changes nothing.

use std::collections::HashMap;

use ledgerline_ledger::checkpoint::{Checkpoint, UnverifiedCheckpoint};
use ledgerline_ledger::entry::Entry;
use ledgerline_ledger::head::{Head, HeadError};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::proof::{prove_inclusion, tiles_for_inclusion, verify_inclusion};
use ledgerline_ledger::segment::read_member;
use ledgerline_ledger::signing::{KeyError, VerifyingKey, VerifyingKeys};
use ledgerline_ledger::store::StoreError;
use ledgerline_ledger::tree::{Hash, leaf_hash};
use ledgerline_ledger::verify::KEY_FIELD;
use ledgerline_store::checkpoint::Checkpoints;
use ledgerline_store::head::Heads;
use ledgerline_store::ledger::LedgerStores;
use ledgerline_store::tile::Tiles;

use crate::access::corrupt;
use crate::acts::{ActKind, record_of_log};

/// How far a key has come in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// No entry of the log announces it yet; the announcement is on its way, or was never made.
    NotInTheLog,
    /// An entry announces it, and no checkpoint covers that.
    NotSigned {
        /// The entry's index.
        entry: u64,
        /// The size of the newest checkpoint.
        signed: u64,
    },
    /// It may sign, and no key after it may.
    Allowed,
}

/// Why a key cannot come further.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// A store call failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log's head contradicts itself.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The keys that the caller knows cannot be told apart.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The checkpoint that covers the announcement is not signed by a key that the caller knows.
    #[error("no checkpoint of {size} entries is signed by a key that signs already")]
    NotByKnownKey {
        /// The checkpoint's size.
        size: u64,
    },
    /// The index names an entry that the signed tree does not have.
    #[error("entry {entry} announces the key, and is not the entry that was signed there")]
    NotInTheTree {
        /// The entry's index.
        entry: u64,
    },
    /// A key that may sign was announced after this one, whose time is over by that.
    #[error("entry {entry} announced the key before entry {later} announced one that may sign now")]
    Past {
        /// The entry that announces the key.
        entry: u64,
        /// The entry that announces the later one.
        later: u64,
    },
}

impl RotationError {
    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        match self {
            // A conflict: another run, or the first signature under another key.
            Self::Store(StoreError::Conflict(_) | StoreError::Throttled(_) | StoreError::Unknown(_)) => true,
            Self::Store(StoreError::NotFound(_) | StoreError::Denied(_) | StoreError::Corrupt(_)) => false,
            Self::Head(_) | Self::Keys(_) => false,
            Self::NotByKnownKey { .. } | Self::NotInTheTree { .. } | Self::Past { .. } => false,
        }
    }
}

/// Takes the next step for `new` in a log whose checkpoints are signed by one of `known`.
///
/// # Errors
/// What keeps the key from coming further.
pub async fn advance(
    stores: &LedgerStores,
    log: &LogId,
    new: &VerifyingKey,
    known: &[VerifyingKey],
) -> Result<Step, RotationError> {
    let Some(stored) = stores.heads.head(log).await? else { return Ok(Step::NotInTheLog) };
    let head = stored.verify(log)?;
    let vkey = new.vkey();
    if let Some(place) = head.signing_keys().iter().position(|key| *key == vkey) {
        withdraw(&stores.heads, log, head.signing_keys(), place + 1).await?;
        return Ok(Step::Allowed);
    }
    let Some(announced) = announced(stores, log, &vkey, head.signing_keys()).await? else {
        return Ok(Step::NotInTheLog);
    };
    let (entry, signed) = (announced.entry, head.signed());
    if let Some(later) = announced.later {
        return Err(RotationError::Past { entry, later });
    }
    if signed <= entry {
        return Ok(Step::NotSigned { entry, signed });
    }
    let checkpoint = signed_by(&stores.checkpoints, log, signed, known).await?;
    let checkpoint = checkpoint.ok_or(RotationError::NotByKnownKey { size: signed })?;
    if !covers(&stores.tiles, log, &checkpoint, entry, &announced.leaf).await? {
        return Err(RotationError::NotInTheTree { entry });
    }
    // A crash before this update leaves the key announced; the next call comes here again.
    let after = allowed_after(&head, &checkpoint, known, vkey);
    stores.heads.allow_signing_keys(log, head.signing_keys(), &after).await?;
    Ok(Step::Allowed)
}

/// The keys that may sign a log after `key`, oldest first, which [`advance`] would withdraw. None where `key` may not.
///
/// # Errors
/// The head's.
pub async fn later_keys(heads: &Heads, log: &LogId, key: &VerifyingKey) -> Result<Vec<String>, RotationError> {
    let Some(stored) = heads.head(log).await? else { return Ok(Vec::new()) };
    let head = stored.verify(log)?;
    let vkey = key.vkey();
    Ok(head.signing_keys().iter().skip_while(|known| **known != vkey).skip(1).cloned().collect())
}

/// Leaves the first `kept` keys of those that may sign. The others have signed nothing of this log, since a turn to sign drops
/// all keys before the signer's: no checkpoint loses its key, and their announcements stay good. A turn that one of them takes
/// first changes the list, and this fails with `Conflict`: whoever looks again finds the key retired.
async fn withdraw(heads: &Heads, log: &LogId, keys: &[String], kept: usize) -> Result<(), StoreError> {
    if kept == keys.len() {
        return Ok(());
    }
    heads.allow_signing_keys(log, keys, &keys[..kept]).await
}

/// The keys that may sign, and the new one. A head that was written when there was no such list gets one that begins with
/// the key that signs.
fn allowed_after(head: &Head, checkpoint: &Checkpoint, known: &[VerifyingKey], vkey: String) -> Vec<String> {
    let mut keys = head.signing_keys().to_vec();
    if keys.is_empty() {
        keys.extend(known.iter().find(|key| checkpoint.keys().contains(&key.id())).map(VerifyingKey::vkey));
    }
    keys.push(vkey);
    keys
}

/// The entry that announces a key.
struct Announced {
    entry: u64,
    leaf: Hash,
    /// A later entry, which announces a key that may sign.
    later: Option<u64>,
}

/// Looks through the acts about the log, the newest first, until one announces the key.
async fn announced(
    stores: &LedgerStores,
    log: &LogId,
    vkey: &str,
    allowed: &[String],
) -> Result<Option<Announced>, RotationError> {
    let mut postings = stores.postings.of(&record_of_log(log).key(log.org())).await?;
    postings.retain(|posting| posting.log == *log);
    postings.sort_by_key(|posting| posting.first);
    let mut later = None;
    for posting in postings.iter().rev() {
        for member in posting.members.iter().rev() {
            let range = stores.segments.read_range(&posting.segment, &posting.version_id, member.offset, member.length);
            let lines = read_member(&range.await?, member.first);
            let lines = lines.map_err(|error| corrupt("read an act of a log", error))?;
            for line in member.at.iter().rev().filter_map(|at| lines.get(*at as usize)) {
                match key_added(&line.text) {
                    Some(key) if key == vkey => {
                        let leaf = leaf_hash(line.text.as_bytes());
                        return Ok(Some(Announced { entry: line.index, leaf, later }));
                    }
                    Some(key) if allowed.contains(&key) => later = Some(line.index),
                    _ => {}
                }
            }
        }
    }
    Ok(None)
}

/// The key that a line announces.
fn key_added(line: &str) -> Option<String> {
    let entry = Entry::read(line.as_bytes()).ok()?;
    let is_one = entry.event_type == ActKind::SigningKeyAdded.name();
    is_one.then(|| entry.fields.get(KEY_FIELD)?.as_str().map(str::to_owned)).flatten()
}

/// The archived checkpoint of a size, if one of these keys signed it.
async fn signed_by(
    checkpoints: &Checkpoints,
    log: &LogId,
    size: u64,
    known: &[VerifyingKey],
) -> Result<Option<Checkpoint>, RotationError> {
    let keys = VerifyingKeys::new(known.iter().cloned())?;
    for archived in checkpoints.archived(log, size, MAX_VERSIONS).await? {
        if archived.size != size {
            break;
        }
        let note = checkpoints.read(&archived).await?;
        let checkpoint = UnverifiedCheckpoint::parse(&note).and_then(|note| note.verify(&keys));
        let is_of_log = |checkpoint: &Checkpoint| known.iter().any(|key| key.name() == checkpoint.origin());
        if let Some(checkpoint) = checkpoint.ok().filter(|one| one.size() == size && is_of_log(one)) {
            return Ok(Some(checkpoint));
        }
    }
    Ok(None)
}

/// Whether the checkpoint's tree has this leaf at this place, by its tiles.
async fn covers(
    tiles_of: &Tiles,
    log: &LogId,
    checkpoint: &Checkpoint,
    entry: u64,
    leaf: &Hash,
) -> Result<bool, RotationError> {
    let size = checkpoint.size();
    let mut tiles = HashMap::new();
    for tile in tiles_for_inclusion(entry, size).unwrap_or_default() {
        // A partial tile goes once its full one is there.
        for tile in [tile, tile.full()] {
            if let Some(bytes) = tiles_of.tile(&tile.key(log)).await? {
                tiles.insert(tile, bytes.to_vec());
                break;
            }
        }
    }
    let proof = prove_inclusion(&tiles, entry, size, checkpoint.root());
    Ok(proof.is_ok_and(|proof| verify_inclusion(leaf, entry, size, &proof, checkpoint.root()).is_ok()))
}

/// Versions of one name in an archive: one, or some more that somebody laid over a delete marker.
const MAX_VERSIONS: usize = 16;
