//! The names that the pass knows, and what each is by the place it stands in.
//!
//! The ranks are the adapters' order: the inner layer first, in a layer one name before the other, the bags at last.

use crate::sensitive;

/// Where in a document the pass stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Root,
    Detail,
    /// `eventBody` or `auditEvent`: what the event itself says.
    Body,
    /// `entity` of an audit, by the level of what it stands in.
    Entity(u8),
    /// A bag of names in which sources put a lineage token: the token's rank, without the order of its names.
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
    /// Something only an adapter understands.
    Unusual,
    /// `detail`.
    Detail,
    /// `eventBody`, by the level around it.
    EventBody(u8),
    /// `auditEvent`, likewise.
    AuditEvent(u8),
    Inside(Place),
}

#[inline]
pub(super) fn slot(place: Place, key: &[u8]) -> Slot {
    match place {
        Place::Elsewhere => names_siblings(key),
        Place::Entity(level) => match key {
            b"id" => Slot::EntityId(2 * level + 1),
            _ => names_siblings(key),
        },
        Place::Bag(rank) => match key {
            b"lineageToken" => Slot::Token(rank),
            b"lineage_token" => Slot::Token(rank + 1),
            b"lineageProvenance" => Slot::Unusual,
            _ => in_bag(key),
        },
        Place::Data => in_bag(key),
        Place::Root | Place::Detail | Place::Body => shared_slot(place, key),
    }
}

#[inline]
fn in_bag(key: &[u8]) -> Slot {
    match key {
        b"conversationId" | b"interactionId" => Slot::BagInteraction,
        _ => names_siblings(key),
    }
}

/// The names that all adapters share, by length first: most keys are none of them and should cost little.
#[inline]
fn shared_slot(place: Place, key: &[u8]) -> Slot {
    let level = place.level();
    let bag = |order: u8| Slot::Inside(Place::Bag(2 * (3 * (order + 1) + level)));
    match (key.len(), key) {
        (3, b"org") => Slot::Org(4 * level + 2),
        (4, b"data") => Slot::Inside(Place::Data),
        (4, b"time") => Slot::Time(level, 3),
        (5, b"orgId") => Slot::Org(4 * level + 1),
        (6, b"source") if place == Place::Root => Slot::Source,
        (6, b"detail") if place == Place::Root => Slot::Detail,
        (6, b"entity") => Slot::Inside(Place::Entity(level)),
        (7, b"details") => bag(4),
        (7, b"payload") => bag(2),
        (8, b"entityId") => Slot::EntityId(2 * level),
        (8, b"metadata") => bag(3),
        (8, b"tenantId") => Slot::Org(4 * level + 3),
        (9, b"eventBody") if place != Place::Body => Slot::EventBody(level),
        (9, b"eventTime") => Slot::Time(level, 0),
        (9, b"timestamp") => Slot::Time(level, 2),
        (9, b"topicName") => Slot::Topic(level),
        (10, b"attributes") => bag(1),
        (10, b"auditEvent") if place != Place::Body => Slot::AuditEvent(level),
        (10, b"entityType") => Slot::EntityType(level),
        (10, b"occurredAt") => Slot::Time(level, 1),
        (11, b"detail-type") if place == Place::Root => Slot::DetailType,
        (11, b"aggregateId") | (13, b"aggregateType") | (17, b"lineageProvenance") => Slot::Unusual,
        (12, b"customFields") => bag(0),
        (12, b"lineageToken") => Slot::Token(2 * level),
        (13, b"interactionId") => Slot::Interaction(2 * level + 1),
        (13, b"lineage_token") => Slot::Token(2 * level + 1),
        (14, b"conversationId") => Slot::Interaction(2 * level),
        (14, b"organizationId") => Slot::Org(4 * level),
        _ => names_siblings(key),
    }
}

#[inline]
fn names_siblings(key: &[u8]) -> Slot {
    if sensitive::names_siblings(key) { Slot::Names } else { Slot::Nothing }
}
