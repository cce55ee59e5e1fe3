//! The one adapter: reads a document by the shape of the description that it has.
//!
//! Invariant: drift never loses an event. Unknown members are reported by name, missing ones are simply absent, an unknown version
//! is read like any other; only a document that names no record, or no time that can be read, is refused.

use std::borrow::Cow;

use serde_json::Value;

use super::fields::take_fields;
use super::identity::identify;
use super::layers::{Layers, Members, Object};
use super::{hooks, is_stated_org, org_of_source, record};
use crate::catalogue::{Catalogue, KindId, KindRule, NameId, Shape, ShapeHook, Topic, When, says_something};
use crate::document::Rejection;
use crate::instant::{self, Instant};
use crate::lineage::{self, Provenance, Sent, derived_token};
use crate::source_event::{Body, Context, LineageFrom, Links, Record, SourceEvent};
use ledgerline_privacy::Personal;

/// A document, taken apart, and what it is read with.
pub(super) struct Reading<'a> {
    pub(super) catalogue: &'static Catalogue,
    pub(super) context: Context<'a>,
    pub(super) layers: Layers<'a>,
    /// The objects whose members are read as the event's own, by the name of each: bags, and bags inside them.
    pub(super) bags: Vec<(NameId, Members<'a>)>,
    /// The envelope's `source`.
    pub(super) source: Option<&'a str>,
    pub(super) detail_type: Option<&'a str>,
}

impl<'a> Reading<'a> {
    pub(super) fn of(catalogue: &'static Catalogue, document: &'a Object, context: &Context<'a>) -> Self {
        let layers = Layers::of(catalogue, document);
        let mut bags = Vec::new();
        take_bags(catalogue, &layers.own().members, &mut bags, BAGS_DEEP);
        let text = |key: &str| document.get(key).and_then(Value::as_str);
        let (source, detail_type) = (text("source"), text("detail-type"));
        Self { catalogue, context: *context, layers, bags, source, detail_type }
    }

    pub(super) fn own(&self) -> &Members<'a> {
        &self.layers.own().members
    }

    /// `topicName`, with real ids in it.
    pub(super) fn topic_name(&self) -> Option<&'a str> {
        self.layers.event().members.get(self.catalogue.shared.topic_name)?.as_str()
    }

    /// The event's own members, then those of its bags.
    pub(super) fn own_and_bags(&self) -> impl Iterator<Item = &Members<'a>> {
        std::iter::once(self.own()).chain(self.bags.iter().map(|(_, bag)| bag))
    }

    /// Reads the document by the first shape that it has.
    pub(super) fn event(self) -> Result<SourceEvent<'a>, Rejection> {
        let shape = self.catalogue.shapes.iter().find(|shape| self.has(shape)).ok_or(Rejection::NoRecord)?;
        let record = match shape.hook {
            Some(ShapeHook::AwsService) => hooks::aws_service(&self)?,
            _ => self.record(shape)?,
        };
        let (kind, topic, media) = self.kind_and_topic(shape);
        let (at, time_from_envelope) = self.occurred(shape)?;
        let lineage = self.lineage(&record);
        let (kind, activity) = self.refined(kind);
        let kind = self.catalogue.kind(kind);
        let own = self.own();
        let lasted_ms = self.lasted_ms();
        let mut event = SourceEvent {
            org: self.org(),
            source: shape.source,
            topic,
            schema_version: self.schema_version(),
            event_type: kind.event_type,
            activity: activity.unwrap_or(kind.activity),
            lifecycle: kind.lifecycle,
            participant_id: self.own_text(&self.catalogue.shared.participant),
            session_id: self.own_text(&self.catalogue.shared.session),
            occurred_at_ms: at.ms,
            zone_assumed: at.zone_assumed,
            time_from_envelope,
            native_id: self.native_id(shape, &record),
            source_name: self.source_name(),
            sequence: self.sequence(),
            rank: kind.rank_in_time(lasted_ms),
            record,
            lineage_token: lineage.token,
            lineage_from: lineage.from,
            refused_token: lineage.refused,
            provenance: lineage.provenance,
            links: if kind.widen { Links::WidenOnly } else { Links::Create },
            fields: Vec::with_capacity(own.len() + 2),
            unknown_outcome: false,
            identifiers: Vec::new(),
            extra: Vec::new(),
            body: self.body(shape),
        };
        take_fields(&self, shape, media, &mut event);
        if shape.identify {
            identify(&self, shape, kind.agents_leg, &mut event);
        }
        Ok(event)
    }

    /// Whether the document has this shape.
    fn has(&self, shape: &Shape) -> bool {
        let (catalogue, own) = (self.catalogue, self.own());
        let is_word = |(name, word): &(NameId, &str)| {
            own.get(*name).and_then(Value::as_str).is_some_and(|text| text.eq_ignore_ascii_case(word))
        };
        shape.layer.is_none_or(|layer| self.layers.own().id == layer)
            && (shape.hook != Some(ShapeHook::AwsService) || hooks::is_aws_service(self))
            && shape.topic.as_ref().is_none_or(|topic| self.has_topic(topic))
            && shape.presence.is_met(|path| own.says(catalogue, path))
            && shape.objects.iter().all(|name| own.get(*name).is_some_and(Value::is_object))
            && shape.equals.iter().all(is_word)
            && !(shape.anonymous && record::names_interaction(self))
    }

    fn has_topic(&self, topic: &Topic) -> bool {
        let is_it = |name: &str| name.starts_with(topic.begins) && name.ends_with(topic.ends);
        match topic.detail_type_decides {
            true => self.detail_type.or(self.topic_name()).is_some_and(is_it),
            false => [self.detail_type, self.topic_name()].into_iter().flatten().any(is_it),
        }
    }

    /// The kind, the topic as it is stored, and the medium that the source's word tells.
    fn kind_and_topic(&self, shape: &Shape) -> (KindId, Cow<'a, str>, Option<&'static str>) {
        if shape.hook == Some(ShapeHook::GenesysTopic) {
            let (kind, topic) = hooks::genesys_topic(self);
            return (kind, topic, None);
        }
        let topic = match (&shape.topic, shape.hook) {
            (Some(topic), _) => Cow::Borrowed(topic.template),
            (None, Some(_)) => self.detail_type.map_or(Cow::Borrowed("unknown"), hooks::template),
            (None, None) => Cow::Borrowed(shape.source),
        };
        let (kind, media) = match shape.kind {
            KindRule::Fixed(kind) => (kind, None),
            KindRule::By { member, present, absent } => {
                let says = self.own().get(member).is_some_and(says_something);
                (if says { present } else { absent }, None)
            }
            KindRule::Word => self.kind_of_words(),
        };
        let other = self.catalogue.well_known.other;
        (shape.otherwise.filter(|_| kind == other).unwrap_or(kind), topic, media)
    }

    /// The kind of a flat event: by the Genesys topic that it was made from, by its own word, or by the state that it reached where
    /// the word says only that the state changed.
    fn kind_of_words(&self) -> (KindId, Option<&'static str>) {
        let (catalogue, shared) = (self.catalogue, &self.catalogue.shared);
        let topic = self.own().get(shared.topic_name).and_then(Value::as_str).and_then(hooks::conversation_topic);
        if let Some(kind) = topic.and_then(|suffix| catalogue.kind_of_topic(suffix)) {
            return (kind, None);
        }
        let word = |names: &[NameId]| {
            let of = |members: &Members<'a>| names.iter().find_map(|name| members.get(*name)?.as_str());
            self.own_and_bags().find_map(of)
        };
        let (other, state) = (catalogue.well_known.other, catalogue.well_known.state);
        let (kind, media) = word(&shared.kind_word).map_or((other, None), |said| catalogue.kind_of_word(said));
        if kind != other && kind != state {
            return (kind, media);
        }
        let reached = word(&shared.state).map(|said| match catalogue.kind_of_word(said).0 {
            known if known != other => known,
            _ => state,
        });
        (reached.unwrap_or(kind), media)
    }

    /// The kind, and an activity of its own, that another member makes of this kind.
    fn refined(&self, kind: KindId) -> (KindId, Option<&'static str>) {
        let is_so = |when: &When| match when {
            When::Is(member, words) => self
                .own()
                .get(*member)
                .and_then(Value::as_str)
                .is_some_and(|said| words.iter().any(|word| said.eq_ignore_ascii_case(word))),
            When::Empty(names) => {
                let mut there = names.iter().filter_map(|name| self.own().get(*name)).peekable();
                there.peek().is_some() && !there.any(says_something)
            }
        };
        let refined = self.catalogue.refinements.iter().find(|one| one.kind == kind && is_so(&one.when));
        refined.map_or((kind, None), |refined| (refined.becomes, Some(refined.activity)))
    }

    /// When it happened, and whether only an envelope says so. What a layer says that nobody can read is never replaced by what
    /// another says.
    fn occurred(&self, shape: &Shape) -> Result<(Instant, bool), Rejection> {
        for (depth, layer) in self.layers.inside_out().enumerate() {
            let own_names = depth == 0 && !shape.time.is_empty();
            let names = if own_names { &shape.time } else { &self.catalogue.shared.time };
            let mut said =
                names.iter().filter_map(|name| layer.members.get(*name)).filter(|value| says_something(value));
            if let Some(value) = said.next() {
                return Ok((instant::read_value(value).ok_or(Rejection::NoTime)?, depth > 0));
            }
        }
        Err(Rejection::NoTime)
    }

    /// How long the session lasted that this may be the end of.
    fn lasted_ms(&self) -> Option<i64> {
        let durations = self.catalogue.lasting.iter().filter_map(|name| whole(self.own().get(*name)?));
        durations.reduce(i64::saturating_add)
    }

    /// The organisation: the partner source's, else the event's, else the default.
    fn org(&self) -> Cow<'a, str> {
        if let Some(org) = self.source.and_then(org_of_source) {
            return Cow::Borrowed(org);
        }
        let stated = |members: &Members<'a>| {
            let stated = |value: &'a Value| text(value).filter(|org| is_stated_org(org));
            self.catalogue.shared.org.iter().find_map(|name| members.first(*name, stated))
        };
        let stated = self.layers.inside_out().find_map(|layer| stated(&layer.members));
        stated.unwrap_or(Cow::Borrowed(self.context.default_org))
    }

    fn schema_version(&self) -> Cow<'a, str> {
        let event = &self.layers.event().members;
        let stated = self.catalogue.shared.schema_version.iter().find_map(|name| event.get(*name).and_then(text));
        match stated {
            None => Cow::Borrowed("unknown"),
            Some(version) if is_version(&version) => version,
            Some(_) => Cow::Borrowed("other"),
        }
    }

    fn own_text(&self, names: &[NameId]) -> Option<&'a str> {
        names.iter().find_map(|name| self.own().get(*name)?.as_str())
    }

    fn source_name(&self) -> Option<&'a str> {
        let name = |members: &Members<'a>| {
            self.catalogue.shared.source_name.iter().find_map(|name| members.get(*name)?.as_str())
        };
        name(self.own()).or_else(|| name(&self.layers.event().members))
    }

    fn sequence(&self) -> Option<i64> {
        let value = self.catalogue.shared.sequence.iter().find_map(|name| self.own().get(*name))?;
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    }

    /// The source's own id of the event: not a placeholder of a template, and not the interaction's id.
    fn native_id(&self, shape: &Shape, record: &Record<'a>) -> Option<Cow<'a, str>> {
        if shape.hook == Some(ShapeHook::AwsService) {
            return hooks::envelope_id(self);
        }
        let placeholders = &self.catalogue.shared.placeholder_ids;
        let ids = shape.native.iter().filter_map(|path| text(self.own().at(self.catalogue, path)?));
        ids.into_iter().find(|id| !placeholders.contains(&&**id) && !record.is_interaction(id))
    }

    /// What names the event where it has no id of its own.
    fn body(&self, shape: &'static Shape) -> Body<'a> {
        if shape.hook == Some(ShapeHook::AwsService) {
            return Body { path: Vec::new(), except: &[], has_time: true };
        }
        let own = self.layers.own();
        let times = if shape.time.is_empty() { &self.catalogue.shared.time } else { &shape.time };
        let has_time = times.iter().any(|name| own.members.get(*name).is_some_and(says_something));
        Body { path: own.path.clone(), except: &shape.except, has_time }
    }

    /// The token and provenance that the source sent, in the layers or in the bags that sources keep them in; what it sent in their
    /// place, if that is no token.
    fn lineage(&self, record: &Record<'a>) -> Lineage<'a> {
        let mut found = Found::default();
        for layer in self.layers.inside_out() {
            found.look_into(self.catalogue, &layer.members);
        }
        for bag in self.catalogue.bags.iter().filter(|bag| bag.token) {
            for layer in self.layers.inside_out() {
                if let Some(object) = layer.members.get(bag.key).and_then(Value::as_object) {
                    found.look_into(self.catalogue, &Members::of(self.catalogue, object));
                }
            }
        }
        let stated = found.token.or_else(|| found.provenance.as_ref().map(|sent| Cow::Owned(sent.token.clone())));
        let from = match (&stated, &found.refused) {
            (Some(_), _) => LineageFrom::Source,
            (None, Some(_)) => LineageFrom::Refused,
            (None, None) => LineageFrom::Derived,
        };
        Lineage {
            token: stated.unwrap_or_else(|| Cow::Owned(derived_token(&record.id()))),
            from,
            refused: found.refused.filter(|_| from == LineageFrom::Refused),
            provenance: found.provenance,
        }
    }
}

/// An event's token, and how it came by it.
struct Lineage<'a> {
    token: Cow<'a, str>,
    from: LineageFrom,
    refused: Option<Personal>,
    provenance: Option<Provenance>,
}

/// What was found of a token so far.
#[derive(Default)]
struct Found<'a> {
    token: Option<Cow<'a, str>>,
    provenance: Option<Provenance>,
    refused: Option<Personal>,
}

impl<'a> Found<'a> {
    fn look_into(&mut self, catalogue: &Catalogue, members: &Members<'a>) {
        let token = catalogue.shared.token.iter().find_map(|name| members.get(*name));
        match token.map(lineage::sent) {
            Some(Sent::Token(token)) => {
                self.token.get_or_insert(Cow::Borrowed(token));
            }
            Some(Sent::Provenance(provenance)) => {
                self.token.get_or_insert_with(|| Cow::Owned(provenance.token.clone()));
                self.provenance.get_or_insert(*provenance);
            }
            Some(Sent::Refused(refused)) => {
                self.refused.get_or_insert_with(|| Personal::new(refused));
            }
            Some(Sent::Nothing) | None => {}
        }
        let provenance = catalogue.shared.provenance.iter().find_map(|name| members.get(*name));
        if let Some(sent) = provenance.and_then(Provenance::read) {
            self.provenance.get_or_insert(sent);
        }
    }
}

/// The bags of these members, and the bags in those.
fn take_bags<'a>(catalogue: &Catalogue, members: &Members<'a>, bags: &mut Vec<(NameId, Members<'a>)>, deep: u8) {
    for bag in catalogue.bags.iter().filter(|bag| bag.fields) {
        if let Some(object) = members.get(bag.key).and_then(Value::as_object) {
            let inside = Members::of(catalogue, object);
            let at = bags.len();
            bags.push((bag.key, inside));
            if deep > 1 {
                let (_, inside) = &bags[at];
                let mut inner = Vec::new();
                take_bags(catalogue, inside, &mut inner, deep - 1);
                bags.extend(inner);
            }
        }
    }
}

/// The guides' audit record holds an event in its `data`, and that a `payload`.
const BAGS_DEEP: u8 = 2;

/// A string, or an integer's digits; nothing else is an id.
pub(super) fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) if !text.is_empty() => Some(Cow::Borrowed(text)),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

/// A whole number, also when it is written as `30000.0`.
pub(super) fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let float = value.as_f64()?;
        // Exact below 2^53.
        (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
    })
}

/// A version as sources number them: `2`, `v1.0`, `1.12.3`.
fn is_version(text: &str) -> bool {
    let numbers = text.strip_prefix('v').unwrap_or(text);
    let is_number = |part: &str| (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    numbers.split('.').count() <= 3 && numbers.split('.').all(is_number)
}
