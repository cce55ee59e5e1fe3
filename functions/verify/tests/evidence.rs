//! The evidence as `main` builds it, over the same stores as the fake one: both give the same.

use ledgerline_aws::evidence::StoredEvidence;
use ledgerline_ledger::posting::Posting;
use ledgerline_ledger::verify::{Evidence, HeadRow, ObjectVersion};
use ledgerline_store::head::Heads;
use ledgerline_store::posting::Postings;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use tokio::runtime::Handle;

use crate::world::*;

type All = (Vec<(ObjectVersion, Option<Vec<u8>>)>, Option<Vec<HeadRow>>, Vec<Posting>);

fn all(evidence: &impl Evidence) -> All {
    let (mut versions, mut postings) = (Vec::new(), Vec::new());
    evidence.versions(&mut |version| versions.push(version)).unwrap();
    evidence.postings(&mut |posting| postings.push(posting)).unwrap();
    versions.sort_by(|one, other| (&one.key, &one.version_id).cmp(&(&other.key, &other.version_id)));
    postings.sort_by_key(|posting| (posting.log.clone(), posting.first));
    let read = |version: ObjectVersion| {
        let bytes = evidence.read(&version).ok();
        (version, bytes)
    };
    (versions.into_iter().map(read).collect(), evidence.heads().unwrap(), postings)
}

#[tokio::test]
async fn stored_evidence_is_what_the_fake_one_says_of_the_same_stores() {
    let world = World::new();
    world.append(CALLS, 5).await;
    let hidden = world.append(AUDITS, 2).await;
    world.ledger.delete(&hidden);
    let calls = Calls::of_function("verify");
    let table = |table: &ledgerline_testkit::table::FakeTable| table.seen_by(Faults::none(), calls.clone()).port();
    let bucket = world.ledger.seen_by(Faults::none(), calls.clone()).port();
    let stored = StoredEvidence::new(Handle::current(), bucket)
        .with_tables(Heads::new(table(&world.control)), Postings::new(table(&world.index)));
    let stored = tokio::task::spawn_blocking(move || all(&stored)).await.unwrap();
    assert!(
        !stored.0.is_empty() && stored.0.iter().any(|(version, bytes)| version.is_delete_marker && bytes.is_none())
    );
    assert_eq!(stored, all(&world.evidence));
}
