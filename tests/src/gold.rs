//! Gold on the local stack: its function, its files, and its API as an analyst's program asks it.

use std::collections::BTreeMap;
use std::path::Path;

use aws_sdk_lambda::primitives::Blob;
use ledgerline_lake::keys::parse_iso_date;
use ledgerline_store::gold_date;
use serde_json::{Value, json};

use crate::access::{Answer, bearer};
use crate::stack::{Stack, number};

/// Where the figures are asked for.
pub const PATH: &str = "/api/v2/analytics/gold/summary";

/// Computes a date's figures until they are those of everything that was stored by then. Another run may be under way: the schedule's.
pub fn compute(stack: &Stack, date: &str) {
    let key = gold_date::key(parse_iso_date(date).unwrap());
    stack.wait_for(&format!("the figures of {date}"), || {
        invoke(stack, date)?;
        let row = stack.item("ControlTable", &key).unwrap_or_default();
        let (touched, computed) = (number(&row, "touched"), number(&row, "computed"));
        if touched <= computed { Ok(()) } else { Err(format!("touched {touched}, computed {computed}")) }
    });
}

/// Runs gold for a date once.
///
/// # Errors
/// What the function says if it failed, such as that another run wrote first.
pub fn invoke(stack: &Stack, date: &str) -> Result<(), String> {
    let invoke = stack.lambda.invoke().function_name(&stack.description().functions["GoldFunction"]);
    let answer = stack.block(invoke.payload(Blob::new(json!({ "date": date }).to_string())).send()).unwrap();
    let said = answer.payload.as_ref().map_or(&[][..], Blob::as_ref);
    if answer.function_error.is_none() { Ok(()) } else { Err(String::from_utf8_lossy(said).into_owned()) }
}

/// An analyst's question, once: with the analysts' key and token, and these headers beside them.
pub fn ask_once(stack: &Stack, query: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
    let description = stack.description();
    let (key, token) = (description.analyst_key().unwrap(), bearer(description.token("analyst").unwrap()));
    let own = [("x-api-key", key), ("authorization", token.as_str())];
    get(stack, query, &[&own, headers].concat())
}

/// An analyst's question, asked again while the usage plan says so.
pub fn ask(stack: &Stack, query: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
    stack.wait_for("room in the usage plan", || {
        let answer = ask_once(stack, query, headers);
        if answer.status == 429 { Err("429".to_owned()) } else { Ok(answer) }
    })
}

/// An analyst's question at another path, once.
pub fn ask_at(stack: &Stack, path: &str, query: &[(&str, &str)]) -> Answer {
    let description = stack.description();
    let (key, token) = (description.analyst_key().unwrap(), bearer(description.token("analyst").unwrap()));
    at(stack, path, query, &[("x-api-key", key), ("authorization", token.as_str())])
}

/// A question with these headers alone.
pub fn get(stack: &Stack, query: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
    at(stack, PATH, query, headers)
}

/// The same at another path.
pub fn at(stack: &Stack, path: &str, query: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
    let url = format!("{}{path}", stack.description().api_url.trim_end_matches('/'));
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let request = agent.get(&url).query_pairs(query.iter().copied());
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let mut answer = request.call().unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    let told = |value: &ureq::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    Answer {
        status: answer.status().as_u16(),
        headers: answer.headers().iter().map(|(name, value)| (name.to_string(), told(value))).collect(),
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    }
}

/// Gold's objects, but for the notes of its runs: key, and what tells that an object was put again, its bytes and when.
pub fn files(stack: &Stack) -> BTreeMap<String, (Vec<u8>, i64)> {
    let keys = stack.keys("LakeBucket", "gold/").into_iter().filter(|key| !key.starts_with("gold/runs/"));
    keys.map(|key| {
        let head = stack.s3.head_object().bucket(stack.bucket("LakeBucket")).key(&key).send();
        let written = stack.block(head).unwrap().last_modified.map_or(0, |at| at.secs());
        let bytes = stack.object("LakeBucket", &key).0;
        (key, (bytes, written))
    })
    .collect()
}

/// Copies objects of the lake that begin so into a folder, under their keys.
pub fn download(stack: &Stack, prefix: &str, folder: &Path) {
    for key in stack.keys("LakeBucket", prefix) {
        let path = folder.join(&key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, stack.object("LakeBucket", &key).0).unwrap();
    }
}

/// What tests/figures.py prints.
///
/// # Panics
/// If its environment cannot be made, or it fails.
pub fn python(arguments: &[&str]) -> Value {
    python_file("figures.py", arguments)
}

/// What a file of the tests' own prints.
///
/// # Panics
/// As [`python`].
pub fn python_file(file: &str, arguments: &[&str]) -> Value {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let venv = xtask::tools::Venv::tests(&tests.join("requirements.txt")).unwrap_or_else(|fault| panic!("{fault}"));
    let ran = venv.command("python").arg(tests.join(file)).args(arguments).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}
