//! `lineage`: where an interaction's events are, as the API says, with proofs for `check-proof`; and the events of a provenance's status and
//! version, searched in silver.
//!
//! Invariant: what is written goes below `--proofs` and nowhere else, under names that are event ids.

use std::io;
use std::path::Path;

use ledgerline_event::instant;
use ledgerline_lake::keys::parse_iso_date;
use ledgerline_lake::sql::drill;
use serde_json::{Value, json};
use time::Date;

use crate::answer::{Answer, Answered, Outcome};
use crate::api::Api;
use crate::args::LineageArgs;
use crate::cloud::Cloud;
use crate::context::Context;
use crate::fault::Fault;
use crate::private;
use crate::question::{self, Cells, number, text};
use crate::screen::{Mark, Screen, grouped};

const PATH: &str = "/api/v1/lineage/";
/// Pages of an answer: a hundred entries each.
const MAX_PAGES: usize = 1_000;
/// Events that a person is shown; JSON has all of them.
const SHOWN: usize = 60;

/// Asks the API, or searches.
pub(super) fn run(args: &LineageArgs, context: &Context) -> Answered {
    match (&args.subject, &args.api, &args.stack) {
        (Some(subject), Some(api), _) => told(&Api::open(api, context)?, subject, args),
        (None, _, Some(stack)) => found(&Cloud::open(stack)?, context, args),
        _ => Err(Fault::new(
            "neither a name with --api nor a search with --stack is given",
            "see `ledgerline lineage --help`",
        )),
    }
}

/// All pages of the API's answer.
fn told(api: &Api, subject: &str, args: &LineageArgs) -> Answered {
    let proof = if args.proofs.is_some() { "true" } else { "false" };
    let org = args.org.as_ref().map(|org| format!("&org={}", encoded(org))).unwrap_or_default();
    let (mut token, mut pages): (Option<String>, Vec<Value>) = (None, Vec::new());
    for _ in 0..MAX_PAGES {
        let next = token.as_ref().map(|token| format!("&pageToken={token}")).unwrap_or_default();
        let page = api.get(&format!("{PATH}{}?proof={proof}{org}{next}", encoded(subject)))?;
        token = page["nextPageToken"].as_str().map(str::to_owned);
        pages.push(page);
        if token.is_none() {
            break;
        }
    }
    let mut proofs = 0;
    if let Some(folder) = &args.proofs {
        for entry in entries(&pages) {
            proofs += usize::from(write(folder, entry)?);
        }
    }
    let complete = token.is_none() && pages.iter().all(|page| page["complete"] == true);
    Ok(Box::new(Told { subject: subject.to_owned(), pages, complete, proofs }))
}

fn entries(pages: &[Value]) -> impl Iterator<Item = &Value> {
    let records = pages.iter().flat_map(|page| page["records"].as_array().into_iter().flatten());
    records.flat_map(|record| record["entries"].as_array().into_iter().flatten())
}

/// Writes an entry's proof and line; whether it has one.
fn write(folder: &Path, entry: &Value) -> Result<bool, Fault> {
    let proof = &entry["ledger"]["proof"];
    let (Some(tlog_proof), Some(line)) = (proof["tlogProof"].as_str(), proof["entry"].as_str()) else {
        return Ok(false);
    };
    let event = entry["eventId"].as_str().filter(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()));
    let event = event.ok_or_else(|| {
        Fault::new("the API names an event by something else than an id", "see whether --api is right")
    })?;
    for (suffix, text) in [("tlog-proof", tlog_proof.to_owned()), ("json", format!("{line}\n"))] {
        let path = folder.join(format!("{event}.{suffix}"));
        private::write_file(&path, text.as_bytes()).map_err(|error| {
            Fault::caused_by(format!("cannot write {}", path.display()), &error, "name another folder with --proofs")
        })?;
    }
    Ok(true)
}

/// What may stand in a path or a query as it is; the rest as its bytes. A slash stays: it parts an entity's type from its id.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/' | b':');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

struct Told {
    subject: String,
    pages: Vec<Value>,
    complete: bool,
    proofs: usize,
}

impl Answer for Told {
    fn outcome(&self) -> Outcome {
        if self.complete { Outcome::Holds } else { Outcome::Unchecked }
    }

    fn json(&self) -> Value {
        let records: Vec<&Value> =
            self.pages.iter().flat_map(|page| page["records"].as_array().into_iter().flatten()).collect();
        json!({ "subject": self.subject, "complete": self.complete, "records": records, "proofs": self.proofs })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("LINEAGE", &self.subject)?;
        let said = |value: &Value| value.as_str().unwrap_or("–").to_owned();
        let row = |entry: &Value| {
            let (bronze, ledger, gold) = (&entry["bronze"], &entry["ledger"], &entry["gold"]);
            let counted = match gold["counted"].as_bool() {
                Some(true) => format!("{}, revision {}", said(&gold["intervalStart"]), gold["revision"]),
                Some(false) => "not counted yet".to_owned(),
                None => "–".to_owned(),
            };
            vec![
                said(&entry["occurredAt"]),
                said(&entry["type"]),
                said(&bronze["state"]),
                said(&bronze["object"]),
                bronze["line"].to_string(),
                ledger["index"].to_string(),
                counted,
            ]
        };
        let rows: Vec<Vec<String>> = entries(&self.pages).take(SHOWN).map(row).collect();
        if rows.is_empty() {
            screen.say("Nothing of it is committed yet.")?;
        } else {
            screen.table(&["occurred", "type", "bronze", "object", "line", "ledger #", "gold"], &rows)?;
        }
        let all = entries(&self.pages).count();
        if all > SHOWN {
            screen.say(&format!("and {} more; --json names them all", grouped((all - SHOWN) as u64)))?;
        }
        if self.proofs > 0 {
            screen.check(
                Mark::Good,
                &format!("{} proofs written", grouped(self.proofs as u64)),
                "check each with `ledgerline check-proof`",
            )?;
        }
        screen.gap()?;
        if self.complete {
            screen.verdict(Mark::Good, "Nothing that lies in bronze is missing.")
        } else {
            screen.verdict(Mark::Look, "Some of it is on its way, or could not be read: ask again.")
        }
    }
}

/// Searches silver.
fn found(cloud: &Cloud, context: &Context, args: &LineageArgs) -> Answered {
    let date = |text: &Option<String>| -> Result<Option<Date>, Fault> {
        let bad = || Fault::new("a date is none", "write it as YYYY-MM-DD, such as 2026-03-02");
        text.as_ref().map(|text| parse_iso_date(text).ok_or_else(bad)).transpose()
    };
    let from = date(&args.from)?.ok_or_else(|| Fault::new("no date is named", "name the first with --from"))?;
    let to = date(&args.to)?.unwrap_or(from);
    let (status, version, org) = (args.status.as_deref(), args.version.as_deref(), args.org.as_deref());
    let sql = drill::provenance(from, to, status, version, org, args.limit as usize).ok_or_else(|| {
        Fault::new(
            "--status or --version is no word of a provenance",
            "write letters, digits, dots and dashes, such as processed and 1.1",
        )
    })?;
    let rows = question::rows(cloud, context, "search provenances", &sql)?;
    Ok(Box::new(Found { rows, limit: args.limit as usize }))
}

struct Found {
    rows: Vec<Cells>,
    limit: usize,
}

impl Found {
    fn record(cells: &Cells) -> String {
        match text(cells, "interaction_id") {
            Some(id) => id.to_owned(),
            None => {
                format!("{}/{}", text(cells, "entity_type").unwrap_or("–"), text(cells, "entity_id").unwrap_or("–"))
            }
        }
    }

    fn occurred(cells: &Cells) -> Option<String> {
        number(cells, "occurred_at_ms").map(instant::to_rfc3339)
    }
}

impl Answer for Found {
    fn json(&self) -> Value {
        let event = |cells: &Cells| {
            json!({
                "org": text(cells, "org"), "record": Self::record(cells), "type": text(cells, "event_type"), "occurredAt": Self::occurred(cells),
                "object": text(cells, "bronze_object"), "line": number(cells, "bronze_line"),
                "lineageToken": text(cells, "lineage_token"), "lineageProvenance": text(cells, "lineage_provenance"),
            })
        };
        json!({ "events": self.rows.iter().map(event).collect::<Vec<_>>(), "cut": self.rows.len() >= self.limit })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("LINEAGE", "events by their provenance")?;
        screen.fact("events", &grouped(self.rows.len() as u64))?;
        screen.gap()?;
        let row = |cells: &Cells| {
            let said = |name: &str| text(cells, name).unwrap_or("–").to_owned();
            vec![
                Self::occurred(cells).unwrap_or_default(),
                said("event_type"),
                Self::record(cells),
                said("bronze_object"),
                said("bronze_line"),
            ]
        };
        let rows: Vec<Vec<String>> = self.rows.iter().take(SHOWN).map(row).collect();
        if !rows.is_empty() {
            screen.table(&["occurred", "type", "of", "bronze object", "line"], &rows)?;
        }
        if self.rows.len() >= self.limit {
            screen.say("There may be more: raise --limit, or name fewer dates.")?;
        }
        screen.gap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(counted: bool) -> Value {
        let entry = json!({
            "eventId": "0f".repeat(16), "type": "acd.end", "occurredAt": "2026-03-02T14:00:00.000Z",
            "bronze": { "state": "kept", "object": "ab", "line": 3 },
            "ledger": { "index": 7, "proof": { "tlogProof": "proof\n", "entry": "{}" } },
            "gold": { "intervalStart": "2026-03-02T14:00:00.000Z", "revision": 2, "counted": counted },
        });
        json!({ "complete": true, "records": [{ "org": "acme", "entries": [entry] }] })
    }

    #[test]
    fn an_events_way_is_a_row_and_its_proof_two_files() {
        let folder = std::env::temp_dir().join(format!("ledgerline-lineage-{}", std::process::id()));
        let pages = vec![page(true)];
        assert!(write(&folder, entries(&pages).next().unwrap()).unwrap());
        let line = std::fs::read_to_string(folder.join(format!("{}.json", "0f".repeat(16)))).unwrap();
        assert_eq!(line, "{}\n");
        std::fs::remove_dir_all(&folder).unwrap();
        let told = Told { subject: "c-1".to_owned(), pages, complete: true, proofs: 1 };
        let mut out = Vec::new();
        told.draw(&mut Screen::new(&mut out, 160, false)).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("revision 2") && text.contains("kept") && text.contains("1 proofs"), "{text}");
        assert_eq!(told.json()["records"][0]["org"], "acme");
    }

    #[test]
    fn an_event_id_that_is_a_path_is_refused() {
        let mut pages = vec![page(false)];
        pages[0]["records"][0]["entries"][0]["eventId"] = json!("../../x");
        assert!(write(Path::new("nowhere"), entries(&pages).next().unwrap()).is_err());
    }

    #[test]
    fn a_name_is_encoded_but_for_its_slash() {
        assert_eq!(encoded("Queue/q 1"), "Queue/q%201");
        assert_eq!(encoded("lt:98765&x=1"), "lt:98765%26x%3D1");
    }
}
