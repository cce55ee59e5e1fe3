//! What an erasure lets go, decided: lines, keys and records, by what was read of them. Pure; who reads and writes is not said here.
//!
//! Invariant: a line, a key or a row belongs to every subject whose identifier its event carries, and goes if one of them is in the
//! request. Nothing goes that a live subject owns who is not in it, but together with one who is; what nobody owns goes with the record,
//! or if the approver lets it go. Of a line the eraser says what transform's gate would say of it now.

mod lines;
mod records;

pub use lines::{JointRule, LineOf, LineReader, LineRecord, Rules, WantsList, line_goes, names_of_entity};
pub use records::{
    RecordRule, RecordSeen, counted, exceeds, full_hour, is_closed, is_shared, keys_that_go, record_rule,
};

use ledgerline_event::instant;

/// The first moment up to which a cutoff must reach to cover a line, see `Cutoff::covers`: when it occurred or was received, whichever is
/// earlier; epoch milliseconds. A line that others loaded says nowhere when it came: it may have lain anywhere since it occurred by its
/// source's clock. Of somebody who was erased a deletion says nothing that is to be kept, whenever it comes.
pub fn cutoff_from(occurred_at_ms: i64, received_at_ms: Option<i64>, is_deletion: bool) -> i64 {
    let received_at_ms = received_at_ms.unwrap_or(occurred_at_ms.saturating_sub(instant::AHEAD_MS));
    if is_deletion { i64::MIN } else { occurred_at_ms.min(received_at_ms) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cutoff_must_reach_the_earlier_of_two_times_and_of_a_deletion_none() {
        assert_eq!(cutoff_from(7, Some(9), false), 7);
        assert_eq!(cutoff_from(9, Some(7), false), 7);
        assert_eq!(cutoff_from(0, None, false), -instant::AHEAD_MS);
        assert_eq!(cutoff_from(i64::MIN, None, false), i64::MIN);
        assert_eq!(cutoff_from(7, Some(9), true), i64::MIN);
    }
}
