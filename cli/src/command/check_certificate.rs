//! `check-certificate`: a certificate of an erasure is one that the ledger certified, and each act that it names is in its log.
//!
//! Invariant: no network, no folder, no trust in anything but the keys given. Everything that does not hold is named by its place.

use std::io;
use std::path::PathBuf;

use ledgerline_certificate::{Checked, check};
use ledgerline_ledger::signing::VerifyingKeys;
use serde_json::{Value, json};

use crate::answer::{Answer, Answered, Outcome};
use crate::args::CheckCertificateArgs;
use crate::fault::Fault;
use crate::screen::{Mark, Screen, counted, grouped};
use crate::source::{read_file_of, vkeys};

/// Some 1,000 bytes an act, of ten thousand records, and as much again.
const MAX_FILE_BYTES: u64 = 32 * 1024 * 1024;
/// Problems that are shown: one byte that is altered may make many.
const SHOWN: usize = 20;

/// Checks a file.
pub(super) fn run(args: &CheckCertificateArgs) -> Answered {
    let remedy = "name the certificate.json that came with the erasure's page";
    let bytes = read_file_of(&args.file, MAX_FILE_BYTES, remedy)?;
    let keys = VerifyingKeys::parse(vkeys(&args.keys)?)
        .map_err(|error| Fault::caused_by("the keys given cannot be used together", &error, "give each key once"))?;
    Ok(Box::new(Told { file: args.file.clone(), checked: check(&bytes, &keys) }))
}

struct Told {
    file: PathBuf,
    checked: Checked,
}

impl Answer for Told {
    fn outcome(&self) -> Outcome {
        Outcome::of(self.checked.problems.is_empty())
    }

    fn json(&self) -> Value {
        let problems: Vec<Value> =
            self.checked.problems.iter().map(|one| json!({ "place": one.place, "what": one.what })).collect();
        let mut said = json!({ "good": problems.is_empty(), "problems": problems });
        if let Some(file) = &self.checked.certificate {
            said["certificate"] = json!(file.body.certificate);
            said["requestId"] = json!(file.body.request.request_id);
            said["sha256"] = json!(file.body.sha256());
            said["counts"] = json!(file.body.counts);
        }
        said
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let Checked { certificate, problems } = &self.checked;
        screen.title("CHECK-CERTIFICATE", &self.file.display().to_string())?;
        if let Some(file) = certificate {
            let body = &file.body;
            screen.fact("certificate", &body.certificate)?;
            screen.fact("request", &body.request.request_id)?;
            screen.fact("made at", &body.made_at)?;
            let acts = counted(body.counts.deletions, "entry", "entries");
            screen.fact("erased", &format!("{} of {} records", acts, grouped(body.counts.records)))?;
            screen.fact("keys destroyed", &grouped(body.counts.keys))?;
            screen.fact("on hold, kept", &format!("{}, {}", body.counts.held, body.counts.kept))?;
        }
        for one in problems.iter().take(SHOWN) {
            screen.check(Mark::Bad, &one.place, &one.what)?;
        }
        if problems.len() > SHOWN {
            screen.say(&format!("and {} more", counted((problems.len() - SHOWN) as u64, "problem", "problems")))?;
        }
        if problems.is_empty() {
            return screen.verdict(Mark::Good, "The ledger certified this, and has each of its entries.");
        }
        screen.verdict(Mark::Bad, "This is not what the ledger certified, or the key is not the right one.")
    }
}
