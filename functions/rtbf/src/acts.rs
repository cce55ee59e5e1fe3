//! Acts of deletion: under which names, with which keys, and recorded when.
//!
//! Invariant: each record has a purpose of its own, so that no act shares an object, a time or a place with another of the same person's
//! but by chance: one call for all of them would join them in the ledger for ever. What a key is destroyed for is noted before it is; and an
//! act that is recorded twice is in the ledger once.
//!
//! | crash after | what is stored | who repairs |
//! |---|---|---|
//! | keys were noted | an act that is due, and keys that open still | the step that destroys them is done again |
//! | some acts were recorded | these, and their rows | they are recorded again, under the same purposes |
//! | some rows were deleted | acts in the ledger | what has no row is recorded under its purpose again, and is there |

use std::collections::BTreeSet;

use ledgerline_certificate::{ACT_DAYS, KEYS_PER_ACT};
use ledgerline_custody::acts::record_passing_acts;
use ledgerline_custody::request::acts::{deletion, deletion_purpose};
use ledgerline_event::instant;
use ledgerline_lake::ObjectId;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::deletion::{Deletion, WAKES_POOL, midnight};
use ledgerline_store::subject::date_of;
use ring::hmac;

use crate::people::KEYS_PER_READ;
use crate::stores::Stores;
use crate::{CALLS_AT_ONCE, Call, Ended, at_once};

const DAY_MS: i64 = 86_400_000;
const SEPARATOR: u8 = 0x1F;
/// What the key of names is derived by: the request's own key has other uses.
const LABEL: &[u8] = b"ledgerline/erasure/act/v1";

/// What acts of deletion are named by: an HMAC under a key that goes with the request.
#[derive(Debug)]
pub(crate) struct ActNames(hmac::Key);

impl ActNames {
    pub(crate) fn of(key: &[u8; 32]) -> Self {
        let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), LABEL);
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()))
    }

    /// The name of a record's act; of further acts of a record that had more keys than one can hold, by their number.
    pub(crate) fn name(&self, record: &str, nth: u32) -> String {
        let mut mac = hmac::Context::with_key(&self.0);
        mac.update(record.as_bytes());
        if nth > 0 {
            mac.update(&[SEPARATOR]);
            mac.update(nth.to_string().as_bytes());
        }
        mac.sign().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The object of a record's act.
    pub(crate) fn object(&self, record: &str, nth: u32) -> ObjectId {
        ObjectId::of_act(&deletion_purpose(&self.name(record, nth)))
    }
}

/// Notes that keys of a record are about to be destroyed.
pub(crate) async fn note_keys(
    stores: &Stores,
    names: &ActNames,
    record: &str,
    ids: &BTreeSet<&str>,
) -> Result<(), StoreError> {
    let mut left: BTreeSet<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    for nth in 0.. {
        let name = names.name(record, nth);
        let noted = stores.deletions.of(&[&name]).await?.remove(0).unwrap_or_default();
        left.retain(|id| !noted.key_ids.contains(id));
        let room = KEYS_PER_ACT.saturating_sub(noted.key_ids.len());
        let fits: BTreeSet<String> = left.iter().take(room).cloned().collect();
        if !fits.is_empty() {
            stores.deletions.note(&name, record, &fits).await?;
            left.retain(|id| !fits.contains(id));
        }
        if left.is_empty() {
            break;
        }
    }
    Ok(())
}

/// The acts of these records, at most [`KEYS_PER_READ`], as their rows have them: of a record without a row, one without keys.
pub(crate) async fn due(
    stores: &Stores,
    names: &ActNames,
    records: &[&str],
) -> Result<Vec<(String, Deletion)>, StoreError> {
    let first: Vec<String> = records.iter().map(|record| names.name(record, 0)).collect();
    let rows = stores.deletions.of(&first.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    let mut acts = Vec::with_capacity(records.len());
    for ((record, name), row) in records.iter().zip(first).zip(rows) {
        let mut act = row.unwrap_or_default();
        (*record).clone_into(&mut act.record);
        let mut is_full = act.key_ids.len() >= KEYS_PER_ACT;
        acts.push((name, act));
        for nth in 1.. {
            if !is_full {
                break;
            }
            let name = names.name(record, nth);
            let Some(further) = stores.deletions.of(&[&name]).await?.remove(0) else { break };
            is_full = further.key_ids.len() >= KEYS_PER_ACT;
            acts.push((name, further));
        }
    }
    Ok(acts)
}

/// Records these acts, at most some hundred, as of a day, `yyyy-mm-dd`.
pub(crate) async fn record(call: &Call<'_>, day: &str, acts: &[(String, Deletion)]) -> Result<(), StoreError> {
    let stores = call.stores;
    let records: BTreeSet<&str> = acts.iter().map(|(_, act)| act.record.as_str()).collect();
    let records: Vec<&str> = records.into_iter().collect();
    let mut logs = std::collections::BTreeMap::new();
    for asked in records.chunks(KEYS_PER_READ) {
        let pins = stores.records.pins(asked).await?;
        for (record, pin) in asked.iter().zip(pins) {
            let log = pin.map_or_else(|| log_of(record), Ok)?;
            logs.insert(*record, log);
        }
    }
    let recording = acts.iter().map(|(name, act)| {
        let log = &logs[act.record.as_str()];
        record_one(call, day, name, act, log)
    });
    at_once(CALLS_AT_ONCE, recording.collect()).await.map(drop)
}

async fn record_one(call: &Call<'_>, day: &str, name: &str, due: &Deletion, log: &LogId) -> Result<(), StoreError> {
    let act = deletion(log, &due.record, day, due.key_ids.iter().cloned().collect())?;
    let now_ms = call.now_ms();
    let expires_at_s = (now_ms + ACT_DAYS * DAY_MS).div_euclid(1_000);
    let (purpose, now) = (deletion_purpose(name), instant::to_rfc3339(now_ms));
    record_passing_acts(&call.stores.acts(), &purpose, &[act], &now, expires_at_s).await.map(drop)
}

/// The log of a record that is pinned to none: nothing of it is in the ledger, and what comes goes there.
fn log_of(record: &str) -> Result<LogId, StoreError> {
    let (org, id) = record.split_once('/').unwrap_or_default();
    let class = if id.contains('/') { "entity" } else { "interaction" };
    LogId::first_of(org, class)
        .map_err(|error| StoreError::Corrupt(Failure::caused_by("a record's org has no log", error)))
}

/// The day, `yyyy-mm-dd`, on which acts are recorded that are due at a time: that day, or where they are pooled for so many days the first
/// one behind these.
pub(crate) fn day_of(now_ms: i64, pool_days: i64) -> String {
    let today = now_ms.div_euclid(DAY_MS);
    let day = if pool_days > 0 { (today.div_euclid(pool_days) + 1) * pool_days } else { today };
    date_of(&instant::to_rfc3339(day * DAY_MS)).to_owned()
}

/// When a day begins, epoch milliseconds.
pub(crate) fn begins_ms(day: &str) -> Result<i64, StoreError> {
    let begins_ms = instant::parse(&midnight(day));
    begins_ms.ok_or_else(|| StoreError::Corrupt(Failure::new("a day of acts of deletion is no day")))
}

/// Says of these acts that they are recorded on a day.
pub(crate) async fn pool(stores: &Stores, day: &str, acts: &[(String, Deletion)]) -> Result<(), StoreError> {
    // What has no row yet had no keys.
    let noting = acts.iter().map(|(name, act)| stores.deletions.note(name, &act.record, &act.key_ids));
    at_once(CALLS_AT_ONCE, noting.collect()).await?;
    stores.deletions.pool(day, &acts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>()).await
}

/// Records the acts of a day that has come, in the order of their names, which is a shuffle over all requests.
pub(crate) async fn record_pool(call: &Call<'_>, day: &str) -> Result<Ended, StoreError> {
    let stores = call.stores;
    if call.now_ms() < begins_ms(day)? {
        // Whoever sent that is not sweep: what is recorded early is not shuffled.
        return Ok(Ended::Done);
    }
    let mut recorded = 0;
    loop {
        let names = stores.deletions.on(day, KEYS_PER_READ).await?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        if names.is_empty() {
            break;
        }
        if call.is_over() {
            // The day's wake-up stands, and this is sooner.
            stores.notes.pool(day).await?;
            return Ok(Ended::Done);
        }
        let rows = stores.deletions.of(&names).await?;
        let due = names.iter().zip(rows).filter_map(|(name, row)| Some(((*name).to_owned(), row?)));
        let due: Vec<(String, Deletion)> = due.collect();
        record(call, day, &due).await?;
        stores.deletions.planned(Some(day), &names).await?;
        recorded += due.len();
    }
    stores.wakes.remove(WAKES_POOL, &midnight(day)).await?;
    // What came in this moment has put the wake-up before it was taken away.
    let late = stores.deletions.on(day, KEYS_PER_READ).await?;
    if !late.is_empty() {
        stores.deletions.pool(day, &late.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    }
    tracing::info!(day, recorded, "acts of deletion are recorded");
    Ok(Ended::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_and_number_has_a_name_of_its_own_under_each_key() {
        let (one, other) = (ActNames::of(&[7; 32]), ActNames::of(&[8; 32]));
        let all: BTreeSet<String> = [&one, &other]
            .into_iter()
            .flat_map(|names| ["acme/a", "acme/b"].map(|record| (names, record)))
            .flat_map(|(names, record)| (0..3).map(move |nth| names.name(record, nth)))
            .collect();
        assert_eq!(all.len(), 12);
        assert!(all.iter().all(|name| name.len() == 64 && !name.contains("acme")));
        assert_eq!(one.name("acme/a", 0), ActNames::of(&[7; 32]).name("acme/a", 0));
    }

    #[test]
    fn acts_are_recorded_at_once_or_behind_the_days_that_they_are_pooled_for() {
        let now_ms = 1_772_460_000_350;
        assert_eq!(day_of(now_ms, 0), "2026-03-02");
        assert_eq!(day_of(now_ms, 1), "2026-03-03");
        let week = begins_ms(&day_of(now_ms, 7)).unwrap();
        assert!(week > now_ms && week - now_ms <= 7 * DAY_MS && week.div_euclid(DAY_MS) % 7 == 0);
        // All of a week meet on one day.
        assert_eq!(day_of(week - 1, 7), day_of(week - 7 * DAY_MS, 7));
        assert!(begins_ms("yesterday").is_err());
    }

    #[test]
    fn a_record_without_a_log_has_its_kinds_first_one() {
        assert_eq!(log_of("acme/c-1").unwrap().as_str(), "acme/interaction/1/0");
        assert_eq!(log_of("acme/Contact/x_1").unwrap().as_str(), "acme/entity/1/0");
        assert!(log_of("c-1").is_err());
    }
}
