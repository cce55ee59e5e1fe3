//! `doctor`: what of a deployment is misconfigured, and the remedy.
//!
//! Invariant: it changes nothing, and a question that could not be asked is said to be open, never taken for an answer.

use std::io;

use ledgerline_aws::operator::{BucketSettings, FunctionSettings, KeySettings};
use ledgerline_ledger::retention::LockPolicy;
use serde_json::{Value, json};

use crate::answer::{Answer, Answered, Outcome};
use crate::args::DeploymentArgs;
use crate::cloud::{Cloud, store_fault};
use crate::context::Context;
use crate::fault::Fault;
use crate::screen::{Mark, Screen};

/// Queues and their dead-letter queues.
const QUEUES: [(&str, &str); 4] = [
    ("BronzeQueue", "BronzeDeadLetterQueue"),
    ("LedgerQueue", "LedgerDeadLetterQueue"),
    ("ErrorsQueue", "ErrorsDeadLetterQueue"),
    ("EraseQueue", "EraseDeadLetterQueue"),
];
/// Functions and the variables that each must have. What each does with them is in its README.
const FUNCTIONS: [(&str, &[&str]); 7] = [
    ("IngestFunction", &["DEFAULT_ORG", "LATE_AFTER_HOURS"]),
    (
        "TransformFunction",
        &[
            "DEPLOYMENT_ID",
            "CONTROL_TABLE",
            "INDEX_TABLE",
            "KEYS_TABLE",
            "BRONZE_BUCKET",
            "LAKE_BUCKET",
            "STAGED_BUCKET",
            "LEDGER_QUEUE_URL",
            "ERASE_QUEUE_URL",
            "DATA_KEY_ID",
        ],
    ),
    (
        "AuditWriteFunction",
        &[
            "DEPLOYMENT_ID",
            "CONTROL_TABLE",
            "INDEX_TABLE",
            "STAGED_BUCKET",
            "LEDGER_BUCKET",
            "LOCK_MODE",
            "RETENTION_DAYS",
            "SIGNING_KEY_ID",
        ],
    ),
    (
        "SweepFunction",
        &[
            "DEPLOYMENT_ID",
            "CONTROL_TABLE",
            "INDEX_TABLE",
            "BRONZE_BUCKET",
            "STAGED_BUCKET",
            "LEDGER_BUCKET",
            "LOCK_MODE",
            "RETENTION_DAYS",
            "SIGNING_KEY_ID",
            "LATE_AFTER_HOURS",
        ],
    ),
    (
        "VerifyFunction",
        &[
            "DEPLOYMENT_ID",
            "CONTROL_TABLE",
            "INDEX_TABLE",
            "LEDGER_BUCKET",
            "LOCK_MODE",
            "RETENTION_DAYS",
            "SIGNING_KEY_ID",
            "FIRST_SIGNING_KEY_ID",
        ],
    ),
    ("DsarFunction", &["DEPLOYMENT_ID", "CONTROL_TABLE", "INDEX_TABLE", "KEYS_TABLE", "LEDGER_BUCKET", "DATA_KEY_ID"]),
    ("RedriveFunction", &["STREAM_NAME", "DEAD_LETTER_QUEUE_URL"]),
];
/// What whoever writes and whoever checks evidence must be told alike.
const SHARED: [&str; 5] = ["DEPLOYMENT_ID", "SIGNING_KEY_ID", "LOCK_MODE", "RETENTION_DAYS", "RETENTION_CLASSES"];
const SHARING: [&str; 3] = ["AuditWriteFunction", "SweepFunction", "VerifyFunction"];
/// What the ledger bucket's policy must say, by the ids of its statements.
const STATEMENTS: [(&str, &str); 5] = [
    ("TlsOnly", "requests without TLS are not refused"),
    ("EvidenceIsLocked", "evidence could be put without a lock"),
    ("EvidenceIsLockedLongEnough", "evidence could be put with a lock that ends too early"),
    ("EvidenceIsWrittenOnce", "evidence could be put over other evidence"),
    ("LocksAreNotBypassed", "an administrator could lift a GOVERNANCE lock"),
];
/// Fourteen days: dead letters must outlive a holiday.
const DEAD_LETTER_RETENTION_S: u64 = 14 * 24 * 60 * 60;
const TEMPLATE: &str = "deploy infra/template.yaml again: it sets this";

/// Asks everything once.
pub(super) fn run(args: &DeploymentArgs, context: &Context) -> Answered {
    let cloud = Cloud::open(&args.stack)?;
    let progress = context.progress("examining the deployment", None);
    let mut examined = Examined { name: args.stack.display().to_string(), checks: Vec::new() };
    for examine in [buckets, tables, queues, functions, keys] {
        examined.checks.extend(examine(&cloud));
        progress.inc(1);
    }
    progress.finish_and_clear();
    // Nothing answered: there is nothing to say about the deployment.
    if examined.checks.iter().all(|check| check.state == State::Open) {
        let why = examined.checks.first().map(|check| check.detail.clone()).unwrap_or_default();
        return Err(Fault::new(
            format!("the deployment of {} answers nothing: {why}", args.stack.display()),
            "see that its endpoint is up and that the environment has credentials for it",
        ));
    }
    Ok(Box::new(examined))
}

fn buckets(cloud: &Cloud) -> Vec<Check> {
    let asked = cloud
        .operator
        .bucket("LedgerBucket")
        .map_err(|error| store_fault(&error))
        .and_then(|bucket| cloud.ask(cloud.operator.bucket_settings(bucket)));
    match asked {
        Ok(settings) => {
            let mut checks = bucket_checks(&settings);
            let least = cloud.lock_policy().map(|policy| policy.classes.least());
            checks.extend(least.ok().map(|least| least_days_check(&settings, least)));
            checks
        }
        Err(fault) => vec![Check::open("the ledger's bucket", &fault)],
    }
}

fn bucket_checks(settings: &BucketSettings) -> Vec<Check> {
    let statements = settings.policy.as_deref().map(statement_ids).unwrap_or_default();
    let mut checks = vec![
        Check::of(
            settings.versioned,
            "the ledger's bucket keeps versions",
            "turn versioning on; without it no lock holds",
        ),
        Check::of(settings.object_lock, "the ledger's bucket can lock objects", "turn Object Lock on for the bucket"),
        Check::of(
            !settings.default_retention,
            "the ledger's bucket has no default retention",
            "remove it: it would lock live checkpoints and partial tiles, which change",
        ),
    ];
    checks.extend(STATEMENTS.map(|(id, otherwise)| {
        let has = statements.iter().any(|statement| statement == id);
        Check::of(has, &format!("its policy says {id}"), &format!("{otherwise}: {TEMPLATE}"))
    }));
    checks
}

/// A bucket that takes shorter locks than the functions are told to set would let others in.
fn least_days_check(settings: &BucketSettings, least: u64) -> Check {
    let policy: Value = settings.policy.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let statements = policy.get("Statement").and_then(Value::as_array).cloned().unwrap_or_default();
    let days = statements.iter().filter(|statement| statement["Sid"] == "EvidenceIsLockedLongEnough").find_map(|one| {
        let days = &one["Condition"]["NumericLessThan"]["s3:object-lock-remaining-retention-days"];
        days.as_u64().or_else(|| days.as_str()?.parse().ok())
    });
    let remedy = format!("its policy and the functions' RETENTION_DAYS ({least}) differ: {TEMPLATE}");
    Check::of(days == Some(least), "its policy refuses locks that are shorter than the functions set", &remedy)
}

fn statement_ids(policy: &str) -> Vec<String> {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = policy.get("Statement").and_then(Value::as_array).cloned().unwrap_or_default();
    let denied = statements.iter().filter(|statement| statement.get("Effect").and_then(Value::as_str) == Some("Deny"));
    denied.filter_map(|statement| statement.get("Sid")?.as_str().map(str::to_owned)).collect()
}

fn tables(cloud: &Cloud) -> Vec<Check> {
    let remedy = format!("turn point-in-time recovery on: {TEMPLATE}");
    let look = |logical: &str| {
        let table = cloud.operator.table(logical).map_err(|error| store_fault(&error))?;
        cloud.ask(cloud.operator.has_recovery(table))
    };
    let control = match look("ControlTable") {
        Ok(on) => Check::of(on, "the control table can be put back to an earlier moment", &remedy),
        Err(fault) => Check::open("the control table's backups", &fault),
    };
    let keys = match look("KeysTable") {
        Ok(true) => Check::of(true, "the keys table can be put back to an earlier moment", ""),
        // A choice: an erasure is final at once.
        Ok(false) => Check::look(
            "the keys table has no point-in-time recovery",
            "meant if KeysPitrDays is 0: an erasure is final at once, and a mistake, too",
        ),
        Err(fault) => Check::open("the keys table's backups", &fault),
    };
    vec![control, keys]
}

fn queues(cloud: &Cloud) -> Vec<Check> {
    let mut checks = Vec::new();
    for (queue, dead) in QUEUES {
        match cloud.ask(cloud.operator.queue_settings(queue)) {
            Ok(settings) => {
                let arn = settings.dead_letter_arn.unwrap_or_default();
                // A queue's name is the end of its URL and of its ARN.
                let name = cloud.operator.queue(dead).ok().and_then(|url| url.rsplit('/').next());
                let right = name.is_some_and(|name| arn.ends_with(&format!(":{name}")));
                checks.push(Check::of(right, &format!("{queue} sends dead letters to {dead}"), TEMPLATE));
            }
            Err(fault) => checks.push(Check::open(queue, &fault)),
        }
        match cloud.ask(cloud.operator.queue_settings(dead)) {
            Ok(settings) => checks.push(Check::of(
                settings.retention_s >= DEAD_LETTER_RETENTION_S,
                &format!("{dead} keeps messages for 14 days"),
                TEMPLATE,
            )),
            Err(fault) => checks.push(Check::open(dead, &fault)),
        }
        match cloud.ask(cloud.operator.depth(dead)) {
            Ok(depth) => {
                let empty = depth.waiting + depth.in_work == 0;
                checks.push(Check::of(empty, &format!("{dead} is empty"), "see `ledgerline status` for what to do"));
            }
            Err(fault) => checks.push(Check::open(dead, &fault)),
        }
    }
    checks
}

fn functions(cloud: &Cloud) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut sharing = Vec::new();
    for (logical, wanted) in FUNCTIONS {
        let Some(name) = cloud.operator.deployment.functions.get(logical) else {
            let remedy = "deploy infra/template.yaml, then write stack.json again";
            checks.push(Check::of(false, &format!("the deployment has {logical}"), remedy));
            continue;
        };
        match cloud.ask(cloud.operator.function_settings(name)) {
            Ok(settings) => {
                checks.push(function_check(name, &settings, wanted));
                if SHARING.contains(&logical) {
                    sharing.push(settings);
                }
            }
            Err(fault) => checks.push(Check::open(name, &fault)),
        }
    }
    checks.push(sharing_check(&sharing));
    checks.extend(sharing.first().map(policy_check));
    checks
}

/// What the functions refuse stops all three at their next start.
fn policy_check(settings: &FunctionSettings) -> Check {
    let read = LockPolicy::read(|variable| settings.variables.get(variable).cloned().unwrap_or_default());
    let what = match &read {
        Ok(policy) => format!("evidence is locked by a policy: {policy}"),
        Err(_) => "evidence is locked by a policy".to_owned(),
    };
    let errors = read.err().unwrap_or_default();
    let wrong = errors.iter().map(|error| format!("{} {error}: {}", error.variable(), error.remedy()));
    Check::of(errors.is_empty(), &what, &wrong.collect::<Vec<_>>().join("; "))
}

/// Another lock or key in one of them: what one writes, the other would call broken.
fn sharing_check(sharing: &[FunctionSettings]) -> Check {
    let differs = |variable: &&str| {
        let mut values = sharing.iter().map(|settings| settings.variables.get(*variable));
        values.next().is_some_and(|first| values.any(|other| other != first))
    };
    let different: Vec<&str> = SHARED.into_iter().filter(|variable| differs(variable)).collect();
    let remedy = format!("{} differ: {TEMPLATE}", different.join(", "));
    Check::of(different.is_empty(), "audit-write, sweep and verify are told the same", &remedy)
}

fn function_check(name: &str, settings: &FunctionSettings, wanted: &[&str]) -> Check {
    let missing: Vec<&str> = wanted
        .iter()
        .copied()
        .filter(|variable| settings.variables.get(*variable).is_none_or(String::is_empty))
        .collect();
    if !missing.is_empty() {
        return Check::of(
            false,
            &format!("{name} has its variables"),
            &format!("{} missing: {TEMPLATE}", missing.join(", ")),
        );
    }
    let active = settings.state.is_empty() || settings.state == "Active";
    Check::of(
        active,
        &format!("{name} is there with its variables"),
        &format!("it is {}: see the Lambda console", settings.state),
    )
}

fn keys(cloud: &Cloud) -> Vec<Check> {
    let asked = cloud.signing_key_id().and_then(|key| cloud.ask(cloud.operator.key_settings(&key)));
    match asked {
        Ok(settings) => key_checks(&settings),
        Err(fault) => vec![Check::open("the signing key", &fault)],
    }
}

fn key_checks(settings: &KeySettings) -> Vec<Check> {
    let spec = settings.spec == "ECC_NIST_EDWARDS25519" && settings.usage == "SIGN_VERIFY";
    let remedy = match settings.state.as_str() {
        "PendingDeletion" => "cancel its deletion today: aws kms cancel-key-deletion; then find out who asked for it",
        "Disabled" => "enable it: aws kms enable-key; commits go on meanwhile, checkpoints do not",
        _ => "see the key in the KMS console",
    };
    vec![
        Check::of(
            settings.state == "Enabled",
            "the signing key is enabled",
            &format!("{} is {}: {remedy}", settings.arn, settings.state),
        ),
        Check::of(
            spec,
            "the signing key signs Ed25519",
            &format!(
                "{} is {} for {}: make one of spec ECC_NIST_EDWARDS25519, usage SIGN_VERIFY",
                settings.arn, settings.spec, settings.usage
            ),
        ),
    ]
}

#[derive(Debug)]
struct Examined {
    name: String,
    checks: Vec<Check>,
}

#[derive(Debug)]
struct Check {
    state: State,
    what: String,
    detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    Look,
    Bad,
    Open,
}

impl Check {
    fn of(good: bool, what: &str, remedy: &str) -> Self {
        let state = if good { State::Good } else { State::Bad };
        Self { state, what: what.to_owned(), detail: if good { String::new() } else { remedy.to_owned() } }
    }

    fn look(what: &str, detail: &str) -> Self {
        Self { state: State::Look, what: what.to_owned(), detail: detail.to_owned() }
    }

    fn open(what: &str, fault: &Fault) -> Self {
        let detail = fault.to_string().replace('\n', " ");
        Self { state: State::Open, what: format!("{what}: could not be asked"), detail }
    }
}

impl Answer for Examined {
    fn outcome(&self) -> Outcome {
        Outcome::of(self.checks.iter().all(|check| matches!(check.state, State::Good | State::Look)))
    }

    fn json(&self) -> Value {
        let checks = self.checks.iter().map(|check| {
            let state = match check.state {
                State::Good => "good",
                State::Look => "look",
                State::Bad => "bad",
                State::Open => "open",
            };
            json!({ "state": state, "what": check.what, "remedy": check.detail })
        });
        json!({ "checks": checks.collect::<Vec<_>>() })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("DOCTOR", &self.name)?;
        for check in &self.checks {
            let mark = match check.state {
                State::Good => Mark::Good,
                State::Look | State::Open => Mark::Look,
                State::Bad => Mark::Bad,
            };
            screen.check(mark, &check.what, &check.detail)?;
        }
        match self.outcome() {
            Outcome::Holds => screen.verdict(Mark::Good, "Everything is set as it must be."),
            Outcome::Broken | Outcome::Unchecked => {
                screen.verdict(Mark::Bad, "Some of it is not; the remedies stand above.")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What doctor asks for, the template sets: an id or a variable that is renamed there must be renamed here.
    #[test]
    fn the_template_has_what_is_asked_for() {
        let template = include_str!("../../../infra/template.yaml");
        for (id, _) in STATEMENTS {
            assert!(template.contains(&format!("Sid: {id}\n")), "{id}");
        }
        for (function, variables) in FUNCTIONS {
            let from = template.find(&format!("\n  {function}:\n")).unwrap_or_else(|| panic!("{function}"));
            let function = &template[from + 1..];
            let end = function.find("\n      Events:").unwrap_or(function.len());
            for variable in variables {
                assert!(function[..end].contains(&format!(" {variable}: ")), "{variable}");
            }
        }
        for (queue, dead) in QUEUES {
            assert!(template.contains(&format!("deadLetterTargetArn: !GetAtt {dead}.Arn")), "{queue}");
        }
    }

    #[test]
    fn functions_that_are_told_different_keys_are_found_out() {
        let told = |key: &str| {
            let mut settings = FunctionSettings::default();
            settings.variables.insert("SIGNING_KEY_ID".to_owned(), key.to_owned());
            settings
        };
        assert_eq!(sharing_check(&[told("k1"), told("k1")]).state, State::Good);
        assert!(sharing_check(&[told("k1"), told("k2")]).detail.contains("SIGNING_KEY_ID"));
    }

    #[test]
    fn a_policy_counts_only_for_what_it_denies() {
        let policy = r#"{"Statement":[{"Sid":"TlsOnly","Effect":"Deny"},{"Sid":"EvidenceIsLocked","Effect":"Allow"}]}"#;
        assert_eq!(statement_ids(policy), ["TlsOnly"]);
        let settings = BucketSettings {
            versioned: true,
            object_lock: true,
            default_retention: false,
            policy: Some(policy.to_owned()),
        };
        let bad = bucket_checks(&settings).into_iter().filter(|check| check.state == State::Bad).count();
        assert_eq!(bad, 4);
    }

    #[test]
    fn days_that_the_bucket_and_the_functions_are_told_apart_are_found_out() {
        let settings = |days: &str| BucketSettings {
            policy: Some(format!(
                r#"{{"Statement":[{{"Sid":"TlsOnly"}},{{"Sid":"EvidenceIsLockedLongEnough","Effect":"Deny","Condition":
                    {{"NumericLessThan":{{"s3:object-lock-remaining-retention-days":{days}}}}}}}]}}"#
            )),
            ..BucketSettings::default()
        };
        for (days, state) in [("30", State::Good), ("\"30\"", State::Good), ("1", State::Bad), ("null", State::Bad)] {
            assert_eq!(least_days_check(&settings(days), 30).state, state, "{days}");
        }
        assert_eq!(least_days_check(&BucketSettings::default(), 30).state, State::Bad);
    }

    #[test]
    fn a_policy_of_locks_that_no_function_takes_is_found_out() {
        let mut settings = FunctionSettings::default();
        for (name, value) in [("LOCK_MODE", "GOVERNANCE"), ("RETENTION_DAYS", "30"), ("RETENTION_CLASSES", "")] {
            settings.variables.insert(name.to_owned(), value.to_owned());
        }
        assert_eq!(policy_check(&settings).state, State::Good);
        settings.variables.insert("RETENTION_CLASSES".to_owned(), "entity=7".to_owned());
        let check = policy_check(&settings);
        assert!(check.state == State::Bad && check.detail.contains("RETENTION_CLASSES"), "{}", check.detail);
    }

    #[test]
    fn a_key_about_to_be_deleted_is_named_with_its_remedy() {
        let key = KeySettings {
            arn: "arn:k".to_owned(),
            state: "PendingDeletion".to_owned(),
            spec: "ECC_NIST_EDWARDS25519".to_owned(),
            usage: "SIGN_VERIFY".to_owned(),
        };
        let checks = key_checks(&key);
        assert_eq!((checks[0].state, checks[1].state), (State::Bad, State::Good));
        assert!(checks[0].detail.contains("cancel-key-deletion"));
    }

    #[test]
    fn a_function_without_a_variable_is_told_which() {
        let mut settings = FunctionSettings { state: "Active".to_owned(), ..FunctionSettings::default() };
        settings.variables.insert("STREAM_NAME".to_owned(), String::new());
        assert!(function_check("redrive", &settings, &["STREAM_NAME"]).detail.contains("STREAM_NAME"));
        settings.variables.insert("STREAM_NAME".to_owned(), "s".to_owned());
        assert_eq!(function_check("redrive", &settings, &["STREAM_NAME"]).state, State::Good);
    }
}
