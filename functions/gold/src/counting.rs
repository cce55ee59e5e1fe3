//! One UTC date: its half hours are counted, and the local dates that they belong to are written.
//!
//! Invariant: what is written was counted of all input that was listed, and the date is noted as computed only if the list is the same
//! after the count as before; then only up to the marks that were read before all of it.

use std::collections::BTreeSet;

use ledgerline_figures::Interval;
use ledgerline_figures::summary::Definitions;
use ledgerline_figures::target::Targets;
use ledgerline_lake::{gold, keys, sql};
use ledgerline_lambda::clock::Clock;
use ledgerline_store::gold::Input;
use time::Date;

use crate::Run;
use crate::day::Day;
use crate::due::shifted;
use crate::error::GoldError;
use crate::provenance::{Made, Of, digest};
use crate::question::Execution;
use crate::rows;

/// What became of a date.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Computed {
    /// Files that were put.
    pub(crate) put: u64,
    /// More input came meanwhile, twice: the date stays dirty.
    pub(crate) stale: bool,
    /// What Athena read.
    pub(crate) scanned_bytes: u64,
}

/// What was counted.
struct Counted {
    intervals: Vec<Interval>,
    made: Made,
    stale: bool,
}

/// A date is counted so often: again, if more input came meanwhile.
const COUNTS: usize = 2;

impl<C: Clock> Run<'_, C> {
    /// Computes a date. The writes, in their order, each in the place of what was read before the count:
    ///
    /// 1. the interval file, which is the lock between two runs of the date: the second is refused. A crash leaves it ahead of the days;
    ///    the next run finds it as it is, and goes on;
    /// 2. of each local date the daily file, the documents, the note ([`Run::write_day`]);
    /// 3. `computed`: until then the date is dirty.
    pub(crate) async fn compute(&self, date: Date) -> Result<Computed, GoldError> {
        let touched = self.stores.dates.of(date).await?.map_or(0, |marked| marked.touched);
        let key = keys::gold_intervals(date);
        let before = self.stores.gold.load(&key).await?;
        let mut days = Vec::new();
        for local in self.settings.zone.dates_of_utc(date) {
            days.push(self.before(local, Some(date)).await?);
        }
        let Counted { intervals, made, stale } = self.count(date, touched).await?;
        let mut computed =
            Computed { put: 0, stale, scanned_bytes: made.executions.iter().map(|one| one.scanned_bytes).sum() };
        // A day beside one with events was marked, too, and has nothing to say.
        let is_nothing = before.is_none() && !has_files_of(date, &made.inputs);
        if !is_nothing {
            computed.put += u64::from(
                self.stores.gold.put_parquet(&key, gold::write_intervals(&intervals)?, before.as_ref()).await?,
            );
            for before in &days {
                let day = Day { counted: &intervals, told: None, stale: Some(stale) };
                computed.put += self.write_day(before, day, &made).await?;
            }
        }
        if !stale {
            self.stores.dates.computed(date, touched).await?;
        }
        Ok(computed)
    }

    async fn count(&self, date: Date, touched: u64) -> Result<Counted, GoldError> {
        let targets = self.targets().await?;
        let (from, to) = sql::read_for_intervals(date);
        let (mut as_of_ms, mut inputs) = (self.clock.now_ms(), self.silver(from, to).await?);
        let mut executions = Vec::new();
        for _ in 1..COUNTS {
            let intervals = self.ask_intervals(date, touched, &targets, &inputs, &mut executions).await?;
            let (listed_ms, listed) = (self.clock.now_ms(), self.silver(from, to).await?);
            if listed == inputs {
                return Ok(Counted {
                    intervals,
                    made: self.made(date, as_of_ms, inputs, executions, targets),
                    stale: false,
                });
            }
            (as_of_ms, inputs) = (listed_ms, listed);
        }
        let intervals = self.ask_intervals(date, touched, &targets, &inputs, &mut executions).await?;
        let stale = self.silver(from, to).await? != inputs;
        Ok(Counted { intervals, made: self.made(date, as_of_ms, inputs, executions, targets), stale })
    }

    async fn ask_intervals(
        &self,
        date: Date,
        touched: u64,
        targets: &Targets,
        inputs: &[Input],
        executions: &mut Vec<Execution>,
    ) -> Result<Vec<Interval>, GoldError> {
        // Nothing to scan: every counter is of an event of the date itself.
        if !has_files_of(date, inputs) {
            return Ok(Vec::new());
        }
        let mut intervals = Vec::new();
        let text = sql::intervals(date, &targets.distinct());
        let input = format!("{touched} {}", digest(inputs));
        let what = format!("count the half hours of {}", keys::iso_date(date));
        let asked = self.ask(&what, &text, &input, |columns, row| {
            intervals.push(rows::interval(columns, row, targets)?);
            Some(())
        });
        executions.push(asked.await?);
        Ok(intervals)
    }

    fn made(
        &self,
        date: Date,
        as_of_ms: i64,
        inputs: Vec<Input>,
        executions: Vec<Execution>,
        targets: Targets,
    ) -> Made {
        let definitions = Definitions::of(self.settings.level, targets);
        Made { as_of_ms, of: Of::Intervals(date), inputs, executions, definitions }
    }

    /// Within what time contacts are to be answered. A file that cannot be read stops the run: figures by other targets than its owner
    /// wrote would look right.
    pub(crate) async fn targets(&self) -> Result<Targets, GoldError> {
        let file = self.stores.gold.targets().await?;
        Ok(file.map_or_else(|| Ok(Targets::default()), |csv| Targets::read(&csv))?)
    }

    /// Silver's files from one UTC date to another, in the order of their keys.
    pub(crate) async fn silver(&self, from: Date, to: Date) -> Result<Vec<Input>, GoldError> {
        let (mut files, mut date) = (Vec::new(), from);
        let mut seen = BTreeSet::new();
        // The calendar ends somewhere, and the last date has no next.
        while date <= to && seen.insert(date) {
            files.extend(self.stores.gold.silver_of(date).await?);
            date = shifted(date, 1);
        }
        Ok(files)
    }
}

fn has_files_of(date: Date, inputs: &[Input]) -> bool {
    let folder = keys::silver_events_of(date);
    inputs.iter().any(|input| input.key.starts_with(&folder))
}
