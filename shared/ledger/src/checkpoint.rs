//! Checkpoints: a log's size and root under its key, as C2SP tlog-checkpoint in a C2SP signed-note.
//!
//! Invariant: a [`Checkpoint`] exists only where a trusted key's signature over it was verified; bytes from outside are
//! an [`UnverifiedCheckpoint`], whose size and root cannot be read. Signatures by unknown keys are kept, and prove
//! nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signed_note::{Note, Signature};

use crate::log::LogId;
use crate::signing::{KeyKind, VerifyingKey, VerifyingKeys, is_key_name};
use crate::tree::{Edge, Hash};

/// What a log says of itself: the text that is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointBody {
    origin: String,
    size: u64,
    root: Hash,
}

impl CheckpointBody {
    /// The body of a log's checkpoint. The origin is the name of the log's key, too.
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        if !is_key_name(origin) {
            return Err(CheckpointError::Malformed("the origin is no key's name"));
        }
        if size == 0 && root != Edge::empty().root() {
            return Err(CheckpointError::Malformed("an empty log with the root of another"));
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }

    /// The text: three lines.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.0))
    }

    /// The signed checkpoint. The signature is verified before it can leave the house.
    pub fn signed(self, key: &VerifyingKey, signature: &[u8; 64]) -> Result<Checkpoint, CheckpointError> {
        let text = self.text();
        let signed =
            Checkpoint { body: self, text, signatures: Vec::new(), keys: Vec::new(), cosignatures: Vec::new() };
        if key.kind() != KeyKind::Log || key.name() != signed.origin() {
            return Err(CheckpointError::NotSigned);
        }
        signed.with_line(key, signature.to_vec())
    }
}

/// A checkpoint that a trusted key signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    body: CheckpointBody,
    /// The note's text: the body's, and extension lines if there are any.
    text: String,
    signatures: Vec<Signature>,
    keys: Vec<u32>,
    cosignatures: Vec<Cosignature>,
}

/// A witness's verified statement that it saw the log grow up to this checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// The witness's name.
    pub witness: String,
    /// Its key's id.
    pub key_id: u32,
    /// When it signed, in epoch seconds by its own clock.
    pub time_s: u64,
}

impl Checkpoint {
    /// Whose it is: `<deployment>/<log>`.
    pub fn origin(&self) -> &str {
        &self.body.origin
    }

    /// How many entries the log had.
    pub fn size(&self) -> u64 {
        self.body.size
    }

    /// The root of the tree of this size.
    pub fn root(&self) -> &Hash {
        &self.body.root
    }

    /// The ids of the log's keys that signed it and were trusted.
    pub fn keys(&self) -> &[u32] {
        &self.keys
    }

    /// The verified statements of known witnesses.
    pub fn cosignatures(&self) -> &[Cosignature] {
        &self.cosignatures
    }

    /// The note's bytes, with all signatures, known or not.
    pub fn note(&self) -> Vec<u8> {
        note_bytes(&self.text, &self.signatures)
    }

    /// What a witness signs: a C2SP cosignature/v1 at this time.
    pub fn cosignature_message(&self, time_s: u64) -> Vec<u8> {
        cosignature_message(&self.text, time_s)
    }

    /// With a witness's signature over [`Checkpoint::cosignature_message`], in place of an earlier one by the same key.
    pub fn with_cosignature(
        self,
        key: &VerifyingKey,
        time_s: u64,
        signature: &[u8; 64],
    ) -> Result<Self, CheckpointError> {
        if key.kind() != KeyKind::Witness {
            return Err(CheckpointError::BadSignature { name: key.name().to_owned(), id: key.id() });
        }
        self.with_line(key, [&time_s.to_be_bytes()[..], signature].concat())
    }

    /// With one more signature line, verified.
    fn with_line(mut self, key: &VerifyingKey, bytes: Vec<u8>) -> Result<Self, CheckpointError> {
        self.signatures.retain(|line| line.name() != key.name() || line.id() != key.id());
        self.keys.retain(|id| key.kind() != KeyKind::Log || *id != key.id());
        self.cosignatures.retain(|one| one.witness != key.name() || one.key_id != key.id());
        let line = Signature::new(key.name().to_owned(), key.id(), bytes);
        let line = line.map_err(|_| CheckpointError::Malformed("a signature line"))?;
        self.count(key, &line)?;
        self.signatures.push(line);
        Ok(self)
    }

    /// Counts a signature line by a known key, which must verify.
    fn count(&mut self, key: &VerifyingKey, line: &Signature) -> Result<(), CheckpointError> {
        let bad = || CheckpointError::BadSignature { name: key.name().to_owned(), id: key.id() };
        match key.kind() {
            KeyKind::Log => {
                let signature = line.signature().try_into().map_err(|_| bad())?;
                if !key.verifies(self.text.as_bytes(), signature) {
                    return Err(bad());
                }
                // A signature by another log's key is true, and says nothing of this log.
                if key.name() == self.origin() && !self.keys.contains(&key.id()) {
                    self.keys.push(key.id());
                }
            }
            KeyKind::Witness => {
                let (time, signature) = line.signature().split_first_chunk::<8>().ok_or_else(bad)?;
                let time_s = u64::from_be_bytes(*time);
                let signature = signature.try_into().map_err(|_| bad())?;
                if time_s > MAX_TIME_S || !key.verifies(&cosignature_message(&self.text, time_s), signature) {
                    return Err(bad());
                }
                let one = Cosignature { witness: key.name().to_owned(), key_id: key.id(), time_s };
                if !self.cosignatures.contains(&one) {
                    self.cosignatures.push(one);
                }
            }
        }
        Ok(())
    }
}

/// A note that reads as a checkpoint; nobody has looked at its signatures.
#[derive(Debug, Clone, PartialEq)]
pub struct UnverifiedCheckpoint {
    body: CheckpointBody,
    text: String,
    signatures: Vec<Signature>,
}

impl UnverifiedCheckpoint {
    /// Reads a note.
    pub fn parse(note: &[u8]) -> Result<Self, CheckpointError> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(CheckpointError::Malformed("larger than any checkpoint"));
        }
        let parsed = Note::from_bytes(note).map_err(|_| CheckpointError::Malformed("not a signed note"))?;
        let text = str::from_utf8(parsed.text()).map_err(|_| CheckpointError::Malformed("not UTF-8"))?;
        // The crate keeps a note's signatures to itself and, in verifying, skips all but the first line of one key;
        // so the lines are read here.
        let lines = note.get(text.len() + 1..).unwrap_or_default().split_inclusive(|byte| *byte == b'\n');
        let lines = lines.map(|line| Signature::from_bytes(line.strip_suffix(b"\n").unwrap_or(line)));
        let signatures: Vec<Signature> =
            lines.collect::<Result<_, _>>().map_err(|_| CheckpointError::Malformed("a signature line"))?;
        let body = parse_body(text)?;
        let read = Self { body, text: text.to_owned(), signatures };
        // Whatever the readers above let pass: only what we would write again is a checkpoint.
        if note_bytes(&read.text, &read.signatures) == note {
            Ok(read)
        } else {
            Err(CheckpointError::Malformed("not in the one way to write it"))
        }
    }

    /// Whose checkpoint it says it is: to choose keys by, never to be believed.
    pub fn claimed_origin(&self) -> &str {
        &self.body.origin
    }

    /// The size and the root of the tree that it says it is of: to make a proof that whoever is shown it verifies, never to be believed.
    pub fn claimed_tree(&self) -> (u64, Hash) {
        (self.body.size, self.body.root)
    }

    /// Verifies every signature by a key that is known; at least one must be by a log key named like the origin. One
    /// false signature by a known key refuses the whole.
    pub fn verify(self, keys: &VerifyingKeys) -> Result<Checkpoint, CheckpointError> {
        let Self { body, text, signatures } = self;
        let mut verified =
            Checkpoint { body, text, signatures: Vec::new(), keys: Vec::new(), cosignatures: Vec::new() };
        for line in &signatures {
            if let Some(key) = keys.find(line.name(), line.id()) {
                verified.count(key, line)?;
            }
        }
        verified.signatures = signatures;
        if verified.keys.is_empty() { Err(CheckpointError::NotSigned) } else { Ok(verified) }
    }

    /// The note's bytes.
    pub fn note(&self) -> Vec<u8> {
        note_bytes(&self.text, &self.signatures)
    }
}

/// A log's origin: `<deployment id>/<log>`.
pub fn origin(deployment_id: &str, log: &LogId) -> String {
    format!("{deployment_id}/{log}")
}

/// The key of a log's live checkpoint.
pub fn live_key(log: &LogId) -> String {
    format!("ledger/{log}/checkpoint")
}

/// The prefix of a log's archived checkpoints.
pub fn archive_folder(log: &LogId) -> String {
    format!("ledger/{log}/checkpoints/")
}

/// The key of the archived checkpoint of a size.
pub fn archive_key(log: &LogId, size: u64) -> String {
    format!("{}{size:020}", archive_folder(log))
}

/// The size in the key of an archived checkpoint.
pub fn archived_size(log: &LogId, key: &str) -> Option<u64> {
    let size = key.strip_prefix(&archive_folder(log))?.parse().ok()?;
    (archive_key(log, size) == key).then_some(size)
}

/// Why a note is no checkpoint to rely on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a checkpoint as C2SP writes them.
    #[error("not a checkpoint: {0}")]
    Malformed(&'static str),
    /// A key that we know is named, and its signature is false.
    #[error("the signature by {name} ({id:08x}) is false")]
    BadSignature {
        /// The key's name.
        name: String,
        /// The key's id.
        id: u32,
    },
    /// No key that is trusted for this origin signed it.
    #[error("no trusted key of its origin signed it")]
    NotSigned,
}

fn parse_body(text: &str) -> Result<CheckpointBody, CheckpointError> {
    let parsed = tlog_tiles::Checkpoint::from_bytes(text.as_bytes());
    let parsed = parsed.map_err(|_| CheckpointError::Malformed("not origin, size and root in their lines"))?;
    // The crate reads a stream up to a limit: what it did not read, it did not check.
    if parsed.to_bytes() != text.as_bytes() {
        return Err(CheckpointError::Malformed("not origin, size and root in their lines"));
    }
    CheckpointBody::new(parsed.origin(), parsed.size(), Hash(parsed.hash().0))
}

fn cosignature_message(text: &str, time_s: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {time_s}\n{text}").into_bytes()
}

fn note_bytes(text: &str, signatures: &[Signature]) -> Vec<u8> {
    let mut bytes = format!("{text}\n").into_bytes();
    signatures.iter().for_each(|line| bytes.extend(line.to_bytes()));
    bytes
}

/// The largest note that is read: a checkpoint with sixteen post-quantum signatures has some 110 kB.
pub const MAX_NOTE_BYTES: usize = 256 * 1024;
/// C2SP tlog-cosignature: a timestamp does not exceed 2⁶³ - 1.
const MAX_TIME_S: u64 = i64::MAX as u64;
