//! Strict in-memory fakes, fault injection and check_everything.

pub mod check;
pub mod fakes;
pub mod faults;
pub mod plans;
