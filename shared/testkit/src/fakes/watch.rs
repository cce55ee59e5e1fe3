//! What verification remembers of each log, strict: a memory is replaced by who read it, and never by an older one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ledgerline_custody::watch::{WatchLogs, Watched};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::{Failure, StoreError};

use crate::fakes::table::condition_failed;
use crate::faults::Faults;

/// Memories by log.
#[derive(Clone, Debug, Default)]
pub struct FakeWatch {
    rows: Arc<Mutex<BTreeMap<LogId, Watched>>>,
    unreadable: Arc<Mutex<Option<LogId>>>,
    faults: Faults,
}

impl FakeWatch {
    /// Nothing is remembered yet.
    pub fn new(faults: Faults) -> Self {
        Self { rows: Arc::default(), unreadable: Arc::default(), faults }
    }

    /// This log's memory cannot be read from now on; `None`: all can.
    pub fn set_unreadable(&self, log: Option<LogId>) {
        *self.unreadable.lock().unwrap_or_else(PoisonError::into_inner) = log;
    }

    /// Somebody else's hand.
    pub fn overwrite(&self, log: &LogId, row: Watched) {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).insert(log.clone(), row);
    }

    /// What is remembered now.
    pub fn now(&self, log: &LogId) -> Option<Watched> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).get(log).cloned()
    }
}

impl WatchLogs for FakeWatch {
    async fn watched(&self, log: &LogId) -> Result<Option<Watched>, StoreError> {
        self.faults.latency().await;
        self.faults.read("dynamodb:GetItem")?;
        if self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(log) {
            return Err(StoreError::Corrupt(Failure::new("a row of verification lacks a time")));
        }
        Ok(self.now(log))
    }

    async fn remember(&self, log: &LogId, before: Option<&Watched>, now: &Watched) -> Result<(), StoreError> {
        self.faults.latency().await;
        self.faults.write("dynamodb:PutItem", || {
            let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
            if rows.get(log) != before {
                return Err(condition_failed("remember"));
            }
            assert!(before.is_none_or(|before| before.size <= now.size), "{log} is remembered smaller than it was");
            rows.insert(log.clone(), now.clone());
            Ok(())
        })
    }
}
