//! A day of invented traffic, and the client of a running stack: what the demo, the benches and the end-to-end tests send, and how they
//! read what became of it.
//!
//! Invariant: nothing in here is deployed, and nothing deployed imports it.

pub mod r#gen;
pub mod host;
pub mod send;
pub mod silver;
pub mod stack;
