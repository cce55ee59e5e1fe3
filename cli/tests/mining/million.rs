//! A million events, in less memory than they would take.

use std::io::{BufRead as _, BufReader};
use std::process::Command;

use crate::export::folder;

use super::lake::{Lake, Told};
use super::{CALL, MIDNIGHT_MS, answer, call};

const EVENTS: usize = 1_000_000;
const OBJECTS: usize = 20;
/// Address space of the command: its program, and what it reads and sorts at a time. As one list the events alone would take some 900 MB.
const LIMIT_KB: usize = 600_000;

#[cfg(target_os = "linux")]
#[test]
fn a_million_events_are_exported_in_bounded_memory() {
    let root = folder("mining-million");
    let mut lake = Lake::new(&root);
    let cases = EVENTS.div_ceil(CALL.len());
    // Conversations' events come in different objects, each object's in no order.
    let half = CALL.len() / 2;
    for object in 0..OBJECTS {
        let mut told: Vec<Told> = Vec::new();
        for number in (object..cases).step_by(OBJECTS) {
            let id = format!("{:016x}", (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            told.extend(call(&id, MIDNIGHT_MS - 80_000_000 + number as i64 * 500));
        }
        let is_late = |place: usize| place % CALL.len() > half;
        let part = |late: bool| {
            told.iter().enumerate().filter(move |(place, _)| is_late(*place) == late).map(|(_, told)| told)
        };
        lake.write(part(true));
        lake.write(part(false));
    }
    let out = root.join("log");
    let limited = format!("ulimit -v {LIMIT_KB} && exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &limited, env!("CARGO_BIN_EXE_ledgerline"), "--json", "mining", "export", "--format", "csv"]);
    command.args(["--folder", root.to_str().unwrap(), "--org", "acme", "--from", "2026-03-02", "--out"]).arg(&out);
    let said = answer(&command.output().unwrap(), 0);
    let events = cases * CALL.len();
    assert_eq!((said["events"].as_u64(), said["cases"].as_u64()), (Some(events as u64), Some(cases as u64)), "{said}");
    let rows = BufReader::new(std::fs::File::open(out.join("events.csv")).unwrap()).lines();
    assert_eq!(rows.map(Result::unwrap).count(), events + 1);
    // Half a gigabyte that nobody looks at again.
    std::fs::remove_dir_all(&root).unwrap();
}
