//! Gold over the strict fakes. What Athena would answer follows from silver's files as they lie there when it is asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "the tests are one program")]
#![allow(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "counts of tests are small")]

mod counting;
mod faults;
mod racing;
mod requests;
mod tables;
mod telling;
mod world;
