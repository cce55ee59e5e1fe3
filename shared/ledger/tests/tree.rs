//! Tiles, publications and proofs against RFC 6962's recursive definition and against the `tlog_tiles` crate.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use ledgerline_ledger::log::LogId;
use ledgerline_ledger::proof::{
    ProofError, ProveError, ReadTile, prove_consistency, prove_inclusion, tiles_for_consistency, tiles_for_inclusion,
    verify_consistency, verify_inclusion,
};
use ledgerline_ledger::publish::{PublishError, edge_of_tiles, plan_publication, tiles_needed};
use ledgerline_ledger::tile::{MAX_TREE_SIZE, Tile, new_tiles, partial_tiles};
use ledgerline_ledger::tree::{Edge, Hash, leaf_hash, node_hash};
use proptest::prelude::*;

/// RFC 6962, section 2.1, word for word.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of_object(b""),
        [leaf] => *leaf,
        _ => {
            let split = leaves.len().next_power_of_two() / 2;
            node_hash(&mth(&leaves[..split]), &mth(&leaves[split..]))
        }
    }
}

/// RFC 6962, section 2.1.1, word for word.
fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let split = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(split);
    let (mut below, sibling) =
        if index < split { (path(index, left), mth(right)) } else { (path(index - split, right), mth(left)) };
    below.push(sibling);
    below
}

/// RFC 6962, section 2.1.2, word for word.
fn subproof(from: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if from == leaves.len() {
        return if whole { Vec::new() } else { vec![mth(leaves)] };
    }
    let split = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(split);
    let (mut below, sibling) = if from <= split {
        (subproof(from, left, whole), mth(right))
    } else {
        (subproof(from - split, right, false), mth(left))
    };
    below.push(sibling);
    below
}

fn crate_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    tlog_tiles::check_record(&theirs(proof), size, tlog_tiles::Hash(root.0), index, tlog_tiles::Hash(leaf.0)).is_ok()
}

fn crate_consistency((from, then): (u64, &Hash), (to, now): (u64, &Hash), proof: &[Hash]) -> bool {
    tlog_tiles::check_tree(&theirs(proof), to, tlog_tiles::Hash(now.0), from, tlog_tiles::Hash(then.0)).is_ok()
}

fn theirs(proof: &[Hash]) -> Vec<tlog_tiles::Hash> {
    proof.iter().map(|hash| tlog_tiles::Hash(hash.0)).collect()
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|index| leaf_hash(&index.to_be_bytes())).collect()
}

fn edge_of(leaves: &[Hash]) -> Edge {
    let mut edge = Edge::empty();
    leaves.iter().for_each(|leaf| edge.append(*leaf));
    edge
}

/// A folder of tiles that notes what is read.
#[derive(Default)]
struct Folder {
    tiles: HashMap<Tile, Vec<u8>>,
    read: RefCell<Vec<Tile>>,
}

impl Folder {
    /// Publishes these leaves in steps, as appends do, through stored bytes alone.
    fn publish(&mut self, leaves: &[Hash], sizes: impl IntoIterator<Item = usize>) {
        let mut published = 0;
        for size in sizes {
            let partial: Vec<(Tile, Vec<u8>)> = tiles_needed(published as u64)
                .unwrap()
                .into_iter()
                .map(|tile| (tile, self.tiles[&tile].clone()))
                .collect();
            let root = edge_of(&leaves[..size]).root();
            let plan = plan_publication(published as u64, &partial, &leaves[published..size], &root).unwrap();
            assert_eq!((plan.size, plan.root), (size as u64, root));
            let planned: BTreeSet<Tile> = plan.tiles.iter().map(|(tile, _)| *tile).collect();
            let expected: BTreeSet<Tile> = new_tiles(published as u64, size as u64).unwrap().into_iter().collect();
            assert_eq!(planned, expected, "{published} to {size}");
            self.tiles.extend(plan.tiles);
            for outgrown in plan.outgrown {
                assert!(!outgrown.is_full() && planned.contains(&outgrown.full()));
                assert!(self.tiles.remove(&outgrown).is_some());
            }
            published = size;
        }
    }
}

impl ReadTile for Folder {
    type Error = Tile;

    fn tile(&self, tile: &Tile) -> Result<Vec<u8>, Tile> {
        self.read.borrow_mut().push(*tile);
        self.tiles.tile(tile)
    }
}

/// C2SP tlog-tiles' own examples.
#[test]
fn tiles_of_the_texts_examples() {
    let count = |tiles: &[Tile]| {
        let mut counts: BTreeMap<(u8, u16), usize> = BTreeMap::new();
        tiles.iter().for_each(|tile| *counts.entry((tile.level(), tile.width())).or_default() += 1);
        counts.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(
        count(&new_tiles(0, 70_000).unwrap()),
        [((0, 112), 1), ((0, 256), 273), ((1, 17), 1), ((1, 256), 1), ((2, 1), 1)]
    );
    assert_eq!(count(&new_tiles(0, 256).unwrap()), [((0, 256), 1), ((1, 1), 1)]);
    assert_eq!(Tile::new(0, 1_234_067, 256).unwrap().path(), "tile/0/x001/x234/067");
    let log = LogId::parse("acme/interaction/1/0").unwrap();
    assert_eq!(Tile::new(3, 0, 1).unwrap().key(&log), "ledger/acme/interaction/1/0/tile/3/000.p/1");
    // Every part of a log's name may read `tile`.
    let odd = LogId::parse("tile/tile/0/0").unwrap();
    let tile = Tile::new(0, 999, 255).unwrap();
    assert_eq!(Tile::parse_key(&tile.key(&odd)), Some((odd, tile)));
}

/// Spellings that C2SP tlog-tiles, "Merkle Tree", excludes. The crate's own reader panics on the two marked ones.
#[test]
fn paths_that_are_no_tiles() {
    for (path, why) in [
        ("tile/64/000", "a level is at most 63 (the crate panics)"),
        ("tile/0/000.p/0", "a width is at least 1 (the crate panics)"),
        ("tile/0/000.p/256", "a partial tile has at most 255"),
        ("tile/0/000.p/01", "no leading zeros in a width"),
        ("tile/00/000", "no leading zeros in a level"),
        ("tile/+1/000", "digits only"),
        ("tile/-1/000", "digits only"),
        ("tile/0/0", "three digits per element"),
        ("tile/0/0000", "three digits per element"),
        ("tile/0/001/000", "all but the last element begin with x"),
        ("tile/0/x000", "the last element does not begin with x"),
        ("tile/0/x000/001", "no leading zero elements"),
        ("tile/0/xx01/001", "one x"),
        ("tile/0/000.p", "a width follows"),
        ("tile/0/000.p/1/2", "nothing follows"),
        ("tile/0/", "an index is there"),
        ("tile/0", "an index is there"),
        ("tile/entries/000", "entry bundles are no hash tiles"),
        ("tile/8/0/000", "no height in the path: index 000 in level 8 has one element"),
        ("tile/0/x018/x446/x744/x073/x709/x551/616", "2⁶⁴ is no index here"),
        ("/tile/0/000", "begins with tile"),
        ("tile/0/000\n", "ends with its digits"),
    ] {
        assert_eq!(Tile::parse(path), None, "{path:?}: {why}");
    }
    let largest = Tile::new(63, u64::MAX, 255).unwrap();
    assert_eq!(largest.path(), "tile/63/x018/x446/x744/x073/x709/x551/615.p/255");
    assert_eq!(Tile::parse(&largest.path()), Some(largest));
    assert_eq!((Tile::new(64, 0, 1), Tile::new(0, 0, 0), Tile::new(0, 0, 257)), (None, None, None));
}

#[test]
fn sizes_without_tiles_are_refused() {
    assert_eq!(new_tiles(2, 1), None);
    assert_eq!(new_tiles(0, u64::MAX), None);
    assert_eq!(partial_tiles(MAX_TREE_SIZE + 1), None);
    // The rightmost tile of each of seven levels.
    assert_eq!(partial_tiles(MAX_TREE_SIZE).unwrap().len(), 7);
    assert_eq!(new_tiles(MAX_TREE_SIZE - 1, MAX_TREE_SIZE).unwrap().len(), 1);
    let leaf = leaves(1);
    assert_eq!(plan_publication(u64::MAX, &[], &leaf, &leaf[0]), Err(PublishError::TooLarge));
    assert_eq!(prove_inclusion(&HashMap::new(), 0, u64::MAX, &leaf[0]), Err(ProveError::OutOfRange));
    assert_eq!(prove_inclusion(&HashMap::new(), 0, 0, &leaf[0]), Err(ProveError::OutOfRange));
    assert_eq!(prove_consistency(&HashMap::new(), 2, 1, &leaf[0]), Err(ProveError::OutOfRange));
    assert_eq!(prove_consistency(&HashMap::new(), 0, 1, &leaf[0]), Ok(vec![]));
    assert_eq!((tiles_for_inclusion(5, 5), tiles_for_consistency(6, 5)), (None, None));
}

#[test]
fn nothing_is_planned_from_what_does_not_make_the_heads_root() {
    let all = leaves(600);
    let mut folder = Folder::default();
    folder.publish(&all, [300]);
    let partial: Vec<_> =
        tiles_needed(300).unwrap().into_iter().map(|tile| (tile, folder.tiles[&tile].clone())).collect();
    let root = edge_of(&all).root();
    assert!(plan_publication(300, &partial, &all[300..], &root).is_ok());
    let refused = |partial: &[(Tile, Vec<u8>)], new: &[Hash]| plan_publication(300, partial, new, &root).unwrap_err();
    for flipped in 0..partial.len() {
        let mut partial = partial.clone();
        partial[flipped].1[0] ^= 1;
        assert!(matches!(refused(&partial, &all[300..]), PublishError::AnotherRoot { size: 600, .. }));
    }
    let mut swapped = all[300..].to_vec();
    swapped.swap(0, 1);
    assert!(matches!(refused(&partial, &swapped), PublishError::AnotherRoot { .. }));
    assert!(matches!(refused(&partial, &all[300..599]), PublishError::AnotherRoot { size: 599, .. }));
    assert!(matches!(refused(&partial, &all[299..]), PublishError::AnotherRoot { size: 601, .. }));
    assert_eq!(refused(&partial[1..], &all[300..]), PublishError::Missing(partial[0].0));
    let mut short = partial.clone();
    short[1].1.pop();
    assert_eq!(refused(&short, &all[300..]), PublishError::WrongLength(short[1].0));
    // What is published already needs no tile, and is checked all the same.
    let again = plan_publication(300, &partial, &[], &edge_of(&all[..300]).root()).unwrap();
    assert!(again.tiles.is_empty() && again.outgrown.is_empty());
    assert!(plan_publication(300, &partial, &[], &root).is_err());
}

/// The crate's own `TileHashReader` returns hashes of the last two tiles here without looking at them.
#[test]
fn a_prover_trusts_no_tile() {
    let all = leaves(70_000);
    let mut folder = Folder::default();
    folder.publish(&all, [70_000]);
    let root = edge_of(&all).root();
    let proof = prove_inclusion(&folder, 12_345, 70_000, &root).unwrap();
    assert_eq!(proof, path(12_345, &all));
    let read = folder.read.take();
    // The right edge of three levels, and the entry's tile; its level 1 tile and the top are on the way.
    assert_eq!(read.len(), 5, "{read:?}");
    assert_eq!(read, tiles_for_inclusion(12_345, 70_000).unwrap());
    let prefetched: HashMap<Tile, Vec<u8>> = read.iter().map(|tile| (*tile, folder.tiles[tile].clone())).collect();
    assert_eq!(prove_inclusion(&prefetched, 12_345, 70_000, &root).unwrap(), proof);
    for tile in &read {
        for byte in [0, tile.bytes() - 1] {
            let mut bad = prefetched.clone();
            bad.get_mut(tile).unwrap()[byte] ^= 1;
            assert_eq!(prove_inclusion(&bad, 12_345, 70_000, &root), Err(ProveError::AnotherRoot), "{}", tile.path());
        }
        let mut bad = prefetched.clone();
        bad.get_mut(tile).unwrap().pop();
        assert_eq!(prove_inclusion(&bad, 12_345, 70_000, &root), Err(ProveError::NotATile(*tile)));
        bad.remove(tile);
        assert_eq!(prove_inclusion(&bad, 12_345, 70_000, &root), Err(ProveError::Read(*tile)));
    }
    assert_eq!(prove_inclusion(&prefetched, 12_345, 70_000, &all[0]), Err(ProveError::AnotherRoot));
}

/// The partial tiles of an earlier checkpoint may be gone once the full ones are there.
#[test]
fn a_proof_for_an_earlier_size_reads_full_tiles_in_place_of_partial_ones() {
    let all = leaves(1_000);
    let mut folder = Folder::default();
    folder.publish(&all, [300, 1_000]);
    assert!(!folder.tiles.contains_key(&Tile::new(0, 1, 44).unwrap()));
    let root = edge_of(&all[..300]).root();
    // The level above was not outgrown, and is still there.
    let proof = prove_inclusion(&folder, 299, 300, &root).unwrap();
    assert_eq!(verify_inclusion(&all[299], 299, 300, &proof, &root), Ok(()));
}

#[test]
fn proofs_of_nothing_and_of_shrinking_are_refused() {
    let (root, other) = (edge_of(&leaves(3)).root(), edge_of(&leaves(4)).root());
    let empty = Edge::empty().root();
    assert_eq!(verify_consistency((0, &empty), (0, &empty), &[]), Ok(()));
    assert_eq!(verify_consistency((3, &root), (3, &root), &[]), Ok(()));
    for (from, to, proof) in [
        ((0, &empty), (3, &root), &[][..]),
        ((4, &other), (3, &root), &[]),
        ((3, &root), (3, &other), &[]),
        ((3, &root), (3, &root), &[root]),
        ((3, &root), (u64::MAX, &other), &[root]),
    ] {
        assert!(verify_consistency(from, to, proof).is_err(), "{from:?} {to:?}");
    }
    assert_eq!(verify_inclusion(&root, 0, 0, &[], &root), Err(ProofError::OutOfRange));
    assert_eq!(verify_inclusion(&root, u64::MAX, u64::MAX, &[], &root), Err(ProofError::OutOfRange));
    assert_eq!(verify_inclusion(&root, u64::MAX - 1, u64::MAX, &[root; 3], &root), Err(ProofError::WrongLength));
    assert_eq!(verify_inclusion(&root, 0, 1, &vec![root; 100], &root), Err(ProofError::WrongLength));
}

/// Every proof of every small tree is the definition's, and verifies for its own place alone.
#[test]
fn all_proofs_of_small_trees() {
    let all = leaves(33);
    for size in 1..=all.len() {
        let tree = &all[..size];
        let mut folder = Folder::default();
        folder.publish(&all, [size]);
        let root = mth(tree);
        for index in 0..size {
            let proof = prove_inclusion(&folder, index as u64, size as u64, &root).unwrap();
            assert_eq!(proof, path(index, tree));
            for claimed in 0..=size {
                let verdict = verify_inclusion(&tree[index], claimed as u64, size as u64, &proof, &root);
                assert_eq!(verdict.is_ok(), claimed == index, "{index} as {claimed} of {size}");
                for other in 1..=all.len() as u64 {
                    let verdict = verify_inclusion(&tree[index], claimed as u64, other, &proof, &root);
                    let theirs = crate_inclusion(&tree[index], claimed as u64, other, &proof, &root);
                    assert_eq!(verdict.is_ok(), theirs, "{index} as {claimed} of {size} as {other}");
                }
            }
        }
        for from in 1..=size {
            let proof = prove_consistency(&folder, from as u64, size as u64, &root).unwrap();
            assert_eq!(proof, subproof(from, tree, true));
            for claimed in 0..=size + 1 {
                let claimed_root = mth(&all[..from]);
                let (claim, now) = ((claimed as u64, &claimed_root), (size as u64, &root));
                let verdict = verify_consistency(claim, now, &proof);
                assert_eq!(verdict.is_ok(), crate_consistency(claim, now, &proof));
                assert_eq!(verdict.is_ok(), claimed == from, "{from} as {claimed} to {size}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However leaves come, the stored tiles are the definition's, and so are the proofs that are made from them.
    #[test]
    fn tiles_and_proofs_are_the_definitions(count in 1_usize..1_400, cuts in proptest::collection::vec(0_usize..1_400, 0..6), picks in any::<[prop::sample::Index; 3]>()) {
        let all = leaves(count);
        let mut sizes: Vec<usize> = cuts.into_iter().map(|cut| cut.min(count)).chain([count]).collect();
        sizes.sort_unstable();
        let mut folder = Folder::default();
        folder.publish(&all, sizes);
        let size = count as u64;
        let root = mth(&all);
        for tile in new_tiles(0, size).unwrap() {
            let width = 256_usize.pow(u32::from(tile.level()));
            let first = tile.index() as usize * 256 * width;
            let expected: Vec<u8> = all[first..first + usize::from(tile.width()) * width].chunks(width).flat_map(|part| mth(part).0).collect();
            prop_assert_eq!(&folder.tiles[&tile], &expected, "{}", tile.path());
        }
        let partial: Vec<_> = tiles_needed(size).unwrap().into_iter().map(|tile| (tile, folder.tiles[&tile].clone())).collect();
        prop_assert_eq!(edge_of_tiles(size, &partial).unwrap(), edge_of(&all));

        let [index, from, bent] = picks.map(|pick| pick.index(count));
        folder.read.take();
        let proof = prove_inclusion(&folder, index as u64, size, &root).unwrap();
        prop_assert_eq!(folder.read.take(), tiles_for_inclusion(index as u64, size).unwrap());
        prop_assert_eq!(&proof, &path(index, &all));
        prop_assert_eq!(verify_inclusion(&all[index], index as u64, size, &proof, &root), Ok(()));
        let from = from.max(1);
        let then = mth(&all[..from]);
        let growth = prove_consistency(&folder, from as u64, size, &root).unwrap();
        prop_assert_eq!(folder.read.take(), tiles_for_consistency(from as u64, size).unwrap());
        prop_assert_eq!(&growth, &subproof(from, &all, true));
        prop_assert_eq!(verify_consistency((from as u64, &then), (size, &root), &growth), Ok(()));

        // Nothing that is bent verifies.
        for (proof, is_growth) in [(proof, false), (growth, true)] {
            let verdict = |proof: &[Hash]| if is_growth {
                verify_consistency((from as u64, &then), (size, &root), proof)
            } else {
                verify_inclusion(&all[index], index as u64, size, proof, &root)
            };
            for at in 0..proof.len() {
                let mut wrong = proof.clone();
                wrong[at].0[bent % 32] ^= 1;
                prop_assert_eq!(verdict(&wrong), Err(ProofError::AnotherRoot));
                let mut short = proof.clone();
                short.remove(at);
                prop_assert!(verdict(&short).is_err());
            }
            let mut long = proof.clone();
            long.push(root);
            prop_assert!(verdict(&long).is_err());
        }
    }

    /// For sizes, places and hashes out of the blue, the crate's verification and ours agree, and neither panics.
    #[test]
    fn verification_agrees_with_the_crate(
        a in any::<u64>(), b in any::<u64>(), shift in 0_u32..64,
        proof in proptest::collection::vec(any::<[u8; 32]>(), 0..66),
    ) {
        let (small, large) = ((a >> shift).min(b >> shift), (a >> shift).max(b >> shift));
        let proof: Vec<Hash> = proof.into_iter().map(Hash).collect();
        let leaf = leaf_hash(b"x");
        let ours = verify_inclusion(&leaf, small, large, &proof, &leaf);
        prop_assert_eq!(ours.is_ok(), crate_inclusion(&leaf, small, large, &proof, &leaf));
        let ours = verify_consistency((small, &leaf), (large, &leaf), &proof);
        prop_assert_eq!(ours.is_ok(), crate_consistency((small, &leaf), (large, &leaf), &proof));
    }

    #[test]
    fn no_text_panics_the_path_reader(text in "\\PC*", path in "tile/[0-9]{1,3}/(x?[0-9]{1,4}/){0,8}[0-9]{0,4}(\\.p(/[0-9]{0,4})?)?") {
        for text in [text, path] {
            if let Some(tile) = Tile::parse(&text) {
                prop_assert_eq!(tile.path(), text.as_str());
            }
            if let Some((log, tile)) = Tile::parse_key(&text) {
                prop_assert_eq!(tile.key(&log), text);
            }
        }
    }

    #[test]
    fn a_path_comes_back(level in 0_u8..64, index in any::<u64>(), width in 1_u16..=256) {
        let tile = Tile::new(level, index, width).unwrap();
        prop_assert_eq!(Tile::parse(&tile.path()), Some(tile));
    }

    /// The crate's list and the definition of partial tiles agree for every size that has tiles.
    #[test]
    fn the_right_edge_is_the_crates(size in 0..=MAX_TREE_SIZE, shift in 0_u32..56) {
        let size = size >> shift;
        let edge: Vec<Tile> = new_tiles(size.saturating_sub(1), size).unwrap().into_iter().filter(|tile| !tile.is_full()).collect();
        let ours = partial_tiles(size).unwrap();
        prop_assert!(edge.iter().all(|tile| ours.contains(tile)), "{:?} {:?}", edge, ours);
        prop_assert!(ours.iter().all(|tile| u64::from(tile.width()) == (size >> (8 * u32::from(tile.level()))) % 256));
    }
}
