//! The guides' interaction log: one flat object per state change, `{interactionId, eventType, timestamp, channel,
//! agentId, customerIdHash | phoneHash | …}`; and what all flat shapes share.
//!
//! The last in the registry: it takes any object that names an interaction, or an entity by type and id.

use std::borrow::Cow;

use ledgerline_privacy::identifier::Kind;
use serde_json::Value;

use super::kinds::{self, EventKind};
use super::reading::{
    Layer, Object, Reading, entity, identify, identify_address, identify_by_direction, take_members, text,
};
use super::{Adapter, fields};
use crate::document::Rejection;
use crate::source_event::{Record, SourceEvent};

pub(super) const ADAPTER: Adapter = Adapter { accepts, adapt };

const SOURCE: &str = "interaction-log";

fn accepts(_: &Reading<'_>) -> bool {
    true
}

fn adapt<'a>(reading: &Reading<'a>) -> Result<SourceEvent<'a>, Rejection> {
    let own = reading.event;
    let record = record_of(reading, None)?;
    let mut event = reading.event(SOURCE, own, flat_kind(own.object), Cow::Borrowed(SOURCE), record)?;
    event.native_id = own.object.get("eventId").and_then(text);
    event.sequence = own.object.get("sequence").and_then(Value::as_i64);
    take_flat(&mut event, own);
    Ok(event)
}

/// What a flat event is about: an interaction named by it or by the bag inside it, else an entity.
pub(super) fn record_of<'a>(reading: &Reading<'a>, bag: Option<&'a Object>) -> Result<Record<'a>, Rejection> {
    let own = reading.event.object;
    if let Some(interaction) = reading.interaction(own)? {
        return Ok(interaction);
    }
    if let Some(interaction) = bag.map(|bag| reading.interaction(bag)).transpose()?.flatten() {
        return Ok(interaction);
    }
    let id = own.get("entity").and_then(|entity| entity.get("id")).and_then(text);
    entity(own.get("entityType").and_then(text), own.get("entityId").and_then(text).or(id))
}

/// The kind of a flat event, by its own word for it or by the Genesys topic that it was made from.
pub(super) fn flat_kind(own: &Object) -> EventKind {
    let word = |key: &str| own.get(key).and_then(Value::as_str);
    let topic = word("topicName").and_then(|name| {
        let suffix = name.strip_prefix("v2.detail.events.conversation.")?.split_once('.')?.1;
        kinds::of_conversation_topic(suffix)
    });
    let named = ["eventType", "type", "action"].iter().find_map(|key| word(key));
    topic.unwrap_or_else(|| named.map_or(kinds::OTHER, kinds::of_word))
}

/// The fields and identifiers of a flat object.
pub(super) fn take_flat<'a>(event: &mut SourceEvent<'a>, own: Layer<'a>) {
    take_members(event, own, &[&fields::FLAT, &fields::GENESYS]);
    if let Some(consent) = own.object.get("consent") {
        take_consent(event, own, consent);
    }
    identify_flat(event, own.object);
}

/// The fields and identifiers of a bag inside a flat object, which then is no field itself.
pub(super) fn take_bag<'a>(event: &mut SourceEvent<'a>, bag: Layer<'a>, name: &str) {
    event.fields.retain(|field| field.name != name);
    take_flat(event, bag);
}

/// `consent` is a flag, or an object of flags.
fn take_consent<'a>(event: &mut SourceEvent<'a>, own: Layer<'a>, consent: &'a Value) {
    let base = match own.base {
        "" => "/consent",
        "/detail" => "/detail/consent",
        "/auditEvent" => "/auditEvent/consent",
        "/detail/auditEvent" => "/detail/auditEvent/consent",
        "/payload" => "/payload/consent",
        "/detail/payload" => "/detail/payload/consent",
        "/data" => "/data/consent",
        _ => "/detail/data/consent",
    };
    match consent {
        Value::Object(object) => take_members(event, Layer { object, base, path: own.path }, &[&fields::CONSENT]),
        Value::Null => {}
        value => {
            let field = crate::source_event::Field { name: "consent_given", base: own.base, key: "consent", value };
            event.fields.push(field);
        }
    }
}

/// The customer's identifiers in a flat object. Hashes made upstream are identifiers of their own kinds.
fn identify_flat(event: &mut SourceEvent<'_>, own: &Object) {
    for (key, kind) in [
        ("resolvedCustomerId", Kind::CustomerIdHash),
        ("customerIdHash", Kind::CustomerIdHash),
        ("phoneHash", Kind::PhoneHash),
        ("externalContactId", Kind::ExternalContact),
        ("conversationExternalContactIds", Kind::ExternalContact),
        ("callbackNumbers", Kind::Phone),
        ("customerEmail", Kind::Email),
        ("email", Kind::Email),
        ("accountNumber", Kind::Account),
        ("accountId", Kind::Account),
        ("customerId", Kind::Account),
    ] {
        identify(event, kind, own.get(key));
    }
    for key in ["customerPhone", "phone", "phoneNumber"] {
        identify_address(event, own.get(key), Kind::Phone);
    }
    identify_by_direction(event, own, true);
}
