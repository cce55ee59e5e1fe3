//! Up to when an erasure reaches: what tombstones and PARTY rows say of events that come later.
//!
//! Invariant: a cutoff has one spelling, so that a write can be conditional on the one that was read.

use ledgerline_event::instant;

/// Up to when events are suppressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cutoff {
    /// Up to this moment, epoch milliseconds, itself included.
    At(i64),
    /// All of them, whenever they occur.
    Closed,
}

impl Cutoff {
    /// Whether it suppresses an event that occurred and was received then, epoch milliseconds: one of the two is enough.
    pub fn covers(self, occurred_at_ms: i64, received_at_ms: i64) -> bool {
        match self {
            Self::At(at_ms) => occurred_at_ms <= at_ms || received_at_ms <= at_ms,
            Self::Closed => true,
        }
    }

    /// As it is stored: RFC 3339 UTC with three decimals, or the word `closed`.
    pub fn to_text(self) -> String {
        match self {
            Self::At(at_ms) => instant::to_rfc3339(at_ms),
            Self::Closed => CLOSED.to_owned(),
        }
    }

    /// Reads what [`Cutoff::to_text`] writes, and no other spelling of it.
    pub fn parse(text: &str) -> Option<Self> {
        let read = if text == CLOSED { Self::Closed } else { Self::At(instant::parse(text)?) };
        (read.to_text() == text).then_some(read)
    }
}

const CLOSED: &str = "closed";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cutoff_covers_what_occurred_or_came_by_then() {
        for (occurred, received, covered) in [(5, 9, true), (6, 5, true), (6, 6, false), (-1, 9, true)] {
            assert_eq!(Cutoff::At(5).covers(occurred, received), covered, "{occurred} {received}");
            assert!(Cutoff::Closed.covers(occurred, received));
        }
        assert!(Cutoff::At(i64::MAX) < Cutoff::Closed && Cutoff::At(4) < Cutoff::At(5));
    }

    #[test]
    fn a_cutoff_has_one_spelling() {
        for cutoff in [Cutoff::At(1_772_460_000_350), Cutoff::At(7), Cutoff::Closed] {
            assert_eq!(Cutoff::parse(&cutoff.to_text()), Some(cutoff));
        }
        assert_eq!(Cutoff::At(1_772_460_000_350).to_text(), "2026-03-02T14:00:00.350Z");
        for bad in ["", "Closed", "2026-03-02T14:00:00Z", "2026-03-02T15:00:00.350+01:00", "1772460000350"] {
            assert_eq!(Cutoff::parse(bad), None, "{bad}");
        }
    }
}
