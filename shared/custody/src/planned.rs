//! How far bronze is planned: the moment before which every bronze object that was written is planned. Access answers
//! speak for it.
//!
//! Invariant: the moment never passes an object that was listed and is not planned. What is listed is what was written
//! since the last listing began, so everything is listed once it is over; what is not planned stays on a list, by which
//! the moment is held back. Each listing from a state that holds proves its moment by itself, whether or not the state is
//! kept afterwards. The moment can go back, too: an upload in parts is dated by its beginning and may turn up behind it, and
//! an answer must not claim more than is so.
//!
//! State that is lost is built again from the moment that the row has, not from a window before now: an object that is
//! unplanned for longer than any window held the row back, and is listed again from there. Left out: what was written before
//! the window of the very first listing. It was given up before, which was alarmed.

use std::collections::BTreeMap;

use ledgerline_lake::keys::BRONZE;
use ledgerline_store::bronze_object::BronzeObject;
use serde::{Deserialize, Serialize};

use crate::query::{self, DateRange};
use crate::reconciliation::{ARRIVALS, DAY_MS, FAMILIES, PATIENCE_MS, WINDOW_MS, WRITTEN_AFTER_MS, go_on, prefix};

/// An answer is complete although the moment is so much before now: Firehose gathers for up to a quarter of an hour, so a
/// younger event may not even be in bronze.
pub const FRESH_MS: i64 = 15 * 60 * 1000;
/// From here on the moment is so old that a person must look: half an hour until a lost notification is sent again, and as
/// long again for what that takes.
pub const BEHIND_MS: i64 = 2 * PATIENCE_MS;
/// A listing begins so long after the last one at the soonest: two runs in one minute need no second.
const PAUSE_MS: i64 = 30 * 1000;
/// How much longer ago than the last listing began an object may be dated that the listing did not show yet. S3 dates by
/// whole seconds, its clock is not ours, and an upload in parts is dated by its beginning; one of Firehose's, of 128 MB at
/// most, takes seconds, and a quarter of an hour holds a few that fail and begin again. The rows of what was written in the
/// slack are read again with each listing: of 30 objects a minute 450 rows, which is about $2.5 a month.
const SLACK_MS: i64 = 15 * 60 * 1000;
/// Objects that are not planned, from which on no page is listed any more: 10,000 keys of some 200 bytes are a state of 2 MB,
/// and their rows 100 calls of 10 ms. The listing stays where it is, and the moment with it, until some are planned.
const OPEN_MAX: usize = 10_000;
/// An object that is not planned for so long may have been removed: it expired, or an operator took it away.
const GONE_AFTER_MS: i64 = DAY_MS;
const VERSION: u32 = 1;

/// Whether an answer as of this moment may miss something of the range: the moment is not fresh, and it does not lie behind
/// the range's end by as much as a stream gathers before it writes. An open end is now. Without a moment nobody knows.
pub fn is_behind(through_ms: Option<i64>, now_ms: i64, range: &DateRange) -> bool {
    let Some(through_ms) = through_ms else { return true };
    // Ends are inclusive, and what is written at the moment itself is not covered.
    let is_before_end = || {
        range.to.as_deref().is_none_or(|to| query::instant(through_ms - GATHERED_MS).is_none_or(|at| at.as_str() <= to))
    };
    now_ms - through_ms > FRESH_MS && is_before_end()
}

/// What happened is written at most so much later: Firehose gathers for a quarter of an hour. What comes later still, a source's
/// backlog, no moment of writing tells of.
pub const GATHERED_MS: i64 = 15 * 60 * 1000;

/// What was listed, and what of it is not planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Planning {
    v: u32,
    /// All that was written before was listed.
    listed_to_ms: i64,
    /// When the newest listing began.
    listing_began_ms: i64,
    /// Where it stands: the family's number and the last key; `None` between two listings.
    at: Option<(usize, String)>,
    /// Objects that are not planned: key → when written.
    open: BTreeMap<String, i64>,
}

impl Planning {
    /// Nothing listed since the row's moment; without a row, since the window's beginning.
    pub fn since(through_ms: Option<i64>, now_ms: i64) -> Self {
        let listed_to_ms = through_ms.unwrap_or(now_ms - WINDOW_MS);
        Self { v: VERSION, listed_to_ms, listing_began_ms: 0, at: None, open: BTreeMap::new() }
    }

    /// Reads what [`Planning::write`] wrote; `None` for anything else, from which the caller begins with the row.
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

    /// Begins a listing if it is time; returns whether one is under way.
    pub fn begin(&mut self, now_ms: i64) -> bool {
        if self.at.is_none() && now_ms - self.listed_to_ms >= PAUSE_MS {
            self.listing_began_ms = now_ms;
            self.at = Some((0, String::new()));
        }
        self.at.is_some()
    }

    /// The objects that are not planned, the oldest first.
    pub fn open(&self) -> Vec<BronzeObject> {
        let object = |(key, at_ms): (&String, &i64)| BronzeObject { key: key.clone(), written_at_ms: *at_ms };
        let mut open: Vec<BronzeObject> = self.open.iter().map(object).collect();
        open.sort_by_key(|object| object.written_at_ms);
        open
    }

    /// Those that may have been removed, the oldest first: they alone hold the moment back.
    pub fn maybe_gone(&self, most: usize, now_ms: i64) -> Vec<BronzeObject> {
        let old = self.open().into_iter().filter(|object| now_ms - object.written_at_ms > GONE_AFTER_MS);
        old.take(most).collect()
    }

    /// The prefix of the next page and the key behind which it begins; `None` outside a listing, and while there is no
    /// room for more open objects.
    ///
    /// A family is listed from the oldest day on that can still get objects, in one go: four calls for a listing where a
    /// family has fewer than a thousand objects in its days, three at the default. Each minute, 4 × 43,200 calls at
    /// $0.005 a thousand are $0.86 a month; each further thousand objects in a family's days is $0.22 more. The state's
    /// reads and writes add $0.27.
    pub fn next_page(&self, late_after_ms: i64) -> Option<(String, String)> {
        let (family, after) = self.at.as_ref().filter(|_| self.open.len() < OPEN_MAX)?;
        let by_occurrence = FAMILIES.map(|family| (family, late_after_ms));
        let by_arrival = ARRIVALS.map(|family| (family, 0));
        let (family, late_after_ms) = *by_occurrence.iter().chain(&by_arrival).nth(*family)?;
        let oldest_ms = self.listed_to_ms - SLACK_MS - WRITTEN_AFTER_MS - late_after_ms;
        let after = if after.is_empty() { prefix(family, oldest_ms) } else { after.clone() };
        Some((format!("{BRONZE}event_type={family}/"), after))
    }

    /// Those of a page's objects that no listing before this one is sure to have shown, and that are not open anyway.
    pub fn unseen(&self, page: &[BronzeObject]) -> Vec<BronzeObject> {
        let since_ms = self.listed_to_ms - SLACK_MS;
        let unseen = page.iter().filter(|one| one.written_at_ms >= since_ms && !self.open.contains_key(&one.key));
        unseen.cloned().collect()
    }

    /// Notes whether an object is planned, or gone, which comes to the same.
    pub fn judged(&mut self, object: &BronzeObject, is_planned: bool) {
        if is_planned {
            self.open.remove(&object.key);
        } else {
            self.open.insert(object.key.clone(), object.written_at_ms);
        }
    }

    /// Notes that all unseen objects of a page were judged.
    pub fn took_page(&mut self, page: &[BronzeObject]) {
        let Some(at) = &mut self.at else { return };
        go_on(at, page);
        if at.0 >= FAMILIES.len() + ARRIVALS.len() {
            self.at = None;
            self.listed_to_ms = self.listing_began_ms;
        }
    }

    /// The moment: when the oldest open object was written, or when the last listing began.
    pub fn through_ms(&self) -> i64 {
        self.open.values().fold(self.listed_to_ms, |through_ms, at_ms| through_ms.min(*at_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_store::bronze_object::PAGE;
    use proptest::prelude::*;

    /// 2026-03-02T14:00:00Z.
    const NOW_MS: i64 = 1_772_460_000_000;
    const MINUTE_MS: i64 = 60_000;
    const LATE_AFTER_MS: i64 = 2 * DAY_MS;

    fn object(name: &str, written_at_ms: i64) -> BronzeObject {
        BronzeObject { key: format!("bronze/event_type=interaction/year=2026/{name}"), written_at_ms }
    }

    /// A listing that shows these objects, of which those named are planned.
    fn list(state: &mut Planning, now_ms: i64, shown: &[BronzeObject], planned: &[&BronzeObject]) {
        assert!(state.begin(now_ms));
        for object in state.open() {
            state.judged(&object, planned.contains(&&object));
        }
        while let Some((prefix, _)) = state.next_page(LATE_AFTER_MS) {
            let page = if prefix.contains("interaction") { shown } else { &[] };
            for object in state.unseen(page) {
                state.judged(&object, planned.contains(&&object));
            }
            state.took_page(page);
        }
    }

    #[test]
    fn the_moment_is_the_listings_beginning_or_the_oldest_unplanned_objects() {
        let mut state = Planning::since(None, NOW_MS);
        assert_eq!(state.through_ms(), NOW_MS - WINDOW_MS);
        assert_eq!(Planning::since(Some(7), NOW_MS).through_ms(), 7, "the row remembers what no window shows");
        let (a, b) = (object("a", NOW_MS - 7 * MINUTE_MS), object("b", NOW_MS - 3 * MINUTE_MS));
        let both = [a.clone(), b.clone()];
        list(&mut state, NOW_MS, &both, &[]);
        assert_eq!((state.through_ms(), state.open()), (a.written_at_ms, both.to_vec()));
        list(&mut state, NOW_MS + MINUTE_MS, &both, &[&a]);
        assert_eq!(state.through_ms(), b.written_at_ms);
        let mut state = Planning::read(&state.write().unwrap()).unwrap();
        list(&mut state, NOW_MS + 2 * MINUTE_MS, &both, &[&a, &b]);
        assert_eq!((state.through_ms(), state.open()), (NOW_MS + 2 * MINUTE_MS, Vec::new()));
    }

    #[test]
    fn a_listing_begins_every_half_minute_at_the_soonest() {
        let mut state = Planning::since(Some(NOW_MS), NOW_MS);
        assert!(!state.begin(NOW_MS + PAUSE_MS - 1));
        assert!(state.next_page(LATE_AFTER_MS).is_none());
        assert!(state.begin(NOW_MS + PAUSE_MS));
    }

    #[test]
    fn each_family_is_listed_from_the_oldest_day_on_that_can_still_get_objects() {
        let mut state = Planning::since(Some(NOW_MS), NOW_MS);
        state.begin(NOW_MS + MINUTE_MS);
        let mut pages = Vec::new();
        while let Some(page) = state.next_page(LATE_AFTER_MS) {
            pages.push(page);
            state.took_page(&[]);
        }
        let day = |family: &str, day: &str| {
            let prefix = format!("bronze/event_type={family}/");
            (prefix.clone(), format!("{prefix}year=2026/month={day}/"))
        };
        // Written a day after its partition was chosen, which was by an occurrence two days before; or by arrival.
        let wanted = [
            day("interaction", "02/day=27"),
            day("entity", "02/day=27"),
            day("late", "03/day=01"),
            day("unsorted", "03/day=01"),
        ];
        assert_eq!(pages, wanted);
    }

    #[test]
    fn what_time_does_not_suffice_for_is_gone_on_with_and_the_moment_waits() {
        let mut state = Planning::since(Some(NOW_MS), NOW_MS);
        let page: Vec<_> = (0..PAGE).map(|at| object(&format!("{at:04}"), NOW_MS + 1)).collect();
        state.begin(NOW_MS + MINUTE_MS);
        state.took_page(&page);
        assert_eq!(state.through_ms(), NOW_MS);
        let mut state = Planning::read(&state.write().unwrap()).unwrap();
        assert!(state.begin(NOW_MS + 2 * MINUTE_MS), "the same listing");
        assert_eq!(state.next_page(LATE_AFTER_MS).unwrap().1, page[PAGE - 1].key);
        while state.next_page(LATE_AFTER_MS).is_some() {
            state.took_page(&[]);
        }
        assert_eq!(state.through_ms(), NOW_MS + MINUTE_MS, "when it began, and no later");
    }

    #[test]
    fn an_object_that_turns_up_late_takes_the_moment_back() {
        let mut state = Planning::since(None, NOW_MS);
        list(&mut state, NOW_MS, &[], &[]);
        let late = object("late", NOW_MS - SLACK_MS);
        list(&mut state, NOW_MS + MINUTE_MS, std::slice::from_ref(&late), &[]);
        assert_eq!(state.through_ms(), late.written_at_ms);
    }

    #[test]
    fn at_the_bound_nothing_more_is_listed_and_the_moment_waits() {
        let mut state = Planning::since(Some(NOW_MS), NOW_MS);
        state.begin(NOW_MS + MINUTE_MS);
        let open: Vec<_> = (0..OPEN_MAX).map(|at| object(&format!("{at:05}"), NOW_MS + 1)).collect();
        open.iter().for_each(|object| state.judged(object, false));
        assert!(state.next_page(LATE_AFTER_MS).is_none());
        assert_eq!(state.through_ms(), NOW_MS);
        state.judged(&open[7], true);
        assert!(state.next_page(LATE_AFTER_MS).is_some());
    }

    #[test]
    fn only_the_oldest_that_are_open_for_a_day_may_be_gone() {
        let mut state = Planning::since(None, NOW_MS);
        let ages = [DAY_MS, DAY_MS + 1, DAY_MS + 3, DAY_MS + 2];
        let objects: Vec<_> = ages.iter().map(|age| object(&age.to_string(), NOW_MS - age)).collect();
        objects.iter().for_each(|object| state.judged(object, false));
        assert_eq!(state.maybe_gone(2, NOW_MS), [objects[2].clone(), objects[3].clone()]);
        assert_eq!(state.maybe_gone(9, NOW_MS).len(), 3);
    }

    #[test]
    fn state_of_another_version_is_no_state() {
        let bytes = Planning::since(None, 0).write().unwrap();
        let other = String::from_utf8(bytes).unwrap().replace("\"v\":1", "\"v\":2");
        assert_eq!(Planning::read(other.as_bytes()), None);
        assert_eq!(Planning::read(b""), None);
    }

    #[test]
    fn an_answer_is_behind_if_its_moment_is_neither_fresh_nor_behind_the_ranges_end() {
        let until = |to_ms: Option<i64>| DateRange { from: None, to: to_ms.and_then(query::instant) };
        let (fresh, old) = (Some(NOW_MS - FRESH_MS), Some(NOW_MS - FRESH_MS - 1));
        let cases = [
            (fresh, None, false),
            (fresh, Some(NOW_MS), false),
            (old, None, true),
            (old, Some(NOW_MS), true),
            (old, Some(NOW_MS - FRESH_MS - 1), true),
            (old, Some(NOW_MS - FRESH_MS - 1 - GATHERED_MS), true),
            (old, Some(NOW_MS - FRESH_MS - 2 - GATHERED_MS), false),
            (None, None, true),
            (None, Some(0), true),
        ];
        for (through_ms, to_ms, behind) in cases {
            assert_eq!(is_behind(through_ms, NOW_MS, &until(to_ms)), behind, "{through_ms:?} {to_ms:?}");
        }
    }

    #[derive(Clone, Debug)]
    enum Op {
        /// An object is written, dated so many milliseconds ago.
        Write(i64),
        /// One of the objects is planned.
        Plan(prop::sample::Index),
        /// Time passes.
        Pass(i64),
        /// A run that may take so many pages.
        Run(usize),
        /// The same, whose state is not kept.
        Crash(usize),
        /// The state is lost, the row is not.
        Lose,
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let op = prop_oneof![
            4 => prop_oneof![3 => Just(0), 1 => 0..SLACK_MS].prop_map(Op::Write),
            4 => any::<prop::sample::Index>().prop_map(Op::Plan),
            3 => (1_000..40 * MINUTE_MS).prop_map(Op::Pass),
            4 => prop_oneof![Just(9), 0..5_usize].prop_map(Op::Run),
            1 => (0..9_usize).prop_map(Op::Crash),
            1 => Just(Op::Lose),
        ];
        prop::collection::vec(op, 0..60)
    }

    /// What lies in bronze, and what sweep knows of it.
    #[derive(Default)]
    struct World {
        now_ms: i64,
        /// Object, when it could first be listed, whether it is planned.
        objects: Vec<(BronzeObject, i64, bool)>,
        state: Option<Planning>,
        row: Option<i64>,
    }

    impl World {
        /// One run, as sweep makes it, of so many pages.
        fn run(&mut self, mut pages: usize, kept: bool) {
            let mut state = self.state.clone().unwrap_or_else(|| Planning::since(self.row, self.now_ms));
            if !state.begin(self.now_ms) {
                return;
            }
            let is_planned =
                |object: &BronzeObject| self.objects.iter().any(|(one, _, planned)| one == object && *planned);
            for object in state.open() {
                state.judged(&object, is_planned(&object));
            }
            while pages > 0
                && let Some((prefix, after)) = state.next_page(LATE_AFTER_MS)
            {
                pages -= 1;
                let all = self.objects.iter().map(|(object, _, _)| object).filter(|one| one.key.starts_with(&prefix));
                let page: Vec<_> = all.filter(|one| one.key > after).cloned().collect();
                for object in state.unseen(&page) {
                    state.judged(&object, is_planned(&object));
                }
                state.took_page(&page);
            }
            self.row = Some(state.through_ms());
            if kept {
                self.state = Some(state);
            }
        }

        fn check(&self) -> Result<(), TestCaseError> {
            let Some(row) = self.row else { return Ok(()) };
            for (object, since_ms, planned) in &self.objects {
                // Listed if it could be when the last listing began that is over: not before the row's moment.
                prop_assert!(*planned || *since_ms >= row || object.written_at_ms >= row, "{object:?} behind {row}");
            }
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn the_moment_never_passes_what_is_listed_and_not_planned_and_reaches_now_once_all_is(ops in ops()) {
            let mut world = World { now_ms: NOW_MS, ..World::default() };
            for op in ops {
                match op {
                    Op::Write(ago_ms) => {
                        let family = ["interaction", "entity", "late", "unsorted"][world.objects.len() % 4];
                        let name = format!("bronze/event_type={family}/year=2026/month=03/day=02/{}", world.objects.len());
                        let object = BronzeObject { key: name, written_at_ms: world.now_ms - ago_ms };
                        world.objects.push((object, world.now_ms, false));
                    }
                    Op::Plan(at) if !world.objects.is_empty() => {
                        let at = at.index(world.objects.len());
                        world.objects[at].2 = true;
                    }
                    Op::Plan(_) => {}
                    Op::Pass(ms) => world.now_ms += ms,
                    Op::Run(pages) => world.run(pages, true),
                    Op::Crash(pages) => world.run(pages, false),
                    Op::Lose => world.state = None,
                }
                world.check()?;
            }
            world.objects.iter_mut().for_each(|(_, _, planned)| *planned = true);
            for _ in 0..2 {
                world.now_ms += MINUTE_MS;
                world.run(usize::MAX, true);
            }
            prop_assert_eq!(world.row, Some(world.now_ms));
        }
    }
}
