//! transform beside what no transform can do without: a bronze object to silver and plan, without the stores.

use std::hint::black_box;
use std::io::Read as _;

use hmac::{KeyInit as _, Mac as _};
use ledgerline_event::catalogue::{Switches, built_in};
use ledgerline_lake::ObjectId;
use ledgerline_lake::plan::{Counts, Plan};
use ledgerline_ledger::log::LogId;
use ledgerline_privacy::{CallingCode, EventKey, KeyRing, PseudonymKey};
use ledgerline_transform::config::{Settings, process_names};
use ledgerline_transform::output::{self, Owned, event_order};
use ledgerline_transform::reading::{Read, Reading};
use serde_json::Value;

use super::{ARRIVAL_MS, pair};
use crate::fault::Fault;
use crate::tools::say;

/// The function's settings, with keys that everybody knows.
pub(super) fn settings() -> Result<Settings, Fault> {
    let policy = built_in().policy();
    let ring = KeyRing::new([PseudonymKey::new(1, [7; 32])]).ok_or_else(|| Fault::new("no key ring", "report this"))?;
    Ok(Settings {
        bronze_bucket: "bench".to_owned(),
        default_org: "bench".to_owned(),
        calling_code: CallingCode::NANP,
        switches: Switches::default(),
        numeric_id_sources: Vec::new(),
        claim_days: 400,
        fan_out_cap: 5_000,
        policy_hash: policy.hash(),
        process_names: process_names(policy, ring.newest()),
        policy,
        pseudonyms: ring,
        event_key: EventKey::new([8; 32]),
    })
}

/// The pure path: read, adapt, mask, claim (every event is owned), order, silver, plan.
pub(super) fn transformed(settings: &Settings, object: ObjectId, bronze: &[u8]) -> Result<(Read, Plan), Fault> {
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
        filtered: read.filtered.values().sum(),
        duplicate: read.repeated,
        quarantined: read.quarantined.values().sum(),
        planned,
    };
    let plan = output::plan(object, "bronze/bench", &owned, &logs, counts).map_err(|error| broken(&error))?;
    drop(owned);
    Ok((read, plan))
}

pub(super) fn measure(settings: &Settings, object: ObjectId, bronze: &[u8]) -> Result<(), Fault> {
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
