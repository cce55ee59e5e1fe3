//! Fault injection: the n-th write of a run is lost, or persisted and still reported as an error.
//!
//! Every strict fake asks [`Faults::strike`] once per write, before it touches its state. A run without faults counts
//! the writes; the fault matrix then repeats the run once per write and kind of fault.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ledgerline_ledger::store::{Failure, StoreError};

/// What happens to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// The write never reached the store; the caller sees an error.
    Lost,
    /// The store kept the write; the caller sees an error all the same.
    PersistedButErrored,
}

/// Both kinds, for the matrix.
pub const ALL_FAULTS: [Fault; 2] = [Fault::Lost, Fault::PersistedButErrored];

/// The faults of one run, shared by all fakes of that run.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    planned: BTreeMap<usize, Fault>,
    log: Vec<String>,
    struck: usize,
}

impl Faults {
    /// A run in which nothing fails.
    pub fn none() -> Self {
        Self::default()
    }

    /// A run in which write number `nth` (from 0) suffers `fault`.
    pub fn at(nth: usize, fault: Fault) -> Self {
        let faults = Self::default();
        faults.plan(nth, fault);
        faults
    }

    /// Adds one more fault.
    pub fn plan(&self, nth: usize, fault: Fault) {
        self.lock().planned.insert(nth, fault);
    }

    /// Called by a fake once per write, with the write's name. `Some` says what to do to it.
    pub fn strike(&self, write: &str) -> Option<Fault> {
        let mut state = self.lock();
        let nth = state.log.len();
        state.log.push(write.to_owned());
        let fault = state.planned.get(&nth).copied();
        state.struck += usize::from(fault.is_some());
        fault
    }

    /// How many writes were asked for so far.
    pub fn writes(&self) -> usize {
        self.lock().log.len()
    }

    /// The names of the writes so far, in order.
    pub fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    /// How many of the planned faults have struck: a matrix row whose fault never struck proves nothing.
    pub fn struck(&self) -> usize {
        self.lock().struck
    }

    /// The error that a struck write reports: its outcome is unknown to the caller.
    pub fn error(write: &str) -> StoreError {
        StoreError::Unknown(Failure::new(format!("{write} (injected fault)")))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_planned_write_is_struck() {
        let faults = Faults::at(1, Fault::Lost);
        assert_eq!(faults.strike("a"), None);
        assert_eq!(faults.strike("b"), Some(Fault::Lost));
        assert_eq!(faults.strike("c"), None);
        assert_eq!((faults.writes(), faults.struck()), (3, 1));
        assert_eq!(faults.log(), ["a", "b", "c"]);
    }
}
