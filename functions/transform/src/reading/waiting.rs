//! Lines that cannot be read yet: about people whose aliases are not known, or of orgs whose lists of own numbers are not.
//!
//! Invariant: a line that waits is read again, in its order, once what it waits for came; so many wait at a time that they fit into
//! memory. Who looks it up, and what the lines become, is not said here.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ledgerline_custody::erasure::names_of_entity;
use ledgerline_event::SourceEvent;
use ledgerline_event::catalogue::built_in;
use ledgerline_lake::lines::MAX_LINE_BYTES;
use ledgerline_privacy::{Identifier, Pseudonym};
use ledgerline_sealed::Random;
use ledgerline_store::alias;
use ledgerline_store::cutoff::Cutoff;

use crate::config::Settings;
use crate::own::Lists;

/// Somebody whose id names a record, and whose alias is looked up by pseudonyms.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Person {
    /// The organisation.
    pub org: String,
    /// The pseudonyms of each identifier that the id is, newest first: one of an id that is no customer's, two of one that may be an
    /// account and a name given upstream. All but the newest are of today's rules: under another rule's key a value's pseudonym may
    /// be what somebody else was normalised to.
    pub names: Vec<Vec<String>>,
    /// The pseudonyms under other rules: tombstones may have them, and no alias is looked up by them.
    pub of_other_rules: Vec<String>,
}

impl Person {
    /// Whose id names an event's record: of a `kind`, which the source calls as `sent`.
    pub(super) fn of(settings: &Settings, event: &SourceEvent<'_>, kind: &str, sent: &str, id: &str) -> Self {
        let (ring, region) = (&settings.pseudonyms, settings.regions.of(event.names_of_source()));
        let text = |name: Pseudonym| name.as_str().to_owned();
        // An id that is no identifier is not normalised: all versions name one and the same.
        let is_identifier = built_in().kinds_of_entity(kind).any(|kind| Identifier::parse(kind, id, region).is_some());
        let newest = ring.newest().version();
        let is_known = |name: &Pseudonym| !is_identifier || name.version() == newest || ring.is_of_today(name);
        let (mut names, mut of_other_rules) = (Vec::new(), Vec::new());
        for pseudonyms in names_of_entity(ring, region, kind, sent, id) {
            let (known, others): (Vec<_>, Vec<_>) = pseudonyms.into_iter().partition(is_known);
            names.push(known.into_iter().map(text).collect());
            of_other_rules.extend(others.into_iter().map(text));
        }
        Self { org: event.org.to_string(), names, of_other_rules }
    }

    /// All pseudonyms.
    pub fn all_names(&self) -> impl Iterator<Item = &String> {
        self.names.iter().flatten().chain(&self.of_other_rules)
    }
}

/// What a person's id stands as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alias {
    /// The alias; none if tombstones covered all lines that it was looked up for.
    pub name: Option<String>,
    /// Up to when tombstones cover lines about the person: each of those has an alias of its own.
    pub cutoff: Option<Cutoff>,
}

impl Alias {
    /// The alias of somebody of whom there is no tombstone.
    pub fn of(name: String) -> Self {
        Self { name: Some(name), cutoff: None }
    }
}

/// An alias of random bytes.
pub(crate) fn random_alias(random: Random<'_>) -> String {
    let mut bytes = [0; 16];
    random(&mut bytes);
    alias::of_random(bytes)
}

/// Those for whose aliases lines wait, each with the last moment, of any such line, up to which a cutoff must reach to cover it.
pub type Unnamed = BTreeMap<Person, i64>;

/// What lines wait for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Those whose aliases are.
    pub unnamed: Unnamed,
    /// The orgs whose lists of own numbers are.
    pub orgs: BTreeSet<String>,
}

/// What was looked up for them.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The aliases.
    pub aliases: BTreeMap<Person, Alias>,
    /// The lists, by org.
    pub lists: Lists,
}

/// The aliases that an object's reading knows, and the lines that wait for others, or for lists of own numbers.
#[derive(Default)]
pub(super) struct Waiting {
    /// Whose aliases are known, and the aliases, by what claims name the person's record by.
    known: HashMap<String, (Person, Alias)>,
    /// Whose are waited for, by the same.
    unnamed: BTreeMap<String, (Person, i64)>,
    /// Whose lists are waited for.
    orgs: BTreeSet<String>,
    lines: Vec<WaitingLine>,
    bytes: usize,
}

/// A line that is read again.
pub(super) struct WaitingLine {
    pub(super) number: u64,
    pub(super) line: Vec<u8>,
    pub(super) cut: bool,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether as many lines wait as may; or for a list, for which nearly all lines of an object would wait.
    pub(super) fn is_full(&self) -> bool {
        !self.orgs.is_empty() || self.lines.len() >= WAITING_LINES || self.bytes >= WAITING_BYTES
    }

    pub(super) fn push(&mut self, number: u64, line: &[u8], cut: bool) {
        self.bytes += line.len();
        self.lines.push(WaitingLine { number, line: line.to_vec(), cut });
    }

    /// Who is named so in claims, and the alias, if it came.
    pub(super) fn known(&self, name: &str) -> Option<&(Person, Alias)> {
        self.known.get(name)
    }

    /// Asks for the alias of who is named so in claims; a line about that person waits that a cutoff must reach `reached_ms` to cover.
    pub(super) fn ask(&mut self, name: String, reached_ms: i64, person: impl FnOnce() -> Person) {
        let (_, latest_ms) = self.unnamed.entry(name).or_insert_with(|| (person(), reached_ms));
        *latest_ms = (*latest_ms).max(reached_ms);
    }

    /// Whether a line of an org whose list is not here waits for it: if it names somebody, and if one before it does. Of two lines of
    /// one event the first is the event.
    pub(super) fn wants_list(&mut self, org: &str, names_somebody: bool) -> bool {
        let is_asked = self.orgs.contains(org);
        if names_somebody && !is_asked {
            self.orgs.insert(org.to_owned());
        }
        is_asked || names_somebody
    }

    pub(super) fn wanted(&self) -> Wanted {
        Wanted { unnamed: self.unnamed(), orgs: self.orgs.clone() }
    }

    fn unnamed(&self) -> Unnamed {
        let mut unnamed = Unnamed::new();
        for (person, latest_ms) in self.unnamed.values() {
            let latest = unnamed.entry(person.clone()).or_insert(*latest_ms);
            *latest = (*latest).max(*latest_ms);
        }
        unnamed
    }

    /// Takes aliases; the lines that waited, to be read again.
    pub(super) fn name(&mut self, aliases: &BTreeMap<Person, Alias>) -> Vec<WaitingLine> {
        for (name, (person, _)) in std::mem::take(&mut self.unnamed) {
            if let Some(alias) = aliases.get(&person) {
                self.known.insert(name, (person, alias.clone()));
            }
        }
        self.orgs.clear();
        self.bytes = 0;
        std::mem::take(&mut self.lines)
    }
}

/// Lines that wait at a time, beyond those of the piece that is being read.
const WAITING_LINES: usize = 1_000;

/// Their bytes: twice the longest line that is read, some 4 KiB a line.
const WAITING_BYTES: usize = 2 * MAX_LINE_BYTES;
