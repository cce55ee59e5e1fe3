//! Events by conversation, more of them than fit into memory: runs of some ten thousand are sorted and written out, and merged as they are read.
//!
//! Invariant: what is held in memory is one run while runs are made, and one event of each run while they are merged. The runs lie in a folder
//! that is its maker's alone and goes with the sorter.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use ledgerline_lake::mining::Event;

use crate::private;

/// Events of a run: at some 1.2 KB each, 60 MB.
const RUN_EVENTS: usize = 50_000;
/// Runs that are merged at once: each is an open file with a buffer of 8 KB. 64 runs are three million events; beyond that they are merged into
/// one, and counting begins again.
const MAX_RUNS: usize = 64;

/// Takes events in no order.
pub(super) struct Sorter {
    folder: Folder,
    limits: (usize, usize),
    pending: Vec<Event>,
    runs: Vec<PathBuf>,
    made: u64,
    events: u64,
}

impl Sorter {
    /// A sorter whose runs lie in this folder, which is emptied.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self::with_limits(folder, RUN_EVENTS, MAX_RUNS)
    }

    fn with_limits(folder: PathBuf, run_events: usize, max_runs: usize) -> Self {
        // What an interrupted command left.
        let _ = fs::remove_dir_all(&folder);
        let folder = Folder(folder);
        Self { folder, limits: (run_events, max_runs), pending: Vec::new(), runs: Vec::new(), made: 0, events: 0 }
    }

    /// How many it was given.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    pub(super) fn push(&mut self, event: Event) -> io::Result<()> {
        self.events += 1;
        self.pending.push(event);
        if self.pending.len() < self.limits.0 { Ok(()) } else { self.spill() }
    }

    /// The events in their order.
    pub(super) fn finish(mut self) -> io::Result<Sorted> {
        self.spill()?;
        Sorted::of(&self.runs, Some(self.folder))
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut events = std::mem::take(&mut self.pending);
        events.sort_unstable_by(|one, other| one.place().cmp(&other.place()));
        self.write(events.into_iter().map(Ok))?;
        if self.runs.len() < self.limits.1 {
            return Ok(());
        }
        let runs = std::mem::take(&mut self.runs);
        let merged = Sorted::of(&runs, None)?;
        self.write(merged)?;
        runs.iter().try_for_each(fs::remove_file)
    }

    fn write(&mut self, events: impl Iterator<Item = io::Result<Event>>) -> io::Result<()> {
        let path = self.folder.0.join(format!("{}.jsonl", self.made));
        let mut file = BufWriter::new(private::make_file(&path)?);
        for event in events {
            serde_json::to_writer(&mut file, &event?)?;
            file.write_all(b"\n")?;
        }
        file.flush()?;
        self.made += 1;
        self.runs.push(path);
        Ok(())
    }
}

/// A folder that goes with its owner.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // Whoever cannot remove it is told nothing new: the next command empties it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Events in the order of [`Event::place`].
pub(super) struct Sorted {
    heads: BinaryHeap<Reverse<Head>>,
    _folder: Option<Folder>,
}

impl Sorted {
    fn of(runs: &[PathBuf], folder: Option<Folder>) -> io::Result<Self> {
        let mut heads = BinaryHeap::with_capacity(runs.len());
        for run in runs {
            heads.extend(Head::open(run)?.map(Reverse));
        }
        Ok(Self { heads, _folder: folder })
    }
}

impl Iterator for Sorted {
    type Item = io::Result<Event>;

    fn next(&mut self) -> Option<io::Result<Event>> {
        let mut head = self.heads.peek_mut()?;
        match head.0.advance() {
            Ok(Some(event)) => Some(Ok(event)),
            Ok(None) => Some(Ok(PeekMut::pop(head).0.event)),
            Err(error) => {
                drop(PeekMut::pop(head));
                Some(Err(error))
            }
        }
    }
}

/// A run's next event, and where the others come from.
struct Head {
    event: Event,
    lines: io::Lines<BufReader<File>>,
}

impl Head {
    /// `None` if the run is empty.
    fn open(run: &Path) -> io::Result<Option<Self>> {
        let mut lines = BufReader::new(File::open(run)?).lines();
        Ok(next_of(&mut lines)?.map(|event| Self { event, lines }))
    }

    /// The event, and the run's next one in its place; `None` if it was the last one.
    fn advance(&mut self) -> io::Result<Option<Event>> {
        Ok(next_of(&mut self.lines)?.map(|next| std::mem::replace(&mut self.event, next)))
    }
}

fn next_of(lines: &mut io::Lines<BufReader<File>>) -> io::Result<Option<Event>> {
    lines.next().map(|line| Ok(serde_json::from_str(&line?)?)).transpose()
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.event.place() == other.event.place()
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.event.place().cmp(&other.event.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("ledgerline-sort-{name}-{}", std::process::id()))
    }

    fn event(number: u64) -> Event {
        // Neither in order nor in the order of its cases; each id once.
        let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Event {
            case: format!("c-{}", scattered % 17),
            at_ms: (scattered >> 32) as i64 % 1_000,
            sequence: (scattered.is_multiple_of(3)).then_some((scattered % 5) as i64),
            rank: (scattered % 7) as i64,
            id: format!("{number:05}"),
            ..Event::default()
        }
    }

    #[test]
    fn events_come_in_order_whatever_the_runs_and_the_folder_goes() {
        let all: Vec<Event> = (0..1_000).map(event).collect();
        let mut expected = all.clone();
        expected.sort_by(|one, other| one.place().cmp(&other.place()));
        // One run, some, more than are merged at once, one event each.
        for (at, (run_events, max_runs)) in [(5_000, 8), (300, 8), (40, 8), (7, 3), (1, 2)].into_iter().enumerate() {
            let folder = folder(&at.to_string());
            let mut sorter = Sorter::with_limits(folder.clone(), run_events, max_runs);
            all.iter().cloned().for_each(|event| sorter.push(event).unwrap());
            assert_eq!((sorter.events(), sorter.runs.len() < max_runs), (1_000, true));
            let sorted = sorter.finish().unwrap();
            assert!(folder.exists() && sorted.heads.len() <= max_runs);
            assert_eq!(sorted.map(Result::unwrap).collect::<Vec<_>>(), expected, "{run_events} {max_runs}");
            assert!(!folder.exists(), "nothing is left");
        }
    }

    #[test]
    fn nothing_is_sorted_into_nothing_and_a_run_that_was_cut_is_an_error() {
        let nothing = folder("nothing");
        assert_eq!(Sorter::new(nothing.clone()).finish().unwrap().count(), 0);
        let cut = folder("cut");
        let mut sorter = Sorter::with_limits(cut.clone(), 2, 8);
        (0..4).for_each(|number| sorter.push(event(number)).unwrap());
        fs::write(&sorter.runs[0], b"{\"c\":\"c-1\",\"t\":").unwrap();
        assert!(sorter.finish().is_err());
        assert!(!cut.exists() && !nothing.exists());
    }
}
