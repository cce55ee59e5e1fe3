//! The template's roles on the local stack: what each function may do, and what it may not.
//!
//! A role that lacks something fails every other test here; these are the ones that fail if a role allows too much, or if roles are
//! not enforced at all.

use std::path::Path;
use std::process::Command;

use ledgerline_tests::role::{Call, Role};
use ledgerline_tests::stack::Stack;

const SEGMENT: &str = "ledger/nobody/interaction/1/0/segment/0";
const PARTIAL_TILE: &str = "ledger/nobody/interaction/1/0/tile/0/000.p/1";
const MAKE_PAIR: Call = Call::MakePair { deployment: "local", purpose: "party", in_clear: false };
/// What opens what is sealed: no function's.
const PRIVATE_KEY: Call = Call::OpenKey { deployment: "local", purpose: "party" };
const FOREIGN_KEY: Call = Call::OpenKey { deployment: "another", purpose: "pseudonym" };

#[test]
fn ingest_calls_nothing() {
    let Some(stack) = Stack::running() else { return };
    let refused = [
        Call::GetObject("BronzeBucket", "bronze/none"),
        Call::PutObject("BronzeBucket", "bronze/none"),
        Call::GetItem("ControlTable", "OBJ#none"),
        Call::OpenKey { deployment: "local", purpose: "pseudonym" },
        PRIVATE_KEY,
        Call::PutRecords,
    ];
    Role::of(&stack, "IngestFunction").check(&[], &refused);
}

#[test]
fn transform_reads_bronze_and_writes_no_ledger() {
    let Some(stack) = Stack::running() else { return };
    let allowed = [
        Call::GetObject("BronzeBucket", "bronze/none"),
        Call::PutObject("BronzeBucket", "quarantine/transform/none"),
        Call::PutObject("LakeBucket", "silver/none"),
        Call::PutObject("StagedBucket", "staged/none"),
        Call::PutObject("StagedBucket", "poison/transform/none"),
        Call::UpdateItem("ControlTable", "OBJ#none"),
        Call::PutItem("ControlTable", "ORGS"),
        Call::PutItem("ControlTable", "KEY#event"),
        Call::PutItem("ControlTable", "KEY#suppression"),
        Call::UpdateItem("ControlTable", "GOLD"),
        Call::GetItem("ControlTable", "CRMS"),
        Call::GetItem("ControlTable", "KEY#party"),
        Call::Query("ControlTable", "KEY#pseudonym"),
        Call::Query("ControlTable", "KEY#event"),
        Call::Query("ControlTable", "KEY#suppression"),
        Call::Query("ControlTable", "OWN#none"),
        Call::BatchGet("ControlTable", "TOMB#none"),
        Call::BatchGet("ControlTable", "GONE#none"),
        Call::BatchGet("KeysTable", "ID#none"),
        Call::BatchGet("KeysTable", "SUB#none"),
        Call::BatchGet("KeysTable", "INT#none"),
        Call::BatchGet("KeysTable", "ALIAS#none"),
        Call::BatchGet("KeysTable", "CRM#none"),
        Call::PutItem("KeysTable", "ID#none"),
        Call::PutItem("KeysTable", "SUB#none"),
        Call::PutItem("KeysTable", "ALIAS#none"),
        Call::UpdateItem("KeysTable", "SUB#none"),
        Call::UpdateItem("KeysTable", "INT#none"),
        Call::Query("IndexTable", "TOK#none"),
        Call::MakeKey { deployment: "local", purpose: "event" },
        Call::MakeKey { deployment: "local", purpose: "suppression" },
        Call::OpenKey { deployment: "local", purpose: "pseudonym" },
        Call::Send("LedgerQueue"),
        Call::Send("EraseQueue"),
    ];
    let refused = [
        Call::GetObject("BronzeBucket", "errors/none"),
        Call::PutObject("BronzeBucket", "bronze/none"),
        Call::PutObject("BronzeBucket", "quarantine/redrive/none"),
        Call::PutObject("StagedBucket", "poison/audit-write/none"),
        Call::PutObject("StagedBucket", "staged/acts/none"),
        Call::GetObject("StagedBucket", "staged/acts/none"),
        Call::PutLocked("LedgerBucket", SEGMENT, 1),
        Call::GetObject("LedgerBucket", SEGMENT),
        Call::UpdateItem("ControlTable", "LOG#none"),
        Call::UpdateItem("ControlTable", "ACT#none"),
        Call::UpdateItem("ControlTable", "OWN#none"),
        Call::PutItem("ControlTable", "OBJ#none"),
        Call::PutItem("ControlTable", "KEY#none"),
        Call::PutItem("ControlTable", "KEY#party"),
        Call::UpdateItem("ControlTable", "KEY#party"),
        Call::GetItem("ControlTable", "KEY#event"),
        Call::PutItem("ControlTable", "TOMB#none"),
        Call::PutItem("ControlTable", "GONE#none"),
        Call::UpdateItem("ControlTable", "HELD#none"),
        Call::BatchGet("ControlTable", "HELD#none"),
        Call::Query("ControlTable", "ORGS"),
        Call::Query("ControlTable", "LOGS"),
        Call::Query("ControlTable", "KEY#none"),
        Call::BatchGet("KeysTable", "none"),
        Call::PutItem("KeysTable", "none"),
        Call::PutItem("KeysTable", "INT#none"),
        Call::PutItem("KeysTable", "CRM#none"),
        Call::DeleteItem("KeysTable", "CRM#none"),
        Call::UpdateItem("ControlTable", "CRMS"),
        Call::UpdateItem("KeysTable", "none"),
        Call::UpdateItem("KeysTable", "ID#none"),
        Call::UpdateItem("KeysTable", "ALIAS#none"),
        Call::Query("KeysTable", "SUB#none"),
        Call::Query("KeysTable", "INT#none"),
        Call::DeleteItem("KeysTable", "INT#none"),
        Call::DeleteItem("KeysTable", "ID#none"),
        Call::DeleteItem("KeysTable", "ALIAS#none"),
        Call::DeleteItem("IndexTable", "TOK#none"),
        Call::Query("IndexTable", "INT#none"),
        Call::PutItem("IndexTable", "INT#none"),
        Call::Scan("KeysTable"),
        Call::MakeKey { deployment: "local", purpose: "none" },
        Call::MakeKey { deployment: "local", purpose: "party" },
        MAKE_PAIR,
        PRIVATE_KEY,
        FOREIGN_KEY,
        Call::Sign,
        Call::Send("BronzeQueue"),
        Call::Receive("LedgerQueue"),
        Call::Receive("EraseQueue"),
    ];
    Role::of(&stack, "TransformFunction").check(&allowed, &refused);
}

#[test]
fn audit_write_puts_locked_evidence_and_sees_no_personal_data() {
    let Some(stack) = Stack::running() else { return };
    let allowed = [
        Call::GetObject("StagedBucket", "staged/none"),
        Call::GetObject("StagedBucket", "staged/acts/none"),
        Call::PutObject("StagedBucket", "poison/audit-write/none"),
        Call::PutLocked("LedgerBucket", SEGMENT, 1),
        Call::PutTagged("LedgerBucket", PARTIAL_TILE),
        Call::UpdateItem("ControlTable", "LOG#none"),
        Call::UpdateItem("ControlTable", "OBJ#none"),
        Call::UpdateItem("ControlTable", "ACT#none"),
        Call::BatchDelete("IndexTable", "INT#none"),
        Call::Sign,
        Call::Receive("LedgerQueue"),
    ];
    let refused = [
        Call::PutObject("LedgerBucket", SEGMENT),
        Call::PutLocked("LedgerBucket", SEGMENT, 0),
        Call::PutLockedAgain("LedgerBucket", SEGMENT, 1),
        Call::PutTagged("LedgerBucket", SEGMENT),
        Call::PutLocked("LedgerBucket", "elsewhere/none", 1),
        Call::DeleteVersion("LedgerBucket", SEGMENT),
        Call::PutObject("StagedBucket", "staged/none"),
        Call::PutObject("StagedBucket", "staged/acts/none"),
        Call::GetObject("BronzeBucket", "bronze/none"),
        Call::UpdateItem("ControlTable", "WATCH#none"),
        Call::PutItem("ControlTable", "KEY#event"),
        Call::Query("ControlTable", "KEY#pseudonym"),
        Call::GetItem("ControlTable", "KEY#party"),
        Call::BatchGet("KeysTable", "ID#none"),
        Call::OpenKey { deployment: "local", purpose: "pseudonym" },
        PRIVATE_KEY,
        Call::Send("LedgerQueue"),
    ];
    Role::of(&stack, "AuditWriteFunction").check(&allowed, &refused);
}

#[test]
fn dsar_reads_and_writes_that_it_answered() {
    let Some(stack) = Stack::running() else { return };
    let allowed = [
        Call::GetItem("ControlTable", "LOG#none"),
        Call::GetItem("ControlTable", "BRONZE"),
        Call::Query("ControlTable", "ORGS"),
        Call::Query("ControlTable", "OWN#none"),
        Call::BatchGet("ControlTable", "GONE#none"),
        Call::Query("ControlTable", "KEY#pseudonym"),
        Call::Query("IndexTable", "INT#none"),
        Call::BatchGet("KeysTable", "ID#none"),
        Call::BatchGet("KeysTable", "INT#none"),
        Call::Query("KeysTable", "SUB#none"),
        Call::GetVersion("LedgerBucket", SEGMENT),
        Call::UpdateItem("ControlTable", "ACT#none"),
        Call::UpdateItem("ControlTable", "ACTS#none"),
        Call::PutItem("KeysTable", "ALIAS#/none"),
        Call::PutObject("StagedBucket", "staged/acts/none"),
        Call::Send("LedgerQueue"),
        Call::OpenKey { deployment: "local", purpose: "pseudonym" },
    ];
    let refused = [
        Call::GetObject("LedgerBucket", SEGMENT),
        Call::GetItem("ControlTable", "OBJ#none"),
        Call::BatchGet("ControlTable", "TOMB#none"),
        Call::PutItem("ControlTable", "ORGS"),
        Call::Query("ControlTable", "LOGS"),
        Call::Query("ControlTable", "KEY#event"),
        Call::GetItem("ControlTable", "KEY#party"),
        Call::Query("ControlTable", "LOG#none"),
        Call::UpdateItem("ControlTable", "LOG#none"),
        Call::PutItem("KeysTable", "ID#none"),
        Call::Query("KeysTable", "INT#none"),
        Call::BatchGet("KeysTable", "ALIAS#none"),
        Call::UpdateItem("ControlTable", "OBJ#none"),
        Call::PutItem("KeysTable", "ALIAS#none/none"),
        Call::GetItem("KeysTable", "REQ#none"),
        Call::PutObject("StagedBucket", "staged/none"),
        Call::Scan("KeysTable"),
        Call::GetObject("BronzeBucket", "bronze/none"),
        Call::GetObject("LakeBucket", "silver/none"),
        Call::PutLocked("LedgerBucket", SEGMENT, 1),
        Call::OpenKey { deployment: "local", purpose: "event" },
        PRIVATE_KEY,
        FOREIGN_KEY,
        Call::MakeKey { deployment: "local", purpose: "pseudonym" },
        Call::Sign,
    ];
    Role::of(&stack, "DsarFunction").check(&allowed, &refused);
}

#[test]
fn requests_writes_requests_and_deletes_nothing() {
    let Some(stack) = Stack::running() else { return };
    let allowed = [
        Call::GetItem("ControlTable", "REQ#none"),
        Call::PutItem("ControlTable", "REQ#none"),
        Call::UpdateItem("ControlTable", "REQS#none"),
        Call::UpdateItem("ControlTable", "USED#none"),
        Call::UpdateItem("ControlTable", "ACT#none"),
        Call::BatchGet("ControlTable", "REQDUP#none"),
        Call::BatchGet("ControlTable", "GONE#none"),
        Call::BatchGet("ControlTable", "TOMB#none"),
        Call::UpdateItem("ControlTable", "CRMS"),
        Call::Query("ControlTable", "REQS#none"),
        Call::Query("ControlTable", "ORGS"),
        Call::Query("ControlTable", "KEY#suppression"),
        Call::GetItem("KeysTable", "REQ#none"),
        Call::PutItem("KeysTable", "ALIAS#/none"),
        Call::PutItem("KeysTable", "CRM#none"),
        Call::BatchGet("KeysTable", "ID#none"),
        Call::Query("KeysTable", "SUB#none"),
        Call::Query("IndexTable", "INT#none"),
        Call::PutObject("StagedBucket", "staged/acts/none"),
        Call::MakeKey { deployment: "local", purpose: "request" },
        Call::OpenKey { deployment: "local", purpose: "pseudonym" },
        Call::Send("LedgerQueue"),
    ];
    let refused = [
        Call::DeleteItem("ControlTable", "REQ#none"),
        Call::DeleteItem("ControlTable", "REQS#none"),
        Call::DeleteItem("KeysTable", "REQ#none"),
        Call::DeleteItem("KeysTable", "ID#none"),
        Call::PutItem("ControlTable", "TOMB#none"),
        Call::PutItem("ControlTable", "GONE#none"),
        Call::PutItem("ControlTable", "ORGS"),
        Call::PutItem("ControlTable", "KEY#pseudonym"),
        Call::UpdateItem("ControlTable", "LOG#none"),
        Call::UpdateItem("ControlTable", "OBJ#none"),
        Call::UpdateItem("ControlTable", "HELD#none"),
        Call::UpdateItem("ControlTable", "GOLD"),
        Call::BatchGet("KeysTable", "CRM#none"),
        Call::DeleteItem("KeysTable", "CRM#none"),
        Call::PutItem("KeysTable", "INT#none"),
        Call::PutItem("KeysTable", "ALIAS#none/none"),
        Call::BatchGet("KeysTable", "ALIAS#none/none"),
        Call::PutItem("KeysTable", "ID#none"),
        Call::UpdateItem("KeysTable", "SUB#none"),
        Call::UpdateItem("KeysTable", "INT#none"),
        Call::Scan("KeysTable"),
        Call::Scan("ControlTable"),
        Call::GetObject("BronzeBucket", "bronze/none"),
        Call::GetObject("LakeBucket", "silver/none"),
        Call::GetObject("LedgerBucket", SEGMENT),
        Call::PutObject("StagedBucket", "staged/none"),
        Call::OpenKey { deployment: "local", purpose: "request" },
        Call::OpenKey { deployment: "local", purpose: "event" },
        PRIVATE_KEY,
        Call::GetItem("ControlTable", "KEY#party"),
        Call::Query("KeysTable", "INT#none"),
        Call::MakeKey { deployment: "local", purpose: "pseudonym" },
        FOREIGN_KEY,
        Call::Send("EraseQueue"),
        Call::Sign,
    ];
    Role::of(&stack, "RequestsFunction").check(&allowed, &refused);
}

#[test]
fn capture_puts_events_journals_them_and_reads_nothing_that_was_sent() {
    let Some(stack) = Stack::running() else { return };
    let allowed = [
        Call::PutRecords,
        Call::PutObject("BronzeBucket", "spill/none"),
        Call::Send("ErrorsDeadLetterQueue"),
        Call::GetItem("ControlTable", "NONCE#none"),
        Call::PutItem("ControlTable", "NONCE#none"),
        Call::PutItem("ControlTable", "ORGS"),
        Call::BatchGet("ControlTable", "TOMB#none"),
        Call::BatchGet("ControlTable", "GONE#none"),
        Call::Query("ControlTable", "KEY#pseudonym"),
        Call::Query("ControlTable", "KEY#event"),
        Call::Query("ControlTable", "KEY#suppression"),
        Call::Query("ControlTable", "OWN#none"),
        Call::PutItem("IndexTable", "INT#none"),
        Call::PutItem("IndexTable", "JRNS#none"),
        Call::BatchGet("IndexTable", "INT#none"),
        Call::BatchGet("KeysTable", "ID#none"),
        Call::BatchGet("KeysTable", "SUB#none"),
        Call::BatchGet("KeysTable", "INT#none"),
        Call::PutItem("KeysTable", "ID#none"),
        Call::PutItem("KeysTable", "SUB#none"),
        Call::UpdateItem("KeysTable", "SUB#none"),
        Call::UpdateItem("KeysTable", "INT#none"),
        Call::OpenKey { deployment: "local", purpose: "pseudonym" },
        Call::OpenKey { deployment: "local", purpose: "event" },
        Call::OpenKey { deployment: "local", purpose: "suppression" },
    ];
    let refused = [
        Call::GetObject("BronzeBucket", "spill/none"),
        Call::GetObject("BronzeBucket", "bronze/none"),
        Call::PutObject("BronzeBucket", "bronze/none"),
        Call::PutObject("BronzeBucket", "errors/none"),
        Call::PutObject("BronzeBucket", "quarantine/none"),
        Call::DeleteObject("BronzeBucket", "spill/none"),
        Call::ListObjects("BronzeBucket"),
        Call::PutObject("StagedBucket", "staged/none"),
        Call::PutLocked("LedgerBucket", SEGMENT, 1),
        Call::GetObject("LedgerBucket", SEGMENT),
        Call::GetObject("LakeBucket", "silver/none"),
        Call::UpdateItem("ControlTable", "NONCE#none"),
        Call::DeleteItem("ControlTable", "NONCE#none"),
        Call::PutItem("ControlTable", "KEY#pseudonym"),
        Call::PutItem("ControlTable", "TOMB#none"),
        Call::PutItem("ControlTable", "GONE#none"),
        Call::Query("ControlTable", "KEY#request"),
        Call::Query("ControlTable", "ORGS"),
        Call::GetItem("ControlTable", "KEY#party"),
        Call::GetItem("ControlTable", "OBJ#none"),
        Call::UpdateItem("ControlTable", "LOG#none"),
        Call::Scan("ControlTable"),
        Call::UpdateItem("IndexTable", "INT#none"),
        Call::Query("IndexTable", "INT#none"),
        Call::Query("IndexTable", "JRNS#none"),
        Call::DeleteItem("IndexTable", "INT#none"),
        Call::BatchDelete("IndexTable", "JRNS#none"),
        Call::PutItem("IndexTable", "TOK#none"),
        Call::PutItem("KeysTable", "INT#none"),
        Call::PutItem("KeysTable", "ALIAS#none"),
        Call::PutItem("KeysTable", "CRM#none"),
        Call::BatchGet("KeysTable", "ALIAS#none"),
        Call::GetItem("KeysTable", "REQ#none"),
        Call::Query("KeysTable", "SUB#none"),
        Call::DeleteItem("KeysTable", "SUB#none"),
        Call::Scan("KeysTable"),
        Call::MakeKey { deployment: "local", purpose: "pseudonym" },
        Call::OpenKey { deployment: "local", purpose: "request" },
        MAKE_PAIR,
        PRIVATE_KEY,
        FOREIGN_KEY,
        Call::Sign,
        Call::Send("BronzeQueue"),
        Call::Send("EraseQueue"),
        Call::Send("LedgerQueue"),
        Call::Receive("ErrorsDeadLetterQueue"),
        Call::Invoke("TransformFunction"),
    ];
    Role::of(&stack, "CaptureFunction").check(&allowed, &refused);
}

#[test]
fn insight_reads_figures_and_nothing_else() {
    let Some(stack) = Stack::running() else { return };
    let allowed = [Call::GetObject("LakeBucket", "gold/summary/none"), Call::ListObjects("LakeBucket")];
    let refused = [
        Call::GetObject("LakeBucket", "silver/none"),
        Call::GetObject("LakeBucket", "gold/gold_daily_queue_metrics/none"),
        Call::GetObject("LakeBucket", "reference/none"),
        Call::PutObject("LakeBucket", "gold/summary/none"),
        Call::DeleteObject("LakeBucket", "gold/summary/none"),
        Call::GetObject("BronzeBucket", "bronze/none"),
        Call::GetObject("LedgerBucket", SEGMENT),
        Call::GetItem("ControlTable", "GOLD"),
        Call::Scan("ControlTable"),
        Call::BatchGet("KeysTable", "ID#none"),
        Call::Scan("KeysTable"),
        Call::Query("IndexTable", "INT#none"),
        Call::OpenKey { deployment: "local", purpose: "pseudonym" },
        PRIVATE_KEY,
        Call::Send("LedgerQueue"),
    ];
    Role::of(&stack, "InsightFunction").check(&allowed, &refused);
}

#[test]
fn redrive_takes_from_errors_and_gives_to_the_stream() {
    let Some(stack) = Stack::running() else { return };
    let allowed = [
        Call::GetObject("BronzeBucket", "errors/none"),
        Call::DeleteVersion("BronzeBucket", "errors/none"),
        Call::PutObject("BronzeBucket", "quarantine/redrive/none"),
        Call::Receive("ErrorsQueue"),
    ];
    let refused = [
        Call::GetObject("BronzeBucket", "bronze/none"),
        Call::DeleteObject("BronzeBucket", "bronze/none"),
        Call::DeleteObject("BronzeBucket", "errors/none"),
        Call::DeleteVersion("BronzeBucket", "quarantine/redrive/none"),
        Call::PutObject("BronzeBucket", "errors/none"),
        Call::PutObject("BronzeBucket", "spill/none"),
        Call::Receive("BronzeQueue"),
        Call::Receive("ErrorsDeadLetterQueue"),
        Call::Send("BronzeQueue"),
        Call::Send("ErrorsQueue"),
        Call::GetItem("ControlTable", "OBJ#none"),
        Call::Invoke("IngestFunction"),
    ];
    Role::of(&stack, "RedriveFunction").check(&allowed, &refused);
}

#[test]
fn sweep_deletes_segments_by_version_makes_keys_that_it_cannot_open_and_reads_no_bronze() {
    let Some(stack) = Stack::running() else { return };
    let allowed = [
        Call::ListObjects("BronzeBucket"),
        Call::PutObject("StagedBucket", "sweep/none"),
        Call::PutObject("StagedBucket", "staged/acts/none"),
        Call::GetObject("StagedBucket", "staged/none"),
        Call::GetObject("LedgerBucket", SEGMENT),
        Call::DeleteVersion("LedgerBucket", SEGMENT),
        Call::PutTagged("LedgerBucket", PARTIAL_TILE),
        Call::Query("ControlTable", "ACTS#none"),
        Call::GetItem("ControlTable", "REQ#none"),
        Call::BatchGet("ControlTable", "OBJ#none"),
        Call::BatchGet("ControlTable", "ACT#none"),
        Call::UpdateItem("ControlTable", "ACT#none"),
        Call::UpdateItem("ControlTable", "BRONZE"),
        Call::GetItem("ControlTable", "KEY#party"),
        Call::PutItem("ControlTable", "KEY#party"),
        MAKE_PAIR,
        Call::BatchDelete("IndexTable", "INT#none"),
        Call::BatchDelete("IndexTable", "JRNS#none"),
        Call::Query("IndexTable", "JRNS#none"),
        Call::BatchGet("IndexTable", "INT#none"),
        Call::UpdateItem("IndexTable", "INT#none"),
        Call::Send("LedgerQueue"),
        Call::Sign,
    ];
    let refused = [
        Call::GetObject("BronzeBucket", "bronze/none"),
        Call::PutObject("BronzeBucket", "bronze/none"),
        Call::PutObject("StagedBucket", "poison/none"),
        Call::PutObject("StagedBucket", "staged/none"),
        Call::DeleteObject("LedgerBucket", SEGMENT),
        Call::DeleteVersion("LedgerBucket", PARTIAL_TILE),
        Call::PutLocked("LedgerBucket", SEGMENT, 1),
        Call::Query("ControlTable", "KEY#pseudonym"),
        Call::Query("ControlTable", "BRONZE"),
        Call::PutItem("ControlTable", "LOGS"),
        Call::PutItem("ControlTable", "KEY#pseudonym"),
        Call::UpdateItem("ControlTable", "KEY#party"),
        Call::DeleteItem("ControlTable", "KEY#party"),
        Call::MakePair { deployment: "local", purpose: "party", in_clear: true },
        Call::MakePair { deployment: "local", purpose: "event", in_clear: false },
        Call::MakePair { deployment: "another", purpose: "party", in_clear: false },
        Call::MakeKey { deployment: "local", purpose: "party" },
        PRIVATE_KEY,
        Call::UpdateItem("IndexTable", "JRNS#none"),
        Call::PutItem("IndexTable", "INT#none"),
        Call::Scan("IndexTable"),
        Call::BatchGet("KeysTable", "ID#none"),
        Call::GetItem("KeysTable", "REQ#none"),
        Call::UpdateItem("ControlTable", "REQ#none"),
        Call::Send("ErrorsQueue"),
        Call::Receive("LedgerQueue"),
    ];
    Role::of(&stack, "SweepFunction").check(&allowed, &refused);
}

#[test]
fn verify_neither_signs_nor_changes_what_it_looks_at() {
    let Some(stack) = Stack::running() else { return };
    let allowed = [
        Call::GetVersion("LedgerBucket", SEGMENT),
        Call::ListObjects("LedgerBucket"),
        Call::Query("ControlTable", "LOGS"),
        Call::GetItem("ControlTable", "LOG#none"),
        Call::PutItem("ControlTable", "WATCH#none"),
        Call::Scan("IndexTable"),
    ];
    let refused = [
        Call::Sign,
        Call::GetObject("LedgerBucket", SEGMENT),
        Call::PutLocked("LedgerBucket", SEGMENT, 1),
        Call::PutTagged("LedgerBucket", PARTIAL_TILE),
        Call::DeleteVersion("LedgerBucket", SEGMENT),
        Call::GetObject("StagedBucket", "staged/none"),
        Call::PutItem("ControlTable", "LOG#none"),
        Call::GetItem("ControlTable", "OBJ#none"),
        Call::Scan("ControlTable"),
        Call::Scan("KeysTable"),
        Call::BatchDelete("IndexTable", "INT#none"),
        PRIVATE_KEY,
    ];
    Role::of(&stack, "VerifyFunction").check(&allowed, &refused);
}

/// The emulator's own mending of conditions: tests in Python, beside it.
#[test]
fn the_emulator_fills_condition_keys_as_aws_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/local");
    let mut python = Command::new("python3");
    let tests = python.args(["-B", "-m", "unittest", "test_conditions"]).current_dir(folder).output().unwrap();
    assert!(tests.status.success(), "{}", String::from_utf8_lossy(&tests.stderr));
}
