//! The process that the run's conversations went through, as a process mining tool would see it: what followed what, how often, how soon.
//!
//! Invariant: it is made of silver, by the same code as `ledgerline mining`; how many events and conversations there must be was counted in
//! the traffic before anything was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use bytes::Bytes;
use ledgerline_lake::mining::{Case, Cases, Event, View, read_events};
use xtask::fault::Fault;

use super::report::{Activity, Arrow, Check, Process, grouped};
use super::screen::Screen;

pub(super) mod drawing;

/// The events of an organisation's conversations in a silver file.
pub(super) fn events(parquet: Vec<u8>, key: &str, org: &str) -> Result<Vec<Event>, Fault> {
    let mut events = Vec::new();
    read_events(&Bytes::from(parquet), org, &mut |event| events.push(event))
        .map_err(|error| Fault::caused_by(format!("{key} cannot be read"), error, "look at transform's log"))?;
    Ok(events)
}

/// The process of these events.
pub(super) fn of(mut events: Vec<Event>) -> Process {
    events.sort_by(|one, other| one.place().cmp(&other.place()));
    let mut graph = Graph::default();
    for case in Cases::of(events.into_iter().map(Ok::<_, std::convert::Infallible>)) {
        match case {
            Ok(case) => graph.add(&case),
            Err(never) => match never {},
        }
    }
    graph.finish()
}

/// What followed what.
#[derive(Default)]
struct Graph {
    cases: u64,
    variants: BTreeSet<Vec<String>>,
    nodes: BTreeMap<String, Node>,
    /// Milliseconds between the two, of each time.
    arrows: BTreeMap<(String, String), Vec<i64>>,
}

#[derive(Default)]
struct Node {
    count: u64,
    begins: u64,
    ends: u64,
    /// Sum of its places, each from 0 for the first to 1 for the last of a case.
    places: f64,
}

impl Graph {
    fn add(&mut self, case: &Case) {
        let steps = View::Milestones.steps(case);
        self.cases += 1;
        self.variants.insert(steps.iter().map(|step| step.activity.to_owned()).collect());
        let last = steps.len() - 1;
        for (place, step) in steps.iter().enumerate() {
            let node = self.nodes.entry(step.activity.to_owned()).or_default();
            node.count += 1;
            node.begins += u64::from(place == 0);
            node.ends += u64::from(place == last);
            node.places += place as f64 / last.max(1) as f64;
        }
        for pair in steps.windows(2) {
            let arrow = (pair[0].activity.to_owned(), pair[1].activity.to_owned());
            self.arrows.entry(arrow).or_default().push(pair[1].at_ms - pair[0].at_ms);
        }
    }

    fn finish(self) -> Process {
        let activity = |(name, node): (String, Node)| Activity {
            name,
            count: node.count,
            begins: node.begins,
            ends: node.ends,
            place: node.places / node.count.max(1) as f64,
        };
        let arrow = |((from, to), apart_ms): ((String, String), Vec<i64>)| Arrow {
            from,
            to,
            count: apart_ms.len() as u64,
            median_ms: median(apart_ms),
        };
        let activities: Vec<Activity> = self.nodes.into_iter().map(activity).collect();
        Process {
            cases: self.cases,
            events: activities.iter().map(|activity| activity.count).sum(),
            variants: self.variants.len() as u64,
            activities,
            arrows: self.arrows.into_iter().map(arrow).collect(),
        }
    }
}

/// The middle one, or the mean of the two in the middle; 0 of nothing.
fn median(mut all: Vec<i64>) -> i64 {
    all.sort_unstable();
    match (all.get((all.len().max(1) - 1) / 2), all.get(all.len() / 2)) {
        (Some(below), Some(above)) => (below + above) / 2,
        _ => 0,
    }
}

/// Holds it against what was sent: how many events each record has; conversations' records have no slash.
pub(super) fn check(process: &Process, sent: &BTreeMap<String, u64>) -> Check {
    let of_conversations = || sent.iter().filter(|(record, _)| !record.contains('/'));
    let (cases, events) = (of_conversations().count() as u64, of_conversations().map(|(_, count)| count).sum::<u64>());
    let arrows: u64 = process.arrows.iter().map(|arrow| arrow.count).sum();
    let passed = (process.cases, process.events) == (cases, events) && arrows + cases == events;
    let detail = format!(
        "{} conversations with {} events sent, {} with {} in the process, joined by {} arrows",
        grouped(cases),
        grouped(events),
        grouped(process.cases),
        grouped(process.events),
        grouped(arrows)
    );
    let remedy = "look at transform's log, and run: ledgerline mining export";
    Check {
        name: "The process has every event of every conversation, in one order".to_owned(),
        passed,
        detail,
        remedy: (!passed).then(|| remedy.to_owned()),
    }
}

/// Says the most frequent ways from one activity to the next.
pub(super) fn tell<W: io::Write>(screen: &mut Screen<W>, process: &Process) -> io::Result<()> {
    screen.say(&format!(
        "{} conversations with {} events went {} different ways. Any process mining tool reads them: `ledgerline mining export --format xes|ocel|csv`. What followed what most often:",
        grouped(process.cases),
        grouped(process.events),
        grouped(process.variants)
    ))?;
    screen.gap()?;
    for arrow in process.most_frequent(TOLD) {
        let told = format!("{} → {}, median {}", arrow.from, arrow.to, apart(arrow.median_ms));
        screen.fact(&format!("{} times", grouped(arrow.count)), &told)?;
    }
    Ok(())
}

impl Process {
    /// The arrows that are gone most often.
    fn most_frequent(&self, most: usize) -> Vec<&Arrow> {
        let mut arrows: Vec<&Arrow> = self.arrows.iter().collect();
        arrows.sort_by(|one, other| {
            let names = || (&one.from, &one.to).cmp(&(&other.from, &other.to));
            other.count.cmp(&one.count).then_with(names)
        });
        arrows.truncate(most);
        arrows
    }
}

/// A time as people say it: two digits that matter.
fn apart(ms: i64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")];
    match units.into_iter().find(|(unit_ms, _)| ms >= *unit_ms) {
        Some((unit_ms, unit)) => format!("{:.1} {unit}", ms as f64 / unit_ms as f64),
        None => format!("{ms} ms"),
    }
}

const TOLD: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn told(case: &str, activity: &str, at_ms: i64) -> Event {
        Event {
            case: case.to_owned(),
            activity: activity.to_owned(),
            at_ms,
            id: format!("{case}{at_ms}"),
            ..Event::default()
        }
    }

    #[test]
    fn what_followed_what_is_counted_with_the_time_in_the_middle() {
        let mut events = Vec::new();
        for (case, wait_ms) in [("a", 10), ("b", 30), ("c", 20), ("d", 1_000)] {
            events.extend([told(case, "Queue", 0), told(case, "Agent", wait_ms)]);
        }
        events.push(told("d", "Agent", 5_000));
        events.reverse();
        let process = of(events);
        assert_eq!((process.cases, process.events, process.variants), (4, 9, 2));
        let arrows: Vec<(&str, &str, u64, i64)> =
            process.arrows.iter().map(|one| (one.from.as_str(), one.to.as_str(), one.count, one.median_ms)).collect();
        assert_eq!(arrows, [("Agent", "Agent", 1, 4_000), ("Queue", "Agent", 4, 25)]);
        let of_agent = &process.activities[0];
        assert_eq!((of_agent.name.as_str(), of_agent.count, of_agent.begins, of_agent.ends), ("Agent", 5, 0, 4));
        assert!(process.activities[1].place < of_agent.place);

        let mut sent = BTreeMap::from(
            [("a", 2), ("b", 2), ("c", 2), ("d", 3), ("User/x_1", 7)].map(|(record, n)| (record.to_owned(), n)),
        );
        assert!(check(&process, &sent).passed);
        sent.insert("e".to_owned(), 1);
        assert!(!check(&process, &sent).passed);
    }

    #[test]
    fn nothing_has_a_process_too() {
        let process = of(Vec::new());
        assert_eq!((process.cases, process.events, median(Vec::new())), (0, 0, 0));
        assert!(check(&process, &BTreeMap::new()).passed);
    }

    #[test]
    fn times_are_said_in_their_largest_unit() {
        let said = [0, 999, 1_500, 90_000, 5_400_000, 129_600_000].map(apart);
        assert_eq!(said, ["0 ms", "999 ms", "1.5 s", "1.5 min", "1.5 h", "1.5 d"]);
    }
}
