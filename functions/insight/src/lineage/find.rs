//! Which records a question names: by the id, and where no record has it, by the token.
//!
//! Invariant: a record that is pinned has entries, or had some under way; one that is not is known by nothing but the objects that hold lines
//! of it. What is found is of an organisation that may be told of.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::record::HoldingObject;
use ledgerline_store::token::RECORDS_READ;

use super::question::Question;
use crate::Stores;
use crate::problem::Problem;

/// Reads under way at once.
const PARALLEL: usize = 16;
/// Organisations that are asked for a record by name: the rows of one call.
const MAX_ORGS: usize = 100;

/// A record that a question names.
#[derive(Debug)]
pub(super) struct Known {
    /// `<org>/<record>`.
    pub(super) key: String,
    /// Where its entries are; none where nothing of it was planned.
    pub(super) log: Option<LogId>,
    /// The objects that hold lines of it, if they were asked for already.
    pub(super) holding: Option<Vec<HoldingObject>>,
}

/// What a question names.
#[derive(Debug)]
pub(super) struct Found {
    /// By their keys.
    pub(super) records: Vec<Known>,
    /// A token has more records than are told.
    pub(super) is_cut: bool,
}

/// The records, by their keys.
pub(super) async fn records(stores: &Stores, question: &Question) -> Result<Found, Problem> {
    let orgs = orgs(stores, question).await?;
    let named: Vec<String> = orgs.iter().map(|org| format!("{org}/{}", question.subject)).collect();
    let pinned = pinned(stores, &named).await?;
    if !pinned.is_empty() {
        return Ok(Found { records: pinned, is_cut: false });
    }
    let of_token = stores.tokens.records(&question.subject).await?;
    let is_cut = of_token.len() >= RECORDS_READ;
    let is_told = |record: &String| record.split_once('/').is_some_and(|(org, _)| orgs.contains(org));
    let of_token: Vec<String> = of_token.into_iter().take(RECORDS_READ - 1).filter(is_told).collect();
    let pinned = self::pinned(stores, &of_token).await?;
    if !pinned.is_empty() {
        return Ok(Found { records: pinned, is_cut });
    }
    // Filtered lines alone, or lines that nobody planned yet.
    let held = stream::iter(named.iter().chain(&of_token)).map(|key| async move {
        let holding = stores.records.bronze(key).await?;
        Ok::<_, StoreError>((key, holding))
    });
    let held: Vec<(&String, Vec<HoldingObject>)> = held.buffered(PARALLEL).try_collect().await?;
    let known = held.into_iter().filter(|(_, holding)| !holding.is_empty());
    let records: Vec<Known> =
        known.map(|(key, holding)| Known { key: key.clone(), log: None, holding: Some(holding) }).collect();
    if records.is_empty() { Err(Problem::unknown_record()) } else { Ok(Found { records, is_cut }) }
}

async fn pinned(stores: &Stores, keys: &[String]) -> Result<Vec<Known>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let pins = stores.records.pins(&keys).await?;
    let pinned = keys.into_iter().zip(pins).filter_map(|(key, log)| Some((key, log?)));
    Ok(pinned.map(|(key, log)| Known { key: key.to_owned(), log: Some(log), holding: None }).collect())
}

/// The organisations to ask: those of the token, or all that have a log.
async fn orgs(stores: &Stores, question: &Question) -> Result<BTreeSet<String>, Problem> {
    let orgs = match &question.orgs {
        Some(orgs) => orgs.clone(),
        None => stores.ledger.heads.logs().await?.iter().map(|log| log.org().to_owned()).collect(),
    };
    if orgs.len() > MAX_ORGS { Err(Problem::too_many_orgs(MAX_ORGS)) } else { Ok(orgs) }
}
