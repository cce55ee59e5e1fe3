//! What the end-to-end tests share: the running stack, an organisation of one's own, and readers of every store.
//!
//! Each test sends under an org that nobody else has, so that tests run side by side on one stack and still count
//! exactly. Nothing here sleeps for luck: every wait is for a condition, with a deadline that names it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod access;
pub mod capture;
pub mod compliance;
pub mod gold;
pub mod guess;
pub mod issuer;
pub mod org;
pub mod quarantine;
pub mod role;
pub mod scan;
pub mod siege;
pub mod silver;
pub mod stack;
