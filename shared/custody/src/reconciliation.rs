//! Bronze and the ledger's own acts against the rows: what was forgotten, and what brings it back.
//!
//! A notification or a pointer can be lost for good only in ways that nobody saw; this finds what is left of it. Each
//! bronze object, and each act that was noted, is looked at once, half an hour after it was written; one that is not
//! through by then stays on a list and is looked at again every half hour, until it is through, known as poison, or out of
//! the window.
//!
//! Invariant: what is sent is what was or should have been sent before: a notification of the object, or pointers of its
//! plan. Sending it once too often changes nothing, so the turns below only keep it cheap. Left out: objects that are gone. A
//! duplicate whose owning object vanished before it was planned cannot be found from here, since claims name objects and
//! not the other way round; transform keeps such an object as poison, which is alarmed.

use std::collections::BTreeMap;
use std::ops::Bound;

use ledgerline_event::instant;
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::BRONZE;
use ledgerline_store::act_note::{self, HOUR_CHARS};
use ledgerline_store::bronze_object::{BronzeObject, PAGE};
use ledgerline_store::object_row::Progress;
use serde::{Deserialize, Serialize};

/// An object that is younger, or was taken up or swept more recently, is left alone: its message may still be under
/// way. As long as a failed notification stays invisible.
pub const PATIENCE_MS: i64 = 30 * 60 * 1000;
/// Objects written before this are not looked for: what failed for four days is in a dead-letter queue.
pub const WINDOW_MS: i64 = 4 * DAY_MS;
/// An object's partition is by its events' occurrence, at most so many hours before their arrival: Firehose has room for
/// no more partitions.
pub const LATE_AFTER_HOURS_MAX: i64 = 200;
/// How long after its partition was chosen an object may be written: the stream gathers for a quarter of an hour, and tries
/// again for a day.
pub(crate) const WRITTEN_AFTER_MS: i64 = DAY_MS;
/// Messages in a queue from which on nothing is added to it: what is missing is most likely among them.
pub const BACKLOG_MAX: u64 = 1_000;
/// The pause before an object's next turn doubles from [`PATIENCE_MS`] up to 16 hours: what no retry helps gets
/// eleven of them within the window, not 192.
const DOUBLINGS_MAX: u32 = 5;
pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const HOUR_MS: i64 = 60 * 60 * 1000;
const VERSION: u32 = 2;
/// The partitions' families by occurrence.
pub(crate) const FAMILIES: [&str; 2] = ["interaction", "entity"];
/// The families by arrival.
pub(crate) const ARRIVALS: [&str; 2] = ["late", "unsorted"];

/// What an object needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing any more: all of its events are accounted for.
    Through,
    /// Time.
    Wait,
    /// A notification: nobody planned it.
    Notify,
    /// The pointers of chunks that are not committed.
    Resend,
    /// A person: what is not committed of it was kept as poison, and no retry helps.
    Poisoned,
}

/// What an object needs that was written long enough ago.
pub fn judge(row: Option<&Progress>, now_ms: i64) -> Verdict {
    let Some(row) = row else { return Verdict::Notify };
    let recently = |at_ms: Option<i64>, pause_ms: i64| at_ms.is_some_and(|at_ms| now_ms - at_ms < pause_ms);
    let pause_ms = PATIENCE_MS << row.turns.saturating_sub(1).min(DOUBLINGS_MAX);
    let verdict = match row.planned_at_ms {
        Some(_) if row.committed >= row.counts.planned => return Verdict::Through,
        Some(_) if row.is_poisoned() => return Verdict::Poisoned,
        Some(_) => Verdict::Resend,
        None => Verdict::Notify,
    };
    let newest_step = row.planned_at_ms.or(row.started_at_ms);
    if recently(newest_step, PATIENCE_MS) || recently(row.swept_at_ms, pause_ms) { Verdict::Wait } else { verdict }
}

/// Where objects are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A day of bronze, by its prefix.
    Bronze(String),
    /// An hour in which acts were noted.
    Acts(String),
}

/// How far bronze and acts were looked through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reconciling {
    v: u32,
    /// Objects written before were looked at.
    looked_to_ms: i64,
    /// When the newest pass began.
    pass_began_ms: i64,
    /// How late events are put into the partition of their occurrence, as the pass began.
    late_after_ms: i64,
    /// The last open object that the pass looked at; `None` once it looked at all of them.
    open_behind: Option<String>,
    /// Where it stands: the place's number and the last key; `None` between two passes.
    at: Option<(usize, String)>,
    /// Objects that are not through: key → when written.
    open: BTreeMap<String, i64>,
}

impl Reconciling {
    /// Nothing looked at yet.
    pub fn from_nothing(now_ms: i64) -> Self {
        Self {
            v: VERSION,
            looked_to_ms: now_ms - WINDOW_MS,
            pass_began_ms: 0,
            late_after_ms: 0,
            open_behind: None,
            at: None,
            open: BTreeMap::new(),
        }
    }

    /// Reads what [`Reconciling::write`] wrote; `None` for anything else, from which the caller begins from nothing.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().filter(|state: &Self| state.v == VERSION)
    }

    /// The state as JSON.
    ///
    /// # Errors
    /// None that this type can cause; serde's own.
    pub fn write(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Begins a pass if it is time. Returns whether one is under way: the open objects are to be looked at first, then
    /// the pages.
    pub fn begin(&mut self, now_ms: i64, late_after_ms: i64) -> bool {
        if self.at.is_none() && now_ms - self.pass_began_ms >= PATIENCE_MS {
            self.pass_began_ms = now_ms;
            self.late_after_ms = late_after_ms;
            self.open_behind = Some(String::new());
            self.at = Some((0, String::new()));
        }
        self.at.is_some()
    }

    /// The next open objects that the pass has not looked at, at most so many.
    pub fn next_open(&self, most: usize) -> Vec<BronzeObject> {
        let Some(behind) = &self.open_behind else { return Vec::new() };
        let object = |(key, at_ms): (&String, &i64)| BronzeObject { key: key.clone(), written_at_ms: *at_ms };
        let next = self.open.range::<String, _>((Bound::Excluded(behind), Bound::Unbounded));
        next.take(most).map(object).collect()
    }

    /// Notes that the open objects up to this one were looked at; with none, that all were.
    pub fn looked_at_open(&mut self, last: Option<&BronzeObject>) {
        self.open_behind = last.map(|last| last.key.clone());
    }

    /// Where the next page lies and the key behind which it begins; `None` outside a pass.
    pub fn next_page(&self) -> Option<(Place, &str)> {
        let (place, after) = self.at.as_ref()?;
        Some((self.places().get(*place)?.clone(), after))
    }

    /// Those of a page's objects that no pass looked at and that are old enough to be looked at.
    pub fn due(&self, page: &[BronzeObject]) -> Vec<BronzeObject> {
        let span = self.looked_to_ms..self.pass_began_ms - PATIENCE_MS;
        let due = page.iter().filter(|one| span.contains(&one.written_at_ms) && !self.open.contains_key(&one.key));
        due.cloned().collect()
    }

    /// Notes that the page was looked at as far as this object and no further.
    pub fn stopped_behind(&mut self, last: &BronzeObject) {
        if let Some((_, after)) = &mut self.at {
            after.clone_from(&last.key);
        }
    }

    /// Notes that all that is due of a page was looked at.
    pub fn took_page(&mut self, page: &[BronzeObject]) {
        let places = self.places().len();
        let Some(at) = &mut self.at else { return };
        go_on(at, page);
        if at.0 >= places {
            self.at = None;
            self.looked_to_ms = self.looked_to_ms.max(self.pass_began_ms - PATIENCE_MS);
        }
    }

    /// Notes what became of an object; `true` if it leaves the window and was never through. What is poison is told by
    /// who kept it.
    pub fn judged(&mut self, object: &BronzeObject, verdict: Verdict, now_ms: i64) -> bool {
        let settled = matches!(verdict, Verdict::Through | Verdict::Poisoned);
        let given_up = !settled && now_ms - object.written_at_ms > WINDOW_MS;
        if settled || given_up {
            self.open.remove(&object.key);
        } else {
            self.open.insert(object.key.clone(), object.written_at_ms);
        }
        given_up
    }

    /// All places that can hold what the pass looks for: each family's days, today's first, then the hours of acts.
    fn places(&self) -> Vec<Place> {
        let began_ms = self.pass_began_ms;
        let days =
            |window_ms: i64| (0..=(window_ms + DAY_MS - 1) / DAY_MS).map(move |days_ago| began_ms - days_ago * DAY_MS);
        let by_occurrence = days(WINDOW_MS + WRITTEN_AFTER_MS + self.late_after_ms);
        let by_occurrence = by_occurrence.flat_map(|at_ms| FAMILIES.map(|family| prefix(family, at_ms)));
        let by_arrival = days(WINDOW_MS + WRITTEN_AFTER_MS);
        let by_arrival = by_arrival.flat_map(|at_ms| ARRIVALS.map(|family| prefix(family, at_ms)));
        let hours = self.looked_to_ms.div_euclid(HOUR_MS)..=began_ms.div_euclid(HOUR_MS);
        let hours = hours.map(|hour| Place::Acts(instant::to_rfc3339(hour * HOUR_MS)[..HOUR_CHARS].to_owned()));
        by_occurrence.chain(by_arrival).map(Place::Bronze).chain(hours).collect()
    }
}

/// Moves a place's number and the last key behind a page: to the next place behind a page that is not full.
pub(crate) fn go_on(at: &mut (usize, String), page: &[BronzeObject]) {
    match page.last().filter(|_| page.len() >= PAGE) {
        Some(last) => at.1.clone_from(&last.key),
        None => *at = (at.0 + 1, String::new()),
    }
}

/// Where the objects of a family's day lie.
pub(crate) fn prefix(family: &str, at_ms: i64) -> String {
    let day = instant::to_rfc3339(at_ms);
    let (year, month, day) = (&day[..4], &day[5..7], &day[8..10]);
    format!("{BRONZE}event_type={family}/year={year}/month={month}/day={day}/")
}

/// The object id behind a key: an act's, or that of an object in the bronze bucket.
pub fn object_id(bronze_bucket: &str, key: &str) -> ObjectId {
    act_note::object_of(key).unwrap_or_else(|| ObjectId::of(bronze_bucket, key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_lake::plan::Counts;

    const NOW_MS: i64 = 1_772_460_000_000;

    fn of(planned: u64) -> Counts {
        Counts { planned, ..Counts::default() }
    }

    fn row() -> Progress {
        Progress { started_at_ms: Some(NOW_MS - WINDOW_MS), ..Progress::default() }
    }

    fn planned() -> Progress {
        Progress {
            planned_at_ms: Some(NOW_MS - PATIENCE_MS),
            counts: of(3),
            committed: 2,
            chunks: 2,
            done: [0].into(),
            ..row()
        }
    }

    #[test]
    fn what_an_object_needs_follows_from_its_row() {
        let cases = [
            (None, Verdict::Notify),
            (Some(row()), Verdict::Notify),
            (Some(Progress { started_at_ms: Some(NOW_MS - PATIENCE_MS + 1), ..row() }), Verdict::Wait),
            (Some(Progress { started_at_ms: None, ..row() }), Verdict::Notify),
            (Some(planned()), Verdict::Resend),
            (Some(Progress { poisoned: [(1, 1)].into(), ..planned() }), Verdict::Poisoned),
            (Some(Progress { poisoned: [(1, 1)].into(), chunks: 3, ..planned() }), Verdict::Resend),
            (Some(Progress { poisoned: [(0, 1)].into(), ..planned() }), Verdict::Resend),
            (Some(Progress { planned_at_ms: Some(NOW_MS - 1), ..planned() }), Verdict::Wait),
            (Some(Progress { committed: 3, planned_at_ms: Some(NOW_MS), ..planned() }), Verdict::Through),
            (Some(Progress { counts: of(0), committed: 0, ..planned() }), Verdict::Through),
            // audit-write came first, as it may: nothing is known of the plan yet.
            (Some(Progress { planned_at_ms: None, counts: of(0), ..planned() }), Verdict::Notify),
        ];
        for (row, verdict) in cases {
            assert_eq!(judge(row.as_ref(), NOW_MS), verdict, "{row:?}");
        }
    }

    #[test]
    fn turns_are_never_closer_than_half_an_hour_and_get_rarer() {
        let mut at_ms = NOW_MS;
        let mut row = Progress::default();
        let mut pauses = Vec::new();
        for turns in 1..=8 {
            row = Progress { swept_at_ms: Some(at_ms), turns, ..row };
            let next =
                (1..).map(|minutes| at_ms + minutes * 60_000).find(|now| judge(Some(&row), *now) == Verdict::Notify);
            let next = next.unwrap();
            pauses.push((next - at_ms) / 60_000);
            at_ms = next;
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 960, 960]);
    }

    const LATE_AFTER_MS: i64 = 48 * HOUR_MS;

    fn prefixes(late_after_ms: i64) -> Vec<String> {
        let mut state = Reconciling::from_nothing(NOW_MS);
        state.begin(NOW_MS, late_after_ms);
        let places = state.places().into_iter();
        places.filter_map(|place| if let Place::Bronze(prefix) = place { Some(prefix) } else { None }).collect()
    }

    #[test]
    fn every_partition_that_an_event_of_the_window_can_lie_in_is_looked_through() {
        // Eight days and the one before them: four of the window, two that it may be late, one that it may be written after.
        let prefixes_ = prefixes(LATE_AFTER_MS);
        assert_eq!(prefixes_.len(), 2 * 8 + 2 * 6);
        assert_eq!(prefixes_[0], "bronze/event_type=interaction/year=2026/month=03/day=02/");
        assert_eq!(prefixes_[15], "bronze/event_type=entity/year=2026/month=02/day=23/");
        assert_eq!(prefixes_[26], "bronze/event_type=late/year=2026/month=02/day=25/");
        assert_eq!(prefixes_[27], "bronze/event_type=unsorted/year=2026/month=02/day=25/");
        // The latest event of the oldest object of the window, at the longest that the template takes.
        let oldest = prefix("entity", NOW_MS - WINDOW_MS - LATE_AFTER_HOURS_MAX * HOUR_MS);
        assert!(prefixes(LATE_AFTER_HOURS_MAX * HOUR_MS).contains(&oldest));
        assert!(!prefixes(LATE_AFTER_MS).contains(&oldest));
    }

    #[test]
    fn acts_are_looked_for_in_the_hours_that_no_pass_looked_at() {
        let mut state = Reconciling::from_nothing(NOW_MS);
        let hours = |state: &Reconciling| {
            let places = state.places().into_iter();
            places.filter_map(|place| if let Place::Acts(hour) = place { Some(hour) } else { None }).collect::<Vec<_>>()
        };
        state.begin(NOW_MS, LATE_AFTER_MS);
        assert_eq!(hours(&state).len(), 97, "four days at first");
        while state.next_page().is_some() {
            state.took_page(&[]);
        }
        state.begin(NOW_MS + PATIENCE_MS, LATE_AFTER_MS);
        assert_eq!(hours(&state), ["2026-03-02T13", "2026-03-02T14"], "from half an hour before the last pass on");
    }

    #[test]
    fn an_object_is_looked_at_once_and_again_only_while_it_is_open() {
        let mut state = Reconciling::from_nothing(NOW_MS - PATIENCE_MS);
        let object = BronzeObject { key: "bronze/a".to_owned(), written_at_ms: NOW_MS - PATIENCE_MS - 1 };
        let young = BronzeObject { key: "bronze/b".to_owned(), written_at_ms: NOW_MS - PATIENCE_MS };
        let pass = |state: &mut Reconciling, now_ms| {
            assert!(state.begin(now_ms, LATE_AFTER_MS));
            let mut due = state.next_open(10);
            state.looked_at_open(None);
            let today = Place::Bronze("bronze/event_type=interaction/year=2026/month=03/day=02/".to_owned());
            while let Some((place, _)) = state.next_page() {
                let page = if place == today { vec![object.clone(), young.clone()] } else { vec![] };
                due.extend(state.due(&page));
                state.took_page(&page);
            }
            due
        };
        assert_eq!(pass(&mut state, NOW_MS), std::slice::from_ref(&object));
        assert!(!state.judged(&object, Verdict::Wait, NOW_MS));
        assert!(!state.begin(NOW_MS + PATIENCE_MS - 1, LATE_AFTER_MS), "a pass begins every half hour");
        let mut state = Reconciling::read(&state.write().unwrap()).unwrap();
        assert_eq!(pass(&mut state, NOW_MS + PATIENCE_MS), [object.clone(), young.clone()]);
        assert!(!state.judged(&object, Verdict::Through, NOW_MS));
        assert!(!state.judged(&young, Verdict::Poisoned, young.written_at_ms + WINDOW_MS + 1), "told by who kept it");
        assert!(state.open.is_empty());
        assert!(state.judged(&young, Verdict::Notify, young.written_at_ms + WINDOW_MS + 1), "given up");
        assert!(state.open.is_empty());
    }

    #[test]
    fn a_pass_that_is_interrupted_goes_on_where_it_stopped() {
        let mut state = Reconciling::from_nothing(NOW_MS);
        let object = |at: usize| BronzeObject { key: format!("bronze/{at:04}"), written_at_ms: NOW_MS - HOUR_MS };
        for at in 0..5 {
            state.judged(&object(at), Verdict::Wait, NOW_MS);
        }
        assert!(state.next_open(9).is_empty(), "no pass is under way");
        state.begin(NOW_MS, LATE_AFTER_MS);
        assert_eq!(state.next_open(2), [object(0), object(1)]);
        state.looked_at_open(Some(&object(1)));
        let mut state = Reconciling::read(&state.write().unwrap()).unwrap();
        assert!(state.begin(NOW_MS + 60_000, LATE_AFTER_MS), "the same pass");
        assert_eq!(state.next_open(9), [object(2), object(3), object(4)]);
        state.looked_at_open(None);
        assert!(state.next_open(9).is_empty());
        let page = [object(5), object(6)];
        assert_eq!(state.due(&page), page);
        state.judged(&object(5), Verdict::Wait, NOW_MS);
        state.stopped_behind(&object(5));
        assert_eq!(state.next_page().unwrap().1, "bronze/0005");
        assert_eq!(state.due(&page), [object(6)]);
    }

    #[test]
    fn a_full_page_goes_on_behind_its_last_key() {
        let mut state = Reconciling::from_nothing(NOW_MS);
        assert_eq!(state.next_page(), None);
        state.begin(NOW_MS, LATE_AFTER_MS);
        let object = |at: usize| BronzeObject { key: format!("bronze/{at:04}"), written_at_ms: 0 };
        let page: Vec<BronzeObject> = (0..PAGE).map(object).collect();
        let first = state.next_page().unwrap().0;
        assert!(state.due(&page).is_empty());
        state.took_page(&page);
        assert_eq!(state.next_page(), Some((first.clone(), "bronze/0999")));
        state.took_page(&page[..1]);
        assert_ne!(state.next_page().unwrap().0, first);
    }

    #[test]
    fn state_of_another_version_is_no_state() {
        let bytes = Reconciling::from_nothing(0).write().unwrap();
        let other = String::from_utf8(bytes).unwrap().replace("\"v\":2", "\"v\":1");
        assert_eq!(Reconciling::read(other.as_bytes()), None);
        assert_eq!(Reconciling::read(b""), None);
    }
}
