//! A document taken apart into the layers that all sources share: the envelope, its detail, the event's own body.
//!
//! Ids, times and tokens are looked for from the inside out: what the event itself says counts before what an envelope
//! says about it, and an envelope's ids never name an event.

use std::borrow::Cow;

use ledgerline_privacy::identifier::Kind;
use ledgerline_privacy::personal::Personal;
use serde_json::{Map, Value};

use super::fields::{self, Member, Table};
use super::kinds::EventKind;
use super::{entity_kind, is_record_id, is_stated_org, org_of_source};
use crate::document::Rejection;
use crate::instant;
use crate::lineage::{Provenance, derived_token, looks_like_token};
use crate::source_event::{Body, Context, Field, JsonKind, Record, SourceEvent};

/// A JSON object.
pub(super) type Object = Map<String, Value>;

/// A layer of a document.
#[derive(Clone, Copy)]
pub(super) struct Layer<'a> {
    pub(super) object: &'a Object,
    /// Its pointer (RFC 6901).
    pub(super) base: &'static str,
    /// The same as keys.
    pub(super) path: &'static [&'static str],
}

/// A document's layers.
pub(super) struct Reading<'a> {
    context: Context<'a>,
    root: &'a Object,
    /// What is inside an EventBridge envelope; the root itself where there is none.
    pub(super) event: Layer<'a>,
    /// `eventBody`, where there is one.
    pub(super) body: Option<Layer<'a>>,
    /// The envelope's `source`.
    pub(super) source: Option<&'a str>,
}

impl<'a> Reading<'a> {
    pub(super) fn of(document: &'a Value, context: &Context<'a>) -> Result<Self, Rejection> {
        let root = document.as_object().ok_or(Rejection::NotObject)?;
        let event = match root.get("detail").and_then(Value::as_object) {
            Some(detail) if root.contains_key("detail-type") || root.contains_key("source") => {
                Layer { object: detail, base: "/detail", path: &["detail"] }
            }
            _ => Layer { object: root, base: "", path: &[] },
        };
        let body = event.object.get("eventBody").and_then(Value::as_object).map(|object| match event.path {
            [] => Layer { object, base: "/eventBody", path: &["eventBody"] },
            _ => Layer { object, base: "/detail/eventBody", path: &["detail", "eventBody"] },
        });
        Ok(Self { context: *context, root, event, body, source: root.get("source").and_then(Value::as_str) })
    }

    /// Whether the document is an EventBridge envelope around something.
    pub(super) fn is_enveloped(&self) -> bool {
        !self.event.path.is_empty()
    }

    /// The envelope's `detail-type`.
    pub(super) fn detail_type(&self) -> Option<&'a str> {
        self.root.get("detail-type").and_then(Value::as_str)
    }

    /// `topicName`, with real ids in it.
    pub(super) fn topic_name(&self) -> Option<&'a str> {
        self.event.object.get("topicName").and_then(Value::as_str)
    }

    /// A member of the envelope.
    pub(super) fn root_text(&self, key: &str) -> Option<Cow<'a, str>> {
        self.root.get(key).and_then(text)
    }

    /// The layers from the inside out. `own` is what the adapter calls the event itself.
    fn layers(&self, own: &'a Object) -> [&'a Object; 3] {
        [own, self.event.object, self.root]
    }

    /// The organisation: the partner source's, else the event's, else the default.
    fn org(&self, own: &'a Object) -> Cow<'a, str> {
        const NAMES: [&str; 4] = ["organizationId", "orgId", "org", "tenantId"];
        if let Some(org) = self.source.and_then(org_of_source) {
            return Cow::Borrowed(org);
        }
        let named = |layer: &'a Object| {
            NAMES.iter().filter_map(|name| layer.get(*name).and_then(text)).find(|o| is_stated_org(o))
        };
        self.layers(own).into_iter().find_map(named).unwrap_or(Cow::Borrowed(self.context.default_org))
    }

    /// When it happened. Within a layer the event's own time comes before the time of its sending.
    pub(super) fn occurred_at_ms(&self, own: &'a Object) -> Result<i64, Rejection> {
        self.layers(own).into_iter().find_map(time_in).ok_or(Rejection::NoTime)
    }

    /// The interaction that the event names, `None` if it names none.
    pub(super) fn interaction(&self, own: &'a Object) -> Result<Option<Record<'a>>, Rejection> {
        const NAMES: [&str; 2] = ["conversationId", "interactionId"];
        let named = |layer: &'a Object| NAMES.iter().find_map(|name| layer.get(*name).and_then(text));
        match self.layers(own).into_iter().find_map(named) {
            Some(id) if is_record_id(&id) => Ok(Some(Record::Interaction(id))),
            Some(_) => Err(Rejection::NoRecord),
            None => Ok(None),
        }
    }

    /// The lineage token and provenance that the source sent, in the layers or in the bags that sources keep them in.
    fn lineage(&self, own: &'a Object) -> (Option<Cow<'a, str>>, Option<Provenance>) {
        const BAGS: [&str; 5] = ["customFields", "attributes", "payload", "metadata", "details"];
        let layers = self.layers(own);
        let bags = BAGS.iter().flat_map(|bag| layers.into_iter().filter_map(|layer| layer.get(*bag)?.as_object()));
        let (mut token, mut provenance) = (None, None);
        for layer in layers.into_iter().chain(bags) {
            if token.is_none() {
                let stated = ["lineageToken", "lineage_token"].iter().find_map(|name| layer.get(*name)?.as_str());
                token = stated.filter(|text| looks_like_token(text)).map(Cow::Borrowed);
            }
            if provenance.is_none() {
                provenance = layer.get("lineageProvenance").and_then(Provenance::read);
            }
        }
        let token = token.or_else(|| provenance.as_ref().map(|sent: &Provenance| Cow::Owned(sent.token.clone())));
        (token, provenance)
    }

    /// An event with everything that the layers tell, and neither fields nor identifiers yet.
    pub(super) fn event(
        &self,
        source: &'static str,
        own: Layer<'a>,
        kind: EventKind,
        topic: Cow<'a, str>,
        record: Record<'a>,
    ) -> Result<SourceEvent<'a>, Rejection> {
        let occurred_at_ms = self.occurred_at_ms(own.object)?;
        let (token, provenance) = self.lineage(own.object);
        let lineage_token = token.unwrap_or_else(|| Cow::Owned(derived_token(&record.id())));
        let version = ["version", "schemaVersion", "eventVersion"];
        let version = version.iter().find_map(|name| self.event.object.get(*name).and_then(text));
        let session = ["sessionId", "communicationId"].iter().find_map(|name| own.object.get(*name)?.as_str());
        Ok(SourceEvent {
            org: self.org(own.object),
            source,
            topic,
            schema_version: version
                .map_or(Cow::Borrowed("unknown"), |v| if is_version(&v) { v } else { Cow::Borrowed("other") }),
            event_type: kind.event_type,
            activity: kind.activity,
            lifecycle: kind.lifecycle,
            record,
            participant_id: own.object.get("participantId").and_then(Value::as_str),
            session_id: session,
            occurred_at_ms,
            native_id: None,
            source_name: [own.object, self.event.object].iter().find_map(|layer| layer.get("source")?.as_str()),
            sequence: None,
            rank: kind.rank,
            lineage_token,
            provenance,
            fields: Vec::with_capacity(own.object.len()),
            identifiers: Vec::new(),
            extra: Vec::new(),
            body: Body { path: own.path, except: &[], has_time: time_in(own.object).is_some() },
        })
    }
}

/// When a layer says that it happened.
fn time_in(layer: &Object) -> Option<i64> {
    const NAMES: [&str; 4] = ["eventTime", "occurredAt", "timestamp", "time"];
    NAMES.iter().find_map(|name| layer.get(*name).and_then(instant::parse_value))
}

/// A string, or an integer's digits; nothing else is an id.
pub(super) fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) if !text.is_empty() => Some(Cow::Borrowed(text)),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

/// A version as sources number them: `2`, `v1.0`, `1.12.3`.
fn is_version(text: &str) -> bool {
    let numbers = text.strip_prefix('v').unwrap_or(text);
    let is_number = |part: &str| (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    numbers.split('.').count() <= 3 && numbers.split('.').all(is_number)
}

/// An entity as a record.
pub(super) fn entity<'a>(kind: Option<Cow<'a, str>>, id: Option<Cow<'a, str>>) -> Result<Record<'a>, Rejection> {
    match (kind, id) {
        (Some(kind), Some(id)) if is_record_id(&id) => {
            let kind = if entity_kind(&kind) == kind { kind } else { Cow::Borrowed("Other") };
            Ok(Record::Entity { kind, id })
        }
        _ => Err(Rejection::NoRecord),
    }
}

/// Sorts the members of a layer into fields and extra. `null` says nothing and is neither; an entity's type and id are
/// the record, and shown as such.
pub(super) fn take_members<'a>(event: &mut SourceEvent<'a>, layer: Layer<'a>, tables: &[&'static Table]) {
    let of_entity = matches!(event.record, Record::Entity { .. });
    for (key, value) in layer.object {
        match fields::member(tables, key) {
            Member::Field(_, "entity_id" | "entity_type") if of_entity => {}
            Member::Field(key, name) if !value.is_null() => {
                event.fields.push(Field { name, base: layer.base, key, value });
            }
            Member::Field(..) | Member::Consumed => {}
            Member::Unknown => event.extra.push((Cow::Borrowed(key.as_str()), JsonKind::of(value))),
        }
    }
}

/// Adds the identifiers in a member: a string, or each string of a list.
pub(super) fn identify(event: &mut SourceEvent<'_>, kind: Kind, value: Option<&Value>) {
    match value {
        Some(Value::String(raw)) if !raw.trim().is_empty() => {
            let known = event.identifiers.iter().any(|(k, v)| *k == kind && v.expose_for_pseudonym() == raw);
            if !known {
                event.identifiers.push((kind, Personal::new(raw.as_str())));
            }
        }
        Some(Value::Array(values)) => {
            for value in values.iter().filter(|value| value.is_string()).take(IDENTIFIERS_MAX) {
                identify(event, kind, Some(value));
            }
        }
        _ => {}
    }
}

/// An address whose kind its spelling tells, else `otherwise`: `tel:+1…`, `sip:…`, `name@host`.
pub(super) fn identify_address(event: &mut SourceEvent<'_>, value: Option<&Value>, otherwise: Kind) {
    let Some(raw) = value.and_then(Value::as_str) else { return };
    let bare = raw.trim().to_ascii_lowercase();
    let kind = if ["tel:", "sip:", "sips:", "+"].iter().any(|scheme| bare.starts_with(scheme)) {
        Kind::Phone
    } else if bare.contains('@') {
        Kind::Email
    } else {
        otherwise
    };
    identify(event, kind, value);
}

/// The identifiers that a direction makes the customer's: who called in, who was called. The other side is the
/// centre's own; without a direction neither side is known, and nobody is resolved.
pub(super) fn identify_by_direction(event: &mut SourceEvent<'_>, own: &Object, resolve_outbound: bool) {
    let word = |key: &str| own.get(key).and_then(Value::as_str).unwrap_or_default();
    let voice = ["VOICE", "CALLBACK", ""].iter().any(|media| word("mediaType").eq_ignore_ascii_case(media));
    let otherwise =
        if voice || is_telephone_message(word("messageType")) { Kind::Phone } else { Kind::MessagingAddress };
    let direction = word("direction");
    if direction.eq_ignore_ascii_case("INBOUND") {
        identify_address(event, own.get("ani"), otherwise);
        identify_address(event, own.get("addressFrom"), otherwise);
    } else if direction.eq_ignore_ascii_case("OUTBOUND") && resolve_outbound {
        identify_address(event, own.get("dnis"), otherwise);
        identify_address(event, own.get("addressTo"), otherwise);
    }
}

/// Messaging services whose addresses are telephone numbers.
fn is_telephone_message(message_type: &str) -> bool {
    ["SMS", "WHATSAPP"].iter().any(|service| message_type.eq_ignore_ascii_case(service))
}

/// Identifiers taken from one list: a conversation has a handful of contacts; a longer list names a crowd.
const IDENTIFIERS_MAX: usize = 32;
