//! Sealing held against other implementations: the `hpke` crate, Python's `cryptography`, a published vector, frozen files.
#![allow(clippy::print_stderr, clippy::unwrap_used, reason = "a test fails by panicking, and says what it skips")]

mod golden;
mod opener;
mod properties;
mod python;
