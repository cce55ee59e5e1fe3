//! A local date's files: what stood there, what takes its place, and the order of the writes.
//!
//! Invariant: the documents are a function of the date's counters, repeats and definitions, but for the moment and the revision, which
//! change with them alone. What is put is put in the place of what was read when the run began.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledgerline_event::instant;
use ledgerline_figures::summary::{Counts, Definitions, Granularity, Row, Summary, Totals, row_order};
use ledgerline_figures::{Counters, DayKey, DayRow, FCR_DAYS, Interval, Repeats, ServiceLevel, by_day};
use ledgerline_lake::{gold, keys, sql};
use ledgerline_lambda::clock::Clock;
use ledgerline_store::gold::{Gold, Stored};
use time::Date;

use crate::Run;
use crate::due::shifted;
use crate::error::GoldError;
use crate::open_lineage::{self, Told};
use crate::provenance::Made;

/// What stood there when the run began.
#[derive(Debug)]
pub(crate) struct Before {
    pub(crate) date: Date,
    daily: Option<Stored>,
    documents: [Option<(Summary, String)>; 2],
    /// The counters of the other UTC dates that the local date lies on, this local date's own and others'.
    pub(crate) beside: Vec<Interval>,
}

/// What is to stand there.
pub(crate) struct Day<'a> {
    /// Counters that were counted now; those beside them were read.
    pub(crate) counted: &'a [Interval],
    /// Repeats that were told now.
    pub(crate) told: Option<BTreeMap<DayKey, Repeats>>,
    /// Whether more input came while the figures were counted; as before, if nothing was counted.
    pub(crate) stale: Option<bool>,
}

impl Before {
    /// Whether there is anything of the date.
    pub(crate) fn is_empty(&self) -> bool {
        self.daily.is_none() && self.documents.iter().all(Option::is_none) && self.beside.is_empty()
    }

    fn document(&self) -> Option<&Summary> {
        self.documents[0].as_ref().map(|(document, _)| document)
    }

    /// The repeats that were told of it, if they were.
    fn repeats(&self) -> Option<BTreeMap<DayKey, Repeats>> {
        let rows = &self.document()?.rows;
        let of = |row: &Row| {
            let key = DayKey { org: row.org.clone(), queue_id: row.queue_id.clone(), media: row.media.clone()? };
            Some((key, row.counts.repeats?))
        };
        let told: BTreeMap<DayKey, Repeats> = rows.iter().filter_map(of).collect();
        (!told.is_empty()).then_some(told)
    }
}

impl<C: Clock> Run<'_, C> {
    /// Reads a local date's files, and the counters of the UTC dates that it lies on, but for `counted`.
    pub(crate) async fn before(&self, date: Date, counted: Option<Date>) -> Result<Before, GoldError> {
        let gold = &self.stores.gold;
        let daily = gold.load(&keys::gold_daily(date)).await?;
        let [first, second] = Granularity::ALL;
        let documents = [gold.summary(date, first).await?, gold.summary(date, second).await?];
        let mut beside = Vec::new();
        for utc in self.settings.zone.utc_dates_of(date) {
            if Some(utc) != counted {
                beside.extend(gold.intervals(utc).await?.unwrap_or_default());
            }
        }
        Ok(Before { date, daily, documents, beside })
    }

    /// Writes the date's files in the place of those before; how many were put.
    pub(crate) async fn write_day(&self, before: &Before, day: Day<'_>, made: &Made) -> Result<u64, GoldError> {
        let (gold, zone, date) = (&self.stores.gold, &self.settings.zone, before.date);
        let is_news = day.told.is_some();
        let repeats = day.told.or_else(|| before.repeats());
        let intervals = || before.beside.iter().chain(day.counted);
        let is_of_day = |start_ms| zone.date_of(start_ms) == Some(date);
        let rows = by_day(intervals(), is_of_day, repeats.as_ref());
        let parquet = gold::write_daily(&rows, self.settings.level)?;
        let provisional = match before.document() {
            Some(document) if !is_news => document.fcr_provisional,
            _ => !is_news || zone.date_of(made.as_of_ms).is_none_or(|today| today < shifted(date, FCR_DAYS + 1)),
        };
        let frame = Frame {
            date,
            zone: zone.name(),
            as_of_ms: made.as_of_ms,
            stale: day.stale.unwrap_or_else(|| before.document().is_some_and(|document| document.stale)),
            fcr_provisional: provisional,
            level: self.settings.level,
            definitions: &made.definitions,
        };
        let half_hours = by_half_hour(intervals().filter(|one| is_of_day(one.key.interval_start_ms)));
        let documents = [frame.daily(&rows), frame.half_hourly(&half_hours)];
        self.put(gold, before, parquet, documents, made).await
    }

    /// 1. The daily file: a second run that began when this one did is refused here, or at the interval file before.
    /// 2. The documents. A crash leaves figures whose note is missing, or one of two documents: the next run puts the other.
    /// 3. The notes of the documents' revisions, and what OpenLineage tells of them. One that is there is of a run that came to the same
    ///    figures.
    async fn put(
        &self,
        gold: &Gold,
        before: &Before,
        parquet: Bytes,
        documents: [Summary; 2],
        made: &Made,
    ) -> Result<u64, GoldError> {
        let date = before.date;
        let mut put = u64::from(gold.put_parquet(&keys::gold_daily(date), parquet, before.daily.as_ref()).await?);
        let stood = || before.documents.iter().flatten();
        let revision = stood().map(|(document, _)| document.revision).max().unwrap_or_default() + 1;
        let mut revisions = Vec::new();
        for (document, before) in documents.into_iter().zip(&before.documents) {
            match before {
                Some((stands, _)) if stands.says_what(&document) => revisions.push(stands.revision),
                _ => {
                    let document = revised(document, date, revision);
                    gold.put_summary(date, &document, before.as_ref().map(|(_, tag)| tag.as_str())).await?;
                    revisions.push(revision);
                    put += 1;
                }
            }
        }
        revisions.dedup();
        for revision in revisions {
            self.note(date, revision, made).await?;
        }
        Ok(put)
    }

    /// Puts the note of a revision, and what OpenLineage tells of it. A note that is there stays, with what it says of other dates. A crash
    /// leaves a note of which OpenLineage is not told: the next run that comes to the same figures tells it.
    async fn note(&self, date: Date, revision: u64, made: &Made) -> Result<(), GoldError> {
        let gold = &self.stores.gold;
        // The note before this one may be missing after a crash; then the dates that it knew of are counted anew.
        let before = match revision.checked_sub(1).filter(|before| *before > 0) {
            Some(before) => gold.run(date, before).await?.map(|note| note.counted_by),
            None => None,
        };
        let counted_by = made.counted_by(before, revision);
        gold.put_run(date, revision, made.note(date, revision, &counted_by)?).await?;
        let told = Told { made, lake_bucket: &self.settings.lake_bucket, date, revision, now_ms: self.clock.now_ms() };
        Ok(gold.put_open_lineage(date, revision, open_lineage::events(&told)).await?)
    }
}

/// What all documents of a date say alike.
struct Frame<'a> {
    date: Date,
    zone: &'a str,
    as_of_ms: i64,
    stale: bool,
    fcr_provisional: bool,
    level: ServiceLevel,
    definitions: &'a Definitions,
}

impl Frame<'_> {
    fn daily(&self, rows: &BTreeMap<DayKey, DayRow>) -> Summary {
        let row = |(key, row): (&DayKey, &DayRow)| {
            self.row(key, None, Counts { counters: row.counters, repeats: row.repeats })
        };
        self.document(Granularity::Daily, rows.iter().map(row).collect())
    }

    fn half_hourly(&self, half_hours: &BTreeMap<(DayKey, i64), Counters>) -> Summary {
        let row = |((key, start_ms), counters): (&(DayKey, i64), &Counters)| {
            self.row(key, Some(*start_ms), Counts { counters: *counters, repeats: None })
        };
        self.document(Granularity::HalfHourly, half_hours.iter().map(row).collect())
    }

    fn row(&self, key: &DayKey, start_ms: Option<i64>, counts: Counts) -> Row {
        Row {
            org: key.org.clone(),
            queue_id: key.queue_id.clone(),
            date: keys::iso_date(self.date),
            interval_start: start_ms.map(instant::to_rfc3339),
            media: Some(key.media.clone()),
            figures: counts.figures(self.level),
            counts,
            lineage: String::new(),
        }
    }

    fn document(&self, granularity: Granularity, mut rows: Vec<Row>) -> Summary {
        rows.sort_by(|a, b| row_order(a).cmp(&row_order(b)));
        Summary {
            v: Summary::V,
            date: keys::iso_date(self.date),
            granularity,
            time_zone: self.zone.to_owned(),
            as_of: instant::to_rfc3339(self.as_of_ms),
            revision: 0,
            stale: self.stale,
            fcr_provisional: self.fcr_provisional,
            fcr_final_on: keys::iso_date(shifted(self.date, FCR_DAYS + 1)),
            definitions: self.definitions.clone(),
            sql_sha256: sql::SHA256.clone(),
            totals: Totals::of(&rows, self.level),
            rows,
        }
    }
}

/// Divisions and directions of one half hour, added up.
fn by_half_hour<'a>(intervals: impl Iterator<Item = &'a Interval>) -> BTreeMap<(DayKey, i64), Counters> {
    let mut rows: BTreeMap<(DayKey, i64), Counters> = BTreeMap::new();
    for Interval { key, counters } in intervals {
        let day = DayKey { org: key.org.clone(), queue_id: key.queue_id.clone(), media: key.media.clone() };
        rows.entry((day, key.interval_start_ms)).or_default().add(counters);
    }
    rows
}

fn revised(mut document: Summary, date: Date, revision: u64) -> Summary {
    let lineage = keys::gold_run(date, revision);
    document.rows.iter_mut().for_each(|row| row.lineage.clone_from(&lineage));
    Summary { revision, ..document }
}
