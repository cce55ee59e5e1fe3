//! One episode: operations drawn from a seed, a look at the model beside them, and in the end fine weather, in which all that is
//! left is delivered and everything is derived anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsMessage};
use ledgerline_custody::acts::{ActKind, record_of_log};
use ledgerline_custody::publication::LogError;
use ledgerline_custody::rotation::Step;
use ledgerline_lake::ObjectId;
use ledgerline_lake::plan::{Counts, PlanWriter, Pointer};
use ledgerline_lambda::clock::Clock as _;
use ledgerline_ledger::checkpoint::archived_size;
use ledgerline_ledger::entry::{Field, PendingEntry, Record, Source};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::tile::Tile;
use ledgerline_ledger::verify::KEY_FIELD;
use ledgerline_testkit::fakes::table::Items;
use ledgerline_testkit::faults::{Dice, Weather};

use crate::model::Model;
use crate::stage::{Delivery, Problem, Stage, take_panic};
use crate::world::{ONE_ATTEMPT, raw_message, returned};

/// What may happen next.
#[derive(Debug)]
enum Op {
    /// A bronze object is planned, and its pointers are queued: so many entries of each log.
    Plan(Vec<(usize, u64)>),
    /// Messages are delivered; with them perhaps some that were acknowledged, or the same twice.
    Deliver(Delivery),
    /// The same, and the process dies.
    Crash(Delivery),
    /// Two processes at once.
    Twins([Delivery; 2]),
    /// Whoever appends nothing finishes all logs.
    Sweep { process: usize, dies_after: Option<u64> },
    /// The next signing key is announced in every log.
    AnnounceKey,
    /// It may sign, where a checkpoint covers its announcement.
    AllowKey,
    /// A process comes back with another key: the newest, or any.
    DeployKey { process: usize, key: usize },
    /// All clocks jump.
    ClockJump { by_ms: i64 },
    /// The table is put back to what it was before something was signed; then it is put right.
    Restore { snapshot: usize },
}

impl Op {
    fn name(&self) -> &'static str {
        match self {
            Self::Plan(_) => "plan",
            Self::Deliver(_) => "deliver",
            Self::Crash(_) => "crash",
            Self::Twins(_) => "twins",
            Self::Sweep { .. } => "sweep",
            Self::AnnounceKey => "announce key",
            Self::AllowKey => "allow key",
            Self::DeployKey { .. } => "deploy key",
            Self::ClockJump { .. } => "clock jump",
            Self::Restore { .. } => "restore",
        }
    }
}

const OPS: [&str; 10] =
    ["plan", "deliver", "crash", "twins", "sweep", "announce key", "allow key", "deploy key", "clock jump", "restore"];

/// What happened, by name.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    ops: BTreeMap<&'static str, u64>,
    events: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        other.ops.iter().for_each(|(name, times)| *self.ops.entry(name).or_default() += times);
        other.events.iter().for_each(|(name, times)| self.count(name, *times));
    }

    pub(crate) fn ops(&self) -> u64 {
        self.ops.values().sum()
    }

    fn count(&mut self, event: &str, times: u64) {
        *self.events.entry(event.to_owned()).or_default() += times;
    }

    /// A simulation proves nothing of what never happened in it.
    pub(crate) fn assert_all_occurred(&self) {
        for op in OPS {
            assert!(self.ops.get(op).is_some_and(|times| *times > 0), "no {op} in {self}");
        }
        for event in EVENTS {
            assert!(self.events.get(event).is_some_and(|times| *times > 0), "no {event} in {self}");
        }
    }
}

/// What must occur in a run of full length: each kind of fault, at the calls where it matters, and what follows from it.
const EVENTS: [&str; 26] = [
    "message",
    "message again",
    "message twice in a batch",
    "message returned",
    "death of a process",
    "clock back",
    "log halted by its archive",
    "key allowed",
    "log signed by several keys",
    "orphan",
    "full tile",
    "checkpoint",
    "Lost s3:PutObject segment",
    "PersistedButErrored s3:PutObject segment",
    "Conflict s3:PutObject segment",
    "Throttled s3:PutObject segment",
    "Lost dynamodb:TransactWriteItems",
    "PersistedButErrored dynamodb:TransactWriteItems",
    "Conflict dynamodb:TransactWriteItems",
    "Partly dynamodb:BatchWriteItem",
    "Conflict dynamodb:UpdateItem",
    "PersistedButErrored s3:PutObject archived checkpoint",
    "Conflict s3:PutObject live checkpoint",
    "Lost kms:Sign",
    "Unread s3:ListObjectVersions",
    "Unread dynamodb:GetItem",
];

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} operations", self.ops())?;
        self.ops.iter().try_for_each(|(name, times)| writeln!(f, "{times:>10} {name}"))?;
        writeln!(f, "in which occurred")?;
        self.events.iter().try_for_each(|(name, times)| writeln!(f, "{times:>10} {name}"))
    }
}

pub(crate) struct Episode {
    seed: u64,
    dice: Dice,
    stage: Stage,
    model: Model,
    objects: u64,
    /// Messages that are not acknowledged, by log, in the order of sending.
    queue: BTreeMap<String, Vec<Pointer>>,
    acknowledged: Vec<Pointer>,
    snapshots: Vec<Items>,
    tally: Tally,
    trace: Vec<String>,
}

impl Episode {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let stage = Stage::new(dice.roll(), PROCESSES);
        Self {
            seed,
            dice,
            stage,
            model: Model::default(),
            objects: 0,
            queue: BTreeMap::new(),
            acknowledged: Vec::new(),
            snapshots: Vec::new(),
            tally: Tally::default(),
            trace: Vec::new(),
        }
    }

    pub(crate) async fn run(mut self, ops: u64) -> Result<Tally, Problem> {
        match self.play(ops).await {
            Ok(()) => Ok(self.tally),
            Err(problem) => Err(format!("{problem}\nafter:\n{}", self.trace.join("\n"))),
        }
    }

    /// Every operation and every write, to compare two runs.
    pub(crate) async fn traced(mut self, ops: u64) -> Vec<String> {
        let outcome = self.play(ops).await;
        self.trace.extend(self.stage.faults.log());
        self.trace.push(format!("{outcome:?}"));
        self.trace
    }

    async fn play(&mut self, ops: u64) -> Result<(), Problem> {
        for nth in 1..=ops {
            if self.dice.below(8) == 0 {
                let weather = WEATHERS[self.dice.below(WEATHERS.len() as u64) as usize];
                self.stage.faults.set_weather(weather);
            }
            if self.dice.below(12) == 0 {
                self.keep_snapshot();
            }
            self.stage.set_clocks();
            let op = self.draw();
            self.trace.push(format!("{nth} at {}: {}", self.stage.clock.now_ms(), tell(&op)));
            *self.tally.ops.entry(op.name()).or_default() += 1;
            self.perform(op).await?;
            if let Some(panic) = take_panic() {
                return Err(panic);
            }
            self.model.glance(&self.stage)?;
            if nth % LOOK_EVERY == 0 {
                self.model.look(&self.stage)?;
            }
        }
        self.model.look(&self.stage)?;
        self.end().await
    }

    fn keep_snapshot(&mut self) {
        let items = self.stage.world.ports.control.table.items();
        if self.snapshots.len() < SNAPSHOTS {
            self.snapshots.push(items);
        } else {
            let place = self.dice.below(SNAPSHOTS as u64) as usize;
            self.snapshots[place] = items;
        }
    }

    fn draw(&mut self) -> Op {
        let rolled = self.dice.below(100);
        let waiting = self.queue.values().map(Vec::len).sum::<usize>() + self.acknowledged.len();
        match rolled {
            _ if waiting == 0 => self.draw_plan(),
            0..=21 => self.draw_plan(),
            22..=54 => Op::Deliver(self.draw_delivery(None)),
            55..=68 => {
                let dies_after = self.dice.below(DEATH_WITHIN);
                Op::Crash(self.draw_delivery(Some(dies_after)))
            }
            69..=80 => {
                let dies = |dice: &mut Dice| (dice.below(3) == 0).then(|| dice.below(DEATH_WITHIN));
                let (one, other) = (dies(&mut self.dice), dies(&mut self.dice));
                let (one, mut other) = (self.draw_delivery(one), self.draw_delivery(other));
                // A process has one invocation at a time.
                other.process = (one.process + 1) % PROCESSES;
                Op::Twins([one, other])
            }
            81..=86 => {
                let process = self.dice.below(PROCESSES as u64) as usize;
                let dies_after = (self.dice.below(3) == 0).then(|| self.dice.below(DEATH_WITHIN));
                Op::Sweep { process, dies_after }
            }
            87 => Op::AnnounceKey,
            88..=89 => Op::AllowKey,
            90 => {
                let (process, keys) = (self.dice.below(PROCESSES as u64) as usize, self.stage.signers.len() as u64);
                let key = if self.dice.below(3) == 0 { self.dice.below(keys) } else { keys - 1 };
                Op::DeployKey { process, key: key as usize }
            }
            91..=96 => Op::ClockJump { by_ms: self.draw_jump() },
            _ if self.snapshots.is_empty() => Op::ClockJump { by_ms: self.draw_jump() },
            _ => Op::Restore { snapshot: self.dice.below(self.snapshots.len() as u64) as usize },
        }
    }

    fn draw_plan(&mut self) -> Op {
        let many = self.dice.below(10) == 0;
        let mut chunks = Vec::new();
        for log in 0..LOGS.len() {
            // The first log gets most of it, so that it outgrows a tile.
            if log == 0 || self.dice.below(3) == 0 {
                let lines = if many && log == 0 { 40 + self.dice.below(60) } else { 1 + self.dice.below(4) };
                chunks.push((log, lines));
            }
        }
        Op::Plan(chunks)
    }

    /// Up to ten messages of some groups, from the front of each; some that were acknowledged; some twice.
    fn draw_delivery(&mut self, dies_after: Option<u64>) -> Delivery {
        let mut pointers: Vec<Pointer> = Vec::new();
        for waiting in self.queue.values() {
            let up_to = self.dice.below(BATCH as u64 + 1) as usize;
            pointers.extend(waiting.iter().take(up_to).cloned());
        }
        if pointers.is_empty() || self.dice.below(4) == 0 {
            for _ in 0..=self.dice.below(2) {
                if let Some(again) = self.any_acknowledged() {
                    let place = self.dice.below(pointers.len() as u64 + 1) as usize;
                    pointers.insert(place, again);
                    self.tally.count("message again", 1);
                }
            }
        }
        if !pointers.is_empty() && self.dice.below(6) == 0 {
            let twice = pointers[self.dice.below(pointers.len() as u64) as usize].clone();
            let place = self.dice.below(pointers.len() as u64 + 1) as usize;
            pointers.insert(place, twice);
            self.tally.count("message twice in a batch", 1);
        }
        pointers.truncate(BATCH);
        self.tally.count("message", pointers.len() as u64);
        let deadline_ms = if self.dice.below(2) == 0 { ONE_ATTEMPT } else { self.dice.below(60_000) as i64 };
        let process = self.dice.below(PROCESSES as u64) as usize;
        Delivery { messages: messages(&pointers), pointers, process, deadline_ms, dies_after }
    }

    fn any_acknowledged(&mut self) -> Option<Pointer> {
        let count = self.acknowledged.len() as u64;
        if count == 0 { None } else { self.acknowledged.get(self.dice.below(count) as usize).cloned() }
    }

    /// Mostly some seconds, so that checkpoints become due; sometimes days, in either direction.
    fn draw_jump(&mut self) -> i64 {
        const HOUR: i64 = 3_600_000;
        let far = 1 + self.dice.below(72) as i64;
        match self.dice.below(10) {
            0 => far * HOUR,
            1 => -far * HOUR,
            2 => -(self.dice.below(20_000) as i64),
            _ => 5_000 + self.dice.below(20_000) as i64,
        }
    }

    async fn perform(&mut self, op: Op) -> Result<(), Problem> {
        match op {
            Op::Plan(chunks) => {
                self.plan(&chunks);
                Ok(())
            }
            Op::Deliver(delivery) | Op::Crash(delivery) => {
                let answer = self.stage.deliver(&delivery).await;
                self.take([(delivery, answer)])
            }
            Op::Twins(twins) => {
                let answers = self.stage.deliver_both(&twins).await;
                self.take(twins.into_iter().zip(answers))
            }
            Op::Sweep { process, dies_after } => {
                let Some(errors) = self.stage.sweep(None, process, dies_after).await else {
                    self.tally.count("death of a process", 1);
                    return Ok(());
                };
                let stopped = errors.iter().find(|(_, error)| !error.is_transient());
                stopped.map_or(Ok(()), |(log, error)| Err(format!("a sweep stopped {log}: {error}")))
            }
            Op::AnnounceKey => {
                self.announce_key();
                Ok(())
            }
            Op::AllowKey => self.allow_key().await,
            Op::DeployKey { process, key } => {
                self.stage.deploy_key(process, key);
                Ok(())
            }
            Op::ClockJump { by_ms } => {
                self.tally.count("clock back", u64::from(by_ms < 0));
                self.stage.clock.jump(by_ms);
                Ok(())
            }
            Op::Restore { snapshot } => self.restore(snapshot).await,
        }
    }

    fn plan(&mut self, chunks: &[(usize, u64)]) {
        self.objects += 1;
        let key = format!("{}-{}", self.seed, self.objects);
        let object = ObjectId::of("bronze", &key);
        let logs = chunks.iter().flat_map(|(log, entries)| (0..*entries).map(|_| LogId::parse(LOGS[*log]).unwrap()));
        let entries = logs.zip(0..).map(|(log, line)| (log.clone(), entry(&log, object, line))).collect();
        self.stage_plan(&key, object, entries);
    }

    /// The next key: an entry in each log that there is.
    fn announce_key(&mut self) {
        let logs = self.stage.logs();
        if logs.is_empty() {
            return;
        }
        let key = self.stage.add_signer();
        let object = ObjectId::of_act(&format!("key/{}/{key}", self.seed));
        let announcement = |log: &LogId, line| PendingEntry {
            event_type: ActKind::SigningKeyAdded.name().to_owned(),
            record: record_of_log(log),
            fields: BTreeMap::from([(KEY_FIELD.to_owned(), Field::Text(self.stage.vkey(log, key)))]),
            ..entry(log, object, line)
        };
        let entries = logs.iter().zip(0..).map(|(log, line)| (log.clone(), announcement(log, line))).collect();
        self.stage_plan(&format!("act/key/{key}"), object, entries);
    }

    async fn allow_key(&mut self) -> Result<(), Problem> {
        for log in self.stage.logs() {
            match self.stage.allow_newest_key(&log).await {
                Ok(Step::Allowed) => self.tally.count("key allowed", 1),
                Ok(Step::NotInTheLog | Step::NotSigned { .. }) => {}
                Err(error) if error.is_transient() => {}
                Err(error) => return Err(format!("a key of {log}: {error}")),
            }
        }
        Ok(())
    }

    fn stage_plan(&mut self, key: &str, object: ObjectId, entries: Vec<(LogId, PendingEntry)>) {
        let mut writer = PlanWriter::new(object, key, "1");
        let mut lines: BTreeMap<LogId, Vec<String>> = BTreeMap::new();
        let input = entries.len() as u64;
        for (log, entry) in entries {
            let text = entry.to_line().unwrap().as_str().to_owned();
            writer.push(&log, text.as_bytes()).unwrap();
            lines.entry(log).or_default().push(text);
        }
        let plan = writer.finish(Counts { input, ..Counts::default() }).unwrap();
        let pointers = plan.header.pointers(plan.header_bytes);
        self.stage.world.staged.seed(&pointers[0].plan, plan.bytes);
        for pointer in pointers {
            self.model.plan(&pointer, lines.remove(&LogId::parse(&pointer.log).unwrap()).unwrap());
            self.queue.entry(pointer.log.clone()).or_default().push(pointer);
        }
    }

    /// What the queue makes of the answers of one or two runs at once.
    fn take(&mut self, runs: impl IntoIterator<Item = (Delivery, Option<SqsBatchResponse>)>) -> Result<(), Problem> {
        let released = self.stage.take_released();
        for (delivery, answer) in runs {
            let Some(answer) = answer else {
                self.tally.count("death of a process", 1);
                continue;
            };
            let back: BTreeSet<&str> = returned(&answer).into_iter().collect();
            self.tally.count("message returned", back.len() as u64);
            for (message, pointer) in delivery.messages.iter().zip(&delivery.pointers) {
                if !back.contains(message.message_id.as_deref().unwrap_or_default()) {
                    self.model.acknowledge(&self.stage, pointer)?;
                    let waiting = self.queue.entry(pointer.log.clone()).or_default();
                    if let Some(place) = waiting.iter().position(|one| one == pointer) {
                        self.acknowledged.push(waiting.remove(place));
                    }
                } else if !released.contains(message.receipt_handle.as_deref().unwrap_or_default()) {
                    return Err(format!("{} was halted", pointer.log));
                }
            }
        }
        Ok(())
    }

    /// A table of an earlier day, met by a process that remembers nothing: every log of which something was signed since
    /// then stops, and nothing at all is written for it. Then the newest table is put back.
    async fn restore(&mut self, snapshot: usize) -> Result<(), Problem> {
        let table = self.stage.world.ports.control.table.clone();
        let newest = table.items();
        let old = self.snapshots[snapshot].clone();
        let logs = self.stage.logs();
        let archived = self.stage.world.ports.ledger.all();
        let signed = |log: &LogId| archived.keys().filter_map(|key| archived_size(log, key)).max().unwrap_or(0);
        table.restore(old.clone());
        let size = |log: &LogId| self.stage.world.ports.control.stored_head(log).map_or(0, |head| head.size);
        let behind: Vec<LogId> = logs.into_iter().filter(|log| size(log) < signed(log)).collect();
        let outcome = if behind.is_empty() { Ok(()) } else { self.meet_old_table(&behind, &old).await };
        table.restore(newest);
        outcome
    }

    async fn meet_old_table(&mut self, behind: &[LogId], old: &Items) -> Result<(), Problem> {
        let versions = self.stage.versions_of(behind);
        let is_behind = |pointer: &&Pointer| behind.iter().any(|log| log.as_str() == pointer.log);
        let pointers = self.queue.values().flatten().chain(self.acknowledged.iter().rev()).filter(is_behind);
        let pointers: Vec<Pointer> = pointers.take(BATCH).cloned().collect();
        let delivery =
            Delivery { messages: messages(&pointers), pointers, process: 0, deadline_ms: 60_000, dies_after: None };
        self.stage.restart(0);
        let answer = self.stage.deliver(&delivery).await.ok_or("a process died by itself")?;
        self.stage.take_released();
        if returned(&answer).len() < delivery.messages.len() {
            return Err("a message was acknowledged on a restored table".to_owned());
        }
        let errors = self.stage.sweep(Some(behind.to_vec()), 0, None).await.unwrap_or_default();
        for log in behind {
            match errors.iter().find(|(of, _)| of == log) {
                None => return Err(format!("{log} went on with a restored table")),
                Some((_, LogError::Archive { .. })) => self.tally.count("log halted by its archive", 1),
                Some((_, error)) if error.is_transient() => {}
                Some((_, error)) => return Err(format!("{log} with a restored table: {error}")),
            }
        }
        if self.stage.world.ports.control.table.items() != *old || self.stage.versions_of(behind) != versions {
            return Err("something was written with a restored table".to_owned());
        }
        Ok(())
    }

    /// Fine weather: what is left is delivered, all logs are swept, and everything is derived anew.
    async fn end(&mut self) -> Result<(), Problem> {
        self.stage.faults.set_weather(Weather::default());
        while let Some(waiting) = self.queue.values().find(|waiting| !waiting.is_empty()) {
            let pointers: Vec<Pointer> = waiting.iter().take(BATCH).cloned().collect();
            let delivery =
                Delivery { messages: messages(&pointers), pointers, process: 1, deadline_ms: 60_000, dies_after: None };
            self.stage.set_clocks();
            let answer = self.stage.deliver(&delivery).await;
            if answer.as_ref().is_none_or(|answer| !returned(answer).is_empty()) {
                return Err("a message came back in fine weather".to_owned());
            }
            self.take([(delivery, answer)])?;
        }
        // The last signature may lie on either side of a clock that jumped.
        for _ in 0..3 {
            self.stage.clock.jump(SIGN_EVERY_MS);
            self.stage.set_clocks();
            for log in self.stage.logs() {
                // By a key that may sign it, as the operator would see to.
                self.stage.deploy_key(2, self.stage.key_for(&log));
                let errors = self.stage.sweep(Some(vec![log]), 2, None).await.unwrap_or_default();
                if let Some((log, error)) = errors.first() {
                    return Err(format!("a sweep in fine weather: {log}: {error}"));
                }
            }
        }
        let several = self.stage.logs().iter().filter(|log| self.stage.signers_of(log).len() > 1).count();
        self.tally.count("log signed by several keys", several as u64);
        self.model.look(&self.stage)?;
        let entries = self.model.all_is_committed()?;
        let found = self.stage.check(self.model.notes(true), self.model.notes(false)).await?;
        let all = (found.entries, found.published, found.signed, found.open_chunks);
        if all != (entries, entries, entries, 0) {
            return Err(format!("{entries} entries are planned: {found:?}"));
        }
        if !self.stage.world.poison().is_empty() {
            return Err("a good message was kept as poison".to_owned());
        }
        self.tell_events(found.orphans as u64, found.checkpoints as u64);
        Ok(())
    }

    fn tell_events(&mut self, orphans: u64, checkpoints: u64) {
        let tiles = self.stage.world.ports.ledger.all().into_keys().filter_map(|key| Tile::parse_key(&key));
        self.tally.count("full tile", tiles.filter(|(_, tile)| tile.is_full()).count() as u64);
        self.tally.count("orphan", orphans);
        self.tally.count("checkpoint", checkpoints);
        for ((fault, call), times) in self.stage.faults.weathered() {
            let call = call.trim_end();
            self.tally.count(&format!("{fault:?} {call}"), times);
        }
    }
}

/// In one line, ids and numbers only.
fn tell(op: &Op) -> String {
    let told = |delivery: &Delivery| {
        let ids: Vec<String> =
            delivery.pointers.iter().map(|one| format!("{}#{}", one.log, &one.deduplication_id()[..6])).collect();
        let Delivery { process, deadline_ms, dies_after, .. } = delivery;
        format!("to process {process} for {deadline_ms} ms, dies after {dies_after:?}: {}", ids.join(" "))
    };
    match op {
        Op::Deliver(delivery) | Op::Crash(delivery) => format!("{} {}", op.name(), told(delivery)),
        Op::Twins([one, other]) => format!("twins {} | {}", told(one), told(other)),
        _ => format!("{op:?}"),
    }
}

/// Each with an id of its own, as two receipts of one message have.
fn messages(pointers: &[Pointer]) -> Vec<SqsMessage> {
    let message = |(place, pointer): (usize, &Pointer)| {
        raw_message(&format!("{}@{place}", pointer.deduplication_id()), &pointer.log, &pointer.to_body().unwrap())
    };
    pointers.iter().enumerate().map(message).collect()
}

fn entry(log: &LogId, object: ObjectId, line: u64) -> PendingEntry {
    let object = object.to_string();
    PendingEntry {
        event_id: format!("{}{line:016x}", &object[..16]),
        org: log.org().to_owned(),
        event_type: "user.start".to_owned(),
        activity: "Agent connected".to_owned(),
        record: Record::Interaction(format!("c-{}", line % 3)),
        occurred_at: format!("2026-03-02T14:{:02}:{:02}.000Z", (line / 60) % 60, line % 60),
        late: false,
        fields: BTreeMap::new(),
        masked: Vec::new(),
        lineage_token: "6f1c1e0e-7a3f-5a53-9a38-7e3f5f8f0b11".to_owned(),
        schema_version: "genesys/1".to_owned(),
        policy_version: "1".to_owned(),
        source: Source { object, line },
        salt: [line as u8; 16],
    }
}

const LOGS: [&str; 3] = ["acme/interaction/1/0", "acme/entity/1/0", "other-org/interaction/1/0"];
const PROCESSES: usize = 3;
/// Messages of one batch.
const BATCH: usize = 10;
/// Steps of a run: one of ten messages and three logs takes some fifty.
const DEATH_WITHIN: u64 = 60;
const SNAPSHOTS: usize = 3;
const LOOK_EVERY: u64 = 50;
/// More than between two signatures.
const SIGN_EVERY_MS: i64 = 11_000;
/// Fine, changeable, storm.
const WEATHERS: [Weather; 3] = [
    Weather { lost: 0, persisted: 0, throttled: 0, conflict: 0, partly: 0, unread: 0 },
    Weather { lost: 8, persisted: 8, throttled: 8, conflict: 8, partly: 20, unread: 8 },
    Weather { lost: 50, persisted: 50, throttled: 40, conflict: 40, partly: 100, unread: 40 },
];
