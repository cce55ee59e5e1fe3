//! What transform costs at AWS, by how many events an object holds: one day through the real function on strict fakes, cut into
//! objects in the order of arrival, every call counted and every row weighed.
//!
//! Left out: Lambda's GB-seconds, storage, empty receives of the queue's poller, logs, and runs that clash: one object at a time.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};
use ledgerline_lake::ObjectId;
use ledgerline_lake::plan::Counts;
use ledgerline_lambda::clock::FixedClock;
use ledgerline_store::data_key::DataKeys;
use ledgerline_store::{Family, subject};
use ledgerline_testkit::bucket::FakeBucket;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::queue::FakeQueue;
use ledgerline_testkit::table::FakeTable;
use ledgerline_testkit::wrapping::{FakeWrapping, put_month_keys};
use ledgerline_traffic::r#gen::{GenArgs, Planted, generate};
use ledgerline_transform::config::open_keys;
use ledgerline_transform::object::{Outcome, transform};
use ledgerline_transform::stores::{Ports, Stores};

use crate::append::in_virtual_time;
use crate::bill::{Bill, DYNAMODB, INVOKED, POLLED, POLLER_CALLS};
use crate::capacity::{Capacity, Metered};
use crate::transform::{counting, settings};
use crate::{ARRIVAL_MS, DAY, SEED, ingest};

/// Events per object.
const OBJECTS: [usize; 3] = [10, 1_000, 100_000];
/// The day's first so many lines.
const EVENTS: usize = 100_000;
/// Interactions of the day: some more than those lines are about.
const INTERACTIONS: u32 = 7_500;
/// Per cent of interactions that other systems tell of, too, and of events that are sent twice.
const GUIDES: f64 = 30.0;
const DUPLICATES: f64 = 2.0;
const DAY_MS: i64 = 86_400_000;

/// A table of what a million events take, a column per size of the objects.
pub(crate) fn measure() -> Result<Vec<String>, String> {
    let (planted, lines) = day()?;
    let lines: Vec<&[u8]> = lines.split_inclusive(|byte| *byte == b'\n').take(EVENTS).collect();
    if lines.len() < EVENTS {
        return Err(format!("the day has {} events", lines.len()));
    }
    let mut told = vec![told(&planted)];
    let mut columns = Vec::new();
    for events in OBJECTS {
        let run = in_virtual_time(run(&lines, events))?;
        let Counts { planned, filtered, duplicate, quarantined, .. } = run.counts;
        told.push(format!(
            "  {events} events per object: {planned} planned, {filtered} filtered, {duplicate} duplicates, {quarantined} quarantined; \
             {} subjects",
            run.subjects
        ));
        if columns.is_empty() {
            told.push(format!("  a cold start of the function, beside: {:?}", run.start));
        }
        columns.push(run.bill);
    }
    let header = OBJECTS.map(|events| format!("{events:>12}"));
    let mut table = vec![format!("  {:<44}{}", "per million events, events per object", header.concat())];
    let mut row = |name: &str, of: &dyn Fn(&Bill) -> f64| {
        let cells: Vec<String> = columns.iter().map(|bill| format!("{:>12.0}", of(bill))).collect();
        table.push(format!("  {name:<44}{}", cells.concat()));
    };
    row("DynamoDB calls", &|bill| bill.calls(|call| call.starts_with(DYNAMODB)));
    let mut names: Vec<&str> = columns.iter().flat_map(|bill| bill.calls.keys().copied()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        row(name, &|bill| bill.calls(|call| call == name));
    }
    row("write units", &|bill| bill.per_million(bill.units().write));
    row("read units", &|bill| bill.per_million(bill.units().read));
    let mut families: Vec<Option<Family>> = columns.iter().flat_map(|bill| bill.used.keys().copied()).collect();
    families.sort_unstable();
    families.dedup();
    for family in families {
        let name = family.map_or_else(|| "Several".to_owned(), |family| format!("{family:?}"));
        let units = |bill: &Bill| bill.used.get(&family).copied().unwrap_or_default();
        row(&format!("{name}, write units"), &|bill| bill.per_million(units(bill).write));
        row(&format!("{name}, read units"), &|bill| bill.per_million(units(bill).read));
    }
    let dollars =
        columns.iter().map(|bill| Ok(format!("{:>12.2}", bill.dollars()?))).collect::<Result<Vec<_>, String>>()?;
    table.push(format!("  {:<44}{}", "dollars", dollars.concat()));
    Ok([told, table].concat())
}

/// A day of traffic, and its bronze lines in the order of arrival.
fn day() -> Result<(Planted, Vec<u8>), String> {
    let mut args = GenArgs::calm(INTERACTIONS, SEED, DAY);
    (args.guides, args.duplicates) = (GUIDES, DUPLICATES);
    let traffic = generate(&args);
    let bronze = ingest::bronze(&ingest::requests(&traffic.records));
    let mut lines = Vec::new();
    MultiGzDecoder::new(&bronze[..]).read_to_end(&mut lines).map_err(|error| error.to_string())?;
    Ok((traffic.planted, lines))
}

/// What the day is.
fn told(planted: &Planted) -> String {
    // A caller who comes back is found by the number or the address.
    let mut named: BTreeMap<&str, u64> = BTreeMap::new();
    for identifier in &planted.identifiers {
        for interaction in &identifier.resolves {
            let again = u64::from(identifier.resolves.first() != Some(interaction));
            let known = named.entry(interaction).or_default();
            *known = again.max(*known);
        }
    }
    let interactions = planted.counts.interactions;
    let percent = |some: u64| some as f64 * 100.0 / interactions as f64;
    format!(
        "  {interactions} interactions of {:.1} events ({GUIDES} % told of by other systems, too; {DUPLICATES} % sent twice), {:.0} % name their \
         customer, {:.0} % one whom another has named; the first {EVENTS} lines, one org, tables empty at first",
        planted.counts.events as f64 / interactions as f64,
        percent(named.len() as u64),
        percent(named.values().sum())
    )
}

/// What a day in objects of one size took.
struct Run {
    bill: Bill,
    counts: Counts,
    subjects: usize,
    /// Calls of a cold start that finds its keys made.
    start: BTreeMap<&'static str, u64>,
}

async fn run(lines: &[&[u8]], events: usize) -> Result<Run, String> {
    let (faults, calls, used) = (Faults::none(), Calls::default(), Capacity::default());
    let fake = |name| FakeTable::new(name, faults.clone(), calls.clone());
    let port = |fake: &FakeTable| Metered { fake: fake.clone(), used: used.clone() }.port();
    let bucket = |name| FakeBucket::new(name, faults.clone(), calls.clone(), ARRIVAL_MS);
    let queue = |name| FakeQueue::new(name, faults.clone(), calls.clone()).port();
    let (control, keys) = (fake("ControlTable"), fake("KeysTable"));
    put_month_keys(&control, "bench", &["2026-03"]);
    let bronze = FakeBucket::versioned("BronzeBucket", faults.clone(), calls.clone(), ARRIVAL_MS);
    let ports = Ports {
        control: port(&control),
        index: port(&fake("IndexTable")),
        keys: port(&keys),
        bronze: bronze.port(),
        lake: bucket("LakeBucket").port(),
        staged: bucket("StagedBucket").port(),
        queue: queue("LedgerQueue"),
        erase_queue: queue("EraseQueue"),
    };
    let wrapping = FakeWrapping::new("DataKey", faults.clone(), calls.clone());
    let data_keys = DataKeys::new(port(&control), wrapping.port(), "bench");
    let mut start = BTreeMap::new();
    for _ in ["of the deployment", "cold"] {
        calls.reset();
        open_keys(&data_keys, &FixedClock(ARRIVAL_MS)).await.map_err(|error| error.to_string())?;
        start = calls.by_name();
    }
    let settings = settings().map_err(|fault| fault.to_string())?;
    calls.reset();
    used.reset();

    let stores = Stores::new(ports, Box::new(counting()));
    let objects = lines.len().div_ceil(events);
    let mut counts = Counts::default();
    for (number, lines) in lines.chunks(events).enumerate() {
        let key = format!(
            "bronze/event_type=interaction/year=2026/month=03/day=02/hour=14/Bench-1-2026-03-02-14-00-00-\
             00000000-0000-4000-8000-{number:012}.gz"
        );
        bronze.seed(&key, gzip(lines)?);
        // The objects come over a day: what a process remembers for some minutes is read again as often as it would be.
        let now_ms = ARRIVAL_MS + DAY_MS * number as i64 / objects as i64;
        let id = ObjectId::of(&settings.bronze_bucket, &key);
        match transform(&stores, &settings, now_ms, id, &key).await {
            Ok(Outcome::Planned(of_one)) => {
                counts.input += of_one.input;
                counts.planned += of_one.planned;
                counts.filtered += of_one.filtered;
                counts.duplicate += of_one.duplicate;
                counts.quarantined += of_one.quarantined;
            }
            other => return Err(format!("{key}: {other:?}")),
        }
    }
    let mut by_name = calls.by_name();
    // The template gives an invocation one object.
    by_name.insert(POLLED, POLLER_CALLS * objects as u64);
    by_name.insert(INVOKED, objects as u64);
    let bill = Bill { events: counts.input, calls: by_name, used: used.by_family() };
    let subjects = keys.look(|rows| rows.keys().filter(|key| subject::parse_state_key(key).is_some()).count());
    Ok(Run { bill, counts, subjects, start })
}

fn gzip(lines: &[&[u8]]) -> Result<Vec<u8>, String> {
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::fast());
    lines.iter().try_for_each(|line| gzip.write_all(line)).map_err(|error| error.to_string())?;
    gzip.finish().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_objects_share_what_an_object_and_a_record_cost() {
        let (_, lines) = day().unwrap();
        let lines: Vec<&[u8]> = lines.split_inclusive(|byte| *byte == b'\n').take(600).collect();
        let [small, large] = [10, 600].map(|events| in_virtual_time(run(&lines, events)).unwrap());
        assert_eq!((small.counts, small.subjects), (large.counts, large.subjects));
        assert_eq!((small.counts.input, small.start["kms:Decrypt"]), (600, 3));
        let objects = |run: &Run| run.bill.calls[INVOKED];
        assert_eq!((objects(&small), objects(&large)), (60, 1));
        let units = |run: &Run, family| run.bill.used[&Some(family)];
        // One row a subject, in a transaction; one note of a record and object.
        assert!(units(&large, Family::SubjectState).write >= 2 * large.subjects as u64, "{:?}", large.bill);
        assert!(units(&small, Family::BronzeNote).write > units(&large, Family::BronzeNote).write);
        // Nobody was erased; tombstones are asked for all the same.
        assert!(units(&large, Family::Tombstone).read > 0);
        assert!(small.bill.dollars().unwrap() > large.bill.dollars().unwrap());
    }
}
