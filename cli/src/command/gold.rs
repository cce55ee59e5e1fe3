//! `gold show`: a day's figures as a table, from the API or from the document in the lake itself.
//!
//! Invariant: both ways show the same document, and every figure stands there as gold rounded it. Nothing is computed here but the
//! sums over a queue's media.

use std::io;

use ledgerline_figures::Hundredths;
use ledgerline_figures::ratio::Figures;
use ledgerline_figures::summary::{Granularity, Row, Selection, Summary};
use ledgerline_lake::keys::parse_iso_date;
use ledgerline_store::gold::Gold;
use serde_json::{Value, json};
use time::Date;

use crate::answer::{Answer, Answered};
use crate::api::Api;
use crate::args::{GoldCommand, GoldShowArgs};
use crate::cloud::{Cloud, told};
use crate::context::Context;
use crate::fault::Fault;
use crate::screen::{Mark, Screen, grouped};

const PATH: &str = "/api/v2/analytics/gold/summary";

/// Shows.
pub(super) fn run(what: &GoldCommand, context: &Context) -> Answered {
    match what {
        GoldCommand::Show(args) => show(args, context),
    }
}

fn show(args: &GoldShowArgs, context: &Context) -> Answered {
    let date = parse_iso_date(&args.date)
        .ok_or_else(|| Fault::new("DATE is no date", "write it as YYYY-MM-DD, such as 2026-03-02"))?;
    for (name, value) in [("--queue", &args.queue), ("--media", &args.media), ("--org", &args.org)] {
        if value.as_ref().is_some_and(|value| value.is_empty() || !value.bytes().all(is_plain)) {
            return Err(Fault::new(
                format!("{name} is not an id"),
                "write letters, digits, dots, dashes and underscores",
            ));
        }
    }
    let granularity = if args.half_hours { Granularity::HalfHourly } else { Granularity::Daily };
    let summary = match (&args.from.api, &args.from.stack) {
        (Some(api), _) => from_api(&Api::open(api, context)?, args, granularity)?,
        (None, Some(stack)) => from_lake(&Cloud::open(stack)?, args, date, granularity)?,
        (None, None) => return Err(Fault::new("neither --api nor --stack is given", "name one of them")),
    };
    Ok(Box::new(Shown { summary }))
}

/// What goes into a query as it is.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

fn from_api(api: &Api, args: &GoldShowArgs, granularity: Granularity) -> Result<Summary, Fault> {
    let mut query = format!("date={}&granularity={}", args.date, granularity.as_str());
    for (name, value) in [("queue_id", &args.queue), ("media", &args.media), ("org", &args.org)] {
        if let Some(value) = value {
            query.push_str(&format!("&{name}={value}"));
        }
    }
    serde_json::from_value(api.get(&format!("{PATH}?{query}"))?).map_err(|error| {
        Fault::caused_by(
            "the API's answer is no document of figures",
            &error,
            "use the ledgerline of the deployment's version",
        )
    })
}

fn from_lake(cloud: &Cloud, args: &GoldShowArgs, date: Date, granularity: Granularity) -> Result<Summary, Fault> {
    let gold = Gold::new(told(cloud.operator.objects_of("LakeBucket"))?);
    let found = cloud.ask(gold.summary(date, granularity))?;
    let (summary, _) = found.ok_or_else(|| {
        let remedy = "the date had no events, or gold has not come to it yet: it computes the running date hourly";
        Fault::new(format!("there are no figures of {}", args.date), remedy)
    })?;
    let orgs = args.org.clone().map(|org| [org].into());
    Ok(summary.narrowed(&Selection { orgs, queue_id: args.queue.clone(), media: args.media.clone() }))
}

struct Shown {
    summary: Summary,
}

impl Answer for Shown {
    fn json(&self) -> Value {
        json!({ "figures": self.summary })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let Summary { date, time_zone, as_of, revision, rows, totals, .. } = &self.summary;
        screen.title("FIGURES", &format!("{date}, {time_zone}"))?;
        screen.fact("as of", as_of)?;
        screen.fact("revision", &revision.to_string())?;
        screen.gap()?;
        if rows.is_empty() {
            screen.say("There is no contact in it.")?;
        } else {
            let columns = Columns::of(rows);
            let mut table: Vec<Vec<String>> = rows.iter().map(|row| columns.row(row)).collect();
            table.push(columns.totals(&totals.figures));
            screen.table(&columns.headings(), &table)?;
        }
        screen.gap()?;
        if self.summary.stale {
            screen.check(
                Mark::Look,
                "more events had come by the end of the run",
                "the date will be computed again",
            )?;
        }
        if self.summary.fcr_provisional {
            let until = format!("it is final from {} on", self.summary.fcr_final_on);
            screen.check(Mark::Look, "first contact resolution may still change", &until)?;
        }
        screen.gap()
    }
}

/// Which names tell rows apart.
struct Columns {
    orgs: bool,
    media: bool,
    half_hours: bool,
}

impl Columns {
    fn of(rows: &[Row]) -> Self {
        Self {
            orgs: rows.windows(2).any(|two| two[0].org != two[1].org),
            media: rows.iter().any(|row| row.media.is_some()),
            half_hours: rows.iter().any(|row| row.interval_start.is_some()),
        }
    }

    fn headings(&self) -> Vec<&'static str> {
        let names = [(self.orgs, "org"), (true, "queue"), (self.media, "media"), (self.half_hours, "from (UTC)")];
        names.iter().filter(|(shown, _)| *shown).map(|(_, name)| *name).chain(FIGURES.map(|(name, _)| name)).collect()
    }

    fn row(&self, row: &Row) -> Vec<String> {
        let none = || NONE.to_owned();
        let names = [
            (self.orgs, row.org.clone()),
            (true, row.queue_id.clone().unwrap_or_else(none)),
            (self.media, row.media.clone().unwrap_or_else(none)),
            (self.half_hours, row.interval_start.as_deref().and_then(|at| at.get(11..16)).unwrap_or(NONE).to_owned()),
        ];
        named(names, &row.figures)
    }

    fn totals(&self, figures: &Figures) -> Vec<String> {
        let first = |is_first: bool| if is_first { "all".to_owned() } else { String::new() };
        let names = [
            (self.orgs, first(true)),
            (true, first(!self.orgs)),
            (self.media, String::new()),
            (self.half_hours, String::new()),
        ];
        named(names, figures)
    }
}

fn named(names: [(bool, String); 4], figures: &Figures) -> Vec<String> {
    let names = names.into_iter().filter(|(shown, _)| *shown).map(|(_, name)| name);
    names.chain(FIGURES.iter().map(|(_, figure)| figure(figures))).collect()
}

/// A heading, and its cell.
type Figure = (&'static str, fn(&Figures) -> String);

/// As they stand in the table.
const FIGURES: [Figure; 8] = [
    ("contacts", |figures| grouped(figures.total_contacts.unsigned_abs())),
    ("level %", |figures| cell(figures.service_level_pct)),
    ("abandoned %", |figures| cell(figures.abandon_rate_pct)),
    ("wait s", |figures| cell(figures.avg_answer_wait_sec)),
    ("handle s", |figures| cell(figures.avg_duration_sec)),
    ("handle s (Genesys)", |figures| cell(figures.aht_genesys_sec)),
    ("resolved %", |figures| cell(figures.fcr_rate_pct)),
    ("satisfaction", |figures| cell(figures.customer_satisfaction_avg)),
];

fn cell(ratio: Option<Hundredths>) -> String {
    ratio.map_or_else(|| NONE.to_owned(), |ratio| format!("{:.2}", ratio.as_f64()))
}

const NONE: &str = "–";

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_figures::summary::{Counts, Definitions, Totals};
    use ledgerline_figures::{Counters, ServiceLevel, Targets};

    fn row(org: &str, media: Option<&str>, talk_ms: i64) -> Row {
        let counters = Counters { answered: 1, within_target: 1, handled: 1, talk_ms, ..Counters::default() };
        let counts = Counts { counters, repeats: None };
        Row {
            org: org.to_owned(),
            queue_id: Some("q-billing".to_owned()),
            date: "2026-03-02".to_owned(),
            interval_start: None,
            media: media.map(str::to_owned),
            figures: counts.figures(ServiceLevel::default()),
            counts,
            lineage: String::new(),
        }
    }

    fn drawn(rows: Vec<Row>) -> String {
        let summary = Summary {
            v: Summary::V,
            date: "2026-03-02".to_owned(),
            granularity: Granularity::Daily,
            time_zone: "Europe/Berlin".to_owned(),
            as_of: "2026-03-03T00:00:00.000Z".to_owned(),
            revision: 4,
            stale: false,
            fcr_provisional: true,
            fcr_final_on: "2026-03-10".to_owned(),
            definitions: Definitions::of(ServiceLevel::default(), Targets::default()),
            sql_sha256: String::new(),
            totals: Totals::of(&rows, ServiceLevel::default()),
            rows,
        };
        let mut out = Vec::new();
        Shown { summary }.draw(&mut Screen::new(&mut out, 160, false)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_day_is_a_table_with_its_sum_and_what_may_still_change() {
        let text = drawn(vec![row("acme", None, 195_000), row("acme", None, 150_000)]);
        assert!(text.contains("2026-03-02, Europe/Berlin") && text.contains("final from 2026-03-10"), "{text}");
        let all = text.lines().find(|line| line.trim_start().starts_with("all")).unwrap();
        assert!(all.contains("172.50") && all.contains("100.00") && all.contains(NONE), "{all}");
        assert!(text.contains("195.00") && !text.contains("media") && !text.contains("acme"), "{text}");
    }

    #[test]
    fn orgs_and_media_are_named_where_they_tell_rows_apart() {
        let text = drawn(vec![row("acme", Some("VOICE"), 1_000), row("zeta", Some("VOICE"), 1_000)]);
        for word in ["org", "acme", "zeta", "media", "VOICE"] {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert!(drawn(Vec::new()).contains("no contact"));
    }
}
