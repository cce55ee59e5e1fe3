//! One history: traffic and rounds drawn from a seed, and its end in fine weather.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::{PlanOf, staged};
use ledgerline_privacy::Kind;
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::party;
use ledgerline_store::request::State;
use ledgerline_testkit::faults::{Dice, Faults, Weather};

use super::traffic::{PEOPLE, Traffic, Who, word};
use super::{Tally, count, take_panic};
use crate::traffic::HOUR;
use crate::world::{Asking, BUCKET, World, key};

/// A request, and whom it is about.
pub(crate) struct Requested {
    pub(crate) id: String,
    pub(crate) who: BTreeSet<Who>,
}

pub(crate) struct History {
    dice: Dice,
    pub(crate) world: World,
    pub(crate) traffic: Traffic,
    pub(crate) requests: Vec<Requested>,
    /// Records that a hold is on.
    held: BTreeSet<String>,
    /// The end of each record's erasure, as it was seen to come.
    cutoffs: RefCell<BTreeMap<String, Cutoff>>,
    pub(crate) tally: RefCell<Tally>,
    paces: RefCell<Dice>,
    /// What was seen that may not be.
    problem: RefCell<Option<String>>,
}

impl History {
    pub(crate) async fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let traffic = Traffic::draw(&mut dice);
        let world = World::new().await.meeting(Faults::seeded(dice.roll()));
        for at in 0..traffic.objects.len() {
            world.put(&traffic.objects[at].0, &traffic.lines(at));
        }
        let paces = RefCell::new(Dice::new(dice.roll()));
        let (requests, held, problem) = (Vec::new(), BTreeSet::new(), RefCell::default());
        let (cutoffs, tally) = (RefCell::default(), RefCell::default());
        Self { dice, world, traffic, requests, held, cutoffs, tally, paces, problem }
    }

    pub(crate) fn met(&self, what: &str) {
        count(&mut self.tally.borrow_mut(), what, 1);
    }

    pub(crate) async fn run(mut self, rounds: u64) -> Result<Tally, String> {
        for _ in 0..rounds {
            self.round().await?;
        }
        self.end().await?;
        super::model::check(&self).await?;
        let mut tally = self.tally.take();
        for ((fault, call), times) in self.world.faults.weathered() {
            count(&mut tally, &format!("{fault:?} {call}"), times);
        }
        Ok(tally)
    }

    /// Two runs of transform and two slices of the eraser at once, each at its own pace; then time goes by.
    async fn round(&mut self) -> Result<(), String> {
        let weather = WEATHERS[self.dice.below(WEATHERS.len() as u64) as usize];
        self.world.faults.set_weather(weather);
        if self.requests.len() < 2 && self.dice.below(2) == 0 {
            self.request().await;
        }
        match self.dice.below(5) {
            0 => self.hold().await,
            1 => self.lift().await,
            _ => {}
        }
        let runs = [self.draw_run(), self.draw_run()];
        let kills = [self.draw_kill(), self.draw_kill()];
        let due = self.world.due().await;
        let (one, other): (Vec<_>, Vec<_>) = due.into_iter().enumerate().partition(|(at, _)| at % 2 == 0);
        let history = &*self;
        let (first, second) = (history.transform(runs[0]), history.transform(runs[1]));
        tokio::join!(first, second, history.slices(one, kills[0]), history.slices(other, kills[1]));
        if self.dice.below(2) == 0 {
            self.world.commit().await;
        }
        // No run of transform lasts longer than the drain; a slice's lease, or a returned message, may take longer.
        self.world.pass([60_000, 650_000, 1_000_000, 6_000_000][self.dice.below(4) as usize]);
        self.trouble()
    }

    fn trouble(&self) -> Result<(), String> {
        match take_panic().or(self.problem.take()) {
            Some(problem) => Err(problem),
            None => Ok(()),
        }
    }

    /// Somebody asks to be erased, by one identifier or by all.
    async fn request(&mut self) {
        let person = PEOPLE[self.dice.below(4) as usize];
        let kinds: &[Kind] = match self.dice.below(4) {
            0 => &[Kind::Phone],
            1 => &[Kind::Email],
            _ => &[Kind::Phone, Kind::Email, Kind::ExternalContact],
        };
        let orgs = if self.dice.below(2) == 0 { vec!["acme"] } else { vec!["acme", "beta"] };
        let who = orgs.iter().flat_map(|org| kinds.iter().map(|kind| (*org, person, word(*kind)))).collect();
        let id = self.world.approved(Asking { orgs, ..Asking::of(person, kinds) }).await;
        self.requests.push(Requested { id, who });
    }

    async fn hold(&mut self) {
        let record = format!("acme/c-{}", self.dice.below(4));
        self.world.hold(&record).await;
        self.held.insert(record);
    }

    async fn lift(&mut self) {
        if let Some(record) = self.held.pop_first() {
            self.met("hold that was lifted");
            self.world.lift(&record).await;
        }
    }

    /// An object to take up, mostly one that is not planned, and when the run dies, if it does.
    fn draw_run(&mut self) -> Option<(usize, Option<u64>)> {
        let all = self.traffic.objects.len();
        let open: Vec<usize> = (0..all).filter(|&object| !self.is_planned(object)).collect();
        let object = match open.len() as u64 {
            _ if self.dice.below(3) == 0 => return None,
            many if many > 0 && self.dice.below(5) > 0 => open[self.dice.below(many) as usize],
            _ => self.dice.below(all as u64) as usize,
        };
        Some((object, (self.dice.below(2) == 0).then(|| self.dice.below(60))))
    }

    fn draw_kill(&mut self) -> Option<u64> {
        (self.dice.below(3) == 0).then(|| self.dice.below(200))
    }

    fn is_planned(&self, object: usize) -> bool {
        let id = ObjectId::of(BUCKET, &key(&self.traffic.objects[object].0));
        self.world.staged.get(&staged(PlanOf::Bronze, id)).is_some()
    }

    async fn transform(&self, run: Option<(usize, Option<u64>)>) {
        let Some((object, dies_after)) = run else { return };
        let run = self.world.transform_once(&self.traffic.objects[object].0);
        if self.paced(dies_after, run).await.is_none() {
            self.met("run of transform that died");
        }
    }

    /// Slices one after the other; the first of them may die.
    async fn slices(&self, due: Vec<(usize, (String, u32))>, mut dies_after: Option<u64>) {
        for (_, (body, receives)) in due {
            let ended = self.paced(dies_after.take(), self.world.invoke(&body, receives)).await;
            match ended {
                None => self.met("slice that died"),
                Some(false) => self.met("message that came back"),
                Some(true) => continue,
            }
            self.world.comes_back(&body, receives);
        }
    }

    /// Runs with pauses between any two calls, until it ends or dies. Every call of a fake yields once, so that others' calls fall
    /// between any two, and a death, too.
    async fn paced<F: Future>(&self, dies_after: Option<u64>, run: F) -> Option<F::Output> {
        let (mut run, mut left) = (pin!(run), dies_after);
        // From one that stands still while others come and go, to one that never waits.
        let pace = [1, 6, 12, 24][self.paces.borrow_mut().below(4) as usize];
        poll_fn(|context| {
            if left == Some(0) {
                return Poll::Ready(None);
            }
            if self.paces.borrow_mut().below(24) >= pace {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            left = left.map(|left| left - 1);
            let polled = run.as_mut().poll(context);
            self.observe();
            polled.map(Some)
        })
        .await
    }

    /// A record gets an end, or a later one, only when nobody has part in it who lives.
    fn observe(&self) {
        let parties = self.world.keys.look(|rows| {
            let parties = rows.iter().filter_map(|(key, row)| Some((party::parse_key(key)?.to_owned(), row.clone())));
            parties.map(|(record, row)| (record, party::read(row).unwrap())).collect::<Vec<_>>()
        });
        let mut cutoffs = self.cutoffs.borrow_mut();
        for (record, party) in parties {
            let Some(cutoff) = party.cutoff.filter(|cutoff| cutoffs.get(&record) != Some(cutoff)) else { continue };
            let is_hour = |at: i64| at % HOUR == 0;
            if !matches!(cutoff, Cutoff::At(at) if is_hour(at)) && cutoff != Cutoff::Closed {
                *self.problem.borrow_mut() = Some(format!("the end of {record} is {cutoff:?}"));
            }
            if let Some(living) = party.subjects.iter().find(|subject| !self.world.is_gone(subject)) {
                *self.problem.borrow_mut() = Some(format!("{record} has an end, and {living} in it lives"));
            }
            if self.held.contains(&record) {
                *self.problem.borrow_mut() = Some(format!("{record} is held, and got an end"));
            }
            cutoffs.insert(record, cutoff);
        }
    }

    /// Fine weather: what was begun is ended.
    async fn end(&mut self) -> Result<(), String> {
        self.world.faults.set_weather(Weather::default());
        if self.requests.is_empty() {
            self.request().await;
        }
        if self.dice.below(2) == 0 {
            self.deliver_all().await?;
        }
        while !self.held.is_empty() {
            self.lift().await;
        }
        let ids: Vec<String> = self.requests.iter().map(|one| one.id.clone()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        // What waits for a plan waits until it is delivered.
        for _ in 0..20 {
            self.world.work().await;
            self.world.pass(700_000);
        }
        for id in &ids {
            if self.world.row(id).await.state == State::Erasing && self.world.erasing(id).await.counts.waiting > 0 {
                self.met("waited for a plan");
            }
        }
        self.deliver_all().await?;
        self.world.finish(&ids).await;
        for id in &ids {
            if self.world.erasing(id).await.position.pass > 0 {
                self.met("second pass");
            }
        }
        // All of it again changes nothing.
        let before =
            (self.world.bronze.all(), self.world.lake.under(""), self.world.keys.rows(), self.world.control.rows());
        self.deliver_all().await?;
        self.world.finish(&ids).await;
        let now =
            (self.world.bronze.all(), self.world.lake.under(""), self.world.keys.rows(), self.world.control.rows());
        if before != now {
            return Err("what is done was not done when it came again".to_owned());
        }
        self.trouble()
    }

    async fn deliver_all(&self) -> Result<(), String> {
        for object in 0..self.traffic.objects.len() {
            // Twice: the pointers are sent, and the row is marked.
            for _ in 0..2 {
                let mut tries = 0;
                // Whoever wrote a silver file is dead by now.
                while {
                    self.world.lake.grow_old();
                    !self.world.transform_once(&self.traffic.objects[object].0).await
                } {
                    tries += 1;
                    if tries == 5 {
                        return Err(format!("object {object} comes back in fine weather"));
                    }
                }
            }
        }
        self.world.commit().await;
        Ok(())
    }

    /// Up to when a request erases.
    pub(crate) async fn cutoff_of(&self, requested: &Requested) -> i64 {
        self.world.erasing(&requested.id).await.cutoff_ms
    }
}

/// Fine, changeable, storm.
const WEATHERS: [Weather; 3] = [
    Weather { lost: 0, persisted: 0, throttled: 0, conflict: 0, partly: 0, unread: 0, slow: 0 },
    Weather { lost: 10, persisted: 10, throttled: 6, conflict: 10, partly: 15, unread: 5, slow: 0 },
    Weather { lost: 40, persisted: 40, throttled: 30, conflict: 30, partly: 80, unread: 20, slow: 0 },
];
