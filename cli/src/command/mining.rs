//! `mining`: conversations as event logs for process mining.
//!
//! Silver is read date by date, sorted by conversation on disk, and told case by case: what is held in memory does not grow with the dates.
//! Invariant: a log has whole conversations alone, those that began on its dates and are settled; however the command ends, a file has its
//! name only once all of it is written.

mod cursor;
mod export;
mod push;
mod silver;
mod sort;

use std::path::{Path, PathBuf};

use ledgerline_event::adapters::is_org;
use ledgerline_lake::keys::parse_iso_date;
use ledgerline_lake::mining::{Case, Cases, Fit, Labels, People, View, Window};
use ledgerline_lake::sql;
use serde_json::{Value, json};
use time::{Date, Duration};

use crate::answer::{Answered, Raw};
use crate::args::{DatesArgs, MiningCommand, MiningSqlArgs, MiningWhatArgs, ViewArg};
use crate::context::Context;
use crate::fault::Fault;

use silver::Silver;
use sort::{Sorted, Sorter};

pub(crate) use push::TOKEN;

/// Exports, sends, or prints SQL.
pub(super) fn run(what: &MiningCommand, context: &Context) -> Answered {
    match what {
        MiningCommand::Export(args) => export::run(args, context),
        MiningCommand::Push(args) => push::run(args, context),
        MiningCommand::Sql(args) => print_sql(args),
    }
}

fn print_sql(args: &MiningSqlArgs) -> Answered {
    let dates = Dates::of(&args.dates)?;
    Ok(Box::new(Raw(sql::mining(args.view.into(), dates.from, dates.to).into_bytes())))
}

impl From<ViewArg> for View {
    fn from(view: ViewArg) -> Self {
        match view {
            ViewArg::Milestones => Self::Milestones,
            ViewArg::Intervals => Self::Intervals,
        }
    }
}

/// From one date to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Dates {
    from: Date,
    to: Date,
}

impl Dates {
    fn of(args: &DatesArgs) -> Result<Self, Fault> {
        let read = |name: &str, text: &str| {
            let remedy = "write it as YYYY-MM-DD, such as 2026-03-02";
            parse_iso_date(text).ok_or_else(|| Fault::new(format!("{name} is no date"), remedy))
        };
        let from = read("--from", &args.from)?;
        let to = args.to.as_deref().map_or(Ok(from), |to| read("--to", to))?;
        if from <= to {
            Ok(Self { from, to })
        } else {
            Err(Fault::new("--to is before --from", "name the earlier date first"))
        }
    }

    /// These, and so many days before and after.
    fn around(self, days: u8) -> impl Iterator<Item = Date> {
        let days = Duration::days(days.into());
        let (from, to) = (self.from.saturating_sub(days), self.to.saturating_add(days));
        std::iter::successors(Some(from), |date| date.next_day()).take_while(move |date| *date <= to)
    }
}

/// What is asked for, checked.
struct Wanted<'a> {
    args: &'a MiningWhatArgs,
    dates: Dates,
    labels: Labels,
    /// Cases whose last event occurred later are not settled; epoch milliseconds.
    settled_ms: i64,
}

impl<'a> Wanted<'a> {
    fn of(args: &'a MiningWhatArgs, context: &Context) -> Result<Self, Fault> {
        if !is_org(&args.org) {
            let remedy = "name it as the ledger's logs do (`ledgerline status`): 1 to 64 of A-Z a-z 0-9 . _ -";
            return Err(Fault::new("--org is no org's name", remedy));
        }
        let dates = Dates::of(&args.dates)?;
        let labels = Labels {
            process: args.process.clone(),
            view: args.view.into(),
            from: dates.from,
            to: dates.to,
            people: People::new(args.recipient.clone(), args.customers),
        };
        let settled_ms = context.now_ms.saturating_sub(args.settle.saturating_mul(1_000));
        Ok(Self { args, dates, labels, settled_ms: i64::try_from(settled_ms).unwrap_or(i64::MAX) })
    }

    /// Reads and sorts the events of these dates and those around them. What does not fit into memory lies in `folder` meanwhile.
    fn sorted(&self, folder: PathBuf, context: &Context) -> Result<(Sorted, Read), Fault> {
        let silver = Silver::open(&self.args.lake)?;
        let mut files = Vec::new();
        for date in self.dates.around(self.args.around) {
            files.extend(silver.files(date)?);
        }
        let progress = context.progress("reading silver", Some(files.len() as u64));
        let mut sorter = Sorter::new(folder);
        let read = silver.events(&files, &self.args.org, &progress, &mut |event| sorter.push(event));
        progress.finish_and_clear();
        read?;
        let events = sorter.events();
        let sorted = sorter.finish().map_err(|error| sorting_fault(&error))?;
        Ok((sorted, Read { files: files.len() as u64, events, ..Read::default() }))
    }

    fn window(&self) -> Window {
        Window::new(self.dates.from, self.dates.to, self.settled_ms)
    }
}

/// What was read, and which of it is in the log.
#[derive(Debug, Default)]
struct Read {
    files: u64,
    /// Of the dates around, too.
    events: u64,
    cases: u64,
    unsettled: u64,
    /// Of these cases, those whose start is not told.
    without_start: u64,
}

impl Read {
    /// Hands on the cases that the log has, in the order of their ids.
    fn cases(
        &mut self,
        sorted: Sorted,
        window: Window,
        each: &mut dyn FnMut(&Case) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        for case in Cases::of(sorted) {
            let case = case.map_err(|error| sorting_fault(&error))?;
            match window.fit(&case) {
                Fit::Elsewhere => {}
                Fit::Unsettled => self.unsettled += 1,
                Fit::In => {
                    self.cases += 1;
                    self.without_start += u64::from(!case.has_start());
                    each(&case)?;
                }
            }
        }
        Ok(())
    }

    fn json(&self) -> Value {
        json!({
            "files": self.files, "eventsRead": self.events, "cases": self.cases, "unsettled": self.unsettled,
            "withoutStart": self.without_start,
        })
    }
}

/// Where events are sorted that are on their way to a file.
fn sorting_folder(beside: &Path) -> PathBuf {
    let mut folder = beside.as_os_str().to_owned();
    folder.push(".sorting");
    folder.into()
}

fn sorting_fault(error: &std::io::Error) -> Fault {
    Fault::caused_by(
        "the events cannot be sorted on disk",
        error,
        "make room where the output goes to, and run it again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    fn dates(from: &str, to: Option<&str>) -> Result<Dates, Fault> {
        Dates::of(&DatesArgs { from: from.to_owned(), to: to.map(str::to_owned) })
    }

    #[test]
    fn dates_are_checked_and_read_with_those_around_them() {
        let day = dates("2026-03-02", None).unwrap();
        assert_eq!(day, Dates { from: date!(2026 - 03 - 02), to: date!(2026 - 03 - 02) });
        let around: Vec<Date> = day.around(2).collect();
        assert_eq!((around.len(), around[0], around[4]), (5, date!(2026 - 02 - 28), date!(2026 - 03 - 04)));
        for (from, to, said) in [
            ("yesterday", None, "--from is no date"),
            ("2026-03-02", Some("2026-02-30"), "--to is no date"),
            ("2026-03-02", Some("2026-03-01"), "--to is before --from"),
        ] {
            assert!(dates(from, to).unwrap_err().to_string().contains(said), "{said}");
        }
    }
}
