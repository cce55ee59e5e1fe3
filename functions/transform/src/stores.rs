//! What transform reads and writes; the test of its permissions holds the calls against its role in the template.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ledgerline_custody::own::OwnLists;
use ledgerline_custody::resolve::ResolveStores;
use ledgerline_lambda::random::OwnedRandom;
use ledgerline_lambda::telemetry;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_sealed::{MonthKey, Random};
use ledgerline_store::alias::Aliases;
use ledgerline_store::bronze_object::BronzeObjects;
use ledgerline_store::bucket::Bucket;
use ledgerline_store::claim::Claims;
use ledgerline_store::crm::{CrmOrgs, CrmRows};
use ledgerline_store::gold_date::GoldDates;
use ledgerline_store::gone::Gone;
use ledgerline_store::journal::Journal;
use ledgerline_store::month_key::MonthKeys;
use ledgerline_store::object_row::ObjectRows;
use ledgerline_store::orgs::Orgs;
use ledgerline_store::own::OwnNumbers;
use ledgerline_store::party::Parties;
use ledgerline_store::party_key::PartyKeys;
use ledgerline_store::plan::Plans;
use ledgerline_store::poison::Poison;
use ledgerline_store::quarantine::Quarantine;
use ledgerline_store::queue::{EraseNotes, Pointers, Queue};
use ledgerline_store::record::Records;
use ledgerline_store::silver::Silver;
use ledgerline_store::subject::Subjects;
use ledgerline_store::table::Table;
use ledgerline_store::token::Tokens;
use ledgerline_store::tombstone::Tombs;

use crate::crm::CrmKinds;

/// The tables, buckets and queues, as `main` or a test has them.
#[derive(Clone, Debug)]
pub struct Ports {
    /// The control table.
    pub control: Arc<dyn Table>,
    /// The index table.
    pub index: Arc<dyn Table>,
    /// The keys table.
    pub keys: Arc<dyn Table>,
    /// The bronze bucket.
    pub bronze: Arc<dyn Bucket>,
    /// The lake bucket.
    pub lake: Arc<dyn Bucket>,
    /// The bucket of plans and poison.
    pub staged: Arc<dyn Bucket>,
    /// audit-write's queue.
    pub queue: Arc<dyn Queue>,
    /// The eraser's queue.
    pub erase_queue: Arc<dyn Queue>,
}

/// The stored families.
pub struct Stores {
    /// What is read.
    pub bronze: BronzeObjects,
    /// Lines that are not events.
    pub quarantine: Quarantine,
    /// Parquet for analysts.
    pub silver: Silver,
    /// Plans, written once.
    pub plans: Plans,
    /// Messages that no retry helps.
    pub poison: Poison,
    /// Bronze objects' rows.
    pub rows: ObjectRows,
    /// The lists of own numbers, kept for a while.
    pub own: OwnLists,
    /// Which object owns an event.
    pub claims: Claims,
    /// Log pins, and which objects hold lines of a record.
    pub records: Records,
    /// Subjects and their links.
    pub subjects: Subjects,
    /// Who takes part in records.
    pub parties: Parties,
    /// The wrapped keys of what is sealed.
    pub party_keys: PartyKeys,
    /// Up to when people's events are suppressed.
    pub tombs: Tombs,
    /// Names that are gone for good.
    pub gone: Gone,
    /// What stands for people's ids in records' ids.
    pub aliases: Aliases,
    /// The records of sources' lineage tokens.
    pub tokens: Tokens,
    /// What CRMs say of customers.
    pub crm: CrmRows,
    /// The dates whose figures may have changed.
    pub gold_dates: GoldDates,
    /// What capture journaled.
    pub journal: Journal,
    /// Pointers to audit-write.
    pub pointers: Pointers,
    /// What is left for the eraser to do.
    pub erase_notes: EraseNotes,
    /// By which kinds CRMs name customers, kept for a while.
    pub(crate) crm_kinds: CrmKinds,
    orgs: Orgs,
    /// The orgs that this process has noted.
    noted: Mutex<BTreeSet<String>>,
    month_keys: MonthKeys,
    random: OwnedRandom,
}

impl Stores {
    /// Over these ports; `random` fills salts, new subjects' names, jitter.
    pub fn new(ports: Ports, random: OwnedRandom) -> Self {
        let Ports { control, index, keys, bronze, lake, staged, queue, erase_queue } = ports;
        Self {
            quarantine: Quarantine::new(Arc::clone(&bronze)),
            bronze: BronzeObjects::new(bronze),
            silver: Silver::new(lake),
            plans: Plans::new(Arc::clone(&staged)),
            poison: Poison::new(staged),
            rows: ObjectRows::new(Arc::clone(&control)),
            own: OwnLists::new(OwnNumbers::new(Arc::clone(&control))),
            tombs: Tombs::new(Arc::clone(&control)),
            gone: Gone::new(Arc::clone(&control)),
            orgs: Orgs::new(Arc::clone(&control)),
            crm_kinds: CrmKinds::new(CrmOrgs::new(Arc::clone(&control))),
            gold_dates: GoldDates::new(Arc::clone(&control)),
            noted: Mutex::default(),
            month_keys: MonthKeys::new(control),
            claims: Claims::new(Arc::clone(&index)),
            records: Records::new(Arc::clone(&index)),
            journal: Journal::new(Arc::clone(&index)),
            tokens: Tokens::new(index),
            aliases: Aliases::new(Arc::clone(&keys)),
            crm: CrmRows::new(Arc::clone(&keys)),
            parties: Parties::new(Arc::clone(&keys)),
            party_keys: PartyKeys::new(Arc::clone(&keys)),
            subjects: Subjects::new(keys),
            pointers: Pointers::new(queue),
            erase_notes: EraseNotes::new(erase_queue),
            random,
        }
    }

    /// Notes that an org's events name people: access requests ask the orgs that are noted.
    ///
    /// # Errors
    /// The table's.
    pub async fn note_org(&self, org: &str) -> Result<(), StoreError> {
        if !self.noted.lock().unwrap_or_else(PoisonError::into_inner).contains(org) {
            self.orgs.note(org).await?;
            self.noted.lock().unwrap_or_else(PoisonError::into_inner).insert(org.to_owned());
        }
        Ok(())
    }

    /// The public key of a month, `yyyy-mm`.
    ///
    /// # Errors
    /// The table's; `NotFound` if nobody made it yet.
    pub async fn month_key(&self, month: &str) -> Result<MonthKey, StoreError> {
        let missing = || Failure::new(format!("{month} has no public key yet: sweep makes it at its next run"));
        self.month_keys.of(month).await?.ok_or_else(|| StoreError::NotFound(missing()))
    }

    /// Where subjects are resolved.
    pub fn resolving(&self) -> ResolveStores<'_> {
        let Self { subjects, parties, tombs, gone, .. } = self;
        ResolveStores { subjects, parties, tombs, gone, random: self.random(), tell_busy: &telemetry::busy_subject }
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
