//! One history: traffic and rounds drawn from a seed, and its end in fine weather.

use ledgerline_store::party_key;
use ledgerline_store::table::to_row;
use ledgerline_testkit::faults::{Dice, Faults, Weather};
use ledgerline_testkit::table::Rows;

use super::eraser::{Erasure, STEPS};
use super::stage::Stage;
use super::traffic::{ORGS, SHARED, Sort, Traffic, Who};
use super::{Tally, count, take_panic};
use crate::world::{T0, World, turns};

pub(crate) struct History {
    dice: Dice,
    stage: Stage,
    erasures: Vec<Erasure>,
}

impl History {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let traffic = Traffic::draw(&mut dice);
        let mut world = World::with(Faults::seeded(dice.roll()));
        traffic.seed(&mut world);
        let paces = Dice::new(dice.roll());
        Self { dice, stage: Stage::new(world, traffic, paces), erasures: Vec::new() }
    }

    pub(crate) async fn run(mut self, rounds: u64) -> Result<Tally, String> {
        self.play(rounds).await?;
        let mut tally = self.stage.tally.take();
        for ((fault, call), times) in self.stage.world.faults.weathered() {
            count(&mut tally, &format!("{fault:?} {call}"), times);
        }
        Ok(tally)
    }

    /// All rows in the end, to compare two runs. What is wrapped differs between them: the system draws the key that it is wrapped by.
    pub(crate) async fn stored(mut self, rounds: u64) -> Result<[Rows; 3], String> {
        self.play(rounds).await?;
        let World { control, index, keys, .. } = &self.stage.world;
        let mut keys = keys.rows();
        for row in keys.iter_mut().filter_map(|(key, row)| party_key::parse_key(key).map(|_| row)) {
            let mut of_run = party_key::read(row.clone()).expect("a row of keys");
            of_run.enc.clear();
            of_run.keys.values_mut().for_each(|key| key.wrapped.clear());
            *row = to_row("", &of_run).expect("a row");
        }
        Ok([control.rows(), index.rows(), keys])
    }

    async fn play(&mut self, rounds: u64) -> Result<(), String> {
        for _ in 0..rounds {
            self.round().await?;
        }
        self.end().await
    }

    /// Two runs and an erasure at once, each at its own pace.
    async fn round(&mut self) -> Result<(), String> {
        let weather = WEATHERS[self.dice.below(WEATHERS.len() as u64) as usize];
        self.stage.world.faults.set_weather(weather);
        let (one, other) = (self.draw_delivery(), self.draw_delivery());
        if self.erasures.last().is_none_or(Erasure::is_done) && self.dice.below(2) == 0 {
            // Time goes on from one to the next.
            let earliest_ms = T0 + 10_000 * self.erasures.len() as i64;
            let now_ms = earliest_ms + self.dice.below(30) as i64 * 1_000;
            self.erasures.push(Erasure::draw(&mut self.dice, &self.stage.traffic.people(), now_ms));
        }
        // Mostly all at once; or the rest comes another time.
        let steps = if self.dice.below(3) == 0 { 1 + self.dice.below(STEPS as u64) as usize } else { STEPS };
        // So that it falls between any two calls of a slow run, too.
        let longest = 8 << self.dice.below(7);
        let begins_after = self.dice.below(longest);
        let Self { stage, erasures, .. } = self;
        let erasure = async {
            turns(begins_after as usize).await;
            match erasures.last_mut() {
                Some(erasure) => erasure.advance(stage, steps).await,
                None => Ok(()),
            }
        };
        let (first, second) = (stage.deliver(&one.0, one.1), stage.deliver(&other.0, other.1));
        let ((), (), erased) = tokio::join!(first, second, stage.paced(None, erasure));
        erased.unwrap_or(Ok(())).map_err(|error| format!("an erasure: {error}"))?;
        if self.dice.below(6) == 0 {
            self.share();
        }
        if self.dice.below(2) == 0 {
            self.stage.world.lake.grow_old();
        }
        take_panic().map_or(Ok(()), Err)
    }

    /// Some objects in one batch, an object perhaps twice; and when the process dies, if it does.
    fn draw_delivery(&mut self) -> (Vec<usize>, Option<u64>) {
        let all = self.stage.traffic.objects.len();
        let open: Vec<usize> = (0..all).filter(|&object| !self.stage.is_planned(object)).collect();
        let some = self.dice.below(4);
        let draw = |_| match open.len() as u64 {
            // Mostly what is not planned yet.
            many if many > 0 && self.dice.below(4) > 0 => open[self.dice.below(many) as usize],
            _ => self.dice.below(all as u64) as usize,
        };
        let objects = (0..some).map(draw).collect();
        (objects, (self.dice.below(4) == 0).then(|| self.dice.below(60)))
    }

    /// An operator marks the number that many have as shared.
    fn share(&mut self) {
        let who = Who { person: SHARED, sort: Sort::Phone };
        for org in ORGS {
            let found = super::model::subjects(&self.stage).remove(&(org.to_owned(), who.pseudonym()));
            if let Some((subject, _)) = found {
                self.stage.met("shared identifier");
                self.stage.world.keys.share(&subject, "2026-03-02T14:00:30.000Z");
            }
        }
    }

    /// Fine weather: what was begun is ended, and everything is held against the model.
    async fn end(&mut self) -> Result<(), String> {
        self.stage.world.faults.set_weather(Weather::default());
        let erases_first = self.dice.below(2) == 0;
        if erases_first {
            self.erase().await?;
        }
        self.deliver_all().await?;
        self.erase().await?;
        super::model::check(&self.stage)?;
        // All of it again changes nothing.
        let World { control, index, keys, .. } = &self.stage.world;
        let before = [control.rows(), index.rows(), keys.rows()];
        let sent = self.stage.world.queue.messages().len();
        self.deliver_all().await?;
        let World { control, index, keys, queue, .. } = &self.stage.world;
        let is_same = before == [control.rows(), index.rows(), keys.rows()] && sent == queue.messages().len();
        if is_same {
            take_panic().map_or(Ok(()), Err)
        } else {
            Err("a message of what is planned changed something".to_owned())
        }
    }

    async fn erase(&mut self) -> Result<(), String> {
        match self.erasures.last_mut() {
            Some(erasure) => erasure.advance(&self.stage, STEPS).await.map_err(|error| format!("an erasure: {error}")),
            None => Ok(()),
        }
    }

    async fn deliver_all(&self) -> Result<(), String> {
        for object in 0..self.stage.traffic.objects.len() {
            let mut tries = 0;
            loop {
                // Whoever wrote a silver file is dead by now.
                self.stage.world.lake.grow_old();
                self.stage.deliver(&[object], None).await;
                if self.stage.is_planned(object) {
                    break;
                }
                tries += 1;
                if tries == 5 {
                    return Err(format!("object {object} comes back in fine weather"));
                }
            }
        }
        // The last one's pointers were sent, and its row is marked.
        for object in 0..self.stage.traffic.objects.len() {
            self.stage.deliver(&[object], None).await;
        }
        Ok(())
    }
}

/// Fine, changeable, storm.
const WEATHERS: [Weather; 3] = [
    Weather { lost: 0, persisted: 0, throttled: 0, conflict: 0, partly: 0, unread: 0, slow: 0 },
    Weather { lost: 15, persisted: 15, throttled: 8, conflict: 15, partly: 20, unread: 8, slow: 0 },
    Weather { lost: 50, persisted: 50, throttled: 40, conflict: 40, partly: 100, unread: 30, slow: 0 },
];
