//! What AWS services say about themselves on the event bus (`source` beginning `aws.`, partners aside): about no
//! interaction, and named as an entity so that the policy can filter it and the counts still add up.

use std::borrow::Cow;

use super::reading::Reading;
use super::{Adapter, genesys_conversation, is_record_id, kinds};
use crate::document::Rejection;
use crate::source_event::{Body, Record, SourceEvent};

pub(super) const ADAPTER: Adapter = Adapter { accepts, adapt };

const SOURCE: &str = "aws-service";

fn accepts(reading: &Reading<'_>) -> bool {
    let is_service = |source: &str| source.starts_with("aws.") && !source.starts_with("aws.partner");
    reading.is_enveloped() && reading.source.is_some_and(is_service)
}

fn adapt<'a>(reading: &Reading<'a>) -> Result<SourceEvent<'a>, Rejection> {
    let id = reading.source.filter(|source| is_record_id(source)).ok_or(Rejection::NoRecord)?;
    let record = Record::Entity { kind: Cow::Borrowed(SOURCE), id: Cow::Borrowed(id) };
    let topic = reading.detail_type().map_or(Cow::Borrowed("unknown"), genesys_conversation::template);
    let mut event = reading.event(SOURCE, reading.event, kinds::AWS_SERVICE, topic, record)?;
    // The bus gives every event of a service an id, and that id again whenever it delivers the event again: here the
    // envelope is the source.
    event.native_id = reading.root_text("id");
    event.body = Body { path: &[], except: &[], has_time: true };
    Ok(event)
}
