//! Objects in bronze, as whoever lists them has them.

/// An object in bronze, or an act, whose key begins with [`crate::act_note::KEY_PREFIX`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BronzeObject {
    /// Its key.
    pub key: String,
    /// When it was written, epoch milliseconds.
    pub written_at_ms: i64,
}

/// Objects in one page: S3's most.
pub const PAGE: usize = 1_000;
