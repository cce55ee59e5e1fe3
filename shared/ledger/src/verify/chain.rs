//! Which segments make up the log, by their names: a chain without overlaps, and what stands outside it.
//!
//! Invariant: a segment that overlaps no other is in the chain. Between overlapping ones those win whose entries the
//! tiles know, then those that cover more, then those that postings name: a crash leaves at most what another segment's
//! entries repeat, and where it repeats them at their own places, nothing but the index tells which one was committed.

use super::inventory::SegmentRow;

/// The chain and the rest, as places in the inventory.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) inside: Vec<usize>,
    pub(crate) outside: Vec<usize>,
}

/// What speaks for a contested segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Claim {
    /// How many of its entries are known to belong where it puts them.
    pub(crate) known: u64,
    /// Whether any posting is about it.
    pub(crate) named: bool,
}

/// Arranges segments that are sorted by first index. Those that end beyond `bound` stand outside. `claim(place)` is asked
/// about overlapping ones alone.
pub(crate) fn arrange<E>(
    segments: &[SegmentRow],
    bound: u64,
    mut claim: impl FnMut(usize) -> Result<Claim, E>,
) -> Result<Chain, E> {
    let contested = contested(segments, bound);
    let mut order: Vec<usize> = (0..segments.len()).filter(|place| segments[*place].end() <= bound).collect();
    order.sort_by_key(|place| (segments[*place].end(), segments[*place].first));
    // Weighted interval scheduling: best[n] is the best choice among the first n by end.
    let mut best: Vec<(u64, u64, u64)> = vec![(0, 0, 0)];
    let mut taken: Vec<Option<usize>> = vec![None];
    for (n, place) in order.iter().enumerate() {
        let segment = &segments[*place];
        let claim = if contested[*place] { claim(*place)? } else { Claim::default() };
        let named = if claim.named { segment.count } else { 0 };
        let before = order[..n].partition_point(|earlier| segments[*earlier].end() <= segment.first);
        let (known, covered, by_index) = best[before];
        let with = (known + claim.known, covered + segment.count, by_index + named);
        if with > best[n] {
            best.push(with);
            taken.push(Some(before));
        } else {
            best.push(best[n]);
            taken.push(None);
        }
    }
    let mut chain = Chain::default();
    let mut is_inside = vec![false; segments.len()];
    let mut n = order.len();
    while n > 0 {
        match taken[n] {
            Some(before) => {
                is_inside[order[n - 1]] = true;
                n = before;
            }
            None => n -= 1,
        }
    }
    for (place, inside) in is_inside.into_iter().enumerate() {
        if inside { chain.inside.push(place) } else { chain.outside.push(place) }
    }
    Ok(chain)
}

/// Which segments overlap another one. Of those behind a segment it is enough to remember the one that reaches farthest:
/// whatever overlaps another of them overlaps that one, or was marked when that one came.
fn contested(segments: &[SegmentRow], bound: u64) -> Vec<bool> {
    let mut contested = vec![false; segments.len()];
    let inside = |place: &usize| segments[*place].end() <= bound;
    let mut reached: Option<(u64, usize)> = None;
    for place in (0..segments.len()).filter(inside) {
        if let Some((_, holder)) = reached.filter(|(end, _)| segments[place].first < *end) {
            contested[place] = true;
            contested[holder] = true;
        }
        if reached.is_none_or(|(end, _)| segments[place].end() > end) {
            reached = Some((segments[place].end(), place));
        }
    }
    contested
}

#[cfg(test)]
mod tests {
    use super::super::inventory::tests::segment;
    use super::*;
    use std::convert::Infallible;

    fn of(ranges: &[(u64, u64)], bound: u64, known: &[u64]) -> Chain {
        let mut segments: Vec<SegmentRow> = ranges.iter().map(|(first, end)| segment(*first, end - first)).collect();
        segments.sort_by_key(|segment| segment.first);
        let claim = |place: usize| Claim { known: known.get(place).copied().unwrap_or(0), named: false };
        arrange::<Infallible>(&segments, bound, |place| Ok(claim(place))).unwrap()
    }

    #[test]
    fn of_segments_with_the_same_entries_those_win_that_postings_name() {
        // A writer died with two chunks in one segment; they were committed in two.
        let segments = [segment(0, 5), segment(5, 3), segment(5, 5), segment(8, 2)];
        for (named, outside) in [(vec![1, 3], vec![2]), (vec![2], vec![1, 3])] {
            let claim = |place: usize| Claim { known: segments[place].count, named: named.contains(&place) };
            assert_eq!(arrange::<Infallible>(&segments, 10, |place| Ok(claim(place))).unwrap().outside, outside);
        }
    }

    #[test]
    fn segments_that_do_not_overlap_are_the_chain() {
        let chain = of(&[(0, 10), (10, 25), (30, 31)], u64::MAX, &[]);
        assert_eq!(chain, Chain { inside: vec![0, 1, 2], outside: vec![] });
    }

    #[test]
    fn what_covers_more_wins_unless_the_tiles_know_better() {
        let crash = [(0, 10), (10, 20), (10, 60), (20, 90)];
        assert_eq!(of(&crash, u64::MAX, &[]).outside, [2]);
        assert_eq!(of(&crash, u64::MAX, &[0, 0, 50, 0]).outside, [1, 3]);
        assert_eq!(of(&[(0, 10), (10, 20), (10, 60)], 20, &[]).outside, [2]);
    }

    #[test]
    fn every_overlap_is_seen() {
        let ranges = [(0, 100), (5, 10), (20, 30), (100, 110)];
        let segments: Vec<SegmentRow> = ranges.iter().map(|(first, end)| segment(*first, end - first)).collect();
        assert_eq!(contested(&segments, u64::MAX), [true, true, true, false]);
    }
}
