//! OCEL 2.0 as JSON: events that belong to several objects at once.
//!
//! Objects are conversations, their legs, queues, agents, flows and campaigns, and one for the export itself, which says what the file is
//! of. Objects and events are written to two files beside, as the types that come first in a file are known last.
//!
//! Invariant: an id begins with its type, so that no two objects share one; every object that is named is there, once; every value is a text of
//! its declared type, as the standard's schema asks.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek, Write};

use ledgerline_event::instant::to_rfc3339;
use serde::Serialize;

use super::case::Case;
use super::step::Step;
use super::{Labels, Log, activity_map};
use crate::keys::iso_date;

/// A file that lies beside until its place comes.
pub trait Spool: Read + Write + Seek {}

impl<T: Read + Write + Seek> Spool for T {}

/// A file that is being written.
pub struct Ocel<W, S: Spool> {
    out: W,
    objects: List<S>,
    events: List<S>,
    labels: Labels,
    activities: BTreeSet<String>,
    /// Queues, agents, flows and campaigns that were written.
    shared: BTreeSet<String>,
    /// The types of objects that were written.
    kinds: BTreeSet<&'static str>,
}

impl<W: Write, S: Spool> Ocel<W, S> {
    /// A file without a case yet. The two spools must be empty.
    ///
    /// # Errors
    /// The spools'.
    pub fn new(out: W, objects: S, events: S, labels: Labels) -> io::Result<Self> {
        let (activities, shared, kinds) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let (objects, events) = (List::new(objects), List::new(events));
        let mut ocel = Self { out, objects, events, labels, activities, shared, kinds };
        let Labels { process, view, from, to, .. } = ocel.labels.clone();
        let said = [
            ("process", process),
            ("view", view.as_str().to_owned()),
            ("activityMap", activity_map()),
            ("from", iso_date(from)),
            ("to", iso_date(to)),
        ];
        let said = said.into_iter().map(|(name, value)| (name, Some(value)));
        ocel.object("export", "export", said, &[])?;
        Ok(ocel)
    }

    fn object(
        &mut self,
        kind: &'static str,
        id: &str,
        said: impl IntoIterator<Item = (&'static str, Option<String>)>,
        related: &[(String, &'static str)],
    ) -> io::Result<()> {
        self.kinds.insert(kind);
        let said = said.into_iter().filter_map(|(name, value)| Some(OfObject { name, time: EVER, value: value? }));
        self.objects.push(&Object {
            id,
            r#type: kind,
            attributes: said.collect(),
            relationships: relationships(related),
        })
    }

    /// The id of an object that cases share; it is written when it is named first.
    fn shared(&mut self, kind: &'static str, name: &str) -> io::Result<String> {
        let id = format!("{kind}/{name}");
        if self.shared.insert(id.clone()) {
            self.object(kind, &id, [], &[])?;
        }
        Ok(id)
    }

    /// What a step is related to, its conversation first.
    fn objects_of(
        &mut self,
        conversation: &str,
        leg: Option<&String>,
        step: &Step<'_>,
    ) -> io::Result<Vec<(String, &'static str)>> {
        let event = step.event;
        let agent = event.agent.as_ref().map(|agent| self.labels.people.agent(agent).into_owned());
        let mut related = vec![(conversation.to_owned(), "conversation")];
        related.extend(leg.map(|leg| (leg.clone(), "leg")));
        for (kind, name) in [
            ("queue", event.queue.as_deref()),
            ("agent", agent.as_deref()),
            ("flow", event.flow.as_deref()),
            ("campaign", event.campaign.as_deref()),
        ] {
            if let Some(name) = name {
                related.push((self.shared(kind, name)?, kind));
            }
        }
        Ok(related)
    }

    fn event(&mut self, case: &Case, step: &Step<'_>, related: &[(String, &'static str)]) -> io::Result<()> {
        let event = step.event;
        let attributes = [
            ("transition", Some(step.transition.as_str().to_owned())),
            ("eventOrder", Some(step.order.to_string())),
            ("instance", step.instance.map(|instance| instance.to_string())),
            ("imputed", Some(step.imputed.to_string())),
            ("eventType", Some(event.kind.clone())),
            ("media", event.media.clone()),
            ("direction", event.direction.clone()),
            ("acdOutcome", event.acd_outcome.clone()),
            ("disconnectType", event.disconnect_type.clone()),
            ("wrapupCode", event.wrapup_code.clone()),
            ("flowOutcome", event.flow_outcome.clone()),
        ];
        let attributes = attributes.into_iter().filter_map(|(name, value)| Some(OfEvent { name, value: value? }));
        if !self.activities.contains(step.activity) {
            self.activities.insert(step.activity.to_owned());
        }
        let written = OcelEvent {
            id: &format!("event/{}/{}", case.id(), step.order),
            r#type: step.activity,
            time: to_rfc3339(step.at_ms),
            attributes: attributes.collect(),
            relationships: relationships(related),
        };
        self.events.push(&written)
    }
}

impl<W: Write, S: Spool> Log for Ocel<W, S> {
    fn case(&mut self, case: &Case, steps: &[Step<'_>]) -> io::Result<()> {
        let conversation = format!("conversation/{}", case.id());
        let mut legs: BTreeMap<String, BTreeSet<(String, &'static str)>> = BTreeMap::new();
        for step in steps {
            let leg = step.event.leg.as_ref().map(|leg| format!("leg/{}/{leg}", case.id()));
            let related = self.objects_of(&conversation, leg.as_ref(), step)?;
            self.event(case, step, &related)?;
            if let Some(leg) = leg {
                let own = related.into_iter().filter(|(_, kind)| !matches!(*kind, "conversation" | "leg"));
                legs.entry(leg).or_default().extend(own);
            }
        }
        let facts = case.facts();
        let customer = self.labels.people.customer(facts.customer).map(|customer| customer.into_owned());
        let text = |value: Option<&str>| value.map(str::to_owned);
        let said = [
            ("media", text(facts.media)),
            ("direction", text(facts.direction)),
            ("firstQueue", text(facts.first_queue)),
            ("lastQueue", text(facts.last_queue)),
            ("durationMs", Some(facts.duration_ms.to_string())),
            ("transfers", Some(facts.transfers.to_string())),
            ("disposition", text(facts.disposition)),
            ("customer", customer),
        ];
        let of_conversation: Vec<_> = legs.keys().map(|leg| (leg.clone(), "leg")).collect();
        self.object("conversation", &conversation, said, &of_conversation)?;
        for (leg, related) in legs {
            self.object("leg", &leg, [], &related.into_iter().collect::<Vec<_>>())?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        let Self { mut out, objects, events, labels, activities, kinds, .. } = *self;
        let event_types: Vec<_> = activities.iter().map(|name| OcelType { name, attributes: &OF_EVENTS }).collect();
        let of = |kind: &str| match kind {
            "conversation" if labels.people.names_customers() => &OF_CONVERSATIONS[..],
            "conversation" => &OF_CONVERSATIONS[..OF_CONVERSATIONS.len() - 1],
            "export" => &OF_EXPORTS[..],
            _ => &[],
        };
        let object_types: Vec<_> = kinds.iter().map(|kind| OcelType { name: kind, attributes: of(kind) }).collect();
        out.write_all(b"{\"objectTypes\":")?;
        serde_json::to_writer(&mut out, &object_types)?;
        out.write_all(b",\n\"eventTypes\":")?;
        serde_json::to_writer(&mut out, &event_types)?;
        out.write_all(b",\n\"objects\":[")?;
        objects.copy_to(&mut out)?;
        out.write_all(b"],\n\"events\":[")?;
        events.copy_to(&mut out)?;
        out.write_all(b"]}\n")?;
        out.flush()
    }
}

/// The members of a JSON array, a line each.
struct List<S: Spool> {
    spool: io::BufWriter<S>,
    is_empty: bool,
}

impl<S: Spool> List<S> {
    fn new(spool: S) -> Self {
        Self { spool: io::BufWriter::new(spool), is_empty: true }
    }

    fn push(&mut self, member: &impl Serialize) -> io::Result<()> {
        self.spool.write_all(if self.is_empty { b"\n" } else { b",\n" })?;
        self.is_empty = false;
        Ok(serde_json::to_writer(&mut self.spool, member)?)
    }

    fn copy_to(self, out: &mut impl Write) -> io::Result<()> {
        let mut spool = self.spool.into_inner().map_err(io::IntoInnerError::into_error)?;
        spool.rewind()?;
        io::copy(&mut spool, out).map(drop)
    }
}

fn relationships(related: &[(String, &'static str)]) -> Vec<Relationship> {
    related.iter().map(|(id, qualifier)| Relationship { object_id: id.clone(), qualifier }).collect()
}

#[derive(Serialize)]
struct OcelType<'a> {
    name: &'a str,
    attributes: &'a [TypeAttribute],
}

#[derive(Serialize)]
struct TypeAttribute {
    name: &'static str,
    r#type: &'static str,
}

#[derive(Serialize)]
struct Object<'a> {
    id: &'a str,
    r#type: &'a str,
    attributes: Vec<OfObject>,
    relationships: Vec<Relationship>,
}

#[derive(Serialize)]
struct OfObject {
    name: &'static str,
    time: &'static str,
    value: String,
}

#[derive(Serialize)]
struct OcelEvent<'a> {
    id: &'a str,
    r#type: &'a str,
    time: String,
    attributes: Vec<OfEvent>,
    relationships: Vec<Relationship>,
}

#[derive(Serialize)]
struct OfEvent {
    name: &'static str,
    value: String,
}

#[derive(Serialize)]
struct Relationship {
    #[serde(rename = "objectId")]
    object_id: String,
    qualifier: &'static str,
}

const fn attribute(name: &'static str, r#type: &'static str) -> TypeAttribute {
    TypeAttribute { name, r#type }
}

/// What an object's attribute is true from: always.
const EVER: &str = "1970-01-01T00:00:00Z";
const OF_EVENTS: [TypeAttribute; 11] = [
    attribute("transition", "string"),
    attribute("eventOrder", "integer"),
    attribute("instance", "string"),
    attribute("imputed", "boolean"),
    attribute("eventType", "string"),
    attribute("media", "string"),
    attribute("direction", "string"),
    attribute("acdOutcome", "string"),
    attribute("disconnectType", "string"),
    attribute("wrapupCode", "string"),
    attribute("flowOutcome", "string"),
];
/// The last one only where customers are named.
const OF_CONVERSATIONS: [TypeAttribute; 8] = [
    attribute("media", "string"),
    attribute("direction", "string"),
    attribute("firstQueue", "string"),
    attribute("lastQueue", "string"),
    attribute("durationMs", "integer"),
    attribute("transfers", "integer"),
    attribute("disposition", "string"),
    attribute("customer", "string"),
];
const OF_EXPORTS: [TypeAttribute; 5] = [
    attribute("process", "string"),
    attribute("view", "string"),
    attribute("activityMap", "string"),
    attribute("from", "string"),
    attribute("to", "string"),
];
