//! Genesys Cloud audits on EventBridge, `v2.audits.entitytype.{id}.entityid.{id}`: who changed what in the
//! configuration. The one Genesys event with an immutable id of its own, and about an entity, never a customer.

use std::borrow::Cow;

use super::reading::{Reading, entity, take_members, text};
use super::{Adapter, fields, genesys_conversation, kinds};
use crate::document::Rejection;
use crate::source_event::SourceEvent;

pub(super) const ADAPTER: Adapter = Adapter { accepts, adapt };

const PREFIX: &str = "v2.audits.entitytype.";
const TOPIC: &str = "v2.audits.entitytype.{id}.entityid.{id}";

fn accepts(reading: &Reading<'_>) -> bool {
    let names = [reading.detail_type(), reading.topic_name()];
    reading.body.is_some() && names.into_iter().flatten().any(|name| name.starts_with(PREFIX))
}

fn adapt<'a>(reading: &Reading<'a>) -> Result<SourceEvent<'a>, Rejection> {
    let body = reading.body.ok_or(Rejection::NoRecord)?;
    let own = body.object;
    let id = own.get("entity").and_then(|entity| entity.get("id")).and_then(text);
    let record = entity(own.get("entityType").and_then(text), id.or_else(|| id_in_topic(reading)))?;
    let topic = Cow::Borrowed(TOPIC);
    let mut event = reading.event(genesys_conversation::SOURCE, body, kinds::AUDIT, topic, record)?;
    event.native_id = own.get("id").and_then(text);
    take_members(&mut event, body, &[&fields::GENESYS]);
    Ok(event)
}

/// An entity that is gone is named by the topic alone.
fn id_in_topic<'a>(reading: &Reading<'a>) -> Option<Cow<'a, str>> {
    let (_, id) = reading.topic_name()?.rsplit_once(".entityid.")?;
    (id != "{id}").then_some(Cow::Borrowed(id))
}
