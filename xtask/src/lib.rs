//! What the project's own commands stand on: paths, faults, the programs that they need, the local stack.
//!
//! Invariant: nothing in here is deployed, and nothing deployed imports it. It depends on no crate of the product and on no AWS SDK,
//! so that the first `cargo xtask` of a fresh checkout starts within a minute; what needs more is a crate below `tools/`.

pub mod check;
pub mod emulator;
pub mod fault;
pub mod local;
pub mod paths;
pub mod permissions;
pub mod suite;
pub mod tools;
