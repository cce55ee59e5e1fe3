//! Access requests over the strict fakes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod answered;
mod answers;
mod as_of;
mod erased;
mod filtered;
mod journal;
mod orgs;
mod own;
mod pages;
mod problems;
mod reads;
mod shared;
mod world;
