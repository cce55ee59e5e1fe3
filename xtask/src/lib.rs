//! What `cargo xtask` can do, as a library, so that the demo and the end-to-end tests stand on the same local stack.
//!
//! Invariant: nothing in here is deployed, and nothing deployed imports it.

pub mod bench;
pub mod check;
pub mod demo;
mod emulator;
pub mod fault;
pub mod fuzz;
pub mod r#gen;
pub mod host;
pub mod local;
pub mod paths;
pub mod send;
pub mod silver;
pub mod stack;
pub mod suite;
pub mod tools;
