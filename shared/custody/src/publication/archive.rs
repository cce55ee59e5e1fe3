//! Checkpoints: signed, archived under lock, then made the live one; and what the archive says of a head.
//!
//! Invariant: a log's archive and its live checkpoint only ever grow. Of one size there is one note, the archived one: who
//! comes later takes its bytes, and signs nothing.

use ledgerline_ledger::checkpoint::{CheckpointBody, UnverifiedCheckpoint};
use ledgerline_ledger::head::{Head, SigningTurn};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::signing::{KeyKind, VerifyingKey, VerifyingKeys};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::segment::Put;

use super::{ArchiveError, Checkpointed, LogError, Publication, SigningError, unless_conflict};

/// What the archive says of a tree.
enum Archive {
    /// It ends before the tree.
    Behind,
    /// It has a checkpoint of this very tree: its bytes.
    Has(Vec<u8>),
    /// Another writer has archived a checkpoint of a larger tree, which is in the log.
    Ahead,
}

/// A signed checkpoint's bytes.
struct SignedNote {
    bytes: Vec<u8>,
    /// Whether it is still to be archived.
    is_new: bool,
}

impl Publication<'_> {
    /// Compares a head with its archive. A head that was restored to an earlier day, or rolled back and forked, is found
    /// out here, before anything is appended to it.
    pub(super) async fn look_into_archive(&self, log: &LogId, head: &Head) -> Result<(), LogError> {
        self.archive(log, head).await.map(drop)
    }

    async fn archive(&self, log: &LogId, head: &Head) -> Result<Archive, LogError> {
        let size = head.size();
        let stopped = |error| LogError::Archive { log: log.clone(), error };
        let mut archive = Archive::Behind;
        // Every version of the head's own size, and one beyond it, if there is any.
        for archived in self.stores.checkpoints.archived(log, size, MAX_VERSIONS).await? {
            if archived.size > size {
                // Another writer may have committed and signed since the head was loaded: what the head says now, after
                // the list, decides.
                let now = self.read_head(log).await?.size();
                return match now < archived.size {
                    true => Err(stopped(ArchiveError::HeadBehind { size: now, archived: archived.size })),
                    false => Ok(Archive::Ahead),
                };
            }
            let note = self.stores.checkpoints.read(&archived).await?;
            // Whoever signed it: whose checkpoint it is, of what size and root, is its text, which is always written alike.
            if !note.starts_with(format!("{}\n", self.body(log, head)?.text()).as_bytes()) {
                return Err(stopped(ArchiveError::OtherTree { size }));
            }
            archive = Archive::Has(note.to_vec());
        }
        Ok(archive)
    }

    /// (8b) Signs the tree of the head, whose tiles are published, and archives it.
    pub(super) async fn checkpoint(&self, log: &LogId, head: &Head, now_ms: u64) -> Result<Checkpointed, LogError> {
        let (key, turn) = match self.turn(log, head, now_ms).await {
            Ok(turn) => turn,
            Err(error) => {
                self.memory.note_refusal(log, now_ms);
                return Ok(failed(log, &error));
            }
        };
        // A crash after this turn was taken signs nothing for ten seconds; then the turn is anybody's again. Keys before
        // this one are retired with it: whoever still has one, or a head from before, does not meet the condition.
        match self.stores.heads.take_signing_turn(log, &turn).await {
            Ok(()) => {}
            Err(StoreError::Conflict(_)) => return Ok(Checkpointed::ByAnother),
            Err(error) => return Err(error.into()),
        }
        // Nothing is signed that contradicts what was signed. A crash after the archive's put is repaired here, too: the
        // archived note is the note.
        let archive = self.archive(log, head).await?;
        let note = match archive {
            Archive::Ahead => return Ok(Checkpointed::ByAnother),
            Archive::Has(bytes) => SignedNote { bytes, is_new: false },
            Archive::Behind => match self.sign(log, head, &key).await {
                Ok(bytes) => SignedNote { bytes, is_new: true },
                Err(error) => return Ok(failed(log, &error.into())),
            },
        };
        let lock = self.settings.locks.lock(log, now_ms);
        if note.is_new
            && self.stores.checkpoints.put_archived(log, head.size(), &note.bytes, &lock).await? == Put::Exists
        {
            // A turn that took longer than ten seconds met the next one: that one goes on.
            return Ok(Checkpointed::ByAnother);
        }
        // A crash before the live checkpoint, or before the mark, is repaired by the next turn as above.
        self.put_live(log, head, &note.bytes, key).await?;
        unless_conflict(self.stores.heads.mark_signed(log, head.size()).await)?;
        tracing::info!(%log, size = head.size(), "checkpoint");
        Ok(Checkpointed::Signed)
    }

    fn body(&self, log: &LogId, head: &Head) -> Result<CheckpointBody, StoreError> {
        CheckpointBody::new(&self.settings.origin(log), head.size(), head.root())
            .map_err(|error| corrupt(format!("write the checkpoint of {log}"), error))
    }

    /// The key, and the turn that it may ask for.
    async fn turn(&self, log: &LogId, head: &Head, now_ms: u64) -> Result<(VerifyingKey, SigningTurn), SigningError> {
        let public_key = self.signer.public_key().await?;
        let key = VerifyingKey::new(&self.settings.origin(log), KeyKind::Log, &public_key);
        let key = key.map_err(|error| corrupt(format!("name the key of {log}"), error))?;
        let Some(turn) = head.turn(&key.vkey(), now_ms) else {
            return Err(SigningError::NotAllowed { key: key.vkey(), allowed: head.signing_keys().to_vec() });
        };
        if turn.retires() {
            // Once, and thrown away: a key that cannot sign, for want of a permission perhaps, must not retire one that can.
            self.sign(log, head, &key).await?;
        }
        Ok((key, turn))
    }

    /// The head's checkpoint by this key. Whatever fails here is the key's doing.
    async fn sign(&self, log: &LogId, head: &Head, key: &VerifyingKey) -> Result<Vec<u8>, StoreError> {
        let body = self.body(log, head)?;
        let signature = self.signer.sign(body.text().as_bytes()).await?;
        let signed = body.signed(key, &signature);
        signed.map(|signed| signed.note()).map_err(|error| corrupt(format!("sign {log}"), error))
    }

    /// Makes a note the live one, unless that is of a larger tree already. What lies there and is no checkpoint by a key
    /// that may sign (it carries no lock: anybody could have put it) gives way.
    async fn put_live(&self, log: &LogId, head: &Head, note: &[u8], key: VerifyingKey) -> Result<(), LogError> {
        let there = self.stores.checkpoints.live(log).await?;
        if there.as_ref().is_some_and(|(there, _)| there == note) {
            return Ok(());
        }
        if let Some((there, _)) = &there {
            // A turn that took long may meet the next one's, which is another key's while keys change.
            let allowed = head.signing_keys().iter().filter_map(|key| VerifyingKey::parse(key).ok());
            let keys = VerifyingKeys::new(allowed.chain([key]));
            let keys = keys.map_err(|error| corrupt(format!("name the key of {log}"), error))?;
            let live = UnverifiedCheckpoint::parse(there).and_then(|there| there.verify(&keys));
            if live.is_ok_and(|live| live.origin() == self.settings.origin(log) && live.size() > head.size()) {
                return Ok(());
            }
        }
        let replaces = there.as_ref().map(|(_, tag)| tag.as_str());
        // A conflict is another writer with another note; the next turn looks again.
        Ok(self.stores.checkpoints.put_live(log, note, replaces).await?)
    }
}

/// The template's alarm looks for these words.
fn failed(log: &LogId, error: &SigningError) -> Checkpointed {
    tracing::error!(%log, %error, "signing failed");
    Checkpointed::Failed
}

fn corrupt(what: String, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Corrupt(Failure::caused_by(what, error))
}

/// Versions of one name in an archive: one, or some more that somebody laid over a delete marker.
const MAX_VERSIONS: usize = 16;
