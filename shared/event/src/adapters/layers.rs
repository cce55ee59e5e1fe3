//! A document taken apart into its layers: the envelope, its detail, what the event itself says; and the members of each, by
//! name.
//!
//! Invariant: each key is looked up once. What the event itself says counts before what an envelope says about it.

use ledgerline_json::{Json, Object};

use super::declared::text;
use crate::capture::{self, Captured};
use crate::catalogue::{
    Catalogue, Layer as Description, LayerId, MemberPath, NAMES_MAX, NameId, Spelled, says_something,
};

/// A member of a layer: its name, if the description has one, its key and its value.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) spelled: Option<Spelled>,
    /// As the document spells it.
    pub(super) key: &'a str,
    /// How many bytes of the key are the layer's, where it stands outside as `<layer>.<member>`.
    prefix: usize,
    pub(super) value: &'a Json<'a>,
}

impl<'a> Member<'a> {
    /// Its key in its layer.
    pub(super) fn name(&self) -> &'a str {
        self.key.get(self.prefix..).unwrap_or(self.key)
    }
}

/// The members of one object.
pub(super) struct Members<'a> {
    all: Vec<Member<'a>>,
    /// A bit for each name that stands there.
    present: [u64; NAMES_MAX / 64],
}

impl<'a> Members<'a> {
    pub(super) fn of(catalogue: &Catalogue, object: &'a Object<'a>) -> Self {
        Self::named(catalogue, object.iter().map(|(key, value)| (key, 0, value)))
    }

    /// Of members and how many bytes of each key are the layer's.
    fn named(catalogue: &Catalogue, members: impl Iterator<Item = (&'a str, usize, &'a Json<'a>)>) -> Self {
        let mut present = [0; NAMES_MAX / 64];
        let mut all = Vec::with_capacity(members.size_hint().0);
        for (key, prefix, value) in members {
            let spelled = catalogue.name_of(&key[prefix..]);
            if let Some(Spelled { name, .. }) = spelled {
                present[usize::from(name.0) / 64] |= 1 << (name.0 % 64);
            }
            all.push(Member { spelled, key, prefix, value });
        }
        Self { all, present }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Member<'a>> {
        self.all.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The member of this name; of several spellings the first that says anything.
    pub(super) fn member(&self, name: NameId) -> Option<&Member<'a>> {
        self.spellings(name)
            .min_by_key(|(spelling, member)| (!says_something(member.value), *spelling))
            .map(|(_, one)| one)
    }

    /// The first of what a member's spellings come to, in their order.
    pub(super) fn first<T>(&self, name: NameId, read: impl Fn(&'a Json<'a>) -> Option<T>) -> Option<T> {
        let read = |(spelling, member): (u8, &Member<'a>)| Some((spelling, read(member.value)?));
        self.spellings(name).filter_map(read).min_by_key(|(spelling, _)| *spelling).map(|(_, read)| read)
    }

    fn spellings(&self, name: NameId) -> impl Iterator<Item = (u8, &Member<'a>)> {
        let present = self.present[usize::from(name.0) / 64] & (1 << (name.0 % 64)) != 0;
        let all = if present { self.all.as_slice() } else { &[] };
        all.iter().filter_map(move |member| {
            let spelled = member.spelled.filter(|one| one.name == name)?;
            Some((spelled.spelling, member))
        })
    }

    pub(super) fn get(&self, name: NameId) -> Option<&'a Json<'a>> {
        self.member(name).map(|member| member.value)
    }

    /// The value at a path: of the first of a list's elements that says anything there.
    pub(super) fn at(&self, catalogue: &Catalogue, path: &MemberPath) -> Option<&'a Json<'a>> {
        let value = self.get(path.first)?;
        let Some(inner) = path.inner else { return Some(value) };
        match value {
            Json::Array(items) if path.list => items.iter().find_map(|item| inner_of(catalogue, item, inner)),
            Json::Object(_) => inner_of(catalogue, value, inner),
            _ => None,
        }
    }

    /// Whether the value at a path says anything.
    pub(super) fn says(&self, catalogue: &Catalogue, path: &MemberPath) -> bool {
        self.at(catalogue, path).is_some_and(says_something)
    }
}

/// The member of this name in an object, if it says anything.
fn inner_of<'a>(catalogue: &Catalogue, value: &'a Json<'a>, inner: NameId) -> Option<&'a Json<'a>> {
    let members = value.as_object()?.iter();
    let ours = members.filter_map(|(key, value)| {
        let spelled = catalogue.name_of(key).filter(|spelled| spelled.name == inner)?;
        says_something(value).then_some((spelled.spelling, value))
    });
    ours.min_by_key(|(spelling, _)| *spelling).map(|(_, value)| value)
}

/// A layer of a document.
pub(super) struct Layer<'a> {
    pub(super) id: LayerId,
    pub(super) members: Members<'a>,
    /// The keys that lead to it, as the document spells them.
    pub(super) path: Vec<&'a str>,
    /// It is one of a list's elements.
    is_element: bool,
    /// Nothing but capture stands around it: what the source sent begins here.
    is_outermost: bool,
}

/// A document's layers, from the outside in.
pub(super) struct Layers<'a> {
    all: Vec<Layer<'a>>,
    /// The place of what is inside the envelopes; of the document itself where there are none.
    event: usize,
    /// The keys that lead to a layer that is JSON in a string: nothing inside it was read.
    text: Option<Vec<&'a str>>,
}

impl<'a> Layers<'a> {
    pub(super) fn of(catalogue: &Catalogue, document: &'a Object<'a>) -> Self {
        let members = Members::of(catalogue, document);
        let root = Layer { id: LayerId(0), members, path: Vec::new(), is_element: false, is_outermost: true };
        let mut layers = Self { all: vec![root], event: 0, text: None };
        while layers.all.len() <= ENVELOPES_MAX {
            let mut described = (1..).map(LayerId).zip(&catalogue.layers);
            let found = described.find_map(|(id, description)| {
                Some((layers.own().inside(catalogue, id, description)?, description.is_envelope))
            });
            match found {
                Some((Inside::Layer(mut inner), is_envelope)) => {
                    inner.is_outermost = is_envelope && layers.all.len() == 1 && layers.captured().is_some();
                    layers.all.push(inner);
                    if !is_envelope {
                        break;
                    }
                    layers.event = layers.all.len() - 1;
                }
                Some((Inside::Text(path), _)) => {
                    layers.text = Some(path);
                    break;
                }
                None => break,
            }
        }
        layers
    }

    /// The keys that lead to a layer that is JSON in a string, if there is one.
    pub(super) fn text(&self) -> Option<&[&'a str]> {
        self.text.as_deref()
    }

    /// Who sent the document through capture, if somebody did.
    pub(super) fn captured(&self) -> Option<Captured<'a>> {
        self.root().text("source").and_then(capture::read)
    }

    /// What the event itself says.
    pub(super) fn own(&self) -> &Layer<'a> {
        // Unwrap safety: there is always the document itself.
        &self.all[self.all.len() - 1]
    }

    /// What is inside the envelope.
    pub(super) fn event(&self) -> &Layer<'a> {
        &self.all[self.event]
    }

    /// The document itself.
    pub(super) fn root(&self) -> &Layer<'a> {
        &self.all[0]
    }

    /// The envelopes from the outside in, one that holds no object included; the document itself where there are none.
    pub(super) fn envelopes(&self) -> impl DoubleEndedIterator<Item = &Layer<'a>> {
        let event = self.event;
        let wraps =
            move |(at, layer): &(usize, &Layer<'a>)| *at < event || event == 0 || layer.text("detail-type").is_some();
        self.all[..=event].iter().enumerate().filter(wraps).map(|(_, layer)| layer)
    }

    /// The layers from the inside out whose names and tokens are the event's: what stands around a list is about all of its elements.
    pub(super) fn of_the_event(&self) -> impl Iterator<Item = &Layer<'a>> {
        let count = if self.own().is_element { 1 } else { self.all.len() };
        self.inside_out().take(count)
    }

    /// The layers from the inside out.
    pub(super) fn inside_out(&self) -> impl Iterator<Item = &Layer<'a>> {
        self.all.iter().rev()
    }

    /// The layer around the innermost, if there is one.
    pub(super) fn around_own(&self) -> Option<&Layer<'a>> {
        self.all.len().checked_sub(2).map(|at| &self.all[at])
    }
}

/// What stands in a layer.
enum Inside<'a> {
    Layer(Layer<'a>),
    /// A layer that is JSON in a string: the keys that lead to it.
    Text(Vec<&'a str>),
}

/// Envelopes one in the other: a notification of an event that was forwarded with its envelope, and one more.
const ENVELOPES_MAX: usize = 4;

impl<'a> Layer<'a> {
    /// A member that is a text, by its key.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.members.iter().find(|member| member.name() == key)?.value.as_str()
    }

    /// The layer of this description, if it stands here.
    fn inside(&self, catalogue: &Catalogue, id: LayerId, description: &Description) -> Option<Inside<'a>> {
        let stands = |name: &NameId| self.members.get(*name).is_some();
        // Inside an envelope another one must look like one in every way: an event may have a `detail` and a `source` of its own.
        let marked = match self.is_outermost {
            true => description.when.is_empty() || description.when.iter().any(stands),
            false => description.when.iter().all(stands),
        };
        let named = || catalogue.shared.interaction.iter().any(|name| self.members.first(*name, text).is_some());
        if !marked || (description.anonymous && named()) {
            return None;
        }
        let mut path = self.path.clone();
        let members = match self.members.member(description.key) {
            Some(Member { key, value: Json::Object(object), .. }) if !description.is_list => {
                path.push(key);
                Members::of(catalogue, object)
            }
            Some(Member { key, value: Json::Array(items), .. }) if description.is_list => {
                let [Json::Object(only)] = items.as_slice() else { return None };
                path.extend([key, FIRST_ELEMENT]);
                Members::of(catalogue, only)
            }
            Some(Member { key, value: Json::String(text), .. })
                if description.is_text && text.trim_start().starts_with('{') =>
            {
                path.push(key);
                return Some(Inside::Text(path));
            }
            _ => self.flat(catalogue, description)?,
        };
        let needed = description.needs.is_empty() || description.needs.iter().any(|name| members.get(*name).is_some());
        let (is_element, is_outermost) = (description.is_list, false);
        needed.then_some(Inside::Layer(Layer { id, members, path, is_element, is_outermost }))
    }

    /// The members of this layer, those under `<key>.<member>` by their own names; `None` if there are none such.
    fn flat(&self, catalogue: &Catalogue, description: &Description) -> Option<Members<'a>> {
        if description.flat.is_empty() {
            return None;
        }
        let own_name = |key: &'a str| description.flat.iter().find_map(|prefix| key.strip_prefix(prefix));
        // One of those that it needs stands under its key: the layer's own members may have the same names.
        let needed = |member: &Member<'a>| {
            let name = own_name(member.key).and_then(|own| catalogue.name_of(own));
            name.is_some_and(|spelled| description.needs.contains(&spelled.name))
        };
        if !self.members.iter().any(needed) {
            return None;
        }
        let prefix = |key: &'a str| own_name(key).map_or(0, |own| key.len() - own.len());
        let members = self.members.iter().map(|member| (member.key, prefix(member.key), member.value));
        Some(Members::named(catalogue, members))
    }
}

/// The place of a list's only element, as a path spells it.
const FIRST_ELEMENT: &str = "0";
