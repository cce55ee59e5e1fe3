//! XES (IEEE 1849): one XML file, a trace for each case.
//!
//! Invariant: every event has a name, a time with its offset and a transition, and every trace a name, so that the globals hold; texts are
//! escaped by the XML library, and what XML cannot spell is replaced. Names of attributes with a colon are the four extensions' alone.

use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, Event as Xml};

use super::case::Case;
use super::step::Step;
use super::text::{for_xml, with_offset};
use super::{Labels, Log, activity_map};
use crate::keys::iso_date;

/// A file that is being written.
pub struct Xes<W: Write> {
    xml: Writer<W>,
    labels: Labels,
}

impl<W: Write> Xes<W> {
    /// Begins the file.
    ///
    /// # Errors
    /// The output's.
    pub fn new(out: W, labels: Labels) -> io::Result<Self> {
        let mut xes = Self { xml: Writer::new_with_indent(out, b'\t', 1), labels };
        xes.head()?;
        Ok(xes)
    }

    fn head(&mut self) -> io::Result<()> {
        self.xml.write_event(Xml::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let log = [("xes.version", "1849.2016"), ("xes.features", ""), ("xmlns", "http://www.xes-standard.org/")];
        self.open("log", &log)?;
        for (name, prefix) in EXTENSIONS {
            let uri = format!("http://www.xes-standard.org/{prefix}.xesext");
            self.empty("extension", &[("name", name), ("prefix", prefix), ("uri", &uri)])?;
        }
        self.open("global", &[("scope", "trace")])?;
        self.text("concept:name", INVALID)?;
        self.close("global")?;
        self.open("global", &[("scope", "event")])?;
        self.text("concept:name", INVALID)?;
        self.text("lifecycle:transition", "complete")?;
        self.date("time:timestamp", 0)?;
        self.int("eventOrder", 0)?;
        self.close("global")?;
        for (name, keys) in CLASSIFIERS {
            self.empty("classifier", &[("name", name), ("scope", "event"), ("keys", keys)])?;
        }
        let Labels { process, view, from, to, .. } = self.labels.clone();
        self.text("concept:name", &process)?;
        self.text("creator", "ledgerline")?;
        self.text("view", view.as_str())?;
        self.text("activityMap", &activity_map())?;
        self.text("from", &iso_date(from))?;
        self.text("to", &iso_date(to))
    }

    fn event(&mut self, step: &Step<'_>) -> io::Result<()> {
        let event = step.event;
        self.open("event", &[])?;
        self.text("concept:name", step.activity)?;
        self.text("lifecycle:transition", step.transition.as_str())?;
        self.date("time:timestamp", step.at_ms)?;
        self.int("eventOrder", step.order.cast_signed())?;
        if let Some(instance) = step.instance {
            self.text("concept:instance", &instance.to_string())?;
        }
        if let Some(agent) = &event.agent {
            let resource = self.labels.people.agent(agent).into_owned();
            self.text("org:resource", &resource)?;
        }
        for (key, value) in [
            ("eventType", Some(&event.kind)),
            ("queue", event.queue.as_ref()),
            ("flow", event.flow.as_ref()),
            ("campaign", event.campaign.as_ref()),
            ("leg", event.leg.as_ref()),
            ("media", event.media.as_ref()),
            ("direction", event.direction.as_ref()),
            ("acdOutcome", event.acd_outcome.as_ref()),
            ("disconnectType", event.disconnect_type.as_ref()),
            ("wrapupCode", event.wrapup_code.as_ref()),
            ("flowOutcome", event.flow_outcome.as_ref()),
        ] {
            self.optional(key, value.map(String::as_str))?;
        }
        if step.imputed {
            self.attribute("boolean", "imputed", "true")?;
        }
        self.close("event")
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
        self.xml.write_event(Xml::Start(BytesStart::new(name).with_attributes(attributes.iter().copied())))
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
        self.xml.write_event(Xml::Empty(BytesStart::new(name).with_attributes(attributes.iter().copied())))
    }

    fn close(&mut self, name: &str) -> io::Result<()> {
        self.xml.write_event(Xml::End(BytesEnd::new(name)))
    }

    fn attribute(&mut self, kind: &str, key: &str, value: &str) -> io::Result<()> {
        self.empty(kind, &[("key", key), ("value", &for_xml(value))])
    }

    fn text(&mut self, key: &str, value: &str) -> io::Result<()> {
        self.attribute("string", key, value)
    }

    fn optional(&mut self, key: &str, value: Option<&str>) -> io::Result<()> {
        value.map_or(Ok(()), |value| self.text(key, value))
    }

    fn int(&mut self, key: &str, value: i64) -> io::Result<()> {
        self.attribute("int", key, &value.to_string())
    }

    fn date(&mut self, key: &str, ms: i64) -> io::Result<()> {
        self.attribute("date", key, &with_offset(ms))
    }
}

impl<W: Write> Log for Xes<W> {
    fn case(&mut self, case: &Case, steps: &[Step<'_>]) -> io::Result<()> {
        let facts = case.facts();
        self.open("trace", &[])?;
        self.text("concept:name", case.id())?;
        self.optional("media", facts.media)?;
        self.optional("direction", facts.direction)?;
        self.optional("firstQueue", facts.first_queue)?;
        self.optional("lastQueue", facts.last_queue)?;
        self.int("durationMs", facts.duration_ms)?;
        self.int("transfers", facts.transfers.cast_signed())?;
        self.optional("disposition", facts.disposition)?;
        let customer = self.labels.people.customer(facts.customer);
        self.optional("customer", customer.as_deref())?;
        steps.iter().try_for_each(|step| self.event(step))?;
        self.close("trace")
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.close("log")?;
        let mut out = self.xml.into_inner();
        out.write_all(b"\n")?;
        out.flush()
    }
}

const EXTENSIONS: [(&str, &str); 4] =
    [("Concept", "concept"), ("Lifecycle", "lifecycle"), ("Organizational", "org"), ("Time", "time")];
const CLASSIFIERS: [(&str, &str); 2] =
    [("Activity", "concept:name"), ("Activity and transition", "concept:name lifecycle:transition")];
/// What a global says where an element lacks the attribute: none does.
const INVALID: &str = "__INVALID__";
