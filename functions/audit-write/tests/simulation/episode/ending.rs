//! The end of an episode: all that is left is delivered, and everything is derived again.

use ledgerline_lake::plan::Pointer;
use ledgerline_ledger::tile::Tile;
use ledgerline_testkit::faults::Weather;

use super::{BATCH, Episode, messages};
use crate::simulation::stage::{Delivery, Problem};
use crate::world::returned;

impl Episode {
    /// Fine weather: what is left is delivered, all logs are swept, and everything is derived again.
    pub(super) async fn end(&mut self) -> Result<(), Problem> {
        self.stage.faults.set_weather(Weather::default());
        while let Some(waiting) = self.queue.values().find(|waiting| !waiting.is_empty()) {
            let pointers: Vec<Pointer> = waiting.iter().take(BATCH).cloned().collect();
            let delivery =
                Delivery { messages: messages(&pointers), pointers, process: 1, deadline_ms: 60_000, dies_after: None };
            self.stage.set_clocks();
            let answer = self.stage.deliver(&delivery).await;
            if answer.as_ref().is_none_or(|answer| !returned(answer).is_empty()) {
                return Err("a message came back in fine weather".to_owned());
            }
            self.take([(delivery, answer)])?;
            self.model.glance(&self.stage)?;
        }
        // The last signature may lie on either side of a clock that jumped.
        for _ in 0..3 {
            self.stage.clock.jump(SIGN_EVERY_MS);
            self.stage.set_clocks();
            for log in self.stage.logs() {
                // By a key that may sign it, as the operator would see to.
                self.stage.deploy_key(2, self.stage.key_for(&log));
                let errors = self.stage.sweep(Some(vec![log]), 2, None).await.unwrap_or_default();
                if let Some((log, error)) = errors.first() {
                    return Err(format!("a sweep in fine weather: {log}: {error}"));
                }
            }
        }
        let signers = self.stage.logs().into_iter().filter_map(|log| self.stage.first_and_last_signer(&log));
        let several = signers.filter(|(first, last)| first != last).count();
        self.tally.count("log signed by several keys", several as u64);
        self.model.look(&self.stage)?;
        let entries = self.model.all_is_committed()?;
        let found = self.stage.check(self.model.notes())?;
        let all = (found.entries, found.published, found.signed, found.open_chunks);
        if all != (entries, entries, entries, 0) {
            return Err(format!("{entries} entries are planned: {found:?}"));
        }
        if !self.stage.world.poison().is_empty() {
            return Err("a good message was kept as poison".to_owned());
        }
        self.tell_events(found.orphans as u64, found.checkpoints as u64);
        Ok(())
    }

    fn tell_events(&mut self, orphans: u64, checkpoints: u64) {
        let tiles = self.stage.world.ledger.keys("").into_iter().filter_map(|key| Tile::parse_key(&key));
        self.tally.count("full tile", tiles.filter(|(_, tile)| tile.is_full()).count() as u64);
        self.tally.count("orphan", orphans);
        self.tally.count("checkpoint", checkpoints);
        let lengthened =
            self.stage.faults.log().iter().filter(|write| write.starts_with("s3:PutObjectRetention")).count();
        self.tally.count("lock of an orphan lengthened", lengthened as u64);
        for ((fault, call), times) in self.stage.faults.weathered() {
            self.tally.count(&format!("{fault:?} {call}"), times);
        }
    }
}

/// More than between two signatures.
const SIGN_EVERY_MS: i64 = 11_000;
