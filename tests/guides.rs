//! What the guides show, sent as they show it: each payload's row in silver, its entry, and the access answers that
//! have it. What each becomes stands in `events/guide-readings.json`, which `shared/event/tests/guides.rs` loads as well.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ledgerline_event::lineage::derived_token;
use ledgerline_store::subject;
use ledgerline_tests::access::ask;
use ledgerline_tests::org::{Org, assert_once_and_in_order};
use ledgerline_tests::stack::{Item, Stack, key_of, text};
use ledgerline_tests::{quarantine, silver};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The payload that names the customer of an interaction whose own payloads name nobody.
const IDENTITY: &str = "guide-003-identity-resolution.json";
/// The payload that makes no subject and no link.
const DELETION: &str = "guide-003-data-deletion.json";
/// What payloads hold and nothing outside of bronze may; beside it, each identifier's value.
const PERSONAL: [&str; 4] = ["Avery", "987-65-4320", "4111111111111111", "pt-0000-4411"];
/// What even bronze may not hold.
const PASSWORD: &str = "correct-horse-7";

fn load(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events").join(name);
    std::fs::read(path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn document(name: &str) -> Value {
    serde_json::from_slice(&load(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Texts and what takes their place.
type Replacements = BTreeMap<String, String>;

/// The value with every text replaced, wherever it stands in a string: in JSON that a string holds, too.
fn replaced(value: &Value, replacements: &Replacements) -> Value {
    match value {
        Value::String(text) => {
            json!(replacements.iter().fold(text.clone(), |text, (old, new)| text.replace(old.as_str(), new)))
        }
        Value::Array(items) => items.iter().map(|item| replaced(item, replacements)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, inner)| (name.clone(), replaced(inner, replacements))).collect()
        }
        other => other.clone(),
    }
}

/// An id like this one that nobody has.
fn fresh_id(like: &str) -> String {
    let prefix: String = like.chars().take_while(|c| !c.is_ascii_digit()).collect();
    format!("{prefix}{}", Uuid::new_v4())
}

fn fresh_hash() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// One of some thousand numbers that are nobody's. Two runs may draw the same: an answer may hold more than this run's.
fn fresh_phone() -> String {
    const AREAS: [u16; 20] =
        [206, 212, 213, 214, 215, 303, 305, 312, 317, 404, 415, 503, 512, 602, 617, 702, 713, 808, 907, 916];
    let random = Uuid::new_v4().as_u128();
    let area = AREAS[usize::try_from(random % 20).unwrap()];
    format!("+1{area}55501{:02}", random / 20 % 100)
}

/// The one customer of a run, in the names that upstream systems give.
struct Customer {
    id: String,
    phone_hash: String,
    account_hash: String,
}

impl Customer {
    fn new() -> Self {
        let id = format!("cust_hash_{}", Uuid::new_v4().simple());
        Self { id, phone_hash: fresh_hash(), account_hash: fresh_hash() }
    }

    /// The value that takes the place of one in a guide.
    fn identifier(&self, kind: &str) -> String {
        match kind {
            "customer_id_hash" => self.id.clone(),
            "phone_hash" => self.phone_hash.clone(),
            "account_hash" => self.account_hash.clone(),
            "email" => format!("{}@example.com", Uuid::new_v4().simple()),
            "phone" => fresh_phone(),
            other => panic!("no value of {other} is made up here"),
        }
    }
}

/// A file of the guides with ids of its own, and the readings of its events.
struct Payload {
    file: String,
    document: Value,
    readings: Vec<Map<String, Value>>,
}

impl Payload {
    /// A file about a record and a customer of a run's own.
    fn new(file: &str, customer: &Customer) -> Self {
        let readings = document("guide-readings.json");
        let rows: Vec<&Value> = readings.as_array().unwrap().iter().filter(|row| row["file"] == file).collect();
        let mut replacements = Replacements::new();
        for row in &rows {
            let record = row["record"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            replacements.entry(record).or_insert_with_key(|record| fresh_id(record));
            // The guides tell of one interaction, these payloads each of another: a token of several would be in no entry.
            if let Some(token) = row.get("token").and_then(Value::as_str) {
                replacements.entry(token.to_owned()).or_insert_with_key(|token| fresh_id(token));
            }
            for identifier in row.get("identifiers").and_then(Value::as_array).into_iter().flatten() {
                let (kind, value) = (identifier[0].as_str().unwrap(), identifier[1].as_str().unwrap());
                replacements.entry(value.to_owned()).or_insert_with(|| customer.identifier(kind));
            }
        }
        let mut payload =
            Self { file: file.to_owned(), document: replaced(&document(file), &replacements), readings: Vec::new() };
        payload.readings = rows.iter().map(|row| replaced(row, &replacements).as_object().unwrap().clone()).collect();
        payload
    }

    /// The same about another record.
    fn about(mut self, record: &str) -> Self {
        let replacements = Replacements::from([(self.record().to_owned(), record.to_owned())]);
        self.document = replaced(&self.document, &replacements);
        for reading in &mut self.readings {
            reading.insert("record".to_owned(), json!(record));
        }
        self
    }

    /// The interaction's id, or `type/id`.
    fn record(&self) -> &str {
        self.readings[0]["record"].as_str().unwrap()
    }

    /// The identifiers by which it links the record to somebody: kind and value.
    fn identifiers(&self) -> Vec<(&str, &str)> {
        let all = self.readings.iter().filter_map(|row| row.get("identifiers")).filter_map(Value::as_array).flatten();
        all.map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap())).collect()
    }

    fn bytes(&self, org: &Org<'_>) -> Vec<u8> {
        with_org(&self.document, org)
    }
}

fn with_org(document: &Value, org: &Org<'_>) -> Vec<u8> {
    let mut document = document.clone();
    document["orgId"] = json!(org.name);
    serde_json::to_vec(&document).unwrap()
}

/// Every file of the guides, each about a record of its own; and for each interaction whose file names nobody an event
/// that says who the customer is.
fn payloads(customer: &Customer, stranger: &Customer) -> Vec<Payload> {
    let readings = document("guide-readings.json");
    let files: BTreeSet<&str> = readings.as_array().unwrap().iter().map(|row| row["file"].as_str().unwrap()).collect();
    let mut all = Vec::new();
    for file in files {
        let payload = Payload::new(file, if file == DELETION { stranger } else { customer });
        if payload.identifiers().is_empty() && !payload.record().contains('/') {
            all.push(Payload::new(IDENTITY, customer).about(payload.record()));
        }
        all.push(payload);
    }
    all
}

#[test]
fn every_payload_of_the_guides_is_a_row_an_entry_and_part_of_an_access_answer() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "guides");
    let (customer, stranger) = (Customer::new(), Customer::new());
    let sent = payloads(&customer, &stranger);
    let events: usize = sent.iter().map(|payload| payload.readings.len()).sum();
    let not_events = not_events(&org);
    stack.send(&[sent.iter().map(|payload| payload.bytes(&org)).collect(), not_events.clone()].concat());
    let counts = org.committed(events as u64);
    assert!(counts.reconcile() && counts.committed == events as u64 && counts.duplicate == 0, "{counts:?}");
    assert_kept(&stack, &not_events);
    stack.drained();

    let entries = org.entries();
    assert_once_and_in_order(&entries);
    let rows = silver::rows(&org);
    assert_eq!((entries.len(), rows.len()), (events, events));
    for payload in &sent {
        for reading in &payload.readings {
            let entry =
                entry_of(reading, &entries).unwrap_or_else(|| panic!("no entry of {}: {reading:?}", payload.file));
            assert_entry(reading, entry, &payload.file);
            let row = rows.iter().find(|row| row["event_id"] == entry["eventId"]).unwrap();
            assert_row(reading, row, &payload.file);
            let names_somebody = !payload.identifiers().is_empty() && payload.file != DELETION;
            assert_eq!(row.contains_key("customer_ref"), names_somebody, "{}: customer_ref", payload.file);
        }
    }
    assert_nothing_personal(&org, &sent, &entries, &rows);
    assert_answers(&org, &sent, &entries, &customer);

    let known = sent.iter().find(|payload| payload.file == IDENTITY).unwrap().record();
    assert_deletions(&org, known, &customer, &sent, &stranger);
}

/// The entry that a reading speaks of: no two of a record have one type and time.
fn entry_of<'e>(reading: &Map<String, Value>, entries: &'e [Value]) -> Option<&'e Value> {
    let record = reading["record"].as_str().unwrap();
    let mut found = entries.iter().filter(|entry| {
        record_of(entry) == record && entry["type"] == reading["type"] && entry["occurredAt"] == reading["occurredAt"]
    });
    let entry = found.next();
    assert!(found.next().is_none(), "two entries of {record}");
    entry
}

fn record_of(entry: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    match entry.get("entity") {
        Some(entity) => format!("{}/{}", text(&entity["type"]), text(&entity["id"])),
        None => text(&entry["interactionId"]),
    }
}

/// A reading's member, or what one without it has.
fn member<'r>(reading: &'r Map<String, Value>, name: &str, otherwise: &'r Value) -> &'r Value {
    reading.get(name).unwrap_or(otherwise)
}

/// The token that source and record give, and where it is from.
fn lineage(reading: &Map<String, Value>) -> (Value, Value) {
    match reading.get("token") {
        Some(token) => (token.clone(), reading["lineageFrom"].clone()),
        None => (json!(derived_token(reading["record"].as_str().unwrap())), json!("derived")),
    }
}

fn assert_entry(reading: &Map<String, Value>, entry: &Value, file: &str) {
    let (none, nothing) = (json!({}), json!([]));
    assert_eq!(entry["activity"], reading["activity"], "{file}");
    assert_eq!(entry["fields"], *member(reading, "fields", &none), "{file}");
    // Everything else is sealed.
    assert_eq!(entry["masked"], *member(reading, "dropped", &nothing), "{file}");
    assert_eq!(entry["lineageToken"], lineage(reading).0, "{file}");
    assert_eq!(entry["schemaVersion"], *member(reading, "schemaVersion", &json!("unknown")), "{file}");
    assert!(entry.get("timeFrom").is_none() && entry.get("zoneAssumed").is_none(), "{file}: {entry}");
}

fn assert_row(reading: &Map<String, Value>, row: &silver::Row, file: &str) {
    let none = json!({});
    let record = reading["record"].as_str().unwrap();
    let (interaction, kind, id) = match record.split_once('/') {
        Some((kind, id)) => (None, Some(json!(kind)), Some(json!(id))),
        None => (Some(json!(record)), None, None),
    };
    for (column, expected) in [("interaction_id", interaction), ("entity_type", kind), ("entity_id", id)] {
        assert_eq!(row.get(column), expected.as_ref(), "{file}: {column}");
    }
    let (token, from) = lineage(reading);
    for (column, expected) in [
        ("source", &reading["source"]),
        ("event_type", &reading["type"]),
        ("activity", &reading["activity"]),
        ("lifecycle", member(reading, "lifecycle", &json!("complete"))),
        ("occurred_at", &reading["occurredAt"]),
        ("occurred_at_from", &json!("own")),
        ("schema_version", member(reading, "schemaVersion", &json!("unknown"))),
        ("lineage_token", &token),
        ("lineage_from", &from),
    ] {
        assert_eq!(row.get(column), Some(expected), "{file}: {column}");
    }
    assert_ne!(row.get("zone_assumed"), Some(&json!(true)), "{file}");
    assert!(!row.contains_key("lineage_ref") && !row.contains_key("extra"), "{file}: {row:?}");
    for (column, expected) in member(reading, "fields", &none).as_object().unwrap() {
        assert_eq!(row.get(column), Some(expected), "{file}: {column}");
    }
    let agent_ref = row.get("agent_ref").and_then(Value::as_str).is_some_and(|name| name.starts_with('p'));
    assert_eq!(agent_ref, member(reading, "silverOnly", &none).get("agent_ref").is_some(), "{file}: agent_ref");
    let masked = row.get("masked_fields").and_then(Value::as_str).map(|names| names.split(',').collect::<Vec<_>>());
    assert_eq!(json!(masked.unwrap_or_default()), *member(reading, "masked", &json!([])), "{file}");
}

/// No value of a person is in entries or rows, and no password is in bronze either.
fn assert_nothing_personal(org: &Org<'_>, sent: &[Payload], entries: &[Value], rows: &[silver::Row]) {
    let values = sent.iter().flat_map(Payload::identifiers).map(|(_, value)| value);
    let needles: BTreeSet<&str> = values.chain(PERSONAL).chain([PASSWORD]).collect();
    let stored = format!("{} {}", json!(entries), json!(rows));
    let found: Vec<&&str> = needles.iter().filter(|needle| stored.contains(**needle)).collect();
    assert!(found.is_empty(), "stored in clear: {found:?}");
    for object in org.objects() {
        let row = org.stack.object_row(&object).unwrap();
        let bronze = String::from_utf8(org.stack.text("BronzeBucket", &text(&row, "key"))).unwrap();
        assert!(!bronze.contains(PASSWORD), "a password is in bronze");
    }
}

/// Interactions: id → its entries' event ids.
type Interactions = BTreeMap<String, BTreeSet<String>>;

/// The interactions of an answer that are this organisation's.
fn found(org: &Org<'_>, body: &Value) -> Interactions {
    let answer = answer(org, body);
    assert_eq!(answer["complete"], true, "{answer}");
    let ours = answer["interactions"].as_array().unwrap().iter().filter(|one| one["org"] == org.name);
    ours.map(|one| {
        let events = one["entries"].as_array().unwrap().iter().map(|placed| text_of(&placed["entry"]["eventId"]));
        (text_of(&one["interactionId"]), events.collect())
    })
    .collect()
}

fn answer(org: &Org<'_>, body: &Value) -> Value {
    let (status, answer) = ask(org.stack, Some(&org.stack.description().api_key), body);
    assert_eq!(status, 200, "{answer}");
    answer
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Each identifier finds the interactions whose payloads name it, with all entries of each.
fn assert_answers(org: &Org<'_>, sent: &[Payload], entries: &[Value], customer: &Customer) {
    let mut expected: BTreeMap<(&str, &str), Interactions> = BTreeMap::new();
    for payload in sent.iter().filter(|payload| payload.file != DELETION) {
        let record = payload.record();
        let events = entries.iter().filter(|entry| record_of(entry) == record);
        let events: BTreeSet<String> = events.map(|entry| text_of(&entry["eventId"])).collect();
        for identifier in payload.identifiers() {
            expected.entry(identifier).or_default().insert(record.to_owned(), events.clone());
        }
    }
    assert!(expected.len() >= 7 && expected[&("customer_id_hash", &*customer.id)].len() >= 10, "too little was named");
    for ((kind, value), interactions) in &expected {
        let bodies = match *kind {
            "customer_id_hash" => vec![json!({ "customerIdHash": value })],
            // A digest names its customer by its kind, and as guide 003's request body has it.
            "phone_hash" | "account_hash" => {
                vec![json!({ "customerIdHash": value }), json!({ "identifiers": [{ "kind": kind, "value": value }] })]
            }
            _ => vec![json!({ "identifiers": [{ "kind": kind, "value": value }] })],
        };
        for body in bodies {
            assert_eq!(found(org, &body), *interactions, "by {kind}");
        }
    }
    // Guide 003's own request: its range, whose end means that whole second.
    let range = json!({ "start": "2023-01-01T00:00:00Z", "end": "2023-12-31T23:59:59Z" });
    let body = json!({ "customerIdHash": customer.id, "requestType": "ACCESS", "dateRange": range });
    assert_eq!(found(org, &body), expected[&("customer_id_hash", &*customer.id)]);
}

/// A deletion links nobody who is not known, and widens the link of who is.
fn assert_deletions(org: &Org<'_>, known: &str, customer: &Customer, sent: &[Payload], stranger: &Customer) {
    const DELETED_AT: &str = "2023-10-27T15:00:00.000Z";
    let unknown = answer(org, &json!({ "customerIdHash": stranger.id }));
    assert_eq!((&unknown["customer"]["found"], &unknown["interactions"]), (&json!(false), &json!([])), "{unknown}");
    let deletion = sent.iter().find(|payload| payload.file == DELETION).unwrap();
    assert_eq!(ends_of_links(org, deletion.record()), Vec::<String>::new());

    let before = ends_of_links(org, known);
    assert!(before.len() == 3 && before.iter().all(|last| last.as_str() < DELETED_AT), "{before:?}");
    let events: usize = sent.iter().map(|payload| payload.readings.len()).sum();
    org.stack.send(&[Payload::new(DELETION, customer).about(known).bytes(org)]);
    org.committed(events as u64 + 1);
    org.stack.drained();
    // Of the customer's three names the deletion has one.
    let widened = ends_of_links(org, known).into_iter().filter(|last| last == DELETED_AT).count();
    assert_eq!(widened, 1);
    let answer = answer(org, &json!({ "customerIdHash": customer.id }));
    let interactions = answer["interactions"].as_array().unwrap();
    let interaction = interactions.iter().find(|one| one["interactionId"] == known).unwrap();
    assert_eq!(interaction["last"], DELETED_AT);
    let entries = interaction["entries"].as_array().unwrap();
    assert_eq!(entries.iter().filter(|placed| placed["entry"]["type"] == "data.deletion").count(), 1);
}

/// Until when each link of an interaction reaches.
fn ends_of_links(org: &Org<'_>, interaction: &str) -> Vec<String> {
    let record = format!("{}/{interaction}", org.name);
    let rows = org.stack.items("KeysTable", &subject::partition(""));
    let is_link = |row: &Item| subject::parse_link_key(&key_of(row)).is_some_and(|(_, linked)| linked == record);
    rows.iter().filter(|row| is_link(row)).map(|row| text(row, "last")).collect()
}

/// The bodies in the guides that are no events, with an organisation that tells them from those of another run.
fn not_events(org: &Org<'_>) -> Vec<Vec<u8>> {
    let lines = String::from_utf8(load("guide-not-events.jsonl")).unwrap();
    lines.lines().map(|line| with_org(&serde_json::from_str(line).unwrap(), org)).collect()
}

/// Transform keeps each of them whole, and says why.
fn assert_kept(stack: &Stack, not_events: &[Vec<u8>]) {
    let reasons = stack.wait_for("what is no event to be kept", || {
        let kept = quarantine::kept(stack, "quarantine/transform/");
        let reason = |bytes: &Vec<u8>| kept.iter().find(|line| line.bytes == *bytes).map(|line| line.reason.clone());
        let reasons: Vec<Option<String>> = not_events.iter().map(reason).collect();
        if reasons.iter().all(Option::is_some) { Ok(reasons) } else { Err(format!("{reasons:?}")) }
    });
    assert!(reasons.iter().flatten().all(|reason| reason == "not_an_event"), "{reasons:?}");
}
