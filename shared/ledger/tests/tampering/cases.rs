//! The rows of the matrix: what is done to entries and segments; [`derived`] has what is done to all that follows from them.

mod derived;

use ledgerline_ledger::checkpoint::{archive_key, live_key};
use ledgerline_ledger::segment::SegmentName;
use ledgerline_ledger::tile::Tile;
use ledgerline_ledger::verify::FindingKind::{self, *};
use ledgerline_ledger::verify::ObjectVersion;

use super::builder::{GONE, Ledger, Stored, line, pack};
use super::{Case, SEED, calls, entities, globex};

type Damage = fn(&mut Ledger) -> (String, Option<u64>);

pub(crate) fn all() -> Vec<Case> {
    let rows: Vec<Rows> =
        vec![LINES, SEGMENTS, ORPHANS, derived::HEADS, derived::TILES, derived::CHECKPOINTS, derived::ROWS_AND_LOCKS];
    let rows = rows.into_iter().flatten();
    rows.map(|(name, damage, expect, also)| Case { name, damage: *damage, expect: *expect, also }).collect()
}

/// The ledger is verified a day after it was written.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

type Rows = &'static [(&'static str, Damage, FindingKind, &'static [FindingKind])];

/// An entry of the third segment (170 to 485), which reaches over two tiles.
const AT: u64 = 300;

fn third(ledger: &Ledger) -> String {
    ledger.segment(&calls(), 2)
}

fn edit(ledger: &mut Ledger, change: impl FnOnce(&mut Vec<String>)) -> String {
    let key = third(ledger);
    ledger.rewrite(&key, change)
}

fn alter(lines: &mut [String]) {
    let at = (AT - 170) as usize;
    lines[at] = lines[at].replace("\"VOICE\"", "\"EMAIL\"");
}

const LINES: Rows = &[
    (
        "flip a byte",
        |ledger| {
            let key = third(ledger);
            ledger.change(&key, |bytes| bytes[100] ^= 1);
            (key, Some(170))
        },
        SegmentAltered,
        &[SegmentUnreadable, SegmentWrongCount, EntryMalformed, EntryAltered, PostingExtra],
    ),
    ("alter a line", |ledger| (edit(ledger, |lines| alter(lines)), Some(AT)), EntryAltered, &[]),
    (
        "alter a line in the unfinished tile",
        |ledger| {
            let key = ledger.segment(&calls(), 5);
            let renamed = ledger.rewrite(&key, |lines| lines[50] = lines[50].replace("\"VOICE\"", "\"EMAIL\""));
            (renamed, Some(776 + 50))
        },
        EntryAltered,
        &[],
    ),
    (
        "alter two lines of one log",
        |ledger| {
            edit(ledger, |lines| alter(lines));
            let key = ledger.segment(&calls(), 4);
            let renamed = ledger.rewrite(&key, |lines| lines[85] = lines[85].replace("\"VOICE\"", "\"EMAIL\""));
            (renamed, Some(686 + 85))
        },
        EntryAltered,
        &[],
    ),
    (
        "alter a line and the tiles over it",
        |ledger| {
            edit(ledger, |lines| alter(lines));
            ledger.rewrite_derived(&calls(), None);
            (archive_key(&calls(), 486), Some(170))
        },
        RootMismatch,
        &[],
    ),
    (
        "alter a line and sign everything with another key",
        |ledger| {
            edit(ledger, |lines| alter(lines));
            ledger.rewrite_derived(&calls(), Some(9));
            (archive_key(&calls(), 486), Some(486))
        },
        CheckpointUnsigned,
        &[EntriesUnsigned],
    ),
    (
        "alter a line and sign with the stolen key, but for one locked checkpoint",
        |ledger| {
            let kept = ledger.bytes(&archive_key(&calls(), 686));
            edit(ledger, |lines| alter(lines));
            ledger.rewrite_derived(&calls(), Some(SEED));
            ledger.replace(&archive_key(&calls(), 686), kept);
            (archive_key(&calls(), 686), Some(686))
        },
        CheckpointForked,
        &[],
    ),
    (
        "drop a line",
        |ledger| (edit(ledger, |lines| drop(lines.remove((AT - 170) as usize))), Some(AT)),
        EntryDropped,
        &[EntriesMissing],
    ),
    (
        "drop a line and keep the count",
        |ledger| {
            let key = third(ledger);
            let mut lines = ledger.lines_of(&key);
            lines.remove(7);
            (ledger.swap_segment(&key, 170, 316, pack(&lines)), Some(170 + 315))
        },
        SegmentWrongCount,
        &[EntryDropped, PostingAltered, PostingExtra, PostingMissing],
    ),
    (
        "duplicate a line over the next",
        |ledger| (edit(ledger, |lines| lines[131] = lines[130].clone()), Some(AT + 1)),
        EntryDuplicated,
        &[],
    ),
    ("swap two lines", |ledger| (edit(ledger, |lines| lines.swap(130, 140)), Some(AT)), EntryReordered, &[]),
    (
        "put a line in and drop the last",
        |ledger| {
            (
                edit(ledger, |lines| {
                    lines.insert(130, line(&calls(), 5_000));
                    lines.pop();
                }),
                Some(AT),
            )
        },
        EntryInserted,
        &[],
    ),
    (
        "append a line to a segment in the middle",
        |ledger| (edit(ledger, |lines| lines.push(line(&calls(), 5_000))), Some(486)),
        SegmentOverlap,
        &[EntriesMissing, PostingExtra],
    ),
    (
        "append a line to the last segment",
        |ledger| {
            let key = ledger.segment(&calls(), 5);
            (ledger.rewrite(&key, |lines| lines.push(line(&calls(), 5_000))), Some(866))
        },
        OrphanUncommitted,
        &[EntriesMissing, PostingExtra],
    ),
    (
        "truncate a segment by lines",
        |ledger| {
            edit(ledger, |lines| lines.truncate(256));
            (format!("{}{:020}", ledgerline_ledger::segment::folder(&calls()), 426), Some(426))
        },
        EntriesMissing,
        &[],
    ),
    (
        "truncate a segment by bytes",
        |ledger| {
            let key = third(ledger);
            ledger.change(&key, |bytes| bytes.truncate(bytes.len() - 9));
            (key, Some(170))
        },
        SegmentAltered,
        &[SegmentUnreadable, SegmentWrongCount, PostingExtra],
    ),
    (
        "write a line in another form",
        |ledger| {
            let key = third(ledger);
            let mut lines = ledger.lines_of(&key);
            lines[130] = lines[130].replacen("\":", "\": ", 1);
            (ledger.swap_segment(&key, 170, 316, pack(&lines)), Some(AT))
        },
        EntryMalformed,
        &[EntryAltered, PostingAltered, PostingExtra, PostingMissing],
    ),
];

const SEGMENTS: Rows = &[
    (
        "drop a segment",
        |ledger| {
            ledger.objects.remove(&third(ledger));
            ledger.rebuild_postings();
            (format!("{}{:020}", ledgerline_ledger::segment::folder(&calls()), 170), Some(170))
        },
        EntriesMissing,
        &[],
    ),
    (
        "drop the first segment",
        |ledger| {
            ledger.objects.remove(&ledger.segment(&calls(), 0));
            ledger.rebuild_postings();
            (format!("{}{:020}", ledgerline_ledger::segment::folder(&calls()), 0), Some(0))
        },
        PrunedWithoutRecord,
        &[],
    ),
    (
        "drop the last segment and roll the head back to it",
        |ledger| {
            ledger.roll_back_head(&calls(), 776);
            ledger.objects.remove(&ledger.segment(&calls(), 5));
            ledger.rebuild_postings();
            (format!("{}{:020}", ledgerline_ledger::segment::folder(&calls()), 776), Some(776))
        },
        EntriesMissing,
        &[HeadRolledBack],
    ),
    (
        "swap two segments of one length",
        |ledger| {
            let (left, right) = (ledger.segment(&calls(), 4), ledger.segment(&calls(), 5));
            let (left_bytes, right_bytes) = (ledger.bytes(&left), ledger.bytes(&right));
            let renamed = ledger.swap_segment(&left, 686, 90, right_bytes);
            ledger.swap_segment(&right, 776, 90, left_bytes);
            ledger.rebuild_postings();
            (renamed, Some(686))
        },
        EntryAltered,
        &[EntryDropped],
    ),
    (
        "put a segment in another's place, too",
        |ledger| {
            let (left, right) = (ledger.segment(&calls(), 4), ledger.segment(&calls(), 5));
            let bytes = ledger.bytes(&left);
            let renamed = ledger.swap_segment(&right, 776, 90, bytes);
            ledger.rebuild_postings();
            (renamed, Some(776))
        },
        SegmentDuplicated,
        &[],
    ),
    (
        "rename a segment to another place",
        |ledger| {
            let key = third(ledger);
            let bytes = ledger.bytes(&key);
            ledger.swap_segment(&key, 2_000, 316, bytes);
            ledger.rebuild_postings();
            (format!("{}{:020}", ledgerline_ledger::segment::folder(&calls()), 170), Some(170))
        },
        EntriesMissing,
        &[PostingExtra],
    ),
    (
        "rename a segment to another digest",
        |ledger| {
            let key = third(ledger);
            let versions = ledger.objects.remove(&key).unwrap();
            let renamed =
                SegmentName { digest: "0123456789abcdef".to_owned(), ..SegmentName::parse(&key).unwrap() }.key();
            let rename = |stored: Stored| Stored {
                version: ObjectVersion { key: renamed.clone(), ..stored.version },
                bytes: stored.bytes,
            };
            ledger.objects.insert(renamed.clone(), versions.into_iter().map(rename).collect());
            (renamed, Some(170))
        },
        SegmentAltered,
        &[PostingAltered, PostingExtra, PostingMissing],
    ),
    (
        "re-compress a segment under its name",
        |ledger| {
            let key = third(ledger);
            let bytes = recompress(&ledger.lines_of(&key), None);
            ledger.replace(&key, bytes);
            (key, Some(170))
        },
        SegmentAltered,
        &[PostingAltered, PostingExtra, PostingMissing],
    ),
    (
        "re-compress a segment under a name that fits",
        |ledger| {
            let key = third(ledger);
            let bytes = recompress(&ledger.lines_of(&key), None);
            let at = ledger.swap_segment_then_key(&key, bytes);
            (posting_key(ledger, 170, at), Some(posted_first(ledger, 170)))
        },
        PostingAltered,
        &[PostingExtra, PostingMissing],
    ),
    (
        "hide a comment in a segment's gzip header",
        |ledger| {
            let key = third(ledger);
            let bytes = recompress(&ledger.lines_of(&key), Some("hidden"));
            let renamed = ledger.swap_segment(&key, 170, 316, bytes);
            ledger.rebuild_postings();
            (renamed, Some(170))
        },
        SegmentRepacked,
        &[],
    ),
    (
        "put a segment of another log of the org in place",
        |ledger| {
            let other = ledger.bytes(&ledger.segment(&entities(), 0));
            let key = ledger.segment(&calls(), 0);
            let renamed = ledger.swap_segment(&key, 0, 30, other);
            ledger.rebuild_postings();
            (renamed, Some(0))
        },
        SegmentOfAnotherLog,
        &[EntriesMissing],
    ),
    (
        "put a segment of another org in place",
        |ledger| {
            let other = ledger.bytes(&ledger.segment(&globex(), 0));
            let key = ledger.segment(&calls(), 4);
            let renamed = ledger.swap_segment(&key, 686, 90, other);
            ledger.rebuild_postings();
            (renamed, Some(686))
        },
        EntryOfAnotherOrg,
        &[SegmentOfAnotherLog],
    ),
    (
        "put a segment of another deployment's log in place",
        |ledger| {
            let key = ledger.segment(&calls(), 4);
            let lines: Vec<String> = (7_000..7_090).map(|seq| line(&calls(), seq)).collect();
            let renamed = ledger.swap_segment(&key, 686, 90, pack(&lines));
            ledger.rebuild_postings();
            (renamed, Some(686))
        },
        EntryAltered,
        &[],
    ),
    (
        "lay a file beside the evidence",
        |ledger| {
            let key = format!("ledger/{}/segment/readme.txt", calls());
            ledger.put(&key, b"nothing to see".to_vec(), true);
            (key, None)
        },
        ForeignObject,
        &[],
    ),
    (
        "lose a listed object",
        |ledger| {
            let key = third(ledger);
            ledger.replace(&key, GONE.to_vec());
            (key, Some(170))
        },
        ObjectMissing,
        &[PostingExtra],
    ),
];

const ORPHANS: Rows = &[
    (
        "pass evidence off as an orphan",
        |ledger| {
            // The head is rolled back, the checkpoints of the larger size are gone, live and archived.
            ledger.roll_back_head(&calls(), 776);
            ledger.objects.remove(&archive_key(&calls(), 866));
            ledger.objects.get_mut(&live_key(&calls())).unwrap().pop();
            ledger.objects.retain(|key, _| {
                Tile::parse_key(key).is_none_or(|(log, tile)| {
                    log != calls() || (tile.index() * 256 + u64::from(tile.width())) << (8 * tile.level()) <= 776
                })
            });
            (ledger.segment(&calls(), 5), Some(776))
        },
        OrphanUncommitted,
        &[PostingExtra],
    ),
    (
        "a second body for one place",
        |ledger| {
            let lines: Vec<String> = (5_000..5_090).map(|seq| line(&calls(), seq)).collect();
            let bytes = pack(&lines);
            let key = SegmentName::of(&calls(), 686, 90, &bytes).key();
            ledger.now_ms -= DAY_MS;
            ledger.put(&key, bytes, true);
            ledger.now_ms += DAY_MS;
            (key, Some(686))
        },
        SegmentFork,
        &[],
    ),
    (
        "an orphan of which one entry is nowhere else",
        |ledger| {
            let mut lines: Vec<String> = (776..866).map(|seq| line(&calls(), seq)).collect();
            lines[60] = line(&calls(), 5_000);
            let bytes = pack(&lines);
            let key = SegmentName::of(&calls(), 866, 90, &bytes).key();
            ledger.now_ms -= DAY_MS;
            ledger.put(&key, bytes, true);
            ledger.now_ms += DAY_MS;
            (key, Some(866 + 60))
        },
        OrphanUncommitted,
        &[],
    ),
    (
        "entries that nobody signs",
        |ledger| {
            let lines: Vec<String> = (866..900).map(|seq| line(&calls(), seq)).collect();
            ledger.now_ms -= DAY_MS;
            let key = ledger.commit(&calls(), &lines);
            ledger.now_ms += DAY_MS;
            (key, Some(866))
        },
        EntriesUnsigned,
        &[],
    ),
];

fn posting_key(ledger: &Ledger, first: u64, at: usize) -> String {
    format!("INT#{} POST#{}#{first:020}", ledger.postings[at].record_key, calls())
}

/// The first entry that the first row of a segment names.
fn posted_first(ledger: &Ledger, first: u64) -> u64 {
    let row = ledger.postings.iter().find(|posting| posting.log == calls() && posting.first == first).unwrap();
    row.members[0].first + u64::from(row.members[0].at[0])
}

impl Ledger {
    /// Swaps the bytes of the third segment without touching the index; the place of its first posting.
    fn swap_segment_then_key(&mut self, key: &str, bytes: Vec<u8>) -> usize {
        self.swap_segment(key, 170, 316, bytes);
        self.postings.iter().position(|posting| posting.log == calls() && posting.first == 170).unwrap()
    }
}

/// The same lines, packed by somebody else.
fn recompress(lines: &[String], comment: Option<&str>) -> Vec<u8> {
    use std::io::Write as _;
    let mut bytes = Vec::new();
    for chunk in lines.chunks(200) {
        let mut header = flate2::GzBuilder::new().mtime(0).operating_system(255);
        if let Some(comment) = comment {
            header = header.comment(comment);
        }
        let mut encoder = header.write(Vec::new(), flate2::Compression::new(1));
        chunk.iter().for_each(|line| writeln!(encoder, "{line}").unwrap());
        bytes.extend(encoder.finish().unwrap());
    }
    bytes
}
