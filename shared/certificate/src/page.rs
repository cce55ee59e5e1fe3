//! The certificate as one page that a person reads and prints, and that needs nothing but itself.
//!
//! Invariant: every text that is not spelled in this file is escaped on its way in; no script, no font, no image, no address is loaded. The
//! page proves nothing, and says so: the file beside it does.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{Certificate, Deletion, record_of};

/// The page.
pub fn page(certificate: &Certificate) -> String {
    let body = &certificate.body;
    // Some 200 bytes an entry.
    let mut page = String::with_capacity(32 * 1024 + body.deletions.len() * 200);
    page.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    let _ = writeln!(page, "<title>Certificate of erasure, {}</title>", esc(&body.request.request_id));
    let _ = write!(page, "<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n");
    page.push_str(&head(certificate));
    page.push_str(&section("What was asked", "", &asked(certificate)));
    page.push_str(&section("What was done", DONE_LEAD, &done(certificate)));
    page.push_str(&section("What was read back", READ_BACK_LEAD, &read_back(certificate)));
    if !body.held.is_empty() {
        page.push_str(&section("Held", HELD_LEAD, &records(&body.held)));
    }
    if !body.kept.is_empty() {
        page.push_str(&section("Listed, and kept", KEPT_LEAD, &records(&body.kept)));
    }
    page.push_str(&section("What remains", REMAINS_LEAD, &remains(certificate)));
    page.push_str(&section("The ledger's entries", ENTRIES_LEAD, &entries(certificate)));
    page.push_str(&section("How to check it", CHECK_LEAD, &how(certificate)));
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn head(certificate: &Certificate) -> String {
    let body = &certificate.body;
    let erased = erased(certificate);
    let title = match erased {
        1 => "One interaction was erased".to_owned(),
        many => format!("{} interactions were erased", grouped(many)),
    };
    let kept = match (body.counts.held, body.counts.kept) {
        (0, 0) => String::new(),
        (held, kept) => format!(" {} on hold, {} kept: see below.", grouped(held), grouped(kept)),
    };
    format!(
        "<header>\n<p class=\"brand\">Ledgerline</p>\n<h1>{title}</h1>\n<p class=\"lead\">Certificate of erasure <span \
         class=\"id\">{}</span> for request <span class=\"id\">{}</span>, made {}.{kept}</p>\n<p class=\"pill\">{} destroyed, {} in \
         the ledger</p>\n</header>\n",
        esc(&body.certificate),
        esc(&body.request.request_id),
        esc(&body.made_at),
        counted(body.counts.keys, "key", "keys"),
        counted(body.counts.deletions, "entry of it", "entries of it"),
    )
}

fn asked(certificate: &Certificate) -> String {
    let asked = &certificate.body.request;
    let orgs = asked.orgs.join(", ");
    let optional = |name: &'static str, value: &Option<String>| value.clone().map(|value| (name, value));
    let rows = [
        Some(("Request", asked.request_id.clone())),
        optional("The caller's reference", &asked.reference),
        optional("The customer, as the caller named them", &asked.customer_id_hash),
        optional("The caller's reason", &asked.deletion_reason),
        Some(("Law", asked.regime.clone())),
        Some(("Organisations", orgs)),
        Some(("Received", asked.received_at.clone())),
        Some(("Identity checked", asked.verified_at.clone())),
        Some(("Approved by a second person", asked.approved_at.clone())),
        Some(("Erased up to", asked.cutoff.clone())),
    ];
    let row = |(name, value): (&str, String)| format!("<tr><th>{}</th><td>{}</td></tr>\n", esc(name), esc(&value));
    format!("<table><tbody>\n{}</tbody></table>\n", rows.into_iter().flatten().map(row).collect::<String>())
}

fn done(certificate: &Certificate) -> String {
    let counts = &certificate.body.counts;
    let all = [
        ("Records found", "Interactions, and contacts' own records, that the person has part in", counts.records),
        ("Shared records", "Another person has part in them: theirs stays", counts.shared),
        ("Ledger", "Keys destroyed: what they sealed nobody reads any more", counts.keys),
        ("Ledger", "Entries that say so, each in the log of its record", counts.deletions),
        ("Bronze", "Lines taken out, each replaced by a placeholder", counts.lines),
        ("Bronze", "Objects rewritten, their older versions deleted", counts.objects),
        ("Silver", "Rows that lost all that is personal", counts.silver_rows),
        ("Index", "Links from the person to records deleted", counts.links),
        ("On hold", "Records that a legal hold keeps until it is lifted", counts.held),
        ("Kept", "Listed records that are another person's, too", counts.kept),
        ("Not a person", "Identifiers that name no person, or too many", counts.not_a_person),
        ("Not planned", "Objects that were waited for in vain", counts.given_up),
    ];
    let row = |(place, what, count): (&str, &str, u64)| {
        format!("<tr><th>{place}</th><td>{what}</td><td class=\"count\">{}</td></tr>\n", grouped(count))
    };
    format!("<table><tbody>\n{}</tbody></table>\n", all.into_iter().map(row).collect::<String>())
}

fn read_back(certificate: &Certificate) -> String {
    let read = &certificate.body.read_back;
    format!(
        "<p>{}: {} of bronze with their silver, and {}. Nothing of the person's was found in them but what this certificate names.</p>\n",
        esc(&read.at),
        counted(read.objects, "object", "objects"),
        counted(read.records, "record", "records"),
    )
}

fn records(records: &[String]) -> String {
    let item = |record: &String| format!("<li>{}</li>\n", esc(record));
    format!("<ul class=\"entries\">\n{}</ul>\n", records.iter().map(item).collect::<String>())
}

fn remains(certificate: &Certificate) -> String {
    let mut table = String::from(
        "<table><thead><tr><th>What</th><th>Why</th><th>Until</th><th>Who must do what</th></tr></thead><tbody>\n",
    );
    for one in &certificate.body.remains {
        let [kind, why, until, who] = [&one.kind, &one.why, &one.until, &one.who].map(|text| esc(text));
        let _ = writeln!(table, "<tr><th>{kind}</th><td>{why}</td><td>{until}</td><td>{who}</td></tr>");
    }
    table.push_str("</tbody></table>\n");
    table
}

fn entries(certificate: &Certificate) -> String {
    let body = &certificate.body;
    let mut list = String::new();
    for (log, of_log) in (0_u64..).zip(&body.logs) {
        let _ = writeln!(list, "<p class=\"id\">{}</p>\n<ol class=\"entries\">", esc(&of_log.log));
        for one in body.deletions.iter().filter(|one| one.log == log) {
            list.push_str(&entry(one));
        }
        list.push_str("</ol>\n");
    }
    list
}

fn entry(one: &Deletion) -> String {
    let text = |name: &str| one.entry.get(name).and_then(Value::as_str).unwrap_or_default();
    let day = text("occurredAt").get(..10).unwrap_or_default();
    let record = record_of(&one.entry).unwrap_or_default();
    format!("<li>{} <span>{} #{}</span></li>\n", esc(&record), esc(day), grouped(one.index))
}

fn how(certificate: &Certificate) -> String {
    let body = &certificate.body;
    let command = "ledgerline check-certificate certificate.json --key <the ledger's public key>";
    let digest = body.sha256().unwrap_or_default();
    let places = certificate
        .certified
        .iter()
        .map(|one| format!("<li>{} <span>#{}</span></li>\n", esc(&one.log), grouped(one.index)));
    format!(
        "<pre>{}</pre>\n<p>SHA-256 of what it says: <span class=\"id\">{}</span>. The ledger has it here:</p>\n<ul \
         class=\"entries\">\n{}</ul>\n<footer>This page is for reading. The proof is the file certificate.json, which came with it.</footer>\n",
        esc(command),
        esc(&digest),
        places.collect::<String>(),
    )
}

/// Records that have an entry: those of several entries once.
fn erased(certificate: &Certificate) -> u64 {
    let counts = &certificate.body.counts;
    counts.records.saturating_sub(counts.held + counts.kept)
}

fn section(title: &str, lead: &str, body: &str) -> String {
    let lead = if lead.is_empty() { String::new() } else { format!("<p class=\"lead\">{lead}</p>\n") };
    format!("<section>\n<h2>{title}</h2>\n{lead}{body}</section>\n")
}

/// A text, so that no part of it is read as markup, inside an attribute either.
fn esc(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // A control character, or one that turns the direction of what follows, would show something else than is there.
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                escaped.push('\u{fffd}');
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// A number, its digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

const STYLE: &str = include_str!("page.css");
const DONE_LEAD: &str = "The ledger itself cannot be changed, and was not: what it holds of people is sealed under keys of their own, and these keys were destroyed. Elsewhere the data was taken out.";
const READ_BACK_LEAD: &str = "After all that was under way had ended, everything was read once more.";
const HELD_LEAD: &str =
    "A legal hold is on these records. They are erased when it is lifted, each with an entry of its own.";
const KEPT_LEAD: &str = "The request lists these records, and another person has part in all of what is there.";
const REMAINS_LEAD: &str =
    "An erasure leaves traces. These are all of them, as far as Ledgerline knows, each with its reason and its end.";
const ENTRIES_LEAD: &str = "For each record the ledger says that it was erased, on which day, and which keys were destroyed. It does not say whose it was: this certificate alone joins them. The number is the entry's place in its log.";
const CHECK_LEAD: &str = "The file holds a proof for each entry, from its bytes to a checkpoint that the ledger's key signed, and one for this certificate's own digest. No network is needed, and nobody has to be trusted but the key, which should reach you another way.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_text_is_text() {
        assert_eq!(esc("<b a=\"1\">&'</b>"), "&lt;b a=&quot;1&quot;&gt;&amp;&#39;&lt;/b&gt;");
        assert_eq!(esc("a\u{202e}b\u{7}\n"), "a\u{fffd}b\u{fffd}\u{fffd}");
    }

    #[test]
    fn digits_stand_in_groups() {
        assert_eq!([0, 999, 4_900, 1_234_567].map(grouped), ["0", "999", "4,900", "1,234,567"]);
    }

    #[test]
    fn the_style_loads_nothing() {
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !STYLE.contains("</"));
    }
}
