//! The open requests about whom a question asks for: whoever answers a person says that their erasure is under way.
//!
//! Invariant: a request is told if it is open and the caller may ask each of its orgs, and by its id, kind, state and due day alone. What
//! names it stays behind no closed request: a person who was erased was never asked about, either.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledgerline_custody::answer::OpenRequest;
use ledgerline_custody::query::Query;
use ledgerline_lambda::caller::Orgs;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::subject::SubjectState;

use crate::stores::Stores;
use ledgerline_custody::keys::Keys;

/// Identifiers looked up in one call: the table's limit.
const NAMES_PER_READ: usize = 100;
/// Calls under way at once.
const PARALLEL: usize = 16;

/// The open requests about the identifiers that a question names in these orgs, and about those of its subjects; what is due first, first.
pub(crate) async fn open(
    stores: &Stores,
    query: &Query,
    orgs: &[String],
    active: &[(String, SubjectState)],
    keys: Option<&Keys>,
    allowed: &Orgs,
) -> Result<Vec<OpenRequest>, StoreError> {
    let asked = query.names(keys.map(|keys| &keys.ring)).pseudonyms;
    let mut names: BTreeSet<(&str, &str)> =
        orgs.iter().flat_map(|org| asked.iter().map(|name| (org.as_str(), name.as_str()))).collect();
    // Asked for by a subject's id, somebody is known by the identifier.
    let of_subjects = active.iter().filter_map(|(_, state)| state.name.as_ref());
    names.extend(of_subjects.map(|name| (name.org.as_str(), name.pseudonym.as_str())));
    let names: Vec<(&str, &str)> = names.into_iter().collect();
    let found: Vec<BTreeSet<String>> = stream::iter(names.chunks(NAMES_PER_READ))
        .map(|names| stores.asked.of(names))
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    let ids: BTreeSet<String> = found.into_iter().flatten().collect();
    let read = |id: String| async move { Ok::<_, StoreError>((stores.requests.request(&id).await?, id)) };
    let rows: Vec<_> = stream::iter(ids).map(read).buffered(PARALLEL).try_collect().await?;
    let is_told = |orgs: &[String]| orgs.iter().all(|org| allowed.allows(org));
    let mut open: Vec<OpenRequest> = rows
        .into_iter()
        .filter_map(|(row, id)| Some((row?, id)))
        .filter(|(row, _)| !row.state.is_final() && is_told(&row.orgs))
        .map(|(row, id)| OpenRequest {
            request_id: id,
            kind: row.kind.as_str(),
            state: row.state.as_str(),
            due_at: row.due_at,
        })
        .collect();
    open.sort_by(|one, other| (&one.due_at, &one.request_id).cmp(&(&other.due_at, &other.request_id)));
    open.truncate(MAX_TOLD);
    Ok(open)
}

/// Requests that an answer tells: 1,000 of some 170 bytes each, quotes escaped, fit beside a page ([`ledgerline_custody::answer::PAGE_BYTES`]).
const MAX_TOLD: usize = 1_000;
