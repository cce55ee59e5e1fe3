//! What audit-write reads and writes; the test of its permissions holds the calls against its role in the template.

use std::sync::Arc;

use ledgerline_store::bucket::Bucket;
use ledgerline_store::ledger::LedgerStores;
use ledgerline_store::plan::Plans;
use ledgerline_store::poison::Poison;
use ledgerline_store::queue::Queue;
use ledgerline_store::signer::Sign;
use ledgerline_store::table::Table;

/// The tables, buckets, the queue and the key, as `main` or a test has them.
#[derive(Clone, Debug)]
pub struct Ports {
    /// The control table.
    pub control: Arc<dyn Table>,
    /// The index table.
    pub index: Arc<dyn Table>,
    /// The ledger's bucket.
    pub ledger: Arc<dyn Bucket>,
    /// The bucket of plans and poison.
    pub staged: Arc<dyn Bucket>,
    /// The queue that pointers come from and failed messages return to.
    pub queue: Arc<dyn Queue>,
    /// The key that signs checkpoints.
    pub signer: Arc<dyn Sign>,
}

/// The stored families.
#[derive(Clone, Debug)]
pub struct Stores {
    /// Heads, rows, postings, segments, tiles, checkpoints.
    pub ledger: LedgerStores,
    /// Chunks of plans.
    pub plans: Plans,
    /// Messages that no retry can help.
    pub poison: Poison,
    /// Takes failed messages back.
    pub queue: Arc<dyn Queue>,
    /// The signing key.
    pub signer: Arc<dyn Sign>,
}

impl Stores {
    /// Over these ports.
    pub fn new(ports: Ports) -> Self {
        let Ports { control, index, ledger, staged, queue, signer } = ports;
        Self {
            ledger: LedgerStores::new(&control, &index, &ledger),
            plans: Plans::new(Arc::clone(&staged)),
            poison: Poison::new(staged),
            queue,
            signer,
        }
    }
}
