//! RFC 6962 hashing and the right edge of the Merkle tree.
//!
//! Invariant: an [`Edge`] of size n holds exactly one root per set bit of n, the largest subtree first, so the root of
//! the whole log follows from at most 64 hashes and appending needs no earlier leaf. Proofs and tiles are not here.

use std::fmt;

use sha2::{Digest, Sha256};

/// A SHA-256 value: of a leaf, a node or a tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Takes 32 bytes; anything else is no hash.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The hash of bytes without any prefix: what names an object, never a leaf.
    pub fn of_object(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Lower-case hex.
    pub fn hex(&self) -> String {
        use fmt::Write as _;
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

/// SHA-256(0x00 ‖ entry).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0x00]);
    hasher.update(entry);
    Hash(hasher.finalize().into())
}

/// SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0x01]);
    hasher.update(left.0);
    hasher.update(right.0);
    Hash(hasher.finalize().into())
}

/// The roots of the maximal full subtrees of a log, left to right.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edge {
    size: u64,
    roots: Vec<Hash>,
}

impl Edge {
    /// The edge of the empty log.
    pub fn empty() -> Self {
        Self::default()
    }

    /// An edge from stored parts; `None` unless there is exactly one root per set bit of `size`.
    pub fn from_parts(size: u64, roots: Vec<Hash>) -> Option<Self> {
        (u64::from(size.count_ones()) == roots.len() as u64).then_some(Self { size, roots })
    }

    /// How many leaves the log has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The subtree roots, the largest first.
    pub fn roots(&self) -> &[Hash] {
        &self.roots
    }

    /// Appends one leaf: equal subtrees at the right end merge, as carries do in a binary counter.
    pub fn append(&mut self, leaf: Hash) {
        let mut node = leaf;
        let mut level = self.size;
        while level & 1 == 1 {
            if let Some(left) = self.roots.pop() {
                node = node_hash(&left, &node);
            }
            level >>= 1;
        }
        self.roots.push(node);
        self.size += 1;
    }

    /// The Merkle tree hash of the whole log.
    pub fn root(&self) -> Hash {
        let mut roots = self.roots.iter().rev();
        match roots.next() {
            None => Hash::of_object(b""),
            Some(last) => roots.fold(*last, |right, left| node_hash(left, &right)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 6962, section 2.1, word for word: slow, recursive, and the oracle.
    fn merkle_tree_hash(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::of_object(b""),
            [leaf] => *leaf,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                node_hash(&merkle_tree_hash(&leaves[..split]), &merkle_tree_hash(&leaves[split..]))
            }
        }
    }

    fn edge_of(leaves: &[Hash]) -> Edge {
        let mut edge = Edge::empty();
        leaves.iter().for_each(|leaf| edge.append(*leaf));
        edge
    }

    #[test]
    fn the_empty_tree_is_the_hash_of_nothing() {
        assert_eq!(Edge::empty().root().hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    /// The eight leaves and roots that RFC 6962 implementations (Certificate Transparency, Trillian) test with.
    #[test]
    fn known_roots_of_the_eight_ct_leaves() {
        let leaves: Vec<Hash> = [
            &b""[..],
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ]
        .iter()
        .map(|leaf| leaf_hash(leaf))
        .collect();
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        for (size, root) in (1..).zip(roots) {
            assert_eq!(edge_of(&leaves[..size]).root().hex(), root, "size {size}");
        }
    }

    #[test]
    fn an_edge_with_a_missing_or_surplus_root_is_refused() {
        let hash = leaf_hash(b"x");
        assert!(Edge::from_parts(3, vec![hash]).is_none());
        assert!(Edge::from_parts(4, vec![hash, hash]).is_none());
        assert!(Edge::from_parts(0, vec![hash]).is_none());
        assert!(Edge::from_parts(5, vec![hash, hash]).is_some());
    }

    proptest! {
        #[test]
        fn the_edge_agrees_with_the_recursive_definition(count in 0_usize..700, cut in 0_usize..700) {
            let leaves: Vec<Hash> = (0..count).map(|index| leaf_hash(&index.to_be_bytes())).collect();
            let cut = cut.min(count);
            // Stored and loaded in the middle, as it is between two appends.
            let stored = edge_of(&leaves[..cut]);
            let mut edge = Edge::from_parts(stored.size(), stored.roots().to_vec()).unwrap();
            leaves[cut..].iter().for_each(|leaf| edge.append(*leaf));
            prop_assert_eq!(edge.root(), merkle_tree_hash(&leaves));
            prop_assert_eq!(edge, edge_of(&leaves));
        }
    }
}
