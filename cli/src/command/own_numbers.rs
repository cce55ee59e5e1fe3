//! `own-numbers`: the company's own numbers, addresses and domains of an org, which name no customer.
//!
//! Invariant: a row is never deleted; what was removed stays listed as removed, since what came before was linked to nobody.
//! Each command may be repeated: what is as asked stays as it is. Nothing but a domain is shown again in clear.

use std::io;

use ledgerline_custody::own::{BadItems, count_subjects, parse_items, plan_add, plan_remove};
use ledgerline_event::adapters::is_org;
use ledgerline_store::gone::Gone;
use ledgerline_store::own::{Change, OwnName, OwnNumbers, OwnRow};
use serde_json::{Value, json};

use crate::answer::{Answer, Answered};
use crate::args::{OwnItemsArgs, OwnListArgs, OwnNumbersCommand};
use crate::cloud::{Cloud, told};
use crate::context::Context;
use crate::fault::Fault;
use crate::screen::{Mark, Screen, counted, grouped};

/// Adds, removes or lists.
pub(super) fn run(what: &OwnNumbersCommand, context: &Context) -> Answered {
    match what {
        OwnNumbersCommand::Add(args) => change(args, true, context),
        OwnNumbersCommand::Remove(args) => change(args, false, context),
        OwnNumbersCommand::List(args) => list(args),
    }
}

fn change(args: &OwnItemsArgs, adds: bool, context: &Context) -> Answered {
    let org = &args.list.org;
    let cloud = open(&args.list)?;
    let items = parse_items(args.items.iter().map(String::as_str), cloud.region()?)
        .map_err(|bad| Fault::new(bad.to_string(), BadItems::REMEDY))?;
    let ring = cloud.ask(cloud.operator.key_ring())?;
    let items: Vec<Vec<OwnName>> = items.iter().map(|item| item.names(ring.as_ref())).collect();
    if items.iter().any(Vec::is_empty) {
        return Err(Fault::new(
            "this deployment has no pseudonym key yet, under which a number or an address could be listed: transform makes it",
            "until the first events have come, give them in the template's parameter OwnNumbers; a domain can be listed now",
        ));
    }
    let numbers = numbers(&cloud)?;
    let rows = cloud.ask(numbers.of(org))?;
    let mut done = Vec::new();
    for names in items {
        let planned = if adds { plan_add(&rows, &names) } else { plan_remove(&rows, &names) };
        for (name, change) in &planned {
            cloud.ask(numbers.change(org, name, *change, &context.now_text()))?;
        }
        let subjects = if adds { subjects(&cloud, org, &names)? } else { None };
        done.push(Done::of(&names, &planned, subjects));
    }
    let org_has_log = cloud.ask(cloud.ledger()?.heads.logs())?.iter().any(|log| log.org() == org);
    Ok(Box::new(Changed { org: org.clone(), org_has_log, adds, done }))
}

fn list(args: &OwnListArgs) -> Answered {
    let cloud = open(args)?;
    let mut rows = cloud.ask(numbers(&cloud)?.of(&args.org))?;
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Box::new(Listed { org: args.org.clone(), rows }))
}

fn open(args: &OwnListArgs) -> Result<Cloud, Fault> {
    if !is_org(&args.org) {
        return Err(Fault::new(
            format!("{:?} is no org's name", args.org),
            "name it as the ledger's logs do (`ledgerline status`): 1 to 64 of A-Z a-z 0-9 . _ -",
        ));
    }
    Cloud::open(&args.deployment.stack)
}

fn numbers(cloud: &Cloud) -> Result<OwnNumbers, Fault> {
    told(cloud.operator.rows_of("ControlTable")).map(OwnNumbers::new)
}

/// How many subjects of the org an item names already.
fn subjects(cloud: &Cloud, org: &str, names: &[OwnName]) -> Result<Option<u64>, Fault> {
    let gone = told(cloud.operator.rows_of("ControlTable")).map(Gone::new)?;
    cloud.ask(count_subjects(&told(cloud.operator.subjects())?, &gone, org, names))
}

/// A domain in clear; of a pseudonym as much as tells it from the list's others.
fn shown(name: &OwnName) -> &str {
    match name {
        OwnName::Identifier(..) => name.name().get(..SHOWN_CHARS).unwrap_or_default(),
        OwnName::Domain(domain) => domain,
    }
}

const SHOWN_CHARS: usize = 12;

/// What became of an item.
struct Done {
    kind: &'static str,
    name: String,
    what: &'static str,
    subjects: Option<u64>,
}

impl Done {
    /// `names` are the item's, of which there is one at least.
    fn of(names: &[OwnName], planned: &[(OwnName, Change)], subjects: Option<u64>) -> Self {
        let name = planned.first().map(|(name, _)| name).or(names.first());
        let what = match planned.first() {
            None => UNCHANGED,
            Some((_, Change::Add)) => "added",
            Some((_, Change::Restore)) => "in force again",
            Some((_, Change::Remove)) => "removed",
        };
        Self { kind: name.map_or("", OwnName::kind), name: name.map_or("", shown).to_owned(), what, subjects }
    }
}

const UNCHANGED: &str = "unchanged";

struct Changed {
    org: String,
    org_has_log: bool,
    adds: bool,
    done: Vec<Done>,
}

impl Answer for Changed {
    fn json(&self) -> Value {
        let items = self
            .done
            .iter()
            .map(|done| json!({ "kind": done.kind, "name": done.name, "done": done.what, "subjects": done.subjects }));
        json!({ "org": self.org, "orgHasLog": self.org_has_log, "items": items.collect::<Vec<_>>() })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title(if self.adds { "OWN NUMBERS ADDED" } else { "OWN NUMBERS REMOVED" }, &self.org)?;
        let rows: Vec<Vec<String>> = self
            .done
            .iter()
            .map(|done| {
                let subjects = done.subjects.map_or_else(|| "–".to_owned(), grouped);
                let mut row = vec![done.kind.to_owned(), done.name.clone(), done.what.to_owned()];
                row.extend(self.adds.then_some(subjects));
                row
            })
            .collect();
        let headings = ["kind", "name", "done", "subjects"];
        screen.table(if self.adds { &headings } else { &headings[..3] }, &rows)?;
        screen.gap()?;
        let subjects: u64 = self.done.iter().filter_map(|done| done.subjects).sum();
        if subjects > 0 {
            let what = format!("{} by these from before", counted(subjects, "subject is named", "subjects are named"));
            screen.check(
                Mark::Look,
                &what,
                "their links stay, none is added, and an access request by them is not complete",
            )?;
        }
        if !self.org_has_log {
            let advice = "see `ledgerline status` for the orgs that there are; a list of another name changes nothing";
            screen.check(Mark::Look, "no log belongs to this org", advice)?;
        }
        let verdict = if self.adds {
            "They name no customer, from a minute from now at most."
        } else {
            "They may name a customer, from a minute from now at most. What came while they stood on the list stays unlinked."
        };
        screen.verdict(Mark::Good, verdict)
    }
}

struct Listed {
    org: String,
    rows: Vec<OwnRow>,
}

impl Answer for Listed {
    fn json(&self) -> Value {
        let items = self.rows.iter().map(|row| {
            json!({
                "kind": row.name.kind(), "name": shown(&row.name), "addedAt": row.added_at, "removedAt": row.removed_at,
                "formerly": row.formerly,
            })
        });
        json!({ "org": self.org, "items": items.collect::<Vec<_>>() })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("OWN NUMBERS", &self.org)?;
        let day = |at: &str| at.get(..10).unwrap_or(at).to_owned();
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| {
                let state = match &row.removed_at {
                    Some(at) => format!("removed {}", day(at)),
                    None if row.formerly => "in force again".to_owned(),
                    None => "in force".to_owned(),
                };
                vec![row.name.kind().to_owned(), shown(&row.name).to_owned(), day(&row.added_at), state]
            })
            .collect();
        if rows.is_empty() {
            screen.say("There is no item on this org's list.")?;
        } else {
            screen.table(&["kind", "name", "added", "state"], &rows)?;
        }
        screen.gap()?;
        screen.say("What the template's parameter OwnNumbers has counts in every org, and is not shown here.")?;
        screen.gap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number() -> OwnName {
        OwnName::parse(&format!("phone#p1_{}", "0123456789abcdef".repeat(4))).unwrap()
    }

    fn domain() -> OwnName {
        OwnName::Domain("example.com".to_owned())
    }

    fn drawn(answer: &dyn Answer) -> String {
        let mut out = Vec::new();
        answer.draw(&mut Screen::new(&mut out, 100, false)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_domain_is_shown_in_clear_and_a_pseudonym_by_its_beginning() {
        assert_eq!((shown(&domain()), shown(&number())), ("example.com", "p1_012345678"));
        let row = |name, removed_at, formerly| OwnRow {
            name,
            added_at: "2026-03-02T14:00:00.000Z".into(),
            removed_at,
            formerly,
        };
        let removed = Some("2026-03-05T14:00:00.000Z".to_owned());
        let listed =
            Listed { org: "acme".into(), rows: vec![row(number(), removed, false), row(domain(), None, true)] };
        let text = drawn(&listed);
        assert!(text.contains("removed 2026-03-05") && text.contains("in force again"), "{text}");
        for written in [text, listed.json().to_string()] {
            assert!(written.contains("example.com") && written.contains("p1_012345678"), "{written}");
            assert!(!written.contains("p1_0123456789"), "{written}");
        }
        assert!(drawn(&Listed { org: "acme".into(), rows: Vec::new() }).contains("no item"));
    }

    #[test]
    fn an_answer_says_of_each_item_what_became_of_it_and_whom_it_names_already() {
        let done =
            vec![Done::of(&[number()], &[(number(), Change::Restore)], Some(2)), Done::of(&[domain()], &[], None)];
        let changed = Changed { org: "acme".into(), org_has_log: false, adds: true, done };
        let items = changed.json()["items"].clone();
        assert_eq!((&items[0]["done"], &items[0]["subjects"]), (&json!("in force again"), &json!(2)));
        assert_eq!((&items[1]["done"], &items[1]["subjects"]), (&json!("unchanged"), &Value::Null));
        let text = drawn(&changed);
        assert!(text.contains("2 subjects are named") && text.contains("no log belongs to this org"), "{text}");
    }
}
