//! The ledger's own entries, as a command records them: through the plan and the queue, like every other entry.

use std::sync::Mutex;

use ledgerline_aws::obj_rows::ObjectRowTable;
use ledgerline_aws::objects::Bucket;
use ledgerline_aws::queue::PointerQueue;
use ledgerline_custody::acts::{Act, ActStores, Recorded, record_acts};

use crate::cloud::{Cloud, store_fault};
use crate::context::Context;
use crate::fault::Fault;

/// Bytes of a salt.
const SALT: usize = 16;

/// Records acts in one deployment.
pub(super) struct Recorder<'a> {
    cloud: &'a Cloud,
    plans: Bucket,
    queue: PointerQueue,
    rows: ObjectRowTable,
}

impl<'a> Recorder<'a> {
    /// A recorder for this deployment.
    pub(super) fn new(cloud: &'a Cloud) -> Result<Self, Fault> {
        let operator = &cloud.operator;
        let named = |name: Result<&str, _>| name.map(str::to_owned).map_err(|error| store_fault(&error));
        Ok(Self {
            plans: Bucket::new(operator.s3.clone(), named(operator.bucket("StagedBucket"))?),
            queue: PointerQueue::new(operator.sqs.clone(), named(operator.queue("LedgerQueue"))?),
            rows: ObjectRowTable::new(operator.dynamodb.clone(), named(operator.table("ControlTable"))?),
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
        let stores = ActStores { plans: &self.plans, queue: &self.queue, rows: &self.rows, random: &random };
        self.cloud.ask(record_acts(&stores, purpose, acts, &context.now_text()))
    }
}
