//! The operator's and the auditor's command on the local stack: what it says of sound evidence, and of a changed byte.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use ledgerline_aws::table::DynamoTable;
use ledgerline_store::held::Held;
use ledgerline_store::{posting, record};
use ledgerline_tests::access::ask;
use ledgerline_tests::org::Org;
use ledgerline_tests::stack::{Stack, key_of, text};
use serde_json::{Value, json};

/// What an exported folder carries to check itself with Python's hashlib and `cryptography` alone.
const CHECKER: &str = "verify_export.py";
const SENDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recompute_root.py");
/// Entries in the log under test.
const ENTRIES: u64 = 300;

/// `ledgerline`, as the tests of the workspace built it, without anything of this process's environment.
pub(crate) fn ledgerline(stack: Option<&Stack>, arguments: &[&str]) -> Output {
    command(stack, arguments).output().unwrap()
}

/// The same with something to read.
fn ledgerline_reading(stack: &Stack, arguments: &[&str], input: &str) -> Output {
    let mut command = command(Some(stack), arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn command(stack: Option<&Stack>, arguments: &[&str]) -> Command {
    let binary = xtask::paths::target().join("debug/ledgerline");
    assert!(binary.exists(), "no {}; run: cargo build --package ledgerline-cli", binary.display());
    let mut command = Command::new(binary);
    command.env_clear().args(arguments);
    if let Some(stack) = stack {
        command.arg("--stack").arg(xtask::paths::stack_json());
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command.env("AWS_REGION", &stack.description().region);
    }
    command
}

/// The JSON answer of a command that ended with `code`.
pub(crate) fn answer(output: &Output, code: i32) -> Value {
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{said}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&said).unwrap()
}

fn python(arguments: &[&str]) -> Output {
    let venv = xtask::tools::Venv::stack().unwrap_or_else(|fault| panic!("{fault}"));
    venv.command("python").args(arguments).output().unwrap()
}

/// An org whose interaction log is committed and signed whole, and that log's name.
fn signed<'a>(stack: &'a Stack, what: &str) -> (Org<'a>, String) {
    let org = Org::new(stack, what);
    let log = format!("{}/interaction/1/0", org.name);
    grow(&org, &log, ENTRIES, ENTRIES);
    (org, log)
}

/// Sends events of one more conversation, and waits until a checkpoint covers all `size` entries of the log.
fn grow(org: &Org<'_>, log: &str, events: u64, size: u64) {
    let (stack, description) = (org.stack, xtask::paths::stack_json());
    let sent = python(&[SENDER, description.to_str().unwrap(), "--org", &org.name, "--send", &events.to_string()]);
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    stack.signed(log, size);
}

fn exported(stack: &Stack, log: &str) -> PathBuf {
    let folder = xtask::paths::target().join("tmp").join(format!("export-{}", log.replace('/', "_")));
    let _ = std::fs::remove_dir_all(&folder);
    let output = ledgerline(Some(stack), &["export", "--json", "--log", log, "--out", folder.to_str().unwrap()]);
    answer(&output, 0);
    folder
}

fn vkey(folder: &Path) -> String {
    let key = std::fs::read_dir(folder.join("keys")).unwrap().next().unwrap().unwrap().path();
    std::fs::read_to_string(key).unwrap().trim().to_owned()
}

#[test]
fn an_export_verifies_offline_here_and_in_python_and_one_flipped_byte_is_named() {
    let Some(stack) = Stack::running() else { return };
    let (org, log) = signed(&stack, "export");
    let folder = exported(&stack, &log);
    let (path, key) = (folder.to_str().unwrap(), vkey(&folder));

    let verified = answer(&ledgerline(None, &["verify", "--json", path, "--key", &key]), 0);
    assert_eq!(verified["logs"][0]["entries"], ENTRIES);
    assert_eq!(verified["logs"][0]["signed"], ENTRIES);
    let by_hand = python(&[folder.join(CHECKER).to_str().unwrap(), path]);
    assert!(by_hand.status.success(), "{}", String::from_utf8_lossy(&by_hand.stderr));
    let said = String::from_utf8_lossy(&by_hand.stdout).into_owned();
    assert!(said.contains(verified["logs"][0]["root"].as_str().unwrap()), "another root: {said}");

    let proofs = folder.join("proofs");
    let proved =
        ["prove", "--json", "--index", "257", "--log", &log, "--folder", path, "--out", proofs.to_str().unwrap()];
    answer(&ledgerline(None, &proved), 0);
    let mut files = std::fs::read_dir(&proofs).unwrap().map(|file| file.unwrap().path());
    let proof = files.find(|file| file.extension().is_some_and(|extension| extension == "tlog-proof")).unwrap();
    answer(&ledgerline(None, &["check-proof", "--json", proof.to_str().unwrap(), "--key", &key]), 0);

    let segment = stack.keys("LedgerBucket", &format!("ledger/{}/interaction/1/0/segment/", org.name)).remove(0);
    let mut bytes = std::fs::read(folder.join(&segment)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(folder.join(&segment), bytes).unwrap();
    let broken = answer(&ledgerline(None, &["verify", "--json", path, "--key", &key]), 1);
    assert!(broken["findings"].as_array().unwrap().iter().any(|finding| finding["key"] == segment), "{broken}");
    assert!(!python(&[folder.join(CHECKER).to_str().unwrap(), path]).status.success());
}

#[test]
fn the_stack_itself_verifies_and_its_index_is_what_the_segments_say() {
    let Some(stack) = Stack::running() else { return };
    let (_, log) = signed(&stack, "operator");
    let verified = answer(&ledgerline(Some(&stack), &["verify", "--json", "--log", &log]), 0);
    assert_eq!(verified["logs"][0]["entries"], ENTRIES);
    for command in ["rebuild-postings", "rebuild-tiles"] {
        answer(&ledgerline(Some(&stack), &[command, "--json", "--log", &log]), 0);
    }
}

#[test]
fn postings_that_were_removed_or_altered_are_named_and_written_again_as_they_were() {
    let Some(stack) = Stack::running() else { return };
    let (org, log) = signed(&stack, "rebuild");
    // Another conversation, later: at least two rows.
    grow(&org, &log, 20, ENTRIES + 20);
    let partition = record::partition(&format!("{}/", org.name));
    let postings = || {
        let mut rows = stack.items("IndexTable", &partition);
        rows.retain(|row| posting::is_key(&key_of(row)));
        rows.sort_by_key(|row| (text(row, "pk"), text(row, "sk")));
        rows
    };
    let before = postings();
    let (removed, altered) = (&before[0], before.last().unwrap());
    let table = stack.description().table("IndexTable").unwrap();
    let delete = stack.dynamodb.delete_item().table_name(table).key("pk", removed["pk"].clone());
    stack.block(delete.key("sk", removed["sk"].clone()).send()).unwrap();
    let mut other = altered.clone();
    other.insert("members".to_owned(), aws_sdk_dynamodb::types::AttributeValue::L(Vec::new()));
    stack.block(stack.dynamodb.put_item().table_name(table).set_item(Some(other)).send()).unwrap();

    let command = ["rebuild-postings", "--json", "--log", &log];
    let named = answer(&ledgerline(Some(&stack), &command), 1);
    assert_eq!(
        (named["missing"].as_array().unwrap().len(), named["differs"].as_array().unwrap().len()),
        (1, 1),
        "{named}"
    );
    assert_ne!(postings(), before, "it was only to look");
    let written = answer(&ledgerline(Some(&stack), &[&command[..], &["--write"]].concat()), 0);
    assert_eq!(written["written"], 2, "{written}");
    assert_eq!(postings(), before, "the rows are not what they were");
}

#[test]
fn a_lock_that_was_shortened_is_named_and_made_as_long_as_the_policy_asks() {
    let Some(stack) = Stack::running() else { return };
    let (org, log) = signed(&stack, "short");
    let key = stack.keys("LedgerBucket", &format!("ledger/{}/interaction/1/0/segment/", org.name)).remove(0);
    let (bucket, (_, version)) = (stack.bucket("LedgerBucket"), stack.object("LedgerBucket", &key));
    let held = || {
        let asked = stack.s3.get_object_retention().bucket(bucket).key(&key).version_id(&version).send();
        stack.block(asked).unwrap().retention().unwrap().clone()
    };
    let before = held();
    let until_s = before.retain_until_date().unwrap().secs();
    // What the bucket's policy refuses in an account; the emulator has none.
    let sooner = aws_sdk_s3::primitives::DateTime::from_secs(until_s - 12 * 3_600);
    let shorter = aws_sdk_s3::types::ObjectLockRetention::builder()
        .mode(before.mode().unwrap().clone())
        .retain_until_date(sooner)
        .build();
    let shorten = stack.s3.put_object_retention().bucket(bucket).key(&key).version_id(&version).retention(shorter);
    stack.block(shorten.bypass_governance_retention(true).send()).unwrap();

    let named = |found: &Value| found["short"].as_array().unwrap().iter().any(|short| short["key"] == key);
    let verify = ["verify", "--json", "--log", &log];
    let broken = answer(&ledgerline(Some(&stack), &verify), 1);
    assert_eq!(broken["findings"].as_array().unwrap().len(), 1, "{broken}");
    assert_eq!(
        (&broken["findings"][0]["kind"], &broken["findings"][0]["key"]),
        (&"lock_too_short".into(), &Value::from(key.as_str()))
    );
    assert!(named(&answer(&ledgerline(Some(&stack), &["retention", "--json"]), 1)));

    // Whether all is well depends on what other tests do to their own evidence.
    let extended = ledgerline(Some(&stack), &["retention", "--json", "--extend"]);
    let extended: Value = serde_json::from_slice(&extended.stdout).unwrap();
    assert!(
        extended["extended"].as_array().unwrap().iter().any(|one| one["key"] == key) && !named(&extended),
        "{extended}"
    );
    assert!(held().retain_until_date().unwrap().secs() > until_s - 3_600 - 120, "a day from its writing, or more");
    answer(&ledgerline(Some(&stack), &verify), 0);
}

#[test]
fn a_partial_tile_that_vanished_is_named_and_put_again_and_the_log_goes_on() {
    let Some(stack) = Stack::running() else { return };
    let (org, log) = signed(&stack, "tiles");
    let tile = format!("tile/0/001.p/{}", ENTRIES - 256);
    let key = format!("ledger/{log}/{tile}");
    let (before, _) = stack.object("LedgerBucket", &key);
    let delete = stack.s3.delete_object().bucket(stack.bucket("LedgerBucket")).key(&key);
    stack.block(delete.send()).unwrap();

    let command = ["rebuild-tiles", "--json", "--log", &log];
    let named = answer(&ledgerline(Some(&stack), &command), 1);
    assert_eq!(named["logs"][0]["missing"], serde_json::json!([tile]), "{named}");
    let written = answer(&ledgerline(Some(&stack), &[&command[..], &["--write"]].concat()), 0);
    assert_eq!(written["logs"][0]["written"], 1, "{written}");
    assert_eq!(stack.object("LedgerBucket", &key).0, before);
    grow(&org, &log, 20, ENTRIES + 20);
    answer(&ledgerline(Some(&stack), &command), 0);
}

#[test]
fn a_witness_cosigns_what_only_grew_and_nothing_that_shrank() {
    let Some(stack) = Stack::running() else { return };
    let (org, log) = signed(&stack, "witness");
    let folder = exported(&stack, &log);
    let (key, desk) = (vkey(&folder), folder.with_extension("witness"));
    let path = |name: &str| desk.join(name).to_str().unwrap().to_owned();
    let (secret, state, out) = (path("key"), path("state.json"), path(""));
    std::fs::create_dir_all(&desk).unwrap();
    let witness = ["witness", "--json", "--name", "witness.example.com/w1", "--key", &key];
    let desk = ["--key-file", &secret, "--state", &state, "--out", &out];
    let witness = [&witness[..], &desk[..]].concat();

    let first = answer(&ledgerline(Some(&stack), &witness), 0);
    assert_eq!(first["logs"][0]["size"], ENTRIES);
    let (eye, note) = (first["witness"].as_str().unwrap(), first["logs"][0]["cosigned"].as_str().unwrap());
    let verify = ["verify", "--json", "--log", &log, "--key", &key, "--witness", eye];
    answer(&ledgerline(Some(&stack), &verify), 1);
    let verified = answer(&ledgerline(Some(&stack), &[&verify[..], &["--cosigned", note]].concat()), 0);
    assert_eq!(verified["logs"][0]["witnessed"], ENTRIES);

    grow(&org, &log, 20, ENTRIES + 20);
    assert_eq!(answer(&ledgerline(Some(&stack), &witness), 0)["logs"][0]["size"], ENTRIES + 20);
    let (seen, cosigned) = (std::fs::read(&state).unwrap(), std::fs::read(note).unwrap());
    let exported = folder.to_str().unwrap();
    let shrunk = answer(&ledgerline(None, &[&witness[..], &[exported]].concat()), 1);
    assert!(shrunk["logs"][0]["problem"].as_str().unwrap().contains("shrank"), "{shrunk}");
    assert_eq!((std::fs::read(&state).unwrap(), std::fs::read(note).unwrap()), (seen, cosigned));
}

#[test]
fn a_hold_locks_every_segment_of_a_record_and_is_an_entry_until_it_is_lifted() {
    let Some(stack) = Stack::running() else { return };
    let (org, log) = signed(&stack, "hold");
    let entry = org.entries().remove(0);
    let record = entry["interactionId"].as_str().unwrap().to_owned();
    let named = ["--org", &org.name, "--hold", "matter-7", record.as_str()];
    let place =
        ["hold", "place", "--json", "--purpose", "litigation", "--basis", "legal-claims", "--review", "2027-01-31"];
    for _ in 0..2 {
        // Placing it twice changes nothing.
        answer(&ledgerline(Some(&stack), &[&place[..], &named[..]].concat()), 0);
    }
    let held = |stack: &Stack| {
        let segment = stack.keys("LedgerBucket", &format!("ledger/{log}/segment/")).remove(0);
        let ask = stack.s3.get_object_legal_hold().bucket(stack.bucket("LedgerBucket")).key(segment);
        let status = stack.block(ask.send()).ok().and_then(|answer| answer.legal_hold?.status);
        status == Some(aws_sdk_s3::types::ObjectLockLegalHoldStatus::On)
    };
    let control = DynamoTable::new(stack.dynamodb.clone(), stack.description().table("ControlTable").unwrap());
    let (records_held, key) = (Held::new(Arc::new(control)), format!("{}/{record}", org.name));
    let is_noted = || stack.block(records_held.is_held(&key)).unwrap();
    assert!(held(&stack) && is_noted(), "the segment is not held, or the record's row does not say so");
    let entries_of = |kind: &str| org.entries().iter().filter(|entry| entry["type"] == kind).count();
    let committed = |kind: &str| {
        stack.wait_for(kind, || match entries_of(kind) {
            1 => Ok(()),
            other => Err(format!("{other} entries")),
        });
    };
    committed("HOLD_PLACED");
    answer(&ledgerline(Some(&stack), &[&["hold", "lift", "--json"], &named[..]].concat()), 0);
    assert!(!held(&stack) && !is_noted(), "the segment is still held, or the record's row says so");
    committed("HOLD_LIFTED");
}

#[test]
fn what_a_shared_subject_is_linked_to_is_named_and_nothing_more_is_linked() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "shared");
    // Of this test alone: what was shared once is never answered completely again.
    let line = format!("email:{}@example.com\n", org.name);
    let email = line.trim_start_matches("email:").trim();
    let send = |interaction: &str| {
        let event = json!({"interactionId": interaction, "timestamp": "2026-03-02T14:00:00Z", "eventType": "answered",
            "orgId": org.name, "customerEmail": email});
        stack.send(&[event.to_string().into_bytes()]);
    };
    let answered = || {
        let body = json!({ "identifiers": [{ "kind": "email", "value": email }] });
        let (status, answer) = ask(&stack, Some(&stack.description().api_key), &body);
        assert_eq!(status, 200, "{answer}");
        let interactions = answer["interactions"].as_array().unwrap().iter();
        let entries = |one: &Value| one["entries"].as_array().unwrap().len();
        let named: Vec<(String, usize)> =
            interactions.map(|one| (one["interactionId"].as_str().unwrap().to_owned(), entries(one))).collect();
        (named, answer["customer"]["shared"] == true, answer["complete"] == true)
    };
    let named = |all: &[(&str, usize)]| all.iter().map(|(id, n)| ((*id).to_owned(), *n)).collect::<Vec<_>>();

    let in_org = ["subject", "share", "-", "--org", &org.name, "--json"];
    let unknown = answer(&ledgerline_reading(&stack, &in_org, &line), 2);
    assert!(unknown["error"]["what"].as_str().unwrap().contains("nobody is known"), "{unknown}");
    send("i-1");
    org.committed(1);
    assert_eq!(answered(), (named(&[("i-1", 1)]), false, true));

    let shared = answer(&ledgerline_reading(&stack, &in_org, &line), 0);
    assert_eq!((&shared["org"], &shared["kind"]), (&json!(org.name), &json!("email")));
    assert_eq!((&shared["changed"], &shared["links"], &shared["missed"]), (&json!(true), &json!(1), &json!(true)));
    let subject = shared["subject"].as_str().unwrap();
    let again = answer(&ledgerline(Some(&stack), &["subject", "share", subject, "--json"]), 0);
    assert_eq!((&again["changed"], &again["sharedAt"]), (&json!(false), &shared["sharedAt"]));
    assert_eq!(answered(), (named(&[("i-1", 0)]), true, false));
    send("i-2");
    org.committed(2);
    assert_eq!(answered(), (named(&[("i-1", 0)]), true, false));

    let unshared = answer(&ledgerline(Some(&stack), &["subject", "unshare", subject, "--json"]), 0);
    assert_eq!(
        (&unshared["changed"], &unshared["shared"], &unshared["missed"]),
        (&json!(true), &json!(false), &json!(true))
    );
    send("i-3");
    org.committed(3);
    assert_eq!(answered(), (named(&[("i-1", 1), ("i-3", 1)]), false, false));
    let shown = answer(&ledgerline(Some(&stack), &["subject", "show", subject, "--json"]), 0);
    assert_eq!((&shown["links"], &shown["sharedAt"]), (&json!(2), &Value::Null));
}

#[test]
fn a_number_of_the_companys_own_is_nobodys_and_the_customer_beside_it_is_found() {
    let Some(stack) = Stack::running() else { return };
    let send = |org: &str, interaction: &str, members: Value| {
        let mut event = json!({"interactionId": interaction, "timestamp": "2026-03-02T14:00:00Z", "eventType": "answered", "orgId": org});
        event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        stack.send(&[event.to_string().into_bytes()]);
    };
    // Until transform has named somebody there is no key to list a number under.
    let before = Org::new(&stack, "before-own");
    send(&before.name, "i-0", json!({"customerEmail": format!("{}@example.com", before.name)}));
    before.committed(1);
    let org = Org::new(&stack, "own");
    // Of this run alone: digits of the org's name, behind a code of the plan.
    let digits: u32 = org.name.bytes().fold(7, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let hotline = format!("+1 212 {:03} {:04}", 200 + digits % 700, digits / 700 % 10_000);
    let domain = format!("{}.example", org.name);
    let at = ["--org", &org.name, "--json"];
    let own =
        |what: &[&str], code: i32| answer(&ledgerline(Some(&stack), &[&["own-numbers"], what, &at].concat()), code);

    let added = own(&["add", &hotline, &domain], 0);
    assert_eq!(added["items"].as_array().unwrap().len(), 2, "{added}");
    assert!(own(&["add", "12"], 2)["error"]["what"].as_str().unwrap().contains("item 1"));
    let customer = format!("jane@customer-of-{}", domain);
    send(&org.name, "i-1", json!({"direction": "INBOUND", "channel": "voice", "ani": hotline}));
    send(&org.name, "i-2", json!({"customerPhone": hotline, "customerEmail": customer}));
    send(&org.name, "i-3", json!({"customerEmail": format!("help@{domain}")}));
    org.committed(3);
    let asked = |kind: &str, value: &str| {
        let body = json!({ "identifiers": [{ "kind": kind, "value": value }] });
        let (status, answer) = ask(&stack, Some(&stack.description().api_key), &body);
        assert_eq!(status, 200, "{answer}");
        answer
    };
    for (kind, value) in [("phone", hotline.as_str()), ("email", &format!("help@{domain}"))] {
        assert_eq!(asked(kind, value)["customer"]["found"], false, "{kind}");
    }
    let found = asked("email", &customer);
    assert_eq!((&found["complete"], &found["interactions"][0]["interactionId"]), (&json!(true), &json!("i-2")));

    own(&["remove", &hotline], 0);
    let list = own(&["list"], 0);
    let removed = list["items"].as_array().unwrap().iter().filter(|item| !item["removedAt"].is_null()).count();
    assert_eq!((list["items"].as_array().unwrap().len(), removed), (2, 1), "{list}");
}
