//! What happens next, drawn from the episode's dice.

use ledgerline_lake::plan::Pointer;
use ledgerline_testkit::faults::Dice;

use super::{BATCH, Episode, LOGS, PROCESSES, SNAPSHOTS, messages};
use crate::simulation::op::Op;
use crate::simulation::stage::Delivery;
use crate::world::ONE_ATTEMPT;

impl Episode {
    /// Keeps the table as it is, in the place of another day's.
    pub(super) fn keep_snapshot(&mut self) {
        let rows = self.stage.world.control.rows();
        if self.snapshots.len() < SNAPSHOTS {
            self.snapshots.push(rows);
        } else {
            let place = self.dice.below(SNAPSHOTS as u64) as usize;
            self.snapshots[place] = rows;
        }
    }

    pub(super) fn draw(&mut self) -> Op {
        let rolled = self.dice.below(100);
        let waiting = self.queue.values().map(Vec::len).sum::<usize>() + self.acknowledged.len();
        match rolled {
            _ if waiting == 0 => self.draw_plan(),
            0..=21 => self.draw_plan(),
            22..=54 => Op::Deliver(self.draw_delivery(None)),
            55..=68 => {
                let dies_after = self.dice.below(DEATH_WITHIN);
                Op::Crash(self.draw_delivery(Some(dies_after)))
            }
            69..=80 => {
                let dies = |dice: &mut Dice| (dice.below(3) == 0).then(|| dice.below(DEATH_WITHIN));
                let (one, other) = (dies(&mut self.dice), dies(&mut self.dice));
                let (one, mut other) = (self.draw_delivery(one), self.draw_delivery(other));
                // A process has one invocation at a time.
                other.process = (one.process + 1) % PROCESSES;
                Op::Twins([one, other])
            }
            81..=86 => {
                let process = self.dice.below(PROCESSES as u64) as usize;
                let dies_after = (self.dice.below(3) == 0).then(|| self.dice.below(DEATH_WITHIN));
                Op::Sweep { process, dies_after }
            }
            87 => Op::AnnounceKey,
            88..=89 => Op::AllowKey,
            90 => {
                let (process, keys) = (self.dice.below(PROCESSES as u64) as usize, self.stage.signers.len() as u64);
                let key = if self.dice.below(3) == 0 { self.dice.below(keys) } else { keys - 1 };
                Op::DeployKey { process, key: key as usize }
            }
            91..=96 => Op::ClockJump { by_ms: self.draw_jump() },
            _ if self.snapshots.is_empty() => Op::ClockJump { by_ms: self.draw_jump() },
            _ => Op::Restore { snapshot: self.dice.below(self.snapshots.len() as u64) as usize },
        }
    }

    fn draw_plan(&mut self) -> Op {
        let many = self.dice.below(10) == 0;
        let mut chunks = Vec::new();
        for log in 0..LOGS.len() {
            // The first log gets most of it, so that it outgrows a tile.
            if log == 0 || self.dice.below(3) == 0 {
                let lines = if many && log == 0 { 40 + self.dice.below(60) } else { 1 + self.dice.below(4) };
                chunks.push((log, lines));
            }
        }
        Op::Plan(chunks)
    }

    /// Up to ten messages of some groups, from the front of each; some that were acknowledged; some twice.
    fn draw_delivery(&mut self, dies_after: Option<u64>) -> Delivery {
        let mut pointers: Vec<Pointer> = Vec::new();
        for waiting in self.queue.values() {
            let up_to = self.dice.below(BATCH as u64 + 1) as usize;
            pointers.extend(waiting.iter().take(up_to).cloned());
        }
        if pointers.is_empty() || self.dice.below(4) == 0 {
            for _ in 0..=self.dice.below(2) {
                if let Some(again) = self.any_acknowledged() {
                    let place = self.dice.below(pointers.len() as u64 + 1) as usize;
                    pointers.insert(place, again);
                    self.tally.count("message again", 1);
                }
            }
        }
        if !pointers.is_empty() && self.dice.below(6) == 0 {
            let twice = pointers[self.dice.below(pointers.len() as u64) as usize].clone();
            let place = self.dice.below(pointers.len() as u64 + 1) as usize;
            pointers.insert(place, twice);
            self.tally.count("message twice in a batch", 1);
        }
        pointers.truncate(BATCH);
        self.tally.count("message", pointers.len() as u64);
        let deadline_ms = if self.dice.below(2) == 0 { ONE_ATTEMPT } else { self.dice.below(60_000) as i64 };
        let process = self.dice.below(PROCESSES as u64) as usize;
        Delivery { messages: messages(&pointers), pointers, process, deadline_ms, dies_after }
    }

    fn any_acknowledged(&mut self) -> Option<Pointer> {
        let count = self.acknowledged.len() as u64;
        if count == 0 { None } else { self.acknowledged.get(self.dice.below(count) as usize).cloned() }
    }

    /// Mostly some seconds, so that checkpoints become due; sometimes days, in either direction.
    fn draw_jump(&mut self) -> i64 {
        const HOUR: i64 = 3_600_000;
        let far = 1 + self.dice.below(72) as i64;
        match self.dice.below(10) {
            0 => far * HOUR,
            1 => -far * HOUR,
            2 => -(self.dice.below(20_000) as i64),
            _ => 5_000 + self.dice.below(20_000) as i64,
        }
    }
}

/// Steps of a run: one of ten messages and three logs takes some fifty.
const DEATH_WITHIN: u64 = 60;
