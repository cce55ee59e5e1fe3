//! The stores, the runs that are under way, and what erasures cover: for each object, whether it was planned when the erasure came,
//! or a run of it was under way.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::task::Poll;

use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::{PlanOf, staged};
use ledgerline_store::cutoff::Cutoff;
use ledgerline_testkit::faults::Dice;

use super::traffic::{About, Line, Traffic, Who};
use super::{Tally, count};
use crate::world::{BUCKET, World};

/// By what an erasure covers lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The tombstone of somebody in an org.
    Tomb(&'static str, Who),
    /// The cutoff of a record.
    Record(String),
    /// A contact's alias that went: what a run that has looked it up says of its record, whenever that occurred.
    Alias(&'static str, u64),
}

/// Where an object stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stood {
    Planned,
    InFlight,
    /// Runs of it had begun, and all had ended without a plan.
    Begun,
    /// Every run of it was still to come.
    Ahead,
}

/// What an erasure covers from some moment on.
#[derive(Clone, Debug)]
pub(crate) struct Covering {
    pub(crate) by: By,
    pub(crate) cutoff: Cutoff,
    /// Where each object stood at that moment.
    pub(crate) stood: Vec<Stood>,
}

/// What erasures make of a line in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// None covers it, or it was planned before.
    Open,
    /// A run of its object was under way when it was erased.
    Either,
    Covered,
}

/// What was seen of everybody, by org and identifier or person.
#[derive(Default)]
pub(crate) struct Seen {
    /// All subjects that an identifier had, each with its name in silver.
    pub(crate) subjects: BTreeMap<(&'static str, Who), BTreeSet<(String, String)>>,
    /// All aliases of a contact.
    pub(crate) aliases: BTreeMap<(&'static str, u64), BTreeSet<String>>,
    /// Subjects and aliases that are gone.
    pub(crate) gone: BTreeSet<String>,
    /// Of which records an erasure took which subjects, and up to where it reached.
    pub(crate) taken: BTreeMap<(String, String), Cutoff>,
}

pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) traffic: Traffic,
    pub(crate) seen: RefCell<Seen>,
    pub(crate) coverings: RefCell<Vec<Covering>>,
    pub(crate) tally: RefCell<Tally>,
    dice: RefCell<Dice>,
    /// How many runs of each object are under way.
    in_flight: RefCell<Vec<usize>>,
    /// Whether any run of each object has begun.
    begun: RefCell<Vec<bool>>,
    /// Of each object that is planned, whether the eraser had been told of it by then.
    told: RefCell<Vec<Option<bool>>>,
}

impl Stage {
    pub(crate) fn new(world: World, traffic: Traffic, dice: Dice) -> Self {
        let objects = traffic.objects.len();
        Self {
            world,
            traffic,
            seen: RefCell::default(),
            coverings: RefCell::default(),
            tally: RefCell::default(),
            dice: RefCell::new(dice),
            in_flight: RefCell::new(vec![0; objects]),
            begun: RefCell::new(vec![false; objects]),
            told: RefCell::new(vec![None; objects]),
        }
    }

    pub(crate) fn met(&self, what: &str) {
        count(&mut self.tally.borrow_mut(), what, 1);
    }

    /// Delivers these objects' messages in one batch, at its own pace, unless the process dies after so many turns.
    pub(crate) async fn deliver(&self, objects: &[usize], dies_after: Option<u64>) {
        let keys: Vec<&str> = objects.iter().map(|&at| self.traffic.objects[at].key.as_str()).collect();
        for &at in objects {
            self.in_flight.borrow_mut()[at] += 1;
            self.begun.borrow_mut()[at] = true;
        }
        let returned = self.paced(dies_after, self.world.deliver(&keys)).await;
        objects.iter().for_each(|&at| self.in_flight.borrow_mut()[at] -= 1);
        match returned {
            None => self.met("run that died"),
            Some(returned) => count(&mut self.tally.borrow_mut(), "message returned", returned.len() as u64),
        }
    }

    /// Runs with pauses between any two calls, until it ends or dies. Every call of a fake yields once, so that others' calls fall
    /// between any two, and a death, too.
    pub(crate) async fn paced<F: Future>(&self, dies_after: Option<u64>, run: F) -> Option<F::Output> {
        let (mut run, mut left) = (pin!(run), dies_after);
        // From one that stands still while others come and go, to one that never waits.
        let pace = [1, 6, 12, 24][self.dice.borrow_mut().below(4) as usize];
        std::future::poll_fn(|context| {
            if left == Some(0) {
                return Poll::Ready(None);
            }
            if self.dice.borrow_mut().below(24) >= pace {
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

    /// Notes which objects have been planned since this was last asked, and of which the eraser has been told by now.
    fn observe(&self) {
        for (object, told) in self.traffic.objects.iter().zip(self.told.borrow_mut().iter_mut()) {
            if told.is_none() && self.is_stored(&object.key) {
                *told = Some(self.world.erase_queue.bodies().iter().any(|body| body.contains(&object.id)));
            }
        }
    }

    fn is_stored(&self, key: &str) -> bool {
        self.world.staged.get(&staged(PlanOf::Bronze, ObjectId::of(BUCKET, key))).is_some()
    }

    pub(crate) fn is_planned(&self, object: usize) -> bool {
        self.is_stored(&self.traffic.objects[object].key)
    }

    /// Whether the eraser was told of an object before it was planned.
    pub(crate) fn was_told(&self, object: usize) -> bool {
        self.told.borrow()[object] == Some(true)
    }

    /// From now on something is covered.
    pub(crate) fn covers(&self, by: By, cutoff: Cutoff) {
        let stood = |object: usize| match (self.is_planned(object), self.in_flight.borrow()[object]) {
            (true, _) => Stood::Planned,
            (false, 0) if self.begun.borrow()[object] => Stood::Begun,
            (false, 0) => Stood::Ahead,
            (false, _) => Stood::InFlight,
        };
        let stood = (0..self.traffic.objects.len()).map(stood);
        // Every later run looks up another alias.
        let is_alias = matches!(by, By::Alias(..));
        let stood =
            stood.map(|stood| if is_alias && stood != Stood::InFlight { Stood::Planned } else { stood }).collect();
        self.coverings.borrow_mut().push(Covering { by, cutoff, stood });
    }

    /// What the erasures make of a line in an object.
    pub(crate) fn fate(&self, object: usize, line: &Line) -> Fate {
        let coverings = self.coverings.borrow();
        let of_line = coverings.iter().filter(|covering| self.is_covered_by(line, covering));
        let fate = of_line.map(|covering| match covering.stood[object] {
            Stood::Planned => Fate::Open,
            Stood::InFlight => Fate::Either,
            Stood::Begun | Stood::Ahead => Fate::Covered,
        });
        fate.max().unwrap_or(Fate::Open)
    }

    /// Whether a run may have made links of a line: an erasure that covers it came after the run began, if any did.
    pub(crate) fn may_have_linked(&self, object: usize, line: &Line) -> bool {
        let coverings = self.coverings.borrow();
        let mut of_line = coverings.iter().filter(|covering| self.is_covered_by(line, covering));
        of_line.all(|covering| covering.stood[object] != Stood::Ahead)
    }

    /// Whether any erasure covers a line by now, wherever its object stood.
    pub(crate) fn is_covered(&self, line: &Line) -> bool {
        self.coverings.borrow().iter().any(|covering| self.is_covered_by(line, covering))
    }

    /// Whether somebody's own tombstone covers a line by now, wherever its object stood.
    pub(crate) fn is_erased_of(&self, line: &Line, org: &'static str, who: Who) -> bool {
        let coverings = self.coverings.borrow();
        let mut own = coverings.iter().filter(|covering| covering.by == By::Tomb(org, who));
        own.any(|covering| self.is_covered_by(line, covering))
    }

    /// Whether somebody was ever erased in an org.
    pub(crate) fn is_erased(&self, org: &'static str, who: Who) -> bool {
        self.erasures(org, who) > 0
    }

    /// How often somebody was erased in an org.
    pub(crate) fn erasures(&self, org: &'static str, who: Who) -> usize {
        self.coverings.borrow().iter().filter(|covering| covering.by == By::Tomb(org, who)).count()
    }

    fn is_covered_by(&self, line: &Line, covering: &Covering) -> bool {
        let Some(event) = line.event.map(|at| &self.traffic.events[at]) else { return false };
        let concerns = match &covering.by {
            By::Tomb(org, who) => event.org == *org && event.concerns(*who),
            By::Record(record) => event.interaction().as_ref() == Some(record),
            By::Alias(org, person) => event.org == *org && event.about == About::Contact(*person),
        };
        concerns
            && match covering.cutoff {
                Cutoff::Closed => true,
                Cutoff::At(cutoff_ms) => self.traffic.is_before(line, cutoff_ms),
            }
    }
}
