//! Repeats: for which contacts of some local dates the same customer came again within seven days.
//!
//! Invariant: a date's repeats are told of the whole date at once. They are provisional until the seven days after it are over, and so is
//! what a late event changes until the next night.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_figures::summary::Definitions;
use ledgerline_figures::{DayKey, INTERVAL_MS, Repeats};
use ledgerline_lake::{keys, sql};
use ledgerline_lambda::clock::Clock;
use time::Date;

use crate::Run;
use crate::counting::Computed;
use crate::day::Day;
use crate::due;
use crate::error::GoldError;
use crate::provenance::{Made, Of, digest};
use crate::rows;

/// A date's files are put so often, while others put them, too.
const TRIES: usize = 3;

/// Repeats by local date and row.
type Told = BTreeMap<Date, BTreeMap<DayKey, Repeats>>;

impl<C: Clock> Run<'_, C> {
    /// Tells the repeats that the marks call for; the local dates that were written.
    pub(crate) async fn tell_untold(&self) -> Result<(Vec<Date>, Computed), GoldError> {
        let (marked, told) = (self.stores.dates.all().await?, self.stores.repeats.all().await?);
        let untold = due::untold(&marked, &told, self.clock.now_ms());
        let zone = &self.settings.zone;
        let today = zone.date_of(self.clock.now_ms());
        let dates = due::bearing(&untold).into_iter().flat_map(|utc| zone.dates_of_utc(utc));
        let dates: BTreeSet<Date> = dates.filter(|date| today.is_some_and(|today| *date < today)).collect();
        let done = self.tell(&dates).await?;
        for (told, _) in untold {
            self.stores.repeats.tell(told).await?;
        }
        Ok((dates.into_iter().collect(), done))
    }

    /// Tells the repeats of these local dates.
    pub(crate) async fn tell(&self, dates: &BTreeSet<Date>) -> Result<Computed, GoldError> {
        let (targets, mut done) = (self.targets().await?, Computed::default());
        for question in due::questions(dates) {
            if !self.has_time() {
                return Err(GoldError::OutOfTime);
            }
            let definitions = Definitions::of(self.settings.level, targets.clone());
            let Some((mut told, made)) = self.ask_repeats(&question, definitions).await? else { continue };
            done.scanned_bytes += made.executions.iter().map(|one| one.scanned_bytes).sum::<u64>();
            for date in question {
                let of_date = told.remove(&date).unwrap_or_default();
                done.put += self.tell_date(date, of_date, &made).await?;
            }
        }
        Ok(done)
    }

    /// `None` where no silver lies on the dates: then there is nobody to come again.
    async fn ask_repeats(&self, dates: &[Date], definitions: Definitions) -> Result<Option<(Told, Made)>, GoldError> {
        let zone = &self.settings.zone;
        let hours = || dates.iter().flat_map(|date| zone.half_hours_of(*date));
        let Some((first_ms, last_ms)) = hours().min().zip(hours().max()) else { return Ok(None) };
        let end_ms = last_ms + INTERVAL_MS;
        let (from, to) = sql::read_for_repeats(first_ms, end_ms).ok_or(GoldError::Date)?;
        let text = sql::repeats(first_ms, end_ms).ok_or(GoldError::Date)?;
        let (as_of_ms, inputs) = (self.clock.now_ms(), self.silver(from, to).await?);
        if inputs.is_empty() {
            return Ok(None);
        }
        let mut told = Told::new();
        let what = format!("count the repeats of {} dates from {}", dates.len(), keys::iso_date(dates[0]));
        let input = digest(&inputs);
        let asked = self.ask(&what, &text, &input, |columns, row| {
            let (start_ms, key, repeats) = rows::repeats(columns, row)?;
            told.entry(zone.date_of(start_ms)?).or_default().entry(key).or_default().add(&repeats);
            Some(())
        });
        let executions = vec![asked.await?];
        let made = Made { as_of_ms, of: Of::Repeats, inputs, executions, definitions };
        Ok(Some((told, made)))
    }

    /// Only repeats were counted: if a run over the date's half hours writes meanwhile, they are put beside what it wrote.
    async fn tell_date(&self, date: Date, told: BTreeMap<DayKey, Repeats>, made: &Made) -> Result<u64, GoldError> {
        for _ in 1..TRIES {
            match self.tell_date_once(date, &told, made).await {
                Err(error) if error.is_race() => {}
                other => return other,
            }
        }
        self.tell_date_once(date, &told, made).await
    }

    async fn tell_date_once(
        &self,
        date: Date,
        told: &BTreeMap<DayKey, Repeats>,
        made: &Made,
    ) -> Result<u64, GoldError> {
        let before = self.before(date, None).await?;
        if before.is_empty() && told.is_empty() {
            return Ok(0);
        }
        self.write_day(&before, Day { counted: &[], told: Some(told.clone()), stale: None }, made).await
    }
}
