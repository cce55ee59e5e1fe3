//! Strict in-memory fakes, fault injection, the log, and check_everything.
//!
//! Invariant: a fake refuses what the real store refuses. What a test may rely on is checked by panicking: this crate is a
//! development dependency only.
#![expect(clippy::expect_used, reason = "a broken assumption of a test ends that test")]

pub mod athena;
pub mod bucket;
mod bucket_rules;
pub mod calls;
pub mod check;
pub mod entries;
pub mod evidence;
pub mod faults;
pub mod log;
pub mod opener;
pub mod plans;
pub mod queue;
mod rules;
pub mod signer;
pub mod stream;
pub mod table;
mod views;
pub mod wrapping;
