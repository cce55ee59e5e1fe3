//! Derived state that a scheduled function carries from one run to the next: cursors and what is open behind them.
//!
//! Invariant: it is worth nothing as evidence and can be lost at any time; whoever keeps it can begin from nothing. Of
//! two runs at once one writes, the other learns that it lost and leaves its result.

use std::future::Future;

use ledgerline_ledger::store::StoreError;

/// State as it was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What a writer must name to replace exactly these.
    pub tag: String,
}

/// Keeps state under a name of its own (StagedBucket: GetObject, PutObject on `sweep/`).
pub trait KeepState {
    /// The state; `None` before the first, or once it was lost.
    fn load(&self, key: &str) -> impl Future<Output = Result<Option<Loaded>, StoreError>> + Send;

    /// Replaces the state that has this tag (If-Match); with none, writes the first (If-None-Match). `Conflict`:
    /// another run wrote in between.
    fn store(
        &self,
        key: &str,
        bytes: Vec<u8>,
        tag: Option<&str>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}
