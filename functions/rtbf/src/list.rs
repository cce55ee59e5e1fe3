//! The list of a pass: which records and objects an erasure is about, frozen when the pass begins.
//!
//! Invariant: the list that is stored first counts, for every slice and whoever repeats a step. It holds the join of a person's records,
//! so it lies there sealed under the request's own key, which only KMS opens. Each pass has a key of its own that seals one content: a
//! list that was not stored leaves this process nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use ledgerline_ledger::store::{Failure, StoreError};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What a pass is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct List {
    /// The records, by their names.
    pub records: Vec<ListRecord>,
    /// The bronze objects that hold lines about them, by their ids.
    pub objects: Vec<ListObject>,
    /// The aliases of the person in the records' ids, each an org and an alias.
    pub aliases: BTreeSet<(String, String)>,
    /// Lines in bronze about the records.
    pub lines: u64,
    /// Entries of the records, as far as this pass read them.
    pub entries: u64,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListRecord {
    /// `<org>/<record>`.
    pub record: String,
    /// The request lists it, and no identifier leads to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub listed: bool,
    /// When its last event occurred, as far as is known, epoch milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_ms: Option<i64>,
}

/// A bronze object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListObject {
    /// Its id.
    pub object: String,
    /// Its key.
    pub key: String,
    /// The days on which lines about the records occurred, `yyyy-mm-dd`.
    pub dates: BTreeSet<String>,
    /// The records, by their places in the list.
    pub records: BTreeSet<usize>,
    /// When it was planned, epoch milliseconds; none while it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned_at_ms: Option<i64>,
    /// The lines about records that an alias names, by the records' places: from a line itself the alias does not follow. None of a
    /// record with more lines than are noted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub of_aliases: BTreeMap<usize, Option<Vec<u64>>>,
}

impl List {
    /// Whether this one, made now, has something that the one before it has not: a record, an object, or an object that is planned now.
    pub fn is_news_to(&self, before: &Self) -> bool {
        let records: BTreeSet<&str> = before.records.iter().map(|one| one.record.as_str()).collect();
        let objects: BTreeMap<&str, &ListObject> =
            before.objects.iter().map(|one| (one.object.as_str(), one)).collect();
        let is_new = |one: &ListObject| match objects.get(one.object.as_str()) {
            None => true,
            Some(old) => one.planned_at_ms.is_some() && old.planned_at_ms.is_none(),
        };
        self.records.iter().any(|one| !records.contains(one.record.as_str())) || self.objects.iter().any(is_new)
    }

    /// The objects that the pass before this one did and that cannot have changed since, by their ids: they were planned when its list was
    /// made, and no run may have been under way then that began before `drained_ms`.
    pub fn settled_in(&self, before: &Self, drained_ms: i64) -> BTreeSet<String> {
        let records = |list: &Self, object: &ListObject| -> BTreeSet<String> {
            object.records.iter().filter_map(|at| Some(list.records.get(*at)?.record.clone())).collect()
        };
        let old: BTreeMap<&str, &ListObject> = before.objects.iter().map(|one| (one.object.as_str(), one)).collect();
        let is_settled = |one: &&ListObject| {
            let Some(old) = old.get(one.object.as_str()) else { return false };
            let was_planned = old.planned_at_ms.is_some_and(|planned_ms| planned_ms < drained_ms);
            was_planned && records(self, one).is_subset(&records(before, old)) && one.dates == old.dates
        };
        self.objects.iter().filter(is_settled).map(|one| one.object.clone()).collect()
    }

    /// The objects that were not planned, by their ids.
    pub fn unplanned(&self) -> BTreeSet<&str> {
        let unplanned = self.objects.iter().filter(|one| one.planned_at_ms.is_none());
        unplanned.map(|one| one.object.as_str()).collect()
    }
}

/// Packs and seals a pass's list, which will lie at this key.
///
/// # Errors
/// `Corrupt`, which would be a defect.
pub(crate) fn seal(list: &List, request_key: &[u8; 32], pass: u32, key: &str) -> Result<Vec<u8>, StoreError> {
    let pass = pass.to_string();
    seal_json("seal a list", list, &aead(request_key, &[LABEL, &[SEPARATOR], pass.as_bytes()]), key)
}

/// Packs a value and seals it under a key that seals nothing else.
pub(crate) fn seal_json(
    what: &str,
    value: &impl Serialize,
    aead: &LessSafeKey,
    key: &str,
) -> Result<Vec<u8>, StoreError> {
    let json = serde_json::to_vec(value).map_err(|error| StoreError::Corrupt(Failure::caused_by(what, error)))?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = gzip.write_all(&json).and_then(|()| gzip.finish());
    let mut bytes = packed.map_err(|error| StoreError::Corrupt(Failure::caused_by(what, error)))?;
    let sealed = aead.seal_in_place_append_tag(nonce(), Aad::from(key.as_bytes()), &mut bytes);
    sealed.map_err(|_| StoreError::Corrupt(Failure::new(what)))?;
    Ok(bytes)
}

/// Opens what [`seal`] made.
///
/// # Errors
/// `Corrupt` for anything else.
pub(crate) fn open(bytes: &[u8], request_key: &[u8; 32], pass: u32, key: &str) -> Result<List, StoreError> {
    let pass = pass.to_string();
    open_json("open a list", bytes, &aead(request_key, &[LABEL, &[SEPARATOR], pass.as_bytes()]), key)
}

/// Opens what [`seal_json`] made.
pub(crate) fn open_json<T: DeserializeOwned>(
    what: &str,
    bytes: &[u8],
    aead: &LessSafeKey,
    key: &str,
) -> Result<T, StoreError> {
    let mut bytes = bytes.to_vec();
    let opened = aead.open_in_place(nonce(), Aad::from(key.as_bytes()), &mut bytes);
    let packed = opened.map_err(|_| StoreError::Corrupt(Failure::new(what)))?;
    let mut json = Vec::new();
    let read = GzDecoder::new(&*packed).read_to_end(&mut json);
    read.map_err(|error| StoreError::Corrupt(Failure::caused_by(what, error)))?;
    serde_json::from_slice(&json).map_err(|error| StoreError::Corrupt(Failure::caused_by(what, error)))
}

/// The key that a label, and what stands behind it, names: it seals one content.
pub(crate) fn aead(request_key: &[u8; 32], parts: &[&[u8]]) -> LessSafeKey {
    let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, request_key));
    parts.iter().for_each(|part| mac.update(part));
    let key = mac.sign();
    let Ok(key) = UnboundKey::new(&AES_256_GCM, key.as_ref()) else { unreachable!("HMAC-SHA-256 gives 32 bytes") };
    LessSafeKey::new(key)
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

const LABEL: &[u8] = b"ledgerline/erasure/list/v1";
const SEPARATOR: u8 = 0x1F;

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> List {
        let record = |record: &str| ListRecord { record: record.to_owned(), listed: false, last_ms: Some(7) };
        let object = |object: &str, planned_at_ms, records: &[usize]| ListObject {
            object: object.to_owned(),
            key: format!("bronze/{object}"),
            dates: BTreeSet::from(["2026-03-02".to_owned()]),
            records: records.iter().copied().collect(),
            planned_at_ms,
            of_aliases: BTreeMap::from([(0, Some(vec![1, 4]))]),
        };
        List {
            records: vec![record("acme/a"), record("acme/b")],
            objects: vec![object("o-1", Some(10), &[0]), object("o-2", None, &[0, 1])],
            aliases: BTreeSet::from([("acme".to_owned(), "x_1".to_owned())]),
            lines: 9,
            entries: 3,
        }
    }

    #[test]
    fn a_list_opens_by_its_request_its_pass_and_its_place_alone() {
        let sealed = seal(&list(), &[7; 32], 0, "erasure/r/0").unwrap();
        assert_eq!(open(&sealed, &[7; 32], 0, "erasure/r/0").unwrap(), list());
        let text = String::from_utf8_lossy(&sealed);
        assert!(!text.contains("acme"));
        for (key, pass, place) in
            [([8; 32], 0, "erasure/r/0"), ([7; 32], 1, "erasure/r/0"), ([7; 32], 0, "erasure/r/1")]
        {
            assert!(matches!(open(&sealed, &key, pass, place), Err(StoreError::Corrupt(_))), "{pass} {place}");
        }
        let mut altered = sealed.clone();
        altered[3] ^= 1;
        assert!(matches!(open(&altered, &[7; 32], 0, "erasure/r/0"), Err(StoreError::Corrupt(_))));
        assert!(matches!(open(b"", &[7; 32], 0, "erasure/r/0"), Err(StoreError::Corrupt(_))));
    }

    #[test]
    fn news_are_records_objects_and_plans() {
        let before = list();
        assert!(!before.is_news_to(&before));
        let mut with = list();
        with.records.pop();
        assert!(before.is_news_to(&with) && !with.is_news_to(&before));
        let mut with = list();
        with.objects[1].planned_at_ms = Some(20);
        assert!(with.is_news_to(&before) && !before.is_news_to(&with));
        let mut with = list();
        with.objects.pop();
        assert!(before.is_news_to(&with) && !with.is_news_to(&before));
        assert_eq!(before.unplanned(), BTreeSet::from(["o-2"]));
    }

    #[test]
    fn what_was_planned_before_any_run_that_may_be_under_way_is_settled() {
        let before = list();
        assert_eq!(list().settled_in(&before, 11), BTreeSet::from(["o-1".to_owned()]));
        assert!(list().settled_in(&before, 10).is_empty());
        let mut more = list();
        more.objects[0].records.insert(1);
        assert!(more.settled_in(&before, 11).is_empty(), "another record of it is new");
        let mut more = list();
        more.objects[0].dates.insert("2026-03-03".to_owned());
        assert!(more.settled_in(&before, 11).is_empty());
    }
}
