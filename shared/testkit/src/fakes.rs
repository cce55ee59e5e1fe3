//! Strict in-memory stores: they refuse what the real ones refuse.

pub mod calls;
pub mod control;
pub mod index;
pub mod keys;
pub mod ledger;
pub mod obj_rows;
pub mod objects;
pub mod own;
pub mod planned;
pub mod postings;
pub mod queue;
pub mod reads;
pub mod signer;
pub mod sweep;
pub mod table;
pub mod watch;
