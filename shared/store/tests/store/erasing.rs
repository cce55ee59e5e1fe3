//! Erasures under way: whose they are, when they are looked at, what they wait for, and how a request begins and ends with one.

use std::collections::BTreeSet;

use ledgerline_saga::Position;
use ledgerline_store::asked::Asked;
use ledgerline_store::erasing::{Counts, Erasing, ErasingRows, Lease, Wakes, wake_key};
use ledgerline_store::erasure_list::ErasureLists;
use ledgerline_store::request::{
    Approved, Done, Regime, RequestKind, RequestRow, Requests, State, Step, Who, WhoChange, who_key,
};
use ledgerline_store::table::Key;
use ledgerline_store::usage::Usage;
use ledgerline_store::waiting::{Waiting, Waits};
use ledgerline_testkit::bucket::FakeBucket;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::{Fault, Faults};
use ledgerline_testkit::table::FakeTable;

const ID: &str = "req_00112233445566778899aabbccddeeff";
const OTHER: &str = "req_ffffffffffffffffffffffffffffffff";
const COOLED: &str = "2026-03-02T14:00:00.000Z";
const NOW: &str = "2026-03-02T14:00:00.350Z";
const LATER: &str = "2026-03-02T14:01:00.000Z";
const NOW_MS: i64 = 1_772_460_000_350;
const DUE: &str = "2026-04-02T23:59:59.999Z";

fn table(name: &'static str) -> FakeTable {
    FakeTable::new(name, Faults::none(), Calls::default())
}

/// Both tables, with a request that has cooled off.
struct Deployment {
    control: FakeTable,
    keys: FakeTable,
    row: RequestRow,
}

/// Under which the same request finds the first.
fn digests() -> Vec<String> {
    vec!["d1".to_owned()]
}

fn done(step: Step) -> Done {
    Done { step, at: COOLED.to_owned(), by: "u_1".to_owned(), method: None }
}

impl Deployment {
    async fn new() -> Self {
        let (control, keys) = (table("ControlTable"), table("KeysTable"));
        let requests = Requests::new(control.port(), keys.port());
        let received = RequestRow {
            kind: RequestKind::Erasure,
            regime: Regime::Gdpr,
            orgs: vec!["acme".to_owned()],
            state: State::Verified,
            received_at: COOLED.to_owned(),
            due_at: DUE.to_owned(),
            extended: false,
            version: 1,
            history: vec![done(Step::Received)],
            approved: None,
            cooling_off_until: None,
            waits_for_approval: false,
            also_asked_by: BTreeSet::new(),
            certificate: None,
        };
        let who = Who { duplicates: digests(), ..Who::default() };
        requests.create(ID, &received, &who, &[], NOW).await.unwrap();
        let row = Self::approved(&received, State::CoolingOff);
        let change = WhoChange { wake: Some(COOLED.to_owned()), ..WhoChange::default() };
        requests.advance(ID, (&received, &row), change, &digests(), (NOW, 0)).await.unwrap();
        Self { control, keys, row }
    }

    fn approved(seen: &RequestRow, state: State) -> RequestRow {
        let approved = Approved { digest: "d".to_owned(), records: 1, shared: 0, lines: 2, entries: 2 };
        let mut history = seen.history.clone();
        history.push(done(Step::Approved));
        let cooling_off_until = seen.cooling_off_until.clone().or(Some(COOLED.to_owned()));
        let version = seen.version + 1;
        RequestRow {
            state,
            version,
            history,
            approved: Some(approved),
            cooling_off_until,
            waits_for_approval: false,
            ..seen.clone()
        }
    }

    fn requests(&self) -> Requests {
        Requests::new(self.control.port(), self.keys.port())
    }

    fn rows(&self) -> ErasingRows {
        ErasingRows::new(self.control.port())
    }

    /// Begins the erasure, without a lease.
    async fn begin(&mut self) -> Erasing {
        let next = RequestRow { state: State::Erasing, version: self.row.version + 1, ..self.row.clone() };
        let erasing = new(LATER);
        self.requests().begin(ID, &self.row, &next, &erasing).await.unwrap();
        self.row = next;
        erasing
    }

    async fn took(&self, by: &str, until_ms: i64, now_ms: i64) -> Option<Erasing> {
        let seen = self.rows().read(ID).await.unwrap().unwrap();
        self.rows().take(ID, &seen, by, until_ms, now_ms).await.unwrap()
    }

    /// The times at which anybody is to be looked at.
    fn wakes(&self) -> Vec<String> {
        let at = |key: &Key| ledgerline_store::erasing::parse_wake_key(key).map(|(at, id)| format!("{at} {id}"));
        self.control.look(|rows| rows.keys().filter_map(at).collect())
    }
}

fn new(wake: &str) -> Erasing {
    Erasing {
        cutoff_ms: NOW_MS,
        position: Position::at("tombs"),
        lease: None,
        wake: wake.to_owned(),
        counted: None,
        counts: Counts::default(),
        pool: None,
        read_back: None,
        certificate: None,
    }
}

fn wake_of(at: &str) -> Vec<String> {
    vec![format!("{at} {ID}")]
}

#[tokio::test]
async fn a_request_begins_once_and_what_wakes_it_moves_with_it() {
    let mut deployment = Deployment::new().await;
    assert_eq!(deployment.wakes(), wake_of(COOLED));
    let (before, erasing) = (deployment.row.clone(), deployment.begin().await);
    assert_eq!(deployment.wakes(), wake_of(LATER));
    assert_eq!(deployment.rows().read(ID).await.unwrap(), Some(erasing.clone()));
    assert_eq!(deployment.requests().request(ID).await.unwrap(), Some(deployment.row.clone()));
    let again = deployment.requests().begin(ID, &before, &deployment.row, &erasing).await;
    assert_eq!(again.unwrap_err().kind(), "conflict");
    assert_eq!(deployment.rows().read(OTHER).await.unwrap(), None);
}

#[tokio::test]
async fn a_lease_is_one_slices_until_its_end() {
    let mut deployment = Deployment::new().await;
    let begun = deployment.begin().await;
    let first = deployment.took("ab", 100, 50).await.unwrap();
    assert_eq!(first.lease, Some(Lease { by: "ab".to_owned(), until_ms: 100 }));
    assert_eq!(deployment.took("cd", 300, 100).await, None, "its last moment");
    // Of two that saw it free one has it.
    assert_eq!(deployment.rows().take(ID, &begun, "cd", 300, 101).await.unwrap(), None);
    let second = deployment.took("cd", 300, 101).await.unwrap();
    let position = Position { cursor: 7, ..Position::at("records") };
    let next = |held: &Erasing| Erasing { position: position.clone(), ..held.clone() };
    assert!(!deployment.rows().save(ID, &first, &next(&first)).await.unwrap(), "it is lost");
    assert_eq!(deployment.rows().read(ID).await.unwrap(), Some(second.clone()));
    assert!(deployment.rows().save(ID, &second, &next(&second)).await.unwrap());
    let given_back = Erasing { lease: None, ..next(&second) };
    assert!(deployment.rows().save(ID, &second, &given_back).await.unwrap());
    assert_eq!(deployment.rows().read(ID).await.unwrap(), Some(given_back));
    assert!(!deployment.rows().save(ID, &second, &next(&second)).await.unwrap(), "it was given back");
    assert!(deployment.took("ef", 400, 102).await.is_some());
}

#[tokio::test]
async fn a_save_outlasts_a_clash_and_moves_what_wakes_the_request_whole_or_not_at_all() {
    let mut deployment = Deployment::new().await;
    deployment.begin().await;
    let held = deployment.took("ab", 100, 50).await.unwrap();
    let next =
        Erasing { wake: "2026-03-02T15:00:00.000Z".to_owned(), counted: Some("2026-03-02".to_owned()), ..held.clone() };
    deployment.control.clash(2);
    assert!(deployment.rows().save(ID, &held, &next).await.unwrap());
    assert_eq!(
        (deployment.wakes(), deployment.rows().read(ID).await.unwrap()),
        (wake_of(&next.wake), Some(next.clone()))
    );
    deployment.control.clash(100);
    let none = Erasing { wake: String::new(), ..next.clone() };
    assert_eq!(deployment.rows().save(ID, &next, &none).await.unwrap_err().kind(), "conflict");
    deployment.control.clash(0);
    let stuck =
        Erasing { position: Position { reason: Some("approval".to_owned()), ..Position::at("approve") }, ..none };
    assert!(deployment.rows().save(ID, &next, &stuck).await.unwrap());
    assert_eq!((deployment.wakes(), deployment.rows().read(ID).await.unwrap()), (Vec::new(), Some(stuck.clone())));
    // What is counted stays, whoever has not seen it.
    let forgetful = Erasing { counted: None, ..stuck.clone() };
    assert!(deployment.rows().save(ID, &stuck, &forgetful).await.unwrap());
    assert_eq!(deployment.rows().read(ID).await.unwrap(), Some(stuck));
}

#[tokio::test]
async fn another_approval_wakes_what_waits_for_it_and_a_slice_from_before_moves_it_no_more() {
    let mut deployment = Deployment::new().await;
    deployment.begin().await;
    let held = deployment.took("ab", 100, 50).await.unwrap();
    let waits = RequestRow { waits_for_approval: true, version: deployment.row.version + 1, ..deployment.row.clone() };
    deployment.requests().wait(ID, &deployment.row, &waits).await.unwrap();
    assert_eq!(deployment.requests().request(ID).await.unwrap(), Some(waits.clone()));
    assert_eq!(deployment.requests().wait(ID, &deployment.row, &waits).await.unwrap_err().kind(), "conflict");
    let stuck = Erasing { wake: String::new(), lease: None, ..held.clone() };
    assert!(deployment.rows().save(ID, &held, &stuck).await.unwrap());
    let slow = deployment.took("cd", 300, 200).await.unwrap();
    let approved = Deployment::approved(&waits, State::Erasing);
    let change = WhoChange { wake: Some(LATER.to_owned()), ..WhoChange::default() };
    deployment.requests().advance(ID, (&waits, &approved), change, &digests(), (NOW, 0)).await.unwrap();
    assert_eq!(deployment.wakes(), wake_of(LATER));
    assert!(!deployment.rows().save(ID, &slow, &slow).await.unwrap());
    let now = deployment.rows().read(ID).await.unwrap().unwrap();
    assert_eq!((now.wake.as_str(), now.lease.as_ref()), (LATER, slow.lease.as_ref()));
    // The next one moves it.
    let next = deployment.took("ef", 600, 301).await.unwrap();
    assert!(deployment.rows().save(ID, &next, &Erasing { wake: COOLED.to_owned(), ..next.clone() }).await.unwrap());
    assert_eq!(deployment.wakes(), wake_of(COOLED));
}

#[tokio::test]
async fn a_request_is_closed_with_its_erasure_and_nobody_is_left_whom_it_was_about() {
    let mut deployment = Deployment::new().await;
    deployment.begin().await;
    let lost = deployment.took("ab", 100, 50).await.unwrap();
    let held = deployment.took("cd", 300, 101).await.unwrap();
    let mut history = deployment.row.history.clone();
    history.push(done(Step::Done));
    let seen = deployment.row.clone();
    let closed = RequestRow { state: State::Done, version: seen.version + 1, history, ..seen.clone() };
    let close = async |held: &Erasing| {
        let requests = deployment.requests();
        requests.close(ID, (&seen, &closed), &digests(), (LATER, 1_000), held).await.map_err(|error| error.kind())
    };
    let before = (deployment.control.rows(), deployment.keys.rows());
    assert_eq!(close(&lost).await, Err("conflict"));
    assert_eq!((deployment.control.rows(), deployment.keys.rows()), before);
    close(&held).await.unwrap();
    assert_eq!(close(&held).await, Err("conflict"));
    assert_eq!((deployment.wakes(), deployment.keys.peek(&who_key(ID))), (Vec::new(), None));
    assert_eq!(deployment.requests().request(ID).await.unwrap(), Some(closed.clone()));
    let ended = deployment.rows().read(ID).await.unwrap().unwrap();
    assert_eq!((ended.lease, ended.wake.as_str()), (None, ""));
    let listed = deployment.requests().of_org("acme", None, 9).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.place.clone()).collect::<Vec<_>>(), [format!("closed#{LATER}#{ID}")]);
    // The act is noted, and the same may be asked again.
    let act = ledgerline_store::request::act_key(ID, 2);
    let noted = ledgerline_store::act_note::ActNotes::new(deployment.control.port());
    let noted = noted.acts("2026-03-02T14", "").await.unwrap();
    assert!(noted.acts.iter().any(|one| one.key == act), "{noted:?}");
    let who = Who { duplicates: digests(), ..Who::default() };
    let again = RequestRow { state: State::Received, version: 1, history: vec![done(Step::Received)], ..seen.clone() };
    deployment.requests().create(OTHER, &again, &who, &[Some(ID.to_owned())], LATER).await.unwrap();
}

#[tokio::test]
async fn the_longest_due_are_looked_at_first_and_none_before_its_time() {
    let control = table("ControlTable");
    let wakes = Wakes::new(control.port());
    for (nth, at) in [LATER, COOLED, NOW].iter().enumerate() {
        control.tamper(|rows| rows.insert(wake_key(at, &format!("req_{nth}")), Default::default()));
    }
    let due = async |now: &str, limit| -> Vec<String> {
        wakes.due(now, limit).await.unwrap().into_iter().map(|(_, id)| id).collect()
    };
    assert_eq!(due("2026-03-02T13:59:59.999Z", 9).await, Vec::<String>::new());
    assert_eq!(due(NOW, 9).await, ["req_1", "req_2"]);
    assert_eq!(due(LATER, 2).await, ["req_1", "req_2"]);
    wakes.remove("req_1", COOLED).await.unwrap();
    wakes.remove("req_1", COOLED).await.unwrap();
    assert_eq!(due(LATER, 9).await, ["req_2", "req_0"]);
}

#[tokio::test]
async fn an_erasure_is_counted_into_a_day_once_and_within_its_limit() {
    let mut deployment = Deployment::new().await;
    deployment.begin().await;
    let (usage, day) = (Usage::new(deployment.control.port()), "2026-03-02");
    let lost = deployment.took("ab", 100, 50).await.unwrap();
    let held = deployment.took("cd", 300, 101).await.unwrap();
    let spend = async |held: &Erasing, records, limit| usage.spend(ID, held, records, day, limit, 9_999).await;
    assert!(!spend(&held, 11, 10).await.unwrap());
    assert_eq!(spend(&lost, 5, 10).await.unwrap_err().kind(), "conflict");
    assert!(spend(&held, 10, 10).await.unwrap());
    // Counted, and the answer was lost: also if the day is full by now.
    assert!(spend(&held, 10, 10).await.unwrap() && spend(&held, 10, 100).await.unwrap());
    let now = deployment.rows().read(ID).await.unwrap().unwrap();
    assert_eq!(now.counted.as_deref(), Some(day));
    let items = deployment.control.items();
    let used = items.iter().find(|((_, sk), _)| sk == day).unwrap().1;
    assert_eq!((used["records"].as_u64(), used["ttl"].as_u64()), (Some(10), Some(9_999)));
}

#[tokio::test]
async fn an_object_is_waited_for_since_it_was_first_found_unplanned() {
    let control = table("ControlTable");
    let waiting = Waiting::new(control.port());
    waiting.put("o1", ID, "bronze/a", NOW).await.unwrap();
    waiting.put("o1", ID, "bronze/a", LATER).await.unwrap();
    waiting.put("o1", OTHER, "bronze/a", LATER).await.unwrap();
    let waits = |since: &str| Some(Waits { key: "bronze/a".to_owned(), since: since.to_owned() });
    assert_eq!(waiting.of(&["o2", "o1"], ID).await.unwrap(), [None, waits(NOW)]);
    waiting.delete(&["o1", "o2"], ID).await.unwrap();
    assert_eq!(waiting.of(&["o1"], ID).await.unwrap(), [None]);
    assert_eq!(waiting.of(&["o1"], OTHER).await.unwrap(), [waits(LATER)]);
}

#[tokio::test]
async fn an_identifier_knows_its_open_requests_until_the_last_is_closed() {
    let keys = table("KeysTable");
    let asked = Asked::new(keys.port());
    let (one, both) = (("acme", "p1_ab"), [("acme", "p1_ab"), ("globex", "p1_ab")]);
    asked.add(&both, ID).await.unwrap();
    asked.add(&both, ID).await.unwrap();
    asked.add(&[one], OTHER).await.unwrap();
    let of = async |names: &[(&str, &str)]| asked.of(names).await.unwrap();
    assert_eq!(of(&both).await, BTreeSet::from([ID.to_owned(), OTHER.to_owned()]));
    asked.take(&both, ID, true).await.unwrap();
    assert_eq!((of(&both).await, keys.rows().len()), (BTreeSet::from([OTHER.to_owned()]), 1));
    asked.take(&both, OTHER, false).await.unwrap();
    assert_eq!((of(&both).await, keys.rows().len()), (BTreeSet::new(), 1), "an empty row says nothing");
    asked.take(&both, OTHER, true).await.unwrap();
    assert!(keys.rows().is_empty());
}

#[tokio::test]
async fn of_two_lists_of_a_pass_the_stored_one_counts_and_all_go_at_the_end() {
    let faults = Faults::at(0, Fault::PersistedButErrored);
    let bucket = FakeBucket::new("StagedBucket", faults, Calls::default(), NOW_MS);
    let lists = ErasureLists::new(bucket.port());
    assert!(lists.put_if_free(ID, 0, "one".into()).await.is_err());
    assert_eq!(lists.put_if_free(ID, 0, "two".into()).await.unwrap(), "one");
    assert_eq!(lists.put_if_free(ID, 1, "two".into()).await.unwrap(), "two");
    lists.put_if_free(OTHER, 0, "other".into()).await.unwrap();
    assert_eq!((lists.get(ID, 0).await.unwrap(), lists.get(ID, 2).await.unwrap()), (Some("one".into()), None));
    lists.delete_all(ID).await.unwrap();
    lists.delete_all(ID).await.unwrap();
    assert_eq!((lists.get(ID, 1).await.unwrap(), lists.get(OTHER, 0).await.unwrap()), (None, Some("other".into())));
}
