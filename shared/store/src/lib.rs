//! What is stored where. One module per stored family holds its key, its row, everything that is ever asked of it, and
//! what an erasure does to it; the ports [`table::Table`] and [`bucket::Bucket`] carry that to AWS, or to the fakes of the
//! tests.
//!
//! Invariant: no key and no attribute of a stored row is spelled outside of this crate.

pub mod act_note;
pub mod bronze_object;
pub mod bucket;
pub mod checkpoint;
pub mod claim;
pub mod data_key;
pub mod delivery;
pub mod error_object;
pub mod head;
pub mod hold;
pub mod ledger;
pub mod object_row;
pub mod own;
pub mod plan;
pub mod planned;
pub mod poison;
pub mod posting;
pub mod quarantine;
pub mod queue;
pub mod record;
pub mod segment;
pub mod signer;
pub mod silver;
pub mod stream;
pub mod subject;
pub mod sweep_state;
pub mod table;
pub mod tile;
pub mod watch;
pub mod wrapping;

/// What an erasure does to a family. Every family says it, in its constant `ERASURE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erasure {
    /// Its rows hold nothing of a person: ids, counts and times of objects and logs.
    HoldsNoPerson,
    /// Its rows go by themselves, so many days after they are written.
    ExpiresAfterDays(u32),
    /// An erasure deletes or rewrites the rows of the person, in the step of this name.
    Erased(&'static str),
}
