//! A log's tree, read from its tiles: proofs and the checkpoints that they end in.
//!
//! Invariant: every tile is checked against the checkpoint's root before a hash of it is used, so that a proof is right or
//! is not made. Whether the checkpoint is signed by whom one trusts is asked apart.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerline_ledger::checkpoint::{CheckpointError, UnverifiedCheckpoint};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::proof::{self, ProveError, ReadTile, TlogProof};
use ledgerline_ledger::signing::VerifyingKeys;
use ledgerline_ledger::tile::{FULL_WIDTH, Tile};
use ledgerline_ledger::tree::Hash;
use ledgerline_ledger::verify::{Evidence, EvidenceFault};

use crate::fault::Fault;
use crate::reading::{Found, LogObjects};
use crate::source::evidence_fault;

/// A stored checkpoint and what it says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    /// The note.
    pub(crate) note: Vec<u8>,
    /// The origin that it names.
    pub(crate) origin: String,
    /// The size that it names.
    pub(crate) size: u64,
    /// The root that it names.
    pub(crate) root: Hash,
}

impl Claim {
    /// Reads a note; nothing of it is verified.
    pub(crate) fn read(note: &[u8]) -> Option<Self> {
        let origin = UnverifiedCheckpoint::parse(note).ok()?.claimed_origin().to_owned();
        let mut lines = str::from_utf8(note).ok()?.lines().skip(1);
        let size = lines.next()?.parse().ok()?;
        let root = Hash::from_slice(&STANDARD.decode(lines.next()?).ok()?)?;
        Some(Self { note: note.to_owned(), origin, size, root })
    }
}

/// What the signature of a claim is worth to whoever is shown it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signature {
    /// A key that comes with the evidence signed it.
    Good,
    /// None of the keys at hand did.
    Unknown,
    /// It says that such a key did, and that is false.
    False,
}

impl Claim {
    /// What the claim is worth by these keys.
    pub(crate) fn signature(&self, keys: &VerifyingKeys) -> Signature {
        match UnverifiedCheckpoint::parse(&self.note).and_then(|note| note.verify(keys)) {
            Ok(_) => Signature::Good,
            Err(CheckpointError::NotSigned) => Signature::Unknown,
            Err(CheckpointError::Malformed(_) | CheckpointError::BadSignature { .. }) => Signature::False,
        }
    }
}

impl Signature {
    /// One word, for programs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unknown => "unknown",
            Self::False => "false",
        }
    }
}

/// One log's tree.
pub(crate) struct Tree<'a> {
    log: &'a LogId,
    objects: &'a LogObjects,
    evidence: &'a dyn Evidence,
}

impl<'a> Tree<'a> {
    /// The tree of a log.
    pub(crate) fn of(log: &'a LogId, objects: &'a LogObjects, evidence: &'a dyn Evidence) -> Self {
        Self { log, objects, evidence }
    }

    /// The newest archived checkpoint, or the live one where there is no archive.
    pub(crate) fn newest(&self) -> Result<Option<Claim>, Fault> {
        let newest = self.objects.checkpoints.values().next_back().or(self.objects.live.as_ref());
        let Some(version) = newest else { return Ok(None) };
        let note = self.evidence.read(version).map_err(|error| evidence_fault(&error))?;
        Claim::read(&note).map(Some).ok_or_else(|| {
            Fault::new(format!("{} is no checkpoint", version.key), "run `ledgerline verify` to see what is broken")
        })
    }

    /// The newest checkpoint, which must cover an index.
    pub(crate) fn covering(&self, index: u64) -> Result<Claim, Fault> {
        match self.newest()? {
            Some(claim) if claim.size > index => Ok(claim),
            Some(claim) => Err(Fault::new(
                format!(
                    "entry {index} of {} is not signed yet: the newest checkpoint ends at {}",
                    self.log, claim.size
                ),
                "wait for the next signature, some ten seconds, and try again; if it does not come, run `ledgerline doctor`",
            )),
            None => Err(Fault::new(
                format!("{} has no signed checkpoint", self.log),
                "wait for the first signature, some ten seconds; if it does not come, run `ledgerline doctor`",
            )),
        }
    }

    /// The proof of one of these candidates under a checkpoint; `None` if none of them is in the tree.
    pub(crate) fn prove<'f>(
        &self,
        candidates: &'f [Found],
        claim: &Claim,
    ) -> Result<Option<(&'f Found, TlogProof)>, Fault> {
        let Some(first) = candidates.first() else { return Ok(None) };
        let path = proof::prove_inclusion(self, first.index, claim.size, &claim.root);
        let path = path.map_err(|error| self.fault(&error))?;
        let proven = candidates
            .iter()
            .find(|found| proof::verify_inclusion(&found.leaf(), found.index, claim.size, &path, &claim.root).is_ok());
        let Some(found) = proven else { return Ok(None) };
        let checkpoint = UnverifiedCheckpoint::parse(&claim.note).map_err(|error| {
            Fault::caused_by("the checkpoint cannot be read again", &error, "run `ledgerline verify`")
        })?;
        Ok(Some((found, TlogProof { extra: None, index: found.index, path, checkpoint })))
    }

    /// Whether the leaf at an index is this one, as far as a leaf tile tells: what is not in a tile yet may be.
    pub(crate) fn has(&self, index: u64, leaf: Option<Hash>) -> Result<bool, Fault> {
        let (tile, at) = (index / u64::from(FULL_WIDTH), (index % u64::from(FULL_WIDTH)) as u16);
        let Some(narrowest) = Tile::new(0, tile, at + 1) else { return Ok(true) };
        let Some((_, version)) = self.objects.tiles.range(narrowest..=narrowest.full()).next() else { return Ok(true) };
        let bytes = self.evidence.read(version).map_err(|error| evidence_fault(&error))?;
        let stored = bytes.get(usize::from(at) * 32..(usize::from(at) + 1) * 32).and_then(Hash::from_slice);
        Ok(stored == leaf)
    }

    /// The proof that a later tree begins with an earlier one.
    pub(crate) fn consistency(&self, from: u64, to: &Claim) -> Result<Vec<Hash>, ProveError<EvidenceFault>> {
        proof::prove_consistency(self, from, to.size, &to.root)
    }

    fn fault(&self, error: &ProveError<EvidenceFault>) -> Fault {
        let what = format!("no proof can be made in {}", self.log);
        match error {
            ProveError::Read(beneath) => {
                Fault::caused_by(what, beneath, "run `ledgerline verify` to see what is missing")
            }
            ProveError::AnotherRoot | ProveError::NotATile(_) => {
                Fault::new(format!("{what}: {error}"), "run `ledgerline verify`: a tile or a checkpoint was altered")
            }
            ProveError::OutOfRange => {
                Fault::new(format!("{what}: {error}"), "name an index below the checkpoint's size")
            }
        }
    }
}

impl ReadTile for Tree<'_> {
    type Error = EvidenceFault;

    fn tile(&self, tile: &Tile) -> Result<Vec<u8>, EvidenceFault> {
        // The narrowest that is wide enough: partial ones go once a full one is there.
        let wide = self.objects.tiles.range(*tile..=tile.full()).next();
        let (_, version) = wide.ok_or_else(|| EvidenceFault::Missing(tile.key(self.log)))?;
        let mut bytes = self.evidence.read(version)?;
        bytes.truncate(tile.bytes());
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wider_tile_of_the_same_place_comes_after_a_narrower_one() {
        // The order that `range` relies on: level, index, then width.
        let tile = |width| Tile::new(0, 3, width).unwrap();
        let other = Tile::new(0, 4, 1).unwrap();
        assert!(tile(7) < tile(9) && tile(9) < tile(7).full() && tile(7).full() < other);
    }

    #[test]
    fn what_is_no_checkpoint_claims_nothing() {
        assert!(Claim::read(b"origin\n7\n").is_none());
        assert!(Claim::read(b"").is_none());
    }
}
