//! `rebuild-tiles`: every log's tiles, derived again from its segments, held against what is stored and, if asked, put where
//! they are missing.
//!
//! Invariant: nothing is written unless asked, and then only to a log whose derived tree is the one that was signed
//! ([`ledgerline_custody::derivation`]). A full tile with other bytes is named and left alone: it is what somebody must look
//! at. A log that cannot be derived is named, and stops none of the others.

use std::io;

use ledgerline_custody::committed::CommittedError;
use ledgerline_custody::derivation::{Compared, DerivationError, Deriving, Gap, InPlace};
use ledgerline_ledger::checkpoint::origin;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::signing::{VerifyingKey, vkey};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::answer::{Answer, Answered, Outcome};
use crate::args::RebuildTilesArgs;
use crate::cloud::{Cloud, named, store_fault};
use crate::context::Context;
use crate::fault::Fault;
use crate::screen::{Mark, Screen, counted, grouped};
use crate::source::{logs_of, vkeys};

/// Tiles of a log that a person is shown; JSON has all of them.
const SHOWN: usize = 20;

/// Derives, compares and, if asked, writes, log by log.
pub(super) fn run(args: &RebuildTilesArgs, context: &Context) -> Answered {
    let cloud = Cloud::open(&args.deployment.stack)?;
    let ledger = cloud.ledger()?;
    let tiles = Deriving(&ledger);
    let there = cloud.ask(ledger.heads.logs())?;
    let asked = logs_of(&args.logs)?;
    if let Some(unknown) = asked.iter().find(|log| !there.contains(log)) {
        return Err(Fault::new(format!("there is no log {unknown}"), "run `ledgerline status`: it names every log"));
    }
    let logs = if asked.is_empty() { there } else { asked };
    let keys = known_keys(&cloud, &args.keys, &logs)?;
    let locks = args.write.then(|| cloud.lock_policy()).transpose()?;
    let progress = context.progress("logs", Some(logs.len() as u64));
    // A lock counts from when it is put, and a large log takes its time.
    let began = Instant::now();
    let mut rebuilt = Rebuilt { name: args.deployment.stack.display().to_string(), logs: Vec::new() };
    for log in logs {
        let of_log: Vec<VerifyingKey> = keys.iter().filter(|key| is_of(key, &log)).cloned().collect();
        let found = cloud.wait_for(tiles.compare(&log, &of_log));
        let mut row = Row::new(log, found);
        if let Some(locks) = locks.as_ref().filter(|_| row.is_to_be_written()) {
            let lock = locks.lock(&row.log, context.now_ms + began.elapsed().as_millis() as u64);
            row.wrote(cloud.wait_for(tiles.put_missing(&row.log, &row.compared, &lock)));
        }
        rebuilt.logs.push(row);
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(Box::new(rebuilt))
}

/// The keys whose checkpoints vouch: those that were handed over; else those that the scheduled verification remembers,
/// and the one that signs now.
fn known_keys(cloud: &Cloud, given: &[String], logs: &[LogId]) -> Result<Vec<VerifyingKey>, Fault> {
    let mut texts = vkeys(given)?;
    if texts.is_empty() {
        texts = cloud.keys_of(logs)?;
        let deployment = named(cloud.operator.deployment.id())?;
        let current = cloud.public_key(&cloud.signing_key_id()?)?;
        for log in logs {
            let current = vkey(&origin(&deployment, log), &current);
            if !texts.contains(&current) {
                texts.push(current);
            }
        }
    }
    let keys = texts.iter().map(|text| VerifyingKey::parse(text)).collect::<Result<Vec<_>, _>>();
    keys.map_err(|error| {
        Fault::caused_by("a remembered key is none", &error, "hand over the log's public key with --key")
    })
}

/// A key's name is its log's origin: the deployment, and the log.
fn is_of(key: &VerifyingKey, log: &LogId) -> bool {
    key.name().strip_suffix(log.as_str()).is_some_and(|deployment| deployment.ends_with('/'))
}

/// What was found of one log, and what was done.
struct Row {
    log: LogId,
    compared: Compared,
    written: u64,
    fault: Option<Fault>,
    /// Whether the fault is one of the evidence.
    contradicts: bool,
}

impl Row {
    fn new(log: LogId, found: Result<Compared, DerivationError>) -> Self {
        let mut row = Self { log, compared: Compared::default(), written: 0, fault: None, contradicts: false };
        match found {
            Ok(compared) => row.compared = compared,
            Err(error) => row.fail(&error),
        }
        row
    }

    fn wrote(&mut self, written: Result<u64, DerivationError>) {
        match written {
            Ok(written) => self.written = written,
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &DerivationError) {
        (self.fault, self.contradicts) = (Some(fault(error)), error.is_contradiction());
    }

    fn is_to_be_written(&self) -> bool {
        self.compared.gaps.iter().any(Gap::is_to_be_put) && !self.compared.is_altered()
    }

    /// The paths of tiles in whose place this was found.
    fn tiles(&self, found: InPlace) -> Vec<String> {
        let gaps = self.compared.gaps.iter().filter(|gap| gap.found == found);
        gaps.map(|gap| gap.tile.path()).collect()
    }

    fn outcome(&self) -> Outcome {
        if self.fault.is_some() && !self.contradicts {
            return Outcome::Unchecked;
        }
        Outcome::of(self.fault.is_none() && self.compared.gaps.len() as u64 == self.written)
    }

    fn json(&self) -> Value {
        let Compared { from, published, signed, derived, .. } = &self.compared;
        json!({
            "log": self.log.as_str(), "from": from, "published": published, "signed": signed, "derived": derived,
            "missing": self.tiles(InPlace::Nothing), "hidden": self.tiles(InPlace::Hidden), "differs": self.tiles(InPlace::OtherBytes),
            "altered": self.compared.is_altered(), "written": self.written, "error": self.fault,
        })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let Compared { from, published, signed, derived, .. } = &self.compared;
        let tiles = counted(*derived, "tile", "tiles");
        let entries = counted(*published, "entry", "entries");
        let mark = match self.outcome() {
            Outcome::Holds => Mark::Good,
            Outcome::Broken => Mark::Bad,
            Outcome::Unchecked => Mark::Look,
        };
        if let Some(fault) = &self.fault {
            let (what, remedy) = fault.told();
            return screen.check(mark, &format!("{}: {what}", self.log), &remedy);
        }
        let vouching = match signed {
            0 => "no checkpoint yet, the head alone vouches for them".to_owned(),
            signed => format!("the checkpoint of {} vouches for them", grouped(*signed)),
        };
        screen.check(mark, &format!("{}: {tiles} of {entries}", self.log), &vouching)?;
        if *from > 0 {
            let kept = format!("entries below {} are pruned: tiles that end there cannot be derived", grouped(*from));
            let advice = "if nothing was pruned, run `ledgerline rebuild-postings --write`, then this again";
            screen.check(Mark::Look, &kept, advice)?;
        }
        let groups = [("missing", InPlace::Nothing), ("hidden", InPlace::Hidden), ("differs", InPlace::OtherBytes)];
        for (how, found) in groups {
            let tiles = self.tiles(found);
            for tile in tiles.iter().take(SHOWN) {
                screen.fact(how, tile)?;
            }
            if tiles.len() > SHOWN {
                let more = grouped((tiles.len() - SHOWN) as u64);
                screen.say(&format!("and {more} more of these; --json names them all"))?;
            }
        }
        if self.written > 0 {
            screen.check(Mark::Good, &format!("{} written", counted(self.written, "tile", "tiles")), "")?;
        }
        Ok(())
    }
}

fn fault(error: &DerivationError) -> Fault {
    let remedy = match error {
        DerivationError::Store(error) | DerivationError::Segments(CommittedError::Store(error)) => {
            return store_fault(error);
        }
        DerivationError::NotByKnownKey { .. } | DerivationError::Keys(_) => {
            "name the log's public keys with --key, the oldest first; an export has them in keys/*.vkey"
        }
        DerivationError::HeadBehind { .. } => {
            "the control table was set back, or the head is gone: run `ledgerline verify` and mend the head before anything else"
        }
        DerivationError::SegmentMissing { .. } => {
            "run `ledgerline rebuild-postings --write`, then this again; if it stays so, run `ledgerline verify`"
        }
        DerivationError::Pruned { .. } => {
            "take the tile's bytes from a copy or an export of the ledger, put them there, and run this again"
        }
        DerivationError::Unsteady { .. } => "run this again",
        DerivationError::Head(_)
        | DerivationError::Segments(CommittedError::Segment { .. } | CommittedError::Entry { .. })
        | DerivationError::Segment { .. }
        | DerivationError::Tiles(_)
        | DerivationError::BeyondPublished { .. }
        | DerivationError::NotTheSigned { .. }
        | DerivationError::NotTheHeads { .. }
        | DerivationError::Altered { .. } => "run `ledgerline verify`: it says what was altered",
    };
    Fault::caused_by("its tiles cannot be rebuilt", error, remedy)
}

struct Rebuilt {
    name: String,
    logs: Vec<Row>,
}

impl Answer for Rebuilt {
    fn outcome(&self) -> Outcome {
        let is = |outcome| self.logs.iter().any(|row| row.outcome() == outcome);
        if !is(Outcome::Broken) && is(Outcome::Unchecked) {
            return Outcome::Unchecked;
        }
        Outcome::of(!is(Outcome::Broken))
    }

    fn json(&self) -> Value {
        json!({ "logs": self.logs.iter().map(Row::json).collect::<Vec<_>>() })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("REBUILD-TILES", &self.name)?;
        self.logs.iter().try_for_each(|row| row.draw(screen))?;
        let written: u64 = self.logs.iter().map(|row| row.written).sum();
        let altered = self.logs.iter().any(|row| row.compared.is_altered() || row.contradicts);
        match self.outcome() {
            Outcome::Holds if written > 0 => screen.verdict(Mark::Good, "The tiles are what the segments say, now."),
            Outcome::Holds => screen.verdict(Mark::Good, "The tiles are what the segments say."),
            Outcome::Broken if altered => screen.verdict(
                Mark::Bad,
                "The evidence is broken: nothing is written to a log that contradicts itself. Run `ledgerline verify`.",
            ),
            Outcome::Broken => screen.verdict(
                Mark::Bad,
                "The tiles are not what the segments say. --write puts those that are missing; hidden ones show again once the \
                 delete marker or the version over them is removed.",
            ),
            Outcome::Unchecked => {
                screen.verdict(Mark::Look, "Not every log's tiles could be rebuilt. The others hold.")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_ledger::store::{Failure, StoreError};
    use ledgerline_ledger::tile::Tile;
    use ledgerline_ledger::tree::Hash;

    const LOG: &str = "acme/interaction/1/0";

    fn gap(width: u16, found: InPlace) -> Gap {
        Gap { tile: Tile::new(0, 2, width).unwrap(), found, digest: Hash([7; 32]) }
    }

    fn row(found: Result<Vec<Gap>, DerivationError>) -> Row {
        let compared = |gaps| Compared { from: 0, published: 605, signed: 605, derived: 4, gaps };
        Row::new(LogId::parse(LOG).unwrap(), found.map(compared))
    }

    fn rebuilt(logs: Vec<Row>) -> Rebuilt {
        Rebuilt { name: "stack.json".to_owned(), logs }
    }

    fn drawn(rebuilt: &Rebuilt) -> String {
        let mut out = Vec::new();
        rebuilt.draw(&mut Screen::new(&mut out, 116, false)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_missing_tile_is_named_until_it_is_written() {
        let mut one = row(Ok(vec![gap(93, InPlace::Nothing)]));
        assert!(one.is_to_be_written());
        assert_eq!(one.outcome(), Outcome::Broken);
        assert_eq!(one.json()["missing"], json!(["tile/0/002.p/93"]));
        let told = drawn(&rebuilt(vec![row(Ok(vec![gap(93, InPlace::Nothing)])), row(Ok(vec![]))]));
        assert!(told.contains("missing") && told.contains("tile/0/002.p/93"), "{told}");
        assert!(told.contains("4 tiles of 605 entries") && told.contains("--write puts those"), "{told}");
        one.wrote(Ok(1));
        assert_eq!((one.outcome(), &one.json()["written"]), (Outcome::Holds, &json!(1)));
        assert!(drawn(&rebuilt(vec![one])).contains("The tiles are what the segments say, now."));
    }

    #[test]
    fn an_altered_full_tile_is_never_written_and_outweighs_a_log_that_cannot_be_told() {
        let altered = row(Ok(vec![gap(256, InPlace::OtherBytes), gap(93, InPlace::Nothing)]));
        assert!(!altered.is_to_be_written());
        assert_eq!((&altered.json()["altered"], &altered.json()["differs"]), (&json!(true), &json!(["tile/0/002"])));
        let throttled = StoreError::Throttled(Failure::new("read the head")).into();
        let rebuilt = rebuilt(vec![row(Err(throttled)), altered]);
        assert_eq!(rebuilt.outcome(), Outcome::Broken);
        let told = drawn(&rebuilt);
        assert!(told.contains("The evidence is broken") && told.contains(&format!("! {LOG}: ")), "{told}");
        assert!(!row(Ok(vec![gap(256, InPlace::Hidden)])).is_to_be_written());
        // A partial one carries no lock.
        assert!(row(Ok(vec![gap(93, InPlace::OtherBytes)])).is_to_be_written());
    }

    #[test]
    fn a_log_that_cannot_be_derived_is_named_with_its_remedy() {
        let missing = row(Err(DerivationError::SegmentMissing { first: 300 }));
        assert_eq!(missing.outcome(), Outcome::Unchecked);
        assert!(missing.json()["error"]["remedy"].as_str().unwrap().contains("rebuild-postings"));
        let rebuilt = rebuilt(vec![missing, row(Ok(vec![]))]);
        assert_eq!(rebuilt.outcome(), Outcome::Unchecked);
        assert!(drawn(&rebuilt).contains("no committed segment begins at 300"));
        assert_eq!(row(Err(DerivationError::NotTheSigned { size: 605 })).outcome(), Outcome::Broken);
    }

    #[test]
    fn what_was_pruned_is_said() {
        let mut one = row(Ok(vec![]));
        one.compared.from = 300;
        assert!(drawn(&rebuilt(vec![one])).contains("entries below 300 are pruned"));
    }

    #[test]
    fn a_key_counts_for_the_log_that_it_is_named_for() {
        let log = LogId::parse(LOG).unwrap();
        let of = |name: &str| is_of(&VerifyingKey::parse(&vkey(name, &KEY)).unwrap(), &log);
        assert!(of("trial/acme/interaction/1/0"));
        assert!(!of("trial/xacme/interaction/1/0") && !of("trial/acme/entity/1/0"));
    }

    /// A point of the curve: the public key of RFC 8032's first test.
    const KEY: [u8; 32] = [
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1,
        0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
    ];
}
