//! `GET …/gold/summary`: a day's figures, narrowed to what the caller may see and asked for.

use std::collections::{BTreeMap, BTreeSet};

use aws_lambda_events::apigw::ApiGatewayProxyResponse;
use ledgerline_figures::summary::{Granularity, Selection, Summary};
use ledgerline_lambda::api::{self, Request};
use ledgerline_lambda::caller::{Caller, Orgs};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::Date;
use time::macros::format_description;

use crate::Stores;
use crate::problem::Problem;

/// The largest answer. Lambda's is 6 MB, in which a proxy answer's text is JSON once more: its quotation marks take two bytes each.
pub const BODY_BYTES: usize = 5 * 1024 * 1024;

pub(crate) async fn answer(
    stores: &Stores,
    request: &Request<'_>,
    caller: &Caller,
) -> Result<ApiGatewayProxyResponse, Problem> {
    let asked = Asked::read(&request.parameters(&PARAMETERS)?, &caller.orgs)?;
    let found = stores.gold.summary(asked.date, asked.granularity).await?;
    let (summary, object_tag) = found.ok_or_else(Problem::no_figures)?;
    let tag = asked.tag(&object_tag);
    if request.has_tag(&tag) {
        log_answer(request, caller, 304, 0, 0);
        return Ok(api::unchanged(&tag));
    }
    let narrowed = summary.narrowed(&asked.selection);
    let body = serde_json::to_string(&with_events(&narrowed)?).map_err(|_| Problem::unwritable())?;
    if escaped_bytes(&body) > BODY_BYTES {
        return Err(Problem::too_large());
    }
    log_answer(request, caller, 200, narrowed.rows.len(), body.len());
    Ok(api::tagged(body, &tag))
}

fn log_answer(request: &Request<'_>, caller: &Caller, status: u16, rows: usize, body_bytes: usize) {
    tracing::info!(request_id = request.id(), principal = caller.name(), status, rows, body_bytes, "answered");
}

/// The document, each row with what leads to its events.
fn with_events(summary: &Summary) -> Result<Value, Problem> {
    let mut document = serde_json::to_value(summary).map_err(|_| Problem::unwritable())?;
    let rows = document.get_mut("rows").and_then(Value::as_array_mut);
    for (row, told) in rows.into_iter().flatten().zip(&summary.rows) {
        let mut arguments = drill_arguments(&told.date, told.queue_id.as_deref(), &told.org, told.media.as_deref());
        arguments.extend(told.interval_start.iter().flat_map(|start| ["--half-hour".to_owned(), start.clone()]));
        if let Some(row) = row.as_object_mut() {
            row.insert("figure".to_owned(), json!(arguments));
        }
    }
    Ok(document)
}

/// Arguments of `ledgerline figure`, which lists the events of a figure: the date, the queue (`-` for none), a place for the metric's name.
pub(crate) fn drill_arguments(date: &str, queue_id: Option<&str>, org: &str, media: Option<&str>) -> Vec<String> {
    let mut arguments = vec![date, queue_id.unwrap_or("-"), "METRIC", "--org", org];
    arguments.extend(media.into_iter().flat_map(|media| ["--media", media]));
    arguments.into_iter().map(str::to_owned).collect()
}

/// What a text takes in the JSON that a function answers with.
pub(crate) fn escaped_bytes(text: &str) -> usize {
    text.len() + text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count()
}

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    date: Date,
    granularity: Granularity,
    selection: Selection,
}

impl Asked {
    fn read(parameters: &BTreeMap<&'static str, String>, allowed: &Orgs) -> Result<Self, Problem> {
        let given = |name: &str| parameters.get(name).map(String::as_str);
        let date =
            given("date").and_then(date).ok_or_else(|| Problem::bad_parameter("date", "a date as YYYY-MM-DD"))?;
        let granularity = match given("granularity") {
            None => Granularity::Daily,
            Some(word) => {
                Granularity::parse(word).ok_or_else(|| Problem::bad_parameter("granularity", "one of daily, 30min"))?
            }
        };
        let queue_id = given("queue_id").map(str::to_owned);
        if queue_id.as_deref().is_some_and(|queue| !is_queue(queue)) {
            return Err(Problem::bad_parameter("queue_id", "a queue's id, of at most 128 characters"));
        }
        let media = given("media").map(str::to_ascii_uppercase);
        if media.as_deref().is_some_and(|media| !is_media(media)) {
            return Err(Problem::bad_parameter("media", "a medium, such as VOICE, CALLBACK, CHAT, MESSAGE, EMAIL"));
        }
        let orgs = match (given("org"), allowed) {
            (None, Orgs::All) => None,
            (None, Orgs::Only(orgs)) => Some(orgs.clone()),
            (Some(org), _) if !is_org(org) => return Err(Problem::bad_parameter("org", "an organisation's name")),
            (Some(org), allowed) if allowed.allows(org) => Some(BTreeSet::from([org.to_owned()])),
            (Some(_), _) => return Err(Problem::org_not_allowed()),
        };
        Ok(Self { date, granularity, selection: Selection { orgs, queue_id, media } })
    }

    /// The answer's entity tag: of the stored document, of what is asked of it, and of the code that narrows it.
    fn tag(&self, object_tag: &str) -> String {
        let Selection { orgs, queue_id, media } = &self.selection;
        let said = serde_json::json!([ANSWER_FORM, object_tag, orgs, queue_id, media]);
        let digest = Sha256::digest(said.to_string());
        let hex = digest[..TAG_BYTES].iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        format!("\"{hex}\"")
    }
}

/// `YYYY-MM-DD`; the parser alone would take a sign before it.
fn date(text: &str) -> Option<Date> {
    let is_plain = text.len() == "YYYY-MM-DD".len() && text.starts_with(|c: char| c.is_ascii_digit());
    Date::parse(text, format_description!("[year]-[month]-[day]")).ok().filter(|_| is_plain)
}

fn is_queue(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= MAX_QUEUE_CHARS && !text.chars().any(char::is_control)
}

fn is_media(text: &str) -> bool {
    (1..=MAX_MEDIA_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
}

pub(crate) fn is_org(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=MAX_ORG_BYTES).contains(&text.len()) && text.bytes().all(plain)
}

/// What may stand in the query.
const PARAMETERS: [&str; 5] = ["date", "granularity", "queue_id", "media", "org"];
/// Counted up when the same document and question get another answer.
const ANSWER_FORM: u32 = 2;
/// Of SHA-256: nobody gains by two answers of one tag.
const TAG_BYTES: usize = 16;
/// Ids are UUIDs, or a phrase as a source has it.
const MAX_QUEUE_CHARS: usize = 128;
const MAX_MEDIA_BYTES: usize = 32;
const MAX_ORG_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    fn read(given: &[(&'static str, &str)], allowed: &Orgs) -> Result<Asked, i64> {
        let given = given.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Asked::read(&given, allowed).map_err(|Problem(problem)| i64::from(problem.status()))
    }

    fn only(orgs: &[&str]) -> BTreeSet<String> {
        orgs.iter().map(|org| (*org).to_owned()).collect()
    }

    #[test]
    fn what_is_asked_is_read_and_a_granularity_that_is_not_given_is_daily() {
        let asked = read(&[("date", "2026-03-02")], &Orgs::All).unwrap();
        let all =
            Asked { date: date!(2026 - 03 - 02), granularity: Granularity::Daily, selection: Selection::default() };
        assert_eq!(asked, all);
        let given =
            [("date", "2024-02-29"), ("granularity", "30min"), ("queue_id", "Sales Support"), ("media", "voice")];
        let asked = read(&given, &Orgs::All).unwrap();
        assert_eq!((asked.date, asked.granularity), (date!(2024 - 02 - 29), Granularity::HalfHourly));
        let selection = Selection { orgs: None, queue_id: Some("Sales Support".into()), media: Some("VOICE".into()) };
        assert_eq!(asked.selection, selection);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for date in ["", "2026-02-30", "2026-3-2", "20260302", "2026-03-02T00:00:00Z", "today", "+2026-03-02"] {
            assert_eq!(read(&[("date", date)], &Orgs::All), Err(400), "{date}");
        }
        assert_eq!(read(&[("granularity", "daily")], &Orgs::All), Err(400), "no date");
        let long = "q".repeat(129);
        for (name, value) in [
            ("granularity", "hourly"),
            ("granularity", "DAILY"),
            ("queue_id", ""),
            ("queue_id", "a\nb"),
            ("queue_id", &long),
            ("media", ""),
            ("media", "VOICE,CHAT"),
            ("org", ""),
            ("org", "a b"),
        ] {
            assert_eq!(read(&[("date", "2026-03-02"), (name, value)], &Orgs::All), Err(400), "{name}={value}");
        }
    }

    #[test]
    fn nothing_is_asked_of_an_org_that_the_token_does_not_name() {
        let allowed = Orgs::Only(only(&["acme", "globex"]));
        let orgs = |given: &[(&'static str, &str)], allowed| read(given, allowed).map(|asked| asked.selection.orgs);
        assert_eq!(orgs(&[("date", "2026-03-02")], &allowed), Ok(Some(only(&["acme", "globex"]))));
        assert_eq!(orgs(&[("date", "2026-03-02"), ("org", "acme")], &allowed), Ok(Some(only(&["acme"]))));
        assert_eq!(orgs(&[("date", "2026-03-02"), ("org", "initech")], &allowed), Err(403));
        assert_eq!(orgs(&[("date", "2026-03-02"), ("org", "initech")], &Orgs::All), Ok(Some(only(&["initech"]))));
    }

    #[test]
    fn a_tag_is_another_for_every_document_and_selection() {
        let asked = |given: &[(&'static str, &str)]| {
            let date = [("date", "2026-03-02")];
            read(&[&date[..], given].concat(), &Orgs::All).unwrap()
        };
        let tags = [
            asked(&[]).tag("one"),
            asked(&[]).tag("two"),
            asked(&[("org", "a")]).tag("one"),
            asked(&[("queue_id", "a")]).tag("one"),
            asked(&[("media", "A")]).tag("one"),
        ];
        assert_eq!(tags.iter().collect::<BTreeSet<_>>().len(), tags.len());
        assert_eq!(tags[0], asked(&[]).tag("one"));
        assert!(tags[0].len() == 34 && tags[0].starts_with('"') && tags[0].ends_with('"'));
    }

    #[test]
    fn an_answers_size_is_counted_as_lambda_carries_it() {
        assert_eq!((escaped_bytes("a"), escaped_bytes("{\"a\":\"\\\"\"}")), (1, 16));
    }
}
