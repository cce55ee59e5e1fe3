//! What the function reads. The test of its permissions holds the calls against its role in the template.

use std::fmt;
use std::sync::Arc;

use ledgerline_figures::ReportZone;
use ledgerline_store::bronze_object::BronzeObjects;
use ledgerline_store::bucket::Bucket;
use ledgerline_store::gold::Gold;
use ledgerline_store::gone::Gone;
use ledgerline_store::ledger::LedgerStores;
use ledgerline_store::planned::Planned;
use ledgerline_store::record::Records;
use ledgerline_store::silver::Silver;
use ledgerline_store::table::Table;
use ledgerline_store::token::Tokens;

/// The tables and buckets, as `main` or a test has them.
#[derive(Clone, Debug)]
pub struct Ports {
    /// The control table.
    pub control: Arc<dyn Table>,
    /// The index table.
    pub index: Arc<dyn Table>,
    /// The ledger's bucket.
    pub ledger: Arc<dyn Bucket>,
    /// The bronze bucket, whose objects are looked for and never read.
    pub bronze: Arc<dyn Bucket>,
    /// The lake's bucket.
    pub lake: Arc<dyn Bucket>,
}

/// What an answer calls the buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The ledger's bucket.
    pub ledger: String,
    /// The bronze bucket.
    pub bronze: String,
    /// The lake's bucket.
    pub lake: String,
}

/// The stored families that are served, and told of.
pub struct Stores {
    /// Gold's documents and the notes of its runs.
    pub gold: Gold,
    pub(crate) silver: Silver,
    pub(crate) bronze: BronzeObjects,
    pub(crate) ledger: LedgerStores,
    pub(crate) records: Records,
    pub(crate) tokens: Tokens,
    pub(crate) gone: Gone,
    pub(crate) planned: Planned,
    pub(crate) names: Names,
    pub(crate) zone: ReportZone,
}

impl Stores {
    /// Over these ports; days are those of the zone.
    pub fn new(ports: Ports, names: Names, zone: ReportZone) -> Self {
        let Ports { control, index, ledger, bronze, lake } = ports;
        Self {
            gold: Gold::new(Arc::clone(&lake)),
            silver: Silver::new(lake),
            bronze: BronzeObjects::new(bronze),
            ledger: LedgerStores::new(&control, &index, &ledger),
            records: Records::new(Arc::clone(&index)),
            tokens: Tokens::new(index),
            gone: Gone::new(Arc::clone(&control)),
            planned: Planned::new(control),
            names,
            zone,
        }
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}
