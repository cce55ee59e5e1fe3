//! What names said before: nearly every key of an event was a key of the one before.
//!
//! Invariant: an answer is that of [`names::read`]; the hash only says where to look, and the name itself is compared.

use std::cell::RefCell;

use super::names::{self, Name};
use crate::catalogue::hash;

/// Longest name that is remembered: four of them, their hashes and the answers fill four lines of the processor's cache.
const NAME_BYTES_MAX: usize = 50;

/// Names whose hashes begin alike.
const WAYS: usize = 4;

/// 128 KiB for each thread, of which the names of usual traffic touch a fifth. Of 500 names hardly five share a set.
const SETS: usize = 512;

#[derive(Clone, Copy)]
struct Place {
    /// Bytes of the name; 0 for a free place, as no name of no bytes is asked for.
    bytes: u8,
    name: [u8; NAME_BYTES_MAX],
    said: Option<Name>,
}

/// The newest first.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Set {
    hashes: [u64; WAYS],
    places: [Place; WAYS],
}

const FREE: Place = Place { bytes: 0, name: [0; NAME_BYTES_MAX], said: None };

thread_local! {
    static MEMO: RefCell<[Set; SETS]> =
        const { RefCell::new([Set { hashes: [0; WAYS], places: [FREE; WAYS] }; SETS]) };
}

/// What a name says; `hash` is its [`hash`].
#[inline]
pub(crate) fn name_of_hashed(hash: u64, name: &[u8]) -> Option<Name> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return names::read(name);
    }
    MEMO.with_borrow_mut(|memo| {
        let set = &mut memo[(hash >> 32) as usize % SETS];
        for (place, known) in set.places.iter().zip(set.hashes) {
            if known == hash && place.name[..usize::from(place.bytes)] == *name {
                return place.said;
            }
        }
        remember(set, hash, name)
    })
}

#[cold]
fn remember(set: &mut Set, hash: u64, name: &[u8]) -> Option<Name> {
    let mut place = Place { bytes: name.len() as u8, said: names::read(name), ..FREE };
    place.name[..name.len()].copy_from_slice(name);
    set.hashes.rotate_right(1);
    set.places.rotate_right(1);
    (set.hashes[0], set.places[0]) = (hash, place);
    place.said
}

/// What a name says.
pub(super) fn name_of(name: &[u8]) -> Option<Name> {
    name_of_hashed(hash(name), name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_one_hash_are_told_apart() {
        for _ in 0..3 {
            assert_eq!(name_of_hashed(7, b"cvv"), names::read(b"cvv"));
            assert_eq!(name_of_hashed(7, b"cvx"), None);
            assert_eq!(name_of_hashed(7, b"pin"), names::read(b"pin"));
            assert_eq!(name_of_hashed(7, b""), None);
        }
    }

    proptest! {
        #[test]
        fn what_is_remembered_is_what_is_read(
            names in proptest::collection::vec(prop_oneof!["[a-cvpinCVPIN]{0,6}", "(card|my|x){0,20}Pin"], 1..200),
        ) {
            for name in names.iter().chain(&names) {
                prop_assert_eq!(name_of(name.as_bytes()), names::read(name.as_bytes()));
                // As if all names fell into two sets.
                let crowded = u64::from(name.len() as u8 % 2) << 32;
                prop_assert_eq!(name_of_hashed(crowded, name.as_bytes()), names::read(name.as_bytes()));
            }
        }
    }
}
