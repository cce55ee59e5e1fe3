//! Changes that expect a row to be as it was read.

use ledgerline_ledger::store::StoreError;
use ledgerline_store::own::{Change, OwnName, OwnNumbers};
use ledgerline_store::subject::{Subjects, state_key};
use ledgerline_store::table::IntoValue as _;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::table::FakeTable;

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
