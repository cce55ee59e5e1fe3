//! Whom an event is about: the customer's side alone. Hashes made upstream are identifiers of their own kinds.

use ledgerline_privacy::identifier::Kind;
use ledgerline_privacy::personal::Personal;
use serde_json::Value;

use super::declared::Reading;
use super::layers::Members;
use crate::catalogue::{IdentifierHook, IdentifierRule, Naming, Shape, ShapeHook};
use crate::source_event::SourceEvent;

/// Takes the customer's identifiers, in the description's order, of the event's own members and of its bags.
pub(super) fn identify(reading: &Reading<'_>, shape: &Shape, agents_leg: bool, event: &mut SourceEvent<'_>) {
    // An agent's outbound leg may be a consultation of a colleague: the number dialled on it is the customer's only where the topic is
    // not about an agent; the customer's own leg says it anyway.
    let consults = agents_leg && shape.hook == Some(ShapeHook::GenesysTopic);
    for members in reading.own_and_bags() {
        let direction = word(members, "direction");
        for rule in &reading.catalogue.identifiers {
            let in_layer = rule.layers.is_empty() || rule.layers.contains(&reading.layers.own().id);
            let outside = rule.outside_layers.contains(&reading.layers.own().id);
            let directed = rule
                .direction
                .is_none_or(|wanted| direction.eq_ignore_ascii_case(wanted) && !(consults && wanted == OUTBOUND));
            if in_layer && !outside && directed {
                take(reading, members, rule, event);
            }
        }
    }
}

const OUTBOUND: &str = "OUTBOUND";

fn take(reading: &Reading<'_>, members: &Members<'_>, rule: &IdentifierRule, event: &mut SourceEvent<'_>) {
    for path in &rule.from {
        let value = members.at(reading.catalogue, path);
        match rule.naming {
            Naming::Kind(kind) => name(event, kind, value),
            Naming::Address(otherwise) => {
                let Some(value) = value else { continue };
                name_address(event, value, otherwise.unwrap_or_else(|| address_kind(members)));
            }
            Naming::Hook(IdentifierHook::Journey) => name_journey(event, value),
        }
    }
}

/// Adds the identifiers in a member: a string, or each string of a list.
fn name(event: &mut SourceEvent<'_>, kind: Kind, value: Option<&Value>) {
    match value {
        Some(Value::String(raw)) if !raw.trim().is_empty() => {
            let known = event.identifiers.iter().any(|(k, v)| *k == kind && v.expose_for_pseudonym() == raw);
            if !known {
                event.identifiers.push((kind, Personal::new(raw.as_str())));
            }
        }
        Some(Value::Array(values)) => {
            for value in values.iter().filter(|value| value.is_string()).take(IDENTIFIERS_MAX) {
                name(event, kind, Some(value));
            }
        }
        _ => {}
    }
}

/// An address whose kind its spelling tells, else `otherwise`: `tel:+1…`, `sip:…`, `name@host`.
fn name_address(event: &mut SourceEvent<'_>, value: &Value, otherwise: Kind) {
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
fn address_kind(members: &Members<'_>) -> Kind {
    let voice = ["VOICE", "CALLBACK", ""].iter().any(|media| word(members, "mediaType").eq_ignore_ascii_case(media));
    let telephone =
        ["SMS", "WHATSAPP"].iter().any(|service| word(members, "messageType").eq_ignore_ascii_case(service));
    if voice || telephone { Kind::Phone } else { Kind::MessagingAddress }
}

fn word<'a>(members: &Members<'a>, key: &str) -> &'a str {
    let found = crate::catalogue::built_in().name_of(key);
    found.and_then(|spelled| members.get(spelled.name)).and_then(Value::as_str).unwrap_or_default()
}

/// A journey names its customer by a value and its type; a cookie names a browser, which is nobody.
fn name_journey(event: &mut SourceEvent<'_>, customer: Option<&Value>) {
    let Some(customer) = customer else { return };
    let kind = customer.get("customerIdType").or_else(|| customer.get("idType")).and_then(Value::as_str);
    let id = customer.get("customerId").or_else(|| customer.get("id"));
    match kind.unwrap_or_default().to_ascii_lowercase().as_str() {
        "email" => name(event, Kind::Email, id),
        "phone" => name(event, Kind::Phone, id),
        "externalcontactid" => name(event, Kind::ExternalContact, id),
        "customerid" | "customer_id" => name(event, Kind::Account, id),
        _ => {}
    }
}

/// Identifiers taken from one list: a conversation has a handful of contacts; a longer list names a crowd.
const IDENTIFIERS_MAX: usize = 32;
