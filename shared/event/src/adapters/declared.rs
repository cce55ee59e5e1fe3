//! The one adapter: reads a document by the shape of the description that it has.
//!
//! Invariant: drift never loses an event. Unknown members are reported by name, missing ones are simply absent, an unknown version
//! is read like any other; only a document that names no record, or no time that can be read, is refused.

use std::borrow::Cow;

use ledgerline_json::{Json, Object};

use super::fields::take_fields;
use super::identity::identify;
use super::layers::{Layers, Member, Members};
use super::{PARTNER, hooks, is_stated_org, names_nothing, org_of_source, record};
use crate::capture::Captured;
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
    /// The objects whose members are read as the event's own: bags, and bags inside them.
    pub(super) bags: Vec<Bag<'a>>,
    /// The `source` of the event bus' envelope, and its `detail-type`.
    pub(super) source: Option<&'a str>,
    pub(super) detail_type: Option<&'a str>,
    /// Who sent it through capture, if somebody did.
    captured: Option<Captured<'a>>,
}

impl<'a> Reading<'a> {
    pub(super) fn of(catalogue: &'static Catalogue, document: &'a Object<'a>, context: &Context<'a>) -> Self {
        let layers = Layers::of(catalogue, document);
        let mut bags = Vec::new();
        take_bags(catalogue, &layers.own().members, &[], &mut bags, BAGS_DEEP);
        // Whoever wrapped the event last says where it is from; what it is, the innermost envelope says.
        let source = match layers.root().text("source") {
            Some(source) => Some(source),
            None => layers
                .envelopes()
                .filter(|layer| layer.text("detail-type").is_some())
                .find_map(|bus| bus.text("source")),
        };
        let detail_type = layers.envelopes().rev().find_map(|layer| layer.text("detail-type"));
        let captured = layers.captured();
        // Regions and sources of numeric ids go by the name that the client's source has, not by how it came.
        let source = captured.map(|by| by.source).or(source);
        Self { catalogue, context: *context, layers, bags, source, detail_type, captured }
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
        std::iter::once(self.own()).chain(self.bags.iter().map(|bag| &bag.members))
    }

    /// Reads the document by the first shape that it has.
    pub(super) fn event(self) -> Result<SourceEvent<'a>, Rejection> {
        let shape = self.shape().ok_or(Rejection::NoRecord)?;
        let record = match shape.hook {
            Some(ShapeHook::AwsService) => hooks::aws_service(&self)?,
            _ => self.record(shape)?,
        };
        let (Told { kind, media, by_wrapper }, topic) = self.kind_and_topic(shape);
        let (at, time_from_envelope) = match self.occurred(shape) {
            // What is filtered always is not stored: its time is nobody's.
            Err(_) if self.catalogue.kind(kind).filter.is_some() => (Instant { ms: 0, zone_assumed: false }, true),
            occurred => occurred?,
        };
        let lineage = self.lineage(&record);
        let (kind_id, activity) = self.refined(kind);
        let kind = self.catalogue.kind(kind_id);
        let mut event = SourceEvent {
            kind: kind_id,
            org: self.org(),
            source: shape.source,
            topic,
            schema_version: self.schema_version(),
            event_type: kind.event_type,
            activity: activity.unwrap_or(kind.activity),
            lifecycle: shape.lifecycle.unwrap_or(kind.lifecycle),
            participant_id: self.own_text(&self.catalogue.shared.participant),
            session_id: self.own_text(&self.catalogue.shared.session),
            occurred_at_ms: at.ms,
            zone_assumed: at.zone_assumed,
            time_from_envelope,
            native_id: self.native_id(shape, &record),
            source_name: self.source_name(),
            envelope_source: self.source,
            sequence: self.sequence(),
            rank: 0,
            record,
            lineage_token: lineage.token,
            lineage_from: lineage.from,
            refused_token: lineage.refused,
            provenance: lineage.provenance,
            links: if kind.widen { Links::WidenOnly } else { Links::Create },
            fields: Vec::with_capacity(self.own().len() + 2),
            unknown_outcome: false,
            damaged: false,
            identifiers: Vec::new(),
            named: Vec::new(),
            extra: Vec::new(),
            bags: Vec::new(),
            own_path: self.layers.own().path.clone(),
            bag_paths: self.bags.iter().map(|bag| bag.path.clone()).collect(),
            body: Body { wrapped_kind: by_wrapper.then_some(kind.event_type), ..self.body(shape) },
        };
        take_fields(&self, shape, media, &mut event);
        let duration =
            |name: &str| event.fields.iter().find(|field| field.name == name).and_then(|field| whole(&field.value));
        event.rank = kind.rank_in_time(self.catalogue.lasted_ms(duration));
        record::identify_entity(self.catalogue, kind_id, &mut event);
        if shape.identify {
            identify(&self, shape, (kind_id, kind), &mut event);
        }
        Ok(event)
    }

    /// The first shape that the document has.
    pub(super) fn shape(&self) -> Option<&'static Shape> {
        self.catalogue.shapes.iter().find(|shape| self.has(shape))
    }

    /// Whether the document has this shape.
    fn has(&self, shape: &Shape) -> bool {
        let (catalogue, own) = (self.catalogue, self.own());
        let is_word = |(name, word): &(NameId, &str)| {
            own.get(*name).and_then(Json::as_str).is_some_and(|text| text.eq_ignore_ascii_case(word))
        };
        shape.layer.is_none_or(|layer| self.layers.own().id == layer)
            && (shape.hook != Some(ShapeHook::AwsService) || hooks::is_aws_service(self))
            && shape.topic.as_ref().is_none_or(|topic| self.has_topic(topic))
            && shape.presence.is_met(|path| own.says(catalogue, path))
            && shape.objects.iter().all(|name| own.get(*name).is_some_and(Json::is_object))
            && shape.equals.iter().all(is_word)
            && !(shape.anonymous && record::is_named(self))
    }

    fn has_topic(&self, topic: &Topic) -> bool {
        let is_it = |name: &str| {
            let has_id = name.len() > topic.begins.len() + topic.ends.len();
            has_id && name.starts_with(topic.begins) && name.ends_with(topic.ends)
        };
        match topic.detail_type_decides {
            true => self.detail_type.or(self.topic_name()).is_some_and(is_it),
            false => [self.detail_type, self.topic_name()].into_iter().flatten().any(is_it),
        }
    }

    /// The kind, and the topic as it is stored.
    fn kind_and_topic(&self, shape: &Shape) -> (Told, Cow<'a, str>) {
        if shape.hook == Some(ShapeHook::GenesysTopic) {
            let (kind, topic) = hooks::genesys_topic(self);
            return (Told::plain(kind), topic);
        }
        let topic = match (&shape.topic, shape.hook) {
            (Some(Topic { template: Some(template), .. }), _) => Cow::Borrowed(*template),
            (Some(_), _) | (None, Some(_)) => self.topic(),
            (None, None) => Cow::Borrowed(shape.source),
        };
        let mut told = match shape.kind {
            KindRule::Fixed(kind) => Told::plain(kind),
            KindRule::By { member, present, absent } => {
                let says = self.own().get(member).is_some_and(says_something);
                Told::plain(if says { present } else { absent })
            }
            KindRule::Word => self.kind_of_words(),
        };
        if told.kind == self.catalogue.well_known.other {
            told.kind = shape.otherwise.unwrap_or(told.kind);
        }
        (told, topic)
    }

    /// The topic as it is called, its ids taken out.
    pub(super) fn topic(&self) -> Cow<'a, str> {
        let named = [self.detail_type, self.topic_name()].into_iter().flatten();
        named.map(hooks::template).find(|topic| topic != hooks::UNKNOWN).unwrap_or(Cow::Borrowed(hooks::UNKNOWN))
    }

    /// The kind of a flat event: by the Genesys topic that it was made from, by the first of its words that is known, or by the state that
    /// it reached where the word says only that the state changed. A bag's words count where the event has none of its own.
    fn kind_of_words(&self) -> Told {
        let (catalogue, shared) = (self.catalogue, &self.catalogue.shared);
        let topic = self.own().get(shared.topic_name).and_then(Json::as_str).and_then(hooks::conversation_topic);
        if let Some(kind) = topic.and_then(|suffix| catalogue.kind_of_topic(suffix)) {
            return Told::plain(kind);
        }
        let (other, state) = (catalogue.well_known.other, catalogue.well_known.state);
        let said = self.own_words();
        let known =
            |said: &[&str]| said.iter().map(|word| catalogue.kind_of_word(word)).find(|(kind, _)| *kind != other);
        // What wraps an event may tell its type where it tells none itself; such types often begin with a domain.
        let around = || {
            let layers = self.layers.of_the_event().skip(1).filter(|_| said.is_empty());
            let words: Vec<&str> = layers.flat_map(|layer| words_of(&layer.members, &shared.kind_word)).collect();
            known(&words).or_else(|| known(&words.iter().map(|word| hooks::without_domain(word)).collect::<Vec<_>>()))
        };
        let own = known(&said);
        let wrapped = if own.is_none() { around() } else { None };
        let (kind, media) = own.or(wrapped).unwrap_or((other, None));
        let told = |kind| Told { kind, media, by_wrapper: wrapped.is_some() };
        if kind == state {
            let mut reached = self.own_and_bags().flat_map(|members| words_of(members, &shared.state));
            let known = reached.find_map(|said| Some(catalogue.kind_of_word(said).0).filter(|kind| *kind != other));
            return told(known.unwrap_or(state));
        }
        // A state of its own that nobody knows is one all the same.
        let has_state = kind == other && !words_of(self.own(), &shared.state).is_empty();
        told(if has_state { state } else { kind })
    }

    /// The event's own words for what happened; a bag's where it has none.
    fn own_words(&self) -> Vec<&'a str> {
        let names = &self.catalogue.shared.kind_word;
        let own = words_of(self.own(), names);
        if own.is_empty() { self.bags.iter().flat_map(|bag| words_of(&bag.members, names)).collect() } else { own }
    }

    /// The kind, and an activity of its own, that another member makes of this kind.
    fn refined(&self, kind: KindId) -> (KindId, Option<&'static str>) {
        let is_so = |when: &When| match when {
            When::Is(member, words) => self
                .own()
                .get(*member)
                .and_then(Json::as_str)
                .is_some_and(|said| words.iter().any(|word| said.eq_ignore_ascii_case(word))),
            When::Empty(names) => {
                let all = self.own_and_bags().flat_map(|members| names.iter().filter_map(|name| members.get(*name)));
                let mut there = all.peekable();
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
            let names = if depth == 0 { &shape.time } else { &self.catalogue.shared.time };
            let mut said = names
                .iter()
                .filter_map(|path| layer.members.at(self.catalogue, path))
                .filter(|value| says_something(value));
            if let Some(value) = said.next() {
                // A time that no calendar of ours reaches is one all the same.
                let beyond = || if instant::is_spelled(value) { Rejection::ImplausibleTime } else { Rejection::NoTime };
                return Ok((instant::read_value(value).ok_or_else(beyond)?, depth > 0));
            }
        }
        Err(Rejection::NoTime)
    }

    /// The organisation: the capture client's, whatever the client's event says; the partner source's, wherever an envelope names it,
    /// else the event's, else the default.
    fn org(&self) -> Cow<'a, str> {
        if let Some(org) = self.captured.and_then(|by| by.org) {
            return Cow::Borrowed(org);
        }
        // A source that begins so is the bus' own word; one that has the path further in is somebody's who forwards.
        let sources = || self.layers.envelopes().filter_map(|layer| layer.text("source"));
        let own = sources().filter(|source| source.starts_with(PARTNER)).find_map(org_of_source);
        if let Some(org) = own.or_else(|| sources().find_map(org_of_source)) {
            return Cow::Borrowed(org);
        }
        let stated = |members: &Members<'a>| {
            let stated = |value: &'a Json<'a>| text(value).filter(|org| is_stated_org(org));
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

    pub(super) fn source_name(&self) -> Option<&'a str> {
        let name = |members: &Members<'a>| {
            self.catalogue.shared.source_name.iter().find_map(|name| members.get(*name)?.as_str())
        };
        name(self.own()).or_else(|| name(&self.layers.event().members))
    }

    fn sequence(&self) -> Option<i64> {
        let whole = |value: &Json<'_>| value.as_i64().or_else(|| value.as_str()?.parse().ok());
        self.catalogue.shared.sequence.iter().find_map(|name| self.own().first(*name, whole))
    }

    /// The source's own id of the event: not a placeholder of a template, and not the interaction's id.
    fn native_id(&self, shape: &Shape, record: &Record<'a>) -> Option<Cow<'a, str>> {
        if shape.hook == Some(ShapeHook::AwsService) {
            return hooks::envelope_id(self);
        }
        let placeholders = &self.catalogue.shared.placeholder_ids;
        let ids = shape.native.iter().filter_map(|path| text(self.own().at(self.catalogue, path)?));
        let usable = |id: &Cow<'a, str>| {
            !names_nothing(id.trim())
                && !placeholders.contains(&&**id)
                && !record::interactions(self).any(|other| other == *id)
        };
        ids.into_iter().find(|id| usable(id) && !record.is_interaction(id))
    }

    /// What names the event where it has no id of its own.
    fn body(&self, shape: &'static Shape) -> Body<'a> {
        if shape.hook == Some(ShapeHook::AwsService) {
            return Body { path: Vec::new(), except: &[], has_time: true, wrapped_kind: None };
        }
        let own = self.layers.own();
        let has_time = shape.time.iter().any(|path| own.members.says(self.catalogue, path));
        Body { path: own.path.clone(), except: &shape.except, has_time, wrapped_kind: None }
    }

    /// The token and provenance that the source sent, in the layers or in the bags that sources keep them in; what it sent in their
    /// place, if that is no token.
    fn lineage(&self, record: &Record<'a>) -> Lineage<'a> {
        let mut found = Found::default();
        for layer in self.layers.of_the_event() {
            found.look_into(self.catalogue, &layer.members);
        }
        for bag in self.catalogue.bags.iter().filter(|bag| bag.token) {
            for layer in self.layers.of_the_event() {
                if let Some(object) = layer.members.get(bag.key).and_then(Json::as_object) {
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

/// What is told of an event's kind.
struct Told {
    kind: KindId,
    /// The medium that the source's word tells.
    media: Option<&'static str>,
    /// Only what wraps the event says what happened.
    by_wrapper: bool,
}

impl Told {
    fn plain(kind: KindId) -> Self {
        Self { kind, media: None, by_wrapper: false }
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
        match provenance.map(lineage::sent) {
            Some(Sent::Provenance(sent)) => {
                self.provenance.get_or_insert(*sent);
            }
            Some(Sent::Token(token)) => {
                self.token.get_or_insert(Cow::Borrowed(token));
            }
            Some(Sent::Refused(refused)) => {
                self.refused.get_or_insert_with(|| Personal::new(refused));
            }
            Some(Sent::Nothing) | None => {}
        }
    }
}

/// What members of these names say, in the order of the names.
fn words_of<'a>(members: &Members<'a>, names: &[NameId]) -> Vec<&'a str> {
    let said = names.iter().filter_map(|name| members.get(*name).filter(|value| says_something(value))?.as_str());
    said.collect()
}

/// An object whose members are read as the event's own.
pub(super) struct Bag<'a> {
    pub(super) name: NameId,
    pub(super) members: Members<'a>,
    /// The keys that lead to it from the event's own members, as the document spells them.
    path: Vec<&'a str>,
}

/// The bags of these members, and the bags in those. The keys in `path` lead to the members.
fn take_bags<'a>(catalogue: &Catalogue, members: &Members<'a>, path: &[&'a str], bags: &mut Vec<Bag<'a>>, deep: u8) {
    for bag in catalogue.bags.iter().filter(|bag| bag.fields) {
        let Some(Member { key, value: Json::Object(object), .. }) = members.member(bag.key) else { continue };
        let bag = Bag { name: bag.key, members: Members::of(catalogue, object), path: [path, &[*key]].concat() };
        let mut inner = Vec::new();
        if deep > 1 {
            take_bags(catalogue, &bag.members, &bag.path, &mut inner, deep - 1);
        }
        bags.push(bag);
        bags.extend(inner);
    }
}

/// The guides' audit record holds an event in its `data`, and that a `payload`.
const BAGS_DEEP: u8 = 2;

/// A string, or an integer's digits; nothing else is an id.
pub(super) fn text<'a>(value: &'a Json<'a>) -> Option<Cow<'a, str>> {
    match value {
        Json::String(text) if !text.is_empty() => Some(Cow::Borrowed(text)),
        Json::Number(number) => {
            let is_integer = number.as_i64().is_some() || number.as_u64().is_some();
            is_integer.then(|| Cow::Borrowed(number.lexeme()))
        }
        _ => None,
    }
}

/// A whole number, also when it is written as `30000.0`.
pub(super) fn whole(value: &Json<'_>) -> Option<i64> {
    value.as_i64().or_else(|| {
        let float = value.as_f64()?;
        // Exact below 2^53.
        (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
    })
}

/// A version as sources number them: `2`, `v1.0`, `1.12.3`.
fn is_version(text: &str) -> bool {
    let numbers = text.strip_prefix('v').unwrap_or(text);
    // More digits may be somebody's number.
    let few = numbers.bytes().filter(u8::is_ascii_digit).count() <= 6;
    let is_number = |part: &str| (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    few && numbers.split('.').count() <= 3 && numbers.split('.').all(is_number)
}
