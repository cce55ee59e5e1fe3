//! Act 4, its end: the certificate of the erasure, checked offline by the ledger's public key, and with one digit altered.
//!
//! Invariant: what is checked are the bytes that the API gave, by the key that KMS shows, and by the library that `ledgerline
//! check-certificate` is made of.

use std::io::{self, Write};

use ledgerline_certificate::{Remains, check};
use ledgerline_ledger::checkpoint::origin;
use ledgerline_ledger::log::{LogId, REQUESTS};
use ledgerline_ledger::signing::{VerifyingKeys, public_key_of_spki, vkey};
use xtask::fault::Fault;

use super::chain::Chain;
use super::erasure::document;
use super::report::{Certificate, Check, Left, grouped};
use super::screen::Screen;
use super::sealed::{DEPLOY_AGAIN, deployed};
use super::{folder, shown};

/// Fetches the certificate of a request that is done, leaves it where one can look at it, and checks it.
pub(super) async fn fetch(chain: &Chain, org: &str, id: &str) -> Result<Certificate, Fault> {
    let of = |form: &str| document(&chain.stack, "approver", &format!("requests/{id}/certificate?format={form}"));
    let (json, html) = (of("json")?, of("html")?);
    let key = public_key(chain, org).await?;
    let keys = VerifyingKeys::parse([key.clone()])
        .map_err(|error| Fault::caused_by("the ledger's key is no verifier key", error, DEPLOY_AGAIN))?;
    let problems = |text: &str| check(text.as_bytes(), &keys).problems.iter().map(ToString::to_string).collect();
    let checked = check(json.as_bytes(), &keys);
    let mut certificate = Certificate {
        bytes: json.len() as u64,
        problems: checked.problems.iter().map(ToString::to_string).collect(),
        // That it was recorded among others, who hide it.
        altered: problems(&json.replacen(ALONE, AMONG_TEN, 1)),
        key,
        json: written("certificate.json", &json)?,
        html: written("certificate.html", &html)?,
        ..Certificate::default()
    };
    if let Some(file) = checked.certificate {
        certificate.name = file.body.certificate.clone();
        certificate.sha256 = file.body.sha256().unwrap_or_default();
        certificate.deletions = file.body.counts.deletions;
        certificate.keys = file.body.counts.keys;
        certificate.request_id = file.body.request.request_id;
        certificate.remains =
            file.body.remains.into_iter().map(|Remains { kind, until, .. }| Left { kind, until }).collect();
    }
    Ok(certificate)
}

/// Shows it.
pub(super) fn tell(screen: &mut Screen<impl Write>, certificate: &Certificate) -> io::Result<()> {
    screen.gap()?;
    screen.say(
        "The ledger says of each interaction that it was erased, and not whose it was. The certificate joins these entries, with their \
         proofs: whoever has the file and the ledger's public key checks it without this deployment.",
    )?;
    screen.gap()?;
    screen.fact("certificate", &format!("{}, {} bytes", certificate.name, grouped(certificate.bytes)))?;
    screen.fact(
        "it proves",
        &format!(
            "{} entries of a deletion, {} destroyed keys",
            grouped(certificate.deletions),
            grouped(certificate.keys)
        ),
    )?;
    screen
        .fact("in the ledger", &format!("its SHA-256 alone: {}…", certificate.sha256.get(..16).unwrap_or_default()))?;
    let good = if certificate.problems.is_empty() { "good" } else { "NOT GOOD" };
    screen.fact("checked offline", &format!("{good}, by {}…", certificate.key.get(..24).unwrap_or_default()))?;
    let altered = certificate.altered.first().map_or("NOT NOTICED", String::as_str);
    screen.fact("one digit altered", altered)?;
    screen.fact("what remains", &format!("{} kinds of things, each with its end", certificate.remains.len()))?;
    screen.fact("to read, to print", &certificate.html)
}

/// What must hold of it.
pub(super) fn checks(certificate: &Certificate, request: &str) -> [Check; 2] {
    let check = |name: &str, passed: bool, detail: String, remedy: &str| Check {
        name: name.to_owned(),
        passed,
        detail,
        remedy: (!passed).then(|| remedy.to_owned()),
    };
    let is_good = certificate.problems.is_empty() && certificate.deletions > 0 && certificate.request_id == request;
    let problem = certificate.problems.first().map_or("", String::as_str);
    [
        check(
            "The certificate of the erasure holds, offline",
            is_good && !certificate.remains.is_empty(),
            format!("{} entries, {} problems {problem}", grouped(certificate.deletions), certificate.problems.len()),
            "run ledgerline check-certificate target/demo/certificate.json --key with the key that the demo names",
        ),
        check(
            "One altered digit of it is noticed",
            !certificate.altered.is_empty(),
            format!("{} problems", certificate.altered.len()),
            "alter the count of pooled requests, and check it again",
        ),
    ]
}

/// The ledger's verifier key, as KMS shows the key that signs.
async fn public_key(chain: &Chain, org: &str) -> Result<String, Fault> {
    let config = chain.stack.sdk_config().await;
    let signer = deployed(chain, &config, "AuditWriteFunction").await?;
    let variables = signer.environment().and_then(|environment| environment.variables());
    let variable = |name: &str| {
        let value = variables.and_then(|variables| variables.get(name)).cloned();
        value.ok_or_else(|| Fault::new(format!("audit-write has no {name}"), DEPLOY_AGAIN))
    };
    let (deployment, key) = (variable("DEPLOYMENT_ID")?, variable("SIGNING_KEY_ID")?);
    let answer = aws_sdk_kms::Client::new(&config).get_public_key().key_id(&key).send().await;
    let answer =
        answer.map_err(|error| chain.stack.unreachable(format!("cannot read the key {key}"), error.into_source()))?;
    let spki = answer.public_key.map(|blob| blob.into_inner()).unwrap_or_default();
    let public = public_key_of_spki(&spki)
        .map_err(|error| Fault::caused_by("the signing key is not Ed25519", error, DEPLOY_AGAIN))?;
    let log = LogId::first_of(org, REQUESTS)
        .map_err(|error| Fault::caused_by("the demo's org names no log", error, "report this"))?;
    Ok(vkey(&origin(&deployment, &log), &public))
}

fn written(name: &str, text: &str) -> Result<String, Fault> {
    let path = folder().join(name);
    let written = std::fs::create_dir_all(folder()).and_then(|()| std::fs::write(&path, text));
    written.map_err(|error| {
        Fault::caused_by(
            format!("cannot write {}", path.display()),
            error,
            "make room or permission for it below target/",
        )
    })?;
    Ok(shown(&path))
}

/// How many requests were recorded together, as the file says it…
const ALONE: &str = "\"pooled\":1";
/// …and as somebody would say it who hides that it can be joined.
const AMONG_TEN: &str = "\"pooled\":10";

#[cfg(test)]
mod tests {
    use super::super::report::sample;
    use super::*;

    #[test]
    fn the_checks_want_it_good_of_this_request_and_a_lie_noticed() {
        let erasure = sample::report().erasure;
        let (good, id) = (erasure.certificate, erasure.request_id);
        let passed = |certificate: &Certificate| checks(certificate, &id).map(|check| check.passed);
        assert_eq!(passed(&good), [true, true]);
        assert_eq!(passed(&Certificate { problems: vec!["body: x".to_owned()], ..good.clone() }), [false, true]);
        assert_eq!(passed(&Certificate { deletions: 0, ..good.clone() }), [false, true]);
        assert_eq!(passed(&Certificate { request_id: "req_other".to_owned(), ..good.clone() }), [false, true]);
        assert_eq!(passed(&Certificate { remains: Vec::new(), ..good.clone() }), [false, true]);
        assert_eq!(passed(&Certificate { altered: Vec::new(), ..good }), [true, false]);
        assert_eq!(passed(&Certificate::default()), [false, false]);
    }
}
