//! Checking a certificate, offline: by its bytes and the public keys that somebody trusts, and nothing else.
//!
//! Invariant: a file without a problem is, byte for byte, one whose body the ledger certified, and each act of deletion that it names is in
//! its log. Everything that does not hold is named by its place; one fault does not hide another. Foreign bytes: nothing here panics, and
//! what is read is bounded by the file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerline_ledger::canonical;
use ledgerline_ledger::checkpoint::{Checkpoint, UnverifiedCheckpoint};
use ledgerline_ledger::entry::{Entry, Line};
use ledgerline_ledger::log::{LogId, REQUESTS};
use ledgerline_ledger::proof::verify_inclusion;
use ledgerline_ledger::signing::{VerifyingKey, VerifyingKeys};
use ledgerline_ledger::tree::Hash;
use serde_json::Value;

use crate::{Certificate, ENTITY, KEYS_PER_ACT, KIND, REASON, SHA256, STATUS, VERSION, guide, record_of};

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: a member of the file.
    pub place: String,
    /// What.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// What came of checking a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// What it says, if it could be read.
    pub certificate: Option<Certificate>,
    /// Everything that does not hold; none of a good one.
    pub problems: Vec<Problem>,
}

/// Checks a file by verifier keys: each key that signed a checkpoint must be one of these, under whichever log's name.
pub fn check(bytes: &[u8], trusted: &VerifyingKeys) -> Checked {
    let certificate = match read(bytes) {
        Ok(certificate) => certificate,
        Err(what) => return Checked { certificate: None, problems: vec![problem("the file", what)] },
    };
    let mut check = Check { trusted: trusted.iter().map(VerifyingKey::public_key).collect(), problems: Vec::new() };
    if certificate.to_bytes().as_deref() != Some(bytes) {
        check.say("the file", "it is not written in the one way to write it: something was added or altered");
    }
    if (certificate.v, certificate.kind.as_str()) != (VERSION, KIND) {
        check.say("kind", "it is no certificate of an erasure of this version");
    }
    check.body(&certificate);
    check.certified(&certificate);
    Checked { problems: check.problems, certificate: Some(certificate) }
}

fn read(bytes: &[u8]) -> Result<Certificate, String> {
    let text = str::from_utf8(bytes).map_err(|_| "it is no text".to_owned())?;
    // Of a member that stands twice the last would count: the one spelling rules that out.
    serde_json::from_str(text).map_err(|error| format!("it does not read as a certificate: {error}"))
}

fn problem(place: impl Into<String>, what: impl Into<String>) -> Problem {
    Problem { place: place.into(), what: what.into() }
}

struct Check {
    trusted: BTreeSet<[u8; 32]>,
    problems: Vec<Problem>,
}

impl Check {
    fn say(&mut self, place: impl Into<String>, what: impl Into<String>) {
        self.problems.push(problem(place, what));
    }

    fn ask(&mut self, holds: bool, place: &str, what: &str) {
        if !holds {
            self.say(place, what);
        }
    }

    /// Everything in the body that follows from the rest of it.
    fn body(&mut self, certificate: &Certificate) {
        let body = &certificate.body;
        self.ask(body.v == VERSION, "body.v", "it is of no version that is known");
        self.ask(is_hex(&body.certificate, 32), "body.certificate", "it is not 32 hex digits");
        self.ask(is_hex(&body.salt, 64), "body.salt", "it is not 64 hex digits");
        let orgs = &body.request.orgs;
        self.ask(!orgs.is_empty() && is_sorted(orgs), "body.request.orgs", "they are not sorted, or there is none");
        let mut checkpoints = Vec::new();
        for (at, log) in body.logs.iter().enumerate() {
            let place = format!("body.logs[{at}]");
            self.ask(
                LogId::parse(&log.log).is_ok_and(|id| orgs.iter().any(|org| org == id.org())),
                &place,
                "it is the log of no organisation that was asked",
            );
            checkpoints.push(self.checkpoint(&place, &log.log, &log.keys, &log.checkpoint));
        }
        self.ask(
            is_sorted(&body.logs.iter().map(|log| &log.log).collect::<Vec<_>>()),
            "body.logs",
            "they are not sorted",
        );
        let nodes = self.nodes(&body.nodes);
        let mut used = BTreeSet::new();
        for (at, deletion) in body.deletions.iter().enumerate() {
            let place = format!("body.deletions[{at}]");
            let log = usize::try_from(deletion.log).ok().and_then(|log| Some((body.logs.get(log)?, &checkpoints[log])));
            let Some((log, checkpoint)) = log else {
                self.say(format!("{place}.log"), "it is none of the logs");
                continue;
            };
            let mut path = Vec::with_capacity(deletion.path.len());
            for node in &deletion.path {
                used.insert(*node);
                match usize::try_from(*node).ok().and_then(|node| nodes.get(node)) {
                    Some(Some(hash)) => path.push(*hash),
                    _ => self.say(format!("{place}.path"), format!("{node} is none of the nodes")),
                }
            }
            self.entry(&place, &log.log, checkpoint.as_ref(), deletion.index, &path, &deletion.entry);
            self.act_of_deletion(&place, &deletion.entry);
            let form = deletion.guide == guide(&body.request, &deletion.entry);
            self.ask(form, &format!("{place}.guide"), "it is not what the entry says");
        }
        self.ask(used.len() == body.nodes.len(), "body.nodes", "some are of no proof");
        let places: Vec<(u64, u64)> = body.deletions.iter().map(|one| (one.log, one.index)).collect();
        self.ask(is_sorted(&places), "body.deletions", "they are not sorted by log and index, or one stands twice");
        self.counts(certificate);
    }

    /// Numbers that follow from the rest.
    fn counts(&mut self, certificate: &Certificate) {
        let (body, counts) = (&certificate.body, &certificate.body.counts);
        let erased: BTreeSet<String> = body.deletions.iter().filter_map(|one| key_of(&one.entry)).collect();
        let keys: usize = body.deletions.iter().map(|one| key_ids(&one.entry).len()).sum();
        let distinct: BTreeSet<&str> =
            body.deletions.iter().flat_map(|one| key_ids(&one.entry)).filter_map(Value::as_str).collect();
        for (place, said, is) in [
            ("deletions", counts.deletions, body.deletions.len()),
            ("keys", counts.keys, keys),
            ("held", counts.held, body.held.len()),
            ("kept", counts.kept, body.kept.len()),
            ("records", counts.records, erased.len() + body.held.len() + body.kept.len()),
        ] {
            if said != is as u64 {
                self.say(format!("body.counts.{place}"), format!("it says {said}, and there are {is}"));
            }
        }
        self.ask(distinct.len() == keys, "body.deletions", "a key is destroyed twice");
        self.ask(is_sorted(&body.held) && is_sorted(&body.kept), "body.held", "records are not sorted, or one twice");
        let stays: BTreeSet<&String> = body.held.iter().chain(&body.kept).collect();
        let apart = stays.len() == body.held.len() + body.kept.len() && stays.iter().all(|one| !erased.contains(*one));
        self.ask(apart, "body.held", "a record is erased and stays");
        let kinds: Vec<&String> = body.remains.iter().map(|one| &one.kind).collect();
        let is_told = kinds.iter().collect::<BTreeSet<_>>().len() == kinds.len() && !kinds.is_empty();
        self.ask(is_told, "body.remains", "a kind stands twice, or none is told");
    }

    /// What makes an entry an act of deletion.
    fn act_of_deletion(&mut self, place: &str, entry: &Value) {
        let is_act = entry.get("type").and_then(Value::as_str) == Some("DATA_DELETION");
        let field = |name: &str| entry.get("fields").and_then(|fields| fields.get(name)).and_then(Value::as_str);
        let says = (field("deletion_reason"), field("status")) == (Some(REASON), Some(STATUS));
        self.ask(is_act && says, &format!("{place}.entry"), "it is no act of deletion");
        let most = key_ids(entry).len() <= KEYS_PER_ACT;
        let is_sealed = entry.get("sealed").and_then(Value::as_array).is_none_or(|blocks| !blocks.is_empty());
        self.ask(most && !is_sealed, &format!("{place}.entry"), "it names too many keys, or holds something sealed");
    }

    /// The acts that hold the body's digest.
    fn certified(&mut self, certificate: &Certificate) {
        let Certificate { body, certified, .. } = certificate;
        let digest = body.sha256();
        let mut orgs = Vec::new();
        for (at, act) in certified.iter().enumerate() {
            let place = format!("certified[{at}]");
            let checkpoint = self.checkpoint(&place, &act.log, &act.keys, &act.checkpoint);
            let path: Option<Vec<Hash>> = act.path.iter().map(|text| hash(text)).collect();
            match path {
                Some(path) => {
                    self.entry(&place, &act.log, checkpoint.as_ref(), act.index, &path, &act.entry);
                }
                None => self.say(format!("{place}.path"), "it holds what is no hash"),
            }
            if let Ok(log) = LogId::parse(&act.log) {
                self.ask(log.class() == REQUESTS, &format!("{place}.log"), "it is no log of requests");
                orgs.push(log.org().to_owned());
            }
            let is_act = act.entry.get("type").and_then(Value::as_str) == Some("ERASURE_CERTIFIED");
            let is_named = record_of(&act.entry) == Some(format!("{ENTITY}/{}", body.certificate));
            self.ask(is_act && is_named, &format!("{place}.entry"), "it is not the act of this certificate");
            let said = act.entry.get("fields").and_then(|fields| fields.get(SHA256)).and_then(Value::as_str);
            let is_digest = digest.is_some() && said == digest.as_deref();
            self.ask(is_digest, "body", "its SHA-256 is not the one that the ledger certified");
        }
        let is_each = orgs == body.request.orgs;
        self.ask(is_each, "certified", "there is not one act for each organisation that was asked");
    }

    /// A log's checkpoint, if trusted keys signed it, all of its lines.
    fn checkpoint(&mut self, place: &str, log: &str, keys: &[String], note: &str) -> Option<Checkpoint> {
        let keys = match VerifyingKeys::parse(keys) {
            Ok(keys) => keys,
            Err(error) => {
                self.say(format!("{place}.keys"), error.to_string());
                return None;
            }
        };
        let strangers = keys.iter().filter(|key| !self.trusted.contains(&key.public_key())).count();
        self.ask(strangers == 0, &format!("{place}.keys"), "a key is none of those that you trust");
        let lines = note.matches("\n\u{2014} ").count();
        let checkpoint = UnverifiedCheckpoint::parse(note.as_bytes()).and_then(|note| note.verify(&keys));
        let checkpoint = match checkpoint {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                self.say(format!("{place}.checkpoint"), error.to_string());
                return None;
            }
        };
        let is_of = checkpoint.origin().strip_suffix(log).is_some_and(|before| before.ends_with('/'));
        self.ask(is_of, &format!("{place}.checkpoint"), "it is another log's");
        let is_whole = checkpoint.keys().len() == lines && keys.iter().count() == lines;
        self.ask(is_whole, &format!("{place}.checkpoint"), "it has a signature or a key that nothing proves");
        Some(checkpoint).filter(|_| strangers == 0)
    }

    /// An entry is what its log has at that index.
    fn entry(
        &mut self,
        place: &str,
        log: &str,
        checkpoint: Option<&Checkpoint>,
        index: u64,
        path: &[Hash],
        entry: &Value,
    ) {
        let line = canonical::to_string(entry).ok().map(|text| Line::check(&text));
        let line = match line {
            Some(Ok(line)) => line,
            Some(Err(error)) => return self.say(format!("{place}.entry"), format!("it is no entry: {error}")),
            None => return self.say(format!("{place}.entry"), "it is no entry"),
        };
        let is_own = LogId::parse(log).is_ok_and(|log| log.org() == line.header().org);
        self.ask(is_own, &format!("{place}.entry"), "it is of another organisation than its log");
        let Some(checkpoint) = checkpoint else { return };
        let proof = verify_inclusion(&line.leaf(), index, checkpoint.size(), path, checkpoint.root());
        if let Err(error) = proof {
            self.say(format!("{place}.path"), format!("the log does not have the entry at {index}: {error}"));
        }
    }

    fn nodes(&mut self, texts: &[String]) -> Vec<Option<Hash>> {
        let nodes: Vec<Option<Hash>> = texts.iter().map(|text| hash(text)).collect();
        let mut seen: BTreeMap<[u8; 32], usize> = BTreeMap::new();
        for (at, node) in nodes.iter().enumerate() {
            match node {
                None => self.say(format!("body.nodes[{at}]"), "it is no hash"),
                Some(hash) if seen.insert(hash.0, at).is_some() => {
                    self.say(format!("body.nodes[{at}]"), "it stands there twice");
                }
                Some(_) => {}
            }
        }
        nodes
    }
}

fn hash(text: &str) -> Option<Hash> {
    let hash = Hash::from_slice(&STANDARD.decode(text).ok()?)?;
    (STANDARD.encode(hash.0) == text).then_some(hash)
}

fn key_ids(entry: &Value) -> &[Value] {
    entry.get("keyIds").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The key of an entry's record.
fn key_of(entry: &Value) -> Option<String> {
    let line = canonical::to_string(entry).ok()?;
    let entry = Entry::read(line.as_bytes()).ok()?;
    Some(entry.record()?.key(&entry.org))
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Sorted, and each once.
fn is_sorted<T: Ord>(all: &[T]) -> bool {
    all.windows(2).all(|pair| pair[0] < pair[1])
}
