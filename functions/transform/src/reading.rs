//! From a bronze object's lines to masked events. Pure, but for the salts.
//!
//! Invariant: each line that is not blank is counted exactly once: kept as an event, repeated, filtered or quarantined.
//! Only what the policy let through, and pseudonyms, outlive the line that they were read from, and until the object's end
//! short spellings of phone numbers; quarantined lines stay as they were, compressed.
//!
//! A line about a record whose id may be a person's waits as it came until the id's alias is known, for nothing outward has
//! the id; a line that names somebody waits for its org's list of own numbers, which name nobody. What is [`Reading::wanted`] is
//! looked up, [`Reading::go_on`] goes on. What is read does not depend on when.
//!
//! What an event says of people is sealed for its owner while its line is read, under keys that are drawn here; they live until
//! the plan is made, wrapped.

mod content;
mod keys;
mod waiting;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use ledgerline_custody::own::domain_of;
use ledgerline_event::catalogue::built_in;
use ledgerline_event::document::{self, Rejection};
use ledgerline_event::{
    Context, LineageFrom, Links, Record as AboutRef, SourceEvent, adapt, content_id, instant, text_layer,
};
use ledgerline_lake::ObjectId;
use ledgerline_lake::bronze::{self, BronzeLine};
use ledgerline_lake::keys::PlanOf;
use ledgerline_lake::plan::Counts;
use ledgerline_ledger::entry::{EntryError, Field, Party, PendingEntry, Record, Sealed, Source};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_ledger::tree::Hash;
use ledgerline_privacy::{Clear, Identifier, JoinKey, Kind, Masked, Personal, Region, View, words};
use ledgerline_sealed::{Buffer, Member, Place};
use ledgerline_store::claim::{Claim, Unclaimed, plan_claims};
use ledgerline_store::record::LINES_NAMED;

use crate::Random;
use crate::config::{PROCESS_NAME, Settings};
use crate::decode::{Decoder, TakeLine};
use crate::error::TransformError;
use crate::own::{Lists, Own};
use crate::tokens::{self, derived};
use content::Unclear;
use keys::Keys;
pub use keys::{Drawn, Owner};
pub(crate) use waiting::random_alias;
pub use waiting::{Alias, Found, Person, Unnamed, Wanted};
use waiting::{Waiting, WaitingLine};

/// What is asked of every line that is about somebody, whatever becomes of it.
#[derive(Clone, Debug, Default)]
pub struct Adapted {
    /// Its place among those that are asked, from 0.
    pub place: usize,
    /// Its record, in [`Read::records`].
    pub record: usize,
    /// The customer side's identifiers, in [`Read::identifiers`], in the adapter's order. The company's own are not among them.
    pub identifiers: Vec<usize>,
    /// When it occurred, epoch milliseconds.
    pub occurred_at_ms: i64,
    /// When ingest received it.
    pub received_at_ms: Option<i64>,
    /// It may widen its customer's links, and make none: a deletion.
    pub only_widens: bool,
}

/// An event of the object that the policy keeps, once.
#[derive(Clone, Debug)]
pub struct Event {
    /// What is asked of its line.
    pub adapted: Adapted,
    /// Its id, 32 hex digits, which follows from its place.
    pub event_id: String,
    /// What it is claimed by: a keyed digest of what it says, 32 hex digits. It is the same for the event sent again, and in a
    /// claim alone: whoever has the key could try phone numbers against it.
    pub claim_id: String,
    /// `<org>/<record>` as claims name it, where the record is not named by its source's id.
    pub claim_record: Option<String>,
    /// Whether its source named it: then its identity does not fix when it occurred.
    pub named_by_source: bool,
    /// The source's own sequence number.
    pub sequence: Option<i64>,
    /// Orders events of one instant.
    pub rank: u8,
    /// Only an envelope says when it occurred.
    pub time_from_envelope: bool,
    /// Its time had no offset and was taken as UTC.
    pub zone_assumed: bool,
    /// A phone number of its customer's says no country: its source's region was assumed.
    pub country_assumed: bool,
    /// A text in it was damaged before it came.
    pub damaged: bool,
    /// The ledger's line.
    pub line: String,
    /// The keys of its blocks, in [`Read::keys`].
    pub keys: Vec<usize>,
    /// The source, as its adapter names it.
    pub source: &'static str,
    /// The topic's template.
    pub topic: String,
    /// The version of the source's schema.
    pub schema_version: String,
    /// The event type.
    pub event_type: &'static str,
    /// The activity.
    pub activity: &'static str,
    /// Where in the activity it stands.
    pub lifecycle: &'static str,
    /// What the policy let through, sorted by name.
    pub fields: Vec<(&'static str, Clear)>,
    /// The names of what it did not.
    pub masked: Vec<&'static str>,
    /// Unknown keys and the kinds of their values.
    pub extra: BTreeMap<String, &'static str>,
    /// The lineage token.
    pub lineage_token: String,
    /// How it came by it.
    pub lineage_from: LineageFrom,
    /// The pseudonym of what its source sent in place of a token.
    pub lineage_ref: Option<String>,
    /// Its line in the object, from 0.
    pub bronze_line: u64,
}

/// A record that the object holds lines of.
#[derive(Clone, Debug)]
pub struct RecordSeen {
    /// `<org>/<record>`.
    pub key: String,
    /// The organisation.
    pub org: String,
    /// The interaction or entity.
    pub about: Record,
    /// The pseudonyms of whose id names it, in any of its lines, under all versions of the key.
    pub names: BTreeSet<String>,
    /// The log that it is pinned to, unless it was pinned before.
    pub first_log: LogId,
    /// How many lines are about it.
    pub lines: u64,
    /// The first [`LINES_NAMED`] of them, by number.
    pub at: Vec<u64>,
    /// The days on which its events occurred, counted from the epoch; a filtered line's time was not checked, and does not count.
    pub days: BTreeSet<i64>,
}

/// An identifier, by what may be known of it.
#[derive(Clone, Debug)]
pub struct Named {
    /// What it is.
    pub kind: Kind,
    /// Its pseudonyms under all versions of the key, newest first.
    pub pseudonyms: Vec<String>,
    /// Its domain if it is an e-mail address: for the lists of own domains, and never stored.
    pub domain: Option<Personal>,
}

/// What a bronze object holds.
#[derive(Debug, Default)]
pub struct Read {
    /// Events, each claim id once, in the order of their lines.
    pub events: Vec<Event>,
    /// The records, in the order in which they turned up.
    pub records: Vec<RecordSeen>,
    /// The identifiers.
    pub identifiers: Vec<Named>,
    /// The orgs whose events name somebody, were it the company itself.
    pub naming_orgs: BTreeSet<String>,
    /// The keys that seal the events' content. Events that are not kept may have drawn some.
    pub keys: Vec<Drawn>,
    /// What silver keeps of each identifier to join rows by: the column and the ref.
    pub refs: Vec<Option<(&'static str, Clear)>>,
    /// Lines that are not blank.
    pub input: u64,
    /// Lines that are filtered, by the filter's name.
    pub filtered: BTreeMap<&'static str, u64>,
    /// Those of them that are events. They, too, must be found should whom they name be erased.
    pub filtered_lines: Vec<Adapted>,
    /// Lines whose event stood in an earlier one.
    pub repeated_lines: Vec<Adapted>,
    /// Lines that are not events, by the reason's code.
    pub quarantined: BTreeMap<&'static str, u64>,
    /// Those of them that ingest had taken for events: it told of the others.
    pub refused: BTreeMap<&'static str, u64>,
    /// Those lines, gzipped, if there are any.
    pub quarantine_gz: Option<Bytes>,
    /// Events whose outcome's word is in no row of the look-up.
    pub unknown_outcomes: u64,
}

impl Read {
    /// The claims of all events.
    pub fn claims<'a>(&'a self, object: &'a str, expires_at_s: i64) -> Vec<Claim<'a>> {
        let unclaimed = self.events.iter().map(|event| Unclaimed {
            record: event.claim_record.as_deref().unwrap_or(&self.records[event.adapted.record].key),
            occurred_at_ms: event.adapted.occurred_at_ms,
            named_by_source: event.named_by_source,
            event: &event.claim_id,
        });
        plan_claims(object, expires_at_s, unclaimed)
    }

    /// The org that a line is of.
    pub fn org(&self, line: &Adapted) -> &str {
        &self.records[line.record].org
    }

    /// All lines that are about somebody: kept, repeated and filtered ones.
    pub fn adapted(&self) -> impl Iterator<Item = &Adapted> {
        let events = self.events.iter().map(|event| &event.adapted);
        events.chain(&self.repeated_lines).chain(&self.filtered_lines)
    }

    /// The counts, if so many of the events are this object's own.
    pub fn counts(&self, owned: usize) -> Counts {
        let planned = owned as u64;
        let duplicate = self.repeated_lines.len() as u64 + (self.events.len() as u64).saturating_sub(planned);
        let (filtered, quarantined) = (self.filtered.values().sum(), self.quarantined.values().sum());
        Counts { input: self.input, filtered, duplicate, quarantined, planned }
    }
}

/// Adds fields to those of an event, which are sorted by name; what is there stays.
fn add_fields(fields: &mut Vec<(&'static str, Clear)>, more: impl Iterator<Item = (&'static str, Clear)>) {
    for (column, value) in more {
        if let Err(at) = fields.binary_search_by(|(name, _)| (*name).cmp(column)) {
            fields.insert(at, (column, value));
        }
    }
}

/// Reads one object, piece by piece.
pub struct Reading<'a>(Decoder<Gathering<'a>>);

impl<'a> Reading<'a> {
    /// A reading of the object, first taken up at `started_at_ms`. `lists` are those of own numbers that are at hand.
    pub fn new(settings: &'a Settings, object: ObjectId, started_at_ms: i64, lists: Lists, random: Random<'a>) -> Self {
        Self(Decoder::new(Gathering {
            settings,
            object,
            started_at_ms,
            random,
            line: 0,
            read: Read::default(),
            waiting: Waiting::default(),
            own: Own::new(&settings.own_numbers, lists),
            keys: Keys::default(),
            buffer: Buffer::new(),
            adapted: 0,
            seen: HashSet::new(),
            records: HashMap::new(),
            spelled: BTreeMap::new(),
            identifiers: BTreeMap::new(),
            join_key: JoinKey::derived_from(settings.pseudonyms.newest()),
            quarantine: None,
            scratch: Vec::new(),
        }))
    }

    /// Takes the object's next bytes.
    ///
    /// # Errors
    /// [`TransformError::Damaged`] if they are no gzip any more.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), TransformError> {
        self.0.push(piece).map_err(|_| TransformError::Damaged)
    }

    /// Whether as many lines wait as may: what is wanted must come before the next bytes.
    pub fn is_full(&mut self) -> bool {
        self.0.taker().is_some_and(|gathering| gathering.waiting.is_full())
    }

    /// What lines wait for.
    pub fn wanted(&mut self) -> Wanted {
        self.0.taker().map_or_else(Wanted::default, |gathering| gathering.waiting.wanted())
    }

    /// Takes what was looked up, and reads the lines that waited for it.
    pub fn go_on(&mut self, found: Found) {
        if let Some(gathering) = self.0.taker() {
            gathering.go_on(found);
        }
    }

    /// Ends the object; its last lines may wait still.
    ///
    /// # Errors
    /// [`TransformError::Damaged`] if it was cut off.
    pub fn end(self) -> Result<Ended<'a>, TransformError> {
        self.0.finish().map(Ended).map_err(|_| TransformError::Damaged)
    }

    /// Reads an object that is in memory without asking anybody: aliases are random, one a person, and kept by nobody; no org has
    /// numbers of its own.
    ///
    /// # Errors
    /// [`TransformError::Damaged`] if its bytes are no gzip any more, or end too early.
    pub fn alone(
        settings: &'a Settings,
        object: ObjectId,
        started_at_ms: i64,
        random: Random<'a>,
        bronze: &[u8],
    ) -> Result<Read, TransformError> {
        let mut aliases = BTreeMap::new();
        let mut look_up = |Wanted { unnamed, orgs }: Wanted| {
            let named = |(person, _): (Person, i64)| {
                let alias = aliases.entry(person.clone()).or_insert_with(|| Alias::of(random_alias(random)));
                (person, alias.clone())
            };
            let lists = orgs.into_iter().map(|org| (org, Arc::default())).collect();
            Found { aliases: unnamed.into_iter().map(named).collect(), lists }
        };
        let mut reading = Self::new(settings, object, started_at_ms, Lists::new(), random);
        for piece in bronze.chunks(PIECE_BYTES) {
            reading.push(piece)?;
            if reading.is_full() {
                let found = look_up(reading.wanted());
                reading.go_on(found);
            }
        }
        let ended = reading.end()?;
        let found = look_up(ended.wanted());
        ended.finish(found)
    }
}

/// An object of which all bytes have come.
pub struct Ended<'a>(Gathering<'a>);

impl Ended<'_> {
    /// What lines wait for.
    pub fn wanted(&self) -> Wanted {
        self.0.waiting.wanted()
    }

    /// Takes the last of what was looked up; what the object holds.
    ///
    /// # Errors
    /// `Corrupt` if anything that is wanted is not among it.
    pub fn finish(self, found: Found) -> Result<Read, TransformError> {
        let mut gathering = self.0;
        gathering.go_on(found);
        if !gathering.waiting.is_empty() {
            return Err(StoreError::Corrupt(Failure::new("lines wait for what nobody looked up")).into());
        }
        let mut read = gathering.read;
        read.keys = gathering.keys.into_drawn();
        read.events.sort_by_key(|event| event.bronze_line);
        read.quarantine_gz = match gathering.quarantine.map(GzEncoder::finish) {
            None => None,
            Some(Ok(lines)) => Some(lines.into()),
            // Compressing into memory does not fail; were it to, the object would be refused, not its lines lost.
            Some(Err(_)) => return Err(TransformError::Damaged),
        };
        Ok(read)
    }
}

/// Bytes of an object that are unpacked before it is asked how many lines wait: at deflate's best, 1,032 to 1, 16 MiB.
pub const PIECE_BYTES: usize = 16 * 1024;

/// What filters a line that an erasure took out.
const ERASED: &str = "erased";

const DAY_MS: i64 = 86_400_000;

/// Values as they are spelled: the place of whom each names, and whether its country was assumed.
type Spellings = BTreeMap<Personal, Option<(usize, bool)>>;

/// Longer spellings are read again whenever they come.
const MEMO_BYTES: usize = 64;

/// What is gathered from the lines so far.
struct Gathering<'a> {
    settings: &'a Settings,
    object: ObjectId,
    started_at_ms: i64,
    random: Random<'a>,
    line: u64,
    read: Read,
    /// The aliases so far, and the lines that wait.
    waiting: Waiting,
    /// The lists of own numbers so far.
    own: Own<'a>,
    /// The keys drawn so far.
    keys: Keys,
    /// What the event that is being read says of people.
    buffer: Buffer,
    /// How many lines so far are asked.
    adapted: usize,
    /// Claim ids of events read so far.
    seen: HashSet<String>,
    /// Record key to its place in `read.records`.
    records: HashMap<String, usize>,
    /// What was made of each spelling of a phone number: reading one takes longer than all the rest of an event's identifiers.
    spelled: BTreeMap<Region, Spellings>,
    /// Identifier to its place in `read.identifiers`: its HMACs are computed once per object.
    identifiers: BTreeMap<Identifier, usize>,
    join_key: JoinKey,
    quarantine: Option<GzEncoder<Vec<u8>>>,
    scratch: Vec<u8>,
}

/// What an event is about.
struct About {
    /// As everything outward names it: an id that may be a person's stands as its alias.
    about: Record,
    /// As claims name it, where that is not the same.
    claim_record: Option<String>,
    /// The pseudonyms of whose id it is.
    names: BTreeSet<String>,
}

impl About {
    /// About what is named by its source's id.
    fn impersonal(about: Record) -> Self {
        Self { about, claim_record: None, names: BTreeSet::new() }
    }
}

/// What became of an event's line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is kept, repeated or filtered.
    Read,
    /// Nothing yet: an alias or a list must be known first.
    Waits,
}

/// Whom an event names.
struct Identified {
    /// The customer side's identifiers without the company's own, in [`Read::identifiers`].
    identifiers: Vec<usize>,
    /// Which of the event's identifiers name somebody, were it the company itself.
    is_read: Vec<bool>,
    /// The country of one of those was assumed.
    country_assumed: bool,
}

/// What an entry has of its event's content beside what is in clear.
struct Sealing {
    sealed: Sealed,
    /// The names of the fields that are neither in clear nor sealed, sorted.
    masked: Vec<String>,
    /// The blocks' keys, in [`Read::keys`].
    keys: Vec<usize>,
}

/// A line that is not an event.
enum Refused<'l> {
    /// By ingest, and it is kept as it is.
    Before(Rejection),
    /// Now, with when it was received.
    Now(Option<i64>, Rejection, Cow<'l, [u8]>),
}

impl TakeLine for Gathering<'_> {
    fn line(&mut self, line: &[u8], cut: bool) {
        let number = self.line;
        self.line += 1;
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        self.read.input += 1;
        self.read_line(number, line, cut);
    }
}

impl Gathering<'_> {
    fn read_line(&mut self, number: u64, line: &[u8], cut: bool) {
        let refused = match bronze::read(line) {
            // Ingest writes no such line. Its beginning goes to quarantine; the bronze object keeps it whole.
            _ if cut => Refused::Now(None, Rejection::BadEnvelope, Cow::Borrowed(line)),
            BronzeLine::Quarantine(bad) if bad.received_at_ms.is_some() => Refused::Before(bad.reason),
            BronzeLine::Quarantine(bad) => Refused::Now(None, bad.reason, bad.bytes),
            // Counted, so that the object's counts are what they were; it is about nobody.
            BronzeLine::Erased => return *self.read.filtered.entry(ERASED).or_default() += 1,
            BronzeLine::Event(event) => match self.event(number, &event) {
                Ok(Fate::Read) => return,
                Ok(Fate::Waits) => return self.waiting.push(number, line, cut),
                Err(reason) => Refused::Now(event.received_at_ms, reason, event.raw),
            },
        };
        match refused {
            // Behind those that wait, so that refused lines stay in their order.
            _ if !self.waiting.is_empty() => self.waiting.push(number, line, cut),
            Refused::Before(reason) => self.quarantine_line(reason, line),
            Refused::Now(received_at_ms, reason, bytes) => self.quarantine(received_at_ms, reason, &bytes),
        }
    }

    fn go_on(&mut self, Found { aliases, lists }: Found) {
        self.own.learn(lists);
        for WaitingLine { number, line, cut } in self.waiting.name(&aliases) {
            self.read_line(number, &line, cut);
        }
    }

    /// Takes an event. Nothing is counted or kept if it is refused.
    fn event(&mut self, number: u64, line: &bronze::Event<'_>) -> Result<Fate, Rejection> {
        let undone = text_layer::undone(&line.raw);
        let document = document::parse(&undone)?;
        let context = Context {
            default_org: line.org.as_deref().unwrap_or(&self.settings.default_org),
            numeric_id_sources: &self.settings.numeric_id_sources,
        };
        let event = adapt(&document, &context)?;
        let filter = built_in().filtered_by(&event, &self.settings.switches);
        // A line that others loaded says nowhere when it came: it was there before it was taken up.
        let received_at_ms = line.received_at_ms.unwrap_or(self.started_at_ms);
        if filter.is_none() && !instant::is_plausible(event.occurred_at_ms, received_at_ms) {
            return Err(Rejection::ImplausibleTime);
        }
        // Who owns what it says depends on which numbers are the company's own.
        let lacks_list =
            !self.own.knows(&event.org) && self.waiting.wants_list(&event.org, !event.identifiers.is_empty());
        let about = self.about(number, line.received_at_ms, &event);
        let (Some(About { about, claim_record, names }), false) = (about, lacks_list) else {
            return Ok(Fate::Waits);
        };
        if let Some(filter) = filter {
            return self.filter(number, filter, line.received_at_ms, &event, about, names).map(|()| Fate::Read);
        }
        let claim_id = self.settings.event_key.claim_id(content_id(&event, &document).as_bytes());
        let whom = self.identifiers(&event);
        let taken = match self.seen.contains(&claim_id) {
            true => None,
            false => Some(self.take(number, &line.raw, &event, &about, &whom)?),
        };

        let record = self.record(number, &event, about, names)?;
        self.read.records[record].days.insert(event.occurred_at_ms.div_euclid(DAY_MS));
        let country_assumed = whom.country_assumed;
        let adapted = self.adapted(record, line.received_at_ms, &event, whom);
        match taken {
            Some(mut taken) => {
                self.add_refs(&mut taken.fields, &event, &adapted.identifiers);
                self.read.unknown_outcomes += u64::from(event.unknown_outcome);
                self.seen.insert(claim_id.clone());
                self.read.events.push(Event { adapted, claim_id, claim_record, country_assumed, ..taken });
            }
            None => self.read.repeated_lines.push(adapted),
        }
        Ok(Fate::Read)
    }

    /// Counts an event that is not kept. Its record is noted and whom it names is linked, so that an erasure finds the line; nothing
    /// is claimed, since the same line may be filtered wherever it stands.
    fn filter(
        &mut self,
        number: u64,
        filter: &'static str,
        received_at_ms: Option<i64>,
        event: &SourceEvent<'_>,
        about: Record,
        names: BTreeSet<String>,
    ) -> Result<(), Rejection> {
        let record = self.record(number, event, about, names)?;
        let whom = self.identifiers(event);
        let adapted = self.adapted(record, received_at_ms, event, whom);
        self.read.filtered_lines.push(adapted);
        *self.read.filtered.entry(filter).or_default() += 1;
        Ok(())
    }

    /// What is asked of an event's line.
    fn adapted(
        &mut self,
        record: usize,
        received_at_ms: Option<i64>,
        event: &SourceEvent<'_>,
        Identified { identifiers, is_read, .. }: Identified,
    ) -> Adapted {
        if is_read.contains(&true) && !self.read.naming_orgs.contains(&*event.org) {
            self.read.naming_orgs.insert(event.org.to_string());
        }
        let (occurred_at_ms, only_widens) = (event.occurred_at_ms, event.links == Links::WidenOnly);
        let place = self.adapted;
        self.adapted += 1;
        Adapted { place, record, identifiers, occurred_at_ms, received_at_ms, only_widens }
    }

    /// Whom the event names.
    fn identifiers(&mut self, event: &SourceEvent<'_>) -> Identified {
        let region = self.settings.regions.of(event.names_of_source());
        let (mut places, mut country_assumed) = (Vec::with_capacity(event.identifiers.len()), false);
        let mut is_read = Vec::with_capacity(event.identifiers.len());
        for (kind, raw) in &event.identifiers {
            let known = match self.spelled.get(&region).and_then(|spelled| spelled.get(raw)) {
                Some(known) if *kind == Kind::Phone => *known,
                _ => {
                    let read = Identifier::read(*kind, raw.expose_for_pseudonym(), region);
                    let known = read.map(|read| (self.identifier(read.identifier), read.country_assumed));
                    if *kind == Kind::Phone && raw.expose_for_pseudonym().len() <= MEMO_BYTES {
                        self.spelled.entry(region).or_default().insert(raw.clone(), known);
                    }
                    known
                }
            };
            is_read.push(known.is_some());
            if let Some((place, assumed)) = known {
                country_assumed |= assumed;
                places.push(place);
            }
        }
        places.retain(|&place| !self.own.names(&event.org, place, &self.read.identifiers[place]));
        Identified { identifiers: places, is_read, country_assumed }
    }

    /// The event as it may be kept. What cannot become an entry is refused here, before anything is claimed.
    fn take(
        &mut self,
        number: u64,
        raw: &[u8],
        event: &SourceEvent<'_>,
        about: &Record,
        whom: &Identified,
    ) -> Result<Event, Rejection> {
        let key = self.settings.pseudonyms.newest();
        let fields = event.fields.iter().map(|field| (field.name, &*field.value));
        let Masked { mut clear, masked, rest } = self.settings.policy.mask(key, fields);
        let event_id = self.object.event_id(PlanOf::Bronze, number);
        let names_customer = !whom.identifiers.is_empty();
        let unclear = Unclear { event, about, rest: &rest, is_read: &whom.is_read, names_customer };
        let Sealing { sealed, masked: masked_in_entry, keys } = self.seal(&event_id, raw, &unclear, &whom.identifiers);
        // What joins rows in silver must not join entries: an entry names no person, not even by a pseudonym.
        let plain = clear.iter().filter(|(name, _)| !self.settings.policy.is_silver_only(name));
        let mut salt = [0; 16];
        (self.random)(&mut salt);
        let entry = PendingEntry {
            event_id,
            org: event.org.to_string(),
            event_type: event.event_type.to_owned(),
            activity: event.activity.to_owned(),
            record: about.clone(),
            occurred_at: instant::to_rfc3339(event.occurred_at_ms),
            late: false,
            time_from_envelope: event.time_from_envelope,
            zone_assumed: event.zone_assumed,
            fields: plain.map(|(name, value)| ((*name).to_owned(), entry_field(value))).collect(),
            masked: masked_in_entry,
            sealed,
            lineage_token: lineage_token(event, about),
            schema_version: event.schema_version.to_string(),
            policy_version: self.settings.policy.version().to_owned(),
            source: Source { object: self.object.to_hex(), line: number },
            salt,
        };
        // The adapter checked ids and times; what it let through and the ledger does not names no usable record.
        let reason =
            |error| if matches!(error, EntryError::TooLong) { Rejection::TooLong } else { Rejection::NoRecord };
        let line_text = entry.to_line().map_err(reason)?.into_text();
        if event.lineage_from == LineageFrom::Source && !tokens::is_replaceable(&line_text, &entry.lineage_token) {
            return Err(Rejection::TooLong);
        }
        let extra = event.extra.iter().map(|one| (words::plain_name(one.name).to_owned(), one.kind().as_str()));
        self.name_process(&mut clear, &masked);
        // A token that was refused is found again by its pseudonym, and by nothing else.
        let refused = event.refused_token.as_ref().map(|raw| raw.expose_for_pseudonym());
        let refused =
            refused.and_then(|raw| Identifier::parse(Kind::LineageToken, raw, self.settings.regions.default_region()));
        Ok(Event {
            adapted: Adapted::default(),
            event_id: entry.event_id,
            claim_id: String::new(),
            claim_record: None,
            named_by_source: event.native_id.is_some(),
            sequence: event.sequence,
            rank: event.rank,
            time_from_envelope: event.time_from_envelope,
            zone_assumed: event.zone_assumed,
            country_assumed: false,
            damaged: event.damaged,
            line: line_text,
            keys,
            source: event.source,
            topic: event.topic.to_string(),
            schema_version: entry.schema_version,
            event_type: event.event_type,
            activity: event.activity,
            lifecycle: event.lifecycle.as_str(),
            fields: clear,
            masked,
            extra: extra.collect(),
            lineage_token: entry.lineage_token,
            lineage_from: event.lineage_from,
            lineage_ref: refused.map(|refused| key.pseudonym(&refused).as_str().to_owned()),
            bronze_line: number,
        })
    }

    /// Seals what the event with these identifiers says of people, for each owner under the key of its record, and forgets it.
    fn seal(&mut self, event_id: &str, raw: &[u8], unclear: &Unclear<'_, '_>, identifiers: &[usize]) -> Sealing {
        let Self { settings, random, buffer, keys, records, read, .. } = self;
        let record_key = unclear.about.key(&unclear.event.org);
        // The next record's place, if it is new. Should the event be refused, another record gets the place and what was drawn for it,
        // under which nothing is sealed that is kept.
        let record = records.get(&record_key).copied().unwrap_or(read.records.len());
        let place = Place { deployment: &settings.deployment, record: &record_key, event_id };
        let mut content = buffer.event(unclear.names_customer, &Hash::of_object(raw).0);
        unclear.add_to(&mut content);
        let mut used = Vec::with_capacity(Party::ALL.len());
        let seals = content.seal(&place, *random, |party| {
            let owner = match party {
                Party::Customer => Owner::of_customers(identifiers),
                Party::Joint => Owner::Joint,
                Party::Agent => Owner::Agent,
            };
            let (place, key) = keys.of(record, owner, *random);
            used.push(place);
            key
        });
        let too_large = seals.masked.into_iter().filter_map(|member| match member {
            Member::Field(name) => Some(name),
            Member::Identifier(_) | Member::Unlisted | Member::Raw => None,
        });
        let masked: BTreeSet<&str> = unclear.dropped().chain(too_large).collect();
        Sealing { sealed: seals.sealed, masked: masked.into_iter().map(str::to_owned).collect(), keys: used }
    }

    /// Silver can be joined by whom a row names, though not by a value: the first of the customer's identifiers of each kind that has
    /// a column, and the masked fields that the description lists. The entry's line is made by now, and has none of it.
    fn add_refs(&self, fields: &mut Vec<(&'static str, Clear)>, event: &SourceEvent<'_>, identifiers: &[usize]) {
        let of_customer = identifiers.iter().filter_map(|&at| self.read.refs[at].clone());
        let told = built_in().joinable().filter_map(|(what, names)| {
            let said =
                names.iter().filter_map(|name| event.fields.iter().find(|field| field.name == *name)?.value.as_str());
            let told = said.filter_map(|raw| self.join_key.of_text(what, raw)).next()?;
            Some((what.column(), told))
        });
        add_fields(fields, of_customer.chain(told));
    }

    /// Silver names the process of every interaction whose direction is known: the source's own name, or the description's. An entry
    /// has what its source said, and nothing that follows from it.
    fn name_process(&self, clear: &mut Vec<(&'static str, Clear)>, masked: &[&str]) {
        let at = |name: &str, clear: &[(&'static str, Clear)]| clear.binary_search_by(|(known, _)| (*known).cmp(name));
        let Err(place) = at(PROCESS_NAME, clear) else { return };
        let direction = at("direction", clear).ok().and_then(|at| clear[at].1.as_text());
        let named = self.settings.process_names.iter().find(|(of, _)| Some(*of) == direction);
        if let Some((_, name)) = named.filter(|_| !masked.contains(&PROCESS_NAME)) {
            clear.insert(place, (PROCESS_NAME, name.clone()));
        }
    }

    /// What the event is about. Nothing while an alias is not known.
    fn about(&mut self, number: u64, received_at_ms: Option<i64>, event: &SourceEvent<'_>) -> Option<About> {
        let (kind, id, sent) = match &event.record {
            AboutRef::Interaction(id) => return Some(About::impersonal(Record::Interaction(id.to_string()))),
            AboutRef::Entity { kind, id, .. } if built_in().is_impersonal(kind) => {
                return Some(About::impersonal(Record::Entity { kind: kind.to_string(), id: id.to_string() }));
            }
            AboutRef::Entity { kind, id, sent } => (kind.to_string(), id, sent),
        };
        let name = self.settings.event_key.claim_record(&event.org, sent, id);
        let is_deletion = event.links == Links::WidenOnly;
        let reached_ms = cutoff_from(event.occurred_at_ms, received_at_ms, is_deletion);
        let known = self.waiting.known(&name).and_then(|(person, Alias { name, cutoff })| {
            let is_covered = cutoff.is_some_and(|cutoff| cutoff.covers(reached_ms, reached_ms));
            let of_line = is_covered.then(|| self.settings.event_key.alias_of_line(&self.object.to_hex(), number));
            Some((person, of_line.or_else(|| name.clone())?))
        });
        let Some((person, id)) = known else {
            let settings = self.settings;
            self.waiting.ask(name, reached_ms, || Person::of(settings, event, &kind, sent, id));
            return None;
        };
        let names = person.all_names().cloned().collect();
        let claimed = Record::Entity { kind: kind.clone(), id: name }.key(&event.org);
        Some(About { about: Record::Entity { kind, id }, claim_record: Some(claimed), names })
    }

    /// The record's place, one line more about it.
    fn record(
        &mut self,
        number: u64,
        event: &SourceEvent<'_>,
        about: Record,
        names: BTreeSet<String>,
    ) -> Result<usize, Rejection> {
        let key = about.key(&event.org);
        if let Some(&at) = self.records.get(&key) {
            let record = &mut self.read.records[at];
            record.lines += 1;
            record.names.extend(names);
            if record.at.len() < LINES_NAMED {
                record.at.push(number);
            }
            return Ok(at);
        }
        let first_log = LogId::first_of(&event.org, event.record.family()).map_err(|_| Rejection::NoRecord)?;
        let at = self.read.records.len();
        self.records.insert(key.clone(), at);
        let (org, days) = (event.org.to_string(), BTreeSet::new());
        self.read.records.push(RecordSeen { key, org, about, names, first_log, lines: 1, at: vec![number], days });
        Ok(at)
    }

    fn identifier(&mut self, identifier: Identifier) -> usize {
        if let Some(&at) = self.identifiers.get(&identifier) {
            return at;
        }
        let pseudonyms = self.settings.pseudonyms.pseudonyms(&identifier);
        let pseudonyms = pseudonyms.iter().map(|name| name.as_str().to_owned()).collect();
        let at = self.read.identifiers.len();
        self.read.refs.push(self.join_key.of_identifier(&identifier));
        let (kind, domain) = (identifier.kind(), domain_of(&identifier).map(Personal::new));
        self.read.identifiers.push(Named { kind, pseudonyms, domain });
        self.identifiers.insert(identifier, at);
        at
    }

    fn quarantine(&mut self, received_at_ms: Option<i64>, reason: Rejection, bytes: &[u8]) {
        let mut line = std::mem::take(&mut self.scratch);
        line.clear();
        *self.read.refused.entry(reason.code()).or_default() += 1;
        bronze::write_quarantine(received_at_ms.unwrap_or(self.started_at_ms), reason, bytes, &[], &mut line);
        self.quarantine_line(reason, line.strip_suffix(b"\n").unwrap_or(&line));
        self.scratch = line;
    }

    /// Keeps a line that is a quarantine line already, as it is.
    fn quarantine_line(&mut self, reason: Rejection, line: &[u8]) {
        *self.read.quarantined.entry(reason.code()).or_default() += 1;
        let gzip = self.quarantine.get_or_insert_with(|| {
            GzBuilder::new().mtime(0).operating_system(OS_UNKNOWN).write(Vec::new(), Compression::fast())
        });
        // Compressing into memory does not fail; `finish` would say so if it ever did.
        let _ = gzip.write_all(line).and_then(|()| gzip.write_all(b"\n"));
    }
}

/// The first moment up to which a cutoff must reach to cover a line, see `Cutoff::covers`: when it occurred or was received,
/// whichever is earlier. A line that others loaded says nowhere when it came: it may have lain anywhere since it occurred by its
/// source's clock. Of somebody who was erased a deletion says nothing that is to be kept, whenever it comes.
pub(crate) fn cutoff_from(occurred_at_ms: i64, received_at_ms: Option<i64>, is_deletion: bool) -> i64 {
    let received_at_ms = received_at_ms.unwrap_or(occurred_at_ms.saturating_sub(instant::AHEAD_MS));
    if is_deletion { i64::MIN } else { occurred_at_ms.min(received_at_ms) }
}

/// The event's lineage token. One that was derived from an id of a person would tell whoever guesses the id: here it is derived
/// from the alias.
fn lineage_token(event: &SourceEvent<'_>, about: &Record) -> String {
    match about {
        Record::Entity { kind, .. } if event.lineage_from != LineageFrom::Source && !built_in().is_impersonal(kind) => {
            derived(about)
        }
        _ => event.lineage_token.to_string(),
    }
}

/// A clear value as the ledger writes it; times as text.
fn entry_field(value: &Clear) -> Field {
    match value.view() {
        View::Text(text) => Field::Text(text.to_owned()),
        View::Int(number) => Field::Int(number),
        View::Bool(flag) => Field::Bool(flag),
        View::Time(epoch_ms) => Field::Text(instant::to_rfc3339(epoch_ms)),
        View::List(items) => Field::List(items.iter().map(entry_field).collect()),
    }
}

/// RFC 1952: no operating system is named, so that equal lines give equal bytes.
const OS_UNKNOWN: u8 = 255;
