//! The ledger's own entries, as a command records them: through the plan and the queue, like every other entry.

use std::sync::{Arc, Mutex};

use ledgerline_custody::acts::{Act, ActStores, Recorded, record_acts};
use ledgerline_store::act_note::ActNotes;
use ledgerline_store::object_row::ObjectRows;
use ledgerline_store::plan::Plans;
use ledgerline_store::queue::Pointers;

use crate::cloud::{Cloud, told};
use crate::context::Context;
use crate::fault::Fault;

/// Bytes of a salt.
const SALT: usize = 16;

/// Records acts in one deployment.
pub(super) struct Recorder<'a> {
    cloud: &'a Cloud,
    plans: Plans,
    queue: Pointers,
    rows: ObjectRows,
    notes: ActNotes,
}

impl<'a> Recorder<'a> {
    /// A recorder for this deployment.
    pub(super) fn new(cloud: &'a Cloud) -> Result<Self, Fault> {
        let operator = &cloud.operator;
        let control = told(operator.rows_of("ControlTable"))?;
        Ok(Self {
            plans: Plans::new(told(operator.objects_of("StagedBucket"))?),
            queue: Pointers::new(told(operator.messages_of("LedgerQueue"))?),
            rows: ObjectRows::new(Arc::clone(&control)),
            notes: ActNotes::new(control),
            cloud,
        })
    }

    /// Records acts under a purpose, once, however often it is asked.
    pub(super) fn record(&self, purpose: &str, acts: &[Act], context: &Context) -> Result<Recorded, Fault> {
        // Drawn before anything is written: a machine without randomness must not leave half an act.
        let mut salts = vec![0; SALT * acts.len()];
        getrandom::fill(&mut salts).map_err(|error| {
            Fault::caused_by("there is no randomness for salts", &error, "try again on another machine")
        })?;
        let salts = Mutex::new(salts.into_iter());
        let random = |salt: &mut [u8]| {
            let mut salts = salts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            salt.iter_mut().zip(salts.by_ref()).for_each(|(byte, random)| *byte = random);
        };
        let Self { plans, queue, rows, notes, .. } = self;
        let stores = ActStores { plans, queue, rows, notes, random: &random };
        self.cloud.ask(record_acts(&stores, purpose, acts, &context.now_text()))
    }
}
