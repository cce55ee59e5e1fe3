//! A record of very many documents, taken apart into records that ingest can answer.
//!
//! Invariant: the pieces hold every byte of the record in its order, but for a document that is a list of events: of that each
//! element stands alone in the document around it, as ingest would write it. No document is cut.

use crate::batch::{self, SPLIT_BYTES_MAX};
use crate::document::{Fragment, split};

/// Bytes of a piece, and documents in it: 256 KiB, as base64 where a document has line breaks, and 4,000 times the 304 bytes that
/// bronze puts around an event are 1.6 MB of lines, half of what ingest can answer for one record.
const PIECE_BYTES: usize = 256 * 1024;
/// See [`PIECE_BYTES`].
const PIECE_DOCUMENTS: usize = 4_000;

/// The pieces of a record; the record itself where it is small.
pub fn pieces(record: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = Pieces::default();
    let (mut taken, mut lists_bytes) = (0, 0);
    for fragment in split(record) {
        let bytes = fragment.bytes();
        // What stands between two fragments goes with the one before it.
        let start = bytes.as_ptr() as usize - record.as_ptr() as usize;
        pieces.follow(&record[taken..start]);
        taken = start + bytes.len();
        let list = match &fragment {
            Fragment::Document(bytes, head) => batch::document_of(bytes, head),
            Fragment::Garbage(..) => None,
        };
        let batch = list.as_ref().and_then(|list| batch::split(list));
        // Of several lists the later ones may wait for their next round, lest all of them be in memory at once.
        let batch = batch.filter(|batch| lists_bytes + batch.bytes() <= SPLIT_BYTES_MAX);
        match batch {
            Some(batch) if batch.bytes() > PIECE_BYTES || batch.count() > PIECE_DOCUMENTS => {
                lists_bytes += batch.bytes();
                for document in batch.documents() {
                    pieces.add(&document);
                    pieces.follow(b"\n");
                }
            }
            _ => pieces.add(bytes),
        }
    }
    pieces.follow(&record[taken..]);
    pieces.done
}

#[derive(Default)]
struct Pieces {
    done: Vec<Vec<u8>>,
    /// Fragments in the last piece.
    fragments: usize,
}

impl Pieces {
    /// Adds a fragment, to the last piece or to a new one.
    fn add(&mut self, fragment: &[u8]) {
        match self.done.last_mut() {
            // What holds white space alone takes whatever comes.
            Some(last)
                if self.fragments == 0
                    || (self.fragments < PIECE_DOCUMENTS && last.len() + fragment.len() <= PIECE_BYTES) =>
            {
                last.extend_from_slice(fragment);
                self.fragments += 1;
            }
            _ => {
                self.done.push(fragment.to_vec());
                self.fragments = 1;
            }
        }
    }

    /// Adds what follows a fragment: white space.
    fn follow(&mut self, space: &[u8]) {
        match self.done.last_mut() {
            Some(last) => last.extend_from_slice(space),
            None if space.is_empty() => {}
            None => self.done.push(space.to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fragments(record: &[u8]) -> Vec<Vec<u8>> {
        split(record).map(|fragment| fragment.bytes().to_vec()).collect()
    }

    #[test]
    fn a_small_record_is_one_piece() {
        for record in [&b"{\"a\":1}"[..], b" \n{\"a\":1}garbage\n{\"b\":2}\t\t", b"", b"  "] {
            let pieces = pieces(record);
            assert_eq!(pieces.concat(), record);
            assert!(pieces.len() <= 1, "{pieces:?}");
        }
    }

    #[test]
    fn many_documents_and_the_elements_of_a_list_become_small_records() {
        let small: String =
            (0..18_000).map(|n| format!("{{\"interactionId\":\"a-{n}\",\"timestamp\":1772460000000}}")).collect();
        let list: String = (0..9_000).map(|n| format!("{{\"case_id\":\"c-{n}\"}},")).collect();
        let list =
            format!("{{\"process_name\":\"P\",\"batch_id\":\"b\",\"records\":[{list}{{\"case_id\":\"last\"}}]}}");
        let text = serde_json::json!({"source": "etl", "detail-type": "batch", "detail": list.clone()}).to_string();
        for (record, documents) in
            [(small.clone(), 18_000), (list.clone(), 9_001), (text, 9_001), (small + &list, 27_001)]
        {
            let pieces = pieces(record.as_bytes());
            let sizes: Vec<usize> = pieces.iter().map(|piece| fragments(piece).len()).collect();
            assert_eq!(sizes.iter().sum::<usize>(), documents);
            assert!(sizes.len() > 2 && sizes.iter().all(|size| *size <= PIECE_DOCUMENTS), "{sizes:?}");
            assert!(pieces.iter().all(|piece| piece.len() <= PIECE_BYTES + 1));
        }
    }

    #[test]
    fn a_list_whose_elements_would_repeat_a_huge_document_stays_whole() {
        let list: String = (0..5_000).map(|n| format!("{{\"case_id\":\"c-{n}\"}},")).collect();
        let around = "x".repeat(100_000);
        let record = format!("{{\"batch_id\":\"{around}\",\"records\":[{list}{{\"case_id\":\"last\"}}]}}");
        assert_eq!(pieces(record.as_bytes()), [record.into_bytes()]);
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_record(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just("{\"a\":1}".to_owned()), Just("\n".to_owned()), Just("rubbish\n".to_owned()), Just(" {\"b\":[2]}".to_owned()),
                    (1000..90_000_usize).prop_map(|size| format!("{{\"x\":\"{}\"}}", "y".repeat(size))),
                ],
                0..40,
            ),
        ) {
            let record = parts.concat().into_bytes();
            let pieces = pieces(&record);
            prop_assert!(pieces.concat() == record);
            if !pieces.is_empty() && !record.iter().all(u8::is_ascii_whitespace) {
                let apart: Vec<Vec<u8>> = pieces.iter().flat_map(|piece| fragments(piece)).collect();
                prop_assert!(apart == fragments(&record));
            }
        }
    }
}
