//! Scheduled verification on strict fakes, and what its schedules say.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, and says what it skips")]

mod apart;
mod evidence;
mod schedules;
mod verifying;
mod world;
