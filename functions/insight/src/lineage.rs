//! `GET /api/v1/lineage/{record+}` and the guide's own `GET /api/v2/analytics/interactions/{interactionId}`: from a figure back to its
//! events. [`question`] reads what is asked, [`find`] the records, [`read`] their entries, [`places`] where each event lies, [`gold`] the
//! figures that it is counted in, [`proof`] that its entry is in the log; [`answer`](mod@answer) is what is said, [`guide`] the guide's shape of it.
//!
//! Invariant: an entry is told only if its line checks out ([`ledgerline_custody::access`]). What is missing is said: `complete` is false
//! while an object that holds lines of a record is not planned and committed, and where evidence could not be read.

mod answer;
mod find;
mod gold;
mod guide;
mod places;
mod proof;
mod question;
mod read;

use std::collections::BTreeMap;

use aws_lambda_events::apigw::ApiGatewayProxyResponse;
use ledgerline_event::instant;
use ledgerline_lambda::api::{self, Request};
use ledgerline_lambda::caller::Caller;
use ledgerline_ledger::log::LogId;

use crate::Stores;
use crate::problem::Problem;
use crate::summary::{BODY_BYTES, escaped_bytes};
use answer::{Answer, Entry, Record};
use proof::Tree;
use question::{Position, Question};
use read::Read;

/// Entries on a page. Each may have a silver file of its own, some MB, of which few are in memory at once.
pub const PAGE_ENTRIES: usize = 100;
/// Bytes that entries on a page may take; the first is given whatever it takes, which with its proof and line is 0.6 MB at the most.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

pub(crate) async fn answer(
    stores: &Stores,
    request: &Request<'_>,
    caller: &Caller,
    record: &str,
) -> Result<ApiGatewayProxyResponse, Problem> {
    let question = Question::read(record, &request.parameters(&question::PARAMETERS)?, &caller.orgs)?;
    let answer = told(stores, &question).await?;
    log_answer(request, caller, &answer);
    write(&answer)
}

pub(crate) async fn guides_answer(
    stores: &Stores,
    request: &Request<'_>,
    caller: &Caller,
    id: &str,
) -> Result<ApiGatewayProxyResponse, Problem> {
    let question = Question::read(id, &request.parameters(&question::PARAMETERS)?, &caller.orgs)?;
    let answer = told(stores, &question).await?;
    let shaped = guide::shaped(&answer).ok_or_else(Problem::several_records)?;
    log_answer(request, caller, &answer);
    write(&shaped)
}

fn log_answer(request: &Request<'_>, caller: &Caller, answer: &Answer) {
    let entries: usize = answer.records.iter().map(|record| record.entries.len()).sum();
    let (records, complete) = (answer.records.len(), answer.complete);
    tracing::info!(
        request_id = request.id(),
        principal = caller.name(),
        status = 200,
        records,
        entries,
        complete,
        "answered"
    );
}

fn write(answer: &impl serde::Serialize) -> Result<ApiGatewayProxyResponse, Problem> {
    let body = serde_json::to_string(answer).map_err(|_| Problem::unwritable())?;
    if escaped_bytes(&body) > BODY_BYTES { Err(Problem::unwritable()) } else { Ok(api::answer(200, body)) }
}

/// One page of the answer.
async fn told(stores: &Stores, question: &Question) -> Result<Answer, Problem> {
    let known = find::records(stores, question).await?;
    let as_of = stores.planned.through().await?.map(instant::to_rfc3339);
    let mut answer =
        Answer { v: answer::VERSION, as_of, complete: !known.is_cut, records: Vec::new(), next_page_token: None };
    let (mut room, mut room_bytes, mut trees) = (PAGE_ENTRIES, PAGE_BYTES, BTreeMap::new());
    let start = question.after.as_ref().map(|position| position.record.as_str());
    for one in known.records.iter().filter(|one| start.is_none_or(|start| one.key.as_str() >= start)) {
        if room == 0 {
            answer.next_page_token = Some(Position::before(&one.key).to_token());
            break;
        }
        let read = read::record(stores, one).await?;
        let after = question.after.as_ref().filter(|position| position.record == one.key);
        let first = after.map_or(0, |position| read.entries.partition_point(|entry| !position.is_behind(&entry.order)));
        let end = read.entries.len().min(first + room);
        let mut entries = entries(stores, question, one, &read, first..end, &mut trees).await?;
        let fit = fitting(&entries, room_bytes);
        let is_cut = first + fit < read.entries.len();
        entries.truncate(fit);
        room -= fit;
        room_bytes = room_bytes.saturating_sub(entries.iter().map(bytes_of).sum());
        answer.complete &= read.is_complete();
        let last = (first + fit).checked_sub(1).map(|at| &read.entries[at].order);
        answer.records.push(Record::of(one, &read, entries));
        if is_cut {
            answer.next_page_token = Some(match last {
                Some(order) => Position::after(&one.key, order).to_token(),
                None => Position::before(&one.key).to_token(),
            });
            break;
        }
        if room_bytes == 0 {
            room = 0;
        }
    }
    Ok(answer)
}

async fn entries(
    stores: &Stores,
    question: &Question,
    known: &find::Known,
    read: &Read,
    range: std::ops::Range<usize>,
    trees: &mut BTreeMap<LogId, Option<Tree>>,
) -> Result<Vec<Entry>, Problem> {
    let page = &read.entries[range.clone()];
    let places = places::of(stores, read, page).await?;
    let figures = gold::of(stores, known, read, range).await?;
    let mut told = Vec::with_capacity(page.len());
    for (entry, figure) in page.iter().zip(figures) {
        let proof = if question.proof { proof::of(stores, read, entry, trees).await? } else { None };
        told.push(Entry::of(stores, read, entry, &places, figure, proof));
    }
    Ok(told)
}

/// How many entries fit, at least one.
fn fitting(entries: &[Entry], room_bytes: usize) -> usize {
    let mut left = room_bytes;
    let fits = |entry: &&Entry| match left.checked_sub(bytes_of(entry)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    entries.iter().take_while(fits).count().max(usize::from(!entries.is_empty()))
}

fn bytes_of(entry: &Entry) -> usize {
    serde_json::to_string(entry).map_or(0, |text| escaped_bytes(&text))
}
