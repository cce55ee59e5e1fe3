//! Strict in-memory stores: they refuse what the real ones refuse.

pub mod calls;
pub mod ledger;
pub mod objects;
pub mod queue;
pub mod signer;
pub mod sweep;
