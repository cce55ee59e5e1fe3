//! How an erasure reaches subjects, records, keys and aliases, and what it finds of a record in bronze.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_ledger::entry;
use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::Kind;
use ledgerline_sealed::{KeyRow, WrappedKey};
use ledgerline_store::alias::{self, Aliases};
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::gone::Gone;
use ledgerline_store::held::Held;
use ledgerline_store::party::{self, Parties, Party, PartySeen, Reach, SUBJECTS_PER_RECORD};
use ledgerline_store::party_key::{self, PartyKeys, RowName};
use ledgerline_store::record::{BronzeRow, HoldingObject, LINES_NAMED, Records};
use ledgerline_store::request::who_key;
use ledgerline_store::subject::{
    Ending, Link, LinkWrite, SubjectName, SubjectRef, SubjectWrite, Subjects, identifier_key, link_key, state_key,
};
use ledgerline_store::table::{IntoValue as _, Key, Row};
use ledgerline_store::token::Tokens;
use ledgerline_store::tombstone::Tombs;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::{Fault, Faults};
use ledgerline_testkit::table::{FakeTable, item};

const RECORD: &str = "acme/c-1";
const REQUEST: &str = "req_00112233445566778899aabbccddeeff";
const OBJECT: &str = "00112233445566778899aabbccddeeff";
const NOW: &str = "2026-03-02T14:00:00.000Z";

fn table(name: &'static str) -> FakeTable {
    FakeTable::new(name, Faults::none(), Calls::default())
}

fn tables() -> (FakeTable, FakeTable) {
    let (control, keys) = (table("ControlTable"), table("KeysTable"));
    keys.change(&who_key(REQUEST), |row| drop(row.insert("duplicate".to_owned(), "d".into_value())));
    (control, keys)
}

fn kind<T>(outcome: Result<T, StoreError>) -> &'static str {
    outcome.map_or_else(|error| error.kind(), |_| "ok")
}

fn set<const N: usize>(members: [&str; N]) -> BTreeSet<String> {
    members.map(str::to_owned).into()
}

/// Makes a subject that is linked to these records, under a pseudonym that is its own.
async fn create(keys: &FakeTable, subject: &str, records: &[&str]) {
    let link = |record: &&str| LinkWrite {
        record: (*record).to_owned(),
        link: Link { span: None },
        replaces: None,
        party: keys.party(record).seen(),
    };
    let write = SubjectWrite::Create {
        name: SubjectName { org: "acme".to_owned(), kind: Kind::Phone, pseudonym: format!("p1_{subject}") },
        replaces: None,
        subject: reference(subject),
        created_at: NOW.to_owned(),
        fills: false,
        links: records.iter().map(link).collect(),
        tombs: Tombs::new(table("ControlTable").port()).unchanged([]),
    };
    Subjects::new(keys.port()).write(write).await.unwrap();
}

fn reference(subject: &str) -> SubjectRef {
    SubjectRef { subject_id: subject.to_owned(), customer_ref: format!("c_{subject}") }
}

async fn end(control: &FakeTable, keys: &FakeTable, subject: &str, identifiers: &[(&str, &str)]) -> &'static str {
    let ending = Ending { request: REQUEST, subject: &reference(subject), identifiers };
    kind(Subjects::new(keys.port()).end(&control.port(), &ending).await)
}

fn erased(keys: &FakeTable) -> Vec<SubjectRef> {
    let row = keys.peek(&who_key(REQUEST)).unwrap();
    let all = ["pseudonyms", "subjects", "interactions", "duplicates"]
        .map(|name| (name.to_owned(), Vec::<String>::new().as_slice().into_value()));
    ledgerline_store::request::read_who(row.into_iter().chain(all).collect()).unwrap().erased()
}

#[tokio::test]
async fn a_subject_ends_whole_or_not_at_all_and_once() {
    let (control, keys) = tables();
    create(&keys, "s_1", &[RECORD]).await;
    create(&keys, "s_2", &[RECORD]).await;
    let before = keys.rows();
    // Another one's identifier, and one that nobody has.
    for identifiers in [[("acme", "p1_s_1"), ("acme", "p1_s_2")], [("acme", "p1_s_1"), ("acme", "p1_s_9")]] {
        assert_eq!(end(&control, &keys, "s_1", &identifiers).await, "conflict");
    }
    assert_eq!((keys.rows(), control.rows().len()), (before, 0));
    assert_eq!(end(&control, &keys, "s_1", &[("acme", "p1_s_1")]).await, "ok");
    assert_eq!(keys.peek(&identifier_key("acme", "p1_s_1")), None);
    assert_eq!(Gone::new(control.port()).among(["s_1", "s_2"]).await.unwrap(), BTreeSet::from(["s_1"]));
    let states = Subjects::new(keys.port()).states(&["s_1", "s_2"]).await.unwrap();
    assert_eq!(states.iter().map(|state| state.as_ref().unwrap().active).collect::<Vec<_>>(), [false, true]);
    assert_eq!(states[0].as_ref().unwrap().customer_ref.as_deref(), Some("c_s_1"));
    assert_eq!(erased(&keys), [reference("s_1")]);
    assert_eq!(end(&control, &keys, "s_1", &[]).await, "conflict", "it has ended");
    // One whose identifier names somebody else by now ends without it.
    assert_eq!(end(&control, &keys, "s_2", &[]).await, "ok");
    assert_eq!(erased(&keys), [reference("s_1"), reference("s_2")]);
    keys.tamper(|rows| rows.remove(&who_key(REQUEST)));
    create(&keys, "s_3", &[RECORD]).await;
    assert_eq!(end(&control, &keys, "s_3", &[("acme", "p1_s_3")]).await, "conflict", "of a request that is closed");
}

#[tokio::test]
async fn an_identifiers_row_says_since_when_it_names_whom() {
    let (_, keys) = tables();
    create(&keys, "s_1", &[RECORD]).await;
    let rows = Subjects::new(keys.port()).identifier_rows(&[("acme", "p1_s_9"), ("acme", "p1_s_1")]).await.unwrap();
    let row = rows[1].clone().unwrap();
    assert_eq!((&rows[0], row.subject, row.created_at.as_deref()), (&None, reference("s_1"), Some(NOW)));
}

#[tokio::test]
async fn links_of_the_erased_go_uncounted_and_a_living_ones_is_counted_no_more() {
    let (control, keys) = tables();
    create(&keys, "s_1", &[RECORD, "acme/c-2"]).await;
    create(&keys, "s_2", &[RECORD, "acme/c-2"]).await;
    let subjects = Subjects::new(keys.port());
    keys.clash(1);
    assert!(subjects.unlink("s_2", RECORD).await.unwrap());
    assert!(!subjects.unlink("s_2", RECORD).await.unwrap() && !subjects.unlink("s_9", RECORD).await.unwrap());
    assert_eq!(subjects.states(&["s_2"]).await.unwrap()[0].as_ref().unwrap().links, 1);
    assert_eq!(subjects.links("s_2").await.unwrap().len(), 1);
    assert_eq!(end(&control, &keys, "s_1", &[("acme", "p1_s_1")]).await, "ok");
    subjects.delete_links(&[("s_1", RECORD), ("s_1", "acme/c-2"), ("s_1", "acme/c-9")]).await.unwrap();
    assert!(subjects.links("s_1").await.unwrap().is_empty());
    subjects.delete_states(&["s_1", "s_9"]).await.unwrap();
    assert_eq!((keys.peek(&state_key("s_1")), keys.subjects_and_links()), (None, (1, 1)));
    // Of a subject whose state went before it, nothing counts the link.
    keys.tamper(|rows| rows.remove(&state_key("s_2")));
    assert!(subjects.unlink("s_2", "acme/c-2").await.unwrap());
    assert_eq!(keys.peek(&link_key("s_2", "acme/c-2")), None);
}

async fn reach(
    control: &FakeTable,
    keys: &FakeTable,
    seen: &Party,
    take: &BTreeSet<String>,
    cutoff: Option<Cutoff>,
) -> &'static str {
    kind(Parties::new(keys.port()).reach(&control.port(), RECORD, seen, &Reach { take, cutoff }).await)
}

#[tokio::test]
async fn an_erasure_reaches_a_record_as_it_was_seen_and_counts_itself() {
    let (control, keys) = tables();
    let nobody = BTreeSet::new();
    // A record of which nothing is known, too.
    assert_eq!(reach(&control, &keys, &Party::default(), &set(["s_9"]), Some(Cutoff::At(7))).await, "ok");
    assert_eq!(keys.party(RECORD), Party { erasures: 1, cutoff: Some(Cutoff::At(7)), ..Party::default() });
    assert_eq!(reach(&control, &keys, &Party::default(), &nobody, None).await, "conflict");
    let seen = keys.party(RECORD);
    create(&keys, "s_1", &[RECORD]).await;
    create(&keys, "s_2", &[RECORD]).await;
    assert_eq!(reach(&control, &keys, &seen, &nobody, None).await, "conflict", "others came to take part");
    let seen = keys.party(RECORD);
    assert_eq!(reach(&control, &keys, &seen, &set(["s_1", "s_9"]), Some(Cutoff::At(6))).await, "ok");
    let now = Party { subjects: set(["s_2"]), erasures: 2, cutoff: Some(Cutoff::At(7)), ..Party::default() };
    assert_eq!(keys.party(RECORD), now, "a cutoff never goes back");
    assert_eq!(reach(&control, &keys, &seen, &nobody, None).await, "conflict");
    assert_eq!(reach(&control, &keys, &now, &set(["s_2"]), Some(Cutoff::Closed)).await, "ok");
    let now = Party { erasures: 3, cutoff: Some(Cutoff::Closed), ..Party::default() };
    assert_eq!(keys.party(RECORD), now);
}

#[tokio::test]
async fn a_held_record_is_not_reached_and_what_is_put_off_of_it_stands_until_it_is_done() {
    let (control, keys) = tables();
    create(&keys, "s_1", &[RECORD]).await;
    create(&keys, "s_2", &[RECORD]).await;
    let (parties, held) = (Parties::new(keys.port()), Held::new(control.port()));
    let seen = keys.party(RECORD);
    let postpone = async |seen: &Party, own: &BTreeSet<String>, until| {
        kind(parties.postpone(&control.port(), RECORD, seen, own, until).await)
    };
    assert_eq!(postpone(&seen, &set(["s_1"]), Cutoff::At(7)).await, "conflict", "no hold is on it");
    held.add(RECORD, "matter-7").await.unwrap();
    assert_eq!(reach(&control, &keys, &seen, &set(["s_1"]), None).await, "conflict");
    assert_eq!(keys.party(RECORD), seen);
    assert_eq!(postpone(&seen, &set(["s_1"]), Cutoff::At(7)).await, "ok");
    assert_eq!(postpone(&seen, &set(["s_2"]), Cutoff::At(9)).await, "conflict", "more was put off");
    let first = keys.party(RECORD);
    assert_eq!(postpone(&first, &set(["s_2"]), Cutoff::At(5)).await, "ok");
    let second = keys.party(RECORD);
    assert_eq!((second.pending_erase.clone(), second.pending_until), (set(["s_1", "s_2"]), Some(Cutoff::At(7))));
    assert_eq!(postpone(&second, &BTreeSet::new(), Cutoff::At(9)).await, "ok", "of a record that was listed");
    let third = keys.party(RECORD);
    assert_eq!((&third.pending_erase, third.pending_until), (&second.pending_erase, Some(Cutoff::At(9))));
    assert_eq!(kind(parties.postponed_done(RECORD, &second).await), "conflict");
    held.remove(RECORD, "matter-7").await.unwrap();
    assert_eq!(reach(&control, &keys, &third, &set(["s_1", "s_2"]), None).await, "ok");
    parties.postponed_done(RECORD, &keys.party(RECORD)).await.unwrap();
    assert_eq!(keys.party(RECORD), Party { erasures: 1, ..Party::default() });
}

#[tokio::test]
async fn a_record_that_was_full_stays_so_with_fewer_subjects() {
    let (control, keys) = tables();
    let names: BTreeSet<String> = (0..SUBJECTS_PER_RECORD).map(|nth| format!("s_{nth:032x}")).collect();
    keys.change(&party::key(RECORD), |row| drop(row.insert("subjects".to_owned(), (&names).into_value())));
    let seen = keys.party(RECORD);
    // Whom it does not name is not taken out of it.
    assert_eq!(reach(&control, &keys, &seen, &set(["s_9"]), None).await, "ok");
    assert!(!keys.party(RECORD).full);
    let one = names.first().unwrap().clone();
    assert_eq!(reach(&control, &keys, &keys.party(RECORD), &BTreeSet::from([one.clone()]), None).await, "ok");
    let now = keys.party(RECORD);
    assert!(now.full && now.is_full() && now.seen().is_full() && now.subjects.len() == SUBJECTS_PER_RECORD - 1);
}

fn key_row(ids: &[&str]) -> KeyRow {
    let key = |id: &&str| {
        let (subjects, first) = (set(["s_1"]), NOW.to_owned());
        let key = WrappedKey { party: entry::Party::Customer, subjects, first, wrapped: vec![1; 48].into() };
        ((*id).to_owned(), key)
    };
    KeyRow { month: "2026-03".to_owned(), enc: vec![4; 65].into(), keys: ids.iter().map(key).collect() }
}

fn key_key(run: &str) -> Key {
    party_key::key(RowName { record: RECORD, object: OBJECT, run })
}

#[tokio::test]
async fn who_takes_part_and_all_keys_are_one_reading_and_keys_are_taken_out_or_rows_go() {
    let (_, keys) = tables();
    let party_keys = PartyKeys::new(keys.port());
    assert_eq!(party_keys.of(RECORD).await.unwrap(), (Party::default(), Vec::new()));
    create(&keys, "s_1", &[RECORD, "acme/c-10"]).await;
    let seen = keys.party(RECORD).seen();
    let many: Vec<String> = (0..150).map(|nth| format!("k{nth:03}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let rows = [("00000001", key_row(&["a", "b"])), ("00000002", key_row(&["c"])), ("00000003", key_row(&many))];
    let stored = rows.clone().map(|(run, row)| (run.to_owned(), row));
    party_keys.keep(RECORD, OBJECT, seen, &stored).await.unwrap();
    party_keys.keep("acme/c-10", OBJECT, seen, &stored[..1]).await.unwrap();
    let (party, found) = party_keys.of(RECORD).await.unwrap();
    assert_eq!((party, found), (keys.party(RECORD), rows.clone().map(|(run, row)| (key_key(run), row)).into()));
    let goes = |run: &str, row: &KeyRow, ids: BTreeSet<String>| (key_key(run), row.clone(), ids);
    let some: BTreeSet<String> = many[..120].iter().map(|id| (*id).to_owned()).chain(["z".to_owned()]).collect();
    let all = [
        goes("00000001", &rows[0].1, set(["a"])),
        goes("00000002", &rows[1].1, set(["c"])),
        goes("00000003", &rows[2].1, some),
        // One that another erasure took whole meanwhile.
        goes("00000009", &rows[0].1, set(["a"])),
    ];
    for _ in 0..2 {
        party_keys.destroy(&all).await.unwrap();
        let left = party_keys.of(RECORD).await.unwrap().1;
        let left: Vec<(Key, Vec<String>)> =
            left.into_iter().map(|(key, row)| (key, row.keys.into_keys().collect())).collect();
        let of_many: Vec<String> = many[120..].iter().map(|id| (*id).to_owned()).collect();
        assert_eq!(left, [(key_key("00000001"), vec!["b".to_owned()]), (key_key("00000003"), of_many)]);
    }
    assert_eq!(party_keys.of("acme/c-10").await.unwrap().1.len(), 1, "another record's are its own");
}

#[tokio::test]
async fn an_alias_goes_from_under_its_names_but_not_from_under_one_that_has_another() {
    let (_, keys) = tables();
    let aliases = Aliases::new(keys.port());
    let unchanged = || Tombs::new(table("ControlTable").port()).unchanged([]);
    assert_eq!(aliases.names("acme", "x_1").await.unwrap(), BTreeSet::new());
    aliases.give("acme", &[("p1_a", None), ("p1_b", None)], "x_1", unchanged()).await.unwrap();
    let names = aliases.names("acme", "x_1").await.unwrap();
    assert_eq!(names, set(["p1_a", "p1_b"]));
    aliases.give("acme", &[("p1_b", Some("x_1"))], "x_2", unchanged()).await.unwrap();
    // The names go last: what failed is found again.
    let faults = Faults::at(1, Fault::Lost);
    assert!(Aliases::new(keys.seen_by(faults, Calls::default()).port()).delete("acme", "x_1", &names).await.is_err());
    assert_eq!(aliases.names("acme", "x_1").await.unwrap(), names);
    for _ in 0..2 {
        aliases.delete("acme", "x_1", &names).await.unwrap();
        assert_eq!(aliases.read(&[("acme", "p1_a"), ("acme", "p1_b")]).await.unwrap(), [None, Some("x_2".to_owned())]);
        assert_eq!(keys.peek(&alias::names_key("acme", "x_1")), None);
    }
}

#[tokio::test]
async fn a_records_tokens_are_forgotten_and_another_records_are_not() {
    let tokens = Tokens::new(table("IndexTable").port());
    tokens.put(&[("t", RECORD), ("t", "acme/c-2"), ("u", RECORD)]).await.unwrap();
    tokens.delete(&[("t", RECORD), ("v", RECORD)]).await.unwrap();
    assert_eq!(tokens.records("t").await.unwrap(), ["acme/c-2"]);
    assert_eq!(tokens.records("u").await.unwrap(), [RECORD]);
}

#[tokio::test]
async fn those_of_some_records_that_are_held_are_found() {
    let held = Held::new(table("ControlTable").port());
    held.add(RECORD, "a").await.unwrap();
    held.add("acme/c-2", "a").await.unwrap();
    held.remove("acme/c-2", "a").await.unwrap();
    let found = held.among([RECORD, "acme/c-2", "acme/c-3", RECORD]).await.unwrap();
    assert_eq!(found, BTreeSet::from([RECORD]));
}

/// What a run notes of an object.
async fn note(index: &FakeTable, lines: u64, at: &[u64], dates: &[&str], again: bool) {
    let dates: Vec<String> = dates.iter().map(|date| (*date).to_owned()).collect();
    let row = BronzeRow { record: RECORD, object: OBJECT, key: "bronze/a", lines, at, dates: &dates };
    Records::new(index.port()).note_bronze(&[row], again).await.unwrap();
}

async fn noted(index: &FakeTable) -> Vec<HoldingObject> {
    Records::new(index.port()).bronze(RECORD).await.unwrap()
}

#[tokio::test]
async fn what_several_runs_note_of_an_object_is_united_whichever_came_first() {
    let (one, two) = ("2026-03-02", "2026-03-03");
    for order in [[false, true, true], [true, true, false], [true, false, true]] {
        let index = table("IndexTable");
        let mut left = vec![(2_u64, vec![3, 9], vec![one]), (2, vec![0, 9], vec![two])];
        for again in order {
            match again {
                // The first run's, which reads nothing, wherever it falls.
                false => note(&index, 2, &[3, 5], &[one], false).await,
                true => {
                    let (lines, at, dates) = left.remove(0);
                    note(&index, lines, &at, &dates, true).await;
                }
            }
        }
        let [found] = &noted(&index).await[..] else { panic!("one object") };
        assert_eq!((found.object.as_str(), found.key.as_str(), found.lines), (OBJECT, "bronze/a", 4), "{order:?}");
        assert_eq!((&found.at, &found.dates), (&vec![0, 3, 5, 9], &vec![one.to_owned(), two.to_owned()]));
    }
}

#[tokio::test]
async fn a_run_that_finds_nothing_more_writes_nothing_and_the_same_is_written_once() {
    let index = table("IndexTable");
    note(&index, 3, &[1, 2, 7], &["2026-03-02"], false).await;
    for at in [&[1, 2, 7][..], &[2, 7], &[1]] {
        note(&index, at.len() as u64, at, &["2026-03-02"], true).await;
    }
    assert_eq!(index.rows().len(), 1);
    for _ in 0..3 {
        note(&index, 1, &[8], &["2026-03-02"], true).await;
    }
    assert_eq!((index.rows().len(), noted(&index).await[0].at.clone()), (2, vec![1, 2, 7, 8]));
    // Of one object whose runs are others', and another record of the partition's beginning.
    note(&index, 1, &[1], &["2026-03-09"], true).await;
    assert_eq!((index.rows().len(), noted(&index).await[0].dates.len()), (3, 2));
}

#[tokio::test]
async fn lines_beyond_those_that_are_named_are_told_by_their_number() {
    let index = table("IndexTable");
    let named: Vec<u64> = (0..LINES_NAMED as u64).collect();
    note(&index, 1_500, &named, &["2026-03-02"], false).await;
    note(&index, 2, &[5, 2_000], &["2026-03-02"], true).await;
    let found = noted(&index).await.remove(0);
    assert!(found.lines > found.at.len() as u64 && found.at.len() == LINES_NAMED, "not all of them are named");
    // Two runs that together name too many say so, too.
    let index = table("IndexTable");
    let other: Vec<u64> = named.iter().map(|line| line + 1_000).collect();
    note(&index, 1_000, &named, &["2026-03-02"], false).await;
    note(&index, 1_000, &other, &["2026-03-02"], true).await;
    let found = noted(&index).await.remove(0);
    assert_eq!((found.lines, found.at.len()), (2_000, LINES_NAMED));
}

#[tokio::test]
#[should_panic(expected = "a subject counts other links than are made")]
async fn a_link_that_goes_uncounted_from_under_a_count_is_a_defect() {
    let (_, keys) = tables();
    create(&keys, "s_1", &[RECORD]).await;
    let writes = vec![
        ledgerline_store::table::Write::update(state_key("s_1")).set("missed", true),
        ledgerline_store::table::Write::delete(link_key("s_1", RECORD)),
    ];
    keys.port().transact("", writes, Vec::new()).await.unwrap();
}

#[tokio::test]
#[should_panic(expected = "an erased subject came back")]
async fn an_erased_subject_that_comes_back_is_a_defect() {
    let (control, keys) = tables();
    create(&keys, "s_1", &[RECORD]).await;
    assert_eq!(end(&control, &keys, "s_1", &[("acme", "p1_s_1")]).await, "ok");
    let write = ledgerline_store::table::Write::update(state_key("s_1")).set("state", "active");
    keys.port().transact("", vec![write], Vec::new()).await.unwrap();
}

#[test]
fn what_was_seen_of_a_record_says_whether_it_was_full() {
    assert!(PartySeen { full: true, ..PartySeen::default() }.is_full() && !PartySeen::default().is_full());
    let row = Row::from([("full".to_owned(), true.into_value())]);
    assert_eq!(item(&row), BTreeMap::from([("full".to_owned(), serde_json::json!(true))]));
    assert!(party::read(row).unwrap().is_full());
}
