//! A good certificate over logs in memory, signed by a key of the test's: for tests of the check, of the command, and of Python's.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ledgerline_certificate::{
    Asked, Body, Certificate, Certified, Counts, Deletion, Facts, KIND, ProvenLog, REASON, ReadBack, STATUS, VERSION,
    guide, remaining,
};
use ledgerline_ledger::checkpoint::CheckpointBody;
use ledgerline_ledger::entry::{Field, PendingEntry, Record, Sealed, Source};
use ledgerline_ledger::origin::PlanOf;
use ledgerline_ledger::signing::{KeyKind, LocalSigner};
use ledgerline_ledger::tree::{Edge, Hash, leaf_hash, node_hash};
use serde_json::Value;

/// The seed of the key that signs.
const SEED: [u8; 32] = [7; 32];
const DEPLOYMENT: &str = "trial-1";
const DAY: &str = "2026-03-02T00:00:00.000Z";
const NAME: &str = "00112233445566778899aabbccddeeff";

/// A certificate of so many records, and the ledger's key, under one of its logs' names.
pub(crate) fn sample(records: usize) -> (Certificate, String) {
    let log = "acme/interaction/1/0";
    // Others' entries stand between, as they do.
    let lines: Vec<String> = (0..records * 2).map(deletion).collect();
    let tree = Tree::of(&lines);
    let mut nodes: Vec<String> = Vec::new();
    let mut places = std::collections::HashMap::new();
    let asked = asked();
    let deletions: Vec<Deletion> = (0..records)
        .map(|at| {
            let index = at * 2;
            let path = tree.path(index).into_iter().map(|hash| {
                let text = STANDARD.encode(hash.0);
                *places.entry(text.clone()).or_insert_with(|| {
                    nodes.push(text);
                    nodes.len() as u64 - 1
                })
            });
            let path = path.collect();
            let entry: Value = serde_json::from_str(&lines[index]).unwrap();
            Deletion { log: 0, index: index as u64, path, guide: guide(&asked, &entry), entry }
        })
        .collect();
    let facts = Facts { shared: 1, held: 1, pooled: 1, bronze_days: 730, keys_pitr_days: 1, ..Facts::default() };
    let count = records as u64;
    let counts = Counts {
        records: count + 2,
        deletions: count,
        keys: count,
        objects: 3,
        lines: count * 4,
        silver_rows: count * 4,
        links: count,
        shared: 1,
        held: 1,
        kept: 1,
        pooled: 1,
        ..Counts::default()
    };
    let body = Body {
        v: VERSION,
        certificate: NAME.to_owned(),
        salt: "5a".repeat(32),
        made_at: "2026-03-02T15:00:00.000Z".to_owned(),
        request: asked,
        counts,
        read_back: ReadBack { at: "2026-03-02T14:59:00.000Z".to_owned(), objects: 3, records: count + 2 },
        logs: vec![tree.proven(log)],
        nodes,
        deletions,
        held: vec!["acme/held-1".to_owned()],
        kept: vec!["acme/kept-1".to_owned()],
        remains: remaining(&facts, &|days| format!("in {days} days")),
    };
    let certified = certified(&body);
    let key = certified.keys[0].clone();
    (Certificate { v: VERSION, kind: KIND.to_owned(), body, certified: vec![certified] }, key)
}

/// The act of a body, in a log of its own.
pub(crate) fn certified(body: &Body) -> Certified {
    let record = Record::Entity { kind: "erasure".to_owned(), id: body.certificate.clone() };
    let mut act = pending(0, record, "ERASURE_CERTIFIED");
    act.fields = [("sha256".to_owned(), Field::Text(body.sha256().unwrap()))].into();
    let lines = [deletion(900), act.to_line().unwrap().into_text(), deletion(901)];
    let tree = Tree::of(&lines);
    let ProvenLog { log, keys, checkpoint } = tree.proven("acme/request/1/0");
    let path = tree.path(1).iter().map(|hash| STANDARD.encode(hash.0)).collect();
    Certified { log, keys, checkpoint, index: 1, path, entry: serde_json::from_str(&lines[1]).unwrap() }
}

fn asked() -> Asked {
    let at = |hour: u32| format!("2026-03-02T{hour:02}:00:00.000Z");
    Asked {
        request_id: "req_00112233445566778899aabbccddeeff".to_owned(),
        reference: Some("dsar-req-998877 <\u{fc}>".to_owned()),
        customer_id_hash: Some("cust_hash_9f86d08".to_owned()),
        deletion_reason: None,
        regime: "GDPR".to_owned(),
        orgs: vec!["acme".to_owned()],
        received_at: at(9),
        verified_at: at(10),
        approved_at: at(11),
        cutoff: at(12),
    }
}

fn deletion(at: usize) -> String {
    let mut act = pending(at, Record::Interaction(format!("c-{at}")), "DATA_DELETION");
    let word = |word: &str| Field::Text(word.to_owned());
    act.fields = [("deletion_reason".to_owned(), word(REASON)), ("status".to_owned(), word(STATUS))].into();
    let mut id = [0; 32];
    id[..8].copy_from_slice(&(at as u64).to_be_bytes());
    act.sealed = Sealed { key_ids: vec![URL_SAFE_NO_PAD.encode(id)], blocks: Vec::new() };
    act.to_line().unwrap().into_text()
}

fn pending(at: usize, record: Record, event_type: &str) -> PendingEntry {
    let object = format!("{at:032x}");
    PendingEntry {
        event_id: PlanOf::Acts.event_id(&object, 0),
        org: "acme".to_owned(),
        event_type: event_type.to_owned(),
        activity: event_type.to_owned(),
        record,
        occurred_at: DAY.to_owned(),
        time_from_envelope: false,
        zone_assumed: false,
        late: false,
        fields: [].into(),
        masked: Vec::new(),
        sealed: Sealed::default(),
        lineage_token: "6f1c1e0e-7a3f-5a53-9a38-7e3f5f8f0b11".to_owned(),
        schema_version: "ledgerline/1".to_owned(),
        policy_version: "1".to_owned(),
        source: Source { object, line: 0 },
        salt: [at as u8; 16],
    }
}

/// RFC 6962's tree: level by level, an odd node carried up.
struct Tree {
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    fn of(lines: &[String]) -> Self {
        let mut levels: Vec<Vec<Hash>> = vec![lines.iter().map(|line| leaf_hash(line.as_bytes())).collect()];
        while levels.last().unwrap().len() > 1 {
            let below = levels.last().unwrap();
            let pair = |pair: &[Hash]| match pair {
                [left, right] => node_hash(left, right),
                odd => odd[0],
            };
            levels.push(below.chunks(2).map(pair).collect());
        }
        Self { levels }
    }

    fn path(&self, index: usize) -> Vec<Hash> {
        let siblings = self.levels.iter().enumerate().map(|(level, nodes)| nodes.get((index >> level) ^ 1));
        siblings.flatten().copied().collect()
    }

    fn proven(&self, log: &str) -> ProvenLog {
        let origin = format!("{DEPLOYMENT}/{log}");
        let signer = LocalSigner::from_seed(&origin, &SEED).unwrap();
        let key = signer.verifying_key(KeyKind::Log);
        let mut edge = Edge::empty();
        self.levels[0].iter().for_each(|leaf| edge.append(*leaf));
        let unsigned = CheckpointBody::new(&origin, edge.size(), edge.root()).unwrap();
        let signature = signer.sign_now(unsigned.text().as_bytes());
        let note = unsigned.signed(&key, &signature).unwrap().note();
        ProvenLog { log: log.to_owned(), keys: vec![key.vkey()], checkpoint: String::from_utf8(note).unwrap() }
    }
}
