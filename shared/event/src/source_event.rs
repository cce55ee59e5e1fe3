//! The canonical event: what every adapter makes of one source document, still unmasked.
//!
//! It borrows the parsed document, so that no copy of a personal value is made here; the only owned raw values are the
//! customer-side identifiers, and these are [`Personal`]. Which field may be stored in clear is the policy's business.

use std::borrow::Cow;
use std::fmt;

use ledgerline_json::{Json, Stated};
use ledgerline_privacy::Side;
use ledgerline_privacy::identifier::Kind;
use ledgerline_privacy::personal::Personal;

use crate::catalogue::{KindId, MemberPath};
use crate::lineage::Provenance;

/// What an adapter needs to know beside the document.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The organisation of events that name none.
    pub default_org: &'a str,
    /// The sources whose records may have numbers as long as telephones' for ids: by the name that an envelope or the event itself
    /// gives, or by the adapter's.
    pub numeric_id_sources: &'a [String],
}

/// One source event in canonical terms.
pub struct SourceEvent<'a> {
    /// The organisation, `[A-Za-z0-9._-]{1,64}`.
    pub org: Cow<'a, str>,
    /// The adapter's name for its source: `genesys.eventbridge`, `interaction.log`…
    pub source: &'static str,
    /// The topic's template, ids replaced by `{id}`.
    pub topic: Cow<'a, str>,
    /// The version that the source states, or `unknown`.
    pub schema_version: Cow<'a, str>,
    /// The kind of event.
    pub(crate) kind: KindId,
    /// The kind of event from a closed vocabulary: `customer.start`…`other`.
    pub event_type: &'static str,
    /// The process-mining name: `Customer connected`…
    pub activity: &'static str,
    /// Whether the event opens or closes its activity.
    pub lifecycle: Lifecycle,
    /// What the event is about.
    pub record: Record<'a>,
    /// The participant's id, where there is one.
    pub participant_id: Option<&'a str>,
    /// The session's (leg's) id, where there is one.
    pub session_id: Option<&'a str>,
    /// When it happened, epoch milliseconds.
    pub occurred_at_ms: i64,
    /// Its time had no offset and was taken as UTC.
    pub zone_assumed: bool,
    /// The event itself says no time: only an envelope does.
    pub time_from_envelope: bool,
    /// The source's own immutable id of this event; never an envelope's.
    pub native_id: Option<Cow<'a, str>>,
    /// What the event itself calls its source: native ids are one source's own.
    pub source_name: Option<&'a str>,
    /// What the envelope calls the event's source.
    pub envelope_source: Option<&'a str>,
    /// The source's sequence number within the record.
    pub sequence: Option<i64>,
    /// Orders events of one instant: a start before what it encloses, an end after, and the end of one session before the
    /// start of the next.
    pub rank: u8,
    /// The lineage token: the source's, else derived from the record's id.
    pub lineage_token: Cow<'a, str>,
    /// How the event came by it.
    pub lineage_from: LineageFrom,
    /// What the source sent in place of a token.
    pub refused_token: Option<Personal>,
    /// The provenance that the source sent along.
    pub provenance: Option<Provenance>,
    /// What the event may do to its customer's links.
    pub links: Links,
    /// Every known field that holds a value, each once.
    pub fields: Vec<Field<'a>>,
    /// The source's word for the outcome is in no row of the look-up.
    pub unknown_outcome: bool,
    /// A text in it was damaged before it came: half of a surrogate pair, or the mark of a character that another program could not
    /// read. Such a text is masked, whatever its field's rule.
    pub damaged: bool,
    /// Identifiers of the customer's side only.
    pub identifiers: Vec<(Kind, Personal)>,
    /// Every place that says one of them.
    pub named: Vec<Named<'a>>,
    /// Members that no description lists.
    pub extra: Vec<Unlisted<'a>>,
    /// Fields that hold what no description lists.
    pub bags: Vec<Unlisted<'a>>,
    /// The keys that lead from the document's root to the event's own members.
    pub(crate) own_path: Vec<&'a str>,
    /// The keys that lead from there to each object whose members are read as the event's own.
    pub(crate) bag_paths: Vec<Vec<&'a str>>,
    /// Where the event's own body lies in the document: what names the event when it has no native id.
    pub body: Body<'a>,
}

/// Where the part of a document lies that is the same however often the source sends it.
#[derive(Debug, Clone)]
pub struct Body<'a> {
    /// Keys from the root down to the body, as the document spells them; `0` is the first of a list's elements.
    pub path: Vec<&'a str>,
    /// Members of the body that a re-send may change.
    pub(crate) except: &'static [MemberPath],
    /// Whether the event's time stands in it; otherwise an envelope told it.
    pub has_time: bool,
    /// The event's type, where nothing in the body tells it: two events may differ in nothing else.
    pub(crate) wrapped_kind: Option<&'static str>,
}

/// How an event came by its lineage token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineageFrom {
    /// Its source sent it.
    Source,
    /// It was derived from the record's id, since its source sent none.
    Derived,
    /// It was derived, since what its source sent may be personal.
    Refused,
}

impl LineageFrom {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Derived => "derived",
            Self::Refused => "refused",
        }
    }
}

/// What an event may do to the links of the customer that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// Make a subject and a link.
    Create,
    /// Widen a link that is there, and nothing else: a deletion must not bring its customer back.
    WidenOnly,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record<'a> {
    /// A conversation.
    Interaction(Cow<'a, str>),
    /// Anything else that has a type and an id, which may be a person's: see `Catalogue::is_impersonal`.
    Entity {
        /// The entity's type.
        kind: Cow<'a, str>,
        /// The entity's id.
        id: Cow<'a, str>,
        /// The type as the source wrote it: two of them may be stored as `Other`, and are two all the same.
        sent: Cow<'a, str>,
    },
}

impl Record<'_> {
    /// The record id: the interaction's, or `entityType/entityId`.
    pub fn id(&self) -> Cow<'_, str> {
        match self {
            Self::Interaction(id) => Cow::Borrowed(id),
            Self::Entity { kind, id, .. } => Cow::Owned(format!("{kind}/{id}")),
        }
    }

    /// Whether this text is the id of the interaction that the event is about.
    pub(crate) fn is_interaction(&self, text: &str) -> bool {
        matches!(self, Self::Interaction(id) if id == text)
    }

    /// The family, which is the retention class and the bronze partition: `interaction` or `entity`.
    pub fn family(&self) -> &'static str {
        match self {
            Self::Interaction(_) => "interaction",
            Self::Entity { .. } => "entity",
        }
    }
}

/// Whether an event opens or closes its activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// The activity begins.
    Start,
    /// The activity ended, or was an instant.
    Complete,
}

impl Lifecycle {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Complete => "complete",
        }
    }
}

/// A known field and its value.
#[derive(Clone)]
pub struct Field<'a> {
    /// The canonical name: a silver column, or the source's name in snake case.
    pub name: &'static str,
    /// The raw value; one that follows from others, such as a duration between two times, is the event's own.
    pub value: Stated<'a>,
}

/// A place that says an identifier.
pub struct Named<'a> {
    /// Which of the event's identifiers.
    pub identifier: usize,
    /// As it was sent. The id of a person's record is the event's own: it may stand in a topic's name alone.
    pub value: Stated<'a>,
    /// The list that it is an element of.
    pub list: Option<&'a Json<'a>>,
}

/// A member that no description lists.
pub struct Unlisted<'a> {
    /// Its name: its key without what a flat layer puts before it.
    pub name: &'a str,
    /// Its value.
    pub value: &'a Json<'a>,
    /// Whose content it is.
    pub side: Side,
    /// It is a listed field's, and says what it is called: see [`is_display_name`](crate::catalogue::Catalogue::is_display_name).
    pub is_named: bool,
    /// Where it stands among all of its event's, the members of bags behind the event's own.
    pub(crate) nth: usize,
    /// As the document spells it.
    pub(crate) key: &'a str,
    /// The member of the body or the bag that it stands in.
    pub(crate) inside: Option<&'a str>,
    /// The bag whose members are read as the body's own, counted from 1; 0 is the body.
    pub(crate) bag: u16,
}

impl Unlisted<'_> {
    /// The kind of its value.
    pub fn kind(&self) -> JsonKind {
        JsonKind::of(self.value)
    }
}

impl<'a> SourceEvent<'a> {
    /// What no description lists, in its order in the document; what stands in bags that are read as the event's own comes last.
    pub fn unlisted(&self) -> Vec<&Unlisted<'a>> {
        let mut all: Vec<&Unlisted<'a>> = self.extra.iter().chain(&self.bags).collect();
        all.sort_unstable_by_key(|one| one.nth);
        all
    }

    /// The keys that lead from the document's root to a member of it, as the document spells them; `0` is the first of a list's
    /// elements.
    pub fn path_to<'e>(&'e self, member: &Unlisted<'a>) -> impl Iterator<Item = &'a str> + use<'e, 'a> {
        let bag = usize::from(member.bag).checked_sub(1).and_then(|at| self.bag_paths.get(at));
        let (bag, inside, key) = (bag.map_or(&[][..], Vec::as_slice), member.inside, member.key);
        self.own_path.iter().chain(bag).copied().chain(inside).chain([key])
    }

    /// What the event's source is called: by its envelope, by the event itself, by its adapter.
    pub fn names_of_source(&self) -> impl Iterator<Item = &str> {
        [self.envelope_source, self.source_name, Some(self.source)].into_iter().flatten()
    }
}

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Field({}: ***)", self.name)
    }
}

impl fmt::Debug for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Named({}: ***)", self.identifier)
    }
}

impl fmt::Debug for Unlisted<'_> {
    /// Its name may be personal, too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unlisted({})", self.kind().as_str())
    }
}

impl fmt::Debug for SourceEvent<'_> {
    /// Counts and closed words only: a record's id may be a person's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceEvent")
            .field("source", &self.source)
            .field("event_type", &self.event_type)
            .field("family", &self.record.family())
            .field("occurred_at_ms", &self.occurred_at_ms)
            .field("fields", &self.fields)
            .field("identifiers", &self.identifiers.len())
            .field("extra", &self.extra.len())
            .finish_non_exhaustive()
    }
}

/// The kind of a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonKind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl JsonKind {
    /// The kind of `value`.
    pub fn of(value: &Json<'_>) -> Self {
        match value {
            Json::Null => Self::Null,
            Json::Bool(_) => Self::Bool,
            Json::Number(_) => Self::Number,
            Json::String(_) => Self::String,
            Json::Array(_) => Self::Array,
            Json::Object(_) => Self::Object,
        }
    }

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}
