//! Takes events from webhooks, middleware and Architect's data actions: `POST /api/v1/ingest`, `/api/v1/ingest/{pathToken}` and
//! `/api/v1/audit-events`.
//!
//! Invariant: 202 and 207 mean that each accepted event is in the stream, or spilled and told of; and that an event of a type that an audit is
//! about is found by the next access request, where the answer says `journaled`. Whatever else is answered, the same body may be sent again:
//! what was taken of it is a duplicate. Nothing that a caller typed is logged, or sent back in an error.
//!
//! | crash after | what is stored | who repairs |
//! |---|---|---|
//! | some or all records in the stream | events without a journal row; they are planned all the same | the caller, to whom nobody answered, sends again: duplicates, and the rows |
//! | an object in the spill | records that no pointer names | the caller sends again; `ledgerline replay spill` finds the object |
//! | an org noted, subjects and links made | an org, and links to records without entries; an access request finds nothing more | the caller sends again; or transform, which finds them |
//! | some journal rows | part of the events journaled | the caller sends again: rows that are there stay |
//! | all rows, before the signature is noted | events that were taken under a signature that holds still | nobody needs to: whoever sends it again sends duplicates |
//! | the signature noted | all of it | the caller's retry is answered 409: its events were taken |

mod audit;
pub mod body;
pub mod clients;
mod config;
mod deliver;
mod item;
mod keys;
mod problem;
pub mod signature;
mod stores;

use std::collections::{BTreeMap, BTreeSet};

use aws_lambda_events::apigw::ApiGatewayProxyResponse;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ledgerline_custody::keys::KeyCache;
use ledgerline_lambda::api::{self, Credential, Request};
use ledgerline_lambda::clock::Clock;
use ledgerline_ledger::store::StoreError;
use serde_json::{Value, json};

pub use config::{Config, Settings};
pub use stores::{Ports, Stores};

use audit::Audit;
use body::BODY_BYTES;
use clients::{Client, Clients, Way};
use item::{Refused, Taken};
use keys::Keys;
use problem::Problem;
use signature::Signature;

/// What the paths that this function answers begin with.
pub const BASE: &str = "/api/v1/";
/// The guide's header for a token.
const TOKEN_HEADER: &str = "x-processmining-token";
/// The scheme of a token in `Authorization`.
const BEARER: &str = "bearer ";
/// Records whose events are journaled at once: each event of one record waits for the one before, since they change the same rows.
const PARALLEL: usize = 8;

/// The function with its stores, its clients, and the keys once they are opened.
pub struct Function {
    stores: Stores,
    clients: Clients,
    settings: Settings,
    keys: KeyCache<Keys>,
}

impl Function {
    /// A function that has not opened its keys yet.
    pub fn new(stores: Stores, clients: Clients, settings: Settings) -> Self {
        Self { stores, clients, settings, keys: KeyCache::default() }
    }
}

/// Answers one call: an API Gateway REST proxy event, as its JSON text. Every error becomes a problem document; none fails the
/// invocation, whatever the payload is.
pub async fn handle(function: &Function, clock: &impl Clock, payload: &str) -> ApiGatewayProxyResponse {
    let (call_id, answered) = match Request::read(payload) {
        Some(request) => (request.id().to_owned(), answer(function, clock.now_ms(), &request).await),
        None => (api::NO_ID.to_owned(), Err(Problem(api::Problem::no_event()))),
    };
    match answered {
        Ok(answered) => {
            let Answered { client, taken, refused, journaled, spilled, .. } = &answered;
            let (accepted, refused) = (taken.len(), refused.len());
            let (status, journaled) = (answered.status(), journaled.len());
            let spilled = spilled.iter().filter(|spilled| **spilled).count();
            tracing::info!(request_id = call_id, client, status, accepted, refused, journaled, spilled, "captured");
            api::answer(status, answered.body().to_string())
        }
        Err(Problem(problem)) => {
            problem.log(&call_id);
            problem.response(&call_id)
        }
    }
}

/// What was taken.
struct Answered {
    client: String,
    taken: Vec<Taken>,
    refused: Vec<Refused>,
    /// The places of events that the next access request finds.
    journaled: BTreeSet<usize>,
    /// Whether each that was taken was spilled.
    spilled: Vec<bool>,
}

impl Answered {
    fn status(&self) -> u16 {
        if self.refused.is_empty() { 202 } else { 207 }
    }

    /// Ids of impersonal form and tokens alone are said again, and the caller sent them.
    fn body(&self) -> Value {
        let event = |(one, spilled): (&Taken, &bool)| {
            let mut event = json!({ "index": one.index, "journaled": self.journaled.contains(&one.index) });
            if let Some(id) = &one.names.interaction_id {
                event["interactionId"] = json!(id);
            }
            if let Some(token) = &one.names.lineage_token {
                event["lineageToken"] = json!(token);
            }
            if *spilled {
                event["spilled"] = json!(true);
            }
            event
        };
        let events: Vec<Value> = self.taken.iter().zip(&self.spilled).map(event).collect();
        let refused = |one: &Refused| json!({ "index": one.index, "reason": one.reason.code() });
        let mut body = json!({ "accepted": self.taken.len(), "events": events });
        if !self.refused.is_empty() {
            body["refused"] = self.refused.iter().map(refused).collect();
        }
        body
    }
}

/// One straight line: who calls, what was sent, whether it is signed; into the stream, into the journal; the signature is used.
async fn answer(function: &Function, now_ms: i64, request: &Request<'_>) -> Result<Answered, Problem> {
    let Function { stores, clients, .. } = function;
    let client = client(clients, request)?;
    let sent = request.raw_body(BODY_BYTES)?;
    let signature = signed(function, client, request, &sent, now_ms).await?;
    let bytes = body::unpacked(sent).map_err(Problem::of_body)?;
    let items = body::items(&bytes).map_err(Problem::of_body)?;
    let (taken, refused) = item::read(client.captured(), items);
    if let (true, Some(first)) = (taken.is_empty(), refused.first()) {
        return Err(Problem::none_is_an_event(refused.len(), first.reason.code()));
    }
    let spilled = deliver::deliver(stores, &taken, now_ms).await?;
    let journaled = journal(function, client, &taken, now_ms).await?;
    if let Some(digest) = signature {
        let is_first = stores.nonces.note(client.id(), &digest, now_ms.div_euclid(1_000)).await;
        if !is_first.map_err(|error| Problem::not_recorded(&error))? {
            return Err(Problem::replayed());
        }
    }
    Ok(Answered { client: client.id().to_owned(), taken, refused, journaled, spilled })
}

/// Who calls, by the token in a header, or in the path.
fn client<'c>(clients: &'c Clients, request: &Request<'_>) -> Result<&'c Client, Problem> {
    let path = request.below(BASE).ok_or_else(Problem::no_such_path)?;
    let found = match path.split('/').collect::<Vec<_>>()[..] {
        ["ingest"] | ["audit-events"] => {
            let bearer = request.credential("authorization").and_then(|sent| without_scheme(&sent));
            let sent = [request.credential(TOKEN_HEADER), bearer];
            sent.iter().flatten().find_map(|token| clients.of(Way::Header, token))
        }
        ["ingest", token] => clients.of(Way::Path, &Credential::of(token)),
        _ => return Err(Problem::no_such_path()),
    };
    if request.method() != "POST" {
        return Err(Problem::no_such_method());
    }
    found.ok_or_else(Problem::no_client)
}

/// The token of an `Authorization` header.
fn without_scheme(sent: &Credential) -> Option<Credential> {
    let text = sent.expose_for_check();
    let (scheme, token) = text.split_at_checked(BEARER.len())?;
    scheme.eq_ignore_ascii_case(BEARER).then(|| Credential::of(token.trim()))
}

/// What names the call's signature, of a client that signs.
async fn signed(
    function: &Function,
    client: &Client,
    request: &Request<'_>,
    body: &[u8],
    now_ms: i64,
) -> Result<Option<String>, Problem> {
    if client.secrets().is_empty() {
        return Ok(None);
    }
    let header = request.credential(signature::HEADER);
    let signature = header.as_ref().and_then(|header| Signature::parse(header.expose_for_check()));
    let signature = signature.ok_or_else(Problem::not_signed)?;
    signature.verify(client.secrets(), body, now_ms.div_euclid(1_000)).map_err(Problem::of_refused)?;
    let digest = signature.digest(body);
    match function.stores.nonces.has(client.id(), &digest).await {
        Ok(false) => Ok(Some(digest)),
        Ok(true) => Err(Problem::replayed()),
        Err(error) => Err(Problem::not_recorded(&error)),
    }
}

/// Journals the events that an audit is about; the places of those that the next access request finds.
async fn journal(
    function: &Function,
    client: &Client,
    taken: &[Taken],
    now_ms: i64,
) -> Result<BTreeSet<usize>, Problem> {
    let Function { stores, settings, .. } = function;
    let audits: Vec<&Taken> = taken.iter().filter(|one| audit::is_audit(settings, &one.record)).collect();
    if audits.is_empty() {
        return Ok(BTreeSet::new());
    }
    let keys = function.keys.get(now_ms, Keys::open(&stores.keys)).await;
    let keys = keys.map_err(|error| Problem::not_recorded(&error))?;
    // Under a key of other rules than today's somebody else might be found.
    let keys = keys.filter(|keys| keys.ring.is_current()).ok_or_else(Problem::no_key)?;
    let mut by_record: BTreeMap<String, Vec<(usize, Audit)>> = BTreeMap::new();
    for one in audits {
        if let Some(audit) = Audit::read(settings, &keys, &one.record, now_ms) {
            by_record.entry(audit.record.clone()).or_default().push((one.index, audit));
        }
    }
    let keys = &*keys;
    let kept = stream::iter(by_record.into_values()).map(|events| async move {
        let mut found = Vec::new();
        for (index, audit) in events {
            if audit.keep(stores, settings, keys, client.id(), now_ms).await? {
                found.push(index);
            }
        }
        Ok::<_, StoreError>(found)
    });
    let kept: Vec<Vec<usize>> =
        kept.buffer_unordered(PARALLEL).try_collect().await.map_err(|error| Problem::not_recorded(&error))?;
    Ok(kept.into_iter().flatten().collect())
}
