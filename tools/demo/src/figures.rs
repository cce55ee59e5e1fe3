//! The day in figures: gold computes it, the API answers it, and `ledgerline gold show` prints it.
//!
//! Invariant: what is shown is the API's answer; what must be in it was counted in the traffic before anything was sent.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use ledgerline_traffic::stack::Stack;
use serde::Deserialize;
use serde_json::Value;
use xtask::fault::Fault;
use xtask::tools;

use super::chain::Chain;
use super::report::{Check, Figures, HalfHour, Queue, grouped};

/// A day's document, as far as it is shown.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    as_of: String,
    time_zone: String,
    revision: u64,
    rows: Vec<Row>,
    totals: Row,
}

/// A row, and the totals.
#[derive(Default, Deserialize)]
struct Row {
    #[serde(default)]
    queue_id: Option<String>,
    #[serde(default)]
    interval_start: Option<String>,
    total_contacts: u64,
    avg_duration_sec: Option<f64>,
    service_level_pct: Option<f64>,
    fcr_rate_pct: Option<f64>,
    customer_satisfaction_avg: Option<f64>,
    counts: Counts,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Counts {
    offered: u64,
    answered: u64,
    abandoned: u64,
}

/// Contacts that have left a queue of the organisation on a date, as gold counts them now; none where nothing is counted yet.
pub(super) async fn contacts(chain: &Chain, org: &str, date: &str) -> Result<u64, Fault> {
    compute(chain, date).await?;
    Ok(ask(&chain.stack, org, date, "daily")?.map_or(0, |document| document.totals.total_contacts))
}

/// Computes a date and asks for it.
pub(super) async fn read(chain: &Chain, org: &str, date: &str) -> Result<Figures, Fault> {
    compute(chain, date).await?;
    let asked = tokio::time::Instant::now();
    let missing = || Fault::new(format!("the API has no figures of {date}"), LOOK_AT_GOLD);
    let day = ask(&chain.stack, org, date, "daily")?.ok_or_else(missing)?;
    let milliseconds = u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX);
    let half_hours = ask(&chain.stack, org, date, "30min")?.ok_or_else(missing)?;
    let queue = |row: &Row| Queue {
        queue_id: row.queue_id.clone(),
        contacts: row.total_contacts,
        abandoned: row.counts.abandoned,
        service_level_pct: row.service_level_pct,
        avg_duration_sec: row.avg_duration_sec,
        fcr_rate_pct: row.fcr_rate_pct,
        customer_satisfaction_avg: row.customer_satisfaction_avg,
    };
    Ok(Figures {
        date: date.to_owned(),
        time_zone: day.time_zone,
        as_of: day.as_of,
        revision: day.revision,
        milliseconds,
        totals: queue(&day.totals),
        queues: day.rows.iter().map(queue).collect(),
        half_hours: by_half_hour(&half_hours.rows),
        table: table(&chain.stack, org, date)?,
    })
}

/// The queues' half hours added up, in their order.
fn by_half_hour(rows: &[Row]) -> Vec<HalfHour> {
    let starts: BTreeSet<&str> = rows.iter().filter_map(|row| row.interval_start.as_deref()).collect();
    let half_hour = |start: &str| {
        let of_it = rows.iter().filter(|row| row.interval_start.as_deref() == Some(start));
        of_it.fold(HalfHour { start: start.to_owned(), ..HalfHour::default() }, |sum, row| HalfHour {
            offered: sum.offered + row.counts.offered,
            answered: sum.answered + row.counts.answered,
            abandoned: sum.abandoned + row.counts.abandoned,
            start: sum.start,
        })
    };
    starts.into_iter().map(half_hour).collect()
}

async fn compute(chain: &Chain, date: &str) -> Result<(), Fault> {
    let stack = &chain.stack;
    let client = aws_sdk_lambda::Client::new(&stack.sdk_config().await);
    let name = stack
        .functions
        .get("GoldFunction")
        .ok_or_else(|| Fault::new("stack.json names no GoldFunction", "deploy the current template: cargo xtask up"))?;
    let event = serde_json::json!({ "date": date }).to_string();
    let answer = client.invoke().function_name(name).payload(Blob::new(event)).send().await;
    let answer = answer.map_err(|error| stack.unreachable("gold cannot be invoked".to_owned(), error.into_source()))?;
    match answer.function_error {
        None => Ok(()),
        Some(_) => Err(Fault::new(format!("gold failed for {date}"), LOOK_AT_GOLD)),
    }
}

/// A day's document; `None` where there is none.
fn ask(stack: &Stack, org: &str, date: &str, granularity: &str) -> Result<Option<Document>, Fault> {
    let url = format!("{}/api/v2/analytics/gold/summary", stack.api_url);
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build().into();
    let query = [("date", date), ("granularity", granularity), ("org", org)];
    let request = agent.get(&url).query_pairs(query).header("x-api-key", stack.analyst_key()?);
    let answer = request.header("authorization", format!("Bearer {}", stack.token("analyst")?)).call();
    let remedy = "see whether the stack is up (cargo xtask up) and what insight logs";
    let mut answer = answer.map_err(|error| Fault::caused_by("the figures' API does not answer", error, remedy))?;
    let status = answer.status().as_u16();
    if status == 404 {
        return Ok(None);
    }
    let text = answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_string();
    let text = text.map_err(|error| Fault::caused_by("the figures' API cannot be read", error, remedy))?;
    if status != 200 {
        return Err(Fault::new(format!("the figures' API answers {status}"), remedy));
    }
    let document = serde_json::from_str(&text);
    document.map(Some).map_err(|error| Fault::caused_by("the figures' API answers no document", error, remedy))
}

/// What `ledgerline gold show` prints.
fn table(stack: &Stack, org: &str, date: &str) -> Result<String, Fault> {
    let program = tools::build_program("ledgerline")?;
    let mut show = std::process::Command::new(&program);
    show.args(["gold", "show", "--date", date, "--org", org, "--api", &stack.api_url]);
    show.env("LEDGERLINE_TOKEN", stack.token("analyst")?).env("LEDGERLINE_API_KEY", stack.analyst_key()?);
    let shown = tools::run(show.env("NO_COLOR", "1"), || LOOK_AT_GOLD.to_owned())?;
    Ok(String::from_utf8_lossy(&shown.stdout).trim_end().to_owned())
}

/// How many contacts left a queue in these records on a date: distinct ends of waiting, however often each was sent.
pub(super) fn sent(records: &[Vec<u8>], date: &str) -> u64 {
    let mut ends = BTreeSet::new();
    for record in records {
        // A record may hold several documents, and a broken one holds what another sending has whole.
        let documents = serde_json::Deserializer::from_slice(record).into_iter::<Value>();
        for event in documents.map_while(Result::ok) {
            let body = &event["detail"]["eventBody"];
            let (Some(session), Some(at_ms)) = (body["sessionId"].as_str(), body["eventTime"].as_i64()) else {
                continue;
            };
            let is_end = event["detail-type"].as_str().is_some_and(|topic| topic.ends_with(".acd.end"));
            if is_end && ledgerline_traffic::r#gen::milliseconds(at_ms).starts_with(date) {
                ends.insert((session.to_owned(), at_ms));
            }
        }
    }
    ends.len() as u64
}

/// Whether gold counts each contact that was sent, and each once.
pub(super) fn check(sent: u64, before: u64, after: u64) -> Check {
    let counted = after.saturating_sub(before);
    let passed = sent > 0 && counted == sent;
    Check {
        name: "The day's figures count each contact once".to_owned(),
        passed,
        detail: format!("{} contacts sent in this run, {} more in the day's figures", grouped(sent), grouped(counted)),
        remedy: (!passed).then(|| LOOK_AT_GOLD.to_owned()),
    }
}

/// The table on the screen.
pub(super) fn tell<W: io::Write>(screen: &mut super::screen::Screen<W>, figures: &Figures) -> io::Result<()> {
    let path = format!("GET /api/v2/analytics/gold/summary?date={}&granularity=daily", figures.date);
    screen.fact("asked", &path)?;
    let answered = format!(
        "{} ms: {} contacts in {} queues, revision {}, as of {}",
        figures.milliseconds,
        grouped(figures.totals.contacts),
        figures.queues.iter().filter(|queue| queue.contacts > 0).count(),
        figures.revision,
        figures.as_of
    );
    screen.fact("answered", &answered)?;
    screen.gap()?;
    screen.verbatim(&figures.table)
}

const PATIENCE: Duration = Duration::from_secs(30);
const ANSWER_BYTES: u64 = 8 * 1024 * 1024;
const LOOK_AT_GOLD: &str = "read what gold logs in target/local/ministack.log";

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_traffic::r#gen::{GenArgs, generate};
    use time::macros::date;

    #[test]
    fn what_was_sent_is_counted_once_however_often_it_was_sent() {
        let calm = GenArgs::calm(120, 4, date!(2026 - 03 - 02));
        let once = sent(&generate(&calm).records, "2026-03-02");
        let busy = GenArgs { duplicates: 40.0, malformed: 5.0, disorder: 20.0, ..calm };
        assert!(once > 80);
        assert_eq!(sent(&generate(&busy).records, "2026-03-02"), once);
        assert_eq!(sent(&generate(&busy).records, "2026-03-01"), 0);
    }

    #[test]
    fn a_contact_that_is_missing_or_counted_twice_fails_the_check() {
        assert!(check(5, 7, 12).passed);
        for (sent, before, after) in [(5, 7, 11), (5, 7, 13), (0, 7, 7), (5, 7, 2)] {
            let check = check(sent, before, after);
            assert!(!check.passed && check.remedy.is_some(), "{sent} {before} {after}");
        }
    }

    #[test]
    fn half_hours_of_all_queues_are_added_up_in_their_order() {
        let row = |start: &str, answered, abandoned| Row {
            interval_start: Some(start.to_owned()),
            counts: Counts { offered: answered + abandoned, answered, abandoned },
            ..Row::default()
        };
        let rows = [
            row("2026-03-02T10:00:00.000Z", 3, 1),
            row("2026-03-02T09:30:00.000Z", 1, 0),
            row("2026-03-02T10:00:00.000Z", 2, 2),
        ];
        let found: Vec<_> =
            by_half_hour(&rows).into_iter().map(|one| (one.start, one.offered, one.answered, one.abandoned)).collect();
        assert_eq!(
            found,
            [("2026-03-02T09:30:00.000Z".to_owned(), 1, 1, 0), ("2026-03-02T10:00:00.000Z".to_owned(), 8, 5, 3)]
        );
    }
}
