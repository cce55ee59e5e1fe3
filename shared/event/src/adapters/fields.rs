//! The fields of an event: which members are which, and the names of those that nobody knows.

use ledgerline_json::{Json, Stated};
use ledgerline_privacy::Side;

use super::declared::{Reading, text, whole};
use super::layers::{Member, Members};
use super::record::ENTITY_ID;
use crate::catalogue::{Catalogue, FieldDefinition, FieldUse, MemberUse, NameId, Shape, Spelled, Way, says_something};
use crate::instant;
use crate::source_event::{Field, Record, SourceEvent, Unlisted};

/// Takes the fields of the event's own members, of its bags and, for an element of a list, of what stands around the list.
pub(super) fn take_fields<'a>(
    reading: &Reading<'a>,
    shape: &Shape,
    media: Option<&'static str>,
    event: &mut SourceEvent<'a>,
) {
    let ids = shape.record.iter().filter_map(|way| match way {
        Way::Interaction(name) | Way::Fixed { id: name, .. } => Some(PassedOver::Id(*name)),
        _ => None,
    });
    let passed_over = reading.bags.iter().map(|bag| PassedOver::Bag(bag.name)).chain(ids).collect();
    let ranks = Vec::with_capacity(reading.own().len() + 2);
    let mut taking = Taking { catalogue: reading.catalogue, passed_over, ranks, event };
    taking.members(reading.own(), FIRST);
    for (place, bag) in (FIRST + 1..).zip(&reading.bags) {
        taking.members(&bag.members, place);
    }
    let own = reading.layers.own();
    let list =
        own.id.0.checked_sub(1).map(|at| &reading.catalogue.layers[usize::from(at)]).filter(|layer| layer.is_list);
    if let (Some(_), Some(around)) = (list, reading.layers.around_own()) {
        taking.around(&around.members);
    }
    let shared = &reading.catalogue.shared;
    if let Some(media) = media {
        taking.derived(shared.media, Json::from(media));
    }
    if let Some(ms) = shape.duration.and_then(|ends| between_ms(reading.own(), ends)) {
        taking.derived(shared.duration, Json::from(ms));
    }
    taking.finish();
}

/// A member that is no field while its value is what it was read as.
enum PassedOver {
    /// A bag, whose members are taken one by one.
    Bag(NameId),
    /// What names the record.
    Id(NameId),
}

/// The event's own members come first, those of bags after them.
const FIRST: u16 = 0;

/// Fields, as they are taken. Of several members that may be one field, the first in the description's order counts, and the
/// event's own before a bag's.
struct Taking<'t, 'a> {
    catalogue: &'static Catalogue,
    passed_over: Vec<PassedOver>,
    /// For each field taken: which it is, and the place and rank of its member.
    ranks: Vec<(usize, (u16, u8))>,
    event: &'t mut SourceEvent<'a>,
}

impl<'a> Taking<'_, 'a> {
    fn members(&mut self, members: &Members<'a>, place: u16) {
        for member in members.iter() {
            match member.spelled {
                None => self.unknown(member, None, place),
                Some(Spelled { name, .. }) if self.is_passed_over(name, member.value) => {}
                Some(Spelled { name, spelling }) => {
                    // Of two spellings of one name the first is the one that is looked up.
                    let is_it = spelling == 0 || members.member(name).is_some_and(|first| std::ptr::eq(first, member));
                    if is_it {
                        self.known(member, &self.catalogue.uses[usize::from(name.0)], place);
                    }
                }
            }
        }
    }

    fn is_passed_over(&self, name: NameId, value: &Json<'_>) -> bool {
        self.passed_over.iter().any(|passed| match passed {
            PassedOver::Bag(bag) => *bag == name && value.is_object(),
            PassedOver::Id(id) => *id == name && text(value).is_some(),
        })
    }

    /// What stands around a list is about all of its elements: only what may be stored in clear is taken of it.
    fn around(&mut self, members: &Members<'a>) {
        for member in members.iter() {
            let used = member.spelled.and_then(|Spelled { name, .. }| self.catalogue.uses[usize::from(name.0)].field);
            if let Some(used) = used.filter(|used| self.catalogue.fields[used.field].is_clear) {
                self.take(used, member.value, FIRST + 1);
            }
        }
    }

    fn known(&mut self, member: &Member<'a>, used: &'static MemberUse, place: u16) {
        if !used.stands_alone {
            return self.unknown(member, None, place);
        }
        match member.value {
            Json::Null => {}
            Json::Object(inside) if !used.inner.is_empty() && !used.inner_list => {
                for inner in Members::of(self.catalogue, inside).iter() {
                    let known = inner.spelled.and_then(|Spelled { name, .. }| field_of(used, name));
                    match known {
                        Some(field) => self.take(field, inner.value, place),
                        None => self.unknown(inner, Some(member.key), place),
                    }
                }
            }
            value => {
                let whole = match value {
                    Json::Array(items) if used.inner_list => self.elements(items, used, place),
                    _ => true,
                };
                let Some(field) = used.field else { return };
                self.bag(member, &self.catalogue.fields[field.field], place);
                if whole {
                    self.take(field, value, place);
                }
            }
        }
    }

    /// The fields of a list's elements, each of the first that has it; whether the elements say anything else.
    fn elements(&mut self, items: &'a [Json<'a>], used: &'static MemberUse, place: u16) -> bool {
        let mut says_more = false;
        for item in items.iter().filter(|item| says_something(item)) {
            let Some(object) = item.as_object() else {
                says_more = true;
                continue;
            };
            for member in Members::of(self.catalogue, object).iter().filter(|member| says_something(member.value)) {
                match member.spelled.and_then(|Spelled { name, .. }| field_of(used, name)) {
                    Some(field) => self.take(field, member.value, place),
                    None => says_more = true,
                }
            }
        }
        says_more
    }

    /// What a field holds whose members no description lists, or an object where the description knows a value.
    fn bag(&mut self, member: &Member<'a>, field: &FieldDefinition, place: u16) {
        let holds = match field.is_bag {
            true => holds_members(member.value),
            false => member.value.is_object() && !field.is_dropped,
        };
        if holds {
            let is_named = !field.is_bag && !field.is_clear;
            let unlisted = Unlisted { side: field.side, is_named, ..self.unlisted(member, None, place) };
            self.event.bags.push(unlisted);
        }
    }

    fn unknown(&mut self, member: &Member<'a>, inside: Option<&'a str>, place: u16) {
        let unlisted = self.unlisted(member, inside, place);
        self.event.extra.push(unlisted);
    }

    /// A member of the event's own, of a bag, or of the object `inside` one of them.
    fn unlisted(&self, member: &Member<'a>, inside: Option<&'a str>, bag: u16) -> Unlisted<'a> {
        let Member { key, value, .. } = *member;
        let nth = self.event.extra.len() + self.event.bags.len();
        Unlisted { name: member.name(), value, side: Side::Centre, is_named: false, nth, key, inside, bag }
    }

    fn take(&mut self, used: FieldUse, value: &'a Json<'a>, place: u16) {
        if !says_something(value) {
            return;
        }
        let definition = &self.catalogue.fields[used.field];
        // An entity's type and id are the record, and shown as such.
        if matches!(self.event.record, Record::Entity { .. }) && [ENTITY_ID, "entity_type"].contains(&definition.name) {
            return;
        }
        let value = match Some(used.scale).filter(|scale| *scale != 1).and_then(|scale| scaled(value, scale)) {
            Some(number) => Stated::Derived(Json::from(number)),
            None => Stated::Sent(value),
        };
        let rank = (place, used.rank);
        let field = Field { name: definition.name, value };
        match self.ranks.iter().position(|(field, _)| *field == used.field) {
            None => {
                self.ranks.push((used.field, rank));
                self.event.fields.push(field);
            }
            Some(at) if rank < self.ranks[at].1 => {
                self.ranks[at].1 = rank;
                self.event.fields[at] = field;
            }
            Some(_) => {}
        }
    }

    /// A field that no member is, if none was.
    fn derived(&mut self, field: usize, value: Json<'a>) {
        if !self.ranks.iter().any(|(taken, _)| *taken == field) {
            self.ranks.push((field, (u16::MAX, 0)));
            self.event.fields.push(Field { name: self.catalogue.fields[field].name, value: Stated::Derived(value) });
        }
    }

    /// What needs the whole event: an outcome's word means what it meant at the event's time.
    fn finish(self) {
        let Self { catalogue, ranks, event, .. } = self;
        let outcome = ranks.iter().position(|(field, _)| catalogue.fields[*field].is_outcome);
        if let Some(at) = outcome
            && let Some(word) = text(&event.fields[at].value)
        {
            let meaning = catalogue.outcome(&word, event.occurred_at_ms);
            event.unknown_outcome = meaning.is_none();
            let meaning = Stated::Derived(Json::from(meaning.unwrap_or(UNKNOWN)));
            let raw = std::mem::replace(&mut event.fields[at].value, meaning);
            let shared = &catalogue.shared;
            let word = if event.unknown_outcome { shared.outcome_unlisted } else { shared.outcome_source };
            event.fields.push(Field { name: catalogue.fields[word].name, value: raw });
        }
    }
}

/// A number times this, exactly: a whole one, or a decimal one, also in a text, of which so much is whole. `None` if it is none.
fn scaled(value: &Json<'_>, scale: i64) -> Option<i64> {
    if let Some(number) = whole(value) {
        return Some(number.saturating_mul(scale));
    }
    let text = match value {
        Json::Number(number) => number.lexeme(),
        Json::String(text) => text.trim(),
        _ => return None,
    };
    let (before, behind) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if before.is_empty() || !is_digits(before) || !is_digits(behind) {
        return None;
    }
    let behind = behind.trim_end_matches('0');
    let number: i64 = format!("{before}{behind}").parse().ok()?;
    let (scaled, unit) = (number.checked_mul(scale)?, 10_i64.checked_pow(behind.len().try_into().ok()?)?);
    (scaled % unit == 0).then_some(scaled / unit)
}

/// Whether a value holds others, or may: it may be JSON in a string.
fn holds_members(value: &Json<'_>) -> bool {
    match value {
        Json::Array(_) | Json::Object(_) => true,
        Json::String(text) => text.trim_ascii_start().starts_with(['{', '[']),
        _ => false,
    }
}

/// The outcome that no row of the look-up knows.
const UNKNOWN: &str = "UNKNOWN";

fn field_of(used: &MemberUse, name: NameId) -> Option<FieldUse> {
    used.inner.iter().find(|(inner, _)| *inner == name).map(|(_, field)| *field)
}

/// The milliseconds between two members that are times, the second not before the first.
fn between_ms(own: &Members<'_>, (from, to): (NameId, NameId)) -> Option<i64> {
    let at = |name: NameId| own.get(name).and_then(instant::parse_value);
    at(to)?.checked_sub(at(from)?).filter(|ms| *ms >= 0)
}
