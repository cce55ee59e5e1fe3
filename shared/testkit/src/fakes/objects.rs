//! A bucket, strict: whatever is written twice must be written the same. Plans may not be written twice at all; a silver
//! file may be replaced once its writer is dead.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use ledgerline_lake::ports::{KeepPoison, PlanStore, Put, Quarantine, ReadBody, ReadBronze, WriteSilver};
use ledgerline_lake::{ObjectId, keys};
use ledgerline_ledger::store::{Failure, StoreError};

use crate::fakes::calls::Calls;
use crate::faults::Faults;

/// Bytes that a reader gets at once: small and odd, so that lines, gzip headers and characters are cut everywhere.
const PIECE_BYTES: usize = 1021;

/// Objects by key.
#[derive(Clone, Debug, Default)]
pub struct FakeBucket {
    objects: Arc<Mutex<BTreeMap<String, Bytes>>>,
    /// Keys whose writers are dead.
    old: Arc<Mutex<BTreeSet<String>>>,
    faults: Faults,
    calls: Calls,
}

impl FakeBucket {
    /// An empty bucket.
    pub fn new(faults: Faults, calls: Calls) -> Self {
        Self { objects: Arc::default(), old: Arc::default(), faults, calls }
    }

    /// Puts an object as somebody else would: no fault strikes and no call is counted.
    pub fn seed(&self, key: &str, bytes: impl Into<Bytes>) {
        self.lock().insert(key.to_owned(), bytes.into());
    }

    /// Takes an object away, as a lifecycle or an erasure would.
    pub fn remove(&self, key: &str) {
        self.lock().remove(key);
    }

    /// Time goes by, longer than any run lasts.
    pub fn grow_old(&self) {
        let keys: BTreeSet<String> = self.lock().keys().cloned().collect();
        self.old.lock().unwrap_or_else(PoisonError::into_inner).extend(keys);
    }

    /// All objects under a prefix.
    pub fn under(&self, prefix: &str) -> BTreeMap<String, Bytes> {
        self.lock().iter().filter(|(key, _)| key.starts_with(prefix)).map(|(k, b)| (k.clone(), b.clone())).collect()
    }

    /// The object at a key.
    pub fn get(&self, key: &str) -> Option<Bytes> {
        self.lock().get(key).cloned()
    }

    /// One read call, which may not be answered.
    pub(crate) async fn read(&self, call: &'static str) -> Result<(), StoreError> {
        self.faults.latency().await;
        self.calls.add(call, 1);
        self.faults.read(call)
    }

    /// One put; `true` if the key was free. A key that is taken keeps its object.
    async fn put_once(&self, key: &str, bytes: Bytes) -> Result<bool, StoreError> {
        self.faults.latency().await;
        self.calls.add("s3:PutObject", 1);
        let call = format!("s3:PutObject {}", key.split('/').next().unwrap_or_default());
        self.faults.write(&call, || {
            let mut objects = self.lock();
            let free = !objects.contains_key(key);
            objects.entry(key.to_owned()).or_insert(bytes);
            Ok(free)
        })
    }

    /// A put that may be repeated, of equal bytes only.
    async fn put_same(&self, key: &str, bytes: Bytes) -> Result<(), StoreError> {
        let before = self.get(key);
        assert!(before.is_none_or(|before| before == bytes), "{key} was put again with other bytes");
        self.put_once(key, bytes).await.map(drop)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReadBronze for FakeBucket {
    type Body = FakeBody;

    async fn open(&self, key: &str) -> Result<FakeBody, StoreError> {
        self.read("s3:GetObject").await?;
        let bytes = self.get(key).ok_or_else(|| StoreError::NotFound(Failure::new(format!("read {key}"))))?;
        Ok(FakeBody { rest: bytes })
    }
}

/// An object under way.
#[derive(Debug)]
pub struct FakeBody {
    rest: Bytes,
}

impl ReadBody for FakeBody {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let piece = self.rest.split_to(PIECE_BYTES.min(self.rest.len()));
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }
}

impl WriteSilver for FakeBucket {
    async fn put(&self, key: &str, parquet: Bytes) -> Result<(), StoreError> {
        assert!(keys::parse_silver_events(key).is_some(), "{key} is no silver key");
        if self.get(key).is_some_and(|there| there != parquet) {
            if !self.old.lock().unwrap_or_else(PoisonError::into_inner).remove(key) {
                return Err(StoreError::Conflict(Failure::new(format!(
                    "put {key}: another run wrote other rows just now"
                ))));
            }
            self.remove(key);
        }
        self.put_same(key, parquet).await
    }
}

impl Quarantine for FakeBucket {
    async fn put(&self, object: ObjectId, lines_gz: Bytes) -> Result<(), StoreError> {
        self.put_same(&keys::quarantine_of(object), lines_gz).await
    }
}

impl KeepPoison for FakeBucket {
    async fn keep(&self, function: &str, id: &str, document: Bytes) -> Result<(), StoreError> {
        self.put_same(&keys::poison(function, id), document).await
    }
}

impl PlanStore for FakeBucket {
    async fn put_if_absent(&self, object: ObjectId, plan: Bytes) -> Result<Put, StoreError> {
        let free = self.put_once(&keys::staged(object), plan).await?;
        Ok(if free { Put::Created } else { Put::Exists })
    }

    async fn get_head(&self, object: ObjectId, limit: usize) -> Result<Option<Bytes>, StoreError> {
        self.read("s3:GetObject").await?;
        Ok(self.get(&keys::staged(object)).map(|plan| plan.slice(..limit.min(plan.len()))))
    }
}
