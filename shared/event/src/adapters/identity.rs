//! Whom an event is about: the customer's side alone. Hashes made upstream are identifiers of their own kinds.

use std::borrow::Cow;

use ledgerline_json::{Json, Stated};
use ledgerline_privacy::identifier::{Identifier, Kind};
use ledgerline_privacy::personal::Personal;

use super::declared::Reading;
use super::layers::Members;
use crate::catalogue::{IdentifierRule, Kind as EventKind, KindId, NameId, Naming, Shape, ShapeHook, says_something};
use crate::source_event::{Named, SourceEvent};

/// Takes the customer's identifiers, in the description's order, of the event's own members and of its bags.
pub(super) fn identify<'a>(
    reading: &Reading<'a>,
    shape: &Shape,
    (kind_id, kind): (KindId, &EventKind),
    event: &mut SourceEvent<'a>,
) {
    // An agent's outbound leg may be a consultation of a colleague: the number dialled on it is the customer's only where the topic is
    // not about an agent; the customer's own leg says it anyway.
    let consults = kind.agents_leg && shape.hook == Some(ShapeHook::GenesysTopic);
    let direction = field(event, "direction").to_owned();
    let carried = Carried::of(event);
    for members in reading.own_and_bags() {
        for rule in &reading.catalogue.identifiers {
            let in_kind = rule.kinds.is_empty() || rule.kinds.contains(&kind_id);
            let outside = rule.other_kinds.contains(&kind_id) || (kind.by_agents && rule.names_address());
            let directed = rule
                .direction
                .is_none_or(|wanted| direction.eq_ignore_ascii_case(wanted) && !(consults && wanted == OUTBOUND));
            if in_kind && !outside && directed {
                take(reading, members, rule, carried, event);
            }
        }
    }
}

const OUTBOUND: &str = "OUTBOUND";

/// Takes what a rule's members name.
fn take<'a>(
    reading: &Reading<'a>,
    members: &Members<'a>,
    rule: &IdentifierRule,
    carried: Carried,
    event: &mut SourceEvent<'a>,
) {
    for value in rule.from.iter().filter_map(|path| members.at(reading.catalogue, path)) {
        match &rule.naming {
            Naming::Kind(kind) => name(event, *kind, Some(value)),
            Naming::Address(otherwise) => {
                // What a source itself calls a phone may be spelled as its country does.
                let carried = otherwise.map_or(carried, |kind| Carried { kind, international: false });
                name_address(event, value, carried);
            }
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

/// Adds the identifiers in a member: a text or a number, or each of a list.
fn name<'a>(event: &mut SourceEvent<'a>, kind: Kind, value: Option<&'a Json<'a>>) {
    let (values, list) = match value {
        Some(Json::Array(values)) => (values.as_slice(), value),
        Some(value) => (std::slice::from_ref(value), None),
        None => return,
    };
    for value in values.iter().take(IDENTIFIERS_MAX) {
        if let Some(raw) = text_of(value) {
            add(event, kind, &raw, value, list);
        }
    }
}

/// Adds an identifier, unless it is there, and where it stands.
fn add<'a>(event: &mut SourceEvent<'a>, kind: Kind, raw: &str, value: &'a Json<'a>, list: Option<&'a Json<'a>>) {
    if raw.trim().is_empty() {
        return;
    }
    let known = event.identifiers.iter().position(|(k, v)| *k == kind && v.expose_for_pseudonym() == raw);
    let identifier = known.unwrap_or(event.identifiers.len());
    if known.is_none() {
        event.identifiers.push((kind, Personal::new(raw)));
    }
    event.named.push(Named { identifier, value: Stated::Sent(value), list });
}

/// The text of an identifier: some systems write numbers of telephones and accounts as JSON numbers.
fn text_of<'v>(value: &'v Json<'_>) -> Option<Cow<'v, str>> {
    match value {
        Json::String(text) => Some(Cow::Borrowed(text)),
        Json::Number(number) => Some(Cow::Owned(number.as_whole()?.to_string())),
        _ => None,
    }
}

/// Adds an address whose kind its spelling tells, else what carried the event: `tel:+1…`, `sip:…`, `name@host`.
fn name_address<'a>(event: &mut SourceEvent<'a>, value: &'a Json<'a>, carried: Carried) {
    let Some(raw) = text_of(value) else { return };
    let Some(kind) = Identifier::kind_of_address(&raw, carried.kind) else { return };
    match Identifier::address_of_service(&raw).filter(|_| kind == Kind::Phone && carried.international) {
        Some(address) => add(event, kind, &address, value, None),
        None => add(event, kind, &raw, value, None),
    }
}

/// What a bare address is, by what carried the event.
#[derive(Clone, Copy)]
struct Carried {
    /// A telephone number in voice and in the messaging services whose addresses are telephone numbers.
    kind: Kind,
    /// The service leaves the plus away: its numbers begin with their country's code wherever they are read.
    international: bool,
}

impl Carried {
    fn of(event: &SourceEvent<'_>) -> Self {
        let is_one_of =
            |name: &str, words: &[&str]| words.iter().any(|word| field(event, name).eq_ignore_ascii_case(word));
        let untold = field(event, "media").is_empty() && field(event, "message_type").is_empty();
        let voice = untold || is_one_of("media", &["VOICE", "CALLBACK", "PHONE", "SMS"]);
        let international = is_one_of("message_type", &["WHATSAPP", "VIBER"]);
        let by_telephone = voice || international || is_one_of("message_type", &["SMS"]);
        Self { kind: if by_telephone { Kind::Phone } else { Kind::MessagingAddress }, international }
    }
}

/// The text of a field that was taken; empty if there is none.
fn field<'e>(event: &'e SourceEvent<'_>, name: &str) -> &'e str {
    event.fields.iter().find(|field| field.name == name).and_then(|field| field.value.as_str()).unwrap_or_default()
}

/// Identifiers taken from one list: a conversation has a handful of contacts; a longer list names a crowd.
const IDENTIFIERS_MAX: usize = 32;
