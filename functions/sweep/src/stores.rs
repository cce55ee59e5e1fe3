//! What sweep reads and writes; the test of its permissions holds the calls against its role in the template.

use std::fmt;
use std::sync::Arc;

use ledgerline_custody::acts::Random;
use ledgerline_lambda::random::OwnedRandom;
use ledgerline_store::act_note::ActNotes;
use ledgerline_store::bronze_object::BronzeObjects;
use ledgerline_store::bucket::Bucket;
use ledgerline_store::journal::Journal;
use ledgerline_store::ledger::LedgerStores;
use ledgerline_store::month_key::MonthKeys;
use ledgerline_store::plan::Plans;
use ledgerline_store::planned::Planned;
use ledgerline_store::queue::{Notices, Pointers, Queue};
use ledgerline_store::request::RequestRows;
use ledgerline_store::signer::Sign;
use ledgerline_store::sweep_state::SweepStates;
use ledgerline_store::table::Table;
use ledgerline_store::wrapping::Wrapping;

/// The tables, buckets, queues and keys, as `main` or a test has them.
#[derive(Clone, Debug)]
pub struct Ports {
    /// The control table.
    pub control: Arc<dyn Table>,
    /// The index table.
    pub index: Arc<dyn Table>,
    /// The ledger's bucket.
    pub ledger: Arc<dyn Bucket>,
    /// The bronze bucket.
    pub bronze: Arc<dyn Bucket>,
    /// The bucket of plans and of sweep's own state.
    pub staged: Arc<dyn Bucket>,
    /// transform's queue.
    pub notices: Arc<dyn Queue>,
    /// audit-write's queue.
    pub pointers: Arc<dyn Queue>,
    /// The key that signs checkpoints.
    pub signer: Arc<dyn Sign>,
    /// The key that wraps the private halves of months' keys.
    pub wrapping: Arc<dyn Wrapping>,
}

/// The stored families.
pub struct Stores {
    /// Heads, rows, postings, segments, tiles, checkpoints.
    pub ledger: LedgerStores,
    /// Notes of the ledger's own acts.
    pub notes: ActNotes,
    /// Requests of persons, whose acts follow from their rows.
    pub requests: RequestRows,
    /// How far bronze is planned.
    pub planned: Planned,
    /// What capture took and is not committed yet.
    pub journal: Journal,
    /// Plans.
    pub plans: Plans,
    /// State from run to run.
    pub states: SweepStates,
    /// Bronze objects, to list.
    pub bronze: BronzeObjects,
    /// Notifications to transform.
    pub notices: Notices,
    /// Pointers to audit-write.
    pub pointers: Pointers,
    /// The signing key.
    pub signer: Arc<dyn Sign>,
    /// The keys that party keys are wrapped to.
    pub month_keys: MonthKeys,
    /// What makes them.
    pub wrapping: Arc<dyn Wrapping>,
    random: OwnedRandom,
}

impl Stores {
    /// Over these ports; `random` fills salts.
    pub fn new(ports: Ports, random: OwnedRandom) -> Self {
        let Ports { control, index, ledger, bronze, staged, notices, pointers, signer, wrapping } = ports;
        Self {
            ledger: LedgerStores::new(&control, &index, &ledger),
            notes: ActNotes::new(Arc::clone(&control)),
            requests: RequestRows::new(Arc::clone(&control)),
            planned: Planned::new(Arc::clone(&control)),
            journal: Journal::new(index),
            month_keys: MonthKeys::new(control),
            plans: Plans::new(Arc::clone(&staged)),
            states: SweepStates::new(staged),
            bronze: BronzeObjects::new(bronze),
            notices: Notices::new(notices),
            pointers: Pointers::new(pointers),
            signer,
            wrapping,
            random,
        }
    }

    /// Fills a buffer with random bytes.
    pub fn random(&self) -> Random<'_> {
        &*self.random
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}
