//! What was kept whole because it is no event.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerline_lake::keys;
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

/// What the lines of an object hold that were set aside: in quarantine, or refused by the stream. Other objects have none.
///
/// # Panics
/// If a line is none.
pub fn decoded<'a>(key: &str, lines: &'a [u8]) -> impl Iterator<Item = String> + use<'a> {
    let is_kept = key.starts_with(keys::QUARANTINE) || key.starts_with(keys::SPILL);
    let lines = if is_kept { lines } else { &[] };
    lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(|line| {
        let line: Value = serde_json::from_slice(line).unwrap();
        let packed = line.get("rawBase64").or(line.get("recordBase64")).and_then(Value::as_str);
        String::from_utf8_lossy(&STANDARD.decode(packed.unwrap()).unwrap()).into_owned()
    })
}
