//! 12. The certificate: what was done, with a proof of each act of deletion.
//!
//! Its digest is an act in each org's log of requests; the file is both, and a page for people lies beside it. It waits until the acts are committed and a checkpoint that covers them is signed. What is written has passed the check that anybody
//! makes of it.
//!
//! | crash leaves | done again |
//! |---|---|
//! | nothing | all of it |
//! | what it will say, sealed | it counts: its digest is recorded |
//! | the act | it is there under its purpose, and is waited for |
//! | the file, or one of its two forms | both are put again, with a newer checkpoint perhaps |

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerline_certificate::{Body, Certificate, Certified, KIND, VERSION, check, page};
use ledgerline_custody::acts::record_acts;
use ledgerline_custody::proving::Proving;
use ledgerline_custody::request::acts::certified;
use ledgerline_event::instant;
use ledgerline_lake::ObjectId;
use ledgerline_ledger::signing::VerifyingKeys;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_saga::{Outcome, Position, Step};
use ledgerline_store::package::Form;
use ledgerline_store::request;

use crate::certify::{Collected, Proven, collect, prove};
use crate::request::{Request, corrupt};

pub(super) struct Certify;

/// Why it waits.
const LEDGER: &str = "ledger";
/// How long until it looks at the ledger again: checkpoints are signed every ten seconds.
const LOOK_MS: i64 = 15_000;
const DAY_MS: i64 = 86_400_000;

#[async_trait]
impl<'a> Step<Request<'a>> for Certify {
    fn name(&self) -> &'static str {
        "certificate"
    }

    async fn run(&self, request: &Request<'a>, at: &Position, _: i64) -> Result<Outcome, StoreError> {
        let not_yet = || Ok(Outcome::WaitUntil(request.call.now_ms() + LOOK_MS, LEDGER));
        let body = match request.draft().await? {
            Some(body) => body,
            None => match collect(request, &*request.list(at.pass).await?).await? {
                Collected::Whole(body) => request.put_draft(&body).await?,
                Collected::NotYet => return not_yet(),
                Collected::OutOfTime => return Ok(Outcome::More(0)),
            },
        };
        let sha256 = body.sha256().ok_or_else(|| corrupt("a certificate has no canonical form"))?;
        let object = record(request, &body, &sha256).await?;
        let Some(certified) = proofs(request, object).await? else { return not_yet() };
        let (name, now_ms) = (body.certificate.clone(), request.call.now_ms());
        let file = Certificate { v: VERSION, kind: KIND.to_owned(), body, certified };
        put(request, &file).await?;
        // Done again, it is kept for no longer than was said.
        let said = request.held().certificate.map(|certificate| certificate.until);
        let until_ms = now_ms + request.call.settings.certificate_days * DAY_MS;
        let until = said.unwrap_or_else(|| instant::to_rfc3339(until_ms));
        request.set_certificate(request::Certificate { id: name, sha256, until });
        Ok(Outcome::Done)
    }
}

/// Records the digest in each org.
async fn record(request: &Request<'_>, body: &Body, sha256: &str) -> Result<ObjectId, StoreError> {
    let now_ms = request.call.now_ms();
    let (purpose, acts) = certified(&body.certificate, &body.request.orgs, sha256, now_ms)?;
    let recorded = record_acts(&request.call.stores.acts(), &purpose, &acts, &instant::to_rfc3339(now_ms)).await?;
    Ok(recorded.object())
}

/// The acts of the digest with their proofs, by org; `None` while one is not committed, or not signed.
async fn proofs(request: &Request<'_>, object: ObjectId) -> Result<Option<Vec<Certified>>, StoreError> {
    let stores = request.call.stores;
    let acts = Proving::planned(&stores.plans, object).await?;
    let mut acts = acts.ok_or_else(|| corrupt("the plan of a certificate's act expired"))?;
    // As the request has its orgs: by their names, which logs' names are not sorted by.
    acts.sort_by(|one, other| one.log.org().cmp(other.log.org()));
    let mut all = Vec::new();
    for act in acts {
        let log = act.log.clone();
        let Some((signed, proven)) = prove(&stores.proving, &log, vec![act]).await? else { return Ok(None) };
        for Proven { index, path, entry } in proven {
            let path = path.iter().map(|hash| STANDARD.encode(hash.0)).collect();
            let (keys, checkpoint) = (signed.keys.clone(), signed.note.clone());
            all.push(Certified { log: log.to_string(), keys, checkpoint, index, path, entry });
        }
    }
    Ok(Some(all))
}

/// Puts the file and its page, if the file is what it says.
async fn put(request: &Request<'_>, file: &Certificate) -> Result<(), StoreError> {
    let bytes = file.to_bytes().ok_or_else(|| corrupt("a certificate has no canonical form"))?;
    let keys = file.body.logs.iter().flat_map(|log| &log.keys).chain(file.certified.iter().flat_map(|one| &one.keys));
    let keys = VerifyingKeys::parse(keys)
        .map_err(|error| StoreError::Corrupt(Failure::caused_by("read the keys of a certificate", error)))?;
    if let Some(problem) = check(&bytes, &keys).problems.first() {
        return Err(corrupt(&format!("a certificate does not hold: {problem}")));
    }
    let packages = &request.call.stores.packages;
    packages.put_certificate(request.id, Form::Html, page(file).into()).await?;
    // The file last: whoever finds it finds both.
    packages.put_certificate(request.id, Form::Json, bytes.into()).await
}
