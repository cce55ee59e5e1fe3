//! Bytes to begin with: the events of the repository, hostile shapes of any size, and a corpus where there is one.

use std::fs;
use std::path::{Path, PathBuf};

/// Larger files are too slow to be changed thousands of times.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// The files of `events/`, each whole and each line of it, entries with sealed blocks, and the files of `corpus`; in the order of their
/// names.
pub fn all(corpus: Option<&Path>) -> Vec<Vec<u8>> {
    let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    let sealed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/sealed/tests/golden");
    let files = [Some(events.as_path()), Some(sealed.as_path()), corpus].into_iter().flatten().flat_map(files_below);
    let mut seeds = Vec::new();
    for bytes in files.filter_map(|path| fs::read(path).ok()) {
        let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{\"")).collect();
        if lines.len() > 1 {
            seeds.extend(lines.into_iter().map(<[u8]>::to_vec));
        }
        seeds.push(bytes);
    }
    seeds.extend(SHAPES.iter().map(|shape| shape(600)));
    seeds.extend(POSTED.iter().map(|posted| posted.to_vec()));
    seeds
}

/// What is posted beside single events: bodies of several, and the header of a signature.
const POSTED: [&[u8]; 5] = [
    br#"[{"conversationId":"c-1","eventType":"survey"},7,{"a":1,"a":2}]"#,
    b"{\"conversationId\":\"c-1\"}\nnot json\n{\"conversationId\":\"c-2\"}\n",
    br#"{"events":[{"auditEvent":{"eventType":"AUDIT","interactionId":"i-1"}},{}]}"#,
    br#"{"process_name":"P","batch_id":"b","records":[{"case_id":"c-1"},{"case_id":"c-2"}]}"#,
    b"t=1772460000,v1=dc879d302e14343a5647ff22378e06dd9b43fbb0f15792ce8a9474bb18d5c1e3,v0=x",
];

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, named) =
            (entry.path(), entry.path().extension().is_some_and(|kind| kind == "json" || kind == "jsonl"));
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if named && entry.metadata().is_ok_and(|file| file.len() <= FILE_BYTES_MAX) {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// A hostile record of about so many bytes.
pub type Shape = fn(usize) -> Vec<u8>;

/// Records that a careless reader reads again and again, or keeps too much of.
pub const SHAPES: [Shape; 18] = [
    |bytes| "\n{".repeat(bytes / 2).into_bytes(),
    |bytes| "{\"a\":\n".repeat(bytes / 6).into_bytes(),
    |bytes| "[\n{".repeat(bytes / 3).into_bytes(),
    |bytes| format!("{{\"a\":[{}", "\n{},".repeat(bytes / 4)).into_bytes(),
    |bytes| format!("{{\"a\":\"{}", "\\\"".repeat(bytes / 2)).into_bytes(),
    |bytes| (0..bytes / 12).map(|n| format!("{{\"{n:05}\":1}}")).collect::<String>().into_bytes(),
    |bytes| event(&(0..bytes / 12).map(|n| format!("\"x{n}\":1,")).collect::<String>()),
    |bytes| event(&format!("\"a\":[{}0],", "[],".repeat(bytes / 3))),
    |bytes| event(&format!("\"a\":{}{},", "[".repeat(60), "]".repeat(60)).repeat(1 + bytes / (1 << 20))),
    |bytes| "cvv:".repeat(bytes / 4).into_bytes(),
    |bytes| "\"cvv\":\"".repeat(bytes / 7).into_bytes(),
    |bytes| "'pin'='".repeat(bytes / 7).into_bytes(),
    |bytes| event(&in_string(&"\"cvv\":\"".repeat(bytes / 14))),
    |bytes| event(&in_string(&format!("{{{}", "\"cvv\":1,".repeat(bytes / 12)))),
    |bytes| event(&format!("\"a\":[{}0],", "{\"cvv\":1},".repeat(bytes / 10))),
    |bytes| event(&format!("\"a\":\"{}\",", "\\u0022".repeat(bytes / 6))),
    |bytes| event(&format!("\"agents\":[{}{{}}],", "{\"id\":null},".repeat(bytes / 12))),
    |bytes| event(&format!("\"batchId\":1,\"records\":[{}{{}}],", "{\"caseId\":\"c\"},".repeat(bytes / 15))),
];

/// An event that has these members beside its own.
fn event(members: &str) -> Vec<u8> {
    format!("{{{members}\"interactionId\":\"c-1\",\"timestamp\":\"2026-03-02T14:00:00Z\"}}").into_bytes()
}

/// A member whose value is a text with this in it.
fn in_string(text: &str) -> String {
    format!("\"payload\":{},", serde_json::Value::from(text))
}
