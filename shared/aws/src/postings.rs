//! Postings in the index table: written once per segment and record, never changed, rebuildable from the segments.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use ledgerline_ledger::ports::WritePostings;
use ledgerline_ledger::posting::{Posting, PostingMember};
use ledgerline_ledger::store::StoreError;

use crate::items::{self, Item, number, text};

/// The index table's posting rows, for writing.
#[derive(Clone, Debug)]
pub struct PostingRows {
    client: Client,
    table: String,
}

impl PostingRows {
    /// The rows of the table named `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }
}

impl WritePostings for PostingRows {
    async fn put_postings(&self, postings: &[Posting]) -> Result<(), StoreError> {
        let Some(first) = postings.first() else { return Ok(()) };
        let what = format!("put {} postings of {}", postings.len(), first.segment);
        items::batch_put(&self.client, &self.table, &what, postings.iter().map(row).collect()).await
    }
}

fn row(posting: &Posting) -> Item {
    let partition = format!("INT#{}", posting.record_key);
    let mut item = items::key(&partition, &format!("POST#{}#{:020}", posting.log, posting.first));
    item.insert("segment".to_owned(), text(&posting.segment));
    item.insert("versionId".to_owned(), text(&posting.version_id));
    item.insert("from".to_owned(), text(&posting.from));
    item.insert("to".to_owned(), text(&posting.to));
    item.insert("members".to_owned(), AttributeValue::L(posting.members.iter().map(member).collect()));
    item
}

fn member(member: &PostingMember) -> AttributeValue {
    AttributeValue::M(Item::from([
        ("offset".to_owned(), number(member.offset)),
        ("length".to_owned(), number(member.length)),
        ("first".to_owned(), number(member.first)),
        ("at".to_owned(), AttributeValue::L(member.at.iter().map(number).collect())),
    ]))
}
