//! The built command. The ledger in memory is the tampering matrix's own: one builder says what a good ledger is.
#![allow(clippy::print_stderr, clippy::unwrap_used, reason = "a test fails by panicking, and says what it skips")]

#[path = "../../shared/ledger/tests/tampering/builder.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "shared with the tampering matrix, which uses all of it")]
mod builder;
mod certificates;
mod export;
mod file_managers;
mod folders;
mod hostile;
#[cfg(feature = "aws")]
mod own_numbers;
#[path = "../../shared/certificate/tests/checking/sample.rs"]
#[allow(dead_code, reason = "shared with the tests of the check, which use all of it")]
mod sample;
