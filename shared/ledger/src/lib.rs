//! Entries, segments, the Merkle tree and the append plan: no AWS, no tokio, no clock.

pub mod acts;
pub mod append;
pub mod canonical;
pub mod checkpoint;
pub mod chunk;
pub mod entry;
pub mod head;
pub mod lock;
pub mod log;
pub mod member;
pub mod origin;
pub mod posting;
pub mod proof;
pub mod publish;
pub mod retention;
pub mod segment;
pub mod signing;
pub mod store;
pub mod summary;
pub mod tile;
pub mod tree;
pub mod verify;
