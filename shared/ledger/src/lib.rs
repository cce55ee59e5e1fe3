//! Entries, segments, the Merkle tree and the append plan: no AWS, no tokio, no clock.

pub mod append;
pub mod canonical;
pub mod entry;
pub mod posting;
pub mod segment;
pub mod store;
pub mod tree;
