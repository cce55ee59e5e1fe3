//! The certificate of an erasure: the file that an officer hands over, and a regulator checks offline.
//!
//! Invariant: the ledger holds the SHA-256 of the body, in an act under a random name, and of each record that was erased an act that
//! names nobody. The file alone joins them. So all that it says stands in the body, proofs of the deletion entries included; beside the body
//! is nothing but the proof of the act that holds its digest. The file is RFC 8785 with a line feed: it has one spelling, and any other byte
//! makes it another file.
//!
//! Left out: where proofs come from and where the file lies (the function `rtbf`), and what anybody trusts (who checks it says by which
//! keys).

mod check;
mod page;
mod residue;

use ledgerline_ledger::canonical;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub use check::{Checked, Problem, check};
pub use page::page;
pub use residue::{ACT_DAYS, Facts, Period, RESIDUES, Remains, Residue, Until, remaining};

/// The version of the format.
pub const VERSION: u64 = 1;
/// What the file says that it is.
pub const KIND: &str = "ledgerline-erasure-certificate";
/// The entity type of the act that holds the body's digest.
pub const ENTITY: &str = "erasure";
/// The member of that act's fields that holds it: 64 hex digits.
pub const SHA256: &str = "sha256";
/// The words that an act of deletion has for why, and what came of it.
pub const REASON: &str = "RTBF_REQUEST";
/// The word for what came of it.
pub const STATUS: &str = "SUCCESS";
/// Key ids that one act of deletion holds at most: of 46 bytes each, 184 KB of an entry's 256. A record that had more keys has further acts.
pub const KEYS_PER_ACT: usize = 4_000;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Certificate {
    /// [`VERSION`].
    pub v: u64,
    /// [`KIND`].
    pub kind: String,
    /// All that it says.
    pub body: Body,
    /// The acts that hold the body's digest, with their proofs: one in the log of requests of each org.
    pub certified: Vec<Certified>,
}

/// What a certificate says; its SHA-256, in RFC 8785, is what the ledger holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Body {
    /// [`VERSION`].
    pub v: u64,
    /// Its name: 32 random hex digits, which the act has, too.
    pub certificate: String,
    /// 64 random hex digits: nobody finds the digest by guessing what was certified.
    pub salt: String,
    /// When it was made, RFC 3339.
    pub made_at: String,
    /// What was asked, and who let it be done when.
    pub request: Asked,
    /// What was found and done, in numbers.
    pub counts: Counts,
    /// What was read back, and found to be gone.
    pub read_back: ReadBack,
    /// The logs that hold acts of deletion, each with the signed checkpoint that the proofs end in.
    pub logs: Vec<ProvenLog>,
    /// The hashes of all proofs, in base64, each once.
    pub nodes: Vec<String>,
    /// The acts of deletion, by log and index.
    pub deletions: Vec<Deletion>,
    /// Records that a legal hold keeps, `<org>/<record>`: they are erased when the last hold is lifted.
    pub held: Vec<String>,
    /// Listed records of which nothing was the person's alone, and that another person has part in, `<org>/<record>`: they stay.
    pub kept: Vec<String>,
    /// What else stays, why, until when, and who must do what.
    pub remains: Vec<Remains>,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Asked {
    /// Our name for the request.
    pub request_id: String,
    /// The caller's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The customer's id or hash, as the caller gave it; none where the request was made by other identifiers: these are kept nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id_hash: Option<String>,
    /// The caller's word for why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_reason: Option<String>,
    /// The law.
    pub regime: String,
    /// The organisations that were asked, sorted.
    pub orgs: Vec<String>,
    /// When it came, RFC 3339.
    pub received_at: String,
    /// When the requester's identity was checked.
    pub verified_at: String,
    /// When it was approved, for the last time.
    pub approved_at: String,
    /// Up to when it erases: when the erasure began.
    pub cutoff: String,
}

/// What was found and done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Counts {
    /// Records that the person has part in: those with an act of deletion, held ones and kept ones.
    pub records: u64,
    /// Acts of deletion.
    pub deletions: u64,
    /// Keys that were destroyed, as the acts name them.
    pub keys: u64,
    /// Bronze objects that were rewritten.
    pub objects: u64,
    /// Lines that were taken out of them.
    pub lines: u64,
    /// Rows of silver whose values were taken out.
    pub silver_rows: u64,
    /// Links that were deleted.
    pub links: u64,
    /// Records that another person has part in: what is that person's stays.
    pub shared: u64,
    /// Records that a legal hold keeps.
    pub held: u64,
    /// Listed records that stay whole.
    pub kept: u64,
    /// Identifiers' subjects that were not erased, since they name no person, or too many.
    pub not_a_person: u64,
    /// Bronze objects that were waited for in vain: nobody planned them.
    pub given_up: u64,
    /// Requests whose acts of deletion were recorded together, this one included. One alone can be joined by position.
    pub pooled: u64,
}

/// What was read back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReadBack {
    /// When that was done, RFC 3339.
    pub at: String,
    /// Bronze objects: one version each, no line of the person's, nor in their silver files.
    pub objects: u64,
    /// Records: nobody of the request's takes part, and none of the destroyed keys is there. Held ones aside.
    pub records: u64,
}

/// A log, its keys, and a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProvenLog {
    /// `<org>/<class>/<generation>/<shard>`.
    pub log: String,
    /// The keys that signed the checkpoint, as verifier keys.
    pub keys: Vec<String>,
    /// The signed note, with these keys' signatures alone.
    pub checkpoint: String,
}

/// An act of deletion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deletion {
    /// Its log, by its place among the logs.
    pub log: u64,
    /// Its index there.
    pub index: u64,
    /// The proof that it is there: places among the nodes, from the leaf upwards.
    pub path: Vec<u64>,
    /// The entry: its line is this value in RFC 8785.
    pub entry: Value,
    /// The same in the form of the identity audits that organisations know.
    pub guide: Value,
}

/// An act that holds the body's digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Certified {
    /// `<org>/request/<generation>/<shard>`.
    pub log: String,
    /// The keys that signed the checkpoint, as verifier keys.
    pub keys: Vec<String>,
    /// The signed note, with these keys' signatures alone.
    pub checkpoint: String,
    /// Its index there.
    pub index: u64,
    /// The proof that it is there, in base64, from the leaf upwards.
    pub path: Vec<String>,
    /// The entry.
    pub entry: Value,
}

impl Body {
    /// The digest that the ledger holds, 64 hex digits; `None` for a body that has no canonical form, which none of ours is.
    pub fn sha256(&self) -> Option<String> {
        let text = canonical::to_string(&serde_json::to_value(self).ok()?).ok()?;
        Some(Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl Certificate {
    /// The file's bytes; `None` as of [`Body::sha256`].
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let mut text = canonical::to_string(&serde_json::to_value(self).ok()?).ok()?;
        text.push('\n');
        Some(text.into_bytes())
    }
}

/// The record that an entry is about, as a person or a program knows it: an interaction's id, or an entity's type and id.
pub fn record_of(entry: &Value) -> Option<String> {
    let part = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    match entry.get("entity") {
        Some(entity) => Some(format!("{}/{}", part(entity, "type")?, part(entity, "id")?)),
        None => part(entry, "interactionId"),
    }
}

/// An act of deletion in the form of the guide to identity audits, with the request's id and the customer's as the caller gave them.
pub fn guide(asked: &Asked, entry: &Value) -> Value {
    json!({ "auditEvent": {
        "eventType": "DATA_DELETION",
        "timestamp": entry.get("occurredAt"),
        "interactionId": record_of(entry),
        "resolvedCustomerId": asked.customer_id_hash,
        "deletionReason": asked.deletion_reason.as_deref().unwrap_or(REASON),
        "requestId": asked.reference.as_deref().unwrap_or(&asked.request_id),
        "status": STATUS,
    } })
}
