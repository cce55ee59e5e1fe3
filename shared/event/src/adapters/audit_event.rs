//! The guides' wrapper: `{"auditEvent": {…}}`, one audited action of an upstream system on an interaction or entity.

use std::borrow::Cow;

use serde_json::Value;

use super::interaction_log::{flat_kind, take_flat};
use super::reading::{Layer, Reading, entity, text};
use super::{Adapter, kinds};
use crate::document::Rejection;
use crate::source_event::SourceEvent;

pub(super) const ADAPTER: Adapter = Adapter { accepts, adapt };

const SOURCE: &str = "audit-event";

fn accepts(reading: &Reading<'_>) -> bool {
    inner(reading).is_some()
}

fn inner<'a>(reading: &Reading<'a>) -> Option<Layer<'a>> {
    let object = reading.event.object.get("auditEvent").and_then(Value::as_object)?;
    Some(match reading.event.path {
        [] => Layer { object, base: "/auditEvent", path: &["auditEvent"] },
        _ => Layer { object, base: "/detail/auditEvent", path: &["detail", "auditEvent"] },
    })
}

fn adapt<'a>(reading: &Reading<'a>) -> Result<SourceEvent<'a>, Rejection> {
    let own = inner(reading).ok_or(Rejection::NoRecord)?;
    let member = |key: &str| own.object.get(key).and_then(text);
    let record = match reading.interaction(own.object)? {
        Some(interaction) => interaction,
        None => {
            let id = own.object.get("entity").and_then(|entity| entity.get("id")).and_then(text);
            entity(member("entityType"), member("entityId").or(id))?
        }
    };
    let kind = match flat_kind(own.object) {
        kinds::OTHER => kinds::AUDIT,
        known => known,
    };
    let mut event = reading.event(SOURCE, own, kind, Cow::Borrowed(SOURCE), record)?;
    event.native_id = member("eventId").or_else(|| member("id"));
    take_flat(&mut event, own);
    Ok(event)
}
