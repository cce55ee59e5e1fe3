//! Making a request: whom it is about, in which orgs, and whether it was asked before.
//!
//! Invariant: what the caller typed about a person leaves this module as pseudonyms. The same request again, while the first is open, is
//! answered with the first.

use futures_util::future::try_join_all;
use ledgerline_custody::own::{OwnList, Standing, domain_of};
use ledgerline_custody::query::Who as Named;
use ledgerline_custody::request::ask::Asked;
use ledgerline_custody::request::machine;
use ledgerline_lambda::caller::Orgs;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::Pseudonym;
use ledgerline_store::request::{RequestKind, RequestRow, Who, id_of_random};
use ledgerline_store::usage::Use;
use serde_bytes::ByteBuf;
use serde_json::json;

use crate::keys::Keys;
use crate::problem::Problem;
use crate::{Answered, Call, reach};

/// Orgs of one request: closing it writes two rows of each org's list in one transaction, which may hold 100, beside four others.
pub(crate) const MAX_ORGS: usize = 40;
/// How often a request is begun again since others asked for the same.
const ROUNDS: usize = 4;

/// Which form was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `POST …/requests`.
    Whole,
    /// `POST …/rtbf`, whose answer has the caller's reference.
    Short,
}

/// One straight line: open the keys, count, find orgs and subjects, look for the same, make it, record its act.
pub(crate) async fn create(call: &Call<'_>, asked: Asked, form: Form) -> Result<Answered, Problem> {
    let stores = call.stores();
    // Without a key no event ever named anybody, in any org.
    let keys = call.keys().await?.ok_or_else(Problem::no_org)?;
    let by = call.alias(&keys).await?;
    call.count(&by, Use::Request).await?;
    let mut orgs = orgs(call, asked.org.as_deref()).await?;
    refuse_own(call, &keys, asked.who.as_ref(), &orgs).await?;
    let names = asked.who.as_ref().map(|who| who.names(Some(&keys.ring))).unwrap_or_default();
    let text = |names: &[Pseudonym]| -> Vec<String> { names.iter().map(|one| one.as_str().to_owned()).collect() };
    let mut identifiers: Vec<Vec<String>> = names.groups().iter().map(|group| text(group)).collect();
    let (mut subjects, mut pseudonyms) = (names.subjects, text(&names.pseudonyms));
    // What an event names is the identifier: a subject that is asked for by its id is followed by it.
    if let Some(Named::Subject(id)) = &asked.who {
        let name = reach::name_of(stores, id).await?.filter(|name| orgs.contains(&name.org));
        let name = name.ok_or_else(Problem::no_subject)?;
        (orgs, pseudonyms, identifiers) = (vec![name.org], vec![name.pseudonym.clone()], vec![vec![name.pseudonym]]);
    }
    let digests = digests(&keys, &asked, &orgs, &pseudonyms, &subjects);
    subjects.extend(reach::active(stores, &orgs, &pseudonyms, &[]).await?.into_keys());
    subjects.sort();
    subjects.dedup();
    let wrapped = match asked.kind {
        RequestKind::Erasure => Some(ByteBuf::from(stores.keys.new_request_key().await?)),
        RequestKind::Access | RequestKind::Portability => None,
    };
    let who = Who {
        pseudonyms,
        identifiers,
        subjects,
        interactions: asked.interactions,
        reference: asked.reference,
        deletion_reason: asked.deletion_reason,
        wrapped,
        duplicate: digests.first().cloned().unwrap_or_default(),
        ..Who::default()
    };
    let row = machine::received(asked.kind, asked.regime, orgs, &by, call.now_ms);
    for _ in 0..ROUNDS {
        let same = same(call, &digests).await?;
        if let Some((id, row)) = same.open {
            call.settle(&id, &row).await;
            return Ok(answered(200, &id, &row, &who, by, form));
        }
        let id = id_of_random(stores.draw());
        // Before the request: a person's answers name it from its first moment on, and no request is none.
        call.note_asked(&id, &row.orgs, &who).await?;
        match stores.requests.create(&id, &row, &who, same.closed.as_deref(), &call.now).await {
            Ok(()) => {
                call.settle(&id, &row).await;
                return Ok(answered(201, &id, &row, &who, by, form));
            }
            // Somebody asked for the same: theirs is the request.
            Err(StoreError::Conflict(_)) => call.forget_asked(&id, &row.orgs, &who).await?,
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict(Failure::new("others made the same request")).into())
}

/// The orgs that are asked, sorted: the one that is named, or all that the caller may see; of these such as transform noted.
async fn orgs(call: &Call<'_>, only: Option<&str>) -> Result<Vec<String>, Problem> {
    let known = &call.stores().orgs;
    let named: Vec<&str> = match (only, &call.caller.orgs) {
        (Some(org), orgs) if orgs.allows(org) => vec![org],
        (Some(_), _) => Vec::new(),
        (None, Orgs::Only(orgs)) if orgs.len() > MAX_ORGS => return Err(Problem::too_many_orgs(MAX_ORGS)),
        (None, Orgs::Only(orgs)) => orgs.iter().map(String::as_str).collect(),
        (None, Orgs::All) => {
            let all = known.first(MAX_ORGS + 1).await?;
            return match all.len() {
                0 => Err(Problem::no_org()),
                1..=MAX_ORGS => Ok(all),
                _ => Err(Problem::too_many_orgs(MAX_ORGS)),
            };
        }
    };
    let noted = try_join_all(named.iter().map(|org| known.has(org))).await?;
    let found = named.into_iter().zip(noted).filter(|(_, noted)| *noted).map(|(org, _)| org.to_owned());
    let found: Vec<String> = found.collect();
    if found.is_empty() { Err(Problem::no_org()) } else { Ok(found) }
}

/// Refuses a request by the company's own number or address: it would be about everybody who called it. An identifier is compared as
/// transform compares it.
async fn refuse_own(call: &Call<'_>, keys: &Keys, who: Option<&Named>, orgs: &[String]) -> Result<(), Problem> {
    let text = |names: Vec<Pseudonym>| -> Vec<String> { names.iter().map(|one| one.as_str().to_owned()).collect() };
    let asked: Vec<(Vec<String>, Option<&str>)> = match who {
        Some(Named::Identifiers(all)) => {
            all.iter().map(|one| (text(keys.ring.pseudonyms(one)), domain_of(one))).collect()
        }
        Some(Named::Pseudonym(one)) => vec![(vec![one.as_str().to_owned()], None)],
        Some(Named::Subject(_)) | None => return Ok(()),
    };
    let lists = call.stores().own.of_each(orgs, call.now_ms).await?;
    let parameter = OwnList::of(&call.settings().own_numbers, Some(&keys.ring));
    let is_own = |(names, domain): &(Vec<String>, Option<&str>)| {
        let of = |list: &OwnList| list.standing(names.iter().map(String::as_str), *domain) == Standing::InForce;
        of(&parameter) || lists.iter().any(|list| of(list))
    };
    if asked.iter().any(is_own) { Err(Problem::own_number()) } else { Ok(()) }
}

/// What the same request is known by, newest version of the key first.
fn digests(keys: &Keys, asked: &Asked, orgs: &[String], pseudonyms: &[String], subjects: &[String]) -> Vec<String> {
    let lists = [orgs, pseudonyms, subjects, &asked.interactions[..]];
    let lengths = lists.map(|list| list.len().to_string());
    let mut parts = vec![asked.kind.as_str()];
    for (list, length) in lists.iter().zip(&lengths) {
        parts.push(length);
        let mut sorted: Vec<&str> = list.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        parts.extend(sorted);
    }
    keys.suppression.of_request(&parts)
}

/// What was found under the digests.
struct Same {
    /// The open request.
    open: Option<(String, RequestRow)>,
    /// A closed one that lies under the newest digest still.
    closed: Option<String>,
}

async fn same(call: &Call<'_>, digests: &[String]) -> Result<Same, StoreError> {
    let requests = &call.stores().requests;
    let found = requests.same(digests).await?;
    let mut closed = None;
    for (at, id) in found.into_iter().enumerate() {
        let Some(id) = id else { continue };
        match requests.request(&id).await? {
            Some(row) if !row.state.is_final() => return Ok(Same { open: Some((id, row)), closed: None }),
            _ if at == 0 => closed = Some(id),
            _ => {}
        }
    }
    Ok(Same { open: None, closed })
}

fn answered(status: u16, id: &str, row: &RequestRow, who: &Who, by: String, form: Form) -> Answered {
    let mut body = json!({ "requestId": id, "state": row.state.as_str(), "dueAt": row.due_at });
    // The caller's own word, as this call has it.
    if let (Form::Short, Some(reference)) = (form, &who.reference) {
        body["reference"] = json!(reference);
    }
    let what = if status == 201 { "made" } else { "asked again" };
    Answered { status, what, request: Some(id.to_owned()), state: Some(row.state.as_str()), by: Some(by), body }
}
