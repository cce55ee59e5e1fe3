//! A bucket in memory that does what S3 does with versions, delete markers, locks, legal holds, tags, conditions and lists,
//! and refuses what it refuses.
//!
//! What no correct caller does to a family's objects is a defect in the product, not a condition to handle: the fake panics
//! ([`crate::bucket_rules`]). Lists of versions come in small pages, so that a reader that forgets the next page is found
//! out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use ledgerline_lake::keys::ERRORS;
use ledgerline_ledger::lock::Lock;
use ledgerline_ledger::segment::SegmentName;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_ledger::tree::Hash;
use ledgerline_store::bucket::{
    Body, Bucket, Buckets, Get, Head, Listed, ListedVersion, Object, OnlyIf, Opened, Put, PutOutcome, StorageClass,
    VersionMarker, VersionPage,
};
use ledgerline_store::silver::RUNS_MS;
use ledgerline_store::sweep_state::FOLDER;

use crate::bucket_rules as rules;
use crate::calls::Calls;
use crate::faults::Faults;

/// Bytes that a reader gets at once: small and odd, so that lines, gzip headers and characters are cut everywhere.
const PIECE_BYTES: usize = 1021;
/// The same for error objects, which are small in tests.
const ERROR_PIECE_BYTES: usize = 7;
/// Versions on one page.
const VERSIONS_PER_PAGE: usize = 7;
/// S3's largest page of objects, and of versions.
const PAGE: usize = 1_000;

/// One version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The version id.
    pub version_id: String,
    /// Its entity tag.
    pub entity_tag: String,
    /// Its bytes.
    pub bytes: Bytes,
    /// Its lock, if it has one.
    pub lock: Option<Lock>,
    /// Whether somebody holds it.
    pub legal_hold: bool,
    /// The value of its tag `ledgerline`, if it has one.
    pub tag: Option<String>,
    /// How it is stored; none for the standard class.
    pub class: Option<StorageClass>,
    /// Whether it is a delete marker, which holds nothing and hides what came before.
    pub is_delete_marker: bool,
    /// When it was written, by the bucket's clock.
    pub written_at_ms: i64,
}

/// Versions by key, the newest last.
pub type Versions = BTreeMap<String, Vec<Version>>;

/// The bucket; clones share it.
#[derive(Clone, Debug)]
pub struct FakeBucket {
    name: &'static str,
    keeps_versions: bool,
    state: Arc<Mutex<State>>,
    faults: Faults,
    calls: Calls,
}

#[derive(Debug, Default)]
struct State {
    objects: Versions,
    /// Versions made so far, delete markers included.
    made: usize,
    now_ms: i64,
    tampered: BTreeSet<String>,
    deleted: BTreeMap<String, Bytes>,
    /// A version that somebody holds as soon as its deletion is asked for.
    held_at_deletion: Option<(String, String)>,
    denied: Option<String>,
}

impl FakeBucket {
    /// An empty bucket without versions whose clock stands at `now_ms`. `name` is the template's, for calls held against
    /// its roles.
    pub fn new(name: &'static str, faults: Faults, calls: Calls, now_ms: i64) -> Self {
        let state = State { now_ms, ..State::default() };
        Self { name, keeps_versions: false, state: Arc::new(Mutex::new(state)), faults, calls }
    }

    /// The same, keeping versions.
    pub fn versioned(name: &'static str, faults: Faults, calls: Calls, now_ms: i64) -> Self {
        Self { keeps_versions: true, ..Self::new(name, faults, calls, now_ms) }
    }

    /// As the product takes it.
    pub fn port(&self) -> Arc<dyn Bucket> {
        Arc::new(self.clone())
    }

    /// The same objects, with other faults and a count of calls of its own.
    #[must_use]
    pub fn seen_by(&self, faults: Faults, calls: Calls) -> Self {
        Self { faults, calls, ..self.clone() }
    }

    /// All objects with all their versions.
    pub fn all(&self) -> Versions {
        self.lock().objects.clone()
    }

    /// Looks at all objects with all their versions as they are now.
    pub fn look<T>(&self, look: impl FnOnce(&Versions) -> T) -> T {
        look(&self.lock().objects)
    }

    /// All segments with all their versions.
    pub fn segments(&self) -> Versions {
        let mut objects = self.all();
        objects.retain(|key, _| SegmentName::parse(key).is_some());
        objects
    }

    /// The keys that begin with `prefix`.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.look(|objects| below(objects, prefix).map(|(key, _)| key.clone()).collect())
    }

    /// All objects under a prefix, as a GET without a version id finds them.
    pub fn under(&self, prefix: &str) -> BTreeMap<String, Bytes> {
        let found = |(key, versions): (&String, &Vec<Version>)| Some((key.clone(), current(versions)?.bytes.clone()));
        self.look(|objects| below(objects, prefix).filter_map(found).collect())
    }

    /// All versions of one object, the newest last.
    pub fn versions(&self, key: &str) -> Vec<Version> {
        self.lock().objects.get(key).cloned().unwrap_or_default()
    }

    /// What a GET without a version id finds.
    pub fn current(&self, key: &str) -> Option<Version> {
        self.lock().current(key).cloned()
    }

    /// The bytes that a GET without a version id finds.
    pub fn get(&self, key: &str) -> Option<Bytes> {
        self.current(key).map(|version| version.bytes)
    }

    /// One version that is not a delete marker, whatever lies over it; no call of the product's.
    pub fn stored(&self, key: &str, version_id: &str) -> Option<Version> {
        self.lock().stored(key, version_id).cloned()
    }

    /// What was deleted, by key.
    pub fn deleted(&self) -> BTreeMap<String, Bytes> {
        self.lock().deleted.clone()
    }

    /// A byte of a version flipped, as nobody but an attacker with the disk could do.
    pub fn tamper(&self, key: &str, at: usize) {
        let mut state = self.lock();
        if let Some(version) = state.objects.get_mut(key).and_then(|versions| versions.last_mut()) {
            let mut bytes = version.bytes.to_vec();
            bytes[at] ^= 1;
            version.bytes = bytes.into();
        }
        state.tampered.insert(key.to_owned());
    }

    /// Puts an object past every check, as somebody else would: no fault strikes and no call is counted.
    pub fn seed(&self, key: &str, bytes: impl Into<Bytes>) {
        self.add(&mut self.lock(), key, bytes.into(), None, None);
    }

    /// The same, written at this time.
    pub fn seed_at(&self, key: &str, bytes: impl Into<Bytes>, written_at_ms: i64) {
        self.seed(key, bytes);
        let mut state = self.lock();
        let seeded = state.objects.get_mut(key).and_then(|versions| versions.last_mut());
        seeded.expect("it was seeded").written_at_ms = written_at_ms;
    }

    /// The same, under lock.
    pub fn seed_locked(&self, key: &str, bytes: impl Into<Bytes>, lock: Lock) {
        self.add(&mut self.lock(), key, bytes.into(), Some(lock), None);
    }

    /// What a plain DELETE does where versions are kept: a delete marker over whatever lies there.
    pub fn delete(&self, key: &str) {
        self.lock().mark_deleted(key);
    }

    /// Takes the delete marker away that lies over an object.
    pub fn undelete(&self, key: &str) {
        self.lock().objects.get_mut(key).and_then(|versions| versions.pop_if(|newest| newest.is_delete_marker));
    }

    /// Takes all versions away: as a lifecycle does; of what is locked, as only somebody beyond the lock could.
    pub fn erase(&self, key: &str) {
        self.lock().objects.remove(key);
    }

    /// Loses a state of sweep, or all of them.
    pub fn lose(&self, key: Option<&str>) {
        self.lock().objects.retain(|known, _| !known.starts_with(FOLDER) || key.is_some_and(|key| key != known));
    }

    /// Replaces an object by something that no reader understands.
    pub fn damage(&self, key: &str) {
        self.seed(key, "damaged");
    }

    /// Moves an object into another storage class, as a lifecycle does.
    pub fn set_class(&self, key: &str, class: &str) {
        let mut state = self.lock();
        let newest = state.objects.get_mut(key).and_then(|versions| versions.last_mut());
        newest.expect("an object to move").class = Some(StorageClass(class.to_owned()));
    }

    /// Lays a legal hold on a version.
    pub fn hold(&self, key: &str, version_id: &str) {
        self.lock().stored_mut(key, version_id).expect("a version to hold").legal_hold = true;
    }

    /// Lays a legal hold on a version in the moment in which its deletion is asked for.
    pub fn hold_at_deletion(&self, key: &str, version_id: &str) {
        self.lock().held_at_deletion = Some((key.to_owned(), version_id.to_owned()));
    }

    /// Releases every hold.
    pub fn release_all(&self) {
        self.lock().objects.values_mut().flatten().for_each(|version| version.legal_hold = false);
    }

    /// Objects below this folder cannot be read from now on, as if the permission were missing; `None`: all can.
    pub fn set_denied(&self, folder: Option<&str>) {
        self.lock().denied = folder.map(str::to_owned);
    }

    /// Moves the bucket's clock.
    pub fn set_now_ms(&self, now_ms: i64) {
        self.lock().now_ms = now_ms;
    }

    /// What the bucket's clock says.
    pub fn now_ms(&self) -> i64 {
        self.lock().now_ms
    }

    /// Time goes by, longer than any run of transform lasts.
    pub fn grow_old(&self) {
        self.lock().now_ms += RUNS_MS + 1;
    }

    fn add(&self, state: &mut State, key: &str, bytes: Bytes, lock: Option<Lock>, tag: Option<&str>) -> Option<String> {
        let version_id = match self.keeps_versions {
            // As long as S3's: it counts in the size of a row.
            true => format!("v-{:030}", state.made),
            false => NULL_VERSION.to_owned(),
        };
        let version = Version {
            version_id: version_id.clone(),
            entity_tag: format!("\"e-{}\"", state.made),
            bytes,
            lock,
            legal_hold: false,
            tag: tag.map(str::to_owned),
            class: None,
            is_delete_marker: false,
            written_at_ms: state.now_ms,
        };
        state.made += 1;
        let versions = state.objects.entry(key.to_owned()).or_default();
        if !self.keeps_versions {
            versions.clear();
        }
        versions.push(version);
        self.keeps_versions.then_some(version_id)
    }

    fn touch(&self, action: &'static str, key: &str) {
        self.calls.touch(action, self.name, rules::kind_of(key), key);
    }

    /// One write call, which a fault may strike.
    async fn write<T>(
        &self,
        call: &'static str,
        label: &str,
        change: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.faults.latency().await;
        self.calls.add(call, 1);
        self.faults.write(label, change)
    }

    async fn read<T>(&self, call: &'static str, look: impl FnOnce(&State) -> T) -> Result<T, StoreError> {
        self.faults.latency().await;
        self.calls.add(call, 1);
        self.faults.read(call)?;
        Ok(look(&self.lock()))
    }

    /// The version that a GET or HEAD finds.
    async fn find(&self, call: &'static str, key: &str, version_id: Option<&str>) -> Result<Version, StoreError> {
        rules::family_of(key);
        self.touch(if version_id.is_some() { "s3:GetObjectVersion" } else { "s3:GetObject" }, key);
        // Without these rights S3 answers 403, not 404, for what is missing.
        self.calls.touch("s3:ListBucket", self.name, String::new(), key);
        if version_id.is_some() {
            self.calls.touch("s3:ListBucketVersions", self.name, String::new(), key);
        }
        let find = |state: &State| match version_id {
            Some(version_id) => state.stored(key, version_id).cloned(),
            None => state.current(key).cloned(),
        };
        let found = self.read(call, find).await?;
        if self.lock().denied.as_ref().is_some_and(|folder| key.starts_with(folder)) {
            return Err(StoreError::Denied(Failure::new(format!("get {key}"))));
        }
        found.ok_or_else(|| not_found(key))
    }

    fn version_id(&self, version: &Version) -> Option<String> {
        self.keeps_versions.then(|| version.version_id.clone())
    }

    fn try_put(&self, put: Put) -> Result<PutOutcome, StoreError> {
        let state = &mut *self.lock();
        let (before, now_ms) = (state.current(&put.key), state.now_ms);
        let is_refused = match (&put.only_if, before) {
            (Some(OnlyIf::Free), before) => before.is_some(),
            (Some(OnlyIf::Tag(_)), None) => return Err(not_found(&put.key)),
            (Some(OnlyIf::Tag(tag)), Some(before)) => before.entity_tag != *tag,
            (None, _) => false,
        };
        if is_refused {
            return Ok(PutOutcome::Refused { at_ms: Some(now_ms) });
        }
        if let Some(before) = before {
            rules::check_replaced(&put, before, state.tampered.contains(&put.key), now_ms);
        }
        state.tampered.remove(&put.key);
        let version_id = self.add(state, &put.key, put.bytes, put.lock, put.tag);
        let added = state.objects.get_mut(&put.key).and_then(|versions| versions.last_mut());
        added.expect("it was added").class = put.class;
        Ok(PutOutcome::Written { version_id })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn now_s(&self) -> u64 {
        u64::try_from(self.now_ms / 1000).unwrap_or_default()
    }

    fn current(&self, key: &str) -> Option<&Version> {
        self.objects.get(key).and_then(|versions| current(versions))
    }

    fn stored(&self, key: &str, version_id: &str) -> Option<&Version> {
        let versions = self.objects.get(key).into_iter().flatten();
        versions.rev().find(|version| version.version_id == version_id && !version.is_delete_marker)
    }

    fn stored_mut(&mut self, key: &str, version_id: &str) -> Option<&mut Version> {
        let versions = self.objects.get_mut(key).into_iter().flatten();
        versions.rev().find(|version| version.version_id == version_id && !version.is_delete_marker)
    }

    fn mark_deleted(&mut self, key: &str) {
        let versions = self.objects.entry(key.to_owned()).or_default();
        versions.push(Version {
            version_id: format!("marker-{}", self.made),
            entity_tag: String::new(),
            bytes: Bytes::new(),
            lock: None,
            legal_hold: false,
            tag: None,
            class: None,
            is_delete_marker: true,
            written_at_ms: self.now_ms,
        });
        self.made += 1;
    }

    fn delete_version(&mut self, key: &str, version_id: &str) -> Result<(), StoreError> {
        let now_s = self.now_s();
        let Some(versions) = self.objects.get_mut(key) else { return Ok(()) };
        let Some(at) = versions.iter().position(|version| version.version_id == version_id) else { return Ok(()) };
        if versions[at].legal_hold || versions[at].lock.is_some_and(|lock| lock.retain_until_s > now_s) {
            return Err(StoreError::Denied(Failure::new(format!("delete {key}"))));
        }
        let version = versions.remove(at);
        if versions.is_empty() {
            self.objects.remove(key);
        }
        if !version.is_delete_marker {
            self.deleted.insert(key.to_owned(), version.bytes);
        }
        Ok(())
    }
}

#[async_trait]
impl Bucket for FakeBucket {
    async fn get(&self, what: &str, get: Get) -> Result<Object, StoreError> {
        let found = self.find("s3:GetObject", &get.key, get.version_id.as_deref()).await?;
        let bytes = cut(what, &found.bytes, get.range)?;
        let (version_id, class) = (self.version_id(&found), found.class);
        Ok(Object { bytes, tag: found.entity_tag, written_at_ms: Some(found.written_at_ms), version_id, class })
    }

    async fn open(&self, what: &str, get: Get) -> Result<Opened, StoreError> {
        let found = self.find("s3:GetObject", &get.key, get.version_id.as_deref()).await?;
        let piece_bytes = if rules::folder(&get.key) == ERRORS { ERROR_PIECE_BYTES } else { PIECE_BYTES };
        let rest = cut(what, &found.bytes, get.range)?;
        Ok(Opened { body: Box::new(FakeBody { rest, piece_bytes }), version_id: self.version_id(&found) })
    }

    async fn put(&self, _: &str, put: Put) -> Result<PutOutcome, StoreError> {
        rules::check_put(&put, self.lock().now_s());
        self.touch("s3:PutObject", &put.key);
        if put.lock.is_some() {
            assert!(self.keeps_versions, "{} cannot lock {}", self.name, put.key);
            self.touch("s3:PutObjectRetention", &put.key);
        }
        if matches!(put.only_if, Some(OnlyIf::Tag(_))) {
            // S3 asks for it because of If-Match.
            self.touch("s3:GetObject", &put.key);
        }
        if put.tag.is_some() {
            self.touch("s3:PutObjectTagging", &put.key);
        }
        let label = rules::put_label(&put.key);
        self.write("s3:PutObject", &label, || self.try_put(put)).await
    }

    async fn head(&self, _: &str, key: &str, version_id: Option<&str>) -> Result<Head, StoreError> {
        let found = self.find("s3:HeadObject", key, version_id).await?;
        if self.keeps_versions {
            // Without these rights S3 leaves the lock, or the hold, out of its answer.
            self.touch("s3:GetObjectRetention", key);
            if version_id.is_some() {
                self.touch("s3:GetObjectLegalHold", key);
            }
        }
        Ok(Head {
            version_id: self.version_id(&found),
            bytes: found.bytes.len() as u64,
            sha256: Some(Hash::of_object(&found.bytes)),
            lock: found.lock,
            legal_hold: found.legal_hold,
        })
    }

    async fn put_retention(&self, _: &str, key: &str, version_id: &str, lock: &Lock) -> Result<(), StoreError> {
        const CALL: &str = "s3:PutObjectRetention";
        self.touch(CALL, key);
        self.write(CALL, CALL, || {
            let mut state = self.lock();
            let now_s = state.now_s();
            let version = state.stored_mut(key, version_id).ok_or_else(|| not_found(key))?;
            rules::check_relock(key, version.lock.as_ref(), lock, now_s);
            version.lock = Some(*lock);
            Ok(())
        })
        .await
    }

    async fn put_legal_hold(&self, _: &str, key: &str, version_id: &str, on: bool) -> Result<(), StoreError> {
        const CALL: &str = "s3:PutObjectLegalHold";
        self.touch(CALL, key);
        self.write(CALL, CALL, || {
            self.lock().stored_mut(key, version_id).ok_or_else(|| not_found(key))?.legal_hold = on;
            Ok(())
        })
        .await
    }

    async fn put_tag(&self, _: &str, key: &str, value: &str) -> Result<(), StoreError> {
        const CALL: &str = "s3:PutObjectTagging";
        rules::check_tag(key, value);
        self.touch(CALL, key);
        self.write(CALL, CALL, || {
            let mut state = self.lock();
            let newest = state.objects.get_mut(key).and_then(|versions| versions.last_mut());
            let newest = newest.filter(|version| !version.is_delete_marker).ok_or_else(|| not_found(key))?;
            newest.tag = Some(value.to_owned());
            Ok(())
        })
        .await
    }

    async fn delete(&self, _: &str, key: &str, version_id: Option<&str>) -> Result<(), StoreError> {
        const CALL: &str = "s3:DeleteObject";
        let is_there = match version_id {
            Some(version_id) => self.stored(key, version_id).is_some(),
            None => self.current(key).is_some(),
        };
        rules::check_delete(key, is_there, version_id.is_some() || !self.keeps_versions);
        self.touch(if version_id.is_some() { "s3:DeleteObjectVersion" } else { CALL }, key);
        let is_now_held = |(held, id): &mut (String, String)| held == key && version_id == Some(id.as_str());
        let held = self.lock().held_at_deletion.take_if(is_now_held);
        if let Some((key, version_id)) = held {
            self.hold(&key, &version_id);
        }
        self.write(CALL, CALL, || match version_id {
            Some(version_id) => self.lock().delete_version(key, version_id),
            None if self.keeps_versions => {
                self.lock().mark_deleted(key);
                Ok(())
            }
            None => self.lock().delete_version(key, NULL_VERSION),
        })
        .await
    }

    async fn list(&self, _: &str, prefix: &str, after: &str, limit: usize) -> Result<Vec<Listed>, StoreError> {
        const CALL: &str = "s3:ListObjectsV2";
        rules::check_list(prefix);
        self.calls.touch("s3:ListBucket", self.name, String::new(), prefix);
        let listed = |(key, versions): (&String, &Vec<Version>)| {
            let Version { entity_tag, written_at_ms, .. } = current(versions)?;
            let (key, tag, written_at_ms) = (key.clone(), entity_tag.clone(), *written_at_ms);
            (key.as_str() > after).then_some(Listed { key, tag, written_at_ms })
        };
        let found = |state: &State| below(&state.objects, prefix).filter_map(listed).take(limit).collect::<Vec<_>>();
        let found = self.read(CALL, found).await?;
        self.calls.add(CALL, found.len().saturating_sub(1) / PAGE);
        Ok(found)
    }

    async fn list_versions(
        &self,
        _: &str,
        prefix: &str,
        behind: Option<VersionMarker>,
        limit: usize,
    ) -> Result<VersionPage, StoreError> {
        assert!(limit > 0, "a list of nothing");
        self.calls.touch("s3:ListBucketVersions", self.name, String::new(), prefix);
        let page_size = limit.min(VERSIONS_PER_PAGE);
        let page = |state: &State| {
            let listed = below(&state.objects, prefix).flat_map(|(key, versions)| listed_versions(key, versions));
            let mut page: Vec<ListedVersion> = match &behind {
                None => listed.take(page_size + 1).collect(),
                Some(VersionMarker { key, version_id }) => {
                    let is_it = |one: &ListedVersion| one.key == *key && Some(&one.version_id) == version_id.as_ref();
                    let is_before = |one: &ListedVersion| one.key <= *key && !is_it(one);
                    listed.skip_while(is_before).filter(|one| !is_it(one)).take(page_size + 1).collect()
                }
            };
            let has_more = page.len() > page_size;
            page.truncate(page_size);
            let next = page.last().filter(|_| has_more);
            let next = next.map(|one| VersionMarker { key: one.key.clone(), version_id: Some(one.version_id.clone()) });
            (page, next)
        };
        self.read("s3:ListObjectVersions", page).await
    }
}

/// Buckets by the names that messages have for them.
#[derive(Clone, Debug)]
pub struct FakeBuckets(pub BTreeMap<&'static str, FakeBucket>);

impl Buckets for FakeBuckets {
    fn named(&self, name: &str) -> Arc<dyn Bucket> {
        self.0.get(name).unwrap_or_else(|| panic!("there is no bucket {name}")).port()
    }
}

/// An object under way.
#[derive(Debug)]
struct FakeBody {
    rest: Bytes,
    piece_bytes: usize,
}

#[async_trait]
impl Body for FakeBody {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let piece = self.rest.split_to(self.piece_bytes.min(self.rest.len()));
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }
}

fn below<'a>(objects: &'a Versions, prefix: &str) -> impl Iterator<Item = (&'a String, &'a Vec<Version>)> {
    let objects = objects.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
    objects.take_while(move |(key, _)| key.starts_with(prefix))
}

fn current(versions: &[Version]) -> Option<&Version> {
    versions.last().filter(|version| !version.is_delete_marker)
}

/// The newest first, as S3 lists them.
fn listed_versions(key: &str, versions: &[Version]) -> impl Iterator<Item = ListedVersion> {
    let newest = versions.len().saturating_sub(1);
    versions.iter().enumerate().rev().map(move |(place, version)| ListedVersion {
        key: key.to_owned(),
        version_id: version.version_id.clone(),
        is_latest: place == newest,
        is_delete_marker: version.is_delete_marker,
        bytes: version.bytes.len() as u64,
        written_at_ms: version.written_at_ms,
    })
}

fn cut(what: &str, bytes: &Bytes, range: Option<(u64, u64)>) -> Result<Bytes, StoreError> {
    let Some((offset, length)) = range else { return Ok(bytes.clone()) };
    let (offset, end) = (offset as usize, offset.saturating_add(length) as usize);
    if length == 0 || offset >= bytes.len() {
        return Err(StoreError::Corrupt(Failure::new(format!("{what}: there are no such bytes"))));
    }
    Ok(bytes.slice(offset..end.min(bytes.len())))
}

fn not_found(key: &str) -> StoreError {
    StoreError::NotFound(Failure::new(format!("get {key}")))
}

/// The version of what lies in a bucket that keeps none.
const NULL_VERSION: &str = "null";

#[cfg(test)]
mod tests;
