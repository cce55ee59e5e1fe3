//! What the journal keeps of an event: an entry's members, as far as they are known before there is an entry.
//!
//! Invariant: a line has what the policy lets into an entry, and nothing sealed: no value of a person, no pseudonym, no digest. It has no
//! event id either, which follows from the event's place in bronze.

use ledgerline_event::SourceEvent;
use ledgerline_event::instant;
use ledgerline_ledger::canonical::MAX_SAFE_INTEGER;
use ledgerline_ledger::entry::Record;
use ledgerline_privacy::{Clear, Policy, PseudonymKey, View};
use serde_json::{Map, Value, json};

/// The longest line: an audit's is some 600 bytes. A hundred of these, their quotes escaped, fit an answer's page.
pub const LINE_BYTES: usize = 16 * 1024;

/// The line of an event about this; `None` if it is longer than [`LINE_BYTES`].
pub fn line(event: &SourceEvent<'_>, about: &Record, policy: &Policy, key: &PseudonymKey) -> Option<String> {
    let masked = policy.mask(key, event.fields.iter().map(|field| (field.name, &*field.value)));
    let plain = masked.clear.iter().filter(|(name, _)| !policy.is_silver_only(name));
    let fields: Map<String, Value> = plain.map(|(name, clear)| ((*name).to_owned(), value(clear))).collect();
    let rest: Vec<&str> = masked.rest.iter().map(|field| field.name).collect();
    let mut line = json!({
        "activity": event.activity,
        "fields": fields,
        "lineageToken": event.lineage_token,
        "masked": rest,
        "occurredAt": instant::to_rfc3339(event.occurred_at_ms),
        "org": event.org,
        "policyVersion": policy.version(),
        "schemaVersion": event.schema_version,
        "type": event.event_type,
    });
    match about {
        Record::Interaction(id) => line["interactionId"] = json!(id),
        Record::Entity { kind, id } => line["entity"] = json!({ "type": kind, "id": id }),
    }
    let line = line.to_string();
    (line.len() <= LINE_BYTES).then_some(line)
}

/// A clear value as an entry writes it; times as text.
fn value(clear: &Clear) -> Value {
    match clear.view() {
        View::Text(text) => json!(text),
        View::Int(number) if number.unsigned_abs() <= MAX_SAFE_INTEGER => json!(number),
        View::Int(number) => json!(number.to_string()),
        View::Bool(flag) => json!(flag),
        View::Time(epoch_ms) => json!(instant::to_rfc3339(epoch_ms)),
        View::List(items) => items.iter().map(value).collect(),
    }
}

#[cfg(test)]
mod tests {
    use ledgerline_event::catalogue::built_in;
    use ledgerline_event::{Context, adapt, document};

    use super::*;

    const AUDIT: &str = r#"{"auditEvent":{"eventType":"IDENTITY_RESOLUTION","timestamp":"2026-03-02T14:00:00Z",
        "interactionId":"i-1","channelType":"VOICE","resolvedCustomerId":"planted-customer","agentName":"Planted Name",
        "piiContext":{"phoneHash":"a591a6d40bf420404a011733cfb7b190d62c65bf0bcda32b57b277d9ad9f146e"}}}"#;

    #[test]
    fn a_line_has_what_an_entry_has_in_clear_and_nothing_of_a_person() {
        let value = document::parse(AUDIT.as_bytes()).unwrap();
        let event = adapt(&value, &Context { default_org: "acme", numeric_id_sources: &[] }).unwrap();
        let about = Record::Interaction("i-1".to_owned());
        let line = line(&event, &about, built_in().policy(), &PseudonymKey::new(1, [7; 32])).unwrap();
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&read["type"], &read["interactionId"]), (&json!("identity.resolution"), &json!("i-1")));
        assert_eq!((&read["org"], &read["occurredAt"]), (&json!("acme"), &json!("2026-03-02T14:00:00.000Z")));
        assert!(read["fields"].as_object().is_some_and(|fields| !fields.is_empty()), "{line}");
        for planted in ["planted", "Planted", "a591a6d4", "p1_", "r1_"] {
            assert!(!line.contains(planted), "{planted} in {line}");
        }
    }
}
