//! Subjects: what one identifier names, and the interactions that it is linked to.
//!
//! Invariant: an identifier has at most one subject, a subject at most one link per record, and no link is written
//! unless the subject is active in the generation that was read: a warm function cannot bring an erased subject back.
//! Links only widen: one without a span gets one and keeps it, `first` falls, `last` rises.
//!
//! The decision is [`plan_links`], a pure function of what was read. Left out: persons, joining, erasure, and which
//! identifiers of an event are the customer's (the adapters say that).

use std::future::Future;

use ledgerline_ledger::store::StoreError;

/// Links written by one transaction. It may hold 100 items: 90 links, the identifier row, the state row, and slack.
pub const LINKS_PER_WRITE: usize = 90;

/// The generation of a subject that was never erased.
pub const FIRST_GENERATION: u64 = 1;

/// Who an identifier names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectRef {
    /// `s_` and 32 random hex digits.
    pub subject_id: String,
    /// `c_` and 32 random hex digits: the subject's name in silver, never the pseudonym that finds it.
    pub customer_ref: String,
}

impl SubjectRef {
    /// Names a new subject from random bytes.
    pub fn from_random(random: [u8; 32]) -> Self {
        let (subject, customer) = random.split_at(16);
        Self { subject_id: format!("s_{}", hex(subject)), customer_ref: format!("c_{}", hex(customer)) }
    }
}

/// A subject's state row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectState {
    /// Whether links may be written: the row's state is `active`.
    pub active: bool,
    /// Counts the subject's lives; a write names the one that it read.
    pub generation: u64,
    /// How many links the subject has.
    pub links: u64,
}

/// A link as stored: the subject takes part in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The entries behind the link. `None` while only filtered lines name the subject in the record: erasure finds
    /// those lines by the link, and no entry comes of them.
    pub span: Option<Span>,
}

/// The entries of a record that name a subject. Times are RFC 3339 UTC with three decimals, so that they order as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The log that keeps the record's entries.
    pub log: String,
    /// Earliest occurrence seen.
    pub first: String,
    /// Latest occurrence seen.
    pub last: String,
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
}

/// One link inside a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkWrite {
    /// `<org>/<record>`.
    pub record: String,
    /// The link as it will be.
    pub link: Link,
    /// The link as it was read, which must still stand; `None` for a link that must not exist yet.
    pub replaces: Option<Link>,
}

/// One conditional transaction on the keys table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectWrite<'a> {
    /// A new subject with its first links: fails with `Conflict` if the identifier has one by now.
    Create {
        /// The identifier's pseudonym.
        pseudonym: &'a str,
        /// The new subject's names.
        subject: SubjectRef,
        /// RFC 3339.
        created_at: String,
        /// At most [`LINKS_PER_WRITE`], all new.
        links: Vec<LinkWrite>,
    },
    /// Links of a subject that exists: fails with `Conflict` unless it is active, in this generation, with room left,
    /// and each link stands as it was read.
    Link {
        /// The subject.
        subject_id: &'a str,
        /// The generation that was read.
        generation: u64,
        /// The largest number of links that the subject may have before this write.
        links_at_most: u64,
        /// At most [`LINKS_PER_WRITE`], at least one.
        links: Vec<LinkWrite>,
    },
}

/// States of subjects and links of theirs, each in the order asked; `None` where there is none.
pub type StatesAndLinks = (Vec<Option<SubjectState>>, Vec<Option<Link>>);

/// Finds subjects and writes their links.
pub trait Subjects {
    /// Whom these pseudonyms name, in their order.
    fn identifiers(
        &self,
        pseudonyms: &[&str],
    ) -> impl Future<Output = Result<Vec<Option<SubjectRef>>, StoreError>> + Send;

    /// The states of `subjects`, and of each `(subject id, record)` the link, both in the order asked.
    fn read(
        &self,
        subjects: &[&str],
        links: &[(&str, &str)],
    ) -> impl Future<Output = Result<StatesAndLinks, StoreError>> + Send;

    /// Carries out one write, all of it or nothing.
    fn write(&self, write: &SubjectWrite<'_>) -> impl Future<Output = Result<(), StoreError>> + Send;
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
    /// For each wanted link, whether the subject has it or gets it. False beyond the cap: such an identifier names
    /// too many interactions to name a person (a switchboard, a test line), and resolves nobody there.
    pub linked: Vec<bool>,
}

/// Plans the links of one subject. `existing` are the links as read, in the order of `wanted`; `links` is how many the
/// subject has and `cap` how many it may have.
pub fn plan_links(links: u64, cap: u64, wanted: &[WantedLink], existing: &[Option<Link>]) -> LinkPlan {
    let mut plan = LinkPlan { complete: true, ..LinkPlan::default() };
    let mut room = cap.saturating_sub(links);
    for (want, have) in wanted.iter().zip(existing) {
        let write = match have {
            Some(have) => {
                plan.linked.push(true);
                widened(have.span.as_ref(), want.link.span.as_ref()).map(|span| LinkWrite {
                    record: want.record.clone(),
                    link: Link { span: Some(span) },
                    replaces: Some(have.clone()),
                })
            }
            None if want.only_widen || room == 0 => {
                plan.linked.push(false);
                None
            }
            None => {
                room -= 1;
                plan.linked.push(true);
                Some(LinkWrite { record: want.record.clone(), link: want.link.clone(), replaces: None })
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A link that filtered lines alone made.
    const FILTERED: Link = Link { span: None };

    fn link(first: &str, last: &str) -> Link {
        Link { span: Some(Span { log: "acme/interaction/1/0".into(), first: first.into(), last: last.into() }) }
    }

    fn wanted(record: &str, first: &str, last: &str) -> WantedLink {
        WantedLink { record: record.into(), link: link(first, last), only_widen: false }
    }

    #[test]
    fn a_covered_link_writes_nothing_and_a_wider_one_only_widens() {
        let want = [wanted("acme/a", "2", "3")];
        assert!(plan_links(1, 9, &want, &[Some(link("2", "3"))]).writes.is_empty());
        assert!(plan_links(1, 9, &want, &[Some(link("1", "4"))]).writes.is_empty());
        let plan = plan_links(1, 9, &want, &[Some(link("1", "2"))]);
        assert_eq!(plan.writes[0].link, link("1", "3"));
        assert_eq!(plan.writes[0].replaces, Some(link("1", "2")));
        assert_eq!((plan.new, plan.complete), (0, true));
        assert_eq!(plan_links(1, 9, &want, &[Some(link("3", "9"))]).writes[0].link, link("2", "9"));
    }

    #[test]
    fn the_cap_refuses_new_links_but_keeps_those_that_exist() {
        let want = [wanted("acme/a", "1", "1"), wanted("acme/b", "1", "1"), wanted("acme/c", "1", "2")];
        let plan = plan_links(8, 9, &want, &[None, None, Some(link("1", "1"))]);
        assert_eq!(plan.linked, [true, false, true]);
        assert_eq!((plan.writes.len(), plan.new), (2, 1));
        let full = plan_links(12, 9, &want, &[None, None, None]);
        assert!(full.writes.is_empty() && full.complete);
        assert_eq!(full.linked, [false; 3]);
    }

    #[test]
    fn a_deletion_widens_a_link_and_makes_none() {
        let only = |record| WantedLink { only_widen: true, ..wanted(record, "1", "4") };
        let plan = plan_links(1, 9, &[only("acme/a"), only("acme/b")], &[Some(link("2", "3")), None]);
        assert_eq!((plan.linked, plan.writes.len(), plan.new), (vec![true, false], 1, 0));
        assert_eq!(plan.writes[0].link, link("1", "4"));
    }

    #[test]
    fn more_links_than_a_transaction_holds_leave_the_plan_incomplete() {
        let want: Vec<_> = (0..=LINKS_PER_WRITE).map(|n| wanted(&format!("acme/{n}"), "1", "1")).collect();
        let plan = plan_links(0, 1000, &want, &vec![None; want.len()]);
        assert_eq!((plan.writes.len(), plan.complete), (LINKS_PER_WRITE, false));
        let mut read: Vec<_> = vec![Some(link("1", "1")); LINKS_PER_WRITE];
        read.push(None);
        let rest = plan_links(90, 1000, &want, &read);
        assert_eq!((rest.writes.len(), rest.complete), (1, true));
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
            let plan = plan_links(u64::from(have.is_some()), 9, &[want(wanted, only_widen)], &[have.cloned()]);
            let case = format!("{wanted:?} over {have:?}");
            assert_eq!(plan.writes.first().map(|write| &write.link), written, "{case}");
            assert!(plan.writes.iter().all(|write| write.replaces.as_ref() == have), "{case}");
            assert_eq!(plan.new, u64::from(have.is_none() && written.is_some()), "{case}");
            assert_eq!(plan.linked, [have.is_some() || written.is_some()], "{case}");
        }
        // A link takes its place under the cap once, whichever line made it.
        assert_eq!(plan_links(9, 9, &[want(&FILTERED, false)], &[None]).linked, [false]);
        assert_eq!(plan_links(9, 9, &[want(&near, false)], &[Some(FILTERED)]).writes.len(), 1);
    }

    proptest! {
        /// Whatever comes in whichever order: a link is as wide as all that was wanted, and is written only to widen.
        #[test]
        fn a_link_ends_as_wide_as_all_that_was_wanted_of_it(
            wants in prop::collection::vec((0usize..3, prop::option::of((0u8..9, 0u8..9))), 1..20),
        ) {
            let at = |time: u8| format!("2026-03-02T14:00:0{time}.000Z");
            let mut stored: [Option<Link>; 3] = [const { None }; 3];
            let mut expected: [Option<Option<(u8, u8)>>; 3] = [None; 3];
            for (record, span) in wants {
                let span = span.map(|(one, other)| (one.min(other), one.max(other)));
                let joined = |(first, last): (u8, u8), (from, to): (u8, u8)| (first.min(from), last.max(to));
                let before = expected[record];
                let all = [before.flatten(), span].into_iter().flatten().reduce(joined);
                expected[record] = Some(all);
                let link = span.map_or(FILTERED, |(first, last)| link(&at(first), &at(last)));
                let want = WantedLink { record: "acme/a".into(), link, only_widen: false };
                let plan = plan_links(0, 9, &[want], &[stored[record].clone()]);
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

    #[test]
    fn a_subjects_two_names_share_no_bytes() {
        let mut random = [7; 32];
        random[16..].fill(9);
        let subject = SubjectRef::from_random(random);
        assert_eq!(subject.subject_id, format!("s_{}", "07".repeat(16)));
        assert_eq!(subject.customer_ref, format!("c_{}", "09".repeat(16)));
    }
}
