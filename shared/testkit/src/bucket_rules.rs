//! What never changes about a family's objects: every call on the fake bucket is held against it.
//!
//! A broken rule is a defect of the product, so the test that meets it ends.

use ledgerline_lake::keys;
use ledgerline_ledger::lock::Lock;
use ledgerline_ledger::segment::SegmentName;
use ledgerline_ledger::tile::Tile;
use ledgerline_ledger::tree::Hash;
use ledgerline_store::Family;
use ledgerline_store::bucket::{OnlyIf, Put};
use ledgerline_store::quarantine::By;
use ledgerline_store::silver::RUNS_MS;

use crate::bucket::Version;

/// The family that an object's key is of; `None` for objects of tests of buckets.
///
/// # Panics
/// If no family has such keys.
pub(crate) fn family_of(key: &str) -> Option<Family> {
    let family = Family::of_object(key);
    assert!(family.is_some() || folder(key) == "test/", "no family has the key {key}");
    family
}

fn tile_of(key: &str) -> Tile {
    Tile::parse_key(key).expect("a tile").1
}

/// What a put is called where faults are planned.
pub(crate) fn put_label(key: &str) -> String {
    let what = match family_of(key) {
        Some(Family::Segment) => "segment",
        Some(Family::Tile) if tile_of(key).is_full() => "tile",
        Some(Family::Tile) => "partial tile",
        Some(Family::ArchivedCheckpoint) => "archived checkpoint",
        Some(Family::LiveCheckpoint) => "live checkpoint",
        _ => folder(key).trim_end_matches('/'),
    };
    format!("s3:PutObject {what}")
}

/// What roles tell apart in a bucket: what kind of object it is, and the first two folders of its key.
pub(crate) fn kind_of(key: &str) -> String {
    let end = key.match_indices('/').take(2).last().map_or(0, |(at, _)| at);
    format!("{} {}", put_label(key), &key[..end])
}

/// The first folder of a key or prefix.
pub(crate) fn folder(key: &str) -> &str {
    key.split_inclusive('/').next().unwrap_or_default()
}

/// Panics unless its family's objects are put like this.
///
/// # Panics
/// As said.
pub(crate) fn check_put(put: &Put, now_s: u64) {
    let key = &put.key;
    if let Some(sha256) = &put.sha256 {
        assert_eq!(Hash::of_object(&put.bytes), *sha256, "{key} was put with a checksum of other bytes");
    }
    if let Some(lock) = &put.lock {
        check_lock_lasts(key, lock, now_s);
    }
    let is_locked = put.lock.is_some() && put.sha256.is_some() && put.only_if == Some(OnlyIf::Free);
    let is_tagged = |tag| put.lock.is_none() && put.sha256.is_some() && put.tag == Some(tag);
    let Some(family) = family_of(key) else { return };
    match family {
        Family::Segment => {
            let name = SegmentName::parse(key).expect("a segment");
            assert!(name.fits(&put.bytes), "{key} is not the name of these bytes");
            assert!(is_locked, "{key} was put without lock, checksum or condition");
        }
        Family::Tile => {
            let tile = tile_of(key);
            assert_eq!(put.bytes.len(), tile.bytes(), "{key} is not the key of so many hashes");
            let is_good = if tile.is_full() { is_locked } else { is_tagged("partial") && put.only_if.is_none() };
            assert!(is_good, "{key} was not put as a tile of its width is");
        }
        Family::ArchivedCheckpoint => assert!(is_locked, "{key} was put without lock, checksum or condition"),
        Family::LiveCheckpoint => {
            assert!(is_tagged("live") && put.only_if.is_some(), "{key} was not put as live checkpoints are");
        }
        Family::Plan => assert_eq!(put.only_if, Some(OnlyIf::Free), "the plan {key} could be overwritten"),
        Family::Spill => assert_eq!(put.only_if, Some(OnlyIf::Free), "the records in {key} could be overwritten"),
        Family::Gold if key.starts_with(keys::GOLD_RUNS) => {
            assert_eq!(put.only_if, Some(OnlyIf::Free), "the run {key} could be overwritten");
        }
        Family::Silver | Family::SweepState | Family::Gold => {
            assert!(put.only_if.is_some(), "{key} was put without a condition")
        }
        Family::Quarantine if By::of_key(key) == Some(By::Ingest) => panic!("{key} is Firehose's to put"),
        Family::Quarantine | Family::Poison => assert_eq!(put.only_if, None, "{key} may be put again"),
        Family::Bronze | Family::Error => panic!("{key} is Firehose's to put"),
        Family::QueryResult => panic!("{key} is Athena's to put"),
        Family::Reference => panic!("{key} is the owner's to put"),
        other => panic!("{key}: {other:?} is a family of rows"),
    }
}

/// Panics if an object of its family never takes the place of this one.
///
/// # Panics
/// As said.
pub(crate) fn check_replaced(put: &Put, before: &Version, was_tampered: bool, now_ms: i64) {
    let key = &put.key;
    match family_of(key) {
        // Nothing but a repair of what an attacker left there puts other bytes.
        Some(Family::Tile) => assert!(was_tampered || before.bytes == put.bytes, "{key} would be put with other bytes"),
        Some(Family::Quarantine | Family::Poison) => {
            assert_eq!(before.bytes, put.bytes, "{key} was put again with other bytes");
        }
        Some(Family::Silver) => {
            assert!(now_ms - before.written_at_ms > RUNS_MS, "{key} was replaced while its writer may be alive");
        }
        _ => {}
    }
}

/// Panics unless this lock may take the place of that.
///
/// # Panics
/// As said.
pub(crate) fn check_relock(key: &str, before: Option<&Lock>, lock: &Lock, now_s: u64) {
    assert!(matches!(family_of(key), Some(Family::Segment) | None), "{key} keeps the lock that it was put with");
    check_lock_lasts(key, lock, now_s);
    assert!(before.is_none_or(|before| lock.covers(before)), "the lock of {key} would become shorter or weaker");
}

/// Panics unless its family's objects are tagged after they were put.
///
/// # Panics
/// As said.
pub(crate) fn check_tag(key: &str, value: &str) {
    let fits = match family_of(key) {
        Some(Family::Tile) => !tile_of(key).is_full() && value == "retired",
        other => other.is_none(),
    };
    assert!(fits, "{key} is not a partial tile to retire");
}

/// Panics unless the product deletes objects of this family, and does so for good.
///
/// # Panics
/// As said.
pub(crate) fn check_delete(key: &str, is_there: bool, is_for_good: bool) {
    match family_of(key) {
        Some(Family::Segment) => assert!(is_for_good, "{key} would only be hidden"),
        Some(Family::Error) => {
            assert!(is_for_good, "{key} would only be hidden");
            assert!(is_there, "{key} was deleted before");
        }
        None => {}
        _ => panic!("{key} is neither a segment nor an error object: nothing else is ever deleted"),
    }
}

/// Panics if listing this prefix would read more than one event type's objects.
///
/// # Panics
/// As said.
pub(crate) fn check_list(prefix: &str) {
    let is_of_bucket = !prefix.is_empty() && !keys::BRONZE.starts_with(prefix);
    let is_bronze = folder(prefix) == keys::BRONZE;
    assert!(is_of_bucket && (!is_bronze || prefix.starts_with("bronze/event_type=")), "{prefix} is not one family");
}

fn check_lock_lasts(key: &str, lock: &Lock, now_s: u64) {
    assert!(lock.retain_until_s > now_s, "{key} would be locked until a time in the past");
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_lake::keys::PlanOf;
    use ledgerline_ledger::checkpoint::live_key;
    use ledgerline_ledger::log::LogId;

    #[test]
    fn each_put_has_the_name_by_which_faults_are_planned() {
        let object = ledgerline_lake::ObjectId::of("bucket", "bronze/x");
        let log = LogId::parse("acme/interaction/1/0").unwrap();
        let tile = |width| Tile::new(0, 3, width).unwrap().key(&log);
        for (key, label) in [
            (SegmentName::of(&log, 0, 1, b"x").key(), "segment"),
            (tile(256), "tile"),
            (tile(7), "partial tile"),
            (ledgerline_ledger::checkpoint::archive_key(&log, 9), "archived checkpoint"),
            (live_key(&log), "live checkpoint"),
            (keys::staged(PlanOf::Bronze, object), "staged"),
            (keys::staged(PlanOf::Acts, object), "staged"),
            (keys::quarantine_of(object), "quarantine"),
            (keys::poison("sweep", "1"), "poison"),
            ("sweep/reconciliation.json".to_owned(), "sweep"),
            ("bronze/event_type=x/y".to_owned(), "bronze"),
        ] {
            assert_eq!(put_label(&key), format!("s3:PutObject {label}"), "{key}");
        }
    }

    #[test]
    #[should_panic(expected = "no family has the key")]
    fn a_key_of_no_family_is_a_defect() {
        family_of("ledger/acme/interaction/1/0/other");
    }
}
