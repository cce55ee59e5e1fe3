//! Claims in the index table: which bronze object owns an event.
//!
//! Invariant: an event has at most one owner, for as long as claims live. The owner is the first object that claimed
//! it, so that any redelivery, re-send or replay of the same event from another object is a duplicate, while the same
//! object may come back as often as it likes and still owns what it owned.
//!
//! An event is claimed by a keyed digest of what it says, its claim id, which stands nowhere else. So no claim can be made again
//! from evidence: the rest of the index follows from segments, claims do not.
//!
//! Left out: what a duplicate means for counts and plans; transform decides that from the answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledgerline_ledger::store::StoreError;
use time::OffsetDateTime;

use crate::record;
use crate::table::{Condition, Key, Returning, Row, Table, Value, Write, corrupt};

/// The key of a record's claims of one shard.
pub fn key(record: &str, shard: &str) -> Key {
    Key::new(record::partition(record), format!("{CLAIM}{shard}"))
}

/// Whether a key is of claims.
pub fn is_key(key: &Key) -> bool {
    record::parse_partition(&key.pk).is_some() && key.sk.starts_with(CLAIM)
}

/// The owners in a row of claims: claim id to object id. None in a row of another family.
pub fn owners<'a>(key: &Key, row: &'a Row) -> impl Iterator<Item = (&'a str, &'a str)> {
    let row = is_key(key).then_some(row);
    row.into_iter().flatten().filter_map(|(name, value)| match value {
        Value::S(owner) => Some((name.strip_prefix(EVENT)?, owner.as_str())),
        _ => None,
    })
}

/// Events named by one claim. The table's update expression may be 4 KB and hold 300 operators: 100 events ×
/// (`#100=if_not_exists(#100,:1),` = 28 bytes, 2 operators) = 2.8 KB and 200 operators, with room for the expiry.
pub const EVENTS_PER_CLAIM: usize = 100;

/// One update: these events of this record and shard belong to this object unless they have an owner already.
///
/// Shards split a record's claims over items, so that none nears the table's 400 KB: an event takes 68 bytes, so one
/// shard may hold some 6,000. A shard must follow from the event's identity alone, lest the same event be claimed twice:
/// where the identity comes from the event's body, the body's time is in it, and the shard is its hour, so that an
/// interaction's events mostly share one; where the source named the event, its time may be told differently when it
/// is sent again, and the shard is the first two digits of its claim id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// `<org>/<record>`.
    pub record: &'a str,
    /// Hour of occurrence, `yyyymmddhh` UTC, or `id` and two hex digits.
    pub shard: String,
    /// The claiming object's id.
    pub object: &'a str,
    /// Claim ids, at most [`EVENTS_PER_CLAIM`], distinct.
    pub events: Vec<&'a str>,
    /// When the claim may be forgotten, in epoch seconds.
    pub expires_at_s: i64,
}

/// An event that wants an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unclaimed<'a> {
    /// `<org>/<record>`.
    pub record: &'a str,
    /// Epoch milliseconds of its occurrence.
    pub occurred_at_ms: i64,
    /// Whether its source named it.
    pub named_by_source: bool,
    /// Its claim id.
    pub event: &'a str,
}

impl Unclaimed<'_> {
    /// The shard of its claim.
    fn shard(&self) -> String {
        let Self { occurred_at_ms, named_by_source, event, .. } = *self;
        if named_by_source { format!("id{}", event.get(..2).unwrap_or(event)) } else { hour(occurred_at_ms) }
    }

    /// The key of its claim, whether it is there or not.
    pub(crate) fn key(&self) -> Key {
        key(self.record, &self.shard())
    }

    /// That no object owns it, in a transaction that does not claim it.
    pub(crate) fn has_no_owner(&self) -> Write {
        Write::check(self.key(), Condition::lacks(attribute(self.event)))
    }

    /// Whether an object owns it, by the row at its claim's key.
    pub(crate) fn is_owned_in(&self, row: &Row) -> bool {
        row.contains_key(&attribute(self.event))
    }
}

/// Groups events into the fewest claims: by record and shard, at most [`EVENTS_PER_CLAIM`] each, in a fixed order.
pub fn plan_claims<'a>(
    object: &'a str,
    expires_at_s: i64,
    events: impl IntoIterator<Item = Unclaimed<'a>>,
) -> Vec<Claim<'a>> {
    let mut by_shard: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
    for Unclaimed { record, occurred_at_ms, named_by_source, event } in events {
        let shard = Unclaimed { record, occurred_at_ms, named_by_source, event }.shard();
        by_shard.entry((record, shard)).or_default().push(event);
    }
    let mut claims = Vec::new();
    for ((record, shard), events) in by_shard {
        for events in events.chunks(EVENTS_PER_CLAIM) {
            claims.push(Claim { record, shard: shard.clone(), object, events: events.to_vec(), expires_at_s });
        }
    }
    claims
}

/// `yyyymmddhh` of an instant, UTC. Instants outside the calendar's range fall into its first hour.
fn hour(at_ms: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(at_ms.div_euclid(1000)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!("{:04}{:02}{:02}{:02}", at.year(), u8::from(at.month()), at.day(), at.hour())
}

/// The claims of all records.
#[derive(Clone, Debug)]
pub struct Claims {
    table: Arc<dyn Table>,
}

impl Claims {
    /// Rows of the index table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// The owner of each event after this claim, in the order of `claim.events`.
    ///
    /// # Errors
    /// The table's.
    pub async fn claim(&self, claim: &Claim<'_>) -> Result<Vec<String>, StoreError> {
        // Not the record: of a person's it is a digest that stands in claims alone.
        let what = format!("claim {} events of object {} in {}", claim.events.len(), claim.object, claim.shard);
        let write = Write::update(key(claim.record, &claim.shard)).set("ttl", claim.expires_at_s);
        let own = |write: Write, event: &&str| write.set_if_absent(attribute(event), claim.object);
        let write = claim.events.iter().fold(write, own);
        let mut owners = self.table.write(&what, write, Returning::Changed).await?;
        let owner = |event: &&str| match owners.remove(&attribute(event)) {
            Some(Value::S(owner)) => Ok(owner),
            _ => Err(corrupt(format!("{what}: an event has no owner"))),
        };
        claim.events.iter().map(owner).collect()
    }
}

/// The name of the attribute that holds an event's owner.
fn attribute(event: &str) -> String {
    format!("{EVENT}{event}")
}

const CLAIM: &str = "CLAIM#";
const EVENT: &str = "e";

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn unclaimed<'a>(record: &'a str, occurred_at_ms: i64, event: &'a str) -> Unclaimed<'a> {
        Unclaimed { record, occurred_at_ms, named_by_source: false, event }
    }

    #[test]
    fn claims_are_split_by_record_by_shard_and_by_size() {
        let names: Vec<String> = (0..250).map(|n| format!("{n:032x}")).collect();
        let mut events: Vec<_> = names.iter().map(|name| unclaimed("acme/a", 0, name)).collect();
        events.push(unclaimed("acme/b", 0, "x"));
        events.push(unclaimed("acme/b", HOUR_MS, "y"));
        let claims = plan_claims("o", 7, events);
        let shape: Vec<_> = claims.iter().map(|c| (c.record, c.shard.as_str(), c.events.len())).collect();
        assert_eq!(
            shape,
            [
                ("acme/a", "1970010100", 100),
                ("acme/a", "1970010100", 100),
                ("acme/a", "1970010100", 50),
                ("acme/b", "1970010100", 1),
                ("acme/b", "1970010101", 1)
            ]
        );
        assert!(claims.iter().all(|c| c.object == "o" && c.expires_at_s == 7));
    }

    #[test]
    fn an_event_that_its_source_named_is_claimed_in_one_place_whatever_its_time() {
        let named = |at_ms| Unclaimed { named_by_source: true, ..unclaimed("acme/a", at_ms, "dd94df72") };
        let claims = plan_claims("o", 7, [named(0), named(HOUR_MS)]);
        assert_eq!(claims.len(), 1);
        assert_eq!(claims[0].shard, "iddd");
    }

    #[test]
    fn the_hour_is_utc_and_holds_before_the_epoch_and_beyond_the_calendar() {
        assert_eq!(hour(1_772_460_000_350), "2026030214");
        assert_eq!(hour(-1), "1969123123");
        assert_eq!(hour(i64::MAX), "1970010100");
    }
}
