//! `status`: how a deployment is doing, on one screen.
//!
//! Invariant: nothing is estimated that can be counted; the exit code is 1 as soon as something needs a person, and work
//! that is merely under way does not.

use std::io;

use ledgerline_aws::operator::Depth;
use ledgerline_store::object_row::Totals;
use serde_json::{Value, json};

use crate::answer::{Answer, Answered, Outcome};
use crate::args::StatusArgs;
use crate::cloud::{Cloud, store_fault};
use crate::context::{Context, moment};
use crate::fault::Fault;
use crate::screen::{Mark, Screen, counted, grouped};

mod logs;

use logs::LogState;

/// The stages, upstream first, by the last part of their functions' names: their queues and where their dead letters go.
const STAGES: [(&str, &str, &str); 4] = [
    ("transform", "BronzeQueue", "BronzeDeadLetterQueue"),
    ("audit-write", "LedgerQueue", "LedgerDeadLetterQueue"),
    ("redrive", "ErrorsQueue", "ErrorsDeadLetterQueue"),
    ("rtbf", "EraseQueue", "EraseDeadLetterQueue"),
];
/// The one dead-letter queue without a stage of ours; a deployment without a partner source has none.
const RULE_DEAD_LETTERS: &str = "RuleDeadLetterQueue";
/// Quarantined objects counted at most: the number then reads "at least".
const QUARANTINE_LIMIT: u64 = 10_000;

/// Looks at everything once.
pub(super) fn run(args: &StatusArgs, context: &Context) -> Answered {
    let stack = &args.deployment.stack;
    let cloud = Cloud::open(stack)?;
    let progress = context.progress("asking the deployment", None);
    let (name, verbose) = (stack.display().to_string(), args.verbose);
    let mut status = Status { name, verbose, now_ms: context.now_ms, ..Status::default() };
    for (stage, queue, dead) in STAGES {
        let depth = cloud.ask(cloud.operator.depth(queue))?;
        let dead = cloud.ask(cloud.operator.depth(dead))?;
        status.stages.push(Stage { name: stage, depth, dead: dead.waiting + dead.in_work });
        progress.inc(1);
    }
    if cloud.operator.deployment.queues.contains_key(RULE_DEAD_LETTERS) {
        let dead = cloud.ask(cloud.operator.depth(RULE_DEAD_LETTERS))?;
        status.rule_dead = dead.waiting + dead.in_work;
    }
    status.totals = cloud.ask(cloud.ledger()?.rows.totals())?;
    status.quarantined = count(&cloud, "BronzeBucket", "quarantine/")?;
    status.poison = count(&cloud, "StagedBucket", "poison/")?;
    status.logs = logs::look(&cloud)?;
    progress.finish_and_clear();
    Ok(Box::new(status))
}

fn count(cloud: &Cloud, bucket: &str, prefix: &str) -> Result<u64, Fault> {
    let bucket = cloud.operator.bucket(bucket).map_err(|error| store_fault(&error))?;
    cloud.ask(cloud.operator.count_objects(bucket, prefix, QUARANTINE_LIMIT))
}

#[derive(Debug, Default)]
struct Status {
    name: String,
    /// Each log's details are shown, too.
    verbose: bool,
    now_ms: u64,
    stages: Vec<Stage>,
    rule_dead: u64,
    totals: Totals,
    quarantined: u64,
    poison: u64,
    logs: Vec<LogState>,
}

#[derive(Debug)]
struct Stage {
    name: &'static str,
    depth: Depth,
    dead: u64,
}

impl Status {
    /// What needs a person, in words; empty if nothing does.
    fn concerns(&self) -> Vec<(String, String)> {
        let mut concerns = Vec::new();
        for stage in self.stages.iter().filter(|stage| stage.dead > 0) {
            concerns.push((
                format!("{} of {} failed again and again", counted(stage.dead, "message", "messages"), stage.name),
                format!(
                    "read the log group of ledgerline-…-{}, mend the cause, then start the queue's redrive",
                    stage.name
                ),
            ));
        }
        if self.rule_dead > 0 {
            concerns.push((
                format!("EventBridge could not deliver {}", counted(self.rule_dead, "event", "events")),
                "see why the delivery stream refused them, then put the messages of RuleDeadLetterQueue into it"
                    .to_owned(),
            ));
        }
        if self.poison > 0 {
            concerns.push((
                format!("{} could not be read and are kept", counted(self.poison, "pointer", "pointers")),
                "look at poison/ in the staged bucket: their entries stay in flight until somebody repairs them"
                    .to_owned(),
            ));
        }
        if self.totals.poisoned > 0 {
            let entries = counted(self.totals.poisoned, "entry", "entries");
            concerns.push((
                format!("{entries} in flight are in quarantine: their chunks cannot be read"),
                "see poison/audit-write/ for the chunks and the reasons; repaired and pointed at again they are counted \
                 as committed"
                    .to_owned(),
            ));
        }
        if !self.totals.balance() {
            concerns.push((
                "the counts do not add up".to_owned(),
                "run `ledgerline verify --stack` at once: an event was lost or doubled, or a row was changed"
                    .to_owned(),
            ));
        }
        let of_logs = self.logs.iter().flat_map(|log| log.concerns(self.now_ms));
        concerns.extend(of_logs.map(|concern| (concern.what, concern.remedy)));
        concerns
    }
}

impl Answer for Status {
    fn outcome(&self) -> Outcome {
        Outcome::of(self.concerns().is_empty())
    }

    fn json(&self) -> Value {
        let stages: Vec<Value> = self
            .stages
            .iter()
            .map(|stage| {
                json!({ "stage": stage.name, "waiting": stage.depth.waiting, "inWork": stage.depth.in_work, "dead": stage.dead })
            })
            .collect();
        let logs: Vec<Value> = self.logs.iter().map(|log| log.json(self.now_ms)).collect();
        let totals = &self.totals;
        let concerns: Vec<Value> =
            self.concerns().into_iter().map(|(what, remedy)| json!({ "what": what, "remedy": remedy })).collect();
        json!({
            "stages": stages,
            "logs": logs,
            "counts": {
                "objects": totals.objects, "unplanned": totals.unplanned, "in": totals.input,
                "committed": totals.committed, "filtered": totals.filtered, "duplicate": totals.duplicate,
                "quarantined": totals.quarantined, "inFlight": totals.in_flight(), "poisoned": totals.poisoned, "balance": totals.balance(),
            },
            "quarantineObjects": self.quarantined,
            "poison": self.poison,
            "ruleDead": self.rule_dead,
            "concerns": concerns,
        })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("STATUS", &format!("{}  {}", self.name, moment(self.now_ms / 1000)))?;
        let rows: Vec<Vec<String>> = self
            .stages
            .iter()
            .map(|stage| {
                let counts = [stage.depth.waiting, stage.depth.in_work, stage.dead].map(grouped);
                [vec![stage.name.to_owned()], counts.to_vec()].concat()
            })
            .collect();
        screen.table(&["stage", "waiting", "in work", "dead letters"], &rows)?;
        screen.gap()?;
        logs::draw(&self.logs, self.now_ms, self.verbose, screen)?;
        screen.gap()?;
        let totals = &self.totals;
        let sign = if totals.balance() { "=" } else { "≠" };
        screen.say(&format!(
            "{} in  {sign}  {} committed + {} filtered + {} duplicate + {} quarantined + {} in flight",
            grouped(totals.input),
            grouped(totals.committed),
            grouped(totals.filtered),
            grouped(totals.duplicate),
            grouped(totals.quarantined),
            grouped(totals.in_flight())
        ))?;
        if totals.poisoned > 0 {
            screen.say(&format!("{} of those in flight are kept as poison", grouped(totals.poisoned)))?;
        }
        let least = if self.quarantined == QUARANTINE_LIMIT { "at least " } else { "" };
        screen.say(&format!(
            "{} read; {} not planned yet; {least}{} in quarantine",
            counted(totals.objects, "object", "objects"),
            grouped(totals.unplanned),
            counted(self.quarantined, "file", "files"),
        ))?;
        let concerns = self.concerns();
        let logs = counted(self.logs.len() as u64, "log", "logs");
        if concerns.is_empty() {
            return screen.verdict(
                Mark::Good,
                &format!("Nothing needs you: {logs}. `ledgerline verify` checks the evidence itself."),
            );
        }
        screen.gap()?;
        for (what, remedy) in &concerns {
            screen.check(Mark::Bad, what, &format!("to do: {remedy}"))?;
        }
        let things = counted(concerns.len() as u64, "problem", "problems");
        let wrong = self.logs.iter().filter(|log| !log.concerns(self.now_ms).is_empty()).count();
        screen.verdict(Mark::Bad, &format!("Something needs you: {things}; {wrong} of {logs} affected."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use logs::UNCOVERED_MAX_MS;
    use logs::tests::{NOW_MS, state};

    #[test]
    fn work_under_way_is_no_concern_and_a_dead_letter_is() {
        let mut status = Status { now_ms: NOW_MS, logs: vec![state()], ..Status::default() };
        let depth = Depth { waiting: 9, in_work: 1 };
        status.stages.push(Stage { name: "transform", depth, dead: 0 });
        assert_eq!(status.outcome(), Outcome::Holds);
        status.logs[0].uncovered_since_ms = Some(NOW_MS - UNCOVERED_MAX_MS - 1);
        status.stages[0].dead = 1;
        status.totals.input = 1;
        assert_eq!(status.concerns().len(), 3);
        status.totals = Totals { input: 5, planned: 5, committed: 3, poisoned: 2, ..Totals::default() };
        let concerns = status.concerns();
        assert!(
            concerns.iter().any(|(what, _)| what.starts_with("2 entries in flight are in quarantine")),
            "{concerns:?}"
        );
    }

    #[test]
    fn thirty_logs_fit_one_screen() {
        let logs = (0..30).map(|_| state()).collect();
        let totals = Totals { input: 37_037_010, planned: 37_037_010, committed: 37_037_010, ..Totals::default() };
        let mut status = Status { now_ms: NOW_MS, logs, totals, ..Status::default() };
        for (name, _, _) in STAGES {
            status.stages.push(Stage { name, depth: Depth { waiting: 9, in_work: 1 }, dead: 0 });
        }
        for width in [80, 100] {
            let mut out = Vec::new();
            status.draw(&mut Screen::new(&mut out, width, false)).unwrap();
            let told = String::from_utf8(out).unwrap();
            assert!(
                told.lines().count() <= if width == 80 { 47 } else { 46 } && !told.contains('\u{1b}'),
                "{} {told}",
                told.lines().count()
            );
            assert!(told.contains("Nothing needs you: 30 logs."), "{told}");
        }
    }
}
