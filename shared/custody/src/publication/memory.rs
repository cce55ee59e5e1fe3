//! What a process remembers between two runs: which logs it has compared with their archives, when its key was refused,
//! and the leaf hashes of what it appended itself, so that they need not be read and hashed again for the tiles.
//!
//! Invariant: leaves stand under their segment's key and version, which fix them, and tiles made of them must give the
//! head's root all the same. Forgetting anything costs a read.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ledgerline_ledger::head::SegmentRef;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::tree::Hash;

/// One process's memory.
#[derive(Debug, Default)]
pub struct Memory {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    compared: BTreeSet<LogId>,
    refused_ms: BTreeMap<LogId, u64>,
    appended: VecDeque<Appended>,
    leaves: usize,
}

#[derive(Debug)]
struct Appended {
    key: String,
    version_id: String,
    leaves: Vec<Hash>,
}

impl Memory {
    /// Keeps the leaf hashes of a segment that was just committed.
    pub fn keep_leaves(&self, segment: &SegmentRef, leaves: Vec<Hash>) {
        let mut state = self.lock();
        state.leaves += leaves.len();
        let (key, version_id) = (segment.key.clone(), segment.version_id.clone());
        state.appended.push_back(Appended { key, version_id, leaves });
        while state.leaves > MAX_LEAVES {
            let Some(oldest) = state.appended.pop_front() else { return };
            state.leaves -= oldest.leaves.len();
        }
    }

    /// The leaf hashes of a segment, if it was appended here not long ago.
    pub(super) fn leaves(&self, segment: &SegmentRef) -> Option<Vec<Hash>> {
        let state = self.lock();
        let is_it = |one: &&Appended| one.key == segment.key && one.version_id == segment.version_id;
        state.appended.iter().find(is_it).map(|one| one.leaves.clone())
    }

    /// Forgets what has been published.
    pub(super) fn drop_leaves(&self, segments: &[SegmentRef]) {
        let mut state = self.lock();
        state.appended.retain(|one| !segments.iter().any(|segment| segment.key == one.key));
        state.leaves = state.appended.iter().map(|one| one.leaves.len()).sum();
    }

    /// Whether the log was not compared with its archive yet.
    pub(super) fn is_new(&self, log: &LogId) -> bool {
        !self.lock().compared.contains(log)
    }

    /// Notes that the log was compared with its archive.
    pub(super) fn note(&self, log: &LogId) {
        self.lock().compared.insert(log.clone());
    }

    /// When this process last found that its key cannot sign the log, or may not.
    pub(super) fn refused_at(&self, log: &LogId) -> Option<u64> {
        self.lock().refused_ms.get(log).copied()
    }

    /// Notes that its key was refused.
    pub(super) fn note_refusal(&self, log: &LogId, now_ms: u64) {
        self.lock().refused_ms.insert(log.clone(), now_ms);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 500,000 leaves of 32 bytes are 16 MB: as many entries as 195 whole batches of 10 chunks of 256.
const MAX_LEAVES: usize = 500_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(key: &str, version_id: &str) -> SegmentRef {
        let (key, version_id) = (key.to_owned(), version_id.to_owned());
        SegmentRef { first: 0, count: 1, key, version_id, bytes: 1, chunks: Vec::new() }
    }

    #[test]
    fn leaves_are_found_by_key_and_version_until_they_are_published() {
        let memory = Memory::default();
        memory.keep_leaves(&segment("k", "v"), vec![Hash([7; 32])]);
        assert_eq!(memory.leaves(&segment("k", "v")), Some(vec![Hash([7; 32])]));
        assert_eq!(memory.leaves(&segment("k", "w")), None);
        memory.drop_leaves(&[segment("k", "v")]);
        assert_eq!(memory.leaves(&segment("k", "v")), None);
    }

    #[test]
    fn the_oldest_leaves_go_first() {
        let memory = Memory::default();
        for key in ["a", "b", "c"] {
            memory.keep_leaves(&segment(key, "v"), vec![Hash([0; 32]); MAX_LEAVES / 2]);
        }
        assert_eq!(memory.leaves(&segment("a", "v")), None);
        assert!(memory.leaves(&segment("b", "v")).is_some() && memory.leaves(&segment("c", "v")).is_some());
    }
}
