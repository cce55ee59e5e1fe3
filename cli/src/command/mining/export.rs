//! `mining export`: an event log as XES, OCEL or CSV.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use ledgerline_lake::mining::ocel::Ocel;
use ledgerline_lake::mining::tables::{self, Tables};
use ledgerline_lake::mining::xes::Xes;
use ledgerline_lake::mining::{Labels, Log, Step, activity_map};
use serde_json::{Value, json};

use crate::answer::{Answer, Answered};
use crate::args::{FormatArg, MiningExportArgs};
use crate::context::Context;
use crate::fault::Fault;
use crate::private;
use crate::screen::{Mark, Screen, counted, grouped};

use super::{Read, Wanted, sorting_folder};

/// Writes a log.
pub(super) fn run(args: &MiningExportArgs, context: &Context) -> Answered {
    let wanted = Wanted::of(&args.what, context)?;
    let mut output =
        Output::open(&args.out, args.format, &wanted.labels).map_err(|error| unwritable(&args.out, &error))?;
    let (sorted, mut read) = wanted.sorted(sorting_folder(&args.out), context)?;
    let progress = context.progress("writing conversations", None);
    let (mut steps_written, mut differences) = (0, Differences::default());
    let written = read.cases(sorted, wanted.window(), &mut |case| {
        let steps = wanted.labels.view.steps(case);
        // A conversation of which nothing lasted is no case of that view.
        if !steps.is_empty() {
            output.log.case(case, &steps).map_err(|error| unwritable(&args.out, &error))?;
            steps_written += steps.len() as u64;
            differences.add(&steps);
        }
        progress.inc(1);
        Ok(())
    });
    progress.finish_and_clear();
    written?;
    let files = output.finish().map_err(|error| unwritable(&args.out, &error))?;
    let differences = args.differences.then_some(differences);
    Ok(Box::new(Exported { labels: wanted.labels, read, events: steps_written, files, differences }))
}

fn unwritable(path: &Path, error: &io::Error) -> Fault {
    Fault::caused_by(format!("cannot write {}", path.display()), error, "name a place that you may write to, with room")
}

/// Files under other names until all of them are whole.
struct Output {
    log: Box<dyn Log>,
    files: Vec<PathBuf>,
    spools: Vec<PathBuf>,
}

impl Output {
    fn open(out: &Path, format: FormatArg, labels: &Labels) -> io::Result<Self> {
        let files: Vec<PathBuf> = match format {
            FormatArg::Xes | FormatArg::Ocel => vec![out.to_owned()],
            FormatArg::Csv => tables::NAMES.map(|name| out.join(name)).into(),
        };
        let mut parts = Vec::new();
        for file in &files {
            parts.push(BufWriter::new(private::make_file(&with_end(file, ".part"))?));
        }
        let mut next = || parts.pop().ok_or_else(|| io::Error::other("a file is missing"));
        let mut spools = Vec::new();
        let log: Box<dyn Log> = match format {
            FormatArg::Xes => Box::new(Xes::new(next()?, labels.clone())?),
            FormatArg::Ocel => {
                spools = [".objects", ".events"].map(|end| with_end(out, end)).into();
                Box::new(Ocel::new(next()?, spool(&spools[0])?, spool(&spools[1])?, labels.clone())?)
            }
            FormatArg::Csv => {
                let [resources, cases, events] = [next()?, next()?, next()?];
                Box::new(Tables::new([events, cases, resources], labels.clone())?)
            }
        };
        Ok(Self { log, files, spools })
    }

    /// The files, under their names.
    fn finish(self) -> io::Result<Vec<PathBuf>> {
        self.log.finish()?;
        self.spools.iter().try_for_each(fs::remove_file)?;
        for file in &self.files {
            // The name must not reach the disk before what it names.
            let part = with_end(file, ".part");
            File::open(&part)?.sync_all()?;
            fs::rename(part, file)?;
        }
        Ok(self.files)
    }
}

/// A file to write, and to read from its start afterwards.
fn spool(path: &Path) -> io::Result<File> {
    private::make_file(path)?;
    OpenOptions::new().read(true).write(true).open(path)
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut named = path.as_os_str().to_owned();
    named.push(end);
    named.into()
}

/// How far apart consecutive steps are: the first of [`BOUNDS_MS`] that is not below, or beyond all.
#[derive(Debug, Default)]
struct Differences {
    counts: [u64; BOUNDS_MS.len() + 1],
    longest_ms: i64,
}

const BOUNDS_MS: [(i64, &str); 6] = [
    (0, "the same instant"),
    (1_000, "1 s at most"),
    (5_000, "5 s at most"),
    (60_000, "a minute at most"),
    (3_600_000, "an hour at most"),
    (86_400_000, "a day at most"),
];
const BEYOND: &str = "longer";

impl Differences {
    fn add(&mut self, steps: &[Step<'_>]) {
        for pair in steps.windows(2) {
            let apart_ms = pair[1].at_ms - pair[0].at_ms;
            let place = BOUNDS_MS.iter().position(|(bound_ms, _)| apart_ms <= *bound_ms).unwrap_or(BOUNDS_MS.len());
            self.counts[place] += 1;
            self.longest_ms = self.longest_ms.max(apart_ms);
        }
    }

    fn rows(&self) -> impl Iterator<Item = (&'static str, u64)> {
        BOUNDS_MS.iter().map(|(_, name)| *name).chain([BEYOND]).zip(self.counts)
    }
}

struct Exported {
    labels: Labels,
    read: Read,
    events: u64,
    files: Vec<PathBuf>,
    differences: Option<Differences>,
}

impl Answer for Exported {
    fn json(&self) -> Value {
        let mut said = self.read.json();
        said["events"] = json!(self.events);
        said["view"] = json!(self.labels.view.as_str());
        said["activityMap"] = json!(activity_map());
        said["out"] = json!(self.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>());
        if let Some(differences) = &self.differences {
            let rows = differences.rows().map(|(apart, pairs)| json!({ "apart": apart, "pairs": pairs }));
            said["differences"] = json!({ "pairs": rows.collect::<Vec<_>>(), "longestMs": differences.longest_ms });
        }
        said
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title(
            "EVENT LOG",
            &format!("{}, {} to {}", self.labels.view.as_str(), self.labels.from, self.labels.to),
        )?;
        screen.fact("conversations", &grouped(self.read.cases))?;
        screen.fact("events", &grouped(self.events))?;
        screen.fact("activities", &activity_map())?;
        for file in &self.files {
            screen.fact("written", &file.display().to_string())?;
        }
        screen.gap()?;
        if let Some(differences) = &self.differences {
            let rows: Vec<Vec<String>> =
                differences.rows().map(|(apart, pairs)| vec![apart.to_owned(), grouped(pairs)]).collect();
            screen.table(&["apart", "consecutive events"], &rows)?;
            screen.gap()?;
        }
        draw_left_out(&self.read, screen)
    }
}

/// What a reader of the log must know of what is not in it.
pub(super) fn draw_left_out(read: &Read, screen: &mut Screen<'_>) -> io::Result<()> {
    if read.unsettled > 0 {
        let what = counted(read.unsettled, "conversation is not settled yet", "conversations are not settled yet");
        screen.check(Mark::Look, &what, "more may come of them: they are left out; run it again later")?;
    }
    if read.without_start > 0 {
        let what = counted(read.without_start, "conversation has no start", "conversations have no start");
        let detail = "they began before what was read (--around reads more), or nobody told of it";
        screen.check(Mark::Look, &what, detail)?;
    }
    if read.cases == 0 {
        screen.check(Mark::Look, "nothing is in it", "see whether --org and the dates are right")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_lake::mining::{Case, Event, View};

    #[test]
    fn differences_are_counted_by_how_far_apart_and_none_is_negative() {
        let at = |at_ms| Event { at_ms, id: at_ms.to_string(), ..Event::default() };
        let times = [0, 0, 1_000, 5_999, 66_000, 3_666_001, 200_000_000];
        let case = Case::new(times.into_iter().rev().map(at).collect()).unwrap();
        let mut differences = Differences::default();
        differences.add(&View::Milestones.steps(&case));
        assert_eq!((differences.counts, differences.longest_ms), ([1, 1, 1, 0, 1, 1, 1], 196_333_999));
        assert_eq!(differences.rows().last(), Some((BEYOND, 1)));
    }
}
