//! The stored families over the fake table and the fake bucket.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod changes;
mod erasure_rows;
mod keys;
mod pacing;
