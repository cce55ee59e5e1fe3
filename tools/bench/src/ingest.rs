//! ingest beside what no ingest can do without: requests of Firehose to bronze lines.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, GzBuilder};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use xtask::fault::Fault;
use xtask::tools::say;

use super::plain::{self, Inputs, Plain};
use super::{ARRIVAL_MS, pair};

/// Firehose invokes with a megabyte at a time.
const REQUEST_BYTES: usize = 1024 * 1024;

/// The records as Firehose hands them over.
pub(super) fn requests(records: &[Vec<u8>]) -> Vec<Vec<u8>> {
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

const LATE_AFTER_HOURS: i64 = 48;

fn ingest_config() -> ledgerline_ingest::Config {
    ledgerline_ingest::Config { default_org: "bench".to_owned(), late_after_ms: LATE_AFTER_HOURS * 3_600_000 }
}

/// All bronze lines, gzipped as Firehose does.
pub(super) fn bronze(requests: &[Vec<u8>]) -> Vec<u8> {
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

/// What our answers hold, as the plain handler counts its own.
fn counts(requests: &[Vec<u8>]) -> Value {
    let (mut records, mut events, mut partitions) = (0, 0, BTreeSet::new());
    for request in requests {
        let Ok(answer) = ledgerline_ingest::handle(&ingest_config(), ARRIVAL_MS, request) else { continue };
        events += answer.counts.events;
        let Ok(answer) = serde_json::from_str::<Value>(&answer.body) else { continue };
        for record in answer["records"].as_array().into_iter().flatten() {
            records += 1;
            partitions.insert(record["metadata"]["partitionKeys"].to_string());
        }
    }
    json!({ "records": records, "events": events, "partitions": partitions.len() })
}

/// The floor: the request parsed, each record decoded, its event validated, and encoded again. And a plain Python handler.
///
/// # Errors
/// The plain handler did other work than ours.
pub(super) fn measure(requests: &[Vec<u8>], records: &[Vec<u8>]) -> Result<(), Fault> {
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
    let files = requests.iter().enumerate();
    let inputs = Inputs::write(files.map(|(at, request)| (format!("request-{at:04}.json"), request.as_slice())))?;
    let folder = inputs.path().to_string_lossy();
    let arguments = [&*folder, &config.default_org, &LATE_AFTER_HOURS.to_string()];
    let mut plain = Plain::start("ingest.py", &arguments, counts(requests));
    let pair = pair::time_pair_beside(
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
        || plain.iter_mut().for_each(Plain::turn),
    );
    let beside = plain::beside(plain, &pair)?;
    say(&format!(
        "ingest: floor = request, base64 decode and encode (the crate's plain engine; ours is its vectorised one), \
         each event validated with &RawValue\n{pair}\n{beside}"
    ));
    Ok(())
}
