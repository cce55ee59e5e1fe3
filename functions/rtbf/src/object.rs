//! One bronze object: which of its lines go, and putting it again without them; then its silver files.
//!
//! Invariant: an object that is not planned is never touched: its counts are to come. A line goes if transform would suppress it now, or
//! the request says so ([`line_goes`]); never one of a record that a hold is on. What goes leaves a placeholder, so that lines keep their
//! numbers and the placeholders of an object are the rows of silver whose values go. Behind silver the days are marked, so that figures
//! are computed again from what is left.
//!
//! | crash after | what is stored | who repairs |
//! |---|---|---|
//! | silver | rows without values, lines that are there still, days that nobody marked | the same lines go when it is done again, and the days are marked |
//! | tokens, the day of expiry | nothing that anybody misses | done again |
//! | the object | the new version, with the old ones behind it | done again it finds nothing to change, and deletes what lies behind |

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use ledgerline_custody::erasure::{LineOf, LineReader, LineRecord, Rules, WantsList, line_goes};
use ledgerline_custody::own::OwnList;
use ledgerline_event::instant;
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::silver_events;
use ledgerline_lake::redact::{Redacted, redact};
use ledgerline_lake::silver::{SilverRow, erase_rows};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::bucket::{self, Object, PutOutcome, versions_of};
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::gold_date::touched_by;
use ledgerline_store::subject::date_of;
use time::Date;
use time::macros::format_description;

use crate::keys::Keys;
use crate::rules::held_of;
use crate::stores::Stores;
use crate::{CALLS_AT_ONCE, Call, LargeObjects, OBJECTS_AT_ONCE, at_once};

/// How often an object, or a file of silver, is read again since another erasure put it.
const ROUNDS: usize = 5;
const DAY_MS: i64 = 86_400_000;

/// An object to look at.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) object: ObjectId,
    pub(crate) key: String,
    /// The records that it is known to hold lines about.
    pub(crate) records: BTreeSet<String>,
    /// The days of those lines.
    pub(crate) dates: BTreeSet<String>,
    /// Its lines about records that an alias names.
    pub(crate) of_aliases: Vec<OfAlias>,
}

/// Lines about a record whose id holds an alias: from a line itself the alias does not follow.
#[derive(Clone, Debug)]
pub(crate) struct OfAlias {
    /// `<org>/<type>/<alias>`.
    pub(crate) record: String,
    /// The pseudonyms that the alias lies under.
    pub(crate) names: BTreeSet<String>,
    /// The lines; none if there are more than were noted: then those of the type that have one of the names.
    pub(crate) at: Option<BTreeSet<u64>>,
    /// Whether the alias is gone.
    pub(crate) is_gone: bool,
}

impl OfAlias {
    fn holds(&self, number: u64, line: &LineOf) -> bool {
        let LineRecord::Entity { kind } = &line.record else { return false };
        let mut parts = self.record.split('/');
        let is_of = parts.next() == Some(&line.org) && parts.next() == Some(kind);
        is_of && self.at.as_ref().map_or_else(|| !self.names.is_disjoint(&line.names), |at| at.contains(&number))
    }
}

/// What decides about lines.
pub(crate) struct Deciding<'d> {
    pub(crate) call: &'d Call<'d>,
    pub(crate) keys: &'d Keys,
    pub(crate) rules: &'d Rules,
    /// The names in silver of those who are erased: all that is left to know their rows by once bronze has expired.
    pub(crate) refs: &'d BTreeSet<String>,
    /// Records whose joint content goes, beside those that have a cutoff: their tokens go with their lines.
    pub(crate) whole: &'d BTreeSet<String>,
    /// Large objects wait here for each other.
    pub(crate) large: &'d LargeObjects,
}

/// What was done to an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Erased {
    /// Whether it was put again.
    pub(crate) rewritten: bool,
    /// Lines that were taken out of it.
    pub(crate) lines: u64,
    /// Rows of silver that lost values.
    pub(crate) rows: u64,
}

/// What lines that go show of themselves.
#[derive(Debug, Default)]
struct Going {
    lines: BTreeSet<u64>,
    records: BTreeSet<String>,
    /// Each a token and a record.
    tokens: BTreeSet<(String, String)>,
}

/// Reads an org's list of own numbers when a line wants it.
pub(crate) struct Lists(HashMap<String, Arc<OwnList>>);

impl Lists {
    /// The lists that are at hand.
    pub(crate) fn at_hand(call: &Call<'_>) -> Self {
        Self(call.stores.own.kept(call.now_ms()).into_iter().collect())
    }

    async fn learn(&mut self, call: &Call<'_>, org: String) -> Result<(), StoreError> {
        let list = call.stores.own.of(&org, call.now_ms()).await?;
        self.0.insert(org, list);
        Ok(())
    }

    fn reader<'r>(&self, call: &'r Call<'_>, keys: &'r Keys) -> LineReader<'r> {
        LineReader {
            ring: &keys.ring,
            regions: &call.settings.regions,
            own: self.0.clone(),
            parameter: &keys.own_numbers,
            default_org: &call.settings.default_org,
            numeric_id_sources: &call.settings.numeric_id_sources,
        }
    }
}

/// Takes the lines that go out of these objects and their silver files, and marks their days. These are marked whatever came of it, and
/// each time: whoever does it again does not see which files were changed before.
pub(crate) async fn erase_all(deciding: &Deciding<'_>, targets: &[Target]) -> Result<Vec<Erased>, StoreError> {
    let erasures = targets.iter().map(|target| erase_one(deciding, target));
    let erased = at_once(OBJECTS_AT_ONCE, erasures.collect()).await;
    mark(deciding.call, &targets.iter().flat_map(|target| target.dates.iter().cloned()).collect()).await?;
    erased
}

/// The same of one object.
pub(crate) async fn erase(deciding: &Deciding<'_>, target: &Target) -> Result<Erased, StoreError> {
    let mut erased = erase_all(deciding, std::slice::from_ref(target)).await?;
    Ok(erased.pop().unwrap_or_default())
}

/// Marks the days, and those beside them: silver of theirs was written.
async fn mark(call: &Call<'_>, days: &BTreeSet<String>) -> Result<(), StoreError> {
    let days = days.iter().map(|day| parse_date(day)).collect::<Result<Vec<_>, _>>()?;
    let touches = touched_by(days, call.now_ms()).into_iter().map(|date| call.stores.gold_dates.touch(date));
    at_once(CALLS_AT_ONCE, touches.collect()).await.map(drop)
}

/// Takes the lines that go out of an object and its silver files.
async fn erase_one(deciding: &Deciding<'_>, target: &Target) -> Result<Erased, StoreError> {
    let stores = deciding.call.stores;
    let mut erased = Erased::default();
    for _ in 0..ROUNDS {
        let Some(object) = stores.bronze.read(&target.key).await? else {
            delete_hidden(stores, &target.key).await?;
            erased.rows += erase_without_bronze(deciding, target).await?;
            return Ok(erased);
        };
        let _alone = deciding.large.turn(object.bytes.len()).await;
        let (redacted, going) = decide(deciding, target, &object.bytes).await?;
        // Silver first: of a line that is gone nothing says any more on which days its rows are.
        let dates = dates_of(stores, target, &going).await?;
        erased.rows += erase_silver(stores, target.object, &dates, &redacted.placeholders).await?;
        // Nor on which days that the target has not, so these are marked before the line is gone.
        mark(deciding.call, &(&dates - &target.dates)).await?;
        let own = match redacted.gzip {
            None => object.version_id,
            Some(gzip) => match put(deciding, target, &object, &going, gzip).await? {
                Some(version_id) => {
                    erased.rewritten = true;
                    erased.lines += redacted.changed;
                    version_id
                }
                None => continue,
            },
        };
        if let Some(own) = own {
            bucket::delete_behind(&*stores.bronze_bucket, "delete old versions", &target.key, &own).await?;
        }
        return Ok(erased);
    }
    let what = format!("{}: others put it {ROUNDS} times", target.key);
    Err(StoreError::Conflict(Failure::new(what)))
}

/// Puts the object without the lines; its version, or `None` if it is not any more what was read.
async fn put(
    deciding: &Deciding<'_>,
    target: &Target,
    read: &Object,
    going: &Going,
    gzip: Vec<u8>,
) -> Result<Option<Option<String>>, StoreError> {
    let (stores, settings) = (deciding.call.stores, deciding.call.settings);
    let tokens: Vec<(&str, &str)> =
        going.tokens.iter().map(|(token, record)| (token.as_str(), record.as_str())).collect();
    if !tokens.is_empty() {
        stores.tokens.delete(&tokens).await?;
    }
    // An object that was put before was noted before, with its first day.
    if let Some(written_ms) = read.written_at_ms {
        let expires = instant::to_rfc3339(written_ms.saturating_add(settings.bronze_expire_days * DAY_MS));
        stores.expiries.put(&[(date_of(&expires), target.key.as_str())]).await?;
    }
    match stores.bronze.replace(&target.key, Bytes::from(gzip), read).await {
        Ok(PutOutcome::Written { version_id }) => Ok(Some(version_id)),
        // Another erasure was faster, or is about to be; or it expired in this moment.
        Ok(PutOutcome::Refused { .. }) | Err(StoreError::Conflict(_) | StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Which lines go, and the object without them.
async fn decide(deciding: &Deciding<'_>, target: &Target, bytes: &[u8]) -> Result<(Redacted, Going), StoreError> {
    let (call, mut lists) = (deciding.call, Lists::at_hand(deciding.call));
    let mut rules = deciding.rules.clone();
    // Asked of the records that lines go of, whatever the list knows of them.
    let mut asked = target.records.clone();
    loop {
        let reader = lists.reader(call, deciding.keys);
        let found = pass(&reader, bytes, |number, line| {
            let of_alias = target.of_aliases.iter().find(|of| of.holds(number, line));
            if of_alias.is_some_and(|of| rules.held.contains(&of.record)) {
                return None;
            }
            // Of an alias that is gone transform suppresses every line.
            let goes = of_alias.is_some_and(|of| of.is_gone) || line_goes(number, line, &rules);
            goes.then(|| of_alias.map(|of| of.record.clone()))
        })?;
        match found {
            Passed::Wants(org) => lists.learn(call, org).await?,
            Passed::Through(redacted, going) => {
                let new: BTreeSet<String> = going.records.difference(&asked).cloned().collect();
                let held = held_of(call.stores, &new).await?;
                if held.is_empty() {
                    return Ok((redacted, only_of_whole(going, deciding)));
                }
                asked.extend(going.records);
                rules.held.extend(held);
            }
        }
    }
}

/// What goes, with the tokens of such records alone as lose their joint content.
fn only_of_whole(mut going: Going, deciding: &Deciding<'_>) -> Going {
    let Deciding { rules, whole, .. } = deciding;
    going.tokens.retain(|(_, record)| {
        let is_alias = record.matches('/').count() > 1;
        is_alias || whole.contains(record) || rules.cutoffs.contains_key(record)
    });
    going
}

/// What came of going through an object's lines.
enum Passed {
    /// A line's org has a list of own numbers that is not at hand.
    Wants(String),
    Through(Redacted, Going),
}

/// Goes through an object's lines once. `decide` says of one whether it goes, and its record if the line does not.
fn pass(
    reader: &LineReader<'_>,
    bytes: &[u8],
    mut decide: impl FnMut(u64, &LineOf) -> Option<Option<String>>,
) -> Result<Passed, StoreError> {
    let (mut going, mut wants) = (Going::default(), None);
    let redacted = redact(bytes, &mut |number, line| {
        if wants.is_some() {
            return false;
        }
        let line = match reader.read(line) {
            Ok(Some(line)) => line,
            Ok(None) => return false,
            Err(WantsList(org)) => {
                wants = Some(org);
                return false;
            }
        };
        let Some(of_alias) = decide(number, &line) else { return false };
        let record = match line.record {
            LineRecord::Key(record) => Some(record),
            LineRecord::Entity { .. } => of_alias,
        };
        going.lines.insert(number);
        if let (Some(token), Some(record)) = (line.token, &record) {
            going.tokens.insert((token, record.clone()));
        }
        going.records.extend(record);
        true
    });
    if let Some(org) = wants {
        return Ok(Passed::Wants(org));
    }
    let redacted = redacted.map_err(|error| StoreError::Corrupt(Failure::caused_by("read a bronze object", error)))?;
    Ok(Passed::Through(redacted, going))
}

/// Looks at every line of an object, and takes none out.
pub(crate) async fn look(
    call: &Call<'_>,
    keys: &Keys,
    bytes: &[u8],
    mut each: impl FnMut(u64, LineOf),
) -> Result<(), StoreError> {
    let mut lists = Lists::at_hand(call);
    // The lists first, so that no line is seen twice.
    while let Passed::Wants(org) = pass(&lists.reader(call, keys), bytes, |_, _| None)? {
        lists.learn(call, org).await?;
    }
    pass(&lists.reader(call, keys), bytes, |number, line| {
        each(number, line.clone());
        None
    })?;
    Ok(())
}

/// Whether any line of an object, or any row of its silver files, goes yet; and whether it has more than one version.
pub(crate) async fn is_clean(deciding: &Deciding<'_>, target: &Target) -> Result<bool, StoreError> {
    let stores = deciding.call.stores;
    let versions = versions_of(&*stores.bronze_bucket, "look for old versions", &target.key).await?;
    // A marker alone hides nothing.
    if versions.len() > 1 {
        return Ok(false);
    }
    let Some(object) = stores.bronze.read(&target.key).await? else {
        return is_silver_clean(stores, target, &target.dates, &|row| goes_without_bronze(deciding, row)).await;
    };
    let (redacted, going) = decide(deciding, target, &object.bytes).await?;
    if !going.lines.is_empty() {
        return Ok(false);
    }
    is_silver_clean(stores, target, &target.dates, &|row| redacted.placeholders.contains(&row.line)).await
}

async fn is_silver_clean(
    stores: &Stores,
    target: &Target,
    dates: &BTreeSet<String>,
    goes: &(dyn Fn(&SilverRow<'_>) -> bool + Sync),
) -> Result<bool, StoreError> {
    for date in dates {
        let Some(file) = stores.silver.read(&silver_events(parse_date(date)?, target.object)).await? else { continue };
        if erase_rows(file.bytes, goes).map_err(unreadable)?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The days on which rows of the object may have to be changed: those that are known, and those of records that were not.
async fn dates_of(stores: &Stores, target: &Target, going: &Going) -> Result<BTreeSet<String>, StoreError> {
    let mut dates = target.dates.clone();
    let object = target.object.to_hex();
    for record in going.records.difference(&target.records) {
        let held = stores.records.bronze(record).await?;
        dates.extend(held.into_iter().filter(|one| one.object == object).flat_map(|one| one.dates));
    }
    Ok(dates)
}

/// Nulls the rows of the lines that were taken out, or are about to be.
async fn erase_silver(
    stores: &Stores,
    object: ObjectId,
    dates: &BTreeSet<String>,
    placeholders: &BTreeSet<u64>,
) -> Result<u64, StoreError> {
    if placeholders.is_empty() {
        return Ok(0);
    }
    erase_files(stores, object, dates, &|row| placeholders.contains(&row.line)).await
}

/// Bronze has expired: silver alone says whose rows they are.
async fn erase_without_bronze(deciding: &Deciding<'_>, target: &Target) -> Result<u64, StoreError> {
    let goes = |row: &SilverRow<'_>| goes_without_bronze(deciding, row);
    erase_files(deciding.call.stores, target.object, &target.dates, &goes).await
}

fn goes_without_bronze(Deciding { refs, rules, .. }: &Deciding<'_>, row: &SilverRow<'_>) -> bool {
    if rules.held.contains(&row.record) {
        return false;
    }
    let covers = |cutoff: &Cutoff| cutoff.covers(row.occurred_at_ms, row.occurred_at_ms);
    row.customer_ref.is_some_and(|name| refs.contains(name)) || rules.cutoffs.get(&row.record).is_some_and(covers)
}

async fn erase_files(
    stores: &Stores,
    object: ObjectId,
    dates: &BTreeSet<String>,
    goes: &(dyn Fn(&SilverRow<'_>) -> bool + Sync),
) -> Result<u64, StoreError> {
    let mut rows = 0;
    for date in dates {
        let key = silver_events(parse_date(date)?, object);
        rows += erase_file(stores, &key, goes).await?;
    }
    Ok(rows)
}

async fn erase_file(
    stores: &Stores,
    key: &str,
    goes: &(dyn Fn(&SilverRow<'_>) -> bool + Sync),
) -> Result<u64, StoreError> {
    for _ in 0..ROUNDS {
        let Some(file) = stores.silver.read(key).await? else { return Ok(0) };
        let changed = std::sync::atomic::AtomicU64::new(0);
        let counted = |row: &SilverRow<'_>| {
            let goes = goes(row);
            if goes && !row.erased {
                changed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
            goes
        };
        let Some(parquet) = erase_rows(file.bytes, &counted).map_err(unreadable)? else { return Ok(0) };
        match stores.silver.replace(key, Bytes::from(parquet), &file.tag).await {
            Ok(PutOutcome::Written { .. }) => return Ok(changed.into_inner()),
            Ok(PutOutcome::Refused { .. }) | Err(StoreError::Conflict(_) | StoreError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Conflict(Failure::new(format!("{key}: others put it {ROUNDS} times"))))
}

/// What lies behind a delete marker, which a lifecycle put, goes, too.
async fn delete_hidden(stores: &Stores, key: &str) -> Result<(), StoreError> {
    let what = "delete what a marker hides";
    let versions = versions_of(&*stores.bronze_bucket, what, key).await?;
    if let Some(marker) = versions.first().filter(|newest| newest.is_delete_marker) {
        bucket::delete_behind(&*stores.bronze_bucket, what, key, &marker.version_id).await?;
    }
    Ok(())
}

fn unreadable(error: ledgerline_lake::silver::SilverError) -> StoreError {
    StoreError::Corrupt(Failure::caused_by("read a silver file", error))
}

fn parse_date(text: &str) -> Result<Date, StoreError> {
    let parsed = Date::parse(text, format_description!("[year]-[month]-[day]"));
    parsed.map_err(|error| StoreError::Corrupt(Failure::caused_by("read a bronze row's day", error)))
}
