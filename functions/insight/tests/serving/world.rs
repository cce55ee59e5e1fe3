//! A lake with the documents of a day, and the function over it.

use std::sync::{Arc, Mutex, OnceLock};

use aws_lambda_events::apigw::ApiGatewayProxyResponse;
use aws_lambda_events::encodings::Body;
use ledgerline_figures::summary::{Counts, Definitions, Granularity, Row, Summary, Totals};
use ledgerline_figures::{Counters, Repeats, ReportZone, ServiceLevel, Targets};
use ledgerline_insight::{Names, Ports, Stores, handle};
use ledgerline_lake::keys;
use ledgerline_testkit::bucket::FakeBucket;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::table::FakeTable;
use serde_json::{Value, json};
use time::Date;
use time::macros::date;

/// The day that has figures.
pub(crate) const DAY: Date = date!(2026 - 03 - 02);
/// A day that was computed and on which nothing happened.
pub(crate) const EMPTY: Date = date!(2026 - 03 - 03);
const NOW_MS: i64 = 1_772_460_000_350;

pub(crate) struct World {
    pub(crate) lake: FakeBucket,
    pub(crate) calls: Calls,
    pub(crate) faults: Faults,
    stores: Stores,
}

impl World {
    /// Two orgs' rows on a day.
    pub(crate) fn new() -> Self {
        captured();
        let (calls, faults) = (Calls::of_function("insight"), Faults::none());
        let lake = FakeBucket::new("LakeBucket", Faults::none(), Calls::default(), NOW_MS);
        let table = |name| FakeTable::new(name, faults.clone(), calls.clone()).port();
        let ports = Ports {
            control: table("ControlTable"),
            index: table("IndexTable"),
            ledger: FakeBucket::versioned("LedgerBucket", faults.clone(), calls.clone(), NOW_MS).port(),
            bronze: FakeBucket::new("BronzeBucket", faults.clone(), calls.clone(), NOW_MS).port(),
            lake: lake.seen_by(faults.clone(), calls.clone()).port(),
        };
        let world = Self { stores: Stores::new(ports, names(), ReportZone::utc()), lake, calls, faults };
        for granularity in Granularity::ALL {
            world.store(DAY, granularity, rows(granularity));
            world.store(EMPTY, granularity, Vec::new());
        }
        world
    }

    /// Puts a document, as a run of gold would.
    pub(crate) fn store(&self, date: Date, granularity: Granularity, rows: Vec<Row>) {
        let summary = summary(date, granularity, rows, 3);
        self.lake.seed(&keys::gold_summary(date, granularity), serde_json::to_vec(&summary).unwrap());
    }

    /// What any payload is answered with.
    pub(crate) async fn handle(&self, payload: &str) -> (i64, Value, ApiGatewayProxyResponse) {
        let response = handle(&self.stores, payload).await;
        let Some(Body::Text(text)) = &response.body else { panic!("no text body") };
        if response.status_code >= 400 {
            assert_eq!(response.headers["content-type"], "application/problem+json");
            assert_eq!(response.headers["cache-control"], "no-store");
        }
        (response.status_code, serde_json::from_str(text).unwrap_or_default(), response)
    }

    /// An analyst's question of the organisations of a token, with these headers.
    pub(crate) async fn ask_with(
        &self,
        orgs: &str,
        query: &[(&str, &str)],
        headers: Value,
    ) -> (i64, Value, ApiGatewayProxyResponse) {
        self.handle(&event(&analyst("gold:read", orgs), "GET", query, headers).to_string()).await
    }

    /// The same without headers: status and body.
    pub(crate) async fn ask(&self, orgs: &str, query: &[(&str, &str)]) -> (i64, Value) {
        let (status, body, _) = self.ask_with(orgs, query, json!({})).await;
        (status, body)
    }
}

/// A day's document.
pub(crate) fn summary(date: Date, granularity: Granularity, rows: Vec<Row>, revision: u64) -> Summary {
    let level = ServiceLevel::default();
    Summary {
        v: Summary::V,
        date: keys::iso_date(date),
        granularity,
        time_zone: "UTC".to_owned(),
        as_of: "2026-03-03T00:15:00.000Z".to_owned(),
        revision,
        stale: false,
        fcr_provisional: true,
        fcr_final_on: "2026-03-10".to_owned(),
        definitions: Definitions::of(level, Targets::default()),
        sql_sha256: "00".repeat(32),
        totals: Totals::of(&rows, level),
        rows,
    }
}

/// What answers call the buckets.
pub(crate) fn names() -> Names {
    let [ledger, bronze, lake] = ["the-ledger", "the-bronze", "the-lake"].map(str::to_owned);
    Names { ledger, bronze, lake }
}

/// A call of the summary as API Gateway hands it on.
pub(crate) fn event(caller: &Value, method: &str, query: &[(&str, &str)], headers: Value) -> Value {
    let single: serde_json::Map<String, Value> =
        query.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let multiple: serde_json::Map<String, Value> =
        query.iter().map(|(name, value)| ((*name).to_owned(), json!([value]))).collect();
    json!({
        "resource": "/api/v2/analytics/gold/summary", "path": "/api/v2/analytics/gold/summary", "httpMethod": method,
        "headers": headers, "queryStringParameters": single, "multiValueQueryStringParameters": multiple,
        "requestContext": { "requestId": "call-1", "authorizer": caller }, "body": null, "isBase64Encoded": false,
    })
}

/// A caller as the authorizer hands it on.
pub(crate) fn analyst(scopes: &str, orgs: &str) -> Value {
    json!({ "iss": "https://id.example", "sub": "bi-tool", "scopes": scopes, "orgs": orgs, "client": "true", "person": "false" })
}

/// acme has a queue that is called and written to, and another; globex has one.
fn rows(granularity: Granularity) -> Vec<Row> {
    let mut rows = Vec::new();
    let starts: &[Option<&str>] = match granularity {
        Granularity::Daily => &[None],
        Granularity::HalfHourly => &[Some("2026-03-02T09:00:00.000Z"), Some("2026-03-02T09:30:00.000Z")],
    };
    for (org, queue, media, answered, talk_ms) in [
        ("acme", "q-1", "CHAT", 1, 100_000),
        ("acme", "q-1", "VOICE", 3, 600_000),
        ("acme", "q-2", "VOICE", 2, 100_000),
        ("globex", "q-9", "VOICE", 4, 400_000),
    ] {
        rows.extend(starts.iter().map(|start| row((org, queue, media), answered, talk_ms, *start)));
    }
    rows
}

pub(crate) fn row((org, queue, media): (&str, &str, &str), answered: i64, talk_ms: i64, start: Option<&str>) -> Row {
    let counters = Counters {
        answered,
        within_target: answered,
        handled: answered,
        handle_sessions: answered,
        talk_ms,
        ..Counters::default()
    };
    let told = Repeats { fcr_eligible: answered, fcr_resolved: 1, no_contact_7d: 0 };
    let counts = Counts { counters, repeats: start.is_none().then_some(told) };
    Row {
        org: org.to_owned(),
        queue_id: Some(queue.to_owned()),
        date: "2026-03-02".to_owned(),
        interval_start: start.map(str::to_owned),
        media: Some(media.to_owned()),
        figures: counts.figures(ServiceLevel::default()),
        counts,
        lineage: "gold/runs/date=2026-03-02/3.json".to_owned(),
    }
}

/// Everything that was logged since the process began, at every level.
#[derive(Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(crate) fn captured() -> &'static Captured {
    static CAPTURED: OnceLock<Captured> = OnceLock::new();
    CAPTURED.get_or_init(|| {
        let captured = Captured::default();
        let writer = captured.clone();
        let level = tracing_subscriber::filter::LevelFilter::TRACE;
        let log = tracing_subscriber::fmt().json().with_max_level(level).with_writer(move || writer.clone()).finish();
        tracing::subscriber::set_global_default(log).unwrap();
        captured
    })
}
