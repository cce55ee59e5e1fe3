//! Subjects: what one identifier names, and the interactions that it is linked to.
//!
//! Invariant: an identifier has at most one subject, a subject at most one link per record, and no link is written
//! unless the subject is active in the generation that was read: a warm function cannot bring an erased subject back.
//! Links only widen: one without a span gets one and keeps it, `first` falls, `last` rises. A shared subject (marked by
//! an operator, or at the cap) names no person: its links stay as they are, and nothing is added to them.
//!
//! The decisions are [`plan_links`] and [`count_links`], pure functions of what was read. Left out: persons, joining,
//! erasure, and which identifiers of an event are the customer's (the adapters say that).

use ledgerline_store::party::PartySeen;
use ledgerline_store::subject::{DayCount, Growth, LINKS_PER_WRITE, Link, LinkWrite, Span, SubjectState, date_of};

/// What a subject's links are measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The number of links at which a subject is shared, at least 1.
    pub cap: u64,
    /// The number of new links in one day at which a subject is busy, at least 1. That is an alarm and nothing else:
    /// anyone who can forge a caller's number could make a victim busy.
    pub busy: u64,
}

/// A link that an object's events ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedLink {
    /// `<org>/<record>`.
    pub record: String,
    /// What the link must cover; no span if only filtered lines ask for it.
    pub link: Link,
    /// Only a link that is there may cover it: a deletion names its customer and must make neither subject nor link.
    pub only_widen: bool,
    /// The record's row as it was seen.
    pub party: PartySeen,
}

/// What to do about the links that a subject should have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkPlan {
    /// Links to write now, at most [`LINKS_PER_WRITE`].
    pub writes: Vec<LinkWrite>,
    /// How many of `writes` are new links.
    pub new: u64,
    /// Whether nothing is left to write after these.
    pub complete: bool,
    /// For each wanted link, whether the subject names a person there: it has the link or gets it. False beyond the
    /// cap, and everywhere if the subject is shared: such an identifier (a switchboard, a test line) names nobody.
    pub linked: Vec<bool>,
}

impl LinkPlan {
    /// With no more writes now than these, where a transaction has less room than usual.
    #[must_use]
    pub fn at_most(mut self, links: usize) -> Self {
        if self.writes.len() > links {
            self.writes.truncate(links);
            self.new = self.writes.iter().filter(|write| write.replaces.is_none()).count() as u64;
            self.complete = false;
        }
        self
    }
}

/// Plans the links of one subject. `existing` are the links as read, in the order of `wanted`; `room` is how many more
/// it may get ([`SubjectState::room`]). Without any the subject is shared: none is added and none is widened.
pub fn plan_links(room: u64, wanted: &[WantedLink], existing: &[Option<Link>]) -> LinkPlan {
    let mut plan = LinkPlan { complete: true, ..LinkPlan::default() };
    if room == 0 {
        plan.linked = vec![false; wanted.len()];
        return plan;
    }
    let mut room = room;
    for (want, have) in wanted.iter().zip(existing) {
        let write = match have {
            Some(have) => {
                plan.linked.push(true);
                widened(have.span.as_ref(), want.link.span.as_ref()).map(|span| LinkWrite {
                    record: want.record.clone(),
                    link: Link { span: Some(span) },
                    replaces: Some(have.clone()),
                    party: want.party,
                })
            }
            None if want.only_widen || room == 0 => {
                plan.linked.push(false);
                None
            }
            None => {
                room -= 1;
                plan.linked.push(true);
                let WantedLink { record, link, party, .. } = want.clone();
                Some(LinkWrite { record, link, replaces: None, party })
            }
        };
        match write {
            Some(_) if plan.writes.len() == LINKS_PER_WRITE => plan.complete = false,
            Some(write) => {
                plan.new += u64::from(write.replaces.is_none());
                plan.writes.push(write);
            }
            None => {}
        }
    }
    plan
}

/// How a write of `new` new links is counted on the row that was read as `state`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The largest number of links that the subject may have before the write, so that what is said here holds after it.
    pub links_at_most: u64,
    /// `None` if there are no new links.
    pub growth: Option<Growth>,
    /// The day's count after the write, if it is this write that makes the subject busy.
    pub busy: Option<u64>,
}

/// Counts `new` new links, as many as there is room for. `now` is RFC 3339, UTC; a run that began before midnight counts
/// into the day that another one opened since.
pub fn count_links(state: &SubjectState, limits: Limits, now: &str, new: u64) -> Count {
    let fills = state.links + new >= limits.cap;
    // A link may fill the subject only in a write that says so; one that only widens must find it unfilled.
    let links_at_most = if fills { limits.cap.saturating_sub(new) } else { limits.cap - 1 - new };
    if new == 0 {
        return Count { links_at_most, growth: None, busy: None };
    }
    let today = date_of(now);
    let (before, day) = match &state.day {
        Some(day) if day.date.as_str() >= today => {
            let at_most = match day.links {
                links if links >= limits.busy => None,
                // Counts only grow within a day: it is as it was read.
                links if links + new >= limits.busy => Some(links),
                _ => Some(limits.busy - 1 - new),
            };
            (day.links, DayCount::More { date: day.date.clone(), at_most })
        }
        day => {
            let before = day.as_ref().map(|day| day.date.clone());
            (0, DayCount::First { date: today.to_owned(), before })
        }
    };
    let busy = (before < limits.busy && before + new >= limits.busy).then_some(before + new);
    Count { links_at_most, growth: Some(Growth { new, fills, day }), busy }
}

/// The span that covers both, or `None` if `have` covers `want` already. The log never changes: a record is pinned.
fn widened(have: Option<&Span>, want: Option<&Span>) -> Option<Span> {
    let want = want?;
    let Some(have) = have else { return Some(want.clone()) };
    if have.first <= want.first && want.last <= have.last {
        return None;
    }
    Some(Span {
        log: have.log.clone(),
        first: have.first.as_str().min(&want.first).to_owned(),
        last: have.last.as_str().max(&want.last).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use ledgerline_store::subject::Day;
    use proptest::prelude::*;

    /// A link that filtered lines alone made.
    const FILTERED: Link = Link { span: None };

    fn link(first: &str, last: &str) -> Link {
        Link { span: Some(Span { log: "acme/interaction/1/0".into(), first: first.into(), last: last.into() }) }
    }

    fn wanted(record: &str, first: &str, last: &str) -> WantedLink {
        WantedLink { record: record.into(), link: link(first, last), only_widen: false, party: PartySeen::default() }
    }

    #[test]
    fn a_covered_link_writes_nothing_and_a_wider_one_only_widens() {
        let want = [wanted("acme/a", "2", "3")];
        assert!(plan_links(8, &want, &[Some(link("2", "3"))]).writes.is_empty());
        assert!(plan_links(8, &want, &[Some(link("1", "4"))]).writes.is_empty());
        let plan = plan_links(8, &want, &[Some(link("1", "2"))]);
        assert_eq!(plan.writes[0].link, link("1", "3"));
        assert_eq!(plan.writes[0].replaces, Some(link("1", "2")));
        assert_eq!((plan.new, plan.complete), (0, true));
        assert_eq!(plan_links(8, &want, &[Some(link("3", "9"))]).writes[0].link, link("2", "9"));
    }

    #[test]
    fn the_links_that_fit_are_written_and_then_none_is_added_or_widened() {
        let want = [wanted("acme/a", "1", "1"), wanted("acme/b", "1", "1"), wanted("acme/c", "1", "2")];
        let have = [None, None, Some(link("1", "1"))];
        let plan = plan_links(1, &want, &have);
        assert_eq!(plan.linked, [true, false, true]);
        assert_eq!((plan.writes.len(), plan.new), (2, 1));
        let shared = plan_links(0, &want, &have);
        assert_eq!(shared, LinkPlan { complete: true, linked: vec![false; 3], ..LinkPlan::default() });
    }

    #[test]
    fn a_subject_is_shared_by_its_mark_or_at_the_cap_and_limited_for_good() {
        let marked = Some("2026-03-02T14:00:00.000Z".to_owned());
        // Links, mark, missed; shared, room under a cap of 9, limited.
        for (links, shared_at, missed, is_shared, room, is_limited) in [
            (0, None, false, false, 9, false),
            (8, None, false, false, 1, false),
            (9, None, true, true, 0, true),
            (12, None, false, true, 0, true),
            (1, marked, true, true, 0, true),
            (1, None, true, false, 8, true),
        ] {
            let state = SubjectState { links, shared_at, missed, ..SubjectState::NEW };
            let is = (state.is_shared(9), state.room(9), state.is_limited(9));
            assert_eq!(is, (is_shared, room, is_limited), "{state:?}");
        }
    }

    #[test]
    fn a_link_is_counted_into_the_runs_day_or_a_later_one_that_the_row_has() {
        let limits = Limits { cap: 1_000, busy: 10 };
        let on = |date: &str, links| SubjectState { day: Some(Day { date: date.into(), links }), ..SubjectState::NEW };
        let count = |state: &SubjectState, new| {
            let count = count_links(state, limits, "2026-03-02T23:59:59.999Z", new);
            (count.growth.map(|growth| growth.day), count.busy)
        };
        let first = |before: Option<&str>| {
            Some(DayCount::First { date: "2026-03-02".into(), before: before.map(str::to_owned) })
        };
        let more = |date: &str, at_most| Some(DayCount::More { date: date.into(), at_most });
        assert_eq!(count(&SubjectState::NEW, 9), (first(None), None));
        assert_eq!(count(&SubjectState::NEW, 10), (first(None), Some(10)));
        assert_eq!(count(&on("2026-03-01", 500), 3), (first(Some("2026-03-01")), None));
        assert_eq!(count(&on("2026-03-02", 4), 5), (more("2026-03-02", Some(4)), None));
        assert_eq!(count(&on("2026-03-02", 4), 6), (more("2026-03-02", Some(4)), Some(10)));
        assert_eq!(count(&on("2026-03-02", 0), 2), (more("2026-03-02", Some(7)), None));
        assert_eq!(count(&on("2026-03-02", 10), 6), (more("2026-03-02", None), None));
        assert_eq!(count(&on("2026-03-03", 1), 1), (more("2026-03-03", Some(8)), None), "midnight has passed");
        assert_eq!(count(&on("2026-03-02", 4), 0), (None, None));
        assert_eq!((on("2026-03-02", 4).links_of("2026-03-02"), on("2026-03-02", 4).links_of("2026-03-03")), (4, 0));
    }

    #[test]
    fn a_deletion_widens_a_link_and_makes_none() {
        let only = |record| WantedLink { only_widen: true, ..wanted(record, "1", "4") };
        let plan = plan_links(8, &[only("acme/a"), only("acme/b")], &[Some(link("2", "3")), None]);
        assert_eq!((plan.linked, plan.writes.len(), plan.new), (vec![true, false], 1, 0));
        assert_eq!(plan.writes[0].link, link("1", "4"));
    }

    #[test]
    fn more_links_than_a_transaction_holds_leave_the_plan_incomplete() {
        let want: Vec<_> = (0..=LINKS_PER_WRITE).map(|n| wanted(&format!("acme/{n}"), "1", "1")).collect();
        let plan = plan_links(1000, &want, &vec![None; want.len()]);
        assert_eq!((plan.writes.len(), plan.complete), (LINKS_PER_WRITE, false));
        let mut read: Vec<_> = vec![Some(link("1", "1")); LINKS_PER_WRITE];
        read.push(None);
        let rest = plan_links(910, &want, &read);
        assert_eq!((rest.writes.len(), rest.complete), (1, true));
        // A write that has to check more tombstones has room for fewer.
        let few = plan_links(1000, &want, &vec![None; want.len()]).at_most(3);
        assert_eq!((few.writes.len(), few.new, few.complete), (3, 3, false));
        assert_eq!(few.linked, vec![true; want.len()], "the rest is linked by the next writes");
        let most = plan_links(1000, &want[..3], &[None, None, None]).at_most(3);
        assert_eq!((most.writes.len(), most.new, most.complete), (3, 3, true));
        let widened = plan_links(8, &want[..2], &[Some(link("2", "2")), None]).at_most(1);
        assert_eq!((widened.writes.len(), widened.new, widened.complete), (1, 0, false));
    }

    #[test]
    fn a_filtered_line_links_and_an_entry_gives_the_link_its_span() {
        let want = |link: &Link, only_widen| WantedLink { link: link.clone(), only_widen, ..wanted("acme/a", "", "") };
        let (near, wide) = (link("2", "3"), link("1", "4"));
        // What is wanted, whether it may only widen, what is there, and the link that is written.
        for (wanted, only_widen, have, written) in [
            (&FILTERED, false, None, Some(&FILTERED)),
            (&FILTERED, false, Some(&FILTERED), None),
            (&FILTERED, false, Some(&near), None),
            (&near, false, Some(&FILTERED), Some(&near)),
            (&wide, false, Some(&near), Some(&wide)),
            (&near, true, Some(&FILTERED), Some(&near)),
            (&FILTERED, true, Some(&FILTERED), None),
            (&FILTERED, true, None, None),
        ] {
            let plan = plan_links(8, &[want(wanted, only_widen)], &[have.cloned()]);
            let case = format!("{wanted:?} over {have:?}");
            assert_eq!(plan.writes.first().map(|write| &write.link), written, "{case}");
            assert!(plan.writes.iter().all(|write| write.replaces.as_ref() == have), "{case}");
            assert_eq!(plan.new, u64::from(have.is_none() && written.is_some()), "{case}");
            assert_eq!(plan.linked, [have.is_some() || written.is_some()], "{case}");
        }
        // A link takes its place under the cap once, whichever line made it.
        let both = [want(&near, false), want(&FILTERED, false)];
        assert_eq!(plan_links(1, &both, &[Some(FILTERED), None]).linked, [true, true]);
        assert!(plan_links(0, &[want(&near, true)], &[Some(FILTERED)]).writes.is_empty(), "shared");
    }

    proptest! {
        /// Whatever comes in whichever order: a link is as wide as all that was wanted while its subject was not shared,
        /// and is written only to widen.
        #[test]
        fn a_link_ends_as_wide_as_all_that_was_wanted_of_it(
            wants in prop::collection::vec((0usize..3, prop::option::of((0u8..9, 0u8..9)), 0u64..3), 1..20),
        ) {
            let at = |time: u8| format!("2026-03-02T14:00:0{time}.000Z");
            let mut stored: [Option<Link>; 3] = [const { None }; 3];
            let mut expected: [Option<Option<(u8, u8)>>; 3] = [None; 3];
            for (record, span, room) in wants {
                let span = span.map(|(one, other)| (one.min(other), one.max(other)));
                let joined = |(first, last): (u8, u8), (from, to): (u8, u8)| (first.min(from), last.max(to));
                let before = expected[record];
                let all = [before.flatten(), span].into_iter().flatten().reduce(joined);
                if room > 0 {
                    expected[record] = Some(all);
                }
                let link = span.map_or(FILTERED, |(first, last)| link(&at(first), &at(last)));
                let want = WantedLink { link, ..wanted("acme/a", "", "") };
                let plan = plan_links(room, &[want], &[stored[record].clone()]);
                prop_assert_eq!(&plan.linked, &[room > 0]);
                prop_assert_eq!(!plan.writes.is_empty(), before != expected[record], "written in vain, or not at all");
                for write in plan.writes {
                    prop_assert_eq!(&write.replaces, &stored[record]);
                    stored[record] = Some(write.link);
                }
            }
            for (link, expected) in stored.iter().zip(expected) {
                let wide = |(first, last): (u8, u8)| self::link(&at(first), &at(last));
                prop_assert_eq!(link, &expected.map(|span| span.map_or(FILTERED, wide)));
            }
        }
    }

    proptest! {
        /// A row as the table keeps it, and runs that read it at any time before they write: no link is lost from its
        /// day's count, one write of a day tells that the subject is busy, one that it is full, and none passes the cap.
        #[test]
        fn stale_writers_lose_no_count_and_tell_each_crossing_once(
            runs in prop::collection::vec((0usize..4, 1u64..5, 1u8..4), 1..60),
        ) {
            let limits = Limits { cap: 40, busy: 7 };
            let mut rows = vec![SubjectState::NEW];
            let (mut written, mut told, mut filled) = (BTreeMap::<String, u64>::new(), BTreeMap::<String, u64>::new(), 0);
            for (behind, new, day) in runs {
                let row = rows[rows.len() - 1].clone();
                let read = &rows[rows.len().saturating_sub(1 + behind)];
                let new = new.min(read.room(limits.cap));
                if new == 0 {
                    continue;
                }
                let count = count_links(read, limits, &format!("2026-03-0{day}T10:00:00.000Z"), new);
                let growth = count.growth.unwrap();
                let now = row.day.clone();
                let (date, before) = match growth.day {
                    DayCount::First { date, before } if before == now.as_ref().map(|day| day.date.clone()) => (date, 0),
                    DayCount::More { date, at_most } if now.as_ref().is_some_and(|day| {
                        day.date == date && at_most.is_none_or(|most| day.links <= most)
                    }) => (date, now.map_or(0, |day| day.links)),
                    _ => continue,
                };
                if row.links > count.links_at_most {
                    continue;
                }
                *written.entry(date.clone()).or_default() += new;
                *told.entry(date.clone()).or_default() += u64::from(count.busy.is_some());
                filled += u64::from(growth.fills);
                let links = before + new;
                prop_assert!(count.busy.is_none_or(|told| told == links), "the count that is told is the row's");
                rows.push(SubjectState {
                    links: row.links + new,
                    day: Some(Day { date, links }),
                    missed: row.missed || growth.fills,
                    ..row
                });
            }
            let last = &rows[rows.len() - 1];
            prop_assert_eq!(last.links, written.values().sum::<u64>());
            prop_assert!(last.day.as_ref().is_none_or(|day| day.links == written[&day.date]));
            for (date, links) in &written {
                prop_assert_eq!(told[date], u64::from(*links >= limits.busy), "{}", date);
            }
            prop_assert!(last.links <= limits.cap);
            prop_assert_eq!(filled, u64::from(last.links == limits.cap));
        }
    }
}
