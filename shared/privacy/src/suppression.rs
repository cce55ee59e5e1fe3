//! Names of tombstones, which say that an org's events about a person are suppressed without saying who it is; and digests of requests.
//!
//! Invariant: a name is an HMAC-SHA-256 under a data key of its own, so that who can open the key of pseudonyms cannot tell
//! from a tombstone whose it is. A tombstone has a name under each version, and a version is kept while one of its
//! tombstones lives.

use std::borrow::Borrow;

use crate::pseudonym::{MacKey, push_hex};

/// The key behind tombstones' names, one per version.
#[derive(Debug, Clone)]
pub struct SuppressionKey {
    version: u32,
    mac: MacKey,
}

impl SuppressionKey {
    /// Absorbs the unwrapped data key.
    pub fn new(version: u32, key: impl Borrow<[u8; 32]>) -> Self {
        Self { version, mac: MacKey::new(key) }
    }

    /// 64 hex digits of HMAC-SHA-256(key, org ‖ 0x1F ‖ pseudonym). Neither has that byte.
    pub fn tombstone(&self, org: &str, pseudonym: &str) -> String {
        let tag = self.mac.tag(&[org.as_bytes(), &[SEPARATOR], pseudonym.as_bytes()]);
        let mut name = String::with_capacity(64);
        push_hex(&mut name, &tag);
        name
    }
}

/// All versions of the suppression key.
#[derive(Debug, Clone)]
pub struct SuppressionRing(Vec<SuppressionKey>);

impl SuppressionRing {
    /// A ring of at least one key.
    pub fn new(keys: impl IntoIterator<Item = SuppressionKey>) -> Option<Self> {
        let mut keys: Vec<SuppressionKey> = keys.into_iter().collect();
        keys.sort_by_key(|key| std::cmp::Reverse(key.version));
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// The digests of the same request under all versions, newest first: 64 hex digits of HMAC-SHA-256 over each part behind its length in
    /// 4 bytes. No tombstone's name is one: its input has no such length.
    pub fn of_request(&self, parts: &[&str]) -> Vec<String> {
        let mut input = REQUEST_LABEL.to_vec();
        for part in parts {
            input.extend_from_slice(&(part.len() as u32).to_be_bytes());
            input.extend_from_slice(part.as_bytes());
        }
        let digest = |key: &SuppressionKey| {
            let mut text = String::with_capacity(64);
            push_hex(&mut text, &key.mac.tag(&[&input]));
            text
        };
        self.0.iter().map(digest).collect()
    }

    /// How many versions there are.
    pub fn versions(&self) -> usize {
        self.0.len()
    }

    /// The names of a pseudonym's tombstones under all versions, newest first.
    pub fn tombstones(&self, org: &str, pseudonym: &str) -> impl Iterator<Item = String> {
        self.0.iter().map(move |key| key.tombstone(org, pseudonym))
    }
}

/// Before a request's parts. No org begins so, for a space.
const REQUEST_LABEL: &[u8] = b"ledgerline request/v1";
/// Between org and pseudonym.
const SEPARATOR: u8 = 0x1F;

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed apart from this code, by Python: `hmac.new(bytes([7]) * 32, b"acme\x1fp1_ab", "sha256")`.
    const KNOWN: &str = "9cf536a03cd301d6b81ebbffd440c9d427e50c9a24a95d25d0711a09230c3567";

    #[test]
    fn a_tombstones_name_is_the_hmac_that_another_implementation_computes() {
        let key = SuppressionKey::new(1, [7; 32]);
        assert_eq!(key.tombstone("acme", "p1_ab"), KNOWN);
        assert_ne!(key.tombstone("globex", "p1_ab"), KNOWN);
        assert_ne!(SuppressionKey::new(1, [8; 32]).tombstone("acme", "p1_ab"), KNOWN);
    }

    #[test]
    fn a_ring_names_by_every_version_newest_first() {
        let keys = [(1, 7), (3, 9), (2, 8)].map(|(version, byte)| SuppressionKey::new(version, [byte; 32]));
        let names = [&keys[1], &keys[2], &keys[0]].map(|key| key.tombstone("acme", "p1_ab"));
        let ring = SuppressionRing::new(keys).unwrap();
        assert_eq!(ring.tombstones("acme", "p1_ab").collect::<Vec<_>>(), names);
        assert_eq!(ring.versions(), 3);
        assert!(SuppressionRing::new([]).is_none());
    }

    /// In Python: `hmac.new(bytes([7]) * 32, b"ledgerline request/v1" + parts, "sha256")`, each part behind `struct.pack(">I", len(part))`.
    #[test]
    fn a_requests_digest_tells_where_each_part_ends() {
        let ring = SuppressionRing::new([SuppressionKey::new(1, [7; 32]), SuppressionKey::new(2, [8; 32])]).unwrap();
        let digests = ring.of_request(&["acme", "ERASURE", "p1_ab"]);
        assert_eq!(
            (digests.len(), digests[1].as_str()),
            (2, "f99e1f02f015026d77ab236c269bffadf6d90d86521f90d9e6deae9fd3699ecf")
        );
        assert_ne!(ring.of_request(&["acme", "ERASUREp1_ab"]), digests);
        assert_ne!(ring.of_request(&["acmeE", "RASURE", "p1_ab"]), digests);
    }

    #[test]
    fn debug_prints_no_key() {
        let ring = SuppressionRing::new([SuppressionKey::new(1, [7; 32])]);
        assert_eq!(format!("{ring:?}"), "Some(SuppressionRing([SuppressionKey { version: 1, mac: MacKey(***) }]))");
    }
}
