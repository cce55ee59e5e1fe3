//! The masking policy, as data: which named values may be stored in clear, where, and what each must look like.
//!
//! Invariant: what is not known to be harmless is treated as personal. A value is stored in clear only if its name is
//! on the list *and* it looks as one of its rules says; everything else is masked, and only its name is kept. No pseudonym
//! of a person is ever good for an entry. Interaction ids, lineage tokens and an event's own times never come here: their
//! callers keep them as they are.
//!
//! Left out on purpose: the list itself, which is part of the description of sources, and sealing: what an entry does not have in
//! clear is handed back, with whose content it is.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use ledgerline_json::Json;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::clear::Clear;
use crate::pseudonym::PseudonymKey;
use crate::words;

mod rule;

use rule::Raw;
pub use rule::{BadRule, Rule};

/// Where a field's value may be stored if its rule knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Store {
    /// In entries and in silver.
    Both,
    /// In silver, never in an entry: it joins rows by whom they are about.
    Silver,
    /// Nowhere in clear: entries hold it sealed.
    Seal,
    /// Nowhere as a whole; entries hold its scalars sealed, as unlisted values.
    Scalars,
    /// Nowhere: only its name is kept.
    DropValue,
}

impl Store {
    /// The word for it, as descriptions spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Silver => "silver",
            Self::Seal => "seal",
            Self::Scalars => "scalars",
            Self::DropValue => "drop_value",
        }
    }

    fn is_clear(self) -> bool {
        matches!(self, Self::Both | Self::Silver)
    }
}

/// Whose content a field is: what descriptions call its party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The customers' whom its event names; everybody's where it names none.
    Customer,
    /// The agent's.
    Agent,
    /// Everybody's in the record.
    Joint,
    /// The contact centre's own word: the customers' whom its event names; of an event that names none, the agent's in a record
    /// about one, else everybody's.
    Centre,
}

impl Side {
    /// The word for it, as descriptions spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Agent => "agent",
            Self::Joint => "joint",
            Self::Centre => "centre",
        }
    }
}

/// What the policy says of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRule {
    /// The canonical name.
    pub name: &'static str,
    /// Where its value may be stored.
    pub store: Store,
    /// What its value must look like; none for what is stored nowhere in clear.
    pub rule: Option<Rule>,
    /// Whose content its value is.
    pub side: Side,
}

/// A masking policy.
#[derive(Debug, Clone)]
pub struct Policy {
    version: String,
    /// Sorted by name.
    fields: Vec<FieldRule>,
    /// Where in `fields` a name is: every field of every event is looked up.
    by_name: HashMap<&'static str, usize>,
}

/// Why a list of fields is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPolicy {
    /// Two rules for one name would leave it to chance which holds.
    #[error("the field {0} is listed twice")]
    Twice(&'static str),
    /// A field that is stored in clear needs a rule.
    #[error("the field {0} has no rule, and its store is {store}", store = .1.as_str())]
    WithoutRule(&'static str, Store),
    /// A rule of a field that is never stored in clear would never be read.
    #[error("the field {0} has a rule, and its store is {store}", store = .1.as_str())]
    NeedlessRule(&'static str, Store),
    /// An entry is kept for years and proven to strangers: it names no person, not even by a pseudonym.
    #[error("the field {0} is a pseudonym of a person: its store must be silver")]
    PseudonymInEntry(&'static str),
}

/// What became of an event's fields.
#[derive(Debug, Clone, Default)]
pub struct Masked<'v> {
    /// The values that may be stored by canonical name, sorted, each name once.
    pub clear: Vec<(&'static str, Clear)>,
    /// The names of those that may not, sorted, each once.
    pub masked: Vec<&'static str>,
    /// What an entry does not have in clear, sorted by name, each once: those that may not be stored, and those that silver alone has.
    pub rest: Vec<Rest<'v>>,
}

/// Whether a value may be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seal {
    /// Never: its field is dropped or on no list, or the value is damaged.
    Never,
    /// As an unlisted value: it does not look as its field's rule asks, or its field is filled as its sender likes.
    AsUnlisted,
    /// As what its field promises.
    AsListed,
}

/// A value that an entry does not have in clear.
#[derive(Clone, Copy)]
pub struct Rest<'v> {
    /// The canonical name.
    pub name: &'static str,
    /// As it was sent.
    pub value: &'v Json<'v>,
    /// Whether it may be sealed.
    pub seal: Seal,
    /// Whose content it is.
    pub side: Side,
}

impl fmt::Debug for Rest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rest({}: ***)", self.name)
    }
}

impl Policy {
    /// The policy of these fields, in any order. `version` is what every entry and silver row will carry.
    ///
    /// # Errors
    /// If a name stands twice, or a field's rule and store do not fit.
    pub fn new(version: &str, fields: impl IntoIterator<Item = FieldRule>) -> Result<Self, BadPolicy> {
        let mut fields: Vec<FieldRule> = fields.into_iter().collect();
        fields.sort_by_key(|field| field.name);
        for field in &fields {
            match &field.rule {
                Some(_) if !field.store.is_clear() => return Err(BadPolicy::NeedlessRule(field.name, field.store)),
                None if field.store.is_clear() => return Err(BadPolicy::WithoutRule(field.name, field.store)),
                Some(rule) if rule.names_person() && field.store == Store::Both => {
                    return Err(BadPolicy::PseudonymInEntry(field.name));
                }
                _ => {}
            }
        }
        let mut by_name = HashMap::with_capacity(fields.len());
        for (at, field) in fields.iter().enumerate() {
            if by_name.insert(field.name, at).is_some() {
                return Err(BadPolicy::Twice(field.name));
            }
        }
        Ok(Self { version: version.to_owned(), fields, by_name })
    }

    /// The version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether the field's clear value is good for silver and for that very reason nothing for an entry, which must not be
    /// joinable to another by whom it is about.
    pub fn is_silver_only(&self, name: &str) -> bool {
        self.field(name).is_some_and(|field| field.store == Store::Silver)
    }

    /// The names whose values may be stored in clear, sorted.
    pub fn stored_names(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().filter(|field| field.store.is_clear()).map(|field| field.name)
    }

    /// Splits fields into what may be stored and the rest. `null` is neither: it says nothing.
    pub fn mask<'v>(
        &self,
        key: &PseudonymKey,
        fields: impl IntoIterator<Item = (&'static str, &'v Json<'v>)>,
    ) -> Masked<'v> {
        let fields = fields.into_iter();
        let mut result = Masked { clear: Vec::with_capacity(fields.size_hint().0), ..Masked::default() };
        for (name, value) in fields {
            if !value.is_null() {
                self.mask_one(key, name, value, &mut result);
            }
        }
        result
    }

    fn mask_one<'v>(&self, key: &PseudonymKey, name: &'static str, value: &'v Json<'v>, result: &mut Masked<'v>) {
        let field = self.field(name);
        let rule = field.and_then(|field| field.rule.as_ref());
        let clear = rule.and_then(|rule| rule.clear(Raw::of(value), key));
        let is_clear = clear.is_some();
        let is_in_entry = is_clear && field.is_some_and(|field| field.store == Store::Both);
        // A dozen names move faster in a vector than in a tree.
        match clear {
            // Of two values of one name the later stays.
            Some(clear) => match result.clear.binary_search_by(|(known, _)| (*known).cmp(name)) {
                Ok(at) => result.clear[at].1 = clear,
                Err(at) => result.clear.insert(at, (name, clear)),
            },
            None => {
                if let Err(at) = result.masked.binary_search(&name) {
                    result.masked.insert(at, name);
                }
            }
        }
        if is_in_entry {
            return;
        }
        let seal = match field.map(|field| field.store) {
            None | Some(Store::DropValue) => Seal::Never,
            _ if value.is_damaged() => Seal::Never,
            Some(Store::Scalars) => Seal::AsUnlisted,
            Some(Store::Both | Store::Silver) if !is_clear => Seal::AsUnlisted,
            Some(_) => Seal::AsListed,
        };
        let rest = Rest { name, value, seal, side: field.map_or(Side::Centre, |field| field.side) };
        match result.rest.binary_search_by(|known| known.name.cmp(name)) {
            Ok(at) => result.rest[at] = rest,
            Err(at) => result.rest.insert(at, rest),
        }
    }

    /// SHA-256 over the version, every field with its store, its side, its rule and the rule's vocabularies, and the word list, 64
    /// hex digits: equal hashes mean equal decisions.
    pub fn hash(&self) -> String {
        let mut text = self.version.clone();
        for field in &self.fields {
            // Writing into a String cannot fail.
            let _ = write!(text, "\n{}\t{}\t{}\t", field.name, field.store.as_str(), field.side.as_str());
            if let Some(rule) = &field.rule {
                let _ = write!(text, "{rule}");
                for vocabulary in rule.vocabularies() {
                    let _ = write!(text, "\t{}={}", vocabulary.name, vocabulary.words.join(","));
                }
            }
        }
        for word in words::all() {
            text.push('\n');
            text.push_str(word);
        }
        let mut hash = String::with_capacity(64);
        for byte in Sha256::digest(text.as_bytes()) {
            let _ = write!(hash, "{byte:02x}");
        }
        hash
    }

    fn field(&self, name: &str) -> Option<&FieldRule> {
        self.by_name.get(name).map(|at| &self.fields[*at])
    }
}

#[cfg(test)]
mod tests;
