//! Requests of persons on the local stack: through API Gateway, the authorizer and the function, into the ledger.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use ledgerline_store::{request, usage};
use ledgerline_tests::compliance::{call, customers_call, posted};
use ledgerline_tests::org::Org;
use ledgerline_tests::stack::{Stack, number};
use serde_json::{Value, json};

#[test]
fn an_erasure_goes_from_receipt_to_its_end_and_each_step_is_in_the_ledger() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "asks");
    let phone = customers_call(&org);
    let body = json!({ "type": "ERASURE", "identifiers": [{ "kind": "phone", "value": phone }], "org": org.name,
        "reference": "planted ticket" });
    let made = posted(&stack, "officer", "requests", &body, 201);
    let id = made["requestId"].as_str().unwrap();
    assert_eq!(posted(&stack, "officer", "requests", &body, 200), made, "asked again it is the same");
    let at = |verb: &str| format!("requests/{id}/{verb}");
    assert_eq!(call(&stack, "approver", &at("preview"), None).0, 409);
    posted(&stack, "verifier", &at("verify"), &json!({ "method": "callback", "reference": "planted proof" }), 200);
    let (status, preview) = call(&stack, "approver", &at("preview"), None);
    assert_eq!((status, preview["records"].as_u64()), (200, Some(2)), "{preview}");
    assert_eq!(preview["kinds"], json!(["email"]));
    assert_eq!(preview["shared"], json!([{ "record": format!("{}/i-2", org.name), "otherCustomers": 1 }]));
    assert_eq!(preview["systems"]["ledger"]["entries"], 3);
    // Nobody else's scope approves, and API Gateway says so.
    let approval = json!({ "previewDigest": preview["digest"], "shared": { preview["shared"][0]["record"].as_str().unwrap(): "keep" } });
    posted(&stack, "officer", &at("approve"), &approval, 403);
    let (_, list) = call(&stack, "approver", &format!("requests?org={}", org.name), None);
    assert_eq!(list["requests"][0]["requestId"], id);
    // What was typed lies in the keys table alone, and the number nowhere.
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let kept = |id: &str| format!("{:?}", stack.items("KeysTable", &request::who_key(id).pk));
    assert!(!kept(id).contains(&digits) && kept(id).contains("planted ticket") && kept(id).contains("planted proof"));
    let approved = posted(&stack, "approver", &at("approve"), &approval, 200);
    assert_eq!(approved["state"], "cooling_off");
    // Here it cools off for no time at all, and begins at once.
    stack.wait_for("the erasure to be done", || {
        let (status, shown) = call(&stack, "verifier", &format!("requests/{id}"), None);
        assert_eq!((status, &shown["approved"]), (200, &approved["approved"]));
        stack.sweep();
        if shown["state"] == "done" { Ok(()) } else { Err(shown.to_string()) }
    });
    let log = format!("{}/request/1/0", org.name);
    stack.signed(&log, 4);
    posted(&stack, "officer", &at("cancel"), &json!({ "reason": "too late" }), 409);
    // Another one is taken back in time.
    let body = json!({ "type": "ERASURE", "identifiers": [{ "kind": "email", "value": "nobody@example.org" }], "org": org.name });
    let made = posted(&stack, "officer", "requests", &body, 201);
    let other = made["requestId"].as_str().unwrap();
    let cancel = format!("requests/{other}/cancel");
    posted(&stack, "officer", &cancel, &json!({ "reason": "planted reason" }), 200);
    stack.wait_for("the act of the cancellation", || match number(&stack.head(&log).unwrap_or_default(), "size") {
        6 => Ok(()),
        size => Err(format!("{size} entries")),
    });
    assert!(kept(other).contains("planted reason"));
    assert!(!kept(id).contains("planted"), "nothing that was typed outlives the erasure");
    let control = [request::key("").pk, request::listed_key(&org.name, "", "").pk, usage::key("", "").pk];
    for prefix in control {
        let rows = format!("{:?}", stack.items("ControlTable", &prefix));
        assert!(!rows.contains(&digits) && !rows.contains("planted"), "{prefix}");
    }
}

#[test]
fn the_guides_short_form_is_taken_and_what_is_wrong_is_a_problem() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "rtbf");
    customers_call(&org);
    let body = json!({ "customerIdHash": format!("cust_{}", org.name), "deletionReason": "RTBF_REQUEST",
        "requestId": "dsar-req-998877", "org": org.name });
    let made = posted(&stack, "officer", "rtbf", &body, 201);
    assert_eq!(made["reference"], "dsar-req-998877");
    for (part, path, body, status) in [
        ("officer", "rtbf", json!({}), 422),
        ("officer", "requests", json!({ "type": "planted" }), 422),
        ("reader", "requests", json!({ "type": "ACCESS" }), 403),
        ("verifier", "requests/req_00000000000000000000000000000000/verify", json!({ "method": "document" }), 404),
        ("verifier", "requests/planted/verify", json!({ "method": "document" }), 404),
    ] {
        let answer = posted(&stack, part, path, &body, status);
        assert!(answer["type"].as_str().unwrap().starts_with("urn:ledgerline:problem:"), "{answer}");
        assert!(!answer.to_string().contains("planted"), "{answer}");
    }
}

/// `ledgerline request`, as somebody at the phone uses it.
#[test]
fn the_command_line_asks_the_api_and_writes_nothing_itself() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "phone");
    let phone = customers_call(&org);
    let run = |part: &str, arguments: &[&str], input: &str| -> (Option<i32>, Value) {
        let binary = xtask::paths::target().join("debug/ledgerline");
        let description = stack.description();
        let mut command = Command::new(binary);
        command.env_clear().env("LEDGERLINE_TOKEN", description.token(part).unwrap());
        command.env("LEDGERLINE_API_KEY", &description.api_key);
        command.args(["--json", "request"]).args(arguments).args(["--api", description.api_url.as_str()]);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
    };
    let create = ["create", "--type", "erasure", "--stdin", "--org", org.name.as_str()];
    let (code, made) = run("officer", &create, &format!("phone:{phone}\n"));
    assert_eq!(code, Some(0), "{made}");
    let id = made["requestId"].as_str().unwrap();
    let (code, listed) = run("approver", &["list", "--org", &org.name], "");
    assert_eq!((code, listed["requests"][0]["requestId"].as_str()), (Some(0), Some(id)));
    let (code, _) = run("verifier", &["verify", id, "--method", "in-person"], "");
    assert_eq!(code, Some(0));
    let (_, shown) = run("approver", &["show", id, "--preview"], "");
    let digest = shown["preview"]["digest"].as_str().unwrap();
    let (code, refused) = run("officer", &["approve", id, "--digest", digest], "");
    assert_eq!(code, Some(2), "{refused}");
    let (code, approved) = run("approver", &["approve", id, "--digest", digest], "");
    assert_eq!((code, approved["request"]["state"].as_str()), (Some(0), Some("cooling_off")));
}
