//! `request certificate`: fetches the certificate of an erasure that is done, and its page, over the deployment's API.
//!
//! Invariant: what is written is, byte for byte, what the API gave; a file is there whole or not at all. It is not checked here: whoever
//! gives the file and its check must not be one.

use std::io;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::request::checked_id;
use crate::answer::{Answer, Answered};
use crate::api::Api;
use crate::args::RequestCertificateArgs;
use crate::context::Context;
use crate::fault::Fault;
use crate::private;
use crate::screen::{Mark, Screen};

/// Parts of a certificate at most: of 4 MiB each, far beyond ten thousand records.
const PARTS: usize = 64;

/// Fetches and writes both.
pub(super) fn run(args: &RequestCertificateArgs, context: &Context) -> Answered {
    let (api, id) = (Api::open(&args.which.api.api, context)?, checked_id(&args.which.id)?);
    let mut files = Vec::new();
    for form in ["json", "html"] {
        let text = fetch(&api, id, form)?;
        let path = args.out.join(format!("certificate.{form}"));
        private::put_file(&path, text.as_bytes()).map_err(|error| {
            Fault::caused_by(format!("cannot write {}", path.display()), &error, "name another folder with --out")
        })?;
        files.push((path, text.len()));
    }
    Ok(Box::new(Fetched { id: id.to_owned(), files }))
}

/// All parts, until one is empty.
fn fetch(api: &Api, id: &str, form: &str) -> Result<String, Fault> {
    let mut text = String::new();
    for part in 0..PARTS {
        let more = api.text(&format!("requests/{id}/certificate?format={form}&part={part}"))?;
        if more.is_empty() {
            return Ok(text);
        }
        text.push_str(&more);
    }
    Err(Fault::new("the certificate does not end", "see whether the URL of --api is right"))
}

struct Fetched {
    id: String,
    files: Vec<(PathBuf, usize)>,
}

impl Answer for Fetched {
    fn json(&self) -> Value {
        let files: Vec<Value> =
            self.files.iter().map(|(path, bytes)| json!({ "file": path, "bytes": bytes })).collect();
        json!({ "requestId": self.id, "files": files })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("CERTIFICATE", &self.id)?;
        for (path, bytes) in &self.files {
            screen.fact("written", &format!("{} ({bytes} bytes)", path.display()))?;
        }
        screen.fact("check it with", "ledgerline check-certificate certificate.json --key <the ledger's vkey>")?;
        screen.verdict(Mark::Good, "Hand over both files; the key must reach the reader another way.")
    }
}
