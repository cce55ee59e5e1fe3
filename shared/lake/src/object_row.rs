//! The row of a bronze object: whether it was begun, whether it is planned, and how its events were counted.
//!
//! Invariant: `startedAt` never changes once it is set. It is the processing time of everything that becomes of the
//! object, so that whoever computes it again, after a crash or beside somebody else, computes the same.

use std::future::Future;

use ledgerline_ledger::store::StoreError;

use crate::ids::ObjectId;
use crate::plan::Header;

/// What the row said when an object was taken up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// When the object was first taken up, RFC 3339.
    pub started_at: String,
    /// Whether this is not the first time: a plan may exist.
    pub again: bool,
    /// Whether the object is planned and all its pointers are sent: nothing is left to do.
    pub planned: bool,
}

/// Keeps the rows (ControlTable: UpdateItem).
pub trait ObjectRows {
    /// Notes that the object is taken up, unless that is noted, and says what the row said before.
    fn open(&self, object: ObjectId, key: &str, now: &str) -> impl Future<Output = Result<Opened, StoreError>> + Send;

    /// Notes that the object is planned, with its plan's counts. What audit-write has added stays.
    fn planned(&self, plan: &Header, now: &str) -> impl Future<Output = Result<(), StoreError>> + Send;
}
