//! Postings as rows of the index table, written whole and read back as they were.

use ledgerline_ledger::log::LogId;
use ledgerline_ledger::ports::WritePostings;
use ledgerline_ledger::posting::{Posting, PostingMember};
use ledgerline_ledger::store::StoreError;
use serde_json::{Value, json};

use crate::fakes::index::FakeIndex;
use crate::fakes::table::{Item, key};

impl WritePostings for FakeIndex {
    async fn put_postings(&self, postings: &[Posting]) -> Result<(), StoreError> {
        self.table.batch_put(postings.iter().map(posting_row).collect()).await
    }
}

impl FakeIndex {
    /// All postings of a log, by segment and record.
    pub fn all_postings(&self, log: &LogId) -> Vec<Posting> {
        let rows = format!("POST#{log}#");
        let mut found: Vec<Posting> = self.table.look(|items| {
            let of_log = items.iter().filter(|((_, sk), _)| sk.starts_with(&rows));
            of_log.filter_map(|((pk, sk), item)| read_posting(pk, sk, item)).collect()
        });
        found.sort_by(|left, right| (left.first, &left.record_key).cmp(&(right.first, &right.record_key)));
        found
    }
}

fn posting_row(posting: &Posting) -> ((String, String), Item) {
    let member = |member: &PostingMember| json!({ "offset": member.offset, "length": member.length, "first": member.first, "at": member.at });
    let members: Vec<Value> = posting.members.iter().map(member).collect();
    let item = Item::from([
        ("segment".into(), json!(posting.segment)),
        ("versionId".into(), json!(posting.version_id)),
        ("from".into(), json!(posting.from)),
        ("to".into(), json!(posting.to)),
        ("members".into(), json!(members)),
    ]);
    (key(format!("INT#{}", posting.record_key), format!("POST#{}#{:020}", posting.log, posting.first)), item)
}

/// A posting row as a reader of the index has it; `None` for the index's other rows.
pub fn read_posting(pk: &str, sk: &str, item: &Item) -> Option<Posting> {
    let (log, first) = sk.strip_prefix("POST#")?.rsplit_once('#')?;
    let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
    let member = |value: &Value| {
        Some(PostingMember {
            offset: value["offset"].as_u64()?,
            length: value["length"].as_u64()?,
            first: value["first"].as_u64()?,
            at: value["at"].as_array()?.iter().filter_map(|at| u32::try_from(at.as_u64()?).ok()).collect(),
        })
    };
    Some(Posting {
        record_key: pk.strip_prefix("INT#")?.to_owned(),
        log: LogId::parse(log).ok()?,
        first: first.parse().ok()?,
        segment: text("segment")?,
        version_id: text("versionId")?,
        from: text("from")?,
        to: text("to")?,
        members: item.get("members")?.as_array()?.iter().filter_map(member).collect(),
    })
}
