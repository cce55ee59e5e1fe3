//! Times, marks and order, as public bug reports have them: the reports' own inputs where the corpus is, and inputs of the same
//! kinds everywhere.

use ledgerline_event::document::Rejection;
use ledgerline_event::{LineageFrom, instant};
use ledgerline_lake::ObjectId;
use ledgerline_lake::bronze::{self, BronzeLine, NewEvent};
use ledgerline_transform::config::Settings;
use ledgerline_transform::output::event_order;
use ledgerline_transform::reading::{Event, Read, Reading};
use serde_json::{Value, json};

use crate::subjects::links;
use crate::world::{T0, World, counting, key, line, lines, settings};

/// What becomes of these documents, received at [`T0`] and half a minute.
fn read(raws: &[String]) -> Read {
    read_with(&settings(), raws)
}

/// The same, in a deployment of these settings.
pub(crate) fn read_with(settings: &Settings, raws: &[String]) -> Read {
    let object = ObjectId::of("bronze", "bronze/cases");
    Reading::alone(settings, object, T0 + 60_000, &counting(), &lines(raws)).unwrap()
}

/// The reasons for which lines were quarantined, in their order.
fn reasons(read: &Read) -> Vec<Rejection> {
    let Some(packed) = &read.quarantine_gz else { return Vec::new() };
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(&packed[..]), &mut text).unwrap();
    let reason = |line: &[u8]| match bronze::read(line) {
        BronzeLine::Quarantine(kept) => kept.reason,
        other => panic!("{other:?} in quarantine"),
    };
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(reason).collect()
}

#[test]
fn a_line_that_was_replayed_and_is_refused_again_says_how_often() {
    let mut object = Vec::new();
    for replayed in [0, 2] {
        let new = NewEvent {
            org: "acme",
            lineage_token: None,
            received_at_ms: T0,
            occurred_at_ms: None,
            source: None,
            replayed,
            cut: &[],
            raw: br#"{"interactionId":"c-1","eventType":"answered"}"#,
            has_line_break: false,
        };
        bronze::write_event(&new, &mut object);
    }
    let id = ObjectId::of("bronze", "bronze/cases");
    let read = Reading::alone(&settings(), id, T0, &counting(), &object).unwrap();
    let mut text = Vec::new();
    let packed = read.quarantine_gz.unwrap();
    std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(&packed[..]), &mut text).unwrap();
    let replayed = |line: &[u8]| match bronze::read(line) {
        BronzeLine::Quarantine(kept) => (kept.reason, kept.replayed),
        other => panic!("{other:?} in quarantine"),
    };
    let kept: Vec<_> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(replayed).collect();
    assert_eq!(kept, [(Rejection::NoTime, 0), (Rejection::NoTime, 2)]);
}

fn times(read: &Read) -> Vec<String> {
    read.events.iter().map(|event| instant::to_rfc3339(event.adapted.occurred_at_ms)).collect()
}

fn field(event: &Event, name: &str) -> Option<Value> {
    event.fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_json())
}

/// The documents of a report, or `None`, said loudly, where the corpus is not.
fn case(name: &str) -> Option<Vec<String>> {
    case_file(name, "events.ndjson")
}

/// One file of a report's.
pub(crate) fn case_file(name: &str, file: &str) -> Option<Vec<String>> {
    #[expect(clippy::disallowed_methods, reason = "where the corpus lies is the environment's to say")]
    let corpus = std::env::var("LEDGERLINE_CORPUS");
    let Ok(corpus) = corpus else {
        #[expect(clippy::print_stdout, reason = "a skipped test must be seen")]
        {
            println!("SKIPPED {name}: LEDGERLINE_CORPUS is not set");
        }
        return None;
    };
    let folder = std::path::Path::new(&corpus).join("cases");
    let found = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let folder = found.into_iter().find(|path| path.file_name().unwrap().to_string_lossy().starts_with(name)).unwrap();
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    Some(text.lines().map(str::to_owned).collect())
}

pub(crate) fn flat(n: u32, members: Value) -> String {
    let mut event =
        json!({"eventId": format!("e-{n}"), "interactionId": format!("c-{n}"), "eventType": "STATE_CHANGE"});
    event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    event.to_string()
}

#[test]
fn case_07_compact_times_are_read_or_refused_and_never_another_date() {
    let Some(raws) = case("07") else { return };
    let read = read(&raws);
    assert_eq!(times(&read), ["2026-03-02T14:00:00.000Z"; 2]);
    assert!(read.events.iter().all(|event| event.zone_assumed));
    assert_eq!(reasons(&read), [Rejection::NoTime; 3]);
}

#[test]
fn compact_times_are_told_by_their_length() {
    let of = |time: Value| read(&[flat(1, json!({"timestamp": time}))]);
    for (time, at, assumed) in [
        (json!("20260302135959"), "2026-03-02T13:59:59.000Z", true),
        (json!(20_260_302_135_959_250_i64), "2026-03-02T13:59:59.250Z", true),
        (json!("20260302T135959Z"), "2026-03-02T13:59:59.000Z", false),
        (json!("2026-03-02T13:59:59"), "2026-03-02T13:59:59.000Z", true),
        (json!(1_772_459_999), "2026-03-02T13:59:59.000Z", false),
    ] {
        let read = of(time.clone());
        assert_eq!(times(&read), [at], "{time}");
        assert_eq!(read.events[0].zone_assumed, assumed, "{time}");
        assert_eq!(read.events[0].line.contains("\"zoneAssumed\":true"), assumed, "{time}");
    }
    for time in [json!("20260302"), json!(2026), json!("2603021359"), json!("260302135959"), json!("20261302135959")] {
        let read = of(time.clone());
        // Ten digits are seconds, and those of 2052: too far ahead.
        let reason = if time == json!("2603021359") { Rejection::ImplausibleTime } else { Rejection::NoTime };
        assert_eq!((read.events.len(), reasons(&read)), (0, vec![reason]), "{time}");
    }
}

#[test]
fn case_08_micro_and_nanoseconds_are_the_same_instant() {
    let Some(raws) = case("08") else { return };
    let read = read(&raws);
    assert_eq!(times(&read), ["2026-03-02T14:00:00.350Z"; 6]);
    assert!(read.events.iter().all(|event| !event.time_from_envelope));
}

#[test]
fn an_own_time_that_cannot_be_read_never_falls_back_and_an_absent_one_does_with_a_mark() {
    let genesys = |n: u32, body: Value| {
        let mut event_body = json!({"conversationId": format!("c-{n}"), "mediaType": "VOICE"});
        event_body.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        json!({"detail-type": "v2.detail.events.conversation.{id}.acw", "source": "aws.partner/genesys.com/cloud/acme/x",
            "time": "2026-03-02T14:00:01Z", "detail": {"timestamp": "2026-03-02T14:00:00.900Z", "eventBody": event_body}})
        .to_string()
    };
    let read = read(&[
        genesys(1, json!({"eventTime": "soon"})),
        genesys(2, json!({"eventTime": {"ms": 1}})),
        genesys(3, json!({"eventTime": null})),
        genesys(4, json!({"eventTime": 1_772_460_000_350_123_i64})),
        genesys(5, json!({"eventTime": " "})),
    ]);
    assert_eq!(reasons(&read), [Rejection::NoTime; 2]);
    let marks: Vec<(String, bool)> =
        times(&read).into_iter().zip(read.events.iter().map(|event| event.time_from_envelope)).collect();
    let (own, envelope) = ("2026-03-02T14:00:00.350Z".to_owned(), "2026-03-02T14:00:00.900Z".to_owned());
    assert_eq!(marks, [(envelope.clone(), true), (own, false), (envelope, true)]);
    for event in &read.events {
        assert_eq!(event.line.contains("\"timeFrom\":\"envelope\""), event.time_from_envelope);
    }
}

#[test]
fn the_envelopes_second_is_no_part_of_an_event_that_has_a_time_of_its_own() {
    let sent = |envelope: &str, own: Value| {
        json!({"detail-type": "x", "source": "crm", "time": envelope,
            "detail": {"interactionId": "c-1", "eventType": "HOLD", "timestamp": own}})
        .to_string()
    };
    let micro = json!(1_772_459_990_350_123_i64);
    let read_ = read(&[sent("2026-03-02T14:00:01Z", micro.clone()), sent("2026-03-02T14:00:07Z", micro)]);
    assert_eq!((read_.events.len(), read_.repeated_lines.len()), (1, 1));
    let read_ = read(&[sent("2026-03-02T14:00:01Z", Value::Null), sent("2026-03-02T14:00:07Z", Value::Null)]);
    assert_eq!((read_.events.len(), read_.repeated_lines.len()), (2, 0), "nothing else tells these apart");
}

#[test]
fn times_outside_the_window_are_quarantined_with_a_reason_of_their_own() {
    let at = |ms: i64| flat((ms % 1_000_003).unsigned_abs() as u32, json!({"timestamp": instant::to_rfc3339(ms)}));
    let received = T0 + 30_000;
    let read = read(&[
        at(instant::EARLIEST_MS),
        at(received + instant::AHEAD_MS),
        at(instant::EARLIEST_MS - 1),
        at(received + instant::AHEAD_MS + 1),
    ]);
    assert_eq!(read.events.len(), 2);
    assert_eq!(reasons(&read), [Rejection::ImplausibleTime; 2]);
}

#[test]
fn case_09_a_field_takes_what_an_events_own_time_takes() {
    let Some(raws) = case("09") else { return };
    let read = read(&raws);
    assert_eq!(read.events.len(), 7);
    assert_eq!(times(&read), ["2026-03-02T14:00:00.000Z"; 7]);
    for event in &read.events {
        assert_eq!(field(event, "started_at"), Some(json!("2026-03-02T13:59:00.000Z")));
    }
}

#[test]
fn every_spelling_of_a_time_is_read_alike_in_a_field() {
    for spelling in [
        json!("2026-03-02T13:59:00.000+0000"),
        json!("2026-03-02T08:59:00-05"),
        json!("20260302T135900Z"),
        json!("2026-03-02 13:59:00,000Z"),
        json!("2026-03-02T14:59:00+01:00[Europe/Paris]"),
        json!(1_772_459_940),
        json!(1_772_459_940_000_i64),
        json!("1772459940000000"),
        json!(20_260_302_135_900_i64),
    ] {
        let read = read(&[flat(1, json!({"timestamp": "2026-03-02T14:00:00Z", "startedAt": spelling}))]);
        assert_eq!(field(&read.events[0], "started_at"), Some(json!("2026-03-02T13:59:00.000Z")), "{spelling}");
    }
}

/// Types and sessions in event order.
fn in_order(read: &Read) -> Vec<(&'static str, Option<Value>)> {
    let mut events: Vec<&Event> = read.events.iter().collect();
    events.sort_by(|a, b| event_order(a, b));
    events.iter().map(|event| (event.event_type, field(event, "session_id"))).collect()
}

#[test]
fn case_33_one_session_ends_before_the_next_begins() {
    let Some(raws) = case("33") else { return };
    let session = |n: &str| Some(json!(format!("000000{n}-0c0d-4e0f-8a1b-0000000000{n}")));
    assert_eq!(
        in_order(&read(&raws)),
        [
            ("user.start", session("a1")),
            ("user.end", session("a1")),
            ("user.start", session("b2")),
            ("user.end", session("b2")),
        ]
    );
}

#[test]
fn at_one_instant_a_session_that_lasted_ends_first_and_one_of_no_length_ends_after_its_start() {
    let leg = |topic: &str, session: u8, lasted: Option<i64>| {
        let mut body = json!({"eventTime": T0, "conversationId": "c-1", "sessionId": format!("00000000-0000-4000-8000-0000000000{session:02}")});
        if let Some(lasted) = lasted {
            body["interactingDurationMs"] = json!(lasted);
            body["heldDurationMs"] = json!(0);
        }
        json!({"detail-type": format!("v2.detail.events.conversation.{{id}}.{topic}"), "source": "aws.partner/genesys.com/cloud/acme/x",
            "detail": {"eventBody": body}})
        .to_string()
    };
    let kinds = |raws: &[String]| in_order(&read(raws)).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
    for lasted in [None, Some(1), Some(60_000)] {
        assert_eq!(kinds(&[leg("user.start", 2, None), leg("user.end", 1, lasted)]), ["user.end", "user.start"]);
    }
    assert_eq!(kinds(&[leg("user.end", 1, Some(0)), leg("user.start", 1, None)]), ["user.start", "user.end"]);
    // The hand-over from flow to queue to agent, all in one instant.
    let handed_over = [
        leg("acd.start", 2, None),
        leg("flow.end", 1, Some(5)),
        leg("user.start", 3, None),
        leg("acd.end", 4, Some(7)),
        leg("customer.end", 5, Some(9)),
    ];
    assert_eq!(kinds(&handed_over), ["flow.end", "acd.end", "acd.start", "user.start", "customer.end"]);
}

#[test]
fn silver_says_where_a_token_is_from_and_a_refused_one_is_found_by_its_pseudonym() {
    let event = |n: u32, token: Value| flat(n, json!({"timestamp": T0, "customFields": {"lineageToken": token}}));
    let read = read(&[
        event(1, json!("lt-98765")),
        event(2, json!("lt-15555550142")),
        event(3, json!("lt-jane-doe")),
        event(4, json!("lt-jane-doe")),
        event(5, Value::Null),
        event(6, json!("{\"id\":\"lt-4711\",\"metadata\":{\"status\":\"SUCCESS\"}}")),
    ]);
    let from: Vec<LineageFrom> = read.events.iter().map(|event| event.lineage_from).collect();
    use LineageFrom::{Derived, Refused, Source};
    assert_eq!(from, [Source, Refused, Refused, Refused, Derived, Source]);
    let refs: Vec<Option<&str>> = read.events.iter().map(|event| event.lineage_ref.as_deref()).collect();
    assert!(refs[1].is_some_and(|one| one.starts_with("p1_")) && refs[1] != refs[2] && refs[2] == refs[3]);
    assert_eq!((refs[0], refs[4], refs[5]), (None, None, None));
    assert_eq!((&*read.events[0].lineage_token, &*read.events[5].lineage_token), ("lt-98765", "lt-4711"));
    for event in &read.events {
        assert!(!event.line.contains("jane") && !event.line.contains("15555550142"), "{}", event.line);
    }
}

#[test]
fn the_process_of_an_interaction_is_told_by_its_source_or_by_its_direction_and_in_silver_alone() {
    let of = |members: Value| {
        let mut all = json!({"timestamp": T0});
        all.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let read = read(&[flat(1, all)]);
        let event = read.events.into_iter().next().unwrap();
        (field(&event, "process_name"), event.line.contains("\"process_name\":"))
    };
    assert_eq!(of(json!({"direction": "inbound"})), (Some(json!("Customer_Support_Inbound")), false));
    assert_eq!(of(json!({"direction": "OUTBOUND"})), (Some(json!("Customer_Support_Outbound")), false));
    assert_eq!(of(json!({"direction": "INBOUND", "processName": "Claims"})), (Some(json!("Claims")), true));
    assert_eq!(of(json!({"direction": "INBOUND", "processName": "Jane Doe"})), (None, false));
    assert_eq!(of(json!({})), (None, false));
}

fn identity(n: u32, event_type: &str, at: i64, customer: &str) -> String {
    json!({"auditEvent": {"eventType": event_type, "timestamp": instant::to_rfc3339(T0 + at),
        "interactionId": format!("i-{n}"), "resolvedCustomerId": customer, "deletionReason": "RTBF_REQUEST", "status": "SUCCESS"}})
    .to_string()
}

#[tokio::test]
async fn a_deletion_makes_neither_subject_nor_link_and_widens_a_link_that_is_there() {
    let world = World::new();
    let rows = || {
        let (subjects, links) = world.keys.subjects_and_links();
        subjects + links
    };
    world.bronze.seed(&key("a"), line(&identity(1, "DATA_DELETION", 0, "cust_hash_0a1b2c3")));
    world.settle(&[&key("a")]).await;
    assert_eq!((rows(), world.check().counts.planned), (0, 1));
    world.bronze.seed(&key("b"), line(&identity(1, "IDENTITY_RESOLUTION", 1_000, "cust_hash_0a1b2c3")));
    world.settle(&[&key("b")]).await;
    assert_eq!(rows(), 2);
    // Of another interaction: no link. Of this one: it reaches to the deletion.
    let later = [
        identity(2, "DATA_DELETION", 3_000, "cust_hash_0a1b2c3"),
        identity(1, "DATA_DELETION", 5_000, "cust_hash_0a1b2c3"),
    ];
    world.bronze.seed(&key("c"), lines(&later));
    world.settle(&[&key("c")]).await;
    assert_eq!((rows(), world.check().counts.planned), (2, 4));
    let (_, link) = links(&world).remove(0);
    let span = (link["first"].as_str().map(str::to_owned), link["last"].as_str().map(str::to_owned));
    assert_eq!(span, (Some("2026-03-02T14:00:01.000Z".to_owned()), Some("2026-03-02T14:00:05.000Z".to_owned())));
}

#[test]
fn an_outcome_that_nobody_knows_is_unknown_and_counted_and_its_word_is_masked() {
    let row = |n: u32, outcome: &str| {
        json!({"event_id": format!("e-{n}"), "timestamp": T0, "event_type": "CONTACT", "contact_id": format!("k-{n}"),
            "outcome_status": outcome})
        .to_string()
    };
    let read = read(&[row(1, "Abandoned"), row(2, "Cancelled"), row(3, "Jane hung up on us")]);
    let outcomes: Vec<Option<Value>> = read.events.iter().map(|event| field(event, "outcome")).collect();
    assert_eq!(outcomes, [Some(json!("ABANDONED")), Some(json!("ABANDONED")), Some(json!("UNKNOWN"))]);
    let sources: Vec<Option<Value>> = read.events.iter().map(|event| field(event, "outcome_source")).collect();
    assert_eq!(sources, [Some(json!("Abandoned")), Some(json!("Cancelled")), None]);
    assert_eq!((read.unknown_outcomes, &*read.events[2].masked), (1, &["outcome_unlisted", "source_event_type"][..]));
    assert!(!read.events[2].line.contains("Jane"));
}
