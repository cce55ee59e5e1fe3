//! One run of the demo, act by act.
//!
//! Invariant: acts happen in order and each reads only what the run itself added, so that a second run on the same
//! stack tells the same story of other people.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use ledgerline_ledger::segment::SegmentName;
use ledgerline_traffic::r#gen::{Counts, GenArgs, Planted, generate, milliseconds};
use ledgerline_traffic::{send, silver};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use xtask::fault::Fault;

use super::chain::{Chain, Moment, tally_since};
use super::flow::{self, Search, Shown};
use super::report::{Access, AtOnce, Caller, Check, Figures, Identity, Lock, Pace, Tally, Tamper, grouped};
use super::screen::Screen;
use super::{access, at_once, caller, epoch_ms, export, figures, identity, lock, lost, sealed, tamper};

/// A run: what was there before, what is sent, what was found.
pub(super) struct Run<'c> {
    chain: &'c Chain,
    before: Moment,
    after: Moment,
    tally: Tally,
    traffic: Shown,
    planted: Planted,
    search: Search,
    checks: Vec<Check>,
    /// Contacts of the day: those that were counted before this run, and those that it sends.
    contacts: (u64, u64),
}

type Stdout = Screen<io::Stdout>;

impl<'c> Run<'c> {
    /// Waits until earlier work is done, looks at what is there, and makes new traffic.
    pub(super) async fn begin(chain: &'c Chain, interactions: u32, begun: OffsetDateTime) -> Result<Self, Fault> {
        let totals = chain.stack.wait_until_drained(PATIENCE).await?;
        let before = chain.now().await?;
        // What was processed so far makes the seed: a second demo plays another day, a fresh stack the same one again.
        let seed = FIRST_SEED + totals.input;
        // Yesterday: recent enough not to be late (48 h), and all of it in the past.
        let yesterday = begun.date().previous_day().unwrap_or(begun.date());
        let traffic = generate(&GenArgs {
            duplicates: 20.0,
            disorder: 5.0,
            drift: 2.0,
            malformed: 1.0,
            guides: 30.0,
            org: ORG.to_owned(),
            ..GenArgs::calm(interactions, seed, yesterday)
        });
        let sent = figures::sent(&traffic.records, &traffic.planted.date);
        let contacts = (figures::contacts(chain, ORG, &traffic.planted.date).await?, sent);
        let (traffic, planted) = flow::choose(traffic)?;
        let search = Search::new(&planted)?;
        let after = before.clone();
        let (tally, checks) = (Tally::default(), Vec::new());
        Ok(Self { chain, before, after, tally, traffic, planted, search, checks, contacts })
    }

    /// Act 1: one call goes through; an event of it beside its silver row.
    pub(super) async fn one_caller(&mut self, screen: &mut Stdout) -> Result<Caller, Fault> {
        screen.act(1, "One caller, before and after").map_err(lost)?;
        let spinner = spinner("one call on its way");
        send::put(&self.chain.stack, &self.traffic.first).await?;
        self.chain.stack.wait_until_drained(PATIENCE).await?;
        let body = self.traffic.event.pointer("/detail/eventBody").cloned().unwrap_or_default();
        let occurred_at = milliseconds(body["eventTime"].as_i64().unwrap_or_default());
        let (object, row) = self.silver_row(&self.traffic.interaction_id, ("event_type", "acw"), &occurred_at).await?;
        spinner.finish_and_clear();
        let caller = Caller {
            topic: self.traffic.event["detail-type"].as_str().unwrap_or_default().to_owned(),
            interaction_id: self.traffic.interaction_id.clone(),
            raw: caller::in_story_order(self.search.fields(&body)),
            silver: row,
            silver_object: object,
            searched: self.search.identifiers,
            searched_rows: 0,
            searched_entries: 0,
            found: 0,
        };
        caller::tell(screen, &caller).map_err(lost)?;
        let row_text = serde_json::to_string(&caller.silver).unwrap_or_default();
        let left = self.search.count(row_text.as_bytes());
        self.check(
            "Nothing personal is left in the row",
            left == 0,
            format!("{left} planted values found"),
            MASKING_REMEDY,
        );
        Ok(caller)
    }

    /// Act 1, its second half: an identity audit went through beside the call; the event whole, its row, its entry, and who may open that.
    pub(super) async fn identity(&mut self, screen: &mut Stdout) -> Result<Identity, Fault> {
        let spinner = spinner("reading the identity audit");
        let event = &self.traffic.identity;
        let id = &self.traffic.identity_interaction_id;
        let row = self.silver_row(id, ("source", "audit-event"), identity::occurred_at(event)).await?;
        let entry = self.entry(silver::text(&row.1, "event_id").unwrap_or_default()).await?;
        let sealed = sealed::ask(self.chain, &entry.1, epoch_ms(OffsetDateTime::now_utc())).await?;
        spinner.finish_and_clear();
        let of_sealed = sealed::checks(event, &entry.1, &sealed);
        let read = identity::read(event, row, entry, sealed, &self.search);
        screen.gap().map_err(lost)?;
        identity::tell(screen, &read).map_err(lost)?;
        sealed::tell(screen, &read).map_err(lost)?;
        self.checks.push(identity::check(event, &read, &self.search));
        self.checks.extend(of_sealed);
        Ok(read)
    }

    /// The silver row of an interaction in this run's files that holds this in that column at that time; the object it is in.
    async fn silver_row(
        &self,
        id: &str,
        holds: (&str, &str),
        occurred_at: &str,
    ) -> Result<(String, silver::Row), Fault> {
        let now = self.chain.keys("LakeBucket", "silver/events/").await?;
        for key in now.difference(&self.before.silver) {
            let rows = silver::rows(self.chain.object("LakeBucket", key).await?, key)?;
            let wanted = [("interaction_id", id), holds, ("occurred_at", occurred_at)];
            let ours = |row: &silver::Row| wanted.iter().all(|(name, value)| silver::text(row, name) == Some(value));
            if let Some(row) = rows.into_iter().find(ours) {
                return Ok((key.clone(), row));
            }
        }
        Err(Fault::new(
            format!("no silver row came of interaction {id} with {} {} at {occurred_at}", holds.0, holds.1),
            "read what transform logs in target/local/ministack.log",
        ))
    }

    /// The entry of an event in this run's segments; the segment that it is in.
    async fn entry(&self, event_id: &str) -> Result<(String, Map<String, Value>), Fault> {
        let now = self.chain.keys("LedgerBucket", "ledger/").await?;
        for key in now.difference(&self.before.ledger).filter(|key| SegmentName::parse(key).is_some()) {
            let bytes = self.chain.object("LedgerBucket", key).await?;
            let segment = export::segment(key, &bytes)?;
            let entries = segment.lines().filter_map(|line| serde_json::from_str::<Map<String, Value>>(line).ok());
            if let Some(entry) = entries.into_iter().find(|entry| entry["eventId"] == event_id) {
                return Ok((key.clone(), entry));
            }
        }
        Err(Fault::new(format!("no segment of this run holds event {event_id}"), "read what audit-write logs"))
    }

    /// Act 2: everything else, until nothing is under way; the equation.
    pub(super) async fn everything(&mut self, screen: &mut Stdout) -> Result<Pace, Fault> {
        let sent = self.planted.counts.clone();
        screen.act(2, "Nothing is lost").map_err(lost)?;
        screen
            .say(&format!(
                "{} conversations: {} events, {} of them told by other systems in their own shapes, {} sent twice, {} broken \
                 documents beside them.",
                grouped(sent.interactions),
                grouped(sent.events),
                grouped(sent.guides),
                grouped(sent.duplicates),
                grouped(sent.malformed)
            ))
            .map_err(lost)?;
        screen.gap().map_err(lost)?;
        let (done, _) = tally_since(&self.chain.object_rows().await?, &self.before.rows);
        let clock = tokio::time::Instant::now();
        let bar = progress(sent.documents);
        send::put(&self.chain.stack, &self.traffic.rest).await?;
        self.drain(&bar).await?;
        let seconds = clock.elapsed().as_secs_f64();
        bar.finish_and_clear();
        self.after = self.chain.now().await?;
        let (rows, bronze_objects) = tally_since(&self.after.rows, &self.before.rows);
        let aside = self.chain.set_aside(&self.after.quarantine, &self.before.quarantine).await?;
        self.tally = rows.plus(Tally { r#in: aside, quarantined: aside, ..Tally::default() });
        screen.equation(&self.tally).map_err(lost)?;
        screen.gap().map_err(lost)?;
        let per_second = (self.tally.r#in - done.r#in.min(self.tally.r#in)) as f64 / seconds.max(0.001);
        screen
            .say(&format!(
                "{per_second:.0} documents a second, end to end, emulator included; {bronze_objects} bronze objects."
            ))
            .map_err(lost)?;
        self.checks.extend(flow::reconcile(&self.planted, &self.tally));
        Ok(Pace { seconds, documents_per_second: per_second, bronze_objects })
    }

    /// Waits until nothing is under way, and shows how far things are.
    async fn drain(&self, bar: &ProgressBar) -> Result<(), Fault> {
        let drained = self.chain.stack.wait_until_drained(PATIENCE);
        tokio::pin!(drained);
        loop {
            tokio::select! {
                totals = &mut drained => return totals.map(|_| ()),
                () = tokio::time::sleep(GLANCE) => {
                    let (tally, _) = tally_since(&self.chain.object_rows().await?, &self.before.rows);
                    bar.set_position(tally.accounted() - tally.in_flight);
                }
            }
        }
    }

    /// Act 2, its second half: every planted identifier is searched for in all silver rows and ledger entries.
    pub(super) async fn nothing_personal(&mut self, screen: &mut Stdout, mut caller: Caller) -> Result<Caller, Fault> {
        let spinner = spinner("searching rows and entries for anything personal in clear");
        for key in self.after.silver.difference(&self.before.silver) {
            let rows = silver::rows(self.chain.object("LakeBucket", key).await?, key)?;
            caller.searched_rows += rows.len() as u64;
            caller.found += self.search.count(serde_json::to_string(&rows).unwrap_or_default().as_bytes());
        }
        for key in self.new_segments() {
            let bytes = self.chain.object("LedgerBucket", &key).await?;
            for line in export::segment(&key, &bytes)?.lines() {
                caller.searched_entries += 1;
                caller.found += self.search.count(line.as_bytes());
            }
        }
        spinner.finish_and_clear();
        let detail = format!(
            "{} planted names, numbers, addresses, cards; {} rows, {} entries; {} found",
            grouped(caller.searched),
            grouped(caller.searched_rows),
            grouped(caller.searched_entries),
            grouped(caller.found)
        );
        screen.say(&format!("Searched for everything personal, in clear: {detail}.")).map_err(lost)?;
        let whole = caller.searched_rows > 0 && caller.searched_entries >= self.tally.committed;
        self.check(
            "Nothing personal in clear in silver and ledger",
            whole && caller.found == 0,
            detail,
            MASKING_REMEDY,
        );
        Ok(caller)
    }

    /// Act 3: a phone number, and all that is held on it.
    pub(super) fn access(&mut self, screen: &mut Stdout, phone: &str) -> Result<Access, Fault> {
        let clock = tokio::time::Instant::now();
        let answer = access::ask(&self.chain.stack, ORG, phone)?;
        let told = answer.told(phone, clock.elapsed());
        screen
            .fact("asked", &format!("POST /api/v1/compliance/dsar/audit-trail  phone {phone}, org {ORG}"))
            .map_err(lost)?;
        let complete = if told.complete { "complete" } else { "INCOMPLETE" };
        screen
            .fact(
                "answered",
                &format!(
                    "{} ms: {} interactions, {} entries, {complete}, as of {}",
                    told.milliseconds,
                    grouped(told.interactions),
                    grouped(told.entries),
                    told.as_of
                ),
            )
            .map_err(lost)?;
        for held in told.timeline.iter().take(6) {
            let from = held.from.get(..19).unwrap_or(&held.from).replace('T', " ");
            screen.gap().map_err(lost)?;
            screen.fact(&from, &format!("{}  ({} events)", held.interaction_id, held.types.len())).map_err(lost)?;
            screen.fact("", &held.types.join(" › ")).map_err(lost)?;
        }
        let more = told.timeline.len().saturating_sub(6);
        if more > 0 {
            screen.fact("", &format!("and {more} more interactions")).map_err(lost)?;
        }
        self.check_access(phone, &answer);
        Ok(told)
    }

    /// Act 3, its second half: an event is sent to capture, and asked for by the next call.
    pub(super) async fn at_once(&mut self, screen: &mut Stdout, phone: &str) -> Result<AtOnce, Fault> {
        let spinner = spinner("one event more on its way");
        let told = at_once::run(&self.chain.stack, ORG, phone, epoch_ms(OffsetDateTime::now_utc())).await?;
        spinner.finish_and_clear();
        screen.gap().map_err(lost)?;
        at_once::tell(screen, &told).map_err(lost)?;
        self.checks.push(at_once::check(&told));
        Ok(told)
    }

    /// The answer must hold every interaction of this run that the number names, each with all its events, and none
    /// that it does not name.
    fn check_access(&mut self, phone: &str, answer: &access::Answer) {
        let identifier = self.planted.identifiers.iter().find(|one| one.kind == "phone" && one.value == phone);
        let expected: BTreeSet<&String> = identifier.map(|one| one.resolves.iter().collect()).unwrap_or_default();
        let wrong = |id: &&String| {
            let held = answer.entries.get(*id).map_or(0, Vec::len) as u64;
            let sent = self.planted.per_record.get(*id).copied().unwrap_or(0);
            if expected.contains(*id) { held != sent } else { held > 0 }
        };
        let off = self.planted.per_record.keys().filter(wrong).count();
        let detail = format!("{} interactions of this run expected, {off} missing, partial or foreign", expected.len());
        let remedy = "look at the subject's links in the keys table and at the postings in the index table";
        self.check("The answer holds all of it, and nothing else", answer.complete && off == 0, detail, remedy);
    }

    /// Act 4: somebody with every permission tries to get rid of a segment.
    pub(super) async fn locked(&mut self, screen: &mut Stdout) -> Result<Lock, Fault> {
        screen.act(4, "An administrator tries to delete it").map_err(lost)?;
        let key = self.segment_of_the_caller().await?;
        let now = Duration::from_secs(u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or(0));
        let lock = lock::attack(self.chain, &key, now).await?;
        screen.fact("evidence", &lock.key).map_err(lost)?;
        screen.fact("locked", &format!("{}, until {}", lock.mode, lock.retain_until)).map_err(lost)?;
        screen.gap().map_err(lost)?;
        for attempt in &lock.attempts {
            let refused = attempt.status == 403 && attempt.code == "AccessDenied";
            let answer = format!("{} {}", attempt.status, attempt.code);
            screen.stamp(&format!("{} ({})", attempt.what, attempt.call), &answer, refused).map_err(lost)?;
            let remedy =
                "the bucket has no Object Lock or the segment no lock: see LedgerBucket in infra/template.yaml";
            self.check(&format!("S3 refuses to {}", attempt.what), refused, answer, remedy);
        }
        let detail = if lock.unchanged { "same bytes, version, mode and date" } else { "not as before" };
        self.check("The evidence is as it was", lock.unchanged, detail.to_owned(), "compare the object's versions");
        Ok(lock)
    }

    /// Act 5: the log is exported, one bit of the copy is turned, and recomputing names the entry.
    pub(super) async fn tampered(&mut self, screen: &mut Stdout) -> Result<Tamper, Fault> {
        screen.act(5, "One byte is changed in a copy").map_err(lost)?;
        let export = export::log(self.chain, ORG, "interaction").await?;
        let leaves = tamper::leaves(&export.copy);
        let root = tamper::root(&leaves).hex();
        let chosen = self.line_of_the_caller(&export.copy);
        let altered = tamper::alter(&export.copy, chosen).ok_or_else(|| {
            Fault::new("the exported entry has no occurredAt", "look at the exported copy in target/demo")
        })?;
        let altered_leaves = tamper::leaves(&altered.copy);
        let found = tamper::found_out(&leaves, &altered_leaves);
        let index = found.first().copied().unwrap_or_default();
        let (copy, altered_copy) = export::write_copies(&export.copy, &altered.copy)?;
        let line: Value = export
            .copy
            .split(|b| *b == b'\n')
            .nth(index)
            .map_or(Value::Null, |line| serde_json::from_slice(line).unwrap_or(Value::Null));
        let tamper = Tamper {
            log: export.log.to_string(),
            size: export.size,
            head_root: export.head_root,
            root,
            altered_root: tamper::root(&altered_leaves).hex(),
            index: index as u64,
            event_id: line["eventId"].as_str().unwrap_or_default().to_owned(),
            segment: export
                .segments
                .iter()
                .rfind(|name| name.first <= index as u64)
                .map_or_else(String::new, SegmentName::key),
            around: altered.around,
            leaf: leaves.get(index).map_or_else(String::new, |leaf| leaf.hex()),
            altered_leaf: altered_leaves.get(index).map_or_else(String::new, |leaf| leaf.hex()),
            copy,
            altered_copy,
        };
        tell_tamper(screen, &tamper).map_err(lost)?;
        let same = tamper.root == tamper.head_root && leaves.len() as u64 == tamper.size;
        let detail = format!("{} entries, root {}…", grouped(tamper.size), &tamper.root[..16]);
        self.check(
            "The exported copy gives the head's root",
            same,
            detail,
            "a segment is missing or altered: compare the bucket's versions",
        );
        let named = found == [chosen];
        let detail = format!("entry {chosen} altered, found {found:?}");
        self.check("Recomputing names the altered entry, and only it", named, detail, "report this");
        Ok(tamper)
    }

    /// Act 6: gold computes the day, and the API answers it.
    pub(super) async fn figures(&mut self, screen: &mut Stdout) -> Result<Figures, Fault> {
        screen.act(6, "The day in figures").map_err(lost)?;
        let spinner = spinner("gold computes the day");
        let read = figures::read(self.chain, ORG, &self.planted.date).await?;
        spinner.finish_and_clear();
        figures::tell(screen, &read).map_err(lost)?;
        let (before, sent) = self.contacts;
        self.checks.push(figures::check(sent, before, read.totals.contacts));
        Ok(read)
    }

    /// The index of the shown call's after-call work in the copy, or of any of its entries, or the last one.
    fn line_of_the_caller(&self, copy: &[u8]) -> usize {
        let id = self.traffic.interaction_id.as_bytes();
        let mut lines = copy.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.position(|line| line.windows(id.len()).any(|window| window == id)).unwrap_or_default()
    }

    /// The segment that holds the shown call.
    async fn segment_of_the_caller(&self) -> Result<String, Fault> {
        let id = self.traffic.interaction_id.as_str();
        for key in self.new_segments() {
            let bytes = self.chain.object("LedgerBucket", &key).await?;
            if export::segment(&key, &bytes)?.lines().any(|line| line.contains(id)) {
                return Ok(key);
            }
        }
        Err(Fault::new(format!("no segment of this run holds interaction {id}"), "read what audit-write logs"))
    }

    fn new_segments(&self) -> Vec<String> {
        let new = self.after.ledger.difference(&self.before.ledger);
        new.filter(|key| SegmentName::parse(key).is_some()).cloned().collect()
    }

    fn check(&mut self, name: &str, passed: bool, detail: String, remedy: &str) {
        self.checks.push(Check { name: name.to_owned(), passed, detail, remedy: (!passed).then(|| remedy.to_owned()) });
    }

    /// The shown caller's number.
    pub(super) fn suggested_phone(&self) -> &str {
        &self.traffic.phone
    }

    /// Seed of the traffic.
    pub(super) fn seed(&self) -> u64 {
        self.planted.seed
    }

    /// Day of the traffic.
    pub(super) fn date(&self) -> String {
        self.planted.date.clone()
    }

    /// What became of what was sent.
    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// What was sent.
    pub(super) fn sent(&self) -> Counts {
        self.planted.counts.clone()
    }

    /// Segments that the run added.
    pub(super) fn segments(&self) -> Vec<String> {
        self.new_segments()
    }

    /// What was checked.
    pub(super) fn into_checks(self) -> Vec<Check> {
        self.checks
    }
}

fn tell_tamper(screen: &mut Stdout, tamper: &Tamper) -> io::Result<()> {
    screen.fact("exported", &format!("{} entries of {}", grouped(tamper.size), tamper.log))?;
    screen.fact("head's root", &tamper.head_root)?;
    let same = if tamper.root == tamper.head_root { "the same: the copy is the log" } else { "ANOTHER ONE" };
    screen.fact("recomputed", same)?;
    screen.gap()?;
    screen.altered("one bit turned", &tamper.around)?;
    screen.fact("root then", &tamper.altered_root)?;
    screen.fact("found", &format!("entry {} (event {})", grouped(tamper.index), tamper.event_id))?;
    screen.fact("committed leaf", &tamper.leaf)?;
    screen.fact("altered leaf", &tamper.altered_leaf)
}

fn spinner(text: &str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(text.to_owned());
    spinner.enable_steady_tick(GLANCE);
    spinner
}

fn progress(documents: u64) -> ProgressBar {
    let bar = ProgressBar::new(documents);
    if let Ok(style) = ProgressStyle::with_template("  {bar:48} {pos}/{len} documents accounted for, {elapsed}") {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar.enable_steady_tick(GLANCE);
    bar
}

/// The demo's own organization: its log is read and altered as a whole.
const ORG: &str = "demo";

const FIRST_SEED: u64 = 2_026;

/// A laptop under load, an emulator that starts functions one after the other.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);

/// How often progress is looked at.
const GLANCE: Duration = Duration::from_millis(400);

const MASKING_REMEDY: &str = "a path is on the policy's list whose values are personal: see ledgerline_privacy::policy";
