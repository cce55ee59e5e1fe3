//! What ingest needs to know of a document, taken in the one pass that also proves it I-JSON.
//!
//! No tree is built and nothing is copied. The pass knows the names that all adapters share; what it does not
//! recognise is left to [`crate::adapt`], which has the last word.
//!
//! Invariant: what a head says, the adapter says, in whichever order the members stand. A candidate is kept by its rank,
//! and what a member means may depend on another that comes later, so that the conclusions wait for the end. Where two
//! readings are possible a head names no family.

mod pass;
mod slots;

pub(crate) use pass::Scanner;

use ledgerline_json::lexer::Text;

use crate::adapters::{entity_kind, is_record_id, org_of_source};
use crate::capture;
use crate::catalogue::{LayerId, SPELLINGS, built_in};
use crate::instant;

/// A value that a head keeps: the inside of a string or a number's text.
type Scalar<'a> = Text<'a>;

/// What one pass found in a document.
#[derive(Debug, Clone, Copy, Default)]
pub struct Head<'a> {
    source: Option<Scalar<'a>>,
    org: Best<'a>,
    interaction: Best<'a>,
    entity_type: Best<'a>,
    entity_id: Best<'a>,
    token: Best<'a>,
    /// The best candidate of each level.
    times: [Best<'a>; LEVELS],
    batch: bool,
    family: Option<&'static str>,
    sensitive: bool,
    line_break: bool,
    unusual: bool,
}

/// The layers of a document, from the inside out: the event's own body, the envelope's detail, the root.
const LEVELS: usize = 3;

/// The candidate of the lowest rank, the first of equals.
#[derive(Debug, Clone, Copy, Default)]
struct Best<'a> {
    found: Option<(u8, Scalar<'a>)>,
}

impl<'a> Best<'a> {
    #[inline]
    fn offer(&mut self, rank: u8, value: Scalar<'a>) {
        if self.found.is_none_or(|(best, _)| rank < best) {
            self.found = Some((rank, value));
        }
    }

    fn plain(&self) -> Option<&'a str> {
        self.found.and_then(|(_, text)| text.plain())
    }

    fn rank(&self) -> Option<u8> {
        self.found.map(|(rank, _)| rank)
    }
}

impl<'a> Head<'a> {
    /// The envelope's `source`.
    pub fn source(&self) -> Option<&'a str> {
        self.source.and_then(Text::plain)
    }

    /// The organisation that the document itself names.
    pub fn org(&self) -> Option<&'a str> {
        self.source().and_then(org_of_source).or_else(|| self.org.plain())
    }

    /// The interaction's id, where the document names one.
    pub fn interaction(&self) -> Option<&'a str> {
        self.interaction.plain().filter(|id| is_record_id(id))
    }

    /// The family, if the names that all adapters share tell it.
    pub fn family(&self) -> Option<&'static str> {
        self.family
    }

    /// The entity's record id, `entityType/entityId`, where the document is about an entity.
    pub fn entity(&self) -> Option<String> {
        Some(format!("{}/{}", entity_kind(self.entity_type.plain()?), self.entity_id.plain()?))
    }

    /// When it happened, epoch milliseconds: the time in the innermost layer that has one. An unreadable time is not replaced by an
    /// outer one.
    pub fn occurred_at_ms(&self) -> Option<i64> {
        let said = self.times.iter().find(|level| level.found.is_some())?;
        said.plain().and_then(instant::parse)
    }

    /// Whether any layer names an interaction, usable or not.
    fn names_interaction(&self) -> bool {
        self.interaction.found.is_some()
    }

    /// Whether the document holds a list of events, to be split by [`crate::batch::split`].
    pub fn is_batch(&self) -> bool {
        self.batch
    }

    /// The lineage token that the source sent.
    pub fn lineage_token(&self) -> Option<&'a str> {
        self.token.plain()
    }

    /// Whether [`crate::sensitive::cut`] has work to do: a key names sensitive authentication data, in the document or in
    /// JSON that one of its strings holds.
    pub fn is_sensitive(&self) -> bool {
        self.sensitive
    }

    /// Whether the bytes hold a line break, which no line can carry.
    pub fn has_line_break(&self) -> bool {
        self.line_break
    }

    /// What the whole document turned out to be about.
    fn family_in(&self, outline: &Outline) -> Option<&'static str> {
        // What a client of capture sent begins inside the envelope, as the adapter knows.
        let is_special = |source: &str| is_aws_service(source) || capture::read(source).is_some();
        if self.unusual || self.batch || self.source().is_some_and(is_special) {
            return None;
        }
        let own = outline.own_level()?;
        let may_name_entity = outline.body.is_none_or(|(layer, _)| built_in().may_name_entity(LayerId(layer + 1)));
        let audited = !may_name_entity && outline.is_audit();
        if self.interaction.found.is_some() {
            return (!audited && self.interaction().is_some()).then_some("interaction");
        }
        // What is about an entity says so itself, and an audit's entity is an object.
        let (kind, id) =
            (self.entity_type.rank().map(|rank| rank / SPELLINGS), self.entity_id.rank().map(|rank| rank / SPELLINGS));
        let is_own = kind == Some(own) && id.is_some_and(|id| id / 2 == own && !(audited && id % 2 == 0));
        let may_be_entity = !outline.bag_names_interaction && !outline.shaped && (audited || may_name_entity);
        let is_kind = self.entity_type.plain().is_some_and(|kind| !kind.is_empty());
        let is_id = self.entity_id.plain().is_some_and(is_record_id);
        (is_own && may_be_entity && is_kind && is_id).then_some("entity")
    }
}

/// The services that only the adapter of their events on the bus reads, whatever else these name.
pub(crate) fn is_aws_service(source: &str) -> bool {
    source.starts_with("aws.") && source != "aws.partner" && !source.starts_with("aws.partner/")
}

/// How a document is put together, as far as the pass has come.
#[derive(Debug, Clone, Copy, Default)]
struct Outline {
    /// `source` or `detail-type` stands at the root: what makes an envelope of a document with a `detail`.
    marked: bool,
    /// `detail` is an object.
    detail: bool,
    /// The layer inside the envelope or the document that an event's own members stand in, and the level around it.
    body: Option<(u8, u8)>,
    /// There are two of one of these.
    several: bool,
    /// `detail-type` is that of an audit.
    audit_type: bool,
    /// `topicName` is that of an audit, by level.
    audit_topic: [bool; LEVELS],
    /// A bag names an interaction, which some adapters take before an entity.
    bag_names_interaction: bool,
    /// A mark of a shape that names its record in a way of its own.
    shaped: bool,
    /// A list of events, and what stands beside one.
    batch: [bool; LEVELS],
    batch_mark: [bool; LEVELS],
}

impl Outline {
    /// The level of what lies in the envelope: of the root, where there is none.
    fn event_level(&self) -> u8 {
        if self.detail { 1 } else { 2 }
    }

    /// The level of what the event itself says; `None` where only an adapter can tell.
    fn own_level(&self) -> Option<u8> {
        let misplaced = self.body.is_some_and(|(_, around)| around != self.event_level());
        if misplaced || self.several || (self.detail && !self.marked) {
            return None;
        }
        Some(if self.body.is_some() { 0 } else { self.event_level() })
    }

    fn is_audit(&self) -> bool {
        self.body.is_some() && (self.audit_type || self.audit_topic[usize::from(self.event_level())])
    }
}
