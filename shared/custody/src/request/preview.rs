//! What a request would reach: records, those that another customer shares, and what an approval binds of it.
//!
//! Invariant: a record is shared if a live subject has part in it that is not in the request, or if it may have more subjects than it names.
//! Of a record that was listed, others who name no person (at the cap, or marked) do not count: it is listed because identifiers do not
//! lead to it. The digest is of the request, its records, which of these are shared by how many, and the kinds: counts of lines grow while
//! an interaction lasts and are no part of it.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_privacy::Kind;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::erasure::{counted, is_shared};

/// A record that the person has part in, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `<org>/<record>`.
    pub record: String,
    /// The request lists it.
    pub is_listed: bool,
    /// Who has part in it.
    pub subjects: BTreeSet<String>,
    /// There may be others.
    pub is_full: bool,
}

/// Another live subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Other {
    /// What its identifier is.
    pub kind: Kind,
    /// Its identifier names no person.
    pub is_shared: bool,
}

/// A record that another customer shares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SharedRecord {
    /// `<org>/<record>`, as an approval names it.
    pub record: String,
    /// How many others are known to have part in it.
    pub other_customers: usize,
}

/// What a request would reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// 64 hex digits: an approval names it.
    pub digest: String,
    /// How many records.
    pub records: usize,
    /// Those of them that are shared, by record.
    pub shared: Vec<SharedRecord>,
    /// The kinds of other identifiers that stand in these records.
    pub kinds: BTreeSet<Kind>,
}

impl Reach {
    /// What a request reaches, by its records, the subjects that are `own` to it, and all live subjects besides.
    pub fn of(request: &str, mut seen: Vec<Seen>, own: &BTreeSet<String>, others: &BTreeMap<String, Other>) -> Self {
        seen.sort_by(|one, other| one.record.cmp(&other.record));
        let (mut shared, mut kinds) = (Vec::new(), BTreeSet::new());
        for record in &seen {
            let counted: Vec<&Other> = counted(&record.subjects, own, others, record.is_listed).collect();
            kinds.extend(counted.iter().map(|other| other.kind));
            if is_shared(counted.len(), record.is_full) {
                shared.push(SharedRecord { record: record.record.clone(), other_customers: counted.len() });
            }
        }
        let digest = digest(request, &seen, &shared, &kinds);
        Self { digest, records: seen.len(), shared, kinds }
    }
}

fn digest(request: &str, seen: &[Seen], shared: &[SharedRecord], kinds: &BTreeSet<Kind>) -> String {
    let mut hasher = Sha256::new_with_prefix(b"ledgerline preview/v1");
    let mut part = |text: &str| {
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text.as_bytes());
    };
    part(request);
    part(&seen.len().to_string());
    seen.iter().for_each(|seen| part(&seen.record));
    part(&shared.len().to_string());
    for SharedRecord { record, other_customers } in shared {
        part(record);
        part(&other_customers.to_string());
    }
    kinds.iter().for_each(|kind| part(kind.label()));
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(record: &str, subjects: &[&str]) -> Seen {
        let subjects = subjects.iter().map(|one| (*one).to_owned()).collect();
        Seen { record: record.to_owned(), is_listed: false, subjects, is_full: false }
    }

    fn reach(seen: Vec<Seen>) -> Reach {
        let other = |kind, is_shared| Other { kind, is_shared };
        let others = BTreeMap::from([
            ("s_mail".to_owned(), other(Kind::Email, false)),
            ("s_hotline".to_owned(), other(Kind::Phone, true)),
        ]);
        Reach::of("req_1", seen, &BTreeSet::from(["s_own".to_owned()]), &others)
    }

    #[test]
    fn a_record_is_shared_by_whoever_lives_and_is_not_in_the_request() {
        let found = reach(vec![
            seen("acme/b", &["s_own", "s_mail", "s_dead"]),
            seen("acme/a", &["s_own"]),
            seen("acme/c", &["s_own", "s_dead"]),
            seen("acme/d", &["s_own", "s_hotline"]),
            seen("acme/e", &[]),
            Seen { is_full: true, ..seen("acme/f", &["s_own"]) },
        ]);
        let shared = |record: &str, other_customers| SharedRecord { record: record.to_owned(), other_customers };
        assert_eq!(found.records, 6);
        assert_eq!(found.shared, [shared("acme/b", 1), shared("acme/d", 1), shared("acme/f", 0)]);
        assert_eq!(found.kinds, BTreeSet::from([Kind::Email, Kind::Phone]));
    }

    #[test]
    fn who_names_no_person_keeps_no_listed_record() {
        let listed = |subjects: &[&str]| Seen { is_listed: true, ..seen("acme/a", subjects) };
        assert!(reach(vec![listed(&["s_hotline"])]).shared.is_empty());
        assert_eq!(reach(vec![listed(&["s_hotline", "s_mail"])]).shared[0].other_customers, 1);
    }

    #[test]
    fn the_digest_is_of_what_was_found_and_of_no_order() {
        let whole = || vec![seen("acme/a", &["s_own"]), seen("acme/b", &["s_own", "s_mail"])];
        let digest = reach(whole()).digest;
        assert_eq!(digest.len(), 64);
        assert_eq!(reach(whole().into_iter().rev().collect()).digest, digest);
        let others = [
            reach(vec![seen("acme/a", &["s_own"])]),
            reach(vec![seen("acme/a", &["s_own", "s_mail"]), seen("acme/b", &["s_own", "s_mail"])]),
            reach(vec![seen("acme/a", &["s_own"]), seen("acme/b", &["s_own", "s_hotline"])]),
            reach(vec![seen("acme/a", &["s_own"]), seen("acme/bb", &["s_own", "s_mail"])]),
            Reach::of("req_2", vec![seen("acme/a", &["s_own"])], &BTreeSet::new(), &BTreeMap::new()),
        ];
        let digests: BTreeSet<String> = others.into_iter().map(|other| other.digest).chain([digest]).collect();
        assert_eq!(digests.len(), 6);
    }
}
