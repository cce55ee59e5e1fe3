//! What an erasure costs, by how many interactions the person had: the real function on the strict fakes, from the approved request to the
//! certificate, every call counted and every row and object weighed. Beside it, what it takes only to look for the person in all of a lake,
//! which is what an erasure without an index begins with.
//!
//! The time is virtual and exact: every call takes as long as the others, and no CPU is counted. Left out: Lambda's GB-seconds, logs, what
//! audit-write does with the entries of the erasure, and the waiting for runs that may be under way, which no work shortens.

mod lake;
mod weighed;

use std::collections::BTreeMap;
use std::time::Duration;

use ledgerline_ledger::store::StoreError;

use crate::append::in_virtual_time;
use crate::bill::{Bill, DYNAMODB, INVOKED, POLLED, POLLER_CALLS};
use lake::{EVENTS_PER_OBJECT, Lake, Worked, mean_bytes};

/// Interactions of the person.
const INTERACTIONS: [u32; 3] = [1, 100, 4_900];
/// Events of the lake that is looked through.
const LAKE_EVENTS: u64 = 1_000_000;
/// How long a call takes.
const LATENCY: Duration = Duration::from_millis(50);
/// Calls at once of whoever looks through the lake: as many as the eraser's.
const CALLS_AT_ONCE: u64 = 8;
/// Objects in one page of a list.
const LISTED: u64 = 1_000;
/// Bills are per million: so many events make theirs one in dollars.
const WHOLE: u64 = 1_000_000;

/// A table, a column for each number of interactions and one for the lake.
pub(crate) fn measure() -> Result<Vec<String>, String> {
    let mut columns = Vec::new();
    let mut object_bytes = Objects::default();
    for interactions in INTERACTIONS {
        let (column, objects) = in_virtual_time(erased(interactions))?;
        columns.push(column);
        object_bytes = objects;
    }
    columns.push(looked_through(object_bytes));
    let mut table = vec![
        format!(
            "  each interaction of four events in an object of its own, of {EVENTS_PER_OBJECT} events; {} ms a call; one org, one person by phone",
            LATENCY.as_millis()
        ),
        format!("  {:<44}{}", "interactions of the person", headings(&INTERACTIONS)),
    ];
    let mut row = |name: &str, of: &dyn Fn(&Column) -> f64, digits: usize| {
        let cells: Vec<String> = columns.iter().map(|column| format!("{:>14.digits$}", of(column))).collect();
        table.push(format!("  {name:<44}{}", cells.concat()));
    };
    row("calls of AWS", &Column::all_calls, 0);
    row("calls of DynamoDB", &|column| column.calls(|call| call.starts_with(DYNAMODB)), 0);
    let mut names: Vec<&str> = columns.iter().flat_map(|column| column.bill.calls.keys().copied()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        row(name, &|column| column.calls(|call| call == name), 0);
    }
    row("write units", &|column| column.bill.units().write as f64, 0);
    row("read units", &|column| column.bill.units().read as f64, 0);
    row("MB read from buckets", &|column| column.read_bytes as f64 / 1e6, 2);
    row("MB put into buckets", &|column| column.put_bytes as f64 / 1e6, 2);
    row("minutes at work, virtual", &|column| column.at_work.as_secs_f64() / 60.0, 2);
    let dollars = columns
        .iter()
        .map(|column| Ok(format!("{:>14.4}", column.bill.dollars()?)))
        .collect::<Result<Vec<_>, String>>()?;
    table.push(format!("  {:<44}{}", "dollars", dollars.concat()));
    Ok(table)
}

fn headings(interactions: &[u32]) -> String {
    let scan = format!("{:>14}", format!("10^{} scanned", LAKE_EVENTS.ilog10()));
    interactions.iter().map(|count| format!("{count:>14}")).chain([scan]).collect()
}

/// What something took.
#[derive(Debug, Default)]
struct Column {
    bill: Bill,
    read_bytes: u64,
    put_bytes: u64,
    at_work: Duration,
}

impl Column {
    /// Calls whose name is fit.
    fn calls(&self, fit: impl Fn(&str) -> bool) -> f64 {
        let calls = self.bill.calls.iter().filter(|(call, _)| fit(call));
        calls.map(|(_, times)| times).sum::<u64>() as f64
    }

    /// All that the function calls: neither the queue's poller nor its own start.
    fn all_calls(&self) -> f64 {
        self.calls(|call| ![POLLED, INVOKED].contains(&call))
    }
}

/// The mean size of an object of bronze, and of one of silver.
#[derive(Debug, Default, Clone, Copy)]
struct Objects {
    bronze_bytes: u64,
    silver_bytes: u64,
}

/// Fills a lake, and erases the person.
async fn erased(interactions: u32) -> Result<(Column, Objects), String> {
    let lake = Lake::filled(interactions).await?;
    let id = lake.approved().await.map_err(told)?;
    let objects = Objects { bronze_bytes: mean_bytes(&lake.bronze), silver_bytes: mean_bytes(&lake.silver) };
    let Worked { calls, used, read_bytes, put_bytes, at_work, invocations } = lake.erase(&id, LATENCY).await?;
    let mut calls = calls;
    calls.insert(POLLED, POLLER_CALLS * invocations);
    calls.insert(INVOKED, invocations);
    let bill = Bill { events: WHOLE, calls, used };
    Ok((Column { bill, read_bytes, put_bytes, at_work }, objects))
}

/// What it takes to list and read every object of the lake once, of bronze and of silver.
fn looked_through(mean: Objects) -> Column {
    let objects = LAKE_EVENTS / u64::from(EVENTS_PER_OBJECT);
    let (gets, lists) = (2 * objects, 2 * objects.div_ceil(LISTED));
    let waits = lists + gets.div_ceil(CALLS_AT_ONCE);
    let calls = BTreeMap::from([("s3:GetObject", gets), ("s3:ListObjectsV2", lists)]);
    Column {
        bill: Bill { events: WHOLE, calls, used: BTreeMap::new() },
        read_bytes: objects * (mean.bronze_bytes + mean.silver_bytes),
        put_bytes: 0,
        at_work: LATENCY * u32::try_from(waits).unwrap_or(u32::MAX),
    }
}

fn told(error: StoreError) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_erasure_costs_follows_the_person_and_not_the_lake() {
        let [one, some] = [1, 12].map(|interactions| in_virtual_time(erased(interactions)).unwrap().0);
        let all = Column::all_calls;
        assert!(all(&one) < all(&some) && all(&some) < 12.0 * all(&one), "{} and {}", all(&one), all(&some));
        for column in [&one, &some] {
            assert!(
                !column.bill.calls.contains_key("dynamodb:Scan") && !column.bill.calls.contains_key("s3:ListObjectsV2")
            );
            assert!(
                column.bill.dollars().unwrap() > 0.0 && column.put_bytes > 0 && column.read_bytes > column.put_bytes
            );
        }
        // What is under way at once is waited for once.
        assert!(some.at_work < LATENCY * all(&some) as u32 && some.at_work > one.at_work);
        // Of the same person the figure can be had again.
        let again = in_virtual_time(erased(12)).unwrap().0;
        assert_eq!((again.bill.calls, again.at_work), (some.bill.calls, some.at_work));
    }

    #[test]
    fn a_lake_is_listed_and_read_once() {
        let column = looked_through(Objects { bronze_bytes: 3_000, silver_bytes: 5_000 });
        // 25,000 objects of each, in 25 pages.
        assert_eq!(column.bill.calls, [("s3:GetObject", 50_000), ("s3:ListObjectsV2", 50)].into());
        assert_eq!((column.read_bytes, column.at_work), (200_000_000, LATENCY * 6_300));
        // 50,000 × $0.0004 and 50 × $0.005, by the thousand.
        assert!((column.bill.dollars().unwrap() - 0.020_25).abs() < 1e-9);
    }
}
