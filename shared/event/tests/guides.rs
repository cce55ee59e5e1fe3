//! Every payload that the guides show: what each becomes in canonical terms, in every spelling of its names.
//!
//! `events/guide-readings.json` says what each becomes; the end-to-end test holds silver, the ledger and access answers
//! against the same rows. A row leaves out what [`defaults`] has.

use std::path::Path;

use ledgerline_event::document::{Fragment, Rejection, parse, split};
use ledgerline_event::lineage::{Provenance, derived_token};
use ledgerline_event::source_event::{LineageFrom, Links};
use ledgerline_event::{Context, SourceEvent, adapt, batch, catalogue, instant, sensitive};
use ledgerline_privacy::PseudonymKey;
use serde_json::{Map, Value, json};

const CONTEXT: Context<'_> = Context { default_org: "acme", numeric_id_sources: &[] };

/// The files; `guide-readings.json` has one row for each event in them.
const FILES: [&str; 17] = [
    "guide-000-interaction-summary.json",
    "guide-000-middleware.json",
    "guide-000-middleware-twice.json",
    "guide-000-stored.json",
    "guide-001-interaction-log.json",
    "guide-001-target.json",
    "guide-001-bulk-ingest.json",
    "guide-002-state-change.json",
    "guide-002-audit-record.json",
    "guide-002-stored-audit.json",
    "guide-003-flow-variables.json",
    "guide-003-flow-variables-flat.json",
    "guide-003-unresolved.json",
    "guide-003-global-customer.json",
    "guide-003-identity-resolution.json",
    "guide-003-data-deletion.json",
    "guide-004-contact.json",
];

fn load(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events").join(name);
    std::fs::read(path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn document(name: &str) -> Value {
    serde_json::from_slice(&load(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The rows of `guide-readings.json`, each whole.
fn readings() -> Vec<Value> {
    let rows = document("guide-readings.json");
    rows.as_array().unwrap().iter().map(|row| whole(row.as_object().unwrap())).collect()
}

fn whole(row: &Map<String, Value>) -> Value {
    let mut whole = defaults();
    // What entries hold sealed, and what they do not: transform's tests say it.
    for (name, value) in row.iter().filter(|(name, _)| !["dropped", "sealed"].contains(&name.as_str())) {
        assert!(whole.insert(name.clone(), value.clone()).is_some(), "{name} is no member of a reading");
    }
    let derived = whole["token"].is_null();
    if derived {
        whole["token"] = json!(derived_token(whole["record"].as_str().unwrap()));
    }
    let silver_only = whole["silverOnly"].as_object().unwrap();
    whole["silverOnly"] = silver_only.iter().map(|(name, raw)| (name.clone(), pseudonym(name, raw))).collect();
    Value::Object(whole)
}

/// What most readings have. A token of null is the one that is derived from the record.
fn defaults() -> Map<String, Value> {
    let defaults = json!({
        "file": null, "element": 0, "source": null, "type": null, "activity": null, "lifecycle": "complete",
        "record": null, "occurredAt": null, "timeFromEnvelope": false, "zoneAssumed": false, "token": null,
        "lineageFrom": "derived", "provenance": null, "schemaVersion": "unknown", "nativeId": null, "links": "create",
        "identifiers": [], "fields": {}, "silverOnly": {}, "masked": [], "extra": [],
    });
    defaults.as_object().unwrap().clone()
}

fn key() -> PseudonymKey {
    PseudonymKey::new(1, [7; 32])
}

/// What silver stores of a field whose clear value is a pseudonym.
fn pseudonym(name: &str, raw: &Value) -> Value {
    let policy = catalogue::built_in().policy();
    let name = policy.stored_names().find(|stored| *stored == name).unwrap_or_else(|| panic!("{name} is not stored"));
    policy.mask(&key(), [(name, &ledgerline_json::parse(raw.to_string().as_bytes()).unwrap())]).clear[0].1.to_json()
}

/// What one document becomes, in the members of a reading.
fn read(bytes: &[u8]) -> Result<Value, Rejection> {
    let Some(Fragment::Document(bytes, head)) = split(bytes).next() else { panic!("no document") };
    // As ingest stores it.
    let stored = if head.is_sensitive() { sensitive::cut(bytes).0 } else { bytes.to_vec() };
    let value = parse(&stored)?;
    let event = adapt(&value, &CONTEXT)?;
    // What one pass says of a document is what the adapter says, where it says anything.
    assert!(head.family().is_none_or(|family| family == event.record.family()));
    assert!(head.occurred_at_ms().is_none_or(|at_ms| at_ms == event.occurred_at_ms));
    assert_eq!(event.org, "acme");
    Ok(described(&event))
}

fn described(event: &SourceEvent<'_>) -> Value {
    let policy = catalogue::built_in().policy();
    let masked = policy.mask(&key(), event.fields.iter().map(|field| (field.name, &*field.value)));
    let (mut fields, mut silver_only) = (Map::new(), Map::new());
    for (name, clear) in &masked.clear {
        let map = if policy.is_silver_only(name) { &mut silver_only } else { &mut fields };
        map.insert((*name).to_owned(), clear.to_json());
    }
    let identifiers = event.identifiers.iter().map(|(kind, raw)| (kind.label(), raw.expose_for_pseudonym()));
    let mut identifiers: Vec<(&str, &str)> = identifiers.collect();
    identifiers.sort_unstable();
    json!({
        "source": event.source,
        "type": event.event_type,
        "activity": event.activity,
        "lifecycle": event.lifecycle.as_str(),
        "record": event.record.id(),
        "occurredAt": instant::to_rfc3339(event.occurred_at_ms),
        "timeFromEnvelope": event.time_from_envelope,
        "zoneAssumed": event.zone_assumed,
        "token": event.lineage_token,
        "lineageFrom": match event.lineage_from {
            LineageFrom::Source => "source",
            LineageFrom::Derived => "derived",
            LineageFrom::Refused => "refused",
        },
        "provenance": event.provenance.as_ref().map(provenance),
        "schemaVersion": event.schema_version,
        "nativeId": event.native_id,
        "links": match event.links {
            Links::Create => "create",
            Links::WidenOnly => "widen_only",
        },
        "identifiers": identifiers,
        "fields": fields,
        "silverOnly": silver_only,
        "masked": masked.masked,
        "extra": event.extra.iter().map(|one| one.name).collect::<Vec<&str>>(),
    })
}

fn provenance(sent: &Provenance) -> Value {
    json!({
        "version": sent.version,
        "processedAt": sent.processed_at_ms.map(instant::to_rfc3339),
        "processorId": sent.processor_id,
        "status": sent.status,
    })
}

/// A file's documents as bronze holds them: one, or one for each element of a batch.
fn stored(file: &Value) -> Vec<Value> {
    let bytes = serde_json::to_vec(file).unwrap();
    let Some(Fragment::Document(document, head)) = split(&bytes).next() else { panic!("no document") };
    match head.is_batch().then(|| batch::split(document)).flatten() {
        Some(batch) => batch.documents().map(|line| serde_json::from_slice(&line).unwrap()).collect(),
        None => vec![file.clone()],
    }
}

/// The readings of a file, written with its names as `spell` makes them; of what is refused, the reason.
fn read_file(file: &Value, spell: Spelling) -> Vec<Value> {
    let lines = stored(&respelt(file, spell));
    let read = |line: &Value| read(&serde_json::to_vec_pretty(line).unwrap());
    lines.iter().map(|line| read(line).unwrap_or_else(|reason| json!({ "refused": reason.code() }))).collect()
}

/// The one reading of a document.
fn read_one(document: &Value) -> Value {
    read(&serde_json::to_vec(document).unwrap()).unwrap_or_else(|reason| panic!("{reason}: {document}"))
}

/// Every member of `found` that differs from `expected`'s.
fn differences(expected: &Value, found: &Value) -> Vec<String> {
    let members = found.as_object().unwrap().iter().filter(|(name, value)| expected[name.as_str()] != **value);
    members.map(|(name, value)| format!("{name}: {value}, expected {}", expected[name.as_str()])).collect()
}

#[test]
fn every_payload_of_the_guides_becomes_what_its_reading_says() {
    let readings = readings();
    let mut wrong = Vec::new();
    for file in FILES {
        let expected: Vec<&Value> = readings.iter().filter(|row| row["file"] == file).collect();
        let found = read_file(&document(file), AS_SENT);
        assert!(!expected.is_empty() && expected.len() == found.len(), "{file}: {} readings", found.len());
        for (expected, found) in expected.into_iter().zip(found) {
            let place = format!("{file} {}", expected["element"]);
            wrong.extend(differences(expected, &found).into_iter().map(|told| format!("{place}: {told}")));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(readings.iter().all(|row| FILES.iter().any(|file| row["file"] == *file)), "a reading of no file");
}

#[test]
fn the_spelling_of_its_names_changes_nothing_about_a_payload() {
    let mut wrong = Vec::new();
    for file in FILES {
        let (name, file) = (file, document(file));
        let expected = read_file(&file, AS_SENT);
        for (spelling, spell) in SPELLINGS {
            for (expected, found) in expected.iter().zip(read_file(&file, spell)) {
                let told = differences(expected, &found).into_iter();
                wrong.extend(told.map(|told| format!("{name} in {spelling}: {told}")));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn what_is_no_event_is_refused_as_such() {
    let lines = String::from_utf8(load("guide-not-events.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 7);
    for line in lines.lines() {
        assert_eq!(read(line.as_bytes()), Err(Rejection::NotAnEvent), "{line}");
    }
}

#[test]
fn an_event_without_an_agent_stays_an_event() {
    let log = document("guide-001-interaction-log.json");
    let mut expected = read_one(&log);
    assert!(expected["silverOnly"]["agent_ref"].is_string());
    expected["silverOnly"] = json!({});
    for nobody in [json!(null), json!([]), json!([null]), json!([{}]), json!([{ "id": null }])] {
        let mut log = log.clone();
        log["agents"] = nobody;
        let mut found = read_one(&log);
        // Whether a member that names nobody counts as masked is no matter here.
        found["masked"] = expected["masked"].clone();
        assert_eq!(differences(&expected, &found), Vec::<String>::new(), "{log}");
    }
    let mut log = log;
    log.as_object_mut().unwrap().remove("agents");
    assert_eq!(differences(&expected, &read_one(&log)), Vec::<String>::new());
}

#[test]
fn no_payload_turns_masking_off() {
    let contact = document("guide-004-contact.json");
    let expected = read_one(&contact);
    for flag in [json!(false), json!("false"), json!(0)] {
        let mut contact = contact.clone();
        contact["masking_enabled"] = flag;
        assert_eq!(differences(&expected, &read_one(&contact)), Vec::<String>::new(), "{contact}");
    }
}

#[test]
fn a_password_and_a_card_code_are_cut_before_anything_is_stored() {
    const CODE: &str = "90817";
    for file in ["guide-002-state-change.json", "guide-002-audit-record.json"] {
        let mut file = document(file);
        let payload = if file["data"].is_object() { &mut file["data"]["payload"] } else { &mut file["payload"] };
        payload["cvv"] = json!(CODE);
        payload["form"] = json!(json!({ "cvv": CODE }).to_string());
        let password = payload["password"].as_str().unwrap().to_owned();
        for (spelling, spell) in SPELLINGS {
            let bytes = serde_json::to_vec(&respelt(&file, spell)).unwrap();
            let Some(Fragment::Document(bytes, head)) = split(&bytes).next() else { panic!("no document") };
            assert!(head.is_sensitive(), "ingest would cut nothing in {spelling}");
            let (stored, cuts) = sensitive::cut(bytes);
            let text = String::from_utf8(stored).unwrap();
            assert!(!text.contains(CODE) && !text.contains(&password), "{spelling}: {text}");
            assert_eq!(cuts.len(), 3, "{spelling}");
        }
    }
}

#[test]
fn a_known_word_is_its_activity_and_any_other_a_state() {
    let log = document("guide-001-interaction-log.json");
    for (word, kind, shown) in [
        ("Call_Routed_To_Agent", "user.start", true),
        ("CallRoutedToAgent", "user.start", true),
        ("Call Transferred", "transfer", true),
        ("Wrap Up", "wrapup", true),
        ("Queue_Agent_Transfer_Completed", "state", true),
        ("Avery_Quinn_Called", "state", false),
    ] {
        let mut log = log.clone();
        log["stateName"] = json!(word);
        let found = read_one(&log);
        assert_eq!(found["type"], kind, "{word}");
        assert_eq!(found["fields"].get("state_name").is_some(), shown, "{word}");
        assert_ne!(found["masked"].as_array().unwrap().contains(&json!("state_name")), shown, "{word}");
    }
}

#[test]
fn what_changed_its_state_says_by_which_medium() {
    let change = document("guide-002-state-change.json");
    for (event_type, media) in [
        ("call.stateChange", json!("VOICE")),
        ("message.stateChange", json!("MESSAGE")),
        ("email.stateChange", json!("EMAIL")),
        ("interaction.stateChange", Value::Null),
    ] {
        let mut change = change.clone();
        change["eventType"] = json!(event_type);
        let found = read_one(&change);
        assert_eq!((&found["type"], &found["fields"]["media"]), (&json!("transfer"), &media), "{event_type}");
        change["payload"]["state"] = json!("Avery's turn");
        assert_eq!(read_one(&change)["type"], "state", "{event_type}");
    }
}

#[test]
fn an_audit_record_is_read_alike_whether_its_event_was_flat() {
    let record = document("guide-002-audit-record.json");
    let expected = read_one(&record);
    let mut flat = record.clone();
    let payload = flat["data"].as_object_mut().unwrap().remove("payload").unwrap();
    flat["data"].as_object_mut().unwrap().extend(payload.as_object().unwrap().clone());
    assert_eq!(differences(&expected, &read_one(&flat)), Vec::<String>::new());

    // An id of its own names the event; one that only repeats the interaction's does not.
    let mut own = record;
    own["audit_id"] = json!("evt_98765");
    let found = read_one(&own);
    assert_eq!((&found["nativeId"], &found["record"]), (&json!("evt_98765"), &expected["record"]));
    own["data"].as_object_mut().unwrap().remove("interactionId");
    own["audit_id"] = expected["record"].clone();
    assert_eq!(read_one(&own)["record"], expected["record"]);
}

#[test]
fn a_global_customer_id_names_the_customer_in_any_shape() {
    for file in FILES {
        let mut sent = stored(&document(file)).remove(0);
        let record = read_one(&sent)["record"].clone();
        let own = ["/auditEvent", "/audit", "/records/0"].into_iter().find(|inner| sent.pointer(inner).is_some());
        sent.pointer_mut(own.unwrap_or_default()).unwrap()["global_customer_id"] = json!("global-customer-4711");
        let found = read_one(&sent);
        let named = json!(["customer_id_hash", "global-customer-4711"]);
        assert!(found["identifiers"].as_array().unwrap().contains(&named), "{file}: {}", found["identifiers"]);
        assert_eq!(found["record"], record, "{file}");
    }
}

/// What guide 000's middleware makes of an event, as often as it runs.
fn processed(event: &Value, times: usize) -> Value {
    let mut event = event.clone();
    for _ in 0..times {
        let metadata = json!({ "version": "1.0", "processedAt": "2023-10-27T14:05:05.000Z", "status": "SUCCESS" });
        let token = json!({ "id": event["customFields"]["lineageToken"], "metadata": metadata });
        event["customFields"]["lineageToken"] = json!(token.to_string());
    }
    event
}

#[test]
fn a_token_outlives_four_runs_of_the_middleware_and_a_name_or_number_is_none() {
    let mut event = document("guide-000-middleware.json");
    event["customFields"]["lineageToken"] = json!("lt-98765");
    for times in 0..=4 {
        let found = read_one(&processed(&event, times));
        assert_eq!((&found["token"], &found["lineageFrom"]), (&json!("lt-98765"), &json!("source")), "{times} runs");
    }
    let derived = derived_token(event["id"].as_str().unwrap());
    for refused in ["lt-15555550142", "lt-jane-doe"] {
        event["customFields"]["lineageToken"] = json!(refused);
        for times in 0..=2 {
            let found = read_one(&processed(&event, times));
            assert_eq!((&found["token"], &found["lineageFrom"]), (&json!(derived), &json!("refused")), "{times} runs");
        }
    }
}

/// How the words of a name are written.
type Spelling = Option<fn(&[String]) -> String>;

/// The names as the file has them.
const AS_SENT: Spelling = None;

/// The spellings in which sources send the names of a guide.
const SPELLINGS: [(&str, Spelling); 4] = [
    ("snake_case", Some(|words| words.join("_"))),
    ("kebab-case", Some(|words| words.join("-"))),
    ("PascalCase", Some(|words| words.iter().map(|word| capitalised(word)).collect())),
    (
        "camelCase",
        Some(|words| words[0].clone() + &words[1..].iter().map(|word| capitalised(word)).collect::<String>()),
    ),
];

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_ascii_uppercase() + rest
}

/// The document with every name in another spelling: of a dotted name each part. `detail-type` is EventBridge's own, and
/// the inside of a string is nobody's names.
fn respelt(value: &Value, spelling: Spelling) -> Value {
    let Some(spell) = spelling else { return value.clone() };
    match value {
        Value::Object(members) => {
            let respell = |name: &str| name.split('.').map(|part| spell(&words(part))).collect::<Vec<_>>().join(".");
            let name = |name: &str| if name == "detail-type" { name.to_owned() } else { respell(name) };
            members.iter().map(|(key, inner)| (name(key), respelt(inner, spelling))).collect()
        }
        Value::Array(items) => items.iter().map(|item| respelt(item, spelling)).collect(),
        other => other.clone(),
    }
}

/// The words of a name, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for c in name.chars() {
        let begins = (c.is_ascii_uppercase() && !before.is_ascii_uppercase()) || before == '_' || before == '-';
        if begins && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if c != '_' && c != '-' {
            words.last_mut().unwrap().push(c.to_ascii_lowercase());
        }
        before = c;
    }
    words
}

#[test]
fn names_are_spelled_as_sources_spell_them() {
    for (name, expected) in [
        ("interactionId", ["interaction_id", "interaction-id", "InteractionId", "interactionId"]),
        (
            "audit.piiCollected",
            ["audit.pii_collected", "audit.pii-collected", "Audit.PiiCollected", "audit.piiCollected"],
        ),
        ("event_id", ["event_id", "event-id", "EventId", "eventId"]),
        ("detail-type", ["detail-type"; 4]),
        ("ssn", ["ssn", "ssn", "Ssn", "ssn"]),
    ] {
        let found = SPELLINGS.map(|(_, spell)| respelt(&json!({ name: 1 }), spell));
        assert_eq!(found, expected.map(|name| json!({ name: 1 })), "{name}");
    }
}
