//! Events that capture took and that are not committed yet, in the index table, so that an access request finds them at once; and their list
//! by the hour, by which sweep finds them without a scan.
//!
//! Invariant: a row is put once, for an event that no bronze object owns yet, in one transaction that asks what a link asks: that no
//! erasure reached its record and its subjects since they were read. Transform, which claims the event by the same id before it plans it,
//! notes which entry it becomes; sweep notes that the entry is committed and deletes the row a while later, never before: whoever read
//! the ledger and then finds no row has read the entry, too. The line is what the policy lets through, and holds no identifier; the row
//! names the subjects whose event it is, and the eraser deletes it by them.
//!
//! Left out: what the line says, and who reads what in which order.

use std::collections::BTreeSet;
use std::sync::Arc;

use ledgerline_event::instant;
use ledgerline_ledger::store::StoreError;
use serde::{Deserialize, Serialize};

use crate::claim::Unclaimed;
use crate::party::{self, PartySeen};
use crate::record;
use crate::subject::Subjects;
use crate::table::{Beside, Condition, Key, Query, Returning, Row, Table, Write, read_row, to_row};

/// The key of an event's row, by its record and its claim id.
pub fn key(record: &str, claim_id: &str) -> Key {
    Key::new(record::partition(record), format!("{JOURNAL}{claim_id}"))
}

/// The record and the claim id whose row a key is of.
pub fn parse_key(key: &Key) -> Option<(&str, &str)> {
    let record = record::parse_partition(&key.pk)?;
    Some((record, key.sk.strip_prefix(JOURNAL).filter(|id| is_claim_id(id))?))
}

/// The key of an event in the list of an hour, `yyyymmddhh`.
pub fn listed_key(hour: &str, record: &str, claim_id: &str) -> Key {
    Key::new(format!("{LIST}{hour}"), format!("{record}#{claim_id}"))
}

/// The hour, the record and the claim id of an event in a list.
pub fn parse_listed_key(key: &Key) -> Option<(&str, &str, &str)> {
    let hour = key.pk.strip_prefix(LIST).filter(|hour| is_hour(hour))?;
    let (record, claim_id) = parse_listed(&key.sk)?;
    Some((hour, record, claim_id))
}

fn parse_listed(sk: &str) -> Option<(&str, &str)> {
    sk.rsplit_once('#').filter(|(record, id)| record.contains('/') && is_claim_id(id))
}

/// The hour that an event is listed in, by when it came.
pub fn hour_of(received_at_ms: i64) -> String {
    let at = instant::to_rfc3339(received_at_ms);
    at.chars().filter(char::is_ascii_digit).take(HOUR_DIGITS).collect()
}

/// Whether a text is an hour of a list.
pub fn is_hour(text: &str) -> bool {
    text.len() == HOUR_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_claim_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// An event to be kept.
#[derive(Clone, Copy, Debug)]
pub struct NewJournaled<'a> {
    /// `<org>/<record>`.
    pub record: &'a str,
    /// As transform will claim it.
    pub claim: Unclaimed<'a>,
    /// What the policy lets through, as one JSON object.
    pub line: &'a str,
    /// When it occurred, RFC 3339.
    pub occurred_at: &'a str,
    /// When it came, epoch milliseconds.
    pub received_at_ms: i64,
    /// The client's id.
    pub client: &'a str,
    /// The policy's version.
    pub policy: &'a str,
    /// The subjects whose event it is: each has a link to the record.
    pub subjects: &'a [&'a str],
}

impl NewJournaled<'_> {
    /// Rows of the transaction that keeps it, where so many tombstones are checked beside it: its own two, the claim's, the record's, and a
    /// link for each subject.
    pub fn rows(&self, tombstones: usize) -> usize {
        4 + self.subjects.len() + tombstones
    }
}

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journaled {
    /// Its claim id.
    pub claim_id: String,
    /// What the policy let through, as one JSON object.
    pub line: String,
    /// When it occurred, RFC 3339.
    pub occurred_at: String,
    /// When it came, RFC 3339.
    pub received_at: String,
    /// The subjects whose event it is.
    pub subjects: BTreeSet<String>,
    /// The entry that it becomes, once it is planned.
    pub planned: Option<PlannedAs>,
    /// When sweep found the entry committed, epoch milliseconds.
    pub committed_at_ms: Option<i64>,
}

/// The entry that an event becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedAs {
    /// The entry's event id.
    pub event_id: String,
    /// The bronze object's id.
    pub object: String,
}

/// An event in a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// The hour, `yyyymmddhh`.
    pub hour: String,
    /// `<org>/<record>`.
    pub record: String,
    /// Its claim id.
    pub claim_id: String,
}

/// What became of an event that was to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is kept now.
    Now,
    /// It was kept before, or a bronze object owns it: whoever asks finds it there or in the ledger.
    Before,
}

/// The events of all records.
#[derive(Clone, Debug)]
pub struct Journal {
    table: Arc<dyn Table>,
}

impl Journal {
    /// Rows of the index table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// Keeps an event, in one transaction with its subjects' links; its record's row must be as `seen`, its people's tombstones as in
    /// `unchanged`.
    ///
    /// # Errors
    /// `Conflict` if an erasure came between, or a link is gone: read again.
    pub async fn keep(
        &self,
        new: &NewJournaled<'_>,
        seen: PartySeen,
        subjects: &Subjects,
        unchanged: Beside,
    ) -> Result<Kept, StoreError> {
        let NewJournaled { record, claim, received_at_ms, .. } = *new;
        // No error says whose event it was: the id of a record is not a person's here, and stands in the tables in clear.
        let what = format!("journal an event of {record}");
        let (expires_at_s, hour) = (received_at_ms.div_euclid(1_000) + KEPT_S, hour_of(received_at_ms));
        let row = JournalRow {
            line: new.line.to_owned(),
            occurred_at: new.occurred_at.to_owned(),
            received_at: instant::to_rfc3339(received_at_ms),
            client: new.client.to_owned(),
            policy: new.policy.to_owned(),
            subjects: new.subjects.iter().map(|subject| (*subject).to_owned()).collect(),
            event_id: None,
            object: None,
            committed_at: None,
            ttl: expires_at_s,
        };
        let listed = to_row(&what, &ListedRow { ttl: expires_at_s })?;
        let writes = vec![
            Write::create(key(record, claim.event), to_row(&what, &row)?),
            Write::create(listed_key(&hour, record, claim.event), listed),
            claim.has_no_owner(),
        ];
        let until = instant::to_rfc3339(expires_at_s * 1_000);
        let mut of_people = subjects.journaled(new.subjects, record, &until);
        of_people.push(party::unchanged(record, seen));
        let beside = vec![Beside { table: Arc::clone(subjects.table()), writes: of_people }, unchanged];
        match self.table.transact(&what, writes, beside).await {
            Ok(()) => Ok(Kept::Now),
            Err(StoreError::Conflict(clash)) => match self.is_known(new).await? {
                true => Ok(Kept::Before),
                false => Err(StoreError::Conflict(clash)),
            },
            Err(error) => Err(error),
        }
    }

    /// Whether the event is kept already, or owned by a bronze object.
    async fn is_known(&self, new: &NewJournaled<'_>) -> Result<bool, StoreError> {
        let keys = [key(new.record, new.claim.event), new.claim.key()];
        let rows = self.table.batch_get("look for a journaled event", &keys).await?;
        let [row, claims] = &rows[..] else { return Ok(false) };
        Ok(row.is_some() || claims.as_ref().is_some_and(|row| new.claim.is_owned_in(row)))
    }

    /// The events of a record, at most [`EVENTS_READ`].
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row of another form.
    pub async fn of(&self, record: &str) -> Result<Vec<Journaled>, StoreError> {
        let query =
            Query { limit: Some(EVENTS_READ), ..Query::partition(record::partition(record)).beginning(JOURNAL) };
        let rows = self.table.query("read journaled events", &query).await?;
        rows.into_iter().map(|(sk, row)| read(sk.strip_prefix(JOURNAL).unwrap_or_default(), row)).collect()
    }

    /// The events of a record that are these subjects' own: each names one of them at least. An erasure deletes them.
    ///
    /// # Errors
    /// As [`Journal::of`].
    pub async fn of_subjects(&self, record: &str, subjects: &BTreeSet<String>) -> Result<Vec<Journaled>, StoreError> {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let query = Query::partition(record::partition(record)).beginning(JOURNAL);
            let query = Query { limit: Some(EVENTS_READ), after: after.take(), ..query };
            let rows = self.table.query("read journaled events", &query).await?;
            let is_last = rows.len() < EVENTS_READ;
            after = rows.last().map(|(sk, _)| sk.clone());
            for (sk, row) in rows {
                found.push(read(sk.strip_prefix(JOURNAL).unwrap_or_default(), row)?);
            }
            if is_last {
                found.retain(|event| !event.subjects.is_disjoint(subjects));
                return Ok(found);
            }
        }
    }

    /// Deletes these events of a record, from their lists, too: sweep, once they are committed, and an erasure. What is gone is not an
    /// error.
    ///
    /// # Errors
    /// The table's; some may be deleted.
    pub async fn forget(&self, record: &str, events: &[Journaled]) -> Result<(), StoreError> {
        for events in events.chunks(EVENTS_PER_DELETE) {
            let both = |event: &Journaled| {
                let hour = hour_of(instant::parse(&event.received_at).unwrap_or_default());
                // The row first: one that is listed still is looked for again.
                [key(record, &event.claim_id), listed_key(&hour, record, &event.claim_id)].map(Write::delete)
            };
            let writes = events.iter().flat_map(both).collect();
            self.table.batch_write("delete journaled events", writes).await?;
        }
        Ok(())
    }

    /// Deletes an event from a list alone: its row is gone.
    ///
    /// # Errors
    /// The table's.
    pub async fn unlist(&self, listed: &[Listed]) -> Result<(), StoreError> {
        let delete = |one: &Listed| Write::delete(listed_key(&one.hour, &one.record, &one.claim_id));
        self.table.batch_write("delete journaled events from a list", listed.iter().map(delete).collect()).await
    }

    /// Whether each of these events, at most 100, by record and claim id, is kept.
    ///
    /// # Errors
    /// The table's.
    pub async fn have(&self, events: &[(&str, &str)]) -> Result<Vec<bool>, StoreError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<Key> = events.iter().map(|(record, claim_id)| key(record, claim_id)).collect();
        let rows = self.table.batch_get("look for journaled events", &keys).await?;
        Ok(rows.iter().map(Option::is_some).collect())
    }

    /// Notes which entry an event becomes, if it is kept; `false`: it is not, or a transaction holds the row.
    ///
    /// # Errors
    /// The table's.
    pub async fn note_planned(&self, record: &str, claim_id: &str, planned: &PlannedAs) -> Result<bool, StoreError> {
        let write = Write::update(key(record, claim_id)).set(EVENT_ID, &planned.event_id).set(OBJECT, &planned.object);
        self.note(record, write.when(Condition::Exists)).await
    }

    /// Notes that the entry of an event is committed; `false`: the row is gone, says so already, or is held.
    ///
    /// # Errors
    /// The table's.
    pub async fn note_committed(&self, record: &str, claim_id: &str, now_ms: i64) -> Result<bool, StoreError> {
        let write = Write::update(key(record, claim_id)).set(COMMITTED_AT, instant::to_rfc3339(now_ms));
        self.note(record, write.when(Condition::Exists).when(Condition::lacks(COMMITTED_AT))).await
    }

    async fn note(&self, record: &str, write: Write) -> Result<bool, StoreError> {
        match self.table.write(&format!("note what becomes of an event of {record}"), write, Returning::Nothing).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Up to [`EVENTS_READ`] events of an hour's list, behind this one. Fewer are the last.
    ///
    /// # Errors
    /// The table's.
    pub async fn listed(&self, hour: &str, after: Option<&Listed>) -> Result<Vec<Listed>, StoreError> {
        let after = after.map(|one| format!("{}#{}", one.record, one.claim_id));
        let query = Query { limit: Some(EVENTS_READ), after, ..Query::partition(format!("{LIST}{hour}")) };
        let rows = self.table.query(&format!("list journaled events of {hour}"), &query).await?;
        let listed = |(sk, _): (String, Row)| {
            let (record, claim_id) = parse_listed(&sk)?;
            Some(Listed { hour: hour.to_owned(), record: record.to_owned(), claim_id: claim_id.to_owned() })
        };
        Ok(rows.into_iter().filter_map(listed).collect())
    }

    /// The rows of listed events, at most 100, in their order.
    ///
    /// # Errors
    /// As [`Journal::of`].
    pub async fn rows(&self, listed: &[Listed]) -> Result<Vec<Option<Journaled>>, StoreError> {
        let keys: Vec<Key> = listed.iter().map(|one| key(&one.record, &one.claim_id)).collect();
        let rows = self.table.batch_get("read journaled events", &keys).await?;
        listed.iter().zip(rows).map(|(one, row)| row.map(|row| read(&one.claim_id, row)).transpose()).collect()
    }
}

/// Events that are read of a record, or of an hour, at once.
pub const EVENTS_READ: usize = 100;
/// A batch has 25 rows, and an event two.
const EVENTS_PER_DELETE: usize = 12;
/// For how long an event is kept that nobody deletes: as long as a plan.
pub const KEPT_DAYS: u32 = 30;
const KEPT_S: i64 = KEPT_DAYS as i64 * 86_400;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct JournalRow {
    line: String,
    occurred_at: String,
    received_at: String,
    client: String,
    policy: String,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    subjects: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    committed_at: Option<String>,
    ttl: i64,
}

#[derive(Serialize)]
struct ListedRow {
    ttl: i64,
}

/// The event in a row.
///
/// # Errors
/// `Corrupt` for a row of another form.
pub fn read(claim_id: &str, row: Row) -> Result<Journaled, StoreError> {
    let row: JournalRow = read_row("read a journaled event", row)?;
    let JournalRow { line, occurred_at, received_at, subjects, event_id, object, committed_at, .. } = row;
    Ok(Journaled {
        claim_id: claim_id.to_owned(),
        line,
        occurred_at,
        received_at,
        subjects,
        planned: event_id.zip(object).map(|(event_id, object)| PlannedAs { event_id, object }),
        committed_at_ms: committed_at.as_deref().and_then(instant::parse),
    })
}

const JOURNAL: &str = "JRN#";
const LIST: &str = "JRNS#";
const HOUR_DIGITS: usize = "yyyymmddhh".len();
const EVENT_ID: &str = "eventId";
const OBJECT: &str = "object";
const COMMITTED_AT: &str = "committedAt";

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn keys_are_read_back_and_no_other_is() {
        assert_eq!(parse_key(&key("acme/c-1", ID)), Some(("acme/c-1", ID)));
        assert_eq!(
            parse_listed_key(&listed_key("2026030214", "acme/Queue/q#1", ID)),
            Some(("2026030214", "acme/Queue/q#1", ID))
        );
        for (pk, sk) in [
            ("INT#acme/c-1", "JRN#"),
            ("INT#acme/c-1", "JRNS#0123456789abcdef0123456789abcdef"),
            ("X#acme/c-1", "JRN#0123456789abcdef0123456789abcdef"),
            ("JRNS#2026", "acme/c-1#0123456789abcdef0123456789abcdef"),
            ("JRNS#2026030214", "acme#0123456789abcdef0123456789abcdef"),
            ("JRNS#2026030214", "acme/c-1#x"),
        ] {
            let key = Key::new(pk, sk);
            assert_eq!((parse_key(&key), parse_listed_key(&key)), (None, None), "{pk} {sk}");
        }
    }

    #[test]
    fn an_event_is_listed_in_the_hour_of_its_arrival() {
        assert_eq!(hour_of(1_772_460_000_350), "2026030214");
        assert!(is_hour("2026030214") && !is_hour("202603021") && !is_hour("202603021x"));
    }
}
