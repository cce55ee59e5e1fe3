//! Every family's keys and rows as they are stored: what a released version wrote, the next one must read. Here alone they
//! are spelled out; a test holds the rest of the source to that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ledgerline_figures::summary::Granularity;
use ledgerline_lake::keys::PlanOf;
use ledgerline_lake::plan::{ChunkRange, Counts, Header};
use ledgerline_lake::{ObjectId, keys};
use ledgerline_ledger::append::{Commit, Marker};
use ledgerline_ledger::chunk::ChunkId;
use ledgerline_ledger::entry;
use ledgerline_ledger::head::{SegmentRef, SigningTurn};
use ledgerline_ledger::lock::{Lock, LockMode};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::posting::{Posting, PostingMember};
use ledgerline_ledger::segment::SegmentName;
use ledgerline_ledger::tile::Tile;
use ledgerline_ledger::tree::{Edge, Hash};
use ledgerline_privacy::{Kind, Pseudonym, SuppressionKey, SuppressionRing};
use ledgerline_sealed::{self as sealed, KeyRow, MonthKey};
use ledgerline_store::act_note::{ActNotes, object_of};
use ledgerline_store::alias::Aliases;
use ledgerline_store::checkpoint::Checkpoints;
use ledgerline_store::claim::{Claim, Claims, Unclaimed};
use ledgerline_store::crm::{CrmName, CrmOrgs, CrmPut, CrmRow, CrmRows};
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::data_key::{Purpose, WrappedKey, WrappedKeys};
use ledgerline_store::gold::Gold;
use ledgerline_store::gold_date::GoldDates;
use ledgerline_store::gold_repeats::{GoldRepeats, Told};
use ledgerline_store::gone::Gone;
use ledgerline_store::head::Heads;
use ledgerline_store::held::Held;
use ledgerline_store::hold::{HoldRow, Holds};
use ledgerline_store::journal::{Journal, Kept, NewJournaled, PlannedAs};
use ledgerline_store::month_key::MonthKeys;
use ledgerline_store::nonce::Nonces;
use ledgerline_store::object_row::ObjectRows;
use ledgerline_store::orgs::Orgs;
use ledgerline_store::own::{Change, OwnName, OwnNumbers};
use ledgerline_store::party::PartySeen;
use ledgerline_store::party_key::PartyKeys;
use ledgerline_store::plan::Plans;
use ledgerline_store::planned::Planned;
use ledgerline_store::poison::Poison;
use ledgerline_store::posting::Postings;
use ledgerline_store::principal::Principals;
use ledgerline_store::quarantine::{self, Quarantine};
use ledgerline_store::record::{BronzeRow, Records};
use ledgerline_store::replay_mark::{Place, ReplayMarks};
use ledgerline_store::request::{
    Approved, Done, Method, Regime, RequestKind, RequestRow, Requests, State, Step, Who, WhoChange,
};
use ledgerline_store::segment::Segments;
use ledgerline_store::silver::Silver;
use ledgerline_store::spill::{self, Spill, SpillLine};
use ledgerline_store::subject::{Link, LinkWrite, Span, SubjectName, SubjectRef, SubjectWrite, Subjects, link_key};
use ledgerline_store::sweep_state::SweepStates;
use ledgerline_store::table::Key;
use ledgerline_store::tile::Tiles;
use ledgerline_store::token::Tokens;
use ledgerline_store::tombstone::Tombs;
use ledgerline_store::usage::{Usage, Use};
use ledgerline_store::watch::{Watch, Watched};
use ledgerline_store::{Erasure, Family};
use ledgerline_testkit::bucket::FakeBucket;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::table::FakeTable;
use serde_bytes::ByteBuf;
use serde_json::{Value, json};
use time::macros::date;

const NOW: &str = "2026-03-02T14:00:00.000Z";
const NOW_MS: i64 = 1_772_460_000_000;
const OBJECT: &str = "00112233445566778899aabbccddeeff";
const RECORD: &str = "acme/c-1";
const REQUEST: &str = "req_00112233445566778899aabbccddeeff";
const DUE: &str = "2026-04-02T23:59:59.999Z";

fn log() -> LogId {
    LogId::parse("acme/interaction/1/0").unwrap()
}

fn object() -> ObjectId {
    OBJECT.parse().unwrap()
}

fn chunk(ordinal: u32) -> ChunkId {
    ChunkId { of: PlanOf::Bronze, object: OBJECT.to_owned(), ordinal }
}

fn of_act() -> ChunkId {
    ChunkId { of: PlanOf::Acts, ..chunk(0) }
}

fn table(name: &'static str) -> FakeTable {
    FakeTable::new(name, Faults::none(), Calls::default())
}

fn ring() -> SuppressionRing {
    SuppressionRing::new([SuppressionKey::new(1, [7; 32])]).unwrap()
}

fn month_key() -> MonthKey {
    MonthKey::from_point(&[4; 65]).unwrap()
}

fn wrapped_key() -> KeyRow {
    let key = sealed::WrappedKey {
        party: entry::Party::Customer,
        subjects: BTreeSet::from(["s_1".to_owned()]),
        first: NOW.to_owned(),
        wrapped: ByteBuf::from([7; 48]),
    };
    let keys = BTreeMap::from([("jJ1-ckOty_TxA2QVA8Od24Rf-rPc29EuTp4wyvtcj9Y".to_owned(), key)]);
    KeyRow { month: "2026-03".to_owned(), enc: ByteBuf::from([4; 65]), keys }
}

/// The rows of a table, as `pk`, `sk` and attributes.
fn rows(table: &FakeTable) -> Value {
    table.items().into_iter().map(|((pk, sk), item)| json!([pk, sk, item])).collect()
}

/// A control table in which every family has a row, with every attribute that it may have.
async fn control() -> FakeTable {
    let control = table("ControlTable");
    let heads = Heads::new(control.port());
    let segment = SegmentRef {
        first: 0,
        count: 1,
        key: "ledger/k".to_owned(),
        version_id: "v".to_owned(),
        bytes: 90,
        chunks: vec![(chunk(7), 1), (of_act(), 1)],
    };
    let commit = Commit {
        log: log(),
        before: (0, Hash([0; 32])),
        after: Edge::from_parts(1, vec![Hash([1; 32])]).unwrap(),
        segment,
        markers: [chunk(7), of_act()]
            .map(|chunk| Marker { chunk, first: 0, count: 1, segment: "ledger/k".to_owned() })
            .into(),
        markers_expire_at_s: 1_800_000_000,
    };
    heads.commit(&commit).await.unwrap();
    let turn = SigningTurn { before_ms: 0, now_ms: 9, keys_before: vec![], keys: vec!["vkey".to_owned()] };
    heads.take_signing_turn(&log(), &turn).await.unwrap();
    let watched = Watched {
        size: 1,
        checkpoint: Some("note".to_owned()),
        keys: vec!["vkey".to_owned()],
        verified_at_ms: 1,
        grew_at_ms: 2,
        whole_at_ms: Some(3),
        tried_at_ms: Some(4),
    };
    Watch::new(control.port()).remember(&log(), None, &watched).await.unwrap();
    let holds = Holds::new(control.port());
    let hold = HoldRow {
        hold: "matter-7".to_owned(),
        record_key: RECORD.to_owned(),
        log: log(),
        purpose: "litigation".to_owned(),
        basis: "legal-claims".to_owned(),
        review: "2027-01-01".to_owned(),
        placed_at: NOW.to_owned(),
        lifted_at: None,
    };
    holds.note(&hold).await.unwrap();
    holds.note_lifted("matter-7", RECORD, NOW).await.unwrap();
    let objects = ObjectRows::new(control.port());
    objects.open(object(), "bronze/a", NOW).await.unwrap();
    let chunk_of = |ordinal| ChunkRange { log: log().to_string(), ordinal, offset: 0, length: 9, count: 1 };
    let plan = Header {
        v: 1,
        object: object(),
        key: "bronze/a".to_owned(),
        policy_version: "1".to_owned(),
        counts: Counts { input: 10, filtered: 1, duplicate: 2, quarantined: 3, planned: 4 },
        chunks: vec![chunk_of(0), chunk_of(1)],
    };
    objects.planned(&plan, NOW).await.unwrap();
    objects.count_committed(&chunk(0), 1).await.unwrap();
    objects.mark_poison(&chunk(1), 3).await.unwrap();
    objects.take_turn(object(), "bronze/a", None, NOW_MS).await.unwrap();
    // An act under the same id is another.
    objects.open(object(), "act/hold/1", NOW).await.unwrap();
    let plan = Header { key: "act/hold/1".to_owned(), chunks: vec![chunk_of(0)], ..plan };
    objects.planned(&plan, NOW).await.unwrap();
    objects.count_committed(&of_act(), 1).await.unwrap();
    objects.take_turn(object(), "act/hold/1", None, NOW_MS).await.unwrap();
    let opened = objects.open(object(), "act/hold/1", NOW).await.unwrap();
    assert_eq!((opened.planned, opened.committed), (true, true));
    let opened = objects.open(object(), "bronze/a", NOW).await.unwrap();
    assert_eq!((opened.planned, opened.committed), (true, false));
    let own = OwnNumbers::new(control.port());
    let domain = OwnName::Domain("acme.example".to_owned());
    for change in [Change::Add, Change::Remove, Change::Restore, Change::Remove] {
        own.change("acme", &domain, change, NOW).await.unwrap();
    }
    ActNotes::new(control.port()).note(object_of("act/hold/1").unwrap(), "act/hold/1", NOW).await.unwrap();
    Planned::new(control.port()).keep_through(NOW_MS, None).await.unwrap();
    let (marks, line) =
        (ReplayMarks::new(control.port()), Place { object_key: "quarantine/redrive/x.jsonl".to_owned(), line: 3 });
    assert_eq!(marks.of(std::slice::from_ref(&line)).await.unwrap(), [false]);
    // Marked again, the first time counts.
    for (at_ms, is_first) in [(NOW_MS, true), (NOW_MS + 1, false)] {
        assert_eq!(marks.mark(&line, at_ms, Some(30)).await.unwrap(), is_first);
    }
    assert_eq!(marks.of(&[line]).await.unwrap(), [true]);
    let wrapped = WrappedKey { version: 1, rules: 2, wrapped: vec![0xAB, 0xCD] };
    WrappedKeys::new(control.port()).create(Purpose::Pseudonym, &wrapped, NOW).await.unwrap();
    MonthKeys::new(control.port()).create("2026-03", &month_key(), &[0xAB, 0xCD], NOW).await.unwrap();
    Orgs::new(control.port()).note("acme").await.unwrap();
    CrmOrgs::new(control.port()).note("acme", &BTreeSet::from(["phone".to_owned()])).await.unwrap();
    let dates = GoldDates::new(control.port());
    for _ in 0..3 {
        dates.touch(date!(2026 - 03 - 02)).await.unwrap();
    }
    assert!(dates.computed(date!(2026 - 03 - 02), 2).await.unwrap());
    let repeats = GoldRepeats::new(control.port());
    for (touched, settled) in [(2, false), (3, true), (1, false)] {
        repeats.tell(Told { date: date!(2026 - 03 - 02), touched, settled }).await.unwrap();
    }
    Tombs::new(control.port()).put(&ring(), "acme", "p1_ab", NOW_MS, 1_800_000_000).await.unwrap();
    Gone::new(control.port()).put(&["s_1"]).await.unwrap();
    Held::new(control.port()).add(RECORD, "matter-7").await.unwrap();
    Usage::new(control.port()).count("u_1", Use::Preview, "2026-03-02", 1_800_000_000).await.unwrap();
    let nonces = Nonces::new(control.port());
    assert!(!nonces.has("flows", "0f").await.unwrap());
    for is_first in [true, false] {
        assert_eq!(nonces.note("flows", "0f", 1_800_000_000).await.unwrap(), is_first);
    }
    assert!(nonces.has("flows", "0f").await.unwrap());
    requested(&control, &table("KeysTable")).await;
    control
}

/// A request that was verified, and then given more time.
async fn requested(control: &FakeTable, people: &FakeTable) {
    let requests = Requests::new(control.port(), people.port());
    let done = |step, method| Done { step, at: NOW.to_owned(), by: "u_1".to_owned(), method };
    let received = RequestRow {
        kind: RequestKind::Erasure,
        regime: Regime::Gdpr,
        orgs: vec!["acme".to_owned()],
        state: State::Received,
        received_at: NOW.to_owned(),
        due_at: DUE.to_owned(),
        extended: false,
        version: 1,
        history: vec![done(Step::Received, None)],
        approved: None,
        cooling_off_until: None,
        waits_for_approval: false,
        also_asked_by: BTreeSet::new(),
    };
    let who = Who {
        pseudonyms: vec!["p1_ab".to_owned()],
        subjects: vec!["s_1".to_owned()],
        interactions: vec!["c-1".to_owned()],
        reference: Some("ticket 7".to_owned()),
        deletion_reason: Some("RTBF_REQUEST".to_owned()),
        wrapped: Some(ByteBuf::from([0xAB, 0xCD])),
        duplicates: ["d1", "d2"].map(str::to_owned).to_vec(),
        ..Who::default()
    };
    requests.create(REQUEST, &received, &who, &[], NOW).await.unwrap();
    requests.note_asked(REQUEST, &received, "u_2").await.unwrap();
    let approved = Approved { digest: "d2".to_owned(), records: 2, shared: 1, lines: 9, entries: 8 };
    let mut history = received.history.clone();
    history.push(done(Step::Verified, Some(Method::InPerson)));
    let verified = RequestRow {
        state: State::Verified,
        version: 2,
        history,
        approved: Some(approved),
        cooling_off_until: Some(NOW.to_owned()),
        ..received.clone()
    };
    let text = Some("passport".to_owned());
    let change = WhoChange { text, erase_shared: Some(vec![RECORD.to_owned()]), expires_at_s: Some(1_800_000_000) };
    requests.advance(REQUEST, (&received, &verified), change, &who.duplicates, (NOW, NOW_MS / 1_000)).await.unwrap();
}

async fn index() -> FakeTable {
    let index = table("IndexTable");
    let claim =
        Claim { record: RECORD, shard: "2026030214".to_owned(), object: OBJECT, events: vec!["e1"], expires_at_s: 9 };
    Claims::new(index.port()).claim(&claim).await.unwrap();
    let records = Records::new(index.port());
    records.pin(RECORD, &log()).await.unwrap();
    let note = BronzeRow {
        record: RECORD,
        object: OBJECT,
        key: "bronze/a",
        lines: 3,
        at: &[0, 7],
        dates: &["2026-03-02".to_owned()],
    };
    records.note_bronze(&[note]).await.unwrap();
    let posting = Posting {
        record_key: RECORD.to_owned(),
        log: log(),
        first: 256,
        segment: "ledger/k".to_owned(),
        version_id: "v".to_owned(),
        from: "a".to_owned(),
        to: "b".to_owned(),
        members: vec![PostingMember { offset: 7, length: 90, first: 256, at: vec![0, 4] }],
    };
    Postings::new(index.port()).put(&[posting]).await.unwrap();
    Tokens::new(index.port()).put(&[("bd86e063-8107-5582-8732-b94e6fbe5587", RECORD)]).await.unwrap();
    journaled(&index, &people().await).await;
    index
}

/// The event that [`index`] journals.
const CLAIM_ID: &str = "aabbccddeeff00112233445566778899";

/// An event of capture's of the subject `s_1`, which is planned and committed.
async fn journaled(index: &FakeTable, people: &FakeTable) {
    let (journal, subjects) = (Journal::new(index.port()), Subjects::new(people.port()));
    let claim = Unclaimed { record: RECORD, occurred_at_ms: NOW_MS, named_by_source: false, event: CLAIM_ID };
    let new = NewJournaled {
        record: RECORD,
        claim,
        line: "{}",
        occurred_at: NOW,
        received_at_ms: NOW_MS,
        client: "flows",
        policy: "p-1",
        subjects: &["s_1"],
    };
    let (seen, none) = (people.party(RECORD).seen(), || Tombs::new(table("ControlTable").port()).unchanged([]));
    for kept in [Kept::Now, Kept::Before] {
        assert_eq!(journal.keep(&new, seen, &subjects, none()).await.unwrap(), kept);
    }
    let planned = PlannedAs { event_id: "ee".to_owned(), object: OBJECT.to_owned() };
    for id in [CLAIM_ID, OBJECT] {
        assert_eq!(journal.note_planned(RECORD, id, &planned).await.unwrap(), id == CLAIM_ID);
    }
    for is_first in [true, false] {
        assert_eq!(journal.note_committed(RECORD, CLAIM_ID, NOW_MS).await.unwrap(), is_first);
    }
}

#[tokio::test]
async fn a_journaled_event_is_found_by_record_subject_and_hour_and_deleted_from_all_three() {
    let (index, people) = (index().await, people().await);
    let journal = Journal::new(index.port());
    let events = journal.of(RECORD).await.unwrap();
    assert_eq!((events.len(), events[0].claim_id.as_str(), events[0].committed_at_ms), (1, CLAIM_ID, Some(NOW_MS)));
    for (subject, found) in [("s_1", 1), ("s_2", 0)] {
        let subjects = BTreeSet::from([subject.to_owned()]);
        assert_eq!(journal.of_subjects(RECORD, &subjects).await.unwrap().len(), found, "{subject}");
    }
    let listed = journal.listed("2026030214", None).await.unwrap();
    assert_eq!(journal.rows(&listed).await.unwrap(), [Some(events[0].clone())]);
    assert!(journal.listed("2026030214", listed.last()).await.unwrap().is_empty());
    // The link says until when to look, and a wider one still does.
    journaled(&table("IndexTable"), &people).await;
    let until = |people: &FakeTable| people.peek(&link_key("s_1", RECORD)).unwrap()["journalUntil"].clone();
    let before = until(&people);
    let links = Subjects::new(people.port()).listed_links("s_1").await.unwrap();
    assert_eq!(links[0].journal_until.as_deref(), Some("2026-04-01T14:00:00.000Z"));
    let span = Span { log: log().to_string(), first: "a".to_owned(), last: "c".to_owned() };
    let link = LinkWrite {
        record: RECORD.to_owned(),
        link: Link { span: Some(span) },
        replaces: Some(links[0].link.clone()),
        party: people.party(RECORD).seen(),
    };
    people.unshare("s_1");
    let write =
        SubjectWrite::Link { subject_id: "s_1", generation: 1, links_at_most: 9, growth: None, links: vec![link] };
    Subjects::new(people.port()).write(write).await.unwrap();
    assert_eq!(until(&people), before);
    journal.forget(RECORD, &events).await.unwrap();
    journal.unlist(&listed).await.unwrap();
    assert!(
        journal.of(RECORD).await.unwrap().is_empty() && journal.listed("2026030214", None).await.unwrap().is_empty()
    );
}

#[tokio::test]
async fn an_event_is_not_journaled_behind_an_erasure_or_for_a_link_that_is_gone() {
    let (index, people) = (table("IndexTable"), people().await);
    let (journal, subjects) = (Journal::new(index.port()), Subjects::new(people.port()));
    let claim = Unclaimed { record: RECORD, occurred_at_ms: NOW_MS, named_by_source: true, event: CLAIM_ID };
    let new = |subjects| NewJournaled {
        record: RECORD,
        claim,
        line: "{}",
        occurred_at: NOW,
        received_at_ms: NOW_MS,
        client: "flows",
        policy: "p-1",
        subjects,
    };
    let none = || Tombs::new(table("ControlTable").port()).unchanged([]);
    let seen = people.party(RECORD).seen();
    let gone = journal.keep(&new(&["s_2"]), seen, &subjects, none()).await;
    assert_eq!(gone.unwrap_err().kind(), "conflict");
    people.erase_record(RECORD, None);
    let erased = journal.keep(&new(&["s_1"]), seen, &subjects, none()).await;
    assert_eq!((erased.unwrap_err().kind(), index.rows().len()), ("conflict", 0));
}

async fn people() -> FakeTable {
    let people = table("KeysTable");
    let subjects = Subjects::new(people.port());
    let span = Span { log: log().to_string(), first: "a".to_owned(), last: "b".to_owned() };
    let party = PartySeen::default();
    let create = SubjectWrite::Create {
        name: SubjectName { org: "acme".to_owned(), kind: Kind::Phone, pseudonym: "p1_ab".to_owned() },
        replaces: None,
        subject: SubjectRef { subject_id: "s_1".to_owned(), customer_ref: "c_1".to_owned() },
        created_at: NOW.to_owned(),
        fills: false,
        links: vec![LinkWrite { record: RECORD.to_owned(), link: Link { span: Some(span) }, replaces: None, party }],
        tombs: Tombs::new(table("ControlTable").port()).unchanged([]),
    };
    subjects.write(create).await.unwrap();
    subjects.mark_shared("s_1", 1, Some(NOW)).await.unwrap();
    let rows = [("89abcdef".to_owned(), wrapped_key())];
    PartyKeys::new(people.port()).keep(RECORD, OBJECT, party, &rows).await.unwrap();
    people.erase_record(RECORD, Some(Cutoff::At(NOW_MS)));
    requested(&table("ControlTable"), &people).await;
    let principal = Pseudonym::parse(&format!("p1_{}", "ab".repeat(32))).unwrap();
    let said = |text: &str| Some(text.to_owned());
    let row = CrmRow { tier: said("Gold"), product: said("Credit card"), owner: said("p1_ef") };
    let puts = [CrmName::Pseudonym("p1_ab".to_owned()), CrmName::Record("c-9".to_owned())]
        .map(|name| CrmPut { name, row: row.clone() });
    let nothing = Tombs::new(table("ControlTable").port()).unchanged([]);
    CrmRows::new(people.port()).put("acme", &puts, nothing).await.unwrap();
    Principals::new(people.port()).alias(&[principal], "u_1").await.unwrap();
    let unchanged = Tombs::new(table("ControlTable").port()).unchanged([]);
    Aliases::new(people.port()).give("acme", &[("p1_cd", None)], "x_1", unchanged).await.unwrap();
    people
}

/// A bucket in which every family has an object.
async fn objects() -> FakeBucket {
    let bucket = FakeBucket::versioned("AnyBucket", Faults::none(), Calls::default(), NOW_MS);
    let lock = Lock { mode: LockMode::Compliance, retain_until_s: 1_800_000_000 };
    let segments = Segments::new(bucket.port());
    let key = SegmentName::of(&log(), 0, 1, b"segment").key();
    segments.put(&key, b"segment", &Hash::of_object(b"segment"), &lock).await.unwrap();
    let tiles = Tiles::new(bucket.port());
    let tile = |index, width| Tile::new(0, index, width).unwrap().key(&log());
    tiles.put_full(&tile(1_234_067, 256), &[0; 256 * 32], &lock).await.unwrap();
    tiles.put_partial(&tile(1, 7), &[0; 7 * 32]).await.unwrap();
    let checkpoints = Checkpoints::new(bucket.port());
    checkpoints.put_archived(&log(), 263, b"note", &lock).await.unwrap();
    checkpoints.put_live(&log(), b"note", None).await.unwrap();
    Quarantine::new(bucket.port()).put(object(), "lines".into()).await.unwrap();
    Silver::new(bucket.port())
        .put(&keys::silver_events(time::macros::date!(2026 - 03 - 02), object()), "".into())
        .await
        .unwrap();
    for of in [PlanOf::Bronze, PlanOf::Acts] {
        Plans::new(bucket.port()).put_if_absent(of, object(), "plan".into()).await.unwrap();
    }
    Poison::new(bucket.port()).keep("audit-write", "m-1", "{}".into()).await.unwrap();
    let line = SpillLine { received_at_ms: NOW_MS, reason: "denied".to_owned(), record: b"{}".to_vec() };
    Spill::new(bucket.port()).put(&spill::key(NOW_MS, [0xAB; 16]), &[line]).await.unwrap();
    SweepStates::new(bucket.port()).store("sweep/bronze.json", b"{}".to_vec(), None).await.unwrap();
    let (gold, day) = (Gold::new(bucket.port()), date!(2026 - 03 - 02));
    for key in [keys::gold_intervals(day), keys::gold_daily(day)] {
        assert!(gold.put_parquet(&key, "parquet".into(), None).await.unwrap());
    }
    gold.put_run(day, 7, b"{}".to_vec()).await.unwrap();
    bucket.seed(&keys::gold_summary(day, Granularity::Daily), "{}");
    // Athena's, and the owner's.
    bucket.seed("athena/00112233-4455-4677-8899-aabbccddeeff.csv", "x");
    bucket.seed("reference/queues.csv", "x");
    // Firehose's own, under the prefixes that the template gives it.
    bucket.seed("bronze/event_type=interaction/year=2026/month=03/day=02/hour=14/x.gz", "lines");
    bucket.seed("errors/processing-failed/year=2026/month=03/day=02/hour=14/x", "lines");
    bucket
}

#[tokio::test]
async fn every_row_of_the_control_table_is_stored_as_ever() {
    let ones = "01".repeat(32);
    let expected = json!([
        ["ACT#00112233445566778899aabbccddeeff", "ACT", {
            "key": "act/hold/1", "startedAt": NOW, "status": "planned", "plannedAt": NOW, "in": 10, "filtered": 1,
            "duplicate": 2, "quarantined": 3, "planned": 4, "chunks": 1, "committed": 1, "done": { "numbers": ["0"] },
            "sweptAt": NOW, "turns": 1,
        }],
        ["ACTS#2026-03-02T14", "7cac7229d33a6ff938a2ceff54556e69", { "key": "act/request/req_00112233445566778899aabbccddeeff/1", "at": NOW, "ttl": 1773669600 }],
        ["ACTS#2026-03-02T14", "c56a9b138614f8a35b8a35b58704c265", { "key": "act/hold/1", "at": NOW, "ttl": 1773669600 }],
        ["ACTS#2026-03-02T14", "f7023f4218f528c65da6130c091d25fc", { "key": "act/request/req_00112233445566778899aabbccddeeff/0", "at": NOW, "ttl": 1773669600 }],
        ["BRONZE", "PLANNED", { "through": NOW }],
        ["CRMS", "acme", { "kinds": { "texts": ["phone"] } }],
        ["GOLD", "2026-03-02", { "touched": 3, "computed": 2 }],
        ["GOLD#REPEATS", "2026-03-02", { "touched": 3, "settled": true }],
        ["GONE#s_1", "GONE", { "v": 1 }],
        ["HELD#acme/c-1", "HELD", { "holds": { "texts": ["matter-7"] } }],
        ["HOLD#matter-7", "acme/c-1", {
            "v": 1, "log": "acme/interaction/1/0", "purpose": "litigation", "basis": "legal-claims", "review": "2027-01-01",
            "placedAt": NOW, "liftedAt": NOW,
        }],
        ["KEY#party", "2026-03", {
            "public": { "bytes": "04".repeat(65) }, "wrapped": { "bytes": "abcd" }, "createdAt": NOW,
        }],
        ["KEY#pseudonym", "1", { "wrapped": { "bytes": "abcd" }, "createdAt": NOW, "rules": 2 }],
        ["LOG#acme/interaction/1/0", "CHUNK#00112233445566778899aabbccddeeff#000007", {
            "first": 0, "count": 1, "segment": "ledger/k", "ttl": 1_800_000_000,
        }],
        ["LOG#acme/interaction/1/0", "CHUNK#act#00112233445566778899aabbccddeeff#000000", {
            "first": 0, "count": 1, "segment": "ledger/k", "ttl": 1_800_000_000,
        }],
        ["LOG#acme/interaction/1/0", "HEAD", {
            "v": 1, "size": 1, "root": { "bytes": ones }, "edge": { "bytes": ones },
            "unpublished": [{
                "first": 0, "count": 1, "key": "ledger/k", "versionId": "v", "bytes": 90,
                "chunks": ["00112233445566778899aabbccddeeff#000007#1", "act#00112233445566778899aabbccddeeff#000000#1"],
            }],
            "indexed": 0, "published": 0, "signed": 0, "signedAt": 9, "signingKeys": ["vkey"],
        }],
        ["LOGS", "acme/interaction/1/0", {}],
        ["NONCE#flows", "0f", { "ttl": 1_800_003_600 }],
        ["OBJ#00112233445566778899aabbccddeeff", "OBJ", {
            "key": "bronze/a", "startedAt": NOW, "status": "planned", "plannedAt": NOW, "in": 10, "filtered": 1,
            "duplicate": 2, "quarantined": 3, "planned": 4, "chunks": 2, "committed": 1, "done": { "numbers": ["0"] },
            "poison#1": 3, "sweptAt": NOW, "turns": 1,
        }],
        ["ORGS", "acme", {}],
        ["OWN#acme", "domain#acme.example", { "addedAt": NOW, "removedAt": NOW, "formerly": true }],
        ["REPLAY#quarantine/redrive/x.jsonl", "3", { "at": NOW, "ttl": 1777644000 }],
        ["REQ#req_00112233445566778899aabbccddeeff", "REQ", {
            "v": 1, "type": "ERASURE", "regime": "GDPR", "orgs": ["acme"], "state": "verified", "receivedAt": NOW, "dueAt": DUE,
            "extended": false, "version": 2, "coolingOffUntil": NOW,
            "history": [
                { "step": "received", "at": NOW, "by": "u_1" },
                { "step": "verified", "at": NOW, "by": "u_1", "method": "in-person" },
            ],
            "approved": { "digest": "d2", "records": 2, "shared": 1, "lines": 9, "entries": 8 },
            "alsoAskedBy": { "texts": ["u_2"] },
        }],
        ["REQDUP#d1", "REQ", { "id": REQUEST }],
        ["REQDUP#d2", "REQ", { "id": REQUEST }],
        ["REQS#acme", "2026-04-02T23:59:59.999Z#req_00112233445566778899aabbccddeeff", {}],
        ["TOMB#9cf536a03cd301d6b81ebbffd440c9d427e50c9a24a95d25d0711a09230c3567", "TOMB", {
            "cutoff": NOW, "ttl": 1_800_000_000,
        }],
        ["USED#u_1", "2026-03-02", { "previews": 1, "ttl": 1_800_000_000 }],
        ["WATCH#acme/interaction/1/0", "WATCH", {
            "size": 1, "checkpoint": "note", "keys": ["vkey"], "verifiedAt": 1, "grewAt": 2, "wholeAt": 3, "triedAt": 4,
        }],
    ]);
    assert_eq!(rows(&control().await), expected);
}

#[tokio::test]
async fn every_row_of_the_index_table_is_stored_as_ever() {
    let expected = json!([
        ["INT#acme/c-1", "BRZ#00112233445566778899aabbccddeeff", {
            "key": "bronze/a", "lines": 3, "at": [0, 7], "dates": ["2026-03-02"],
        }],
        ["INT#acme/c-1", "CLAIM#2026030214", { "ee1": OBJECT, "ttl": 9 }],
        ["INT#acme/c-1", "JRN#aabbccddeeff00112233445566778899", {
            "line": "{}", "occurredAt": NOW, "receivedAt": NOW, "client": "flows", "policy": "p-1", "subjects": ["s_1"],
            "eventId": "ee", "object": OBJECT, "committedAt": NOW, "ttl": 1775052000,
        }],
        ["INT#acme/c-1", "LOG", { "log": "acme/interaction/1/0" }],
        ["INT#acme/c-1", "POST#acme/interaction/1/0#00000000000000000256", {
            "segment": "ledger/k", "versionId": "v", "from": "a", "to": "b",
            "members": [{ "offset": 7, "length": 90, "first": 256, "at": [0, 4] }],
        }],
        ["JRNS#2026030214", "acme/c-1#aabbccddeeff00112233445566778899", { "ttl": 1775052000 }],
        ["TOK#bd86e063-8107-5582-8732-b94e6fbe5587", "acme/c-1", {}],
    ]);
    assert_eq!(rows(&index().await), expected);
}

#[tokio::test]
async fn every_row_of_the_keys_table_is_stored_as_ever() {
    let expected = json!([
        ["ALIAS#/p1_abababababababababababababababababababababababababababababababab", "ALIAS", { "alias": "u_1" }],
        ["ALIAS#acme/p1_cd", "ALIAS", { "alias": "x_1" }],
        ["ALIAS#acme/x_1", "NAMES", { "names": { "texts": ["p1_cd"] } }],
        ["CRM#acme/c-9", "RECORD", { "tier": "Gold", "product": "Credit card", "owner": "p1_ef" }],
        ["CRM#acme/p1_ab", "CRM", { "tier": "Gold", "product": "Credit card", "owner": "p1_ef" }],
        ["ID#acme/p1_ab", "SUBJECT", { "subjectId": "s_1", "customerRef": "c_1", "kind": "phone", "createdAt": NOW }],
        ["INT#acme/c-1", "PARTY", { "subjects": { "texts": ["s_1"] }, "erasures": 1, "cutoff": NOW }],
        ["INT#acme/c-1", "PARTY#00112233445566778899aabbccddeeff#89abcdef", {
            "month": "2026-03", "enc": { "bytes": "04".repeat(65) },
            "keys": {
                "jJ1-ckOty_TxA2QVA8Od24Rf-rPc29EuTp4wyvtcj9Y": {
                    "party": "customer", "subjects": ["s_1"], "first": NOW, "wrapped": { "bytes": "07".repeat(48) },
                },
            },
        }],
        ["REQ#req_00112233445566778899aabbccddeeff", "WHO", {
            "pseudonyms": ["p1_ab"], "subjects": ["s_1"], "interactions": ["c-1"], "reference": "ticket 7",
            "deletionReason": "RTBF_REQUEST", "wrapped": { "bytes": "abcd" }, "duplicates": ["d1", "d2"],
            "notes": [{ "step": 1, "text": "passport" }], "eraseShared": [RECORD], "ttl": 1_800_000_000,
        }],
        ["SUB#s_1", "INT#acme/c-1", { "log": "acme/interaction/1/0", "first": "a", "last": "b" }],
        ["SUB#s_1", "STATE", {
            "state": "active", "generation": 1, "links": 1, "customerRef": "c_1", "org": "acme", "kind": "phone",
            "pseudonym": "p1_ab", "day": "2026-03-02", "inDay": 1, "sharedAt": NOW, "missed": true,
        }],
    ]);
    assert_eq!(rows(&people().await), expected);
}

#[tokio::test]
async fn every_object_lies_where_it_always_did() {
    let all = objects().await.all();
    let of =
        |versions: &Vec<ledgerline_testkit::bucket::Version>| (versions[0].tag.clone(), versions[0].lock.is_some());
    let stored: Vec<_> = all.iter().map(|(key, versions)| (key.as_str(), of(versions))).collect();
    let tag = |tag: &str| (Some(tag.to_owned()), false);
    let (plain, locked) = ((None, false), (None, true));
    let expected = [
        ("athena/00112233-4455-4677-8899-aabbccddeeff.csv", plain.clone()),
        ("bronze/event_type=interaction/year=2026/month=03/day=02/hour=14/x.gz", plain.clone()),
        ("errors/processing-failed/year=2026/month=03/day=02/hour=14/x", plain.clone()),
        ("gold/gold_daily_queue_metrics/date=2026-03-02/part.parquet", plain.clone()),
        ("gold/gold_interval_queue_metrics/date=2026-03-02/part.parquet", plain.clone()),
        ("gold/runs/date=2026-03-02/7.json", plain.clone()),
        ("gold/summary/date=2026-03-02/daily.json", plain.clone()),
        ("ledger/acme/interaction/1/0/checkpoint", tag("live")),
        ("ledger/acme/interaction/1/0/checkpoints/00000000000000000263", locked.clone()),
        ("ledger/acme/interaction/1/0/segment/00000000000000000000-1-03e71c6d7dc6bd4e.jsonl.gz", locked.clone()),
        ("ledger/acme/interaction/1/0/tile/0/001.p/7", tag("partial")),
        ("ledger/acme/interaction/1/0/tile/0/x001/x234/067", locked),
        ("poison/audit-write/m-1.json", plain.clone()),
        ("quarantine/transform/00112233445566778899aabbccddeeff.jsonl.gz", plain.clone()),
        ("reference/queues.csv", plain.clone()),
        ("silver/events/date=2026-03-02/00112233445566778899aabbccddeeff.parquet", plain.clone()),
        ("spill/2026/03/02/14/abababababababababababababababab.jsonl", plain.clone()),
        ("staged/00112233445566778899aabbccddeeff.jsonl.gz", plain.clone()),
        ("staged/acts/00112233445566778899aabbccddeeff.jsonl.gz", plain.clone()),
        ("sweep/bronze.json", plain),
    ];
    assert_eq!(stored, expected);
}

#[tokio::test]
async fn every_family_knows_its_keys_and_no_other() {
    let mut seen = BTreeSet::new();
    for table in [control().await, index().await, people().await] {
        for key in table.rows().keys() {
            let family = Family::of_key(key).unwrap_or_else(|| panic!("{key} is of no family"));
            // Of bronze objects and of acts; of two versions of the keys; of an identifier and of a record.
            let has_two = matches!(
                family,
                Family::Marker | Family::ObjectRow | Family::ActNote | Family::SameRequest | Family::Crm
            );
            assert!(seen.insert(family) || has_two, "two rows of one family: {key}");
        }
    }
    for key in objects().await.all().keys() {
        let family = Family::of_object(key).unwrap_or_else(|| panic!("{key} is of no family"));
        assert!(
            seen.insert(family) || matches!(family, Family::Tile | Family::Plan | Family::Gold),
            "two objects of one family: {key}"
        );
    }
    assert_eq!(seen, BTreeSet::from(Family::ALL));
    for (pk, sk) in [("LOG#acme", "HEAD"), ("INT#acme/c-1", "STATE"), ("SUB#s_1", "LOG"), ("LOGS", "x"), ("", "")] {
        assert_eq!(Family::of_key(&Key::new(pk, sk)), None, "{pk} {sk}");
    }
    for key in [
        "",
        "ledger/x",
        "silver/x",
        "gold/x",
        "reference/x.csv",
        "quarantine/x",
        "ledger/acme/interaction/1/0/checkpoints/7",
        "test/a",
    ] {
        assert_eq!(Family::of_object(key), None, "{key}");
    }
    // What redrive cannot put back into the stream, and what ingest refuses, joins what transform sets aside.
    for key in [
        quarantine::redriven(object(), 0),
        quarantine::redriven(object(), 2),
        "quarantine/event_type=unreadable/year=2026/month=03/day=02/hour=14/x.gz".to_owned(),
    ] {
        assert_eq!(Family::of_object(&key), Some(Family::Quarantine), "{key}");
    }
}

#[test]
fn each_family_that_does_not_stay_is_listed() {
    let goes = |family: &Family| !matches!(family.erasure(), Erasure::HoldsNoPerson);
    let named: Vec<Family> = Family::ALL.into_iter().filter(goes).collect();
    let expected = [
        Family::ActNote,
        Family::Tombstone,
        Family::SameRequest,
        Family::Usage,
        Family::Claim,
        Family::Journal,
        Family::JournalList,
        Family::Token,
        Family::Identifier,
        Family::SubjectState,
        Family::SubjectLink,
        Family::Party,
        Family::PartyKey,
        Family::Crm,
        Family::Alias,
        Family::RequestWho,
        Family::AliasNames,
        Family::Bronze,
        Family::Quarantine,
        Family::Error,
        Family::Spill,
        Family::Silver,
        Family::QueryResult,
        Family::Plan,
        Family::Poison,
    ];
    assert_eq!(named, expected);
    // The template's defaults say the same.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let template = std::fs::read_to_string(root.join("infra/template.yaml")).unwrap();
    let default = |parameter: &str| {
        let said = template.split_once(&format!("\n  {parameter}:\n")).unwrap().1;
        said.split_once("Default: ").unwrap().1.lines().next().unwrap().trim().parse().unwrap()
    };
    for (parameter, families) in [
        ("ClaimDays", &[Family::Claim][..]),
        ("QuarantineDays", &[Family::Quarantine, Family::Error, Family::Spill]),
        ("StagedDays", &[Family::Plan]),
    ] {
        for family in families {
            assert_eq!(family.erasure(), Erasure::ExpiresAfterDays(default(parameter)), "{family:?}");
        }
    }
}

/// What keys begin with.
const PREFIXES: [&str; 31] = [
    "OBJ#", "ACT#", "LOG#", "INT#", "SUB#", "ID#", "BRZ#", "CHUNK#", "CLAIM#", "POST#", "HOLD#", "OWN#", "WATCH#",
    "KEY#", "ACTS#", "TOMB#", "GONE#", "HELD#", "ALIAS#", "TOK#", "REQ#", "REQS#", "REQDUP#", "USED#", "PARTY#",
    "CRM#", "GOLD#", "REPLAY#", "JRN#", "JRNS#", "NONCE#",
];
/// Whole keys.
const KEYS: [&str; 5] = ["\"LOGS\"", "\"BRONZE\"", "\"ORGS\"", "\"CRMS\"", "\"GOLD\""];
/// This crate; the names of rows in findings, which are texts for people; the leading keys that the template's roles name.
const SPELLED: [&str; 5] = [
    "shared/store/",
    "shared/ledger/src/verify/finding_log.rs",
    "shared/ledger/tests/tampering/",
    "tests/roles.rs",
    "xtask/src/permissions.rs",
];

#[test]
fn no_key_is_spelled_outside_of_this_crate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let (mut spelled, mut files) = (Vec::new(), 0);
    each_source(root, &mut |path, text| {
        files += 1;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        spelled.extend(lines.filter(|(_, line)| spells(line)).map(|(at, _)| format!("{path}:{}", at + 1)));
    });
    let is_allowed = |place: &&String| SPELLED.iter().any(|allowed| place.starts_with(allowed));
    assert!(files > 300 && spelled.iter().any(|place| place.starts_with(SPELLED[0])), "looked at {files} files");
    let elsewhere: Vec<&String> = spelled.iter().filter(|place| !is_allowed(place)).collect();
    assert!(elsewhere.is_empty(), "use the families' key functions: {elsewhere:#?}");
}

fn spells(line: &str) -> bool {
    let begins = |at: usize| !line[..at].ends_with(|before: char| before.is_ascii_alphanumeric());
    let holds = |prefix: &&str| line.match_indices(*prefix).any(|(at, _)| begins(at));
    PREFIXES.iter().any(holds) || KEYS.iter().any(|key| line.contains(key))
}

/// Every Rust source below the folder, by its path from there.
fn each_source(root: &Path, look: &mut dyn FnMut(&str, &str)) {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                look(&path.strip_prefix(root).unwrap().to_string_lossy(), &text);
            }
        }
    }
}
