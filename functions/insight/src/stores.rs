//! What the function reads. The test of its permissions holds the calls against its role in the template.

use std::fmt;
use std::sync::Arc;

use ledgerline_store::bucket::Bucket;
use ledgerline_store::gold::Gold;

/// The buckets, as `main` or a test has them.
#[derive(Clone, Debug)]
pub struct Ports {
    /// The lake's bucket.
    pub lake: Arc<dyn Bucket>,
}

/// The stored families that are served.
pub struct Stores {
    /// Gold's documents.
    pub gold: Gold,
}

impl Stores {
    /// Over these ports.
    pub fn new(ports: Ports) -> Self {
        Self { gold: Gold::new(ports.lake) }
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}
