//! The description of the sources, compiled: which member is what, for the pass over the bytes and for the adapter alike.
//!
//! Invariant: no name of a member stands anywhere else in code. A description that contradicts itself does not compile, and
//! says what is wrong with which part of it. Left out: descriptions that users bring; nothing here assumes a single one.

mod compile;
mod filters;
mod format;
mod names;
mod outcomes;
mod pass_names;

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ledgerline_json::Json;
use ledgerline_privacy::identifier::Kind as IdentifierKind;
use ledgerline_privacy::pseudonym::is_alias;
use ledgerline_privacy::{Joinable, Policy, Side};
use serde_json::{Map, Value};

use crate::source_event::Lifecycle;
pub use filters::{BadMedium, Switches};
pub(crate) use format::ShapeHook;
pub(crate) use names::{KeyTable, NameId, SPELLINGS, Spelled, hash};
pub(crate) use pass_names::{PassName, Role};

/// What `builtin.toml` says, as canonical JSON.
const BUILT_IN: &str = include_str!("catalogue/builtin.json");

/// A compiled description.
#[derive(Debug)]
pub struct Catalogue {
    version: &'static str,
    policy: Policy,
    pub(crate) names: KeyTable<Spelled>,
    pub(crate) pass: KeyTable<PassName>,
    /// How the topics begin whose events are of a user, a queue or the platform, whatever else they name.
    pub(crate) entity_topics: Vec<&'static str>,
    /// What each name is as a member of an event, by its number.
    pub(crate) uses: Vec<MemberUse>,
    pub(crate) shared: SharedNames,
    pub(crate) layers: Vec<Layer>,
    pub(crate) bags: Vec<Bag>,
    pub(crate) shapes: Vec<Shape>,
    not_events: Vec<Presence>,
    kinds: Vec<Kind>,
    words: HashMap<&'static str, KindId>,
    pub(crate) refinements: Vec<Refinement>,
    prefixes: Vec<(&'static str, Prefix)>,
    process_names: Vec<(&'static str, &'static str)>,
    lasting_fields: Vec<&'static str>,
    outcome_map: &'static str,
    outcomes: HashMap<&'static str, Vec<OutcomeRow>>,
    /// Sorted.
    custom_fields: Vec<&'static str>,
    pub(crate) identifiers: Vec<IdentifierRule>,
    /// Types of entities whose ids name no person, each as [`plain_word`] writes it.
    impersonal: HashSet<&'static str>,
    /// Types of entities that are agents, or an agent's own.
    agents: HashSet<&'static str>,
    /// Types of entities whose ids are a customer's, as the description spells them, sorted.
    personal: Vec<&'static str>,
    joinable: Vec<(Joinable, Vec<&'static str>)>,
    pub(crate) fields: Vec<FieldDefinition>,
    pub(crate) well_known: WellKnown,
}

/// The built-in description.
pub fn built_in() -> &'static Catalogue {
    static COMPILED: LazyLock<Catalogue> = LazyLock::new(|| {
        #[expect(clippy::expect_used, reason = "the text is a constant, and the tests compile it")]
        Catalogue::read(BUILT_IN).expect("the built-in description compiles")
    });
    &COMPILED
}

/// Why a description does not compile: what is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the description of sources does not compile: {0}")]
pub struct DescriptionError(pub(crate) String);

impl Catalogue {
    /// Compiles a description, given as JSON.
    ///
    /// # Errors
    /// It is no description, or contradicts itself; the text names the part.
    pub fn read(json: &str) -> Result<Self, DescriptionError> {
        compile::compile(json)
    }

    /// The description's version, which every entry and silver row carries.
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// What may be stored in clear, of the fields that the description names.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether the ids of entities of this type name no person, in any case and spelling of it: it is on the description's list. The
    /// id of every other entity may be a person's.
    pub fn is_impersonal(&self, entity_type: &str) -> bool {
        self.impersonal.contains(plain_word(entity_type).as_str())
    }

    /// Whether entities of this type are agents or an agent's own, in any case and spelling of it: what is told of one is the agent's.
    pub fn is_agents(&self, entity_type: &str) -> bool {
        self.agents.contains(plain_word(entity_type).as_str())
    }

    /// What the ids of entities of this type are as identifiers of a customer, whatever is told of them; nothing for a user's, say.
    pub fn kinds_of_entity(&self, entity_type: &str) -> impl Iterator<Item = IdentifierKind> {
        let word = plain_word(entity_type);
        let kind = move |rule: &IdentifierRule| match rule.naming {
            Naming::Kind(kind) if rule.entities.contains(&word.as_str()) => Some(kind),
            _ => None,
        };
        self.identifiers.iter().filter_map(kind)
    }

    /// The types of entities whose ids are identifiers of a customer, as the description spells them: records that an alias names are
    /// looked for under these.
    pub fn personal_entities(&self) -> impl Iterator<Item = &'static str> {
        self.personal.iter().copied()
    }

    /// Whether a record is named `<type>/<id>` by the id that a source has for a person: where records are stored an alias stands
    /// there.
    pub fn has_raw_id(&self, record: &str) -> bool {
        let raw = |(kind, id): (&str, &str)| !self.is_impersonal(kind) && !id.contains('/') && !is_alias(id);
        record.split_once('/').is_some_and(raw)
    }

    /// The masked fields that silver has a ref of, by what they hold: of several the first that names somebody.
    pub fn joinable(&self) -> impl Iterator<Item = (Joinable, &[&'static str])> {
        self.joinable.iter().map(|(what, fields)| (*what, fields.as_slice()))
    }

    /// Whether nothing that stands under this key is sealed, wherever the key stands: the description drops it, or it is lineage, which
    /// an entry has by itself.
    pub fn is_never_sealed(&self, key: &str) -> bool {
        let Some(Spelled { name, .. }) = self.name_of(key) else { return false };
        let field = self.uses[usize::from(name.0)].field.map(|used| &self.fields[used.field]);
        let is_lineage = self.shared.token.contains(&name) || self.shared.provenance.contains(&name);
        is_lineage || field.is_some_and(|field| field.is_dropped)
    }

    /// Whether a member of this key says what the object around it is called.
    pub fn is_display_name(&self, key: &str) -> bool {
        self.name_of(key).is_some_and(|Spelled { name, .. }| self.shared.display.contains(&name))
    }

    /// Whether events of this type make no link, and only widen those that are there: deletions.
    pub fn only_widens(&self, event_type: &str) -> bool {
        self.kinds.iter().any(|kind| kind.widen && kind.event_type == event_type)
    }

    pub(crate) fn name_of(&self, key: &str) -> Option<Spelled> {
        self.names.find(hash(key.as_bytes()), key.as_bytes())
    }

    pub(crate) fn kind(&self, id: KindId) -> &Kind {
        &self.kinds[usize::from(id.0)]
    }

    /// The kind that Genesys' conversation topics of this last part have.
    pub(crate) fn kind_of_topic(&self, suffix: &str) -> Option<KindId> {
        let at = self.kinds.iter().position(|kind| kind.is_topic && kind.event_type == suffix)?;
        u8::try_from(at).ok().map(KindId)
    }

    /// The kind of a source's own word, and the medium that a prefix of it tells. Unknown words are `other`: the word itself is
    /// the source's and may hold anything.
    pub(crate) fn kind_of_word(&self, word: &str) -> (KindId, Option<&'static str>) {
        let plain = plain_word(word);
        if let Some(&kind) = self.words.get(plain.as_str()) {
            return (kind, None);
        }
        for (prefix, what) in &self.prefixes {
            let known = plain.strip_prefix(prefix).and_then(|rest| self.words.get(rest));
            if let Some(&kind) = known.filter(|kind| !what.not.contains(kind)) {
                return (kind, what.media);
            }
        }
        (self.well_known.other, None)
    }

    /// What an outcome's word means at that time; `None` if no row of the look-up knows it.
    pub fn outcome(&self, word: &str, occurred_at_ms: i64) -> Option<&'static str> {
        let rows = self.outcomes.get(plain_word(word).as_str())?;
        rows.iter().find(|row| (row.from_ms..row.until_ms).contains(&occurred_at_ms)).map(|row| row.meaning)
    }

    /// The version of the outcomes' look-up.
    pub fn outcome_map(&self) -> &'static str {
        self.outcome_map
    }

    /// The fields that silver has no column of their own for and keeps beside each other, sorted by name.
    pub fn custom_fields(&self) -> &[&'static str] {
        &self.custom_fields
    }

    /// The processes that interactions belong to whose source names none: direction and name.
    pub fn process_names(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.process_names.iter().copied()
    }

    /// Where events of this type stand among those of one instant; types that this version does not know come last.
    ///
    /// The end of a session that lasted, or may have lasted, stands before whatever begins in that instant: the agent's next
    /// session, say. One that lasted 0 ms ends after its own start.
    pub fn rank_of(&self, event_type: &str, lasted_ms: Option<i64>) -> u8 {
        self.kinds
            .iter()
            .find(|kind| kind.event_type == event_type)
            .map_or(u8::MAX, |kind| kind.rank_in_time(lasted_ms))
    }

    /// [`Catalogue::rank_of`] an entry, by its clear fields.
    pub fn rank_of_entry(&self, event_type: &str, fields: &Map<String, Value>) -> u8 {
        self.rank_of(event_type, self.lasted_ms(|name| fields.get(name)?.as_i64()))
    }

    /// How long an event's session lasted, by the fields that say so; `None` if none does.
    pub(crate) fn lasted_ms(&self, field: impl Fn(&str) -> Option<i64>) -> Option<i64> {
        self.lasting_fields.iter().filter_map(|name| field(name)).reduce(i64::saturating_add)
    }

    /// Whether an event of this type says that its interaction is over.
    pub fn is_final(&self, event_type: &str) -> bool {
        self.kinds.iter().any(|kind| kind.is_final && kind.event_type == event_type)
    }

    /// The types that a source's event can have.
    pub fn event_types(&self) -> impl Iterator<Item = &'static str> {
        self.kinds.iter().map(|kind| kind.event_type)
    }

    /// What Genesys' audits are known by, and which layers an entity may be named in: what the pass must know of shapes.
    pub(crate) fn audit_topic(&self) -> &'static str {
        let of_audit =
            |shape: &&Shape| shape.record.iter().any(|way| matches!(way, Way::Named { topic_id: Some(_), .. }));
        self.shapes.iter().find(of_audit).and_then(|shape| shape.topic.as_ref()).map_or("\u{0}", |topic| topic.begins)
    }

    /// Whether what stands in this layer may be about an entity that it names.
    pub(crate) fn may_name_entity(&self, layer: LayerId) -> bool {
        let ways = self.shapes.iter().filter(|shape| shape.layer == Some(layer)).flat_map(|shape| &shape.record);
        ways.into_iter().any(|way| matches!(way, Way::Entity))
    }

    /// Whether a document that names no record is something else of the guides': a subscription, an export, a request.
    pub(crate) fn is_not_event(&self, holds: impl Fn(&MemberPath) -> bool) -> bool {
        self.not_events.iter().any(|what| what.is_met(&holds))
    }
}

/// As many names as a layer's set of those that stand there has room for.
pub(crate) const NAMES_MAX: usize = 512;

/// A word's letters and digits, in lower case; what is longer than any known one is cut.
fn plain_word(word: &str) -> String {
    let mut plain = String::with_capacity(word.len().min(WORD_CHARS));
    plain.extend(word.chars().filter(char::is_ascii_alphanumeric).take(WORD_CHARS).map(|c| c.to_ascii_lowercase()));
    plain
}

const WORD_CHARS: usize = 48;

/// One of the description's event types, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KindId(u8);

/// An event type: what it is called in process mining, and where it stands among events of one instant.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) event_type: &'static str,
    pub(crate) activity: &'static str,
    pub(crate) lifecycle: Lifecycle,
    rank: u8,
    ends_session: bool,
    is_topic: bool,
    is_final: bool,
    /// The number dialled on it may be a colleague's.
    pub(crate) agents_leg: bool,
    /// An address in it may be that of the agent who did it.
    pub(crate) by_agents: bool,
    /// It names nobody new.
    pub(crate) widen: bool,
    /// What filters it always, by name.
    pub(crate) filter: Option<&'static str>,
    /// It is kept where changes of state alone are wanted.
    pub(crate) is_state_change: bool,
    /// It is kept whatever media are wanted.
    pub(crate) on_any_medium: bool,
}

impl Kind {
    /// Its rank, given how long the session lasted that it may be the end of.
    pub(crate) fn rank_in_time(&self, lasted_ms: Option<i64>) -> u8 {
        // A tenth of it: below all starts, which begin at 10, and the ends keep their order.
        if self.ends_session && lasted_ms != Some(0) { self.rank / 10 } else { self.rank }
    }
}

/// The kinds that code must name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WellKnown {
    pub(crate) state: KindId,
    pub(crate) other: KindId,
}

/// What a prefix of a word tells.
#[derive(Debug, Clone)]
struct Prefix {
    media: Option<&'static str>,
    not: Vec<KindId>,
}

/// A member, or a member of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemberPath {
    pub(crate) first: NameId,
    pub(crate) inner: Option<NameId>,
    /// The first of a list's elements that has the inner member.
    pub(crate) list: bool,
}

/// What a name is as a member of an event.
#[derive(Debug, Default)]
pub(crate) struct MemberUse {
    /// It stands in a layer itself, and not only inside a member.
    pub(crate) stands_alone: bool,
    pub(crate) field: Option<FieldUse>,
    /// The members of its object, or of its list's elements, that are fields.
    pub(crate) inner: Vec<(NameId, FieldUse)>,
    pub(crate) inner_list: bool,
}

/// A member as a field: which field, its rank among that field's members, and the factor to multiply by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldUse {
    pub(crate) field: usize,
    pub(crate) rank: u8,
    pub(crate) scale: i64,
}

/// A field.
#[derive(Debug)]
pub(crate) struct FieldDefinition {
    pub(crate) name: &'static str,
    /// Its value may be stored in clear.
    pub(crate) is_clear: bool,
    /// Its value is an outcome's word.
    pub(crate) is_outcome: bool,
    /// No description lists what stands in it.
    pub(crate) is_bag: bool,
    /// Nothing of it is kept.
    pub(crate) is_dropped: bool,
    /// Whose content it is.
    pub(crate) side: Side,
}

/// The names that all shapes share, in their order.
#[derive(Debug)]
pub(crate) struct SharedNames {
    pub(crate) interaction: Vec<NameId>,
    pub(crate) time: Vec<MemberPath>,
    pub(crate) token: Vec<NameId>,
    pub(crate) provenance: Vec<NameId>,
    pub(crate) org: Vec<NameId>,
    pub(crate) entity_type: NameId,
    pub(crate) entity_id: Vec<MemberPath>,
    pub(crate) schema_version: Vec<NameId>,
    pub(crate) participant: Vec<NameId>,
    pub(crate) session: Vec<NameId>,
    pub(crate) source_name: Vec<NameId>,
    pub(crate) sequence: Vec<NameId>,
    pub(crate) kind_word: Vec<NameId>,
    pub(crate) state: Vec<NameId>,
    pub(crate) placeholder_ids: Vec<&'static str>,
    pub(crate) topic_name: NameId,
    /// What an object is called, for people to read.
    pub(crate) display: Vec<NameId>,
    /// Fields that code fills.
    pub(crate) media: usize,
    pub(crate) duration: usize,
    pub(crate) outcome_source: usize,
    pub(crate) outcome_unlisted: usize,
}

/// A layer inside another.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) key: NameId,
    pub(crate) when: Vec<NameId>,
    pub(crate) needs: Vec<NameId>,
    pub(crate) is_envelope: bool,
    pub(crate) is_list: bool,
    /// Only where the layer around it names no interaction.
    pub(crate) anonymous: bool,
    /// It may be JSON in a string.
    pub(crate) is_text: bool,
    /// What stands before its members' names where they stand outside, in all its spellings.
    pub(crate) flat: Vec<&'static str>,
}

/// Which layer: its place in the description, counted from 1; 0 is the document itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LayerId(pub(crate) u8);

/// An object inside a layer.
#[derive(Debug)]
pub(crate) struct Bag {
    pub(crate) key: NameId,
    pub(crate) token: bool,
    pub(crate) interaction: bool,
    pub(crate) fields: bool,
}

/// Members that must hold a value.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    pub(crate) all: Vec<MemberPath>,
    pub(crate) any: Vec<MemberPath>,
}

impl Presence {
    pub(crate) fn is_met(&self, holds: impl Fn(&MemberPath) -> bool) -> bool {
        self.all.iter().all(&holds) && (self.any.is_empty() || self.any.iter().any(&holds))
    }
}

/// A shape, compiled.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) source: &'static str,
    pub(crate) hook: Option<ShapeHook>,
    pub(crate) layer: Option<LayerId>,
    pub(crate) topic: Option<Topic>,
    pub(crate) presence: Presence,
    pub(crate) objects: Vec<NameId>,
    pub(crate) equals: Vec<(NameId, &'static str)>,
    pub(crate) anonymous: bool,
    pub(crate) record: Vec<Way>,
    pub(crate) kind: KindRule,
    pub(crate) otherwise: Option<KindId>,
    pub(crate) native: Vec<MemberPath>,
    pub(crate) lifecycle: Option<Lifecycle>,
    /// The names of the time: its own, then those that all share.
    pub(crate) time: Vec<MemberPath>,
    /// The members between which the event lasted.
    pub(crate) duration: Option<(NameId, NameId)>,
    /// Members that no identity of the event rests on.
    pub(crate) except: Vec<MemberPath>,
    pub(crate) identify: bool,
}

#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) begins: &'static str,
    pub(crate) ends: &'static str,
    pub(crate) template: Option<&'static str>,
    pub(crate) detail_type_decides: bool,
}

/// A way to what an event is about.
#[derive(Debug)]
pub(crate) enum Way {
    Layers,
    Bags,
    Entity,
    Interaction(NameId),
    Fixed { kind: &'static str, id: NameId, begins: &'static str },
    InTopic { kind: &'static str, after: &'static str, or: Vec<MemberPath> },
    Named { kind: NameId, id: MemberPath, unless: Vec<&'static str>, topic_id: Option<&'static str> },
}

#[derive(Debug)]
pub(crate) enum KindRule {
    /// The source's own word.
    Word,
    Fixed(KindId),
    By {
        member: NameId,
        present: KindId,
        absent: KindId,
    },
}

/// What makes another kind or activity of a kind.
#[derive(Debug)]
pub(crate) struct Refinement {
    pub(crate) kind: KindId,
    pub(crate) when: When,
    pub(crate) becomes: KindId,
    pub(crate) activity: &'static str,
}

#[derive(Debug)]
pub(crate) enum When {
    /// The member is one of these words.
    Is(NameId, Vec<&'static str>),
    /// At least one of the members stands there, and none holds anything.
    Empty(Vec<NameId>),
}

/// Members that name the customer.
#[derive(Debug)]
pub(crate) struct IdentifierRule {
    pub(crate) naming: Naming,
    pub(crate) from: Vec<MemberPath>,
    pub(crate) direction: Option<&'static str>,
    /// The kinds of event in which they do; none: all but the other kinds.
    pub(crate) kinds: Vec<KindId>,
    pub(crate) other_kinds: Vec<KindId>,
    /// The types of entities whose own id is such a member's value, each as [`plain_word`] writes it.
    pub(crate) entities: Vec<&'static str>,
}

impl IdentifierRule {
    /// The kind of identifier that the id of such an entity is, in an event of this kind.
    pub(crate) fn kind_of_entity(&self, entity_type: &str, kind: KindId) -> Option<IdentifierKind> {
        let Naming::Kind(named) = self.naming else { return None };
        let holds = (self.kinds.is_empty() || self.kinds.contains(&kind)) && !self.other_kinds.contains(&kind);
        (holds && !self.entities.is_empty() && self.entities.contains(&plain_word(entity_type).as_str()))
            .then_some(named)
    }

    /// Whether its members are addresses: of the customer, or of whoever acted.
    pub(crate) fn names_address(&self) -> bool {
        let address = |kind: &IdentifierKind| matches!(kind, IdentifierKind::Phone | IdentifierKind::Email);
        matches!(&self.naming, Naming::Address(_)) || matches!(&self.naming, Naming::Kind(kind) if address(kind))
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Naming {
    Kind(IdentifierKind),
    /// What its spelling says, else this; without it what carried the event says.
    Address(Option<IdentifierKind>),
    /// An object with a value and the value's type: the names of both, and the kind of each type.
    Typed {
        id: Vec<NameId>,
        id_type: Vec<NameId>,
        kinds: Vec<(&'static str, IdentifierKind)>,
    },
}

/// Whether a value says anything: neither `null` nor blank.
pub(crate) fn says_something(value: &Json<'_>) -> bool {
    match value {
        Json::Null => false,
        Json::String(text) => !text.trim().is_empty(),
        _ => true,
    }
}

/// What an outcome's word means for a time. Rows of one word never overlap.
#[derive(Debug, Clone, Copy)]
struct OutcomeRow {
    from_ms: i64,
    /// The row does not hold at this moment any more.
    until_ms: i64,
    meaning: &'static str,
}

#[cfg(test)]
mod tests;
