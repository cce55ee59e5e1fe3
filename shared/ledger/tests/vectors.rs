//! Published vectors, read from the folder that `LEDGERLINE_CORPUS` names; without it these tests say SKIPPED.
//!
//! Every file of a vector folder is asserted to have been run, so that an update cannot pass unread.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerline_ledger::canonical;
use ledgerline_ledger::tree::{Edge, leaf_hash};
use serde_json::Value;

/// RFC 8785's reference implementation: input, output, and the output's bytes in hexadecimal.
#[test]
fn jcs_reference_vectors() {
    let Some(folder) = corpus("badinput/jcs/testdata") else { return };
    let inputs = files(&folder.join("input"));
    for name in &inputs {
        let value: Value = serde_json::from_slice(&fs::read(folder.join("input").join(name)).unwrap()).unwrap();
        let text = canonical::to_string(&value).unwrap();
        let hex = fs::read_to_string(folder.join("outhex").join(name.replace(".json", ".txt"))).unwrap();
        let expected: Vec<u8> = hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        assert_eq!(text.as_bytes(), expected, "{name}");
        // Its own output is a fixed point.
        let output: Value = serde_json::from_slice(&fs::read(folder.join("output").join(name)).unwrap()).unwrap();
        assert_eq!(canonical::to_string(&output).unwrap(), text, "{name}");
    }
    assert_eq!(inputs, files(&folder.join("output")));
    assert_eq!(inputs, ["arrays.json", "french.json", "structures.json", "unicode.json", "values.json", "weird.json"]);
}

/// The valid cases of the transparency-dev proof vectors name sizes and roots of the tree over Certificate
/// Transparency's eight leaves. Proofs themselves are not this crate's yet.
#[test]
fn merkle_roots_of_the_proof_vectors() {
    let Some(folder) = corpus("crypto/merkle_rfc6962/testdata") else { return };
    let mut roots = Vec::new();
    let mut edge = Edge::empty();
    roots.push(edge.root());
    for leaf in ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"] {
        let bytes: Vec<u8> =
            (0..leaf.len() / 2).map(|at| u8::from_str_radix(&leaf[2 * at..2 * at + 2], 16).unwrap()).collect();
        edge.append(leaf_hash(&bytes));
        roots.push(edge.root());
    }
    let mut checked = 0;
    for (kind, pairs) in
        [("consistency", [("size1", "root1"), ("size2", "root2")]), ("inclusion", [("treeSize", "root"); 2])]
    {
        for number in 0..4 {
            let file = folder.join(kind).join(number.to_string()).join("happy-path.json");
            let Ok(bytes) = fs::read(&file) else { continue };
            let vector: Value = serde_json::from_slice(&bytes).unwrap();
            for (size, root) in pairs {
                let size = usize::try_from(vector[size].as_u64().unwrap()).unwrap();
                assert_eq!(roots[size].0, *STANDARD.decode(vector[root].as_str().unwrap()).unwrap(), "{file:?}");
                checked += 1;
            }
        }
    }
    assert!(checked >= 12, "only {checked} roots were found in the vectors");
}

fn corpus(below: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test reads where the corpus lies")]
    let Ok(root) = std::env::var("LEDGERLINE_CORPUS") else {
        eprintln!("SKIPPED {below}: LEDGERLINE_CORPUS is not set");
        return None;
    };
    let folder = Path::new(&root).join(below);
    assert!(folder.is_dir(), "LEDGERLINE_CORPUS has no {below}");
    Some(folder)
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
