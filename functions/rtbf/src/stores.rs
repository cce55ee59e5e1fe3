//! What the function reads and writes; the test of its permissions holds the calls against its role in the template.

use std::fmt;
use std::sync::Arc;

use ledgerline_custody::acts::ActStores;
use ledgerline_custody::keys::KeyCache;
use ledgerline_custody::own::{OwnItem, OwnLists};
use ledgerline_custody::proving::Proving;
use ledgerline_lambda::random::OwnedRandom;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::act_note::ActNotes;
use ledgerline_store::alias::Aliases;
use ledgerline_store::asked::Asked;
use ledgerline_store::bronze_object::BronzeObjects;
use ledgerline_store::bucket::Bucket;
use ledgerline_store::data_key::DataKeys;
use ledgerline_store::deletion::Deletions;
use ledgerline_store::erasing::{ErasingRows, Wakes};
use ledgerline_store::erasure_list::ErasureLists;
use ledgerline_store::expiry::Expiries;
use ledgerline_store::gone::Gone;
use ledgerline_store::held::Held;
use ledgerline_store::object_row::ObjectRows;
use ledgerline_store::own::OwnNumbers;
use ledgerline_store::package::Packages;
use ledgerline_store::party::Parties;
use ledgerline_store::party_key::PartyKeys;
use ledgerline_store::plan::Plans;
use ledgerline_store::poison::Poison;
use ledgerline_store::posting::Postings;
use ledgerline_store::queue::{EraseNotes, Pointers, Queue};
use ledgerline_store::record::Records;
use ledgerline_store::request::Requests;
use ledgerline_store::silver::Silver;
use ledgerline_store::subject::Subjects;
use ledgerline_store::table::Table;
use ledgerline_store::token::Tokens;
use ledgerline_store::tombstone::Tombs;
use ledgerline_store::usage::Usage;
use ledgerline_store::waiting::Waiting;
use ledgerline_store::wrapping::Wrapping;

use crate::Random;
use crate::keys::{Keys, missing};

/// The tables, buckets, queues and the key, as `main` or a test has them.
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
    /// The bucket of lists, plans of acts, certificates and poison.
    pub staged: Arc<dyn Bucket>,
    /// The ledger's bucket.
    pub ledger: Arc<dyn Bucket>,
    /// The function's own queue.
    pub erase_queue: Arc<dyn Queue>,
    /// audit-write's queue.
    pub pointers: Arc<dyn Queue>,
    /// The key that wraps data keys.
    pub wrapping: Arc<dyn Wrapping>,
}

/// The stored families.
pub struct Stores {
    pub(crate) requests: Requests,
    pub(crate) erasing: ErasingRows,
    pub(crate) wakes: Wakes,
    pub(crate) lists: ErasureLists,
    pub(crate) usage: Usage,
    pub(crate) asked: Asked,
    pub(crate) waiting: Waiting,
    pub(crate) expiries: Expiries,
    pub(crate) tombs: Tombs,
    pub(crate) gone: Gone,
    pub(crate) held: Held,
    pub(crate) rows: ObjectRows,
    pub(crate) own: OwnLists,
    pub(crate) subjects: Subjects,
    pub(crate) parties: Parties,
    pub(crate) party_keys: PartyKeys,
    pub(crate) aliases: Aliases,
    pub(crate) records: Records,
    pub(crate) postings: Postings,
    pub(crate) tokens: Tokens,
    pub(crate) bronze: BronzeObjects,
    pub(crate) silver: Silver,
    pub(crate) poison: Poison,
    pub(crate) notes: EraseNotes,
    pub(crate) data_keys: DataKeys,
    pub(crate) deletions: Deletions,
    pub(crate) packages: Packages,
    pub(crate) proving: Proving,
    pub(crate) plans: Plans,
    /// For transactions over both tables.
    pub(crate) control: Arc<dyn Table>,
    /// For versions.
    pub(crate) bronze_bucket: Arc<dyn Bucket>,
    pointers: Pointers,
    act_notes: ActNotes,
    keys: KeyCache<Keys>,
    random: OwnedRandom,
}

impl Stores {
    /// Over these ports, in this deployment; `random` fills leases, salts, jitter.
    pub fn new(ports: Ports, deployment: &str, random: OwnedRandom) -> Self {
        let Ports { control, index, keys, bronze, lake, staged, ledger, erase_queue, pointers, wrapping } = ports;
        let of_control = || Arc::clone(&control);
        let of_keys = || Arc::clone(&keys);
        Self {
            requests: Requests::new(of_control(), of_keys()),
            erasing: ErasingRows::new(of_control()),
            wakes: Wakes::new(of_control()),
            lists: ErasureLists::new(Arc::clone(&staged)),
            usage: Usage::new(of_control()),
            asked: Asked::new(of_keys()),
            waiting: Waiting::new(of_control()),
            expiries: Expiries::new(of_control()),
            tombs: Tombs::new(of_control()),
            gone: Gone::new(of_control()),
            held: Held::new(of_control()),
            rows: ObjectRows::new(of_control()),
            own: OwnLists::new(OwnNumbers::new(of_control())),
            subjects: Subjects::new(of_keys()),
            parties: Parties::new(of_keys()),
            party_keys: PartyKeys::new(of_keys()),
            aliases: Aliases::new(of_keys()),
            records: Records::new(Arc::clone(&index)),
            postings: Postings::new(Arc::clone(&index)),
            tokens: Tokens::new(index),
            bronze: BronzeObjects::new(Arc::clone(&bronze)),
            silver: Silver::new(lake),
            poison: Poison::new(Arc::clone(&staged)),
            notes: EraseNotes::new(erase_queue),
            data_keys: DataKeys::new(of_control(), wrapping, deployment),
            deletions: Deletions::new(of_control()),
            packages: Packages::new(Arc::clone(&staged)),
            proving: Proving::new(of_control(), ledger),
            bronze_bucket: bronze,
            plans: Plans::new(staged),
            pointers: Pointers::new(pointers),
            act_notes: ActNotes::new(of_control()),
            keys: KeyCache::default(),
            control,
            random,
        }
    }

    /// The data keys; own numbers are of the settings.
    pub(crate) async fn keys(&self, own_numbers: &[OwnItem], now_ms: i64) -> Result<Arc<Keys>, StoreError> {
        let opened = self.keys.get(now_ms, Keys::open(&self.data_keys, own_numbers)).await?;
        opened.ok_or_else(|| missing("pseudonym"))
    }

    /// Where acts go.
    pub(crate) fn acts(&self) -> ActStores<'_> {
        let Self { plans, pointers, rows, act_notes, .. } = self;
        ActStores { plans, queue: pointers, rows, notes: act_notes, random: self.random() }
    }

    /// Rows of acts.
    pub(crate) fn act_rows(&self) -> &ObjectRows {
        &self.rows
    }

    /// Fills a buffer with random bytes.
    pub(crate) fn random(&self) -> Random<'_> {
        &*self.random
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}
