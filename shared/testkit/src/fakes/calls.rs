//! Counts the AWS calls that the real adapters would make for what the fakes were asked, so that a run's cost can be
//! read off it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Calls by name, such as `dynamodb:UpdateItem`, shared by all fakes of a run.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    by_name: Arc<Mutex<BTreeMap<&'static str, u64>>>,
}

impl Calls {
    /// Adds `times` calls of `name`.
    pub fn add(&self, name: &'static str, times: usize) {
        *self.lock().entry(name).or_default() += times as u64;
    }

    /// The calls so far, by name.
    pub fn by_name(&self) -> BTreeMap<&'static str, u64> {
        self.lock().clone()
    }

    /// All calls so far.
    pub fn total(&self) -> u64 {
        self.lock().values().sum()
    }

    /// Starts over.
    pub fn reset(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
