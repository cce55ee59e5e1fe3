//! `replay`: what was set aside goes back into the stream.
//!
//! Invariant: nothing is changed without `--apply`, and the same command again goes on where one ended. What a line says is
//! never shown: codes, dates, counts, keys, and of dead letters interaction ids and lineage tokens.

mod answer;

use std::collections::BTreeSet;
use std::sync::Arc;

use ledgerline_custody::replay::{LetterQueue, Letters, LettersReport, Mode, Origin, Replaying, Report, Wanted};
use ledgerline_event::Rejection;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::dead_letter::{Home, ROUTES};
use ledgerline_store::quarantine::By;
use ledgerline_store::stream::{Paced, Stream};
use time::{Date, Duration};

use crate::answer::Answered;
use crate::args::{ReplayArgs, ReplayCommand};
use crate::cloud::{Cloud, named, told};
use crate::context::Context;
use crate::fault::Fault;
use crate::screen::counted;

use answer::{Lines, Messages};

/// Half of the least that a stream takes in a second, 1 MiB, so that live events have the other half.
const BYTES_PER_S: u32 = 512 * 1024;
/// The template's name of the stream.
const STREAM: &str = "EventStream";

/// Puts back, or tells what would be.
pub(super) fn run(what: &ReplayCommand, context: &Context) -> Answered {
    match what {
        ReplayCommand::Quarantine(args) => lines(Origin::Quarantine, args, context),
        ReplayCommand::Errors(args) => lines(Origin::Errors, args, context),
        ReplayCommand::Spill(args) => lines(Origin::Spill, args, context),
        ReplayCommand::Dlq(args) => messages(args, context),
    }
}

fn lines(origin: Origin, args: &ReplayArgs, context: &Context) -> Answered {
    let wanted = wanted(args)?;
    if origin == Origin::Quarantine {
        known("reason", &args.reasons, &Rejection::ALL.map(Rejection::code))?;
        known("source", &args.sources, &By::ALL.map(By::as_str))?;
    }
    let cloud = Cloud::open(&args.deployment.stack)?;
    let operator = &cloud.operator;
    let bucket = named(operator.bucket("BronzeBucket"))?;
    let expires_days = cloud.ask(operator.expiry_days(&bucket, origin.prefix()))?;
    let (bronze, control) = (told(operator.objects_of("BronzeBucket"))?, told(operator.rows_of("ControlTable"))?);
    let now_ms = i64::try_from(context.now_ms).unwrap_or(i64::MAX);
    let replaying = Replaying::new(bronze, control, stream(&cloud, args)?, now_ms, expires_days);
    let progress = context.progress("going through what was kept", None);
    let mut report = Report::default();
    let ended = cloud.wait_for(replaying.run(origin, &wanted, mode(args), &mut report));
    progress.finish_and_clear();
    ended.map_err(|error| ended_early(&error, report.sent_lines()))?;
    Ok(Box::new(Lines { origin, applied: args.apply, report }))
}

fn messages(args: &ReplayArgs, context: &Context) -> Answered {
    let wanted = wanted(args)?;
    known("source", &args.sources, &ROUTES.map(|(name, _)| name))?;
    let cloud = Cloud::open(&args.deployment.stack)?;
    let control = told(cloud.operator.rows_of("ControlTable"))?;
    let letters = Letters::new(control, stream(&cloud, args)?);
    let progress = context.progress("going through dead letters", None);
    let mut report = LettersReport::default();
    for queue in queues(&cloud)? {
        let ended = cloud.wait_for(letters.run(&queue, &wanted, mode(args), &mut report));
        ended.map_err(|error| ended_early(&error, report.sent_letters()))?;
    }
    progress.finish_and_clear();
    Ok(Box::new(Messages { applied: args.apply, report }))
}

/// The deployment's dead-letter queues. Without a partner source there is none for its rule.
fn queues(cloud: &Cloud) -> Result<Vec<LetterQueue>, Fault> {
    let operator = &cloud.operator;
    let there = ROUTES.into_iter().filter(|(name, _)| operator.deployment.queues.contains_key(*name));
    there
        .map(|(name, home)| {
            let back = match home {
                Home::Queue(back) | Home::Fifo(back) => Some(told(operator.messages_of(back))?),
                Home::Stream => None,
            };
            let (inbox, dead) = (told(operator.inbox_of(name))?, told(operator.messages_of(name))?);
            Ok(LetterQueue { name, inbox, dead, home, back })
        })
        .collect()
}

fn stream(cloud: &Cloud, args: &ReplayArgs) -> Result<Arc<dyn Stream>, Fault> {
    let stream = cloud.operator.stream_of(STREAM).map_err(|error| {
        let remedy = "write stack.json again with the current infra/stack.jq, which lists the streams";
        Fault::caused_by("the stack file does not name the delivery stream", &error, remedy)
    })?;
    Ok(Arc::new(Paced::new(stream, args.rate, BYTES_PER_S)))
}

fn mode(args: &ReplayArgs) -> Mode {
    if args.apply { Mode::Send } else { Mode::Look }
}

fn wanted(args: &ReplayArgs) -> Result<Wanted, Fault> {
    if args.since.zip(args.until).is_some_and(|(since, until)| since > until) {
        return Err(Fault::new("--since is later than --until", "give the earlier date to --since"));
    }
    let ms = |date: Date| date.midnight().assume_utc().unix_timestamp() * 1_000;
    let set = |all: &[String]| all.iter().cloned().collect::<BTreeSet<String>>();
    Ok(Wanted {
        reasons: set(&args.reasons),
        sources: set(&args.sources),
        since_ms: args.since.map(ms),
        // The whole of that date.
        before_ms: args.until.and_then(|until| until.checked_add(Duration::DAY)).map(ms),
        replayed_at_most: args.replayed_at_most,
    })
}

/// A word that nothing is set aside by would choose nothing, and look as if nothing were there.
fn known(option: &str, given: &[String], all: &[&str]) -> Result<(), Fault> {
    match given.iter().find(|one| !all.contains(&one.as_str())) {
        None => Ok(()),
        Some(other) => {
            let what = format!("nothing is set aside by the {option} {other:?}");
            Err(Fault::new(what, format!("name one of {}", all.join(", "))))
        }
    }
}

fn ended_early(error: &StoreError, sent: u64) -> Fault {
    let what =
        format!("the replay ended early; {} went back before", counted(sent, "line or message", "lines or messages"));
    Fault::caused_by(what, error, "see what it says, then run the same command again: it goes on from there")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Arguments, Command};

    fn args(more: &[&str]) -> Result<ReplayArgs, clap::Error> {
        let line = ["ledgerline", "replay", "quarantine", "--stack", "stack.json"];
        match Arguments::try_parse_from(line.iter().chain(more))?.command {
            Command::Replay(ReplayCommand::Quarantine(args)) => Ok(args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_is_put_back_unless_it_is_asked_for() {
        assert_eq!(mode(&args(&[]).unwrap()), Mode::Look);
        assert_eq!(mode(&args(&["--dry-run"]).unwrap()), Mode::Look);
        assert_eq!(mode(&args(&["--apply"]).unwrap()), Mode::Send);
        assert!(args(&["--apply", "--dry-run"]).is_err());
        assert!(args(&["--rate", "0"]).is_err() && args(&["--since", "yesterday"]).is_err());
    }

    #[test]
    fn dates_are_whole_days_of_utc_and_in_their_order() {
        let day = wanted(&args(&["--since", "2026-03-02", "--until", "2026-03-02"]).unwrap()).unwrap();
        assert_eq!((day.since_ms, day.before_ms), (Some(1_772_409_600_000), Some(1_772_496_000_000)));
        assert!(wanted(&args(&["--since", "2026-03-03", "--until", "2026-03-02"]).unwrap()).is_err());
    }

    #[test]
    fn a_word_that_chooses_nothing_is_refused_with_those_that_there_are() {
        let codes = Rejection::ALL.map(Rejection::code);
        assert!(known("reason", &["no_time".to_owned()], &codes).is_ok());
        let fault = known("reason", &["no time".to_owned()], &codes).unwrap_err().to_string();
        assert!(fault.contains("no_time") && fault.contains("unprocessable"), "{fault}");
    }
}
