//! Strict in-memory stores: they refuse what the real ones refuse.

pub mod control;
pub mod index;
pub mod keys;
pub mod objects;
pub mod queue;
