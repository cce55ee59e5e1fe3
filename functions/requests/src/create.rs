//! Making a request: whom it is about, in which orgs, and whether it was asked before.
//!
//! Invariant: what the caller typed about a person leaves this module as pseudonyms. The same request again, while the first is open, is
//! answered with the first, and anyone who asked for it again is noted, so that they do not approve it.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use ledgerline_custody::own::{OwnList, Standing, domain_of};
use ledgerline_custody::query::Who as Named;
use ledgerline_custody::request::ask::Asked;
use ledgerline_custody::request::machine;
use ledgerline_lambda::caller::Orgs;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::Pseudonym;
use ledgerline_store::request::{MAX_DIGESTS, RequestKind, RequestRow, Who, id_of_random};
use ledgerline_store::usage::Use;
use serde_bytes::ByteBuf;
use serde_json::json;

use crate::keys::Keys;
use crate::problem::Problem;
use crate::reach::MAX_RECORDS;
use crate::{Answered, Call, reach};

/// Orgs of one request: closing it writes two rows of each org's list in one transaction, which may hold 100, beside [`MAX_DIGESTS`] and three
/// others.
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
    refuse_own(call, &keys, (asked.who.as_ref(), &pseudonyms), &orgs).await?;
    // Each is looked for in every org: what no preview could show is not made.
    if asked.interactions.len() * orgs.len() > MAX_RECORDS {
        return Err(Problem::too_many_listed());
    }
    let digests = digests(&keys, &asked, &orgs, &pseudonyms);
    subjects.extend(reach::active(stores, &orgs, &pseudonyms, &[]).await?.into_keys());
    subjects.sort();
    subjects.dedup();
    let (wrapped, given) = match asked.kind {
        RequestKind::Erasure => {
            let (wrapped, key) = stores.keys.new_open_request_key().await?;
            // What the certificate will say again; the key is dropped here.
            let given = asked.given.as_ref().map(|given| ByteBuf::from(given.sealed(&key)));
            (Some(ByteBuf::from(wrapped)), given)
        }
        RequestKind::Access | RequestKind::Portability => (None, None),
    };
    let who = Who {
        pseudonyms,
        identifiers,
        subjects,
        interactions: asked.interactions,
        reference: asked.reference,
        deletion_reason: asked.deletion_reason,
        wrapped,
        given,
        duplicates: digests.clone(),
        ..Who::default()
    };
    let row = machine::received(asked.kind, asked.regime, orgs, &by, call.now_ms);
    for _ in 0..ROUNDS {
        let Same { open, closed } = same(call, &digests).await?;
        let Some((id, open)) = open else {
            let id = id_of_random(stores.draw());
            // Before the request: a person's answers name it from its first moment on, and what is no request is not told.
            call.note_asked(&id, &row.orgs, &who).await?;
            match stores.requests.create(&id, &row, &who, &closed, &call.now).await {
                Ok(()) => {
                    call.settle(&id, &row).await;
                    return Ok(answered(201, &id, &row, &who, by, form));
                }
                // Somebody asked for the same: theirs is the request, unless it is this one, of which no answer was heard.
                Err(StoreError::Conflict(_)) => {
                    if stores.requests.request(&id).await?.is_none() {
                        call.forget_asked(&id, &row.orgs, &who).await?;
                    }
                    continue;
                }
                Err(error) => return Err(Problem::not_recorded(&error, NOT_RECORDED)),
            }
        };
        // It is the caller's request, too, who must not approve it.
        if !machine::asked(&open, &by) {
            match stores.requests.note_asked(&id, &open, &by).await {
                Ok(()) => {}
                // A step was taken meanwhile, perhaps the one that closes it.
                Err(StoreError::Conflict(_)) => continue,
                Err(error) => return Err(Problem::not_recorded(&error, NOT_RECORDED)),
            }
        }
        call.settle(&id, &open).await;
        return Ok(answered(200, &id, &open, &who, by, form));
    }
    Err(StoreError::Conflict(Failure::new("others made the same request, or took steps of it")).into())
}

const NOT_RECORDED: &str =
    "The request could not be recorded, or it is not known whether it was; the same again finds it if it was.";

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
/// transform compares it; a subject, by the identifier that it was made under.
async fn refuse_own(
    call: &Call<'_>,
    keys: &Keys,
    (who, pseudonyms): (Option<&Named>, &[String]),
    orgs: &[String],
) -> Result<(), Problem> {
    let text = |names: Vec<Pseudonym>| -> Vec<String> { names.iter().map(|one| one.as_str().to_owned()).collect() };
    let asked: Vec<(Vec<String>, Option<&str>)> = match who {
        Some(Named::Identifiers(all)) => {
            all.iter().map(|one| (text(keys.ring.pseudonyms(one)), domain_of(one))).collect()
        }
        Some(Named::Pseudonym(_) | Named::Subject(_)) => vec![(pseudonyms.to_vec(), None)],
        None => return Ok(()),
    };
    let lists = call.stores().own.of_each(orgs, call.now_ms).await?;
    let parameter = OwnList::of(&call.settings().own_numbers, Some(&keys.ring));
    let is_own = |(names, domain): &(Vec<String>, Option<&str>)| {
        let of = |list: &OwnList| list.standing(names.iter().map(String::as_str), *domain) == Standing::InForce;
        of(&parameter) || lists.iter().any(|list| of(list))
    };
    if asked.iter().any(is_own) { Err(Problem::own_number()) } else { Ok(()) }
}

/// What the same request is known by: digests over type, law, orgs, the pseudonyms of one version of their key, and listed interactions, one
/// for each of these versions and of the suppression key's, newest first. A rotation adds versions and takes none away, so that two callers
/// whose functions know different ones still have a digest in common.
fn digests(keys: &Keys, asked: &Asked, orgs: &[String], pseudonyms: &[String]) -> Vec<String> {
    let mut by_version: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for pseudonym in pseudonyms {
        let version = Pseudonym::parse(pseudonym).map_or(0, |pseudonym| pseudonym.version());
        by_version.entry(version).or_default().push(pseudonym);
    }
    if by_version.is_empty() {
        // Interactions alone are listed.
        by_version.insert(0, Vec::new());
    }
    let of_version = |pseudonyms: &Vec<&str>| {
        let lists = [refs(orgs), pseudonyms.clone(), refs(&asked.interactions)];
        let lengths = lists.each_ref().map(|list| list.len().to_string());
        let mut parts = vec![asked.kind.as_str(), asked.regime.as_str()];
        for (mut list, length) in lists.into_iter().zip(&lengths) {
            list.sort_unstable();
            parts.push(length);
            parts.extend(list);
        }
        keys.suppression.of_request(&parts)
    };
    by_version.values().rev().flat_map(of_version).take(MAX_DIGESTS).collect()
}

fn refs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// What was found under the digests.
#[derive(Default)]
struct Same {
    /// The open request.
    open: Option<(String, RequestRow)>,
    /// Closed ones that lie there still, in the digests' order.
    closed: Vec<Option<String>>,
}

async fn same(call: &Call<'_>, digests: &[String]) -> Result<Same, StoreError> {
    let requests = &call.stores().requests;
    let closed = requests.same(digests).await?;
    let ids: BTreeSet<&str> = closed.iter().flatten().map(String::as_str).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    for (id, row) in ids.iter().zip(requests.requests(&ids).await?) {
        if let Some(row) = row.filter(|row| !row.state.is_final()) {
            return Ok(Same { open: Some(((*id).to_owned(), row)), ..Same::default() });
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
    Answered {
        status,
        what,
        request: Some(id.to_owned()),
        state: Some(row.state.as_str()),
        by: Some(by),
        body: body.into(),
    }
}
