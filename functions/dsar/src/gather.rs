//! Reads one page's interactions: links, log pins, heads, postings, then members of segments in parallel.
//!
//! Invariant: heads are read before postings. A segment is indexed before it leaves its head's list, so it is found in
//! one or the other, or in both, where the second find changes nothing. A link that filtered lines alone made names no
//! log; the record's pin does, and is read before the heads: a record without one had no entry then. A table that does
//! not answer fails the request: without it one cannot say what is missing. Evidence that does not answer is named, and
//! the rest is given. Of a record that only shared subjects are linked to nothing but the links and its cutoff is read: it is
//! named by what they say, on every page alike, and marked. Of a record that was erased whole nothing up to the cutoff is given:
//! not to whom else it names, and not while it still lies in index and ledger. What capture took and is not committed is told once: see
//! [`crate::journal`].

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledgerline_custody::access::{
    Entries, Fault, Found, Lasted, LinkedRecord, MemberRead, SegmentPlace, accept_segment, linked_records, plan_reads,
    unindexed,
};
use ledgerline_custody::answer::{Interaction, Marks, Page, Reads, Took};
use ledgerline_custody::order::EventOrder;
use ledgerline_custody::page::Position;
use ledgerline_custody::query::Query;
use ledgerline_event::instant;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::posting::Posting;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::journal::{EVENTS_READ, Journaled};
use ledgerline_store::subject::ListedLink;

use crate::journal;
use crate::problem::Problem;
use crate::stores::Stores;

/// Reads under way at once. A member is some 60 KB packed and 180 KB unpacked, of which the wanted lines stay.
const PARALLEL: usize = 16;
/// Whole segments under way at once. One may hold ten chunks' worth of text, 10 × 16 MiB at the very worst.
const PARALLEL_SEGMENTS: usize = 2;
/// Records whose postings and cutoffs are read together; no more than the 100 rows of one call.
const WINDOW: usize = 32;
/// Records whose pins are read in one call: the table's limit.
const PINS_PER_READ: usize = 100;
/// Records that one page looks at, most of them perhaps outside the range: 2,000 queries, 16 at once, 8 ms each, are a
/// second of the function's 29. A page that ends here has a token, and may be empty.
const MAX_EXAMINED: usize = 2_000;

/// A subject of the customer's.
pub(crate) struct Subject {
    pub(crate) id: String,
    /// Its identifier names no person.
    pub(crate) shared: bool,
}

/// A page's worth.
pub(crate) struct Gathered {
    pub(crate) interactions: Vec<Interaction>,
    /// How many records the customer has from where the page begins, whatever the range.
    pub(crate) records: usize,
    /// How many records that the page passed name the customer in filtered lines alone, and have no entry; one that only
    /// shared subjects are linked to is not asked for entries.
    pub(crate) filtered: usize,
    pub(crate) reads: Reads,
    /// Whether anything is missing of these interactions, or could be.
    pub(crate) missing: bool,
    /// Where the next page begins, if there is one.
    pub(crate) next: Option<Position>,
}

/// Gathers the page of these orgs' subjects' interactions that begins at `start`.
pub(crate) async fn page(
    stores: &Stores,
    query: &Query,
    orgs: &[String],
    subjects: &[Subject],
    start: Option<Position>,
    now_ms: i64,
) -> Result<Gathered, Problem> {
    let Records { mut records, journaled } = records(stores, subjects, start.as_ref(), now_ms).await?;
    let mut reader = Reader::new(stores);
    reader.read_unindexed(&records).await?;
    let mut page = Page::new(query.page_size, orgs);
    let (mut examined, mut filtered, mut missing) = (0, 0, false);
    let (mut done, mut next) = (None, None);

    'page: while examined < records.len() {
        if page.room() == 0 || examined >= MAX_EXAMINED {
            next = done.map(Position::After);
            break;
        }
        let end = records.len().min(examined + WINDOW);
        let window = &mut records[examined..end];
        let (mut postings, cutoffs) = try_join(reader.postings(window), cutoffs(stores, window)).await?;
        // What is under way now widens what is known of a record; what of it is told is read again behind its entries.
        let on_its_way = journal::read(&stores.journal, window, &journaled).await?;
        let mut pending = Vec::with_capacity(window.len());
        for (((key, linked), postings), cutoff) in window.iter_mut().zip(&mut postings).zip(cutoffs) {
            // Asked of what the links say, which cutting narrows and trimming widens.
            let is_pending = linked.is_pending(key, postings, &reader.entries);
            linked.cut(cutoff, postings);
            // If all that the links say is cut, so is what is under way. Of a record that only the journal or filtered lines know, and that
            // has a pin, an entry is under way: see the match below.
            let only_pinned = linked.lasted.is_none() && linked.log.is_some() && linked.cutoff.is_none();
            let has_none = postings.is_empty() && reader.entries.count(key) == 0;
            for event in on_its_way.get(key.as_str()).into_iter().flatten() {
                linked.widen(&event.occurred_at, &event.occurred_at);
            }
            let is_journaled = only_pinned && has_none && linked.lasted.is_some();
            pending.push((is_pending && linked.lasted.is_some()) || is_journaled);
        }
        let taken = trim(query, &reader.entries, page.room(), window, &mut postings);
        let window = &window[..taken];
        reader.read_members(&postings[..taken], start.as_ref()).await;
        let on_its_way = journal::read_again(&stores.journal, on_its_way).await?;
        for ((key, linked), pending) in window.iter().zip(pending) {
            match &linked.lasted {
                // Erased whole, and nothing of it came behind the cutoff: as if nobody had ever been in it.
                None if linked.cutoff.is_some() => {}
                // A pin stands before the first entry: there is one, of events that do not name this customer, and it is under way.
                None if linked.log.is_some() => missing = true,
                None => filtered += 1,
                Some(lasted) if query.range.overlaps(&lasted.first, &lasted.last) => {
                    let events = on_its_way.get(key.as_str()).map_or(&[][..], Vec::as_slice);
                    missing |= events.len() >= EVENTS_READ;
                    match reader.give(&mut page, query, (key, linked, lasted), events, pending, start.as_ref())? {
                        Took::Whole => {}
                        Took::UpTo(order) => {
                            missing |= pending;
                            next = Some(Position::Inside(key.clone(), order));
                            break 'page;
                        }
                        Took::Nothing => {
                            next = done.map(Position::After);
                            break 'page;
                        }
                    }
                    missing |= pending;
                }
                Some(_) => {}
            }
            done = Some(key.clone());
        }
        examined += taken;
    }
    let missing = missing || reader.reads.failed > 0;
    let reads = reader.finish()?;
    let destroyed = destroyed(stores, &page).await?;
    Ok(Gathered { interactions: page.finish(&destroyed), records: records.len(), filtered, reads, missing, next })
}

/// The linked records.
struct Records {
    /// By key, each with its log if it has one.
    records: Vec<(String, LinkedRecord)>,
    /// Those of which the journal may know more.
    journaled: BTreeSet<String>,
}

/// The linked records from `start` on.
async fn records(
    stores: &Stores,
    subjects: &[Subject],
    start: Option<&Position>,
    now_ms: i64,
) -> Result<Records, StoreError> {
    let links: Vec<Vec<ListedLink>> = stream::iter(subjects)
        .map(|subject| stores.subjects.listed_links(&subject.id))
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    let now = instant::to_rfc3339(now_ms);
    let is_journaled = |link: &&ListedLink| link.journal_until.as_ref().is_some_and(|until| *until > now);
    // What an earlier page began with it does not tell again.
    let is_begun = |record: &str| matches!(start, Some(Position::Inside(inside, _)) if inside == record);
    let journaled = links.iter().flatten().filter(is_journaled).map(|link| link.record.clone());
    let journaled = journaled.filter(|record| !is_begun(record)).collect();
    let of_subject = |(subject, links): (&Subject, Vec<ListedLink>)| {
        let shared = subject.shared;
        links.into_iter().map(move |ListedLink { record, link, .. }| (record, link, shared))
    };
    let records = linked_records(subjects.iter().zip(links).flat_map(of_subject))?;
    let is_left = |key: &str| match start {
        None => true,
        Some(Position::After(done)) => key > done.as_str(),
        Some(Position::Inside(record, _)) => key >= record.as_str(),
    };
    let mut records: Vec<_> = records.into_iter().filter(|(key, _)| is_left(key)).collect();
    let has_no_log = |linked: &LinkedRecord| linked.log.is_none() && !linked.shared;
    let unknown: Vec<&str> =
        records.iter().filter(|(_, linked)| has_no_log(linked)).map(|(key, _)| key.as_str()).collect();
    let pins: Vec<_> = stream::iter(unknown.chunks(PINS_PER_READ))
        .map(|records| stores.records.pins(records))
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    let linked = records.iter_mut().map(|(_, linked)| linked);
    for (linked, pin) in linked.filter(|linked| has_no_log(linked)).zip(pins.into_iter().flatten()) {
        linked.log = pin;
    }
    Ok(Records { records, journaled })
}

/// Up to when each of these records was erased whole, if it was.
async fn cutoffs(stores: &Stores, records: &[(String, LinkedRecord)]) -> Result<Vec<Option<Cutoff>>, StoreError> {
    let records: Vec<&str> = records.iter().map(|(key, _)| key.as_str()).collect();
    let parties = stores.parties.read(&records).await?;
    Ok(parties.into_iter().map(|party| party.cutoff).collect())
}

/// Which keys of blocks on the page were destroyed. Asked after the evidence was read: none that was destroyed by then is called closed.
/// A page of 2,000 entries has 6,000 keys at the very most, half a second's reads; mostly some 100, which is one.
async fn destroyed(stores: &Stores, page: &Page) -> Result<BTreeSet<String>, StoreError> {
    Ok(stores.gone.among(page.key_ids()).await?.into_iter().map(str::to_owned).collect())
}

/// Widens what is known of the window's records to what postings and entries show, empties the postings of records
/// outside the range, and says how many records the page can use: no more is read than about a page.
fn trim(
    query: &Query,
    entries: &Entries,
    room: usize,
    window: &mut [(String, LinkedRecord)],
    postings: &mut [Vec<Posting>],
) -> usize {
    let mut planned = 0;
    for (at, ((key, linked), postings)) in window.iter_mut().zip(postings).enumerate() {
        for posting in postings.iter() {
            linked.widen(&posting.from, &posting.to);
        }
        if let Some((first, last)) = entries.span(key) {
            linked.widen(first, last);
        }
        // No entry at all: it takes no place.
        let Some(lasted) = &linked.lasted else { continue };
        if !query.range.overlaps(&lasted.first, &lasted.last) {
            postings.clear();
            continue;
        }
        let lines: usize = postings.iter().flat_map(|posting| &posting.members).map(|member| member.at.len()).sum();
        planned += (lines + entries.count(key)).max(1);
        if planned >= room {
            return at + 1;
        }
    }
    window.len()
}

/// The place inside `key` where the page begins, if it begins inside it.
fn after<'a>(start: Option<&'a Position>, key: &str) -> Option<&'a EventOrder> {
    match start {
        Some(Position::Inside(record, order)) if record == key => Some(order),
        _ => None,
    }
}

/// Reads evidence and keeps account of it.
struct Reader<'p> {
    stores: &'p Stores,
    entries: Entries,
    reads: Reads,
    incomplete: BTreeSet<String>,
    /// The first error of a store, if no read succeeds.
    error: Option<StoreError>,
}

impl<'p> Reader<'p> {
    fn new(stores: &'p Stores) -> Self {
        let (entries, reads) = (Entries::default(), Reads::default());
        Self { stores, entries, reads, incomplete: BTreeSet::new(), error: None }
    }

    /// Reads what is committed and not indexed yet, of all logs that keep any of the records but shared ones.
    async fn read_unindexed(&mut self, records: &[(String, LinkedRecord)]) -> Result<(), StoreError> {
        let mut wanted: BTreeMap<&LogId, BTreeSet<&str>> = BTreeMap::new();
        for (key, linked) in records {
            if let Some(log) = linked.log.as_ref().filter(|_| !linked.shared) {
                wanted.entry(log).or_default().insert(key);
            }
        }
        let stores = self.stores;
        let heads: Vec<_> = stream::iter(wanted.keys().copied())
            .map(|log| async move { stores.heads.head(log).await.map(|head| (log, head)) })
            .buffered(PARALLEL)
            .try_collect()
            .await?;
        let mut segments = Vec::new();
        for (log, head) in heads {
            match head.map(|head| head.verify(log)) {
                None => {}
                Some(Ok(head)) => segments.extend(unindexed(log, head.indexed(), head.unpublished())),
                Some(Err(_)) => self.reads.note(Some(Fault::of_head(log))),
            }
        }
        let none = BTreeSet::new();
        let read = stream::iter(segments).map(|place| {
            let wanted = wanted.get(&place.log).unwrap_or(&none);
            async move {
                let bytes = stores.segments.read(&place.segment, &place.version_id).await;
                let found = bytes.map(|bytes| accept_segment(&place, &bytes, wanted));
                (place, found)
            }
        });
        let read: Vec<_> = read.buffered(PARALLEL_SEGMENTS).collect().await;
        for (place, found) in read {
            self.note(&place, Vec::new(), found);
        }
        Ok(())
    }

    /// The postings of these records, in their order; none of shared ones.
    async fn postings(&self, records: &[(String, LinkedRecord)]) -> Result<Vec<Vec<Posting>>, StoreError> {
        let stores = self.stores;
        let read = stream::iter(records).map(|(key, linked)| async move {
            if linked.shared { Ok(Vec::new()) } else { stores.postings.of(key).await }
        });
        read.buffered(PARALLEL).try_collect().await
    }

    /// Reads the members that hold these postings' entries, but for those whose entries an earlier page gave.
    async fn read_members(&mut self, postings: &[Vec<Posting>], start: Option<&Position>) {
        let given = |posting: &Posting| {
            after(start, &posting.record_key).is_some_and(|order| posting.to.as_str() < order.occurred_at.as_str())
        };
        let reads = plan_reads(postings.iter().flatten().filter(|posting| !given(posting)));
        let stores = self.stores;
        let read = stream::iter(reads).map(|read: MemberRead| async move {
            let place = &read.place;
            let bytes = stores.segments.read_range(&place.segment, &place.version_id, read.offset, read.length).await;
            let found = bytes.map(|bytes| read.accept(&bytes));
            (read, found)
        });
        let read: Vec<_> = read.buffered(PARALLEL).collect().await;
        for (read, found) in read {
            self.note(&read.place, read.lines.into_values().collect(), found);
        }
    }

    /// Puts a record's entries on the page.
    fn give(
        &mut self,
        page: &mut Page,
        query: &Query,
        (key, linked, lasted): (&str, &LinkedRecord, &Lasted),
        on_its_way: &[Journaled],
        pending: bool,
        start: Option<&Position>,
    ) -> Result<Took, Problem> {
        let incomplete = self.incomplete.contains(key);
        let began_before_range = query.range.begins_after(&lasted.first);
        let marks = Marks { began_before_range, pending, incomplete, shared: linked.shared, ..Marks::default() };
        let mut entries = self.entries.take(key);
        let on_its_way = journal::without_committed(on_its_way, &entries, linked);
        entries.retain(|entry| !linked.is_erased(&entry.order.occurred_at));
        page.take(key, lasted, marks, &on_its_way, &entries, after(start, key)).map_err(Problem::unwritable)
    }

    fn note(
        &mut self,
        place: &SegmentPlace,
        records: Vec<String>,
        found: Result<Result<Vec<Found>, &'static str>, StoreError>,
    ) {
        let reason = match found {
            Ok(found) => found.and_then(|found| self.entries.add(found)).err(),
            Err(error) => {
                let kind = error.kind();
                self.error.get_or_insert(error);
                Some(kind)
            }
        };
        if let Some(reason) = reason {
            tracing::error!(segment = place.segment, reason, "evidence could not be read");
            self.incomplete.extend(records);
        }
        self.reads.note(reason.map(|reason| Fault::of(place, reason)));
    }

    /// The account. Where nothing at all could be read, that is the answer: one error, not a page of holes.
    fn finish(self) -> Result<Reads, StoreError> {
        match self.error {
            Some(error) if self.reads.answered == 0 => Err(error),
            _ => Ok(self.reads),
        }
    }
}
