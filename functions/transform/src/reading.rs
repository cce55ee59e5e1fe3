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
mod entry;
mod keys;
mod read;
mod waiting;
mod whom;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Write as _;
use std::sync::Arc;

use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use ledgerline_event::catalogue::built_in;
use ledgerline_event::document::{self, Rejection};
use ledgerline_event::{Context, Links, SourceEvent, adapt, capture, content_id, instant, text_layer};
use ledgerline_lake::ObjectId;
use ledgerline_lake::bronze::{self, BronzeLine, NewQuarantine};
use ledgerline_ledger::entry::Record;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::{Identifier, JoinKey, Region};
use ledgerline_sealed::Random;
use ledgerline_store::record::LINES_NAMED;

use crate::config::Settings;
use crate::decode::{Decoder, TakeLine};
use crate::error::TransformError;
use crate::own::{Lists, Own};
use entry::Sealer;
pub use keys::{Drawn, Owner};
pub use read::{Adapted, Event, Named, Read, RecordSeen, Way};
pub(crate) use waiting::random_alias;
pub use waiting::{Alias, Found, Person, Unnamed, Wanted};
use waiting::{Waiting, WaitingLine};
pub(crate) use whom::cutoff_from;
use whom::{About, Identified, Spellings};

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
            sealer: Some(Sealer::default()),
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
        Self::new(settings, object, started_at_ms, Lists::new(), random).asking_nobody(random, bronze)
    }

    /// As [`Reading::alone`], and nothing is sealed: for the bench, which measures what sealing takes.
    ///
    /// # Errors
    /// As [`Reading::alone`].
    #[doc(hidden)]
    pub fn alone_unsealed(
        settings: &'a Settings,
        object: ObjectId,
        started_at_ms: i64,
        random: Random<'a>,
        bronze: &[u8],
    ) -> Result<Read, TransformError> {
        let mut reading = Self::new(settings, object, started_at_ms, Lists::new(), random);
        reading.0.taker().into_iter().for_each(|gathering| gathering.sealer = None);
        reading.asking_nobody(random, bronze)
    }

    fn asking_nobody(mut self, random: Random<'a>, bronze: &[u8]) -> Result<Read, TransformError> {
        let mut aliases = BTreeMap::new();
        let mut look_up = |Wanted { unnamed, orgs }: Wanted| {
            let named = |(person, _): (Person, i64)| {
                let alias = aliases.entry(person.clone()).or_insert_with(|| Alias::of(random_alias(random)));
                (person, alias.clone())
            };
            let lists = orgs.into_iter().map(|org| (org, Arc::default())).collect();
            Found { aliases: unnamed.into_iter().map(named).collect(), lists }
        };
        for piece in bronze.chunks(PIECE_BYTES) {
            self.push(piece)?;
            if self.is_full() {
                let found = look_up(self.wanted());
                self.go_on(found);
            }
        }
        let ended = self.end()?;
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
        read.keys = gathering.sealer.map(|sealer| sealer.keys.into_drawn()).unwrap_or_default();
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
    /// Nothing in the bench alone, which measures what sealing takes.
    sealer: Option<Sealer>,
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

/// What became of an event's line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is kept, repeated or filtered.
    Read,
    /// Nothing yet: an alias or a list must be known first.
    Waits,
}

/// A line that is not an event.
enum Refused<'l> {
    /// By ingest, and it is kept as it is.
    Before(Rejection),
    /// Now, with when it was received, and how often it was replayed.
    Now(Option<i64>, u32, Rejection, Cow<'l, [u8]>),
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
            _ if cut => Refused::Now(None, 0, Rejection::BadEnvelope, Cow::Borrowed(line)),
            BronzeLine::Quarantine(bad) if bad.received_at_ms.is_some() => Refused::Before(bad.reason),
            BronzeLine::Quarantine(bad) => Refused::Now(None, 0, bad.reason, bad.bytes),
            // Counted, so that the object's counts are what they were; it is about nobody.
            BronzeLine::Erased => return *self.read.filtered.entry(ERASED).or_default() += 1,
            BronzeLine::Event(event) => match self.event(number, &event) {
                Ok(Fate::Read) => return,
                Ok(Fate::Waits) => return self.waiting.push(number, line, cut),
                Err(reason) => Refused::Now(event.received_at_ms, event.replayed, reason, event.raw),
            },
        };
        match refused {
            // Behind those that wait, so that refused lines stay in their order.
            _ if !self.waiting.is_empty() => self.waiting.push(number, line, cut),
            Refused::Before(reason) => self.quarantine_line(reason, line),
            Refused::Now(received_at_ms, replayed, reason, bytes) => {
                let received_at_ms = received_at_ms.unwrap_or(self.started_at_ms);
                self.quarantine(&NewQuarantine { received_at_ms, reason, replayed, cut: &[], bytes: &bytes });
            }
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
                let captured = line.source.as_deref().is_some_and(|source| capture::read(source).is_some());
                // The journal has no record that is named by a person's id.
                let is_audit = claim_record.is_none() && capture::is_journaled(taken.event_type);
                let journaled = is_audit.then_some(if captured { Way::Capture } else { Way::Another });
                let event = Event { adapted, claim_id, claim_record, country_assumed, journaled, ..taken };
                self.read.events.push(event);
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

    fn quarantine(&mut self, kept: &NewQuarantine<'_>) {
        let mut line = std::mem::take(&mut self.scratch);
        line.clear();
        *self.read.refused.entry(kept.reason.code()).or_default() += 1;
        bronze::write_quarantine(kept, &mut line);
        self.quarantine_line(kept.reason, line.strip_suffix(b"\n").unwrap_or(&line));
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

/// RFC 1952: no operating system is named, so that equal lines give equal bytes.
const OS_UNKNOWN: u8 = 255;
