//! What the built-in policy stores, masks and keeps out of entries: the content of the description's list. How a policy
//! works, whatever its list says, is tested where it is written.

use std::collections::BTreeMap;

use ledgerline_event::catalogue;
use ledgerline_json::Json;
use ledgerline_privacy::policy::Masked;
use ledgerline_privacy::{Policy, PseudonymKey, Seal, Side};
use proptest::prelude::*;
use serde_json::{Value, json};

fn policy() -> &'static Policy {
    catalogue::built_in().policy()
}

fn key() -> PseudonymKey {
    PseudonymKey::new(3, [9; 32])
}

/// The same value as the masking takes it. It stays for as long as the test's process: it is handed back.
fn tree(value: &Value) -> &'static Json<'static> {
    Box::leak(Box::new(ledgerline_json::parse(value.to_string().as_bytes()).unwrap().into_owned()))
}

fn mask_one(name: &'static str, value: Value) -> Masked<'static> {
    policy().mask(&key(), [(name, tree(&value))])
}

fn clear_json(name: &'static str, value: Value) -> Option<Value> {
    let result = mask_one(name, value);
    assert_eq!(result.clear.len() + result.masked.len(), 1, "either clear or masked");
    result.clear.first().map(|(_, clear)| clear.to_json())
}

#[test]
fn policy_hash_is_pinned_to_the_version() {
    // A change of a rule, a vocabulary or the word list changes the version and this line in the same commit.
    assert_eq!((policy().version(), policy().hash().as_str()), PINNED);
}

const PINNED: (&str, &str) = ("builtin-6", "c57d0db116b098520f29bd8e54a8858bea5d44196e462d18df0cd792103f0a66");

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
fn what_the_guides_send_is_stored_as_they_spell_it() {
    for (name, value) in [
        ("queue_id", json!("q-sales-support")),
        ("queue_name", json!("Billing (voice)")),
        ("state_name", json!("Call_Routed_To_Agent")),
        ("process_name", json!("Customer_Support_Inbound")),
        ("resolution_source", json!("CRM_API_LOOKUP")),
        ("resolution_method", json!("IVR-CallerID")),
        ("resolution_method", json!("Digital-Email")),
        ("deletion_reason", json!("RTBF_REQUEST")),
        ("status", json!("SUCCESS")),
        ("contact_center_id", json!("00000000-0000-0000-0000-000000000000")),
        ("consent_gdpr", json!(true)),
        ("request_pending", json!(false)),
        ("pii_collected", json!(true)),
    ] {
        assert_eq!(clear_json(name, value.clone()), Some(value), "{name}");
    }
}

#[test]
fn what_does_not_look_as_its_name_promises_is_masked() {
    for (name, value) in [
        ("media", json!("+15555550142")),
        ("media", json!("VOICE ")),
        ("media", json!("jane.doe@example.com")),
        ("media", json!(["VOICE"])),
        ("queue_id", json!("queue-9821")),
        ("queue_id", json!("q-jane-doe")),
        ("queue_id", json!("+15555550142")),
        ("queue_id", json!(5)),
        ("queue_name", json!("Jane's queue")),
        ("state_name", json!("With Jane Doe")),
        ("system_action", json!("call me at the office")),
        ("process_name", json!("batch_20231027_001")),
        ("status", json!("SUCCESS ")),
        ("wrapup_code", json!("Jane asked for a refund")),
        ("held_duration_ms", json!(-1)),
        ("held_duration_ms", json!(0.5)),
        ("held_duration_ms", json!(1_000_000_000)),
        ("held_duration_ms", json!("+15555550142")),
        ("held_duration_ms", json!("15555550142")),
        ("held_duration_ms", json!(u64::MAX)),
        ("routing_priority", json!(5_555_550)),
        ("skill_expression_applied", json!("yes")),
        ("flow_version", json!("5555550142")),
        ("flow_version", json!("555.555.0142")),
        ("flow_version", json!("7.")),
        ("started_at", json!(15_555_550_142_i64)),
        ("started_at", json!("2025550142")),
        ("started_at", json!("yesterday")),
        ("agent_ref", json!("")),
        ("agent_ref", json!({"id": "x"})),
        ("requested_routing_skill_ids", json!(["5169b6fa-0543-5428-8d60-2e3d7a1d2909", "Jane"])),
        ("requested_routings", json!(vec!["LAST"; 65])),
    ] {
        let result = mask_one(name, value.clone());
        assert_eq!((result.clear.len(), result.masked), (0, vec![name]), "{name} {value}");
    }
}

#[test]
fn personal_fields_are_masked_whatever_their_value() {
    for value in [json!(1), json!("VOICE"), json!(true), json!({}), json!([])] {
        for name in [
            "ani",
            "dnis",
            "address_from",
            "address_to",
            "wrapup_notes",
            "attributes",
            "transcripts",
            "subject",
            "remote_ip",
            "username",
            "customer_name",
            "external_contact_id",
            "resolved_customer_id",
            "phone_hash_sent",
        ] {
            assert_eq!(mask_one(name, value.clone()).masked, vec![name]);
        }
    }
}

#[test]
fn nothing_under_a_dropped_name_or_lineage_is_sealed_however_it_is_spelled() {
    let built_in = catalogue::built_in();
    let dropped = [
        "ssn",
        "SocialSecurityNumber",
        "card-number",
        "pan",
        "wrapup_notes",
        "Transcript",
        "lineage_token",
        "lineageProvenance",
    ];
    assert!(dropped.iter().all(|name| built_in.is_never_sealed(name)));
    assert!(["name", "note", "attributes", "customerPhone", "SSN "].iter().all(|name| !built_in.is_never_sealed(name)));
    assert!(["name", "displayName", "display_name"].iter().all(|name| built_in.is_display_name(name)));
    assert!(["username", "id", "ssn"].iter().all(|name| !built_in.is_display_name(name)));
    let widening: Vec<&str> = built_in.event_types().filter(|of| built_in.only_widens(of)).collect();
    assert_eq!(widening, ["identity.anonymized", "data.deletion"]);
}

#[test]
fn null_is_neither_clear_nor_masked() {
    for name in ["ani", "media", "agent_ref", "attributes"] {
        let Masked { clear, masked, rest } = policy().mask(&key(), [(name, &Json::Null)]);
        assert!(clear.is_empty() && masked.is_empty() && rest.is_empty(), "{name}");
    }
}

#[test]
fn masked_names_are_sorted_and_stand_once() {
    let value = Json::from("x");
    let fields = [("dnis", &value), ("ani", &value), ("dnis", &value), ("address_from", &value)];
    assert_eq!(policy().mask(&key(), fields).masked, vec!["address_from", "ani", "dnis"]);
}

#[test]
fn agents_are_stored_as_pseudonyms_whatever_their_spelling() {
    let upper = clear_json("agent_ref", json!("9BBAA26B-2E33-5109-94F8-F0E345FE703D"));
    let lower = clear_json("agent_ref", json!("9bbaa26b-2e33-5109-94f8-f0e345fe703d"));
    assert_eq!(upper, lower);
    assert!(lower.is_some_and(|text| text.as_str().is_some_and(|text| text.starts_with("p3_"))));
}

#[test]
fn what_names_a_person_is_kept_out_of_entries_and_nothing_else_is() {
    let silver_only: Vec<&str> = policy().stored_names().filter(|name| policy().is_silver_only(name)).collect();
    let of_agents = ["agent_ref", "answered_agent_ref", "requested_routing_agent_refs"];
    // What a CRM says of a customer is no source's word: it comes into silver beside the events.
    let of_crm = ["crm_owner", "crm_product", "crm_tier"];
    assert_eq!(silver_only, [&of_agents[..2], &of_crm, &of_agents[2..]].concat());
}

#[test]
fn free_text_and_what_nobody_may_keep_is_never_sealed_and_everything_else_is_somebodys() {
    let mut by_side: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let (mut dropped, mut scalars) = (Vec::new(), Vec::new());
    let is_stored = |name: &str| policy().stored_names().any(|stored| stored == name);
    let value = Json::from("\u{1}");
    let (_, fields) = DESCRIPTION.split_once("\n# Fields. ").unwrap();
    for name in fields.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')) {
        let Masked { rest, .. } = policy().mask(&key(), [(name, &value)]);
        match rest[0].seal {
            Seal::Never => dropped.push(name),
            Seal::AsUnlisted if !is_stored(name) => scalars.push((name, rest[0].side)),
            // What does not look as its rule asks may be a text: it is held to what an unlisted value is.
            seal => {
                assert_eq!(seal == Seal::AsUnlisted, is_stored(name), "{name}");
                by_side.entry(rest[0].side.as_str()).or_default().push(name);
            }
        }
    }
    assert_eq!(dropped, NEVER_SEALED);
    assert_eq!(scalars, SCALARS.map(|name| (name, Side::Centre)));
    assert_eq!(by_side["agent"], AGENTS);
    assert!(!by_side.contains_key("joint"));
    let centre: Vec<&str> = by_side["centre"].iter().copied().filter(|name| !is_stored(name)).collect();
    assert_eq!(centre, CENTRES);
    assert_eq!(by_side["customer"].len(), 30, "{:?}", by_side["customer"]);
}

const DESCRIPTION: &str = include_str!("../builtin.toml");

/// Free text, secrets and numbers of cards.
const NEVER_SEALED: [&str; 9] = [
    "credit_card_number",
    "message",
    "notes",
    "password",
    "ssn",
    "subject",
    "transcript",
    "transcripts",
    "wrapup_notes",
];

/// What its sender fills as it likes, which is sealed by its scalars alone.
const SCALARS: [&str; 14] = [
    "agents",
    "attributes",
    "communications",
    "context",
    "custom_fields",
    "data",
    "details",
    "flow_milestones",
    "journey_context",
    "metadata",
    "outcome_unlisted",
    "payload",
    "property_changes",
    "surveys",
];

const AGENTS: [&str; 8] = [
    "actor",
    "agent_name",
    "agent_ref",
    "answered_agent_ref",
    "client_id",
    "requested_routing_agent_refs",
    "user_display",
    "username",
];

/// Those without a rule.
const CENTRES: [&str; 10] = [
    "batch_id",
    "entity",
    "entity_id",
    "entity_name",
    "level",
    "remote_ip",
    "request_id",
    "source_event_type",
    "source_name",
    "utilization_label",
];

#[test]
fn every_field_that_was_ever_stored_still_is() {
    let stored: Vec<&str> = policy().stored_names().collect();
    assert!(stored.is_sorted());
    for name in STORED {
        assert!(stored.contains(name), "{name}");
    }
}

/// In order: the fields of `builtin-1`, then those of `builtin-2` and `builtin-3`. Add, never remove: silver has a column for each.
const STORED: &[&str] = &[
    "acd_outcome",
    "action",
    "agent_ref",
    "alerting_duration_ms",
    "answered_agent_ref",
    "callback_duration_ms",
    "callback_scheduled_time",
    "communication_id",
    "connected_duration_ms",
    "consent_given",
    "consent_marketing",
    "consent_recording",
    "contacting_duration_ms",
    "dialing_duration_ms",
    "direction",
    "disconnect_type",
    "division",
    "duration_ms",
    "entity_type",
    "exit_reason",
    "flow_id",
    "flow_outcome",
    "flow_outcome_end_time",
    "flow_outcome_id",
    "flow_outcome_start_time",
    "flow_type",
    "flow_version",
    "held_duration_ms",
    "interacting_duration_ms",
    "media",
    "message_type",
    "organization_id",
    "outbound_campaign_id",
    "outbound_contact_list_id",
    "outcome",
    "participant_id",
    "participant_start_time",
    "pii_collected",
    "provider",
    "queue_id",
    "requested_language_id",
    "requested_routing_agent_refs",
    "requested_routing_skill_ids",
    "requested_routings",
    "requested_skill_expression_ids",
    "resolution_source",
    "routing_priority",
    "service_name",
    "session_id",
    "session_start_time",
    "skill_expression_applied",
    "speech_text_analytics_program_id",
    "started_at",
    "transcription_start_time",
    "transfer_type",
    "used_routing",
    "user_home_org_id",
    "voicemail_duration_ms",
    "wrapup_code",
    "wrapup_duration_ms",
    "consent_gdpr",
    "contact_center_id",
    "deletion_reason",
    "process_name",
    "queue_name",
    "request_pending",
    "resolution_method",
    "state_name",
    "status",
    "system_action",
    "active_queue_ids",
    "current_value",
    "presence",
    "previous_value",
    "routing_status",
];

/// First names and surnames of the census, most common first.
fn names(section: &str) -> Vec<&'static str> {
    let text = include_str!("../../privacy/testdata/names.txt");
    text.split_once(section).unwrap().1.lines().skip(1).take_while(|line| !line.starts_with('#')).collect()
}

/// `First Last`. `numbers` is a census taker's error.
fn full_name() -> impl Strategy<Value = String> {
    let first = [names("# first names of women"), names("# first names of men")].concat();
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    (prop::sample::select(first), prop::sample::select(names("# surnames")), "[ ._-]")
        .prop_filter("no first name", |(first, _, _)| *first != "numbers")
        .prop_map(move |(first, last, between)| capital(first) + &between + &capital(last))
}

/// Telephone numbers as numbering plans allow them: no calling code from 1 to 219 has numbers of 13 digits.
fn phone() -> impl Strategy<Value = String> {
    "\\+?(1[2-9][0-9]{9}|2[01][0-9]{5,10}|2[2-9][0-9]{5,13}|[3-9][0-9]{6,14})"
}

proptest! {
    #[test]
    fn no_rule_lets_a_phone_an_email_or_a_name_through(
        value in prop_oneof![
            phone(),
            phone().prop_map(|phone| format!("tel:{phone}")),
            phone().prop_map(|phone| format!("sip:{phone}")),
            "[2-9][0-9]{9}",
            "[a-z]{1,8}\\.[a-z]{1,8}@[a-z]{1,8}\\.com",
            full_name(),
        ],
    ) {
        for name in policy().stored_names() {
            match mask_one(name, json!(value.clone())).clear.first().map(|(_, clear)| clear.to_json()) {
                None => {}
                // A pseudonym replaces the value.
                Some(Value::String(text)) => {
                    prop_assert!(policy().is_silver_only(name) && !text.contains(&value), "{} {}", name, text);
                }
                Some(other) => prop_assert!(false, "{} {}", name, other),
            }
        }
    }
}
