//! Which cases a log has.

use ledgerline_figures::zone::start_of_utc;
use time::{Date, Duration};

use super::case::Case;

/// The cases that began between two dates, if nothing more is to be expected of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    from_ms: i64,
    end_ms: i64,
    settled_ms: i64,
}

/// Whether a log has a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It has.
    In,
    /// It began before, or after.
    Elsewhere,
    /// Its last event is so young that others may be on their way.
    Unsettled,
}

impl Window {
    /// Cases that began from one UTC date to another, both included, and whose last event occurred before `settled_ms`, in epoch milliseconds.
    pub fn new(from: Date, to: Date, settled_ms: i64) -> Self {
        let end_ms = to.checked_add(Duration::DAY).map_or(i64::MAX, start_of_utc);
        Self { from_ms: start_of_utc(from), end_ms, settled_ms }
    }

    /// Whether the log has this case.
    pub fn fit(&self, case: &Case) -> Fit {
        match () {
            () if !(self.from_ms..self.end_ms).contains(&case.first_ms()) => Fit::Elsewhere,
            () if case.last_ms() > self.settled_ms => Fit::Unsettled,
            () => Fit::In,
        }
    }
}
