//! transform beside what no transform can do without: a bronze object to silver and plan, without the stores.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::io::Read as _;
use std::sync::atomic::{AtomicU32, Ordering};

use hmac::{KeyInit as _, Mac as _};
use ledgerline_custody::own::OwnList;
use ledgerline_custody::subjects::Limits;
use ledgerline_event::catalogue::{Switches, built_in};
use ledgerline_lake::ObjectId;
use ledgerline_lake::plan::{Counts, Plan};
use ledgerline_lake::silver::SilverFile;
use ledgerline_ledger::log::LogId;
use ledgerline_privacy::{EventKey, KeyRing, PseudonymKey, Region, SuppressionKey, SuppressionRing};
use ledgerline_sealed::Sender;
use ledgerline_testkit::wrapping::month_pair;
use ledgerline_transform::config::{Settings, process_names};
use ledgerline_transform::output::{self, Owned, event_order};
use ledgerline_transform::reading::{Drawn, Read, Reading};
use serde_json::{Value, json};
use xtask::fault::Fault;
use xtask::tools::say;

use super::plain::{self, Inputs, Plain};
use super::{ARRIVAL_MS, pair};

/// The function's settings, with keys that everybody knows.
pub(super) fn settings() -> Result<Settings, Fault> {
    let policy = built_in().policy();
    let none = || Fault::new("no key ring", "report this");
    let ring = KeyRing::new([PseudonymKey::new(1, [7; 32])]).ok_or_else(none)?;
    let suppression = SuppressionRing::new([SuppressionKey::new(1, [9; 32])]).ok_or_else(none)?;
    Ok(Settings {
        deployment: DEPLOYMENT.to_owned(),
        bronze_bucket: "bench".to_owned(),
        default_org: "bench".to_owned(),
        regions: Region::US.into(),
        own_numbers: OwnList::default(),
        switches: Switches::default(),
        numeric_id_sources: Vec::new(),
        claim_days: 400,
        limits: Limits { cap: 5_000, busy: 100 },
        policy_hash: policy.hash(),
        process_names: process_names(policy, ring.newest()),
        policy,
        pseudonyms: ring,
        event_key: EventKey::new([8; 32]),
        suppression,
    })
}

/// Random bytes that cost nothing, and yet are never twice the same.
pub(super) fn counting() -> impl Fn(&mut [u8]) + Send + Sync {
    let drawn = AtomicU32::new(0);
    move |bytes| {
        bytes.fill(1);
        let number = drawn.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        bytes.iter_mut().zip(number).for_each(|(byte, drawn)| *byte = drawn);
    }
}

/// What an object becomes.
pub(super) struct Transformed {
    read: Read,
    silver: Vec<SilverFile>,
    /// The plan.
    pub(super) plan: Plan,
}

impl Transformed {
    /// What it holds, as the plain handler counts its own.
    fn counts(&self) -> Value {
        json!({
            "lines": self.read.input,
            "rows": self.silver.iter().map(|file| file.rows).sum::<u64>(),
            "files": self.silver.len(),
            "auditLines": self.plan.header.chunks.iter().map(|chunk| u64::from(chunk.count)).sum::<u64>(),
            "identifiers": self.mentions(),
        })
    }

    /// Bytes of its entries' lines, and of the plan's gzip members that hold them, by entry.
    fn bytes_per_entry(&self) -> [f64; 2] {
        let lines: u64 = self.read.events.iter().map(|event| event.line.len() as u64 + 1).sum();
        let packed: u64 = self.plan.header.chunks.iter().map(|chunk| chunk.length).sum();
        [lines, packed].map(|bytes| bytes as f64 / self.plan.header.counts.planned as f64)
    }

    fn mentions(&self) -> usize {
        self.read.events.iter().map(|event| event.adapted.identifiers.len()).sum()
    }
}

/// The pure path: read, adapt, mask, seal, claim (every event is owned), wrap the keys, order, silver, plan.
pub(super) fn transformed(settings: &Settings, object: ObjectId, bronze: &[u8]) -> Result<Transformed, Fault> {
    let read = Reading::alone(settings, object, ARRIVAL_MS, &counting(), bronze).map_err(|error| refused(&error))?;
    wrap_keys(&read)?;
    planned(settings, object, read)
}

/// The same with a sealer that seals nothing.
fn unsealed(settings: &Settings, object: ObjectId, bronze: &[u8]) -> Result<Transformed, Fault> {
    let read = Reading::alone_unsealed(settings, object, ARRIVAL_MS, &counting(), bronze);
    planned(settings, object, read.map_err(|error| refused(&error))?)
}

fn refused(error: &dyn std::fmt::Display) -> Fault {
    Fault::new(format!("transform refused the day: {error}"), "report this")
}

/// Wraps what the events are sealed under, as a run does before it plans.
fn wrap_keys(read: &Read) -> Result<(), Fault> {
    let sender = Sender::to(&month_pair(DEPLOYMENT, "2026-03").1, DEPLOYMENT).map_err(|error| refused(&error))?;
    let used: BTreeSet<usize> = read.events.iter().flat_map(|event| event.keys.iter().copied()).collect();
    for Drawn { record, key, .. } in used.into_iter().map(|place| &read.keys[place]) {
        black_box(sender.wrap(&read.records[*record].key, key));
    }
    Ok(())
}

fn planned(settings: &Settings, object: ObjectId, read: Read) -> Result<Transformed, Fault> {
    let mut owned: Vec<_> = read.events.iter().collect();
    owned.sort_unstable_by(|a, b| event_order(a, b));
    let owned: Vec<Owned<'_>> = owned
        .into_iter()
        .map(|event| Owned { customer_ref: Some("c_00000000000000000000000000000000"), ..Owned::of(event) })
        .collect();
    let silver = output::silver(object, &read, &owned, ARRIVAL_MS, &settings.policy_hash);
    let silver = silver.map_err(|error| refused(&error))?;
    let logs: Vec<Option<LogId>> = read.records.iter().map(|record| Some(record.first_log.clone())).collect();
    let planned = owned.len() as u64;
    let counts = Counts {
        input: read.input,
        filtered: read.filtered.values().sum(),
        duplicate: read.repeated_lines.len() as u64,
        quarantined: read.quarantined.values().sum(),
        planned,
    };
    let beside = output::beside(&silver, &settings.policy_hash);
    let plan = output::plan(object, "bronze/bench", &owned, &logs, counts, beside).map_err(|error| refused(&error))?;
    drop(owned);
    Ok(Transformed { read, silver, plan })
}

/// Beside the floor and a plain Python handler, and then beside itself where nothing is sealed.
///
/// # Errors
/// Transforming fails, or the plain handler did other work than ours.
pub(super) fn measure(settings: &Settings, object: ObjectId, bronze: &[u8]) -> Result<(), Fault> {
    let made = transformed(settings, object, bronze)?;
    let (read, mentions) = (&made.read, made.mentions());
    let inputs = Inputs::write([("bronze.gz".to_owned(), bronze)])?;
    let mut plain = Plain::start("transform.py", &[&inputs.path().join("bronze.gz").to_string_lossy()], made.counts());
    let rows: Vec<Owned<'_>> = read.events.iter().map(Owned::of).collect();
    let pair = pair::time_pair_beside(
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
            black_box((unpacked, output::silver(object, read, &rows, ARRIVAL_MS, "hash").is_ok()));
        },
        || {
            black_box(transformed(settings, object, bronze).is_ok());
        },
        || plain.iter_mut().for_each(Plain::turn),
    );
    let beside = plain::beside(plain, &pair)?;
    say(&format!(
        "transform, under mimalloc as the function is: floor = gunzip, parse, {mentions} HMACs (one per identifier), the \
         same Parquet rows; \
         ours also names, masks, seals, orders and writes the gzipped plan\n{pair}\n{beside}"
    ));
    measure_sealing(settings, object, bronze, &made)
}

/// What sealing takes, of CPU and of an entry's bytes.
fn measure_sealing(settings: &Settings, object: ObjectId, bronze: &[u8], made: &Transformed) -> Result<(), Fault> {
    let plain = unsealed(settings, object, bronze)?;
    let pair = pair::time_pair(
        made.read.input as usize,
        || {
            black_box(unsealed(settings, object, bronze).is_ok());
        },
        || {
            black_box(transformed(settings, object, bronze).is_ok());
        },
    );
    let ([clear, packed], [clear_before, packed_before]) = (made.bytes_per_entry(), plain.bytes_per_entry());
    say(&format!(
        "transform, sealing: floor = the same with a sealer that seals nothing; ours seals {} blocks and wraps {} keys\n{pair}\n  \
         events per second: {:.2} of those without\n  bytes per entry: {clear:.0} in clear text, {packed:.0} packed; without \
         {clear_before:.0} and {packed_before:.0}",
        made.read.events.iter().map(|event| event.keys.len()).sum::<usize>(),
        made.read.keys.len(),
        1.0 / pair.ratios().0,
    ));
    Ok(())
}

const DEPLOYMENT: &str = "bench";
