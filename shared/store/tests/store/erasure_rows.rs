//! What erasures leave behind, and what every writer asks of it: tombstones, what is gone, who takes part, what is held.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use ledgerline_ledger::entry;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::{Kind, SuppressionKey, SuppressionRing};
use ledgerline_sealed::{KeyRow, WrappedKey};
use ledgerline_store::alias::{self, Aliases};
use ledgerline_store::asked::Asked;
use ledgerline_store::crm::{CrmName, CrmOrgs, CrmPut, CrmRow, CrmRows};
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::gone::Gone;
use ledgerline_store::held::{self, Held};
use ledgerline_store::orgs::Orgs;
use ledgerline_store::party::{self, Parties, Party, PartySeen, Reach, SUBJECTS_PER_RECORD};
use ledgerline_store::party_key::{self, PartyKeys, RowName};
use ledgerline_store::record::{BronzeRow, Records};
use ledgerline_store::subject::{
    DayCount, Ending, Growth, Link, LinkWrite, Span, SubjectName, SubjectRef, SubjectWrite, Subjects, links_of_create,
};
use ledgerline_store::table::{Beside, IntoValue as _, Key, Query, Returning, Row, Scan, ScanPage, Table, Write};
use ledgerline_store::token::{RECORDS_READ, Tokens};
use ledgerline_store::tombstone::{Suppression, Tombs};
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::table::FakeTable;

const RECORD: &str = "acme/c-1";
const OBJECT: &str = "00112233445566778899aabbccddeeff";
const WHOM: (&str, &str) = ("acme", "p1_ab");
const TTL_S: i64 = 1_000;
const NOW: &str = "2026-03-02T14:00:00.000Z";

fn table(name: &'static str) -> FakeTable {
    FakeTable::new(name, Faults::none(), Calls::default())
}

/// The ring of these versions.
fn ring(versions: &[u32]) -> SuppressionRing {
    SuppressionRing::new(versions.iter().map(|&version| SuppressionKey::new(version, [version as u8; 32]))).unwrap()
}

async fn read(tombs: &Tombs, ring: &SuppressionRing) -> Suppression {
    tombs.read(ring, &[WHOM]).await.unwrap().remove(0)
}

async fn put(tombs: &Tombs, ring: &SuppressionRing, cutoff_ms: i64, ttl_s: i64) -> Result<(), StoreError> {
    tombs.put(ring, WHOM.0, WHOM.1, cutoff_ms, ttl_s).await
}

fn kind<T>(outcome: Result<T, StoreError>) -> &'static str {
    outcome.map_or_else(|error| error.kind(), |_| "ok")
}

fn set<T: ToString>(members: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    members.into_iter().map(|one| one.to_string()).collect()
}

#[tokio::test]
async fn a_tombstone_stands_under_every_version_and_its_larger_cutoff_wins() {
    let control = table("ControlTable");
    let (tombs, old, both) = (Tombs::new(control.port()), ring(&[1]), ring(&[1, 2]));
    put(&tombs, &old, 5, TTL_S).await.unwrap();
    assert_eq!((control.rows().len(), read(&tombs, &both).await.cutoff(0)), (1, Some(Cutoff::At(5))));
    put(&tombs, &both, 7, TTL_S).await.unwrap();
    put(&tombs, &both, 6, TTL_S - 1).await.unwrap();
    assert_eq!((control.rows().len(), read(&tombs, &both).await.cutoff(0)), (2, Some(Cutoff::At(7))));
    // Whoever has one version alone finds it, too, until it expires.
    assert_eq!(read(&tombs, &old).await.cutoff(TTL_S * 1_000 - 1), Some(Cutoff::At(7)));
    assert_eq!(read(&tombs, &ring(&[2])).await.cutoff(TTL_S * 1_000), None);
    // Nobody else: not by another pseudonym, and not in another org.
    let others = tombs.read(&both, &[("acme", "p1_cd"), WHOM, ("globex", "p1_ab")]).await.unwrap();
    assert_eq!(others.iter().map(|one| one.cutoff(0)).collect::<Vec<_>>(), [None, Some(Cutoff::At(7)), None]);
}

#[tokio::test]
async fn of_two_puts_at_once_the_second_one_reads_again() {
    let control = table("ControlTable");
    let (tombs, ring) = (Tombs::new(control.port()), ring(&[1, 2]));
    control.clash(2);
    put(&tombs, &ring, 5, TTL_S).await.unwrap();
    assert_eq!((control.refused(), read(&tombs, &ring).await.cutoff(0)), (2, Some(Cutoff::At(5))));
    control.clash(100);
    assert_eq!(kind(put(&tombs, &ring, 6, TTL_S).await), "conflict");
    // What is there already takes no write.
    put(&tombs, &ring, 5, TTL_S).await.unwrap();
}

#[tokio::test]
async fn an_alias_is_given_once_and_not_past_a_tombstone_and_a_gone_one_is_replaced() {
    let (control, keys) = (table("ControlTable"), table("KeysTable"));
    let (tombs, ring, aliases) = (Tombs::new(control.port()), ring(&[1, 2]), Aliases::new(keys.port()));
    let [one, two, three] = [1, 2, 3].map(|byte| alias::of_random([byte; 16]));
    let nobody = read(&tombs, &ring).await;
    let (org, name) = WHOM;
    let give = |alias: &String, gone: Option<&String>, seen: &Suppression| {
        let (aliases, alias, gone, unchanged) =
            (aliases.clone(), alias.clone(), gone.cloned(), tombs.unchanged([seen]));
        async move { aliases.give(org, &[(name, gone.as_deref())], &alias, unchanged).await }
    };
    give(&one, None, &nobody).await.unwrap();
    assert_eq!(kind(give(&two, None, &nobody).await), "conflict");
    assert_eq!(aliases.read(&[("acme", "p1_cd"), WHOM]).await.unwrap(), [None, Some(one.clone())]);
    put(&tombs, &ring, 5, TTL_S).await.unwrap();
    assert_eq!(kind(give(&two, Some(&one), &nobody).await), "conflict");
    let seen = read(&tombs, &ring).await;
    give(&two, Some(&one), &seen).await.unwrap();
    assert_eq!(kind(give(&three, Some(&one), &seen).await), "conflict");
    put(&tombs, &ring, 6, TTL_S).await.unwrap();
    assert_eq!(kind(give(&three, Some(&two), &seen).await), "conflict");
    assert_eq!(aliases.read(&[WHOM]).await.unwrap(), [Some(two.clone())]);
    // The way back, from each alias that was given and from no other.
    let names = |keys: &FakeTable, alias: &str| {
        keys.peek(&alias::names_key(org, alias)).map(|row| alias::read_names(row).unwrap())
    };
    let [back_of_one, back_of_two, none] = [&one, &two, &three].map(|alias| names(&keys, alias));
    assert_eq!((back_of_one, back_of_two, none), (Some(set([name])), Some(set([name])), None));
    // Under two names: both or none.
    let (new, old) = ([("p1_cd", None), ("p1_ef", None)], [("p1_cd", None), (name, None)]);
    assert_eq!(kind(aliases.give(org, &old, &three, tombs.unchanged([])).await), "conflict");
    aliases.give(org, &new, &three, tombs.unchanged([])).await.unwrap();
    let read = aliases.read(&[(org, "p1_cd"), (org, "p1_ef")]).await.unwrap();
    assert_eq!(read, [Some(three.clone()), Some(three.clone())]);
    assert_eq!(names(&keys, &three), Some(set(["p1_cd", "p1_ef"])));
}

#[tokio::test]
async fn what_is_gone_stays_gone() {
    let gone = Gone::new(table("ControlTable").port());
    assert_eq!(gone.among(["s_1", "x_1"]).await.unwrap(), BTreeSet::new());
    gone.put(&["s_1", "k"]).await.unwrap();
    gone.put(&["s_1"]).await.unwrap();
    assert_eq!(gone.among(["x_1", "s_1", "k"]).await.unwrap(), BTreeSet::from(["s_1", "k"]));
}

/// A link that is new.
fn new_link(record: &str, party: PartySeen) -> LinkWrite {
    LinkWrite { record: record.to_owned(), link: Link { span: None }, replaces: None, party }
}

/// Makes a subject with these links, under a pseudonym that is its own.
async fn create(keys: &FakeTable, subject: &str, links: Vec<LinkWrite>) -> &'static str {
    let write = SubjectWrite::Create {
        name: SubjectName { org: WHOM.0.to_owned(), kind: Kind::Phone, pseudonym: format!("p1_{subject}") },
        replaces: None,
        subject: SubjectRef { subject_id: subject.to_owned(), customer_ref: format!("c_{subject}") },
        created_at: NOW.to_owned(),
        fills: false,
        links,
        tombs: Tombs::new(table("ControlTable").port()).unchanged([]),
    };
    kind(Subjects::new(keys.port()).write(write).await)
}

/// Links a subject that one link made to another record.
async fn link(keys: &FakeTable, subject: &str, link: LinkWrite) -> &'static str {
    let new = u64::from(link.replaces.is_none());
    let day = DayCount::More { date: NOW[..10].to_owned(), at_most: None };
    let write = SubjectWrite::Link {
        subject_id: subject,
        generation: 1,
        links_at_most: 9,
        growth: (new > 0).then_some(Growth { new, fills: false, day }),
        links: vec![link],
    };
    kind(Subjects::new(keys.port()).write(write).await)
}

#[tokio::test]
async fn with_a_new_link_a_subject_takes_part_unless_an_erasure_came_between() {
    let keys = table("KeysTable");
    let parties = Parties::new(keys.port());
    let seen = parties.read(&[RECORD, "acme/c-2"]).await.unwrap();
    assert_eq!(seen, [Party::default(), Party::default()]);
    let nothing = PartySeen::default();
    assert_eq!(create(&keys, "s_1", vec![new_link(RECORD, nothing), new_link("acme/c-2", nothing)]).await, "ok");
    // Another run read before that, and loses nothing.
    assert_eq!(create(&keys, "s_2", vec![new_link(RECORD, nothing)]).await, "ok");
    assert_eq!(link(&keys, "s_2", new_link("acme/c-2", nothing)).await, "ok");
    assert!(parties.are_as_seen(&BTreeMap::from([(RECORD, nothing), ("acme/c-2", nothing)])).await.unwrap());
    for record in [RECORD, "acme/c-2"] {
        assert_eq!(keys.party(record).subjects, set(["s_1", "s_2"]));
    }
    for (n, cutoff) in [None, Some(Cutoff::At(7)), Some(Cutoff::Closed)].into_iter().enumerate() {
        let (before, subject) = (keys.party(RECORD).seen(), format!("s_{}", 3 + n));
        assert_eq!(create(&keys, &subject, vec![new_link("acme/c-3", nothing)]).await, "ok");
        keys.erase_record(RECORD, cutoff);
        let rows = keys.rows();
        // Neither is there a link, nor one to the other record, nor a subject.
        let both = vec![new_link("acme/c-2", nothing), new_link(RECORD, before)];
        assert_eq!(create(&keys, "s_9", both).await, "conflict", "{cutoff:?}");
        assert_eq!(link(&keys, &subject, new_link(RECORD, before)).await, "conflict", "{cutoff:?}");
        assert_eq!(keys.rows(), rows);
        assert!(!parties.are_as_seen(&BTreeMap::from([(RECORD, before), ("acme/c-2", nothing)])).await.unwrap());
        // What is there widens all the same: an erasure that takes it takes the link.
        let span = Span { log: "acme/interaction/1/0".to_owned(), first: NOW.to_owned(), last: NOW.to_owned() };
        if cutoff.is_none() {
            let wider = LinkWrite {
                link: Link { span: Some(span) },
                replaces: Some(Link { span: None }),
                ..new_link(RECORD, before)
            };
            assert_eq!(link(&keys, "s_1", wider).await, "ok");
        }
        let after = parties.read(&[RECORD]).await.unwrap().remove(0).seen();
        assert_eq!((after.erasures, after.cutoff), (before.erasures + 1, cutoff));
        assert_eq!(link(&keys, &subject, new_link(RECORD, after)).await, "ok");
    }
    assert_eq!(keys.party(RECORD).subjects, set(["s_1", "s_2", "s_3", "s_4", "s_5"]));
}

#[tokio::test]
async fn a_record_names_so_many_subjects_and_no_more() {
    let keys = table("KeysTable");
    let names = |count: usize| set((0..count).map(|nth| format!("s_{nth:032x}")));
    let plant = |count| {
        let subjects = (&names(count)).into_value();
        keys.change(&party::key(RECORD), |row| drop(row.insert("subjects".to_owned(), subjects)));
        keys.party(RECORD)
    };
    let seen = plant(SUBJECTS_PER_RECORD - 1);
    assert!(!seen.is_full());
    assert_eq!(create(&keys, "s_1", vec![new_link(RECORD, seen.seen())]).await, "ok");
    let seen = keys.party(RECORD);
    assert!(seen.is_full() && seen.subjects.contains("s_1"));
    // To a full one nobody is added, and it is never erased whole: nothing is asked of it.
    assert_eq!(create(&keys, "s_2", vec![new_link(RECORD, seen.seen())]).await, "ok");
    assert_eq!(keys.party(RECORD), seen);
    keys.erase_record(RECORD, None);
    assert_eq!(create(&keys, "s_3", vec![new_link(RECORD, seen.seen())]).await, "ok");
}

#[tokio::test]
async fn tombstones_are_as_seen_until_one_is_put_moved_on_or_taken_away() {
    let control = table("ControlTable");
    let (tombs, ring) = (Tombs::new(control.port()), ring(&[1, 2]));
    let nobody = read(&tombs, &ring).await;
    // Two mentions may have a pseudonym in common.
    assert!(tombs.are_as_seen([&nobody, &nobody]).await.unwrap());
    put(&tombs, &ring, 5, TTL_S).await.unwrap();
    assert!(!tombs.are_as_seen([&nobody]).await.unwrap());
    let planted = read(&tombs, &ring).await;
    // It lives longer: what it covers is the same, and so a write asks.
    put(&tombs, &ring, 5, TTL_S + 1).await.unwrap();
    assert!(tombs.are_as_seen([&planted]).await.unwrap());
    put(&tombs, &ring, 6, TTL_S).await.unwrap();
    assert!(!tombs.are_as_seen([&planted]).await.unwrap());
    let moved = read(&tombs, &ring).await;
    control.tamper(|rows| rows.pop_last());
    assert!(!tombs.are_as_seen([&moved]).await.unwrap(), "one of its rows has expired");
}

#[tokio::test]
async fn a_subject_is_made_while_its_tombstones_are_as_read_and_in_the_place_of_who_is_gone_alone() {
    let (control, keys) = (table("ControlTable"), table("KeysTable"));
    let (tombs, ring, subjects) = (Tombs::new(control.port()), ring(&[1, 2]), Subjects::new(keys.port()));
    let create = async |subject: &str, replaces: Option<&str>, seen: &Suppression| {
        let links = vec![new_link(RECORD, PartySeen::default())];
        let write = SubjectWrite::Create {
            name: SubjectName { org: WHOM.0.to_owned(), kind: Kind::Phone, pseudonym: WHOM.1.to_owned() },
            replaces,
            subject: SubjectRef { subject_id: subject.to_owned(), customer_ref: format!("c_{subject}") },
            created_at: NOW.to_owned(),
            fills: false,
            links,
            tombs: tombs.unchanged([seen]),
        };
        kind(subjects.write(write).await)
    };
    let nobody = read(&tombs, &ring).await;
    put(&tombs, &ring, 5, TTL_S).await.unwrap();
    assert_eq!(create("s_1", None, &nobody).await, "conflict");
    let planted = read(&tombs, &ring).await;
    assert_eq!(create("s_1", None, &planted).await, "ok");
    put(&tombs, &ring, 6, TTL_S).await.unwrap();
    let moved = read(&tombs, &ring).await;
    for (replaces, seen, outcome) in [
        (None, &moved, "conflict"),
        (Some("s_9"), &moved, "conflict"),
        (Some("s_1"), &planted, "conflict"),
        (Some("s_1"), &moved, "ok"),
    ] {
        assert_eq!(create("s_2", replaces, seen).await, outcome, "{replaces:?}");
    }
    let found = subjects.identifiers(&[WHOM]).await.unwrap().remove(0).unwrap();
    assert_eq!((found.subject_id.as_str(), keys.subjects_and_links()), ("s_2", (2, 2)));
}

#[test]
fn a_write_that_makes_a_subject_and_its_checks_fit_a_transaction() {
    for (tombstones, links) in [(0, 40), (18, 40), (19, 39), (20, 39), (96, 1), (97, 1), (500, 1)] {
        assert_eq!(links_of_create(tombstones), links);
    }
}

/// A table of which no call succeeds, and whose errors say what a caller let them say.
#[derive(Debug)]
struct Down;

impl Down {
    fn fail<T>(what: &str) -> Result<T, StoreError> {
        Err(StoreError::Unknown(Failure::new(what)))
    }
}

#[async_trait]
impl Table for Down {
    async fn get(&self, what: &str, _: &Key) -> Result<Option<Row>, StoreError> {
        Self::fail(what)
    }

    async fn batch_get(&self, what: &str, _: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        Self::fail(what)
    }

    async fn query(&self, what: &str, _: &Query) -> Result<Vec<(String, Row)>, StoreError> {
        Self::fail(what)
    }

    async fn write(&self, what: &str, _: Write, _: Returning) -> Result<Row, StoreError> {
        Self::fail(what)
    }

    async fn transact(&self, what: &str, _: Vec<Write>, _: Vec<Beside>) -> Result<(), StoreError> {
        Self::fail(what)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    async fn batch_write(&self, what: &str, _: Vec<Write>) -> Result<(), StoreError> {
        Self::fail(what)
    }

    async fn scan_page(&self, what: &str, _: &Scan, _: Option<Key>) -> Result<ScanPage, StoreError> {
        Self::fail(what)
    }
}

#[tokio::test]
async fn no_error_names_a_subject_a_pseudonym_an_alias_a_record_or_a_token() {
    const PERSON: &str = "acme/User/x_planted";
    let down: Arc<dyn Table> = Arc::new(Down);
    let (subjects, parties) = (Subjects::new(Arc::clone(&down)), Parties::new(Arc::clone(&down)));
    let (aliases, tokens) = (Aliases::new(Arc::clone(&down)), Tokens::new(Arc::clone(&down)));
    let (tombs, gone) = (Tombs::new(Arc::clone(&down)), Gone::new(Arc::clone(&down)));
    let (orgs, records) = (Orgs::new(Arc::clone(&down)), Records::new(Arc::clone(&down)));
    let (crm, crm_orgs) = (CrmRows::new(Arc::clone(&down)), CrmOrgs::new(Arc::clone(&down)));
    let planted_name = || CrmName::Pseudonym("planted".to_owned());
    let nothing = || Beside { table: Arc::clone(&down), writes: Vec::new() };
    let name = SubjectName { org: "planted".to_owned(), kind: Kind::Phone, pseudonym: "planted".to_owned() };
    let create = SubjectWrite::Create {
        name,
        replaces: Some("planted"),
        subject: SubjectRef { subject_id: "planted".to_owned(), customer_ref: "planted".to_owned() },
        created_at: NOW.to_owned(),
        fills: false,
        links: vec![new_link(PERSON, PartySeen::default())],
        tombs: nothing(),
    };
    let link =
        SubjectWrite::Link { subject_id: "planted", generation: 1, links_at_most: 1, growth: None, links: Vec::new() };
    let ring = ring(&[1]);
    let planted =
        Tombs::new(table("ControlTable").port()).read(&ring, &[("planted", "planted")]).await.unwrap().remove(0);
    let RowName { object, run, .. } = run_of(PERSON);
    let rows = [(run.to_owned(), keys(&[1]))];
    let whom = SubjectRef { subject_id: "planted".to_owned(), customer_ref: "planted".to_owned() };
    let ending = Ending { request: "r", subject: &whom, identifiers: &[("planted", "planted")] };
    let seen = Party { subjects: set(["planted"]), ..Party::default() };
    let (party_keys, asked) = (PartyKeys::new(Arc::clone(&down)), Asked::new(Arc::clone(&down)));
    let bronze = BronzeRow { record: PERSON, object: OBJECT, key: "bronze/a", lines: 1, at: &[1], dates: &[] };
    let errors = [
        subjects.write(create).await.err(),
        subjects.write(link).await.err(),
        subjects.identifiers(&[("planted", "planted")]).await.err(),
        subjects.read(&["planted"], &[("planted", PERSON)]).await.err(),
        subjects.links("planted").await.err(),
        subjects.mark_shared("planted", 1, None).await.err(),
        parties.read(&[PERSON]).await.err(),
        parties.are_as_seen(&BTreeMap::from([(PERSON, PartySeen::default())])).await.map(drop).err(),
        PartyKeys::new(Arc::clone(&down)).keep(PERSON, object, PartySeen::default(), &rows).await.err(),
        tombs.are_as_seen([&planted]).await.map(drop).err(),
        aliases.read(&[("planted", "planted")]).await.err(),
        aliases.give("planted", &[("planted", Some("planted"))], "x_planted", nothing()).await.err(),
        tokens.records("planted").await.err(),
        tokens.put(&[("planted", PERSON)]).await.err(),
        tombs.read(&ring, &[("planted", "planted")]).await.err(),
        tombs.put(&ring, "planted", "planted", 1, 1).await.err(),
        gone.among(["planted"]).await.err(),
        gone.put(&["planted"]).await.err(),
        orgs.has("planted").await.err(),
        records.pin(PERSON, &LogId::parse("acme/entity/1/0").unwrap()).await.err(),
        records.pins(&[PERSON]).await.err(),
        crm.read(&BTreeSet::from([("planted", planted_name())])).await.map(drop).err(),
        crm.put("planted", &[CrmPut { name: planted_name(), row: CrmRow::default() }], nothing()).await.err(),
        crm.delete(&BTreeSet::from([("planted", planted_name())])).await.err(),
        crm_orgs.kinds("planted").await.map(drop).err(),
        crm_orgs.note("planted", &BTreeSet::from(["phone".to_owned()])).await.err(),
        subjects.identifier_rows(&[("planted", "planted")]).await.err(),
        subjects.end(&down, &ending).await.err(),
        subjects.delete_links(&[("planted", PERSON)]).await.err(),
        subjects.delete_states(&["planted"]).await.err(),
        subjects.unlink("planted", PERSON).await.err(),
        parties.reach(&down, PERSON, &seen, &Reach { take: &seen.subjects, cutoff: None }).await.err(),
        parties.postpone(&down, PERSON, &seen, &seen.subjects, Cutoff::Closed).await.err(),
        parties.postponed_done(PERSON, &seen).await.err(),
        party_keys.of(PERSON).await.err(),
        party_keys.destroy(&[(party_key::key(run_of(PERSON)), keys(&[1]), set([format!("{:043}", 1)]))]).await.err(),
        aliases.names("planted", "x_planted").await.err(),
        aliases.delete("planted", "x_planted", &set(["planted"])).await.err(),
        tokens.delete(&[("planted", PERSON)]).await.err(),
        records.note_bronze(&[bronze], true).await.err(),
        records.bronze(PERSON).await.err(),
        Held::new(Arc::clone(&down)).among([PERSON]).await.err(),
        asked.add(&[("planted", "planted")], "r").await.err(),
        asked.take(&[("planted", "planted")], "r", true).await.err(),
        asked.of(&[("planted", "planted")]).await.err(),
    ];
    for error in errors {
        let text = format!("{:?}", error.unwrap());
        assert!(!text.contains("planted"), "{text}");
    }
}

fn run_of(record: &str) -> RowName<'_> {
    RowName { record, object: OBJECT, run: "89abcdef" }
}

/// A row with keys of these numbers.
fn keys(numbers: &[u8]) -> KeyRow {
    let key = |number: &u8| {
        let (party, subjects, first) = (entry::Party::Customer, set(["s_1"]), NOW.to_owned());
        (format!("{number:043}"), WrappedKey { party, subjects, first, wrapped: vec![*number; 48].into() })
    };
    KeyRow { month: "2026-03".to_owned(), enc: vec![4; 65].into(), keys: numbers.iter().map(key).collect() }
}

#[tokio::test]
async fn keys_are_kept_once_and_not_past_an_erasure() {
    let people = table("KeysTable");
    let (party_keys, parties) = (PartyKeys::new(people.port()), Parties::new(people.port()));
    let (one, other) = (run_of(RECORD), RowName { run: "01234567", ..run_of(RECORD) });
    let stored = |name| people.peek(&party_key::key(name)).map(|row| party_key::read(row).unwrap());
    // Of a record in which nobody takes part, too.
    let nobody = PartySeen::default();
    let keep = async |name: RowName<'_>, seen, row| {
        party_keys.keep(name.record, name.object, seen, &[(name.run.to_owned(), row)]).await
    };
    keep(one, nobody, keys(&[1, 2])).await.unwrap();
    assert_eq!(stored(one), Some(keys(&[1, 2])));
    assert_eq!(kind(keep(one, nobody, keys(&[3])).await), "conflict");
    assert_eq!((stored(one), people.rows().len()), (Some(keys(&[1, 2])), 1));
    // Another run of the object has its own row, as long as no erasure came.
    let seen = parties.read(&[RECORD]).await.unwrap()[0].seen();
    assert_eq!(create(&people, "s_1", vec![new_link(RECORD, seen)]).await, "ok");
    keep(other, seen, keys(&[4])).await.unwrap();
    for cutoff in [None, Some(Cutoff::At(5)), Some(Cutoff::Closed)] {
        let seen = parties.read(&[RECORD]).await.unwrap()[0].seen();
        people.erase_record(RECORD, cutoff);
        let late = RowName { run: "0000beef", ..one };
        assert_eq!((kind(keep(late, seen, keys(&[5])).await), stored(late)), ("conflict", None));
    }
    // What was seen after the erasure counts: an event behind its cutoff has keys.
    let seen = parties.read(&[RECORD]).await.unwrap()[0].seen();
    let after = RowName { run: "0000cafe", ..one };
    keep(after, seen, keys(&[6])).await.unwrap();
    assert_eq!((stored(after), stored(other)), (Some(keys(&[6])), Some(keys(&[4]))));
    // Several rows come together: one that is there already keeps the others out.
    let rows = |runs: [&str; 2]| runs.map(|run| (run.to_owned(), keys(&[7])));
    let both = party_keys.keep(RECORD, one.object, seen, &rows(["00000001", "0000cafe"])).await;
    assert_eq!((kind(both), stored(RowName { run: "00000001", ..one })), ("conflict", None));
    party_keys.keep(RECORD, one.object, seen, &rows(["00000001", "00000002"])).await.unwrap();
    assert!(["00000001", "00000002"].iter().all(|run| stored(RowName { run, ..one }).is_some()));
}

#[tokio::test]
async fn a_row_of_keys_that_is_held_by_another_transaction_is_a_conflict() {
    let people = table("KeysTable");
    people.clash(1);
    let party_keys = PartyKeys::new(people.port());
    let RowName { record, object, run } = run_of(RECORD);
    let rows = [(run.to_owned(), keys(&[1]))];
    assert_eq!(kind(party_keys.keep(record, object, PartySeen::default(), &rows).await), "conflict");
    party_keys.keep(record, object, PartySeen::default(), &rows).await.unwrap();
}

/// A destruction of something in another table, which no hold may be in the way of.
async fn destroy(control: &FakeTable) -> Result<(), StoreError> {
    let not_held = Write::check(held::key(RECORD), held::not_held());
    let beside = Beside { table: control.port(), writes: vec![not_held] };
    let destroyed = vec![Write::delete(alias::key("acme", "p1_ab"))];
    table("KeysTable").port().transact("destroy", destroyed, vec![beside]).await
}

#[tokio::test]
async fn a_record_is_held_while_any_hold_is_on_it() {
    let control = table("ControlTable");
    let held = Held::new(control.port());
    held.remove(RECORD, "a").await.unwrap();
    assert_eq!((control.rows().len(), held.is_held(RECORD).await.unwrap()), (0, false));
    destroy(&control).await.unwrap();
    for hold in ["a", "b", "a"] {
        held.add(RECORD, hold).await.unwrap();
    }
    for (hold, is_held) in [("a", true), ("a", true), ("c", true), ("b", false), ("b", false)] {
        held.remove(RECORD, hold).await.unwrap();
        assert_eq!(held.is_held(RECORD).await.unwrap(), is_held, "{hold}");
        assert_eq!(destroy(&control).await.is_err(), is_held, "{hold}");
    }
    held.add(RECORD, "b").await.unwrap();
    assert!(held.is_held(RECORD).await.unwrap() && !held.is_held("acme/c-2").await.unwrap());
}

#[tokio::test]
async fn a_tokens_records_are_read_up_to_where_it_is_surely_shared() {
    let index = table("IndexTable");
    let tokens = Tokens::new(index.port());
    for nth in 0..RECORDS_READ + 5 {
        tokens.put(&[("t", &format!("acme/c-{nth:03}"))]).await.unwrap();
        tokens.put(&[("t", "acme/c-000")]).await.unwrap();
    }
    let records = tokens.records("t").await.unwrap();
    assert_eq!((records.len(), records[0].as_str(), records[100].as_str()), (101, "acme/c-000", "acme/c-100"));
    assert!(tokens.records("other").await.unwrap().is_empty());
}

#[tokio::test]
async fn an_org_is_noted_once() {
    let orgs = Orgs::new(table("ControlTable").port());
    assert!(orgs.all().await.unwrap().is_empty());
    for org in ["globex", "acme", "globex"] {
        orgs.note(org).await.unwrap();
    }
    assert_eq!(orgs.all().await.unwrap(), ["acme", "globex"]);
    assert_eq!(orgs.first(1).await.unwrap(), ["acme"]);
    assert_eq!(orgs.first(2).await.unwrap(), ["acme", "globex"]);
    orgs.note("acme-2").await.unwrap();
    for (org, is_noted) in [("acme", true), ("acme-2", true), ("globex", true), ("glob", false), ("acme-", false)] {
        assert_eq!(orgs.has(org).await.unwrap(), is_noted, "{org}");
    }
}
