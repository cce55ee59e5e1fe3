//! What the function reads, and the little that it writes; the test of its permissions holds the calls against its role in the template.

use std::fmt;
use std::sync::Arc;

use ledgerline_custody::acts::ActStores;
use ledgerline_custody::own::OwnLists;
use ledgerline_lambda::random::OwnedRandom;
use ledgerline_store::act_note::ActNotes;
use ledgerline_store::bucket::Bucket;
use ledgerline_store::data_key::DataKeys;
use ledgerline_store::gone::Gone;
use ledgerline_store::head::Heads;
use ledgerline_store::journal::Journal;
use ledgerline_store::object_row::ObjectRows;
use ledgerline_store::orgs::Orgs;
use ledgerline_store::own::OwnNumbers;
use ledgerline_store::party::Parties;
use ledgerline_store::plan::Plans;
use ledgerline_store::planned::Planned;
use ledgerline_store::posting::Postings;
use ledgerline_store::principal::Principals;
use ledgerline_store::queue::{Pointers, Queue};
use ledgerline_store::record::Records;
use ledgerline_store::segment::Segments;
use ledgerline_store::subject::Subjects;
use ledgerline_store::table::Table;
use ledgerline_store::wrapping::Wrapping;

/// The tables, the buckets, the queue and the key, as `main` or a test has them.
#[derive(Clone, Debug)]
pub struct Ports {
    /// The control table.
    pub control: Arc<dyn Table>,
    /// The index table.
    pub index: Arc<dyn Table>,
    /// The keys table.
    pub keys: Arc<dyn Table>,
    /// The ledger's bucket.
    pub ledger: Arc<dyn Bucket>,
    /// The bucket of plans.
    pub staged: Arc<dyn Bucket>,
    /// audit-write's queue.
    pub pointers: Arc<dyn Queue>,
    /// The key that wraps data keys.
    pub wrapping: Arc<dyn Wrapping>,
}

/// The stored families of an access request.
pub struct Stores {
    /// The pseudonym keys.
    pub keys: DataKeys,
    /// Identifiers, subjects, links.
    pub subjects: Subjects,
    /// Subjects that are gone for good.
    pub gone: Gone,
    /// Up to when records were erased.
    pub parties: Parties,
    /// Which log keeps a record.
    pub records: Records,
    /// Where entries lie.
    pub postings: Postings,
    /// What capture took and is not committed yet.
    pub journal: Journal,
    /// Heads.
    pub heads: Heads,
    /// How far bronze is planned.
    pub planned: Planned,
    /// Which orgs there are.
    pub orgs: Orgs,
    /// The lists of own numbers, kept for a while.
    pub own: OwnLists,
    /// The evidence.
    pub segments: Segments,
    /// Aliases of those who ask.
    pub principals: Principals,
    plans: Plans,
    queue: Pointers,
    rows: ObjectRows,
    notes: ActNotes,
    random: OwnedRandom,
}

impl Stores {
    /// Over these ports, in this deployment; `random` fills ids and salts.
    pub fn new(ports: Ports, deployment: &str, random: OwnedRandom) -> Self {
        let Ports { control, index, keys, ledger, staged, pointers, wrapping } = ports;
        Self {
            keys: DataKeys::new(Arc::clone(&control), wrapping, deployment),
            subjects: Subjects::new(Arc::clone(&keys)),
            principals: Principals::new(Arc::clone(&keys)),
            parties: Parties::new(keys),
            gone: Gone::new(Arc::clone(&control)),
            records: Records::new(Arc::clone(&index)),
            postings: Postings::new(Arc::clone(&index)),
            journal: Journal::new(index),
            planned: Planned::new(Arc::clone(&control)),
            heads: Heads::new(Arc::clone(&control)),
            orgs: Orgs::new(Arc::clone(&control)),
            own: OwnLists::new(OwnNumbers::new(Arc::clone(&control))),
            segments: Segments::new(ledger),
            plans: Plans::new(staged),
            queue: Pointers::new(pointers),
            rows: ObjectRows::new(Arc::clone(&control)),
            notes: ActNotes::new(control),
            random,
        }
    }

    /// Where acts go.
    pub(crate) fn acts(&self) -> ActStores<'_> {
        let Self { plans, queue, rows, notes, random, .. } = self;
        ActStores { plans, queue, rows, notes, random: &**random }
    }

    /// Sixteen random bytes.
    pub(crate) fn draw(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        (self.random)(&mut bytes);
        bytes
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}
