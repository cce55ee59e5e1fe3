//! A slice of a request's erasure: it is begun if it is due, its lease is taken, its steps are gone on with until they wait or the time is
//! over.
//!
//! | crash after | what is stored | who repairs |
//! |---|---|---|
//! | the beginning: state, erasure, wake-up, in one transaction | an erasure that nobody carries on | its wake-up is due |
//! | the lease was taken | a lease that lasts as long as the invocation could have | the wake-up, after it |
//! | a step, before its position was saved | what the step did | the next slice does it again |
//! | the position was saved as the time was over | an erasure that is due | its wake-up; the message comes sooner |

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ledgerline_certificate::Body;
use ledgerline_custody::request::given::Given;
use ledgerline_custody::request::machine;
use ledgerline_event::instant;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::pseudonym::KeyBytes;
use ledgerline_saga::{Driven, Leased, Position, drive};
use ledgerline_store::erasing::{Counts, Erasing};
use ledgerline_store::erasure_list;
use ledgerline_store::request::{self, RequestKind, RequestRow, State, Who};

use crate::acts::ActNames;
use crate::draft;
use crate::keys::Keys;
use crate::list::{self, List};
use crate::people::Whom;
use crate::steps::{self, FIRST};
use crate::{Call, Ended, LEASE_MS};

/// How often a request is read again since another step of it was taken.
const ROUNDS: usize = 4;
/// After an error the request is looked at again so much later: the message itself comes back after an hour and a half only.
const RETRY_MS: i64 = 60_000;
/// What is stuck is tried again so much later, and told of each time.
const STUCK_MS: i64 = 3_600_000;
/// Why an erasure waits for a person to approve it again: nothing wakes it but that.
pub(crate) const APPROVAL: &str = "approval";

/// Goes on with a request's erasure.
pub(crate) async fn erase(call: &Call<'_>, id: &str) -> Result<Ended, StoreError> {
    if !is_erasing(call, id).await? {
        return Ok(Ended::Done);
    }
    let (stores, now_ms) = (call.stores, call.now_ms());
    let seen = stores.erasing.read(id).await?.ok_or_else(|| corrupt("a request is erasing that did not begin"))?;
    if seen.position.wait_until_ms.is_some_and(|until_ms| now_ms < until_ms) {
        return Ok(Ended::Done);
    }
    let by = lease_name(call);
    let Some(held) = stores.erasing.take(id, &seen, &by, call.deadline_ms + LEASE_MS, now_ms).await? else {
        tracing::info!(request = id, "another slice is at work");
        return Ok(Ended::Done);
    };
    let position = held.position.clone();
    let slice = Slice { held, lists: BTreeMap::new(), is_closed: false };
    let outcome = match opened(call, id, slice).await {
        Ok(request) => {
            let mut lease = RequestLease { request: &request, position };
            carried_on(&request, &mut lease).await
        }
        Err((slice, error)) => {
            give_back(call, id, &slice.held, now_ms + RETRY_MS).await;
            Err(error)
        }
    };
    outcome.map(|()| Ended::Done)
}

/// Whether the request is erasing, or begins to now.
async fn is_erasing(call: &Call<'_>, id: &str) -> Result<bool, StoreError> {
    let requests = &call.stores.requests;
    for _ in 0..ROUNDS {
        let Some(row) = requests.request(id).await? else {
            tracing::warn!(request = id, "there is no such request");
            return Ok(false);
        };
        match row.state {
            State::Erasing => return Ok(true),
            State::CoolingOff if row.kind == RequestKind::Erasure => {}
            state => {
                if state.is_final() {
                    wake_no_more(call, id, &row).await?;
                }
                return Ok(false);
            }
        }
        let now_ms = call.now_ms();
        if row.cooling_off_until.as_deref().and_then(instant::parse).is_none() {
            return Err(corrupt("an approved erasure does not say when it may begin"));
        }
        let Some(next) = machine::begin(&row, now_ms) else { return Ok(false) };
        let new = Erasing {
            cutoff_ms: now_ms,
            position: Position::at(FIRST),
            lease: None,
            wake: instant::to_rfc3339(now_ms),
            counted: None,
            counts: Counts::default(),
            pool: None,
            read_back: None,
            certificate: None,
        };
        match requests.begin(id, &row, &next, &new).await {
            Ok(()) => {
                tracing::info!(request = id, "begun");
                return Ok(true);
            }
            // Another step was taken, or another slice began it.
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Conflict(Failure::new("others took steps of the same request")))
}

/// Takes away what would wake a closed request: one that was taken back while it cooled off, or whose lease a call took that was on its
/// way for longer than all the rest lasted.
async fn wake_no_more(call: &Call<'_>, id: &str, row: &RequestRow) -> Result<(), StoreError> {
    let erasing = call.stores.erasing.read(id).await?;
    let woken_at = erasing.map(|erasing| erasing.wake).filter(|at| !at.is_empty());
    for at in row.cooling_off_until.iter().chain(&woken_at) {
        call.stores.wakes.remove(id, at).await?;
    }
    Ok(())
}

/// What a slice has in memory.
struct Slice {
    held: Erasing,
    /// The lists that were read.
    lists: BTreeMap<u32, Arc<List>>,
    /// The request is closed: its rows are not the slice's any more.
    is_closed: bool,
}

/// The request that a slice is about.
pub(crate) struct Request<'a> {
    pub(crate) call: Call<'a>,
    pub(crate) id: &'a str,
    pub(crate) keys: Arc<Keys>,
    /// Up to when it erases, epoch milliseconds.
    pub(crate) cutoff_ms: i64,
    /// What its acts of deletion are named by.
    pub(crate) acts: ActNames,
    key: KeyBytes,
    slice: Mutex<Slice>,
}

/// Opens the keys; the slice comes back with an error.
async fn opened<'a>(call: &Call<'a>, id: &'a str, slice: Slice) -> Result<Request<'a>, (Slice, StoreError)> {
    let open = async {
        let stores = call.stores;
        let who = stores.requests.who(id, call.now_ms().div_euclid(1_000)).await?;
        let wrapped = who.and_then(|who| who.wrapped);
        let wrapped = wrapped.ok_or_else(|| corrupt("nobody knows whom an erasing request is about"))?;
        let key = stores.data_keys.open_request_key(&wrapped).await?;
        let keys = stores.keys(&call.settings.own_numbers, call.now_ms()).await?;
        Ok::<_, StoreError>((key, keys))
    };
    match open.await {
        Ok((key, keys)) => {
            let cutoff_ms = slice.held.cutoff_ms;
            let acts = ActNames::of(key.lend());
            Ok(Request { call: *call, id, keys, cutoff_ms, acts, key, slice: Mutex::new(slice) })
        }
        Err(error) => Err((slice, error)),
    }
}

/// Goes through the steps, and gives the lease back as the slice ends.
async fn carried_on(request: &Request<'_>, lease: &mut RequestLease<'_, '_>) -> Result<(), StoreError> {
    let Request { call, id, .. } = request;
    let now = || call.now_ms();
    let driven = drive(&steps::all(), request, lease, &now, call.until_ms()).await;
    request.tell(&lease.position);
    match driven {
        Ok(Driven::Finished | Driven::Waits(_) | Driven::Lost) => Ok(()),
        Ok(Driven::Stuck) => {
            let reason = lease.position.reason.as_deref();
            match reason {
                Some(APPROVAL) => tracing::warn!(request = id, "erasure waits for another approval"),
                // The template's alarm looks for these words.
                _ => tracing::error!(request = id, reason, step = lease.position.step, "erasure is stuck"),
            }
            Ok(())
        }
        Ok(Driven::OutOfTime) => {
            lease.give_back(call.now_ms()).await;
            // What it does not wait for: the wake-up would come within a minute.
            if let Err(error) = call.stores.notes.erase(id).await {
                tracing::warn!(request = id, %error, "the next slice waits for its wake-up");
            }
            Ok(())
        }
        Err(error) => {
            lease.give_back(call.now_ms() + RETRY_MS).await;
            Err(error)
        }
    }
}

/// Gives a lease back, so that the request is looked at again then. It may fail: the lease ends by itself.
async fn give_back(call: &Call<'_>, id: &str, held: &Erasing, wake_ms: i64) {
    let next = Erasing { lease: None, wake: instant::to_rfc3339(wake_ms), ..held.clone() };
    match call.stores.erasing.save(id, held, &next).await {
        Ok(true) => {}
        Ok(false) => tracing::info!(request = id, "the lease was lost"),
        Err(error) => tracing::warn!(request = id, %error, "the lease is given back by its end"),
    }
}

impl Request<'_> {
    /// The request's row as it is now.
    pub(crate) async fn row(&self) -> Result<RequestRow, StoreError> {
        let row = self.call.stores.requests.request(self.id).await?;
        row.ok_or_else(|| corrupt("a request went while it was erasing"))
    }

    /// Whom it is about, as it is now.
    pub(crate) async fn who(&self) -> Result<Who, StoreError> {
        let who = self.call.stores.requests.who(self.id, self.call.now_ms().div_euclid(1_000)).await?;
        who.ok_or_else(|| corrupt("nobody knows whom an erasing request is about"))
    }

    /// The subjects that it erases, once they have ended.
    pub(crate) async fn whom(&self, who: &Who) -> Result<Whom, StoreError> {
        Whom::read(self.call.stores, who).await
    }

    /// A pass's list; `None` if there is none.
    pub(crate) async fn find_list(&self, pass: u32) -> Result<Option<Arc<List>>, StoreError> {
        if let Some(list) = self.slice().lists.get(&pass) {
            return Ok(Some(Arc::clone(list)));
        }
        let Some(bytes) = self.call.stores.lists.get(self.id, pass).await? else { return Ok(None) };
        self.keep_list(pass, &bytes).map(Some)
    }

    /// A pass's list, which was put when the pass began.
    pub(crate) async fn list(&self, pass: u32) -> Result<Arc<List>, StoreError> {
        let list = self.find_list(pass).await?;
        list.ok_or_else(|| corrupt("a pass has no list"))
    }

    /// Puts a pass's list unless there is one; the list that counts.
    pub(crate) async fn put_list(&self, pass: u32, list: &List) -> Result<Arc<List>, StoreError> {
        let sealed = list::seal(list, self.key.lend(), pass, &erasure_list::key(self.id, pass))?;
        let stored = self.call.stores.lists.put_if_free(self.id, pass, sealed.into()).await?;
        self.keep_list(pass, &stored)
    }

    fn keep_list(&self, pass: u32, sealed: &[u8]) -> Result<Arc<List>, StoreError> {
        let list = Arc::new(list::open(sealed, self.key.lend(), pass, &erasure_list::key(self.id, pass))?);
        let mut slice = self.slice();
        // Of earlier passes the one before is asked for at most.
        slice.lists.retain(|kept, _| kept + 1 >= pass);
        slice.lists.insert(pass, Arc::clone(&list));
        Ok(list)
    }

    /// Changes what is counted; it is saved with the next position.
    pub(crate) fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.slice().held.counts);
    }

    /// The erasure as it was saved last, and as it is counted since.
    pub(crate) fn held(&self) -> Erasing {
        self.slice().held.clone()
    }

    /// Its records are counted into a day.
    pub(crate) fn set_counted(&self, day: &str) {
        self.slice().held.counted = Some(day.to_owned());
    }

    /// On which day its acts of deletion are recorded; saved with the next position, as the two that follow.
    pub(crate) fn set_pool(&self, day: &str) {
        self.slice().held.pool = Some(day.to_owned());
    }

    /// All was read back by now.
    pub(crate) fn set_read_back(&self) {
        self.slice().held.read_back = Some(instant::to_rfc3339(self.call.now_ms()));
    }

    /// Its certificate is written.
    pub(crate) fn set_certificate(&self, certificate: request::Certificate) {
        self.slice().held.certificate = Some(certificate);
    }

    /// What its certificate will say, if that is decided.
    pub(crate) async fn draft(&self) -> Result<Option<Body>, StoreError> {
        let Some(bytes) = self.call.stores.lists.draft(self.id).await? else { return Ok(None) };
        draft::open(&bytes, self.key.lend(), &erasure_list::draft_key(self.id)).map(Some)
    }

    /// Puts what its certificate will say unless that is decided; what counts.
    pub(crate) async fn put_draft(&self, body: &Body) -> Result<Body, StoreError> {
        let (key, at) = (self.key.lend(), erasure_list::draft_key(self.id));
        let sealed = draft::seal(body, key, &at)?;
        draft::open(&self.call.stores.lists.put_draft_if_free(self.id, sealed.into()).await?, key, &at)
    }

    /// The customer's id or hash as the request gave it.
    pub(crate) fn given(&self, who: &Who) -> Result<Option<Given>, StoreError> {
        who.given.as_ref().map(|sealed| Given::open(sealed, &self.key)).transpose()
    }

    /// The request is closed, and its lease ended with it.
    pub(crate) fn set_closed(&self) {
        self.slice().is_closed = true;
    }

    /// Says how far it came: ids and counts.
    fn tell(&self, position: &Position) {
        let Counts { records, shared, held, objects, lines, silver_rows, keys, links, waiting, waiting_given_up } =
            self.held().counts;
        let Position { step, pass, cursor, .. } = position;
        tracing::info!(
            request = self.id,
            step,
            pass,
            cursor,
            records,
            shared,
            held,
            objects,
            lines,
            silver_rows,
            keys,
            links,
            waiting,
            waiting_given_up,
            "erased"
        );
    }

    fn slice(&self) -> MutexGuard<'_, Slice> {
        self.slice.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lease of a request's erasure.
struct RequestLease<'r, 'a> {
    request: &'r Request<'a>,
    position: Position,
}

impl RequestLease<'_, '_> {
    /// What is saved with a position: the lease ends with what waits or is stuck.
    fn next(&self, position: &Position) -> Erasing {
        let held = self.request.held();
        let lease_end = held.lease.as_ref().map(|lease| lease.until_ms).unwrap_or_default();
        let stuck_ms = self.request.call.now_ms() + STUCK_MS;
        let (lease, wake) = match (position.wait_until_ms, position.reason.as_deref()) {
            (Some(until_ms), _) => (None, instant::to_rfc3339(until_ms)),
            (None, Some(APPROVAL)) => (None, String::new()),
            (None, Some(_)) => (None, instant::to_rfc3339(stuck_ms)),
            // Should this invocation die, the next begins when its lease is over.
            (None, None) => (held.lease.clone(), instant::to_rfc3339(lease_end + 1)),
        };
        Erasing { position: position.clone(), lease, wake, ..held }
    }

    async fn give_back(&self, wake_ms: i64) {
        let held = self.request.held();
        if held.lease.is_some() && !self.request.slice().is_closed {
            give_back(&self.request.call, self.request.id, &held, wake_ms).await;
        }
    }
}

#[async_trait]
impl Leased for RequestLease<'_, '_> {
    fn position(&self) -> &Position {
        &self.position
    }

    async fn save(&mut self, next: Position) -> Result<bool, StoreError> {
        if self.request.slice().is_closed {
            self.position = next;
            return Ok(true);
        }
        let (held, saved) = (self.request.held(), self.next(&next));
        if !self.request.call.stores.erasing.save(self.request.id, &held, &saved).await? {
            return Ok(false);
        }
        self.request.slice().held = saved;
        self.position = next;
        Ok(true)
    }
}

/// Names a slice: 16 random hex digits.
fn lease_name(call: &Call<'_>) -> String {
    let mut bytes = [0; 16];
    (call.stores.random())(&mut bytes);
    format!("{:032x}", u128::from_be_bytes(bytes))
}

pub(crate) fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(Failure::new(what))
}
