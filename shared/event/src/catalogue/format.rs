//! The description as it is written: the members of `builtin.toml`, and nothing that they mean.
//!
//! Invariant: an unknown member is refused, so that a misspelt one is not silently without effect.

use std::collections::BTreeMap;

use ledgerline_privacy::{Side, Store};
use serde::Deserialize;

/// The whole description.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    pub(super) version: String,
    pub(super) outcome_map: String,
    pub(super) names: Names,
    pub(super) layer: Vec<Layer>,
    pub(super) bag: Vec<Bag>,
    pub(super) shape: Vec<Shape>,
    #[serde(default)]
    pub(super) not_event: Vec<NotEvent>,
    pub(super) kind: Vec<Kind>,
    #[serde(default)]
    pub(super) filter: Vec<Filter>,
    pub(super) state_changes: StateChanges,
    pub(super) any_media: AnyMedia,
    #[serde(default)]
    pub(super) refine: Vec<Refine>,
    #[serde(default)]
    pub(super) prefixes: BTreeMap<String, Prefix>,
    #[serde(default)]
    pub(super) process_names: BTreeMap<String, String>,
    pub(super) sessions: Sessions,
    pub(super) entities: Entities,
    #[serde(default)]
    pub(super) refs: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(super) outcome: Vec<Outcome>,
    pub(super) identifier: Vec<Identifier>,
    pub(super) field: Vec<Field>,
}

/// What all shapes name alike.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Names {
    pub(super) interaction: Vec<String>,
    pub(super) time: Vec<String>,
    pub(super) token: Vec<String>,
    pub(super) provenance: Vec<String>,
    pub(super) org: Vec<String>,
    pub(super) entity_type: String,
    pub(super) entity_id: Vec<String>,
    pub(super) schema_version: Vec<String>,
    pub(super) participant: Vec<String>,
    pub(super) session: Vec<String>,
    pub(super) source_name: Vec<String>,
    pub(super) sequence: Vec<String>,
    pub(super) kind_word: Vec<String>,
    pub(super) state: Vec<String>,
    pub(super) delivery: Vec<String>,
    pub(super) ignored: Vec<String>,
    pub(super) display: Vec<String>,
    pub(super) placeholder_ids: Vec<String>,
}

/// A layer of a document.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Layer {
    pub(super) key: String,
    #[serde(default)]
    pub(super) when: Vec<String>,
    #[serde(default)]
    pub(super) needs: Vec<String>,
    #[serde(default)]
    pub(super) envelope: bool,
    #[serde(default)]
    pub(super) list: bool,
    #[serde(default)]
    pub(super) flat: bool,
    #[serde(default)]
    pub(super) anonymous: bool,
    #[serde(default)]
    pub(super) text: bool,
    #[serde(default)]
    pub(super) rare: bool,
}

/// An object inside a layer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bag {
    pub(super) key: String,
    #[serde(default)]
    pub(super) token: bool,
    #[serde(default)]
    pub(super) interaction: bool,
    #[serde(default)]
    pub(super) fields: bool,
}

/// What a source's documents look like, and how they are read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shape {
    pub(super) name: String,
    pub(super) source: Option<String>,
    pub(super) hook: Option<ShapeHook>,
    pub(super) layer: Option<String>,
    pub(super) topic: Option<Topic>,
    #[serde(default)]
    pub(super) all: Vec<String>,
    #[serde(default)]
    pub(super) any: Vec<String>,
    #[serde(default)]
    pub(super) objects: Vec<String>,
    #[serde(default)]
    pub(super) equals: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) anonymous: bool,
    #[serde(default)]
    pub(super) record: Vec<Way>,
    pub(super) kind: Option<KindRule>,
    pub(super) otherwise: Option<String>,
    #[serde(default)]
    pub(super) native: Vec<String>,
    pub(super) lifecycle: Option<Lifecycle>,
    pub(super) time: Option<Vec<String>>,
    #[serde(default)]
    pub(super) derive: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) except: Vec<String>,
    #[serde(default = "yes")]
    pub(super) identify: bool,
}

fn yes() -> bool {
    true
}

/// What only code can say of a shape.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ShapeHook {
    /// What AWS services say about themselves on the event bus.
    AwsService,
    /// Genesys' conversation topics: the detail-type tells the kind, else the topic's name.
    GenesysTopic,
}

/// The topic that a shape's documents carry.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Topic {
    pub(super) begins: String,
    #[serde(default)]
    pub(super) ends: String,
    /// Without it the topic is stored as it is called, its ids taken out.
    pub(super) template: Option<String>,
    /// The detail-type alone counts where there is one; otherwise either name of the topic may match.
    #[serde(default)]
    pub(super) detail_type_decides: bool,
}

/// A way to what an event is about.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum Way {
    /// `layers`, `bags` or `entity`: by the names that all shapes share.
    Shared { from: Shared },
    /// An interaction that this member names.
    Interaction { interaction: String },
    /// An entity of a fixed type, if its id begins so.
    Fixed { entity: String, id: String, begins: String },
    /// An entity of a fixed type whose id the topic's name has after this, or one of these members.
    InTopic {
        entity: String,
        after: String,
        #[serde(default)]
        or: Vec<String>,
    },
    /// An entity whose type and id these members name.
    Named {
        entity_type: String,
        id: String,
        #[serde(default)]
        unless: Vec<String>,
        topic_id: Option<String>,
    },
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum Shared {
    Layers,
    Bags,
    Entity,
}

/// How a shape's kind is told.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum KindRule {
    Fixed(String),
    By { by: String, present: String, absent: String },
}

/// Well-formed documents that are no events.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NotEvent {
    #[serde(default)]
    pub(super) all: Vec<String>,
    #[serde(default)]
    pub(super) any: Vec<String>,
}

/// One event type.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kind {
    #[serde(rename = "type")]
    pub(super) event_type: String,
    pub(super) activity: String,
    #[serde(default)]
    pub(super) lifecycle: Lifecycle,
    pub(super) rank: u8,
    pub(super) session: Option<SessionPart>,
    #[serde(default)]
    pub(super) topic: bool,
    #[serde(default, rename = "final")]
    pub(super) is_final: bool,
    #[serde(default)]
    pub(super) agents_leg: bool,
    #[serde(default)]
    pub(super) by_agents: bool,
    #[serde(default)]
    pub(super) widen: bool,
    #[serde(default)]
    pub(super) words: Vec<String>,
}

#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "snake_case")]
pub(super) enum Lifecycle {
    Start,
    #[default]
    Complete,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum SessionPart {
    End,
}

/// Kinds that are filtered always.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    pub(super) name: String,
    pub(super) kinds: Vec<String>,
}

/// What a deployment keeps that asks for changes of state alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StateChanges {
    pub(super) keep: Vec<String>,
    pub(super) drop: Vec<String>,
}

/// What a deployment keeps whatever media it asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnyMedia {
    pub(super) keep: Vec<String>,
}

/// What makes another kind or activity of a kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refine {
    pub(super) kind: String,
    pub(super) member: Option<String>,
    #[serde(default, rename = "is")]
    pub(super) words: Vec<String>,
    #[serde(default)]
    pub(super) empty: Vec<String>,
    pub(super) becomes: Option<String>,
    pub(super) activity: Option<String>,
}

/// What may stand before a source's word.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prefix {
    pub(super) media: Option<String>,
    /// Kinds whose words do not follow it.
    #[serde(default)]
    pub(super) not: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sessions {
    pub(super) lasting_by: Vec<String>,
}

/// What the ids of entities are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entities {
    pub(super) impersonal: Vec<String>,
    #[serde(default)]
    pub(super) agents: Vec<String>,
}

/// What sources call an outcome.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Outcome {
    pub(super) is: String,
    pub(super) words: Vec<String>,
    pub(super) from: Option<String>,
    pub(super) until: Option<String>,
}

/// Members that name the customer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Identifier {
    pub(super) kind: Option<String>,
    pub(super) from: Vec<String>,
    pub(super) otherwise: Option<String>,
    pub(super) direction: Option<String>,
    #[serde(default)]
    pub(super) kinds: Vec<String>,
    #[serde(default)]
    pub(super) other_kinds: Vec<String>,
    #[serde(default)]
    pub(super) entities: Vec<String>,
    #[serde(default)]
    pub(super) id: Vec<String>,
    #[serde(default)]
    pub(super) id_type: Vec<String>,
    #[serde(default)]
    pub(super) types: BTreeMap<String, String>,
}

/// A field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Field {
    pub(super) name: String,
    #[serde(default)]
    pub(super) from: Vec<String>,
    pub(super) rule: Option<String>,
    pub(super) store: Option<Store>,
    pub(super) party: Option<Side>,
    pub(super) look_up: Option<LookUp>,
    /// Silver keeps it among the fields without a column.
    #[serde(default)]
    pub(super) custom: bool,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum LookUp {
    Outcome,
}
