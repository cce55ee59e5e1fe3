//! What never changes in a stored row: every write of the fake table is held against it.
//!
//! A broken rule is a defect of the product, so the test that meets it ends. Tests that play somebody else's hand go past
//! it by `tamper` and `restore`.

use std::collections::BTreeSet;

use ledgerline_store::table::{Key, Row, Value};
use ledgerline_store::{Family, claim, party};

/// The family that a row is of; `None` for rows of tests of tables.
///
/// # Panics
/// If no family has such keys.
fn family_of(key: &Key) -> Option<Family> {
    let family = Family::of_key(key);
    let is_free = key.pk.starts_with("CONTRACT#") || key.pk.starts_with("test");
    assert!(family.is_some() || is_free, "no family has the key {key}");
    family
}

/// Panics if no family has such keys.
///
/// # Panics
/// As said.
pub(crate) fn check_key(key: &Key) {
    let _ = family_of(key);
}

/// Panics if no correct writer makes `after` of `before`.
pub(crate) fn check(key: &Key, before: Option<&Row>, after: Option<&Row>) {
    let family = family_of(key);
    if family == Some(Family::Claim) {
        let owned = |row: Option<&Row>| row.map_or(0, |row| claim::owners(key, row).count());
        let (old, new) = (owned(before), owned(after));
        assert!(new > 0 && new - old <= claim::EVENTS_PER_CLAIM, "{key}: {} events in one claim", new - old);
    }
    let Some(before) = before else { return };
    let Some(after) = after else {
        let goes = matches!(family, None | Some(Family::Posting | Family::Identifier | Family::SubjectLink));
        assert!(goes, "{key}: a row of {family:?} is never deleted");
        return;
    };
    let same = |name: &str| {
        let kept = before.get(name).is_none_or(|value| after.get(name) == Some(value));
        assert!(kept, "{name} of {key} changed from {:?} to {:?}", before.get(name), after.get(name));
    };
    let grows = |name: &str| {
        let (old, new) = (number(before, name), number(after, name));
        assert!(old <= new, "{name} of {key} went back from {old} to {new}");
    };
    let Some(family) = family else { return };
    match family {
        Family::Head => {
            ["size", "indexed", "published", "signed"].into_iter().for_each(grows);
            let is_same_tree = ["root", "edge"].iter().all(|name| before.get(*name) == after.get(*name));
            assert!(
                is_same_tree || number(before, "size") < number(after, "size"),
                "{key}: another tree of the same size"
            );
            let (old, new) = (texts(before, "signingKeys"), texts(after, "signingKeys"));
            let is_turn = before.get("signedAt") != after.get("signedAt");
            let fits = match (is_turn, old.is_empty()) {
                // A turn is the first one's, or drops keys before its own.
                (true, true) => new.len() <= 1,
                (true, false) => !new.is_empty() && old.ends_with(&new),
                // An operator adds at the end or withdraws from there.
                (false, _) => new.starts_with(&old) || (!new.is_empty() && old.starts_with(&new)),
            };
            assert!(fits, "{key}: signing keys {new:?} after {old:?}");
        }
        Family::ObjectRow => {
            let fixed =
                ["key", "startedAt", "plannedAt", "in", "filtered", "duplicate", "quarantined", "planned", "chunks"];
            fixed.into_iter().for_each(same);
            grows("committed");
        }
        Family::SubjectState => {
            ["customerRef", "org", "kind", "pseudonym", "missed"].into_iter().for_each(same);
            ["links", "generation"].into_iter().for_each(grows);
        }
        Family::SubjectLink => {
            assert_ne!(before, after, "{key} is written in vain");
            same("log");
            let text = |row: &Row, name: &str| texts(row, name).pop();
            assert!(after.contains_key("log"), "{key}: a link may only widen");
            let narrower = text(before, "first") < text(after, "first") || text(before, "last") > text(after, "last");
            assert!(!before.contains_key("log") || !narrower, "{key}: a link may only widen");
        }
        Family::Watch => grows("size"),
        Family::Tombstone => {
            grows("ttl");
            assert!(texts(before, "cutoff") <= texts(after, "cutoff"), "{key}: the larger cutoff wins");
        }
        Family::Party => {
            grows("erasures");
            let cutoff = |row| party::read(row).expect("a party").cutoff;
            assert!(cutoff(before.clone()) <= cutoff(after.clone()), "{key}: a cutoff never goes back");
            let subjects = |row| texts(row, "subjects").into_iter().collect::<BTreeSet<String>>();
            let erased = number(before, "erasures") < number(after, "erasures");
            assert!(
                erased || subjects(before).is_subset(&subjects(after)),
                "{key}: only an erasure takes subjects out"
            );
        }
        Family::Claim => {
            let owned = claim::owners(key, before).map(|(event, _)| format!("e{event}"));
            owned.for_each(|name| same(&name));
        }
        Family::Marker
        | Family::DataKey
        | Family::Pin
        | Family::BronzeNote
        | Family::LogList
        | Family::Gone
        | Family::Org
        | Family::Token
        | Family::AliasNames => {
            assert_eq!(before, after, "{key} changed, and never may");
        }
        Family::Own => same("addedAt"),
        // Written again as it is, moved on, or lifted; the families' own tests say how.
        _ => {}
    }
}

/// How many of a subject's links a write of this row counts, less those that it makes: all rows of one write add up to none.
pub(crate) fn counted_links(key: &Key, before: Option<&Row>, after: Option<&Row>) -> i64 {
    let links = |row: Option<&Row>| row.map_or(0, |row| number(row, "links").cast_signed());
    match family_of(key) {
        Some(Family::SubjectState) => links(after) - links(before),
        Some(Family::SubjectLink) => -i64::from(before.is_none()),
        _ => 0,
    }
}

fn number(row: &Row, name: &str) -> u64 {
    match row.get(name) {
        Some(Value::N(text)) => text.parse().expect("a whole number"),
        _ => 0,
    }
}

fn texts(row: &Row, name: &str) -> Vec<String> {
    match row.get(name) {
        Some(Value::S(text)) => vec![text.clone()],
        Some(Value::Ss(texts)) => texts.clone(),
        Some(Value::L(list)) => {
            let text = |one: &Value| match one {
                Value::S(text) => Some(text.clone()),
                _ => None,
            };
            list.iter().filter_map(text).collect()
        }
        _ => Vec::new(),
    }
}
