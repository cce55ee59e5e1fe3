//! The ledger's bucket, strict: versions are kept, what is locked is never overwritten, every locked put carries its
//! checksum and a lock that lies in the future, no lock becomes shorter or weaker, and each kind of object is put as its
//! kind must be. What the real bucket answers with an error and a correct caller never provokes, this one answers with a
//! panic.
//!
//! Also the chunks of plans, which audit-write reads.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use ledgerline_lake::plan::Pointer;
use ledgerline_lake::ports::ReadChunk;
use ledgerline_ledger::checkpoint::{archive_folder, archive_key, archived_size, live_key};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::ports::{
    ArchivedCheckpoint, Checkpoints, Lock, ObjectState, Put, ReadSegment, Tiles, WriteSegment,
};
use ledgerline_ledger::segment::SegmentName;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_ledger::tile::Tile;
use ledgerline_ledger::tree::Hash;

use crate::fakes::calls::Calls;
use crate::fakes::objects::FakeBucket;
use crate::faults::Faults;

/// One version of an object.
#[derive(Debug, Clone)]
pub struct Version {
    /// The version id.
    pub version_id: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its lock, if it has one.
    pub lock: Option<Lock>,
    /// The value of its tag `ledgerline`, if it has one.
    pub tag: Option<&'static str>,
    /// Whether it is a delete marker, which holds nothing and hides what came before.
    pub is_delete_marker: bool,
    /// When it was written, by the bucket's clock.
    pub written_s: u64,
}

/// Versions by key, the newest last.
#[derive(Clone, Debug, Default)]
pub struct FakeLedgerBucket {
    objects: Arc<Mutex<BTreeMap<String, Vec<Version>>>>,
    tampered: Arc<Mutex<BTreeSet<String>>>,
    now_s: Arc<Mutex<u64>>,
    faults: Faults,
    calls: Calls,
}

impl FakeLedgerBucket {
    /// An empty bucket whose clock stands at `now_s`.
    pub fn new(faults: Faults, calls: Calls, now_s: u64) -> Self {
        Self { objects: Arc::default(), tampered: Arc::default(), now_s: Arc::new(Mutex::new(now_s)), faults, calls }
    }

    /// All objects with all their versions.
    pub fn all(&self) -> BTreeMap<String, Vec<Version>> {
        self.lock().clone()
    }

    /// Looks at all objects with all their versions as they are now.
    pub fn look<T>(&self, look: impl FnOnce(&BTreeMap<String, Vec<Version>>) -> T) -> T {
        look(&self.lock())
    }

    /// All segments with all their versions.
    pub fn segments(&self) -> BTreeMap<String, Vec<Version>> {
        let objects = self.lock();
        let segments = objects.iter().filter(|(key, _)| SegmentName::parse(key).is_some());
        segments.map(|(key, versions)| (key.clone(), versions.clone())).collect()
    }

    /// The keys that begin with `prefix`.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let objects = self.lock();
        let inside = objects.range::<str, _>((Bound::Included(prefix), Bound::Unbounded)).map(|(key, _)| key);
        inside.take_while(|key| key.starts_with(prefix)).cloned().collect()
    }

    /// All versions of one object, the newest last.
    pub fn versions(&self, key: &str) -> Vec<Version> {
        self.lock().get(key).cloned().unwrap_or_default()
    }

    /// A byte of a version flipped, as nobody but an attacker with the disk could do.
    pub fn tamper(&self, key: &str, at: usize) {
        if let Some(version) = self.lock().get_mut(key).and_then(|versions| versions.last_mut()) {
            version.bytes[at] ^= 1;
        }
        self.tampered.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned());
    }

    /// Puts a locked version past every check, as a writer with other code could.
    pub fn seed(&self, key: &str, bytes: Vec<u8>, lock: Lock) {
        self.add(key, &bytes, Some(lock), None);
    }

    /// Puts a version without lock past every check, such as another live checkpoint.
    pub fn seed_unlocked(&self, key: &str, bytes: Vec<u8>) {
        self.add(key, &bytes, None, None);
    }

    /// What a plain DELETE does: a delete marker over whatever lies there.
    pub fn delete(&self, key: &str) {
        let mut objects = self.lock();
        let versions = objects.entry(key.to_owned()).or_default();
        let (version_id, bytes) = (format!("marker-{}", versions.len()), Vec::new());
        let written_s = self.now_s();
        versions.push(Version { version_id, bytes, lock: None, tag: None, is_delete_marker: true, written_s });
    }

    /// Takes the delete marker away that lies over an object.
    pub fn undelete(&self, key: &str) {
        let mut objects = self.lock();
        objects.get_mut(key).and_then(|versions| versions.pop_if(|newest| newest.is_delete_marker));
    }

    /// Takes all versions away, as only somebody beyond the lock could.
    pub fn erase(&self, key: &str) {
        self.lock().remove(key);
    }

    /// Moves the bucket's clock.
    pub fn set_now_s(&self, now_s: u64) {
        *self.now_s.lock().unwrap_or_else(PoisonError::into_inner) = now_s;
    }

    /// What a GET without a version id finds.
    pub fn current(&self, key: &str) -> Option<Version> {
        let newest = self.lock().get(key).and_then(|versions| versions.last().cloned());
        newest.filter(|version| !version.is_delete_marker)
    }

    /// One version that is no delete marker, whatever lies over it; no call of the product's.
    pub fn stored(&self, key: &str, version_id: &str) -> Option<Version> {
        let objects = self.lock();
        let versions = objects.get(key).into_iter().flatten();
        versions.rev().find(|version| version.version_id == version_id && !version.is_delete_marker).cloned()
    }

    /// What the bucket's clock says.
    pub fn now_s(&self) -> u64 {
        *self.now_s.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, key: &str, bytes: &[u8], lock: Option<Lock>, tag: Option<&'static str>) -> String {
        let mut objects = self.lock();
        let count: usize = objects.values().map(Vec::len).sum();
        let version_id = format!("v-{count}");
        let (bytes, is_delete_marker) = (bytes.to_vec(), false);
        let written_s = self.now_s();
        let version = Version { version_id: version_id.clone(), bytes, lock, tag, is_delete_marker, written_s };
        objects.entry(key.to_owned()).or_default().push(version);
        version_id
    }

    /// A put with If-None-Match and a lock.
    async fn put_once(&self, what: &str, key: &str, bytes: &[u8], lock: &Lock) -> Result<Put, StoreError> {
        self.assert_lock_holds(key, lock);
        self.write("s3:PutObject", what, || match self.current(key) {
            Some(_) => Ok(Put::Exists),
            None => Ok(Put::Written { version_id: self.add(key, bytes, Some(*lock), None) }),
        })
        .await
    }

    /// One write call, which a fault may strike.
    async fn write<T>(
        &self,
        call: &'static str,
        what: &str,
        change: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.faults.latency().await;
        self.calls.add(call, 1);
        let name = format!("{call} {what}");
        self.faults.write(&name, change)
    }

    async fn read<T>(&self, call: &'static str, look: impl FnOnce() -> T) -> Result<T, StoreError> {
        self.faults.latency().await;
        self.calls.add(call, 1);
        self.faults.read(call)?;
        Ok(look())
    }

    fn version(&self, key: &str, version_id: &str) -> Result<Version, StoreError> {
        self.stored(key, version_id).ok_or_else(|| not_found(key))
    }

    fn assert_lock_holds(&self, key: &str, lock: &Lock) {
        let now_s = self.now_s();
        assert!(lock.retain_until_s > now_s, "{key} would be locked until a time in the past");
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Version>>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WriteSegment for FakeLedgerBucket {
    async fn put_segment(&self, key: &str, bytes: &[u8], sha256: &Hash, lock: &Lock) -> Result<Put, StoreError> {
        assert!(SegmentName::parse(key).is_some_and(|name| name.fits(bytes)), "{key} is not the name of these bytes");
        assert_eq!(Hash::of_object(bytes), *sha256, "{key} was put with a checksum of other bytes");
        self.put_once("segment", key, bytes, lock).await
    }

    async fn segment_state(&self, key: &str) -> Result<ObjectState, StoreError> {
        let newest = self.read("s3:HeadObject", || self.current(key)).await?.ok_or_else(|| not_found(key))?;
        Ok(ObjectState {
            bytes: newest.bytes.len() as u64,
            sha256: Some(Hash::of_object(&newest.bytes)),
            lock: newest.lock,
            version_id: newest.version_id,
        })
    }

    async fn extend_lock(&self, key: &str, version_id: &str, lock: &Lock) -> Result<(), StoreError> {
        self.write("s3:PutObjectRetention", "", || {
            let before = self.version(key, version_id)?.lock;
            let weaker = before.is_some_and(|before| !lock.covers(&before));
            assert!(!weaker, "the lock of {key} would become shorter or weaker");
            let mut objects = self.lock();
            let versions = objects.get_mut(key).into_iter().flatten();
            versions.filter(|version| version.version_id == version_id).for_each(|version| version.lock = Some(*lock));
            Ok(())
        })
        .await
    }
}

impl ReadSegment for FakeLedgerBucket {
    async fn segment(&self, key: &str, version_id: &str) -> Result<Vec<u8>, StoreError> {
        Ok(self.read("s3:GetObject", || self.version(key, version_id)).await??.bytes)
    }

    async fn segment_range(
        &self,
        key: &str,
        version_id: &str,
        offset: u64,
        length: u64,
    ) -> Result<Vec<u8>, StoreError> {
        let bytes = self.read("s3:GetObject", || self.version(key, version_id)).await??.bytes;
        let range = offset as usize..(offset + length) as usize;
        bytes.get(range).map(<[u8]>::to_vec).ok_or_else(|| StoreError::Corrupt(Failure::new(format!("get {key}"))))
    }
}

impl Tiles for FakeLedgerBucket {
    async fn tile(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.read("s3:GetObject", || self.current(key)).await?.map(|version| version.bytes))
    }

    async fn put_full_tile(&self, key: &str, bytes: &[u8], lock: &Lock) -> Result<Put, StoreError> {
        assert!(Tile::parse_key(key).is_some_and(|(_, tile)| tile.is_full()), "{key} is no full tile's key");
        assert_eq!(bytes.len(), 256 * 32, "{key} is not full");
        self.put_once("tile", key, bytes, lock).await
    }

    async fn put_partial_tile(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let tile = Tile::parse_key(key).map(|(_, tile)| tile).filter(|tile| !tile.is_full());
        assert_eq!(tile.map(|tile| tile.bytes()), Some(bytes.len()), "{key} is not the key of so many hashes");
        self.write("s3:PutObject", "partial tile", || {
            // Nothing but a repair of what an attacker left there puts other bytes.
            let was_tampered = self.tampered.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
            let before = self.current(key).filter(|_| !was_tampered);
            assert!(before.is_none_or(|before| before.bytes == bytes), "{key} would be put with other bytes");
            self.add(key, bytes, None, Some("partial"));
            Ok(())
        })
        .await
    }

    async fn retire_partial_tile(&self, key: &str) -> Result<(), StoreError> {
        assert!(Tile::parse_key(key).is_some_and(|(_, tile)| !tile.is_full()), "{key} is no partial tile");
        self.write("s3:PutObjectTagging", "", || {
            let mut objects = self.lock();
            let newest = objects.get_mut(key).and_then(|versions| versions.last_mut());
            let newest = newest.filter(|version| !version.is_delete_marker).ok_or_else(|| not_found(key))?;
            newest.tag = Some("retired");
            Ok(())
        })
        .await
    }
}

impl Checkpoints for FakeLedgerBucket {
    async fn archived(&self, log: &LogId, from: u64, limit: usize) -> Result<Vec<ArchivedCheckpoint>, StoreError> {
        self.read("s3:ListObjectVersions", || {
            let objects = self.lock();
            let folder = archive_folder(log);
            let inside = objects.range(archive_key(log, from)..).take_while(|(key, _)| key.starts_with(&folder));
            let sized = inside.filter_map(|(key, versions)| Some((archived_size(log, key)?, key, versions)));
            let found = sized.flat_map(|(size, key, versions)| {
                let newest_first = versions.iter().rev().filter(|version| !version.is_delete_marker);
                newest_first.map(move |version| (size, key.clone(), version.version_id.clone()))
            });
            found.take(limit).map(|(size, key, version_id)| ArchivedCheckpoint { size, key, version_id }).collect()
        })
        .await
    }

    async fn checkpoint(&self, archived: &ArchivedCheckpoint) -> Result<Vec<u8>, StoreError> {
        Ok(self.read("s3:GetObject", || self.version(&archived.key, &archived.version_id)).await??.bytes)
    }

    async fn put_archived(&self, log: &LogId, size: u64, note: &[u8], lock: &Lock) -> Result<Put, StoreError> {
        self.put_once("archived checkpoint", &archive_key(log, size), note, lock).await
    }

    async fn live(&self, log: &LogId) -> Result<Option<(Vec<u8>, String)>, StoreError> {
        let current = self.read("s3:GetObject", || self.current(&live_key(log))).await?;
        Ok(current.map(|version| (version.bytes, version.version_id)))
    }

    async fn put_live(&self, log: &LogId, note: &[u8], replaces: Option<&str>) -> Result<(), StoreError> {
        let key = &live_key(log);
        self.write("s3:PutObject", "live checkpoint", || {
            // The version id stands for the entity tag: both change with every put.
            let current = self.current(key).map(|version| version.version_id);
            if current.as_deref() != replaces {
                return Err(StoreError::Conflict(Failure::new(format!("put {key}"))));
            }
            self.add(key, note, None, Some("live"));
            Ok(())
        })
        .await
    }
}

impl ReadChunk for FakeBucket {
    async fn read_chunk(&self, pointer: &Pointer) -> Result<Bytes, StoreError> {
        self.read("s3:GetObject").await?;
        let failure = || Failure::new(format!("read chunk {} of {}", pointer.ordinal, pointer.plan));
        let plan = self.get(&pointer.plan).ok_or_else(|| StoreError::NotFound(failure()))?;
        let range = pointer.offset as usize..(pointer.offset + pointer.length) as usize;
        if range.end > plan.len() {
            return Err(StoreError::Corrupt(failure()));
        }
        Ok(plan.slice(range))
    }
}

fn not_found(key: &str) -> StoreError {
    StoreError::NotFound(Failure::new(format!("get {key}")))
}
