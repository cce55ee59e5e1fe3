//! The plan's golden fixture, its rejections, its properties.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn log(text: &str) -> LogId {
    LogId::parse(text).unwrap()
}

fn object() -> ObjectId {
    ObjectId::of("bucket", KEY)
}

/// A plan of so many entries, every third about an entity.
fn plan(entries: u64) -> Plan {
    let mut writer = PlanWriter::new(object(), KEY, "builtin-1");
    for n in 0..entries {
        let class = if n % 3 == 2 { "acme/entity/1/0" } else { "acme/interaction/1/0" };
        writer.push(&log(class), format!(r#"{{"n":{n},"v":1}}"#).as_bytes()).unwrap();
    }
    writer.finish(Counts { input: entries + 6, filtered: 1, duplicate: 2, quarantined: 3, planned: 0 }).unwrap()
}

fn chunk_of<'a>(plan: &'a [u8], pointer: &Pointer) -> &'a [u8] {
    &plan[pointer.offset as usize..(pointer.offset + pointer.length) as usize]
}

fn read_all(bytes: &[u8]) -> (Header, Vec<(String, Vec<String>)>) {
    let (header, header_bytes) = Header::read(bytes).unwrap();
    let read = |pointer: &Pointer| {
        let lines = pointer.read(chunk_of(bytes, pointer)).unwrap();
        (pointer.log.clone(), lines.iter().map(str::to_owned).collect())
    };
    let chunks = header.pointers(header_bytes).iter().map(read).collect();
    (header, chunks)
}

#[test]
fn a_frozen_plan_of_version_1_is_read() {
    let (header, chunks) = read_all(include_bytes!("../../testdata/plan-v1.jsonl.gz"));
    let expected: Value = serde_json::from_str(include_str!("../../testdata/plan-v1.expected.json")).unwrap();
    assert_eq!(serde_json::to_value(&header).unwrap(), expected["header"]);
    assert_eq!(json!(chunks), expected["chunks"]);
}

#[test]
fn entries_come_back_by_log_in_their_order_in_chunks_of_256() {
    let plan = plan(1000);
    let (header, chunks) = read_all(&plan.bytes);
    assert_eq!(header, plan.header);
    let counts: Vec<(&str, usize)> = chunks.iter().map(|(log, lines)| (log.as_str(), lines.len())).collect();
    let (entity, interaction) = ("acme/entity/1/0", "acme/interaction/1/0");
    assert_eq!(counts, vec![(entity, 256), (entity, 77), (interaction, 256), (interaction, 256), (interaction, 155)]);
    let lines = chunks.iter().filter(|(log, _)| log == interaction).flat_map(|(_, lines)| lines);
    let expected = (0..1000).filter(|n| n % 3 != 2).map(|n| format!(r#"{{"n":{n},"v":1}}"#));
    assert!(lines.cloned().eq(expected));
    assert_eq!(header.counts, Counts { input: 1006, filtered: 1, duplicate: 2, quarantined: 3, planned: 1000 });
}

#[test]
fn a_plan_says_what_was_written_beside_it_and_one_that_does_not_is_read() {
    let beside =
        Beside { silver: vec!["2026-03-02".to_owned()], policy_hash: "0f".to_owned(), code: "0.1.0".to_owned() };
    let plan = PlanWriter::new(object(), KEY, "builtin-1").beside(beside.clone()).finish(Counts::default()).unwrap();
    assert_eq!(read_all(&plan.bytes).0.beside, Some(beside));
    let without = PlanWriter::new(object(), KEY, "builtin-1").finish(Counts::default()).unwrap();
    assert_eq!(read_all(&without.bytes).0.beside, None);
}

#[test]
fn the_whole_object_is_gunzipped_as_one_file() {
    let plan = plan(600);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(&plan.bytes[..]), &mut text).unwrap();
    assert_eq!(text.lines().count(), 601);
    assert!(text.starts_with(r#"{"v":1,"object":""#));
}

#[test]
fn equal_entries_give_equal_bytes() {
    assert_eq!(plan(300), plan(300));
}

#[test]
fn a_plan_without_entries_has_a_header_only() {
    let plan = plan(0);
    let (header, chunks) = read_all(&plan.bytes);
    assert_eq!((header.counts.input, chunks.len(), plan.header_bytes), (6, 0, plan.bytes.len() as u64));
}

#[test]
fn the_header_is_read_from_a_plans_first_bytes() {
    let plan = plan(1000);
    let head = &plan.bytes[..plan.header_bytes as usize + 5];
    assert_eq!(Header::read(head), Ok((plan.header.clone(), plan.header_bytes)));
    let cut = Header::read(&plan.bytes[..plan.header_bytes as usize - 1]);
    assert_eq!(cut, Err(PlanError::Member(MemberError::NotGzip)));
}

#[test]
fn counts_that_do_not_add_up_make_no_plan() {
    let writer = PlanWriter::new(object(), KEY, "builtin-1");
    assert_eq!(writer.finish(Counts { input: 1, ..Counts::default() }), Err(PlanError::Counts));
    let writer = PlanWriter::new(object(), KEY, "builtin-1");
    let overflow = Counts { filtered: u64::MAX, duplicate: 1, ..Counts::default() };
    assert_eq!(writer.finish(overflow), Err(PlanError::Counts));
}

#[test]
fn a_line_that_is_none_is_refused() {
    let mut writer = PlanWriter::new(object(), KEY, "builtin-1");
    for line in [&b""[..], b"{}\n", b"a\nb", &[b'x'; MAX_LINE_BYTES + 1]] {
        assert_eq!(writer.push(&log("acme/entity/1/0"), line), Err(PlanError::Line));
    }
}

#[test]
fn a_chunk_is_closed_before_it_unpacks_to_more_than_its_readers_take() {
    let mut writer = PlanWriter::new(object(), KEY, "builtin-1");
    for _ in 0..100 {
        writer.push(&log("acme/entity/1/0"), &[b'x'; MAX_LINE_BYTES]).unwrap();
    }
    let plan = writer.finish(Counts { input: 100, ..Counts::default() }).unwrap();
    let (_, chunks) = read_all(&plan.bytes);
    assert_eq!(chunks.iter().map(|(_, lines)| lines.len()).collect::<Vec<_>>(), vec![63, 37]);
}

/// A header with one thing changed, packed as a plan's first member.
fn header_with(pointer: &str, value: Value) -> Result<(Header, u64), PlanError> {
    let mut json = serde_json::to_value(&plan(600).header).unwrap();
    *json.pointer_mut(pointer).unwrap() = value;
    Header::read(&gzip_member(format!("{json}\n").as_bytes()))
}

#[test]
fn malformed_headers_are_refused_by_what_is_wrong() {
    for (pointer, value, error) in [
        ("/v", json!(2), "the plan has version 2; this code reads version 1"),
        ("/v", json!("1"), "the plan's header is not the expected JSON: data error"),
        ("/object", json!("../x"), "the plan's header is not the expected JSON: data error"),
        ("/counts/in", json!(605), "the plan's counts do not add up"),
        ("/counts/in", json!(-1), "the plan's header is not the expected JSON: data error"),
        ("/counts/planned", json!(u64::MAX), "the plan's counts do not add up"),
        ("/chunks", json!([]), "the plan's counts do not add up"),
        ("/chunks/0/log", json!("acme/../1/0"), "a chunk's log is no log name"),
        ("/chunks/1/ordinal", json!(0), "the chunks' ordinals do not run from 0"),
        ("/chunks/1/offset", json!(1), "the chunks do not lie one after the other"),
        ("/chunks/0/length", json!(0), "the chunks do not lie one after the other"),
        ("/chunks/0/count", json!(0), "a chunk's count is not from 1 to 256"),
        ("/chunks/0/count", json!(257), "a chunk's count is not from 1 to 256"),
    ] {
        let refused = header_with(pointer, value.clone()).unwrap_err().to_string();
        assert!(refused.contains(error), "{pointer} {value}: {refused}");
    }
    assert!(header_with("/v", json!(1)).is_ok());
}

#[test]
fn malformed_first_members_are_refused() {
    let line = |text: &str| Header::read(&gzip_member(text.as_bytes())).unwrap_err();
    assert_eq!(Header::read(b""), Err(PlanError::Member(MemberError::NotGzip)));
    assert_eq!(Header::read(b"{\"v\":1}\n"), Err(PlanError::Member(MemberError::NotGzip)));
    assert_eq!(line("{\"v\":1}"), PlanError::Malformed("the header is not one line"));
    assert_eq!(line("{\"v\":1}\n{}\n"), PlanError::Malformed("the header is not one line"));
    assert!(matches!(line("{\"v\":1}\n"), PlanError::Json { part: "header", .. }));
}

#[test]
fn malformed_pointers_are_refused_by_what_is_wrong() {
    let plan = plan(600);
    let pointer = plan.header.pointers(plan.header_bytes)[1].clone();
    assert_eq!(Pointer::parse(&pointer.to_body().unwrap()), Ok(pointer.clone()));
    for (member, value, error) in [
        ("v", json!(2), "the plan has version 2"),
        ("plan", json!("staged/x.jsonl.gz"), "the pointer's plan is not its object's"),
        ("plan", json!("ledger/acme"), "the pointer's plan is not its object's"),
        (
            "plan",
            json!(format!("staged/acts/{}.jsonl.gz", ObjectId::of_act("x"))),
            "the pointer's plan is not its object's",
        ),
        ("object", json!("0".repeat(32)), "the pointer's plan is not its object's"),
        ("log", json!("acme"), "the pointer's log is no log name"),
        ("length", json!(0), "the pointer's range is no chunk's"),
        ("length", json!(MAX_MEMBER_BYTES + 1), "the pointer's range is no chunk's"),
        ("offset", json!(u64::MAX), "the pointer's range is no chunk's"),
        ("count", json!(257), "a chunk's count is not from 1 to 256"),
        ("ordinal", json!(-1), "the plan's pointer is not the expected JSON"),
    ] {
        let mut json = serde_json::to_value(&pointer).unwrap();
        json[member] = value.clone();
        let refused = Pointer::parse(&json.to_string()).unwrap_err().to_string();
        assert!(refused.contains(error), "{member} {value}: {refused}");
    }
}

#[test]
fn errors_repeat_nothing_of_what_was_read() {
    for body in
        [r#"{"v":1,"object":"+15555550142"}"#, r#"{"v":"+15555550142"}"#, r#"+15555550142"#, r#"["+15555550142"]"#]
    {
        let error = Pointer::parse(body).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("5550142"), "{error}");
    }
}

#[test]
fn group_and_deduplication_id_are_the_log_and_the_place() {
    let plan = plan(600);
    let pointer = &plan.header.pointers(plan.header_bytes)[1];
    assert_eq!(pointer.group(), "acme/interaction/1/0");
    assert_eq!(pointer.deduplication_id(), format!("{}-1", object()));
    assert_eq!(pointer.plan, format!("staged/{}.jsonl.gz", object()));
    assert_eq!(pointer.plan_of(), Ok(PlanOf::Bronze));
}

#[test]
fn the_plan_of_acts_lies_apart_and_its_pointers_say_so() {
    let act = ObjectId::of_act("hold/1");
    let mut writer = PlanWriter::new(act, "act/hold/1", "builtin-1");
    writer.push(&log("acme/interaction/1/0"), br#"{"v":1}"#).unwrap();
    let plan = writer.finish(Counts { input: 1, ..Counts::default() }).unwrap();
    let pointer = plan.header.pointers(plan.header_bytes).remove(0);
    assert_eq!(pointer.plan, format!("staged/acts/{act}.jsonl.gz"));
    let parsed = Pointer::parse(&pointer.to_body().unwrap()).unwrap();
    assert_eq!((&parsed, parsed.plan_of()), (&pointer, Ok(PlanOf::Acts)));
}

#[test]
fn a_chunk_that_is_not_what_its_pointer_says_is_refused() {
    let read = |text: &str, count| ChunkLines::read(&gzip_member(text.as_bytes()), count);
    assert!(read("a\nb\n", 2).is_ok());
    for (text, count) in [("a\nb\n", 1), ("a\nb\n", 3), ("a\nb", 2), ("", 1), ("\n", 1), ("a\n\n", 2)] {
        assert!(read(text, count).is_err(), "{text:?} {count}");
    }
    assert!(read("a\n", 0).is_err() && read(&"a\n".repeat(257), 257).is_err());
    let two = [gzip_member(b"a\n"), gzip_member(b"b\n")].concat();
    assert_eq!(ChunkLines::read(&two, 1), Err(PlanError::Malformed("the chunk's range holds more than its member")));
    let plan = plan(1);
    let pointer = &plan.header.pointers(plan.header_bytes)[0];
    let cut = &chunk_of(&plan.bytes, pointer)[1..];
    assert!(matches!(pointer.read(cut), Err(PlanError::Malformed(_))));
}

#[test]
fn a_carriage_return_belongs_to_its_line() {
    let lines = ChunkLines::read(&gzip_member(b"a\r\nb\n"), 2).unwrap();
    assert_eq!(lines.iter().collect::<Vec<_>>(), vec!["a\r", "b"]);
    assert_eq!(lines.as_str(), "a\r\nb\n");
}

proptest! {
    #[test]
    fn readers_take_any_bytes_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), count in 0u32..300) {
        let _ = Header::read(&bytes);
        let _ = ChunkLines::read(&bytes, count);
        let _ = Pointer::parse(&String::from_utf8_lossy(&bytes));
        let _ = Header::read(&gzip_member(&bytes));
        let _ = ChunkLines::read(&gzip_member(&bytes), count);
    }

    #[test]
    fn a_changed_byte_of_a_plan_never_changes_an_entry(at in 0usize..4096, change in 1u8..) {
        let plan = plan(40);
        let at = at % plan.bytes.len();
        let mut bytes = plan.bytes.clone();
        bytes[at] ^= change;
        if let Ok((header, header_bytes)) = Header::read(&bytes) {
            prop_assert_eq!((&header, header_bytes), (&plan.header, plan.header_bytes));
            for pointer in header.pointers(header_bytes) {
                if let Ok(lines) = pointer.read(chunk_of(&bytes, &pointer)) {
                    prop_assert_eq!(Ok(lines), pointer.read(chunk_of(&plan.bytes, &pointer)));
                }
            }
        }
    }

    #[test]
    fn what_is_written_is_read(lines in prop::collection::vec("[^\n]{1,80}", 0..600)) {
        let mut writer = PlanWriter::new(object(), KEY, "builtin-1");
        lines.iter().for_each(|line| writer.push(&log("acme/entity/1/0"), line.as_bytes()).unwrap());
        let plan = writer.finish(Counts { input: lines.len() as u64, ..Counts::default() }).unwrap();
        let (_, chunks) = read_all(&plan.bytes);
        prop_assert_eq!(chunks.into_iter().flat_map(|(_, lines)| lines).collect::<Vec<_>>(), lines);
    }
}

const KEY: &str = "bronze/event_type=interaction/year=2026/month=03/day=02/hour=14/x.gz";
