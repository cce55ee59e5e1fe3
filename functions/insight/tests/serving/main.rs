//! Figures over a strict fake, as API Gateway would ask for them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod erased;
mod ledger;
mod lineage;
mod reads;
mod refusals;
mod selections;
mod world;
