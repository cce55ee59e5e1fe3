//! The sources, whole: documents in, events out.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and says what it skips"
)]

mod adapters;
mod documents;
mod foreign_forms;
mod guides;
mod heads;
mod policy;
mod readings;
mod support;
mod withheld;
