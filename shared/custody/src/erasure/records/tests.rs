use ledgerline_privacy::Kind;
use proptest::prelude::*;

use super::*;

const NOW_MS: i64 = 1_772_460_000_350;
const HOUR: i64 = 1_772_460_000_000 + HOUR_MS;

fn set<const N: usize>(members: [&str; N]) -> BTreeSet<String> {
    members.map(str::to_owned).into()
}

/// Whom a record may have: in the request, dead, another customer, a hotline, and somebody who was not looked up.
const PEOPLE: [&str; 5] = ["s_own", "s_dead", "s_live", "s_hotline", "s_unknown"];

fn others() -> BTreeMap<String, Other> {
    let other = |is_shared| Other { kind: Kind::Phone, is_shared };
    BTreeMap::from([("s_live".to_owned(), other(false)), ("s_hotline".to_owned(), other(true))])
}

fn seen(subjects: BTreeSet<String>, listed: bool, decided_erase: bool) -> RecordSeen {
    RecordSeen { party: Party { subjects, ..Party::default() }, listed, last_ms: Some(NOW_MS), decided_erase }
}

fn rule_of(seen: &RecordSeen) -> RecordRule {
    record_rule(seen, &set(["s_own"]), &set(["s_dead"]), &others(), NOW_MS, NOW_MS)
}

/// All sets of people.
fn subsets() -> impl Iterator<Item = BTreeSet<String>> {
    (0_u32..1 << PEOPLE.len()).map(|bits| {
        let has = |(nth, one): (usize, &&'static str)| (bits >> nth & 1 == 1).then(|| (*one).to_owned());
        PEOPLE.iter().enumerate().filter_map(has).collect()
    })
}

fn row(keys: &[(&str, Side, BTreeSet<String>, i64)]) -> KeyRow {
    let key = |(id, party, subjects, first): &(&str, Side, BTreeSet<String>, i64)| {
        let (first, wrapped) = (instant::to_rfc3339(*first), vec![1; 48].into());
        ((*id).to_owned(), WrappedKey { party: *party, subjects: subjects.clone(), first, wrapped })
    };
    KeyRow { month: "2026-03".to_owned(), enc: vec![4; 65].into(), keys: keys.iter().map(key).collect() }
}

fn key_goes(seen: &RecordSeen, party: Side, owners: &BTreeSet<String>) -> bool {
    let row = row(&[("k", party, owners.clone(), NOW_MS)]);
    let gone = keys_that_go(&row, &rule_of(seen), &set(["s_own"]), &set(["s_dead"]), &others(), seen.listed);
    !gone.is_empty()
}

#[test]
fn a_record_goes_whole_unless_somebody_lives_on_in_it() {
    for subjects in subsets() {
        for (listed, decided) in [(false, false), (false, true), (true, false), (true, true)] {
            let rule = rule_of(&seen(subjects.clone(), listed, decided));
            let lives_on = |one: &str| subjects.contains(one);
            let shared = lives_on("s_live") || lives_on("s_unknown") || (lives_on("s_hotline") && !listed);
            let case = format!("{subjects:?}, listed: {listed}, decided: {decided}");
            assert_eq!(rule.shared, shared, "{case}");
            assert_eq!(rule.cutoff, (!shared).then_some(Cutoff::At(HOUR)), "{case}");
            assert_eq!(rule.joint_goes, !shared || decided, "{case}");
            assert_eq!(rule.take, subjects.intersection(&set(["s_own"])).cloned().collect(), "{case}");
            assert_eq!(rule.until, if shared { Cutoff::At(NOW_MS) } else { Cutoff::At(HOUR) }, "{case}");
            // As the preview says it, of all who were looked up.
            let counted = counted(&subjects, &set(["s_own"]), &others(), listed).count();
            assert_eq!(is_shared(counted, false), shared && (counted > 0 || !lives_on("s_unknown")), "{case}");
        }
    }
}

#[test]
fn a_cutoff_is_the_next_full_hour_or_closed_and_never_goes_back() {
    let whole = |last_ms, cutoff| {
        let party = Party { cutoff, ..Party::default() };
        let seen = RecordSeen { party, listed: false, last_ms, decided_erase: false };
        record_rule(&seen, &set(["s_own"]), &BTreeSet::new(), &BTreeMap::new(), NOW_MS, NOW_MS)
    };
    let old = Some(NOW_MS - CLOSED_MS - 1);
    for (last_ms, before, after) in [
        (None, None, Cutoff::At(HOUR)),
        (Some(NOW_MS - CLOSED_MS), None, Cutoff::At(HOUR)),
        (old, None, Cutoff::Closed),
        (old, Some(Cutoff::At(HOUR)), Cutoff::Closed),
        (None, Some(Cutoff::Closed), Cutoff::Closed),
        (None, Some(Cutoff::At(HOUR + 1)), Cutoff::At(HOUR + 1)),
        (None, Some(Cutoff::At(7)), Cutoff::At(HOUR)),
    ] {
        let rule = whole(last_ms, before);
        assert_eq!((rule.cutoff, rule.until), (Some(after), after), "{last_ms:?} {before:?}");
    }
    assert_eq!([full_hour(HOUR), full_hour(HOUR - 1), full_hour(1), full_hour(-1)], [HOUR, HOUR, HOUR_MS, 0]);
    assert!(full_hour(i64::MAX) > 0);
}

#[test]
fn a_shared_record_keeps_the_cutoff_that_it_had_and_goes_as_far_as_the_request() {
    for (before, until) in [
        (None, Cutoff::At(NOW_MS)),
        (Some(Cutoff::At(7)), Cutoff::At(NOW_MS)),
        (Some(Cutoff::At(HOUR)), Cutoff::At(HOUR)),
        (Some(Cutoff::Closed), Cutoff::Closed),
    ] {
        let mut seen = seen(set(["s_own", "s_live"]), false, false);
        seen.party.cutoff = before;
        let rule = rule_of(&seen);
        assert!(rule.shared);
        assert_eq!((rule.cutoff, rule.until), (before, until));
    }
}

#[test]
fn a_record_that_may_have_more_subjects_than_it_names_is_shared() {
    let mut full = seen(set(["s_own"]), true, false);
    full.party.full = true;
    assert!(rule_of(&full).shared);
}

#[test]
fn a_key_goes_with_any_owner_in_the_request_and_what_nobody_owns_with_the_record() {
    for subjects in subsets() {
        for owners in subsets() {
            for (listed, decided) in [(false, false), (false, true), (true, false), (true, true)] {
                let seen = seen(subjects.clone(), listed, decided);
                let rule = rule_of(&seen);
                let case = format!("{owners:?} in {subjects:?}, listed: {listed}, decided: {decided}");
                let lives = owners.contains("s_live") || owners.contains("s_unknown");
                let lives = lives || (owners.contains("s_hotline") && !listed);
                let goes = match (owners.is_empty(), owners.contains("s_own")) {
                    (true, _) => rule.joint_goes,
                    (false, true) => true,
                    (false, false) => !lives && (listed || !rule.shared),
                };
                assert_eq!(key_goes(&seen, Side::Customer, &owners), goes, "{case}");
                assert_eq!(key_goes(&seen, Side::Joint, &BTreeSet::new()), rule.joint_goes, "{case}");
                assert!(!key_goes(&seen, Side::Agent, &owners), "{case}");
            }
        }
    }
}

#[test]
fn a_key_goes_only_if_its_first_event_is_reached() {
    let alone = rule_of(&seen(set(["s_own"]), false, false));
    let shared = rule_of(&seen(set(["s_own", "s_live"]), false, false));
    let own = set(["s_own"]);
    let keys = [("a", NOW_MS), ("b", NOW_MS + 1), ("c", HOUR), ("d", HOUR + 1)];
    let row = row(&keys.map(|(id, first)| (id, Side::Customer, own.clone(), first)));
    let goes = |rule| keys_that_go(&row, rule, &own, &BTreeSet::new(), &others(), false);
    assert_eq!((goes(&alone), goes(&shared)), (set(["a", "b", "c"]), set(["a"])));
    assert_eq!(goes(&RecordRule { until: Cutoff::Closed, ..alone.clone() }).len(), 4);
}

#[test]
fn a_tenth_and_five_more_of_any_count_are_within_what_was_approved() {
    let counts = |[records, shared, lines, entries]: [u64; 4]| Approved {
        digest: String::new(),
        records,
        shared,
        lines,
        entries,
    };
    let approved = [0, 1, 10, 101];
    for (count, at_most) in [(0, 5), (1, 7), (2, 16), (3, 117)] {
        let mut found = approved;
        found[count] = at_most;
        assert!(!exceeds(&counts(approved), &counts(found)), "{count}");
        found[count] += 1;
        assert!(exceeds(&counts(approved), &counts(found)), "{count}");
    }
    assert!(!exceeds(&counts(approved), &counts([0; 4])) && !exceeds(&counts([u64::MAX; 4]), &counts([u64::MAX; 4])));
}

fn people() -> impl Strategy<Value = BTreeSet<String>> {
    proptest::sample::subsequence(PEOPLE.to_vec(), 0..=PEOPLE.len())
        .prop_map(|some| some.into_iter().map(str::to_owned).collect())
}

proptest! {
    /// Whatever is asked: what a live other owns stays, but together with one who is in the request.
    #[test]
    fn nothing_of_a_live_other_goes_unless_somebody_in_the_request_owns_it_too(
        subjects in people(),
        owners in people(),
        (listed, decided, closed) in (any::<bool>(), any::<bool>(), any::<bool>()),
        first in NOW_MS - 9..NOW_MS + 9,
    ) {
        let mut seen = seen(subjects, listed, decided);
        seen.last_ms = closed.then_some(0);
        let rule = rule_of(&seen);
        let row = row(&[("k", Side::Customer, owners.clone(), first)]);
        let gone = keys_that_go(&row, &rule, &set(["s_own"]), &set(["s_dead"]), &others(), listed);
        if owners.contains("s_live") && !owners.contains("s_own") {
            prop_assert!(gone.is_empty());
        }
    }
}
