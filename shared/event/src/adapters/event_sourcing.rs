//! The guides' event-sourcing record: `{eventId, aggregateId | interactionId, sequence, payload{…}}`. An aggregate that
//! is no interaction is an entity of its type.

use std::borrow::Cow;

use serde_json::Value;

use super::Adapter;
use super::interaction_log::{flat_kind, record_of, take_bag, take_flat};
use super::reading::{Layer, Reading, entity, text};
use crate::document::Rejection;
use crate::source_event::{Record, SourceEvent};

pub(super) const ADAPTER: Adapter = Adapter { accepts, adapt };

const SOURCE: &str = "event-sourcing";

fn accepts(reading: &Reading<'_>) -> bool {
    let object = reading.event.object;
    object.contains_key("aggregateId") || object.get("payload").is_some_and(Value::is_object)
}

fn adapt<'a>(reading: &Reading<'a>) -> Result<SourceEvent<'a>, Rejection> {
    let own = reading.event;
    let payload = own.object.get("payload").and_then(Value::as_object);
    let mut event =
        reading.event(SOURCE, own, flat_kind(own.object), Cow::Borrowed(SOURCE), record(reading, payload)?)?;
    event.native_id = own.object.get("eventId").and_then(text);
    let sequence = ["sequence", "sequenceNumber", "aggregateVersion"];
    event.sequence = sequence.iter().find_map(|key| own.object.get(*key)).and_then(whole);
    take_flat(&mut event, own);
    if let Some(object) = payload {
        let base = if reading.is_enveloped() { "/detail/payload" } else { "/payload" };
        take_bag(&mut event, Layer { object, base, path: own.path }, "payload");
    }
    Ok(event)
}

fn record<'a>(reading: &Reading<'a>, payload: Option<&'a super::reading::Object>) -> Result<Record<'a>, Rejection> {
    let member = |key: &str| reading.event.object.get(key).and_then(text);
    let of_interactions = |kind: &str| ["interaction", "conversation"].iter().any(|own| kind.eq_ignore_ascii_case(own));
    match (member("aggregateType"), member("aggregateId")) {
        (Some(kind), Some(id)) if !of_interactions(&kind) => entity(Some(kind), Some(id)),
        (_, Some(id)) => match reading.interaction(reading.event.object)? {
            Some(interaction) => Ok(interaction),
            None if super::is_record_id(&id) => Ok(Record::Interaction(id)),
            None => Err(Rejection::NoRecord),
        },
        (_, None) => record_of(reading, payload),
    }
}

fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}
