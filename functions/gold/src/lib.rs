//! Counts figures of silver by Athena, and keeps them right after late events.
//!
//! A schedule comes every quarter of an hour for the dates of the last week, another every night for older ones and for repeats; a person
//! may ask for one date. [`due`] decides which, [`counting`] counts a UTC date's half hours, [`day`] writes the local dates that they belong
//! to, [`telling`] tells first contact resolution.
//!
//! Invariant: a date whose input changed is dirty until figures of all that input stand there. Two runs at once put nothing in each
//! other's place, and each write can be done again by any later run. Nothing of a person is read or written: sums alone come back.

use std::collections::BTreeSet;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use ledgerline_figures::zone::FIRST_YEAR;
use ledgerline_lake::keys::{iso_date, parse_iso_date};
use ledgerline_lambda::clock::Clock;
use serde::{Deserialize, Serialize};
use time::Date;

pub mod config;
mod counting;
mod day;
pub mod due;
pub mod error;
mod open_lineage;
mod provenance;
mod question;
mod rows;
pub mod stores;
mod telling;

use config::Settings;
use counting::Computed;
use error::GoldError;
use stores::Stores;

/// A run ends by itself after this long, so that the schedule's next one hardly meets it.
const RUN_MS: i64 = 13 * 60 * 1_000;
/// Nothing is begun this close to the invocation's deadline: writing a date's files takes a few seconds.
const RESERVE_MS: i64 = 30_000;
/// Old dates take no more than this share of a night, in percent, so that repeats are told each night.
const OLD_ENDS_AT: i64 = 60;

/// What a run does: a schedule's input, or a person's. Anything else in it is ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Request {
    /// Which schedule it is.
    pub run: Schedule,
    /// A local date, `YYYY-MM-DD`: only this one, dirty or not, with its repeats.
    pub date: Option<String>,
}

/// The two schedules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Schedule {
    /// Dirty dates of the last week.
    #[default]
    Frequent,
    /// Older dirty dates, and repeats.
    Nightly,
}

/// What a run did: dates and counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// UTC dates whose half hours were counted.
    pub computed: Vec<String>,
    /// Of these, those that stay dirty, as more input came twice.
    pub stale: Vec<String>,
    /// Local dates whose repeats were told.
    pub told: Vec<String>,
    /// Files that were put.
    pub put: u64,
    /// What Athena read, as it says.
    pub scanned_bytes: u64,
    /// Dates that another run wrote first.
    pub races: u64,
    /// Dates that failed.
    pub failures: u64,
    /// Dates that the time did not suffice for.
    pub left: u64,
}

impl Answer {
    fn add(&mut self, done: Computed) {
        self.put += done.put;
        self.scanned_bytes += done.scanned_bytes;
    }

    fn add_date(&mut self, date: Date, done: Computed) {
        self.add(done);
        self.computed.push(iso_date(date));
        if done.stale {
            self.stale.push(iso_date(date));
        }
    }
}

/// One run: what it may use and until when.
pub(crate) struct Run<'a, C> {
    pub(crate) stores: &'a Stores,
    pub(crate) settings: &'a Settings,
    pub(crate) clock: &'a C,
    pub(crate) until_ms: i64,
}

/// Does what a request asks.
///
/// # Errors
/// Of a schedule's run: the list of dates could not be read. Of one date: whatever kept it from being computed.
pub async fn handle<C: Clock>(
    stores: &Stores,
    settings: &Settings,
    clock: &C,
    deadline_ms: i64,
    request: &Request,
) -> Result<Answer, GoldError> {
    let until_ms = (clock.now_ms() + RUN_MS).min(deadline_ms - RESERVE_MS);
    let run = Run { stores, settings, clock, until_ms };
    let mut answer = Answer::default();
    match (&request.date, request.run) {
        (Some(date), _) => run.one(date, &mut answer).await?,
        (None, Schedule::Frequent) => {
            let dates = due::recent(&stores.dates.all().await?, clock.now_ms(), settings.current_minutes);
            run.each(dates, &mut answer).await;
        }
        (None, Schedule::Nightly) => {
            let dates = due::old(&stores.dates.all().await?, clock.now_ms());
            run.part(OLD_ENDS_AT).each(dates, &mut answer).await;
            if let Some((dates, done)) = guarded("repeats", &mut answer, run.tell_untold()).await {
                answer.told = dates.into_iter().map(iso_date).collect();
                answer.add(done);
            }
        }
    }
    tracing::info!(answer = ?serde_json::to_string(&answer).unwrap_or_default(), "figures computed");
    Ok(answer)
}

impl<C: Clock> Run<'_, C> {
    /// A local date, by hand.
    async fn one(&self, date: &str, answer: &mut Answer) -> Result<(), GoldError> {
        let date = parse_iso_date(date).filter(|date| date.year() >= FIRST_YEAR).ok_or(GoldError::Date)?;
        let utc_dates = self.settings.zone.utc_dates_of(date);
        if utc_dates.is_empty() {
            return Err(GoldError::Date);
        }
        for utc in utc_dates {
            answer.add_date(utc, self.compute(utc).await?);
        }
        answer.add(self.tell(&BTreeSet::from([date])).await?);
        answer.told.push(iso_date(date));
        Ok(())
    }

    /// Dates, each by itself: what stops one stops no other.
    async fn each(&self, dates: Vec<Date>, answer: &mut Answer) {
        for date in dates {
            if !self.has_time() {
                answer.left += 1;
                continue;
            }
            if let Some(done) = guarded(&iso_date(date), answer, self.compute(date)).await {
                answer.add_date(date, done);
            }
        }
    }

    /// This run, ending once so much of what is left of it is over.
    fn part(&self, percent: i64) -> Run<'_, C> {
        let now_ms = self.clock.now_ms();
        let left_ms = (self.until_ms - now_ms).max(0);
        let Self { stores, settings, clock, .. } = *self;
        Run { stores, settings, clock, until_ms: now_ms + left_ms * percent / 100 }
    }

    pub(crate) fn has_time(&self) -> bool {
        self.clock.now_ms() < self.until_ms
    }
}

/// Does one part; what stops it is told and counted, and no more.
async fn guarded<T>(of: &str, answer: &mut Answer, work: impl Future<Output = Result<T, GoldError>>) -> Option<T> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok(done)) => return Some(done),
        Ok(Err(error)) if error.is_race() => {
            tracing::info!(of, %error, "another run wrote first");
            answer.races += 1;
        }
        Ok(Err(GoldError::OutOfTime)) => answer.left += 1,
        // The template's alarm looks for these words.
        Ok(Err(error)) => {
            tracing::error!(of, %error, cause = chain(&error), "figures failed");
            answer.failures += 1;
        }
        Err(_) => {
            tracing::error!(of, "figures failed: a panic");
            answer.failures += 1;
        }
    }
    None
}

/// What lies beneath an error, told by `Display`: `Debug` of an SDK error prints a whole HTTP answer.
fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
