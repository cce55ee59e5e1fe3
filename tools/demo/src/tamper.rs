//! An exported copy of a log: hashed again, altered by one bit, and found out.
//!
//! Invariant: the leaf hashes against which an altered copy is compared are trusted only after they gave the root that
//! the ledger's head commits; so the root alone names the entry that was changed.

use ledgerline_ledger::tree::{Edge, Hash, leaf_hash};

/// The leaf hashes of a copy: one entry a line.
pub(super) fn leaves(copy: &[u8]) -> Vec<Hash> {
    let lines = copy.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(leaf_hash).collect()
}

/// The root over leaves.
pub(super) fn root(leaves: &[Hash]) -> Hash {
    let mut edge = Edge::empty();
    for leaf in leaves {
        edge.append(*leaf);
    }
    edge.root()
}

/// A copy with one bit turned.
pub(super) struct Altered {
    /// The copy.
    pub copy: Vec<u8>,
    /// Before it, the byte as it was, as it became, after it.
    pub around: [String; 4],
}

/// Turns the last bit of the last digit of a line's `occurredAt` seconds: a call a second earlier or later. `None` if
/// there is no such line.
pub(super) fn alter(copy: &[u8], line_index: usize) -> Option<Altered> {
    const MEMBER: &[u8] = b"\"occurredAt\":\"";
    /// `2026-03-02T14:04:18`: the last digit of the seconds.
    const DIGIT: usize = 18;
    let begin: usize = copy.split_inclusive(|byte| *byte == b'\n').take(line_index).map(<[u8]>::len).sum();
    let line = copy.get(begin..)?.split(|byte| *byte == b'\n').next()?;
    let member = line.windows(MEMBER.len()).position(|window| window == MEMBER)?;
    let at = begin + member + MEMBER.len() + DIGIT;
    let mut altered = copy.to_vec();
    let byte = altered.get_mut(at).filter(|byte| byte.is_ascii_digit())?;
    *byte ^= 1;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let around =
        [text(&copy[begin + member..at]), text(&copy[at..=at]), text(&altered[at..=at]), text(&copy[at + 1..at + 7])];
    Some(Altered { copy: altered, around })
}

/// The entries whose leaves are not the trusted ones, by index; an entry too many or too few counts.
pub(super) fn found_out(trusted: &[Hash], copy: &[Hash]) -> Vec<usize> {
    let all = trusted.len().max(copy.len());
    (0..all).filter(|&index| trusted.get(index) != copy.get(index)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy() -> Vec<u8> {
        let line = |n: u32| format!("{{\"eventId\":\"{n}\",\"occurredAt\":\"2026-03-02T14:04:1{n}.200Z\"}}\n");
        (0..9).map(line).collect::<String>().into_bytes()
    }

    #[test]
    fn one_bit_is_found_and_named() {
        let copy = copy();
        let trusted = leaves(&copy);
        let altered = alter(&copy, 4).unwrap();
        assert_eq!(altered.around[1..3], ["4".to_owned(), "5".to_owned()]);
        let turned: u32 = copy.iter().zip(&altered.copy).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!(turned, 1);
        assert_eq!(found_out(&trusted, &leaves(&altered.copy)), [4]);
        assert_ne!(root(&leaves(&altered.copy)), root(&trusted));
    }

    #[test]
    fn an_untouched_copy_is_clean_and_a_lost_entry_is_not() {
        let copy = copy();
        let trusted = leaves(&copy);
        assert!(found_out(&trusted, &leaves(&copy)).is_empty());
        assert_eq!(found_out(&trusted, &trusted[..8]), [8]);
    }

    #[test]
    fn where_there_is_no_time_nothing_is_altered() {
        assert!(alter(&copy(), 9).is_none());
        assert!(alter(b"{\"eventId\":\"1\"}\n", 0).is_none());
    }
}
