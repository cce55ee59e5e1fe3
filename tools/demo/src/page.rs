//! `report.html`: the run as one page that needs nothing but itself.
//!
//! Invariant: every text that came from outside this file is escaped on its way in; no script, no font, no image, no
//! address is loaded, so that the page can be forwarded, archived and printed.

use std::fmt::Write;

use serde_json::Value;

use super::caller::shown;
use super::report::{
    Access, AtOnce, Attempt, Caller, Figures, Identity, Lock, Queue, Report, Sealed, Span, Tally, Tamper, grouped,
};
use super::{identity as audit, picture};

/// The page.
pub(super) fn render(report: &Report) -> String {
    let mut page = String::with_capacity(64 * 1024);
    let title = format!("Ledgerline, {}", esc(&report.date));
    page.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    let _ = write!(page, "<meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n");
    let _ = write!(page, "<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n");
    page.push_str(&head(report));
    page.push_str(&figures(report));
    page.push_str(&section("The chain", CHAIN_LEAD, &picture::chain(report)));
    let before_and_after = caller(&report.caller) + &identity(&report.identity);
    page.push_str(&section("One caller, before and after", &caller_lead(&report.caller), &before_and_after));
    page.push_str(&section("Nothing is lost", &equation_lead(report), &equation(&report.tally)));
    page.push_str(&section(
        "“What do you hold on me?”",
        &access_lead(&report.access),
        &(access(&report.access) + &at_once(&report.at_once)),
    ));
    page.push_str(&section("An administrator tries to delete it", &lock_lead(&report.lock), &lock(&report.lock)));
    page.push_str(&section("One byte is changed in a copy", &tamper_lead(&report.tamper), &tamper(&report.tamper)));
    page.push_str(&section("The day in figures", &day_lead(&report.figures), &day(&report.figures)));
    page.push_str(&section("What was checked", "", &checks(report)));
    page.push_str(&section("Where to look next", "", &next(report)));
    page.push_str(&foot(report));
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn head(report: &Report) -> String {
    let passed = report.checks.iter().filter(|check| check.passed).count();
    let all = report.checks.len();
    let (class, mark) = if passed == all { ("good", "✓") } else { ("bad", "✗") };
    let title = if passed == all {
        let conversations = grouped(report.sent.interactions);
        format!("{conversations} conversations became evidence<br>that anyone can recompute")
    } else {
        "Something does not hold:<br>see what was checked".to_owned()
    };
    format!(
        "<header>\n<p class=\"brand\">{MARK} Ledgerline</p>\n<h1>{title}</h1>\n\
         <p class=\"lead\">A day of contact-center traffic, part of it told by other systems in their own shapes, too, with \
         every fifth event sent twice and some of it broken, went through the whole chain on one machine. The picture below is what was found, not what was hoped for.</p>\n\
         <p class=\"meta\"><span class=\"pill {class}\">{mark} {passed} of {all} checks passed</span> \
         <span>{}</span> <span>{:.0} seconds</span> <span>seed {}</span></p>\n\
         <p class=\"note\">All persons, numbers, addresses and cards in this report are invented.</p>\n</header>\n",
        esc(&minute(&report.started_at)),
        report.seconds,
        report.seed,
    )
}

fn figures(report: &Report) -> String {
    let tally = &report.tally;
    let figure = |value: String, label: &str| format!("<div><b>{value}</b><span>{label}</span></div>\n");
    let all = [
        figure(grouped(tally.r#in), "documents in"),
        figure(grouped(tally.committed), "committed, each once"),
        figure(grouped(tally.duplicate), "duplicates recognised"),
        figure(grouped(tally.quarantined), "kept aside, whole"),
        figure(grouped(tally.in_flight), "in flight"),
        figure(format!("{:.0}/s", report.pace.documents_per_second), "on this machine"),
    ];
    format!("<section class=\"figures\">\n{}</section>\n", all.concat())
}

fn section(title: &str, lead: &str, body: &str) -> String {
    let lead = if lead.is_empty() { String::new() } else { format!("<p class=\"lead\">{lead}</p>\n") };
    format!("<section>\n<h2>{title}</h2>\n{lead}{body}</section>\n")
}

const CHAIN_LEAD: &str = "Each stage is a small function in the customer's own account. What analysts read and what is kept as evidence \
     part ways early: neither holds personal data in clear.";

fn caller_lead(caller: &Caller) -> String {
    format!(
        "Left, an event as it arrived (<code>{}</code>). Right, the row that analysts query. {} planted names, \
         numbers, addresses and cards were then searched for in all {} rows and {} ledger entries of the run: \
         <strong>{} found</strong>.",
        esc(&caller.topic),
        grouped(caller.searched),
        grouped(caller.searched_rows),
        grouped(caller.searched_entries),
        grouped(caller.found),
    )
}

fn caller(caller: &Caller) -> String {
    let mut raw = String::new();
    for (path, spans) in &caller.raw {
        let _ = writeln!(raw, "<tr><th>{}</th><td>{}</td></tr>", name(path), marked(spans));
    }
    format!(
        "<div class=\"pair\">\n{}{}</div>\n\
         <p class=\"note\"><del>Struck</del>: personal, and in clear in no row, plan or entry. <ins>Marked</ins>: what stands in its \
         place; the reference is random, so nobody can count up to a phone number.</p>\n",
        figure("As it arrived", "bronze, restricted, expires", &table(&raw)),
        figure("As analysts see it", "silver", &table(&cells(&caller.silver, |_| false))),
    )
}

/// The event as an outline beside its row; below both its entry, what it says and what belongs to it side by side.
fn identity(identity: &Identity) -> String {
    let mut raw = String::new();
    for line in audit::outline(&identity.raw) {
        let depth = line.depth.min(2);
        let name = name(line.name);
        let _ = if line.spans.is_empty() {
            writeln!(raw, "<tr class=\"group\"><th class=\"in{depth}\" colspan=\"2\">{name}</th></tr>")
        } else {
            let class = if audit::is_decided(&line.path) { " class=\"decided\"" } else { "" };
            writeln!(raw, "<tr{class}><th class=\"in{depth}\">{name}</th><td>{}</td></tr>", marked(line.spans))
        };
    }
    format!(
        "<h3>An identity audit, whole</h3>\n\
         <p class=\"lead\">Another system found out who was calling and said so in an event of its own shape. All of it is \
         below: as it arrived, as the row that analysts query, and as the entry that the ledger keeps.</p>\n\
         <div class=\"pair\">\n{}{}{}</div>\n\
         <p class=\"note\"><b>Bold</b>: what was decided, over which medium, how and with which consent; it can be read \
         everywhere. <del>Struck</del>: whom it was about; the row does not hold it, and the entry holds it sealed.</p>\n{}",
        figure("As it arrived", "bronze", &table(&raw)),
        figure("As analysts see it", "silver", &table(&cells(&identity.silver, audit::is_decided))),
        entry(&identity.entry),
        sealed(&identity.sealed),
    )
}

/// Who was refused what the entry holds sealed, and what its holder reads.
fn sealed(sealed: &Sealed) -> String {
    let content: Vec<_> = sealed.opened.iter().flat_map(|block| block.content.iter().cloned()).collect();
    format!(
        "<h3>Who it was, and who may read it</h3>\n\
         <p class=\"lead\">Each month has a key pair that KMS made. transform seals to its public half, and opens nothing that it \
         sealed a moment ago; dsar, which answers access requests, opens nothing either. The holder of the private half does. \
         Once a key is destroyed, what it sealed stays noise, and every proof over the entry still holds.</p>\n\
         {}<div class=\"pair\">\n{}</div>\n",
        attempts(&sealed.attempts),
        figure("As the key's holder reads it", "opened from the entry", &table(&cells(&content, |_| false))).replacen(
            "<figure>",
            "<figure class=\"across\">",
            1
        ),
    )
}

fn entry(members: &[(String, Value)]) -> String {
    let said = |(path, _): &(String, Value)| !matches!(path.as_str(), "keyIds" | "masked" | "lineageToken");
    let said = members.iter().take_while(|member| said(member)).count();
    let (said, rest) = members.split_at(said);
    let halves = [said, rest].map(|half| table(&cells(half, audit::is_decided))).concat();
    let figure = figure("As it is kept", "ledger entry, locked", &format!("<div class=\"halves\">\n{halves}</div>\n"));
    figure.replacen("<figure>", "<figure class=\"across\">", 1)
}

fn figure(title: &str, layer: &str, content: &str) -> String {
    format!("<figure>\n<figcaption>{title} <em>{layer}</em></figcaption>\n{content}</figure>\n")
}

fn table(rows: &str) -> String {
    format!("<table class=\"fields\">\n{rows}</table>\n")
}

/// Names and values; what stands for a person, and what was decided, each in its own way.
fn cells(members: &[(String, Value)], decided: impl Fn(&str) -> bool) -> String {
    let mut rows = String::new();
    for (path, value) in members {
        let class = match () {
            () if stands_in(path) => " class=\"stand-in\"",
            () if decided(path) => " class=\"decided\"",
            () => "",
        };
        let _ = writeln!(rows, "<tr{class}><th>{}</th><td>{}</td></tr>", name(path), esc(&shown(value)));
    }
    rows
}

/// A member's name or path, which may be broken where a word of it ends.
fn name(path: &str) -> String {
    let mut name = String::with_capacity(path.len());
    let mut before = ' ';
    for c in esc(path).chars() {
        let word_ends = before.is_ascii_lowercase() && c.is_ascii_uppercase();
        if word_ends || (matches!(before, '/' | '_') && c.is_ascii_alphabetic()) {
            name.push_str("<wbr>");
        }
        name.push(c);
        before = c;
    }
    name
}

/// Whether the column stands where something personal stood.
fn stands_in(column: &str) -> bool {
    column == "masked_fields" || column == "masked" || column.starts_with("sealed/") || column.ends_with("_ref")
}

fn marked(spans: &[Span]) -> String {
    spans.iter().map(span).collect()
}

fn span(span: &Span) -> String {
    if span.personal { format!("<del>{}</del>", esc(&span.text)) } else { esc(&span.text) }
}

fn equation_lead(report: &Report) -> String {
    format!(
        "{} documents were sent in {} records; {} of them a second time, {} of them broken; {} events came from other \
         systems than Genesys. Each ended in exactly one place, counted in the row of the object it came in, not in \
         metrics that retries inflate.",
        grouped(report.sent.documents),
        grouped(report.sent.records),
        grouped(report.sent.duplicates),
        grouped(report.sent.malformed),
        grouped(report.sent.guides),
    )
}

fn equation(tally: &Tally) -> String {
    let parts = [
        ("committed", "committed", tally.committed),
        ("filtered", "filtered", tally.filtered),
        ("duplicate", "duplicate", tally.duplicate),
        ("quarantined", "quarantined", tally.quarantined),
        ("flight", "in flight", tally.in_flight),
    ];
    let term = |(class, label, count): &(&str, &str, u64)| {
        format!("<span class=\"term {class}\"><b>{}</b><i>{label}</i></span>", grouped(*count))
    };
    let right: Vec<String> = parts.iter().map(term).collect();
    let sign = if tally.r#in == tally.accounted() { "=" } else { "≠" };
    let bar = |(class, _, count): &(&str, &str, u64)| {
        if *count == 0 {
            return String::new();
        }
        let share = *count as f64 * 100.0 / tally.r#in.max(1) as f64;
        format!("<div class=\"{class}\" style=\"flex:{share:.3} 0 6px\"></div>")
    };
    format!(
        "<p class=\"equation\"><span class=\"term\"><b>{}</b><i>in</i></span><u>{sign}</u>{}</p>\n<div class=\"bar\" role=\"img\" \
         aria-label=\"shares of the documents\">{}</div>\n",
        grouped(tally.r#in),
        right.join("<u>+</u>"),
        parts.iter().map(bar).collect::<String>(),
    )
}

fn access_lead(access: &Access) -> String {
    format!(
        "Asked by phone number, <code>{}</code>. The answer took <strong>{} ms</strong>: {} interactions, {} entries, as of {}{}.",
        esc(&access.phone),
        grouped(access.milliseconds),
        grouped(access.interactions),
        grouped(access.entries),
        esc(&access.as_of),
        if access.complete { ", complete" } else { ", <strong>incomplete</strong>" },
    )
}

fn access(access: &Access) -> String {
    let mut rows = String::new();
    for held in access.timeline.iter().take(MOST_INTERACTIONS) {
        let chips: String = held.types.iter().map(|kind| format!("<span>{}</span>", esc(kind))).collect();
        let _ = writeln!(
            rows,
            "<li><div><time>{}</time> <small>to {}</small> <code>{}</code></div><div class=\"chips\">{chips}</div></li>",
            esc(&second(&held.from)),
            esc(held.to.get(11..19).unwrap_or(&held.to)),
            esc(&held.interaction_id),
        );
    }
    let more = access.timeline.len().saturating_sub(MOST_INTERACTIONS);
    if more > 0 {
        let _ = writeln!(rows, "<li class=\"more\">and {more} more</li>");
    }
    let example = serde_json::to_string_pretty(&access.example).unwrap_or_default();
    format!(
        "<ol class=\"held\">\n{rows}</ol>\n<details>\n<summary>One of these entries, as it stands in the ledger</summary>\n\
         <pre>{}</pre>\n</details>\n",
        esc(&example)
    )
}

fn at_once(told: &AtOnce) -> String {
    let AtOnce { interaction_id, status, milliseconds_to_send, milliseconds_to_answer, on_its_way, committed, .. } =
        told;
    let was = if *on_its_way > 0 { "on its way to the ledger" } else { "in the ledger already" };
    format!(
        "<h3>Evidence the moment it is sent</h3>\n<p>One identity event more, of <code>{}</code>, was posted as an Architect data action \
         posts it. Capture answered {status} after {} ms. The very next access request, answered {} ms after the event was sent, had it: \
         {was}. Once all was processed it was {} entry with its place.</p>\n",
        esc(interaction_id),
        grouped(*milliseconds_to_send),
        grouped(*milliseconds_to_answer),
        grouped(*committed),
    )
}

fn lock_lead(lock: &Lock) -> String {
    format!(
        "The segment below is an S3 object under Object Lock, in {} mode until {}. Someone with every permission tried to \
         get rid of it.",
        esc(&lock.mode),
        esc(&minute(&lock.retain_until)),
    )
}

/// Calls, and what came of them.
fn attempts(made: &[Attempt]) -> String {
    let mut attempts = String::new();
    for attempt in made {
        let refused = !attempt.code.is_empty();
        let (class, stamp) = if refused { ("refused", attempt.code.as_str()) } else { ("allowed", "allowed") };
        let _ = writeln!(
            attempts,
            "<li><div><b>{}</b><small><code>{}</code> {}</small></div><span class=\"stamp {class}\">{} {}</span></li>",
            esc(&sentence(&attempt.what)),
            esc(&attempt.call),
            esc(&attempt.message),
            attempt.status,
            esc(stamp),
        );
    }
    format!("<ul class=\"attempts\">\n{attempts}</ul>\n")
}

fn lock(lock: &Lock) -> String {
    let after = if lock.unchanged {
        "Afterwards: same bytes, same version, same date."
    } else {
        "Afterwards the object was <strong>not</strong> as before."
    };
    let mode = if lock.mode == "COMPLIANCE" {
        "In COMPLIANCE mode nobody can, the account's owner included."
    } else {
        "A trial locks in GOVERNANCE mode for a day, which a special permission may lift; COMPLIANCE, for production, nobody can."
    };
    format!(
        "<div class=\"evidence\">{}<div><code>{}</code><small>version {}</small></div></div>\n{}\
         <p class=\"note\">{after} {mode}</p>\n",
        picture::PADLOCK,
        esc(&lock.key),
        esc(&lock.version_id),
        attempts(&lock.attempts),
    )
}

fn tamper_lead(tamper: &Tamper) -> String {
    format!(
        "All {} entries of <code>{}</code> were exported and hashed again. The untouched copy gives the root that the \
         ledger's head holds. Then one byte was changed; recomputing names the entry.",
        grouped(tamper.size),
        esc(&tamper.log),
    )
}

fn tamper(tamper: &Tamper) -> String {
    let [before, was, became, after] = tamper.around.each_ref().map(|text| esc(text));
    let same = if tamper.root == tamper.head_root { "equal" } else { "<strong>different</strong>" };
    format!(
        "<div class=\"tree\">{}<dl>\n<dt>Entry {} of {}</dt><dd><code>…{before}<del>{was}</del><ins>{became}</ins>{after}…</code></dd>\n\
         <dt>Its leaf, as committed</dt><dd><code class=\"hash\">{}</code></dd>\n\
         <dt>Its leaf, recomputed from the altered copy</dt><dd><code class=\"hash off\">{}</code></dd>\n\
         <dt>Root in the head, and of the untouched copy: {same}</dt><dd><code class=\"hash\">{}</code></dd>\n\
         <dt>Root of the altered copy</dt><dd><code class=\"hash off\">{}</code></dd>\n\
         <dt>Segment</dt><dd><code>{}</code></dd>\n</dl></div>\n",
        picture::tree(tamper),
        grouped(tamper.index),
        grouped(tamper.size),
        esc(&tamper.leaf),
        esc(&tamper.altered_leaf),
        esc(&tamper.head_root),
        esc(&tamper.altered_root),
        esc(&tamper.segment),
    )
}

fn day_lead(figures: &Figures) -> String {
    format!(
        "What managers ask for, counted once from rows that name nobody: {} contacts of {} ({}), answered by \
         <code>GET /api/v2/analytics/gold/summary</code> in {} ms. A late event or an erasure computes its date again; this is revision {}.",
        grouped(figures.totals.contacts),
        esc(&figures.date),
        esc(&figures.time_zone),
        figures.milliseconds,
        figures.revision,
    )
}

/// The day's picture, and its queues in a table.
fn day(figures: &Figures) -> String {
    let mut rows = String::new();
    for queue in &figures.queues {
        // The first part of an id tells a centre's queues apart.
        let name = queue.queue_id.as_deref().map_or("no queue", |id| id.get(..8).unwrap_or(id));
        rows.push_str(&day_row("", name, queue));
    }
    rows.push_str(&day_row(" class=\"totals\"", "all", &figures.totals));
    format!(
        "{}<div class=\"wide\"><table class=\"day\">\n<tr><th>Queue</th><th>Contacts</th><th>Abandoned</th><th>Service level</th>\
         <th>Handle time</th><th>First contact resolution</th><th>Satisfaction</th></tr>\n{rows}</table></div>\n\
         <p class=\"note\">Service level: answered within 20 s (e-mail: a day), of those answered or abandoned. First contact resolution: no further \
         answered contact of the same customer within seven days, so far. A ratio without a denominator is empty.</p>\n",
        picture::day(figures),
    )
}

fn day_row(class: &str, name: &str, queue: &Queue) -> String {
    let ratio = |value: Option<f64>, unit: &str| value.map_or_else(String::new, |value| format!("{value:.1}{unit}"));
    let level = queue.service_level_pct.unwrap_or_default().clamp(0.0, 100.0);
    let level = format!("<i style=\"width:{level:.0}%\"></i>{}", ratio(queue.service_level_pct, " %"));
    format!(
        "<tr{class}><th>{}</th><td>{}</td><td>{}</td><td class=\"level\">{level}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        esc(name),
        grouped(queue.contacts),
        grouped(queue.abandoned),
        ratio(queue.avg_duration_sec, " s"),
        ratio(queue.fcr_rate_pct, " %"),
        ratio(queue.customer_satisfaction_avg, ""),
    )
}

fn checks(report: &Report) -> String {
    let mut rows = String::new();
    for check in &report.checks {
        let (class, mark) = if check.passed { ("good", "✓") } else { ("bad", "✗") };
        let (name, detail) = (esc(&check.name), esc(&check.detail));
        let _ = writeln!(rows, "<tr><td class=\"{class}\">{mark}</td><th>{name}</th><td>{detail}</td></tr>");
    }
    format!("<table class=\"checks\">\n{rows}</table>\n")
}

fn next(report: &Report) -> String {
    let mut rows = String::new();
    for (what, place) in &report.next {
        let _ = writeln!(rows, "<tr><th>{}</th><td><code>{}</code></td></tr>", esc(what), esc(place));
    }
    format!("<table class=\"next\">\n{rows}</table>\n")
}

fn foot(report: &Report) -> String {
    format!(
        "<footer>\n<p>We say: since a committed root, the ledger only grew, and a change to it is found. We do not say: \
         anonymous, complete at the source, or compliant with a law.</p>\n<p>Made by <code>cargo xtask demo</code> from \
         seed {} on an emulator of AWS, with the same binaries and the same template that deploy to an account. {} \
         segments were added to the ledger.</p>\n</footer>\n",
        report.seed,
        report.segments.len(),
    )
}

/// Text for HTML, in elements and in quoted attributes.
pub(super) fn esc(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(c),
        }
    }
    safe
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// `2026-03-02 14:04 UTC` of an RFC 3339 time.
fn minute(time: &str) -> String {
    time.get(..16).map_or_else(|| time.to_owned(), |text| format!("{} UTC", text.replace('T', " ")))
}

/// `2026-03-02 14:04:18` of an RFC 3339 time.
fn second(time: &str) -> String {
    time.get(..19).map_or_else(|| time.to_owned(), |text| text.replace('T', " "))
}

const STYLE: &str = include_str!("page.css");

/// The wordmark's sign: three lines, the last one sealed.
const MARK: &str = "<svg viewBox=\"0 0 24 24\" width=\"22\" height=\"22\" aria-hidden=\"true\"><path d=\"M3 6h18M3 12h18M3 18h9\" \
     stroke=\"currentColor\" stroke-width=\"2.4\" stroke-linecap=\"round\" fill=\"none\"/><rect x=\"15\" y=\"15\" width=\"6\" height=\"6\" \
     rx=\"1.2\" fill=\"var(--accent)\"/></svg>";

/// Interactions that the page lists; the rest is counted.
const MOST_INTERACTIONS: usize = 8;

#[cfg(test)]
mod tests {
    use super::super::report::sample;
    use super::*;

    #[test]
    fn the_page_loads_nothing_and_runs_nothing() {
        let page = render(&sample::report());
        for foreign in ["<script", "<link", "<img", "@import", "url(h", "url(/", "src=", "http://", "https://"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn text_from_outside_is_escaped() {
        let mut report = sample::report();
        report.caller.raw[0].1[0].text = "<script>alert('x')</script>".to_owned();
        report.identity.raw[0].0 = "<script>/<b>".to_owned();
        report.identity.entry[0].1 = "<script>".into();
        report.lock.attempts[0].message = "\"<b>".to_owned();
        let page = render(&report);
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(&#39;x&#39;)"));
        assert!(page.contains("&quot;&lt;b&gt;"));
    }

    #[test]
    fn every_element_is_closed() {
        let page = render(&sample::report());
        let tags = [
            "main", "section", "div", "table", "tr", "td", "th", "p", "h3", "figure", "svg", "ol", "ul", "li", "dl",
            "dd",
        ];
        for tag in tags {
            let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }

    #[test]
    fn the_identity_audit_is_there_whole_with_what_it_decided_set_off() {
        let report = sample::report();
        let page = render(&report);
        for (path, _) in &report.identity.raw {
            let last = path.rsplit('/').next().unwrap();
            assert!(page.contains(&format!(">{}</th>", name(last))), "{path}");
        }
        for row in [
            "<tr class=\"group\"><th class=\"in1\" colspan=\"2\">pii<wbr>Context</th></tr>",
            "<tr class=\"decided\"><th class=\"in1\">channel<wbr>Type</th><td>VOICE</td></tr>",
            "<tr class=\"decided\"><th>consent_<wbr>gdpr</th><td>true</td></tr>",
            "<tr class=\"decided\"><th>fields/<wbr>queue_<wbr>id</th><td>q-sales-support</td></tr>",
            "<tr class=\"stand-in\"><th>sealed/<wbr>customer</th>",
            "<tr><th>phone_<wbr>hash</th><td>9f86d081",
            "<b>Transform asks for the key</b><small><code>Decrypt</code>",
        ] {
            assert!(page.contains(row), "{row}");
        }
    }

    #[test]
    fn the_day_is_a_picture_of_its_half_hours_and_a_table_of_its_queues() {
        let report = sample::report();
        let page = render(&report);
        let bars = page.matches("<rect class=\"answered\"").count();
        assert_eq!(bars, report.figures.half_hours.len());
        assert!(page.contains("<th>5169b6fa</th><td>302</td><td>20</td>") && page.contains("71.5 %"));
        assert!(page.contains("<tr class=\"totals\"><th>all</th><td>441</td>"));
        // Nothing without a denominator, and no number in its place.
        assert!(
            page.contains("<th>no queue</th><td>0</td><td>0</td><td class=\"level\"><i style=\"width:0%\"></i></td>")
        );
    }

    #[test]
    fn a_failed_check_is_the_headline() {
        let mut report = sample::report();
        report.checks[0].passed = false;
        let page = render(&report);
        assert!(page.contains("Something does not hold") && page.contains("6 of 7 checks passed"));
    }

    #[test]
    fn an_equation_that_does_not_hold_says_so() {
        let tally = Tally { r#in: 3, committed: 1, ..Tally::default() };
        assert!(equation(&tally).contains('≠'));
    }
}
