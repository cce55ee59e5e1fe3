//! The append and what follows it, on strict fakes. One binary: what they stand on is built and linked once.
#![allow(clippy::print_stderr, clippy::unwrap_used, reason = "a test fails by panicking, and says what it skips")]

mod append;
mod fault_matrix;
mod publication;
mod rebuilt_tiles;
mod rotation;
mod simulation;
mod turning_back;
mod world;
