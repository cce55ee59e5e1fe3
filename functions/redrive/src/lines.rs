//! A line of an error object, and the round that its record is in.
//!
//! What is not such a line is given back as it is: the caller keeps it.

use bytes::Bytes;
use ledgerline_event::pieces::pieces;
use ledgerline_event::replayed;
use ledgerline_store::error_object;
use ledgerline_store::stream::RECORD_BYTES_MAX;

/// What a line holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A record, as it goes back into the stream: itself, or the pieces of one that was too much for an answer.
    Records(Vec<Bytes>),
    /// A record that came round too often, as its source sent it, and how often it was replayed before.
    Unprocessable(Vec<u8>, u32),
    /// No record, or one that the stream never took.
    None,
}

/// How often a record goes back. A round takes the queue's rest of a quarter of an hour and some minutes in the stream:
/// 96 rounds are more than a day, longer than most outages of a function.
const ROUNDS_MAX: usize = 96;

/// Marks a round, at a record's end: white space is no part of a document, and sources end theirs otherwise if at all.
/// Nothing else of a record is kept by Firehose from one round to the next.
const ROUND: u8 = b'\t';

/// Reads a line.
pub(crate) fn read_line(line: &[u8]) -> Content {
    error_object::read_line(line).map_or(Content::None, |failed| next_round(failed.record))
}

/// A record has one round more behind it, and so has each of its pieces, unless it had all of them. One that has no room for the
/// marks goes back without: it is never given up, for want of a place to count.
fn next_round(mut record: Vec<u8>) -> Content {
    let rounds = record.iter().rev().take_while(|byte| **byte == ROUND).count();
    record.truncate(record.len() - rounds);
    let (unmarked, replayed) = replayed::read(&record);
    if rounds >= ROUNDS_MAX {
        return Content::Unprocessable(unmarked.to_vec(), replayed);
    }
    let marked = |piece: Vec<u8>| {
        let mut piece = replayed::marked(piece, replayed, RECORD_BYTES_MAX);
        let room = RECORD_BYTES_MAX.saturating_sub(piece.len());
        piece.resize(piece.len() + room.min(rounds + 1), ROUND);
        Bytes::from(piece)
    };
    let pieces = match pieces(unmarked) {
        // Nothing but marks: it is a record all the same.
        none if none.is_empty() => vec![unmarked.to_vec()],
        pieces => pieces,
    };
    // What the stream never took, it does not take now.
    match pieces.iter().all(|piece| piece.len() <= RECORD_BYTES_MAX) {
        true => Content::Records(pieces.into_iter().map(marked).collect()),
        false => Content::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(content: Content) -> Bytes {
        match content {
            Content::Records(mut records) if records.len() == 1 => records.remove(0),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_piece_of_a_record_of_many_documents_bears_its_rounds() {
        let documents: String = (0..9_000).map(|n| format!("{{\"interactionId\":\"i-{n}\"}}")).collect();
        let record = [documents.as_bytes(), b"\t\t"].concat();
        let Content::Records(pieces) = next_round(record) else { panic!("given up") };
        assert!(pieces.len() > 2 && pieces.iter().all(|piece| piece.ends_with(b"}\t\t\t")));
        let whole: Vec<u8> = pieces.iter().flat_map(|piece| piece[..piece.len() - 3].to_vec()).collect();
        assert_eq!(whole, documents.as_bytes());
        assert_eq!(one(next_round(b"\t".to_vec())).as_ref(), b"\t\t");
    }

    #[test]
    fn rounds_are_counted_at_the_end_of_a_record_and_end() {
        let mut record = b"{\"a\":\"\t\"}\n".to_vec();
        for round in 1..=ROUNDS_MAX {
            let next = one(next_round(record));
            assert!(next.ends_with(&vec![ROUND; round]) && next[next.len() - round - 1] == b'\n');
            record = next.to_vec();
        }
        assert_eq!(next_round(record), Content::Unprocessable(b"{\"a\":\"\t\"}\n".to_vec(), 0));
    }

    #[test]
    fn each_piece_of_a_replayed_record_says_so_in_every_round_and_at_the_end() {
        let documents: String = (0..9_000).map(|n| format!("{{\"interactionId\":\"i-{n}\"}}")).collect();
        let mut record = replayed::marked(documents.into_bytes(), 2, RECORD_BYTES_MAX);
        for rounds in 1..4 {
            let Content::Records(pieces) = next_round(record.clone()) else { panic!("given up") };
            let ends = pieces.iter().all(|piece| piece.ends_with(&vec![ROUND; rounds]) && replayed::read(piece).1 == 2);
            assert!(pieces.len() > 2 && ends, "round {rounds}");
            record.push(ROUND);
        }
        let last = [replayed::marked(b"{}".to_vec(), 3, RECORD_BYTES_MAX), vec![ROUND; ROUNDS_MAX]].concat();
        assert_eq!(next_round(last), Content::Unprocessable(b"{}".to_vec(), 3));
    }

    #[test]
    fn a_record_without_room_for_a_mark_goes_back_as_it_is() {
        let full = vec![b'x'; RECORD_BYTES_MAX];
        assert_eq!(one(next_round(full.clone())), full);
        let last = one(next_round(full[1..].to_vec()));
        assert_eq!((last.len(), last.last()), (RECORD_BYTES_MAX, Some(&ROUND)));
    }
}
