//! An event that an audit is about, journaled: read as transform will read it, linked to whom it names, kept under the id that it will be
//! claimed by.
//!
//! Invariant: nothing is written of what an erasure covers; the write of the row asks that nothing changed of that since it was read, and
//! if it did, all is asked again. What is linked is linked as transform does it, and the row names nobody that has no link. An event that
//! is not journaled is in the stream all the same.
//!
//! Left out: events about records that are named by a person's id. Their alias is transform's to give.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_custody::journal;
use ledgerline_custody::own::{OwnList, Standing, domain_of};
use ledgerline_custody::resolve::{Clashes, Mention, resolve};
use ledgerline_custody::subjects::WantedLink;
use ledgerline_event::catalogue::built_in;
use ledgerline_event::document::parse;
use ledgerline_event::{
    Context, Links, Record as AboutRef, SourceEvent, adapt, capture, content_id, instant, text_layer,
};
use ledgerline_ledger::entry::Record;
use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::{Identifier, Kind, Personal, Pseudonym};
use ledgerline_store::claim::Unclaimed;
use ledgerline_store::journal::NewJournaled;
use ledgerline_store::subject::Link;
use ledgerline_store::tombstone::Suppression;

use crate::config::Settings;
use crate::keys::Keys;
use crate::stores::Stores;

/// Rows of one transaction: DynamoDB's limit.
const ROWS_PER_WRITE: usize = 100;

/// Whether a record's event is of a type that is journaled.
pub(crate) fn is_audit(settings: &Settings, record: &[u8]) -> bool {
    let is_one = |event: &SourceEvent<'_>| Some(capture::is_journaled(event.event_type));
    with_event(settings, record, is_one).unwrap_or_default()
}

/// Reads the event that a record holds.
fn with_event<T>(settings: &Settings, record: &[u8], read: impl FnOnce(&SourceEvent<'_>) -> Option<T>) -> Option<T> {
    let undone = text_layer::undone(record);
    let document = parse(&undone).ok()?;
    let Settings { default_org, numeric_id_sources, .. } = settings;
    let event = adapt(&document, &Context { default_org, numeric_id_sources }).ok()?;
    read(&event)
}

/// What is journaled of an event.
pub(crate) struct Audit {
    org: String,
    /// `<org>/<record>`.
    pub(crate) record: String,
    occurred_at_ms: i64,
    named_by_source: bool,
    claim_id: String,
    /// It makes neither subject nor link: a deletion.
    only_widens: bool,
    line: String,
    /// The customer side's identifiers, each once.
    people: Vec<Person>,
}

/// Somebody whom an event names.
#[derive(PartialEq, Eq)]
struct Person {
    kind: Kind,
    /// Under all versions of the key, newest first.
    pseudonyms: Vec<String>,
    /// If it is an e-mail address: for lists of own domains, and never stored.
    domain: Option<Personal>,
}

impl Audit {
    /// Reads a record that came at `now_ms`; `None` if it is not journaled: transform will filter or refuse it, its record may be named by
    /// a person's id, or it says more than the journal keeps.
    pub(crate) fn read(settings: &Settings, keys: &Keys, record: &[u8], now_ms: i64) -> Option<Self> {
        let undone = text_layer::undone(record);
        let document = parse(&undone).ok()?;
        let Settings { default_org, numeric_id_sources, .. } = settings;
        let event = adapt(&document, &Context { default_org, numeric_id_sources }).ok()?;
        let is_kept = capture::is_journaled(event.event_type)
            && built_in().filtered_by(&event, &settings.switches).is_none()
            && instant::is_plausible(event.occurred_at_ms, now_ms);
        let about = about(&event).filter(|_| is_kept)?;
        Some(Self {
            org: event.org.to_string(),
            record: about.key(&event.org),
            occurred_at_ms: event.occurred_at_ms,
            named_by_source: event.native_id.is_some(),
            claim_id: keys.event.claim_id(content_id(&event, &document).as_bytes()),
            only_widens: event.links == Links::WidenOnly,
            line: journal::line(&event, &about, built_in().policy(), keys.ring.newest())?,
            people: people(settings, keys, &event),
        })
    }

    /// Keeps it; whether whoever asks finds it from now on, in the journal or in the ledger. `false`: an erasure covers it, or it names more
    /// people than one transaction holds.
    pub(crate) async fn keep(
        &self,
        stores: &Stores,
        settings: &Settings,
        keys: &Keys,
        client: &str,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        // Anyone who asks for the company's hotline must be told that it is one.
        if !self.people.is_empty() {
            stores.note_org(&self.org).await?;
        }
        let everywhere = OwnList::of(&settings.own_numbers, Some(&keys.ring));
        let list = stores.own.of(&self.org, now_ms).await?;
        let people: Vec<&Person> = self.people.iter().filter(|one| !one.is_own(&[&everywhere, &list])).collect();
        let mut clashes = Clashes::default();
        loop {
            match self.kept(stores, settings, keys, client, &people, &mut clashes, now_ms).await {
                Err(StoreError::Conflict(clash)) => clashes.pause(clash, stores.random()).await?,
                done => return done,
            }
        }
    }

    /// One attempt: ask what erasures cover, resolve, keep.
    #[expect(clippy::too_many_arguments, reason = "one attempt of the method above, with all that it has at hand")]
    async fn kept(
        &self,
        stores: &Stores,
        settings: &Settings,
        keys: &Keys,
        client: &str,
        people: &[&Person],
        clashes: &mut Clashes,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let record = self.record.as_str();
        let party = stores.parties.read(&[record]).await?.pop().unwrap_or_default();
        let whom: BTreeSet<&str> = people.iter().flat_map(|one| one.pseudonyms.iter().map(String::as_str)).collect();
        let named: Vec<(&str, &str)> = whom.iter().map(|pseudonym| (self.org.as_str(), *pseudonym)).collect();
        let tombs = match named.is_empty() {
            true => Vec::new(),
            false => stores.tombs.read(&keys.suppression, &named).await?,
        };
        let tombs: BTreeMap<&str, Suppression> = whom.into_iter().zip(tombs).collect();
        // As transform's gate: of somebody who was erased a deletion says nothing that is to be kept, whenever it comes.
        let reached_ms = if self.only_widens { i64::MIN } else { self.occurred_at_ms.min(now_ms) };
        let mut cutoffs = party.cutoff.into_iter().chain(tombs.values().filter_map(|tomb| tomb.cutoff(now_ms)));
        if cutoffs.any(|cutoff| cutoff.covers(reached_ms, reached_ms)) {
            return Ok(false);
        }
        let mention = |(identifier, person): (usize, &&Person)| Mention {
            identifier,
            org: self.org.clone(),
            kind: person.kind,
            pseudonyms: person.of_today(keys),
            tombs: person.pseudonyms.iter().filter_map(|one| tombs.get(one.as_str())).collect(),
            links: vec![WantedLink {
                record: self.record.clone(),
                link: Link { span: None },
                only_widen: self.only_widens,
                party: party.seen(),
            }],
        };
        let mentions: Vec<Mention<'_>> = people.iter().enumerate().map(mention).collect();
        let now = instant::to_rfc3339(now_ms);
        let resolved = resolve(&stores.resolving(), &mentions, settings.limits, &now, clashes).await?;
        let subjects: BTreeSet<&str> = resolved.names.values().map(|subject| subject.subject_id.as_str()).collect();
        let subjects: Vec<&str> = subjects.into_iter().collect();
        let occurred_at = instant::to_rfc3339(self.occurred_at_ms);
        let new = NewJournaled {
            record,
            claim: Unclaimed {
                record,
                occurred_at_ms: self.occurred_at_ms,
                named_by_source: self.named_by_source,
                event: &self.claim_id,
            },
            line: &self.line,
            occurred_at: &occurred_at,
            received_at_ms: now_ms,
            client,
            policy: built_in().policy().version(),
            subjects: &subjects,
        };
        if new.rows(tombs.values().map(Suppression::rows).sum()) > ROWS_PER_WRITE {
            tracing::warn!(subjects = subjects.len(), "an event names too many people to be journaled");
            return Ok(false);
        }
        let unchanged = stores.tombs.unchanged(tombs.values());
        stores.journal.keep(&new, party.seen(), &stores.subjects, unchanged).await?;
        Ok(true)
    }
}

impl Person {
    fn is_own(&self, lists: &[&OwnList]) -> bool {
        let domain = self.domain.as_ref().map(Personal::expose_for_pseudonym);
        let standing = |list: &&OwnList| list.standing(self.pseudonyms.iter().map(String::as_str), domain);
        lists.iter().any(|list| standing(list) == Standing::InForce)
    }

    /// Under another rule's key a value's pseudonym may be what somebody else was normalised to.
    fn of_today(&self, keys: &Keys) -> Vec<String> {
        let is_one = |name: &&String| Pseudonym::parse(name).is_some_and(|name| keys.ring.is_of_today(&name));
        self.pseudonyms.iter().filter(is_one).cloned().collect()
    }
}

/// What the event is about, if nothing of a person's names it.
fn about(event: &SourceEvent<'_>) -> Option<Record> {
    match &event.record {
        AboutRef::Interaction(id) => Some(Record::Interaction(id.to_string())),
        AboutRef::Entity { kind, id, .. } if built_in().is_impersonal(kind) => {
            Some(Record::Entity { kind: kind.to_string(), id: id.to_string() })
        }
        AboutRef::Entity { .. } => None,
    }
}

fn people(settings: &Settings, keys: &Keys, event: &SourceEvent<'_>) -> Vec<Person> {
    let region = settings.regions.of(event.names_of_source());
    let mut people: Vec<Person> = Vec::new();
    for (kind, raw) in &event.identifiers {
        let Some(identifier) = Identifier::parse(*kind, raw.expose_for_pseudonym(), region) else { continue };
        let pseudonyms = keys.ring.pseudonyms(&identifier).iter().map(|name| name.as_str().to_owned()).collect();
        let domain = domain_of(&identifier).map(Personal::new);
        let person = Person { kind: identifier.kind(), pseudonyms, domain };
        if !people.contains(&person) {
            people.push(person);
        }
    }
    people
}
