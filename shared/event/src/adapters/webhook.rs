//! The guides' webhook: an event of a system that carries our lineage token in its `customFields`. Its own `id`,
//! `deliveryId` and `attempt` name a delivery, not the event.

use std::borrow::Cow;

use serde_json::Value;

use super::Adapter;
use super::interaction_log::{flat_kind, record_of, take_bag, take_flat};
use super::reading::{Layer, Reading, text};
use crate::document::Rejection;
use crate::source_event::SourceEvent;

pub(super) const ADAPTER: Adapter = Adapter { accepts, adapt };

const SOURCE: &str = "webhook";
/// What a second delivery of one event changes.
const DELIVERY: &[&str] = &["id", "deliveryId", "attempt", "deliveredAt", "sentAt", "signature"];

fn accepts(reading: &Reading<'_>) -> bool {
    reading.event.object.get("customFields").is_some_and(Value::is_object)
}

fn adapt<'a>(reading: &Reading<'a>) -> Result<SourceEvent<'a>, Rejection> {
    let own = reading.event;
    let data = own.object.get("data").and_then(Value::as_object);
    let record = record_of(reading, data)?;
    let mut event = reading.event(SOURCE, own, flat_kind(own.object), Cow::Borrowed(SOURCE), record)?;
    event.native_id = own.object.get("eventId").and_then(text);
    event.body.except = DELIVERY;
    take_flat(&mut event, own);
    if let Some(object) = data {
        let base = if reading.is_enveloped() { "/detail/data" } else { "/data" };
        take_bag(&mut event, Layer { object, base, path: own.path }, "data");
    }
    event.extra.retain(|(key, _)| !DELIVERY.contains(&&**key));
    Ok(event)
}
