//! Postings in the index table: where a record's entries of one segment lie. Written once per segment and record, never
//! changed, rebuildable from the segments.

use std::sync::Arc;

use ledgerline_ledger::log::LogId;
use ledgerline_ledger::posting::{Posting, PostingMember};
use ledgerline_ledger::store::{Failure, StoreError};
use serde::{Deserialize, Serialize};

use crate::record;
use crate::table::{Key, Query, Row, Scan, ScanPage, Table, Write, corrupt, read_row, to_row};

/// The key of a record's posting of the segment of `log` that begins at `first`.
pub fn key(record: &str, log: &LogId, first: u64) -> Key {
    Key::new(record::partition(record), format!("{POSTING}{log}#{first:020}"))
}

/// Whether a key is of a posting.
pub fn is_key(key: &Key) -> bool {
    record::parse_partition(&key.pk).is_some() && key.sk.starts_with(POSTING)
}

/// The postings of all records.
#[derive(Clone, Debug)]
pub struct Postings {
    table: Arc<dyn Table>,
}

impl Postings {
    /// Rows of the index table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// Puts these rows; repeating it changes nothing.
    ///
    /// # Errors
    /// The table's.
    pub async fn put(&self, postings: &[Posting]) -> Result<(), StoreError> {
        let Some(first) = postings.first() else { return Ok(()) };
        let what = format!("put {} postings of {}", postings.len(), first.segment);
        let writes = postings.iter().map(write).collect::<Result<_, _>>()?;
        self.table.batch_write(&what, writes).await
    }

    /// All postings of a record: whatever a head calls indexed is among them.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row that is not a posting.
    pub async fn of(&self, record: &str) -> Result<Vec<Posting>, StoreError> {
        let query = Query::partition(record::partition(record)).beginning(POSTING);
        let rows = self.table.query("read postings", &query).await?;
        rows.into_iter().map(|(sk, row)| read(&Key::new(&query.pk, sk), row)).collect()
    }

    /// Segment and version id that a record's posting of `log` at `first` names, if there is one.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row that is not a posting.
    pub async fn place(&self, record: &str, log: &LogId, first: u64) -> Result<Option<(String, String)>, StoreError> {
        let key = key(record, log, first);
        let row = self.table.get(&format!("read a posting of {log} at {first}"), &key).await?;
        let posting = row.map(|row| read(&key, row)).transpose()?;
        Ok(posting.map(|posting| (posting.segment, posting.version_id)))
    }

    /// Removes these rows.
    ///
    /// # Errors
    /// The table's.
    pub async fn forget(&self, postings: &[Posting]) -> Result<(), StoreError> {
        let Some(first) = postings.first() else { return Ok(()) };
        let what = format!("remove {} postings of {}", postings.len(), first.segment);
        let delete = |posting: &Posting| Write::delete(key(&posting.record_key, &posting.log, posting.first));
        self.table.batch_write(&what, postings.iter().map(delete).collect()).await
    }

    /// One page of all postings, or of those of one log, behind the row `after`; with the row to go on behind.
    ///
    /// # Errors
    /// The table's; `Corrupt` for a row that is not a posting.
    pub async fn page(
        &self,
        log: Option<&LogId>,
        after: Option<Key>,
    ) -> Result<(Vec<Posting>, Option<Key>), StoreError> {
        let scan = Scan::Rows(log.map_or_else(|| POSTING.to_owned(), |log| format!("{POSTING}{log}#")));
        let (rows, next): ScanPage = self.table.scan_page("list the postings", &scan, after).await?;
        Ok((rows.into_iter().map(|(key, row)| read(&key, row)).collect::<Result<_, _>>()?, next))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostingRow {
    segment: String,
    version_id: String,
    from: String,
    to: String,
    members: Vec<MemberRow>,
}

#[derive(Serialize, Deserialize)]
struct MemberRow {
    offset: u64,
    length: u64,
    first: u64,
    at: Vec<u32>,
}

fn write(posting: &Posting) -> Result<Write, StoreError> {
    let Posting { record_key, log, first, segment, version_id, from, to, members } = posting.clone();
    let member = |PostingMember { offset, length, first, at }: PostingMember| MemberRow { offset, length, first, at };
    let members = members.into_iter().map(member).collect();
    let row = PostingRow { segment, version_id, from, to, members };
    Ok(Write::put(key(&record_key, &log, first), to_row("a posting", &row)?))
}

/// The posting in a row.
///
/// # Errors
/// `Corrupt` if the row is not a posting.
pub fn read(key: &Key, row: Row) -> Result<Posting, StoreError> {
    let malformed = || corrupt("a posting's key does not read");
    let (log, first) = key.sk.strip_prefix(POSTING).and_then(|rest| rest.rsplit_once('#')).ok_or_else(malformed)?;
    let log = LogId::parse(log).map_err(|error| StoreError::Corrupt(Failure::caused_by("read a posting's log", error)));
    let PostingRow { segment, version_id, from, to, members } = read_row("read a posting", row)?;
    let member = |MemberRow { offset, length, first, at }| PostingMember { offset, length, first, at };
    Ok(Posting {
        record_key: record::parse_partition(&key.pk).ok_or_else(malformed)?.to_owned(),
        log: log?,
        first: first.parse().map_err(|_| malformed())?,
        segment,
        version_id,
        from,
        to,
        members: members.into_iter().map(member).collect(),
    })
}

const POSTING: &str = "POST#";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Action, Value};

    fn posting() -> Posting {
        Posting {
            record_key: "acme/c-1".to_owned(),
            log: LogId::parse("acme/interaction/1/0").unwrap(),
            first: 256,
            segment: "ledger/s".to_owned(),
            version_id: "v".to_owned(),
            from: "a".to_owned(),
            to: "b".to_owned(),
            members: vec![PostingMember { offset: 7, length: 90, first: 256, at: vec![0, 4] }],
        }
    }

    fn row() -> (Key, Row) {
        let write = write(&posting()).unwrap();
        let Action::Put(row) = write.action else { panic!("a posting is put") };
        (write.key, row)
    }

    #[test]
    fn a_posting_row_is_read_as_it_was_written() {
        let (key, row) = row();
        assert_eq!(key, Key::new("INT#acme/c-1", "POST#acme/interaction/1/0#00000000000000000256"));
        assert_eq!(row["segment"], Value::S("ledger/s".to_owned()));
        let Value::L(members) = &row["members"] else { panic!("members are a list") };
        let Value::M(member) = &members[0] else { panic!("a member is a map") };
        assert_eq!(member["at"], Value::L(vec![Value::N("0".to_owned()), Value::N("4".to_owned())]));
        assert_eq!(read(&key, row).unwrap(), posting());
    }

    #[test]
    fn a_row_that_is_not_a_posting_is_corrupt() {
        for name in ["segment", "versionId", "from", "to", "members"] {
            let (key, mut row) = row();
            row.remove(name);
            assert!(matches!(read(&key, row), Err(StoreError::Corrupt(_))), "{name}");
        }
        for sk in ["POST#", "POST#acme/interaction/1/0", "POST#acme#7", "POST#acme/interaction/1/0#x", "LOG"] {
            let (key, row) = row();
            assert!(matches!(read(&Key::new(key.pk, sk), row), Err(StoreError::Corrupt(_))), "{sk}");
        }
    }
}
