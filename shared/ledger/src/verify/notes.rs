//! Which keys count for a log, and what they say of a note.
//!
//! Invariant: a key is accepted because the caller trusts it, or because an entry below a checkpoint of an accepted key
//! added it; never because a note carries it. A key is for one log: its name is the log's origin.

use super::Trust;
use super::evidence::EvidenceFault;
use super::findings::FindingKind;
use crate::checkpoint::{Checkpoint, CheckpointError, UnverifiedCheckpoint};
use crate::log::LogId;
use crate::signing::{KeyKind, VerifyingKey, VerifyingKeys};

/// The keys that count for one log.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    accepted: Vec<VerifyingKey>,
    witnesses: Vec<VerifyingKey>,
    quorum: usize,
    /// The accepted ones and the witnesses', to verify with.
    all: VerifyingKeys,
    /// Added by entries that no accepted checkpoint covers yet.
    added: Vec<(u64, VerifyingKey)>,
}

impl Keys {
    /// Those of the caller's keys that are named like an origin of this log.
    pub(crate) fn of(log: &LogId, trust: &Trust) -> Result<Self, EvidenceFault> {
        let mut accepted = parse(&trust.keys, KeyKind::Log)?;
        accepted.retain(|key| is_origin(log, key.name()));
        let witnesses = parse(&trust.witnesses, KeyKind::Witness)?;
        let mut keys = Self {
            accepted,
            witnesses,
            quorum: trust.witness_quorum,
            all: VerifyingKeys::default(),
            added: Vec::new(),
        };
        keys.gather()?;
        Ok(keys)
    }

    fn gather(&mut self) -> Result<(), EvidenceFault> {
        let all = VerifyingKeys::new(self.accepted.iter().chain(&self.witnesses).cloned());
        self.all = all.map_err(|error| EvidenceFault::Malformed(error.to_string()))?;
        Ok(())
    }

    /// Whether no key counts for this log.
    pub(crate) fn are_none(&self) -> bool {
        self.accepted.is_empty()
    }

    /// Notes a key that the entry at `entry` adds.
    pub(crate) fn add(&mut self, entry: u64, text: &str) {
        if let Ok(key) = VerifyingKey::parse(text) {
            self.added.push((entry, key));
        }
    }

    /// A checkpoint of an accepted key covers all entries below `size`: the keys that they add are accepted, if they are
    /// for an origin that the accepted keys are for.
    pub(crate) fn cover(&mut self, size: u64) -> Result<(), EvidenceFault> {
        let (covered, open): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.added).into_iter().partition(|(entry, _)| *entry < size);
        self.added = open;
        for (_, key) in covered {
            let named = self.accepted.iter().any(|known| known.name() == key.name());
            if named && key.kind() == KeyKind::Log && !self.accepted.contains(&key) {
                self.accepted.push(key);
                self.gather()?;
            }
        }
        Ok(())
    }

    /// A note's checkpoint, or the finding that it makes.
    pub(crate) fn check(&self, log: &LogId, note: &[u8]) -> Result<Checkpoint, (FindingKind, String)> {
        let refused = |error: &CheckpointError| match error {
            CheckpointError::Malformed(_) => FindingKind::CheckpointMalformed,
            CheckpointError::BadSignature { .. } => FindingKind::CheckpointBadSignature,
            CheckpointError::NotSigned => FindingKind::CheckpointUnsigned,
        };
        let unverified = UnverifiedCheckpoint::parse(note).map_err(|error| (refused(&error), error.to_string()))?;
        let origin = unverified.claimed_origin();
        if !is_origin(log, origin) || !self.accepted.iter().any(|key| key.name() == origin) {
            return Err((FindingKind::CheckpointOfAnotherLog, format!("its origin is {origin}")));
        }
        unverified.verify(&self.all).map_err(|error| {
            let open =
                if self.added.is_empty() { "" } else { "; a key was added, and no accepted checkpoint covers that" };
            (refused(&error), format!("{error}{open}"))
        })
    }

    /// Whether enough different witnesses have cosigned, if any must.
    pub(crate) fn is_witnessed(&self, checkpoint: &Checkpoint) -> bool {
        let mut names: Vec<&str> = checkpoint.cosignatures().iter().map(|one| one.witness.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        self.quorum > 0 && names.len() >= self.quorum
    }

    /// Whether cosignatures are asked for.
    pub(crate) fn need_witnesses(&self) -> bool {
        self.quorum > 0
    }

    /// The accepted keys as text, for the next run.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.accepted.iter().map(VerifyingKey::vkey).collect()
    }
}

/// Whether an origin is `<deployment>/<log>`.
fn is_origin(log: &LogId, origin: &str) -> bool {
    origin.strip_suffix(log.as_str()).and_then(|before| before.strip_suffix('/')).is_some_and(|id| !id.is_empty())
}

fn parse(texts: &[String], kind: KeyKind) -> Result<Vec<VerifyingKey>, EvidenceFault> {
    let parse = |text: &String| match VerifyingKey::parse(text) {
        Ok(key) if key.kind() == kind => Ok(key),
        Ok(_) => Err(EvidenceFault::Malformed(format!(
            "{text} is a key of the wrong kind: logs' keys are trusted as keys, witnesses' as witnesses"
        ))),
        Err(error) => Err(EvidenceFault::Malformed(format!("{text}: {error}"))),
    };
    texts.iter().map(parse).collect()
}

/// The size that a note claims: to know when to look at it, never to be believed.
pub(crate) fn claimed_size(note: &[u8]) -> Option<u64> {
    std::str::from_utf8(note).ok()?.lines().nth(1)?.parse().ok()
}

/// The log that a note names in its origin: the last four parts.
pub(crate) fn log_of(note: &str) -> Option<LogId> {
    let origin = note.lines().next()?;
    let parts: Vec<&str> = origin.split('/').collect();
    LogId::parse(&parts[parts.len().checked_sub(4)?..].join("/")).ok().filter(|log| is_origin(log, origin))
}

/// Whether a note claims to be of this log.
pub(crate) fn is_claimed_by(log: &LogId, note: &str) -> bool {
    note.lines().next().is_some_and(|origin| is_origin(log, origin))
}
