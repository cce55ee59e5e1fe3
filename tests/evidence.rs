//! Evidence on the local stack: locked, and recomputable by anybody.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ledgerline_tests::org::Org;
use ledgerline_tests::stack::Stack;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recompute_root.py");

fn recompute(org: &str, send: u32) -> (bool, String) {
    let python = xtask::tools::Venv::stack().unwrap_or_else(|fault| panic!("{fault}"));
    let output = python
        .command("python")
        .args([SCRIPT, xtask::paths::stack_json().to_str().unwrap(), "--org", org, "--send", &send.to_string()])
        .output()
        .unwrap();
    (
        output.status.success(),
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)),
    )
}

#[test]
fn boto3_alone_finds_the_segment_its_lock_and_the_same_root() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "boto3");
    let (equal, said) = recompute(&org.name, 9);
    assert!(equal, "{said}");
    assert!(said.contains("9 read, 9 in the head") && said.contains("GOVERNANCE until"), "{said}");
}

#[test]
fn the_locked_object_refuses_deletion_and_shortening() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "locked");
    let (equal, said) = recompute(&org.name, 2);
    assert!(equal, "{said}");
    let key = stack.keys("LedgerBucket", &format!("ledger/{}/interaction/1/0/segment/", org.name)).remove(0);
    let bucket = stack.bucket("LedgerBucket");
    let (before, version) = stack.object("LedgerBucket", &key);

    let delete = stack.s3.delete_object().bucket(bucket).key(&key).version_id(&version);
    let refused = stack.block(delete.send()).unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 403);

    let held =
        stack.block(stack.s3.get_object_retention().bucket(bucket).key(&key).version_id(&version).send()).unwrap();
    let held = held.retention().unwrap().clone();
    let until = held.retain_until_date().unwrap();
    let sooner = aws_sdk_s3::primitives::DateTime::from_secs(until.secs() - 3600);
    let shorter = aws_sdk_s3::types::ObjectLockRetention::builder()
        .mode(held.mode().unwrap().clone())
        .retain_until_date(sooner)
        .build();
    let shorten =
        stack.s3.put_object_retention().bucket(bucket).key(&key).version_id(&version).retention(shorter).send();
    assert_eq!(stack.block(shorten).unwrap_err().raw_response().unwrap().status().as_u16(), 403);

    let overwrite = stack.s3.put_object().bucket(bucket).key(&key).if_none_match("*").body(b"forged".to_vec().into());
    assert_eq!(stack.block(overwrite.send()).unwrap_err().raw_response().unwrap().status().as_u16(), 412);

    // A delete marker may hide it from a listing, never from a reader by version.
    stack.block(stack.s3.delete_object().bucket(bucket).key(&key).send()).unwrap();
    let by_version = stack.block(async {
        let answer = stack.s3.get_object().bucket(bucket).key(&key).version_id(&version).send().await.unwrap();
        answer.body.collect().await.unwrap().into_bytes()
    });
    assert_eq!(by_version.as_ref(), before);
}
