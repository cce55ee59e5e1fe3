//! Runs of the sweep over strict stores, with every write failing once, and two runs at once.
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test fails by panicking, and its modules are its own")]

mod bronze;
mod completion;
mod journal;
mod logs;
mod month_keys;
mod planned;
mod pruning;
mod world;
