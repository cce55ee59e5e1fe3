//! Act 1, its end: who may read whom the identity audit was about.
//!
//! Invariant: the refusals are KMS's own, of the call that opens the month's private key, made in the functions' roles. What is
//! opened is opened by the opener in `docs/`, from the stored rows, with the account's credentials.

use std::io::{self, Write};

use aws_config::SdkConfig;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use ledgerline_store::month_key;
use ledgerline_store::table::Value as Attribute;
use ledgerline_traffic::stack::{Stack, unread};
use serde_json::{Map, Value};
use xtask::fault::Fault;
use xtask::paths;
use xtask::tools::Venv;

use super::caller::shown;
use super::chain::Chain;
use super::folder;
use super::lock::attempt;
use super::report::{Attempt, Check, Identity, Opened, Sealed, Span};
use super::screen::Screen;

/// Has the functions ask for the month's private key, then has its holder open an entry's blocks.
pub(super) async fn ask(chain: &Chain, entry: &Map<String, Value>, now_ms: i64) -> Result<Sealed, Fault> {
    let config = chain.stack.sdk_config().await;
    let transform = deployed(chain, &config, "TransformFunction").await?;
    let variables = transform.environment().and_then(|environment| environment.variables());
    let variable = |name: &str| {
        let value = variables.and_then(|variables| variables.get(name)).cloned();
        value.ok_or_else(|| Fault::new(format!("transform has no {name}"), DEPLOY_AGAIN))
    };
    let (deployment, data_key) = (variable("DEPLOYMENT_ID")?, variable("DATA_KEY_ID")?);
    let month = month_key::of_time(now_ms);
    let wrapped = wrapped(chain, &month).await?;
    let mut attempts = Vec::new();
    for (logical, name) in FUNCTIONS {
        let function = deployed(chain, &config, logical).await?;
        let kms = aws_sdk_kms::Client::new(&assumed(chain, &config, function.role().unwrap_or_default()).await?);
        let open = kms.decrypt().key_id(&data_key).ciphertext_blob(Blob::new(wrapped.as_slice()));
        let open = open.encryption_context("deployment", &deployment).encryption_context("version", &month);
        let answer = open.encryption_context("purpose", month_key::PURPOSE).send().await;
        attempts.push(attempt(&format!("{name} asks for the key"), "Decrypt", answer.map(|_| ())));
    }
    Ok(Sealed { attempts, opened: opened(&chain.stack, &deployment, entry)? })
}

/// Shows the refusals, and what is sealed beside what its holder reads.
pub(super) fn tell(screen: &mut Screen<impl Write>, identity: &Identity) -> io::Result<()> {
    screen.gap()?;
    screen.say(
        "Who it was is in the entry, sealed, until the key is destroyed. Neither the function that sealed it nor the one that \
         answers access requests may open it; the holder of the month's private key may:",
    )?;
    screen.gap()?;
    for attempt in &identity.sealed.attempts {
        screen.stamp(&attempt.what, &attempt.code, is_refused(attempt))?;
    }
    screen.gap()?;
    let spans = |text: &str, personal| vec![Span { text: text.to_owned(), personal }];
    let kept = identity.entry.iter().filter(|(path, _)| path == "keyIds" || path.starts_with("sealed/"));
    let kept: Vec<_> = kept.map(|(path, value)| (path.clone(), spans(&shown(value), false))).collect();
    let content = identity.sealed.opened.iter().flat_map(|block| &block.content);
    let read: Vec<_> = content.map(|(name, value)| (name.clone(), spans(&shown(value), name != "raw"))).collect();
    screen.beside(("As the ledger keeps it: sealed", &kept), ("As the key's holder reads it", &read))
}

/// Whether the functions were refused, and the holder read whom the audit names.
pub(super) fn checks(event: &Value, entry: &Map<String, Value>, sealed: &Sealed) -> [Check; 2] {
    let check = |name: &str, passed: bool, detail: String, remedy: &str| Check {
        name: name.to_owned(),
        passed,
        detail,
        remedy: (!passed).then(|| remedy.to_owned()),
    };
    let refused = !sealed.attempts.is_empty() && sealed.attempts.iter().all(is_refused);
    let answers: Vec<String> =
        sealed.attempts.iter().map(|one| format!("{}: {} {}", one.what, one.status, one.code)).collect();
    let blocks = entry.get("sealed").and_then(Value::as_array).map_or(0, Vec::len);
    let content = || sealed.opened.iter().flat_map(|block| &block.content).map(|(_, value)| value);
    let is_read = |place: &&&str| {
        // Several of one kind are an array.
        let holds = |value: &Value, named| value == named || value.as_array().is_some_and(|all| all.contains(named));
        event.pointer(place).is_some_and(|named| content().any(|value| holds(value, named)))
    };
    let read = NAMED.iter().filter(is_read).count();
    [
        check(
            "No function opens what is sealed",
            refused,
            answers.join("; "),
            "a role may use the data key with purpose=party: see infra/template.yaml",
        ),
        check(
            "The holder of the month's private key reads who it was",
            blocks > 0 && sealed.opened.len() == blocks && read == NAMED.len(),
            format!(
                "{} of {blocks} blocks opened; {read} of {} names of the person read",
                sealed.opened.len(),
                NAMED.len()
            ),
            "have docs/open_sealed.py say why: target/demo/identity.jsonl has the entry",
        ),
    ]
}

fn is_refused(attempt: &Attempt) -> bool {
    attempt.code == "AccessDeniedException"
}

/// How a function is deployed.
pub(super) async fn deployed(
    chain: &Chain,
    config: &SdkConfig,
    logical: &str,
) -> Result<GetFunctionConfigurationOutput, Fault> {
    let name = chain.stack.functions.get(logical);
    let name = name.ok_or_else(|| Fault::new(format!("stack.json names no {logical}"), DEPLOY_AGAIN))?;
    let asked = aws_sdk_lambda::Client::new(config).get_function_configuration().function_name(name).send().await;
    asked.map_err(|error| chain.stack.unreachable(format!("cannot ask for {name}"), error.into_source()))
}

/// The stack's settings, in a role.
async fn assumed(chain: &Chain, config: &SdkConfig, role: &str) -> Result<SdkConfig, Fault> {
    let what = || format!("cannot assume {role}");
    let asked = aws_sdk_sts::Client::new(config).assume_role().role_arn(role).role_session_name("demo").send().await;
    let session = asked.map_err(|error| chain.stack.unreachable(what(), error.into_source()))?;
    let session = session.credentials.ok_or_else(|| Fault::new(what(), DEPLOY_AGAIN))?;
    let (key, secret, token) = (session.access_key_id, session.secret_access_key, session.session_token);
    let provider = SharedCredentialsProvider::new(Credentials::new(key, secret, Some(token), None, "demo"));
    Ok(config.clone().into_builder().credentials_provider(provider).build())
}

/// The month's private key, as KMS wrapped it.
async fn wrapped(chain: &Chain, month: &str) -> Result<Vec<u8>, Fault> {
    let control = chain.stack.rows_of(&chain.clients, "ControlTable")?;
    let row = control.get("read the month's key", &month_key::key(month)).await.map_err(unread)?;
    match row.and_then(|mut row| row.remove("wrapped")) {
        Some(Attribute::B(wrapped)) => Ok(wrapped),
        _ => Err(Fault::new(format!("there is no key of {month}"), "read what sweep logs")),
    }
}

/// Has the opener in Python open an entry's blocks.
fn opened(stack: &Stack, deployment: &str, entry: &Map<String, Value>) -> Result<Vec<Opened>, Fault> {
    let file = folder().join("identity.jsonl");
    paths::write(&file, &(Value::from(entry.clone()).to_string() + "\n"))?;
    let mut python = Venv::stack()?.command("python");
    python.arg(paths::root().join("docs/open_sealed.py")).arg(&file).args(["--deployment", deployment]);
    python.args(["--control", stack.table("ControlTable")?, "--keys-table", stack.table("KeysTable")?]);
    python.args(["--endpoint", &stack.endpoint]).env("AWS_DEFAULT_REGION", &stack.region);
    python.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    python.env_remove("AWS_SESSION_TOKEN").env_remove("AWS_PROFILE");
    let remedy = "look at docs/open_sealed.py";
    let output = python.output().map_err(|error| Fault::caused_by("cannot start the opener", error, remedy))?;
    // 1: some block did not open, which the check says.
    if !matches!(output.status.code(), Some(0 | 1)) {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Fault::new(format!("the opener ended with {}: {said}", output.status), remedy));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(block).collect())
}

/// A block that the opener says it opened.
fn block(line: &str) -> Option<Opened> {
    let told: Value = serde_json::from_str(line).ok()?;
    let content = told["opened"].as_object()?.clone();
    let text = |name: &str| told[name].as_str().map(str::to_owned);
    Some(Opened { party: text("party")?, key_id: text("keyId")?, content: content.into_iter().collect() })
}

/// The function that seals, and the one that answers access requests.
const FUNCTIONS: [(&str, &str); 2] = [("TransformFunction", "transform"), ("DsarFunction", "dsar")];

/// Where the audit says who it was; an audit that is shown has both.
const NAMED: [&str; 2] = ["/auditEvent/resolvedCustomerId", "/auditEvent/piiContext/phoneHash"];

pub(super) const DEPLOY_AGAIN: &str = "deploy the current template: cargo xtask down; cargo xtask up";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::report::sample;
    use super::*;

    #[test]
    fn the_checks_want_both_refusals_and_everything_opened() {
        let sealed = sample::report().identity.sealed;
        let told = |name: &str| sealed.opened[0].content.iter().find(|(of, _)| of == name).unwrap().1.clone();
        let event = json!({"auditEvent": {"resolvedCustomerId": told("customer_id_hash"),
            "piiContext": {"phoneHash": told("phone_hash")}}});
        let entry = json!({"sealed": [{}]}).as_object().unwrap().clone();
        let passed = |sealed: &Sealed| checks(&event, &entry, sealed).map(|check| check.passed);
        assert_eq!(passed(&sealed), [true, true]);
        let mut allowed = sealed.clone();
        allowed.attempts[1].code.clear();
        assert_eq!(passed(&allowed), [false, true]);
        assert_eq!(passed(&Sealed { attempts: Vec::new(), ..sealed.clone() }), [false, true]);
        let mut another = sealed.clone();
        another.opened[0].content.retain(|(name, _)| name != "customer_id_hash");
        assert_eq!(passed(&another), [true, false]);
        assert_eq!(passed(&Sealed { opened: Vec::new(), ..sealed }), [true, false]);
    }

    #[test]
    fn only_what_was_opened_is_read() {
        let line = |member: &str| format!(r#"{{"eventId":"e","party":"customer","keyId":"k",{member}}}"#);
        let opened = block(&line(r#""opened":{"phone":"+1"}"#)).unwrap();
        assert_eq!((opened.party.as_str(), opened.content.len()), ("customer", 1));
        assert!(block(&line(r#""notOpened":"no key of this id""#)).is_none() && block("could not").is_none());
    }
}
