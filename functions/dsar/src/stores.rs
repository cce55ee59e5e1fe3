//! What the function reads; the test of its permissions holds the calls against its role in the template.

use std::sync::Arc;

use ledgerline_custody::own::OwnLists;
use ledgerline_store::bucket::Bucket;
use ledgerline_store::data_key::DataKeys;
use ledgerline_store::gone::Gone;
use ledgerline_store::head::Heads;
use ledgerline_store::orgs::Orgs;
use ledgerline_store::own::OwnNumbers;
use ledgerline_store::party::Parties;
use ledgerline_store::planned::Planned;
use ledgerline_store::posting::Postings;
use ledgerline_store::record::Records;
use ledgerline_store::segment::Segments;
use ledgerline_store::subject::Subjects;
use ledgerline_store::table::Table;
use ledgerline_store::wrapping::Wrapping;

/// The tables, the bucket and the key, as `main` or a test has them.
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
    /// The key that wraps data keys.
    pub wrapping: Arc<dyn Wrapping>,
}

/// The stored families of an access request.
#[derive(Debug)]
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
}

impl Stores {
    /// Over these ports, in this deployment.
    pub fn new(ports: Ports, deployment: &str) -> Self {
        let Ports { control, index, keys, ledger, wrapping } = ports;
        Self {
            keys: DataKeys::new(Arc::clone(&control), wrapping, deployment),
            subjects: Subjects::new(Arc::clone(&keys)),
            parties: Parties::new(keys),
            gone: Gone::new(Arc::clone(&control)),
            records: Records::new(Arc::clone(&index)),
            postings: Postings::new(index),
            planned: Planned::new(Arc::clone(&control)),
            heads: Heads::new(Arc::clone(&control)),
            orgs: Orgs::new(Arc::clone(&control)),
            own: OwnLists::new(OwnNumbers::new(control)),
            segments: Segments::new(ledger),
        }
    }
}
