//! Evidence that answers until a run's time is over, and is silent about logs that the run leaves out.
//!
//! Invariant: after that time nothing more is read: what verification has not seen to its end by then ends with a fault that
//! says so, and not with a finding.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use ledgerline_lambda::clock::Clock;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::posting::Posting;
use ledgerline_ledger::verify::{Evidence, EvidenceFault, Given, HeadRow, ObjectVersion};

/// The evidence, for one run.
pub(crate) struct Within<E, K> {
    pub(crate) evidence: Arc<E>,
    pub(crate) clock: K,
    /// When the run stops reading, in epoch milliseconds.
    pub(crate) until_ms: i64,
    /// What was read of heads already, log by log, so that one that cannot be read is that log's alone.
    pub(crate) heads: Vec<HeadRow>,
    /// Logs of which nothing can be said in this run.
    pub(crate) left_out: HashSet<LogId>,
}

/// The run's time is over.
#[derive(Debug)]
pub(crate) struct OutOfTime;

impl fmt::Display for OutOfTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the run's time is over; the next run begins with what this one did not come to")
    }
}

impl std::error::Error for OutOfTime {}

impl OutOfTime {
    /// Whether this is why evidence was not read.
    pub(crate) fn is(fault: &EvidenceFault) -> bool {
        matches!(fault, EvidenceFault::Unavailable(_, source) if source.is::<Self>())
    }

    /// As a fault.
    pub(crate) fn fault() -> EvidenceFault {
        EvidenceFault::Unavailable("read it to the end".to_owned(), Box::new(Self))
    }
}

impl<E, K: Clock> Within<E, K> {
    fn in_time(&self) -> Result<(), EvidenceFault> {
        if self.clock.now_ms() < self.until_ms { Ok(()) } else { Err(OutOfTime::fault()) }
    }
}

impl<E: Evidence + Send, K: Clock> Evidence for Within<E, K> {
    fn versions(&self, each: &mut dyn FnMut(ObjectVersion)) -> Result<(), EvidenceFault> {
        self.in_time()?;
        let folders: Vec<String> = self.left_out.iter().map(|log| format!("ledger/{log}/")).collect();
        self.evidence.versions(&mut |version| {
            if !folders.iter().any(|folder| version.key.starts_with(folder)) {
                each(version);
            }
        })
    }

    fn is_live(&self) -> bool {
        self.evidence.is_live()
    }

    fn read(&self, version: &ObjectVersion) -> Result<Vec<u8>, EvidenceFault> {
        self.in_time()?;
        self.evidence.read(version)
    }

    fn heads(&self) -> Result<Option<Vec<HeadRow>>, EvidenceFault> {
        self.in_time()?;
        Ok(Some(self.heads.clone()))
    }

    fn postings(&self, each: &mut dyn FnMut(Posting)) -> Result<Given, EvidenceFault> {
        self.in_time()?;
        self.evidence.postings(&mut |posting| {
            if !self.left_out.contains(&posting.log) {
                each(posting);
            }
        })
    }
}
