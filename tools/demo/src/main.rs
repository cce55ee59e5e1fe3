//! `cargo xtask demo`: a minute that shows the whole chain, on the real one, and leaves a report for those who were not there.
//!
//! Invariant: nothing is staged. Every number is read back from the running stack, every refusal is the stack's own, and a
//! check that fails fails the command. All personal data is the generator's: invented.

mod access;
mod at_once;
mod caller;
mod chain;
mod export;
mod figures;
mod flow;
mod identity;
mod lock;
mod page;
mod picture;
mod report;
mod run;
mod screen;
mod sealed;
mod tamper;

use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::Parser;
use ledgerline_traffic::stack::{Stack, block};
use time::OffsetDateTime;
use xtask::fault::{self, Fault};
use xtask::{local, paths};

use self::chain::Chain;
use self::report::{Check, Report};
use self::run::Run;
use self::screen::Screen;

/// Show the whole chain in a minute, and leave a report to forward
#[derive(Debug, Parser)]
#[command(bin_name = "xtask demo")]
struct DemoArgs {
    /// How many interactions to play
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(50..=20_000))]
    interactions: u32,
    /// Ask for this phone number, instead of asking which
    #[arg(long, value_name = "NUMBER")]
    phone: Option<String>,
    /// Ask nothing: take the suggested phone number
    #[arg(long)]
    yes: bool,
}

fn main() -> ExitCode {
    fault::exit(run(&DemoArgs::parse()).map(|()| true))
}

/// Builds what changed, brings the stack up, and tells the story.
fn run(args: &DemoArgs) -> Result<(), Fault> {
    let typed = match &args.phone {
        Some(phone) => Some(access::e164(phone).ok_or_else(|| {
            Fault::new("--phone is no phone number", "write it with its country, such as +12025550143")
        })?),
        None => None,
    };
    // Another stack than the local one is there already, or is nobody's to build.
    let stack = match paths::variable(paths::STACK_VARIABLE) {
        Some(_) => Stack::load()?,
        None => Stack::load_from(&local::up()?)?,
    };
    block(async { tell(args, typed, Chain::new(stack).await).await })?
}

async fn tell(args: &DemoArgs, typed: Option<String>, chain: Chain) -> Result<(), Fault> {
    let mut screen = Screen::stdout();
    let begun = OffsetDateTime::now_utc();
    let clock = tokio::time::Instant::now();
    let mut run = Run::begin(&chain, args.interactions, begun).await?;
    opening(&mut screen, &run).map_err(lost)?;

    let caller = run.one_caller(&mut screen).await?;
    let identity = run.identity(&mut screen).await?;
    let pace = run.everything(&mut screen).await?;
    let caller = run.nothing_personal(&mut screen, caller).await?;
    screen.act(3, "“What do you hold on me?”").map_err(lost)?;
    let phone = match typed {
        Some(phone) => phone,
        None => which_phone(args, &mut screen, run.suggested_phone())?,
    };
    let access = run.access(&mut screen, &phone)?;
    let at_once = run.at_once(&mut screen, &phone).await?;
    let lock = run.locked(&mut screen).await?;
    let tamper = run.tampered(&mut screen).await?;
    let figures = run.figures(&mut screen).await?;

    let report = Report {
        v: 1,
        started_at: ledgerline_traffic::r#gen::milliseconds(epoch_ms(begun)),
        seconds: clock.elapsed().as_secs_f64(),
        seed: run.seed(),
        date: run.date(),
        tally: run.tally(),
        sent: run.sent(),
        pace,
        caller,
        identity,
        access,
        at_once,
        lock,
        tamper,
        figures,
        segments: run.segments(),
        checks: run.into_checks(),
        next: next(),
    };
    let written = write(&report)?;
    closing(&mut screen, &report, &written).map_err(lost)?;
    verdict(&report.checks)
}

fn opening(screen: &mut Screen<io::Stdout>, run: &Run<'_>) -> io::Result<()> {
    screen.title(&[
        "Contact-center events become locked evidence that an access request can read.",
        "Below: the real functions, deployed from the real template, on an emulator of AWS on this machine.",
        &format!("All people, numbers and cards are invented (day {}, seed {}).", run.date(), run.seed()),
    ])
}

fn closing(screen: &mut Screen<io::Stdout>, report: &Report, written: &[PathBuf]) -> io::Result<()> {
    screen.act(7, "Where to look next")?;
    for (what, place) in &report.next {
        screen.fact(what, place)?;
    }
    screen.gap()?;
    for check in &report.checks {
        screen.check(check)?;
    }
    let passed = report.checks.iter().filter(|check| check.passed).count();
    let files: Vec<String> = written.iter().map(|path| shown(path)).collect();
    screen.gap()?;
    screen.say(&format!(
        "{passed} of {} checks passed in {:.0} s. To forward: {}",
        report.checks.len(),
        report.seconds,
        files.join(", ")
    ))?;
    screen.gap()
}

/// The first failed check is the error; the others are on the screen and in the report.
fn verdict(checks: &[Check]) -> Result<(), Fault> {
    match checks.iter().find(|check| !check.passed) {
        None => Ok(()),
        Some(failed) => Err(Fault::new(
            format!("a check failed: {} ({})", failed.name, failed.detail),
            failed.remedy.as_deref().unwrap_or("read target/demo/report.json"),
        )),
    }
}

/// Asks for a phone number where somebody can answer, for half a minute at most.
fn which_phone(args: &DemoArgs, screen: &mut Screen<io::Stdout>, suggested: &str) -> Result<String, Fault> {
    let attended = io::stdin().is_terminal() && io::stdout().is_terminal() && paths::variable("CI").is_none();
    if args.yes || !attended {
        return Ok(suggested.to_owned());
    }
    screen.ask(&format!("A phone number, or Enter for {suggested}:")).map_err(lost)?;
    let (sender, typed) = mpsc::channel();
    // The thread ends with the process if nobody ever types.
    thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line).map(|_| line);
        let _ = sender.send(read);
    });
    let line = match typed.recv_timeout(ANSWER_WITHIN) {
        Ok(Ok(line)) => line,
        Ok(Err(_)) | Err(_) => {
            screen.gap().map_err(lost)?;
            String::new()
        }
    };
    match (line.trim().is_empty(), access::e164(&line)) {
        (true, _) => Ok(suggested.to_owned()),
        (false, Some(phone)) => Ok(phone),
        (false, None) => {
            screen.say(&format!("That is no phone number; taking {suggested}.")).map_err(lost)?;
            Ok(suggested.to_owned())
        }
    }
}

fn write(report: &Report) -> Result<Vec<PathBuf>, Fault> {
    let json = serde_json::to_string_pretty(report)
        .map_err(|error| Fault::caused_by("cannot write the report", error, "report this"))?;
    let files = [("report.html", page::render(report)), ("report.json", json + "\n")];
    files
        .into_iter()
        .map(|(name, content)| {
            let path = folder().join(name);
            paths::write(&path, &content)?;
            Ok(path)
        })
        .collect()
}

fn next() -> Vec<(String, String)> {
    let (folder, stack) = (folder(), paths::local().join("stack.json"));
    [
        ("In pictures", shown(&folder.join("report.html"))),
        ("As data", shown(&folder.join("report.json"))),
        ("A day's figures", "ledgerline gold show --date YYYY-MM-DD".to_owned()),
        ("The exported log", shown(&folder.join("export"))),
        ("All names", shown(&stack)),
        ("Your own events", "cargo xtask send FILE…".to_owned()),
        ("More traffic", "cargo xtask gen --interactions 1000 --seed 1 --guides 30 | cargo xtask send -".to_owned()),
        ("All tests", "cargo xtask test".to_owned()),
        ("How it is built", "ARCHITECTURE.md".to_owned()),
        ("Stop the stack", "cargo xtask down".to_owned()),
    ]
    .map(|(what, place)| (what.to_owned(), place))
    .into()
}

/// Everything that the demo leaves behind.
fn folder() -> PathBuf {
    paths::target().join("demo")
}

/// A path as one would type it from the root of the checkout.
fn shown(path: &std::path::Path) -> String {
    path.strip_prefix(paths::root()).unwrap_or(path).display().to_string()
}

/// Standard output is gone: nobody is left to tell the story to.
fn lost(error: io::Error) -> Fault {
    Fault::caused_by("cannot write to standard output", error, "run it where its output can be read")
}

fn epoch_ms(at: OffsetDateTime) -> i64 {
    at.unix_timestamp() * 1000 + i64::from(at.millisecond())
}

/// A person who was asked answers within this time, or is not there.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::report::sample;
    use super::*;

    #[test]
    fn a_failed_check_is_the_error_and_names_its_remedy() {
        let mut checks = sample::report().checks;
        assert!(verdict(&checks).is_ok());
        checks[1].passed = false;
        checks[1].remedy = Some("look at the claims".to_owned());
        let fault = verdict(&checks).unwrap_err().to_string();
        assert!(
            fault.contains("a check failed: Each event is committed once")
                && fault.contains("to do: look at the claims")
        );
    }
}
