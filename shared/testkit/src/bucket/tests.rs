//! What the fake does like S3, and every family of objects over it.

use std::time::Duration;

use ledgerline_lake::keys::PlanOf;
use ledgerline_lake::{ObjectId, keys};
use ledgerline_ledger::lock::LockMode;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::tile::Tile;
use ledgerline_store::bronze_object::{BronzeObject, BronzeObjects};
use ledgerline_store::bucket::{delete_behind, versions_of};
use ledgerline_store::checkpoint::Checkpoints;
use ledgerline_store::error_object::ErrorObjects;
use ledgerline_store::plan::{self, Plans};
use ledgerline_store::poison::Poison;
use ledgerline_store::quarantine::Quarantine;
use ledgerline_store::segment::{self, Segments};
use ledgerline_store::silver::Silver;
use ledgerline_store::sweep_state::SweepStates;
use ledgerline_store::tile::Tiles;

use super::*;
use crate::faults::Fault;

const NOW_MS: i64 = 1_772_460_000_000;
const NOW_S: u64 = 1_772_460_000;
const YEAR: Lock = Lock { mode: LockMode::Governance, retain_until_s: NOW_S + 365 * 86_400 };

fn ledger() -> FakeBucket {
    FakeBucket::versioned("LedgerBucket", Faults::none(), Calls::default(), NOW_MS)
}

fn staged() -> FakeBucket {
    FakeBucket::new("StagedBucket", Faults::none(), Calls::default(), NOW_MS)
}

fn log() -> LogId {
    LogId::parse("acme/interaction/1/0").unwrap()
}

fn segment_at(first: u64) -> (String, Vec<u8>, Hash) {
    let bytes = format!("segment {first}").into_bytes();
    (SegmentName::of(&log(), first, 1, &bytes).key(), bytes.clone(), Hash::of_object(&bytes))
}

fn version(made: usize) -> String {
    format!("v-{made:030}")
}

async fn put_segments(segments: &Segments, firsts: impl IntoIterator<Item = u64>) {
    for first in firsts {
        let (key, bytes, sha256) = segment_at(first);
        assert!(matches!(segments.put(&key, &bytes, &sha256, &YEAR).await, Ok(segment::Put::Written { .. })));
    }
}

fn kind<T: std::fmt::Debug>(result: Result<T, StoreError>) -> &'static str {
    result.unwrap_err().kind()
}

fn test_put(bytes: &'static str) -> Put {
    Put::of("test/a", bytes, "text/plain")
}

#[tokio::test]
async fn versions_are_kept_and_a_delete_marker_hides_them() {
    let fake = ledger();
    let port = fake.port();
    for bytes in ["one", "two"] {
        port.put("", test_put(bytes)).await.unwrap();
    }
    let first = port.get("", Get::version("test/a", version(0))).await.unwrap();
    let second = port.get("", Get::current("test/a")).await.unwrap();
    assert_eq!((&first.bytes[..], &second.bytes[..]), (&b"one"[..], &b"two"[..]));
    assert_ne!(first.tag, second.tag);
    port.delete("", "test/a", None).await.unwrap();
    assert_eq!(kind(port.get("", Get::current("test/a")).await), "not_found");
    assert_eq!(kind(port.head("", "test/a", None).await), "not_found");
    assert_eq!(port.head("", "test/a", Some(&version(1))).await.unwrap().bytes, 3);
    assert!(port.list("", "test/", "", 10).await.unwrap().is_empty());
    assert_eq!((fake.get("test/a"), fake.versions("test/a").len()), (None, 3));
    port.delete("", "test/a", Some("marker-2")).await.unwrap();
    assert_eq!(fake.get("test/a").unwrap(), "two");
    port.delete("", "test/a", Some(&version(1))).await.unwrap();
    port.delete("", "test/a", Some(&version(1))).await.unwrap();
    assert_eq!((fake.get("test/a").unwrap(), fake.deleted()["test/a"].clone()), ("one".into(), "two".into()));
}

#[tokio::test]
async fn a_bucket_without_versions_keeps_the_last() {
    let fake = staged();
    let port = fake.port();
    for bytes in ["one", "two"] {
        assert_eq!(port.put("", test_put(bytes)).await.unwrap(), PutOutcome::Written { version_id: None });
    }
    assert_eq!(fake.versions("test/a").len(), 1);
    assert_eq!(port.open("", Get::current("test/a")).await.unwrap().version_id, None);
    port.delete("", "test/a", None).await.unwrap();
    assert!(fake.all().is_empty());
}

#[tokio::test]
async fn a_condition_holds_or_the_put_is_refused_with_the_time() {
    let (fake, refused) = (staged(), PutOutcome::Refused { at_ms: Some(NOW_MS + 5) });
    let port = fake.port();
    assert_eq!(kind(port.put("", test_put("x").in_place_of(Some("\"e-0\""))).await), "not_found");
    assert!(matches!(port.put("", test_put("x").if_free()).await, Ok(PutOutcome::Written { .. })));
    fake.set_now_ms(NOW_MS + 5);
    assert_eq!(port.put("", test_put("x").if_free()).await.unwrap(), refused);
    let before = port.get("", Get::current("test/a")).await.unwrap();
    assert_eq!(before.written_at_ms, Some(NOW_MS));
    // Equal bytes, and another tag all the same.
    assert!(matches!(port.put("", test_put("x").in_place_of(Some(&before.tag))).await, Ok(PutOutcome::Written { .. })));
    assert_eq!(port.put("", test_put("y").in_place_of(Some(&before.tag))).await.unwrap(), refused);
}

#[tokio::test]
async fn a_struck_put_is_lost_or_kept_under_the_name_of_its_family() {
    let faults = Faults::at(0, Fault::Lost);
    faults.plan(1, Fault::PersistedButErrored);
    let fake = FakeBucket::new("StagedBucket", faults.clone(), Calls::default(), NOW_MS);
    let poison = Poison::new(fake.port());
    for kept in [false, true] {
        assert_eq!(kind(poison.keep("sweep", "m", Bytes::from("{}")).await), "unknown");
        assert_eq!(fake.get("poison/sweep/m.json").is_some(), kept);
    }
    poison.keep("sweep", "m", Bytes::from("{}")).await.unwrap();
    assert_eq!(faults.log(), ["s3:PutObject poison"; 3]);
}

#[tokio::test]
async fn ranges_end_with_the_object_and_never_begin_behind_it() {
    let fake = staged();
    fake.seed("test/a", "0123456789");
    let port = fake.port();
    let read = async |offset, length| port.get("", Get::current("test/a").range(offset, length)).await;
    assert_eq!(read(2, 3).await.unwrap().bytes, "234");
    assert_eq!(read(8, 5).await.unwrap().bytes, "89");
    assert_eq!(kind(read(10, 1).await), "corrupt");
    assert_eq!(kind(read(0, 0).await), "corrupt");
}

#[tokio::test]
async fn lists_go_on_where_they_end() {
    let fake = ledger();
    for number in 0..4 {
        for _ in 0..5 {
            fake.seed(&format!("test/{number}"), "x");
        }
    }
    fake.delete("test/1");
    let port = fake.port();
    let (mut seen, mut behind, mut pages) = (Vec::new(), None, 0);
    loop {
        let (page, next) = port.list_versions("", "test/", behind, 1_000).await.unwrap();
        seen.extend(page);
        pages += 1;
        let Some(next) = next else { break };
        behind = Some(next);
    }
    assert_eq!((seen.len(), pages), (21, 3));
    assert!(seen.is_sorted_by_key(|one| one.key.clone()));
    let second: Vec<&ListedVersion> = seen.iter().filter(|one| one.key == "test/1").collect();
    assert!(second[0].is_delete_marker && second[0].is_latest && !second[1].is_latest);
    assert_eq!(second[1].version_id, version(9));
    let marker = VersionMarker { key: "test/2".to_owned(), version_id: None };
    let (page, next) = port.list_versions("", "test/", Some(marker), 5).await.unwrap();
    assert!(page.iter().all(|one| one.key == "test/3") && page.len() == 5 && next.is_none());
    let listed = port.list("", "test/", "test/0", 2).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.key.as_str()).collect::<Vec<_>>(), ["test/2", "test/3"]);
}

#[tokio::test]
async fn calls_and_what_a_role_must_allow_are_noted() {
    let calls = Calls::default();
    let fake = FakeBucket::versioned("LedgerBucket", Faults::none(), calls.clone(), NOW_MS);
    let segments = Segments::new(fake.port());
    put_segments(&segments, [0]).await;
    assert_eq!(kind(segments.state(&segment_at(1).0).await), "not_found");
    assert!(segments.protection(&segment_at(0).0, &version(0)).await.unwrap().is_some());
    segments.from(&log(), 0, 10).await.unwrap();
    let by_name = calls.by_name();
    assert_eq!((by_name["s3:PutObject"], by_name["s3:HeadObject"], by_name["s3:ListObjectVersions"]), (1, 2, 1));
    let touched = calls.touched();
    assert!(touched.iter().all(|one| one.resource == "LedgerBucket" && one.part.starts_with("ledger/")));
    let actions: Vec<&str> = touched.iter().map(|one| one.action).collect();
    assert_eq!(
        actions,
        [
            "s3:GetObject",
            "s3:GetObjectLegalHold",
            "s3:GetObjectRetention",
            "s3:GetObjectVersion",
            "s3:ListBucket",
            "s3:ListBucketVersions",
            "s3:PutObject",
            "s3:PutObjectRetention"
        ]
    );
}

#[tokio::test]
async fn a_segment_is_put_once_and_read_by_version() {
    let fake = ledger();
    let segments = Segments::new(fake.port());
    put_segments(&segments, [0]).await;
    let (key, bytes, sha256) = segment_at(0);
    assert_eq!(segments.put(&key, &bytes, &sha256, &YEAR).await.unwrap(), segment::Put::Exists);
    let state = segments.state(&key).await.unwrap();
    assert_eq!((state.bytes, state.sha256, state.lock), (bytes.len() as u64, Some(sha256), Some(YEAR)));
    assert_eq!(segments.read(&key, &state.version_id).await.unwrap(), bytes);
    assert_eq!(segments.read_range(&key, &state.version_id, 8, 1).await.unwrap(), "0");
    assert_eq!(kind(segments.read_range(&key, &state.version_id, 8, 2).await), "corrupt");
    assert_eq!(kind(segments.read(&key, &version(9)).await), "not_found");
    let unversioned = staged();
    unversioned.seed(&key, bytes);
    assert_eq!(kind(Segments::new(unversioned.port()).state(&key).await), "corrupt");
}

#[tokio::test]
async fn segments_are_listed_beyond_pages_and_below_markers() {
    let fake = ledger();
    let segments = Segments::new(fake.port());
    put_segments(&segments, 0..20).await;
    fake.seed("ledger/acme/interaction/1/0/segment/other", "x");
    fake.delete(&segment_at(5).0);
    let firsts = async |from, limit| {
        let found = segments.from(&log(), from, limit).await.unwrap();
        assert!(found.iter().all(|one| one.written_at_ms == NOW_MS));
        let first = |key: &str| SegmentName::parse(key).unwrap().first;
        found.iter().map(|one| first(&one.key)).collect::<Vec<u64>>()
    };
    assert_eq!(firsts(0, 1_000).await, (0..20).collect::<Vec<_>>());
    assert_eq!(firsts(5, 9).await, (5..14).collect::<Vec<_>>());
    assert_eq!(firsts(20, 1).await, [0; 0]);
}

#[tokio::test]
async fn the_oldest_version_is_found_below_all_others() {
    let (fake, key) = (ledger(), segment_at(0).0);
    let segments = Segments::new(fake.port());
    assert_eq!(segments.oldest(&key).await.unwrap(), None);
    fake.delete(&key);
    assert_eq!(segments.oldest(&key).await.unwrap(), None);
    for number in 0..20 {
        fake.seed(&key, format!("{number}"));
    }
    fake.seed(&format!("{key}x"), "longer");
    assert_eq!(segments.oldest(&key).await.unwrap().unwrap(), "0");
}

#[tokio::test]
async fn nothing_that_is_locked_or_held_is_deleted() {
    let (fake, key) = (ledger(), segment_at(0).0);
    let segments = Segments::new(fake.port());
    put_segments(&segments, [0]).await;
    assert_eq!(kind(segments.delete(&key, &version(0)).await), "denied");
    let longer = Lock { mode: LockMode::Compliance, retain_until_s: YEAR.retain_until_s + 1 };
    segments.extend_lock(&key, &version(0), &longer).await.unwrap();
    fake.set_now_ms((YEAR.retain_until_s * 1_000) as i64);
    assert_eq!(kind(segments.delete(&key, &version(0)).await), "denied");
    fake.set_now_ms((longer.retain_until_s * 1_000) as i64);
    fake.hold_at_deletion(&key, &version(0));
    assert_eq!(kind(segments.delete(&key, &version(0)).await), "denied");
    assert!(segments.protection(&key, &version(0)).await.unwrap().unwrap().legal_hold);
    fake.port().put_legal_hold("", &key, &version(0), false).await.unwrap();
    segments.delete(&key, &version(0)).await.unwrap();
    assert_eq!(segments.protection(&key, &version(0)).await.unwrap(), None);
    assert_eq!((fake.keys("").len(), fake.deleted().len()), (0, 1));
}

#[tokio::test]
#[should_panic(expected = "would become shorter or weaker")]
async fn a_lock_never_becomes_shorter() {
    let segments = Segments::new(ledger().port());
    put_segments(&segments, [0]).await;
    let shorter = Lock { retain_until_s: YEAR.retain_until_s - 1, ..YEAR };
    drop(segments.extend_lock(&segment_at(0).0, &version(0), &shorter).await);
}

#[tokio::test]
#[should_panic(expected = "is not the name of these bytes")]
async fn a_segments_name_fits_its_bytes() {
    let segments = Segments::new(ledger().port());
    drop(segments.put(&segment_at(0).0, b"x", &Hash::of_object(b"x"), &YEAR).await);
}

#[tokio::test]
#[should_panic(expected = "until a time in the past")]
async fn a_lock_ends_in_the_future() {
    let (key, bytes, sha256) = segment_at(0);
    let over = Lock { retain_until_s: NOW_S, ..YEAR };
    drop(Segments::new(ledger().port()).put(&key, &bytes, &sha256, &over).await);
}

#[tokio::test]
#[should_panic(expected = "objects of its family are never deleted")]
async fn no_plan_is_deleted() {
    drop(staged().port().delete("", &keys::staged(PlanOf::Bronze, ObjectId::of("bucket", "key")), None).await);
}

#[tokio::test]
#[should_panic(expected = "could be overwritten")]
async fn no_plan_is_put_without_a_condition() {
    let key = keys::staged(PlanOf::Acts, ObjectId::of_act("hold/1"));
    drop(staged().port().put("", Put::of(key, "x", "text/plain")).await);
}

#[tokio::test]
#[should_panic(expected = "put again with other bytes")]
async fn what_is_quarantined_stays_the_same() {
    let quarantine = Quarantine::new(staged().port());
    for lines in ["x", "x", "y"] {
        quarantine.put(ObjectId::of("bucket", "key"), Bytes::from(lines)).await.unwrap();
    }
}

#[tokio::test]
async fn a_partial_tile_is_put_again_tagged_and_repaired() {
    let fake = ledger();
    let tiles = Tiles::new(fake.port());
    let key = Tile::new(0, 0, 2).unwrap().key(&log());
    assert_eq!(tiles.tile(&key).await.unwrap(), None);
    tiles.put_partial(&key, &[1; 64]).await.unwrap();
    fake.tamper(&key, 0);
    tiles.put_partial(&key, &[1; 64]).await.unwrap();
    tiles.put_partial(&key, &[1; 64]).await.unwrap();
    assert_eq!(tiles.tile(&key).await.unwrap().unwrap(), &[1; 64][..]);
    assert_eq!(fake.current(&key).unwrap().tag.as_deref(), Some("partial"));
    tiles.retire_partial(&key).await.unwrap();
    assert_eq!(fake.current(&key).unwrap().tag.as_deref(), Some("retired"));
    let full = Tile::new(0, 0, 256).unwrap().key(&log());
    assert!(matches!(tiles.put_full(&full, &[1; 8192], &YEAR).await, Ok(segment::Put::Written { .. })));
    assert_eq!(tiles.put_full(&full, &[1; 8192], &YEAR).await.unwrap(), segment::Put::Exists);
}

#[tokio::test]
async fn checkpoints_are_archived_once_and_the_live_one_is_replaced_by_its_reader() {
    let fake = ledger();
    let checkpoints = Checkpoints::new(fake.port());
    for size in 1..20 {
        let put = checkpoints.put_archived(&log(), size, format!("{size}").as_bytes(), &YEAR).await.unwrap();
        assert!(matches!(put, segment::Put::Written { .. }));
    }
    assert_eq!(checkpoints.put_archived(&log(), 7, b"x", &YEAR).await.unwrap(), segment::Put::Exists);
    fake.delete(&ledgerline_ledger::checkpoint::archive_key(&log(), 8));
    let sizes = async |from, limit| {
        let found = checkpoints.archived(&log(), from, limit).await.unwrap();
        found.iter().map(|one| one.size).collect::<Vec<_>>()
    };
    assert_eq!(sizes(7, 3).await, [7, 8, 9]);
    assert_eq!(sizes(0, 1_000).await, (1..20).collect::<Vec<_>>());
    let hidden = &checkpoints.archived(&log(), 8, 1).await.unwrap()[0];
    assert_eq!(checkpoints.read(hidden).await.unwrap(), "8");
    assert_eq!(checkpoints.live(&log()).await.unwrap(), None);
    checkpoints.put_live(&log(), b"1", None).await.unwrap();
    assert_eq!(kind(checkpoints.put_live(&log(), b"2", None).await), "conflict");
    let (note, tag) = checkpoints.live(&log()).await.unwrap().unwrap();
    assert_eq!(note, "1");
    checkpoints.put_live(&log(), b"2", Some(&tag)).await.unwrap();
    assert_eq!(kind(checkpoints.put_live(&log(), b"3", Some(&tag)).await), "conflict");
}

#[tokio::test(start_paused = true)]
async fn a_plan_waits_for_the_race_of_another_and_is_never_overwritten() {
    let faults = Faults::none();
    (0..2).for_each(|nth| faults.plan(nth, Fault::Conflict));
    (4..9).for_each(|nth| faults.plan(nth, Fault::Conflict));
    let fake = FakeBucket::new("StagedBucket", faults.clone(), Calls::default(), NOW_MS);
    let (plans, began) = (Plans::new(fake.port()), tokio::time::Instant::now());
    let (of, object) = (PlanOf::Bronze, ObjectId::of("bucket", "key"));
    assert_eq!(plans.get_head(of, object, 2).await.unwrap(), None);
    assert_eq!(plans.put_if_absent(of, object, Bytes::from("plan")).await.unwrap(), plan::Put::Created);
    assert_eq!(began.elapsed(), Duration::from_millis(300));
    assert_eq!(plans.put_if_absent(of, object, Bytes::from("other")).await.unwrap(), plan::Put::Exists);
    assert_eq!(kind(plans.put_if_absent(of, object, Bytes::from("other")).await), "conflict");
    assert_eq!((faults.writes(), began.elapsed()), (9, Duration::from_millis(1_800)));
    assert_eq!(plans.get_head(of, object, 2).await.unwrap().unwrap(), "pl");
    assert_eq!(plans.get_head(of, object, 9).await.unwrap().unwrap(), "plan");
    assert_eq!(plans.get_head(PlanOf::Acts, object, 9).await.unwrap(), None);
}

#[tokio::test]
async fn other_rows_replace_a_silver_file_once_its_writer_is_dead() {
    let fake = FakeBucket::new("LakeBucket", Faults::none(), Calls::default(), NOW_MS);
    let silver = Silver::new(fake.port());
    let key = format!("silver/events/date=2026-03-02/{}.parquet", ObjectId::of("bucket", "key"));
    for _ in 0..2 {
        silver.put(&key, Bytes::from("one")).await.unwrap();
    }
    fake.set_now_ms(NOW_MS + 900_000);
    assert_eq!(kind(silver.put(&key, Bytes::from("two")).await), "conflict");
    fake.set_now_ms(NOW_MS);
    fake.grow_old();
    silver.put(&key, Bytes::from("two")).await.unwrap();
    assert_eq!(fake.get(&key).unwrap(), "two");
    assert_eq!(kind(silver.put(&key, Bytes::from("three")).await), "conflict");
    // A later run with the dead one's rows is alive itself.
    fake.grow_old();
    silver.put(&key, Bytes::from("two")).await.unwrap();
    assert_eq!(kind(silver.put(&key, Bytes::from("three")).await), "conflict");
}

#[tokio::test]
async fn a_state_is_replaced_by_who_loaded_it() {
    let (fake, key) = (staged(), "sweep/state.json");
    let states = SweepStates::new(fake.port());
    assert_eq!(states.load(key).await.unwrap(), None);
    states.store(key, b"1".to_vec(), None).await.unwrap();
    assert_eq!(kind(states.store(key, b"1".to_vec(), None).await), "conflict");
    let loaded = states.load(key).await.unwrap().unwrap();
    states.store(key, b"2".to_vec(), Some(&loaded.tag)).await.unwrap();
    assert_eq!(kind(states.store(key, b"3".to_vec(), Some(&loaded.tag)).await), "conflict");
    fake.damage(key);
    assert_eq!(states.load(key).await.unwrap().unwrap().bytes, "damaged");
    fake.lose(Some("sweep/other"));
    fake.lose(Some(key));
    assert_eq!(kind(states.store(key, b"4".to_vec(), Some(&loaded.tag)).await), "conflict");
    assert_eq!(states.load(key).await.unwrap(), None);
}

#[tokio::test]
async fn bronze_is_listed_and_streamed_in_pieces() {
    let fake = FakeBucket::new("BronzeBucket", Faults::none(), Calls::default(), NOW_MS);
    let (prefix, bytes) = ("bronze/event_type=call/", vec![7; 2 * PIECE_BYTES + 1]);
    fake.seed(&format!("{prefix}a"), bytes.clone());
    fake.seed_at(&format!("{prefix}b"), "x", NOW_MS - 1);
    fake.seed("bronze/event_type=chat/c", "x");
    let bronze = BronzeObjects::new(fake.port());
    let page = bronze.page(prefix, &format!("{prefix}a")).await.unwrap();
    assert_eq!(page, [BronzeObject { key: format!("{prefix}b"), written_at_ms: NOW_MS - 1 }]);
    let mut body = bronze.open(&format!("{prefix}a")).await.unwrap();
    let mut pieces = Vec::new();
    while let Some(piece) = body.next().await.unwrap() {
        pieces.push(piece);
    }
    assert_eq!((pieces.len(), pieces.concat()), (3, bytes));
    assert_eq!(kind(bronze.open("bronze/none").await), "not_found");
    fake.set_denied(Some("bronze/"));
    assert_eq!(kind(bronze.open(&format!("{prefix}a")).await), "denied");
}

#[tokio::test]
async fn an_error_object_is_read_kept_and_deleted_by_version() {
    let fake = FakeBucket::versioned("BronzeBucket", Faults::none(), Calls::default(), NOW_MS);
    let errors = ErrorObjects::new(Arc::new(FakeBuckets(BTreeMap::from([("bronze", fake.clone())]))));
    fake.seed("errors/a", "0123456789");
    let mut opened = errors.open("bronze", "errors/a").await.unwrap();
    assert_eq!(opened.body.next().await.unwrap().unwrap(), "0123456");
    errors.keep("bronze", "quarantine/redrive/a.jsonl", Bytes::from("x")).await.unwrap();
    errors.delete("bronze", "errors/a", opened.version_id.as_deref()).await.unwrap();
    assert_eq!(fake.keys(""), ["quarantine/redrive/a.jsonl"]);
    assert_eq!(kind(errors.open("bronze", "errors/a").await), "not_found");
}

#[tokio::test]
async fn only_what_lies_behind_ones_own_version_is_deleted() {
    let fake = ledger();
    let port = fake.port();
    // More than a page, and a marker among them; keys that begin alike stay.
    for bytes in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        port.put("", test_put(bytes)).await.unwrap();
    }
    fake.delete("test/a");
    port.put("", test_put("own")).await.unwrap();
    port.put("", test_put("newer")).await.unwrap();
    for other in ["test/", "test/a.gz", "test/a/b", "test/b"] {
        fake.seed(other, "other");
        fake.seed(other, "other");
    }
    let listed = versions_of(&*port, "", "test/a").await.unwrap();
    assert_eq!((listed.len(), listed[0].version_id.as_str()), (11, version(10).as_str()));
    assert_eq!(delete_behind(&*port, "", "test/a", "v-none").await.unwrap(), 0, "it is not there");
    assert_eq!(delete_behind(&*port, "", "test/a", &version(9)).await.unwrap(), 9);
    let left: Vec<Bytes> = fake.versions("test/a").into_iter().map(|version| version.bytes).collect();
    assert_eq!(left, ["own", "newer"]);
    assert!(["test/", "test/a.gz", "test/a/b", "test/b"].iter().all(|other| fake.versions(other).len() == 2));
    assert_eq!(delete_behind(&*port, "", "test/a", &version(9)).await.unwrap(), 0);
    // Behind a marker that hides the object, too.
    fake.delete("test/a");
    let marker = versions_of(&*port, "", "test/a").await.unwrap().remove(0);
    assert!(marker.is_delete_marker);
    assert_eq!(delete_behind(&*port, "", "test/a", &marker.version_id).await.unwrap(), 2);
    assert_eq!(fake.versions("test/a").len(), 1);
}

fn bronze_key() -> String {
    "bronze/event_type=interaction/x.gz".to_owned()
}

#[tokio::test]
async fn an_object_of_bronze_keeps_its_class_and_is_replaced_as_it_was_read_alone() {
    let fake = FakeBucket::versioned("BronzeBucket", Faults::none(), Calls::default(), NOW_MS);
    let (bronze, key) = (BronzeObjects::new(fake.port()), bronze_key());
    assert_eq!(bronze.read(&key).await.unwrap(), None);
    fake.seed(&key, "{\"a\":1}\n{\"b\":2}\n");
    fake.set_class(&key, "STANDARD_IA");
    let read = bronze.read(&key).await.unwrap().unwrap();
    assert_eq!(
        (read.version_id.clone(), read.class.clone()),
        (Some(version(0)), Some(StorageClass("STANDARD_IA".into())))
    );
    let without =
        |line| ledgerline_lake::redact::redact(&read.bytes, &mut |number, _| number == line).unwrap().gzip.unwrap();
    let put = bronze.replace(&key, without(0).into(), &read).await.unwrap();
    assert_eq!(put, PutOutcome::Written { version_id: Some(version(1)) });
    assert_eq!(fake.current(&key).unwrap().class, read.class);
    // The other of two erasures at once reads again.
    let refused = bronze.replace(&key, without(1).into(), &read).await.unwrap();
    assert!(matches!(refused, PutOutcome::Refused { .. }));
}

#[tokio::test]
#[should_panic(expected = "was put with other lines")]
async fn an_object_of_bronze_that_loses_more_than_lines_is_a_defect() {
    let fake = FakeBucket::versioned("BronzeBucket", Faults::none(), Calls::default(), NOW_MS);
    let (bronze, key) = (BronzeObjects::new(fake.port()), bronze_key());
    fake.seed(&key, "{\"a\":1}\n{\"b\":2}\n");
    let read = bronze.read(&key).await.unwrap().unwrap();
    let _ = bronze.replace(&key, Bytes::from("{\"b\":2}\n"), &read).await;
}

#[tokio::test]
#[should_panic(expected = "was replaced while its writer may be alive")]
async fn a_silver_file_that_loses_more_than_values_is_a_defect() {
    let (fake, key) = (staged(), format!("silver/events/date=2026-03-02/{}.parquet", ObjectId::of("b", "k")));
    fake.seed(&key, "rows");
    let silver = Silver::new(fake.port());
    let read = silver.read(&key).await.unwrap().unwrap();
    let _ = silver.replace(&key, Bytes::from("others"), &read.tag).await;
}
