//! What an event is about: the ways of a shape, tried in order.

use std::borrow::Cow;

use ledgerline_json::{Json, Stated};

use super::declared::{Reading, text};
use super::layers::Members;
use super::{entity_kind, refusal_of_id};
use crate::catalogue::{Catalogue, KindId, NameId, Shape, Way};
use crate::document::Rejection;
use crate::source_event::{Field, Named, Record, SourceEvent};
use ledgerline_privacy::Personal;

/// Takes the record's own id as an identifier where the description says that it names a customer: that of a contact, say. As a field,
/// if it may be another person's: what is stored of the record shows an alias there.
pub(super) fn identify_entity(catalogue: &Catalogue, kind: KindId, event: &mut SourceEvent<'_>) {
    let Record::Entity { kind: entity, id, .. } = &event.record else { return };
    let named = catalogue.identifiers.iter().filter_map(|rule| rule.kind_of_entity(entity, kind));
    event.identifiers.extend(named.map(|named| (named, Personal::new(&**id))));
    let value = Stated::Derived(Json::String(id.clone()));
    match event.identifiers.len() {
        0 if catalogue.is_impersonal(entity) => {}
        0 => event.fields.push(Field { name: ENTITY_ID, value }),
        all => event.named.extend((0..all).map(|identifier| Named { identifier, value: value.clone(), list: None })),
    }
}

/// The field of an entity's id.
pub(super) const ENTITY_ID: &str = "entity_id";

/// Whether anything names a record by the names that all shapes share, usable or not.
pub(super) fn is_named(reading: &Reading<'_>) -> bool {
    let own = reading.own();
    let shared = &reading.catalogue.shared;
    let entity = own.first(shared.entity_type, text).is_some()
        && shared.entity_id.iter().any(|path| own.says(reading.catalogue, path));
    entity || interactions(reading).next().is_some()
}

/// Every id by which a layer or a bag names an interaction.
pub(super) fn interactions<'r, 'a>(reading: &'r Reading<'a>) -> impl Iterator<Item = Cow<'a, str>> + 'r {
    let layers = reading.layers.of_the_event().map(|layer| &layer.members);
    let all = layers.chain(reading.own_and_bags());
    all.flat_map(|members| reading.catalogue.shared.interaction.iter().filter_map(|name| members.first(*name, text)))
}

/// The interaction that the layers name, by the innermost that names one.
fn named<'a>(reading: &Reading<'a>) -> Option<Cow<'a, str>> {
    let names = &reading.catalogue.shared.interaction;
    reading.layers.of_the_event().find_map(|layer| first_text(&layer.members, names))
}

fn first_text<'a>(members: &Members<'a>, names: &[NameId]) -> Option<Cow<'a, str>> {
    names.iter().find_map(|name| members.first(*name, text))
}

impl<'a> Reading<'a> {
    /// The record, by the first of the shape's ways that leads to one.
    pub(super) fn record(&self, shape: &Shape) -> Result<Record<'a>, Rejection> {
        for way in &shape.record {
            if let Some(record) = self.by(way)? {
                return Ok(record);
            }
        }
        let own = self.own();
        let holds = |path: &crate::catalogue::MemberPath| own.says(self.catalogue, path);
        Err(if self.catalogue.is_not_event(holds) { Rejection::NotAnEvent } else { Rejection::NoRecord })
    }

    fn by(&self, way: &Way) -> Result<Option<Record<'a>>, Rejection> {
        let (catalogue, own) = (self.catalogue, self.own());
        match way {
            Way::Layers => named(self).map(|id| self.interaction(id)).transpose(),
            Way::Bags => {
                // From the outside in: a bag comes before those inside it.
                let names = |key: NameId| catalogue.bags.iter().any(|bag| bag.interaction && bag.key == key);
                let mut bags = self.bags.iter().filter(|bag| names(bag.name));
                let named = bags.find_map(|bag| first_text(&bag.members, &catalogue.shared.interaction));
                named.map(|id| self.interaction(id)).transpose()
            }
            Way::Entity => {
                let kind = own.first(catalogue.shared.entity_type, text);
                let id = catalogue.shared.entity_id.iter().find_map(|path| match path.inner {
                    None => own.first(path.first, text),
                    Some(_) => own.at(catalogue, path).and_then(text),
                });
                match (kind, id) {
                    (Some(kind), Some(id)) => self.entity(kind, id).map(Some),
                    _ => Ok(None),
                }
            }
            Way::Interaction(name) => own.get(*name).and_then(text).map(|id| self.interaction(id)).transpose(),
            Way::Fixed { kind, id, begins } => match own.get(*id).and_then(text) {
                Some(id) if id.starts_with(begins) => self.entity(Cow::Borrowed(*kind), id).map(Some),
                _ => Ok(None),
            },
            Way::InTopic { kind, after, or } => {
                let names = [self.topic_name(), self.detail_type].into_iter().flatten();
                let in_name = |name: &'a str| {
                    let id = name.strip_prefix(after)?.split('.').next()?;
                    (!id.is_empty() && id != "{id}").then_some(Cow::Borrowed(id))
                };
                let in_body = || or.iter().find_map(|path| own.at(catalogue, path).and_then(text));
                let id = names.into_iter().find_map(in_name).or_else(in_body);
                id.map(|id| self.entity(Cow::Borrowed(*kind), id)).transpose()
            }
            Way::Named { kind, id, unless, topic_id } => {
                let kind = own.first(*kind, text);
                // An entity that is gone is named by the topic alone.
                let in_topic = || {
                    let (_, id) = self.topic_name()?.rsplit_once((*topic_id)?)?;
                    (id != "{id}").then_some(Cow::Borrowed(id))
                };
                let id = own.at(catalogue, id).and_then(text).or_else(in_topic);
                match (kind, id) {
                    (Some(kind), Some(id)) if !unless.iter().any(|other| kind.eq_ignore_ascii_case(other)) => {
                        self.entity(kind, id).map(Some)
                    }
                    _ => Ok(None),
                }
            }
        }
    }

    fn interaction(&self, id: Cow<'a, str>) -> Result<Record<'a>, Rejection> {
        match refusal_of_id(&id) {
            Some(Rejection::NumericId) if self.may_be_numbered() => {}
            Some(refusal) => return Err(refusal),
            None => {}
        }
        Ok(Record::Interaction(id))
    }

    fn entity(&self, kind: Cow<'a, str>, id: Cow<'a, str>) -> Result<Record<'a>, Rejection> {
        // An entity may be a person, and its number a telephone's, wherever it comes from.
        refusal_of_id(&id).map_or(Ok(()), Err)?;
        let sent = kind.clone();
        let kind = if entity_kind(&kind) == kind { kind } else { Cow::Borrowed("Other") };
        Ok(Record::Entity { kind, id, sent })
    }

    /// Whether the deployment says that this source numbers its interactions: the envelope's where it names one, else the event's.
    fn may_be_numbered(&self) -> bool {
        let listed = |name: &str| self.context.numeric_id_sources.iter().any(|source| source == name);
        !self.context.numeric_id_sources.is_empty()
            && (self.source.or_else(|| self.source_name()).is_some_and(listed)
                || self.shape().is_some_and(|shape| listed(shape.source)))
    }
}
