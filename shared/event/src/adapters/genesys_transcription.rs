//! Genesys Cloud live transcription on EventBridge, `v2.conversations.{id}.transcription`: what was spoken, as heard by
//! a machine. Carries spoken personal data; nobody is resolved from it.

use std::borrow::Cow;

use super::reading::{Reading, take_members};
use super::{Adapter, fields, genesys_conversation, kinds};
use crate::document::Rejection;
use crate::source_event::SourceEvent;

pub(super) const ADAPTER: Adapter = Adapter { accepts, adapt };

const TOPIC: &str = "v2.conversations.{id}.transcription";

fn accepts(reading: &Reading<'_>) -> bool {
    let is_transcription = |name: &str| name.starts_with("v2.conversations.") && name.ends_with(".transcription");
    // A known detail-type decides; the topic name only where there is none.
    reading.body.is_some() && reading.detail_type().or(reading.topic_name()).is_some_and(is_transcription)
}

fn adapt<'a>(reading: &Reading<'a>) -> Result<SourceEvent<'a>, Rejection> {
    let body = reading.body.ok_or(Rejection::NoRecord)?;
    let record = reading.interaction(body.object)?.ok_or(Rejection::NoRecord)?;
    let topic = Cow::Borrowed(TOPIC);
    let mut event = reading.event(genesys_conversation::SOURCE, body, kinds::TRANSCRIPTION, topic, record)?;
    take_members(&mut event, body, &[&fields::GENESYS]);
    Ok(event)
}
