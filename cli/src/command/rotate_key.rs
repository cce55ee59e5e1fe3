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
use ledgerline_aws::control::ControlTable;
use ledgerline_aws::ledger::LedgerBucket;
use ledgerline_aws::postings::PostingRows;
use ledgerline_aws::reads::IndexReader;
use ledgerline_aws::signing::KmsSigner;
use ledgerline_custody::acts::{Act, ActKind, record_of_log};
use ledgerline_custody::publication::{self, Memory, Publication, Settings};
use ledgerline_custody::rotation::{RotationError, Step, Stores, advance};
use ledgerline_ledger::checkpoint::origin;
use ledgerline_ledger::entry::Field;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::ports::ListLogs as _;
use ledgerline_ledger::signing::{KeyKind, VerifyingKey};
use ledgerline_ledger::verify::KEY_FIELD;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::acts::Recorder;
use crate::answer::{Answer, Answered, Outcome};
use crate::args::RotateKeyArgs;
use crate::cloud::{Cloud, named, store_fault};
use crate::context::Context;
use crate::fault::Fault;
use crate::screen::{Mark, Screen, grouped};

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
    let rotation = Rotation::new(&cloud, new, known, finishing)?;
    let logs = cloud.ask(rotation.control.logs())?;
    let mut seen = Vec::new();
    for log in logs {
        seen.push(rotation.begin(log, context)?);
    }
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
    control: ControlTable,
    ledger: LedgerBucket,
    index: IndexReader,
}

impl<'a> Rotation<'a> {
    fn new(cloud: &'a Cloud, new: [u8; 32], known: Vec<[u8; 32]>, finishing: Option<Finishing>) -> Result<Self, Fault> {
        let operator = &cloud.operator;
        Ok(Self {
            recorder: Recorder::new(cloud)?,
            deployment: named(operator.deployment.id())?,
            control: ControlTable::new(operator.dynamodb.clone(), named(operator.table("ControlTable"))?),
            ledger: LedgerBucket::new(operator.s3.clone(), named(operator.bucket("LedgerBucket"))?),
            index: IndexReader::new(operator.dynamodb.clone(), named(operator.table("IndexTable"))?),
            cloud,
            new,
            known,
            finishing,
        })
    }

    /// Looks how far the key has come in a log, and announces it if that was not done.
    fn begin(&self, log: LogId, context: &Context) -> Result<Seen, Fault> {
        let vkey = self.key(&log, &self.new)?.vkey();
        let mut seen = Seen { log, vkey, step: Ok(Step::NotInTheLog) };
        self.look(&mut seen)?;
        if matches!(seen.step, Ok(Step::NotInTheLog)) {
            let act = Act {
                kind: ActKind::SigningKeyAdded,
                record: record_of_log(&seen.log),
                occurred_at: context.now_text(),
                fields: BTreeMap::from([(KEY_FIELD.to_owned(), Field::Text(seen.vkey.clone()))]),
                log: seen.log.clone(),
            };
            self.recorder.record(&format!("key/{}/{}", seen.log, seen.vkey), &[act], context)?;
        }
        Ok(seen)
    }

    /// Goes from log to log until the key may sign all of them, nothing more can be done, or the time is over.
    fn wait(&self, seen: &mut [Seen], minutes: u64, context: &Context) -> Result<(), Fault> {
        let bar = context.progress("logs that it may sign", Some(seen.len() as u64));
        let began = Instant::now();
        loop {
            for one in seen.iter_mut().filter(|one| one.is_open()) {
                self.look(one)?;
                if matches!(one.step, Ok(Step::NotSigned { .. })) {
                    self.sign(one, context.now_ms + began.elapsed().as_millis() as u64)?;
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

    fn look(&self, seen: &mut Seen) -> Result<(), Fault> {
        let stores = Stores { control: &self.control, ledger: &self.ledger, index: &self.index };
        let new = self.key(&seen.log, &self.new)?;
        let known = self.known.iter().map(|key| self.key(&seen.log, key)).collect::<Result<Vec<_>, _>>()?;
        match self.cloud.wait_for(advance(&stores, &seen.log, &new, &known)) {
            // What fails for a moment is looked at again; the step stays what it was.
            Err(error) if error.is_transient() => {}
            Err(RotationError::Store(error)) => return Err(store_fault(&error)),
            step => seen.step = step,
        }
        // A deployment that uses the new key already signs nothing that an old one signed before.
        if let Ok(Step::NotSigned { signed: size @ 1.., .. }) = seen.step
            && self.known.is_empty()
        {
            seen.step = Err(RotationError::NotByKnownKey { size });
        }
        Ok(())
    }

    /// Signs what is left with the former key, where the caller named it.
    fn sign(&self, seen: &Seen, now_ms: u64) -> Result<(), Fault> {
        let Some(finishing) = &self.finishing else { return Ok(()) };
        let publication = Publication { ports: finishing, settings: &finishing.settings, memory: &finishing.memory };
        match self.cloud.wait_for(publication.catch_up(&seen.log, now_ms)) {
            Ok(_) => Ok(()),
            Err(error) if error.is_transient() => Ok(()),
            Err(error) => {
                let remedy = "run `ledgerline verify`, mend the log, and run this again";
                Err(Fault::caused_by(format!("{} cannot be signed", seen.log), &error, remedy))
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

/// The former key and what it takes to sign what a log still lacks, by the same code as audit-write's and sweep's.
struct Finishing {
    control: ControlTable,
    ledger: LedgerBucket,
    postings: PostingRows,
    signer: KmsSigner,
    settings: Settings,
    memory: Memory,
}

impl Finishing {
    fn new(cloud: &Cloud, old: &str) -> Result<Self, Fault> {
        let operator = &cloud.operator;
        let signer = cloud.entered(|| KmsSigner::new(&operator.deployment.sdk_config(), old));
        Ok(Self {
            control: ControlTable::new(operator.dynamodb.clone(), named(operator.table("ControlTable"))?),
            ledger: LedgerBucket::new(operator.s3.clone(), named(operator.bucket("LedgerBucket"))?),
            postings: PostingRows::new(operator.dynamodb.clone(), named(operator.table("IndexTable"))?),
            signer,
            settings: settings(cloud)?,
            memory: Memory::default(),
        })
    }
}

/// How audit-write is told to lock and to name.
fn settings(cloud: &Cloud) -> Result<Settings, Fault> {
    Ok(Settings { deployment: named(cloud.operator.deployment.id())?, locks: cloud.lock_policy()? })
}

impl publication::Ports for Finishing {
    type Control = ControlTable;
    type Ledger = LedgerBucket;
    type Index = PostingRows;
    type Signer = KmsSigner;

    fn control(&self) -> &ControlTable {
        &self.control
    }

    fn ledger(&self) -> &LedgerBucket {
        &self.ledger
    }

    fn index(&self) -> &PostingRows {
        &self.postings
    }

    fn signer(&self) -> &KmsSigner {
        &self.signer
    }
}

/// A log, and how far the key has come in it.
struct Seen {
    log: LogId,
    vkey: String,
    step: Result<Step, RotationError>,
}

impl Seen {
    /// Whether waiting may bring it further.
    fn is_open(&self) -> bool {
        matches!(self.step, Ok(Step::NotInTheLog | Step::NotSigned { .. }))
    }

    fn code(&self) -> &'static str {
        match &self.step {
            Ok(Step::Allowed) => "allowed",
            Ok(Step::NotSigned { .. }) => "not_signed",
            Ok(Step::NotInTheLog) => "not_in_the_log",
            Err(_) => "refused",
        }
    }

    /// What is missing, and what to do.
    fn missing(&self) -> Option<(String, &'static str)> {
        match &self.step {
            Ok(Step::Allowed) => None,
            Ok(Step::NotInTheLog) => Some((
                "its announcement is not in the log yet".to_owned(),
                "run this again; if it stays so, run `ledgerline doctor`: audit-write does not work off its queue",
            )),
            Ok(Step::NotSigned { entry, signed }) => Some((
                format!(
                    "entry {} announces it, and the newest checkpoint ends at {}",
                    grouped(*entry),
                    grouped(*signed)
                ),
                "run this again; if it stays so, look for `signing failed` in audit-write's and sweep's logs",
            )),
            Err(error @ RotationError::NotByKnownKey { .. }) => Some((
                error.to_string(),
                "the deployment uses another key already: name the one that signed this log with --old, and run this again",
            )),
            Err(error @ RotationError::Past { .. }) => {
                Some((error.to_string(), "a key has one time only: make another key, and announce that one"))
            }
            Err(error) => {
                Some((error.to_string(), "run `ledgerline verify`: somebody changed the log, its head or its tiles"))
            }
        }
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
        Outcome::of(self.seen.iter().all(|seen| matches!(seen.step, Ok(Step::Allowed))))
    }

    fn json(&self) -> Value {
        let logs = self.seen.iter().map(|seen| {
            let missing = seen.missing();
            json!({
                "log": seen.log.as_str(), "vkey": seen.vkey, "step": seen.code(),
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
            match seen.missing() {
                None => screen.check(Mark::Good, seen.log.as_str(), &seen.vkey)?,
                Some((what, remedy)) => screen.check(Mark::Bad, &format!("{}: {what}", seen.log), remedy)?,
            }
        }
        if self.outcome() == Outcome::Broken {
            return screen.verdict(Mark::Bad, "It may not sign every log yet. Do not deploy it; run this again.");
        }
        screen.section("what is left to do")?;
        if !self.deployed {
            screen.say(
                "1. Deploy with RotatedSigningKeyArn set to it: log by log, as it signs, it retires the old key.",
            )?;
        }
        screen.say("2. Run this once more after the deployment: a log that was born in between may lack the key.")?;
        screen.say("3. Hand the new .vkey to those who verify. Keep the old key's: earlier checkpoints need it.")?;
        screen.verdict(Mark::Good, "It may sign every log.")
    }
}

/// A checkpoint comes within ten seconds where entries come, and within a minute from sweep.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
