//! What never changes in a stored row, whoever writes it: every write of the fake table is held against it.
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
    let Some(before) = before else { return };
    let Some(after) = after else {
        let stays = matches!(family, Some(Family::Own | Family::Org | Family::Gone | Family::Tombstone));
        assert!(!stays, "{key}: a row of {family:?} is never deleted");
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
            let (old, new) = (texts(before, "signingKeys"), texts(after, "signingKeys"));
            // A turn drops keys before its own, an operator adds at the end or withdraws from there.
            let fits = old.is_empty() || old.ends_with(&new) || new.starts_with(&old) || old.starts_with(&new);
            assert!(fits && (old.is_empty() || !new.is_empty()), "{key}: signing keys {new:?} after {old:?}");
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
        | Family::Gone
        | Family::Org
        | Family::Token => {
            assert_eq!(before, after, "{key} changed, and never may");
        }
        // Written again as it is, moved on, or lifted; the families' own tests say how.
        _ => {}
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
