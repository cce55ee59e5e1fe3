//! From a description as it is written to one that can be looked things up in.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ledgerline_json::Json;
use ledgerline_privacy::identifier::Kind as IdentifierKind;
use ledgerline_privacy::policy::{FieldRule, Policy, Rule, Side, Store};
use ledgerline_privacy::{Joinable, PseudonymKey};

use super::format::{self, Description, LookUp, SessionPart};
use super::names::{KeyTable, NameId, Spelled, spellings};
use super::{
    Bag, Catalogue, DescriptionError, FieldDefinition, FieldUse, IdentifierRule, Kind, KindId, KindRule, Layer,
    LayerId, MemberPath, MemberUse, Naming, Prefix, Presence, Refinement, Shape, SharedNames, Topic, Way, WellKnown,
    When, outcomes, pass_names, plain_word,
};
use crate::adapters::{entity_kind, hooks};
use crate::source_event::Lifecycle;

pub(super) type Compiled<T> = Result<T, DescriptionError>;

/// Members of a webhook that an exception may name together.
const DELIVERY: &str = "@delivery";
/// The member of flat events that carries a Genesys topic's name.
pub(super) const TOPIC_NAME: &str = "topicName";

pub(super) fn compile(json: &str) -> Compiled<Catalogue> {
    let said: Description =
        serde_json::from_str(json).map_err(|error| wrong(format!("it is not a description: {error}")))?;
    let mut names = Names::default();
    let mut kinds: Vec<Kind> = said.kind.iter().map(kind).collect();
    let kind_ids = kind_ids(&kinds)?;
    super::filters::compile(&said, &kind_ids, &mut kinds)?;
    let fields = fields(&said.field, &mut names)?;
    let field_at = |name: &str| {
        let at = said.field.iter().position(|field| field.name == name);
        at.ok_or_else(|| wrong(format!("there is no field {name:?}, which code fills")))
    };
    let layers: Vec<Layer> = said.layer.iter().map(|layer| names.layer(layer)).collect();
    let layer_ids = layer_ids(&said.layer)?;
    let filled = ["media", "duration_ms", "outcome_source", "outcome_unlisted"];
    let [media, duration, outcome_source, outcome_unlisted] = filled.map(field_at);
    let shared = names.shared(&said.names, [media?, duration?, outcome_source?, outcome_unlisted?]);
    let compiler = Compiler { kinds: &kind_ids, layers: &layer_ids, delivery: &said.names.delivery };
    let shapes = said.shape.iter().map(|shape| compiler.shape(shape, &mut names));
    let mut shapes = shapes.collect::<Compiled<Vec<Shape>>>()?;
    for shape in &mut shapes {
        let others: Vec<MemberPath> = shared.time.iter().copied().filter(|path| !shape.time.contains(path)).collect();
        shape.time.extend(others);
    }
    let identifiers = said.identifier.iter().map(|rule| compiler.identifier(rule, &mut names));
    let identifiers = identifiers.collect::<Compiled<Vec<IdentifierRule>>>()?;
    let (impersonal, agents) = entities(&said.entities, &identifiers)?;
    let personal: BTreeSet<&String> = said.identifier.iter().flat_map(|rule| &rule.entities).collect();
    let personal = personal.into_iter().map(|name| leak(name)).collect();
    let refinements = said.refine.iter().map(|refine| compiler.refinement(refine, &kinds, &mut names));
    let refinements = refinements.collect::<Compiled<Vec<Refinement>>>()?;
    let not_events = said.not_event.iter().map(|what| names.presence(&what.all, &what.any)).collect();
    let bags = said.bag.iter().map(|bag| names.bag(bag)).collect();
    let lasting_fields = lasting_fields(&said)?;
    let pass = pass_names::compile(&said)?;
    let policy = policy(&said)?;
    says_what_it_stores(&said, &policy)?;
    let joinable = joinable(&said)?;
    let prefixes = prefixes(&said, &kind_ids)?;
    let of_entities = |shape: &&Shape| shape.record.iter().any(|way| matches!(way, Way::InTopic { .. }));
    let entity_topics =
        shapes.iter().filter(of_entities).filter_map(|shape| Some(shape.topic.as_ref()?.begins)).collect();
    let (table, uses) = names.finish()?;
    Ok(Catalogue {
        version: leak(&said.version),
        policy,
        names: table,
        pass,
        entity_topics,
        uses,
        shared,
        layers,
        bags,
        shapes,
        not_events,
        well_known: WellKnown { state: known(&kind_ids, "state")?, other: known(&kind_ids, "other")? },
        words: words(&said.kind)?,
        kinds,
        refinements,
        prefixes,
        process_names: said.process_names.iter().map(|(of, name)| (leak(of), leak(name))).collect(),
        lasting_fields,
        outcome_map: outcome_map(&said.outcome_map)?,
        outcomes: outcomes::compile(&said.outcome)?,
        custom_fields: custom_fields(&said.field)?,
        identifiers,
        impersonal,
        agents,
        personal,
        joinable,
        fields,
    })
}

pub(super) fn wrong(what: String) -> DescriptionError {
    DescriptionError(what)
}

/// A description is compiled once and lives as long as its process.
pub(super) fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn leaked(texts: &[String]) -> Vec<&'static str> {
    texts.iter().map(|text| leak(text)).collect()
}

/// Names as they turn up, and what each is as a member.
#[derive(Default)]
struct Names {
    ids: HashMap<String, NameId>,
    in_order: Vec<String>,
    uses: Vec<MemberUse>,
}

impl Names {
    fn id(&mut self, name: &str) -> NameId {
        if let Some(&id) = self.ids.get(name) {
            return id;
        }
        // `finish` refuses more names than have a number.
        let id = NameId(u16::try_from(self.in_order.len()).unwrap_or(u16::MAX));
        self.ids.insert(name.to_owned(), id);
        self.in_order.push(name.to_owned());
        self.uses.push(MemberUse::default());
        id
    }

    /// A name that stands in a layer itself.
    fn alone(&mut self, name: &str) -> NameId {
        let id = self.id(name);
        self.uses[usize::from(id.0)].stands_alone = true;
        id
    }

    fn all(&mut self, names: &[String]) -> Vec<NameId> {
        names.iter().map(|name| self.alone(name)).collect()
    }

    /// `a`, `a.b` or `a[].b`.
    fn path(&mut self, path: &str) -> MemberPath {
        let (first, inner) = path.split_once('.').map_or((path, None), |(first, inner)| (first, Some(inner)));
        let list = first.ends_with("[]");
        let first = self.alone(first.trim_end_matches("[]"));
        MemberPath { first, inner: inner.map(|inner| self.id(inner)), list }
    }

    fn paths(&mut self, paths: &[String]) -> Vec<MemberPath> {
        paths.iter().map(|path| self.path(path)).collect()
    }

    fn presence(&mut self, all: &[String], any: &[String]) -> Presence {
        Presence { all: self.paths(all), any: self.paths(any) }
    }

    fn layer(&mut self, layer: &format::Layer) -> Layer {
        Layer {
            key: self.alone(&layer.key),
            when: self.all(&layer.when),
            needs: self.all(&layer.needs),
            is_envelope: layer.envelope,
            is_list: layer.list,
            anonymous: layer.anonymous,
            is_text: layer.text,
            flat: match layer.flat {
                true => spellings(&layer.key).iter().map(|key| leak(&format!("{key}."))).collect(),
                false => Vec::new(),
            },
        }
    }

    fn bag(&mut self, bag: &format::Bag) -> Bag {
        Bag { key: self.alone(&bag.key), token: bag.token, interaction: bag.interaction, fields: bag.fields }
    }

    fn shared(&mut self, said: &format::Names, filled: [usize; 4]) -> SharedNames {
        let [media, duration, outcome_source, outcome_unlisted] = filled;
        self.all(&said.delivery);
        self.all(&said.ignored);
        SharedNames {
            interaction: self.all(&said.interaction),
            time: self.paths(&said.time),
            token: self.all(&said.token),
            provenance: self.all(&said.provenance),
            org: self.all(&said.org),
            entity_type: self.alone(&said.entity_type),
            entity_id: self.paths(&said.entity_id),
            schema_version: self.all(&said.schema_version),
            participant: self.all(&said.participant),
            session: self.all(&said.session),
            source_name: self.all(&said.source_name),
            sequence: self.all(&said.sequence),
            kind_word: self.all(&said.kind_word),
            state: self.all(&said.state),
            placeholder_ids: leaked(&said.placeholder_ids),
            topic_name: self.alone(TOPIC_NAME),
            display: said.display.iter().map(|name| self.id(name)).collect(),
            media,
            duration,
            outcome_source,
            outcome_unlisted,
        }
    }

    fn finish(self) -> Compiled<(KeyTable<Spelled>, Vec<MemberUse>)> {
        if self.in_order.len() > super::NAMES_MAX {
            return Err(wrong(format!("it has more than {} names of members", super::NAMES_MAX)));
        }
        let mut spelled: HashMap<String, &str> = HashMap::new();
        let mut keys = Vec::new();
        for (at, name) in self.in_order.iter().enumerate() {
            for (spelling, key) in spellings(name).into_iter().enumerate() {
                keys.push((leak(&key), Spelled { name: NameId(at as u16), spelling: spelling as u8 }));
                if let Some(other) = spelled.insert(key.clone(), name) {
                    return Err(wrong(format!("{key:?} is a spelling of both {other:?} and {name:?}")));
                }
            }
        }
        Ok((KeyTable::new(keys), self.uses))
    }
}

/// What parts of a description refer to by name.
struct Compiler<'d> {
    kinds: &'d HashMap<&'static str, KindId>,
    layers: &'d HashMap<String, LayerId>,
    delivery: &'d [String],
}

impl Compiler<'_> {
    fn layer(&self, key: &str, place: &str) -> Compiled<LayerId> {
        self.layers
            .get(key)
            .copied()
            .ok_or_else(|| wrong(format!("{place} names the layer {key:?}, which there is not")))
    }

    fn kind(&self, name: &str, place: &str) -> Compiled<KindId> {
        self.kinds
            .get(name)
            .copied()
            .ok_or_else(|| wrong(format!("{place} names the kind {name:?}, which there is not")))
    }

    fn shape(&self, shape: &format::Shape, names: &mut Names) -> Compiled<Shape> {
        let place = format!("the shape {:?}", shape.name);
        let kind = match &shape.kind {
            None => KindRule::Word,
            Some(format::KindRule::Fixed(kind)) => KindRule::Fixed(self.kind(kind, &place)?),
            Some(format::KindRule::By { by, present, absent }) => KindRule::By {
                member: names.alone(by),
                present: self.kind(present, &place)?,
                absent: self.kind(absent, &place)?,
            },
        };
        let except = shape.except.iter().flat_map(|name| match name.as_str() {
            DELIVERY => self.delivery.to_vec(),
            name => vec![name.to_owned()],
        });
        let except: Vec<String> = except.collect();
        Ok(Shape {
            source: leak(shape.source.as_ref().unwrap_or(&shape.name)),
            hook: shape.hook,
            layer: shape.layer.as_ref().map(|key| self.layer(key, &place)).transpose()?,
            topic: shape.topic.as_ref().map(|topic| Topic {
                begins: leak(&topic.begins),
                ends: leak(&topic.ends),
                template: topic.template.as_deref().map(leak),
                detail_type_decides: topic.detail_type_decides,
            }),
            presence: names.presence(&shape.all, &shape.any),
            objects: names.all(&shape.objects),
            equals: shape.equals.iter().map(|(name, word)| (names.alone(name), leak(word))).collect(),
            anonymous: shape.anonymous,
            record: shape.record.iter().map(|way| way_of(way, names)).collect(),
            kind,
            otherwise: shape.otherwise.as_ref().map(|kind| self.kind(kind, &place)).transpose()?,
            native: names.paths(&shape.native),
            lifecycle: shape.lifecycle.map(lifecycle),
            time: shape.time.as_deref().map(|time| names.paths(time)).unwrap_or_default(),
            duration: duration_of(&shape.derive, &place, names)?,
            except: names.paths(&except),
            identify: shape.identify,
        })
    }

    fn refinement(&self, refine: &format::Refine, kinds: &[Kind], names: &mut Names) -> Compiled<Refinement> {
        let place = format!("a refinement of {:?}", refine.kind);
        let kind = self.kind(&refine.kind, &place)?;
        let when = match &refine.member {
            Some(member) => When::Is(names.alone(member), leaked(&refine.words)),
            None => When::Empty(names.all(&refine.empty)),
        };
        let becomes = refine.becomes.as_ref().map_or(Ok(kind), |other| self.kind(other, &place))?;
        let activity = refine.activity.as_ref().map_or(kinds[usize::from(becomes.0)].activity, |own| leak(own));
        Ok(Refinement { kind, when, becomes, activity })
    }

    fn identifier(&self, rule: &format::Identifier, names: &mut Names) -> Compiled<IdentifierRule> {
        let place = format!("the identifier of {:?}", rule.from);
        let kind = |label: &String| {
            let known = IdentifierKind::ALL.into_iter().find(|kind| kind.label() == label);
            known.ok_or_else(|| wrong(format!("{place} has the kind {label:?}, which there is not")))
        };
        let naming = match rule.kind.as_deref() {
            Some("address") => Naming::Address(rule.otherwise.as_ref().map(kind).transpose()?),
            Some(label) => Naming::Kind(kind(&label.to_owned())?),
            None if rule.types.is_empty() => return Err(wrong(format!("{place} needs either a kind or types"))),
            None => Naming::Typed {
                id: rule.id.iter().map(|name| names.id(name)).collect(),
                id_type: rule.id_type.iter().map(|name| names.id(name)).collect(),
                kinds: rule
                    .types
                    .iter()
                    .map(|(word, label)| Ok((leak(word), kind(label)?)))
                    .collect::<Compiled<_>>()?,
            },
        };
        let kinds = |names: &[String]| names.iter().map(|name| self.kind(name, &place)).collect::<Compiled<Vec<_>>>();
        Ok(IdentifierRule {
            naming,
            from: names.paths(&rule.from),
            direction: rule.direction.as_deref().map(leak),
            kinds: kinds(&rule.kinds)?,
            other_kinds: kinds(&rule.other_kinds)?,
            entities: entity_words(&rule.entities)?,
        })
    }
}

fn way_of(way: &format::Way, names: &mut Names) -> Way {
    match way {
        format::Way::Shared { from: format::Shared::Layers } => Way::Layers,
        format::Way::Shared { from: format::Shared::Bags } => Way::Bags,
        format::Way::Shared { from: format::Shared::Entity } => Way::Entity,
        format::Way::Interaction { interaction } => Way::Interaction(names.alone(interaction)),
        format::Way::Fixed { entity, id, begins } => {
            Way::Fixed { kind: leak(entity), id: names.alone(id), begins: leak(begins) }
        }
        format::Way::InTopic { entity, after, or } => {
            Way::InTopic { kind: leak(entity), after: leak(after), or: names.paths(or) }
        }
        format::Way::Named { entity_type, id, unless, topic_id } => Way::Named {
            kind: names.alone(entity_type),
            id: names.path(id),
            unless: leaked(unless),
            topic_id: topic_id.as_deref().map(leak),
        },
    }
}

/// `duration_ms = "from..to"`: the one thing that a shape may derive so far.
fn duration_of(
    derive: &BTreeMap<String, String>,
    place: &str,
    names: &mut Names,
) -> Compiled<Option<(NameId, NameId)>> {
    let mut duration = None;
    for (field, how) in derive {
        let ends = how.split_once("..").filter(|_| field == "duration_ms");
        let (from, to) =
            ends.ok_or_else(|| wrong(format!("{place} derives {field:?}: only duration_ms = \"from..to\" is known")))?;
        duration = Some((names.alone(from), names.alone(to)));
    }
    Ok(duration)
}

fn kind(said: &format::Kind) -> Kind {
    Kind {
        event_type: leak(&said.event_type),
        activity: leak(&said.activity),
        lifecycle: lifecycle(said.lifecycle),
        rank: said.rank,
        ends_session: said.session == Some(SessionPart::End),
        is_topic: said.topic,
        is_final: said.is_final,
        agents_leg: said.agents_leg,
        by_agents: said.by_agents,
        widen: said.widen,
        filter: None,
        is_state_change: true,
        on_any_medium: false,
    }
}

fn lifecycle(said: format::Lifecycle) -> Lifecycle {
    match said {
        format::Lifecycle::Start => Lifecycle::Start,
        format::Lifecycle::Complete => Lifecycle::Complete,
    }
}

fn kind_ids(kinds: &[Kind]) -> Compiled<HashMap<&'static str, KindId>> {
    let mut ids = HashMap::new();
    for (at, kind) in kinds.iter().enumerate() {
        let id = KindId(u8::try_from(at).map_err(|_| wrong("it has more than 256 kinds".to_owned()))?);
        if ids.insert(kind.event_type, id).is_some() {
            return Err(wrong(format!("the kind {:?} stands twice", kind.event_type)));
        }
    }
    Ok(ids)
}

pub(super) fn known(ids: &HashMap<&'static str, KindId>, name: &str) -> Compiled<KindId> {
    ids.get(name).copied().ok_or_else(|| wrong(format!("there is no kind {name:?}, which code must name")))
}

fn layer_ids(layers: &[format::Layer]) -> Compiled<HashMap<String, LayerId>> {
    let mut ids = HashMap::new();
    for (at, layer) in layers.iter().enumerate() {
        let id = LayerId(u8::try_from(at + 1).map_err(|_| wrong("it has more than 255 layers".to_owned()))?);
        if ids.insert(layer.key.clone(), id).is_some() {
            return Err(wrong(format!("the layer {:?} stands twice", layer.key)));
        }
    }
    Ok(ids)
}

fn words(kinds: &[format::Kind]) -> Compiled<HashMap<&'static str, KindId>> {
    let mut words = HashMap::new();
    for (at, kind) in kinds.iter().enumerate() {
        for word in &kind.words {
            if plain_word(word) != *word {
                return Err(wrong(format!(
                    "{word:?} of the kind {:?} is never found: write its letters and digits alone, in lower case",
                    kind.event_type
                )));
            }
            if words.insert(leak(word), KindId(at as u8)).is_some() {
                return Err(wrong(format!("{word:?} is a word of two kinds")));
            }
        }
    }
    Ok(words)
}

/// Types of entities as they are looked up. A type that no event can have would be without effect.
fn entity_words(types: &[String]) -> Compiled<Vec<&'static str>> {
    let word = |name: &String| match entity_kind(name) == name || hooks::AWS_SERVICE == name {
        true => Ok(leak(&plain_word(name))),
        false => {
            Err(wrong(format!("no event is about an entity of the type {name:?}: not all of it is in the word list")))
        }
    };
    types.iter().map(word).collect()
}

type Words = HashSet<&'static str>;

/// Types of entities: those whose ids name no person, and agents. Each is on one list, and names no customer.
fn entities(said: &format::Entities, identifiers: &[IdentifierRule]) -> Compiled<(Words, Words)> {
    let mut all = Words::new();
    let mut listed = |types: &[String], what| {
        let words = entity_words(types)?;
        for (word, name) in words.iter().zip(types) {
            if !all.insert(*word) {
                return Err(wrong(format!("the entity {name:?} stands twice")));
            }
            if identifiers.iter().any(|rule| rule.entities.contains(word)) {
                return Err(wrong(format!("the entity {name:?} is {what}, and its id names a customer")));
            }
        }
        Ok(words.into_iter().collect())
    };
    Ok((listed(&said.impersonal, "impersonal")?, listed(&said.agents, "an agent")?))
}

/// The fields that silver has a ref of, by what they hold.
fn joinable(said: &Description) -> Compiled<Vec<(Joinable, Vec<&'static str>)>> {
    let of = |(label, names): (&String, &Vec<String>)| {
        let what = [Joinable::Name, Joinable::Payment].into_iter().find(|what| what.label() == label);
        let what = what.ok_or_else(|| wrong(format!("[refs] has {label:?}; known are name and payment")))?;
        for name in names {
            let sealed = |field: &&format::Field| field.name == *name && field.rule.is_none() && field.store.is_none();
            if !said.field.iter().any(|field| sealed(&field)) {
                return Err(wrong(format!("[refs] has {name:?}, which is not the name of a masked field")));
            }
        }
        Ok((what, leaked(names)))
    };
    said.refs.iter().map(of).collect()
}

/// Longest first, so that `callback` is not taken for a `call`.
fn prefixes(said: &Description, kinds: &HashMap<&'static str, KindId>) -> Compiled<Vec<(&'static str, Prefix)>> {
    let of = |(prefix, what): (&String, &format::Prefix)| {
        let not = what.not.iter().map(|kind| known(kinds, kind)).collect::<Compiled<Vec<_>>>()?;
        Ok((leak(prefix), Prefix { media: what.media.as_deref().map(leak), not }))
    };
    let mut prefixes = said.prefixes.iter().map(of).collect::<Compiled<Vec<_>>>()?;
    prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
    Ok(prefixes)
}

/// Refuses what the description itself would put into a field and the field's rule would mask.
fn says_what_it_stores(said: &Description, policy: &Policy) -> Compiled<()> {
    let key = PseudonymKey::new(1, [0; 32]);
    let outcome = said.field.iter().filter(|field| field.look_up == Some(LookUp::Outcome));
    let outcome = outcome.flat_map(|field| said.outcome.iter().map(|row| (field.name.as_str(), row.is.as_str())));
    let processes = said.process_names.values().map(|name| ("process_name", name.as_str()));
    let media = said.prefixes.values().filter_map(|prefix| Some(("media", prefix.media.as_deref()?)));
    for (field, value) in outcome.chain(processes).chain(media) {
        let field = leak(field);
        if policy.mask(&key, [(field, &Json::from(value))]).clear.is_empty() {
            return Err(wrong(format!("{value:?} does not look as the rule of its field {field:?} asks")));
        }
    }
    Ok(())
}

/// Silver has it in clear, and it is a word that nobody mistakes for another column's.
fn outcome_map(version: &str) -> Compiled<&'static str> {
    let fits = (1..=16).contains(&version.len())
        && version.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase() || b".-".contains(&byte));
    let bad = || wrong(format!("outcome_map is {version:?}: write 1 to 16 of a-z 0-9 . -"));
    if fits { Ok(leak(version)) } else { Err(bad()) }
}

/// The fields without a column, sorted.
fn custom_fields(fields: &[format::Field]) -> Compiled<Vec<&'static str>> {
    let custom = fields.iter().filter(|field| field.custom);
    let mut names = Vec::new();
    for field in custom {
        if field.rule.is_none() {
            return Err(wrong(format!("the field {:?} has no rule: nothing of it could stand in custom", field.name)));
        }
        names.push(leak(&field.name));
    }
    names.sort_unstable();
    Ok(names)
}

fn fields(said: &[format::Field], names: &mut Names) -> Compiled<Vec<FieldDefinition>> {
    let mut fields = Vec::new();
    for (at, field) in said.iter().enumerate() {
        // In a sealed block a field's name, an identifier's kind, a pointer and the digest's name stand side by side.
        if field.name == "raw" || field.name.starts_with('/') || IdentifierKind::of_label(&field.name).is_some() {
            return Err(wrong(format!("{:?} is the name of something else in a sealed block", field.name)));
        }
        for (rank, from) in field.from.iter().enumerate() {
            let (path, scale) = match from.split_once('*') {
                None => (from.as_str(), 1),
                Some((path, scale)) => {
                    let scale = scale.parse().map_err(|_| wrong(format!("{from:?} multiplies by no whole number")))?;
                    (path, scale)
                }
            };
            let path = names.path(path);
            let used = FieldUse { field: at, rank: rank as u8, scale };
            let member = &mut names.uses[usize::from(path.first.0)];
            let twice = match path.inner {
                None => member.field.replace(used).is_some(),
                Some(inner) => {
                    member.inner_list = path.list;
                    let twice = member.inner.iter().any(|(name, _)| *name == inner);
                    member.inner.push((inner, used));
                    twice
                }
            };
            if twice {
                return Err(wrong(format!("{from:?} is a member of two fields")));
            }
        }
        fields.push(FieldDefinition {
            name: leak(&field.name),
            is_clear: field.rule.is_some(),
            is_outcome: field.look_up == Some(LookUp::Outcome),
            is_bag: field.store == Some(Store::Scalars),
            is_dropped: field.store == Some(Store::DropValue),
            side: side(field),
        });
    }
    Ok(fields)
}

/// The clear fields that the members of a session's length become.
fn lasting_fields(said: &Description) -> Compiled<Vec<&'static str>> {
    let field_of = |member: &String| {
        let field = said.field.iter().find(|field| field.from.contains(member));
        field
            .map(|field| leak(&field.name))
            .ok_or_else(|| wrong(format!("{member:?} of [sessions] is a member of no field")))
    };
    said.sessions.lasting_by.iter().map(field_of).collect()
}

/// Whose content a field is, where it does not say: the centre's, if the field has a rule or holds unlisted values.
fn side(said: &format::Field) -> Side {
    let is_centre = said.rule.is_some() || said.store == Some(Store::Scalars);
    said.party.unwrap_or(if is_centre { Side::Centre } else { Side::Customer })
}

fn policy(said: &Description) -> Compiled<Policy> {
    let rule = |field: &format::Field| -> Compiled<FieldRule> {
        let name = leak(&field.name);
        let bad = |error: &dyn std::fmt::Display| wrong(format!("the field {name:?}: {error}"));
        let rule = field.rule.as_deref().map(Rule::parse).transpose().map_err(|error| bad(&error))?;
        let store = field.store.unwrap_or(if rule.is_some() { Store::Both } else { Store::Seal });
        Ok(FieldRule { name, store, rule, side: side(field) })
    };
    let rules = said.field.iter().map(rule).collect::<Compiled<Vec<_>>>()?;
    Policy::new(&said.version, rules).map_err(|error| wrong(error.to_string()))
}
