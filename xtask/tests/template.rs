//! What the template's metric filters look for, the functions log; what its alarms watch, its filters make; and a reason that it
//! names is one of the code's. A word that is changed on one side alone leaves an alarm that never rings again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ledgerline_event::document::Rejection;
use xtask::paths;

/// Functions that say by reason what they put into quarantine.
const SAYING_REASONS: [&str; 3] = ["ingest", "redrive", "transform"];

/// A resource of the template: its logical id and its lines.
struct Resource {
    id: String,
    text: String,
}

fn resources() -> Vec<Resource> {
    let template = fs::read_to_string(paths::infra("template.yaml")).unwrap();
    let (_, resources) = template.split_once("\nResources:\n").unwrap();
    let mut found: Vec<Resource> = Vec::new();
    for line in resources.lines().take_while(|line| *line != "Outputs:") {
        let id = line.strip_prefix("  ").and_then(|rest| rest.strip_suffix(':')).filter(|id| !id.starts_with(' '));
        match (id, found.last_mut()) {
            (Some(id), _) => found.push(Resource { id: id.to_owned(), text: String::new() }),
            (None, Some(resource)) if !line.trim_start().starts_with('#') => {
                resource.text.push_str(line);
                resource.text.push('\n');
            }
            _ => {}
        }
    }
    found
}

fn of_type(kind: &str) -> Vec<Resource> {
    let of: Vec<_> = resources().into_iter().filter(|one| one.text.contains(&format!("    Type: {kind}\n"))).collect();
    assert!(!of.is_empty(), "{kind}");
    of
}

impl Resource {
    /// What stands between two marks, each time.
    fn between<'a>(&'a self, start: &'a str, end: &'a str) -> impl Iterator<Item = &'a str> {
        self.text.split(start).skip(1).filter_map(move |rest| rest.split(end).next())
    }

    /// The pattern, without the quotes of YAML.
    fn pattern(&self) -> String {
        let pattern = self.between("FilterPattern: ", "\n").next().unwrap_or_else(|| panic!("{}", self.id));
        let quote = pattern.chars().next().filter(|quote| matches!(quote, '\'' | '"')).unwrap();
        pattern.trim_matches(quote).to_owned()
    }

    /// The directory of the function whose log it reads.
    fn function(&self) -> String {
        let group = self.between("LogGroupName: !Ref ", "Logs\n").next().unwrap_or_else(|| panic!("{}", self.id));
        let kebab = group.chars().fold(String::new(), |mut name, letter| {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.extend(letter.to_lowercase());
            name
        });
        assert!(paths::root().join("functions").join(&kebab).is_dir(), "{kebab}");
        kebab
    }

    /// Metrics of ours that it makes or watches.
    fn metrics(&self) -> BTreeSet<String> {
        let names = self.between("\"${DeploymentId}-", "\"").map(|name| name.trim_end_matches('\\').to_owned());
        names.collect()
    }
}

/// The sources of a function and of those crates of ours that it is built from.
fn sources(crate_directory: &Path, seen: &mut BTreeSet<String>) -> String {
    let mut text = rust_below(&crate_directory.join("src"));
    let manifest = fs::read_to_string(crate_directory.join("Cargo.toml")).unwrap();
    let (needs, _) = manifest.split_once("[dev-dependencies]").unwrap_or((&manifest, ""));
    for name in needs.lines().filter_map(|line| line.strip_prefix("ledgerline-")?.split(' ').next()) {
        if seen.insert(name.to_owned()) {
            text.push_str(&sources(&paths::root().join("shared").join(name), seen));
        }
    }
    text
}

fn rust_below(directory: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            text.push_str(&rust_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
    text
}

/// The bodies of all log lines in a source.
fn log_lines(source: &str) -> Vec<&str> {
    let starts = ["tracing::info!(", "tracing::warn!(", "tracing::error!("];
    starts.iter().flat_map(|start| source.split(start).skip(1)).filter_map(|rest| rest.split(");").next()).collect()
}

/// The texts in quotation marks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2)
}

/// The names behind `$.`.
fn fields(text: &str) -> impl Iterator<Item = &str> {
    text.split("$.").skip(1).filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next())
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-')).any(|one| one == word)
}

/// Whether a log line has a field: `name = …`, or `name` alone, which may be told by its text or by `Debug`.
fn has_field(line: &str, field: &str) -> bool {
    line.split(',').any(|argument| {
        let argument = argument.trim().trim_start_matches(['%', '?']);
        argument.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.trim_start().starts_with('='))
    })
}

/// Whether some log line has the alternative's message and every field that the filter takes from it. A term without a field may
/// stand anywhere in a line; ours are beginnings of messages.
fn is_logged(alternative: &str, taken: &[&str], lines: &[&str]) -> bool {
    let message = match alternative.split_once("$.message = ") {
        Some((_, rest)) => quoted(rest).next().map(|message| format!("\"{message}\"")),
        None if alternative.contains("$.") => None,
        None => quoted(alternative).next().map(|beginning| format!("\"{beginning}")),
    };
    let fields = fields(alternative).chain(taken.iter().copied());
    let wanted: Vec<&str> = fields.filter(|field| *field != "message").collect();
    lines.iter().any(|line| {
        message.as_ref().is_none_or(|message| line.contains(message))
            && wanted.iter().all(|field| has_field(line, field))
    })
}

#[test]
fn what_the_filters_look_for_the_functions_log() {
    for filter in of_type("AWS::Logs::MetricFilter") {
        let (function, pattern) = (filter.function(), filter.pattern());
        let source = sources(&paths::root().join("functions").join(&function), &mut BTreeSet::new());
        let lines = log_lines(&source);
        let transformation = filter.text.split_once("MetricTransformations:").unwrap().1;
        let taken: Vec<&str> = fields(transformation).collect();
        for alternative in pattern.split("||") {
            assert!(is_logged(alternative, &taken, &lines), "{}: {function} logs no {alternative}", filter.id);
        }
        // What a field is compared with: a reason's code, or a name of the code.
        for field in fields(&pattern).filter(|field| *field != "message") {
            let compared = pattern.split(&format!("$.{field}")).nth(1).and_then(|rest| rest.split(')').next());
            for value in quoted(compared.unwrap_or_default()) {
                let known =
                    if field == "reason" { Rejection::from_code(value).is_some() } else { has_word(&source, value) };
                assert!(known, "{}: {field} is never {value}", filter.id);
            }
        }
    }
}

#[test]
fn what_the_alarms_watch_the_filters_make() {
    let made: BTreeSet<String> = of_type("AWS::Logs::MetricFilter").iter().flat_map(Resource::metrics).collect();
    let alarms = of_type("AWS::CloudWatch::Alarm");
    for alarm in &alarms {
        for metric in alarm.metrics() {
            assert!(made.contains(&metric), "{} watches {metric}, which no filter makes", alarm.id);
        }
    }
    let reasons = alarms.iter().flat_map(|alarm| {
        alarm.between("{ Name: Reason, Value: ", " }").chain(alarm.between("Reason != '", "'")).map(str::to_owned)
    });
    let reasons: Vec<String> = reasons.collect();
    assert_eq!(reasons, [Rejection::NotAnEvent.code(), Rejection::Defect.code()]);
}

#[test]
fn every_function_that_quarantines_says_by_reason_how_much() {
    let filters = of_type("AWS::Logs::MetricFilter");
    let by_reason = filters.iter().filter(|filter| filter.text.contains("Key: Reason, Value: $.reason"));
    let watched: BTreeSet<String> = by_reason.map(Resource::function).collect();
    for function in SAYING_REASONS {
        assert!(watched.contains(function), "{function} has no filter");
        let source = rust_below(&paths::root().join("functions").join(function).join("src"));
        assert!(source.contains("quarantined("), "{function} does not call telemetry::quarantined");
    }
}
