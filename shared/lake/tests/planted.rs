//! What is planted in every field of an event is found in none of its stored forms.
//!
//! Invariant under test: a value reaches silver only if its name is on the policy's list and it looks as its kind must,
//! whatever a source writes into whatever member.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use ledgerline_event::adapters::adapt;
use ledgerline_event::catalogue;
use ledgerline_event::document;
use ledgerline_event::source_event::{Context, Record, SourceEvent};
use ledgerline_lake::ObjectId;
use ledgerline_lake::silver::{Row, SilverWriter};
use ledgerline_privacy::PseudonymKey;
use ledgerline_privacy::words::plain_name;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Map, Value, json};

/// What people put into fields: a phone number in two spellings, an e-mail address, a name, a card, a sentence.
const PLANTED: &[&str] = &[
    "tel:+15555550142",
    "5555550142",
    "jane.doe@example.com",
    "Jane Doe",
    "4111111111111111",
    "call me at the office",
];

/// The members of the models, of the flat shapes, and one that nobody knows.
const MEMBERS: &[&str] = &[
    "acdOutcome",
    "action",
    "addressFrom",
    "addressTo",
    "agentName",
    "alertingDurationMs",
    "ani",
    "answeredUserId",
    "attributes",
    "callbackNumbers",
    "callbackScheduledTime",
    "callbackUserName",
    "channel",
    "communicationId",
    "consentGiven",
    "conversationExternalContactIds",
    "customerEmail",
    "customerIdHash",
    "direction",
    "disconnectType",
    "divisionId",
    "dnis",
    "durationMs",
    "exitReason",
    "externalContactId",
    "flowId",
    "flowOutcomeValue",
    "flowType",
    "flowVersion",
    "heldDurationMs",
    "mediaType",
    "messageType",
    "notes",
    "outboundContactId",
    "outcome",
    "participantId",
    "participantStartTime",
    "phoneHash",
    "piiCollected",
    "provider",
    "queueId",
    "remoteIp",
    "requestedRoutingSkillIds",
    "requestedRoutingUserIds",
    "requestedRoutings",
    "resolutionSource",
    "resolvedCustomerId",
    "routingPriority",
    "sessionId",
    "skillExpressionApplied",
    "startedAt",
    "subject",
    "transcripts",
    "transferType",
    "usedRouting",
    "userDisplay",
    "userId",
    "utilizationLabel",
    "wrapupCode",
    "wrapupNotes",
    "somethingNew",
];

#[test]
fn nothing_planted_in_a_genesys_event_is_stored() {
    for topic in ["customer.start", "user.end", "acd.end", "attributes", "wrapup", "not.yet.known"] {
        for planted in PLANTED {
            let event = json!({
                "detail-type": format!("v2.detail.events.conversation.{{id}}.{topic}"),
                "source": "aws.partner/genesys.com/cloud/acme/suffix",
                "detail": {"version": "2", "eventBody": planted_body(planted)},
            });
            assert_nothing_stored(&event, planted);
        }
    }
}

#[test]
fn nothing_planted_in_a_flat_event_is_stored() {
    for planted in PLANTED {
        assert_nothing_stored(&planted_body(planted), planted);
        assert_nothing_stored(&json!({"auditEvent": planted_body(planted)}), planted);
    }
}

/// Each member holds the planted text: bare, in a list, and in an object beside it, under a planted key too.
fn planted_body(planted: &str) -> Value {
    let mut body = Map::new();
    for (at, member) in MEMBERS.iter().enumerate() {
        let value = match at % 3 {
            0 => json!([planted, { "text": planted }]),
            _ => json!(planted),
        };
        body.insert((*member).to_owned(), value);
        body.insert(format!("x{member}"), json!({ planted: planted }));
    }
    body.insert(planted.to_owned(), json!(planted));
    body.insert("conversationId".to_owned(), json!("11111111-1111-4111-8111-111111111111"));
    body.insert("eventTime".to_owned(), json!(1_772_460_000_000_i64));
    body.insert("eventType".to_owned(), json!(planted));
    Value::Object(body)
}

fn assert_nothing_stored(document: &Value, planted: &str) {
    let text = document.to_string();
    let document = document::parse(text.as_bytes()).unwrap();
    let event = adapt(&document, &Context { default_org: "acme", numeric_id_sources: &[] }).unwrap();
    for text in stored(&event) {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        assert!(!text.contains(planted), "{planted} in {text}");
        assert!(!text.contains("Jane") && !text.contains("example.com"), "{planted} in {text}");
        // A pseudonym or id is hex and may hold any digits; nothing else of that length may.
        let hex = text.len() >= 32 && text.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b'p' | b'_' | b'-'));
        assert!(hex || !(digits.contains("5555550142") || digits.contains("4111111111111111")), "{planted} in {text}");
    }
}

/// Every value of the event's silver row, and its clear fields as an entry would hold them.
fn stored(event: &SourceEvent<'_>) -> Vec<String> {
    let fields = event.fields.iter().map(|field| (field.name, &*field.value));
    let policy = catalogue::built_in().policy();
    let masked = policy.mask(&PseudonymKey::new(1, [7; 32]), fields);
    let extra: BTreeMap<_, _> =
        event.extra.iter().map(|one| (plain_name(one.name).to_owned(), one.kind().as_str())).collect();
    assert!(!masked.masked.is_empty() && !extra.is_empty(), "the event holds what no policy knows");
    let Record::Interaction(interaction) = &event.record else { panic!("the event names an interaction") };
    let row = Row {
        org: &event.org,
        event_id: "c017ca9349716df434f7ea50dde47c16",
        interaction_id: Some(interaction),
        entity_type: None,
        entity_id: None,
        source: event.source,
        topic: &event.topic,
        schema_version: &event.schema_version,
        event_type: event.event_type,
        activity: event.activity,
        lifecycle: Some(event.lifecycle.as_str()),
        occurred_at_ms: event.occurred_at_ms,
        time_from_envelope: false,
        zone_assumed: false,
        country_assumed: false,
        flaws: None,
        sequence: event.sequence,
        event_rank: event.rank,
        ingested_at_ms: None,
        processed_at_ms: None,
        customer_ref: None,
        crm_tier: None,
        crm_product: None,
        crm_owner: None,
        outcome_map: None,
        fields: &masked.clear,
        masked: &masked.masked,
        policy_version: policy.version(),
        lineage_token: &event.lineage_token,
        lineage_from: "derived",
        lineage_ref: None,
        lineage_derived: None,
        erased: false,
        lineage_provenance: "{}",
        bronze_line: 0,
        extra: &extra,
    };
    let mut writer = SilverWriter::new(ObjectId::of("bucket", "bronze/x")).unwrap();
    writer.push(&row).unwrap();
    let files = writer.finish().unwrap();
    let reader = SerializedFileReader::new(files[0].parquet.clone()).unwrap();
    let values = |row: parquet::record::Row| row.get_column_iter().map(|(_, v)| v.to_string()).collect::<Vec<_>>();
    let mut stored: Vec<String> = reader.get_row_iter(None).unwrap().flat_map(|row| values(row.unwrap())).collect();
    stored.extend(masked.clear.iter().map(|(_, value)| value.to_json().to_string()));
    stored.extend(masked.masked.iter().map(|name| (*name).to_owned()));
    stored
}
