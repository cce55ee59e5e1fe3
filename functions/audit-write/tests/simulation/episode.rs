//! One episode: operations drawn from a seed (`draw`), and what each does; a look at the model beside them; in the end fine
//! weather (`ending`). What a restored table does to whoever meets it stands in `restored`.

mod draw;
mod ending;
mod restored;

use std::collections::{BTreeMap, BTreeSet};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsMessage};
use ledgerline_custody::acts::{ActKind, record_of_log};
use ledgerline_custody::rotation::Step;
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::PlanOf;
use ledgerline_lake::plan::{Counts, PlanWriter, Pointer};
use ledgerline_lambda::clock::Clock as _;
use ledgerline_ledger::entry::{Field, PendingEntry};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::verify::KEY_FIELD;
use ledgerline_testkit::entries::{pending, sealed};
use ledgerline_testkit::faults::{Dice, Weather};
use ledgerline_testkit::table::Rows;

use crate::simulation::model::Model;
use crate::simulation::op::Op;
use crate::simulation::stage::{Delivery, Problem, Stage, take_panic};
use crate::simulation::tally::Tally;
use crate::world::{DEPLOYMENT, raw_message, returned};

pub(crate) struct Episode {
    seed: u64,
    dice: Dice,
    stage: Stage,
    model: Model,
    objects: u64,
    /// Messages that are not acknowledged, by log, in the order of sending.
    queue: BTreeMap<String, Vec<Pointer>>,
    acknowledged: Vec<Pointer>,
    snapshots: Vec<Rows>,
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
            model: Model::of(&LOGS),
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
            self.trace.push(format!("{nth} at {}: {}", self.stage.clock.now_ms(), op.tell()));
            self.tally.count_op(op.name());
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
        let keys = &self.stage.world.keys;
        let entry = |log: &LogId, line| sealed(keys, DEPLOYMENT, entry(log, object, line));
        let entries = logs.zip(0..).map(|(log, line)| (log.clone(), entry(&log, line))).collect();
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
            event_id: object.event_id(PlanOf::Acts, line),
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
}

/// Each with an id of its own, as two receipts of one message have.
fn messages(pointers: &[Pointer]) -> Vec<SqsMessage> {
    let message = |(place, pointer): (usize, &Pointer)| {
        raw_message(&format!("{}@{place}", pointer.deduplication_id()), &pointer.log, &pointer.to_body().unwrap())
    };
    pointers.iter().enumerate().map(message).collect()
}

fn entry(log: &LogId, object: ObjectId, line: u64) -> PendingEntry {
    pending(log.org(), &format!("c-{}", line % 3), &object.to_string(), line)
}

/// The logs that there are.
pub(crate) const LOGS: [&str; 3] = ["acme/interaction/1/0", "acme/entity/1/0", "other-org/interaction/1/0"];
const PROCESSES: usize = 3;
/// Messages of one batch.
const BATCH: usize = 10;
const SNAPSHOTS: usize = 3;
const LOOK_EVERY: u64 = 50;
/// Fine, changeable, storm.
const WEATHERS: [Weather; 3] = [
    Weather { lost: 0, persisted: 0, throttled: 0, conflict: 0, partly: 0, unread: 0, slow: 0 },
    Weather { lost: 8, persisted: 8, throttled: 8, conflict: 8, partly: 20, unread: 8, slow: 0 },
    Weather { lost: 50, persisted: 50, throttled: 40, conflict: 40, partly: 100, unread: 40, slow: 10 },
];
