//! After a table was put back to an earlier day: what of people who were erased came back with it goes again, and what nobody but a person
//! can put right is named.
//!
//! | what went back | what follows |
//! |---|---|
//! | `keys` | rows of subjects, keys and aliases that are gone, and of requests that are closed: they are deleted, and so is what a CRM says of them. Records lose the subjects that are gone, and get a cutoff where nobody else has part in them |
//! | `control`, too | that keys are gone follows from the ledger's acts of deletion. That subjects are gone, and tombstones, follow from nothing: the erasure is to be repeated, and the requests are named |
//!
//! Invariant: nothing is deleted but what a `GONE` row covers or a closed request leaves, each row on the condition that it is as it was read,
//! so that it may run beside everything else, and again. Whom an erasure under way ended is left to that erasure, and aliases wait until
//! none is under way; a record that a hold is on keeps what it has, and waits. Memory is a page of rows, a segment, and what is to be told. Left out: rows that are missing since the
//! table went back, which nothing here can make again.

mod ledger;
mod page;
mod records;
mod requests;

use std::collections::BTreeSet;
use std::sync::Arc;

use ledgerline_ledger::store::StoreError;
use ledgerline_store::alias::Aliases;
use ledgerline_store::asked::Asked;
use ledgerline_store::bucket::Bucket;
use ledgerline_store::crm::CrmRows;
use ledgerline_store::gone::Gone;
use ledgerline_store::held::Held;
use ledgerline_store::party::Parties;
use ledgerline_store::party_key::PartyKeys;
use ledgerline_store::posting::Postings;
use ledgerline_store::queue::{EraseNotes, Queue};
use ledgerline_store::request::{Requests, State};
use ledgerline_store::segment::Segments;
use ledgerline_store::subject::Subjects;
use ledgerline_store::table::{Scan, Table};
use serde::Serialize;

use page::Page;

/// The stores of a deployment of which a table was put back.
#[derive(Clone, Debug)]
pub struct Restored {
    control: Arc<dyn Table>,
    keys: Arc<dyn Table>,
    gone: Gone,
    held: Held,
    subjects: Subjects,
    parties: Parties,
    party_keys: PartyKeys,
    aliases: Aliases,
    crm: CrmRows,
    asked: Asked,
    requests: Requests,
    postings: Postings,
    segments: Segments,
    erase: EraseNotes,
}

/// How it is done.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// Whether anything is written; otherwise it is only counted.
    pub applies: bool,
    /// The day to which the table was put back, epoch milliseconds: of the ledger only what was written since is read. `None`: all of it.
    pub since_ms: Option<i64>,
    /// Now, epoch milliseconds.
    pub now_ms: i64,
}

/// What was found, and done if anything was to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Segments of the ledger that were read.
    pub segments: u64,
    /// Ids of keys that the ledger says were destroyed, in them.
    pub destroyed: u64,
    /// What came back.
    pub found: Found,
    /// Of it, what somebody else wrote meanwhile again and again: run it again.
    pub left: u64,
    /// Erasures that are to be repeated.
    pub repeat: Vec<Repeat>,
    /// Requests under way that nobody knows any more whom they are about.
    pub lost: Vec<Open>,
    /// Requests under way of which somebody who took a step has no alias any more, and might take another step as somebody new.
    pub strangers: Vec<Open>,
}

/// What came back, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// Keys that the ledger says were destroyed, and of which the control table does not say that they are gone.
    pub not_gone: u64,
    /// Identifiers that name a subject that is gone.
    pub identifiers: u64,
    /// States of subjects that are gone.
    pub subjects: u64,
    /// Links of subjects that are gone.
    pub links: u64,
    /// Records in which a subject that is gone has part.
    pub records: u64,
    /// Wrapped keys that are gone.
    pub keys: u64,
    /// Aliases that are gone.
    pub aliases: u64,
    /// Rows of what a CRM says of identifiers that name a subject that is gone, and of records that were erased whole.
    pub crm: u64,
    /// Closed requests with whom they were about.
    pub requests: u64,
    /// Closed requests that identifiers still name.
    pub asked: u64,
    /// Held records of which an erasure was put off, and forgotten with the row.
    pub put_off: u64,
    /// Records that no hold is on any more, and that the eraser was not told of.
    pub released: u64,
}

impl Found {
    /// All of it.
    pub fn total(&self) -> u64 {
        let Self {
            not_gone,
            identifiers,
            subjects,
            links,
            records,
            keys,
            aliases,
            crm,
            requests,
            asked,
            put_off,
            released,
        } = self;
        [not_gone, identifiers, subjects, links, records, keys, aliases, crm, requests, asked, put_off, released]
            .into_iter()
            .sum()
    }
}

/// An erasure that the ledger says was done, and the control table does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repeat {
    /// The request.
    pub request: String,
    /// The orgs that it asked.
    pub orgs: BTreeSet<String>,
    /// The day on which it was done, `yyyy-mm-dd`.
    pub done_on: String,
    /// Where it stands now; none if the control table does not know it any more.
    pub state: Option<State>,
}

/// A request under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Open {
    /// Its id.
    pub request: String,
    /// Where it stands.
    pub state: State,
}

impl Restored {
    /// Over the control, index and keys tables, the ledger's bucket and the eraser's queue.
    pub fn new(
        control: &Arc<dyn Table>,
        index: &Arc<dyn Table>,
        keys: &Arc<dyn Table>,
        ledger: &Arc<dyn Bucket>,
        erase_queue: &Arc<dyn Queue>,
    ) -> Self {
        Self {
            gone: Gone::new(Arc::clone(control)),
            held: Held::new(Arc::clone(control)),
            subjects: Subjects::new(Arc::clone(keys)),
            parties: Parties::new(Arc::clone(keys)),
            party_keys: PartyKeys::new(Arc::clone(keys)),
            aliases: Aliases::new(Arc::clone(keys)),
            crm: CrmRows::new(Arc::clone(keys)),
            asked: Asked::new(Arc::clone(keys)),
            requests: Requests::new(Arc::clone(control), Arc::clone(keys)),
            postings: Postings::new(Arc::clone(index)),
            segments: Segments::new(Arc::clone(ledger)),
            erase: EraseNotes::new(Arc::clone(erase_queue)),
            control: Arc::clone(control),
            keys: Arc::clone(keys),
        }
    }

    /// Looks at everything, and puts right what it may. `step` is called behind each page of rows and each segment.
    ///
    /// # Errors
    /// The stores'; `Corrupt` for a row or a segment that does not read. What was done until then is done.
    pub async fn reconcile(&self, how: &How, step: &(dyn Fn() + Sync)) -> Result<Report, StoreError> {
        let mut report = Report::default();
        // What is gone first: rows are held against it.
        let orgs = self.read_ledger(how, step, &mut report).await?;
        let mut open = self.open_requests(&orgs, &mut report).await?;
        let mut after = None;
        loop {
            let (rows, next) = self.keys.scan_page("look at all rows", &Scan::All, after).await?;
            let page = Page::read(rows)?;
            page.principals.iter().for_each(|alias| open.is_known(alias));
            self.look_at(how, &page, &mut open, &mut report).await?;
            step();
            after = next;
            if after.is_none() {
                break;
            }
        }
        report.strangers = open.of_strangers();
        Ok(report)
    }
}
