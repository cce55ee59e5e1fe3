//! What capture reads and writes; the test of its permissions holds the calls against its role in the template.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ledgerline_custody::acts::Random;
use ledgerline_custody::own::OwnLists;
use ledgerline_custody::resolve::ResolveStores;
use ledgerline_lambda::random::OwnedRandom;
use ledgerline_lambda::telemetry;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::bucket::Bucket;
use ledgerline_store::data_key::DataKeys;
use ledgerline_store::dead_letter::DeadLetters;
use ledgerline_store::gone::Gone;
use ledgerline_store::journal::Journal;
use ledgerline_store::nonce::Nonces;
use ledgerline_store::orgs::Orgs;
use ledgerline_store::own::OwnNumbers;
use ledgerline_store::party::Parties;
use ledgerline_store::queue::Queue;
use ledgerline_store::spill::Spill;
use ledgerline_store::stream::Stream;
use ledgerline_store::subject::Subjects;
use ledgerline_store::table::Table;
use ledgerline_store::tombstone::Tombs;
use ledgerline_store::wrapping::Wrapping;

/// The tables, the bucket, the stream, the queue and the key, as `main` or a test has them.
#[derive(Clone, Debug)]
pub struct Ports {
    /// The control table.
    pub control: Arc<dyn Table>,
    /// The index table.
    pub index: Arc<dyn Table>,
    /// The keys table.
    pub keys: Arc<dyn Table>,
    /// The bronze bucket, for what the stream refuses.
    pub bronze: Arc<dyn Bucket>,
    /// The delivery stream.
    pub stream: Arc<dyn Stream>,
    /// The queue of pointers to what was spilled.
    pub dead_letters: Arc<dyn Queue>,
    /// The key that wraps data keys.
    pub wrapping: Arc<dyn Wrapping>,
}

/// The stored families.
pub struct Stores {
    /// Takes events.
    pub stream: Arc<dyn Stream>,
    /// Keeps what the stream refuses for good.
    pub spill: Spill,
    /// Tells of it.
    pub dead_letters: DeadLetters,
    /// Signatures that were accepted.
    pub nonces: Nonces,
    /// Events that are on their way.
    pub journal: Journal,
    /// The data keys.
    pub keys: DataKeys,
    /// Identifiers, subjects, links.
    pub subjects: Subjects,
    /// Who takes part in records.
    pub parties: Parties,
    /// Up to when people's events are suppressed.
    pub tombs: Tombs,
    /// The lists of own numbers, kept for a while.
    pub own: OwnLists,
    gone: Gone,
    orgs: Orgs,
    /// The orgs that this process has noted.
    noted: Mutex<BTreeSet<String>>,
    random: OwnedRandom,
}

impl Stores {
    /// Over these ports, in this deployment; `random` fills names and jitter.
    pub fn new(ports: Ports, deployment: &str, random: OwnedRandom) -> Self {
        let Ports { control, index, keys, bronze, stream, dead_letters, wrapping } = ports;
        Self {
            stream,
            spill: Spill::new(bronze),
            dead_letters: DeadLetters::new(dead_letters),
            nonces: Nonces::new(Arc::clone(&control)),
            journal: Journal::new(index),
            keys: DataKeys::new(Arc::clone(&control), wrapping, deployment),
            subjects: Subjects::new(Arc::clone(&keys)),
            parties: Parties::new(keys),
            tombs: Tombs::new(Arc::clone(&control)),
            own: OwnLists::new(OwnNumbers::new(Arc::clone(&control))),
            gone: Gone::new(Arc::clone(&control)),
            orgs: Orgs::new(control),
            noted: Mutex::default(),
            random,
        }
    }

    /// Where subjects are resolved.
    pub(crate) fn resolving(&self) -> ResolveStores<'_> {
        let Self { subjects, parties, tombs, gone, .. } = self;
        ResolveStores { subjects, parties, tombs, gone, random: self.random(), tell_busy: &telemetry::busy_subject }
    }

    /// Notes that an org's events name people: access requests ask the orgs that are noted.
    pub(crate) async fn note_org(&self, org: &str) -> Result<(), StoreError> {
        if !self.noted.lock().unwrap_or_else(PoisonError::into_inner).contains(org) {
            self.orgs.note(org).await?;
            self.noted.lock().unwrap_or_else(PoisonError::into_inner).insert(org.to_owned());
        }
        Ok(())
    }

    /// Sixteen random bytes.
    pub(crate) fn draw(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        (self.random)(&mut bytes);
        bytes
    }

    pub(crate) fn random(&self) -> Random<'_> {
        &*self.random
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}
