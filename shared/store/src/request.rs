//! Requests of persons, for their data or their erasure: what is decided about them in the control table, whom they are about in the keys
//! table.
//!
//! | row | says |
//! |---|---|
//! | control `REQ#<id>`, `REQ` | orgs, kind, regime, state, clock, history with principals by alias: nothing that a caller typed |
//! | control `REQS#<org>`, `<due>#<id>` or `closed#<closed>#<id>` | that the request is one of the org's: open ones by when they are due, then those that are closed |
//! | control `REQDUP#<digest>`, `REQ` | the open request that asks for the same; one row for each version of the keys that digests are made with |
//! | keys `REQ#<id>`, `WHO` | pseudonyms, subjects, those that were ended, listed interactions, and what callers typed |
//!
//! Invariant: whatever a request's step changes is one transaction with the note of its act ([`crate::act_note`]), conditional on the
//! version that was read: there is no step without an act that sweep would bring, and of two writers one reads again. A closed request
//! never changes. Whom a request is about is deleted with the end of its erasure; any other row that must go has a `ttl`, and counts as
//! gone from then on.

use std::collections::BTreeSet;
use std::sync::Arc;

use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::ACT;
use ledgerline_ledger::store::StoreError;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::act_note;
use crate::erasing::{self, Erasing};
use crate::subject::SubjectRef;
use crate::table::{
    Beside, Change, Condition, IntoValue as _, Key, Query, Returning, Row, Table, Write, read_row, to_row, to_value,
};

/// The key of a request's row in the control table.
pub fn key(id: &str) -> Key {
    Key::new(partition(id), SK)
}

/// The key of the row in the keys table that says whom a request is about.
pub fn who_key(id: &str) -> Key {
    Key::new(partition(id), WHO)
}

/// The key of an open request's row in an org's list.
pub fn listed_key(org: &str, due_at: &str, id: &str) -> Key {
    Key::new(format!("{LIST}{org}"), format!("{due_at}#{id}"))
}

/// The key of a closed request's row in an org's list.
pub fn closed_key(org: &str, closed_at: &str, id: &str) -> Key {
    Key::new(format!("{LIST}{org}"), format!("{CLOSED}{closed_at}#{id}"))
}

/// The key of the row that leads from what is asked to the request that asks it.
pub fn duplicate_key(digest: &str) -> Key {
    Key::new(format!("{DUPLICATE}{digest}"), SK)
}

/// The request whose row a key of the control table is.
pub fn parse_key(key: &Key) -> Option<&str> {
    parse_partition(&key.pk).filter(|_| key.sk == SK)
}

/// The request whose row in the keys table a key is of.
pub fn parse_who_key(key: &Key) -> Option<&str> {
    parse_partition(&key.pk).filter(|_| key.sk == WHO)
}

/// Whether a key is of a row in an org's list.
pub fn is_listed_key(key: &Key) -> bool {
    key.pk.starts_with(LIST)
}

/// Whether a key leads to the request that asks for something.
pub fn is_duplicate_key(key: &Key) -> bool {
    key.pk.starts_with(DUPLICATE) && key.sk == SK
}

/// A request's id of random bytes: `req_` and 32 hex digits.
pub fn id_of_random(random: [u8; 16]) -> String {
    format!("{ID_PREFIX}{:032x}", u128::from_be_bytes(random))
}

/// Whether a text has the form of a request's id.
pub fn is_id(text: &str) -> bool {
    text.strip_prefix(ID_PREFIX)
        .is_some_and(|digits| digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

/// Digests of one request: closing it writes a row of each in one transaction, which may hold 100, beside two of each of 40 orgs and five
/// others, of an erasure that is done.
pub const MAX_DIGESTS: usize = 15;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RequestKind {
    /// That the person is erased.
    Erasure,
    /// A copy of the data.
    Access,
    /// A copy to take elsewhere.
    Portability,
}

impl RequestKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Erasure, Self::Access, Self::Portability];

    /// The word in requests and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Erasure => "ERASURE",
            Self::Access => "ACCESS",
            Self::Portability => "PORTABILITY",
        }
    }
}

/// The law that sets a request's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Regime {
    /// One month, and two more.
    #[default]
    Gdpr,
    /// 45 days, and 45 more.
    Ccpa,
}

impl Regime {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Gdpr, Self::Ccpa];

    /// The word in requests and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gdpr => "GDPR",
            Self::Ccpa => "CCPA",
        }
    }
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It came.
    Received,
    /// The requester's identity was checked.
    Verified,
    /// A second person approved it: access and portability wait here.
    Approved,
    /// An approved erasure waits here, and can still be withdrawn.
    CoolingOff,
    /// Something of it is erased.
    Erasing,
    /// It was carried out.
    Done,
    /// It was withdrawn.
    Cancelled,
    /// It was turned down.
    Refused,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Received,
        Self::Verified,
        Self::Approved,
        Self::CoolingOff,
        Self::Erasing,
        Self::Done,
        Self::Cancelled,
        Self::Refused,
    ];

    /// The word in requests and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Verified => "verified",
            Self::Approved => "approved",
            Self::CoolingOff => "cooling_off",
            Self::Erasing => "erasing",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
        }
    }

    /// Whether nothing follows.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled | Self::Refused)
    }
}

/// How a request was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// By a document of identity.
    Document,
    /// By signing in to the customer's account.
    Account,
    /// By calling or writing back to what is known of the customer.
    Callback,
    /// By what the customer alone knows.
    Knowledge,
    /// In person.
    InPerson,
    /// By somebody who may ask for the customer.
    Representative,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Document, Self::Account, Self::Callback, Self::Knowledge, Self::InPerson, Self::Representative];

    /// The word in requests, answers and acts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Account => "account",
            Self::Callback => "callback",
            Self::Knowledge => "knowledge",
            Self::InPerson => "in-person",
            Self::Representative => "representative",
        }
    }
}

/// What was done about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// It came.
    Received,
    /// It was verified.
    Verified,
    /// It was approved.
    Approved,
    /// It was refused.
    Refused,
    /// It was withdrawn.
    Cancelled,
    /// It was given more time.
    Extended,
    /// It is done.
    Done,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Received, Self::Verified, Self::Approved, Self::Refused, Self::Cancelled, Self::Extended, Self::Done];

    /// The word in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Verified => "verified",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
            Self::Extended => "extended",
            Self::Done => "done",
        }
    }
}

/// One line of a request's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// What was done.
    pub step: Step,
    /// When, RFC 3339.
    pub at: String,
    /// By whom: a principal's alias.
    pub by: String,
    /// How, of a verification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
}

/// What an approval binds: an execution that finds much more than this stops and asks again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved {
    /// Of the preview: 64 hex digits.
    pub digest: String,
    /// Records that the person has part in.
    pub records: u64,
    /// Of these, such that another customer has part in, too.
    pub shared: u64,
    /// Lines in bronze.
    pub lines: u64,
    /// Entries of the ledger.
    pub entries: u64,
}

/// The certificate of an erasure that is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Its name: 32 random hex digits, which the act in the ledger has.
    pub id: String,
    /// The digest of what it says, which the act holds: 64 hex digits.
    pub sha256: String,
    /// Until when it is kept, RFC 3339.
    pub until: String,
}

/// A request's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestRow {
    /// What it asks for.
    #[serde(rename = "type")]
    pub kind: RequestKind,
    /// Whose clock runs.
    pub regime: Regime,
    /// The orgs that it asks, sorted.
    pub orgs: Vec<String>,
    /// Where it stands.
    pub state: State,
    /// When it came, RFC 3339.
    pub received_at: String,
    /// By when it is to be answered, RFC 3339.
    pub due_at: String,
    /// Whether it was given more time, which is possible once.
    pub extended: bool,
    /// Counts the steps: a write names the one that it read.
    pub version: u64,
    /// What was done about it, in order.
    pub history: Vec<Done>,
    /// What its last approval binds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<Approved>,
    /// An approved erasure does not begin before this, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cooling_off_until: Option<String>,
    /// Whether it found more than was approved and waits for another approval.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits_for_approval: bool,
    /// Who asked for the same while it was open, and was answered with this one: principals' aliases.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub also_asked_by: BTreeSet<String>,
    /// What proves that its erasure was carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
}

/// What a caller typed at a step, for a person to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The step's place in the history, from 0.
    pub step: u64,
    /// The text.
    pub text: String,
}

/// Whom a request is about, and what callers typed about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Who {
    /// The person's pseudonyms, under all versions of the key, sorted.
    pub pseudonyms: Vec<String>,
    /// The subjects that were asked for by their ids, or were found when the request came, sorted.
    pub subjects: Vec<String>,
    /// Interactions that were listed, by their ids, sorted.
    pub interactions: Vec<String>,
    /// The pseudonyms again, those of one identifier together, under all versions of the key. Empty: each is its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<Vec<String>>,
    /// The subjects that the request ended, each `<subject>/<its name in silver>`.
    #[serde(
        default,
        skip_serializing_if = "BTreeSet::is_empty",
        serialize_with = "serde_dynamo::string_set::serialize"
    )]
    pub erased: BTreeSet<String>,
    /// The caller's own name for the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The customer's id or hash as the caller gave it, sealed under the request's own key; of an erasure that was asked by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<ByteBuf>,
    /// The caller's word for why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_reason: Option<String>,
    /// References and reasons of steps.
    #[serde(default)]
    pub notes: Vec<Note>,
    /// Shared records, `<org>/<record>`, whose joint content the approver lets go; all others stay.
    #[serde(default)]
    pub erase_shared: Vec<String>,
    /// The request's key, wrapped; of an erasure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrapped: Option<ByteBuf>,
    /// The digests under which the same request finds this one.
    pub duplicates: Vec<String>,
    /// From when on the row counts as gone, epoch seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
}

impl Who {
    /// The subjects that the request ended.
    pub fn erased(&self) -> Vec<SubjectRef> {
        let subject = |text: &String| {
            let (subject_id, customer_ref) = text.split_once('/')?;
            Some(SubjectRef { subject_id: subject_id.to_owned(), customer_ref: customer_ref.to_owned() })
        };
        self.erased.iter().filter_map(subject).collect()
    }
}

/// One of an org's requests, as the list has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Its place in the list: `<due>#<id>`, or `closed#<closed>#<id>`.
    pub place: String,
    /// The request.
    pub id: String,
}

/// What a step changes of [`Who`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WhoChange {
    /// What the caller typed.
    pub text: Option<String>,
    /// The shared records that go, of an approval.
    pub erase_shared: Option<Vec<String>>,
    /// How long the row is kept behind a step that closes the request, epoch seconds.
    pub expires_at_s: Option<i64>,
    /// When the eraser is to look at the request, of an approval: RFC 3339 UTC with three decimals.
    pub wake: Option<String>,
}

/// The key of the act of a request's step, by its place in the history.
pub fn act_key(id: &str, step: usize) -> String {
    format!("{ACT}{}", purpose(id, step))
}

/// The purpose id of the act of a request's step.
pub fn purpose(id: &str, step: usize) -> String {
    format!("{PURPOSE}{id}/{step}")
}

/// The request and the place in its history whose act has this key.
pub fn parse_act_key(key: &str) -> Option<(&str, usize)> {
    let (id, step) = key.strip_prefix(ACT)?.strip_prefix(PURPOSE)?.split_once('/')?;
    let number = step.parse().ok().filter(|number: &usize| number.to_string() == step)?;
    is_id(id).then_some((id, number))
}

/// What is decided about requests, to read: whom they are about is not to be had from here.
#[derive(Clone, Debug)]
pub struct RequestRows {
    control: Arc<dyn Table>,
}

impl RequestRows {
    /// Rows of the control table.
    pub fn new(control: Arc<dyn Table>) -> Self {
        Self { control }
    }

    /// A request.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn request(&self, id: &str) -> Result<Option<RequestRow>, StoreError> {
        let row = self.control.get("read a request", &key(id)).await?;
        row.map(read_request).transpose()
    }
}

/// All requests.
#[derive(Clone, Debug)]
pub struct Requests {
    control: Arc<dyn Table>,
    keys: Arc<dyn Table>,
}

impl Requests {
    /// Rows of both tables.
    pub fn new(control: Arc<dyn Table>, keys: Arc<dyn Table>) -> Self {
        Self { control, keys }
    }

    /// A request.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn request(&self, id: &str) -> Result<Option<RequestRow>, StoreError> {
        RequestRows::new(Arc::clone(&self.control)).request(id).await
    }

    /// These requests, distinct, in their order.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn requests(&self, ids: &[&str]) -> Result<Vec<Option<RequestRow>>, StoreError> {
        let keys: Vec<Key> = ids.iter().map(|id| key(id)).collect();
        let rows = self.control.batch_get("read requests", &keys).await?;
        rows.into_iter().map(|row| row.map(read_request).transpose()).collect()
    }

    /// Whom a request is about; `None` once that is gone at `now_s`, epoch seconds.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn who(&self, id: &str, now_s: i64) -> Result<Option<Who>, StoreError> {
        let row = self.keys.get("read whom a request is about", &who_key(id)).await?;
        let who = row.map(read_who).transpose()?;
        Ok(who.filter(|who| who.ttl.is_none_or(|ttl| now_s < ttl)))
    }

    /// Deletes whom a request is about, which came back after the request was closed.
    ///
    /// # Errors
    /// The table's.
    pub async fn forget(&self, id: &str) -> Result<(), StoreError> {
        let delete = Write::delete(who_key(id));
        self.keys.write("forget whom a request is about", delete, Returning::Nothing).await.map(drop)
    }

    /// The requests that lie under these digests, distinct, closed ones too.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn same(&self, digests: &[String]) -> Result<Vec<Option<String>>, StoreError> {
        let keys: Vec<Key> = digests.iter().map(|digest| duplicate_key(digest)).collect();
        let rows = self.control.batch_get("look for the same request", &keys).await?;
        let id = |row: Row| read_row("look for the same request", row).map(|SameRow { id }| id);
        rows.into_iter().map(|row| row.map(id).transpose()).collect()
    }

    /// Up to `limit` requests of an org behind this place of its list; those that moved or were closed since are not among them.
    ///
    /// # Errors
    /// The table's.
    pub async fn of_org(&self, org: &str, behind: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let (mut behind, mut found) = (behind.map(str::to_owned), Vec::new());
        loop {
            let wanted = limit - found.len();
            let query = Query { after: behind, limit: Some(wanted), ..Query::partition(format!("{LIST}{org}")) };
            let rows = self.control.query("list an org's requests", &query).await?;
            let is_last = rows.len() < wanted;
            behind = rows.last().map(|(place, _)| place.clone());
            let stays = rows.into_iter().filter(|(_, row)| !row.contains_key(TTL));
            found.extend(stays.filter_map(|(place, _)| {
                let id = place.rsplit_once('#')?.1.to_owned();
                Some(Listed { place, id })
            }));
            if is_last || found.len() >= limit {
                return Ok(found);
            }
        }
    }

    /// Makes a request, with the note of its first act, noted at `now`, RFC 3339. `instead_of` are the closed requests that lie under its
    /// digests still, in their order: of each digest one, or none.
    ///
    /// # Errors
    /// `Conflict` if the same was asked meanwhile.
    pub async fn create(
        &self,
        id: &str,
        row: &RequestRow,
        who: &Who,
        instead_of: &[Option<String>],
        now: &str,
    ) -> Result<(), StoreError> {
        let what = "make a request";
        let mut stored = to_row(what, row)?;
        stored.insert("v".to_owned(), 1_u32.into_value());
        let same = to_row(what, &SameRow { id: id.to_owned() })?;
        let mut writes = vec![Write::create(key(id), stored), note(id, 0, now)];
        for (at, digest) in who.duplicates.iter().enumerate() {
            let closed = instead_of.get(at).and_then(Option::as_deref);
            let free = closed.map_or(Condition::Absent, |closed| Condition::equals(ID, closed));
            writes.push(Write::put(duplicate_key(digest), same.clone()).when(free));
        }
        writes.extend(row.orgs.iter().map(|org| Write::put(listed_key(org, &row.due_at, id), Row::new())));
        let beside =
            Beside { table: Arc::clone(&self.keys), writes: vec![Write::create(who_key(id), to_row(what, who)?)] };
        self.control.transact(what, writes, vec![beside]).await
    }

    /// Notes who asked for the same as a request that is open, and was answered with it.
    ///
    /// # Errors
    /// `Conflict` if a step was taken since `seen` was read.
    pub async fn note_asked(&self, id: &str, seen: &RequestRow, alias: &str) -> Result<(), StoreError> {
        let who = BTreeSet::from([alias.to_owned()]);
        let unchanged = Condition::equals("version", seen.version);
        let write = Write::update(key(id)).when(unchanged).add("alsoAskedBy", &who);
        self.control.write("note who asked for the same", write, Returning::Nothing).await.map(drop)
    }

    /// Takes a request one step on, from `seen` to `next`, whose last line of history is the step; with the note of the step's act, noted
    /// at `now`, RFC 3339. `duplicates` are the request's digests, `now_s` the same time in epoch seconds.
    ///
    /// # Errors
    /// `Conflict` if another step was taken since `seen` was read.
    pub async fn advance(
        &self,
        id: &str,
        (seen, next): (&RequestRow, &RequestRow),
        change: WhoChange,
        duplicates: &[String],
        (now, now_s): (&str, i64),
    ) -> Result<(), StoreError> {
        let what = "take a request a step on";
        let step = next.history.len().saturating_sub(1);
        let mut writes = step_writes(id, (seen, next), duplicates, (now, now_s))?;
        if let Some(wake) = &change.wake {
            writes.extend(erasing::moving(id, "", wake));
            if seen.state == State::Erasing {
                writes.push(erasing::woken(id, wake));
            }
        }
        let beside = Beside { table: Arc::clone(&self.keys), writes: vec![who_write(id, step, change)?] };
        self.control.transact(what, writes, vec![beside]).await
    }

    /// Begins a request's erasure, from `seen` to `next`, whose history is the same, as what `erasing` says. The request's `WAKE` row moves
    /// from the end of its cooling off to where the erasure has it.
    ///
    /// # Errors
    /// `Conflict` if another step was taken since `seen` was read, or it was begun: read again.
    pub async fn begin(
        &self,
        id: &str,
        seen: &RequestRow,
        next: &RequestRow,
        erasing: &Erasing,
    ) -> Result<(), StoreError> {
        let before = seen.cooling_off_until.as_deref().unwrap_or_default();
        let mut writes = vec![counted(id, seen, next), erasing::beginning(id, erasing)?];
        writes.extend(erasing::moving(id, before, &erasing.wake));
        self.control.transact("begin an erasure", writes, Vec::new()).await
    }

    /// Says that an erasure found more than was approved and waits for another approval, from `seen` to `next`.
    ///
    /// # Errors
    /// `Conflict` if another step was taken since `seen` was read: read again.
    pub async fn wait(&self, id: &str, seen: &RequestRow, next: &RequestRow) -> Result<(), StoreError> {
        let write = counted(id, seen, next).set("waitsForApproval", next.waits_for_approval);
        self.control.write("wait for another approval", write, Returning::Nothing).await.map(drop)
    }

    /// Closes a request whose erasure is done, from `seen` to `next`, whose last line of history says so, noted at `now`: whom it is about
    /// goes, and nobody looks at it any more. `held` is the erasure under the caller's lease, which ends.
    ///
    /// # Errors
    /// `Conflict` if another step was taken since `seen` was read, the lease is lost, or it is closed.
    pub async fn close(
        &self,
        id: &str,
        (seen, next): (&RequestRow, &RequestRow),
        duplicates: &[String],
        (now, now_s): (&str, i64),
        held: &Erasing,
    ) -> Result<(), StoreError> {
        let ended = Erasing { lease: None, wake: String::new(), ..held.clone() };
        let mut writes = step_writes(id, (seen, next), duplicates, (now, now_s))?;
        writes.push(erasing::saving(id, held, &ended)?);
        writes.extend(erasing::moving(id, &held.wake, ""));
        let gone = Write::delete(who_key(id)).when(Condition::Exists);
        let beside = Beside { table: Arc::clone(&self.keys), writes: vec![gone] };
        self.control.transact("close a request", writes, vec![beside]).await
    }
}

/// The update of a request's row that counts one more step; its state is the next one's.
fn counted(id: &str, seen: &RequestRow, next: &RequestRow) -> Write {
    let write = Write::update(key(id)).when(Condition::equals("version", seen.version));
    write.set("version", next.version).set("state", next.state.as_str())
}

/// What a step that is a line of history writes of the request in the control table, with the note of its act.
fn step_writes(
    id: &str,
    (seen, next): (&RequestRow, &RequestRow),
    duplicates: &[String],
    (now, now_s): (&str, i64),
) -> Result<Vec<Write>, StoreError> {
    let what = "take a request a step on";
    let step = next.history.len().saturating_sub(1);
    let mut update = counted(id, seen, next).set("dueAt", &next.due_at).set("extended", next.extended);
    if seen.waits_for_approval && !next.waits_for_approval {
        update = update.remove("waitsForApproval");
    }
    if let Some(done) = next.history.last() {
        update = update.and(Change::Append("history".to_owned(), vec![to_value(what, done)?]));
    }
    if let Some(approved) = &next.approved {
        update = update.set("approved", to_value(what, approved)?);
    }
    if let Some(until) = &next.cooling_off_until {
        update = update.set("coolingOffUntil", until);
    }
    if let Some(certificate) = &next.certificate {
        update = update.set("certificate", to_value(what, certificate)?);
    }
    let mut writes = vec![update, note(id, step, now)];
    let is_closed = next.state.is_final();
    if is_closed || seen.due_at != next.due_at {
        for org in &next.orgs {
            let place = if is_closed { closed_key(org, now, id) } else { listed_key(org, &next.due_at, id) };
            writes.push(Write::put(place, Row::new()));
            writes.push(Write::update(listed_key(org, &seen.due_at, id)).set(TTL, now_s));
        }
    }
    if is_closed {
        for digest in duplicates {
            let same = Write::update(duplicate_key(digest)).set(TTL, now_s);
            writes.push(same.when(Condition::equals(ID, id)));
        }
    }
    Ok(writes)
}

/// The write that keeps with a request that it ended a subject.
pub(crate) fn ended(id: &str, subject_id: &str, customer_ref: &str) -> Write {
    let ended = BTreeSet::from([format!("{subject_id}/{customer_ref}")]);
    Write::update(who_key(id)).add(ERASED, &ended).when(Condition::Exists)
}

/// The partition of a request's rows, in either table.
pub(crate) fn partition(id: &str) -> String {
    format!("{REQUEST}{id}")
}

/// The request whose partition this is.
pub(crate) fn parse_partition(pk: &str) -> Option<&str> {
    pk.strip_prefix(REQUEST)
}

/// The note of a step's act.
fn note(id: &str, step: usize, now: &str) -> Write {
    act_note::noting(ObjectId::of_act(&purpose(id, step)), &act_key(id, step), now)
}

/// What a step changes of whom the request is about; a check that the row is there if that is nothing.
fn who_write(id: &str, step: usize, change: WhoChange) -> Result<Write, StoreError> {
    let what = "take a request a step on";
    let WhoChange { text, erase_shared, expires_at_s, wake: _ } = change;
    let mut changes = Vec::new();
    if let Some(text) = text {
        let note = to_value(what, &Note { step: step as u64, text })?;
        changes.push(Change::Append("notes".to_owned(), vec![note]));
    }
    if let Some(records) = erase_shared {
        changes.push(Change::Set("eraseShared".to_owned(), records.as_slice().into_value()));
    }
    if let Some(expires_at_s) = expires_at_s {
        changes.push(Change::Set(TTL.to_owned(), expires_at_s.into_value()));
    }
    if changes.is_empty() {
        return Ok(Write::check(who_key(id), Condition::Exists));
    }
    let update = Write::update(who_key(id)).when(Condition::Exists);
    Ok(changes.into_iter().fold(update, Write::and))
}

#[derive(Serialize, Deserialize)]
struct SameRow {
    id: String,
}

/// Whom a request is about, in a row.
///
/// # Errors
/// `Corrupt` for a row of another form.
pub fn read_who(row: Row) -> Result<Who, StoreError> {
    read_row("read whom a request is about", row)
}

/// The request in a row.
///
/// # Errors
/// `Corrupt` for a row of another form.
pub fn read_request(row: Row) -> Result<RequestRow, StoreError> {
    read_row("read a request", row)
}

const REQUEST: &str = "REQ#";
const LIST: &str = "REQS#";
const DUPLICATE: &str = "REQDUP#";
const SK: &str = "REQ";
const WHO: &str = "WHO";
/// Where the list has closed requests: behind every time.
const CLOSED: &str = "closed#";
const ID: &str = "id";
const TTL: &str = "ttl";
const ERASED: &str = "erased";
const ID_PREFIX: &str = "req_";
/// What the purpose ids of requests' acts begin with.
const PURPOSE: &str = "request/";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Value;

    #[test]
    fn an_id_has_one_form() {
        let id = id_of_random([0xAB; 16]);
        assert_eq!(id, format!("req_{}", "ab".repeat(16)));
        assert!(is_id(&id) && is_id(&id_of_random([0; 16])));
        for bad in ["", "req_", &id[1..], &id[..35], &id.to_uppercase(), &format!("{id}0")] {
            assert!(!is_id(bad), "{bad}");
        }
    }

    #[test]
    fn an_acts_key_leads_back_to_its_step_and_no_other_key_does() {
        let id = id_of_random([7; 16]);
        assert_eq!(parse_act_key(&act_key(&id, 12)), Some((id.as_str(), 12)));
        for bad in ["act/hold/1", &format!("act/request/{id}"), &format!("act/request/{id}/01"), "act/request/x/1"] {
            assert_eq!(parse_act_key(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_words_of_rows_are_those_of_answers() {
        let word = |value: Value| match value {
            Value::S(text) => text,
            other => panic!("{other:?}"),
        };
        for kind in RequestKind::ALL {
            assert_eq!(word(to_value("", &kind).unwrap()), kind.as_str());
        }
        for regime in Regime::ALL {
            assert_eq!(word(to_value("", &regime).unwrap()), regime.as_str());
        }
        for state in State::ALL {
            assert_eq!(word(to_value("", &state).unwrap()), state.as_str());
        }
        for method in Method::ALL {
            assert_eq!(word(to_value("", &method).unwrap()), method.as_str());
        }
        for step in Step::ALL {
            assert_eq!(word(to_value("", &step).unwrap()), step.as_str());
        }
    }
}
