//! The rows by which records are found by their lineage tokens, as entries call for them: for `rebuild-postings`.
//!
//! Invariant: a record's derived token follows from its id. Its source's is noted unless all of the record was erased up to the entry: what
//! an erasure took must not come back by the evidence.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_event::lineage::derived_token;
use ledgerline_ledger::acts::is_act;
use ledgerline_ledger::entry::{Entry, Record};
use ledgerline_ledger::segment::Segment;

use super::rebuild_postings::{Compared, damaged};
use crate::args::RebuildArgs;
use crate::fault::Fault;
use crate::source::Source;

/// What entries call for.
#[derive(Debug, Default)]
pub(super) struct TokenRows {
    /// Derived token and record.
    derived: BTreeSet<(String, String)>,
    /// Source's token and record, with the latest occurrence that carried it.
    sent: BTreeMap<(String, String), String>,
}

impl TokenRows {
    /// Adds what a segment's entries call for.
    pub(super) fn add(&mut self, segment: &Segment, key: &str) -> Result<(), Fault> {
        for line in segment.lines() {
            let entry = Entry::read(line.as_bytes()).map_err(|error| damaged(key, &error))?;
            let Some(record) = entry.record().filter(|_| !is_act(&entry.event_type)) else { continue };
            let name = record.key(&entry.org);
            let derived = match record {
                Record::Interaction(id) => derived_token(&id),
                Record::Entity { kind, id } => derived_token(&format!("{kind}/{id}")),
            };
            if entry.lineage_token != derived {
                let latest = self.sent.entry((entry.lineage_token, name.clone())).or_default();
                if *latest < entry.occurred_at {
                    *latest = entry.occurred_at;
                }
            }
            self.derived.insert((derived, name));
        }
        Ok(())
    }

    /// Compares the rows with those of a deployment, and writes what is missing if that is asked for. A folder has no such rows.
    #[cfg(feature = "aws")]
    pub(super) fn compare(&self, args: &RebuildArgs, source: &Source, answer: &mut Compared) -> Result<(), Fault> {
        use ledgerline_event::instant;
        use ledgerline_store::cutoff::Cutoff;
        use ledgerline_store::party::Parties;
        use ledgerline_store::token::Tokens;

        let Some(cloud) = source.cloud() else { return Ok(()) };
        let rows_of = |logical: &str| crate::cloud::told(cloud.operator.rows_of(logical));
        let (tokens, parties) = (Tokens::new(rows_of("IndexTable")?), Parties::new(rows_of("KeysTable")?));
        let mut wanted: Vec<(&str, &str)> =
            self.derived.iter().map(|(token, record)| (token.as_str(), record.as_str())).collect();
        let sent: Vec<(&(String, String), &String)> = self.sent.iter().collect();
        for some in sent.chunks(ROWS) {
            // Of a record with several tokens one row is asked for.
            let records: BTreeSet<&str> = some.iter().map(|((_, record), _)| record.as_str()).collect();
            let records: Vec<&str> = records.into_iter().collect();
            let read = cloud.ask(parties.read(&records))?;
            let cutoffs: BTreeMap<&str, Option<Cutoff>> =
                records.into_iter().zip(read.into_iter().map(|party| party.cutoff)).collect();
            for ((token, record), latest) in some.iter().copied() {
                let at_ms = instant::parse(latest).unwrap_or(i64::MIN);
                let cutoff = cutoffs.get(record.as_str()).copied().flatten();
                if !cutoff.is_some_and(|cutoff| cutoff.covers(at_ms, at_ms)) {
                    wanted.push((token, record));
                }
            }
        }
        answer.tokens = wanted.len() as u64;
        for some in wanted.chunks(ROWS) {
            let missing = cloud.ask(tokens.missing(some))?;
            answer.tokens_missing += missing.len() as u64;
            if args.write && !missing.is_empty() {
                cloud.ask(tokens.put(&missing))?;
                answer.tokens_written += missing.len() as u64;
            }
        }
        Ok(())
    }

    /// A folder has no such rows.
    #[cfg(not(feature = "aws"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "a deployment is compared")]
    pub(super) fn compare(&self, _: &RebuildArgs, _: &Source, _: &mut Compared) -> Result<(), Fault> {
        Ok(())
    }
}

/// Rows that are read at once: those of one call.
#[cfg(feature = "aws")]
const ROWS: usize = 100;
