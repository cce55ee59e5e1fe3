//! Figures on the local stack: what was known before it was sent, gold's files, DuckDB over silver, and the API, cell by cell.
//!
//! Each test takes a date that no other one has, so that its files hold its own organisation's rows, or reads those alone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use aws_sdk_dynamodb::types::AttributeValue;
use ledgerline_lake::{keys, sql};
use ledgerline_store::table::Key;
use ledgerline_store::{claim, gold_date};
use ledgerline_tests::access::{self, Answer, bearer};
use ledgerline_tests::gold::{self, ask, ask_once, compute};
use ledgerline_tests::org::Org;
use ledgerline_tests::silver;
use ledgerline_tests::stack::{Item, Stack, corpus, number, text};
use ledgerline_traffic::r#gen::known::{Day, Expected, KnownArgs, KnownDay, OF_INTERVALS, OF_REPEATS, Sums, generate};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng as Dice;
use serde_json::{Map, Value, json};
use time::Date;
use time::macros::{date, format_description};

use crate::chain::{DAY, event, now};

const MEDIA: [&str; 5] = ["CALLBACK", "CHAT", "EMAIL", "MESSAGE", "VOICE"];
/// Targets as the product's defaults have them.
const TARGETS_MS: [i64; 2] = [20_000, 86_400_000];

pub(crate) fn known(org: &Org<'_>, interactions: u32, seed: u64, date: Date) -> KnownDay {
    generate(&KnownArgs { interactions, seed, date, org: org.name.clone(), expected: None })
}

/// Sends in so many objects, one after the other, each in no order.
pub(crate) fn send_in_objects(stack: &Stack, mut records: Vec<Vec<u8>>, objects: usize, seed: u64) {
    records.shuffle(&mut Dice::seed_from_u64(seed));
    for part in records.chunks(records.len().div_ceil(objects)) {
        stack.send(part);
        stack.drained();
    }
}

#[test]
fn api_files_and_sql_agree_cell_by_cell_with_what_was_known_before() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "figures");
    let day = known(&org, 2_000, 1, date!(2026 - 01 - 12));
    send_in_objects(&stack, [day.in_time.clone(), day.again.clone()].concat(), 4, 1);
    let counts = org.committed(day.in_time.len() as u64);
    assert_eq!((counts.committed, counts.quarantined), (day.in_time.len() as u64, 0), "{counts:?}");
    assert!(counts.duplicate >= day.again.len() as u64, "{counts:?}");
    let before = computed_and_asked(&org, &day.expected_in_time);

    send_in_objects(&stack, day.late.clone(), 1, 2);
    org.committed((day.in_time.len() + day.late.len()) as u64);
    let after = computed_and_asked(&org, &day.expected);
    for (date, revision) in &before {
        let (was, is) = (day.expected_in_time.days.get(date), day.expected.days.get(date));
        assert!(if was == is { after[date] >= *revision } else { after[date] > *revision }, "{date}");
    }
    let folder = downloaded(&stack, &day.expected);
    assert_files_agree(&org, &day.expected, &folder);
    let read = gold::python(&["silver", folder.to_str().unwrap()]);
    assert_eq!(read["differences"], json!([]), "DuckDB and pyarrow read silver differently");
    assert!(read["cells"].as_u64().unwrap() > 500_000 && read["nulls"].as_u64().unwrap() > 100_000, "{read}");
}

/// Computes every date of the plan and holds the API's answers against it; each date's revision.
fn computed_and_asked(org: &Org<'_>, expected: &Expected) -> BTreeMap<String, u64> {
    let mut revisions = BTreeMap::new();
    for (date, day) in &expected.days {
        compute(org.stack, date);
        let query = [("date", date.as_str()), ("granularity", "daily"), ("org", &org.name)];
        let answer = answered(org, &query);
        let rows = rows(&answer, |row| row["queue_id"].as_str().map(str::to_owned));
        assert_eq!(rows.keys().collect::<Vec<_>>(), day.by_queue().keys().collect::<Vec<_>>(), "{date}");
        for (queue, sums) in day.by_queue() {
            assert_row(rows[&queue], &sums, true, &format!("{date} {queue:?}"));
        }
        assert_row(&answer["totals"], &day.totals, true, &format!("{date}, totals"));
        assert_eq!((&answer["timeZone"], &answer["stale"]), (&json!("UTC"), &json!(false)));
        revisions.insert(date.clone(), answer["revision"].as_u64().unwrap());
    }
    let (date, day) = expected.days.iter().max_by_key(|(_, day)| day.intervals.len()).unwrap();
    MEDIA.iter().for_each(|media| assert_media(org, date, day, media));
    revisions
}

/// A medium's rows of a day, and of its half hours.
fn assert_media(org: &Org<'_>, date: &str, day: &Day, media: &str) {
    let query = [("date", date), ("org", &org.name), ("media", media)];
    let answer = answered(org, &[&query[..], &[("granularity", "daily")]].concat());
    let found = rows(&answer, |row| row["queue_id"].as_str().map(str::to_owned));
    let wanted: BTreeMap<Option<String>, &Sums> =
        day.daily.iter().filter(|row| row.media == media).map(|row| (row.queue_id.clone(), &row.sums)).collect();
    assert!(!wanted.is_empty(), "{media}");
    assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "{media}");
    wanted.iter().for_each(|(queue, sums)| assert_row(found[queue], sums, true, &format!("{media} {queue:?}")));

    let answer = answered(org, &[&query[..], &[("granularity", "30min")]].concat());
    let found = rows(&answer, |row| {
        (row["queue_id"].as_str().map(str::to_owned), epoch_ms(row["interval_start"].as_str().unwrap()))
    });
    let wanted = day.half_hours(media);
    assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "{media}");
    wanted.iter().for_each(|(place, sums)| assert_row(found[place], sums, false, &format!("{media} {place:?}")));
}

fn answered(org: &Org<'_>, query: &[(&str, &str)]) -> Value {
    let answer = ask(org.stack, query, &[]);
    assert_eq!(answer.status, 200, "{query:?}: {:?}", answer.body);
    answer.body
}

/// An answer's rows by what tells them apart.
fn rows<K: Ord>(answer: &Value, key: impl Fn(&Value) -> K) -> BTreeMap<K, &Value> {
    let all = answer["rows"].as_array().unwrap();
    let by_key: BTreeMap<K, &Value> = all.iter().map(|row| (key(row), row)).collect();
    assert_eq!(by_key.len(), all.len(), "a row is there twice");
    by_key
}

/// Each count and each ratio of a row, exactly.
fn assert_row(row: &Value, sums: &Sums, has_repeats: bool, what: &str) {
    let repeats: &[&str] = if has_repeats { &OF_REPEATS } else { &[] };
    for name in OF_INTERVALS.iter().chain(repeats) {
        let wanted = sums.counters.get(name).copied().unwrap_or_default();
        assert_eq!(row["counts"][name], json!(wanted), "{what}: {name}");
    }
    assert_eq!(row["total_contacts"], json!(sums.counters["total_contacts"]), "{what}");
    for (name, hundredths) in &sums.hundredths {
        assert_eq!(row[name].as_f64(), hundredths.map(|value| value as f64 / 100.0), "{what}: {name}");
    }
}

fn epoch_ms(text: &str) -> i64 {
    let at = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap();
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap()
}

fn day_of(date: &str) -> Date {
    Date::parse(date, format_description!("[year]-[month]-[day]")).unwrap()
}

/// Silver and gold of a plan's dates and those around them in a folder of its own, with the interval SQL of each.
fn downloaded(stack: &Stack, expected: &Expected) -> PathBuf {
    let folder = xtask::paths::target().join("figures").join(&expected.org);
    let dates: Vec<Date> = expected.days.keys().map(|date| day_of(date)).collect();
    let around: BTreeSet<Date> = dates.iter().flat_map(|date| [*date - DAY, *date, *date + DAY]).collect();
    for date in around {
        gold::download(stack, &keys::silver_events_of(date), &folder);
    }
    for date in dates {
        for key in [keys::gold_intervals(date), keys::gold_daily(date)] {
            gold::download(stack, &key, &folder);
        }
        std::fs::write(folder.join(format!("{}.sql", keys::iso_date(date))), sql::intervals(date, &TARGETS_MS))
            .unwrap();
    }
    folder
}

/// pyarrow's and DuckDB's rows of gold's files, and those of the repository's SQL over silver, against what was known.
fn assert_files_agree(org: &Org<'_>, expected: &Expected, folder: &std::path::Path) {
    let dates: Vec<&str> = expected.days.keys().map(String::as_str).collect();
    let found = gold::python(&[&["gold", folder.to_str().unwrap()], &dates[..]].concat());
    for (date, day) in &expected.days {
        let wanted: BTreeSet<String> = day.intervals.iter().map(|row| line(&json!(row))).collect();
        let ours = |rows: &Value, within: bool| -> BTreeSet<String> {
            let all = rows.as_array().unwrap().iter().filter(|row| row["org"] == org.name);
            all.map(|row| line(&if within { with_target(row) } else { without_org(row) })).collect()
        };
        let intervals = &found[date]["gold_interval_queue_metrics"];
        assert_eq!(ours(&intervals["pyarrow"], false), wanted, "{date}, pyarrow");
        assert_eq!(ours(&intervals["duckdb"], false), wanted, "{date}, DuckDB");
        assert_eq!(ours(&found[date]["sql"], true), wanted, "{date}, the SQL over silver");
        let wanted: BTreeSet<String> =
            day.daily.iter().map(|row| line(&daily(row.queue_id.as_deref(), row.media, &row.sums))).collect();
        let days = &found[date]["gold_daily_queue_metrics"];
        assert_eq!(ours(&days["pyarrow"], false), wanted, "{date}, pyarrow");
        assert_eq!(ours(&days["duckdb"], false), wanted, "{date}, DuckDB");
    }
}

/// A row as text, its cells in order of their names.
fn line(row: &Value) -> String {
    let cells: BTreeMap<&String, &Value> = row.as_object().unwrap().iter().collect();
    json!(cells).to_string()
}

fn without_org(row: &Value) -> Value {
    let mut row = row.clone();
    row.as_object_mut().unwrap().remove("org");
    row
}

/// The SQL counts answers within each target; a row's own is its medium's.
fn with_target(row: &Value) -> Value {
    let mut row = without_org(row);
    let target_ms = if row["media"] == "EMAIL" { TARGETS_MS[1] } else { TARGETS_MS[0] };
    let cells = row.as_object_mut().unwrap();
    let within = cells[&format!("{}{target_ms}", sql::WITHIN)].clone();
    cells.retain(|name, _| !name.starts_with(sql::WITHIN));
    cells.insert("within_target".to_owned(), within);
    row
}

/// A daily file's row, as it must be.
fn daily(queue: Option<&str>, media: &str, sums: &Sums) -> Value {
    let mut row = Map::new();
    row.extend([("queue_id".to_owned(), json!(queue)), ("media".to_owned(), json!(media))]);
    row.extend(sums.counters.iter().map(|(name, count)| ((*name).to_owned(), json!(count))));
    let ratio = |hundredths: &Option<i64>| json!(hundredths.map(|value| value as f64 / 100.0));
    row.extend(sums.hundredths.iter().map(|(name, hundredths)| ((*name).to_owned(), ratio(hundredths))));
    Value::Object(row)
}

#[test]
fn a_call_of_sixteen_events_has_its_figures_shuffled_doubled_and_in_four_objects() {
    let Some(stack) = Stack::running() else { return };
    let Some(corpus) = corpus() else { return };
    let org = Org::new(&stack, "call");
    let call = std::fs::read_to_string(corpus.join("genesys/eventbridge/voice_call_full.synthetic.jsonl")).unwrap();
    let call = call.replace("00000000-0000-4000-8000-000000000001", &org.name);
    let events: Vec<Vec<u8>> = call.lines().map(|line| line.as_bytes().to_vec()).collect();
    assert_eq!(events.len(), 16);
    send_in_objects(&stack, [events.clone(), events].concat(), 4, 3);
    org.committed(16);
    compute(&stack, "2026-03-02");
    let body = answered(&org, &[("date", "2026-03-02"), ("granularity", "daily"), ("org", &org.name)]);
    let of = |begins: &str| {
        let begins_so = |row: &&Value| row["queue_id"].as_str().is_some_and(|queue| queue.starts_with(begins));
        body["rows"].as_array().unwrap().iter().find(begins_so).unwrap_or_else(|| panic!("{begins}: {body}"))
    };
    let figures =
        |row: &Value| ["total_contacts", "service_level_pct", "avg_duration_sec"].map(|name| row[name].as_f64());
    assert_eq!(figures(of("5169")), [Some(1.0), Some(100.0), Some(195.0)]);
    assert_eq!(figures(of("632e")), [Some(1.0), Some(0.0), Some(150.0)]);
    let totals = &body["totals"];
    assert_eq!(figures(totals), [Some(2.0), Some(50.0), Some(172.5)]);
    assert_eq!(totals["counts"]["transfers_blind"], 1);
}

#[test]
fn events_of_an_hour_a_week_and_nine_days_ago_land_in_their_own_date_and_nothing_else_changes() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "late");
    let hour = time::Duration::HOUR;
    let moments = [now() - hour, now() - (7 * DAY - hour), now() - 9 * DAY];
    // Each date has figures before, and so have those around it.
    for at in moments {
        let first: Vec<Vec<u8>> = (0..3).map(|n| event(&org, &format!("first-{}-{n}", at.date()), at, n)).collect();
        stack.send(&first);
    }
    org.committed(9);
    let dates: BTreeSet<String> = moments
        .iter()
        .flat_map(|at| [-DAY, time::Duration::ZERO, DAY].map(|by| keys::iso_date((*at + by).date())))
        .collect();
    dates.iter().for_each(|date| compute(&stack, date));
    for at in moments {
        let (before, date) = (gold::files(&stack), keys::iso_date(at.date()));
        let query = [("date", date.as_str()), ("org", &org.name)];
        let was = answered(&org, &query);
        stack.send(&[event(&org, &format!("late-{date}"), at, 7)]);
        org.settled(org.counts().seen.max(9) + 1);
        stack.drained();
        dates.iter().for_each(|date| compute(&stack, date));
        let is = answered(&org, &query);
        let answers = |body: &Value| body["totals"]["counts"]["answered"].as_i64().unwrap();
        assert_eq!(answers(&is), answers(&was) + 1, "{date}");
        assert!(is["revision"].as_u64() > was["revision"].as_u64(), "{date}");
        let after = gold::files(&stack);
        let changed: Vec<&String> = after.keys().filter(|key| before.get(*key) != after.get(*key)).collect();
        assert!(!changed.is_empty() && changed.iter().all(|key| key.contains(&format!("date={date}/"))), "{changed:?}");
    }
}

#[test]
fn two_runs_at_once_and_objects_that_come_meanwhile_end_as_a_run_from_nothing() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "racing");
    let date = date!(2025 - 12 - 08);
    let (day, name) = (known(&org, 60, 5, date), keys::iso_date(date));
    let half = day.in_time.len() / 2;
    stack.send(&day.in_time[..half]);
    org.committed(half as u64);
    std::thread::scope(|scope| {
        // One of them may be refused, as the other one wrote first.
        let runs = [0, 1].map(|_| scope.spawn(|| gold::invoke(&stack, &name)));
        // What comes meanwhile: many small objects.
        for part in day.in_time[half..].chunks(day.in_time.len().div_ceil(2 * 50)) {
            stack.send(part);
        }
        runs.into_iter().for_each(|run| drop(run.join()));
    });
    org.committed(day.in_time.len() as u64);
    stack.drained();
    compute(&stack, &name);
    let raced = figures_of(&stack, date);
    let query = [("date", name.as_str()), ("org", &org.name)];
    assert_row(&answered(&org, &query)["totals"], &day.expected_in_time.days[&name].totals, true, "after the race");

    for key in raced.keys() {
        stack.block(stack.s3.delete_object().bucket(stack.bucket("LakeBucket")).key(key).send()).unwrap();
    }
    compute(&stack, &name);
    assert_eq!(figures_of(&stack, date), raced);
}

/// A date's Parquet files, and its documents but for when and how often they were made.
fn figures_of(stack: &Stack, date: Date) -> BTreeMap<String, Vec<u8>> {
    let of_date = format!("date={}/", keys::iso_date(date));
    let files = stack.keys("LakeBucket", "gold/").into_iter();
    let files = files.filter(|key| key.contains(&of_date) && !key.starts_with("gold/runs/"));
    let made = files.map(|key| {
        let bytes = stack.object("LakeBucket", &key).0;
        let bytes = match serde_json::from_slice::<Value>(&bytes) {
            Ok(mut document) => {
                let rows = document["rows"].as_array_mut().unwrap().iter_mut();
                rows.for_each(|row| row["lineage"] = Value::Null);
                (document["asOf"], document["revision"]) = (Value::Null, Value::Null);
                document.to_string().into_bytes()
            }
            Err(_) => bytes,
        };
        (key, bytes)
    });
    let made: BTreeMap<String, Vec<u8>> = made.collect();
    assert_eq!(made.len(), 4, "{:?}", made.keys());
    made
}

/// The organisation as it was before its first event, in what gold is made of: no claims, no silver. Then all of bronze under other names.
#[test]
fn all_of_bronze_under_other_names_gives_the_same_bytes() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "again");
    let date = date!(2025 - 11 - 17);
    let day = known(&org, 60, 6, date);
    send_in_objects(&stack, [day.in_time.clone(), day.late.clone(), day.again.clone()].concat(), 3, 6);
    let events = day.in_time.len() + day.late.len();
    org.committed(events as u64);
    let dates: Vec<Date> = day.expected.days.keys().map(|date| day_of(date)).collect();
    let compute_all = || dates.iter().for_each(|date| compute(&stack, &keys::iso_date(*date)));
    let all = || -> Vec<BTreeMap<String, Vec<u8>>> { dates.iter().map(|date| figures_of(&stack, *date)).collect() };
    compute_all();
    let first = all();

    let objects = org.objects();
    let rows: Vec<Item> = objects.iter().map(|object| stack.object_row(object).unwrap()).collect();
    let bronze: Vec<String> = rows.iter().map(|row| text(row, "key")).collect();
    forget_claims(&stack, &org);
    for key in stack.keys("LakeBucket", "silver/events/") {
        if objects.iter().any(|object| key.ends_with(&format!("/{object}.parquet"))) {
            stack.block(stack.s3.delete_object().bucket(stack.bucket("LakeBucket")).key(key).send()).unwrap();
        }
    }
    compute_all();
    assert_ne!(all(), first, "without silver the figures are others");
    for key in bronze {
        let (bytes, _) = stack.object("BronzeBucket", &key);
        let name = key.replace(".gz", "-again.gz");
        let put = stack.s3.put_object().bucket(stack.bucket("BronzeBucket")).key(name).body(bytes.into());
        stack.block(put.send()).unwrap();
    }
    org.committed(2 * events as u64);
    stack.drained();
    compute_all();
    let again = all();
    for (one, other) in first.iter().zip(&again) {
        for (key, bytes) in one {
            assert!(other[key] == *bytes, "{key} has other bytes");
        }
    }
}

/// Who called most often on a day, and the conversations.
fn most_frequent_caller(day: &KnownDay) -> (String, BTreeSet<String>) {
    let mut callers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for record in &day.in_time {
        let event: Value = serde_json::from_slice(record).unwrap();
        let body = &event["detail"]["eventBody"];
        if let (Some(number), "INBOUND") = (body["ani"].as_str(), body["direction"].as_str().unwrap_or_default())
            && let Some(number) = number.strip_prefix("tel:+")
        {
            callers.entry(format!("+{number}")).or_default().insert(text_of(&body["conversationId"]));
        }
    }
    callers.into_iter().max_by_key(|(_, conversations)| conversations.len()).unwrap()
}

#[test]
fn an_erasure_has_its_days_computed_again_and_half_hours_keep_every_byte() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "erased");
    let date = date!(2025 - 10 - 13);
    let (day, name) = (known(&org, 60, 7, date), keys::iso_date(date));
    send_in_objects(&stack, day.in_time.clone(), 2, 7);
    org.committed(day.in_time.len() as u64);
    stack.drained();
    compute(&stack, &name);
    let touched = || {
        let row = stack.item("ControlTable", &gold_date::key(date)).unwrap();
        number(&row, "touched")
    };
    let (before, marks) = (figures_of(&stack, date), touched());
    let (caller, conversations) = most_frequent_caller(&day);
    let erased = || {
        let rows = silver::rows(&org).into_iter();
        let is_callers = |row: &silver::Row| {
            row.get("interaction_id").and_then(Value::as_str).is_some_and(|id| conversations.contains(id))
        };
        rows.filter(is_callers).map(|row| row["erased"] == true).collect::<Vec<bool>>()
    };
    assert!(!erased().is_empty() && erased().iter().all(|is| !is));

    org.erase(&json!([{ "kind": "phone", "value": caller }]));
    stack.drained();
    assert!(erased().iter().all(|is| *is), "all of the caller's conversations");
    assert!(touched() > marks, "nobody would compute it again");
    compute(&stack, &name);
    let (after, intervals) = (figures_of(&stack, date), keys::gold_intervals(date));
    assert!(after[&intervals] == before[&intervals], "the figures of half hours are others");
    // Who came again within a week is told by customer, and so by others from now on; all else is as it was known before.
    let totals = &answered(&org, &[("date", name.as_str()), ("org", &org.name)])["totals"]["counts"];
    let known = &day.expected_in_time.days[&name].totals.counters;
    for counter in OF_INTERVALS {
        assert_eq!(totals[counter], json!(known.get(counter).copied().unwrap_or_default()), "{counter}");
    }
}

/// Deletes what tells that an organisation's events came before.
fn forget_claims(stack: &Stack, org: &Org<'_>) {
    let table = stack.description().table("IndexTable").unwrap();
    let rows = stack.items("IndexTable", &ledgerline_store::record::partition(&format!("{}/", org.name)));
    let claims: Vec<&Item> =
        rows.iter().filter(|row| claim::is_key(&Key::new(text(row, "pk"), text(row, "sk")))).collect();
    assert!(!claims.is_empty());
    for row in claims {
        let delete = stack.dynamodb.delete_item().table_name(table);
        let key = |name: &str| AttributeValue::S(text(row, name));
        stack.block(delete.key("pk", key("pk")).key("sk", key("sk")).send()).unwrap();
    }
}

#[test]
fn a_storm_of_a_dashboard_is_told_when_to_come_back_and_takes_nothing_from_the_privacy_desk() {
    let Some(stack) = Stack::running() else { return };
    let query = [("date", "2026-01-12")];
    let nobody = json!({ "identifiers": [{ "kind": "email", "value": "nobody-ever@example.com" }] });
    let (answers, desk): (Vec<Answer>, u16) = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| (0..10).map(|_| ask_once(&stack, &query, &[])).collect::<Vec<_>>()))
            .collect();
        let (desk, _) = access::ask(&stack, Some(&stack.description().api_key), &nobody);
        (callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect(), desk)
    });
    let (refused, let_in): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.status == 429);
    assert!(!refused.is_empty() && !let_in.is_empty(), "{} of {}", refused.len(), answers.len());
    for answer in refused {
        assert_eq!(answer.body["type"], "urn:ledgerline:problem:too-many-requests");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(answer.headers["retry-after"], "1");
    }
    assert!(let_in.iter().all(|answer| matches!(answer.status, 200 | 404)), "{let_in:?}");
    assert_eq!(desk, 200, "the privacy desk has a plan of its own");
}

#[test]
fn only_an_analyst_is_answered_and_only_what_changed_is_sent() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "analyst");
    let (at, conversation) = (now() - 2 * DAY, uuid::Uuid::new_v4().to_string());
    stack.send(&[event(&org, &conversation, at, 1)]);
    org.committed(1);
    let date = keys::iso_date(at.date());
    compute(&stack, &date);
    let query = [("date", date.as_str()), ("org", org.name.as_str())];
    let first = ask(&stack, &query, &[]);
    assert_eq!((first.status, first.body["rows"].as_array().unwrap().len()), (200, 1), "{:?}", first.body);
    let tag = first.headers["etag"].clone();
    let again = ask(&stack, &query, &[("if-none-match", &tag)]);
    assert_eq!((again.status, &again.headers["etag"]), (304, &tag));
    let problem = |answer: &Answer| (answer.status, text_of(&answer.body["type"]));
    let wrong = ask(&stack, &[("date", "yesterday")], &[]);
    assert_eq!(problem(&wrong), (400, "urn:ledgerline:problem:invalid-parameter".to_owned()));
    let nothing = ask(&stack, &[("date", "1991-01-01")], &[]);
    assert_eq!(problem(&nothing), (404, "urn:ledgerline:problem:no-figures".to_owned()));
    let reader = bearer(stack.description().token("reader").unwrap());
    let refused = gold::get(&stack, &query, &[("x-api-key", &stack.description().api_key), ("authorization", &reader)]);
    assert_eq!(problem(&refused), (403, "urn:ledgerline:problem:forbidden".to_owned()));
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Needs no stack: the texts that Athena is given on AWS, where no test of ours runs.
#[test]
fn athena_trino_and_duckdb_read_one_tree_in_each_sql_text() {
    let folder = xtask::paths::target().join("figures").join("sql");
    std::fs::create_dir_all(&folder).unwrap();
    let day = date!(2026 - 03 - 02);
    let midnight_ms = epoch_ms("2026-03-02T00:00:00Z");
    let texts = [
        ("sessions.sql", sql::sessions(day - DAY, day + DAY)),
        ("intervals.sql", sql::intervals(day, &TARGETS_MS)),
        ("repeats.sql", sql::repeats(midnight_ms, midnight_ms + 86_400_000).unwrap()),
    ];
    let paths: Vec<String> = texts.iter().map(|(name, _)| folder.join(name).display().to_string()).collect();
    for (path, (_, sql)) in paths.iter().zip(&texts) {
        std::fs::write(path, sql).unwrap();
    }
    let arguments: Vec<&str> = std::iter::once("dialects").chain(paths.iter().map(String::as_str)).collect();
    let found = gold::python(&arguments);
    for (name, _) in &texts {
        assert_eq!(found[name], json!({ "athena": true, "trino": true, "duckdb": true }), "{name}");
    }
}
