//! Object keys, bronze lines, the plan, silver and gold Parquet, SQL, logs for process mining: the lake's formats.
//!
//! Invariant: every byte that is written here can be made again from the same input (names, plans and Parquet files are
//! deterministic), and every reader rejects what it does not understand with an error that says what is wrong and
//! repeats none of it. No I/O but into what a caller lends, and no clock: callers pass times. The ledger's own objects
//! are named in the ledger crate.

pub mod bronze;
pub mod gold;
pub mod ids;
pub mod keys;
pub mod lines;
pub mod mining;
pub mod plan;
pub mod redact;
pub mod silver;
pub mod sql;

pub use ids::ObjectId;
