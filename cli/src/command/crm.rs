//! `crm load`: what a CRM says of customers, from a CSV file, over the deployment's API.
//!
//! Invariant: the file is read and checked whole before the first row is sent, and no cell of it is repeated in a fault or an answer: rows
//! are told by their lines. The pseudonyms are made by the API: nobody here holds their key. A load that ended early may be repeated.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::answer::{Answer, Answered};
use crate::api::Api;
use crate::args::{CrmCommand, CrmLoadArgs};
use crate::context::Context;
use crate::fault::Fault;
use crate::screen::{Mark, Screen, counted, grouped};

/// Rows of one call: the API's limit.
const ROWS_PER_CALL: usize = 100;
/// Lines that are told by number.
const LINES_TOLD: usize = 20;
const PATH: &str = "/api/v1/reference/crm";

/// Loads.
pub(super) fn run(what: &CrmCommand, context: &Context) -> Answered {
    match what {
        CrmCommand::Load(args) => load(args, context),
    }
}

fn load(args: &CrmLoadArgs, context: &Context) -> Answered {
    let file = File::open(&args.file).map_err(|error| {
        let what = format!("cannot read {}", args.file.display());
        Fault::caused_by(what, &error, "name a CSV file with a line of headings")
    })?;
    let Rows { rows, lines, blank } = read(file, &args.file, args)?;
    let api = Api::open(&args.api.api, context)?;
    let progress = context.progress("loading customers", Some(rows.len() as u64));
    let mut loaded = Loaded { file: args.file.display().to_string(), lines, blank, ..Loaded::default() };
    for rows in rows.chunks(ROWS_PER_CALL) {
        let mut body = json!({ "rows": rows.iter().map(|row| &row.body).collect::<Vec<_>>() });
        if let Some(org) = &args.org {
            body["org"] = json!(org);
        }
        let (_, answer) = api.post(PATH, &body).inspect_err(|_| progress.finish_and_clear())?;
        loaded.add(&answer, rows);
        progress.inc(rows.len() as u64);
    }
    progress.finish_and_clear();
    Ok(Box::new(loaded))
}

/// A row as the API takes it, and the line that it came from.
struct OneRow {
    line: u64,
    body: Value,
}

/// What a file holds.
struct Rows {
    rows: Vec<OneRow>,
    /// Lines below the headings.
    lines: u64,
    /// Those of them that name nobody, or of whom nothing is said.
    blank: u64,
}

/// Where the columns are that are read.
struct Columns {
    /// By place: the kind.
    keys: Vec<(usize, String)>,
    /// By place: the member.
    said: Vec<(usize, &'static str)>,
}

impl Columns {
    fn find(headings: &csv::StringRecord, args: &CrmLoadArgs) -> Result<Self, Fault> {
        let place = |name: &str| headings.iter().position(|heading| heading.trim().eq_ignore_ascii_case(name));
        let missing = |name: &str| {
            let known: Vec<&str> = headings.iter().map(str::trim).collect();
            Fault::new(format!("the file has no column {name:?}"), format!("it has {}", known.join(", ")))
        };
        let mut keys = Vec::new();
        for key in &args.keys {
            let (column, kind) = key
                .rsplit_once('=')
                .filter(|(column, kind)| !column.is_empty() && !kind.is_empty())
                .ok_or_else(|| {
                Fault::new(
                    "--key is not COLUMN=KIND",
                    "write it as phone_number=phone, or contact_id=record for an interaction's id",
                )
            })?;
            keys.push((place(column).ok_or_else(|| missing(column))?, kind.to_owned()));
        }
        let mut said = Vec::new();
        for (member, column) in [("tier", &args.tier), ("product", &args.product), ("owner", &args.owner)] {
            match (column.as_deref(), place(column.as_deref().unwrap_or(member))) {
                (_, Some(place)) => said.push((place, member)),
                (Some(column), None) => return Err(missing(column)),
                (None, None) => {}
            }
        }
        if said.is_empty() {
            let remedy = "name one with --tier, --product or --owner";
            return Err(Fault::new("the file has no column tier, product or owner", remedy));
        }
        Ok(Self { keys, said })
    }
}

/// Reads a file whole.
fn read(file: impl Read, path: &Path, args: &CrmLoadArgs) -> Result<Rows, Fault> {
    // The library's errors may quote a record.
    let bad = |line: Option<u64>| {
        let line = line.map_or_else(String::new, |line| format!(" at line {line}"));
        let remedy = "see that every line has as many cells as the headings, in UTF-8, and that quotes are closed";
        Fault::new(format!("{} is not CSV{line}", path.display()), remedy)
    };
    let line_of = |error: &csv::Error| error.position().map(csv::Position::line);
    let mut reader = csv::ReaderBuilder::new().delimiter(args.delimiter()?).from_reader(file);
    let headings = reader.headers().map_err(|error| bad(line_of(&error)))?;
    let mut headings = headings.clone();
    if let Some(first) = headings.get(0).and_then(|first| first.strip_prefix('\u{feff}')).map(str::to_owned) {
        headings = std::iter::once(first.as_str()).chain(headings.iter().skip(1)).collect();
    }
    let columns = Columns::find(&headings, args)?;
    let mut all = Rows { rows: Vec::new(), lines: 0, blank: 0 };
    for record in reader.records() {
        let record = record.map_err(|error| bad(line_of(&error)))?;
        let line = record.position().map_or(0, csv::Position::line);
        all.lines += 1;
        let rows = rows_of(&columns, &record);
        all.blank += u64::from(rows.is_empty());
        all.rows.extend(rows.into_iter().map(|body| OneRow { line, body }));
    }
    if all.rows.is_empty() {
        return Err(Fault::new(
            format!("{} says nothing of anybody", path.display()),
            "see that its cells are not empty",
        ));
    }
    Ok(all)
}

/// What a line says: once for each key that it names somebody by.
fn rows_of(columns: &Columns, record: &csv::StringRecord) -> Vec<Value> {
    let cell = |place: usize| record.get(place).map(str::trim).filter(|cell| !cell.is_empty());
    let said: Map<String, Value> =
        columns.said.iter().filter_map(|(place, member)| Some(((*member).to_owned(), json!(cell(*place)?)))).collect();
    if said.is_empty() {
        return Vec::new();
    }
    let row = |(place, kind): &(usize, String)| {
        let mut row = said.clone();
        row.insert("kind".to_owned(), json!(kind));
        row.insert("value".to_owned(), json!(cell(*place)?));
        Some(Value::Object(row))
    };
    columns.keys.iter().filter_map(row).collect()
}

/// What became of a file.
#[derive(Default)]
struct Loaded {
    file: String,
    lines: u64,
    blank: u64,
    org: String,
    loaded: u64,
    suppressed: u64,
    tiers_masked: u64,
    products_masked: u64,
    /// Lines by whose key nobody is named.
    refused: BTreeSet<u64>,
}

impl Loaded {
    fn add(&mut self, answer: &Value, rows: &[OneRow]) {
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        self.org = answer["org"].as_str().unwrap_or_default().to_owned();
        self.loaded += number(&answer["loaded"]);
        self.suppressed += number(&answer["suppressed"]);
        self.tiers_masked += number(&answer["masked"]["tier"]);
        self.products_masked += number(&answer["masked"]["product"]);
        let refused = answer["refused"].as_array().into_iter().flatten();
        let refused = refused.filter_map(|index| rows.get(usize::try_from(index.as_u64()?).ok()?));
        self.refused.extend(refused.map(|row| row.line));
    }
}

impl Answer for Loaded {
    fn json(&self) -> Value {
        json!({
            "org": self.org, "lines": self.lines, "blank": self.blank, "loaded": self.loaded, "suppressed": self.suppressed,
            "masked": { "tier": self.tiers_masked, "product": self.products_masked }, "refusedLines": self.refused,
        })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("CRM LOADED", &self.org)?;
        screen.fact("file", &self.file)?;
        screen.fact("lines", &grouped(self.lines))?;
        screen.fact("loaded", &grouped(self.loaded))?;
        screen.gap()?;
        if !self.refused.is_empty() {
            let lines: Vec<String> = self.refused.iter().take(LINES_TOLD).map(u64::to_string).collect();
            let more = if self.refused.len() > LINES_TOLD { ", …" } else { "" };
            let what = counted(self.refused.len() as u64, "line names nobody", "lines name nobody");
            screen.check(Mark::Look, &what, &format!("lines {}{more}", lines.join(", ")))?;
        }
        if self.suppressed > 0 {
            let what =
                counted(self.suppressed, "row is of somebody who was erased", "rows are of people who were erased");
            screen.check(Mark::Look, &what, "nothing of them is kept: take them out of the CRM, too")?;
        }
        for (masked, one, more) in [
            (self.tiers_masked, "tier is not of the policy's words", "tiers are not of the policy's words"),
            (self.products_masked, "product is not of the policy's words", "products are not of the policy's words"),
        ] {
            if masked > 0 {
                screen.check(Mark::Look, &counted(masked, one, more), "silver has null for them")?;
            }
        }
        screen.verdict(Mark::Good, "Silver says it of events that come from a minute from now on.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::ApiArgs;

    fn args(keys: &[&str]) -> CrmLoadArgs {
        CrmLoadArgs {
            file: "customers.csv".into(),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            tier: None,
            product: None,
            owner: Some("Account Owner".to_owned()),
            org: None,
            delimiter: ",".to_owned(),
            api: ApiArgs { api: "https://api.example/live".to_owned() },
        }
    }

    fn rows(text: &str, args: &CrmLoadArgs) -> Result<Rows, Fault> {
        read(text.as_bytes(), Path::new("customers.csv"), args)
    }

    #[test]
    fn each_key_of_a_line_is_a_row_and_empty_cells_are_none() {
        let text = "\u{feff}Phone,contact_id,Tier,account owner,name\n\"+1 555 555 0142\",c-1,Gold,Jane,x\n,c-2,,  ,x\n+15555550143,,Silver,,x\n";
        let read = rows(text, &args(&["phone=phone", "contact_id=record"])).unwrap();
        assert_eq!((read.lines, read.blank), (3, 1));
        let bodies: Vec<(u64, &Value)> = read.rows.iter().map(|row| (row.line, &row.body)).collect();
        assert_eq!(
            bodies,
            [
                (2, &json!({ "kind": "phone", "value": "+1 555 555 0142", "tier": "Gold", "owner": "Jane" })),
                (2, &json!({ "kind": "record", "value": "c-1", "tier": "Gold", "owner": "Jane" })),
                (4, &json!({ "kind": "phone", "value": "+15555550143", "tier": "Silver" })),
            ]
        );
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_without_a_cell_of_it() {
        let planted = "+15555550142";
        for (text, keys, said) in [
            (format!("phone,tier,account owner\n{planted},Gold,x,more\n"), ["phone=phone"], "is not CSV at line 2"),
            (format!("phone,tier\n{planted},Gold\n"), ["mobile=phone"], "no column \"mobile\""),
            (format!("phone,tier\n{planted},Gold\n"), ["phone"], "--key is not COLUMN=KIND"),
            (format!("phone,level\n{planted},Gold\n"), ["phone=phone"], "no column \"Account Owner\""),
            ("phone,tier,account owner\n,,\n".to_owned(), ["phone=phone"], "says nothing of anybody"),
        ] {
            let fault = rows(&text, &args(&keys)).err().unwrap().to_string();
            assert!(fault.contains(said) && !fault.contains("5555550142"), "{fault}");
        }
        let none = CrmLoadArgs { owner: None, ..args(&["phone=phone"]) };
        let fault = rows("phone,level\nx,Gold\n", &none).err().unwrap().to_string();
        assert!(fault.contains("no column tier, product or owner"), "{fault}");
    }

    #[test]
    fn an_answer_tells_refused_rows_by_their_lines() {
        let mut loaded = Loaded::default();
        let rows = [OneRow { line: 2, body: json!({}) }, OneRow { line: 7, body: json!({}) }];
        let answer = json!({ "org": "acme", "loaded": 1, "suppressed": 1, "refused": [1], "masked": { "tier": 2, "product": 0 } });
        loaded.add(&answer, &rows);
        loaded.add(&json!({ "org": "acme", "loaded": 3, "suppressed": 0, "refused": [], "masked": {} }), &rows);
        let mut out = Vec::new();
        loaded.draw(&mut Screen::new(&mut out, 100, false)).unwrap();
        let text = String::from_utf8(out).unwrap();
        for said in ["1 line names nobody", "lines 7", "1 row is of somebody who was erased", "2 tiers are not"] {
            assert!(text.contains(said), "{said}: {text}");
        }
        assert!(!text.contains("product"), "{text}");
        let said = loaded.json();
        assert_eq!((&said["loaded"], &said["refusedLines"], &said["org"]), (&json!(4), &json!([7]), &json!("acme")));
    }
}
