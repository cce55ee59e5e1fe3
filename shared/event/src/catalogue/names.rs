//! Names of members in all their spellings, found by the hash that the pass over the bytes computes anyway.
//!
//! Invariant: a name that is found is the key, byte for byte: the hash only says where to look.

/// A name of the description, whichever way it was spelled. Names are numbered in the order in which they turn up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NameId(pub(crate) u16);

/// A name and which of its spellings a document used: of two, the one that comes first here counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spelled {
    pub(crate) name: NameId,
    pub(crate) spelling: u8,
}

/// How a name may be spelled: as the description has it, in snake case, in Pascal case, in kebab case.
pub(crate) const SPELLINGS: u8 = 4;

/// The spellings of a name, the description's own first; each once.
pub(super) fn spellings(name: &str) -> Vec<String> {
    let Some(exact) = name.strip_prefix('=') else {
        let words = words(name);
        let pascal: String = words.iter().map(|word| capitalised(word)).collect();
        let mut all = vec![name.to_owned(), words.join("_"), pascal, words.join("-")];
        let mut seen = Vec::new();
        all.retain(|spelling| {
            !seen.contains(spelling) && {
                seen.push(spelling.clone());
                true
            }
        });
        return all;
    };
    vec![exact.to_owned()]
}

/// `durationMs` → `duration`, `ms`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() || words.is_empty() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(letter.to_ascii_lowercase());
        }
    }
    words
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// Keys and what each means: open addressing over a power of two of at least twice as many places.
#[derive(Debug)]
pub(crate) struct KeyTable<T> {
    places: Vec<Option<Place<T>>>,
}

#[derive(Debug, Clone, Copy)]
struct Place<T> {
    hash: u64,
    key: &'static [u8],
    value: T,
}

impl<T: Copy> KeyTable<T> {
    /// A table of these keys. Of a key that comes twice the first stays.
    pub(crate) fn new(keys: impl IntoIterator<Item = (&'static str, T)>) -> Self {
        let keys: Vec<(&'static str, T)> = keys.into_iter().collect();
        let mut table = Self { places: vec![None; (keys.len() * 2).next_power_of_two().max(2)] };
        for (key, value) in keys {
            let key = key.as_bytes();
            let hash = hash(key);
            if table.find(hash, key).is_none() {
                let free = table.probe(hash).find(|&at| table.places[at].is_none());
                // At least half of the places are free.
                if let Some(at) = free {
                    table.places[at] = Some(Place { hash, key, value });
                }
            }
        }
        table
    }

    fn probe(&self, hash: u64) -> impl Iterator<Item = usize> + use<T> {
        let mask = self.places.len() - 1;
        // The upper bits of the product are its best mixed ones.
        let start = (hash >> 32) as usize;
        (0..=mask).map(move |step| (start + step) & mask)
    }

    /// What `key`, whose [`hash`] this is, means. Nearly every key of a document ends at the first place.
    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &[u8]) -> Option<T> {
        let mask = self.places.len() - 1;
        let mut at = (hash >> 32) as usize & mask;
        while let Some(place) = &self.places[at] {
            if place.hash == hash && place.key == key {
                return Some(place.value);
            }
            at = (at + 1) & mask;
        }
        None
    }
}

/// Mixes a key eight bytes at a time. Not a defence: equal hashes are always confirmed on the keys.
#[inline]
pub(crate) fn hash(key: &[u8]) -> u64 {
    const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut state = key.len() as u64;
    let mut rest = key;
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        state = (state.rotate_left(23) ^ u64::from_le_bytes(*chunk)).wrapping_mul(MIX);
        rest = after;
    }
    // The tail is read as the key's last eight bytes, some of them again; short keys byte by byte.
    let last = match key.last_chunk::<8>() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => rest.iter().fold(0, |last, byte| last << 8 | u64::from(*byte)),
    };
    state = (state.rotate_left(23) ^ last).wrapping_mul(MIX);
    (state ^ (state >> 29)).wrapping_mul(MIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_its_spellings_once_each() {
        assert_eq!(spellings("durationMs"), ["durationMs", "duration_ms", "DurationMs", "duration-ms"]);
        assert_eq!(spellings("ani"), ["ani", "Ani"]);
        assert_eq!(spellings("=detail-type"), ["detail-type"]);
        assert!(spellings("aVeryLongNameOfManyWords").len() <= usize::from(SPELLINGS));
    }

    #[test]
    fn every_key_is_found_and_no_other() {
        let keys: Vec<&'static str> = (0..300).map(|n| &*Box::leak(format!("key{n}").into_boxed_str())).collect();
        let table = KeyTable::new(keys.iter().enumerate().map(|(n, key)| (*key, n)));
        for (n, key) in keys.iter().enumerate() {
            assert_eq!(table.find(hash(key.as_bytes()), key.as_bytes()), Some(n));
        }
        for other in ["", "key", "key300", "Key1"] {
            assert_eq!(table.find(hash(other.as_bytes()), other.as_bytes()), None, "{other}");
        }
        // An equal hash of another key is no hit.
        assert_eq!(table.find(hash(b"key7"), b"key8"), None);
        assert_eq!(KeyTable::<u8>::new([]).find(hash(b"x"), b"x"), None);
    }
}
