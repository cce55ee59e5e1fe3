//! How often a record was replayed, told at the record's end.
//!
//! Firehose keeps nothing of a record but its bytes, and white space behind a document is not a part of it: so the count travels with
//! the bytes, the document stays verbatim, and no second store can disagree with the stream. Ingest takes the marks off before it
//! reads the record, and writes the count into each line that the record becomes.
//!
//! Invariant: what was marked is read back, byte for byte and with its count; redrive's tabs behind the marks count as none.

/// A tab and a carriage return, once for each replay: sources end records with neither in this order, and redrive adds tabs alone.
const MARK: &[u8] = b"\t\r";
/// What redrive adds, once for each round.
const ROUND: u8 = b'\t';
/// The largest count that is told: 255 marks are 510 bytes. A line that was refused more often is told as one that was refused so often.
pub const REPLAYS_MAX: u32 = 255;

/// The record without its marks, and how often it was replayed. A record without marks comes back as it is, redrive's tabs included.
pub fn read(record: &[u8]) -> (&[u8], u32) {
    let tabs = record.iter().rev().take_while(|byte| **byte == ROUND).count();
    let (unmarked, replayed) = take_marks(&record[..record.len() - tabs]);
    if replayed == 0 { (record, 0) } else { (unmarked, replayed) }
}

/// The record with so many marks at its end, fewer where `bytes_max` leaves no room for all of them: a record is never given up for want
/// of a place to count.
pub fn marked(mut record: Vec<u8>, replayed: u32, bytes_max: usize) -> Vec<u8> {
    let room = bytes_max.saturating_sub(record.len()) / MARK.len();
    for _ in 0..room.min(replayed.min(REPLAYS_MAX) as usize) {
        record.extend_from_slice(MARK);
    }
    record
}

fn take_marks(mut record: &[u8]) -> (&[u8], u32) {
    let mut replayed = 0;
    while let Some(rest) = record.strip_suffix(MARK).filter(|_| replayed < REPLAYS_MAX) {
        record = rest;
        replayed += 1;
    }
    (record, replayed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_record_that_was_never_replayed_stays_as_it_is() {
        for record in [&b""[..], b"{}", b"{}\r\n", b"{}\t\t", b"\t", b"{}\r", b"{}\r\t"] {
            assert_eq!(read(record), (record, 0));
        }
    }

    #[test]
    fn a_mark_without_room_is_left_out_and_the_record_is_not() {
        assert_eq!(marked(b"{}".to_vec(), 3, 7), b"{}\t\r\t\r");
        assert_eq!(marked(b"{}".to_vec(), 1, 0), b"{}");
        assert_eq!(marked(Vec::new(), u32::MAX, 1_000).len(), 510);
    }

    proptest! {
        #[test]
        fn what_was_marked_is_read_back_whatever_redrive_adds(
            record in proptest::collection::vec(any::<u8>(), 0..40),
            replayed in 1..=REPLAYS_MAX,
            rounds in 0_usize..4,
        ) {
            // A record that seems marked already is told as replayed more often: nothing else of it changes.
            prop_assume!(!record.ends_with(MARK));
            let mut sent = marked(record.clone(), replayed, usize::MAX);
            sent.extend(std::iter::repeat_n(ROUND, rounds));
            prop_assert_eq!(read(&sent), (&record[..], replayed));
        }
    }
}
