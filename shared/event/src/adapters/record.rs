//! What an event is about: the ways of a shape, tried in order.

use std::borrow::Cow;

use super::declared::{Reading, text};
use super::layers::Members;
use super::{entity_kind, refusal_of_id};
use crate::catalogue::{NameId, Shape, Way};
use crate::document::Rejection;
use crate::source_event::Record;

/// Whether any layer names an interaction, usable or not.
pub(super) fn names_interaction(reading: &Reading<'_>) -> bool {
    named(reading).is_some()
}

/// The interaction that the layers name, by the innermost that names one.
fn named<'a>(reading: &Reading<'a>) -> Option<Cow<'a, str>> {
    let names = &reading.catalogue.shared.interaction;
    reading.layers.inside_out().find_map(|layer| first_text(&layer.members, names))
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
            Way::Layers => named(self).map(interaction).transpose(),
            Way::Bags => {
                let bags = catalogue.bags.iter().filter(|bag| bag.interaction);
                let names = &catalogue.shared.interaction;
                let named = bags.filter_map(|bag| {
                    let (_, members) = self.bags.iter().find(|(key, _)| *key == bag.key)?;
                    first_text(members, names)
                });
                named.into_iter().next().map(interaction).transpose()
            }
            Way::Entity => {
                let kind = own.first(catalogue.shared.entity_type, text);
                let id = catalogue.shared.entity_id.iter().find_map(|path| match path.inner {
                    None => own.first(path.first, text),
                    Some(_) => own.at(catalogue, path).and_then(text),
                });
                match (kind, id) {
                    (Some(kind), Some(id)) => entity(kind, id).map(Some),
                    _ => Ok(None),
                }
            }
            Way::Interaction(name) => own.get(*name).and_then(text).map(interaction).transpose(),
            Way::Fixed { kind, id, begins } => match own.get(*id).and_then(text) {
                Some(id) if id.starts_with(begins) => entity(Cow::Borrowed(*kind), id).map(Some),
                _ => Ok(None),
            },
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
                        entity(kind, id).map(Some)
                    }
                    _ => Ok(None),
                }
            }
        }
    }
}

fn interaction(id: Cow<'_, str>) -> Result<Record<'_>, Rejection> {
    refusal_of_id(&id).map_or(Ok(Record::Interaction(id)), Err)
}

fn entity<'a>(kind: Cow<'a, str>, id: Cow<'a, str>) -> Result<Record<'a>, Rejection> {
    if let Some(refusal) = refusal_of_id(&id) {
        return Err(refusal);
    }
    let kind = if entity_kind(&kind) == kind { kind } else { Cow::Borrowed("Other") };
    Ok(Record::Entity { kind, id })
}
