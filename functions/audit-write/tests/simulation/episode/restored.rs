//! A control table that was put back to an earlier day.

use ledgerline_custody::publication::LogError;
use ledgerline_lake::plan::Pointer;
use ledgerline_ledger::checkpoint::{archive_folder, archived_size};
use ledgerline_ledger::log::LogId;

use super::{BATCH, Episode, messages};
use crate::simulation::stage::{Delivery, Problem};
use crate::world::returned;

impl Episode {
    /// A table of an earlier day, met by a process that remembers nothing: every log of which something was signed since
    /// then stops, and nothing at all is written for it. Then the newest table is put back.
    pub(super) async fn restore(&mut self, snapshot: usize) -> Result<(), Problem> {
        let control = self.stage.world.control.clone();
        let old = self.snapshots[snapshot].clone();
        let logs = self.stage.logs();
        let newest = control.restore(old);
        let archived = |log: &LogId| self.stage.world.ledger.keys(&archive_folder(log)).pop();
        let signed = |log: &LogId| archived(log).and_then(|key| archived_size(log, &key)).unwrap_or(0);
        let size = |log: &LogId| control.stored_head(log).map_or(0, |head| head.size);
        let behind: Vec<LogId> = logs.into_iter().filter(|log| size(log) < signed(log)).collect();
        let outcome = if behind.is_empty() { Ok(()) } else { self.meet_old_table(&behind, snapshot).await };
        control.restore(newest);
        outcome
    }

    async fn meet_old_table(&mut self, behind: &[LogId], snapshot: usize) -> Result<(), Problem> {
        let versions = self.stage.versions_of(behind);
        let is_behind = |pointer: &&Pointer| behind.iter().any(|log| log.as_str() == pointer.log);
        let pointers = self.queue.values().flatten().chain(self.acknowledged.iter().rev()).filter(is_behind);
        let pointers: Vec<Pointer> = pointers.take(BATCH).cloned().collect();
        let delivery =
            Delivery { messages: messages(&pointers), pointers, process: 0, deadline_ms: 60_000, dies_after: None };
        self.stage.restart(0);
        let answer = self.stage.deliver(&delivery).await.ok_or("a process died by itself")?;
        self.stage.take_released();
        if returned(&answer).len() < delivery.messages.len() {
            return Err("a message was acknowledged on a restored table".to_owned());
        }
        let errors = self.stage.sweep(Some(behind.to_vec()), 0, None).await.unwrap_or_default();
        for log in behind {
            match errors.iter().find(|(of, _)| of == log) {
                None => return Err(format!("{log} went on with a restored table")),
                Some((_, LogError::Archive { .. })) => self.tally.count("log halted by its archive", 1),
                Some((_, error)) if error.is_transient() => {}
                Some((_, error)) => return Err(format!("{log} with a restored table: {error}")),
            }
        }
        let is_as_it_was = self.stage.world.control.look(|rows| *rows == self.snapshots[snapshot]);
        if !is_as_it_was || self.stage.versions_of(behind) != versions {
            return Err("something was written with a restored table".to_owned());
        }
        Ok(())
    }
}
