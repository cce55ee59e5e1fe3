//! What a member of the description is by the place that it stands in.
//!
//! The ranks are the adapters' order: the inner layer first, in a layer one name before the other and one spelling before the
//! other, the bags at last.

use crate::catalogue::{PassName, Role, SPELLINGS};
use crate::sensitive;

/// Where in a document the pass stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Root,
    Detail,
    /// What the event itself says: `eventBody` or `auditEvent`.
    Body,
    /// `entity` of an audit, by the level of what it stands in.
    Entity(u8),
    /// A bag of names in which sources put a lineage token: the token's rank, without its spelling.
    Bag(u8),
    /// A bag in which they put anything else.
    Data,
    Elsewhere,
}

impl Place {
    /// The level of a layer.
    fn level(self) -> u8 {
        match self {
            Self::Body => 0,
            Self::Detail => 1,
            _ => 2,
        }
    }
}

/// What a member of an object is to the pass. Each number is a rank.
#[derive(Debug, Clone, Copy)]
pub(super) enum Slot {
    Nothing,
    Source,
    DetailType,
    /// `topicName`, by level.
    Topic(u8),
    Org(u8),
    Interaction(u8),
    /// An interaction in a bag.
    BagInteraction,
    EntityType(u8),
    EntityId(u8),
    /// Level and rank.
    Time(u8, u8),
    Token(u8),
    /// A member whose value names its siblings: `{"property": "password", "newValues": …}`.
    Names,
    /// A mark of a shape that names its record in a way of its own.
    Shaped,
    /// Something only an adapter understands.
    Unusual,
    /// What is inside an envelope.
    Envelope,
    /// The layer of this number, by the level around it.
    Body(u8, u8),
    /// A list of events, by level.
    Batch(u8),
    /// What stands beside one.
    BatchMark(u8),
    Inside(Place),
}

#[inline]
pub(super) fn slot(place: Place, found: Option<PassName>, key: &[u8]) -> Slot {
    let known = match (place, found) {
        (_, None) | (Place::Elsewhere, _) => Slot::Nothing,
        (Place::Entity(level), Some(PassName { role: Role::Id, spelling })) => {
            Slot::EntityId(SPELLINGS * (2 * level + 1) + spelling)
        }
        (Place::Bag(rank), Some(PassName { role: Role::Token, spelling })) => Slot::Token(rank + spelling),
        (Place::Bag(_), Some(PassName { role: Role::Provenance, .. })) => Slot::Unusual,
        (Place::Bag(_) | Place::Data, Some(PassName { role: Role::Interaction(_), .. })) => Slot::BagInteraction,
        // A bag in a bag may name the interaction, too.
        (Place::Bag(_) | Place::Data, Some(PassName { role: Role::Bag(_) | Role::Data, .. })) => Slot::Shaped,
        (Place::Entity(_) | Place::Bag(_) | Place::Data, _) => Slot::Nothing,
        (Place::Root | Place::Detail | Place::Body, Some(found)) => in_layer(place, found),
    };
    match known {
        Slot::Nothing if sensitive::names_siblings(key) => Slot::Names,
        known => known,
    }
}

#[inline]
fn in_layer(place: Place, PassName { role, spelling }: PassName) -> Slot {
    let level = place.level();
    let ranked = |at: u8| SPELLINGS * at + spelling;
    match role {
        // Which of two spellings of a holder counts, the adapter knows.
        Role::Entity | Role::Envelope | Role::Body(_) | Role::Bag(_) | Role::Data if spelling > 0 => Slot::Unusual,
        Role::Source if place == Place::Root => Slot::Source,
        Role::DetailType if place == Place::Root => Slot::DetailType,
        Role::DetailType => Slot::Unusual,
        Role::Topic => Slot::Topic(level),
        Role::Org(at) => Slot::Org(ranked(4 * level + at)),
        Role::Interaction(at) => Slot::Interaction(ranked(4 * level + at)),
        Role::EntityType => Slot::EntityType(ranked(level)),
        Role::EntityId => Slot::EntityId(ranked(2 * level)),
        Role::Entity => Slot::Inside(Place::Entity(level)),
        Role::Time(at) => Slot::Time(level, ranked(at)),
        Role::Token => Slot::Token(ranked(level)),
        Role::Envelope if place == Place::Root => Slot::Envelope,
        // An envelope in an envelope.
        Role::Envelope => Slot::Unusual,
        Role::Body(layer) if place != Place::Body => Slot::Body(layer, level),
        Role::Bag(order) => Slot::Inside(Place::Bag(SPELLINGS * (3 * (order + 1) + level))),
        Role::Data => Slot::Inside(Place::Data),
        Role::Batch if place != Place::Body => Slot::Batch(level),
        Role::BatchMark if place != Place::Body => Slot::BatchMark(level),
        Role::Shaped => Slot::Shaped,
        Role::Provenance | Role::Adapter => Slot::Unusual,
        Role::Source | Role::Body(_) | Role::Batch | Role::BatchMark | Role::Id => Slot::Nothing,
    }
}
