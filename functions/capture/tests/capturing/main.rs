//! Calls of capture over strict fakes, as API Gateway would bring them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bodies;
mod callers;
mod faults;
mod guides;
mod journal;
mod quiet;
mod world;
