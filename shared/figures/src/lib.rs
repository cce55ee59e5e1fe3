//! What gold counts and what follows from it: additive counters of half an hour, the days that they add up to, the ratios
//! of such sums, and the document that is served.
//!
//! Invariant: everything here is integer arithmetic over [`Counters`] that the SQL returned, so that the same counters give
//! the same figures in every order and at every grain; nothing but the last division of a ratio rounds. No I/O, no AWS and
//! no clock: callers pass times.

pub mod counters;
pub mod facts;
pub mod ratio;
pub mod summary;
pub mod target;
pub mod zone;

pub use counters::{Counters, DayKey, DayRow, Interval, IntervalKey, Repeats, by_day};
pub use ratio::{Figures, Hundredths, ServiceLevel};
pub use target::Targets;
pub use zone::ReportZone;

/// Milliseconds of one interval.
pub const INTERVAL_MS: i64 = 30 * 60 * 1000;
/// For how many days a further contact of the same customer counts as a repeat.
pub const FCR_DAYS: i64 = 7;
/// Abandons sooner than this are short: the caller dialled wrongly, or thought better of it.
pub const SHORT_ABANDON_MS: i64 = 5_000;
