//! What the description cannot say of a shape: AWS' own events on the bus, and Genesys' topics.

use std::borrow::Cow;

use ledgerline_privacy::words;

use super::declared::{Reading, text};
use super::is_record_id;
use crate::catalogue::KindId;
use crate::document::Rejection;
use crate::head;
use crate::source_event::Record;

/// What AWS services say about themselves on the event bus (`source` beginning `aws.`, partners aside): about no interaction, and
/// named as an entity so that the policy can filter it and the counts still add up.
pub(super) fn is_aws_service(reading: &Reading<'_>) -> bool {
    reading.source.is_some_and(head::is_aws_service)
}

/// The type of the entity that an AWS service is.
pub(crate) const AWS_SERVICE: &str = "aws-service";

pub(super) fn aws_service<'a>(reading: &Reading<'a>) -> Result<Record<'a>, Rejection> {
    let id = reading.source.filter(|source| is_record_id(source)).ok_or(Rejection::NoRecord)?;
    let kind = Cow::Borrowed(AWS_SERVICE);
    Ok(Record::Entity { sent: kind.clone(), kind, id: Cow::Borrowed(id) })
}

/// The bus gives every event of a service an id, and that id again whenever it delivers the event again: here the envelope is
/// the source.
pub(super) fn envelope_id<'a>(reading: &Reading<'a>) -> Option<Cow<'a, str>> {
    let id = reading.catalogue.name_of("id")?;
    reading.layers.root().members.get(id.name).and_then(text)
}

const PREFIX: &str = "v2.detail.events.conversation.";
const TEMPLATE: &str = "{id}.";

/// What follows the conversation's id in a topic of Genesys' conversations.
pub(super) fn conversation_topic(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX)?.split_once('.').map(|(_, suffix)| suffix)
}

/// The known topic of the detail-type, else of the topic's name, which carries the real id and does not always match; else `other`
/// under the topic as it is called.
pub(super) fn genesys_topic<'a>(reading: &Reading<'a>) -> (KindId, Cow<'a, str>) {
    let names = [reading.detail_type, reading.topic_name()];
    for suffix in names.into_iter().flatten().filter_map(conversation_topic) {
        if let Some(kind) = reading.catalogue.kind_of_topic(suffix) {
            let template = match names[0] {
                // EventBridge's detail-type is the template itself.
                Some(name) if is_template(name, suffix) => Cow::Borrowed(name),
                _ => Cow::Owned(format!("{PREFIX}{TEMPLATE}{suffix}")),
            };
            return (kind, template);
        }
    }
    (reading.catalogue.well_known.other, reading.topic())
}

/// Whether the name is the prefix, the placeholder and the suffix.
fn is_template(name: &str, suffix: &str) -> bool {
    name.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix(TEMPLATE)) == Some(suffix)
}

/// A Genesys topic whose ids are replaced by `{id}`, and each part that is not made of known words by `*`; anything else may be free
/// text and is `unknown`. Ids are what has digits in it or was replaced already.
pub(super) fn template(topic: &str) -> Cow<'_, str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'{' | b'}' | b'/');
    if !topic.starts_with("v2.") || topic.len() > TOPIC_BYTES_MAX || !topic.bytes().all(plain) {
        return Cow::Borrowed(UNKNOWN);
    }
    let parts: Vec<&str> = topic
        .split('.')
        .map(|part| match part {
            "v2" | "{id}" => part,
            _ if part.len() > 2 && part.bytes().any(|b| b.is_ascii_digit()) => "{id}",
            _ if words::is_phrase(part) => part,
            _ => "*",
        })
        .collect();
    if parts.iter().copied().eq(topic.split('.')) { Cow::Borrowed(topic) } else { Cow::Owned(parts.join(".")) }
}

/// What stands for a topic that is not one.
pub(super) const UNKNOWN: &str = "unknown";

/// A type without the domain before it and the version behind it: `com.example.call.ended.v1` is `call.ended`.
pub(super) fn without_domain(name: &str) -> &str {
    let is_version = |part: &str| {
        let digits = part.strip_prefix('v').unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let name = name.rsplit_once('.').filter(|(_, last)| is_version(last)).map_or(name, |(rest, _)| rest);
    let mut parts = name.splitn(3, '.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(top), Some(_), Some(rest)) if TOP_LEVELS.contains(&top) => rest,
        _ => name,
    }
}

/// The domains that types of companies begin with.
const TOP_LEVELS: [&str; 24] = [
    "at", "au", "be", "br", "ca", "ch", "cloud", "co", "com", "de", "dev", "es", "eu", "fr", "io", "it", "mx", "net",
    "nl", "org", "pl", "pt", "uk", "us",
];

/// The longest topic of the catalogue has fewer than 100 bytes.
const TOPIC_BYTES_MAX: usize = 128;
