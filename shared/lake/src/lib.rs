//! Object keys, bronze lines, the plan, silver Parquet: the lake's formats and the ports of those who write and read it.
//!
//! Invariant: every byte that is written here can be made again from the same input (names, plans and Parquet files are
//! deterministic), and every reader rejects what it does not understand with an error that says what is wrong and
//! repeats none of it. No I/O and no clock: adapters implement [`ports`], callers pass times. The ledger's own objects
//! are named in the ledger crate.

pub mod bronze;
pub mod delivery;
pub mod ids;
pub mod keys;
pub mod object_row;
pub mod plan;
pub mod ports;
pub mod silver;

pub use ids::ObjectId;
