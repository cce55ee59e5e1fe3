//! What never changes in a stored row: every write of the fake table is held against it.
//!
//! A broken rule is a defect of the product, so the test that meets it ends. Tests that play somebody else's hand go past
//! it by `tamper` and `restore`.

use std::collections::BTreeSet;

use ledgerline_sealed::KeyRow;
use ledgerline_store::request::RequestRow;
use ledgerline_store::table::{Key, Row, Value};
use ledgerline_store::{Family, claim, party, party_key, request};

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
        let goes = matches!(
            family,
            None | Some(
                Family::Posting
                    | Family::Identifier
                    | Family::SubjectLink
                    | Family::PartyKey
                    | Family::Crm
                    | Family::Journal
                    | Family::JournalList
            )
        );
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
            // Another event of the journal's may have come in the same millisecond.
            assert!(before != after || before.contains_key("journalUntil"), "{key} is written in vain");
            same("log");
            let text = |row: &Row, name: &str| texts(row, name).pop();
            let was_journaled = text(before, "journalUntil") != text(after, "journalUntil");
            assert!(text(before, "journalUntil") <= text(after, "journalUntil"), "{key}: the journal knows less of it");
            assert!(after.contains_key("log") || was_journaled, "{key}: a link may only widen");
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
        Family::PartyKey => {
            let (old, new) = (keys(before), keys(after));
            assert!((&old.month, &old.enc) == (&new.month, &new.enc), "{key}: keys of another run");
            let kept = new.keys.iter().all(|(id, wrapped)| old.keys.get(id) == Some(wrapped));
            assert!(kept, "{key}: a row of keys only loses some");
        }
        Family::Claim => {
            let owned = claim::owners(key, before).map(|(event, _)| format!("e{event}"));
            owned.for_each(|name| same(&name));
        }
        Family::Marker
        | Family::DataKey
        | Family::MonthKey
        | Family::Pin
        | Family::BronzeNote
        | Family::LogList
        | Family::Gone
        | Family::Org
        | Family::Principal
        | Family::Token
        | Family::ReplayMark
        | Family::AliasNames => {
            assert_eq!(before, after, "{key} changed, and never may");
        }
        Family::Own => same("addedAt"),
        Family::Request => check_request(key, before, after),
        Family::RequestList => {
            let is_same = before.keys().all(|name| name == "ttl") && after.keys().all(|name| name == "ttl");
            assert!(
                is_same && (after.contains_key("ttl") || !before.contains_key("ttl")),
                "{key}: what moved came back"
            );
        }
        Family::SameRequest => {
            let is_free = before.contains_key("ttl") || before.get("id") == after.get("id");
            assert!(is_free, "{key}: an open request lost its place to another one");
        }
        Family::RequestWho => {
            ["pseudonyms", "subjects", "interactions", "reference", "deletionReason", "wrapped", "duplicates"]
                .into_iter()
                .for_each(same);
            assert!(list(after, "notes").starts_with(list(before, "notes")), "{key}: a note changed");
        }
        Family::GoldDate => {
            ["touched", "computed"].into_iter().for_each(grows);
            assert!(number(after, "computed") <= number(after, "touched"), "{key}: more computed than was written");
        }
        Family::GoldRepeats => grows("touched"),
        Family::Journal => {
            [
                "line",
                "occurredAt",
                "receivedAt",
                "client",
                "policy",
                "subjects",
                "ttl",
                "eventId",
                "object",
                "committedAt",
            ]
            .into_iter()
            .for_each(same);
        }
        Family::JournalList | Family::Nonce => assert_eq!(before, after, "{key} changed, and never may"),
        Family::CrmOrg => {
            let kinds = |row| texts(row, "kinds").into_iter().collect::<BTreeSet<String>>();
            assert!(kinds(before).is_subset(&kinds(after)), "{key}: a kind was taken away");
        }
        Family::Usage => ["requests", "previews", "steps"].into_iter().for_each(grows),
        // Written again as it is, moved on, or lifted; the families' own tests say how.
        _ => {}
    }
}

/// What never changes in a request: whom it asks for what since when, what was done, that it is closed.
fn check_request(key: &Key, before: &Row, after: &Row) {
    let (old, new) = (request::read_request(before.clone()), request::read_request(after.clone()));
    let (old, new) = (old.expect("a request"), new.expect("a request"));
    assert!(!old.state.is_final(), "{key}: a closed request changed");
    assert!(old.also_asked_by.is_subset(&new.also_asked_by), "{key}: who asked for the same was forgotten");
    if old.also_asked_by != new.also_asked_by {
        // Somebody asked for the same: no step.
        let same = RequestRow { also_asked_by: old.also_asked_by, ..new };
        assert_eq!(RequestRow { also_asked_by: same.also_asked_by.clone(), ..old }, same, "{key}: more than a note");
        return;
    }
    assert_eq!(old.version + 1, new.version, "{key}: a step that is not counted");
    assert!(new.history.starts_with(&old.history), "{key}: history changed");
    let fixed = |row: &RequestRow| (row.kind, row.regime, row.orgs.clone(), row.received_at.clone());
    assert_eq!(fixed(&old), fixed(&new), "{key}: another request");
    assert!(new.extended || !old.extended, "{key}: an extension was taken back");
    assert!(old.due_at <= new.due_at, "{key}: due earlier");
}

fn list<'r>(row: &'r Row, name: &str) -> &'r [Value] {
    match row.get(name) {
        Some(Value::L(list)) => list,
        _ => &[],
    }
}

/// Panics if a row of keys has new ones that are gone, or too many.
pub(crate) fn check_revived(key: &Key, before: Option<&Row>, after: Option<&Row>, gone: &BTreeSet<String>) {
    let (Some(after), Some(Family::PartyKey)) = (after, family_of(key)) else { return };
    let (old, new) = (before.map(keys), keys(after));
    assert!(new.bytes() <= KeyRow::BYTES_MAX && !(old.is_none() && new.keys.is_empty()), "{key}: a row of keys");
    let is_new = |id: &&String| old.as_ref().is_none_or(|old| !old.keys.contains_key(*id));
    let revived: Vec<&String> = new.keys.keys().filter(is_new).filter(|id| gone.contains(*id)).collect();
    assert!(revived.is_empty(), "{key}: destroyed keys are back: {revived:?}");
}

fn keys(row: &Row) -> KeyRow {
    party_key::read(row.clone()).expect("a row of keys")
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

#[cfg(test)]
mod tests {
    use ledgerline_ledger::entry::Party;
    use ledgerline_sealed::WrappedKey;
    use ledgerline_store::gone;
    use ledgerline_store::party_key::RowName;
    use ledgerline_store::table::{Write, to_row};

    use super::*;
    use crate::calls::Calls;
    use crate::faults::Faults;
    use crate::table::FakeTable;

    fn row(ids: &[&str], month: &str, first: &str) -> Row {
        let key = |id: &&str| {
            let (subjects, first) = (BTreeSet::new(), first.to_owned());
            ((*id).to_owned(), WrappedKey { party: Party::Joint, subjects, first, wrapped: vec![1; 48].into() })
        };
        let keys = ids.iter().map(key).collect();
        to_row("", &KeyRow { month: month.to_owned(), enc: vec![4; 65].into(), keys }).unwrap()
    }

    /// Puts one row in the place of another, with a key that is gone.
    async fn replaced(before: Option<Row>, after: Option<Row>) {
        let fake = |name| FakeTable::new(name, Faults::none(), Calls::default());
        let (control, keys) = (fake("ControlTable"), fake("KeysTable"));
        keys.forbids_gone_of(&control);
        control.tamper(|rows| rows.insert(gone::key("gone"), Row::new()));
        let key = party_key::key(RowName { record: "acme/c-1", object: "0011", run: "89abcdef" });
        keys.tamper(|rows| rows.extend(before.map(|row| (key.clone(), row))));
        let write = after.map_or_else(|| Write::delete(key.clone()), |row| Write::put(key.clone(), row));
        keys.port().transact("", vec![write], Vec::new()).await.unwrap();
    }

    const OF: (&str, &str) = ("2026-03", "2026-03-02T14:00:00.000Z");

    #[tokio::test]
    async fn a_row_of_keys_may_lose_them_gone_ones_too() {
        let row = |ids: &[&str]| Some(row(ids, OF.0, OF.1));
        replaced(None, row(&["a", "b"])).await;
        replaced(row(&["a", "gone"]), row(&["a", "gone"])).await;
        replaced(row(&["a", "gone"]), row(&["a"])).await;
        replaced(row(&["a"]), row(&[])).await;
        replaced(row(&["a"]), None).await;
    }

    #[tokio::test]
    #[should_panic(expected = "only loses some")]
    async fn a_row_of_keys_gets_no_more() {
        replaced(Some(row(&["a"], OF.0, OF.1)), Some(row(&["a", "b"], OF.0, OF.1))).await;
    }

    #[tokio::test]
    #[should_panic(expected = "only loses some")]
    async fn a_key_stays_as_it_was_kept() {
        replaced(Some(row(&["a"], OF.0, OF.1)), Some(row(&["a"], OF.0, "2026-03-02T13:00:00.000Z"))).await;
    }

    #[tokio::test]
    #[should_panic(expected = "keys of another run")]
    async fn a_row_stays_of_its_month() {
        replaced(Some(row(&["a"], OF.0, OF.1)), Some(row(&["a"], "2026-04", OF.1))).await;
    }

    #[tokio::test]
    #[should_panic(expected = "destroyed keys are back: [\"gone\"]")]
    async fn a_destroyed_key_does_not_come_back() {
        replaced(None, Some(row(&["a", "gone"], OF.0, OF.1))).await;
    }

    #[tokio::test]
    #[should_panic(expected = "a row of keys")]
    async fn a_row_without_keys_is_not_kept() {
        replaced(None, Some(row(&[], OF.0, OF.1))).await;
    }
}
