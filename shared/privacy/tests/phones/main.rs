//! Telephone numbers against the reference library, in Python, by a corpus of spellings that a script makes.
//!
//! Skipped, and said so, where the reference cannot be installed.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and a skipped one must be seen"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use ledgerline_privacy::{Identifier, Kind};

/// The reference: Google's libphonenumber, ported.
const REFERENCE: &str = "phonenumbers==9.0.43";

/// A line of the corpus.
struct Spelled<'a> {
    region: &'a str,
    spelled: &'a str,
    /// The number that it was made from.
    number: &'a str,
    /// What the reference reads.
    reference: Option<&'a str>,
    sort: &'a str,
}

/// The corpus, or why it cannot be made here.
fn corpus() -> Result<String, String> {
    let python = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("phones");
    let run = |command: &mut Command| {
        let output = command.output().map_err(|error| error.to_string())?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(String::from_utf8(output.stdout).unwrap()) } else { Err(told) }
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/phones/corpus.py");
    let interpreter = python.join("bin/python");
    let installed =
        run(Command::new(&interpreter).args(["-c", "import phonenumbers as p; assert p.__version__ == '9.0.43'"]));
    if installed.is_err() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&python))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", REFERENCE];
        run(Command::new(&interpreter).args(pip))?;
    }
    // A script that fails is not a reference that is missing.
    Ok(run(Command::new(&interpreter).arg(script).env("PYTHONUTF8", "1")).unwrap())
}

fn lines(corpus: &str) -> Vec<Spelled<'_>> {
    corpus
        .lines()
        .map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            let [region, spelled, number, reference, sort] = columns[..] else { panic!("{line}") };
            let reference = (reference != "-").then_some(reference);
            Spelled { region, spelled, number, reference, sort }
        })
        .collect()
}

fn ours(line: &Spelled<'_>) -> Option<String> {
    let read = Identifier::parse(Kind::Phone, line.spelled, line.region.parse().unwrap())?;
    Some(read.value().expose_for_pseudonym().to_owned())
}

/// Mexico's mobile 1 is our own rule.
fn folded(e164: &str) -> String {
    match e164.strip_prefix("+521") {
        Some(rest) if rest.len() == 10 => format!("+52{rest}"),
        _ => e164.to_owned(),
    }
}

#[test]
fn spellings_of_numbers_are_read_as_the_reference_reads_them_and_never_as_anothers() {
    let corpus = match corpus() {
        Ok(corpus) => corpus,
        Err(why) => {
            return println!("SKIPPED {REFERENCE} cannot be installed: {}", why.lines().last().unwrap_or_default());
        }
    };
    let lines = lines(&corpus);
    let regions: BTreeSet<&str> = lines.iter().map(|line| line.region).collect();
    assert!(lines.len() >= 5_000 && regions.len() >= 40, "{} spellings of {} regions", lines.len(), regions.len());

    let mut found = BTreeMap::<&str, [usize; 2]>::new();
    let mut subscribers = BTreeMap::<String, BTreeSet<&str>>::new();
    for line in &lines {
        let told = format!(
            "{:?} in {} of {}: the reference says {:?}",
            line.spelled, line.region, line.number, line.reference
        );
        let ours = ours(line);
        let count = found.entry(line.sort).or_default();
        count[usize::from(ours.is_some())] += 1;
        assert!(line.sort != "must" || ours.as_deref() == Some(&*folded(line.number)), "{ours:?} for {told}");
        assert!(line.sort != "local" || ours.is_none(), "{ours:?} for {told}");
        let Some(ours) = ours else { continue };
        assert!(
            ours == folded(line.number) || line.reference.is_some_and(|other| folded(other) == ours),
            "{ours} for {told}"
        );
        if line.sort != "foreign" {
            subscribers.entry(ours).or_default().insert(line.number);
        }
    }
    let merged: Vec<_> = subscribers.iter().filter(|(_, numbers)| numbers.len() > 1).collect();
    assert!(merged.is_empty(), "two subscribers as one: {merged:?}");
    let [lost, read] = found["may"];
    assert!(read > 7 * lost, "of the others {lost} were lost and {read} read");
}
