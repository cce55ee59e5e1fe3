//! Holds over the tests' stores: wherever a run ends, what S3 holds is named by the row that keeps erasures off it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use ledgerline_custody::holding::{Holding, Released};
use ledgerline_ledger::lock::{Lock, LockMode};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::posting::Posting;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::hold::HoldRow;
use ledgerline_store::party;
use ledgerline_store::queue::EraseNote;
use ledgerline_store::table::IntoValue as _;
use ledgerline_testkit::bucket::FakeBucket;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::{ALL_FAULTS, Faults};
use ledgerline_testkit::queue::FakeQueue;
use ledgerline_testkit::table::FakeTable;

const NOW: &str = "2026-03-02T14:00:00.000Z";
const LATER: &str = "2026-04-02T14:00:00.000Z";
/// Both keep entries of the record; the first one those of another, too.
const SEGMENTS: [&str; 2] = [
    "ledger/acme/interaction/1/0/segment/00000000000000000000-1-0000000000000000.jsonl.gz",
    "ledger/acme/interaction/1/0/segment/00000000000000000001-1-0000000000000000.jsonl.gz",
];

struct World {
    control: FakeTable,
    index: FakeTable,
    keys: FakeTable,
    bucket: FakeBucket,
    erase: FakeQueue,
    faults: Faults,
}

impl World {
    async fn new(faults: Faults) -> Self {
        let table = |name| FakeTable::new(name, Faults::none(), Calls::default());
        let (control, index, keys) = (table("ControlTable"), table("IndexTable"), table("KeysTable"));
        let bucket = FakeBucket::versioned("LedgerBucket", Faults::none(), Calls::default(), 0);
        let erase = FakeQueue::new("EraseQueue", Faults::none(), Calls::default());
        let world = Self { control, index, keys, bucket, erase, faults };
        for (first, segment) in (0..).zip(SEGMENTS) {
            world.bucket.seed_locked(segment, "", Lock { mode: LockMode::Governance, retain_until_s: 1 });
            let posting = Posting {
                record_key: "acme/c-1".to_owned(),
                log: log(),
                first,
                segment: segment.to_owned(),
                version_id: world.bucket.current(segment).unwrap().version_id,
                from: NOW.to_owned(),
                to: NOW.to_owned(),
                members: Vec::new(),
            };
            let of_another = Posting { record_key: "acme/c-2".to_owned(), ..posting.clone() };
            let postings = if first == 0 { vec![posting, of_another] } else { vec![posting] };
            world.holding(&Faults::none()).ledger.postings.put(&postings).await.unwrap();
        }
        world
    }

    fn holding(&self, faults: &Faults) -> Holding {
        let table = |table: &FakeTable| table.seen_by(faults.clone(), Calls::default()).port();
        let bucket = self.bucket.seen_by(faults.clone(), Calls::default()).port();
        let erase = self.erase.seen_by(faults.clone(), Calls::default()).port();
        Holding::new(&table(&self.control), &table(&self.index), &table(&self.keys), &bucket, &erase)
    }

    /// What the eraser was told.
    fn told(&self) -> Vec<EraseNote> {
        self.erase.bodies().iter().map(|body| EraseNote::parse(body).unwrap()).collect()
    }

    /// An erasure that met a hold, and waits.
    async fn postpone(&self, record: &str) -> Result<(), StoreError> {
        let holding = self.holding(&Faults::none());
        let party = holding.parties.read(&[record]).await?.remove(0);
        let own = BTreeSet::from(["s_own".to_owned()]);
        holding.parties.postpone(&self.control.port(), record, &party, &own, Cutoff::Closed).await
    }

    async fn place(&self, faults: &Faults, hold: &HoldRow) -> Result<(), StoreError> {
        let holding = self.holding(faults);
        let row = holding.holds.note(hold).await?;
        assert_eq!(holding.place(&row).await?.len(), if hold.record_key == "acme/c-1" { 2 } else { 1 });
        Ok(())
    }

    /// Which segments S3 holds.
    fn held(&self) -> [bool; 2] {
        SEGMENTS.map(|segment| self.bucket.current(segment).unwrap().legal_hold)
    }

    async fn is_named(&self, record: &str) -> bool {
        self.holding(&Faults::none()).held.is_held(record).await.unwrap()
    }

    async fn row(&self, hold: &HoldRow) -> Option<HoldRow> {
        self.holding(&Faults::none()).holds.hold(&hold.hold, &hold.record_key).await.unwrap()
    }
}

fn log() -> LogId {
    LogId::parse("acme/interaction/1/0").unwrap()
}

fn hold(name: &str, record_key: &str) -> HoldRow {
    HoldRow {
        hold: name.to_owned(),
        record_key: record_key.to_owned(),
        log: log(),
        purpose: "litigation".to_owned(),
        basis: "legal-claims".to_owned(),
        review: "2027-01-01".to_owned(),
        placed_at: NOW.to_owned(),
        lifted_at: None,
    }
}

#[tokio::test]
async fn a_hold_that_is_placed_keeps_erasures_off_before_a_segment_is_held_whatever_fails() {
    let wanted = hold("matter-7", "acme/c-1");
    let world = World::new(Faults::none()).await;
    world.place(&world.faults, &wanted).await.unwrap();
    let writes = world.faults.writes();
    // The hold's row, the record's row, two segments.
    assert_eq!(writes, 4, "{:?}", world.faults.log());
    for (nth, fault) in (0..writes).flat_map(|nth| ALL_FAULTS.map(|fault| (nth, fault))) {
        let world = World::new(Faults::at(nth, fault)).await;
        assert!(world.place(&world.faults, &wanted).await.is_err());
        let (held, is_named) = (world.held(), world.is_named("acme/c-1").await);
        assert!(is_named || held == [false; 2], "{fault:?} at {nth}: held, and an erasure may go on");
        assert!(world.row(&wanted).await.is_some() || !is_named, "{fault:?} at {nth}: held off, and nobody knows why");
        world.place(&world.faults, &wanted).await.unwrap();
        assert_eq!((world.held(), world.is_named("acme/c-1").await), ([true; 2], true), "{fault:?} at {nth}");
        assert_eq!(world.faults.struck(), 1);
    }
}

#[tokio::test]
async fn a_hold_that_is_lifted_lets_erasures_go_on_after_the_last_segment_is_released_whatever_fails() {
    let (mine, others) = (hold("matter-7", "acme/c-1"), hold("matter-8", "acme/c-2"));
    let placed = async |faults: Faults| {
        let world = World::new(faults).await;
        world.place(&Faults::none(), &mine).await.unwrap();
        world.place(&Faults::none(), &others).await.unwrap();
        world
    };
    let lift = async |world: &World| world.holding(&world.faults).lift(&mine, LATER).await;
    let world = placed(Faults::none()).await;
    let version_id = world.bucket.current(SEGMENTS[1]).unwrap().version_id;
    let released = Released { segments: vec![(SEGMENTS[1].to_owned(), version_id)], kept: 1, erases: false };
    assert_eq!(lift(&world).await.unwrap(), released);
    let writes = world.faults.writes();
    // The hold's row, the segment that is no other's, the record's row.
    assert_eq!(writes, 3, "{:?}", world.faults.log());
    for (nth, fault) in (0..writes).flat_map(|nth| ALL_FAULTS.map(|fault| (nth, fault))) {
        let world = placed(Faults::at(nth, fault)).await;
        assert!(lift(&world).await.is_err());
        let (held, is_named) = (world.held(), world.is_named("acme/c-1").await);
        assert!(held[0] && (is_named || !held[1]), "{fault:?} at {nth}: held, and an erasure may go on");
        let lifted_at = world.row(&mine).await.unwrap().lifted_at;
        assert!(lifted_at.is_some() || held[1], "{fault:?} at {nth}: released, and still meant");
        lift(&world).await.unwrap();
        let named = (world.is_named("acme/c-1").await, world.is_named("acme/c-2").await);
        assert_eq!((world.held(), named), ([true, false], (false, true)), "{fault:?} at {nth}");
        assert_eq!(world.row(&mine).await.unwrap().lifted_at.as_deref(), Some(LATER));
    }
}

#[tokio::test]
async fn an_erasure_that_waited_goes_on_when_the_last_hold_is_lifted_whatever_fails() {
    let (one, other) = (hold("matter-7", "acme/c-1"), hold("matter-8", "acme/c-1"));
    let waiting = async |faults: Faults| {
        let world = World::new(faults).await;
        for hold in [&one, &other] {
            world.place(&Faults::none(), hold).await.unwrap();
        }
        world.postpone("acme/c-1").await.unwrap();
        let released = world.holding(&Faults::none()).lift(&other, LATER).await.unwrap();
        assert!(!released.erases && world.told().is_empty(), "a hold is on it still");
        world
    };
    let world = waiting(Faults::none()).await;
    assert!(world.holding(&world.faults).lift(&one, LATER).await.unwrap().erases);
    let told = || vec![EraseNote::Released { record: "acme/c-1".to_owned() }];
    assert_eq!(world.told(), told());
    let writes = world.faults.writes();
    // The hold's row, both segments, the record's row, the message.
    assert_eq!(writes, 5, "{:?}", world.faults.log());
    for (nth, fault) in (0..writes).flat_map(|nth| ALL_FAULTS.map(|fault| (nth, fault))) {
        let world = waiting(Faults::at(nth, fault)).await;
        assert!(world.holding(&world.faults).lift(&one, LATER).await.is_err());
        assert!(
            !world.is_named("acme/c-1").await || world.told().is_empty(),
            "{fault:?} at {nth}: told of what is held"
        );
        world.holding(&world.faults).lift(&one, LATER).await.unwrap();
        // A message that was taken and not answered for comes twice: it is a hint.
        let mut notes = world.told();
        notes.dedup();
        assert_eq!(notes, told(), "{fault:?} at {nth}");
    }
}

/// An erasure waits in one transaction with a hold being there: either it is seen here, or it is not made, and erases.
#[tokio::test]
async fn of_a_hold_that_is_lifted_and_an_erasure_that_would_wait_for_it_one_sees_the_other() {
    let wanted = hold("matter-7", "acme/c-1");
    for postponed_first in [true, false] {
        let world = World::new(Faults::none()).await;
        world.place(&Faults::none(), &wanted).await.unwrap();
        let lift = async || world.holding(&Faults::none()).lift(&wanted, LATER).await.unwrap();
        if postponed_first {
            world.postpone("acme/c-1").await.unwrap();
            assert!(lift().await.erases);
        } else {
            assert!(!lift().await.erases);
            assert!(matches!(world.postpone("acme/c-1").await, Err(StoreError::Conflict(_))));
        }
        assert_eq!(world.told().len(), usize::from(postponed_first));
    }
}

#[tokio::test]
async fn a_record_is_erased_once_it_is_closed() {
    let world = World::new(Faults::none()).await;
    let is_erased = async || world.holding(&Faults::none()).is_erased("acme/c-1").await.unwrap();
    assert!(!is_erased().await, "nobody ever had part in it");
    for (cutoff, erased) in [(Cutoff::At(1_772_449_200_000), false), (Cutoff::Closed, true)] {
        world.keys.change(&party::key("acme/c-1"), |row| {
            drop(row.insert("cutoff".to_owned(), cutoff.to_text().into_value()))
        });
        assert_eq!(is_erased().await, erased);
    }
}
