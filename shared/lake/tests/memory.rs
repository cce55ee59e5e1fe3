//! What taking lines out of the largest object holds in memory: the object as it came and as it goes, and little beside.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use ledgerline_lake::redact::redact;

/// Firehose's largest object, unpacked.
const UNPACKED_BYTES: usize = 128 * 1024 * 1024;
/// The decoder's and the encoder's windows, a piece, a line.
const BESIDE_BYTES: usize = 4 * 1024 * 1024;

#[test]
fn the_largest_object_is_never_unpacked_whole() {
    let line = |number: usize| {
        format!("{{\"conversationId\":\"c-{number:010}\",\"ani\":\"+1555{:07}\"}}\n", number % 9_999_991)
    };
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let (mut bytes, mut lines) = (0, 0);
    while bytes < UNPACKED_BYTES {
        let line = line(lines);
        encoder.write_all(line.as_bytes()).unwrap();
        (bytes, lines) = (bytes + line.len(), lines + 1);
    }
    let object = encoder.finish().unwrap();
    let mut written = 0;
    let held = allocation_counter::measure(|| {
        let found = redact(&object, &mut |number, _| number % 1_000 == 7).unwrap();
        assert_eq!((found.lines, found.changed), (lines as u64, (lines as u64 - 7).div_ceil(1_000)));
        written = found.gzip.unwrap().len();
    });
    // What grows is copied once to where there is room for it.
    let expected = 3 * written.max(object.len()) + BESIDE_BYTES;
    assert!(held.bytes_max < expected as u64, "{} bytes for {written} of {}", held.bytes_max, object.len());
    assert!(expected < UNPACKED_BYTES, "the object packs well enough to tell");
}
