//! `mining push`: conversations to an engine's bulk endpoint, batch by batch.
//!
//! Invariant: a batch is noted as arrived once the engine said so, and the next one is sent only then, so that each record arrives once at least;
//! one that is sent again has the id that it had. The token goes to the URL that was named and nowhere else, by TLS unless that is this machine.
//! No body of an answer is shown: it may repeat what was sent.

use std::io;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use hyper::{Request, Uri};
use ledgerline_https::{AskError, Bounds, Client, is_private};
use ledgerline_lake::keys::iso_date;
use ledgerline_lake::mining::bulk::{Batch, Batcher, Limits};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::runtime::Runtime;

use crate::answer::{Answer, Answered};
use crate::args::MiningPushArgs;
use crate::cloud::runtime;
use crate::context::{Context, Secret};
use crate::fault::Fault;
use crate::screen::{Mark, Screen, grouped};

use super::cursor::Cursor;
use super::export::draw_left_out;
use super::{Read, Wanted, sorting_folder};

/// The environment variable of the engine's token: another one than the API's, which no engine may learn.
pub(crate) const TOKEN: &str = "LEDGERLINE_MINING_TOKEN";
const PATH: &str = "/api/v1/processes/bulk-ingest";
/// A batch of 1 MiB over a slow line, and an engine that reads it before it answers.
const BOUNDS: Bounds = Bounds { patience: Duration::from_secs(120), body_bytes: 1024 * 1024 };
/// How often a batch is sent of which the engine does not say when to come again.
const TRIES: u32 = 5;
/// The first wait is half of this or less, the fourth 8 s at most.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait that an engine may ask for, and how often in a row: four hours.
const LONGEST_WAIT: Duration = Duration::from_secs(240);
const MOST_WAITS: u32 = 60;

/// Sends.
pub(super) fn run(args: &MiningPushArgs, context: &Context) -> Answered {
    let mut wanted = Wanted::of(&args.what, context)?;
    let engine = Engine::open(&args.url, context)?;
    let what = &args.what;
    let (from, to) = (iso_date(wanted.dates.from), iso_date(wanted.dates.to));
    let recipient = what.recipient.as_deref().map_or(String::new(), |name| format!("to {name}"));
    let around = what.around.to_string();
    let view = wanted.labels.view.as_str();
    let named = if what.customers { "with customers" } else { "" };
    let sent: [&str; 9] = [&what.org, &from, &to, view, &around, &what.process, &recipient, named, &engine.url];
    let mut cursor = Cursor::open(&args.cursor, &sent, wanted.settled_ms)?;
    let before = cursor.state.records;
    if cursor.state.done {
        return Ok(Box::new(Pushed { read: None, before, cursor }));
    }
    wanted.settled_ms = cursor.state.settled_ms;
    let (sorted, mut read) = wanted.sorted(sorting_folder(&args.cursor), context)?;
    let progress = context.progress("sending records", None);
    let limits = Limits { records: cursor.state.batch_records.max(1), ..Limits::default() };
    let mut batcher = Batcher::new(wanted.labels.clone(), limits, cursor.state.after.clone());
    let send = |batcher: &mut Batcher, cursor: &mut Cursor, is_last: bool| -> Result<(), Fault> {
        while is_last || batcher.is_full() {
            let Some(batch) = batcher.next_batch() else { break };
            engine.deliver(batch, batcher, cursor)?;
            progress.set_position(cursor.state.records);
        }
        Ok(())
    };
    let told = read.cases(sorted, wanted.window(), &mut |case| {
        batcher.push(case);
        send(&mut batcher, &mut cursor, false)
    });
    let told = told.and_then(|()| send(&mut batcher, &mut cursor, true));
    progress.finish_and_clear();
    told?;
    cursor.state.done = true;
    cursor.save()?;
    Ok(Box::new(Pushed { read: Some(read), before, cursor }))
}

/// An engine, and who sends.
struct Engine {
    url: String,
    token: Option<Secret>,
    client: Client,
    runtime: Runtime,
}

impl Engine {
    fn open(url: &str, context: &Context) -> Result<Self, Fault> {
        let remedy = "name the engine's URL, such as https://mining.example.com";
        let parsed =
            url.parse::<Uri>().map_err(|error| Fault::caused_by("the URL of --url cannot be read", &error, remedy))?;
        if !is_private(&parsed) {
            return Err(Fault::new("the URL of --url is not https: what is sent would be read on the way", remedy));
        }
        let token = context.mining_token.clone();
        if token.is_none() && parsed.scheme_str() == Some("https") {
            return Err(Fault::new(format!("{TOKEN} is not set"), "set it to a token of the engine's"));
        }
        let runtime = runtime()?;
        let client = {
            let _entered = runtime.enter();
            Client::new().map_err(|error| {
                Fault::caused_by("this machine trusts no certificates", &error, "install its certificates")
            })?
        };
        Ok(Self { url: format!("{}{PATH}", url.trim_end_matches('/')), token, client, runtime })
    }

    /// Sends a batch until it arrived, and notes that; one that is too large comes back in halves.
    fn deliver(&self, batch: Batch, batcher: &mut Batcher, cursor: &mut Cursor) -> Result<(), Fault> {
        let (mut tries, mut waits) = (0, 0);
        loop {
            let answer = self.post(&batch)?;
            match answer.verdict() {
                Verdict::Arrived => {
                    batcher.sent(&batch);
                    let state = &mut cursor.state;
                    (state.batches, state.records) = (state.batches + 1, state.records + batch.records as u64);
                    state.after = Some(batch.last);
                    return cursor.save();
                }
                Verdict::TooLarge if batcher.halve(&batch) => {
                    cursor.state.batch_records = batcher.limit();
                    return cursor.save();
                }
                Verdict::Later(wait) if waits < MOST_WAITS => {
                    waits += 1;
                    self.pause(wait);
                }
                Verdict::Again if tries + 1 < TRIES => {
                    self.pause(jittered(FIRST_WAIT * 2_u32.pow(tries), random()));
                    tries += 1;
                }
                Verdict::TooLarge | Verdict::Later(_) | Verdict::Again | Verdict::Refused => {
                    return Err(answer.fault(&batch.id));
                }
            }
        }
    }

    fn post(&self, batch: &Batch) -> Result<Said, Fault> {
        let mut request = Request::post(&self.url).header("content-type", "application/json");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.expose_for_header()));
        }
        // An error of the builder's may quote a header.
        let request = request.body(Full::new(Bytes::from(batch.body.clone()))).map_err(|_| {
            Fault::new("the request cannot be written", format!("see that {TOKEN} is plain text without line breaks"))
        })?;
        Ok(match self.runtime.block_on(self.client.ask(request, BOUNDS)) {
            Ok(answer) => Said::Status(answer.status, answer.headers),
            Err(error) => Said::Nothing(error),
        })
    }

    fn pause(&self, time: Duration) {
        // Made inside: a timer looks for its runtime.
        self.runtime.block_on(async { tokio::time::sleep(time).await });
    }
}

/// What came of a batch.
enum Said {
    Status(u16, HeaderMap),
    /// The connection broke, or the answer did.
    Nothing(AskError),
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Arrived,
    /// Half of it.
    TooLarge,
    /// The same one after this time, as the engine asks.
    Later(Duration),
    /// The same one after a while.
    Again,
    /// No other time would be better.
    Refused,
}

impl Said {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Nothing(_) => Verdict::Again,
            Self::Status(status, headers) => match (*status, retry_after(headers)) {
                (200..=299, _) => Verdict::Arrived,
                (413, _) => Verdict::TooLarge,
                (429 | 503, Some(wait)) => Verdict::Later(wait),
                (429 | 500.., _) => Verdict::Again,
                _ => Verdict::Refused,
            },
        }
    }

    fn fault(&self, batch: &str) -> Fault {
        let again = "run the same command again: it goes on with this batch";
        match self {
            Self::Nothing(error) => {
                Fault::caused_by(format!("the engine does not answer to batch {batch}"), error, again)
            }
            Self::Status(413, _) => {
                let remedy = "raise the engine's limit for one request: a single record is too large for it";
                Fault::new(format!("the engine answers 413 to one record, batch {batch}"), remedy)
            }
            Self::Status(status, _) => {
                let remedy = match status {
                    401 | 403 => format!("set {TOKEN} to a token of the engine's that may write; then {again}"),
                    404 => "see whether --url is the engine's, before /api/v1/processes/bulk-ingest".to_owned(),
                    300..=399 => "name the URL that the engine sends on to: no redirect is followed".to_owned(),
                    429 | 500.. => again.to_owned(),
                    _ => format!("see in the engine's log what it says of this batch; then {again}"),
                };
                Fault::new(format!("the engine answers {status} to batch {batch}"), remedy)
            }
        }
    }
}

/// How long an engine asks to wait: seconds, or a date, which is compared with the answer's own.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let asked = text(RETRY_AFTER)?;
    let wait = match asked.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = |text: &str| OffsetDateTime::parse(text, &Rfc2822).ok();
            let apart = date(asked)? - date(text(DATE)?)?;
            Duration::try_from(apart).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

/// Between half of it and all of it, by eight random bits.
fn jittered(wait: Duration, random: u8) -> Duration {
    wait / 2 + (wait / 2) * u32::from(random) / 255
}

fn random() -> u8 {
    let mut byte = [0];
    // Without randomness the wait is the shortest, which is no harm.
    let _ = getrandom::fill(&mut byte);
    byte[0]
}

struct Pushed {
    /// None if everything had arrived before.
    read: Option<Read>,
    /// Records that had arrived before.
    before: u64,
    cursor: Cursor,
}

impl Answer for Pushed {
    fn json(&self) -> Value {
        let state = &self.cursor.state;
        let mut said = self.read.as_ref().map_or_else(|| json!({}), Read::json);
        said["records"] = json!(state.records);
        said["recordsBefore"] = json!(self.before);
        said["batches"] = json!(state.batches);
        said["batchRecords"] = json!(state.batch_records);
        said
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let state = &self.cursor.state;
        screen.title("PUSHED", &format!("{} batches", grouped(state.batches)))?;
        screen.fact("records", &grouped(state.records))?;
        screen.fact("of these before", &grouped(self.before))?;
        screen.gap()?;
        match &self.read {
            None => {
                let detail = "name another file with --cursor to send what came since";
                screen.check(Mark::Good, "all of it had arrived before", detail)
            }
            Some(read) => draw_left_out(read, screen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, headers: &[(&'static str, &'static str)]) -> Said {
        let header =
            |(name, value): &(&'static str, &'static str)| (HeaderName::from_static(name), value.parse().unwrap());
        Said::Status(status, headers.iter().map(header).collect())
    }

    #[test]
    fn each_status_has_its_verdict() {
        let seconds = Duration::from_secs;
        for (status, retry_after, verdict) in [
            (200, None, Verdict::Arrived),
            (202, Some("9"), Verdict::Arrived),
            (413, None, Verdict::TooLarge),
            (429, Some("7"), Verdict::Later(seconds(7))),
            (503, Some(" 0 "), Verdict::Later(seconds(0))),
            (429, None, Verdict::Again),
            (503, Some("soon"), Verdict::Again),
            (500, Some("7"), Verdict::Again),
            (502, None, Verdict::Again),
            (400, None, Verdict::Refused),
            (401, None, Verdict::Refused),
            (302, None, Verdict::Refused),
            (429, Some("86400"), Verdict::Later(LONGEST_WAIT)),
        ] {
            let headers: Vec<_> = retry_after.map(|value| ("retry-after", value)).into_iter().collect();
            assert_eq!(said(status, &headers).verdict(), verdict, "{status} {retry_after:?}");
        }
    }

    #[test]
    fn a_date_to_come_again_is_counted_from_the_answers_own() {
        let at = |retry_after| {
            let date = ("date", "Mon, 02 Mar 2026 14:00:00 GMT");
            said(503, &[date, ("retry-after", retry_after)]).verdict()
        };
        assert_eq!(at("Mon, 02 Mar 2026 14:00:30 GMT"), Verdict::Later(Duration::from_secs(30)));
        assert_eq!(at("Mon, 02 Mar 2026 13:59:00 GMT"), Verdict::Later(Duration::ZERO));
        assert_eq!(said(503, &[("retry-after", "Mon, 02 Mar 2026 14:00:30 GMT")]).verdict(), Verdict::Again);
    }

    #[test]
    fn waits_grow_and_lie_between_half_and_whole() {
        let wait = Duration::from_secs(8);
        assert_eq!((jittered(wait, 0), jittered(wait, 255)), (Duration::from_secs(4), wait));
        assert!(jittered(wait, 100) > Duration::from_secs(5) && jittered(wait, 100) < Duration::from_secs(6));
    }

    #[test]
    fn a_fault_names_the_batch_and_what_to_do() {
        for (status, todo) in
            [(401, TOKEN), (404, "--url"), (308, "no redirect"), (500, "run the same command"), (422, "log")]
        {
            let told = said(status, &[]).fault("batch_20260302_00").to_string();
            assert!(told.contains("batch_20260302_00") && told.contains(todo), "{told}");
        }
    }
}
