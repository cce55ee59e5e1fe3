//! Which keys count for a log, and what they say of a note.
//!
//! Invariant: a key is accepted because the caller trusts it, or because an entry below a checkpoint of an accepted key
//! added it; never because a note carries it. A key is for one log: its name is the log's origin. Keys come one after the
//! other: once a later one has signed, an earlier one signs no larger checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use super::Trust;
use super::evidence::EvidenceFault;
use super::findings::FindingKind;
use crate::checkpoint::{Checkpoint, CheckpointError, UnverifiedCheckpoint};
use crate::log::LogId;
use crate::signing::{KeyKind, VerifyingKey, VerifyingKeys};
use crate::tree::Hash;

/// When a key's time begins: those that the caller handed over in their order, then those that entries added, by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    HandedOver(usize),
    Added(u64),
}

/// A key that an entry adds, until a checkpoint covers the entry.
#[derive(Debug, Clone)]
struct Added {
    entry: u64,
    leaf: Hash,
    key: VerifyingKey,
}

/// The keys that count for one log.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    accepted: Vec<(Turn, VerifyingKey)>,
    /// The latest key that a good checkpoint is signed by, and the size of the first such checkpoint.
    latest: Option<(Turn, u64)>,
    /// Entries below it are pruned, and with them what they said of keys.
    known_from: u64,
    witnesses: Vec<VerifyingKey>,
    quorum: usize,
    /// The accepted ones and the witnesses', to verify with.
    all: VerifyingKeys,
    /// Added by entries that no accepted checkpoint covers yet.
    added: Vec<Added>,
    /// The first entry whose key was one too many.
    refused: Option<(u64, Hash)>,
}

impl Keys {
    /// Those of the caller's keys that are named like an origin of this log.
    pub(crate) fn of(log: &LogId, trust: &Trust) -> Result<Self, EvidenceFault> {
        let of_log = parse(&trust.keys, KeyKind::Log)?.into_iter().filter(|key| is_origin(log, key.name()));
        let accepted = of_log.enumerate().map(|(place, key)| (Turn::HandedOver(place), key)).collect();
        let witnesses = parse(&trust.witnesses, KeyKind::Witness)?;
        let mut keys = Self {
            accepted,
            latest: None,
            known_from: 0,
            witnesses,
            quorum: trust.witness_quorum,
            all: VerifyingKeys::default(),
            added: Vec::new(),
            refused: None,
        };
        keys.gather()?;
        Ok(keys)
    }

    fn gather(&mut self) -> Result<(), EvidenceFault> {
        let all = VerifyingKeys::new(self.accepted.iter().map(|(_, key)| key).chain(&self.witnesses).cloned());
        self.all = all.map_err(|error| EvidenceFault::Malformed(error.to_string()))?;
        Ok(())
    }

    /// Whether no key counts for this log.
    pub(crate) fn are_none(&self) -> bool {
        self.accepted.is_empty()
    }

    /// Notes a key that the entry at `entry` adds, whose hash is `leaf`, if it is for an origin that the accepted keys are for;
    /// of more than [`MAX_KEYS`] only that they came. One that is known already takes no room: whoever was handed all keys
    /// reads their entries again.
    pub(crate) fn add(&mut self, entry: u64, leaf: Hash, text: &str) {
        let Ok(key) = VerifyingKey::parse(text) else { return };
        let is_accepted = |key: &VerifyingKey| self.accepted.iter().any(|(_, known)| known == key);
        if key.kind() != KeyKind::Log || !self.accepted.iter().any(|(_, known)| known.name() == key.name()) {
            return;
        }
        let waiting: BTreeSet<String> =
            self.added.iter().map(|added| &added.key).filter(|key| !is_accepted(key)).map(VerifyingKey::vkey).collect();
        let is_known = is_accepted(&key) || waiting.contains(&key.vkey());
        if (!is_known && self.accepted.len() + waiting.len() >= MAX_KEYS) || self.added.len() >= MAX_WAITING {
            self.refused.get_or_insert((entry, leaf));
        } else {
            self.added.push(Added { entry, leaf, key });
        }
    }

    /// The first entry that adds a key beyond [`MAX_KEYS`]; neither its key nor any later one counts.
    pub(crate) fn refused(&self) -> Option<u64> {
        self.refused.map(|(entry, _)| entry)
    }

    /// Forgets keys that entries add which are not the committed ones.
    pub(crate) fn keep_added<E>(
        &mut self,
        mut is_committed: impl FnMut(u64, &Hash) -> Result<bool, E>,
    ) -> Result<(), E> {
        let mut kept = Vec::new();
        for added in std::mem::take(&mut self.added) {
            if is_committed(added.entry, &added.leaf)? {
                kept.push(added);
            }
        }
        self.added = kept;
        if let Some((entry, leaf)) = self.refused
            && !is_committed(entry, &leaf)?
        {
            self.refused = None;
        }
        Ok(())
    }

    /// A checkpoint of an accepted key covers all entries below `size`: the keys that they add are accepted.
    pub(crate) fn cover(&mut self, size: u64) -> Result<(), EvidenceFault> {
        let (covered, open): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.added).into_iter().partition(|added| added.entry < size);
        self.added = open;
        if covered.is_empty() {
            return Ok(());
        }
        for Added { entry, key, .. } in covered {
            match self.accepted.iter_mut().find(|(_, known)| *known == key) {
                // Handed over, or added before: its time begins again.
                Some((turn, _)) => *turn = Turn::Added(entry),
                None => self.accepted.push((Turn::Added(entry), key)),
            }
        }
        self.accepted.sort_by_key(|(turn, _)| *turn);
        self.gather()
    }

    /// The latest of the keys that signed a checkpoint.
    fn turn_of(&self, checkpoint: &Checkpoint) -> Option<Turn> {
        let signed = self
            .accepted
            .iter()
            .rev()
            .find(|(_, key)| key.name() == checkpoint.origin() && checkpoint.keys().contains(&key.id()));
        signed.map(|(turn, _)| *turn)
    }

    /// Says that entries below this index are not there to be read: who signed for them in turn cannot be told.
    pub(crate) fn begin_at(&mut self, first: u64) {
        self.known_from = first;
    }

    /// Why a checkpoint does not count, if the keys that signed it were retired at a smaller size.
    pub(crate) fn retired(&self, checkpoint: &Checkpoint) -> Option<String> {
        let (latest, size) = self.latest?;
        let is_retired = checkpoint.size() > size && self.turn_of(checkpoint)? < latest;
        is_retired.then(|| format!("it is of {} entries; at {size} a later key had signed", checkpoint.size()))
    }

    /// Notes who signed a checkpoint that was found good.
    pub(crate) fn signed(&mut self, checkpoint: &Checkpoint) {
        let Some(turn) = self.turn_of(checkpoint).filter(|_| checkpoint.size() > self.known_from) else { return };
        if self.latest.is_none_or(|(latest, _)| latest < turn) {
            self.latest = Some((turn, checkpoint.size()));
        }
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
        if !is_origin(log, origin) || !self.accepted.iter().any(|(_, key)| key.name() == origin) {
            return Err((FindingKind::CheckpointOfAnotherLog, format!("its origin is {origin}")));
        }
        unverified.verify(&self.all).map_err(|error| {
            let open =
                if self.added.is_empty() { "" } else { "; a key was added, and no accepted checkpoint covers that" };
            (refused(&error), format!("{error}{open}"))
        })
    }

    /// Since when enough different witnesses have cosigned, in epoch seconds by their clocks; `None` if they have not, or
    /// none must.
    pub(crate) fn witnessed_at(&self, checkpoint: &Checkpoint) -> Option<u64> {
        let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
        for one in checkpoint.cosignatures() {
            let time_s = newest.entry(&one.witness).or_default();
            *time_s = one.time_s.max(*time_s);
        }
        let mut times: Vec<u64> = newest.into_values().collect();
        times.sort_unstable_by(|left, right| right.cmp(left));
        times.get(self.quorum.checked_sub(1)?).copied()
    }

    /// Whether cosignatures are asked for.
    pub(crate) fn need_witnesses(&self) -> bool {
        self.quorum > 0
    }

    /// The accepted keys as text, for the next run, oldest first.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.accepted.iter().map(|(_, key)| key.vkey()).collect()
    }
}

/// Keys that a log may have, those included that wait for a checkpoint: a rotation a month for twenty years makes 240. Each
/// signature of each note is looked up among all of them, so that a log full of keys must not be able to make notes dear.
pub(crate) const MAX_KEYS: usize = 256;
/// Announcements that wait for a checkpoint, those of known keys included.
const MAX_WAITING: usize = 4 * MAX_KEYS;

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
