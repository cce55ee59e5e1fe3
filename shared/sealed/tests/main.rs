//! Sealing held against other implementations: the `hpke` crate, Python's `cryptography`, published vectors, a frozen file.
#![allow(clippy::print_stderr, clippy::unwrap_used, reason = "a test fails by panicking, and says what it skips")]
