//! One bronze object, from its notification to its pointers: the steps in their order.
//!
//! Invariant: once a plan exists it is carried out as it is, whatever the code of the day would compute. Everything that
//! is written before it can be written again without a difference: claims answer the same, links only widen, rows and
//! silver files are functions of the object, of the claims, of the erasures so far and of the time at which the object was first
//! taken up. Where a silver file comes out otherwise all the same (a customer was erased in between, another record brought the
//! same lineage token, a number came on the list of own ones, a CRM was loaded, other code), [`Silver`] decides.
//!
//! [`Silver`]: ledgerline_store::silver::Silver

use std::collections::{BTreeMap, HashSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ledgerline_custody::subjects::WantedLink;
use ledgerline_event::instant;
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::PlanOf;
use ledgerline_lake::plan::Counts;
use ledgerline_lambda::telemetry;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::Pseudonym;
use ledgerline_store::delivery;
use ledgerline_store::gold_date;
use ledgerline_store::journal::PlannedAs;
use ledgerline_store::record::{BronzeRow, Records};
use ledgerline_store::subject::{Link, Span, date_of};

use crate::config::Settings;
use crate::error::TransformError;
use crate::gate::Gate;
use crate::output::{self, Owned};
use crate::reading::{Adapted, Event, Found, Named, PIECE_BYTES, Read, Reading, RecordSeen, Wanted, Way};
use crate::resolve::{self, Clashes, Mention, Resolved};
use crate::run_keys::RunKeys;
use crate::stores::Stores;
use crate::tokens::{self, RewrittenLines};
use crate::{CALLS_AT_ONCE, ROWS_PER_BATCH, aliases, crm};

/// Seconds in a day, for the claims' expiry.
const DAY_S: i64 = 86_400;

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was planned before.
    AlreadyPlanned,
    /// It is planned now, with these counts.
    Planned(Counts),
}

/// Transforms the object at `key`.
///
/// # Errors
/// Anything that keeps the object from being planned; all of it may be tried again.
pub async fn transform(
    stores: &Stores,
    settings: &Settings,
    now_ms: i64,
    object: ObjectId,
    key: &str,
) -> Result<Outcome, TransformError> {
    let now = &instant::to_rfc3339(now_ms);
    // 1. Take the object up. A crash after it leaves a row without a plan: the message comes back, and the row's start
    //    stays the processing time of whatever is computed from then on.
    let opened = stores.rows.open(object, key, now).await?;
    if opened.planned {
        return Ok(Outcome::AlreadyPlanned);
    }
    let stored = if opened.again { delivery::find(&stores.plans, PlanOf::Bronze, object).await? } else { None };
    let plan = match stored {
        // Somebody came as far as step 4 before: from here on it is the same for everybody.
        Some(plan) => plan,
        None => {
            let started_at_ms =
                instant::parse(&opened.started_at).ok_or_else(|| corrupt("a row's start is no time"))?;
            let read = read(stores, settings, now_ms, object, key, started_at_ms).await?;
            // Anyone who asks for the company's hotline must be told that it is one. A crash after it leaves an org in which an access
            // request finds no subject.
            for org in &read.naming_orgs {
                stores.note_org(org).await?;
            }

            // 2. Claim each event, pin each record's log, note which records the object holds lines of. A crash leaves
            //    claims of an object that is not planned: nobody else can plan these events, and this object's message
            //    comes back and is told again that they are its own.
            let mut owned = claim(stores, settings, object, &read, started_at_ms).await?;
            let logs = pin(&stores.records, &read, &owned).await?;
            note(stores, object, key, &read).await?;

            // 3. Ask what earlier erasures cover, resolve the subjects of the rest, keep the keys that seal it, order. If an erasure
            //    meanwhile reached what is resolved, it is all asked again. A crash leaves whole subjects and whole links, each with
            //    its subject in the record's row; links only widen. It leaves rows of keys, too, which no plan names: the next run
            //    draws others.
            let mut clashes = Clashes::default();
            let mut keys = RunKeys::begin(stores, settings, object, &read, now_ms).await?;
            let resolving = Resolving { stores, settings, now, read: &read, owned: &owned, logs: &logs };
            let (gate, resolved) = loop {
                let gate = Gate::read(stores, settings, &read, started_at_ms).await?;
                match resolving.subjects(&gate, &mut keys, &mut clashes).await {
                    Ok(resolved) => break (gate, resolved),
                    Err(StoreError::Conflict(clash)) => clashes.pause(clash, stores.random()).await?,
                    Err(error) => return Err(error.into()),
                }
            };
            let rewritten = tokens::rewritten(&stores.tokens, &read, &gate, &owned).await?;
            let said = crm::read(stores, settings, now_ms, &read, &gate, &owned).await?;
            let suppressed = gate.suppressed();
            owned.sort_unstable_by(|a, b| output::event_order(a, b));
            let owned: Vec<Owned<'_>> = owned
                .iter()
                .map(|event| Owned {
                    crm: said.of(&event.event_id),
                    ..with_ref(event, &gate, &rewritten, &read, &resolved)
                })
                .collect();

            // 4. Tell the eraser of what an erasure covers, write quarantine and silver, mark the dates whose figures silver changes, then
            //    the plan. A crash before the plan leaves a hint, files that the next run writes again with equal bytes, and dates that
            //    are computed once more than they need be; after it, a plan that the next run finds. Of two runs at once one writes the plan, and both carry out that one.
            if suppressed > 0 {
                stores.erase_notes.suppressed(&settings.bronze_bucket, key, &object.to_hex()).await?;
                tracing::warn!(%object, suppressed, "lines that an erasure covers");
            }
            if let Some(lines) = &read.quarantine_gz {
                stores.quarantine.put(object, lines.clone()).await?;
            }
            let files = output::silver(object, &read, &owned, started_at_ms, &settings.policy_hash)?;
            let touched = gold_date::touched_by(files.iter().map(|file| file.date), now_ms);
            for file in files {
                stores.silver.put(&file.key, file.parquet).await?;
            }
            // Behind every file: whoever computes a date that is not marked yet finds the mark next time.
            stream::iter(touched)
                .map(|date| stores.gold_dates.touch(date))
                .buffered(CALLS_AT_ONCE)
                .try_collect::<()>()
                .await?;
            note_journaled(stores, object, &read, &owned).await?;
            let plan = output::plan(object, key, &owned, &logs, read.counts(owned.len()))?;
            let plan = delivery::keep(&stores.plans, plan).await?;
            tell(object, &read, &said);
            plan
        }
    };

    // 5. Send one pointer per chunk, and mark the object planned, with the plan's own counts. A crash in between sends
    //    all pointers again. After it, the message is acknowledged unread.
    delivery::carry_out(&stores.pointers, &stores.rows, &plan, now).await?;
    Ok(Outcome::Planned(plan.header.counts))
}

/// Tells what of an object is not planned, and why: counts and closed words. The template's filters look for these lines.
fn tell(object: ObjectId, read: &Read, said: &crm::Said) {
    for (filter, lines) in &read.filtered {
        tracing::info!(%object, filter, lines, "filtered");
    }
    for (reason, lines) in &read.refused {
        telemetry::quarantined(reason, *lines);
    }
    telemetry::unknown_outcomes(read.unknown_outcomes);
    telemetry::crm_looked_up(said.hits(), said.misses, said.masked);
}

/// Reads the object piece by piece; only what the policy lets through, and pseudonyms, stay in memory. Lines wait for the aliases of
/// whom they are about, and for lists of own numbers. A crash leaves aliases of records that are not planned; the next run finds them.
async fn read(
    stores: &Stores,
    settings: &Settings,
    now_ms: i64,
    object: ObjectId,
    key: &str,
    started_at_ms: i64,
) -> Result<Read, TransformError> {
    let mut body = match stores.bronze.open(key).await {
        Ok(body) => body,
        Err(StoreError::NotFound(_)) => return Err(TransformError::Gone),
        Err(error) => return Err(error.into()),
    };
    let look_up = async |Wanted { unnamed, orgs }: Wanted| {
        let orgs: Vec<String> = orgs.into_iter().collect();
        let (aliases, lists) = tokio::try_join!(
            aliases::look_up(stores, settings, started_at_ms, unnamed),
            stores.own.of_each(&orgs, now_ms),
        )?;
        Ok::<_, StoreError>(Found { aliases, lists: orgs.into_iter().zip(lists).collect() })
    };
    let mut reading = Reading::new(settings, object, started_at_ms, stores.own.kept(now_ms), stores.random());
    while let Some(piece) = body.next().await? {
        for piece in piece.chunks(PIECE_BYTES) {
            reading.push(piece)?;
            if reading.is_full() {
                let found = look_up(reading.wanted()).await?;
                reading.go_on(found);
            }
        }
    }
    let ended = reading.end()?;
    let found = look_up(ended.wanted()).await?;
    ended.finish(found)
}

/// Claims all events; those that this object owns, in the order of their lines.
async fn claim<'r>(
    stores: &Stores,
    settings: &Settings,
    object: ObjectId,
    read: &'r Read,
    started_at_ms: i64,
) -> Result<Vec<&'r Event>, TransformError> {
    let object = object.to_hex();
    let expires_at_s = started_at_ms.div_euclid(1000) + i64::from(settings.claim_days) * DAY_S;
    let claims = read.claims(&object, expires_at_s);
    let answers: Vec<Vec<String>> =
        stream::iter(&claims).map(|claim| stores.claims.claim(claim)).buffered(CALLS_AT_ONCE).try_collect().await?;
    let ours: HashSet<&str> = claims
        .iter()
        .zip(&answers)
        .flat_map(|(claim, owners)| claim.events.iter().zip(owners))
        .filter(|(_, owner)| **owner == object)
        .map(|(event, _)| *event)
        .collect();
    Ok(read.events.iter().filter(|event| ours.contains(event.claim_id.as_str())).collect())
}

/// Notes in the journal which entries its events become, before any of them can be committed: an answer must give neither both nor
/// none. Those that capture did not journal are not there. An event that came another way, too, is one event: it is looked for as well.
async fn note_journaled(
    stores: &Stores,
    object: ObjectId,
    read: &Read,
    owned: &[Owned<'_>],
) -> Result<(), TransformError> {
    let audits: Vec<&Event> = owned.iter().map(|owned| owned.event).filter(|event| event.journaled.is_some()).collect();
    let missing = note_found(stores, object, read, &audits).await?;
    let missing: Vec<&Event> = missing.into_iter().filter(|one| one.journaled == Some(Way::Capture)).collect();
    if !missing.is_empty() {
        // Since they were claimed nobody begins to journal them; a transaction that began before may be about to end.
        let clash = Failure::new("journaled events are not there, or held");
        Clashes::default().pause(clash, stores.random()).await?;
        note_found(stores, object, read, &missing).await?;
    }
    Ok(())
}

/// Notes it of those that are in the journal, and gives the others.
async fn note_found<'e>(
    stores: &Stores,
    object: ObjectId,
    read: &Read,
    events: &[&'e Event],
) -> Result<Vec<&'e Event>, TransformError> {
    let record = |event: &Event| read.records[event.adapted.record].key.as_str();
    let mut missing = Vec::new();
    for batch in events.chunks(ROWS_PER_BATCH) {
        let asked: Vec<(&str, &str)> = batch.iter().map(|&event| (record(event), event.claim_id.as_str())).collect();
        let kept = stores.journal.have(&asked).await?;
        for (&event, is_kept) in batch.iter().zip(kept) {
            let planned = PlannedAs { event_id: event.event_id.clone(), object: object.to_hex() };
            if !is_kept || !stores.journal.note_planned(record(event), &event.claim_id, &planned).await? {
                missing.push(event);
            }
        }
    }
    Ok(missing)
}

/// The log of every record that has an owned event, pinned if it was not.
async fn pin(pins: &Records, read: &Read, owned: &[&Event]) -> Result<Vec<Option<LogId>>, TransformError> {
    let mut records: Vec<usize> = owned.iter().map(|event| event.adapted.record).collect();
    records.sort_unstable();
    records.dedup();
    let keys: Vec<&str> = records.iter().map(|&record| read.records[record].key.as_str()).collect();
    let pinned = if keys.is_empty() { Vec::new() } else { pins.pins(&keys).await? };
    let pinned: Vec<LogId> = stream::iter(records.iter().zip(pinned))
        .map(|(&record, pinned)| async move {
            let record = &read.records[record];
            match pinned {
                Some(log) => Ok(log),
                None => pins.pin(&record.key, &record.first_log).await,
            }
        })
        .buffered(CALLS_AT_ONCE)
        .try_collect()
        .await?;
    let mut logs = vec![None; read.records.len()];
    for (record, log) in records.into_iter().zip(pinned) {
        logs[record] = Some(log);
    }
    Ok(logs)
}

/// Notes every record that the object holds lines of, duplicates and filtered ones too: an erasure must find them.
async fn note(stores: &Stores, object: ObjectId, key: &str, read: &Read) -> Result<(), TransformError> {
    let object = object.to_hex();
    let date = |day: &i64| date_of(&instant::to_rfc3339(day * DAY_S * 1_000)).to_owned();
    let dates: Vec<Vec<String>> = read.records.iter().map(|seen| seen.days.iter().map(date).collect()).collect();
    let rows: Vec<BronzeRow<'_>> = read
        .records
        .iter()
        .zip(&dates)
        .map(|(seen, dates)| {
            let RecordSeen { key: record, lines, at, .. } = seen;
            BronzeRow { record, object: &object, key, lines: *lines, at, dates }
        })
        .collect();
    // 16 batches of 25 rows at once.
    stream::iter(rows.chunks(ROWS_PER_BATCH))
        .map(|rows| stores.records.note_bronze(rows))
        .buffered(CALLS_AT_ONCE)
        .try_collect::<()>()
        .await?;
    Ok(())
}

/// What an object says of one identifier in one record.
#[derive(Clone, Default)]
struct Seen {
    /// From when to when its owned events occurred, epoch milliseconds; `None` if all of its lines were filtered.
    span_ms: Option<(i64, i64)>,
    /// Whether any of its lines may make a subject and a link.
    creates: bool,
}

/// What was found out about an object before its subjects are resolved.
struct Resolving<'a, 'r> {
    stores: &'a Stores,
    settings: &'a Settings,
    now: &'a str,
    read: &'r Read,
    owned: &'a [&'r Event],
    logs: &'a [Option<LogId>],
}

impl<'r> Resolving<'_, 'r> {
    /// Resolves the customer side's identifiers of all lines, in each org apart; then keeps the keys of the owned events that no erasure
    /// covers, unless one reached their records since the gate read their rows.
    ///
    /// # Errors
    /// `Conflict` if one did, or whatever else sends all of it back to the gate; what the stores report.
    async fn subjects(
        &self,
        gate: &Gate<'_>,
        keys: &mut RunKeys<'_>,
        clashes: &mut Clashes,
    ) -> Result<Resolved, StoreError> {
        let Self { stores, settings, now, .. } = self;
        let resolved =
            resolve::resolve(&stores.resolving(), &self.mentions(gate), settings.limits, now, clashes).await?;
        keys.keep(gate, self.kept(gate), &resolved, clashes).await?;
        Ok(resolved)
    }

    /// The owned events that no erasure covers.
    fn kept(&self, gate: &Gate<'_>) -> impl Iterator<Item = &'r Event> {
        self.owned.iter().copied().filter(|event| !gate.suppresses(&event.adapted))
    }

    /// Whom the lines name that no erasure covers. Only kept ones have entries.
    fn mentions<'g>(&'g self, gate: &'g Gate<'_>) -> Vec<Mention<'g>> {
        let Self { settings, read, logs, .. } = self;
        let mut seen: Vec<BTreeMap<usize, Seen>> = vec![BTreeMap::new(); read.identifiers.len()];
        let somebody = |line: &'r Adapted| line.identifiers.iter().map(|&identifier| (identifier, line.record));
        for line in self.kept(gate).map(|event| &event.adapted) {
            for (identifier, record) in somebody(line) {
                let at = line.occurred_at_ms;
                let seen = seen[identifier].entry(record).or_default();
                let (first, last) = seen.span_ms.unwrap_or((at, at));
                seen.span_ms = Some((first.min(at), last.max(at)));
            }
        }
        // Filtered lines, too, and what says again what another object has: it may name somebody else this time.
        let creating = read.adapted().filter(|line| !line.only_widens && !gate.suppresses(line));
        for (identifier, record) in creating.flat_map(somebody) {
            seen[identifier].entry(record).or_default().creates = true;
        }
        // Under another rule's key a value's pseudonym may be what somebody else was normalised to.
        let of_today =
            |name: &&String| Pseudonym::parse(name).is_some_and(|name| settings.pseudonyms.is_of_today(&name));
        let mut mentions: Vec<Mention<'_>> = Vec::new();
        for ((identifier, seen), Named { kind, pseudonyms, .. }) in seen.iter().enumerate().zip(&read.identifiers) {
            let mut by_org: BTreeMap<&str, Vec<WantedLink>> = BTreeMap::new();
            for (&at, Seen { span_ms, creates }) in seen {
                let span = match (*span_ms, &logs[at]) {
                    (None, _) => None,
                    (Some(_), None) => continue,
                    (Some((first, last)), Some(log)) => Some(Span {
                        log: log.to_string(),
                        first: instant::to_rfc3339(first),
                        last: instant::to_rfc3339(last),
                    }),
                };
                let (record, party) = (&read.records[at], gate.party(at).seen());
                let link = WantedLink { record: record.key.clone(), link: Link { span }, only_widen: !creates, party };
                by_org.entry(&record.org).or_default().push(link);
            }
            let of_org = |(org, links): (&'r str, Vec<WantedLink>)| {
                let pseudonyms = pseudonyms.iter().filter(of_today).cloned().collect();
                let tombs = gate.tombs(org, identifier).collect();
                Mention { identifier, org: org.to_owned(), kind: *kind, pseudonyms, tombs, links }
            };
            mentions.extend(by_org.into_iter().map(of_org));
        }
        mentions
    }
}

/// The event with the name of the first of its identifiers that resolved, unless an erasure covers it.
fn with_ref<'a>(
    event: &'a Event,
    gate: &Gate<'_>,
    rewritten: &'a RewrittenLines<'_>,
    read: &Read,
    resolved: &'a Resolved,
) -> Owned<'a> {
    let Adapted { record, identifiers, .. } = &event.adapted;
    let suppressed = gate.suppresses(&event.adapted);
    let record = &read.records[*record].key;
    let name = |&identifier: &usize| resolved.names.get(&(identifier, record.clone()));
    let customer_ref = identifiers.iter().find_map(name).filter(|_| !suppressed);
    Owned {
        event,
        customer_ref: customer_ref.map(|subject| subject.customer_ref.as_str()),
        crm: None,
        suppressed,
        rewritten: rewritten.get(event.event_id.as_str()),
    }
}

fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(Failure::new(what))
}
