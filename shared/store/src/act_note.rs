//! Notes of the ledger's own acts by the hour, in the control table: an act has no object in bronze that could be listed, so
//! sweep finds it here.

use std::sync::Arc;

use ledgerline_event::instant;
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::ACT;
use ledgerline_ledger::store::StoreError;

use crate::bronze_object::{BronzeObject, PAGE};
use crate::table::{Key, Query, Returning, Row, Table, Value, Write};

/// The key of an act's note.
pub fn key(hour: &str, object: ObjectId) -> Key {
    Key::new(format!("{NOTE}{hour}"), object.to_hex())
}

/// Whether a key is of an act's note.
pub fn is_key(key: &Key) -> bool {
    key.pk.starts_with(NOTE)
}

/// The id of an act's plan, which follows from its key.
pub fn object_of(act_key: &str) -> Option<ObjectId> {
    act_key.strip_prefix(ACT).map(ObjectId::of_act)
}

/// A page of acts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NotedActs {
    /// Those whose rows could be read; they alone fill the page.
    pub acts: Vec<BronzeObject>,
    /// Rows on the way to them that could not be read: which acts they are is unknown.
    pub unreadable: u64,
}

impl NotedActs {
    /// Takes one more row. The object id that it stands under must follow from its act's key, by which the next page is
    /// found.
    fn take(&mut self, id: &str, row: &Row) {
        let text = |name: &str| match row.get(name) {
            Some(Value::S(text)) => Some(text.as_str()),
            _ => None,
        };
        let key = text(ACT_KEY).filter(|key| object_of(key).is_some_and(|object| object.to_hex() == id));
        match key.zip(text(AT).and_then(instant::parse)) {
            Some((key, written_at_ms)) => self.acts.push(BronzeObject { key: key.to_owned(), written_at_ms }),
            None => self.unreadable += 1,
        }
    }
}

/// The notes of all hours.
#[derive(Clone, Debug)]
pub struct ActNotes {
    table: Arc<dyn Table>,
}

impl ActNotes {
    /// Rows of the control table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// Notes under the hour of `now`, RFC 3339, that the act with this key is about to be planned. Noted again, the later
    /// time counts.
    ///
    /// # Errors
    /// The table's.
    pub async fn note(&self, object: ObjectId, act_key: &str, now: &str) -> Result<(), StoreError> {
        let write = noting(object, act_key, now);
        self.table.write(&format!("note {act_key}"), write, Returning::Nothing).await.map(drop)
    }

    /// Up to a page of the acts noted in an hour such as `2026-03-02T14`, behind the act with the key `after`, by object id.
    /// Fewer than [`PAGE`] are the last.
    ///
    /// # Errors
    /// The table's.
    pub async fn acts(&self, hour: &str, after: &str) -> Result<NotedActs, StoreError> {
        let what = format!("list the acts of {hour}");
        let mut after = object_of(after).map(ObjectId::to_hex);
        let mut noted = NotedActs::default();
        loop {
            let wanted = PAGE - noted.acts.len();
            let query = Query { after: after.take(), limit: Some(wanted), ..Query::partition(format!("{NOTE}{hour}")) };
            let rows = self.table.query(&what, &query).await?;
            rows.iter().for_each(|(id, row)| noted.take(id, row));
            // Rows that could not be read leave the page short: the rest of it lies behind them.
            if rows.len() < wanted || noted.acts.len() >= PAGE {
                return Ok(noted);
            }
            after = rows.into_iter().next_back().map(|(id, _)| id);
        }
    }
}

/// What notes an act, for a transaction with what the act is about.
pub(crate) fn noting(object: ObjectId, act_key: &str, now: &str) -> Write {
    let hour = now.get(..HOUR_CHARS).unwrap_or(now);
    let expires_s = instant::parse(now).unwrap_or_default() / 1000 + KEPT_S;
    let write = Write::update(key(hour, object)).set(ACT_KEY, act_key).set(AT, now);
    write.set("ttl", u64::try_from(expires_s).unwrap_or_default())
}

const NOTE: &str = "ACTS#";
const ACT_KEY: &str = "key";
const AT: &str = "at";
/// Characters of an RFC 3339 time that name its hour: `2026-03-02T14`.
pub const HOUR_CHARS: usize = 13;
/// A fortnight: longer than anything looks for an act.
pub const KEPT_DAYS: u32 = 14;
const KEPT_S: i64 = KEPT_DAYS as i64 * 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::IntoValue;

    #[test]
    fn a_row_of_another_form_is_not_an_act_and_not_an_error() {
        let id = object_of("act/hold/1").unwrap().to_hex();
        let row = Row::from([
            ("key".to_owned(), "act/hold/1".into_value()),
            ("at".to_owned(), "1970-01-01T00:00:01.000Z".into_value()),
        ]);
        let mut noted = NotedActs::default();
        noted.take(&id, &row);
        assert_eq!(noted.acts, [BronzeObject { key: "act/hold/1".to_owned(), written_at_ms: 1000 }]);
        noted.take("another", &row);
        for (name, value) in [("key", 1_u64.into_value()), ("at", "x".into_value())] {
            let mut row = row.clone();
            row.insert(name.to_owned(), value);
            noted.take(&id, &row);
        }
        noted.take(&id, &Row::new());
        noted.take(&id, &Row::from([("key".to_owned(), "act/hold/1".into_value())]));
        let mut bronze = row;
        bronze.insert("key".to_owned(), "bronze/a".into_value());
        noted.take(&ObjectId::of("", "bronze/a").to_hex(), &bronze);
        assert_eq!((noted.acts.len(), noted.unreadable), (1, 6));
    }
}
