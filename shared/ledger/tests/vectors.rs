//! Published vectors, read from the folder that `LEDGERLINE_CORPUS` names; without it these tests say SKIPPED.
//!
//! Every file of a vector folder is asserted to have been run, so that an update cannot pass unread.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerline_ledger::canonical;
use ledgerline_ledger::proof::{
    verify_consistency, verify_inclusion, verify_subtree_consistency, verify_subtree_inclusion,
};
use ledgerline_ledger::signing::{KeyKind, VerifyingKey, public_key_of_spki};
use ledgerline_ledger::tree::Hash;
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

/// The transparency-dev proof vectors: inclusion and consistency, of trees and of subtrees.
#[test]
fn merkle_proof_vectors() {
    let Some(folder) = corpus("crypto/merkle_rfc6962/testdata") else { return };
    let mut verdicts: BTreeMap<(&str, bool), usize> = BTreeMap::new();
    for file in walk(&folder) {
        let vector: Value = serde_json::from_slice(&fs::read(folder.join(&file)).unwrap()).unwrap();
        let verdict = match file.split('/').next().unwrap() {
            "inclusion" => ("inclusion", inclusion(&vector, (0, number(&vector, "treeSize")))),
            "subtreeinclusion" => {
                ("subtreeinclusion", inclusion(&vector, (number(&vector, "start"), number(&vector, "end"))))
            }
            "consistency" => ("consistency", consistency(&vector)),
            "subtreeconsistency" => ("subtreeconsistency", subtree_consistency(&vector)),
            other => panic!("{other}: no test knows these vectors"),
        };
        // Another implementation may not leave a verdict out: only this word is one.
        let expected = !vector["wantErr"].as_bool().unwrap();
        assert_eq!(verdict.1, expected, "{file}: {}", vector["desc"]);
        *verdicts.entry(verdict).or_default() += 1;
    }
    let expected = [
        (("consistency", false), 92),
        (("consistency", true), 6),
        (("inclusion", false), 92),
        (("inclusion", true), 6),
        (("subtreeconsistency", false), 106),
        (("subtreeconsistency", true), 12),
        (("subtreeinclusion", false), 192),
        (("subtreeinclusion", true), 12),
    ];
    assert_eq!(verdicts.into_iter().collect::<Vec<_>>(), expected);
}

fn inclusion(vector: &Value, subtree: (u64, u64)) -> bool {
    let (Some(leaf), Some(root)) = (hash(&vector["leafHash"]), hash(&vector["root"])) else { return false };
    let Some(proof) = proof(vector) else { return false };
    let general = verify_subtree_inclusion(&leaf, number(vector, "leafIdx"), subtree, &proof, &root).is_ok();
    if subtree.0 == 0 {
        let plain = verify_inclusion(&leaf, number(vector, "leafIdx"), subtree.1, &proof, &root).is_ok();
        assert_eq!(plain, general);
    }
    general
}

fn consistency(vector: &Value) -> bool {
    let Some(proof) = proof(vector) else { return false };
    let from = (number(vector, "size1"), &root(&vector["root1"]));
    verify_consistency(from, (number(vector, "size2"), &root(&vector["root2"])), &proof).is_ok()
}

fn subtree_consistency(vector: &Value) -> bool {
    let Some(proof) = proof(vector) else { return false };
    let place = (number(vector, "start"), number(vector, "end"));
    let tree = (number(vector, "size"), &root(&vector["root2"]));
    verify_subtree_consistency(place, &root(&vector["root1"]), tree, &proof).is_ok()
}

/// The consistency vectors write `don't care` for some roots, which is no hash: another stands for it, equal for equal
/// words.
fn root(value: &Value) -> Hash {
    hash(value).unwrap_or_else(|| Hash::of_object(format!("no hash: {value}").as_bytes()))
}

fn number(vector: &Value, name: &str) -> u64 {
    vector[name].as_u64().unwrap()
}

/// A hash of another length than 32 is none: our type refuses it, and so the vector.
fn hash(value: &Value) -> Option<Hash> {
    Hash::from_slice(&STANDARD.decode(value.as_str().unwrap()).unwrap())
}

fn proof(vector: &Value) -> Option<Vec<Hash>> {
    vector["proof"].as_array().map_or(Some(Vec::new()), |hashes| hashes.iter().map(hash).collect())
}

/// Wycheproof's Ed25519 signatures, valid and not, and each key in DER.
#[test]
fn wycheproof_ed25519() {
    let Some(folder) = corpus("crypto/wycheproof") else { return };
    let of_ours: Vec<String> = files(&folder).into_iter().filter(|name| name.starts_with("ed")).collect();
    assert_eq!(of_ours, ["ed25519_test.json"], "another file of our algorithm is there, and not run");
    let suite: Value = serde_json::from_slice(&fs::read(folder.join("ed25519_test.json")).unwrap()).unwrap();
    let mut run = 0;
    let mut valid = 0;
    for group in suite["testGroups"].as_array().unwrap() {
        let public_key: [u8; 32] = from_hex(&group["publicKey"]["pk"]).try_into().unwrap();
        assert_eq!(public_key_of_spki(&from_hex(&group["publicKeyDer"])).unwrap(), public_key);
        let key = VerifyingKey::new("wycheproof", KeyKind::Log, &public_key).unwrap();
        assert_eq!(VerifyingKey::parse(&key.vkey()).unwrap(), key);
        for test in group["tests"].as_array().unwrap() {
            let signature: Result<[u8; 64], _> = from_hex(&test["sig"]).try_into();
            let accepted = signature.is_ok_and(|signature| key.verifies(&from_hex(&test["msg"]), &signature));
            let expected = match test["result"].as_str().unwrap() {
                "valid" => true,
                "invalid" => false,
                other => panic!("{other}: no verdict"),
            };
            assert_eq!(accepted, expected, "case {}: {}", test["tcId"], test["comment"]);
            run += 1;
            valid += usize::from(expected);
        }
    }
    assert_eq!(run, suite["numberOfTests"].as_u64().unwrap());
    assert_eq!((run, valid), (151, 88));
}

fn from_hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
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

/// All files below a folder, by relative path.
fn walk(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(walk(&entry.path()).into_iter().map(|below| format!("{name}/{below}")));
        } else {
            found.push(name);
        }
    }
    found.sort();
    found
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
