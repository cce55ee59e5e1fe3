//! What the built-in policy stores, masks and filters.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn key() -> PseudonymKey {
    PseudonymKey::new(3, [9; 32])
}

fn mask_one(name: &'static str, value: Value) -> Masked {
    Policy::built_in().mask(&key(), [(name, &value)])
}

fn value_of(name: &str, result: &Masked) -> Option<Value> {
    result.clear.iter().find(|(known, _)| *known == name).map(|(_, clear)| clear.to_json())
}

fn clear_json(name: &'static str, value: Value) -> Option<Value> {
    let result = mask_one(name, value);
    assert_eq!(result.clear.len() + result.masked.len(), 1, "either clear or masked");
    value_of(name, &result)
}

#[test]
fn clear_values_are_sorted_and_of_two_under_one_name_the_later_stays() {
    let (voice, chat, inbound, no) = (json!("VOICE"), json!("CHAT"), json!("INBOUND"), json!("free text"));
    let fields = [("media", &voice), ("direction", &inbound), ("media", &chat), ("media", &no)];
    let masked = Policy::built_in().mask(&key(), fields);
    assert_eq!(masked.clear, [("direction", Clear::text("INBOUND")), ("media", Clear::text("CHAT"))]);
    assert_eq!(masked.masked, ["media"]);
}

#[test]
fn rules_and_words_are_sorted_so_that_every_rule_is_found() {
    for pair in RULES.windows(2) {
        assert!(pair[0].0 < pair[1].0, "{} {}", pair[0].0, pair[1].0);
    }
    for (name, rule) in RULES {
        if let Rule::Word(list) | Rule::UuidOr(list) = rule {
            assert!(list.iter().all(|word| !word.is_empty() && !word.contains('@')), "{name}");
        }
    }
}

#[test]
fn clear_values_are_normalised() {
    for (name, value, stored) in [
        ("media", json!("voice"), json!("VOICE")),
        ("flow_type", json!("inqueuecall"), json!("INQUEUECALL")),
        ("provider", json!("Edge"), json!("Edge")),
        ("entity_type", json!("oauthclient"), json!("OAuthClient")),
        ("queue_id", json!("5169B6FA-0543-5428-8d60-2e3d7a1d2909"), json!("5169b6fa-0543-5428-8d60-2e3d7a1d2909")),
        ("wrapup_code", json!("inin-wrap-up-timeout"), json!("ININ-WRAP-UP-TIMEOUT")),
        ("held_duration_ms", json!(30000), json!(30000)),
        ("held_duration_ms", json!(30000.0), json!(30000)),
        ("routing_priority", json!(0), json!(0)),
        ("skill_expression_applied", json!(false), json!(false)),
        ("consent_given", json!("TRUE"), json!(true)),
        ("flow_version", json!("7.0"), json!("7.0")),
        ("started_at", json!(1_772_460_000_350_i64), json!("2026-03-02T14:00:00.350Z")),
        ("started_at", json!("2026-03-02T15:00:00.350999+01:00"), json!("2026-03-02T14:00:00.350Z")),
        ("requested_routings", json!(["Standard", "LAST"]), json!(["STANDARD", "LAST"])),
    ] {
        assert_eq!(clear_json(name, value.clone()), Some(stored), "{name} {value}");
    }
}

#[test]
fn what_does_not_look_as_its_name_promises_is_masked() {
    for (name, value) in [
        ("media", json!("+15555550142")),
        ("media", json!("VOICE ")),
        ("media", json!("jane.doe@example.com")),
        ("media", json!(["VOICE"])),
        ("queue_id", json!("test-queue-id")),
        ("queue_id", json!("+15555550142")),
        ("queue_id", json!(5)),
        ("wrapup_code", json!("Jane asked for a refund")),
        ("held_duration_ms", json!(-1)),
        ("held_duration_ms", json!(0.5)),
        ("held_duration_ms", json!(MAX_DURATION_MS + 1)),
        ("held_duration_ms", json!("+15555550142")),
        ("held_duration_ms", json!("15555550142")),
        ("held_duration_ms", json!(u64::MAX)),
        ("routing_priority", json!(5_555_550)),
        ("skill_expression_applied", json!("yes")),
        ("flow_version", json!("5555550142")),
        ("flow_version", json!("555.555.0142")),
        ("flow_version", json!("7.")),
        ("started_at", json!(15_555_550_142_i64)),
        ("started_at", json!("yesterday")),
        ("agent_ref", json!("")),
        ("agent_ref", json!({"id": "x"})),
        ("requested_routing_skill_ids", json!(["5169b6fa-0543-5428-8d60-2e3d7a1d2909", "Jane"])),
        ("requested_routings", json!(vec!["LAST"; MAX_LIST + 1])),
    ] {
        let result = mask_one(name, value.clone());
        assert_eq!((result.clear.len(), result.masked), (0, vec![name]), "{name} {value}");
    }
}

#[test]
fn a_name_without_a_rule_is_masked_whatever_its_value() {
    for value in [json!(1), json!("VOICE"), json!(true), json!({}), json!([])] {
        assert_eq!(mask_one("ani", value.clone()).masked, vec!["ani"]);
        assert_eq!(mask_one("wrapup_notes", value).masked, vec!["wrapup_notes"]);
    }
}

#[test]
fn null_is_neither_clear_nor_masked() {
    assert_eq!(mask_one("ani", Value::Null), Masked::default());
    assert_eq!(mask_one("media", Value::Null), Masked::default());
}

#[test]
fn masked_names_are_sorted_and_stand_once() {
    let value = json!("x");
    let fields = [("dnis", &value), ("ani", &value), ("dnis", &value), ("address_from", &value)];
    assert_eq!(Policy::built_in().mask(&key(), fields).masked, vec!["address_from", "ani", "dnis"]);
}

#[test]
fn agents_are_stored_as_pseudonyms_whatever_their_spelling() {
    let upper = clear_json("agent_ref", json!("9BBAA26B-2E33-5109-94F8-F0E345FE703D"));
    let lower = clear_json("agent_ref", json!("9bbaa26b-2e33-5109-94f8-f0e345fe703d"));
    assert_eq!(upper, lower);
    assert!(lower.is_some_and(|text| text.as_str().is_some_and(|text| text.starts_with("p3_"))));
}

#[test]
fn keys_that_may_be_personal_become_a_star() {
    for plain in ["organizationId", "x-y-z_1", "a1234", &"k".repeat(64)] {
        assert_eq!(plain_key(plain), plain);
    }
    for other in [
        "",
        "1a",
        "+15555550142",
        "jane doe",
        "jane@example.com",
        "é",
        "tel15555550142",
        &"k".repeat(65),
        "Jane.Doe",
        "JaneDoe",
        "Jane_Doe",
        "jane.doe",
        "Quinn",
        "DOE-jane",
    ] {
        assert_eq!(plain_key(other), "*", "{other}");
    }
}

#[test]
fn only_what_aws_says_about_itself_is_filtered() {
    for source in ["aws-service", "aws.s3", "aws.health", "aws.partnership"] {
        assert!(filters(source, "Object Created"), "{source}");
    }
    for source in ["aws.partner/genesys.com/cloud/org/suffix", "genesys-eventbridge", "awsome", "", "my.aws.s3"] {
        assert!(!filters(source, "v2.detail.events.conversation.{id}.acw"), "{source}");
    }
}

#[test]
fn policy_hash_is_pinned_to_the_version() {
    // Whoever changes a rule or a vocabulary changes VERSION and this line in the same commit.
    assert_eq!(
        (VERSION, Policy::built_in().hash().as_str()),
        ("builtin-1", "e55d731aaae832155a74baa36f34fc14487979224a80836695ac366f3a5fdf07")
    );
}

proptest! {
    #[test]
    fn no_rule_lets_a_phone_an_email_or_a_sentence_through(
        rule in 0..RULES.len(),
        value in prop_oneof![
            "\\+?[1-9][0-9]{6,14}",
            "(tel|sip):\\+?[1-9][0-9]{6,14}",
            "[a-z]{1,8}\\.[a-z]{1,8}@[a-z]{1,8}\\.com",
            "[A-Z][a-z]{2,8} [A-Z][a-z]{2,8}",
        ],
    ) {
        let (name, rule) = RULES[rule];
        let result = mask_one(name, json!(value.clone()));
        match value_of(name, &result) {
            None => {}
            // A pseudonym replaces the value.
            Some(Value::String(text)) => prop_assert!(matches!(rule, Rule::Pseudonym(_)) && !text.contains(&value)),
            Some(other) => prop_assert!(false, "{name} {other}"),
        }
    }
}
