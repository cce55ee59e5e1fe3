//! The tree, its notes, the fixed vectors, and the tampering matrix.
#![allow(clippy::print_stderr, clippy::unwrap_used, reason = "a test fails by panicking, and says what it skips")]

mod notes;
mod tampering;
mod tree;
mod vectors;
