//! The rows of the matrix.

use ledgerline_ledger::checkpoint::{archive_key, live_key};
use ledgerline_ledger::entry::Field;
use ledgerline_ledger::ports::LockMode;
use ledgerline_ledger::segment::SegmentName;
use ledgerline_ledger::tile::Tile;
use ledgerline_ledger::tree::{Edge, Hash, leaf_hash};
use ledgerline_ledger::verify::FindingKind::{self, *};
use ledgerline_ledger::verify::ObjectVersion;

use super::builder::{self, DEPLOYMENT, GONE, Ledger, Stored, line, note, pack};
use super::{Case, SEED, calls, entities, globex};

type Damage = fn(&mut Ledger) -> (String, Option<u64>);

pub(crate) fn all() -> Vec<Case> {
    let rows: Vec<Rows> = vec![LINES, SEGMENTS, ORPHANS, HEADS, TILES, CHECKPOINTS, ROWS_AND_LOCKS];
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
            ledger.objects.remove(&ledger.segment(&calls(), 5));
            ledger.rebuild_postings();
            let mut edge = Edge::empty();
            (0..776).for_each(|seq| edge.append(leaf_hash(line(&calls(), seq).as_bytes())));
            let head = ledger.head(&calls());
            (head.size, head.root, head.edge, head.indexed) = (776, edge.root(), edge.roots().to_vec(), 776);
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
            let mut edge = Edge::empty();
            (0..776).for_each(|seq| edge.append(leaf_hash(line(&calls(), seq).as_bytes())));
            let head = ledger.head(&calls());
            (head.size, head.root, head.edge, head.indexed) = (776, edge.root(), edge.roots().to_vec(), 776);
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

const HEADS: Rows = &[
    (
        "roll the head back",
        |ledger| {
            let mut edge = Edge::empty();
            (0..776).for_each(|seq| edge.append(leaf_hash(line(&calls(), seq).as_bytes())));
            let head = ledger.head(&calls());
            (head.size, head.root, head.edge) = (776, edge.root(), edge.roots().to_vec());
            (format!("LOG#{}/HEAD", calls()), Some(776))
        },
        HeadRolledBack,
        &[],
    ),
    (
        "fork the head",
        |ledger| {
            let mut edge = Edge::empty();
            (1..867).for_each(|seq| edge.append(leaf_hash(line(&calls(), seq).as_bytes())));
            let head = ledger.head(&calls());
            (head.root, head.edge) = (edge.root(), edge.roots().to_vec());
            (format!("LOG#{}/HEAD", calls()), Some(866))
        },
        HeadForked,
        &[],
    ),
    (
        "write a root into the head that its edge does not have",
        |ledger| {
            ledger.head(&calls()).root = Hash([7; 32]);
            (format!("LOG#{}/HEAD", calls()), Some(866))
        },
        HeadInconsistent,
        &[HeadForked],
    ),
    (
        "take the head away",
        |ledger| {
            ledger.heads.retain(|head| head.log != globex());
            ledger.open(&globex(), DEPLOYMENT, SEED);
            (format!("LOG#{}/HEAD", globex()), None)
        },
        HeadMissing,
        &[CheckpointUnsigned, EntriesUnsigned],
    ),
    (
        "let the head claim more than there is",
        |ledger| {
            let mut edge = Edge::empty();
            (0..900).for_each(|seq| edge.append(leaf_hash(line(&calls(), seq).as_bytes())));
            let head = ledger.head(&calls());
            (head.size, head.root, head.edge) = (900, edge.root(), edge.roots().to_vec());
            (format!("{}{:020}", ledgerline_ledger::segment::folder(&calls()), 866), Some(866))
        },
        EntriesMissing,
        &[],
    ),
];

fn tile(level: u8, index: u64, width: u16) -> String {
    Tile::new(level, index, width).unwrap().key(&calls())
}

const TILES: Rows = &[
    (
        "alter a full tile",
        |ledger| {
            ledger.change(&tile(0, 1, 256), |bytes| bytes[32 * 44] ^= 1);
            (tile(0, 1, 256), Some(AT))
        },
        TileAltered,
        &[],
    ),
    (
        "alter the unfinished tile",
        |ledger| {
            ledger.change(&tile(0, 3, 98), |bytes| bytes[32 * 90] ^= 1);
            (tile(0, 3, 98), Some(768 + 90))
        },
        TileAltered,
        &[],
    ),
    (
        "alter an outgrown partial tile",
        |ledger| {
            ledger.change(&tile(0, 0, 40), |bytes| bytes[32 * 3] ^= 1);
            (tile(0, 0, 40), Some(3))
        },
        TileAltered,
        &[],
    ),
    (
        "alter a tile above the leaves",
        |ledger| {
            ledger.change(&tile(1, 0, 3), |bytes| bytes[32] ^= 1);
            (tile(1, 0, 3), Some(0))
        },
        TileAltered,
        &[],
    ),
    (
        "alter a leaf tile and the one above it alike",
        |ledger| {
            ledger.change(&tile(0, 1, 256), |bytes| bytes[32 * 44] ^= 1);
            ledger.change(&tile(1, 0, 3), |bytes| bytes[32] ^= 1);
            (tile(0, 1, 256), Some(AT))
        },
        TileAltered,
        &[],
    ),
    (
        "cut a tile short",
        |ledger| {
            ledger.change(&tile(0, 2, 256), |bytes| bytes.truncate(32 * 200));
            (tile(0, 2, 256), Some(512))
        },
        TileAltered,
        &[],
    ),
    (
        "remove a full tile",
        |ledger| {
            ledger.objects.remove(&tile(0, 1, 256));
            (tile(0, 1, 256), Some(256))
        },
        TileMissing,
        &[],
    ),
    (
        "remove the unfinished tile",
        |ledger| {
            ledger.objects.remove(&tile(0, 3, 98));
            (tile(0, 3, 98), Some(768))
        },
        TileMissing,
        &[],
    ),
    (
        "add a tile beyond the end",
        |ledger| {
            ledger.now_ms -= DAY_MS;
            ledger.put(&tile(0, 4, 256), vec![7; 32 * 256], true);
            ledger.now_ms += DAY_MS;
            (tile(0, 4, 256), Some(866))
        },
        TileExtra,
        &[],
    ),
];

const CHECKPOINTS: Rows = &[
    (
        "alter an archived checkpoint",
        |ledger| {
            let key = archive_key(&calls(), 486);
            ledger.change(&key, |bytes| {
                let other = builder::note(DEPLOYMENT, &calls(), SEED, 486, Hash([7; 32]));
                let lines = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
                let (mut own, other) = (lines(bytes), lines(&other));
                own[2] = other[2].clone();
                *bytes = own.join(&b'\n');
            });
            (key, Some(486))
        },
        CheckpointBadSignature,
        &[],
    ),
    (
        "alter a signature",
        |ledger| {
            let key = archive_key(&calls(), 486);
            ledger.change(&key, |bytes| {
                let at = bytes.len() - 20;
                bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            });
            (key, Some(486))
        },
        CheckpointBadSignature,
        &[],
    ),
    (
        "sign with another key in the same name",
        |ledger| {
            let key = archive_key(&calls(), 866);
            let root = ledger.head(&calls()).root;
            ledger.replace(&key, note(DEPLOYMENT, &calls(), 9, 866, root));
            (key, Some(866))
        },
        CheckpointUnsigned,
        &[],
    ),
    (
        "sign a fork with the log's key",
        |ledger| {
            let key = archive_key(&calls(), 300);
            ledger.put(&key, note(DEPLOYMENT, &calls(), SEED, 300, Hash([7; 32])), true);
            (key, Some(300))
        },
        CheckpointForked,
        &[LockTooShort],
    ),
    (
        "roll the log back to an earlier fork and sign it",
        |ledger| {
            // Another history from entry 776 on, signed and live; the archive of the true one is locked.
            let key = live_key(&calls());
            ledger.replace(&key, note(DEPLOYMENT, &calls(), SEED, 866, Hash([7; 32])));
            (key, Some(866))
        },
        CheckpointForked,
        &[],
    ),
    (
        "put another log's checkpoint in place",
        |ledger| {
            let other = ledger.bytes(&archive_key(&globex(), 91));
            let key = archive_key(&calls(), 486);
            ledger.replace(&key, other);
            (key, Some(486))
        },
        CheckpointOfAnotherLog,
        &[],
    ),
    (
        "put another deployment's checkpoint in place",
        |ledger| {
            let root = ledger.head(&calls()).root;
            let key = archive_key(&calls(), 866);
            ledger.replace(&key, note("dep-2", &calls(), SEED, 866, root));
            (key, Some(866))
        },
        CheckpointOfAnotherLog,
        &[],
    ),
    (
        "archive a checkpoint under another size",
        |ledger| {
            let other = ledger.bytes(&archive_key(&calls(), 170));
            let key = archive_key(&calls(), 486);
            ledger.replace(&key, other);
            (key, Some(486))
        },
        CheckpointMisnamed,
        &[],
    ),
    (
        "write garbage over a checkpoint",
        |ledger| {
            let key = archive_key(&calls(), 486);
            ledger.replace(&key, b"all is well\n".to_vec());
            (key, Some(486))
        },
        CheckpointMalformed,
        &[],
    ),
    (
        "put an old live checkpoint back",
        |ledger| {
            let old = ledger.bytes(&archive_key(&calls(), 486));
            ledger.put(&live_key(&calls()), old, false);
            (live_key(&calls()), Some(486))
        },
        CheckpointRolledBack,
        &[],
    ),
    (
        "remove the live checkpoint",
        |ledger| {
            ledger.objects.remove(&live_key(&calls()));
            (live_key(&calls()), None)
        },
        CheckpointMissing,
        &[],
    ),
    (
        "remove an archived checkpoint",
        |ledger| {
            ledger.objects.remove(&archive_key(&calls(), 866));
            (archive_key(&calls(), 866), Some(866))
        },
        CheckpointMissing,
        &[],
    ),
    (
        "introduce a key by an entry that only it signs for",
        |ledger| {
            let vkey = builder::vkey(DEPLOYMENT, &calls(), 9);
            let added = builder::act_line(&calls(), "SIGNING_KEY_ADDED", "key", Field::Text(vkey));
            ledger.now_ms -= DAY_MS;
            ledger.rotate(&calls(), 9);
            ledger.append(&calls(), &[added]);
            ledger.now_ms += DAY_MS;
            (archive_key(&calls(), 867), Some(867))
        },
        CheckpointUnsigned,
        &[EntriesUnsigned],
    ),
];

const ROWS_AND_LOCKS: Rows = &[
    (
        "remove a segment's lock",
        |ledger| {
            let key = third(ledger);
            ledger.objects.get_mut(&key).unwrap()[0].version.lock = None;
            (key, Some(170))
        },
        LockMissing,
        &[],
    ),
    (
        "shorten a segment's lock",
        |ledger| {
            let key = third(ledger);
            ledger.objects.get_mut(&key).unwrap()[0].version.lock.as_mut().unwrap().retain_until_s -= 86_400;
            (key, Some(170))
        },
        LockTooShort,
        &[],
    ),
    (
        "weaken a checkpoint's lock",
        |ledger| {
            let key = archive_key(&calls(), 486);
            ledger.objects.get_mut(&key).unwrap()[0].version.lock.as_mut().unwrap().mode = LockMode::Governance;
            (key, None)
        },
        LockTooWeak,
        &[],
    ),
    (
        "remove a tile's lock",
        |ledger| {
            ledger.objects.get_mut(&tile(0, 1, 256)).unwrap()[0].version.lock = None;
            (tile(0, 1, 256), None)
        },
        LockMissing,
        &[],
    ),
    (
        "delete a segment",
        |ledger| {
            let key = third(ledger);
            ledger.put(&key, vec![], false);
            ledger.objects.get_mut(&key).unwrap()[1].version.is_delete_marker = true;
            (key, Some(170))
        },
        DeleteMarker,
        &[],
    ),
    (
        "write over a segment",
        |ledger| {
            let key = third(ledger);
            let bytes = pack(&[line(&calls(), 1)]);
            ledger.put(&key, bytes, true);
            (key, Some(170))
        },
        ExtraVersion,
        &[],
    ),
    (
        "write over an archived checkpoint",
        |ledger| {
            let key = archive_key(&calls(), 486);
            ledger.put(&key, note(DEPLOYMENT, &calls(), SEED, 486, Hash([7; 32])), true);
            (key, None)
        },
        ExtraVersion,
        &[],
    ),
    (
        "write over a tile",
        |ledger| {
            ledger.put(&tile(0, 1, 256), vec![7; 32 * 256], true);
            (tile(0, 1, 256), None)
        },
        ExtraVersion,
        &[],
    ),
    (
        "point a posting to another entry",
        |ledger| {
            let at = ledger.postings.iter().position(|posting| posting.log == calls() && posting.first == 170).unwrap();
            ledger.postings[at].members[0].at[0] += 1;
            (posting_key(ledger, 170, at), Some(170))
        },
        PostingAltered,
        &[],
    ),
    (
        "remove a posting",
        |ledger| {
            let at = ledger.postings.iter().position(|posting| posting.log == calls() && posting.first == 170).unwrap();
            let key = posting_key(ledger, 170, at);
            ledger.postings.remove(at);
            (key, Some(170))
        },
        PostingMissing,
        &[],
    ),
    (
        "give a record another record's posting",
        |ledger| {
            let at = ledger.postings.iter().position(|posting| posting.log == calls() && posting.first == 170).unwrap();
            let mut extra = ledger.postings[at].clone();
            extra.record_key = "acme/somebody-else".to_owned();
            ledger.postings.push(extra);
            (posting_key(ledger, 170, ledger.postings.len() - 1), Some(170))
        },
        PostingExtra,
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
