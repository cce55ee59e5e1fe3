//! Replays over the tests' stores: whatever fails wherever, a line is sent at least once, and marked after that.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerline_custody::replay::{
    Group, LetterQueue, Letters, LettersReport, Mode, Origin, Replaying, Report, Tally, Wanted,
};
use ledgerline_event::document::Rejection;
use ledgerline_event::names::Names;
use ledgerline_event::replayed;
use ledgerline_lake::bronze::{NewQuarantine, write_quarantine};
use ledgerline_ledger::store::StoreError;
use ledgerline_store::dead_letter::{Home, Kind, Pointer};
use ledgerline_store::queue::FifoMessage;
use ledgerline_store::replay_mark::{Place, ReplayMarks, parse_key};
use ledgerline_store::spill::{self, SpillLine};
use ledgerline_testkit::bucket::FakeBucket;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::{ALL_FAULTS, Fault, Faults};
use ledgerline_testkit::queue::FakeQueue;
use ledgerline_testkit::stream::FakeStream;
use ledgerline_testkit::table::FakeTable;
use serde_json::json;

/// 2026-03-02T14:00:00Z.
const NOW_MS: i64 = 1_772_460_000_000;
const DAY_MS: i64 = 86_400_000;
const BY_INGEST: &str = "quarantine/event_type=unreadable/year=2026/month=03/day=02/hour=14/x";
const BY_TRANSFORM: &str = "quarantine/transform/00112233445566778899aabbccddeeff.jsonl.gz";
const ERRORS: &str = "errors/processing-failed/year=2026/month=03/day=02/hour=14/x";
/// What no report may say.
const TYPED: &str = "Ms Miller";

struct World {
    bucket: FakeBucket,
    control: FakeTable,
    stream: FakeStream,
    faults: Faults,
}

impl World {
    fn new(faults: Faults) -> Self {
        let calls = Calls::default();
        Self {
            bucket: FakeBucket::versioned("BronzeBucket", faults.clone(), calls.clone(), NOW_MS),
            control: FakeTable::new("ControlTable", faults.clone(), calls.clone()),
            stream: FakeStream::new("EventStream", faults.clone(), calls),
            faults,
        }
    }

    async fn run(&self, origin: Origin, wanted: &Wanted, mode: Mode) -> (Report, Result<(), StoreError>) {
        let (bucket, control, stream) = (self.bucket.port(), self.control.port(), self.stream.port());
        let replaying = Replaying::new(bucket, control, stream, NOW_MS, Some(30));
        let mut report = Report::default();
        let ended = replaying.run(origin, wanted, mode, &mut report).await;
        assert!(!format!("{report:?}").contains(TYPED), "{report:?}");
        (report, ended)
    }

    async fn sent(&self, origin: Origin, wanted: &Wanted) -> Report {
        let (report, ended) = self.run(origin, wanted, Mode::Send).await;
        ended.unwrap();
        report
    }

    /// What the stream took, without marks, each as often as it came.
    fn records(&self) -> BTreeMap<Vec<u8>, usize> {
        let mut records = BTreeMap::new();
        for record in self.stream.records() {
            *records.entry(replayed::read(&record).0.to_vec()).or_default() += 1;
        }
        records
    }

    /// The lines that are marked.
    fn marked(&self) -> BTreeSet<(String, u64)> {
        self.control.rows().keys().filter_map(|key| parse_key(key).map(|(key, line)| (key.to_owned(), line))).collect()
    }
}

fn all() -> Wanted {
    Wanted::default()
}

/// A quarantine line.
fn kept(received_at_ms: i64, reason: Rejection, replayed: u32, bytes: &str) -> Vec<u8> {
    let mut line = Vec::new();
    let kept = NewQuarantine { received_at_ms, reason, replayed, cut: &[], bytes: bytes.as_bytes() };
    write_quarantine(&kept, &mut line);
    line
}

/// A line of an error object.
fn failed(bytes: &str, code: &str) -> Vec<u8> {
    let raw = STANDARD.encode(bytes);
    format!("{}\n", json!({"arrivalTimestamp": NOW_MS, "errorCode": code, "rawData": raw})).into_bytes()
}

fn group(source: &str, reason: &str) -> Group {
    Group { day: "2026-03-02".to_owned(), source: source.to_owned(), reason: reason.to_owned() }
}

fn quarantine(faults: Faults) -> World {
    let world = World::new(faults);
    let first = [kept(NOW_MS, Rejection::NotJson, 0, TYPED), b"\n".to_vec(), kept(NOW_MS, Rejection::NotUtf8, 2, "b")];
    world.bucket.seed(BY_INGEST, first.concat());
    let second =
        [kept(NOW_MS - DAY_MS, Rejection::NoTime, 0, "{\"c\":1}"), kept(NOW_MS, Rejection::NoTime, 0, "{\"d\":1}")];
    world.bucket.seed(BY_TRANSFORM, second.concat());
    world
}

#[tokio::test]
async fn a_look_counts_by_day_source_and_reason_and_changes_nothing() {
    let world = quarantine(Faults::none());
    let (report, ended) = world.run(Origin::Quarantine, &all(), Mode::Look).await;
    ended.unwrap();
    let one = Tally { open: 1, ..Tally::default() };
    let of_yesterday = Group { day: "2026-03-01".to_owned(), ..group("transform", "no_time") };
    let expected = [
        (of_yesterday, one),
        (group("ingest", "not_json"), one),
        (group("ingest", "not_utf8"), Tally { again: 1, replayed_most: 2, ..one }),
        (group("transform", "no_time"), one),
    ];
    assert_eq!(report.groups, BTreeMap::from(expected));
    assert_eq!((report.open(), report.sent_lines(), report.objects), (4, 0, 2));
    assert_eq!(report.first_expiry_ms, Some(NOW_MS + 30 * DAY_MS));
    assert_eq!((world.faults.writes(), world.stream.records().len()), (0, 0));
}

#[tokio::test]
async fn lines_go_back_with_one_replay_more_and_a_second_run_finds_them_marked() {
    let world = quarantine(Faults::none());
    let report = world.sent(Origin::Quarantine, &all()).await;
    assert_eq!((report.sent_lines(), report.marked, report.needs_somebody()), (4, 0, false));
    let sent = world.stream.records();
    let counts: BTreeMap<&[u8], u32> = sent.iter().map(|record| replayed::read(record)).collect();
    let expected: [(&[u8], u32); 4] = [(TYPED.as_bytes(), 1), (b"b", 3), (b"{\"c\":1}", 1), (b"{\"d\":1}", 1)];
    assert_eq!(counts, BTreeMap::from(expected));
    // The blank line has its number, too.
    let marked = world.marked();
    let expected = [(BY_INGEST, 0), (BY_INGEST, 2), (BY_TRANSFORM, 0), (BY_TRANSFORM, 1)];
    assert_eq!(marked, expected.map(|(key, line)| (key.to_owned(), line)).into());
    assert!(!format!("{:?}", world.control.rows()).contains(TYPED));
    let again = world.sent(Origin::Quarantine, &all()).await;
    assert_eq!((again.open(), again.marked, world.stream.records().len()), (0, 4, 4));
    assert_eq!(world.bucket.keys("quarantine/").len(), 2, "what is in quarantine expires by itself");
}

#[tokio::test]
async fn whatever_fails_each_line_is_sent_and_none_is_marked_before() {
    let whole = quarantine(Faults::none());
    whole.sent(Origin::Quarantine, &all()).await;
    let writes = whole.faults.writes();
    // One batch, and a mark for each line.
    assert_eq!(writes, 5, "{:?}", whole.faults.log());
    for (nth, fault) in (0..writes).flat_map(|nth| ALL_FAULTS.map(|fault| (nth, fault))) {
        let world = quarantine(Faults::at(nth, fault));
        let (_, ended) = world.run(Origin::Quarantine, &all(), Mode::Send).await;
        assert!(ended.is_err(), "{fault:?} at {nth}");
        let (marked, records) = (world.marked().len(), world.records());
        assert!(marked == 0 || records.len() == 4, "{fault:?} at {nth}: marked and not sent");
        world.sent(Origin::Quarantine, &all()).await;
        assert_eq!((world.marked().len(), world.records().len()), (4, 4), "{fault:?} at {nth}");
        let third = world.sent(Origin::Quarantine, &all()).await;
        assert_eq!((third.open(), world.faults.struck()), (0, 1));
    }
}

#[tokio::test]
async fn a_run_that_ends_early_goes_on_where_it_ended() {
    let world = World::new(Faults::none());
    let lines: Vec<u8> =
        (0..1_200).flat_map(|n| kept(NOW_MS, Rejection::NoTime, 0, &format!("{{\"n\":{n}}}"))).collect();
    world.bucket.seed(BY_TRANSFORM, lines);
    // The second batch: behind the first one and its marks.
    world.faults.plan(501, Fault::Lost);
    let (report, ended) = world.run(Origin::Quarantine, &all(), Mode::Send).await;
    assert_eq!((ended.unwrap_err().kind(), report.sent_lines()), ("unknown", 500));
    let report = world.sent(Origin::Quarantine, &all()).await;
    assert_eq!((report.marked, report.sent_lines()), (500, 700));
    assert!(world.records().len() == 1_200 && world.records().values().all(|times| *times == 1));
}

#[tokio::test]
async fn a_line_that_two_runs_mark_is_marked_once() {
    let world = quarantine(Faults::none());
    let other = world.control.clone();
    let place = Place { object_key: BY_TRANSFORM.to_owned(), line: 0 };
    assert!(ReplayMarks::new(other.port()).mark(&place, NOW_MS - 1, None).await.unwrap());
    assert!(!ReplayMarks::new(other.port()).mark(&place, NOW_MS, None).await.unwrap());
    let report = world.sent(Origin::Quarantine, &all()).await;
    assert_eq!((report.marked, report.sent_lines()), (1, 3));
}

#[tokio::test]
async fn only_what_is_chosen_goes_back() {
    let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
    let yesterday = NOW_MS - DAY_MS;
    for (wanted, lines) in [
        (Wanted { reasons: set(&["no_time"]), ..all() }, 2),
        (Wanted { reasons: set(&["no_time", "not_utf8"]), ..all() }, 3),
        (Wanted { sources: set(&["ingest"]), ..all() }, 2),
        (Wanted { sources: set(&["redrive"]), ..all() }, 0),
        (Wanted { since_ms: Some(NOW_MS), ..all() }, 3),
        (Wanted { before_ms: Some(NOW_MS), ..all() }, 1),
        (Wanted { since_ms: Some(yesterday), before_ms: Some(NOW_MS), ..all() }, 1),
        (Wanted { replayed_at_most: Some(1), ..all() }, 3),
        // The objects were written before.
        (Wanted { since_ms: Some(NOW_MS + 1), ..all() }, 0),
    ] {
        let world = quarantine(Faults::none());
        let report = world.sent(Origin::Quarantine, &wanted).await;
        assert_eq!((report.sent_lines(), world.stream.records().len()), (lines, lines as usize), "{wanted:?}");
    }
}

#[tokio::test]
async fn what_is_of_no_known_form_stays_and_is_counted_and_the_next_object_goes_its_way() {
    let world = quarantine(Faults::none());
    let damaged = "quarantine/transform/0f112233445566778899aabbccddeeff.jsonl.gz";
    world.bucket.seed(damaged, vec![0x1F, 0x8B, 1]);
    let odd = [TYPED.as_bytes(), b"\n{\"v\":1,\"receivedAt\":\"x\"}\n", b"{\"interactionId\":\"c\"}\n"].concat();
    world.bucket.seed("quarantine/redrive/x.jsonl", odd);
    let report = world.sent(Origin::Quarantine, &all()).await;
    assert_eq!((report.sent_lines(), report.unreadable, report.damaged), (4, 3, 1));
    assert_eq!(report.damaged_keys, [damaged]);
    assert!(report.needs_somebody());
}

#[tokio::test]
async fn a_large_line_goes_back_in_pieces_and_one_that_the_stream_never_takes_stays() {
    let world = World::new(Faults::none());
    let documents: String = (0..9_000).map(|n| format!("{{\"interactionId\":\"i-{n}\"}}")).collect();
    let never = "x".repeat(1_000 * 1024 + 1);
    let lines = [kept(NOW_MS, Rejection::Defect, 0, &documents), kept(NOW_MS, Rejection::NotJson, 0, &never)];
    world.bucket.seed(BY_INGEST, lines.concat());
    let report = world.sent(Origin::Quarantine, &all()).await;
    assert_eq!((report.sent_lines(), report.too_large), (1, 1));
    let records = world.stream.records();
    assert!(records.len() > 2 && records.iter().all(|record| replayed::read(record).1 == 1));
    assert_eq!(records.iter().flat_map(|record| replayed::read(record).0).count(), documents.len());
    assert_eq!(world.marked().len(), 1);
}

#[tokio::test]
async fn an_error_object_goes_once_all_of_it_is_back_and_not_before() {
    let whole = [failed("{\"a\":1}\t\t\t", "Lambda.FunctionError"), failed(TYPED, "said by somebody")].concat();
    let world = World::new(Faults::none());
    world.bucket.seed(ERRORS, whole.clone());
    let chosen = Wanted { reasons: BTreeSet::from(["unknown".to_owned()]), ..all() };
    let report = world.sent(Origin::Errors, &chosen).await;
    assert_eq!((report.sent_lines(), report.not_wanted, report.deleted), (1, 1, 0));
    assert_eq!(world.bucket.keys("errors/"), [ERRORS]);
    let report = world.sent(Origin::Errors, &all()).await;
    assert_eq!((report.sent_lines(), report.marked, report.deleted), (1, 1, 1));
    assert_eq!(report.groups.keys().next(), Some(&group("processing-failed", "Lambda.FunctionError")));
    assert!(world.bucket.keys("errors/").is_empty());
    // Redrive's rounds are gone; the replay shows.
    assert_eq!(world.stream.records(), [[TYPED.as_bytes(), b"\t\r"].concat(), b"{\"a\":1}\t\r".to_vec()]);
    let unreadable = World::new(Faults::none());
    unreadable.bucket.seed(ERRORS, [whole, b"no record\n".to_vec()].concat());
    let report = unreadable.sent(Origin::Errors, &all()).await;
    assert_eq!((report.sent_lines(), report.unreadable, report.deleted), (2, 1, 0));
}

#[tokio::test]
async fn no_error_object_is_deleted_before_its_records_are_back_whatever_fails() {
    let seeded = |faults: Faults| {
        let world = World::new(faults);
        world.bucket.seed(ERRORS, [failed("a", "x"), failed("b", "x")].concat());
        world
    };
    let whole = seeded(Faults::none());
    whole.sent(Origin::Errors, &all()).await;
    let writes = whole.faults.writes();
    // A batch, two marks, the deletion.
    assert_eq!(writes, 4, "{:?}", whole.faults.log());
    for (nth, fault) in (0..writes).flat_map(|nth| ALL_FAULTS.map(|fault| (nth, fault))) {
        let world = seeded(Faults::at(nth, fault));
        assert!(world.run(Origin::Errors, &all(), Mode::Send).await.1.is_err());
        assert!(!world.bucket.keys("errors/").is_empty() || world.records().len() == 2, "{fault:?} at {nth}");
        world.sent(Origin::Errors, &all()).await;
        assert_eq!((world.bucket.keys("errors/").len(), world.records().len()), (0, 2), "{fault:?} at {nth}");
    }
}

#[tokio::test]
async fn a_spilled_record_goes_back_as_it_was_given() {
    let world = World::new(Faults::none());
    let line = |reason: &str, record: &str| {
        let (reason, record) = (reason.to_owned(), record.as_bytes().to_vec());
        let mut line = Vec::new();
        SpillLine { received_at_ms: NOW_MS, reason, record }.write(&mut line);
        line
    };
    let key = spill::key(NOW_MS, [7; 16]);
    world.bucket.seed(&key, [line("denied", TYPED), line("Said By", "{}")].concat());
    let report = world.sent(Origin::Spill, &all()).await;
    let reasons: Vec<_> = report.groups.into_keys().collect();
    assert_eq!(reasons, [group("capture", "denied"), group("capture", "unknown")]);
    assert_eq!(world.records().into_keys().collect::<Vec<_>>(), [TYPED.as_bytes(), b"{}"]);
    assert_eq!(world.marked(), [(key.clone(), 0), (key, 1)].into());
}

/// Dead-letter queues and where their messages belong.
struct Dead {
    world: World,
    queues: Vec<(LetterQueue, FakeQueue)>,
    homes: Vec<FakeQueue>,
}

const CHUNK: &str = "{\"v\":1}";
const NOTICE: &str = "{\"Records\":[]}";

impl Dead {
    fn new(faults: Faults) -> Self {
        let world = World::new(faults);
        let queue = |name| FakeQueue::new(name, world.faults.clone(), Calls::default());
        let (mut queues, mut homes) = (Vec::new(), Vec::new());
        for (name, home) in [
            ("ErrorsDeadLetterQueue", Home::Queue("ErrorsQueue")),
            ("LedgerDeadLetterQueue", Home::Fifo("LedgerQueue")),
            ("RuleDeadLetterQueue", Home::Stream),
        ] {
            let (dead, back) = (queue(name), queue("Home"));
            let letters = LetterQueue { name, inbox: dead.inbox(), dead: dead.port(), home, back: Some(back.port()) };
            queues.push((letters, dead));
            homes.push(back);
        }
        let dead = Self { world, queues, homes };
        dead.queues[0].1.leave(NOTICE, NOW_MS);
        dead.queues[0].1.leave(&serde_json::to_string(&dead.pointer()).unwrap(), NOW_MS);
        let fifo = FifoMessage { group: "log".to_owned(), deduplication_id: "o-1".to_owned(), body: CHUNK.to_owned() };
        dead.queues[1].1.leave_fifo(&fifo, NOW_MS);
        dead.queues[2].1.leave(&format!("{{\"a\":\"{TYPED}\"}}"), NOW_MS);
        dead
    }

    /// At a line of quarantine.
    fn pointer(&self) -> Pointer {
        let names = Names { lineage_token: None, interaction_id: Some("c-1".to_owned()) };
        let place = Place { object_key: BY_TRANSFORM.to_owned(), line: 1 };
        Pointer::new(Kind::Kept, place, "unprocessable", vec![names])
    }

    async fn run(&self, wanted: &Wanted, mode: Mode) -> (LettersReport, Result<(), StoreError>) {
        let letters = Letters::new(self.world.control.port(), self.world.stream.port());
        let mut report = LettersReport::default();
        for (queue, _) in &self.queues {
            let ended = letters.run(queue, wanted, mode, &mut report).await;
            if ended.is_err() {
                return (report, ended);
            }
        }
        assert!(!format!("{report:?}").contains(TYPED), "{report:?}");
        (report, Ok(()))
    }

    fn left(&self) -> Vec<usize> {
        self.queues.iter().map(|(_, dead)| dead.letters().len()).collect()
    }

    fn hidden(&self) -> usize {
        self.queues.iter().map(|(_, dead)| dead.hidden()).sum()
    }

    /// How many different messages are where they belong.
    fn home(&self) -> [usize; 3] {
        let set = |bodies: Vec<String>| bodies.into_iter().collect::<BTreeSet<_>>().len();
        let chunks = self.homes[1].messages().into_iter().map(|message| message.body).collect();
        [set(self.homes[0].bodies()), set(chunks), self.world.records().len()]
    }
}

#[tokio::test]
async fn a_look_at_dead_letters_takes_none_and_hides_none() {
    let dead = Dead::new(Faults::none());
    let (report, ended) = dead.run(&all(), Mode::Look).await;
    ended.unwrap();
    let one = Tally { open: 1, ..Tally::default() };
    let expected = [
        (group("ErrorsDeadLetterQueue", "notification"), one),
        (group("LedgerDeadLetterQueue", "chunk"), one),
        (group("RuleDeadLetterQueue", "event"), one),
    ];
    assert_eq!(report.groups, BTreeMap::from(expected));
    assert_eq!((report.waiting, report.pointers[0].pointer.clone()), (1, dead.pointer()));
    assert_eq!((dead.left(), dead.hidden(), dead.home()), (vec![2, 1, 1], 0, [0; 3]));
}

#[tokio::test]
async fn each_dead_letter_goes_home_and_a_pointer_waits_for_its_line() {
    let dead = Dead::new(Faults::none());
    let (report, ended) = dead.run(&all(), Mode::Send).await;
    ended.unwrap();
    assert_eq!((report.sent_letters(), report.waiting), (3, 1));
    assert_eq!((dead.left(), dead.hidden(), dead.home()), (vec![1, 0, 0], 0, [1; 3]));
    assert_eq!((dead.homes[0].bodies(), dead.homes[1].messages()[0].group.as_str()), (vec![NOTICE.to_owned()], "log"));
    ReplayMarks::new(dead.world.control.port()).mark(&dead.pointer().place(), NOW_MS, None).await.unwrap();
    let (report, ended) = dead.run(&all(), Mode::Send).await;
    ended.unwrap();
    assert_eq!((report.waiting, report.pointers[0].is_back, dead.left()), (0, true, vec![0; 3]));
    assert_eq!(dead.home(), [1; 3], "a pointer goes nowhere: its line is back");
}

#[tokio::test]
async fn no_dead_letter_is_deleted_before_it_is_where_it_belongs_whatever_fails() {
    let whole = Dead::new(Faults::none());
    whole.run(&all(), Mode::Send).await.1.unwrap();
    let writes = whole.world.faults.writes();
    // Each of three is sent and deleted, and the pointer is shown again.
    assert_eq!(writes, 7, "{:?}", whole.world.faults.log());
    for (nth, fault) in (0..writes).flat_map(|nth| ALL_FAULTS.map(|fault| (nth, fault))) {
        let dead = Dead::new(Faults::at(nth, fault));
        assert!(dead.run(&all(), Mode::Send).await.1.is_err(), "{fault:?} at {nth}");
        for (home, left) in dead.home().into_iter().zip([dead.left()[0] - 1, dead.left()[1], dead.left()[2]]) {
            assert!(home + left >= 1, "{fault:?} at {nth}: lost");
        }
        dead.queues.iter().for_each(|(_, queue)| queue.show_all());
        dead.run(&all(), Mode::Send).await.1.unwrap();
        assert_eq!((dead.left(), dead.home()), (vec![1, 0, 0], [1; 3]), "{fault:?} at {nth}");
    }
}

#[tokio::test]
async fn what_is_not_chosen_or_cannot_go_stays_in_its_queue() {
    let dead = Dead::new(Faults::none());
    dead.queues[2].1.leave(&"x".repeat(1_000 * 1024 + 1), NOW_MS);
    dead.queues[1].1.leave("no group", NOW_MS);
    let chosen = Wanted { sources: BTreeSet::from(["LedgerDeadLetterQueue".to_owned()]), ..all() };
    let (report, ended) = dead.run(&chosen, Mode::Send).await;
    ended.unwrap();
    assert_eq!((report.sent_letters(), report.unreadable, report.not_wanted), (1, 1, 4));
    assert_eq!((dead.left(), dead.hidden()), (vec![2, 1, 2], 0));
    let (report, ended) = dead.run(&all(), Mode::Send).await;
    ended.unwrap();
    assert_eq!((report.sent_letters(), report.unreadable, dead.left()), (2, 2, vec![1, 1, 1]));
}

#[tokio::test]
async fn of_very_many_that_stay_a_run_looks_at_some_and_says_so() {
    let dead = Dead::new(Faults::none());
    (0..1_100).for_each(|n| dead.queues[0].1.leave(&format!("{{\"n\":{n}}}"), NOW_MS));
    let (report, ended) = dead.run(&all(), Mode::Look).await;
    ended.unwrap();
    assert_eq!(report.cut_short, ["ErrorsDeadLetterQueue"]);
    let (report, ended) = dead.run(&all(), Mode::Send).await;
    ended.unwrap();
    assert_eq!((report.sent_letters(), report.cut_short.len(), dead.left()), (1_103, 0, vec![1, 0, 0]));
}
