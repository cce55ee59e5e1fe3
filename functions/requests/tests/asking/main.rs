//! Requests of persons over strict fakes, as API Gateway would bring them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod acts;
mod callers;
mod certificates;
mod erasing;
mod faults;
mod flow;
mod previews;
mod quiet;
mod world;
