//! The acts of requests: each step is an entry in the log of requests of every org that the request asks, dated by its day.
//!
//! Invariant: an act is what the request's row says of the step, so that whoever reads the row can record it: the function that took the
//! step, or sweep, which finds the step's note. It holds words of closed lists, numbers and a principal's alias: nothing of the person
//! whom the request is about, and nothing that a caller typed.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_certificate::{ENTITY, REASON, SHA256, STATUS};
use ledgerline_ledger::entry::{Field, Record};
use ledgerline_ledger::log::{LogId, REQUESTS};
use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::Kind;
use ledgerline_store::request::{RequestRow, Step, purpose};

use super::clock::day_of;
use crate::access::corrupt;
use crate::acts::{Act, ActKind, ActStores, Recorded, record_acts};

/// Records the act of a request's step, by its place in the history; `None` if there is no such step. Repeated, it writes nothing more.
///
/// # Errors
/// The stores'; `Corrupt` for a row that makes no entry.
pub async fn record(
    stores: &ActStores<'_>,
    id: &str,
    row: &RequestRow,
    step: usize,
    now: &str,
) -> Result<Option<Recorded>, StoreError> {
    let Some(acts) = acts(id, row, step)? else { return Ok(None) };
    record_acts(stores, &purpose(id, step), &acts, now).await.map(Some)
}

/// The acts of a request's step, one in each of its orgs.
fn acts(id: &str, row: &RequestRow, step: usize) -> Result<Option<Vec<Act>>, StoreError> {
    let Some(done) = row.history.get(step) else { return Ok(None) };
    let text = |word: &str| Field::Text(word.to_owned());
    let mut fields = BTreeMap::from([("by".to_owned(), text(&done.by))]);
    if done.step == Step::Received {
        fields.insert("regime".to_owned(), text(row.regime.as_str()));
        fields.insert("request_type".to_owned(), text(row.kind.as_str()));
    }
    if let Some(method) = done.method {
        fields.insert("method".to_owned(), text(method.as_str()));
    }
    let record = Record::Entity { kind: RECORD.to_owned(), id: id.to_owned() };
    let day = done.at.get(..DAY_CHARS).map(|day| format!("{day}{MIDNIGHT}")).unwrap_or_default();
    of_each(&row.orgs, kind_of(done.step), &record, &day, &fields).map(Some)
}

fn kind_of(step: Step) -> ActKind {
    match step {
        Step::Received => ActKind::RequestReceived,
        Step::Verified => ActKind::RequestVerified,
        Step::Approved => ActKind::RequestApproved,
        Step::Refused => ActKind::RequestRefused,
        Step::Cancelled => ActKind::RequestCancelled,
        Step::Extended => ActKind::RequestExtended,
        Step::Done => ActKind::RequestDone,
    }
}

/// That a question about a person was answered, in each org that was asked: the purpose id of the acts, and the acts. `question` is 32
/// random hex digits, drawn once for all pages; `by` the alias of who asked; `kinds` those of the identifiers that were asked by.
///
/// # Errors
/// `Corrupt` for an org that can have no log.
pub fn access_answered(
    question: &str,
    orgs: &[String],
    by: &str,
    kinds: &BTreeSet<Kind>,
    records: usize,
    now_ms: i64,
) -> Result<(String, Vec<Act>), StoreError> {
    let kinds = kinds.iter().map(|kind| Field::Text(kind.label().to_owned())).collect();
    let fields = BTreeMap::from([
        ("by".to_owned(), Field::Text(by.to_owned())),
        ("kinds".to_owned(), Field::List(kinds)),
        ("records".to_owned(), Field::Int(i64::try_from(records).unwrap_or(i64::MAX))),
    ]);
    let record = Record::Entity { kind: ACCESS.to_owned(), id: question.to_owned() };
    let acts = of_each(orgs, ActKind::AccessAnswered, &record, &day_of(now_ms), &fields)?;
    Ok((access_purpose(question), acts))
}

/// That of a record what was a person's is erased, dated by a day, `yyyy-mm-dd`, in the log that the record is pinned to: the act, with the
/// ids of the keys that were destroyed, sorted. `record` is `<org>/<record>`.
///
/// # Errors
/// `Corrupt` for a record that can have no entry.
pub fn deletion(log: &LogId, record: &str, day: &str, key_ids: Vec<String>) -> Result<Act, StoreError> {
    let (_, id) = record.split_once('/').ok_or_else(|| corrupt("a record has no org", NoRecord))?;
    let about = match id.split_once('/') {
        Some((kind, id)) => Record::Entity { kind: kind.to_owned(), id: id.to_owned() },
        None => Record::Interaction(id.to_owned()),
    };
    let word = |word: &str| Field::Text(word.to_owned());
    let fields = BTreeMap::from([("deletion_reason".to_owned(), word(REASON)), ("status".to_owned(), word(STATUS))]);
    let occurred_at = format!("{day}{MIDNIGHT}");
    Ok(Act { log: log.clone(), kind: ActKind::DataDeletion, record: about, occurred_at, fields, key_ids })
}

/// That an erasure is certified, in the log of requests of each of its orgs: the purpose id of the acts, and the acts. `certificate` is 32
/// random hex digits, `sha256` the digest of what it says.
///
/// # Errors
/// `Corrupt` for an org that can have no log.
pub fn certified(
    certificate: &str,
    orgs: &[String],
    sha256: &str,
    now_ms: i64,
) -> Result<(String, Vec<Act>), StoreError> {
    let fields = BTreeMap::from([(SHA256.to_owned(), Field::Text(sha256.to_owned()))]);
    let record = Record::Entity { kind: ENTITY.to_owned(), id: certificate.to_owned() };
    let acts = of_each(orgs, ActKind::ErasureCertified, &record, &day_of(now_ms), &fields)?;
    Ok((format!("{ENTITY}/{certificate}"), acts))
}

/// The purpose id of the act of deletion that lies under this name.
pub fn deletion_purpose(name: &str) -> String {
    format!("{DELETION}{name}")
}

/// A record's key without an org.
#[derive(Debug, thiserror::Error)]
#[error("it names no org")]
struct NoRecord;

/// The purpose id of the acts that say that a question was answered.
pub fn access_purpose(question: &str) -> String {
    format!("{ACCESS}/{question}")
}

fn of_each(
    orgs: &[String],
    kind: ActKind,
    record: &Record,
    day: &str,
    fields: &BTreeMap<String, Field>,
) -> Result<Vec<Act>, StoreError> {
    let act = |org: &String| {
        let log = LogId::first_of(org, REQUESTS).map_err(|error| corrupt("an org has no log of requests", error))?;
        Ok(Act {
            log,
            kind,
            record: record.clone(),
            occurred_at: day.to_owned(),
            fields: fields.clone(),
            key_ids: Vec::new(),
        })
    };
    orgs.iter().map(act).collect()
}

/// What the purpose ids of acts of deletion begin with.
const DELETION: &str = "deletion/";
/// The entity type of requests.
const RECORD: &str = "request";
/// The entity type of questions that were answered.
const ACCESS: &str = "access";
const DAY_CHARS: usize = "yyyy-mm-dd".len();
const MIDNIGHT: &str = "T00:00:00.000Z";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::machine::{Action, Actor, Rules, Separation, begin, finish, next, received};
    use ledgerline_store::request::{Approved, Method, Regime, RequestKind};

    const NOW_MS: i64 = 1_772_460_000_350;
    const DAY_MS: i64 = 24 * 3_600_000;
    const ID: &str = "req_00112233445566778899aabbccddeeff";

    fn request() -> RequestRow {
        let orgs = ["acme", "globex"].map(str::to_owned).to_vec();
        let row = received(RequestKind::Erasure, Regime::Ccpa, orgs, "u_1", NOW_MS);
        let rules = Rules { separation: Separation::Creator, cooling_off_ms: 0 };
        let actor = Actor { alias: "u_2", is_client: false, is_person: true };
        let row = next(&row, &Action::Verify(Method::Callback), actor, rules, NOW_MS).unwrap();
        let approved = Approved { digest: "d".to_owned(), records: 3, shared: 1, lines: 9, entries: 8 };
        next(&row, &Action::Approve(approved), actor, rules, NOW_MS).unwrap()
    }

    #[test]
    fn a_step_is_an_entry_in_the_log_of_each_org_dated_by_its_day() {
        let row = request();
        let of = |step| acts(ID, &row, step).unwrap().unwrap();
        let [one, two] = &of(0)[..] else { panic!("an act in each org") };
        assert_eq!((one.log.as_str(), two.log.as_str()), ("acme/request/1/0", "globex/request/1/0"));
        assert_eq!(one.record, Record::Entity { kind: "request".to_owned(), id: ID.to_owned() });
        assert_eq!((one.kind, one.occurred_at.as_str()), (ActKind::RequestReceived, "2026-03-02T00:00:00.000Z"));
        let fields = |step: usize| -> Vec<(String, Field)> { of(step).remove(0).fields.into_iter().collect() };
        let said = |name: &str, word: &str| (name.to_owned(), Field::Text(word.to_owned()));
        assert_eq!(fields(0), [said("by", "u_1"), said("regime", "CCPA"), said("request_type", "ERASURE")]);
        assert_eq!(fields(1), [said("by", "u_2"), said("method", "callback")]);
        // Neither counts nor the preview's digest: they could be found again in other entries.
        assert_eq!(fields(2), [said("by", "u_2")]);
        assert_eq!(acts(ID, &row, 3).unwrap(), None);
        let row = finish(&begin(&row, NOW_MS).unwrap(), NOW_MS + DAY_MS).unwrap();
        let done = acts(ID, &row, 3).unwrap().unwrap().remove(0);
        assert_eq!((done.kind, done.occurred_at.as_str()), (ActKind::RequestDone, "2026-03-03T00:00:00.000Z"));
        // The one who let it be done: what does it is nobody.
        assert_eq!(done.fields.into_iter().collect::<Vec<_>>(), [said("by", "u_2")]);
    }

    #[test]
    fn an_act_of_deletion_names_a_record_its_day_and_keys_and_nobody() {
        let log = LogId::parse("acme/entity/1/0").unwrap();
        let key = "A".repeat(43);
        let act = deletion(&log, "acme/Contact/x_1", "2026-03-02", vec![key.clone()]).unwrap();
        assert_eq!(act.record, Record::Entity { kind: "Contact".to_owned(), id: "x_1".to_owned() });
        assert_eq!((act.occurred_at.as_str(), act.key_ids), ("2026-03-02T00:00:00.000Z", vec![key]));
        assert_eq!(act.fields.keys().collect::<Vec<_>>(), ["deletion_reason", "status"]);
        let of_call = deletion(&log, "acme/c-1", "2026-03-02", Vec::new()).unwrap();
        assert_eq!(of_call.record, Record::Interaction("c-1".to_owned()));
        assert!(deletion(&log, "c-1", "2026-03-02", Vec::new()).is_err());
    }

    #[test]
    fn a_certificate_is_one_act_in_each_org_under_a_name_that_is_random() {
        let orgs = ["acme", "globex"].map(str::to_owned);
        let (purpose, acts) = certified("0a", &orgs, "ab", NOW_MS).unwrap();
        assert_eq!(purpose, "erasure/0a");
        assert_eq!(
            acts.iter().map(|act| act.log.as_str()).collect::<Vec<_>>(),
            ["acme/request/1/0", "globex/request/1/0"]
        );
        assert_eq!(acts[0].record, Record::Entity { kind: "erasure".to_owned(), id: "0a".to_owned() });
        assert_eq!(acts[0].fields.keys().collect::<Vec<_>>(), ["sha256"]);
    }

    #[test]
    fn an_answered_question_names_kinds_and_a_number_and_nobody() {
        let kinds = BTreeSet::from([Kind::Phone, Kind::Email]);
        let question = "0f".repeat(16);
        let (purpose, acts) = access_answered(&question, &["acme".to_owned()], "u_1", &kinds, 7, NOW_MS).unwrap();
        assert_eq!(purpose, format!("access/{question}"));
        let [act] = &acts[..] else { panic!("one org") };
        assert_eq!(act.record, Record::Entity { kind: "access".to_owned(), id: question });
        assert_eq!(act.fields["records"], Field::Int(7));
        assert_eq!(act.fields.keys().collect::<Vec<_>>(), ["by", "kinds", "records"]);
    }
}
