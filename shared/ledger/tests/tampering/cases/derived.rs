//! What is done to heads, tiles, checkpoints, locks and postings.

use ledgerline_ledger::checkpoint::{archive_key, live_key};
use ledgerline_ledger::entry::Field;
use ledgerline_ledger::lock::LockMode;
use ledgerline_ledger::tile::Tile;
use ledgerline_ledger::tree::{Edge, Hash, leaf_hash};
use ledgerline_ledger::verify::FindingKind::*;

use super::super::builder::{self, DEPLOYMENT, Ledger, line, note, pack};
use super::super::{SEED, calls, globex};
use super::{AT, DAY_MS, Rows, posting_key, third};

pub(super) const HEADS: Rows = &[
    (
        "roll the head back",
        |ledger| {
            ledger.roll_back_head(&calls(), 776);
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
        "let the head name a segment version that is not there",
        |ledger| {
            ledger.head(&calls()).segments[0].1 = "v0".to_owned();
            (format!("LOG#{}/HEAD", calls()), Some(866))
        },
        HeadInconsistent,
        &[],
    ),
    (
        "take the head away",
        |ledger| {
            ledger.heads.retain(|head| head.log != globex());
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

pub(super) const TILES: Rows = &[
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

pub(super) const CHECKPOINTS: Rows = &[
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
    (
        "go on signing with a retired key",
        |ledger| {
            rotate(ledger);
            ledger.now_ms -= DAY_MS;
            ledger.rotate(&calls(), SEED);
            ledger.append(&calls(), &[line(&calls(), 901)]);
            ledger.now_ms += DAY_MS;
            (archive_key(&calls(), 869), Some(869))
        },
        CheckpointRetiredKey,
        &[EntriesUnsigned],
    ),
    (
        "sign another history with a retired key",
        |ledger| {
            rotate(ledger);
            ledger.now_ms -= DAY_MS;
            let forged = note(DEPLOYMENT, &calls(), SEED, 868 + 30, Hash([7; 32]));
            ledger.put(&archive_key(&calls(), 868 + 30), forged.clone(), true);
            ledger.put(&live_key(&calls()), forged, false);
            ledger.now_ms += DAY_MS;
            (live_key(&calls()), None)
        },
        CheckpointRetiredKey,
        &[],
    ),
];

/// Announces another key, and signs with it.
fn rotate(ledger: &mut Ledger) {
    let vkey = builder::vkey(DEPLOYMENT, &calls(), 9);
    let added = builder::act_line(&calls(), "SIGNING_KEY_ADDED", "key", Field::Text(vkey));
    ledger.now_ms -= DAY_MS;
    ledger.append(&calls(), &[added]);
    ledger.rotate(&calls(), 9);
    ledger.append(&calls(), &[line(&calls(), 900)]);
    ledger.now_ms += DAY_MS;
}

pub(super) const ROWS_AND_LOCKS: Rows = &[
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
