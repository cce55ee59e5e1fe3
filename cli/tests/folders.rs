//! The built command over folders: exit codes, the shape of `--json`, proofs, witnesses, what a shell is given.
//!
//! The ledger in memory is the tampering matrix's own: one builder says what a good ledger is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
#[cfg(feature = "aws")]
use std::{io::Write as _, process::Stdio};

use crate::builder::{DEPLOYMENT, Ledger, act_line, line, log, vkey};
use crate::export::{Python, export, folder};
use ledgerline_ledger::entry::Field;
use serde_json::Value;

const LOG: &str = "acme/interaction/1/0";
const SEED: u8 = 7;

/// A ledger of 700 entries in three appends: one full leaf tile, a second, and partial ones.
fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    let log = log(LOG);
    ledger.open(&log, DEPLOYMENT, SEED);
    for range in [0..300, 300..690, 690..700] {
        let lines: Vec<String> = range.map(|seq| line(&log, seq)).collect();
        ledger.append(&log, &lines);
    }
    ledger
}

/// The ledger, exported.
fn exported(test: &str, ledger: &Ledger) -> PathBuf {
    let root = folder(test).join("export");
    export(&root, ledger, "dep-1_acme_interaction_1_0.vkey", &(key() + "\n"));
    root
}

fn key() -> String {
    vkey(DEPLOYMENT, &log(LOG), SEED)
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ledgerline")).args(arguments).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A folder's times are its maker's word: invented entries "of this very hour" and not one signature are no evidence.
#[test]
fn a_folder_that_nobody_signed_does_not_hold_however_young_it_says_it_is() {
    let root = exported("unsigned", &ledger());
    let now_ms = fs::metadata(&root).unwrap().modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
    let listed = fs::read_to_string(root.join("versions.jsonl")).unwrap();
    let young: String = listed
        .lines()
        .filter(|line| line.contains("/segment/"))
        .map(|line| {
            let mut version: Value = serde_json::from_str(line).unwrap();
            version["lastModifiedMs"] = (now_ms.as_millis() as u64).into();
            format!("{version}\n")
        })
        .collect();
    fs::write(root.join("versions.jsonl"), young).unwrap();
    for gone in ["heads.jsonl", "postings.jsonl", "ledger/acme/interaction/1/0/checkpoint"] {
        fs::remove_file(root.join(gone)).unwrap();
    }
    for gone in ["checkpoints", "tile", "../../../../../versions"] {
        let _ = fs::remove_dir_all(root.join("ledger/acme/interaction/1/0").join(gone));
    }
    let output = run(&["verify", path(&root), "--key", &key(), "--json"]);
    assert_eq!(code(&output), 1, "{}", text(&output));
    let told = json(&output);
    let kinds: Vec<&Value> = told["findings"].as_array().unwrap().iter().map(|finding| &finding["kind"]).collect();
    assert!(kinds.contains(&&Value::from("entries_unsigned")), "{kinds:?}");
}

#[test]
fn a_log_that_cannot_be_read_is_not_said_to_hold() {
    let mut ledger = ledger();
    let other = log("acme/entity/1/0");
    ledger.open(&other, DEPLOYMENT, SEED);
    ledger.append(&other, &[line(&other, 0), line(&other, 1)]);
    let root = exported("unreadable", &ledger);
    let segment = root.join(ledger.segment(&other, 0));
    fs::remove_file(&segment).unwrap();
    fs::create_dir(&segment).unwrap();
    let entity_key = vkey(DEPLOYMENT, &other, SEED);
    let verify = || run(&["verify", path(&root), "--key", &key(), "--key", &entity_key, "--without-locks", "--json"]);
    let output = verify();
    let told = json(&output);
    assert_eq!((code(&output), told["outcome"].as_str()), (2, Some("could_not_check")), "{told}");
    assert_eq!((&told["unchecked"][0]["log"], &told["logs"][0]["log"]), (&"acme/entity/1/0".into(), &LOG.into()));
    assert!(told["unchecked"][0]["fault"].as_str().unwrap().contains("segment/"), "{told}");
    let output = run(&["verify", path(&root), "--key", &key(), "--key", &entity_key]);
    assert_eq!(code(&output), 2);
    let said = text(&output);
    assert!(said.contains("could not be checked: 1 log") && !said.contains("It holds"), "{said}");
    // A contradiction that was found outweighs what could not be looked at.
    fs::remove_file(root.join("ledger").join(LOG).join("checkpoint")).unwrap();
    assert_eq!((code(&verify()), json(&verify())["outcome"].as_str()), (1, Some("broken")));
}

#[test]
fn a_clean_folder_holds_and_says_whose_key_it_took() {
    let root = exported("clean", &ledger());
    let output = run(&["verify", path(&root)]);
    assert_eq!(code(&output), 0, "{}{}", text(&output), String::from_utf8_lossy(&output.stderr));
    let said = text(&output);
    assert!(said.contains("It holds: 700 signed entries in 1 log") && said.contains("the folder's own"), "{said}");
    assert!(!said.contains('\u{1b}'), "escapes without a terminal");

    let output = run(&["verify", path(&root), "--key", &key(), "--json"]);
    let told = json(&output);
    assert_eq!((code(&output), told["outcome"].as_str(), told["command"].as_str()), (0, Some("holds"), Some("verify")));
    assert_eq!(told["logs"][0]["size"], 700);
    assert_eq!(told["logs"][0]["signed"], 700);
    assert_eq!(told["keysFrom"], "the caller");
    assert_eq!(told["leftOut"], serde_json::json!(["postings", "locks", "deleteMarkers"]), "a folder's word alone");
    assert!(
        said.contains("its maker's word alone") && said.contains("delete markers") && said.contains("postings"),
        "{said}"
    );
    assert_eq!(told["findings"].as_array().map(Vec::len), Some(0));
    assert!(output.stderr.is_empty());
}

#[test]
fn a_flipped_byte_is_named_and_the_exit_code_is_1() {
    let mut ledger = ledger();
    let segment = ledger.segment(&log(LOG), 1);
    ledger.change(&segment, |bytes| bytes[100] ^= 1);
    let root = exported("flipped", &ledger);
    let output = run(&["verify", path(&root), "--key", &key()]);
    assert_eq!(code(&output), 1);
    assert!(text(&output).contains(&segment) && text(&output).contains("The evidence is broken"), "{}", text(&output));
    let told = json(&run(&["verify", path(&root), "--key", &key(), "--json"]));
    assert_eq!(told["outcome"], "broken");
    assert_eq!(told["findings"][0]["key"], segment);
    assert!(told["findings"][0]["remedy"].is_string() && told["findings"][0]["kind"].is_string());
}

/// A ledger whose key was rotated: the old key's checkpoint covers the entry that names the new one.
fn rotated() -> Ledger {
    let mut ledger = ledger();
    let log = log(LOG);
    let new = Field::Text(vkey(DEPLOYMENT, &log, SEED + 1));
    ledger.append(&log, &[act_line(&log, "SIGNING_KEY_ADDED", "key", new)]);
    ledger.rotate(&log, SEED + 1);
    ledger.append(&log, &[line(&log, 701)]);
    ledger
}

#[test]
fn the_first_key_vouches_for_the_next() {
    let root = exported("rotated", &rotated());
    let output = run(&["verify", path(&root), "--key", &key()]);
    assert_eq!(code(&output), 0, "{}", text(&output));
}

#[test]
fn a_retired_key_is_not_believed_again() {
    let mut ledger = rotated();
    ledger.rotate(&log(LOG), SEED);
    ledger.append(&log(LOG), &[line(&log(LOG), 800)]);
    let root = exported("retired", &ledger);
    let told = json(&run(&["verify", path(&root), "--key", &key(), "--json"]));
    assert_eq!(
        (told["outcome"].as_str(), told["findings"][0]["kind"].as_str()),
        (Some("broken"), Some("checkpoint_retired_key"))
    );
}

#[test]
fn another_ledgers_key_is_not_believed() {
    let root = exported("foreign-key", &ledger());
    let other = vkey(DEPLOYMENT, &log(LOG), SEED + 1);
    assert_eq!(code(&run(&["verify", path(&root), "--key", &other])), 1);
}

#[test]
fn what_cannot_be_checked_says_what_and_what_to_do() {
    let root = exported("unusable", &ledger());
    for arguments in [
        vec!["verify", "/no/such/folder"],
        vec!["verify", path(&root), "--key", "no-key"],
        vec!["verify", path(&root), "--log", "nonsense"],
        vec!["verify", path(&root), "--checkpoint", "/no/such/file"],
        vec!["prove", "--index", "7", "--log", "other/interaction/1/0", "--folder", path(&root)],
        vec!["prove", "0123456789abcdef0123456789abcdef", "--folder", path(&root)],
        vec!["check-proof", "/no/such/proof", "--key", "no-key"],
        vec!["show", "interaction", "nobody", "--folder", path(&root)],
        vec!["trace", "nothing", "--folder", path(&root)],
    ] {
        let output = run(&arguments);
        let said = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(code(&output), 2, "{arguments:?}: {said}");
        assert!(said.starts_with("error: ") && said.contains("\n  to do: "), "{arguments:?}: {said}");
        let with_json = run(&[arguments.as_slice(), &["--json"]].concat());
        let told = json(&with_json);
        assert_eq!((code(&with_json), told["outcome"].as_str()), (2, Some("could_not_check")), "{arguments:?}");
        assert!(told["error"]["what"].is_string() && told["error"]["remedy"].is_string());
        assert!(with_json.stderr.is_empty());
    }
}

#[test]
fn a_wrong_command_line_is_2() {
    for arguments in [&["verify"][..], &["verify", "a", "b"], &["nonsense"], &["prove", "--index", "7"], &[]] {
        assert_eq!(code(&run(arguments)), 2, "{arguments:?}");
    }
}

#[test]
fn a_proof_checks_offline_by_the_key_alone_and_nothing_else_does() {
    let root = exported("proof", &ledger());
    let out = folder("proof-out");
    let proved =
        run(&["prove", "--index", "513", "--log", LOG, "--folder", path(&root), "--out", path(&out), "--json"]);
    assert_eq!(code(&proved), 0, "{}", text(&proved));
    let told = json(&proved);
    let proof = told["proof"].as_str().unwrap();
    assert_eq!((told["index"].as_u64(), told["size"].as_u64()), (Some(513), Some(700)));
    #[cfg(unix)]
    for file in [proof, told["entry"].as_str().unwrap()] {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
    fs::remove_dir_all(&root).unwrap();

    let good = run(&["check-proof", proof, "--key", &key()]);
    assert_eq!(code(&good), 0, "{}", text(&good));
    let told = json(&run(&["check-proof", proof, "--key", &key(), "--json"]));
    assert_eq!((told["index"].as_u64(), told["origin"].as_str()), (Some(513), Some("dep-1/acme/interaction/1/0")));

    let other = vkey(DEPLOYMENT, &log(LOG), SEED + 1);
    assert_eq!(code(&run(&["check-proof", proof, "--key", &other])), 1);
    let altered = out.join("altered.json");
    let entry = fs::read_to_string(Path::new(proof).with_extension("json")).unwrap();
    fs::write(&altered, entry.replace("INBOUND", "OUTBOUND")).unwrap();
    assert_eq!(code(&run(&["check-proof", proof, "--entry", path(&altered), "--key", &key()])), 1);
    // Any other byte of the proof: it may not be read at all, but it never passes.
    let bytes = fs::read(proof).unwrap();
    for at in (0..bytes.len()).step_by(17) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        let forged = out.join("forged.tlog-proof");
        fs::write(&forged, bytes).unwrap();
        let line = Path::new(proof).with_extension("json");
        let output = run(&["check-proof", path(&forged), "--entry", path(&line), "--key", &key()]);
        assert_ne!(code(&output), 0, "byte {at}");
    }
}

#[test]
fn an_entry_is_found_by_its_event_id_and_its_place() {
    let root = exported("show", &ledger());
    let by_place = json(&run(&["show", "entry", "--index", "3", "--log", LOG, "--folder", path(&root), "--json"]));
    let event = by_place["entries"][0]["entry"]["eventId"].as_str().unwrap();
    let by_event = json(&run(&["show", "entry", event, "--folder", path(&root), "--json"]));
    assert_eq!(by_event["entries"], by_place["entries"]);
    assert_eq!(by_event["entries"][0]["place"]["signedSize"], 700);
    // A folder does not tell whose key was destroyed; nothing is opened.
    let told = &by_event["entries"][0];
    let key_ids = told["entry"]["keyIds"].as_array().unwrap();
    assert_eq!(told["sealed"], serde_json::json!([{ "party": "customer", "keyId": key_ids[0], "destroyed": null }]));
    let two = json(&run(&["show", "entry", "--index", "4", "--log", LOG, "--folder", path(&root), "--json"]));
    let parties: Vec<&Value> =
        two["entries"][0]["sealed"].as_array().unwrap().iter().map(|one| &one["party"]).collect();
    assert_eq!(parties, ["customer", "agent"]);
    let output = run(&["show", "entry", event, "--folder", path(&root)]);
    let said = text(&output);
    assert!(said.contains(&format!("customer under {}", key_ids[0].as_str().unwrap())), "{said}");

    let interaction = by_place["entries"][0]["entry"]["interactionId"].as_str().unwrap();
    let all = json(&run(&["show", "interaction", interaction, "--folder", path(&root), "--json"]));
    let times: Vec<&str> =
        all["entries"].as_array().unwrap().iter().map(|one| one["entry"]["occurredAt"].as_str().unwrap()).collect();
    assert!(times.is_sorted() && times.len() > 1 && times.len() <= 16, "{times:?}");

    let traced = json(&run(&["trace", interaction, "--folder", path(&root), "--json"]));
    assert_eq!(traced["entries"].as_array().map(Vec::len), Some(times.len()));
    assert_eq!(traced["upstreamTold"], false);
    let token = by_place["entries"][0]["entry"]["lineageToken"].as_str().unwrap();
    assert_eq!(code(&run(&["trace", token, "--folder", path(&root)])), 0);
    let derived = ledgerline_event::lineage::derived_token(interaction);
    let by_derived = json(&run(&["trace", &derived, "--folder", path(&root), "--json"]));
    assert_eq!(by_derived["entries"], traced["entries"], "whether an entry carries it or not");

    let heads = json(&run(&["show", "head", "--folder", path(&root), "--json"]));
    assert_eq!(
        (heads["heads"][0]["head"]["size"].as_u64(), heads["heads"][0]["signed"]["size"].as_u64()),
        (Some(700), Some(700))
    );
    for arguments in [["show", "head"], ["trace", interaction]] {
        assert_eq!(code(&run(&[arguments.as_slice(), &["--folder", path(&root)]].concat())), 0);
    }
}

#[test]
fn a_missing_lock_is_reported_and_named() {
    let mut ledger = ledger();
    let root = exported("locked", &ledger);
    let told = json(&run(&["retention", path(&root), "--json"]));
    assert_eq!(told["outcome"], "holds");
    let segments = told["classes"].as_array().unwrap().iter().find(|row| row["kind"] == "segments").unwrap();
    assert_eq!(
        (segments["class"].as_str(), segments["objects"].as_u64(), segments["compliance"].as_u64()),
        (Some("interaction"), Some(3), Some(3))
    );
    assert!(segments["earliestRetainUntilS"].as_u64() <= segments["latestRetainUntilS"].as_u64());

    let segment = ledger.segment(&log(LOG), 0);
    ledger.objects.get_mut(&segment).unwrap()[0].version.lock = None;
    let root = exported("unlocked", &ledger);
    let output = run(&["retention", path(&root)]);
    assert_eq!(code(&output), 1);
    assert!(text(&output).contains(&segment));
}

#[test]
fn rebuilt_postings_equal_what_was_there_and_differences_are_named() {
    let mut ledger = ledger();
    let root = exported("postings", &ledger);
    let told = json(&run(&["rebuild-postings", path(&root), "--json"]));
    assert_eq!(
        (told["outcome"].as_str(), told["derived"].as_u64()),
        (Some("holds"), Some(ledger.postings.len() as u64))
    );

    let lost = ledger.postings.remove(0);
    ledger.postings[0].members[0].offset += 1;
    let mut surplus = lost.clone();
    surplus.record_key = "acme/nobody".to_owned();
    ledger.postings.push(surplus);
    let root = exported("postings-broken", &ledger);
    let output = run(&["rebuild-postings", path(&root), "--json"]);
    let told = json(&output);
    assert_eq!(code(&output), 1);
    for kind in ["missing", "differs", "surplus"] {
        assert_eq!(told[kind].as_array().map(Vec::len), Some(1), "{kind}: {told}");
    }
}

#[test]
fn a_witness_cosigns_growth_and_refuses_a_shrunk_or_forked_log() {
    let place = folder("witness");
    let (key_file, state, out) = (place.join("w.key"), place.join("state.json"), place.join("out"));
    let look = |root: &Path| {
        let arguments = ["witness", path(root), "--name", "witness.example/w1", "--key-file", path(&key_file)];
        let more = ["--state", path(&state), "--out", path(&out), "--key", &key(), "--json"];
        run(&[arguments.as_slice(), more.as_slice()].concat())
    };
    let mut ledger = Ledger::default();
    let log = log(LOG);
    ledger.open(&log, DEPLOYMENT, SEED);
    ledger.append(&log, &(0..300).map(|seq| line(&log, seq)).collect::<Vec<_>>());
    let small = exported("witness-small", &ledger);
    let first = look(&small);
    assert_eq!(code(&first), 0, "{}", text(&first));
    let witness = json(&first)["witness"].as_str().unwrap().to_owned();
    assert_private(&key_file);

    let mut forked = ledger.clone();
    ledger.append(&log, &(300..700).map(|seq| line(&log, seq)).collect::<Vec<_>>());
    let grown = exported("witness-grown", &ledger);
    let second = look(&grown);
    assert_eq!((code(&second), json(&second)["logs"][0]["size"].as_u64()), (0, Some(700)));
    let cosigned = out.join("dep-1_acme_interaction_1_0.cosigned");
    let base = ["verify", path(&grown), "--key", &key(), "--witness", &witness];
    let output = run(&[base.as_slice(), &["--cosigned", path(&cosigned)]].concat());
    assert_eq!(code(&output), 0, "{}", text(&output));
    assert_eq!(code(&run(&base)), 1, "nobody cosigned what the folder itself holds");
    for (within, expected) in [("1h", 0), ("2", 2), ("-1h", 2), ("99999999999999999d", 2)] {
        let within = format!("--witnessed-within={within}");
        let output = run(&[base.as_slice(), &["--cosigned", path(&cosigned), &within]].concat());
        assert_eq!(code(&output), expected, "{within}: {}", text(&output));
    }

    // The state remembers 700 entries: what was cosigned before is refused now.
    let shrunk = look(&small);
    assert_eq!(code(&shrunk), 1);
    assert!(json(&shrunk)["logs"][0]["problem"].as_str().unwrap().contains("shrank from 700 to 300"));
    forked.append(&log, &(1_000..1_500).map(|seq| line(&log, seq)).collect::<Vec<_>>());
    let forked = exported("witness-forked", &forked);
    let output = look(&forked);
    assert_eq!(code(&output), 1);
    assert!(json(&output)["logs"][0]["problem"].as_str().unwrap().contains("fork"), "{}", text(&output));
}

#[test]
fn a_witness_follows_a_rotation_that_it_was_told_of_and_no_way_back() {
    let place = folder("witness-rotated");
    let (key_file, state, out) = (place.join("w.key"), place.join("state.json"), place.join("out"));
    let new = vkey(DEPLOYMENT, &log(LOG), SEED + 1);
    let look = |root: &Path, keys: &[&str]| {
        let arguments = ["witness", path(root), "--name", "witness.example/w1", "--key-file", path(&key_file)];
        let more = ["--state", path(&state), "--out", path(&out), "--json"];
        let keys: Vec<&str> = keys.iter().flat_map(|key| ["--key", key]).collect();
        run(&[arguments.as_slice(), more.as_slice(), keys.as_slice()].concat())
    };
    let problem = |output: &Output| json(output)["logs"][0]["problem"].as_str().unwrap().to_owned();
    assert_eq!(code(&look(&exported("witness-before", &ledger()), &[&key()])), 0);

    let mut ledger = rotated();
    let after = exported("witness-after", &ledger);
    let untold = look(&after, &[&key()]);
    assert_eq!(code(&untold), 1);
    assert!(problem(&untold).contains("rotation"), "{}", text(&untold));
    let told = look(&after, &[&key(), &new]);
    assert_eq!((code(&told), json(&told)["logs"][0]["size"].as_u64()), (0, Some(702)), "{}", text(&told));

    ledger.rotate(&log(LOG), SEED);
    ledger.append(&log(LOG), &[line(&log(LOG), 800)]);
    let back = look(&exported("witness-back", &ledger), &[&key(), &new]);
    assert_eq!(code(&back), 1);
    assert!(problem(&back).contains("a later one had replaced"), "{}", text(&back));
}

#[cfg(unix)]
fn assert_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[cfg(not(unix))]
fn assert_private(_: &Path) {}

#[test]
fn shells_and_readers_are_served() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completions", shell]);
        assert_eq!(code(&output), 0);
        assert!(text(&output).contains("rebuild-postings"), "{shell}");
    }
    let page = run(&["man"]);
    assert_eq!(code(&page), 0);
    assert!(text(&page).starts_with(".ie") || text(&page).contains(".TH ledgerline 1"), "{}", &text(&page)[..80]);
    assert!(text(&page).contains("CHECK\\-PROOF") || text(&page).contains("CHECK-PROOF"));
}

#[test]
fn colours_only_where_somebody_looks() {
    let root = exported("colours", &ledger());
    let forced = Command::new(env!("CARGO_BIN_EXE_ledgerline"))
        .args(["verify", path(&root)])
        .env("CLICOLOR_FORCE", "1")
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    assert!(text(&forced).contains('\u{1b}'), "colours can be forced");
    let none = Command::new(env!("CARGO_BIN_EXE_ledgerline"))
        .args(["verify", path(&root)])
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    assert!(!text(&none).contains('\u{1b}'));
}

/// The other implementation, where its interpreter and `cryptography` are: Python's hashlib agrees with ours.
#[test]
fn python_agrees_about_a_clean_folder_and_a_broken_one() {
    let Some(python) = Python::here() else { return };
    let check = |root: &Path| python.verify(root, &["--key", &key()]);
    assert_eq!(check(&exported("python-rotated", &rotated())), Some(0));
    let mut ledger = ledger();
    assert_eq!(check(&exported("python", &ledger)), Some(0));
    let segment = ledger.segment(&log(LOG), 2);
    ledger.rewrite(&segment, |lines| lines.swap(0, 1));
    assert_eq!(check(&exported("python-broken", &ledger)), Some(1));
}

#[test]
fn without_the_aws_feature_nothing_of_aws_is_compiled() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--locked",
            "-p",
            "ledgerline-cli",
            "--no-default-features",
            "--edges",
            "normal,build",
        ])
        .args(["--prefix", "none", "--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let crates = text(&output);
    assert!(crates.contains("ledgerline-ledger"));
    let cloud: Vec<&str> = crates
        .lines()
        .filter(|line| {
            ["aws", "smithy", "tokio", "hyper", "rustls"]
                .iter()
                .any(|name| line.starts_with(name) || line.starts_with("ledgerline-aws"))
        })
        .collect();
    assert!(cloud.is_empty(), "{cloud:?}");
}

/// An identifier as an argument, or a line that is none, is refused before a deployment is asked, and not repeated.
#[cfg(feature = "aws")]
#[test]
fn who_is_marked_is_named_by_id_or_pseudonym_or_on_standard_input() {
    let file = folder("subject").join("stack.json");
    let stack = file.to_str().unwrap();
    let pseudonym = format!("p1_{}", "0a".repeat(32));
    for verb in ["share", "unshare", "show"] {
        for (who, input, told) in [
            ("+1 555 555 0142", "", "neither a subject id"),
            ("s_5555550142", "", "neither a subject id"),
            ("-", "+1 555 555 0142", "not kind:value"),
            ("-", "", "not kind:value"),
            ("-", "phone:+1 555 555 0142", "cannot read"),
            (pseudonym.as_str(), "", "cannot read"),
        ] {
            for json in [false, true] {
                let mut command = Command::new(env!("CARGO_BIN_EXE_ledgerline"));
                command.args(["subject", verb, who, "--stack", stack]).args(json.then_some("--json"));
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
                let mut child = command.spawn().unwrap();
                // It may have ended without reading.
                let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
                let output = child.wait_with_output().unwrap();
                let said = [output.stdout.as_slice(), &output.stderr].concat();
                let said = String::from_utf8(said).unwrap();
                assert_eq!(output.status.code(), Some(2), "{said}");
                assert!(said.contains(told), "{who} {said}");
                let named = said.replace("phone:+1 555 555 0142", "");
                assert!(!named.contains("0142"), "{named}");
            }
        }
    }
}
