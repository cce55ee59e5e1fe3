//! Transform against strict fakes: redeliveries, duplicates, faults, and what lies in the stores afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod aliases;
mod calls;
mod cases;
mod contents;
mod crm;
mod erasures;
mod event_ids;
mod faults;
mod figures;
mod filters;
mod identity;
mod journal;
mod membership;
mod notifications;
mod orgs;
mod own;
mod rows;
mod sealed;
mod shared;
mod simulation;
mod start;
mod subjects;
mod tokens;
mod world;
