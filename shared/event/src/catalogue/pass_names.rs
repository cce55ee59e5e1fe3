//! The names that the pass over the bytes knows, and what each is to it: those that tell record, time, organisation, token and
//! family. Everything else of a document is the adapter's alone.

use super::DescriptionError;
use super::format::{Description, Way};
use super::names::{KeyTable, spellings};

/// What a member is to the pass. A number is the name's place among those that say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The envelope's `source`.
    Source,
    /// The envelope's `detail-type`.
    DetailType,
    /// The topic's name.
    Topic,
    Org(u8),
    Interaction(u8),
    EntityType,
    EntityId,
    /// The object that holds an entity's id.
    Entity,
    /// The id in it.
    Id,
    Time(u8),
    Token,
    Provenance,
    /// The layer inside the envelope.
    Envelope,
    /// A layer that an event's own members stand in.
    Body(u8),
    /// A bag in which a lineage token may stand.
    Bag(u8),
    /// A bag in which an interaction may be named, and no token.
    Data,
    /// A list of events.
    Batch,
    /// What stands beside such a list.
    BatchMark,
    /// A member of a shape that names its record in a way of its own: what is an entity only an adapter can tell.
    Shaped,
    /// Something only an adapter understands.
    Adapter,
}

/// A role, and which spelling of its name was used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PassName {
    pub(crate) role: Role,
    pub(crate) spelling: u8,
}

/// The first role of a name is the one that counts.
///
/// # Errors
/// There are more names of one sort than the pass has ranks for.
pub(super) fn compile(said: &Description) -> Result<KeyTable<PassName>, DescriptionError> {
    for (what, count, most) in [
        ("organisations", said.names.org.len(), ORGS_MAX),
        ("interactions", said.names.interaction.len(), ORGS_MAX),
        ("bags", said.bag.len(), BAGS_MAX),
    ] {
        if count > most {
            return Err(DescriptionError(format!("it has {count} names of {what}; the pass has ranks for {most}")));
        }
    }
    let mut roles: Vec<(String, Role)> = Vec::new();
    let mut add = |name: &str, role: Role| roles.push((name.to_owned(), role));
    let names = &said.names;
    add("=source", Role::Source);
    add("=detail-type", Role::DetailType);
    add(super::compile::TOPIC_NAME, Role::Topic);
    for (at, name) in (0..).zip(&names.org) {
        add(name, Role::Org(at));
    }
    for (at, name) in (0..).zip(&names.interaction) {
        add(name, Role::Interaction(at));
    }
    add(&names.entity_type, Role::EntityType);
    for path in &names.entity_id {
        match path.split_once('.') {
            None => add(path, Role::EntityId),
            Some((holder, id)) => {
                add(holder, Role::Entity);
                add(id, Role::Id);
            }
        }
    }
    for (at, name) in (0..).zip(&names.time) {
        add(name, Role::Time(at));
    }
    names.token.iter().for_each(|name| add(name, Role::Token));
    names.provenance.iter().for_each(|name| add(name, Role::Provenance));
    for (at, layer) in (0..).zip(&said.layer) {
        let plain = layer.when.is_empty() && layer.needs.is_empty() && !layer.list && !layer.flat;
        if layer.rare {
            layer.when.iter().for_each(|name| add(name, Role::Adapter));
            continue;
        }
        let role = match layer {
            layer if layer.envelope => Role::Envelope,
            layer if layer.list => Role::Batch,
            _ if plain => Role::Body(at),
            _ => Role::Adapter,
        };
        add(&layer.key, role);
        if layer.list {
            layer.when.iter().for_each(|name| add(name, Role::BatchMark));
        }
        if layer.flat {
            let inside = names.interaction.iter().chain(&names.time).chain(&layer.needs);
            let keys = spellings(&layer.key);
            for name in inside.flat_map(|name| spellings(name)) {
                keys.iter().for_each(|key| add(&format!("={key}.{name}"), Role::Adapter));
            }
        }
    }
    for (order, bag) in (0..).zip(&said.bag) {
        add(&bag.key, if bag.token { Role::Bag(order) } else { Role::Data });
    }
    for shape in &said.shape {
        // Where all must stand, the last one tells enough, and is the rarest.
        if let Some(mark) = shape.all.last().filter(|_| shape.anonymous) {
            add(mark, Role::Shaped);
        }
        // One that has times of its own, wherever it stands, is read by its adapter alone.
        let is_flat = shape.layer.is_none() && shape.topic.is_none() && !shape.anonymous;
        if let Some(mark) = shape.all.last().filter(|_| is_flat && shape.time.is_some()) {
            add(mark, Role::Adapter);
        }
        for way in &shape.record {
            if let Way::Named { entity_type, id, .. } = way
                && *entity_type != names.entity_type
            {
                add(entity_type, Role::Adapter);
                add(id, Role::Adapter);
            }
        }
    }
    let spelled = roles.iter().flat_map(|(name, role)| {
        spellings(name)
            .into_iter()
            .zip(0..)
            .map(|(key, spelling)| (super::compile::leak(&key), PassName { role: *role, spelling }))
    });
    Ok(KeyTable::new(spelled))
}

/// Ranks of a level, in [`crate::head`]: four names in four spellings, times three levels, are 48.
const ORGS_MAX: usize = 4;
/// Four spellings at three levels of 20 bags are 240 ranks, after the twelve of the layers: a byte.
const BAGS_MAX: usize = 20;
