//! `rotate-key`: the new signing key becomes an entry of every log; once a checkpoint of a key that signs already covers
//! that entry, the new key may sign.
//!
//! Order, per log: announcement, checkpoint, permission ([`ledgerline_custody::rotation`]). A crash, or the end of patience,
//! between any two leaves the old key in force and the new one without effect; the same command again goes on from there.
//! Whoever verifies later accepts the new key because the old one vouches for it.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use indicatif::ProgressBar;
use ledgerline_custody::acts::{Act, ActKind, record_of_log};
use ledgerline_custody::publication::Checkpointed;
use ledgerline_custody::rotation::{RotationError, Step, advance, later_keys};
use ledgerline_ledger::checkpoint::origin;
use ledgerline_ledger::entry::Field;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::signing::{KeyKind, VerifyingKey};
use ledgerline_ledger::verify::KEY_FIELD;
use ledgerline_store::ledger::LedgerStores;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::acts::Recorder;
use super::finishing::Finishing;
use crate::answer::{Answer, Answered, Outcome};
use crate::args::RotateKeyArgs;
use crate::cloud::{Cloud, named, store_fault};
use crate::context::Context;
use crate::fault::Fault;
use crate::screen::{Mark, Screen, counted, grouped};

/// Announces a key in every log, and lets it sign as soon as that is signed for.
pub(super) fn run(args: &RotateKeyArgs, context: &Context) -> Answered {
    let cloud = Cloud::open(&args.deployment.stack)?;
    let (new_arn, new) = usable(&cloud, &args.new_key)?;
    let current_id = cloud.signing_key_id()?;
    let current = cloud.public_key(&current_id)?;
    // Keys that KMS itself gives: what tables say of keys is not taken for it.
    let mut known: Vec<[u8; 32]> = [current].into_iter().filter(|key| *key != new).collect();
    let mut finishing = None;
    if let Some(old) = &args.old {
        let (_, key) = usable(&cloud, old)?;
        if key == new {
            return Err(Fault::new("--old names the new key", "name the key that signed before it"));
        }
        known.push(key);
        finishing = Some(Finishing::new(&cloud, old)?);
    }
    let rotation = Rotation::new(&cloud, new, known, finishing, args.turn_back)?;
    let logs = cloud.ask(rotation.ledger.heads.logs())?;
    let mut seen = logs.into_iter().map(|log| rotation.unseen(log)).collect::<Result<Vec<_>, _>>()?;
    rotation.wait(&mut seen, args.timeout, context)?;
    let deployed = current == new;
    Ok(Box::new(Rotated { current: current_id, new: new_arn, deployed, seen }))
}

/// The ARN and the public half of a key that can sign.
fn usable(cloud: &Cloud, key: &str) -> Result<(String, [u8; 32]), Fault> {
    let settings = cloud.ask(cloud.operator.key_settings(key))?;
    if settings.state != "Enabled" || settings.usage != "SIGN_VERIFY" {
        return Err(Fault::new(
            format!("{key} is {} and for {}", settings.state, settings.usage),
            "name an enabled key of spec ECC_NIST_EDWARDS25519, usage SIGN_VERIFY",
        ));
    }
    Ok((settings.arn, cloud.public_key(key)?))
}

/// One run of the command.
struct Rotation<'a> {
    cloud: &'a Cloud,
    recorder: Recorder<'a>,
    deployment: String,
    new: [u8; 32],
    /// Public keys whose checkpoints vouch for the new one.
    known: Vec<[u8; 32]>,
    finishing: Option<Finishing>,
    /// Whether keys that come after the new one are to be withdrawn.
    turn_back: bool,
    ledger: LedgerStores,
}

impl<'a> Rotation<'a> {
    fn new(
        cloud: &'a Cloud,
        new: [u8; 32],
        known: Vec<[u8; 32]>,
        finishing: Option<Finishing>,
        turn_back: bool,
    ) -> Result<Self, Fault> {
        let operator = &cloud.operator;
        Ok(Self {
            recorder: Recorder::new(cloud)?,
            deployment: named(operator.deployment.id())?,
            ledger: cloud.ledger()?,
            cloud,
            new,
            known,
            finishing,
            turn_back,
        })
    }

    fn unseen(&self, log: LogId) -> Result<Seen, Fault> {
        let vkey = self.key(&log, &self.new)?.vkey();
        Ok(Seen::new(log, vkey))
    }

    /// Goes from log to log until the key may sign all of them, nothing more can be done, or the time is over. What one log
    /// refuses keeps none of the others.
    fn wait(&self, seen: &mut [Seen], minutes: u64, context: &Context) -> Result<(), Fault> {
        let bar = context.progress("logs that it may sign", Some(seen.len() as u64));
        let began = Instant::now();
        loop {
            for one in seen.iter_mut().filter(|one| one.is_open()) {
                self.look(one)?;
                let done = match one.step {
                    Ok(Step::NotInTheLog) if !one.announced => self.announce(one, context),
                    Ok(Step::NotSigned { .. }) => self.sign(one, context.now_ms + began.elapsed().as_millis() as u64),
                    _ => Ok(()),
                };
                if let Err(fault) = done {
                    one.step = Err(Obstacle::CouldNot(fault));
                }
            }
            show(&bar, seen);
            if !seen.iter().any(Seen::is_open) || began.elapsed() >= Duration::from_secs(minutes * 60) {
                bar.finish_and_clear();
                return Ok(());
            }
            self.cloud.pause(BETWEEN_LOOKS);
        }
    }

    /// Looks how far the key has come in a log, and takes its next step.
    fn look(&self, seen: &mut Seen) -> Result<(), Fault> {
        let new = self.key(&seen.log, &self.new)?;
        let known = self.known.iter().map(|key| self.key(&seen.log, key)).collect::<Result<Vec<_>, _>>()?;
        match self.cloud.wait_for(later_keys(&self.ledger.heads, &seen.log, &new)) {
            Ok(later) if later.is_empty() => {}
            Ok(later) if self.turn_back => seen.withdrawn = later,
            Ok(later) => {
                seen.step = Err(Obstacle::Later(later));
                return Ok(());
            }
            Err(error) => {
                seen.note(Err(error));
                return Ok(());
            }
        }
        seen.note(self.cloud.wait_for(advance(&self.ledger, &seen.log, &new, &known)));
        // A deployment that uses the new key already signs nothing that an old one signed before.
        if let Ok(Step::NotSigned { signed: size @ 1.., .. }) = seen.step
            && self.known.is_empty()
        {
            seen.step = Err(Obstacle::Refused(RotationError::NotByKnownKey { size }));
        }
        Ok(())
    }

    /// Sends the announcement on its way; once in a run, and the same one however often.
    fn announce(&self, seen: &mut Seen, context: &Context) -> Result<(), Fault> {
        let act = Act {
            kind: ActKind::SigningKeyAdded,
            record: record_of_log(&seen.log),
            occurred_at: context.now_text(),
            fields: BTreeMap::from([(KEY_FIELD.to_owned(), Field::Text(seen.vkey.clone()))]),
            key_ids: Vec::new(),
            log: seen.log.clone(),
        };
        self.recorder.record(&format!("key/{}/{}", seen.log, seen.vkey), &[act], context)?;
        seen.announced = true;
        Ok(())
    }

    /// Signs what is left with the former key, where the caller named it.
    fn sign(&self, seen: &mut Seen, now_ms: u64) -> Result<(), Fault> {
        let Some(finishing) = &self.finishing else { return Ok(()) };
        let publication = finishing.publication();
        match self.cloud.wait_for(publication.catch_up(&seen.log, now_ms)) {
            Ok(published) => {
                seen.unsigned = published.is_some_and(|published| published.checkpoint == Checkpointed::Failed);
                Ok(())
            }
            Err(error) if error.is_transient() => Ok(()),
            Err(error) => {
                let remedy = "run `ledgerline verify`, mend the log, and run this again";
                Err(Fault::caused_by("it cannot be signed", &error, remedy))
            }
        }
    }

    fn key(&self, log: &LogId, public_key: &[u8; 32]) -> Result<VerifyingKey, Fault> {
        VerifyingKey::new(&origin(&self.deployment, log), KeyKind::Log, public_key).map_err(|error| {
            let remedy = "name a KMS key of spec ECC_NIST_EDWARDS25519";
            Fault::caused_by(format!("a key cannot sign for {log}"), &error, remedy)
        })
    }
}

fn show(bar: &ProgressBar, seen: &[Seen]) {
    bar.set_position(seen.iter().filter(|one| matches!(one.step, Ok(Step::Allowed))).count() as u64);
}

/// A log, and how far the key has come in it.
struct Seen {
    log: LogId,
    vkey: String,
    step: Result<Step, Obstacle>,
    /// Whether this run has sent an announcement on its way.
    announced: bool,
    /// Keys that this run withdrew.
    withdrawn: Vec<String>,
    /// Whether the former key, which the caller named, did not sign.
    unsigned: bool,
}

/// What keeps a key from coming further in a log.
enum Obstacle {
    /// The log was not looked at: its stores have not answered so far.
    NotYet(Option<Fault>),
    /// It cannot be read, or nothing more can be done in it.
    CouldNot(Fault),
    /// Later keys may sign: it would be turning back, which nobody asked for.
    Later(Vec<String>),
    /// What was read forbids it.
    Refused(RotationError),
}

impl Seen {
    fn new(log: LogId, vkey: String) -> Self {
        let step = Err(Obstacle::NotYet(None));
        Self { log, vkey, step, announced: false, withdrawn: Vec::new(), unsigned: false }
    }

    /// Notes what a look found.
    fn note(&mut self, found: Result<Step, RotationError>) {
        let is_transient = found.as_ref().is_err_and(RotationError::is_transient);
        match found {
            Ok(step) => self.step = Ok(step),
            // What fails for a moment is looked at again; what was seen before is still the last that was seen.
            Err(RotationError::Store(error)) if is_transient => {
                if self.step.is_err() {
                    self.step = Err(Obstacle::NotYet(Some(store_fault(&error))));
                }
            }
            Err(RotationError::Store(error)) => self.step = Err(Obstacle::CouldNot(store_fault(&error))),
            Err(error) => self.step = Err(Obstacle::Refused(error)),
        }
    }

    /// Whether waiting may bring it further.
    fn is_open(&self) -> bool {
        matches!(self.step, Ok(Step::NotInTheLog | Step::NotSigned { .. }) | Err(Obstacle::NotYet(_)))
    }

    fn code(&self) -> &'static str {
        match &self.step {
            Ok(Step::Allowed) => "allowed",
            Ok(Step::NotSigned { .. }) => "not_signed",
            Ok(Step::NotInTheLog) => "not_in_the_log",
            Err(Obstacle::NotYet(_) | Obstacle::CouldNot(_)) => "could_not_check",
            Err(Obstacle::Later(_)) => "later_key_may_sign",
            Err(Obstacle::Refused(_)) => "refused",
        }
    }

    /// Whether it holds, for this log alone.
    fn outcome(&self) -> Outcome {
        match &self.step {
            Ok(step) => Outcome::of(*step == Step::Allowed),
            Err(Obstacle::NotYet(_) | Obstacle::CouldNot(_)) => Outcome::Unchecked,
            Err(Obstacle::Later(_) | Obstacle::Refused(_)) => Outcome::Broken,
        }
    }

    /// What is missing, and what to do.
    fn missing(&self) -> Option<(String, String)> {
        let (what, remedy) = match &self.step {
            Ok(Step::Allowed) => return None,
            Ok(Step::NotInTheLog) => (
                "its announcement is not in the log yet".to_owned(),
                "run this again; if it stays so, run `ledgerline doctor`: audit-write does not work off its queue",
            ),
            Ok(Step::NotSigned { .. }) if self.unsigned => (
                "the key that --old names did not sign it".to_owned(),
                "see that your credentials may sign with that key (kms:Sign), and that it is the one that signed this log last",
            ),
            Ok(Step::NotSigned { entry, signed }) => (
                format!(
                    "entry {} announces it, and the newest checkpoint ends at {}",
                    grouped(*entry),
                    grouped(*signed)
                ),
                "run this again, and where the deployment uses the new key already, with --old and the key that signed \
                 this log; if it stays so, look for `signing failed` in audit-write's and sweep's logs",
            ),
            Err(Obstacle::NotYet(None)) => ("it was not looked at".to_owned(), "run this again"),
            Err(Obstacle::NotYet(Some(fault)) | Obstacle::CouldNot(fault)) => return Some(fault.told()),
            Err(Obstacle::Later(later)) => (
                format!("a later key may sign it: {}", later.join(", ")),
                "name that key with --new-key; or, to turn back to this one, run this with --turn-back and deploy this one at once",
            ),
            Err(Obstacle::Refused(error @ RotationError::NotByKnownKey { .. })) => (
                error.to_string(),
                "the deployment uses another key already: name the one that signed this log with --old, and run this again",
            ),
            Err(Obstacle::Refused(error @ RotationError::Past { .. })) => (
                error.to_string(),
                "a key has one time only: make another KMS key, run this with --new-key and that one, and deploy that one",
            ),
            Err(Obstacle::Refused(error)) => {
                (error.to_string(), "run `ledgerline verify`: somebody changed the log, its head or its tiles")
            }
        };
        Some((what, remedy.to_owned()))
    }
}

struct Rotated {
    current: String,
    new: String,
    /// Whether the deployment uses the new key already.
    deployed: bool,
    seen: Vec<Seen>,
}

impl Answer for Rotated {
    fn outcome(&self) -> Outcome {
        let is = |outcome| self.seen.iter().any(|seen| seen.outcome() == outcome);
        if is(Outcome::Broken) || !is(Outcome::Unchecked) {
            return Outcome::of(!is(Outcome::Broken));
        }
        Outcome::Unchecked
    }

    fn json(&self) -> Value {
        let logs = self.seen.iter().map(|seen| {
            let missing = seen.missing();
            json!({
                "log": seen.log.as_str(), "vkey": seen.vkey, "step": seen.code(), "withdrawn": seen.withdrawn,
                "missing": missing.as_ref().map(|(what, _)| what), "remedy": missing.as_ref().map(|(_, remedy)| remedy),
            })
        });
        json!({
            "current": self.current, "new": self.new, "deployed": self.deployed, "logs": logs.collect::<Vec<_>>(),
        })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("ROTATE-KEY", &self.new)?;
        for seen in &self.seen {
            let mark = if seen.outcome() == Outcome::Unchecked { Mark::Look } else { Mark::Bad };
            match seen.missing() {
                None => screen.check(Mark::Good, seen.log.as_str(), &seen.vkey)?,
                Some((what, remedy)) => screen.check(mark, &format!("{}: {what}", seen.log), &remedy)?,
            }
        }
        let unsigned = self.seen.iter().filter(|seen| !seen.withdrawn.is_empty()).count() as u64;
        if unsigned > 0 && !self.deployed {
            let what = format!("later keys were withdrawn from {}", counted(unsigned, "log", "logs"));
            screen.check(Mark::Look, &what, "nobody signs them until this key is deployed; commits go on")?;
        }
        let then = match (self.deployed, unsigned) {
            (true, _) => "Run this again.",
            (false, 0) => "Do not deploy it; run this again.",
            (false, _) => "Run this again, and deploy it.",
        };
        match self.outcome() {
            Outcome::Broken => {
                return screen.verdict(Mark::Bad, &format!("It may not sign every log yet. {then}"));
            }
            Outcome::Unchecked => {
                let open = self.seen.iter().filter(|seen| seen.outcome() == Outcome::Unchecked).count() as u64;
                let open = counted(open, "log", "logs");
                let verdict = format!("It could not be checked: {open}. It may sign the others. {then}");
                return screen.verdict(Mark::Look, &verdict);
            }
            Outcome::Holds => {}
        }
        screen.section("what is left to do")?;
        let deploy = [
            "Deploy with RotatedSigningKeyArn set to it: log by log, as it signs, it retires the old key.",
            "Run this once more after the deployment: a log that was born in between may lack the key.",
        ];
        let hand_over = "Hand the new .vkey to those who verify. Keep the old key's: earlier checkpoints need it.";
        let left = deploy.into_iter().filter(|_| !self.deployed).chain([hand_over]);
        for (place, step) in left.enumerate() {
            screen.say(&format!("{}. {step}", place + 1))?;
        }
        screen.verdict(Mark::Good, "It may sign every log.")
    }
}

/// A checkpoint comes within ten seconds where entries come, and within a minute from sweep.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_ledger::store::{Failure, StoreError};

    fn unseen(log: &str) -> Seen {
        let log = LogId::parse(log).unwrap();
        let vkey = format!("trial/{log}+key");
        Seen::new(log, vkey)
    }

    fn seen(log: &str, found: Result<Step, RotationError>) -> Seen {
        let mut seen = unseen(log);
        seen.note(found);
        seen
    }

    fn denied() -> RotationError {
        StoreError::Denied(Failure::new("read the head of acme/entity/1/0")).into()
    }

    fn throttled() -> RotationError {
        StoreError::Throttled(Failure::new("read the head of acme/entity/1/0")).into()
    }

    fn rotated(deployed: bool, seen: Vec<Seen>) -> Rotated {
        Rotated { current: "arn:old".to_owned(), new: "arn:new".to_owned(), deployed, seen }
    }

    fn drawn(rotated: &Rotated) -> String {
        let mut out = Vec::new();
        rotated.draw(&mut Screen::new(&mut out, 116, false)).unwrap();
        String::from_utf8(out).unwrap()
    }

    const ONE: &str = "acme/interaction/1/0";
    const OTHER: &str = "acme/entity/1/0";

    #[test]
    fn a_log_that_cannot_be_read_is_named_and_keeps_none_of_the_others() {
        let rotated = rotated(false, vec![seen(OTHER, Err(denied())), seen(ONE, Ok(Step::Allowed))]);
        assert_eq!(rotated.outcome(), Outcome::Unchecked);
        let told = rotated.json();
        assert_eq!(
            (&told["logs"][0]["step"], &told["logs"][1]["step"]),
            (&json!("could_not_check"), &json!("allowed"))
        );
        assert!(told["logs"][0]["missing"].as_str().unwrap().contains("denied"), "{told}");
        assert!(told["logs"][0]["remedy"].as_str().unwrap().contains("credentials"), "{told}");
        let drawn = drawn(&rotated);
        assert!(drawn.contains(&format!("! {OTHER}: ")) && drawn.contains(&format!("✓ {ONE}")), "{drawn}");
        assert!(drawn.contains("It could not be checked: 1 log.") && !drawn.contains("what is left to do"), "{drawn}");
    }

    #[test]
    fn a_key_that_others_come_after_is_refused_and_what_was_withdrawn_is_told() {
        let mut refused = unseen(ONE);
        refused.step = Err(Obstacle::Later(vec!["trial/later+key".to_owned()]));
        assert_eq!((refused.code(), refused.outcome()), ("later_key_may_sign", Outcome::Broken));
        let (what, remedy) = refused.missing().unwrap();
        assert!(what.contains("trial/later+key") && remedy.contains("--turn-back"), "{what}: {remedy}");

        let mut back = seen(ONE, Ok(Step::Allowed));
        back.withdrawn = vec!["trial/later+key".to_owned()];
        let open = seen(OTHER, Ok(Step::NotSigned { entry: 7, signed: 7 }));
        let rotated = rotated(false, vec![back, open]);
        assert_eq!(rotated.json()["logs"][0]["withdrawn"], json!(["trial/later+key"]));
        let drawn = drawn(&rotated);
        assert!(drawn.contains("nobody signs them until") && !drawn.contains("Do not deploy"), "{drawn}");
    }

    #[test]
    fn a_former_key_that_does_not_sign_is_told() {
        let mut one = seen(ONE, Ok(Step::NotSigned { entry: 7, signed: 7 }));
        one.unsigned = true;
        assert!(one.missing().unwrap().1.contains("kms:Sign"));
    }

    #[test]
    fn what_fails_for_a_moment_is_waited_for_and_is_not_taken_for_a_log_without_the_key() {
        let mut one = seen(ONE, Err(throttled()));
        assert_eq!((one.is_open(), one.code(), one.outcome()), (true, "could_not_check", Outcome::Unchecked));
        one.note(Ok(Step::NotSigned { entry: 7, signed: 7 }));
        one.note(Err(throttled()));
        assert_eq!((one.is_open(), one.code()), (true, "not_signed"), "what was seen last");
        assert!(one.missing().unwrap().1.contains("--old"));
        one.note(Err(denied()));
        assert!(!one.is_open());
        assert_eq!(unseen(ONE).outcome(), Outcome::Unchecked);
    }

    #[test]
    fn a_log_that_refuses_the_key_outweighs_one_that_cannot_be_read() {
        let past = seen(ONE, Err(RotationError::Past { entry: 1, later: 2 }));
        assert!(past.missing().unwrap().1.contains("make another KMS key"));
        let rotated = rotated(false, vec![past, seen(OTHER, Err(denied()))]);
        assert_eq!((rotated.outcome(), rotated.seen[0].code()), (Outcome::Broken, "refused"));
        assert!(drawn(&rotated).contains("Do not deploy it"));
    }

    #[test]
    fn what_is_left_to_do_follows_from_whether_the_key_is_deployed() {
        let before = drawn(&rotated(false, vec![seen(ONE, Ok(Step::Allowed))]));
        assert!(before.contains("1. Deploy") && before.contains("2. Run this once more"), "{before}");
        assert!(before.contains("3. Hand the new"), "{before}");
        let after = drawn(&rotated(true, vec![seen(ONE, Ok(Step::Allowed))]));
        assert!(after.contains("1. Hand the new") && !after.contains("2. ") && !after.contains("eploy"), "{after}");
        let open = rotated(true, vec![seen(ONE, Ok(Step::NotInTheLog))]);
        assert_eq!(open.outcome(), Outcome::Broken);
        assert!(drawn(&open).contains("yet. Run this again.") && !drawn(&open).contains("Do not deploy"));
    }
}
