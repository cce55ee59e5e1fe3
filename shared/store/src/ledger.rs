//! The stores of one ledger, together: what appends, publishes, verifies or repairs logs has them all.

use std::sync::Arc;

use crate::bucket::Bucket;
use crate::checkpoint::Checkpoints;
use crate::head::Heads;
use crate::object_row::ObjectRows;
use crate::posting::Postings;
use crate::segment::Segments;
use crate::table::Table;
use crate::tile::Tiles;

/// A ledger's rows and objects.
#[derive(Clone, Debug)]
pub struct LedgerStores {
    /// Heads, markers, the list of logs.
    pub heads: Heads,
    /// Counts of bronze objects and acts.
    pub rows: ObjectRows,
    /// Where entries lie.
    pub postings: Postings,
    /// The entries.
    pub segments: Segments,
    /// The tree.
    pub tiles: Tiles,
    /// What was signed.
    pub checkpoints: Checkpoints,
}

impl LedgerStores {
    /// Over the control table, the index table and the ledger's bucket.
    pub fn new(control: &Arc<dyn Table>, index: &Arc<dyn Table>, bucket: &Arc<dyn Bucket>) -> Self {
        Self {
            heads: Heads::new(Arc::clone(control)),
            rows: ObjectRows::new(Arc::clone(control)),
            postings: Postings::new(Arc::clone(index)),
            segments: Segments::new(Arc::clone(bucket)),
            tiles: Tiles::new(Arc::clone(bucket)),
            checkpoints: Checkpoints::new(Arc::clone(bucket)),
        }
    }
}
