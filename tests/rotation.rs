//! A signing key's rotation on the local stack: the real command, the real functions under another KMS key, and back.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};
use std::thread;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use aws_sdk_lambda::types::Environment;
use ledgerline_ledger::checkpoint::{UnverifiedCheckpoint, archive_key};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::signing::VerifyingKeys;
use ledgerline_store::watch;
use ledgerline_tests::org::Org;
use ledgerline_tests::stack::{Item, Stack, number};
use serde_json::{Value, json};

const SENDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recompute_root.py");
/// Events per conversation under test.
const EVENTS: u64 = 5;
/// Whoever is told the key.
const FUNCTIONS: [&str; 3] = ["AuditWriteFunction", "SweepFunction", "VerifyFunction"];
const VARIABLE: &str = "SIGNING_KEY_ID";

/// `ledgerline` on the stack, as the tests of the workspace built it; its answer, which must end with `code`.
fn ledgerline(stack: &Stack, on_stack: bool, arguments: &[&str], code: i32) -> Value {
    let binary = xtask::paths::target().join("debug/ledgerline");
    assert!(binary.exists(), "no {}; run: cargo build --package ledgerline-cli", binary.display());
    let mut command = Command::new(binary);
    command.env_clear().args(arguments).arg("--json");
    if on_stack {
        command.arg("--stack").arg(xtask::paths::stack_json());
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command.env("AWS_REGION", &stack.description().region);
    }
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (said, complained) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert_eq!(status.code(), Some(code), "{arguments:?}: {said}{complained}");
    serde_json::from_str(&said).unwrap()
}

/// The stack's keys and the functions that use them.
struct Keys<'a> {
    stack: &'a Stack,
    kms: aws_sdk_kms::Client,
}

impl<'a> Keys<'a> {
    fn of(stack: &'a Stack) -> Self {
        Self { stack, kms: aws_sdk_kms::Client::new(&stack.block(stack.description().sdk_config())) }
    }

    /// A key that the functions may use: a deployment with another `RotatedSigningKeyArn` allows it by their roles, this key by
    /// its own policy.
    fn create(&self) -> String {
        let roles = FUNCTIONS.map(|logical| self.stack.deployed(logical).role.unwrap());
        let account = roles[0].split(':').nth(4).unwrap();
        let allow = |principal: Value, actions: Value| json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions, "Resource": "*"});
        let policy = json!({ "Version": "2012-10-17", "Statement": [
            allow(json!(format!("arn:aws:iam::{account}:root")), json!("kms:*")),
            allow(json!(roles), json!(["kms:Sign", "kms:GetPublicKey"])),
        ]});
        let create = self.kms.create_key().key_spec(KeySpec::from("ECC_NIST_EDWARDS25519")).policy(policy.to_string());
        let created = self.stack.block(create.key_usage(KeyUsageType::SignVerify).send()).unwrap();
        created.key_metadata.unwrap().arn.unwrap()
    }

    fn function(&self, logical: &str) -> &str {
        &self.stack.description().functions[logical]
    }

    fn variables(&self, logical: &str) -> std::collections::HashMap<String, String> {
        self.stack.deployed(logical).environment.unwrap().variables.unwrap()
    }

    fn deployed(&self) -> String {
        self.variables(FUNCTIONS[0])[VARIABLE].clone()
    }

    /// What a deployment with another `RotatedSigningKeyArn` does to the functions.
    fn deploy(&self, key: &str) {
        for logical in FUNCTIONS {
            let mut variables = self.variables(logical);
            variables.insert(VARIABLE.to_owned(), key.to_owned());
            let environment = Environment::builder().set_variables(Some(variables)).build();
            let update = self.stack.lambda.update_function_configuration().function_name(self.function(logical));
            self.stack.block(update.environment(environment).send()).unwrap();
            self.stack.wait_for("the key to be deployed", || {
                let now = self.variables(logical)[VARIABLE].clone();
                if now == key { Ok(()) } else { Err(format!("{logical} has {now}")) }
            });
        }
    }

    /// One run of the scheduled verification, which remembers a log at a size only if it found nothing wrong with it.
    fn verify(&self, log: &Log<'_>, size: u64) -> Vec<String> {
        let said = self.stack.invoke("VerifyFunction", &json!({}));
        let key = watch::key(&LogId::parse(&log.name).unwrap());
        let memory = self.stack.item("ControlTable", &key).unwrap_or_default();
        assert_eq!(number(&memory, "size"), size, "{said}");
        texts(&memory, "keys")
    }
}

/// The org's log of conversations.
struct Log<'a> {
    org: Org<'a>,
    name: String,
}

impl Log<'_> {
    fn head(&self) -> Item {
        self.org.stack.head(&self.name).unwrap_or_default()
    }

    fn signing_keys(&self) -> Vec<String> {
        texts(&self.head(), "signingKeys")
    }

    /// Sends one more conversation and waits until a checkpoint covers everything up to `size`.
    fn grow(&self, size: u64) {
        let venv = xtask::tools::Venv::stack().unwrap_or_else(|fault| panic!("{fault}"));
        let (description, events) = (xtask::paths::stack_json(), EVENTS.to_string());
        let sender = [SENDER, description.to_str().unwrap(), "--org", &self.org.name, "--send", &events];
        let sent = venv.command("python").args(sender).output().unwrap();
        assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
        self.org.stack.signed(&self.name, size);
    }

    /// Whether the checkpoint of a size verifies under this key alone.
    fn is_signed_by(&self, size: u64, vkey: &str) -> bool {
        let key = archive_key(&LogId::parse(&self.name).unwrap(), size);
        let (note, _) = self.org.stack.object("LedgerBucket", &key);
        let keys = VerifyingKeys::parse([vkey]).unwrap();
        UnverifiedCheckpoint::parse(&note).unwrap().verify(&keys).is_ok()
    }
}

fn texts(item: &Item, name: &str) -> Vec<String> {
    let Some(AttributeValue::L(values)) = item.get(name) else { return Vec::new() };
    values.iter().map(|value| value.as_s().unwrap().clone()).collect()
}

/// Announces a key in all of the stack's logs; it may sign each of them afterwards. The command waits for checkpoints of the
/// announcements, so that it is swept meanwhile.
fn rotate(stack: &Stack, key: &str) {
    // Logs of other tests may not have signed under the key that one turns back from.
    let command = ["rotate-key", "--new-key", key, "--turn-back", "--timeout", "15"];
    let told = thread::scope(|scope| {
        let running = scope.spawn(|| ledgerline(stack, true, &command, 0));
        while !running.is_finished() {
            stack.sweep();
        }
        running.join().unwrap()
    });
    let steps: Vec<&Value> = told["logs"].as_array().unwrap().iter().map(|log| &log["step"]).collect();
    assert!(!steps.is_empty() && steps.iter().all(|step| **step == "allowed"), "{told}");
}

#[test]
fn a_log_goes_on_under_another_kms_key_and_holds_from_the_first_one() {
    let Some(stack) = Stack::running() else { return };
    let keys = Keys::of(&stack);
    let org = Org::new(&stack, "rotation");
    let name = format!("{}/interaction/1/0", org.name);
    let log = Log { org, name };
    let (old, new) = (keys.deployed(), keys.create());
    log.grow(EVENTS);
    let [first]: [String; 1] = log.signing_keys().try_into().unwrap();
    assert!(log.is_signed_by(EVENTS, &first));
    assert_eq!(keys.verify(&log, EVENTS), [first.as_str()]);

    rotate(&stack, &new);
    let announced = EVENTS + 1;
    stack.signed(&log.name, announced);
    let [_, second]: [String; 2] = log.signing_keys().try_into().unwrap();
    assert!(log.is_signed_by(announced, &first) && !log.is_signed_by(announced, &second));

    keys.deploy(&new);
    log.grow(announced + EVENTS);
    assert!(log.is_signed_by(announced + EVENTS, &second));
    assert_eq!(log.signing_keys(), [second.as_str()], "the old key is retired");
    assert_eq!(keys.verify(&log, announced + EVENTS), [first.as_str(), second.as_str()]);
    // Again is nothing more; and the old key vouches for the new one.
    rotate(&stack, &new);
    let verify = ["verify", "--log", &log.name, "--key", &first];
    let verified = ledgerline(&stack, true, &verify, 0);
    assert_eq!(verified["logs"][0]["keys"], json!([first, second]), "{verified}");
    assert_eq!(verified["logs"][0]["signed"], announced + EVENTS);

    // Back to the stack's own key, as other tests and a later deployment expect it: by another rotation, no other way.
    rotate(&stack, &old);
    keys.deploy(&old);
    let size = announced + EVENTS + 1 + EVENTS;
    log.grow(size);
    assert!(log.is_signed_by(size, &first));
    ledgerline(&stack, true, &verify, 0);
    let folder = xtask::paths::target().join("tmp").join(format!("rotated-{}", log.org.name));
    let _ = std::fs::remove_dir_all(&folder);
    let folder = folder.to_str().unwrap();
    ledgerline(&stack, true, &["export", "--log", &log.name, "--out", folder], 0);
    ledgerline(&stack, false, &["verify", folder, "--key", &first], 0);
    keys.verify(&log, size);
}
