//! `erase`: what an erasure would reach, whole, before anybody approves it.
//!
//! Invariant: it erases nothing: that follows from a request that was verified and approved, by itself.

use std::io;

use serde_json::{Value, json};

use super::request::{checked_id, day, text};
use crate::answer::{Answer, Answered};
use crate::api::Api;
use crate::args::EraseArgs;
use crate::context::Context;
use crate::fault::Fault;
use crate::screen::{Mark, Screen, counted, grouped};

/// Asks the API for the request and its preview.
pub(super) fn run(args: &EraseArgs, context: &Context) -> Answered {
    let id = checked_id(&args.preview)?;
    let api = Api::open(&args.api.api, context)?;
    let request = api.get(&format!("requests/{id}"))?;
    if request["type"] != "ERASURE" {
        let asks = text(&request, "type").to_lowercase();
        return Err(Fault::new(format!("{id} asks for {asks}"), "see `ledgerline request show` for what it says"));
    }
    let preview = api.get(&format!("requests/{id}/preview"))?;
    Ok(Box::new(Previewed { request, preview }))
}

struct Previewed {
    request: Value,
    preview: Value,
}

impl Answer for Previewed {
    fn json(&self) -> Value {
        json!({ "request": self.request, "preview": self.preview })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let Self { request, preview } = self;
        screen.title("ERASURE", text(request, "requestId"))?;
        screen.fact("state", text(request, "state"))?;
        let waits_for = request["waitsFor"].as_str();
        if let Some(what) = waits_for {
            screen.fact("waits for", what)?;
        }
        screen.fact("due", day(text(&request["clock"], "dueAt")))?;
        if let Some(until) = request["coolingOffUntil"].as_str() {
            screen.fact("not before", until)?;
        }
        if let Some(erasure) = request.get("erasure") {
            let pass = erasure["pass"].as_u64().unwrap_or_default() + 1;
            screen.fact("under way", &format!("{}, pass {pass}", text(erasure, "step")))?;
        }
        screen.section("what would go, at the most")?;
        let rows: Vec<Vec<String>> = reach(preview)
            .into_iter()
            .map(|(system, what, count)| vec![system.to_owned(), what.to_owned(), grouped(count)])
            .collect();
        screen.table(&["system", "what", "count"], &rows)?;
        screen.section("whom it concerns")?;
        let customer = &preview["customer"];
        let subjects = customer["subjects"].as_u64().unwrap_or_default();
        screen.fact("identifiers", &grouped(subjects))?;
        if let Some(shared) = customer["shared"].as_u64().filter(|shared| *shared > 0) {
            let names = counted(shared, "names no person", "name no person");
            screen.check(
                Mark::Look,
                &names,
                "nothing is erased by them: list the interactions that are this person's",
            )?;
        }
        let kinds: Vec<&str> = preview["kinds"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !kinds.is_empty() {
            let advice = "what these identifiers own stays, unless the person asks by them, too";
            screen.check(Mark::Look, &format!("the same records hold others by {}", kinds.join(", ")), advice)?;
        }
        self.draw_shared(screen)?;
        screen.fact("digest", text(preview, "digest"))?;
        match (text(request, "state"), waits_for) {
            ("verified", _) | (_, Some(_)) => screen.verdict(Mark::Look, NEXT),
            _ => screen.verdict(Mark::Good, "Nobody needs to do anything about it now."),
        }
    }
}

impl Previewed {
    fn draw_shared(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let shared = self.preview["shared"].as_array().map_or(&[][..], Vec::as_slice);
        if shared.is_empty() {
            return screen.gap();
        }
        screen.section("shared with others: kept, unless the approval names them")?;
        for one in shared {
            let others = match one["otherCustomers"].as_u64().unwrap_or_default() {
                0 => "it may have more customers than are known".to_owned(),
                others => counted(others, "other customer", "other customers"),
            };
            screen.check(Mark::Look, text(one, "record"), &others)?;
        }
        screen.gap()
    }
}

/// Where something lies, what it is, and how much.
fn reach(preview: &Value) -> [(&'static str, &'static str, u64); 5] {
    let of = |system: &str, what: &str| preview["systems"][system][what].as_u64().unwrap_or_default();
    [
        ("ledger", "records", preview["records"].as_u64().unwrap_or_default()),
        ("ledger", "entries whose content closes", of("ledger", "entries")),
        ("bronze", "lines", of("bronze", "lines")),
        ("bronze", "objects they lie in", of("bronze", "objects")),
        ("silver", "files they lie in", of("silver", "files")),
    ]
}

const NEXT: &str = "Approve it with `ledgerline request approve`, --digest and, for each shared record whose joint content goes, --erase.";

#[cfg(test)]
mod tests {
    use super::*;

    fn previewed(state: &str) -> Previewed {
        let request = json!({ "requestId": "req_1", "type": "ERASURE", "state": state,
            "clock": { "dueAt": "2026-12-31T23:59:59.999Z" } });
        let preview = json!({
            "digest": "0f".repeat(32), "customer": { "subjects": 2, "shared": 1 }, "records": 4_900, "kinds": ["email"],
            "systems": { "ledger": { "entries": 31 }, "bronze": { "objects": 7, "lines": 33 }, "silver": { "files": 9 } },
            "shared": [{ "record": "acme/c-2", "otherCustomers": 1 }, { "record": "acme/c-3", "otherCustomers": 0 }],
        });
        Previewed { request, preview }
    }

    fn drawn(previewed: &Previewed) -> String {
        let mut bytes = Vec::new();
        previewed.draw(&mut Screen::new(&mut bytes, 100, false)).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn everything_that_an_approval_decides_is_on_the_screen() {
        let text = drawn(&previewed("verified"));
        let said = [
            "4,900",
            "31",
            "33",
            "7",
            "9",
            "email",
            "1 names no person",
            "acme/c-2",
            "1 other customer",
            "acme/c-3",
            "more customers",
            &"0f".repeat(32),
            "--erase",
        ];
        for part in said {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn who_must_approve_again_is_told_and_nobody_else() {
        assert!(!drawn(&previewed("cooling_off")).contains("Approve it"));
        let mut waits = previewed("erasing");
        waits.request["waitsFor"] = json!("approval");
        waits.request["erasure"] = json!({ "step": "approve", "pass": 0 });
        let text = drawn(&waits);
        assert!(text.contains("Approve it") && text.contains("approve, pass 1"), "{text}");
    }
}
