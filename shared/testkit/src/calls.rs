//! Counts the AWS calls that the real adapters would make for what the fakes were asked, so that a run's cost can be
//! read off it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Calls by name, such as `dynamodb:UpdateItem`, shared by all fakes of a run.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    by_name: Arc<Mutex<BTreeMap<&'static str, u64>>>,
    touched: Arc<Mutex<BTreeSet<Touched>>>,
}

/// One thing that a role must allow: an action on a part of a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Touched {
    /// The IAM action, such as `dynamodb:UpdateItem`.
    pub action: &'static str,
    /// The template's name of the table, bucket, queue or key.
    pub resource: &'static str,
    /// The family of leading keys, such as `OBJ#*`, or the prefix; empty for all of the resource.
    pub part: String,
}

impl Calls {
    /// Adds `times` calls of `name`.
    pub fn add(&self, name: &'static str, times: usize) {
        *self.lock().entry(name).or_default() += times as u64;
    }

    /// Notes what a role must allow for a call.
    pub fn touch(&self, action: &'static str, resource: &'static str, part: String) {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        touched.insert(Touched { action, resource, part });
    }

    /// What roles must have allowed so far.
    pub fn touched(&self) -> BTreeSet<Touched> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
