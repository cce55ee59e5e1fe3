//! `trace`: every place where an interaction, or what a lineage token names, is kept: bronze, plan, segment, silver.
//!
//! Invariant: a place is named only if it was looked at: what retention has taken is said to be gone, and what this
//! evidence cannot tell is said to be untold. A folder tells of the ledger alone. By its id, by its source's token and by the token that
//! is derived from its id a record has the same entries. A deployment's index says where these are: no segment is read in vain.

use std::collections::BTreeSet;
use std::io;

use ledgerline_ledger::acts::is_act;
use ledgerline_ledger::verify::Evidence;
use serde_json::{Value, json};

use super::show::{Standing, in_event_order, place, standings};
use crate::answer::{Answer, Answered, Outcome};
use crate::args::TraceArgs;
use crate::context::Context;
use crate::fault::Fault;
use crate::reading::{Found, Inventory, has_derived, has_token, is_about, raw_id_fault};
use crate::screen::{Mark, Screen, counted, grouped};
use crate::source::{Locks, Named, Source};

/// Looks everywhere.
pub(super) fn run(args: &TraceArgs, context: &Context) -> Answered {
    let source = Source::open(&args.source.place(), None, Locks::OnDemand)?;
    let evidence = source.evidence.as_ref();
    let inventory = Inventory::of(evidence, context)?;
    let subject = args.subject.as_str();
    let mut found = match source.named(subject, &inventory)? {
        Some(Named { records, segments }) => {
            let ids = ids_of(&records);
            // What is not indexed yet may carry the token, too.
            let wanted = |line: &str| {
                is_about(line, subject) || has_token(line, subject) || ids.iter().any(|id| is_about(line, id))
            };
            inventory.find_in(evidence, context, Some(&segments), &|_, _, line| wanted(line))?
        }
        None => read_through(&inventory, evidence, context, subject)?,
    };
    source.look_at(&mut found)?;
    let entries = in_event_order(standings(found, &inventory, &source)?)?;
    let mut records = BTreeSet::new();
    let mut objects = BTreeSet::new();
    for (found, _) in &entries {
        let entry = found.entry()?;
        if let Some(record) = entry.record() {
            records.insert(record.key(&entry.org));
        }
        let day = entry.occurred_at.chars().take(10).collect();
        objects.insert((entry.source.object, day, is_act(&entry.event_type)));
    }
    let upstream = upstream(&source, subject, &inventory, &mut records, &objects)?;
    if entries.is_empty() && upstream.iter().all(Vec::is_empty) {
        return Err(raw_id_fault(subject).unwrap_or_else(|| {
            Fault::new(
                format!("nothing is known of {subject:?}"),
                "name an interaction id, an entity as <type>/<id>, or a lineage token; a new event takes minutes to arrive",
            )
        }));
    }
    let [bronze, plans, silver] = upstream;
    let told = bronze.len() + plans.len() + silver.len() > 0 || is_deployment(&source);
    Ok(Box::new(Trace { subject: subject.to_owned(), records, entries, bronze, plans, silver, told }))
}

/// The entries of the records that a text names, from all segments: by the id, or by a token of any of their entries, or by the derived one.
fn read_through(
    inventory: &Inventory,
    evidence: &dyn Evidence,
    context: &Context,
    subject: &str,
) -> Result<Vec<Found>, Fault> {
    let is_named = |line: &str| is_about(line, subject) || has_token(line, subject) || has_derived(line, subject);
    let named = inventory.find_in(evidence, context, None, &|_, _, line| is_named(line))?;
    let mut records = BTreeSet::new();
    for found in &named {
        let entry = found.entry()?;
        records.extend(entry.record().map(|record| record.key(&entry.org)));
    }
    let ids = ids_of(&records);
    if ids.iter().all(|id| *id == subject) {
        return Ok(named);
    }
    inventory.find_in(evidence, context, None, &|_, _, line| ids.iter().any(|id| is_about(line, id)))
}

/// The names of records without their organisations.
fn ids_of(records: &BTreeSet<String>) -> Vec<&str> {
    records.iter().filter_map(|record| record.split_once('/')).map(|(_, id)| id).collect()
}

/// What is behind an entry: the object, the day of the occurrence, and whether it is an act.
type Behind = (String, String, bool);

/// A place outside the ledger.
#[derive(Debug)]
struct Elsewhere {
    key: String,
    lines: Option<u64>,
    there: bool,
}

#[cfg(not(feature = "aws"))]
fn is_deployment(_: &Source) -> bool {
    false
}

#[cfg(not(feature = "aws"))]
fn upstream(
    _: &Source,
    _: &str,
    _: &Inventory,
    _: &mut BTreeSet<String>,
    _: &BTreeSet<Behind>,
) -> Result<[Vec<Elsewhere>; 3], Fault> {
    Ok([Vec::new(), Vec::new(), Vec::new()])
}

#[cfg(feature = "aws")]
fn is_deployment(source: &Source) -> bool {
    source.cloud().is_some()
}

/// Bronze objects, plans and silver files, where a deployment is asked.
#[cfg(feature = "aws")]
fn upstream(
    source: &Source,
    subject: &str,
    inventory: &Inventory,
    records: &mut BTreeSet<String>,
    objects: &BTreeSet<Behind>,
) -> Result<[Vec<Elsewhere>; 3], Fault> {
    use ledgerline_lake::keys::{PlanOf, silver_events, staged};
    use ledgerline_store::record::{HoldingObject, Records};
    let mut places = [Vec::new(), Vec::new(), Vec::new()];
    let Some(cloud) = source.cloud() else { return Ok(places) };
    let operator = &cloud.operator;
    let bucket = |logical: &str| operator.bucket(logical).map_err(|error| crate::cloud::store_fault(&error));
    // Without an entry the record may still be on its way: each org is asked for it by name.
    if records.is_empty() {
        records.extend(inventory.logs.keys().map(|log| format!("{}/{subject}", log.org())));
    }
    let holding = Records::new(crate::cloud::told(operator.rows_of("IndexTable"))?);
    let [bronze, plans, silver] = &mut places;
    let mut ids: BTreeSet<(String, bool)> =
        objects.iter().map(|(object, _, is_act)| (object.clone(), *is_act)).collect();
    let mut known = BTreeSet::new();
    for record in records.iter() {
        for HoldingObject { object, key, lines, .. } in cloud.ask(holding.bronze(record))? {
            let there = cloud.ask(operator.exists(bucket("BronzeBucket")?, &key))?;
            bronze.push(Elsewhere { key, lines: Some(lines), there });
            ids.insert((object, false));
            known.insert(record.clone());
        }
    }
    if objects.is_empty() {
        records.retain(|record| known.contains(record));
    }
    for (object, is_act) in ids {
        let Ok(object) = object.parse() else { continue };
        let key = staged(if is_act { PlanOf::Acts } else { PlanOf::Bronze }, object);
        let there = cloud.ask(operator.exists(bucket("StagedBucket")?, &key))?;
        plans.push(Elsewhere { key, lines: None, there });
    }
    // The ledger's own acts have no bronze object, and so no silver.
    for (object, day, _) in objects.iter().filter(|(.., is_act)| !is_act) {
        let Some((day, object)) = day_of(day).zip(object.parse().ok()) else { continue };
        let key = silver_events(day, object);
        if cloud.ask(operator.exists(bucket("LakeBucket")?, &key))? {
            silver.push(Elsewhere { key, lines: None, there: true });
        }
    }
    Ok(places)
}

#[cfg(feature = "aws")]
fn day_of(text: &str) -> Option<time::Date> {
    let format = time::macros::format_description!("[year]-[month]-[day]");
    time::Date::parse(text, format).ok()
}

struct Trace {
    subject: String,
    records: BTreeSet<String>,
    entries: Vec<(Found, Standing)>,
    bronze: Vec<Elsewhere>,
    plans: Vec<Elsewhere>,
    silver: Vec<Elsewhere>,
    told: bool,
}

impl Answer for Trace {
    fn outcome(&self) -> Outcome {
        Outcome::of(self.entries.iter().all(|(_, standing)| standing.holds()))
    }

    fn json(&self) -> Value {
        let places = |places: &[Elsewhere]| -> Vec<Value> {
            places.iter().map(|one| json!({ "key": one.key, "lines": one.lines, "there": one.there })).collect()
        };
        let entries = self.entries.iter().map(|(found, standing)| {
            let entry = found.entry().ok();
            json!({
                "place": place(found, *standing),
                "eventId": entry.as_ref().map(|entry| &entry.event_id),
                "type": entry.as_ref().map(|entry| &entry.event_type),
                "occurredAt": entry.as_ref().map(|entry| &entry.occurred_at),
                "source": entry.as_ref().map(|entry| json!({ "object": entry.source.object, "line": entry.source.line })),
            })
        });
        json!({
            "subject": self.subject, "records": self.records, "entries": entries.collect::<Vec<_>>(),
            "upstreamTold": self.told, "bronze": places(&self.bronze), "plans": places(&self.plans),
            "silver": places(&self.silver),
        })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("TRACE", &self.subject)?;
        let places = |screen: &mut Screen<'_>, title: &str, places: &[Elsewhere]| -> io::Result<()> {
            screen.section(title)?;
            if places.is_empty() {
                screen.say(if self.told { "none" } else { "not told by this evidence: ask with --stack" })?;
            }
            for one in places {
                let lines = one.lines.map(|lines| counted(lines, "line", "lines")).unwrap_or_default();
                let said = if one.there { lines } else { format!("{lines} gone: its time was over").trim().to_owned() };
                screen.check(if one.there { Mark::Good } else { Mark::Look }, &one.key, &said)?;
            }
            Ok(())
        };
        places(screen, "bronze, as the source sent it", &self.bronze)?;
        places(screen, "plans", &self.plans)?;
        screen.section("ledger")?;
        if self.entries.is_empty() {
            screen.say("No entry is committed yet.")?;
        }
        let mut segment = "";
        for (found, standing) in &self.entries {
            let Ok(entry) = found.entry() else { continue };
            if segment != found.segment {
                segment = &found.segment;
                screen.say(segment)?;
            }
            let (mark, said) = standing.told();
            let what = format!(
                "#{}  {}  {}  member at {}",
                grouped(found.index),
                entry.occurred_at,
                entry.event_type,
                grouped(found.member.0)
            );
            screen.check(
                mark,
                &what,
                &format!("{said}; bronze object {}, line {}", entry.source.object, entry.source.line),
            )?;
        }
        places(screen, "silver", &self.silver)?;
        screen.gap()
    }
}
