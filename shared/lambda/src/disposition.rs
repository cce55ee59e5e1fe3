//! What becomes of a record whose handling failed.

use ledgerline_ledger::store::StoreError;

/// The three ways on after an error. A function maps each of its errors to one of them without a wildcard arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Try again later: the message is reported as failed and comes back.
    Retry,
    /// It can never succeed: kept durably with a masked reason, and only then acknowledged.
    Poison,
    /// Nothing of this can succeed until an operator acts: what it concerns stops and comes back. Where messages have groups,
    /// that is the group alone; where nothing else could succeed either, the invocation fails as a whole.
    Halt,
}

impl Disposition {
    /// What an error of a store means for a call to which somebody waits for the answer. Poison is a message's fate: no error here has it.
    pub fn of_call(error: &StoreError) -> Self {
        match error {
            StoreError::Conflict(_) | StoreError::Throttled(_) | StoreError::Unknown(_) => Self::Retry,
            StoreError::NotFound(_) | StoreError::Denied(_) | StoreError::Corrupt(_) => Self::Halt,
        }
    }
}
