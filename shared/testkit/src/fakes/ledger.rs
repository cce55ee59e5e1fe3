//! The locked bucket, strict: versions are kept, nothing is overwritten, every put carries its checksum and a lock that
//! lies in the future, and no lock becomes shorter or weaker. What the real bucket answers with an error and a correct
//! caller never provokes, this one answers with a panic.
//!
//! Also the rows and objects around it that audit-write touches: postings and chunks of plans.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use ledgerline_lake::plan::Pointer;
use ledgerline_lake::ports::ReadChunk;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::ports::{Lock, ObjectState, Put, ReadSegment, WritePostings, WriteSegment};
use ledgerline_ledger::posting::{Posting, PostingMember};
use ledgerline_ledger::segment::SegmentName;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_ledger::tree::Hash;
use serde_json::{Value, json};

use crate::fakes::calls::Calls;
use crate::fakes::index::FakeIndex;
use crate::fakes::objects::FakeBucket;
use crate::fakes::table::{Item, key};
use crate::faults::{Fault, Faults};

/// One version of a locked object.
#[derive(Debug, Clone)]
pub struct LockedVersion {
    /// The version id.
    pub version_id: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its lock.
    pub lock: Lock,
}

/// Versions by key, the newest last.
#[derive(Clone, Debug, Default)]
pub struct FakeLedgerBucket {
    objects: Arc<Mutex<BTreeMap<String, Vec<LockedVersion>>>>,
    now_s: Arc<Mutex<u64>>,
    faults: Faults,
    calls: Calls,
}

impl FakeLedgerBucket {
    /// An empty bucket whose clock stands at `now_s`.
    pub fn new(faults: Faults, calls: Calls, now_s: u64) -> Self {
        Self { objects: Arc::default(), now_s: Arc::new(Mutex::new(now_s)), faults, calls }
    }

    /// All segments with all their versions.
    pub fn all(&self) -> BTreeMap<String, Vec<LockedVersion>> {
        self.lock().clone()
    }

    /// A byte of a version flipped, as nobody but an attacker with the disk could do.
    pub fn tamper(&self, key: &str, at: usize) {
        if let Some(version) = self.lock().get_mut(key).and_then(|versions| versions.last_mut()) {
            version.bytes[at] ^= 1;
        }
    }

    /// Puts a version past every check, as a writer with other code could.
    pub fn seed(&self, key: &str, bytes: Vec<u8>, lock: Lock) {
        let mut objects = self.lock();
        let versions = objects.entry(key.to_owned()).or_default();
        let version_id = format!("seed-{}", versions.len());
        versions.push(LockedVersion { version_id, bytes, lock });
    }

    fn put(&self, key: &str, bytes: &[u8], lock: &Lock) -> Put {
        let mut objects = self.lock();
        if objects.contains_key(key) {
            return Put::Exists;
        }
        let version_id = format!("v-{}", objects.len());
        let version = LockedVersion { version_id: version_id.clone(), bytes: bytes.to_vec(), lock: *lock };
        objects.insert(key.to_owned(), vec![version]);
        Put::Written { version_id }
    }

    fn version(&self, key: &str, version_id: &str) -> Result<LockedVersion, StoreError> {
        let objects = self.lock();
        let versions = objects.get(key).into_iter().flatten();
        let found = versions.rev().find(|version| version.version_id == version_id);
        found.cloned().ok_or_else(|| StoreError::NotFound(Failure::new(format!("get {key}"))))
    }

    fn assert_lock_holds(&self, key: &str, lock: &Lock) {
        let now_s = *self.now_s.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(lock.retain_until_s > now_s, "{key} would be locked until a time in the past");
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<LockedVersion>>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WriteSegment for FakeLedgerBucket {
    async fn put_segment(&self, key: &str, bytes: &[u8], sha256: &Hash, lock: &Lock) -> Result<Put, StoreError> {
        tokio::task::yield_now().await;
        self.calls.add("s3:PutObject", 1);
        assert!(SegmentName::parse(key).is_some_and(|name| name.fits(bytes)), "{key} is not the name of these bytes");
        assert_eq!(Hash::of_object(bytes), *sha256, "{key} was put with a checksum of other bytes");
        self.assert_lock_holds(key, lock);
        match self.faults.strike(PUT_SEGMENT) {
            Some(Fault::Lost) => Err(Faults::error(PUT_SEGMENT)),
            Some(Fault::PersistedButErrored) => {
                self.put(key, bytes, lock);
                Err(Faults::error(PUT_SEGMENT))
            }
            None => Ok(self.put(key, bytes, lock)),
        }
    }

    async fn segment_state(&self, key: &str) -> Result<ObjectState, StoreError> {
        tokio::task::yield_now().await;
        self.calls.add("s3:HeadObject", 1);
        let newest = self.lock().get(key).and_then(|versions| versions.last().cloned());
        let newest = newest.ok_or_else(|| StoreError::NotFound(Failure::new(format!("look at {key}"))))?;
        Ok(ObjectState {
            bytes: newest.bytes.len() as u64,
            sha256: Some(Hash::of_object(&newest.bytes)),
            lock: Some(newest.lock),
            version_id: newest.version_id,
        })
    }

    async fn extend_lock(&self, key: &str, version_id: &str, lock: &Lock) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        self.calls.add("s3:PutObjectRetention", 1);
        let fault = self.faults.strike(EXTEND_LOCK);
        if fault == Some(Fault::Lost) {
            return Err(Faults::error(EXTEND_LOCK));
        }
        let before = self.version(key, version_id)?;
        assert!(lock.covers(&before.lock), "the lock of {key} would become shorter or weaker");
        let mut objects = self.lock();
        let versions = objects.get_mut(key).into_iter().flatten();
        versions.filter(|version| version.version_id == version_id).for_each(|version| version.lock = *lock);
        if fault.is_some() { Err(Faults::error(EXTEND_LOCK)) } else { Ok(()) }
    }
}

impl ReadSegment for FakeLedgerBucket {
    async fn segment(&self, key: &str, version_id: &str) -> Result<Vec<u8>, StoreError> {
        tokio::task::yield_now().await;
        self.calls.add("s3:GetObject", 1);
        Ok(self.version(key, version_id)?.bytes)
    }

    async fn segment_range(
        &self,
        key: &str,
        version_id: &str,
        offset: u64,
        length: u64,
    ) -> Result<Vec<u8>, StoreError> {
        tokio::task::yield_now().await;
        self.calls.add("s3:GetObject", 1);
        let bytes = self.version(key, version_id)?.bytes;
        let range = offset as usize..(offset + length) as usize;
        bytes.get(range).map(<[u8]>::to_vec).ok_or_else(|| StoreError::Corrupt(Failure::new(format!("get {key}"))))
    }
}

impl WritePostings for FakeIndex {
    async fn put_postings(&self, postings: &[Posting]) -> Result<(), StoreError> {
        self.table.batch_put(postings.iter().map(posting_row).collect()).await
    }
}

impl FakeIndex {
    /// All postings of a log, by segment and record.
    pub fn all_postings(&self, log: &LogId) -> Vec<Posting> {
        let mut found: Vec<Posting> =
            self.table.items().iter().filter_map(|((pk, sk), item)| read_posting(pk, sk, item)).collect();
        found.retain(|posting| posting.log == *log);
        found.sort_by(|left, right| (left.first, &left.record_key).cmp(&(right.first, &right.record_key)));
        found
    }
}

impl ReadChunk for FakeBucket {
    async fn read_chunk(&self, pointer: &Pointer) -> Result<Bytes, StoreError> {
        tokio::task::yield_now().await;
        let failure = || Failure::new(format!("read chunk {} of {}", pointer.ordinal, pointer.plan));
        let plan = self.get(&pointer.plan).ok_or_else(|| StoreError::NotFound(failure()))?;
        let range = pointer.offset as usize..(pointer.offset + pointer.length) as usize;
        if range.end > plan.len() {
            return Err(StoreError::Corrupt(failure()));
        }
        Ok(plan.slice(range))
    }
}

fn posting_row(posting: &Posting) -> ((String, String), Item) {
    let member = |member: &PostingMember| json!({ "offset": member.offset, "length": member.length, "first": member.first, "at": member.at });
    let members: Vec<Value> = posting.members.iter().map(member).collect();
    let item = Item::from([
        ("segment".into(), json!(posting.segment)),
        ("versionId".into(), json!(posting.version_id)),
        ("from".into(), json!(posting.from)),
        ("to".into(), json!(posting.to)),
        ("members".into(), json!(members)),
    ]);
    (key(format!("INT#{}", posting.record_key), format!("POST#{}#{:020}", posting.log, posting.first)), item)
}

/// A posting row as a reader of the index has it; `None` for the index's other rows.
pub fn read_posting(pk: &str, sk: &str, item: &Item) -> Option<Posting> {
    let (log, first) = sk.strip_prefix("POST#")?.rsplit_once('#')?;
    let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
    let member = |value: &Value| {
        Some(PostingMember {
            offset: value["offset"].as_u64()?,
            length: value["length"].as_u64()?,
            first: value["first"].as_u64()?,
            at: value["at"].as_array()?.iter().filter_map(|at| u32::try_from(at.as_u64()?).ok()).collect(),
        })
    };
    Some(Posting {
        record_key: pk.strip_prefix("INT#")?.to_owned(),
        log: LogId::parse(log).ok()?,
        first: first.parse().ok()?,
        segment: text("segment")?,
        version_id: text("versionId")?,
        from: text("from")?,
        to: text("to")?,
        members: item.get("members")?.as_array()?.iter().filter_map(member).collect(),
    })
}

const PUT_SEGMENT: &str = "s3:PutObject segment";
const EXTEND_LOCK: &str = "s3:PutObjectRetention";
