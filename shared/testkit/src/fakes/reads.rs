//! What an access request reads, from the tables that the other fakes write, and pseudonym keys that may not exist yet.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ledgerline_custody::access::{FindSubjects, ReadLinks, ReadPins, ReadPostings, ReadPseudonymKeys, corrupt};
use ledgerline_custody::claims::PinLogs as _;
use ledgerline_custody::subjects::{Link, SubjectState, Subjects as _};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::posting::Posting;
use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::PseudonymKey;

use crate::fakes::index::FakeIndex;
use crate::fakes::keys::FakeKeys;
use crate::fakes::postings::read_posting;

impl FindSubjects for FakeKeys {
    async fn subjects_of(&self, pseudonyms: &[&str]) -> Result<Vec<Option<String>>, StoreError> {
        let found = self.identifiers(pseudonyms).await?;
        Ok(found.into_iter().map(|subject| subject.map(|subject| subject.subject_id)).collect())
    }

    async fn states(&self, subjects: &[&str]) -> Result<Vec<Option<SubjectState>>, StoreError> {
        Ok(self.read(subjects, &[]).await?.0)
    }
}

impl ReadLinks for FakeKeys {
    async fn links(&self, subject: &str) -> Result<Vec<(String, Link)>, StoreError> {
        let partition = format!("SUB#{subject}");
        let keys = self.table.items().into_keys().filter(|(pk, sk)| *pk == partition && sk.starts_with("INT#"));
        let records: Vec<String> = keys.filter_map(|(_, sk)| sk.strip_prefix("INT#").map(str::to_owned)).collect();
        let asked: Vec<(&str, &str)> = records.iter().map(|record| (subject, record.as_str())).collect();
        let (_, links) = self.read(&[], &asked).await?;
        Ok(records.into_iter().zip(links).filter_map(|(record, link)| Some((record, link?))).collect())
    }
}

impl ReadPostings for FakeIndex {
    async fn postings(&self, record: &str) -> Result<Vec<Posting>, StoreError> {
        tokio::task::yield_now().await;
        let partition = format!("INT#{record}");
        let rows = self.table.items();
        let rows = rows.iter().filter(|((pk, _), _)| *pk == partition);
        Ok(rows.filter_map(|((pk, sk), item)| read_posting(pk, sk, item)).collect())
    }
}

impl ReadPins for FakeIndex {
    async fn pins(&self, records: &[&str]) -> Result<Vec<Option<LogId>>, StoreError> {
        let pin = |log: String| LogId::parse(&log).map_err(|error| corrupt("read a record's log", error));
        self.logs(records).await?.into_iter().map(|log| log.map(pin).transpose()).collect()
    }
}

/// Wrapped keys that are opened without KMS; counts how often.
#[derive(Clone, Debug, Default)]
pub struct FakePseudonymKeys {
    keys: Arc<Mutex<Vec<PseudonymKey>>>,
    opened: Arc<AtomicUsize>,
}

impl FakePseudonymKeys {
    /// Adds a version, as the first transform, or a rotation, would.
    ///
    /// # Panics
    /// If there is such a version: a stored key is never replaced.
    pub fn add(&self, key: PseudonymKey) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(keys.iter().all(|one| one.version() != key.version()), "version {} exists", key.version());
        keys.push(key);
    }

    /// How often the keys were opened.
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }
}

impl ReadPseudonymKeys for FakePseudonymKeys {
    async fn pseudonym_keys(&self) -> Result<Vec<PseudonymKey>, StoreError> {
        tokio::task::yield_now().await;
        self.opened.fetch_add(1, Ordering::SeqCst);
        Ok(self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
