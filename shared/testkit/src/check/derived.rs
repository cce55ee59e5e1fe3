//! What follows from a log's leaves: tiles, archived checkpoints, the live one, and what the head says of them.

use std::collections::BTreeMap;

use ledgerline_ledger::checkpoint::{
    UnverifiedCheckpoint, archive_folder, archive_key, archived_size, live_key, origin,
};
use ledgerline_ledger::head::Head;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::signing::{KeyKind, VerifyingKey, VerifyingKeys};
use ledgerline_ledger::tile::{Tile, folder, partial_tiles};
use ledgerline_ledger::tree::{Edge, Hash, node_hash};

use super::Check;

/// Checks all of it.
pub(super) fn check(check: &mut Check<'_>, log: &LogId, head: &Head, leaves: &[Hash]) {
    check.found.published += head.published();
    check.found.signed += head.signed();
    tiles(check, log, head, leaves);
    let keys = Keys::of(check, log);
    let archived = archive(check, log, head, leaves, &keys);
    live(check, log, head, &archived);
}

/// Each tile has the bytes that follow from the leaves; the tree of the published size has all of its tiles.
fn tiles(check: &mut Check<'_>, log: &LogId, head: &Head, leaves: &[Hash]) {
    let levels = levels(leaves);
    let derived = |tile: &Tile| -> Option<Vec<u8>> {
        let from = tile.index() as usize * 256;
        let hashes = levels.get(usize::from(tile.level()))?.get(from..from + usize::from(tile.width()))?;
        Some(hashes.iter().flat_map(|hash| hash.0).collect())
    };
    for key in check.stores.ledger.keys(&folder(log)) {
        let Some((_, tile)) = Tile::parse_key(&key) else {
            check.problem(format!("{key}: not a tile's name"));
            continue;
        };
        let found = if tile.is_full() { check.evidence(&key) } else { partial(check, &key) };
        let same = found.is_none_or(|found| Some(found.bytes.to_vec()) == derived(&tile));
        check.expect(same, || format!("{key}: the tile does not follow from the leaves"));
    }
    let published = levels_of(head.published());
    let full = published.iter().zip(0..).flat_map(|(nodes, level)| (0..nodes / 256).map(move |index| (level, index)));
    let full = full.filter_map(|(level, index)| Tile::new(level, index, 256));
    let needed = partial_tiles(head.published()).unwrap_or_default();
    for tile in full.chain(needed) {
        let key = tile.key(log);
        // What is retired expires: the tree that is published must not be built on it.
        let there = check.stores.ledger.current(&key).is_some_and(|found| found.tag.as_deref() != Some("retired"));
        check.expect(there, || format!("{key}: the published tree has no such tile"));
    }
}

/// A partial tile: no lock, a tag, and the same bytes whenever it was put.
fn partial(check: &mut Check<'_>, key: &str) -> Option<crate::bucket::Version> {
    let versions = check.stores.ledger.versions(key);
    let unlocked = versions.iter().all(|version| version.lock.is_none() && version.tag.is_some());
    check.expect(unlocked, || format!("{key}: a partial tile is locked or has no tag"));
    let same = versions.windows(2).all(|pair| pair[0].bytes == pair[1].bytes);
    check.expect(same, || format!("{key}: was put with different bytes"));
    versions.into_iter().next_back()
}

/// The archived notes by size, each verified, and of a tree that the log had.
fn archive(check: &mut Check<'_>, log: &LogId, head: &Head, leaves: &[Hash], keys: &Keys) -> BTreeMap<u64, Vec<u8>> {
    let mut archived = BTreeMap::new();
    let mut signer = 0;
    // Names sort by size.
    let mut edge = Edge::empty();
    for key in check.stores.ledger.keys(&archive_folder(log)) {
        let Some((size, version)) = archived_size(log, &key).zip(check.evidence(&key)) else {
            check.problem(format!("{key}: not an archived checkpoint's name"));
            continue;
        };
        let of = keys.verified(&version.bytes);
        let grown = leaves.get(edge.size() as usize..size as usize);
        grown.into_iter().flatten().for_each(|leaf| edge.append(*leaf));
        let root = grown.map(|_| edge.root());
        let (of, by) = of.map_or((None, signer), |(of, by)| (Some(of), by));
        check.expect(of.is_some(), || format!("{key}: its signature does not verify"));
        check.expect(by >= signer, || format!("{key}: is signed by a key that a later one has replaced"));
        signer = by;
        check.expect(of.is_none() || of == Some(size).zip(root), || format!("{key}: the log never had this tree"));
        check.expect(size <= head.published(), || format!("{key}: signed before its tiles were published"));
        archived.insert(size, version.bytes.to_vec());
    }
    check.found.checkpoints += archived.len();
    let signed = head.signed() == 0 || archived.contains_key(&head.signed());
    check.expect(signed, || format!("{}: the head calls it signed", archive_key(log, head.signed())));
    archived
}

/// The live checkpoint is an archived one, not older than what the head calls signed, and never went back.
fn live(check: &mut Check<'_>, log: &LogId, head: &Head, archived: &BTreeMap<u64, Vec<u8>>) {
    let key = live_key(log);
    let versions = check.stores.ledger.versions(&key);
    let sizes: BTreeMap<&[u8], u64> = archived.iter().map(|(size, note)| (note.as_slice(), *size)).collect();
    let mut before = 0;
    for version in &versions {
        check.expect(version.lock.is_none() && version.tag.as_deref() == Some("live"), || {
            format!("{key}: locked, or not tagged")
        });
        let size = sizes.get(&version.bytes[..]).copied();
        check.expect(size.is_some(), || format!("{key}: is not an archived checkpoint"));
        let size = size.unwrap_or(0);
        check.expect(size > before, || format!("{key}: went back, or was put again unchanged"));
        before = size;
    }
    check.expect(before >= head.signed(), || format!("{key}: is older than what the head calls signed"));
}

/// The keys that a log's checkpoints must verify by.
struct Keys {
    origin: String,
    oldest_first: Vec<VerifyingKey>,
    all: VerifyingKeys,
}

impl Keys {
    fn of(check: &Check<'_>, log: &LogId) -> Self {
        let origin = origin(check.stores.deployment, log);
        let keys = check.stores.public_keys.iter().filter_map(|key| VerifyingKey::new(&origin, KeyKind::Log, key).ok());
        let oldest_first: Vec<VerifyingKey> = keys.collect();
        let all = VerifyingKeys::new(oldest_first.clone()).unwrap_or_default();
        Self { origin, oldest_first, all }
    }

    /// A note's size and root, and which of the keys signed it.
    fn verified(&self, note: &[u8]) -> Option<((u64, Hash), usize)> {
        let checkpoint = UnverifiedCheckpoint::parse(note).ok()?.verify(&self.all).ok()?;
        let by = self.oldest_first.iter().rposition(|key| checkpoint.keys().contains(&key.id()))?;
        (checkpoint.origin() == self.origin).then(|| ((checkpoint.size(), *checkpoint.root()), by))
    }
}

/// The hashes of each level of tiles: the leaves, the roots of 256 of them, and so on.
fn levels(leaves: &[Hash]) -> Vec<Vec<Hash>> {
    let mut levels = vec![leaves.to_vec()];
    while let Some(below) = levels.last().filter(|below| below.len() >= 256) {
        let roots = below.chunks_exact(256).map(root_of_256).collect();
        levels.push(roots);
    }
    levels
}

/// How many hashes each level of a tree's tiles has.
fn levels_of(size: u64) -> Vec<u64> {
    std::iter::successors(Some(size), |nodes| Some(nodes / 256).filter(|nodes| *nodes > 0)).collect()
}

/// RFC 6962, for a whole subtree.
fn root_of_256(hashes: &[Hash]) -> Hash {
    match hashes {
        [hash] => *hash,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(&root_of_256(left), &root_of_256(right))
        }
    }
}
