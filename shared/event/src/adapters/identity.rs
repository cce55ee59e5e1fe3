//! Whom an event is about: the customer's side alone. Hashes made upstream are identifiers of their own kinds.

use ledgerline_json::Json;
use ledgerline_privacy::identifier::Kind;
use ledgerline_privacy::personal::Personal;

use super::declared::Reading;
use super::layers::Members;
use crate::catalogue::{IdentifierRule, Kind as EventKind, KindId, NameId, Naming, Shape, ShapeHook, says_something};
use crate::source_event::SourceEvent;

/// Takes the customer's identifiers, in the description's order, of the event's own members and of its bags.
pub(super) fn identify(
    reading: &Reading<'_>,
    shape: &Shape,
    (kind_id, kind): (KindId, &EventKind),
    event: &mut SourceEvent<'_>,
) {
    // An agent's outbound leg may be a consultation of a colleague: the number dialled on it is the customer's only where the topic is
    // not about an agent; the customer's own leg says it anyway.
    let consults = kind.agents_leg && shape.hook == Some(ShapeHook::GenesysTopic);
    let direction = field(event, "direction").to_owned();
    let otherwise = address_kind(event);
    for members in reading.own_and_bags() {
        for rule in &reading.catalogue.identifiers {
            let in_kind = rule.kinds.is_empty() || rule.kinds.contains(&kind_id);
            let outside = rule.other_kinds.contains(&kind_id) || (kind.by_agents && rule.names_address());
            let directed = rule
                .direction
                .is_none_or(|wanted| direction.eq_ignore_ascii_case(wanted) && !(consults && wanted == OUTBOUND));
            if in_kind && !outside && directed {
                take(reading, members, rule, otherwise, event);
            }
        }
    }
}

const OUTBOUND: &str = "OUTBOUND";

/// Takes what a rule's members name. `carried`: what a bare address is by what carried the event.
fn take(
    reading: &Reading<'_>,
    members: &Members<'_>,
    rule: &IdentifierRule,
    carried: Kind,
    event: &mut SourceEvent<'_>,
) {
    for value in rule.from.iter().filter_map(|path| members.at(reading.catalogue, path)) {
        match &rule.naming {
            Naming::Kind(kind) => name(event, *kind, Some(value)),
            Naming::Address(otherwise) => name_address(event, value, otherwise.unwrap_or(carried)),
            Naming::Typed { id, id_type, kinds } => {
                let Some(object) = value.as_object() else { continue };
                let inside = Members::of(reading.catalogue, object);
                let said = |names: &[NameId]| {
                    names.iter().find_map(|name| inside.get(*name).filter(|value| says_something(value)))
                };
                let word = said(id_type).and_then(Json::as_str).unwrap_or_default();
                if let Some((_, kind)) = kinds.iter().find(|(known, _)| word.eq_ignore_ascii_case(known)) {
                    name(event, *kind, said(id));
                }
            }
        }
    }
}

/// Adds the identifiers in a member: a string, or each string of a list.
fn name(event: &mut SourceEvent<'_>, kind: Kind, value: Option<&Json<'_>>) {
    match value {
        Some(Json::String(raw)) if !raw.trim().is_empty() => {
            let known = event.identifiers.iter().any(|(k, v)| *k == kind && v.expose_for_pseudonym() == raw);
            if !known {
                event.identifiers.push((kind, Personal::new(&**raw)));
            }
        }
        Some(Json::Array(values)) => {
            for value in values.iter().filter(|value| value.is_string()).take(IDENTIFIERS_MAX) {
                name(event, kind, Some(value));
            }
        }
        _ => {}
    }
}

/// An address whose kind its spelling tells, else `otherwise`: `tel:+1…`, `sip:…`, `name@host`.
fn name_address(event: &mut SourceEvent<'_>, value: &Json<'_>, otherwise: Kind) {
    let Some(raw) = value.as_str() else { return };
    let bare = raw.trim().to_ascii_lowercase();
    let kind = if ["tel:", "sip:", "sips:", "+"].iter().any(|scheme| bare.starts_with(scheme)) {
        Kind::Phone
    } else if bare.contains('@') {
        Kind::Email
    } else {
        otherwise
    };
    name(event, kind, Some(value));
}

/// What a bare address is, by what carried the event: a telephone number in voice and in the messaging services whose addresses are
/// telephone numbers.
fn address_kind(event: &SourceEvent<'_>) -> Kind {
    let is_one_of = |name: &str, words: &[&str]| words.iter().any(|word| field(event, name).eq_ignore_ascii_case(word));
    let voice = is_one_of("media", &["VOICE", "CALLBACK", "PHONE", "SMS", ""]);
    if voice || is_one_of("message_type", &["SMS", "WHATSAPP"]) { Kind::Phone } else { Kind::MessagingAddress }
}

/// The text of a field that was taken; empty if there is none.
fn field<'e>(event: &'e SourceEvent<'_>, name: &str) -> &'e str {
    event.fields.iter().find(|field| field.name == name).and_then(|field| field.value.as_str()).unwrap_or_default()
}

/// Identifiers taken from one list: a conversation has a handful of contacts; a longer list names a crowd.
const IDENTIFIERS_MAX: usize = 32;
