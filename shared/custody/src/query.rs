//! An access request as asked: who, what for, which time, which page.
//!
//! Invariant: what the caller typed becomes [`Identifier`]s here, whose values cannot be printed, and no error repeats
//! any of it: errors name members of the request, indexes and positions. What leaves this module to be looked up are
//! pseudonyms and subject ids. Left out: who may ask (the API's authorizer), and looking anything up.

use std::borrow::Cow;
use std::collections::BTreeSet;

use ledgerline_event::adapters::is_org;
use ledgerline_event::{Rejection, document};
use ledgerline_json::{Json, Object};
use ledgerline_privacy::identifier;
use ledgerline_privacy::instant::{Precision, Spelled, spelled};
use ledgerline_privacy::{Identifier, KeyRing, Kind, Pseudonym, Region};
use serde::de::IgnoredAny;
use time::OffsetDateTime;

use crate::page::digest_of;

/// Longest request body that is read: 50 identifiers of 512 bytes, escaped, beside a token of 2 KiB, twice over.
pub const BODY_BYTES: usize = 64 * 1024;
/// Identifiers of one request. Each has up to 5 readings (a digest that may be of any kind) under each key version, all looked up in one or two batches.
pub const MAX_IDENTIFIERS: usize = 50;
/// Entries of a page unless asked otherwise: about half a megabyte.
pub const DEFAULT_PAGE_SIZE: usize = 500;
/// Most entries that one page may be asked for: some 2,000 × 1.2 KB with places and escapes = 2.4 MB of 6 MB.
pub const MAX_PAGE_SIZE: usize = 2_000;

/// A checked access request.
#[derive(Debug)]
pub struct Query {
    /// Whom it is about.
    pub who: Who,
    /// The identifiers as they were given, each with all that it may stand for; none of one of our own names.
    pub given: Vec<Vec<Identifier>>,
    /// The only organisation that is asked; every one unless it is given.
    pub org: Option<String>,
    /// What it is for.
    pub request_type: RequestType,
    /// Which time it is about.
    pub range: DateRange,
    /// Most entries on the page.
    pub page_size: usize,
    /// Where the page before left off.
    pub page_token: Option<String>,
}

/// How a request names a customer.
#[derive(Debug)]
pub enum Who {
    /// By one of our subject ids.
    Subject(String),
    /// By one of our pseudonyms.
    Pseudonym(Pseudonym),
    /// By identifiers, of which any may match.
    Identifiers(Vec<Identifier>),
}

/// The law's word for what is asked. It is answered alike for all; callers and logs tell them apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestType {
    /// A copy of the data (GDPR Art. 15).
    #[default]
    Access,
    /// A copy to take elsewhere (GDPR Art. 20).
    Portability,
    /// A consumer's request to know (CCPA § 1798.110).
    Know,
    /// An auditor's or a regulator's question about one customer.
    Audit,
}

/// A span of time, both ends inclusive, either of them open. Ends are RFC 3339 UTC with three decimals, as stored times
/// are, so that text order is time order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DateRange {
    /// Nothing that ended before this.
    pub from: Option<String>,
    /// Nothing that began after this.
    pub to: Option<String>,
}

/// Why a request is not answered. The texts hold no value of the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The body is not I-JSON: not JSON, or JSON that two programs may read differently.
    #[error("{0}")]
    Malformed(String),
    /// I-JSON, but not a request.
    #[error("{0}")]
    Unprocessable(String),
    /// `org` is not what an organisation may be called.
    #[error(
        "`org` is not an organisation's name: 1 to 64 of A-Z a-z 0-9 . _ -, as the ledger's logs begin. Leave it out to ask all organisations."
    )]
    NoOrg,
}

impl Query {
    /// Reads a request's body. `region` is where phone numbers belong to that say no country.
    pub fn parse(body: &[u8], region: Region) -> Result<Self, QueryError> {
        let value = document::parse(body).map_err(|rejection| unreadable(body, rejection))?;
        // An event may hold a text that was cut through a character; a question may not rest on one.
        if value.is_damaged() {
            return Err(unreadable(body, Rejection::LoneSurrogate));
        }
        let Json::Object(body) = value else { return Err(not_an_object()) };
        only_members(&body, "The body", MEMBERS)?;
        let (who, given) = named(&body, region)?;
        Ok(Self {
            who,
            given,
            org: org(&body)?,
            request_type: request_type(&body)?,
            range: date_range(&body)?,
            page_size: page_size(&body)?,
            page_token: text(&body, "pageToken", "`pageToken`")?.map(str::to_owned),
        })
    }

    /// Whether a name that was asked is too short to be one customer's alone, see [`Identifier::is_weak`].
    pub fn is_weak(&self) -> bool {
        self.identifiers().iter().any(Identifier::is_weak)
    }

    /// How many other spellings may be the customer's that were not asked, see [`Identifier::other_spelling`].
    pub fn other_spellings(&self) -> usize {
        let asked = self.identifiers();
        asked.iter().filter_map(Identifier::other_spelling).filter(|other| !asked.contains(other)).count()
    }

    /// The kinds of identifiers that are asked by; none of one of our own names.
    pub fn kinds(&self) -> BTreeSet<Kind> {
        self.identifiers().iter().map(Identifier::kind).collect()
    }

    fn identifiers(&self) -> &[Identifier] {
        match &self.who {
            Who::Identifiers(identifiers) => identifiers,
            Who::Subject(_) | Who::Pseudonym(_) => &[],
        }
    }

    /// What is to be looked up, under all versions of the key. Without any key there are no pseudonyms at all.
    pub fn names(&self, ring: Option<&KeyRing>) -> Names {
        self.who.names(ring)
    }

    /// 32 hex digits that differ for different questions, and for different askers. Page size and token are no part of the question.
    /// Pseudonyms of one key version stand for the identifiers, so that a rotation between two pages changes nothing.
    pub fn digest(&self, asker: &str, ring: &KeyRing, key_version: u32) -> String {
        let names = self.names(Some(ring));
        let by_identifier = matches!(self.who, Who::Identifiers(_));
        let pseudonyms = names.pseudonyms.iter().filter(|one| !by_identifier || one.version() == key_version);
        let end = |end: &Option<String>| end.clone().unwrap_or_default();
        let mut parts =
            vec![asker.to_owned(), self.request_type.label().to_owned(), end(&self.range.from), end(&self.range.to)];
        // No org is named by an empty text.
        parts.push(self.org.clone().unwrap_or_default());
        parts.extend(names.subjects);
        parts.extend(pseudonyms.map(|one| one.as_str().to_owned()));
        digest_of(parts.iter().map(String::as_str))
    }
}

impl Who {
    /// One of our own names, a subject id or a pseudonym: they are unmistakable.
    pub fn ours(text: &str) -> Option<Self> {
        if is_subject_id(text) {
            return Some(Self::Subject(text.to_owned()));
        }
        Pseudonym::parse(text).map(Self::Pseudonym)
    }

    /// What is to be looked up, under all versions of the key. Without any key there are no pseudonyms at all.
    pub fn names(&self, ring: Option<&KeyRing>) -> Names {
        match self {
            Self::Subject(id) => Names { subjects: vec![id.clone()], ..Names::default() },
            Self::Pseudonym(pseudonym) => Names::of_groups(vec![vec![pseudonym.clone()]]),
            Self::Identifiers(identifiers) => {
                let of = |ring: &KeyRing| identifiers.iter().map(|one| ring.pseudonyms(one)).collect();
                Names::of_groups(ring.map(of).unwrap_or_default())
            }
        }
    }
}

/// What a query looks up.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Subject ids.
    pub subjects: Vec<String>,
    /// Identifiers' pseudonyms, sorted, each once.
    pub pseudonyms: Vec<Pseudonym>,
    groups: Vec<Vec<Pseudonym>>,
}

impl Names {
    /// The pseudonyms by the identifier that they are of: one of each version of the key.
    pub fn groups(&self) -> &[Vec<Pseudonym>] {
        &self.groups
    }

    fn of_groups(groups: Vec<Vec<Pseudonym>>) -> Self {
        let mut pseudonyms: Vec<Pseudonym> = groups.iter().flatten().cloned().collect();
        pseudonyms.sort();
        pseudonyms.dedup();
        Self { subjects: Vec::new(), pseudonyms, groups }
    }
}

impl RequestType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Access, Self::Portability, Self::Know, Self::Audit];

    /// The word in requests and answers.
    pub fn label(self) -> &'static str {
        match self {
            Self::Access => "ACCESS",
            Self::Portability => "PORTABILITY",
            Self::Know => "KNOW",
            Self::Audit => "AUDIT",
        }
    }
}

impl DateRange {
    /// Whether something that lasted from `first` to `last` (both inclusive) lies in the range or reaches into it.
    pub fn overlaps(&self, first: &str, last: &str) -> bool {
        self.to.as_deref().is_none_or(|to| first <= to) && self.from.as_deref().is_none_or(|from| from <= last)
    }

    /// Whether something that began at `first` began before the range.
    pub fn begins_after(&self, first: &str) -> bool {
        self.from.as_deref().is_some_and(|from| first < from)
    }
}

/// An instant as stored times are written; `None` outside the years 0 to 9999.
pub fn instant(at_ms: i64) -> Option<String> {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000).ok()?;
    let (date, time) = (at.date(), at.time());
    (0..=9999).contains(&date.year()).then(|| {
        let (hour, minute, second, ms) = time.as_hms_milli();
        let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    })
}

/// Why a body is not an I-JSON object, without a word of it: names of members may be values in a name's place.
pub(crate) fn unreadable(body: &[u8], rejection: Rejection) -> QueryError {
    let detail = match rejection {
        Rejection::NotObject => return not_an_object(),
        Rejection::Empty => "The body is empty. Send a JSON object with `customerIdHash` or `identifiers`.",
        Rejection::NotUtf8 => "The body is not UTF-8.",
        Rejection::DuplicateKey => {
            "The body names a member twice in one object, and which of the two counts depends on who reads it. Name each member once."
        }
        Rejection::LoneSurrogate => {
            "A text in the body is damaged: it has a surrogate escape without its partner, such as \\ud83d alone, or the mark of a character that could not be read. Send the whole character."
        }
        Rejection::NumberOutOfRange => "A number in the body is larger than any double.",
        Rejection::TooDeep => "The body is nested deeper than any request.",
        _ => return not_json(body),
    };
    QueryError::Malformed(detail.to_owned())
}

fn not_an_object() -> QueryError {
    unprocessable("The body must be a JSON object with `customerIdHash` or `identifiers`.")
}

/// `serde_json`'s own text may quote the body, so only the place is taken from it.
fn not_json(body: &[u8]) -> QueryError {
    let place = serde_json::from_slice::<IgnoredAny>(body).err().map(|error| (error.line(), error.column()));
    QueryError::Malformed(match place {
        Some((line, column)) => format!("The body is not JSON: the error is at line {line}, column {column}."),
        None => "The body is not JSON.".to_owned(),
    })
}

pub(crate) fn who(body: &Object<'_>, region: Region) -> Result<Who, QueryError> {
    named(body, region).map(|(who, _)| who)
}

/// Whom a body names, and by which identifiers.
fn named(body: &Object<'_>, region: Region) -> Result<(Who, Vec<Vec<Identifier>>), QueryError> {
    let hash = text(body, "customerIdHash", "`customerIdHash`")?;
    let identifiers = body.get("identifiers").filter(|value| !value.is_null());
    match (hash, identifiers) {
        (Some(hash), None) => customer(hash, region).map(|who| match who {
            Who::Identifiers(readings) => (Who::Identifiers(readings.clone()), vec![readings]),
            ours => (ours, Vec::new()),
        }),
        (None, Some(Json::Array(list))) => {
            let given = identifiers_of(list, region)?;
            let mut all = given.concat();
            all.sort();
            all.dedup();
            Ok((Who::Identifiers(all), given))
        }
        (None, Some(_)) => Err(unprocessable("`identifiers` must be an array of {\"kind\", \"value\"} objects.")),
        (Some(_), Some(_)) => Err(unprocessable("Give `customerIdHash` or `identifiers`, not both.")),
        (None, None) => Err(unprocessable("Give `customerIdHash` or `identifiers`: the request names no customer.")),
    }
}

/// The organisation that is asked alone, if one is named.
pub(crate) fn org(body: &Object<'_>) -> Result<Option<String>, QueryError> {
    match body.get("org") {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(org)) if is_org(org) => Ok(Some(org.to_string())),
        Some(_) => Err(QueryError::NoOrg),
    }
}

/// A subject id and a pseudonym are ours and unmistakable. Anything else is a name given upstream, which is looked up as
/// every kind that such a name can have without two customers sharing one by chance: a customer id or hash, and the hash
/// of a phone, an e-mail address or an account, or an external contact's UUID, where it looks like one.
fn customer(hash: &str, region: Region) -> Result<Who, QueryError> {
    let trimmed = hash.trim();
    if let Some(who) = Who::ours(trimmed) {
        return Ok(who);
    }
    let is_digest = identifier::is_full_digest(trimmed);
    let is_uuid = trimmed.len() == 36 && trimmed.bytes().filter(|byte| *byte == b'-').count() == 4;
    let kinds = [
        (Kind::CustomerIdHash, true),
        (Kind::PhoneHash, is_digest),
        (Kind::EmailHash, is_digest),
        (Kind::AccountHash, is_digest),
        (Kind::ExternalContact, is_uuid),
    ];
    let readings = kinds.into_iter().filter(|(_, fits)| *fits);
    let all: Vec<_> = readings.filter_map(|(kind, _)| Identifier::parse(kind, trimmed, region)).collect();
    if all.is_empty() {
        return Err(unprocessable(
            "`customerIdHash` names nobody: give the customer's id or hash as the source sends it, a pseudonym (p1_…) or a subject id (s_…).",
        ));
    }
    Ok(Who::Identifiers(all))
}

/// The identifiers of a list, each once, with what it may stand for.
fn identifiers_of(list: &[Json<'_>], region: Region) -> Result<Vec<Vec<Identifier>>, QueryError> {
    if list.is_empty() || list.len() > MAX_IDENTIFIERS {
        return Err(unprocessable(format!("`identifiers` must hold 1 to {MAX_IDENTIFIERS} identifiers.")));
    }
    let mut all = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let place = format!("`identifiers[{index}]`");
        let Json::Object(item) = item else {
            return Err(unprocessable(format!("{place} must be an object with `kind` and `value`.")));
        };
        only_members(item, &place, &["kind", "value"])?;
        let kind = text(item, "kind", &format!("{place}.kind"))?.and_then(kind_of);
        let Some(kind) = kind else {
            let kinds: Vec<&str> = KINDS.iter().map(|kind| kind.label()).collect();
            return Err(unprocessable(format!("{place}.kind must be one of {}.", kinds.join(", "))));
        };
        let value = value_of(item, &place)?;
        let readings = readings(kind, &value, region);
        if readings.is_empty() {
            return Err(unprocessable(format!(
                "{place}.value is not a {kind} that names anybody: check its spelling; phone numbers best begin with + and the country code."
            )));
        }
        all.push(readings);
    }
    all.sort();
    all.dedup();
    Ok(all)
}

/// An identifier's value: a text, or a number, as some systems write telephones and accounts.
pub(crate) fn value_of<'a>(item: &'a Object<'a>, place: &str) -> Result<Cow<'a, str>, QueryError> {
    if let Some(Json::Number(number)) = item.get("value") {
        let whole = number.as_whole().map(|whole| Cow::Owned(whole.to_string()));
        return whole.ok_or_else(|| {
            unprocessable(format!("{place}.value is a number with which digits may be lost: send it as a text."))
        });
    }
    Ok(Cow::Borrowed(text(item, "value", &format!("{place}.value"))?.unwrap_or_default()))
}

/// The identifiers that a value may stand for in what transform stored. A messaging address may be a phone number or an
/// e-mail address, by its spelling. A phone number is not looked up as a messaging address: another service's ids look like
/// its digits, and are other people's.
pub(crate) fn readings(kind: Kind, value: &str, region: Region) -> Vec<Identifier> {
    let mut all: Vec<Identifier> = Identifier::parse(kind, value, region).into_iter().collect();
    if kind == Kind::MessagingAddress {
        all.extend(Identifier::from_address(value, region));
    }
    all
}

/// The kinds that name customers; `externalContact` and `external_contact` are the same.
pub(crate) fn kind_of(label: &str) -> Option<Kind> {
    let plain = |text: &str| text.replace(['_', '-'], "").to_ascii_lowercase();
    KINDS.into_iter().find(|kind| plain(kind.label()) == plain(label))
}

fn request_type(body: &Object<'_>) -> Result<RequestType, QueryError> {
    let Some(word) = text(body, "requestType", "`requestType`")? else { return Ok(RequestType::default()) };
    RequestType::ALL.into_iter().find(|one| one.label().eq_ignore_ascii_case(word)).ok_or_else(|| {
        let words: Vec<&str> = RequestType::ALL.iter().map(|one| one.label()).collect();
        unprocessable(format!("`requestType` must be one of {}.", words.join(", ")))
    })
}

fn date_range(body: &Object<'_>) -> Result<DateRange, QueryError> {
    let range = match body.get("dateRange") {
        None | Some(Json::Null) => return Ok(DateRange::default()),
        Some(Json::Object(range)) => range,
        Some(_) => return Err(unprocessable("`dateRange` must be an object with `from`, `to` or both.")),
    };
    only_members(range, "`dateRange`", &[FROM, TO].concat())?;
    let from = end_of(range, FROM, first_ms)?;
    let to = end_of(range, TO, last_ms)?;
    if let (Some((from_name, from)), Some((to_name, to))) = (&from, &to)
        && from > to
    {
        return Err(unprocessable(format!("`dateRange.{from_name}` is later than `dateRange.{to_name}`.")));
    }
    Ok(DateRange { from: from.map(|(_, at)| at), to: to.map(|(_, at)| at) })
}

/// One end of the range and which of its two names it was given.
fn end_of(
    range: &Object<'_>,
    [name, synonym]: [&'static str; 2],
    read: fn(&str) -> Option<i64>,
) -> Result<Option<(&'static str, String)>, QueryError> {
    let given = |name| text(range, name, &format!("`dateRange.{name}`"));
    let (name, value) = match (given(name)?, given(synonym)?) {
        (Some(value), None) => (name, value),
        (None, Some(value)) => (synonym, value),
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(unprocessable(format!(
                "`dateRange` has both `{name}` and `{synonym}`, which mean the same. Give one of them."
            )));
        }
    };
    let at = read(value).and_then(instant).ok_or_else(|| no_time(name))?;
    Ok(Some((name, at)))
}

/// The first millisecond of what a range's start names. A start between two milliseconds moves inward, to the later one:
/// stored times are whole milliseconds.
fn first_ms(text: &str) -> Option<i64> {
    day_ms(text).or_else(|| {
        let Spelled { instant, precision } = zoned(text)?;
        Some(instant.ms + i64::from(precision == Precision::Finer))
    })
}

/// The last millisecond of what a range's end names: of the whole day, minute or second. An end between two
/// milliseconds moves inward, to the earlier one.
fn last_ms(text: &str) -> Option<i64> {
    day_ms(text).map(|first| first + DAY_MS - 1).or_else(|| {
        let Spelled { instant, precision } = zoned(text)?;
        let in_second = instant.ms.rem_euclid(1_000);
        Some(match precision {
            Precision::Minutes => instant.ms + 59_999,
            Precision::Seconds => instant.ms - in_second + 999,
            Precision::Millis | Precision::Finer => instant.ms,
        })
    })
}

/// The first millisecond, in UTC, of a date that stands alone.
fn day_ms(text: &str) -> Option<i64> {
    let date = text.trim();
    let midnight = (date.len() == "YYYY-MM-DD".len()).then(|| format!("{date}T00:00Z"))?;
    spelled(&midnight).map(|midnight| midnight.instant.ms)
}

/// A time that says which zone it is in: nobody's range is moved by a guess.
fn zoned(text: &str) -> Option<Spelled> {
    spelled(text).filter(|spelled| !spelled.instant.zone_assumed)
}

fn no_time(name: &str) -> QueryError {
    unprocessable(format!(
        "`dateRange.{name}` must be a date and time with an offset, such as 2026-03-02T15:00:00+01:00, or a date, such as 2026-03-02, which is that day in UTC."
    ))
}

fn page_size(body: &Object<'_>) -> Result<usize, QueryError> {
    match body.get("pageSize") {
        None | Some(Json::Null) => Ok(DEFAULT_PAGE_SIZE),
        Some(value) => {
            let size = value.as_u64().and_then(|size| usize::try_from(size).ok());
            size.filter(|size| (1..=MAX_PAGE_SIZE).contains(size))
                .ok_or_else(|| unprocessable(format!("`pageSize` must be a whole number from 1 to {MAX_PAGE_SIZE}.")))
        }
    }
}

pub(crate) fn text<'a>(object: &'a Object<'a>, name: &str, place: &str) -> Result<Option<&'a str>, QueryError> {
    match object.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(&**text)),
        Some(_) => Err(unprocessable(format!("{place} must be a string."))),
    }
}

/// A misspelt member must not silently widen an answer. The name is not repeated: it may be a value in a name's place.
pub(crate) fn only_members(object: &Object<'_>, place: &str, known: &[&str]) -> Result<(), QueryError> {
    if object.keys().all(|name| known.contains(&name)) {
        return Ok(());
    }
    Err(unprocessable(format!("{place} has a member that is not known; known are {}.", known.join(", "))))
}

fn is_subject_id(text: &str) -> bool {
    text.strip_prefix("s_")
        .is_some_and(|id| id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

pub(crate) fn unprocessable(detail: impl Into<String>) -> QueryError {
    QueryError::Unprocessable(detail.into())
}

const MEMBERS: &[&str] = &["customerIdHash", "identifiers", "org", "requestType", "dateRange", "pageToken", "pageSize"];
/// Customers' kinds: an agent is no data subject of this endpoint.
const KINDS: [Kind; 9] = [
    Kind::Phone,
    Kind::Email,
    Kind::Account,
    Kind::ExternalContact,
    Kind::MessagingAddress,
    Kind::PhoneHash,
    Kind::EmailHash,
    Kind::AccountHash,
    Kind::CustomerIdHash,
];
/// The two names of the range's start, and of its end.
const FROM: [&str; 2] = ["from", "start"];
const TO: [&str; 2] = ["to", "end"];
const DAY_MS: i64 = 86_400_000;

#[cfg(test)]
mod tests;
