//! The stored families over the fake table and the fake bucket.
// The rows of a table are one JSON literal.
#![recursion_limit = "256"]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod changes;
mod erasing;
mod erasure_rows;
mod keys;
mod pacing;
mod reaching;
