//! The answer to Firehose, written as it grows, within its limit by construction.

use base64::Engine as _;
use ledgerline_event::instant;

use crate::record::BASE64;

/// Lambda refuses synchronous answers above 6 MB, which some documents count as 6,000,000 and some as 6,291,456 bytes:
/// the smaller, less 100,000 for what the runtime adds.
///
/// With the template's buffer hint of 1 MB: 1 MB of events of 1 KB is 1,000 lines of 1.3 KB, times 4/3 for base64 is
/// 1.74 MB, plus 1,000 × 300 bytes for ids and keys: 2.1 MB, a third of the limit.
pub(crate) const RESPONSE_BYTES_MAX: usize = 5_900_000;

/// A failed answer without its id: 33 bytes of members and 116 of keys, and room for both.
const KEYED_FAILURE_BYTES: usize = 192;
/// The same without keys.
const PLAIN_FAILURE_BYTES: usize = 48;
/// `{"records":[` and `]}`.
const FRAME_BYTES: usize = 14;

/// Where Firehose puts a record's lines: the values of the keys in the stream's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) zone: &'static str,
    pub(crate) event_type: &'static str,
    /// The hour that the path names.
    pub(crate) at_ms: i64,
    /// Whether the path names the day only: its hour is 00.
    pub(crate) whole_day: bool,
}

impl Partition {
    /// Where what is no event goes: by arrival, never notified.
    pub(crate) fn quarantine(arrival_ms: i64) -> Self {
        Self { zone: "quarantine", event_type: "unreadable", at_ms: arrival_ms, whole_day: false }
    }
}

/// The answers so far. A failed answer for every record still to come is kept free, so that each can be answered.
///
/// For that the failed answers alone must fit: with keys, 5.9 MB hold 20,000 of them; without, a failed answer is
/// shorter than the record's own part of the request, which is at most 6 MB.
pub(crate) struct Answers {
    out: Vec<u8>,
    reserved: usize,
    /// Failed answers carry partition keys, too, unless there are so many records that they would fill the answer.
    keyed: bool,
}

impl Answers {
    /// Answers for records whose ids have these lengths.
    pub(crate) fn new(id_bytes: impl Iterator<Item = usize> + Clone) -> Self {
        let ids: usize = id_bytes.clone().sum();
        let keyed_bytes = ids + id_bytes.clone().count() * KEYED_FAILURE_BYTES;
        let keyed = keyed_bytes <= RESPONSE_BYTES_MAX / 2;
        let each = if keyed { KEYED_FAILURE_BYTES } else { PLAIN_FAILURE_BYTES };
        let mut out = Vec::with_capacity(1 << 20);
        out.extend_from_slice(b"{\"records\":[");
        Self { out, reserved: ids + id_bytes.count() * each, keyed }
    }

    /// Answers `Ok` with a record's lines, unless that would leave too little room for the others.
    pub(crate) fn ok(&mut self, id: &str, partition: &Partition, lines: &[u8]) -> bool {
        let data_bytes = lines.len().div_ceil(3) * 4;
        let others = self.reserved - self.reserve_of(id);
        if self.out.len() + OK_BYTES + id.len() + data_bytes + others + FRAME_BYTES > RESPONSE_BYTES_MAX {
            return false;
        }
        self.reserved = others;
        self.open(id);
        self.out.extend_from_slice(b",\"result\":\"Ok\",\"data\":\"");
        let start = self.out.len();
        self.out.resize(start + data_bytes, b'=');
        let written = BASE64.encode_slice(lines, &mut self.out[start..]).unwrap_or_default();
        self.out.truncate(start + written);
        self.out.push(b'"');
        self.keys(partition);
        self.out.push(b'}');
        true
    }

    /// Answers `ProcessingFailed`: Firehose then keeps the record as it came under the error prefix.
    pub(crate) fn failed(&mut self, id: &str, arrival_ms: i64) {
        self.reserved -= self.reserve_of(id);
        self.open(id);
        self.out.extend_from_slice(b",\"result\":\"ProcessingFailed\"");
        if self.keyed {
            self.keys(&Partition::quarantine(arrival_ms));
        }
        self.out.push(b'}');
    }

    /// The whole answer.
    pub(crate) fn finish(mut self) -> String {
        self.out.extend_from_slice(b"]}");
        // Ids are JSON text, everything else is ASCII: there is no other outcome.
        String::from_utf8(self.out).unwrap_or_default()
    }

    fn reserve_of(&self, id: &str) -> usize {
        id.len() + if self.keyed { KEYED_FAILURE_BYTES } else { PLAIN_FAILURE_BYTES }
    }

    fn open(&mut self, id: &str) {
        if !self.out.ends_with(b"[") {
            self.out.push(b',');
        }
        self.out.extend_from_slice(b"{\"recordId\":");
        self.out.extend_from_slice(id.as_bytes());
    }

    fn keys(&mut self, partition: &Partition) {
        let at = instant::civil(partition.at_ms);
        let hour = if partition.whole_day { 0 } else { at.hour };
        let out = &mut self.out;
        for (name, value) in [
            (",\"metadata\":{\"partitionKeys\":{\"zone\":\"", partition.zone),
            ("\",\"event_type\":\"", partition.event_type),
        ] {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(value.as_bytes());
        }
        out.extend_from_slice(b"\",\"year\":\"");
        two_digits(out, at.year / 100);
        two_digits(out, at.year % 100);
        for (name, value) in [("\",\"month\":\"", at.month), ("\",\"day\":\"", at.day), ("\",\"hour\":\"", hour)] {
            out.extend_from_slice(name.as_bytes());
            two_digits(out, value.into());
        }
        out.extend_from_slice(b"\"}}");
    }
}

/// An `Ok` answer without id and data: 40 bytes of members and 116 of keys, and room for both.
const OK_BYTES: usize = 192;

fn two_digits(out: &mut Vec<u8>, value: u16) {
    for digit in [value / 10 % 10, value % 10] {
        out.push(b'0' + digit as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserved_sizes_hold_the_longest_answers() {
        let partition =
            Partition { zone: "quarantine", event_type: "interaction", at_ms: 1_772_460_000_000, whole_day: false };
        let mut answers = Answers::new([3, 3].into_iter());
        assert!(answers.ok("\"a\"", &partition, b""));
        let ok = answers.out.len();
        answers.failed("\"b\"", 1_772_460_000_000);
        let failed = answers.out.len() - ok;
        assert!(ok <= OK_BYTES + 3 + FRAME_BYTES, "{ok}");
        assert!(failed <= KEYED_FAILURE_BYTES + 3, "{failed}");
        assert_eq!(answers.reserved, 0);
        let plain = ",{\"recordId\":,\"result\":\"ProcessingFailed\"}".len();
        assert!(plain <= PLAIN_FAILURE_BYTES, "{plain}");
    }
}
