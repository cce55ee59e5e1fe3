//! Where lines are kept, and what one of them puts back into the stream.

use bytes::Bytes;
use ledgerline_event::pieces::pieces;
use ledgerline_event::replayed;
use ledgerline_lake::bronze::{self, BronzeLine};
use ledgerline_lake::keys;
use ledgerline_store::bucket::Listed;
use ledgerline_store::error_object;
use ledgerline_store::quarantine::By;
use ledgerline_store::spill::SpillLine;
use ledgerline_store::stream::RECORD_BYTES_MAX;

use super::report::Group;

/// Where lines are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// What is not an event.
    Quarantine,
    /// What Firehose could not process or deliver, and redrive did not put back.
    Errors,
    /// What the stream refused when capture gave it.
    Spill,
}

/// A line that can go back.
pub(super) struct Kept {
    pub(super) group: Group,
    /// When it came, epoch milliseconds.
    pub(super) at_ms: i64,
    /// How often it was replayed before, and refused.
    pub(super) replayed: u32,
    /// What goes into the stream: one record, or the pieces of a large one.
    pub(super) records: Vec<Bytes>,
}

/// What a line is.
pub(super) enum Read {
    /// A line that can go back.
    Kept(Kept),
    /// White space, or the place of a line that an erasure took out.
    Nothing,
    /// Of no form that is known.
    Unreadable,
    /// A record that the stream does not take.
    TooLarge,
}

/// The reason of what has no code, or one that is not spelled as a code is.
pub(super) const UNKNOWN: &str = "unknown";
/// Who spills.
const CAPTURE: &str = "capture";

impl Origin {
    /// The folder of the bronze bucket.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Quarantine => keys::QUARANTINE,
            Self::Errors => keys::ERRORS,
            Self::Spill => keys::SPILL,
        }
    }

    /// Reads a line of the object.
    pub(super) fn read(self, listed: &Listed, line: &[u8]) -> Read {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Read::Nothing;
        }
        match self {
            Self::Quarantine => quarantined(&listed.key, line),
            Self::Errors => failed(listed, line),
            Self::Spill => spilled(line),
        }
    }
}

fn quarantined(key: &str, line: &[u8]) -> Read {
    let kept = match bronze::read(line) {
        BronzeLine::Quarantine(kept) => kept,
        BronzeLine::Erased => return Read::Nothing,
        BronzeLine::Event(_) => return Read::Unreadable,
    };
    // What has no time of arrival is a line that our reader does not understand: its bytes are no source's.
    let (Some(at_ms), Some(by)) = (kept.received_at_ms, By::of_key(key)) else { return Read::Unreadable };
    let group = Group::new(at_ms, by.as_str(), kept.reason.code());
    going_back(group, at_ms, kept.replayed, &kept.bytes)
}

fn failed(listed: &Listed, line: &[u8]) -> Read {
    let Some(failed) = error_object::read_line(line) else { return Read::Unreadable };
    // Redrive's rounds are over: somebody mended the cause, and it begins to count again.
    let rounds = failed.record.iter().rev().take_while(|byte| **byte == b'\t').count();
    let (record, replayed) = replayed::read(&failed.record[..failed.record.len() - rounds]);
    let at_ms = failed.arrived_at_ms.unwrap_or(listed.written_at_ms);
    // Firehose's word for what failed is the folder.
    let folder = listed.key.strip_prefix(keys::ERRORS).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let group = Group::new(at_ms, folder, failed.code.as_deref().unwrap_or(UNKNOWN));
    going_back(group, at_ms, replayed, record)
}

fn spilled(line: &[u8]) -> Read {
    let Some(SpillLine { received_at_ms: at_ms, reason, record }) = SpillLine::parse(line) else {
        return Read::Unreadable;
    };
    let reason = if is_code(&reason) { reason.as_str() } else { UNKNOWN };
    let (record, replayed) = replayed::read(&record);
    going_back(Group::new(at_ms, CAPTURE, reason), at_ms, replayed, record)
}

/// Whether a reason is spelled as a code is: whatever else stands there is not shown.
pub(super) fn is_code(reason: &str) -> bool {
    (1..=CODE_BYTES_MAX).contains(&reason.len()) && reason.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

const CODE_BYTES_MAX: usize = 64;

/// A record with one replay more behind it, in pieces where it is too much for ingest.
pub(super) fn going_back(group: Group, at_ms: i64, replayed: u32, record: &[u8]) -> Read {
    let pieces = match pieces(record) {
        // Nothing at all: it is a record all the same.
        none if none.is_empty() => vec![Vec::new()],
        pieces => pieces,
    };
    if pieces.iter().any(|piece| piece.len() > RECORD_BYTES_MAX) {
        return Read::TooLarge;
    }
    let marked = |piece| Bytes::from(replayed::marked(piece, replayed + 1, RECORD_BYTES_MAX));
    Read::Kept(Kept { group, at_ms, replayed, records: pieces.into_iter().map(marked).collect() })
}

#[cfg(test)]
mod tests {
    use ledgerline_event::document::Rejection;
    use ledgerline_lake::bronze::{NewQuarantine, write_quarantine};
    use proptest::prelude::*;

    use super::*;

    const ORIGINS: [(Origin, &str); 3] = [
        (Origin::Quarantine, "quarantine/redrive/x.jsonl"),
        (Origin::Errors, "errors/processing-failed/x"),
        (Origin::Spill, "spill/2026/03/02/14/abababababababababababababababab.jsonl"),
    ];

    fn listed(key: &str) -> Listed {
        Listed { key: key.to_owned(), tag: String::new(), written_at_ms: 0 }
    }

    fn records(read: Read) -> Option<Vec<Bytes>> {
        match read {
            Read::Kept(kept) => Some(kept.records),
            Read::Nothing | Read::Unreadable | Read::TooLarge => None,
        }
    }

    proptest! {
        #[test]
        fn any_line_of_any_origin_is_read_without_a_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            for (origin, key) in ORIGINS {
                let _ = origin.read(&listed(key), &line);
            }
        }

        #[test]
        fn what_was_kept_goes_back_byte_for_byte_with_one_replay_more(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            replayed in 0..5_u32,
        ) {
            let mut line = Vec::new();
            let (received_at_ms, reason) = (1_772_460_000_000, Rejection::NotJson);
            write_quarantine(&NewQuarantine { received_at_ms, reason, replayed, cut: &[], bytes: &bytes }, &mut line);
            let (origin, key) = ORIGINS[0];
            let sent = records(origin.read(&listed(key), &line)).unwrap_or_default();
            prop_assert_eq!(sent.len(), 1);
            // Bytes that end like a mark would be told as replayed once more; nothing is lost of them.
            let (unmarked, times) = ledgerline_event::replayed::read(&sent[0]);
            let own = (bytes.len() - unmarked.len()) / 2;
            prop_assert_eq!(times, replayed + 1 + own as u32);
            prop_assert!(bytes.starts_with(unmarked));
        }
    }
}
