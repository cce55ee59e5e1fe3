//! Entries, segments, the Merkle tree and the append plan: no AWS, no tokio, no clock.

pub mod append;
pub mod canonical;
pub mod chunk;
pub mod entry;
pub mod head;
pub mod log;
pub mod member;
pub mod ports;
pub mod posting;
pub mod segment;
pub mod store;
pub mod tree;
pub mod verify;
