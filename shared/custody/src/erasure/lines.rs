//! Lines of bronze: whom each names, what it is about, and whether it goes.
//!
//! Invariant: a line is read as transform reads it, by the same parts, so that the two agree on every event of every source; what
//! transform sets aside as too long or at an impossible time is read, too, and goes with the rest.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use ledgerline_event::catalogue::built_in;
use ledgerline_event::{Context, LineageFrom, Links, Record as AboutRef, SourceEvent, adapt, document, text_layer};
use ledgerline_lake::bronze::{self, BronzeLine};
use ledgerline_ledger::entry::Record;
use ledgerline_privacy::{Identifier, KeyRing, Pseudonym, Region, Regions};
use ledgerline_store::cutoff::Cutoff;

use super::cutoff_from;
use crate::own::{OwnList, Standing, domain_of};

/// What a line says, as far as it decides whether the line goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineOf {
    /// The organisation.
    pub org: String,
    /// What it is about.
    pub record: LineRecord,
    /// The pseudonyms, under all versions of the key, of whom it names on the customer's side, without the company's own, and of whose id
    /// names its record.
    pub names: BTreeSet<String>,
    /// Up to where a cutoff must reach to cover it, epoch milliseconds: [`cutoff_from`].
    pub reached_ms: i64,
    /// The lineage token that its source gave.
    pub token: Option<String>,
}

/// What a line is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineRecord {
    /// A record by its key, `<org>/<record>`.
    Key(String),
    /// An entity whose id is a person's: its record is named by an alias, which the line does not have.
    Entity {
        /// The entity's type.
        kind: String,
    },
}

/// The org whose list of own numbers must be known to read a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantsList(
    /// The org.
    pub String,
);

/// Reads lines as transform does.
#[derive(Clone, Debug)]
pub struct LineReader<'a> {
    /// The keys of pseudonyms.
    pub ring: &'a KeyRing,
    /// Which country a number without one belongs to, by source.
    pub regions: &'a Regions,
    /// The lists of own numbers that are at hand, by org.
    pub own: HashMap<String, Arc<OwnList>>,
    /// The one that counts in every org.
    pub parameter: &'a OwnList,
    /// The organisation of lines that name none.
    pub default_org: &'a str,
    /// The sources whose records may have numbers for ids.
    pub numeric_id_sources: &'a [String],
}

impl LineReader<'_> {
    /// What a line says; `None` of a blank one, of one that is not an event, and of one that was erased.
    ///
    /// # Errors
    /// The org whose list must be known first.
    pub fn read(&self, line: &[u8]) -> Result<Option<LineOf>, WantsList> {
        let BronzeLine::Event(event) = bronze::read(line) else { return Ok(None) };
        let undone = text_layer::undone(&event.raw);
        let Ok(document) = document::parse(&undone) else { return Ok(None) };
        let default_org = event.org.as_deref().unwrap_or(self.default_org);
        let context = Context { default_org, numeric_id_sources: self.numeric_id_sources };
        match adapt(&document, &context) {
            Ok(said) => self.said(&said, event.received_at_ms).map(Some),
            Err(_) => Ok(None),
        }
    }

    fn said(&self, event: &SourceEvent<'_>, received_at_ms: Option<i64>) -> Result<LineOf, WantsList> {
        let region = self.regions.of(event.names_of_source());
        let mut names = self.identifiers(event, region)?;
        let (kind, id) = match &event.record {
            AboutRef::Interaction(id) => return Ok(self.line(event, received_at_ms, names, interaction(event, id))),
            AboutRef::Entity { kind, id, .. } => (kind.to_string(), id.to_string()),
        };
        let record = match (&event.record, built_in().is_impersonal(&kind)) {
            (AboutRef::Entity { sent, .. }, false) => {
                let of_record = names_of_entity(self.ring, region, &kind, sent, &id).into_iter().flatten();
                names.extend(of_record.map(|name| name.as_str().to_owned()));
                LineRecord::Entity { kind }
            }
            _ => LineRecord::Key(Record::Entity { kind, id }.key(&event.org)),
        };
        Ok(self.line(event, received_at_ms, names, record))
    }

    /// The pseudonyms of whom the event names, without the company's own.
    fn identifiers(&self, event: &SourceEvent<'_>, region: Region) -> Result<BTreeSet<String>, WantsList> {
        let mut names = BTreeSet::new();
        for (kind, raw) in &event.identifiers {
            let Some(read) = Identifier::read(*kind, raw.expose_for_pseudonym(), region) else { continue };
            let of_org = self.own.get(&*event.org).ok_or_else(|| WantsList(event.org.to_string()))?;
            let pseudonyms = self.ring.pseudonyms(&read.identifier);
            let domain = domain_of(&read.identifier);
            let is_own =
                |list: &OwnList| list.standing(pseudonyms.iter().map(Pseudonym::as_str), domain) == Standing::InForce;
            if !is_own(self.parameter) && !is_own(of_org) {
                names.extend(pseudonyms.iter().map(|name| name.as_str().to_owned()));
            }
        }
        Ok(names)
    }

    fn line(
        &self,
        event: &SourceEvent<'_>,
        received_at_ms: Option<i64>,
        names: BTreeSet<String>,
        record: LineRecord,
    ) -> LineOf {
        let is_deletion = event.links == Links::WidenOnly;
        let reached_ms = cutoff_from(event.occurred_at_ms, received_at_ms, is_deletion);
        let token = (event.lineage_from == LineageFrom::Source).then(|| event.lineage_token.to_string());
        LineOf { org: event.org.to_string(), record, names, reached_ms, token }
    }
}

fn interaction(event: &SourceEvent<'_>, id: &str) -> LineRecord {
    LineRecord::Key(Record::Interaction(id.to_owned()).key(&event.org))
}

/// The pseudonyms of whose id names an entity of this `kind`, which its source calls as `sent`: of each identifier that the id is, under
/// all versions of the key, newest first. An id that is no identifier is not normalised, and is one.
pub fn names_of_entity(ring: &KeyRing, region: Region, kind: &str, sent: &str, id: &str) -> Vec<Vec<Pseudonym>> {
    let identifiers = built_in().kinds_of_entity(kind).filter_map(|kind| Identifier::parse(kind, id, region));
    let mut names: Vec<Vec<Pseudonym>> = identifiers.map(|identifier| ring.pseudonyms(&identifier)).collect();
    if names.is_empty() {
        names.push(ring.of_record(sent, id));
    }
    names
}

/// What decides about an object's lines.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Up to when lines go that name somebody, by org and pseudonym.
    pub tombs: HashMap<(String, String), Cutoff>,
    /// Up to when all lines of a record go, whomever they name.
    pub cutoffs: HashMap<String, Cutoff>,
    /// The lines about somebody whose alias is gone, by number: they go whenever they occurred.
    pub of_alias: HashMap<u64, ()>,
    /// The records that a hold is on: no line of theirs goes.
    pub held: BTreeSet<String>,
    /// What a request lets go of shared records beside what names its own.
    pub joint: HashMap<String, JointRule>,
}

/// What a request lets go of a shared record that it lists, or whose joint content the approver lets go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JointRule {
    /// Up to when.
    pub until: Cutoff,
    /// Lines that name nobody go, too.
    pub with_nobody: bool,
    /// The pseudonyms of those who live on: what names one of them stays.
    pub others: BTreeSet<String>,
}

impl JointRule {
    fn lets_go(&self, line: &LineOf) -> bool {
        self.until.covers(line.reached_ms, line.reached_ms)
            && self.others.is_disjoint(&line.names)
            && (self.with_nobody || !line.names.is_empty())
    }
}

/// Whether the line of this number goes.
pub fn line_goes(number: u64, line: &LineOf, rules: &Rules) -> bool {
    let key = match &line.record {
        LineRecord::Key(key) => Some(key),
        LineRecord::Entity { .. } => None,
    };
    if key.is_some_and(|key| rules.held.contains(key)) {
        return false;
    }
    let of_people = line.names.iter().filter_map(|name| rules.tombs.get(&(line.org.clone(), name.clone())));
    let mut cutoffs = key.and_then(|key| rules.cutoffs.get(key)).into_iter().chain(of_people);
    rules.of_alias.contains_key(&number)
        || cutoffs.any(|cutoff| cutoff.covers(line.reached_ms, line.reached_ms))
        || key.and_then(|key| rules.joint.get(key)).is_some_and(|joint| joint.lets_go(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = "acme/c-1";

    fn line(names: &[&str]) -> LineOf {
        LineOf {
            org: "acme".to_owned(),
            record: LineRecord::Key(RECORD.to_owned()),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            reached_ms: 10,
            token: None,
        }
    }

    fn tomb(org: &str, name: &str, cutoff: Cutoff) -> ((String, String), Cutoff) {
        ((org.to_owned(), name.to_owned()), cutoff)
    }

    #[test]
    fn a_line_goes_by_a_tombstone_of_anybody_whom_it_names_up_to_its_end() {
        let goes = |names: &[&str], tomb| {
            line_goes(3, &line(names), &Rules { tombs: HashMap::from([tomb]), ..Rules::default() })
        };
        assert!(goes(&["p1_a"], tomb("acme", "p1_a", Cutoff::At(10))));
        assert!(goes(&["p1_b", "p1_a"], tomb("acme", "p1_a", Cutoff::At(10))), "it is the other one's, too");
        for (names, tomb) in [
            (&["p1_a"][..], tomb("acme", "p1_a", Cutoff::At(9))),
            (&["p1_a"], tomb("globex", "p1_a", Cutoff::At(10))),
            (&["p1_b"], tomb("acme", "p1_a", Cutoff::At(10))),
            (&[], tomb("acme", "p1_a", Cutoff::Closed)),
        ] {
            assert!(!goes(names, tomb.clone()), "{names:?} {tomb:?}");
        }
    }

    #[test]
    fn a_line_goes_by_its_records_cutoff_and_by_an_alias_that_is_gone_whomever_it_names() {
        let cutoffs = |cutoff| Rules { cutoffs: HashMap::from([(RECORD.to_owned(), cutoff)]), ..Rules::default() };
        assert!(
            line_goes(3, &line(&["p1_b"]), &cutoffs(Cutoff::At(10)))
                && line_goes(3, &line(&[]), &cutoffs(Cutoff::Closed))
        );
        assert!(!line_goes(3, &line(&[]), &cutoffs(Cutoff::At(9))));
        let of_person = LineOf { record: LineRecord::Entity { kind: "Contact".to_owned() }, ..line(&[]) };
        assert!(!line_goes(3, &of_person, &cutoffs(Cutoff::Closed)));
        let rules = Rules { of_alias: HashMap::from([(3, ())]), ..Rules::default() };
        assert!(line_goes(3, &of_person, &rules) && !line_goes(4, &of_person, &rules));
    }

    #[test]
    fn nothing_of_a_held_record_goes() {
        let joint = JointRule { until: Cutoff::Closed, with_nobody: true, others: BTreeSet::new() };
        let all = Rules {
            tombs: HashMap::from([tomb("acme", "p1_a", Cutoff::Closed)]),
            cutoffs: HashMap::from([(RECORD.to_owned(), Cutoff::Closed)]),
            of_alias: HashMap::from([(3, ())]),
            held: BTreeSet::new(),
            joint: HashMap::from([(RECORD.to_owned(), joint)]),
        };
        assert!(line_goes(3, &line(&["p1_a"]), &all));
        let held = Rules { held: BTreeSet::from([RECORD.to_owned()]), ..all };
        assert!(!line_goes(3, &line(&["p1_a"]), &held));
    }

    #[test]
    fn of_a_shared_record_goes_what_no_live_other_owns() {
        let goes = |names: &[&str], until, with_nobody| {
            let others = BTreeSet::from(["p1_live".to_owned()]);
            let joint = HashMap::from([(RECORD.to_owned(), JointRule { until, with_nobody, others })]);
            line_goes(3, &line(names), &Rules { joint, ..Rules::default() })
        };
        let (then, before) = (Cutoff::At(10), Cutoff::At(9));
        assert!(goes(&["p1_hotline"], then, false) && goes(&["p1_hotline"], then, true) && goes(&[], then, true));
        assert!(!goes(&[], then, false), "joint content stays unless it is let go");
        assert!(!goes(&["p1_live"], then, true) && !goes(&["p1_hotline", "p1_live"], then, true));
        assert!(!goes(&["p1_hotline"], before, true) && !goes(&[], before, true));
    }
}
