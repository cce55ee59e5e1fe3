//! What the function reads and writes; the test of its permissions holds the calls against its role in the template.

use std::fmt;
use std::sync::Arc;

use ledgerline_custody::acts::{ActStores, Random};
use ledgerline_custody::own::OwnLists;
use ledgerline_lambda::random::OwnedRandom;
use ledgerline_store::act_note::ActNotes;
use ledgerline_store::asked::Asked;
use ledgerline_store::bucket::Bucket;
use ledgerline_store::data_key::DataKeys;
use ledgerline_store::erasing::ErasingRows;
use ledgerline_store::gone::Gone;
use ledgerline_store::object_row::ObjectRows;
use ledgerline_store::orgs::Orgs;
use ledgerline_store::own::OwnNumbers;
use ledgerline_store::package::Packages;
use ledgerline_store::party::Parties;
use ledgerline_store::plan::Plans;
use ledgerline_store::posting::Postings;
use ledgerline_store::principal::Principals;
use ledgerline_store::queue::{EraseNotes, Pointers, Queue};
use ledgerline_store::record::Records;
use ledgerline_store::request::Requests;
use ledgerline_store::subject::Subjects;
use ledgerline_store::table::Table;
use ledgerline_store::usage::Usage;
use ledgerline_store::wrapping::Wrapping;

/// The tables, the bucket, the queues and the key, as `main` or a test has them.
#[derive(Clone, Debug)]
pub struct Ports {
    /// The control table.
    pub control: Arc<dyn Table>,
    /// The index table.
    pub index: Arc<dyn Table>,
    /// The keys table.
    pub keys: Arc<dyn Table>,
    /// The bucket of plans and certificates.
    pub staged: Arc<dyn Bucket>,
    /// audit-write's queue.
    pub pointers: Arc<dyn Queue>,
    /// The eraser's queue.
    pub erase_queue: Arc<dyn Queue>,
    /// The key that wraps data keys.
    pub wrapping: Arc<dyn Wrapping>,
}

/// The stored families.
pub struct Stores {
    /// Requests, and whom they are about.
    pub requests: Requests,
    /// Which requests are about an identifier.
    pub asked: Asked,
    /// How far erasures are.
    pub erasing: ErasingRows,
    /// What tells the eraser that one may begin.
    pub erase: EraseNotes,
    /// Aliases of those who call.
    pub principals: Principals,
    /// What they used today.
    pub usage: Usage,
    /// The data keys.
    pub keys: DataKeys,
    /// Identifiers, subjects, links.
    pub subjects: Subjects,
    /// Subjects that are gone for good.
    pub gone: Gone,
    /// Who has part in records.
    pub parties: Parties,
    /// Which log keeps a record, and which bronze objects hold its lines.
    pub records: Records,
    /// Where entries lie.
    pub postings: Postings,
    /// Which orgs there are.
    pub orgs: Orgs,
    /// The lists of own numbers, kept for a while.
    pub own: OwnLists,
    /// Certificates of erasures.
    pub packages: Packages,
    plans: Plans,
    pointers: Pointers,
    rows: ObjectRows,
    notes: ActNotes,
    random: OwnedRandom,
}

impl Stores {
    /// Over these ports, in this deployment; `random` fills ids and salts.
    pub fn new(ports: Ports, deployment: &str, random: OwnedRandom) -> Self {
        let Ports { control, index, keys, staged, pointers, erase_queue, wrapping } = ports;
        Self {
            requests: Requests::new(Arc::clone(&control), Arc::clone(&keys)),
            asked: Asked::new(Arc::clone(&keys)),
            erasing: ErasingRows::new(Arc::clone(&control)),
            erase: EraseNotes::new(erase_queue),
            principals: Principals::new(Arc::clone(&keys)),
            usage: Usage::new(Arc::clone(&control)),
            keys: DataKeys::new(Arc::clone(&control), wrapping, deployment),
            subjects: Subjects::new(Arc::clone(&keys)),
            gone: Gone::new(Arc::clone(&control)),
            parties: Parties::new(keys),
            records: Records::new(Arc::clone(&index)),
            postings: Postings::new(index),
            orgs: Orgs::new(Arc::clone(&control)),
            own: OwnLists::new(OwnNumbers::new(Arc::clone(&control))),
            packages: Packages::new(Arc::clone(&staged)),
            plans: Plans::new(staged),
            pointers: Pointers::new(pointers),
            rows: ObjectRows::new(Arc::clone(&control)),
            notes: ActNotes::new(control),
            random,
        }
    }

    /// Where acts go.
    pub(crate) fn acts(&self) -> ActStores<'_> {
        let Self { plans, pointers, rows, notes, .. } = self;
        ActStores { plans, queue: pointers, rows, notes, random: self.random() }
    }

    /// Sixteen random bytes.
    pub(crate) fn draw(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        (self.random)(&mut bytes);
        bytes
    }

    fn random(&self) -> Random<'_> {
        &*self.random
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}
