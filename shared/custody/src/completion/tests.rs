//! Tests of completion: when an interaction is due, and that a completion follows from the entries alone.

use ledgerline_ledger::entry::{Line, PendingEntry, Sealed, Source};
use ledgerline_ledger::segment::SegmentName;
use proptest::prelude::*;

use super::*;
use crate::access::SegmentPlace;
use crate::order::EventOrder;

const NOW_MS: i64 = 1_772_460_000_000;
const SILENCE_MS: i64 = 24 * 60 * 60 * 1000;

fn log() -> LogId {
    LogId::parse("acme/interaction/1/0").unwrap()
}

fn line(record: Record, event_type: &str, id: u64, fields: BTreeMap<String, Field>) -> Line {
    let entry = PendingEntry {
        event_id: format!("{id:032x}"),
        org: "acme".to_owned(),
        event_type: event_type.to_owned(),
        activity: event_type.to_owned(),
        record,
        // Two events share each second, so that the id decides.
        occurred_at: format!("2026-03-02T14:{:02}:{:02}.000Z", (id / 120) % 60, (id / 2) % 60),
        time_from_envelope: false,
        zone_assumed: false,
        late: false,
        fields,
        masked: Vec::new(),
        sealed: Sealed::default(),
        lineage_token: "6f1c1e0e-7a3f-5a53-9a38-7e3f5f8f0b11".to_owned(),
        schema_version: "1".to_owned(),
        policy_version: "1".to_owned(),
        source: Source { object: "0123456789abcdef0123456789abcdef".to_owned(), line: id },
        salt: [id as u8; 16],
    };
    entry.to_line().unwrap()
}

fn call(event_type: &str, id: u64) -> Line {
    line(Record::Interaction("c-1".to_owned()), event_type, id, BTreeMap::new())
}

fn entry_of(completion: &Completed, id: u64) -> Line {
    let (_, act) = completion.act(&log(), "acme/c-1", Completion::Final, "2026-03-02T15:00:00.000Z").unwrap();
    line(act.record, act.kind.name(), id, act.fields)
}

fn segment(first: u64, lines: &[Line]) -> Segment {
    let text: String = lines.iter().map(|line| format!("{}\n", line.as_str())).collect();
    let bytes = member::pack(text.as_bytes());
    let name = SegmentName::of(&log(), first, lines.len() as u64, &bytes);
    Segment::read(&name.key(), &bytes).unwrap()
}

fn found(index: u64, line: &Line) -> Found {
    let place = SegmentPlace { log: log(), segment: String::new(), version_id: String::new() };
    let occurred_at = line.header().occurred_at.clone();
    let order = EventOrder { occurred_at, rank: 0, log: log().to_string(), index };
    Found { record: "acme/c-1".to_owned(), order, place, leaf: line.leaf(), text: line.as_str().to_owned() }
}

fn marks(lines: &[Line]) -> Vec<Mark> {
    (0..).zip(lines).map(|(index, line)| Mark::of(&found(index, line)).unwrap()).collect()
}

fn following(lines: &[Line]) -> Following {
    let mut state = Following::from_nothing(&log(), 0);
    state.follow(&segment(0, lines), NOW_MS).unwrap();
    state
}

#[test]
fn an_ended_interaction_is_due_after_five_quiet_minutes() {
    let state = following(&[call("customer.start", 1), call("customer.end", 2), call("wrapup", 3)]);
    assert!(state.due(NOW_MS + QUIET_MS - 1, SILENCE_MS).is_empty());
    assert_eq!(state.due(NOW_MS + QUIET_MS, SILENCE_MS), [("acme/c-1".to_owned(), Completion::Final)]);
}

#[test]
fn one_without_an_end_is_due_after_the_silence() {
    let state = following(&[call("customer.start", 1)]);
    assert!(state.due(NOW_MS + SILENCE_MS - 1, SILENCE_MS).is_empty());
    assert_eq!(state.due(NOW_MS + SILENCE_MS, SILENCE_MS), [("acme/c-1".to_owned(), Completion::Silent)]);
}

#[test]
fn entities_and_acts_are_never_open() {
    let entity = Record::Entity { kind: "User".to_owned(), id: "u-1".to_owned() };
    let completion = completed(&marks(&[call("customer.end", 2)])).unwrap();
    let hold = line(Record::Interaction("c-1".to_owned()), "HOLD_PLACED", 5, BTreeMap::new());
    let state = following(&[line(entity, "audit", 1, BTreeMap::new()), entry_of(&completion, 4), hold]);
    assert_eq!((state.open(), state.cursor()), (0, 3));
}

#[test]
fn a_completed_interaction_is_quiet_until_it_grows_and_then_due_again() {
    let mut state = following(&[call("customer.end", 1)]);
    state.completed("acme/c-1", NOW_MS + QUIET_MS);
    let completion = completed(&marks(&[call("customer.end", 1)])).unwrap();
    state.follow(&segment(1, &[entry_of(&completion, 2)]), NOW_MS + QUIET_MS).unwrap();
    assert!(state.due(i64::MAX, SILENCE_MS).is_empty(), "its own completion does not open it");
    let mut later = state.clone();
    later.follow(&segment(2, &[call("acw", 3)]), NOW_MS + 2 * QUIET_MS).unwrap();
    assert_eq!(later.needed_from(), Some(2));
    assert_eq!(later.due(NOW_MS + 3 * QUIET_MS, SILENCE_MS).len(), 1, "its end is known");
    state.forget_completed(NOW_MS + QUIET_MS + COMPLETED_KEPT_MS);
    state.follow(&segment(2, &[call("acw", 3)]), NOW_MS).unwrap();
    assert!(state.due(NOW_MS + QUIET_MS, SILENCE_MS).is_empty(), "forgotten, so by silence");
    assert_eq!(state.due(NOW_MS + SILENCE_MS, SILENCE_MS).len(), 1);
}

#[test]
fn who_catches_up_from_nothing_reads_no_completed_interaction_again() {
    let lines = [call("customer.start", 1), call("customer.end", 2)];
    let completion = completed(&marks(&lines)).unwrap();
    let mut state = Following::from_nothing(&log(), 3);
    state.follow(&segment(0, &lines), NOW_MS).unwrap();
    state.follow(&segment(2, &[entry_of(&completion, 3)]), NOW_MS).unwrap();
    assert_eq!(state.open(), 0);
    let mut grown = Following::from_nothing(&log(), 4);
    grown.follow(&segment(0, &[lines.as_slice(), &[call("acw", 4)]].concat()), NOW_MS).unwrap();
    grown.follow(&segment(3, &[entry_of(&completion, 3)]), NOW_MS).unwrap();
    assert_eq!(grown.open(), 1, "the completion does not count what came before it was committed");
}

#[test]
fn triggers_are_named_with_their_record_whatever_it_is() {
    let entity = Record::Entity { kind: "User".to_owned(), id: "u-1".to_owned() };
    let lines = [call("survey", 1), line(entity, "audit", 2, BTreeMap::new()), call("hold", 3)];
    let found = triggers(&segment(0, &lines), &["survey".to_owned(), "audit".to_owned()]).unwrap();
    let found: Vec<_> = found.iter().map(|one| (one.record.as_str(), one.event_type.as_str())).collect();
    assert_eq!(found, [("acme/c-1", "survey"), ("acme/User/u-1", "audit")]);
}

#[test]
fn state_comes_back_as_it_was_and_other_bytes_are_no_state() {
    let mut state = following(&[call("customer.start", 1), call("customer.end", 2)]);
    state.looked_for_expired(7);
    let bytes = state.write().unwrap();
    assert_eq!(Following::read(&log(), &bytes), Some(state));
    assert_eq!(Following::read(&LogId::parse("acme/entity/1/0").unwrap(), &bytes), None);
    assert_eq!(Following::read(&log(), &bytes[..bytes.len() - 1]), None);
    assert_eq!(Following::read(&log(), b""), None);
    assert_eq!(Following::read(&log(), &member::pack(b"{\"v\":2}\n")), None);
}

/// The definition in the module's head, by hand: hash each line, sort, hash.
#[test]
fn the_digest_is_the_one_that_the_documentation_describes() {
    let lines = [call("b", 3), call("a", 2), call("c", 1)];
    let mut keyed: Vec<(&str, &str, [u8; 32])> = Vec::new();
    for line in &lines {
        let mut leaf = vec![0];
        leaf.extend_from_slice(line.as_str().as_bytes());
        keyed.push((&line.header().occurred_at, &line.header().event_id, Sha256::digest(&leaf).into()));
    }
    keyed.sort_unstable();
    let all: Vec<u8> = keyed.iter().flat_map(|(_, _, leaf)| *leaf).collect();
    let completion = completed(&marks(&lines)).unwrap();
    assert_eq!(completion.digest, Hash(Sha256::digest(&all).into()).hex());
    assert_eq!((completion.count, completion.late), (3, None));
    assert_eq!(
        (completion.first.as_str(), completion.last.as_str()),
        ("2026-03-02T14:00:00.000Z", "2026-03-02T14:00:01.000Z")
    );
}

#[test]
fn nothing_is_completed_where_no_event_is() {
    assert_eq!(completed(&[]), None);
    let first = completed(&marks(&[call("customer.end", 1)])).unwrap();
    assert_eq!(completed(&marks(&[entry_of(&first, 2)])), None);
    assert_eq!(first.act(&log(), "no-record", Completion::Final, "x"), None);
}

#[test]
fn later_entries_make_another_completion_that_says_how_many_are_late() {
    let first = [call("customer.start", 1), call("customer.end", 2)];
    let before = completed(&marks(&first)).unwrap();
    let again = [first.as_slice(), &[entry_of(&before, 3)]].concat();
    assert_eq!(completed(&marks(&again)), None);
    let grown = [again.as_slice(), &[call("acw", 0)]].concat();
    let after = completed(&marks(&grown)).unwrap();
    assert_eq!((after.count, after.late), (3, Some(1)));
    assert_ne!(after.digest, before.digest);
    let purposes =
        [&before, &after].map(|completion| completion.act(&log(), "acme/c-1", Completion::Silent, "x").unwrap().0);
    assert_ne!(purposes[0], purposes[1]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// However the entries come and however often the same completion is committed: one completion, the same, and then no other.
    #[test]
    fn completion_is_idempotent_under_reordering_and_redelivery(
        ids in proptest::collection::btree_set(0_u64..500, 1..20),
        seed in any::<u64>(),
        repeats in 1_usize..3,
    ) {
        let lines: Vec<Line> = ids.iter().map(|id| call("user.start", *id)).collect();
        let mut shuffled = lines.clone();
        let mut random = seed;
        for at in (1..shuffled.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(at, (random >> 33) as usize % (at + 1));
        }
        let completion = completed(&marks(&lines)).unwrap();
        prop_assert_eq!(&completion, &completed(&marks(&shuffled)).unwrap());
        let repeated: Vec<Line> = (0..repeats as u64).map(|at| entry_of(&completion, 1000 + at)).collect();
        prop_assert_eq!(completed(&marks(&[shuffled, repeated].concat())), None);
    }
}
