//! What an access request reads of the tables: identifiers, subjects' states and links, postings, the pseudonym key.
//!
//! Invariant: every read is consistent and whole: a query goes on until the table has no more, or fails. Nothing here
//! writes, and no key is ever made. Heads and segments are read by [`crate::control`] and [`crate::ledger`].

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use ledgerline_custody::access::{FindSubjects, ReadLinks, ReadPins, ReadPostings, ReadPseudonymKeys, corrupt};
use ledgerline_custody::subjects::{Link, SubjectState};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::posting::{Posting, PostingMember};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::PseudonymKey;

use crate::data_keys::{DataKeys, Purpose};
use crate::items::{self, Item, read_number, read_text};
use crate::keys::{self, LINK};

/// The keys table, to read.
#[derive(Clone, Debug)]
pub struct KeysReader {
    client: Client,
    table: String,
}

impl KeysReader {
    /// The table named `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }
}

impl FindSubjects for KeysReader {
    async fn subjects_of(&self, pseudonyms: &[&str]) -> Result<Vec<Option<String>>, StoreError> {
        let keys: Vec<(String, &str)> = pseudonyms.iter().map(|name| (format!("ID#{name}"), "SUBJECT")).collect();
        let rows = items::batch_get(&self.client, &self.table, "read identifiers", &keys).await?;
        rows.iter().map(|row| row.as_ref().map(|item| read_text(item, "subjectId")).transpose()).collect()
    }

    async fn states(&self, subjects: &[&str]) -> Result<Vec<Option<SubjectState>>, StoreError> {
        let keys: Vec<(String, &str)> =
            subjects.iter().map(|subject| (keys::partition(subject), keys::STATE)).collect();
        let rows = items::batch_get(&self.client, &self.table, "read subjects", &keys).await?;
        rows.iter().map(|row| row.as_ref().map(keys::state).transpose()).collect()
    }
}

impl ReadLinks for KeysReader {
    async fn links(&self, subject: &str) -> Result<Vec<(String, Link)>, StoreError> {
        let rows = items::query(&self.client, &self.table, "read links", &keys::partition(subject), Some(LINK)).await?;
        rows.iter().map(link).collect()
    }
}

/// The index table, to read.
#[derive(Clone, Debug)]
pub struct IndexReader {
    client: Client,
    table: String,
}

impl IndexReader {
    /// The table named `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }
}

impl ReadPostings for IndexReader {
    async fn postings(&self, record: &str) -> Result<Vec<Posting>, StoreError> {
        let rows =
            items::query(&self.client, &self.table, "read postings", &format!("INT#{record}"), Some(POSTING)).await?;
        rows.iter().map(|row| posting(record, row)).collect()
    }
}

impl ReadPins for IndexReader {
    async fn pins(&self, records: &[&str]) -> Result<Vec<Option<LogId>>, StoreError> {
        let keys: Vec<(String, &str)> = records.iter().map(|record| (format!("INT#{record}"), "LOG")).collect();
        let rows = items::batch_get(&self.client, &self.table, "read log pins", &keys).await?;
        rows.iter().map(|row| row.as_ref().map(pin).transpose()).collect()
    }
}

/// The pseudonym keys of one deployment.
#[derive(Clone, Debug)]
pub struct PseudonymKeys(pub DataKeys);

impl ReadPseudonymKeys for PseudonymKeys {
    async fn pseudonym_keys(&self) -> Result<Vec<PseudonymKey>, StoreError> {
        let keys = self.0.all(Purpose::Pseudonym).await?;
        Ok(keys.into_iter().map(|key| PseudonymKey::under_rules(key.rules, key.version, key.bytes.lend())).collect())
    }
}

fn link(item: &Item) -> Result<(String, Link), StoreError> {
    let sk = read_text(item, "sk")?;
    Ok((sk.strip_prefix(LINK).unwrap_or_default().to_owned(), keys::link(item)?))
}

fn pin(item: &Item) -> Result<LogId, StoreError> {
    LogId::parse(&read_text(item, "log")?).map_err(|error| corrupt("read a record's log", error))
}

/// The posting of a record in a row.
pub(crate) fn posting(record: &str, item: &Item) -> Result<Posting, StoreError> {
    let sk = read_text(item, "sk")?;
    let (log, first) =
        sk.strip_prefix(POSTING).and_then(|rest| rest.rsplit_once('#')).ok_or_else(|| malformed("sk"))?;
    Ok(Posting {
        record_key: record.to_owned(),
        log: LogId::parse(log).map_err(|error| corrupt("read a posting's log", error))?,
        first: first.parse().map_err(|error| corrupt("read a posting's first index", error))?,
        segment: read_text(item, "segment")?,
        version_id: read_text(item, "versionId")?,
        from: read_text(item, "from")?,
        to: read_text(item, "to")?,
        members: list(item, "members")?.iter().map(member).collect::<Result<_, _>>()?,
    })
}

fn member(value: &AttributeValue) -> Result<PostingMember, StoreError> {
    let AttributeValue::M(member) = value else { return Err(malformed("members")) };
    let line = |at: &AttributeValue| match at {
        AttributeValue::N(at) => at.parse().map_err(|_| malformed("at")),
        _ => Err(malformed("at")),
    };
    Ok(PostingMember {
        offset: read_number(member, "offset")?,
        length: read_number(member, "length")?,
        first: read_number(member, "first")?,
        at: list(member, "at")?.iter().map(line).collect::<Result<_, _>>()?,
    })
}

fn list<'a>(item: &'a Item, name: &str) -> Result<&'a [AttributeValue], StoreError> {
    match item.get(name) {
        Some(AttributeValue::L(values)) => Ok(values),
        _ => Err(malformed(name)),
    }
}

fn malformed(name: &str) -> StoreError {
    StoreError::Corrupt(Failure::new(format!("a posting has no readable {name}")))
}

const POSTING: &str = "POST#";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::items::text;
    use aws_sdk_dynamodb::types::AttributeValue::{L, M, N};

    fn row() -> Item {
        let numbers = [("offset", "7"), ("length", "90"), ("first", "256")];
        let mut member: Item = numbers.map(|(name, value)| (name.to_owned(), N(value.to_owned()))).into();
        member.insert("at".to_owned(), L(vec![N("0".to_owned()), N("4".to_owned())]));
        let mut row = items::key("INT#acme/c-1", "POST#acme/interaction/1/0#00000000000000000256");
        for (name, value) in [("segment", "ledger/s"), ("versionId", "v"), ("from", "a"), ("to", "b")] {
            row.insert(name.to_owned(), text(value));
        }
        row.insert("members".to_owned(), L(vec![M(member)]));
        row
    }

    #[test]
    fn a_posting_row_is_read_as_it_was_written() {
        let posting = posting("acme/c-1", &row()).unwrap();
        assert_eq!((posting.log.as_str(), posting.first), ("acme/interaction/1/0", 256));
        assert_eq!((posting.segment.as_str(), posting.version_id.as_str()), ("ledger/s", "v"));
        assert_eq!((posting.from.as_str(), posting.to.as_str()), ("a", "b"));
        assert_eq!(posting.members, [PostingMember { offset: 7, length: 90, first: 256, at: vec![0, 4] }]);
    }

    #[test]
    fn a_row_that_is_no_posting_is_corrupt() {
        for name in ["sk", "segment", "versionId", "from", "to", "members"] {
            let mut row = row();
            row.remove(name);
            assert!(matches!(posting("acme/c-1", &row), Err(StoreError::Corrupt(_))), "{name}");
        }
        for sk in ["POST#", "POST#acme/interaction/1/0", "POST#acme#7", "POST#acme/interaction/1/0#x"] {
            let mut row = row();
            row.insert("sk".to_owned(), text(sk));
            assert!(matches!(posting("acme/c-1", &row), Err(StoreError::Corrupt(_))), "{sk}");
        }
    }

    #[test]
    fn a_links_record_is_its_sort_key() {
        let mut row = items::key("SUB#s_1", "INT#acme/User/u-1");
        for (name, value) in [("log", "acme/entity/1/0"), ("first", "a"), ("last", "b")] {
            row.insert(name.to_owned(), text(value));
        }
        let (record, link) = link(&row).unwrap();
        assert_eq!((record.as_str(), link.span.unwrap().log.as_str()), ("acme/User/u-1", "acme/entity/1/0"));
        row.remove("log");
        assert!(super::link(&row).is_err());
        row.retain(|name, _| matches!(name.as_str(), "pk" | "sk"));
        assert_eq!(super::link(&row).unwrap(), ("acme/User/u-1".to_owned(), Link { span: None }));
    }

    #[test]
    fn a_pin_names_a_log() {
        let mut row = items::key("INT#acme/c-1", "LOG");
        assert!(matches!(pin(&row), Err(StoreError::Corrupt(_))));
        row.insert("log".to_owned(), text("acme/interaction/1/0"));
        assert_eq!(pin(&row).unwrap().as_str(), "acme/interaction/1/0");
        row.insert("log".to_owned(), text("acme"));
        assert!(matches!(pin(&row), Err(StoreError::Corrupt(_))));
    }
}
