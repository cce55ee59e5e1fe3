//! What the function reads and writes.

use std::sync::Arc;

use ledgerline_store::athena::Athena;
use ledgerline_store::bucket::Bucket;
use ledgerline_store::gold::Gold;
use ledgerline_store::gold_date::GoldDates;
use ledgerline_store::gold_repeats::GoldRepeats;
use ledgerline_store::table::Table;

/// The ports.
#[derive(Debug)]
pub struct Ports {
    /// The control table.
    pub control: Arc<dyn Table>,
    /// The lake's bucket.
    pub lake: Arc<dyn Bucket>,
    /// The workgroup.
    pub athena: Arc<dyn Athena>,
}

/// The families over them.
#[derive(Debug)]
pub struct Stores {
    /// Which dates are dirty.
    pub dates: GoldDates,
    /// Which dates' repeats were told.
    pub repeats: GoldRepeats,
    /// Gold's files, and what they are made of.
    pub gold: Gold,
    /// Who counts.
    pub athena: Arc<dyn Athena>,
}

impl Stores {
    /// The families over these ports.
    pub fn new(ports: Ports) -> Self {
        let Ports { control, lake, athena } = ports;
        Self {
            dates: GoldDates::new(Arc::clone(&control)),
            repeats: GoldRepeats::new(control),
            gold: Gold::new(lake),
            athena,
        }
    }
}
