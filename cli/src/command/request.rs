//! `request`: requests of persons that come by phone or by post, over the deployment's API.
//!
//! Invariant: it writes no row: what the API refuses is refused here, too, so that the rules of who may do what hold for everybody. A
//! phone number or an address comes by standard input alone, never as an argument, which a shell's history and `ps` would show; a customer's
//! id or hash may be one, and need not.

use std::io::{self, Read as _};

use ledgerline_event::adapters::is_org;
use serde_json::{Map, Value, json};

use crate::answer::{Answer, Answered};
use crate::api::Api;
use crate::args::{
    RequestApproveArgs, RequestCommand, RequestCreateArgs, RequestListArgs, RequestShowArgs, RequestVerifyArgs,
    WhichRequest,
};
use crate::context::Context;
use crate::fault::Fault;
use crate::screen::{Mark, Screen, counted};

use super::request_certificate;

/// Longest input that is read: fifty identifiers of 512 bytes, their kinds, and white space.
const INPUT_BYTES: u64 = 32 * 1024;
/// The API's status for a request that was not there before.
const CREATED: u16 = 201;
/// Pages that a list asks for: ten thousand requests.
const PAGES: usize = 100;

/// Makes, lists, shows, or takes a step.
pub(super) fn run(what: &RequestCommand, context: &Context) -> Answered {
    match what {
        RequestCommand::Create(args) => create(args, context),
        RequestCommand::List(args) => list(args, context),
        RequestCommand::Show(args) => show(args, context),
        RequestCommand::Verify(args) => verify(args, context),
        RequestCommand::Approve(args) => approve(args, context),
        RequestCommand::Cancel(args) => step(&args.which, "cancel", &json!({ "reason": args.reason }), context),
        RequestCommand::Refuse(args) => step(&args.which, "refuse", &json!({ "reason": args.reason }), context),
        RequestCommand::Certificate(args) => request_certificate::run(args, context),
        RequestCommand::Extend(args) => step(&args.which, "extend", &json!({ "reason": args.reason }), context),
    }
}

fn create(args: &RequestCreateArgs, context: &Context) -> Answered {
    // What is wrong with the input is said before the API is asked.
    let mut body = Map::new();
    body.insert("type".to_owned(), json!(word(args.kind).to_uppercase()));
    body.insert("regime".to_owned(), json!(word(args.regime).to_uppercase()));
    let given = [("org", &args.org), ("reference", &args.reference), ("customerIdHash", &args.customer)];
    for (name, value) in given.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        body.insert(name.to_owned(), json!(value));
    }
    if !args.interactions.is_empty() {
        body.insert("interactions".to_owned(), json!(args.interactions));
    }
    if args.stdin {
        body.insert("identifiers".to_owned(), identifiers(&read_input()?)?);
    }
    let (status, request) = Api::open(&args.api.api, context)?.post("requests", &Value::Object(body))?;
    Ok(Box::new(Made { request, asked_before: status != CREATED }))
}

fn list(args: &RequestListArgs, context: &Context) -> Answered {
    let org = args.org.as_deref().map(org).transpose()?.map(|org| format!("org={org}"));
    let api = Api::open(&args.api.api, context)?;
    let (mut requests, mut token) = (Vec::new(), None::<String>);
    for _ in 0..PAGES {
        let page = token.map(|token| format!("pageToken={token}"));
        let query: Vec<String> = org.iter().cloned().chain(page).collect();
        let answer = api.get(&format!("requests?{}", query.join("&")))?;
        requests.extend(answer["requests"].as_array().cloned().unwrap_or_default());
        token = answer["nextPageToken"].as_str().map(str::to_owned);
        // Closed ones come behind all open ones. A page may be empty, and have others behind it.
        if token.is_none() || (!args.all && requests.last().is_some_and(is_closed)) {
            break;
        }
    }
    let more = token.is_some() && (args.all || !requests.last().is_some_and(is_closed));
    if !args.all {
        requests.retain(|one| !is_closed(one));
    }
    Ok(Box::new(Requests { api: args.api.api.clone(), requests, all: args.all, more }))
}

fn is_closed(request: &Value) -> bool {
    matches!(request["state"].as_str(), Some("done" | "cancelled" | "refused"))
}

/// The organisation's name, if it is one: it goes into a URL.
fn org(name: &str) -> Result<&str, Fault> {
    let remedy = "name it as its logs begin: 1 to 64 of A-Z a-z 0-9 . _ -";
    if is_org(name) { Ok(name) } else { Err(Fault::new("ORG is not an organisation's name", remedy)) }
}

fn show(args: &RequestShowArgs, context: &Context) -> Answered {
    let api = Api::open(&args.which.api.api, context)?;
    let id = id(&args.which)?;
    let request = api.get(&format!("requests/{id}"))?;
    let preview = if args.preview { Some(api.get(&format!("requests/{id}/preview"))?) } else { None };
    Ok(Box::new(Shown { request, preview }))
}

fn verify(args: &RequestVerifyArgs, context: &Context) -> Answered {
    let mut body = json!({ "method": word(args.method) });
    if let Some(reference) = &args.reference {
        body["reference"] = json!(reference);
    }
    step(&args.which, "verify", &body, context)
}

fn approve(args: &RequestApproveArgs, context: &Context) -> Answered {
    let shared: Map<String, Value> = args.erase.iter().map(|record| (record.clone(), json!("erase"))).collect();
    step(&args.which, "approve", &json!({ "previewDigest": args.digest, "shared": shared }), context)
}

fn step(which: &WhichRequest, verb: &str, body: &Value, context: &Context) -> Answered {
    let id = id(which)?;
    let (_, request) = Api::open(&which.api.api, context)?.post(&format!("requests/{id}/{verb}"), body)?;
    Ok(Box::new(Shown { request, preview: None }))
}

fn id(which: &WhichRequest) -> Result<&str, Fault> {
    checked_id(&which.id)
}

/// The id, if it is one: it goes into a path.
pub(super) fn checked_id(id: &str) -> Result<&str, Fault> {
    let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let remedy = "name it as `ledgerline request list` shows it: req_ and 32 digits";
    if plain && !id.is_empty() { Ok(id) } else { Err(Fault::new("ID is not a request's id", remedy)) }
}

fn read_input() -> Result<String, Fault> {
    whole(io::stdin().lock())
}

/// The whole input, or none of it: of one that is cut, the last identifier would be somebody else's.
fn whole(input: impl io::Read) -> Result<String, Fault> {
    let mut text = String::new();
    input.take(INPUT_BYTES + 1).read_to_string(&mut text).map_err(|error| {
        Fault::caused_by("cannot read standard input", &error, "give lines of UTF-8 text, kind:value")
    })?;
    if text.len() as u64 > INPUT_BYTES {
        let remedy = "give at most fifty identifiers; make several requests of more";
        return Err(Fault::new(format!("standard input is longer than {INPUT_BYTES} bytes"), remedy));
    }
    Ok(text)
}

/// A line each, kind:value. No line is repeated in a fault.
fn identifiers(text: &str) -> Result<Value, Fault> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let read = |(number, line): (usize, &str)| {
        let (kind, value) = line.split_once(':').ok_or_else(|| {
            Fault::new(
                format!("line {number} on standard input is not kind:value"),
                "write each as phone:+1 555 555 0142",
            )
        })?;
        Ok(json!({ "kind": kind.trim(), "value": value.trim() }))
    };
    let all = lines.map(read).collect::<Result<Vec<Value>, Fault>>()?;
    if all.is_empty() {
        return Err(Fault::new("standard input has no identifier", "write each on a line, as phone:+1 555 555 0142"));
    }
    Ok(Value::Array(all))
}

/// A closed word, as the command line spells it.
fn word(value: impl clap::ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

pub(super) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// The day of a time.
pub(super) fn day(time: &str) -> &str {
    time.get(..10).unwrap_or(time)
}

struct Made {
    request: Value,
    /// It is somebody's who asked for the same before, perhaps this caller's.
    asked_before: bool,
}

impl Answer for Made {
    fn json(&self) -> Value {
        let mut said = self.request.clone();
        said["askedBefore"] = json!(self.asked_before);
        said
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let Self { request, asked_before } = self;
        screen.title("REQUEST", text(request, "requestId"))?;
        screen.fact("state", text(request, "state"))?;
        screen.fact("due", day(text(request, "dueAt")))?;
        if !asked_before {
            let said = "It is received. Somebody verifies who asks, and somebody else approves.";
            return screen.verdict(Mark::Good, said);
        }
        let state = text(request, "state");
        let said = format!(
            "The same was asked for before: that request is {state}, and a new reference is not kept. Anyone who asks for it again cannot approve it."
        );
        screen.verdict(Mark::Look, &said)
    }
}

struct Requests {
    api: String,
    requests: Vec<Value>,
    all: bool,
    /// There are others that were not asked for.
    more: bool,
}

impl Answer for Requests {
    fn json(&self) -> Value {
        json!({ "requests": self.requests, "more": self.more })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("REQUESTS", &self.api)?;
        if self.requests.is_empty() {
            screen.say(if self.all { "There is no request." } else { "There is no open request." })?;
            return screen.gap();
        }
        let row = |one: &Value| {
            let left = one["clock"]["daysLeft"].as_i64().map_or_else(|| "–".to_owned(), |days| days.to_string());
            let orgs = one["orgs"].as_array().map_or(0, Vec::len);
            let orgs = match (orgs, one["orgs"][0].as_str()) {
                (1, Some(org)) => org.to_owned(),
                _ => counted(orgs as u64, "org", "orgs"),
            };
            let state = if one.get("waitsFor").is_some() { "waits for approval" } else { text(one, "state") };
            let due = day(text(&one["clock"], "dueAt"));
            [due, &left, text(one, "requestId"), text(one, "type"), state, &orgs].map(str::to_owned).to_vec()
        };
        let rows: Vec<Vec<String>> = self.requests.iter().map(row).collect();
        screen.table(&["due", "days left", "request", "type", "state", "org"], &rows)?;
        let late = self.requests.iter().filter(|one| one["clock"]["daysLeft"].as_i64().is_some_and(|days| days < 0));
        if self.more {
            let shown = counted(self.requests.len() as u64, "request", "requests");
            screen
                .verdict(Mark::Look, &format!("There are more than these {shown}: name an organisation by --org."))?;
        }
        match late.count() as u64 {
            0 => screen.verdict(Mark::Good, "None is overdue."),
            late => screen.verdict(Mark::Look, &format!("Overdue: {}.", counted(late, "request", "requests"))),
        }
    }
}

struct Shown {
    request: Value,
    preview: Option<Value>,
}

impl Answer for Shown {
    fn json(&self) -> Value {
        json!({ "request": self.request, "preview": self.preview })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let request = &self.request;
        screen.title("REQUEST", text(request, "requestId"))?;
        screen.fact("type", &format!("{}, {}", text(request, "type"), text(request, "regime")))?;
        screen.fact("state", text(request, "state"))?;
        screen.fact("due", day(text(&request["clock"], "dueAt")))?;
        if let Some(days) = request["clock"]["daysLeft"].as_i64() {
            screen.fact("days left", &days.to_string())?;
        }
        if let Some(reference) = request["reference"].as_str() {
            screen.fact("reference", reference)?;
        }
        let next: Vec<&str> = request["possible"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        screen.fact("possible", &if next.is_empty() { "nothing more".to_owned() } else { next.join(", ") })?;
        if let Some(until) = request["erasure"]["certificate"]["until"].as_str() {
            screen.fact("certificate", &format!("until {}: ledgerline request certificate", day(until)))?;
        }
        screen.section("history")?;
        for line in request["history"].as_array().into_iter().flatten() {
            let how = ["method", "reference", "reason"].into_iter().filter_map(|name| line[name].as_str());
            let detail: Vec<&str> = [text(line, "by")].into_iter().chain(how).collect();
            screen.check(Mark::Good, &format!("{}  {}", text(line, "at"), text(line, "step")), &detail.join(", "))?;
        }
        let Some(preview) = &self.preview else { return screen.gap() };
        screen.section("preview")?;
        screen.fact("digest", text(preview, "digest"))?;
        screen.fact("records", &preview["records"].to_string())?;
        let kinds: Vec<&str> = preview["kinds"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        screen.fact("other kinds", &if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") })?;
        for shared in preview["shared"].as_array().into_iter().flatten() {
            let others = shared["otherCustomers"].as_u64().unwrap_or_default();
            let detail = format!("shared with {}", counted(others, "other customer", "other customers"));
            screen.check(Mark::Look, text(shared, "record"), &detail)?;
        }
        screen.verdict(Mark::Look, "Approve what it shows with `ledgerline request approve`, --digest and --erase.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organisation_is_no_way_into_the_query() {
        assert_eq!(org("acme-2.x").unwrap(), "acme-2.x");
        for bad in ["", "acme&pageToken=x", "a b", "a/b", "a%20b", "acme#", "\u{e4}", ".."] {
            assert!(org(bad).unwrap_err().to_string().contains("ORG"), "{bad}");
        }
    }

    #[test]
    fn an_input_is_read_whole_or_not_at_all() {
        let long = "phone:+1 555 555 0142\n".repeat(2_000);
        let (fits, over) = long.split_at(INPUT_BYTES as usize);
        assert_eq!(whole(fits.as_bytes()).unwrap(), fits);
        assert!(!over.is_empty());
        let told = whole(long.as_bytes()).unwrap_err().to_string();
        assert!(told.contains("32768") && !told.contains("555"), "{told}");
        assert!(whole(&[0xff][..]).is_err());
    }

    #[test]
    fn identifiers_are_lines_and_none_is_repeated_in_a_fault() {
        let read = identifiers("phone:+1 555 555 0142\n\n email : jane@example.com \n").unwrap();
        let expected = json!([
            { "kind": "phone", "value": "+1 555 555 0142" },
            { "kind": "email", "value": "jane@example.com" },
        ]);
        assert_eq!(read, expected);
        for bad in ["", "\n", "phone:1\n5555550142"] {
            let told = identifiers(bad).unwrap_err().to_string();
            assert!(!told.contains("5555550142"), "{told}");
        }
    }
}
