//! The description compiles, says what the guides ask for, and refuses what contradicts itself.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::instant;

fn description() -> Value {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("builtin.toml")).unwrap();
    toml::from_str(&text).unwrap()
}

#[test]
fn the_compiled_in_form_is_the_one_for_people() {
    let compiled = description().to_string();
    assert!(BUILT_IN == compiled, "run `cargo run -p ledgerline-event --example catalogue`");
    assert_eq!(Catalogue::read(&compiled).unwrap().version(), "builtin-6");
}

/// The description with one of its parts changed.
fn changed(pointer: &str, value: Value) -> Result<Catalogue, String> {
    let mut description = description();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    match description.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[member.parse::<usize>().unwrap()] = value,
        parent => parent[member] = value,
    }
    Catalogue::read(&description.to_string()).map_err(|error| error.to_string())
}

#[test]
fn a_description_that_contradicts_itself_says_where() {
    for (pointer, value, said) in [
        (
            "/shape/0/kind",
            json!("aws.serfice"),
            "the shape \"aws-service\" names the kind \"aws.serfice\", which there is not",
        ),
        ("/shape/1/layer", json!("eventBodies"), "names the layer \"eventBodies\", which there is not"),
        ("/field/0/rule", json!("uuidd"), "the field \"account_number_hash\""),
        ("/field/0/name", json!("actor"), "actor"),
        ("/field/0/store", json!("both"), "the field account_number_hash has no rule, and its store is both"),
        ("/field/0/store", json!("somewhere"), "unknown variant `somewhere`"),
        ("/field/0/party", json!("caller"), "unknown variant `caller`"),
        ("/field/0/name", json!("phone"), "\"phone\" is the name of something else in a sealed block"),
        ("/field/0/name", json!("lineage_token"), "\"lineage_token\" is the name of something else in a sealed block"),
        ("/field/0/name", json!("raw"), "\"raw\" is the name of something else in a sealed block"),
        ("/field/0/name", json!("/raw"), "\"/raw\" is the name of something else in a sealed block"),
        ("/field/0/from", json!(["accountNumber"]), "\"accountNumber\" is a member of two fields"),
        ("/kind/1/type", json!("customer.start"), "the kind \"customer.start\" stands twice"),
        ("/kind/0/words", json!(["Start"]), "\"Start\" of the kind \"customer.start\" is never found"),
        ("/kind/0/words", json!(["hold"]), "\"hold\" is a word of two kinds"),
        ("/outcome/0/words", json!(["busy"]), "two rows of the outcome \"busy\" hold at one time"),
        ("/outcome/0/from", json!("yesterday"), "which is not a time"),
        ("/outcome/0/until", json!("2026-02-30T00:00:00Z"), "which is not a time"),
        ("/outcome_map", json!("Version 1"), "outcome_map is \"Version 1\""),
        ("/field/0/custom", json!(true), "the field \"account_number_hash\" has no rule"),
        ("/identifier/0/kind", json!("hashes"), "has the kind \"hashes\", which there is not"),
        ("/names/interaction", json!(["conversationId", "conversation_id"]), "is a spelling of both"),
        ("/sessions/lasting_by", json!(["tookMs"]), "\"tookMs\" of [sessions] is a member of no field"),
        ("/entities/impersonal", json!(["Queue", "queue"]), "the entity \"queue\" stands twice"),
        ("/entities/impersonal", json!(["Contact"]), "\"Contact\" is impersonal, and its id names a customer"),
        ("/entities/impersonal", json!(["Zaborowska"]), "no event is about an entity of the type \"Zaborowska\""),
        ("/entities/agents", json!(["User", "Queue"]), "the entity \"Queue\" stands twice"),
        ("/entities/agents", json!(["Contact"]), "\"Contact\" is an agent, and its id names a customer"),
        ("/refs/phone", json!(["ani"]), "[refs] has \"phone\"; known are name and payment"),
        ("/refs/name", json!(["media"]), "[refs] has \"media\", which is not the name of a masked field"),
        ("/refs/payment", json!(["ssn"]), "[refs] has \"ssn\", which is not the name of a masked field"),
        ("/bag/0", json!({"key": "customFields", "tokens": true}), "unknown field `tokens`"),
    ] {
        let error = changed(pointer, value.clone()).err().unwrap_or_default();
        assert!(error.contains(said), "{pointer} {value}: {error}");
    }
    assert!(Catalogue::read("[]").is_err());
}

#[test]
fn the_ids_of_entities_are_persons_unless_their_type_is_listed() {
    // Every type that a shape of the description gives to a record by itself.
    let of_shapes = description()["shape"].as_array().unwrap().clone();
    let ways = of_shapes.iter().flat_map(|shape| shape["record"].as_array().cloned().unwrap_or_default());
    let types: BTreeSet<String> = ways.filter_map(|way| Some(way["entity"].as_str()?.to_owned())).collect();
    assert_eq!(types, BTreeSet::from(["Audit", "OperationalEvent", "Queue", "User"].map(str::to_owned)));
    for name in
        ["Audit", "OperationalEvent", "Queue", "aws-service", "WrapupCode", "wrapup_code", "Division", "Role", "Survey"]
    {
        assert!(built_in().is_impersonal(name), "{name}");
    }
    for name in [
        "User",
        "Users",
        "AuthUser",
        "Agent",
        "Contact",
        "ExternalContact",
        "Customer",
        "UserPresence",
        "Row",
        "DID",
        "Other",
        "",
        "Queues",
    ] {
        assert!(!built_in().is_impersonal(name), "{name}");
    }
    let listed = description()["entities"]["impersonal"].as_array().unwrap().clone();
    for name in listed.iter().map(|name| name.as_str().unwrap()) {
        assert!(built_in().is_impersonal(name), "{name}");
        let person = ["user", "agent", "person", "customer", "employee", "caller", "participant", "recipient"];
        assert!(!person.iter().any(|word| name.to_ascii_lowercase().contains(word)), "{name} may be somebody");
    }
    for name in ["User", "user", "auth_user", "Agent", "UserPresence"] {
        assert!(built_in().is_agents(name), "{name}");
    }
    for name in ["Contact", "Customer", "Queue", "Other", "Row", ""] {
        assert!(!built_in().is_agents(name), "{name}");
    }
    assert!(built_in().has_raw_id("User/u-1") && !built_in().has_raw_id("Queue/q-1") && !built_in().has_raw_id("c-1"));
}

#[test]
fn each_kind_has_a_rank_and_no_activity_stands_for_two_of_them() {
    let catalogue = built_in();
    let activities: BTreeSet<&str> = catalogue.kinds.iter().map(|kind| kind.activity).collect();
    assert_eq!(activities.len(), catalogue.kinds.len());
    for kind in &catalogue.kinds {
        assert_eq!(catalogue.rank_of(kind.event_type, Some(0)), kind.rank);
        // A start is never below ten, where the ends of sessions that lasted stand.
        assert!(kind.rank >= 10, "{}", kind.event_type);
    }
    assert_eq!(catalogue.rank_of("of.a.later.version", None), u8::MAX);
    let ends: Vec<u8> =
        ["flow.end", "acd.end", "user.end", "voicemail.end"].iter().map(|kind| catalogue.rank_of(kind, None)).collect();
    assert!(ends.is_sorted() && ends.iter().all(|rank| *rank < 10), "{ends:?}");
}

#[test]
fn words_are_read_whatever_their_case_separators_and_prefix() {
    let catalogue = built_in();
    for (word, event_type, media) in [
        ("Answered", "user.start", None),
        ("INTERACTION_STARTED", "customer.start", None),
        ("call.stateChange", "state", Some("VOICE")),
        ("message.stateChange", "state", Some("MESSAGE")),
        ("email.stateChange", "state", Some("EMAIL")),
        ("webchat.stateChange", "state", Some("WEBCHAT")),
        ("interaction.stateChange", "state", None),
        ("Call_Routed_To_Agent", "user.start", Some("VOICE")),
        ("IDENTITY_RESOLUTION", "identity.resolution", None),
        ("identity-merged", "identity.merged", None),
        ("Anonymised", "identity.anonymized", None),
        ("Complaint filed", "complaint", None),
        ("heartbeat", "heartbeat", None),
        ("DATA_DELETION", "data.deletion", None),
        // A message that was received is not the start of a conversation.
        ("message.received", "other", None),
        ("call", "other", None),
        ("", "other", None),
        ("Jane Doe", "other", None),
    ] {
        let (kind, told) = catalogue.kind_of_word(word);
        assert_eq!((catalogue.kind(kind).event_type, told), (event_type, media), "{word}");
    }
}

#[test]
fn outcomes_of_all_versions_mean_one_thing() {
    let catalogue = built_in();
    for word in ["Abandoned", "ABANDON", "Cancelled", "canceled", "caller hung up"] {
        assert_eq!(catalogue.outcome(word, 0), Some("ABANDONED"), "{word}");
    }
    assert_eq!(catalogue.outcome("Success", 0), Some("RESOLVED"));
    assert_eq!(catalogue.outcome("Blocked by Jane", 0), None);
}

#[test]
fn of_an_outcomes_rows_the_latest_that_has_begun_counts() {
    let mut description = description();
    let rows = description["outcome"].as_array_mut().unwrap();
    rows.push(json!({"is": "TRANSFERRED", "words": ["cancelled"], "from": "2025-01-01T00:00:00Z"}));
    rows.push(json!({"is": "DROPPED", "words": ["cancelled"], "from": "2026-01-01T00:00:00Z"}));
    let catalogue = Catalogue::read(&description.to_string()).unwrap();
    for (at, meaning) in [
        ("2024-12-31T23:59:59.999Z", "ABANDONED"),
        ("2025-01-01T00:00:00.000Z", "TRANSFERRED"),
        ("2025-12-31T23:59:59.999Z", "TRANSFERRED"),
        ("2026-01-01T00:00:00.000Z", "DROPPED"),
        ("2030-01-01T00:00:00.000Z", "DROPPED"),
    ] {
        assert_eq!(catalogue.outcome("Cancelled", instant::parse(at).unwrap()), Some(meaning), "{at}");
    }
}

#[test]
fn a_row_of_an_outcome_ends_where_it_says_and_two_never_hold_at_once() {
    let with = |rows: Value| {
        let mut description = description();
        description["outcome"].as_array_mut().unwrap().extend(rows.as_array().unwrap().clone());
        Catalogue::read(&description.to_string()).map_err(|error| error.to_string())
    };
    let row = |is: &str, from: Option<&str>, until: Option<&str>| {
        let mut row = json!({"is": is, "words": ["withdrawn"]});
        from.into_iter().for_each(|from| row["from"] = json!(from));
        until.into_iter().for_each(|until| row["until"] = json!(until));
        row
    };
    // In any order: the second begins before the first.
    let rows = [
        row("FAILED", Some("2026-01-01T00:00:00Z"), None),
        row("ABANDONED", Some("2024-01-01T00:00:00Z"), Some("2025-01-01T00:00:00Z")),
    ];
    let catalogue = with(json!(rows)).unwrap();
    for (at, meaning) in [
        ("2023-12-31T23:59:59.999Z", None),
        ("2024-01-01T00:00:00.000Z", Some("ABANDONED")),
        ("2024-12-31T23:59:59.999Z", Some("ABANDONED")),
        ("2025-01-01T00:00:00.000Z", None),
        ("2026-01-01T00:00:00.000Z", Some("FAILED")),
    ] {
        assert_eq!(catalogue.outcome("Withdrawn", instant::parse(at).unwrap()), meaning, "{at}");
    }
    for rows in [
        // One second too long; two spellings of one time; an end without a time before it.
        [row("FAILED", Some("2026-01-01T00:00:00Z"), None), row("BUSY", None, Some("2026-01-01T00:00:01Z"))],
        [row("FAILED", Some("2026-01-01T00:00:00Z"), None), row("BUSY", Some("2026-01-01T01:00:00+01:00"), None)],
        [
            row("FAILED", Some("2026-01-01T00:00:00Z"), Some("2026-01-01T00:00:00Z")),
            row("BUSY", None, Some("2025-01-01T00:00:00Z")),
        ],
    ] {
        let error = with(json!(rows)).err().unwrap_or_default();
        assert!(error.contains("two rows of the outcome \"withdrawn\" hold at one time"), "{rows:?}: {error}");
    }
}

#[test]
fn the_entities_whose_ids_are_a_customers_are_listed_as_they_are_spelled() {
    let personal: Vec<&str> = built_in().personal_entities().collect();
    assert_eq!(personal, ["Contact", "Customer", "ExternalContact"]);
    assert!(personal.iter().all(|kind| built_in().kinds_of_entity(kind).next().is_some()));
}
