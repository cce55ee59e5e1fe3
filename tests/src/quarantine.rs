//! What was kept whole because it is no event.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::stack::Stack;

/// One line of quarantine.
pub struct Kept {
    /// Why it is no event: a rejection's code.
    pub reason: String,
    /// The bytes as they were sent, but for what was cut.
    pub bytes: Vec<u8>,
    /// How often they were replayed and refused again.
    pub replayed: u64,
}

/// All lines under a prefix: `quarantine/` for those of ingest and of transform.
pub fn kept(stack: &Stack, prefix: &str) -> Vec<Kept> {
    let mut kept = Vec::new();
    for key in stack.keys("BronzeBucket", prefix) {
        for line in stack.text("BronzeBucket", &key).split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line: Value = serde_json::from_slice(line).unwrap();
            let reason = line["reason"].as_str().unwrap().to_owned();
            let bytes = STANDARD.decode(line["rawBase64"].as_str().unwrap()).unwrap();
            kept.push(Kept { reason, bytes, replayed: line["replayed"].as_u64().unwrap_or_default() });
        }
    }
    kept
}
