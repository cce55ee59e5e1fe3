//! Transform against strict fakes: redeliveries, duplicates, faults, and what lies in the stores afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod calls;
mod cases;
mod faults;
mod filters;
mod notifications;
mod shared;
mod subjects;
mod world;
