//! What is told of requests: the list, what is due first; one, whole; what it would reach.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledgerline_custody::page::{Cursor, NotSealed, Place, TOKEN_TTL_MS, TokenError, digest_of};
use ledgerline_custody::request::{clock, machine};
use ledgerline_event::instant;
use ledgerline_lambda::api::Request;
use ledgerline_lambda::caller::Orgs;
use ledgerline_store::erasing::Erasing;
use ledgerline_store::request::{Listed, RequestKind, RequestRow, State, Step, Who};
use ledgerline_store::usage::Use;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::problem::Problem;
use crate::reach::{self, Preview};
use crate::{Answered, Call};

/// Requests of a page.
const PAGE: usize = 100;
/// Orgs whose lists are merged into a page.
const MAX_ORGS: usize = 1_000;
/// Lists that are read at once.
const PARALLEL: usize = 16;

/// Where a page of the list ended: perhaps at a request that the caller may not see, which the token does not show.
#[derive(Serialize, Deserialize)]
struct ListPlace(String);

impl Place for ListPlace {
    const OF: &'static str = "requests";
}

/// `GET …/requests`: open requests by when they are due, then closed ones by when they were closed.
pub(crate) async fn list(call: &Call<'_>, request: &Request<'_>) -> Result<Answered, Problem> {
    let mut asked = request.parameters(&["org", "pageToken"])?;
    let only = asked.remove("org");
    let orgs = listed_orgs(call, only.as_deref()).await?;
    // Whose list it is: a token that was given more organisations since goes on with no other's page.
    let (principal, of_token) = (call.caller.principal(), call.caller.orgs.to_text());
    let query = digest_of([principal.as_str(), &of_token, only.as_deref().unwrap_or_default()]);
    let behind = match asked.remove("pageToken") {
        None => None,
        Some(token) => {
            let keys = call.keys().await?.ok_or(TokenError::Foreign)?;
            let ListPlace(place) = keys.tokens.open::<ListPlace>(&token)?.accept(&query, call.now_ms)?;
            Some(place)
        }
    };
    let requests = &call.stores().requests;
    let lists: Vec<Vec<Listed>> = stream::iter(&orgs)
        .map(|org| requests.of_org(org, behind.as_deref(), PAGE + 1))
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    // A request of several orgs stands in the list of each, at the same place.
    let merged: BTreeSet<Listed> = lists.into_iter().flatten().collect();
    let is_last = merged.len() <= PAGE;
    let page: Vec<Listed> = merged.into_iter().take(PAGE).collect();
    // One that was closed between two reads may stand at two places.
    let ids: BTreeSet<&str> = page.iter().map(|one| one.id.as_str()).collect();
    let rows = requests.requests(&ids.iter().copied().collect::<Vec<_>>()).await?;
    let rows: BTreeMap<&str, RequestRow> = ids.into_iter().zip(rows).filter_map(|(id, row)| Some((id, row?))).collect();
    let mut shown = BTreeSet::new();
    let seen = page.iter().filter(|one| shown.insert(one.id.as_str()));
    let seen = seen.filter_map(|one| Some((one.id.as_str(), rows.get(one.id.as_str())?)));
    let listed: Vec<Value> =
        seen.filter(|(_, row)| call.sees(row)).map(|(id, row)| Value::Object(short(id, row, call.now_ms))).collect();
    let mut body = json!({ "requests": listed });
    if let Some(last) = page.last().filter(|_| !is_last) {
        let keys = call.keys_of_request().await?;
        let key = keys.tokens.newest().ok_or(NotSealed)?;
        let expires_ms = call.now_ms.saturating_add(TOKEN_TTL_MS);
        let cursor = Cursor { query, expires_ms, place: ListPlace(last.place.clone()) };
        body["nextPageToken"] = json!(key.seal(&cursor, call.stores().draw())?);
    }
    Ok(Answered { status: 200, what: "listed", request: None, state: None, by: None, body: body.into() })
}

async fn listed_orgs(call: &Call<'_>, only: Option<&str>) -> Result<Vec<String>, Problem> {
    match (only, &call.caller.orgs) {
        (Some(org), orgs) => {
            let org = Some(org.to_owned()).filter(|org| orgs.allows(org));
            let fits = |org: &String| ledgerline_event::adapters::is_org(org);
            org.filter(fits).map(|org| vec![org]).ok_or_else(Problem::no_org)
        }
        (None, Orgs::Only(orgs)) => Ok(orgs.iter().take(MAX_ORGS).cloned().collect()),
        (None, Orgs::All) => {
            let all = call.stores().orgs.first(MAX_ORGS + 1).await?;
            if all.len() > MAX_ORGS { Err(Problem::too_many_orgs(MAX_ORGS)) } else { Ok(all) }
        }
    }
}

/// `GET …/requests/{id}`.
pub(crate) async fn one(call: &Call<'_>, id: &str) -> Result<Answered, Problem> {
    let row = call.request(id).await?;
    let who = call.who(id).await?;
    let erasing = call.erasing(id, &row).await?;
    let body = whole(id, &row, who.as_ref(), erasing.as_ref(), call.now_ms);
    Ok(Answered {
        status: 200,
        what: "shown",
        request: Some(id.to_owned()),
        state: Some(row.state.as_str()),
        by: None,
        body: body.into(),
    })
}

/// `GET …/requests/{id}/preview`.
pub(crate) async fn preview(call: &Call<'_>, id: &str) -> Result<Answered, Problem> {
    let row = call.request(id).await?;
    let is_shown = matches!(row.state, State::Verified | State::Approved | State::CoolingOff | State::Erasing);
    let Some(who) = call.who(id).await?.filter(|_| is_shown) else { return Err(Problem::not_yet_verified()) };
    let keys = call.keys_of_request().await?;
    let by = call.alias(&keys).await?;
    call.count(&by, Use::Preview).await?;
    let Preview { reach, subjects, subjects_shared, bronze_objects, bronze_lines, silver_files, entries } =
        reach::preview(call, id, &row, &who).await?;
    let kinds: Vec<&str> = reach.kinds.iter().map(|kind| kind.label()).collect();
    let shared: Vec<Value> =
        reach.shared.iter().map(|one| json!({ "record": one.record, "otherCustomers": one.other_customers })).collect();
    let body = json!({
        "requestId": id,
        "digest": reach.digest,
        "customer": { "subjects": subjects, "shared": subjects_shared },
        "records": reach.records,
        "kinds": kinds,
        "systems": {
            "ledger": { "entries": entries },
            "bronze": { "objects": bronze_objects, "lines": bronze_lines },
            "silver": { "files": silver_files },
        },
        "shared": shared,
    });
    Ok(Answered {
        status: 200,
        what: "previewed",
        request: Some(id.to_owned()),
        state: Some(row.state.as_str()),
        by: Some(by),
        body: body.into(),
    })
}

/// What the list says of a request.
fn short(id: &str, row: &RequestRow, now_ms: i64) -> Map<String, Value> {
    let mut shown = Map::new();
    let mut say = |name: &str, value: Value| drop(shown.insert(name.to_owned(), value));
    say("requestId", json!(id));
    say("type", json!(row.kind.as_str()));
    say("regime", json!(row.regime.as_str()));
    say("orgs", json!(row.orgs));
    say("state", json!(row.state.as_str()));
    if row.waits_for_approval {
        say("waitsFor", json!("approval"));
    }
    let mut clock = json!({ "receivedAt": row.received_at, "dueAt": row.due_at, "extended": row.extended });
    if !row.state.is_final() {
        clock["daysLeft"] = json!(clock::days_left(&row.due_at, now_ms));
    }
    say("clock", clock);
    shown
}

/// All that is told of a request; of one that is closed for long without what callers typed.
pub(crate) fn whole(id: &str, row: &RequestRow, who: Option<&Who>, erasing: Option<&Erasing>, now_ms: i64) -> Value {
    let mut shown = short(id, row, now_ms);
    let mut say = |name: &str, value: Value| drop(shown.insert(name.to_owned(), value));
    if let Some(reference) = who.and_then(|who| who.reference.as_ref()) {
        say("reference", json!(reference));
    }
    if let Some(until) = &row.cooling_off_until {
        say("coolingOffUntil", json!(until));
    }
    if let Some(approved) = &row.approved {
        let (records, shared) = (approved.records, approved.shared);
        say("approved", json!({ "digest": approved.digest, "records": records, "shared": shared }));
    }
    let path = [Step::Received, Step::Verified, Step::Approved, Step::Done];
    // Nothing carries out yet what is no erasure.
    let path = if row.kind == RequestKind::Erasure { &path[..] } else { &path[..3] };
    let steps = path.iter().map(|step| {
        let done = row.history.iter().rfind(|done| done.step == *step);
        json!({ "step": step.as_str(), "doneAt": done.map(|done| &done.at) })
    });
    say("steps", steps.collect());
    say("possible", json!(machine::possible(row, now_ms).into_iter().map(verb).collect::<Vec<_>>()));
    // Others have no connectors yet: nothing is asked of them, and nothing is promised.
    let is_open = !row.state.is_final() && row.state != State::Erasing;
    let ledgerline = if is_open { "waiting" } else { row.state.as_str() };
    say("systems", json!({ "ledgerline": ledgerline }));
    if let Some(erasing) = erasing {
        say("erasure", erasure(erasing));
    }
    let history = (0_u64..).zip(&row.history).map(|(place, done)| {
        let mut line = json!({ "step": done.step.as_str(), "at": done.at, "by": done.by });
        if let Some(method) = done.method {
            line["method"] = json!(method.as_str());
        }
        if let Some(note) = who.and_then(|who| who.notes.iter().find(|note| note.step == place)) {
            line[if done.step == Step::Verified { "reference" } else { "reason" }] = json!(note.text);
        }
        line
    });
    say("history", history.collect());
    if !row.also_asked_by.is_empty() {
        say("alsoAskedBy", json!(row.also_asked_by));
    }
    Value::Object(shown)
}

/// How far an erasure is, in words and numbers.
fn erasure(erasing: &Erasing) -> Value {
    let Erasing { position, counts, .. } = erasing;
    let mut shown = json!({
        "step": position.step,
        "pass": position.pass,
        "counts": counts,
        "held": counts.held,
        "waiting": counts.waiting,
        "systems": "none configured",
        "certificate": erasing.certificate.as_ref().map(|one| {
            json!({ "certificate": one.id, "sha256": one.sha256, "until": one.until })
        }),
    });
    if let Some(until_ms) = position.wait_until_ms {
        shown["waitsUntil"] = json!(instant::to_rfc3339(until_ms));
    }
    if let Some(reason) = &position.reason {
        shown["reason"] = json!(reason);
    }
    shown
}

/// What leads to a step, as paths have it.
fn verb(step: Step) -> &'static str {
    match step {
        Step::Received => "create",
        Step::Verified => "verify",
        Step::Approved => "approve",
        Step::Refused => "refuse",
        Step::Cancelled => "cancel",
        Step::Extended => "extend",
        // Nobody can ask for it: it is never among what is possible.
        Step::Done => "done",
    }
}
