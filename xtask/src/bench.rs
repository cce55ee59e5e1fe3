//! `cargo xtask bench`: what the product's own code costs beside what the work cannot do without, as a ratio of CPU times
//! measured in one run. Nothing here asserts a time.
//!
//! One day of generated traffic goes down the chain: what one stage makes is the next one's input.

mod append;
mod cold_start;
mod pair;
mod prove;

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, GzBuilder};
use hmac::{KeyInit as _, Mac as _};
use ledgerline_lake::ObjectId;
use ledgerline_lake::plan::{Counts, Plan};
use ledgerline_ledger::log::LogId;
use ledgerline_privacy::{CallingCode, EventKey, KeyRing, Policy, PseudonymKey};
use ledgerline_transform::config::Settings;
use ledgerline_transform::output::{self, Owned, event_order};
use ledgerline_transform::reading::{Read, Reading};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use time::macros::date;

use crate::fault::Fault;
use crate::r#gen::{GenArgs, generate};
use crate::local::{FUNCTIONS, functions_directory};
use crate::tools::{self, Venv, say};
use crate::{local, paths};

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Subject {
    /// Firehose records to bronze lines
    Ingest,
    /// A bronze object to silver and plan
    Transform,
    /// Chunks to a segment and the tree
    Append,
    /// Bytes and tiles read per proof
    Prove,
    /// The zipped functions
    Size,
    /// From process start to the first request for work
    ColdStart,
    /// All of them
    All,
}

/// Interactions of the measured day: some 9,000 events, 10 MB.
const INTERACTIONS: u32 = 500;
const SEED: u64 = 1;
const DAY: time::Date = date!(2026 - 03 - 02);
/// Noon of the next day, as arrival: nothing is late and nothing in the future.
const ARRIVAL_MS: i64 = 1_772_539_200_000;
/// Firehose invokes with a megabyte at a time.
const REQUEST_BYTES: usize = 1024 * 1024;

/// Measures and prints.
///
/// # Errors
/// What is missing for a measurement.
pub fn run(subject: Subject) -> Result<(), Fault> {
    let wants = |one| subject == one || subject == Subject::All;
    if wants(Subject::Ingest) || wants(Subject::Transform) || wants(Subject::Append) {
        let mut args = GenArgs::calm(INTERACTIONS, SEED, DAY);
        args.duplicates = 2.0;
        let records = generate(&args).records;
        let requests = requests(&records);
        let bronze = ingest(&requests);
        if wants(Subject::Ingest) {
            measure_ingest(&requests, &records);
        }
        let settings = settings()?;
        let object = ObjectId::of("bench", "bronze/bench");
        if wants(Subject::Transform) {
            measure_transform(&settings, object, &bronze)?;
        }
        if wants(Subject::Append) {
            append::measure(&transformed(&settings, object, &bronze)?.1)?;
        }
    }
    if wants(Subject::Prove) {
        let lines = prove::measure().map_err(|error| Fault::new(format!("no proof made: {error}"), "report this"))?;
        say(&format!(
            "prove: tlog-proof files with a checkpoint, each verified, over synthetic tiles\n{}",
            lines.join("\n")
        ));
    }
    if wants(Subject::Size) || wants(Subject::ColdStart) {
        local::build(&Venv::stack()?)?;
    }
    if wants(Subject::Size) {
        measure_size()?;
    }
    if wants(Subject::ColdStart) {
        measure_cold_start()?;
    }
    Ok(())
}

// -------------------------------------------------------------------------------------------------------------- ingest

fn requests(records: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut requests = Vec::new();
    let mut batch: Vec<Value> = Vec::new();
    let mut bytes = 0;
    let mut close = |batch: &mut Vec<Value>| {
        let request = json!({ "invocationId": "bench", "deliveryStreamArn": "bench", "region": "bench",
            "records": std::mem::take(batch) });
        requests.push(request.to_string().into_bytes());
    };
    for (number, record) in records.iter().enumerate() {
        if bytes + record.len() > REQUEST_BYTES {
            close(&mut batch);
            bytes = 0;
        }
        bytes += record.len();
        batch.push(json!({ "recordId": number.to_string(), "approximateArrivalTimestamp": ARRIVAL_MS,
            "data": STANDARD.encode(record) }));
    }
    close(&mut batch);
    requests
}

fn ingest_config() -> ledgerline_ingest::Config {
    ledgerline_ingest::Config { default_org: "bench".to_owned(), late_after_ms: 48 * 3_600_000 }
}

/// All bronze lines, gzipped as Firehose does.
fn ingest(requests: &[Vec<u8>]) -> Vec<u8> {
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::default());
    for request in requests {
        let Ok(answer) = ledgerline_ingest::handle(&ingest_config(), ARRIVAL_MS, request) else { continue };
        let Ok(answer) = serde_json::from_str::<Value>(&answer.body) else { continue };
        for record in answer["records"].as_array().into_iter().flatten() {
            let lines = STANDARD.decode(record["data"].as_str().unwrap_or_default()).unwrap_or_default();
            // Compressing into memory does not fail; were it to, the counts below would show it.
            let _ = gzip.write_all(&lines);
        }
    }
    gzip.finish().unwrap_or_default()
}

/// The floor: the request parsed, each record decoded, its event validated, and encoded again.
fn measure_ingest(requests: &[Vec<u8>], records: &[Vec<u8>]) {
    #[derive(serde::Deserialize)]
    struct Request<'a> {
        #[serde(borrow)]
        records: Vec<Input<'a>>,
    }
    #[derive(serde::Deserialize)]
    struct Input<'a> {
        data: &'a str,
    }
    let config = ingest_config();
    let pair = pair::time_pair(
        records.len(),
        || {
            let (mut decoded, mut encoded) = (Vec::new(), String::new());
            for request in requests {
                let Ok(request) = serde_json::from_slice::<Request<'_>>(request) else { continue };
                for input in &request.records {
                    decoded.clear();
                    encoded.clear();
                    let valid = STANDARD.decode_vec(input.data, &mut decoded).is_ok()
                        && serde_json::from_slice::<&RawValue>(&decoded).is_ok();
                    STANDARD.encode_string(&decoded, &mut encoded);
                    black_box((valid, &encoded));
                }
            }
        },
        || {
            for request in requests {
                black_box(ledgerline_ingest::handle(&config, ARRIVAL_MS, request).is_ok());
            }
        },
    );
    say(&format!(
        "ingest: floor = request, base64 decode and encode (the crate's plain engine; ours is its vectorised one), \
         each event validated with &RawValue\n{pair}"
    ));
}

// ----------------------------------------------------------------------------------------------------------- transform

fn settings() -> Result<Settings, Fault> {
    let policy = Policy::built_in();
    let ring = KeyRing::new([PseudonymKey::new(1, [7; 32])]);
    Ok(Settings {
        bronze_bucket: "bench".to_owned(),
        default_org: "bench".to_owned(),
        calling_code: CallingCode::NANP,
        claim_days: 400,
        fan_out_cap: 5_000,
        policy_hash: policy.hash(),
        policy,
        pseudonyms: ring.ok_or_else(|| Fault::new("no key ring", "report this"))?,
        event_key: EventKey::new([8; 32]),
    })
}

/// The pure path: read, adapt, mask, claim (every event is owned), order, silver, plan.
fn transformed(settings: &Settings, object: ObjectId, bronze: &[u8]) -> Result<(Read, Plan), Fault> {
    let broken =
        |error: &dyn std::fmt::Display| Fault::new(format!("transform refused the day: {error}"), "report this");
    let no_salt = |salt: &mut [u8]| salt.fill(1);
    let mut reading = Reading::new(settings, object, ARRIVAL_MS, &no_salt);
    reading.push(bronze).map_err(|error| broken(&error))?;
    let read = reading.finish().map_err(|error| broken(&error))?;
    let mut owned: Vec<_> = read.events.iter().collect();
    owned.sort_unstable_by(|a, b| event_order(a, b));
    let owned: Vec<Owned<'_>> = owned
        .into_iter()
        .map(|event| Owned { event, customer_ref: Some("c_00000000000000000000000000000000") })
        .collect();
    let silver = output::silver(object, &read, &owned, ARRIVAL_MS, &settings.policy_hash);
    black_box(silver.map_err(|error| broken(&error))?);
    let logs: Vec<Option<LogId>> = read.records.iter().map(|record| Some(record.first_log.clone())).collect();
    let planned = owned.len() as u64;
    let counts = Counts {
        input: read.input,
        filtered: read.filtered,
        duplicate: read.repeated,
        quarantined: read.quarantined,
        planned,
    };
    let plan = output::plan(object, "bronze/bench", &owned, &logs, counts).map_err(|error| broken(&error))?;
    drop(owned);
    Ok((read, plan))
}

fn measure_transform(settings: &Settings, object: ObjectId, bronze: &[u8]) -> Result<(), Fault> {
    let (read, _) = transformed(settings, object, bronze)?;
    let mentions: usize = read.events.iter().map(|event| event.identifiers.len()).sum();
    let rows: Vec<Owned<'_>> = read.events.iter().map(|event| Owned { event, customer_ref: None }).collect();
    let pair = pair::time_pair(
        read.input as usize,
        || {
            let mut text = Vec::new();
            let unpacked = flate2::read::MultiGzDecoder::new(bronze).read_to_end(&mut text).is_ok();
            for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                black_box(serde_json::from_slice::<Value>(line).is_ok());
            }
            for mention in 0..mentions {
                if let Ok(mut mac) = hmac::Hmac::<sha2::Sha256>::new_from_slice(&[7; 32]) {
                    mac.update(b"phone\x1f+13175550142");
                    black_box((mention, mac.finalize().into_bytes()));
                }
            }
            black_box((unpacked, output::silver(object, &read, &rows, ARRIVAL_MS, "hash").is_ok()));
        },
        || {
            black_box(transformed(settings, object, bronze).is_ok());
        },
    );
    say(&format!(
        "transform: floor = gunzip, parse, {mentions} HMACs (one per identifier), the same Parquet rows; \
         ours also names, masks, orders and writes the gzipped plan\n{pair}"
    ));
    Ok(())
}

// ------------------------------------------------------------------------------------------------- size and cold start

/// What Lambda stores: the binary in a zip archive.
fn measure_size() -> Result<(), Fault> {
    say("size: zipped as it is deployed (cargo lambda build --release)");
    for function in FUNCTIONS {
        let binary = functions_directory().join(function).join("bootstrap");
        let bytes = std::fs::read(&binary).map_err(|error| {
            Fault::caused_by(format!("cannot read {}", binary.display()), error, "run: cargo xtask up")
        })?;
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), Compression::best());
        let zipped = deflate.write_all(&bytes).and_then(|()| deflate.finish()).map_or(0, |zipped| zipped.len());
        say(&format!("  {function:12} {:5.2} MB zipped, {:5.2} MB unzipped", mb(zipped), mb(bytes.len())));
    }
    Ok(())
}

fn mb(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

fn measure_cold_start() -> Result<(), Fault> {
    let mut build = Command::new("cargo");
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
        let took = start(&functions_directory().join(function).join("bootstrap"), &environment).map_err(failed)?;
        say(&format!("  {function:12} {took:7.2} ms, {:.1} times the empty one", took / empty));
    }
    Ok(())
}

/// One event through the stack: transform's first start makes the data keys, every later one, as measured, unwraps them.
fn make_data_keys() -> Result<(), Fault> {
    let stack = local::up()?;
    let records = generate(&GenArgs::calm(1, SEED, DAY)).records;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Fault::caused_by("cannot start", error, "free some memory or file handles"))?;
    runtime.block_on(async {
        crate::send::put(&stack, &records).await?;
        stack.wait_until_drained(std::time::Duration::from_secs(60)).await.map(drop)
    })
}

fn start(binary: &Path, environment: &[(String, String)]) -> Result<f64, String> {
    cold_start::median_start(binary, environment).map(|took| took.as_secs_f64() * 1e3)
}

/// What every function of the running stack is told, together: transform opens its keys before it asks for work.
fn environment() -> Result<Vec<(String, String)>, Fault> {
    let stack = local::up()?;
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
        ("STREAM_NAME".to_owned(), stack.stream("EventStream")?.to_owned()),
        ("BRONZE_QUEUE_URL".to_owned(), stack.queue("BronzeQueue")?.to_owned()),
        ("LEDGER_QUEUE_URL".to_owned(), stack.queue("LedgerQueue")?.to_owned()),
    ];
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
