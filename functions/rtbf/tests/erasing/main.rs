//! The eraser against strict fakes, with what transform and audit-write really left there: what goes, what stays, whatever comes between.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod traffic;
mod world;

mod approval;
mod bronze;
mod calls;
mod crm;
mod faults;
mod figures;
mod held;
mod hints;
mod lease;
mod listed;
mod owners;
mod proof;
mod reconcile;
mod restore;
mod scale;
mod set_aside;
mod simulation;
mod steps;
mod twice;
