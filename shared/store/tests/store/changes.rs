//! Changes that expect a row to be as it was read.

use std::collections::BTreeSet;

use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::{SuppressionKey, SuppressionRing};
use ledgerline_store::crm::{CrmName, CrmOrgs, CrmPut, CrmRow, CrmRows};
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::gold_date::{GoldDate, GoldDates};
use ledgerline_store::own::{Change, OwnName, OwnNumbers};
use ledgerline_store::subject::{Subjects, state_key};
use ledgerline_store::table::IntoValue as _;
use ledgerline_store::tombstone::{Suppression, Tombs};
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::table::FakeTable;
use time::macros::date;

const EARLIER: &str = "2026-03-02T14:00:00.000Z";
const LATER: &str = "2026-03-02T15:00:00.000Z";

fn table(name: &'static str) -> FakeTable {
    FakeTable::new(name, Faults::none(), Calls::default())
}

fn is_conflict<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict(_)))
}

#[tokio::test]
async fn an_own_number_is_changed_only_from_the_state_that_the_change_expects() {
    let own = OwnNumbers::new(table("ControlTable").port());
    let name = OwnName::Domain("example.com".to_owned());
    let change = |change, now| own.change("acme", &name, change, now);
    assert!(is_conflict(change(Change::Remove, EARLIER).await), "nothing is there to remove");
    assert!(is_conflict(change(Change::Restore, EARLIER).await), "nothing was removed");
    change(Change::Add, EARLIER).await.unwrap();
    assert!(is_conflict(change(Change::Add, LATER).await), "it is there");
    assert!(is_conflict(change(Change::Restore, LATER).await), "it is in force");
    change(Change::Remove, LATER).await.unwrap();
    assert!(is_conflict(change(Change::Remove, LATER).await), "it was removed");
    assert!(is_conflict(change(Change::Add, LATER).await), "the row of a removed one stays");
    change(Change::Restore, LATER).await.unwrap();
    let row = own.of("acme").await.unwrap().pop().unwrap();
    assert_eq!((row.added_at.as_str(), row.removed_at, row.formerly), (EARLIER, None, true));
}

#[tokio::test]
async fn a_subject_is_marked_once_and_what_it_missed_stays_missed() {
    let keys = table("KeysTable");
    let subjects = Subjects::new(keys.port());
    assert!(is_conflict(subjects.mark_shared("s_1", 2, Some(EARLIER)).await), "nobody is made by a mark");
    keys.change(&state_key("s_1"), |row| {
        row.extend([
            ("state".to_owned(), "active".into_value()),
            ("generation".to_owned(), 2_u64.into_value()),
            ("links".to_owned(), 3_u64.into_value()),
            ("org".to_owned(), "acme".into_value()),
            ("kind".to_owned(), "phone".into_value()),
            ("pseudonym".to_owned(), "p1_ab".into_value()),
        ]);
    });
    let state = || async { subjects.states(&["s_1"]).await.unwrap().pop().unwrap().unwrap() };
    assert!(is_conflict(subjects.mark_shared("s_1", 1, Some(EARLIER)).await), "another life of the subject");
    let before = subjects.mark_shared("s_1", 2, Some(EARLIER)).await.unwrap();
    assert_eq!((before.shared_at, before.missed), (None, false));
    subjects.mark_shared("s_1", 2, Some(LATER)).await.unwrap();
    assert_eq!(state().await.shared_at.as_deref(), Some(EARLIER));
    subjects.mark_shared("s_1", 2, None).await.unwrap();
    assert_eq!((state().await.shared_at, state().await.missed), (None, true));
    keys.change(&state_key("s_1"), |row| drop(row.insert("state".to_owned(), "erasing".into_value())));
    assert!(is_conflict(subjects.mark_shared("s_1", 2, Some(LATER)).await), "an erased one is left alone");
}

#[tokio::test]
async fn a_date_is_dirty_until_what_was_written_by_then_is_computed() {
    let dates = GoldDates::new(table("ControlTable").port());
    let day = date!(2026 - 03 - 02);
    let of = |touched, computed| Some(GoldDate { date: day, touched, computed });
    assert!(!dates.computed(day, 1).await.unwrap(), "nobody wrote anything");
    assert_eq!(dates.of(day).await.unwrap(), None);
    dates.touch(day).await.unwrap();
    dates.touch(day).await.unwrap();
    dates.touch(date!(1990 - 01 - 01)).await.unwrap();
    assert_eq!(dates.of(day).await.unwrap(), of(2, 0));
    // One run reads the mark, something else is written, another run is faster.
    dates.touch(day).await.unwrap();
    assert!(dates.computed(day, 3).await.unwrap());
    assert!(!dates.computed(day, 2).await.unwrap(), "the older run takes no mark away");
    assert!(!dates.computed(day, 3).await.unwrap(), "nothing new");
    assert_eq!(dates.of(day).await.unwrap(), of(3, 3));
    let dirty = |all: Vec<GoldDate>| all.iter().map(|one| one.date).collect::<Vec<_>>();
    assert_eq!(dirty(dates.dirty().await.unwrap()), [date!(1990 - 01 - 01)]);
    dates.touch(day).await.unwrap();
    assert_eq!(dirty(dates.dirty().await.unwrap()), [date!(1990 - 01 - 01), day]);
    assert_eq!(dates.all().await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_a_crm_says_is_put_only_while_nobody_is_erased() {
    let (control, keys) = (table("ControlTable"), table("KeysTable"));
    let (tombs, crm) = (Tombs::new(control.port()), CrmRows::new(keys.port()));
    let ring = SuppressionRing::new([SuppressionKey::new(1, [7; 32])]).unwrap();
    let row = |tier: &str| CrmRow { tier: Some(tier.to_owned()), ..CrmRow::default() };
    let (hers, record) = (CrmName::Pseudonym("p1_ab".to_owned()), CrmName::Record("c-1".to_owned()));
    let put = async |name: &CrmName, tier: &str, seen: &[Suppression]| {
        crm.put("acme", &[CrmPut { name: name.clone(), row: row(tier) }], tombs.unchanged(seen)).await
    };
    let names = BTreeSet::from([("acme", hers.clone()), ("acme", record.clone()), ("beta", hers.clone())]);
    let said =
        async || -> Vec<String> { crm.read(&names).await.unwrap().into_values().filter_map(|row| row.tier).collect() };
    let seen = tombs.read(&ring, &[("acme", "p1_ab")]).await.unwrap();
    put(&hers, "Gold", &seen).await.unwrap();
    put(&record, "Bronze", &[]).await.unwrap();
    put(&hers, "Silver", &seen).await.unwrap();
    assert_eq!(said().await, ["Silver", "Bronze"], "the later one, in its org");
    tombs.put(&ring, "acme", "p1_ab", 7, 1_800_000_000).await.unwrap();
    keys.erase_record("acme/c-1", Some(Cutoff::Closed));
    assert!(is_conflict(put(&hers, "Gold", &seen).await) && is_conflict(put(&record, "Gold", &[]).await));
    assert_eq!(said().await, ["Silver", "Bronze"]);
    // An erasure deletes by names, and whether there is a row of each or not.
    crm.delete(&BTreeSet::from([("acme", hers.clone()), ("beta", hers.clone())])).await.unwrap();
    assert_eq!(said().await, ["Bronze"], "of the record nothing was asked");
    crm.delete(&BTreeSet::from([("acme", record.clone())])).await.unwrap();
    crm.delete(&BTreeSet::new()).await.unwrap();
    assert!(said().await.is_empty());
    let orgs = CrmOrgs::new(control.port());
    assert!(orgs.kinds("acme").await.unwrap().is_empty());
    for kinds in [&["phone"][..], &["record", "email"], &["phone"]] {
        orgs.note("acme", &kinds.iter().map(|kind| (*kind).to_owned()).collect()).await.unwrap();
    }
    assert_eq!(orgs.kinds("acme").await.unwrap().into_iter().collect::<Vec<_>>(), ["email", "phone", "record"]);
    assert!(orgs.kinds("beta").await.unwrap().is_empty());
}
