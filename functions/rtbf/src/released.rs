//! A record on which no hold is any more: what erasures put off of it is done now.
//!
//! Invariant: what is to be done stands in the record's row, until all of it is; a message that nobody meant finds nothing there. The steps
//! are those of a request, for the one record: its row and keys, links and alias, lines and silver, the act of deletion.
//!
//! | crash after | what is stored | who repairs |
//! |---|---|---|
//! | any of it | the row, which says what is to be done | the message comes back |

use std::collections::BTreeSet;

use ledgerline_custody::erasure::LineRecord;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::pseudonym::is_alias;
use ledgerline_store::cutoff::Cutoff;

use crate::acts::{self, ActNames};
use crate::hint::{erase_objects, last_of};
use crate::keys::Keys;
use crate::object::{Deciding, look};
use crate::people::Name;
use crate::people::Others;
use crate::record::{Coming, Erasure, HINT, PutOff, reach};
use crate::rules::{OfRecords, of_records, tombs_of};
use crate::stores::Stores;
use crate::{Call, Ended, LargeObjects};

/// What it is called where a request is.
const NAME: &str = "released";

/// Does what was put off of a record.
pub(crate) async fn released(call: &Call<'_>, record: &str) -> Result<Ended, StoreError> {
    let stores = call.stores;
    let party = stores.parties.read(&[record]).await?.remove(0);
    let Some(until) = party.pending_until else { return Ok(Ended::Done) };
    let Cutoff::At(cutoff_ms) = until else {
        return Err(StoreError::Corrupt(Failure::new("what was put off has no end")));
    };
    let PutOff { own, is_listed, is_decided } = PutOff::of(&party);
    let keys = stores.keys(&call.settings.own_numbers, call.now_ms()).await?;
    let others = Others::new(stores, call.settings.fan_out_cap);
    let acts = act_names(stores, record).await?;
    let erasure = Erasure { name: NAME, own: &own, cutoff_ms, others: &others, acts: Some(&acts) };
    let last_ms = last_of(call, record).await?;
    let coming = Coming { record, is_listed, last_ms, is_decided, is_new: true };
    if reach(call, &erasure, &coming).await?.is_held {
        // Held again: whoever lifts that hold says so.
        return Ok(Ended::Done);
    }
    let links: Vec<(&str, &str)> = own.iter().map(|subject| (subject.as_str(), record)).collect();
    let (_, found) = stores.subjects.read(&[], &links).await?;
    let there: Vec<_> = links.into_iter().zip(found).filter_map(|(link, found)| found.map(|_| link)).collect();
    stores.subjects.delete_links(&there).await?;
    let alias = alias_of(record);
    let under = match alias {
        Some((org, alias)) => Some(end_alias(call, org, alias).await?),
        None => None,
    };
    let names = names_in(call, &keys, record).await?;
    let tombs = tombs_of(call, &keys, &names).await?;
    let OfRecords { rules, whole } = of_records(call, &erasure, &tombs, &[coming]).await?;
    if rules.held.contains(record) {
        return Ok(Ended::Done);
    }
    let (refs, large) = (BTreeSet::new(), LargeObjects::default());
    let deciding = Deciding { call, keys: &keys, rules: &rules, refs: &refs, whole: &whole, large: &large };
    if erase_objects(&deciding, record, under.as_ref(), None).await? == Ended::ComesBack {
        return Ok(Ended::ComesBack);
    }
    tell(call, &acts, record, !party.pending_erase.contains(HINT) || !own.is_empty()).await?;
    stores.parties.postponed_done(record, &party).await?;
    tracing::info!(subjects = own.len(), is_listed, is_decided, "what a hold had put off is erased");
    Ok(Ended::Done)
}

/// What the acts of deletion of a released record are named by: drawn when that is begun, and kept in its row until all of it is done.
async fn act_names(stores: &Stores, record: &str) -> Result<ActNames, StoreError> {
    let mut drawn = [0; 32];
    (stores.random())(&mut drawn);
    let drawn: String = drawn.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = stores.parties.name_act(record, &drawn).await?;
    let pairs = text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
    let key: Option<Vec<u8>> = pairs.collect();
    let key: Option<[u8; 32]> = key.and_then(|key| key.try_into().ok());
    let key = key.ok_or_else(|| StoreError::Corrupt(Failure::new("the name of a released record's acts")))?;
    Ok(ActNames::of(&key))
}

/// The ledger says that the record was erased: if somebody asked for it, or keys were destroyed.
async fn tell(call: &Call<'_>, names: &ActNames, record: &str, was_asked: bool) -> Result<(), StoreError> {
    let mut due = acts::due(call.stores, names, &[record]).await?;
    due.retain(|(_, act)| was_asked || !act.key_ids.is_empty());
    let pool_days = call.settings.pool_days;
    let day = acts::day_of(call.now_ms(), pool_days);
    if pool_days > 0 {
        return if due.is_empty() { Ok(()) } else { acts::pool(call.stores, &day, &due).await };
    }
    acts::record(call, &day, &due).await?;
    call.stores.deletions.planned(None, &due.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>()).await
}

/// The org and the alias in a record's id, if there is one.
pub(crate) fn alias_of(record: &str) -> Option<(&str, &str)> {
    let (org, rest) = record.split_once('/')?;
    let (_, id) = rest.split_once('/')?;
    is_alias(id).then_some((org, id))
}

/// Says that an alias is gone and deletes its rows; the names that it lay under.
async fn end_alias(call: &Call<'_>, org: &str, alias: &str) -> Result<BTreeSet<String>, StoreError> {
    call.stores.gone.put(&[alias]).await?;
    let names = call.stores.aliases.names(org, alias).await?;
    call.stores.aliases.delete(org, alias, &names).await?;
    Ok(names)
}

/// Whom a record's lines name.
async fn names_in(call: &Call<'_>, keys: &Keys, record: &str) -> Result<BTreeSet<Name>, StoreError> {
    let mut names = BTreeSet::new();
    for one in call.stores.records.bronze(record).await? {
        let Some(object) = call.stores.bronze.read(&one.key).await? else { continue };
        look(call, keys, &object.bytes, |_, line| {
            if matches!(&line.record, LineRecord::Key(of) if of == record) {
                names.extend(line.names.iter().map(|name| (line.org.clone(), name.clone())));
            }
        })
        .await?;
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_known_in_a_records_name() {
        let alias = format!("x_{}", "0a".repeat(16));
        assert_eq!(alias_of(&format!("acme/Contact/{alias}")), Some(("acme", alias.as_str())));
        for other in ["acme/c-1", "acme/Contact/cd68e249", &format!("acme/{alias}"), "acme"] {
            assert_eq!(alias_of(other), None, "{other}");
        }
    }
}
