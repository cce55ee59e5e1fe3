//! Genesys Cloud conversation topics on EventBridge, `v2.detail.events.conversation.{id}.*`, and any other Genesys
//! topic whose body names a conversation.
//!
//! The detail-type decides what an event is; `topicName`, which carries the real id and does not always match, only
//! where the detail-type is unknown. An unknown topic is `other`, never refused.

use std::borrow::Cow;

use ledgerline_privacy::identifier::Kind;
use serde_json::Value;

use super::kinds::{self, EventKind, OTHER};
use super::reading::{Object, Reading, identify, identify_by_direction, take_members};
use super::{Adapter, fields};
use crate::document::Rejection;
use crate::source_event::SourceEvent;

pub(super) const ADAPTER: Adapter = Adapter { accepts, adapt };

/// The name of this source, which the three Genesys adapters share.
pub(super) const SOURCE: &str = "genesys-eventbridge";
const PREFIX: &str = "v2.detail.events.conversation.";
const TEMPLATE: &str = "{id}.";

fn accepts(reading: &Reading<'_>) -> bool {
    reading.body.is_some()
}

fn adapt<'a>(reading: &Reading<'a>) -> Result<SourceEvent<'a>, Rejection> {
    let body = reading.body.ok_or(Rejection::NoRecord)?;
    let own = body.object;
    let record = reading.interaction(own)?.ok_or(Rejection::NoRecord)?;
    let (kind, topic) = kind_and_topic(reading);
    let mut event = reading.event(SOURCE, body, kind, topic, record)?;
    event.activity = activity(kind, own);
    take_members(&mut event, body, &[&fields::GENESYS]);
    identify_customer(&mut event, own);
    Ok(event)
}

/// The known topic of the detail-type, else of the topic name, else `other` under the topic as it is called.
fn kind_and_topic<'a>(reading: &Reading<'a>) -> (EventKind, Cow<'a, str>) {
    let suffix_of = |name: &'a str| name.strip_prefix(PREFIX)?.split_once('.').map(|(_, suffix)| suffix);
    let names = [reading.detail_type(), reading.topic_name()];
    for suffix in names.into_iter().flatten().filter_map(suffix_of) {
        if let Some(kind) = kinds::of_conversation_topic(suffix) {
            let template = match names[0] {
                // EventBridge's detail-type is the template itself.
                Some(name) if is_template(name, suffix) => Cow::Borrowed(name),
                _ => Cow::Owned(format!("{PREFIX}{TEMPLATE}{suffix}")),
            };
            return (kind, template);
        }
    }
    (OTHER, names.into_iter().flatten().next().map_or(Cow::Borrowed("unknown"), template))
}

/// Whether the name is the prefix, the placeholder and the suffix.
fn is_template(name: &str, suffix: &str) -> bool {
    name.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix(TEMPLATE)) == Some(suffix)
}

/// A Genesys topic with its ids replaced, in the alphabet of topics; anything else may be free text and is `unknown`. Ids
/// are what has digits in it or was replaced already.
pub(super) fn template(topic: &str) -> Cow<'_, str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'{' | b'}' | b'/');
    if !topic.starts_with("v2.") || topic.len() > TOPIC_BYTES_MAX || !topic.bytes().all(plain) {
        return Cow::Borrowed("unknown");
    }
    let is_id = |part: &str| part.len() > 2 && part.bytes().any(|b| b.is_ascii_digit());
    if !topic.split('.').any(is_id) {
        return Cow::Borrowed(topic);
    }
    Cow::Owned(topic.split('.').map(|part| if is_id(part) { "{id}" } else { part }).collect::<Vec<_>>().join("."))
}

/// The longest topic of the catalogue has fewer than 100 bytes.
const TOPIC_BYTES_MAX: usize = 128;

/// What process mining should see where the topic alone does not say it.
fn activity(kind: EventKind, own: &Object) -> &'static str {
    let word = |key: &str| own.get(key).and_then(Value::as_str).unwrap_or_default().to_ascii_uppercase();
    match kind.event_type {
        // Only these are transfers by the agent; acd.end and flow.end say TRANSFER on every ordinary hand-over.
        "user.end" => match word("disconnectType").as_str() {
            "TRANSFER" => "Agent transferred blind",
            "CONSULT_TRANSFER" | "CONFERENCE_TRANSFER" | "FORWARD_TRANSFER" => "Agent transferred consulted",
            _ => kind.activity,
        },
        "acd.end" => match word("acdOutcome").as_str() {
            "ANSWERED" => "Answered from queue",
            "ABANDON" => "Abandoned in queue",
            "FLOW_OUT" => "Flowed out of queue",
            _ => kind.activity,
        },
        _ => kind.activity,
    }
}

/// The customer's identifiers. An agent's outbound leg may be a consultation of a colleague, so that the number dialled
/// on it is the customer's only where the topic is not about an agent; the customer's own leg says it anyway.
fn identify_customer(event: &mut SourceEvent<'_>, own: &Object) {
    let agents_leg =
        matches!(event.event_type, "user.start" | "user.end" | "acw" | "wrapup" | "voicemail.start" | "voicemail.end");
    identify_by_direction(event, own, !agents_leg);
    identify(event, Kind::Phone, own.get("callbackNumbers"));
    identify(event, Kind::ExternalContact, own.get("externalContactId"));
    identify(event, Kind::ExternalContact, own.get("conversationExternalContactIds"));
    identify(event, Kind::Account, own.get("outboundContactId"));
    identify_journey(event, own.get("journeyCustomer"));
}

/// A journey names its customer by a value and its type; a cookie names a browser, which is nobody.
fn identify_journey(event: &mut SourceEvent<'_>, customer: Option<&Value>) {
    let Some(customer) = customer else { return };
    let kind = customer.get("customerIdType").or_else(|| customer.get("idType")).and_then(Value::as_str);
    let id = customer.get("customerId").or_else(|| customer.get("id"));
    match kind.unwrap_or_default().to_ascii_lowercase().as_str() {
        "email" => identify(event, Kind::Email, id),
        "phone" => identify(event, Kind::Phone, id),
        "externalcontactid" => identify(event, Kind::ExternalContact, id),
        "customerid" | "customer_id" => identify(event, Kind::Account, id),
        _ => {}
    }
}
