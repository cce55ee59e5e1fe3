//! Cold starts: from starting the process to its first request for work, beside an empty binary of the same runtime.
//!
//! A tiny stand-in for Lambda's runtime API answers nothing: the first `GET …/next` ends the measurement and the process.

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ledgerline_traffic::r#gen::{GenArgs, generate};
use ledgerline_traffic::send;
use ledgerline_traffic::stack::{Stack, block};
use xtask::fault::Fault;
use xtask::local::{self, FUNCTIONS, bootstrap};
use xtask::paths;
use xtask::tools::{self, say};

use super::{DAY, SEED, authorizer};

/// Starts of each binary. Odd, so that the median is one of them.
const STARTS: usize = 15;
/// Longer than any start that is worth measuring.
const PATIENCE: Duration = Duration::from_secs(10);

/// Every function's start beside an empty one's.
pub(super) fn measure() -> Result<(), Fault> {
    let mut build = tools::cargo();
    build
        .args(["build", "--release", "--package", "ledgerline-lambda", "--example", "empty"])
        .current_dir(paths::root());
    tools::run(&mut build, || "repair what the compiler names".to_owned())?;
    let failed =
        |cause: String| Fault::new(format!("no cold start measured: {cause}"), "start the stack: cargo xtask up");
    let empty = start(&paths::target().join("release/examples/empty"), &[]).map_err(failed)?;
    say(&format!(
        "cold start: process start to the first request for work, medians\n  {:12} {:7.2} ms",
        "empty", empty
    ));
    let environment = environment()?;
    make_data_keys()?;
    for function in FUNCTIONS {
        let took = start(&bootstrap(function), &environment).map_err(failed)?;
        say(&format!("  {function:12} {took:7.2} ms, {:.1} times the empty one", took / empty));
    }
    Ok(())
}

/// One event through the stack: transform's first start makes the data keys, every later one, as measured, unwraps them.
fn make_data_keys() -> Result<(), Fault> {
    let stack = Stack::load_from(&local::up()?)?;
    let records = generate(&GenArgs::calm(1, SEED, DAY)).records;
    block(async {
        send::put(&stack, &records).await?;
        stack.wait_until_drained(Duration::from_secs(60)).await.map(drop)
    })?
}

fn start(binary: &Path, environment: &[(String, String)]) -> Result<f64, String> {
    median_start(binary, environment).map(|took| took.as_secs_f64() * 1e3)
}

/// What every function of the running stack is told, together: transform opens its keys before it asks for work.
fn environment() -> Result<Vec<(String, String)>, Fault> {
    let stack = Stack::load_from(&local::up()?)?;
    let mut all = vec![
        ("AWS_ENDPOINT_URL".to_owned(), stack.endpoint.clone()),
        ("AWS_REGION".to_owned(), stack.region.clone()),
        ("AWS_ACCESS_KEY_ID".to_owned(), "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY".to_owned(), "test".to_owned()),
        ("LOCK_MODE".to_owned(), "GOVERNANCE".to_owned()),
        ("RETENTION_DAYS".to_owned(), "1".to_owned()),
        ("DEPLOYMENT_ID".to_owned(), "local".to_owned()),
        ("DEFAULT_ORG".to_owned(), "default".to_owned()),
        ("DATA_KEY_ID".to_owned(), "alias/unused".to_owned()),
        ("SIGNING_KEY_ID".to_owned(), "alias/unused".to_owned()),
        ("FIRST_SIGNING_KEY_ID".to_owned(), "alias/unused".to_owned()),
        ("REQUEST_SEPARATION".to_owned(), "creator".to_owned()),
        ("STREAM_NAME".to_owned(), stack.stream("EventStream")?.to_owned()),
        ("DEAD_LETTER_QUEUE_URL".to_owned(), stack.queue("ErrorsDeadLetterQueue")?.to_owned()),
        ("BRONZE_QUEUE_URL".to_owned(), stack.queue("BronzeQueue")?.to_owned()),
        ("LEDGER_QUEUE_URL".to_owned(), stack.queue("LedgerQueue")?.to_owned()),
        ("ERASE_QUEUE_URL".to_owned(), stack.queue("EraseQueue")?.to_owned()),
    ];
    all.extend(authorizer::environment().map_err(|error| Fault::new(error, "report this, with the cause"))?);
    for (variable, logical) in
        [("CONTROL_TABLE", "ControlTable"), ("INDEX_TABLE", "IndexTable"), ("KEYS_TABLE", "KeysTable")]
    {
        all.push((variable.to_owned(), stack.table(logical)?.to_owned()));
    }
    for (variable, logical) in [
        ("BRONZE_BUCKET", "BronzeBucket"),
        ("LAKE_BUCKET", "LakeBucket"),
        ("STAGED_BUCKET", "StagedBucket"),
        ("LEDGER_BUCKET", "LedgerBucket"),
    ] {
        all.push((variable.to_owned(), stack.bucket(logical)?.to_owned()));
    }
    Ok(all)
}

/// Median wall time from spawn to the first request for work, over [`STARTS`] starts of `binary`.
fn median_start(binary: &Path, environment: &[(String, String)]) -> Result<Duration, String> {
    let mut times = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        times.push(one_start(binary, environment)?);
    }
    times.sort();
    Ok(times[STARTS / 2])
}

#[expect(clippy::disallowed_methods, reason = "wall time is what a cold start is")]
fn one_start(binary: &Path, environment: &[(String, String)]) -> Result<Duration, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| format!("cannot listen on loopback: {error}"))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?.to_string();
    let (asked, first_request) = mpsc::channel();
    // The thread ends with the process's connection, or with the listener's when nothing ever connects.
    thread::spawn(move || {
        if let Ok((mut stream, _)) = listener.accept() {
            let mut first_bytes = [0; 64];
            let read = stream.read(&mut first_bytes).unwrap_or(0);
            // The receiver is gone only if the measurement was given up.
            let _ = asked.send((Instant::now(), String::from_utf8_lossy(&first_bytes[..read]).into_owned()));
        }
    });
    let started = Instant::now();
    let child = Command::new(binary)
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .env("AWS_LAMBDA_RUNTIME_API", &address)
        .env("AWS_LAMBDA_FUNCTION_NAME", "cold-start")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "none")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "none")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{}: {error}", binary.display()))?;
    let mut child = EndedOnDrop(child);
    match first_request.recv_timeout(PATIENCE) {
        Ok((at, request)) if request.contains("/invocation/next") => Ok(at - started),
        Ok(_) => Err(format!("{} reported a failed start: its configuration was refused", binary.display())),
        Err(_) => {
            let status = child.0.try_wait().ok().flatten();
            Err(format!("{} asked for no work within {PATIENCE:?} (exit: {status:?})", binary.display()))
        }
    }
}

struct EndedOnDrop(Child);

impl Drop for EndedOnDrop {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing is left behind.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
