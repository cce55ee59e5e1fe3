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

use crate::adapters::{entity_kind, is_record_id, org_of_source};
use crate::instant;
use crate::scan::Text;

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
    /// The best candidate of each level: an unreadable one gives way to the next.
    times: [Best<'a>; LEVELS],
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
    /// Another was offered.
    several: bool,
}

impl<'a> Best<'a> {
    #[inline]
    fn offer(&mut self, rank: u8, value: Scalar<'a>) {
        self.several |= self.found.is_some();
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

    /// When it happened, epoch milliseconds.
    pub fn occurred_at_ms(&self) -> Option<i64> {
        for level in &self.times {
            let read = level.plain().and_then(instant::parse);
            // Where the best of several is no time, it is the adapter's to try the others.
            if read.is_some() || level.several {
                return read;
            }
        }
        None
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
        if self.unusual || self.source().is_some_and(is_aws_service) {
            return None;
        }
        let own = outline.own_level()?;
        let audited = outline.is_audit();
        if self.interaction.found.is_some() {
            return (!audited && self.interaction().is_some()).then_some("interaction");
        }
        // What is about an entity says so itself, and an audit's entity is an object.
        let is_own = self.entity_type.rank() == Some(own)
            && self.entity_id.rank().is_some_and(|rank| rank / 2 == own && !(audited && rank % 2 == 0));
        let may_be_entity = !outline.bag_names_interaction && (audited || outline.event_body.is_none());
        let is_kind = self.entity_type.plain().is_some_and(|kind| !kind.is_empty());
        let is_id = self.entity_id.plain().is_some_and(is_record_id);
        (is_own && may_be_entity && is_kind && is_id).then_some("entity")
    }
}

/// The services that only the adapter of their events on the bus reads, whatever else these name.
fn is_aws_service(source: &str) -> bool {
    source.starts_with("aws.") && !source.starts_with("aws.partner")
}

/// How a document is put together, as far as the pass has come.
#[derive(Debug, Clone, Copy, Default)]
struct Outline {
    /// `source` or `detail-type` stands at the root: what makes an envelope of a document with a `detail`.
    marked: bool,
    /// `detail` is an object.
    detail: bool,
    /// The level around `eventBody`, where that is an object.
    event_body: Option<u8>,
    /// The same of `auditEvent`.
    audit_event: Option<u8>,
    /// There are two of one of these.
    several: bool,
    /// `detail-type` is that of an audit.
    audit_type: bool,
    /// `topicName` is that of an audit, by level.
    audit_topic: [bool; LEVELS],
    /// A bag names an interaction, which some adapters take before an entity.
    bag_names_interaction: bool,
}

impl Outline {
    /// The level of what lies in the envelope: of the root, where there is none.
    fn event_level(&self) -> u8 {
        if self.detail { 1 } else { 2 }
    }

    /// The level of what the event itself says; `None` where only an adapter can tell.
    fn own_level(&self) -> Option<u8> {
        let bodies = [self.event_body, self.audit_event];
        let misplaced = bodies.iter().flatten().any(|around| *around != self.event_level());
        let two = self.several || (self.event_body.is_some() && self.audit_event.is_some());
        if misplaced || two || (self.detail && !self.marked) {
            return None;
        }
        Some(if bodies.iter().any(Option::is_some) { 0 } else { self.event_level() })
    }

    fn is_audit(&self) -> bool {
        self.event_body.is_some() && (self.audit_type || self.audit_topic[usize::from(self.event_level())])
    }
}
