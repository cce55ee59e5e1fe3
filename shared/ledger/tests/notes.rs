//! Checkpoints, keys and proof files: the texts' own examples, what must be refused, and arbitrary bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerline_ledger::checkpoint::{
    Checkpoint, CheckpointBody, CheckpointError, UnverifiedCheckpoint, archive_key, archived_size, live_key, origin,
};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::proof::{ProofError, TlogProof, check};
use ledgerline_ledger::signing::{
    KeyError, KeyKind, LocalSigner, VerifyingKey, VerifyingKeys, check_vkey, public_key_of_spki, vkey,
};
use ledgerline_ledger::tree::{Edge, Hash, leaf_hash, node_hash};
use proptest::prelude::*;
use signed_note::{Signer as _, StandardSigner, StandardVerifier, Verifier as _};

const ORIGIN: &str = "5f2c/acme/interaction/1/0";

fn log_signer() -> LocalSigner {
    LocalSigner::from_seed(ORIGIN, &[7; 32]).unwrap()
}

fn witness() -> LocalSigner {
    LocalSigner::from_seed("witness.example/w1", &[9; 32]).unwrap()
}

fn keys<'a>(keys: impl IntoIterator<Item = (&'a LocalSigner, KeyKind)>) -> VerifyingKeys {
    VerifyingKeys::new(keys.into_iter().map(|(signer, kind)| signer.verifying_key(kind))).unwrap()
}

fn log_keys() -> VerifyingKeys {
    keys([(&log_signer(), KeyKind::Log)])
}

fn checkpoint(size: u64, root: Hash) -> Checkpoint {
    let body = CheckpointBody::new(ORIGIN, size, root).unwrap();
    let signature = log_signer().sign_now(body.text().as_bytes());
    body.signed(&log_signer().verifying_key(KeyKind::Log), &signature).unwrap()
}

fn verify(note: &[u8], keys: &VerifyingKeys) -> Result<Checkpoint, CheckpointError> {
    UnverifiedCheckpoint::parse(note)?.verify(keys)
}

/// A signature line of these bytes.
fn line(name: &str, id: u32, signature: &[u8]) -> String {
    format!("— {name} {}\n", STANDARD.encode([&id.to_be_bytes()[..], signature].concat()))
}

#[test]
fn a_checkpoint_goes_out_and_comes_back() {
    let root = leaf_hash(b"x");
    let signed = checkpoint(1, root);
    let text = format!("{ORIGIN}\n1\n{}\n", STANDARD.encode(root.0));
    assert!(String::from_utf8(signed.note()).unwrap().starts_with(&format!("{text}\n— {ORIGIN} ")));
    let read = UnverifiedCheckpoint::parse(&signed.note()).unwrap();
    assert_eq!((read.claimed_origin(), read.note()), (ORIGIN, signed.note()));
    let verified = read.verify(&log_keys()).unwrap();
    assert_eq!(verified, signed);
    assert_eq!((verified.origin(), verified.size(), verified.root()), (ORIGIN, 1, &root));
    assert_eq!(verified.keys(), [log_signer().verifying_key(KeyKind::Log).id()]);
}

#[test]
fn keys_of_checkpoints_have_one_spelling() {
    let log = LogId::parse("acme/interaction/1/0").unwrap();
    assert_eq!(origin("5f2c", &log), ORIGIN);
    assert_eq!(live_key(&log), "ledger/acme/interaction/1/0/checkpoint");
    let key = archive_key(&log, 42);
    assert_eq!(key, "ledger/acme/interaction/1/0/checkpoints/00000000000000000042");
    assert_eq!(archived_size(&log, &key), Some(42));
    assert_eq!(archived_size(&LogId::parse("acme/entity/1/0").unwrap(), &key), None);
    for file in ["42", "+0000000000000000042", "00000000000000000042.bak", "99999999999999999999", ""] {
        assert_eq!(archived_size(&log, &format!("ledger/{log}/checkpoints/{file}")), None, "{file}");
    }
}

/// A signature that does not verify never becomes a note: a key service may answer with another key's.
#[test]
fn a_false_signature_is_never_written() {
    let body = || CheckpointBody::new(ORIGIN, 1, leaf_hash(b"x")).unwrap();
    let key = log_signer().verifying_key(KeyKind::Log);
    let of_another = witness().sign_now(body().text().as_bytes());
    assert!(matches!(body().signed(&key, &of_another), Err(CheckpointError::BadSignature { .. })));
    let good = log_signer().sign_now(body().text().as_bytes());
    assert!(body().signed(&key, &good).is_ok());
    assert_eq!(body().signed(&log_signer().verifying_key(KeyKind::Witness), &good), Err(CheckpointError::NotSigned));
    let elsewhere = LocalSigner::from_seed("5f2c/acme/entity/1/0", &[7; 32]).unwrap();
    assert_eq!(body().signed(&elsewhere.verifying_key(KeyKind::Log), &good), Err(CheckpointError::NotSigned));
    assert!(CheckpointBody::new("a b", 1, leaf_hash(b"x")).is_err());
    assert!(CheckpointBody::new(ORIGIN, 0, leaf_hash(b"x")).is_err());
    assert!(CheckpointBody::new(ORIGIN, 0, Edge::empty().root()).is_ok());
}

#[test]
fn unknown_signatures_are_kept_and_prove_nothing() {
    let stranger = LocalSigner::from_seed("stranger.example", &[1; 32]).unwrap();
    let mut note = checkpoint(1, leaf_hash(b"x")).note();
    // Unknown keys, one with the log's name, one with its id; and a post-quantum signature's length.
    let id = log_signer().verifying_key(KeyKind::Log).id();
    for unknown in [line("stranger.example", id, &[3; 64]), line(ORIGIN, id ^ 1, &[4; 64]), line("pq", 6, &[5; 2428])] {
        note.extend(unknown.as_bytes());
    }
    let verified = verify(&note, &log_keys()).unwrap();
    assert_eq!(verified.note(), note);
    assert_eq!(verified.keys().len(), 1);
    assert_eq!(verify(&note, &keys([(&stranger, KeyKind::Log)])), Err(CheckpointError::NotSigned));
    assert_eq!(verify(&note, &VerifyingKeys::default()), Err(CheckpointError::NotSigned));
}

/// C2SP signed-note, "Signatures": a key that is known must verify, wherever its line stands. The crate's own reader
/// passes over a second line by the same key.
#[test]
fn one_false_signature_by_a_known_key_refuses_the_note() {
    let signed = checkpoint(1, leaf_hash(b"x"));
    let key = log_signer().verifying_key(KeyKind::Log);
    let mut note = signed.note();
    note.extend(line(ORIGIN, key.id(), &[3; 64]).as_bytes());
    assert!(matches!(verify(&note, &log_keys()), Err(CheckpointError::BadSignature { .. })));
    for wrong_length in [63, 65, 72] {
        let note = format!(
            "{}\n{}",
            CheckpointBody::new(ORIGIN, 1, leaf_hash(b"x")).unwrap().text(),
            line(ORIGIN, key.id(), &vec![0; wrong_length])
        );
        assert!(matches!(verify(note.as_bytes(), &log_keys()), Err(CheckpointError::BadSignature { .. })));
    }
}

#[test]
fn every_flipped_bit_of_text_and_signature_is_noticed() {
    let note = checkpoint(300, leaf_hash(b"x")).note();
    for at in 0..note.len() {
        for bit in 0..8 {
            let mut bent = note.clone();
            bent[at] ^= 1 << bit;
            assert!(verify(&bent, &log_keys()).is_err(), "byte {at}, bit {bit}");
        }
    }
}

/// Another log's key, trusted for itself, says nothing here.
#[test]
fn a_key_speaks_for_its_own_log_alone() {
    let other = LocalSigner::from_seed("5f2c/acme/entity/1/0", &[8; 32]).unwrap();
    let body = CheckpointBody::new(ORIGIN, 1, leaf_hash(b"x")).unwrap();
    let key = other.verifying_key(KeyKind::Log);
    let note = format!("{}\n{}", body.text(), line(key.name(), key.id(), &other.sign_now(body.text().as_bytes())));
    let both = keys([(&log_signer(), KeyKind::Log), (&other, KeyKind::Log)]);
    assert_eq!(verify(note.as_bytes(), &both), Err(CheckpointError::NotSigned));
}

#[test]
fn witnesses_cosign_with_their_time() {
    let signed = checkpoint(1, leaf_hash(b"x"));
    let message = signed.cosignature_message(1_679_315_147);
    assert_eq!(
        message,
        [
            b"cosignature/v1\ntime 1679315147\n",
            CheckpointBody::new(ORIGIN, 1, leaf_hash(b"x")).unwrap().text().as_bytes()
        ]
        .concat()
    );
    let key = witness().verifying_key(KeyKind::Witness);
    let cosigned = signed.clone().with_cosignature(&key, 1_679_315_147, &witness().sign_now(&message)).unwrap();
    let both = keys([(&log_signer(), KeyKind::Log), (&witness(), KeyKind::Witness)]);
    let verified = verify(&cosigned.note(), &both).unwrap();
    assert_eq!(verified, cosigned);
    let one = &verified.cosignatures()[0];
    assert_eq!((one.witness.as_str(), one.key_id, one.time_s), ("witness.example/w1", key.id(), 1_679_315_147));
    // Who does not know the witness still reads the log's word.
    assert!(verify(&cosigned.note(), &log_keys()).unwrap().cosignatures().is_empty());
    // A witness alone is not the log.
    assert_eq!(verify(&cosigned.note(), &keys([(&witness(), KeyKind::Witness)])), Err(CheckpointError::NotSigned));
    // A later word takes the earlier one's place.
    let later = cosigned
        .with_cosignature(&key, 1_679_315_148, &witness().sign_now(&signed.cosignature_message(1_679_315_148)))
        .unwrap();
    assert_eq!(later.cosignatures().len(), 1);
    assert_eq!(verify(&later.note(), &both).unwrap().cosignatures()[0].time_s, 1_679_315_148);
    // The time is signed, and bounded.
    let signature = witness().sign_now(&message);
    assert!(signed.clone().with_cosignature(&key, 1_679_315_148, &signature).is_err());
    let never = witness().sign_now(&signed.cosignature_message(1 << 63));
    assert!(signed.clone().with_cosignature(&key, 1 << 63, &never).is_err());
    assert!(signed.with_cosignature(&witness().verifying_key(KeyKind::Log), 1_679_315_147, &signature).is_err());
}

/// The example of C2SP signed-note, "Verifier keys".
#[test]
fn the_texts_example_verifies() {
    let key = VerifyingKey::parse("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k").unwrap();
    let line = STANDARD
        .decode("Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=")
        .unwrap();
    assert_eq!(line[..4], key.id().to_be_bytes());
    assert!(key.verifies(b"This is an example message.\n", line[4..].try_into().unwrap()));
    assert!(!key.verifies(b"This is an example message.", line[4..].try_into().unwrap()));
}

/// The secret and public key of the Go module golang.org/x/mod/sumdb/note, and the crate's reading of ours.
#[test]
fn keys_are_those_of_other_implementations() {
    let skey = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    let vkey_text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let signer = LocalSigner::parse(skey).unwrap();
    assert_eq!(signer.skey().as_str(), skey);
    assert_eq!(signer.verifying_key(KeyKind::Log).vkey(), vkey_text);
    assert_eq!(vkey(signer.name(), &signer.public_key_bytes()), vkey_text);
    let theirs = StandardSigner::new(&log_signer().skey()).unwrap();
    assert_eq!(theirs.sign(b"text\n").unwrap(), log_signer().sign_now(b"text\n"));
    let verifier = StandardVerifier::new(&log_signer().verifying_key(KeyKind::Log).vkey()).unwrap();
    assert!(verifier.verify(b"text\n", &log_signer().sign_now(b"text\n")));
    assert!(!format!("{signer:?}").contains("AYEK"));
}

#[test]
fn what_is_no_key_is_refused() {
    let good = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    assert_eq!(check_vkey(good), Ok(()));
    for (text, error, whence) in [
        ("", KeyError::Format, "signed-note, Verifier keys: three parts"),
        ("example.com/foo", KeyError::Format, "three parts"),
        ("example.com/foo+530d903a", KeyError::Format, "three parts"),
        ("example.com/foo+530d903a+", KeyError::Format, "a type byte"),
        ("+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", KeyError::Name, "names are not empty"),
        ("exam ple+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", KeyError::Name, "names have no space"),
        (
            "exam\u{2003}ple+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            KeyError::Name,
            "nor a Unicode space",
        ),
        (
            "exam\u{1}ple+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            KeyError::Name,
            "no note has controls; the crate takes them",
        ),
        (
            "example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            KeyError::Id,
            "the id covers the name",
        ),
        (
            "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            KeyError::Id,
            "hex is lower case; the crate takes both",
        ),
        ("example.com/foo+0530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", KeyError::Id, "eight digits"),
        (
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n",
            KeyError::Format,
            "nothing behind it",
        ),
        ("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2l", KeyError::Id, "another key's bits"),
        ("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U0=", KeyError::Format, "31 bytes"),
        ("example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", KeyError::Kind, "ECDSA (0x02)"),
    ] {
        assert_eq!(check_vkey(text), Err(error), "{text:?}: {whence}");
    }
    // Points that prove nothing, which the crates take as keys: the identity, the point of order two, and the
    // identity's other spellings (y = p + 1, and x = 0 with its sign bit).
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    let mut beyond = [0xff; 32];
    (beyond[0], beyond[31]) = (0xee, 0x7f);
    let mut negative = identity;
    negative[31] = 0x80;
    for point in [identity, minus_one, beyond, negative, [0; 32]] {
        assert_eq!(VerifyingKey::new("k", KeyKind::Log, &point), Err(KeyError::NotAPoint), "{point:?}");
        assert_eq!(check_vkey(&vkey("k", &point)), Err(KeyError::NotAPoint));
    }
    assert!(StandardVerifier::new(&vkey("k", &identity)).is_ok(), "the crate has learnt it: the guard may go");
    for (skey, error) in [
        ("PRIVATE+KEY+PeterNeumann+c74f20a4+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz", KeyError::Id),
        ("PRIVATE+KEY+PeterNeumann+c74f20a3+BIEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz", KeyError::Kind),
        ("PRIVATE+KEY+PeterNeumann+c74f20a3+AYEK", KeyError::Format),
        ("PRIVATE+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz", KeyError::Format),
    ] {
        assert_eq!(LocalSigner::parse(skey).unwrap_err(), error);
    }
    let mut der = hex("302a300506032b6570032100");
    der.extend([0x66; 32]);
    assert_eq!(public_key_of_spki(&der), Ok([0x66; 32]));
    for bent in [&der[..43], &[&der[..], &[0]].concat(), &[&[0x31], &der[1..]].concat(), &[]] {
        assert_eq!(public_key_of_spki(bent), Err(KeyError::NotSpki), "RFC 8410, section 4");
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    let sig = line("o", 1, &[1; 64]);
    let parse = |text: &str| UnverifiedCheckpoint::parse(text.as_bytes());
    assert!(parse(&format!("o\n20852163\n{root}\n\n{sig}")).is_ok());
    assert!(parse(&format!("o\n20852163\n{root}\nextension\n\n{sig}")).is_ok(), "extension lines are allowed");
    for (note, whence) in [
        (String::new(), "signed-note, Format"),
        (format!("o\n1\n{root}\n"), "no signature"),
        (format!("o\n1\n{root}\n\n"), "no signature line"),
        (format!("o\n1\n{root}\n{sig}"), "no blank line"),
        (format!("o\n1\n{root}\n\n{}", sig.trim_end()), "no newline at the end"),
        (format!("o\n1\n{root}\n\n{sig}\n"), "a blank line at the end"),
        (format!("o\r\n1\r\n{root}\r\n\r\n{sig}"), "a control character"),
        (format!("o\n1\n{root}\n\n{}", sig.replace('—', "-")), "a hyphen for the dash"),
        (format!("o\n1\n{root}\n\n{}", sig.replace("— o", "—  o")), "two spaces"),
        (format!("o\n1\n{root}\n\n{}", sig.replace("— o", "— o+o")), "a plus in a name"),
        (format!("o\n1\n{root}\n\n{}", sig.replace("— o", "— o\u{a0}o")), "a Unicode space in a name"),
        (format!("o\n1\n{root}\n\n{}", sig.replace('=', "")), "no padding"),
        (format!("o\n1\n{root}\n\n— o AAAAAQ==\n"), "a signature of no bytes"),
        (format!("o\n1\n{root}\n\n{}", sig.repeat(101)), "a hundred signatures at most"),
        (format!("\n1\n{root}\n\n{sig}"), "tlog-checkpoint, Note text: an empty origin"),
        (format!("a b\n1\n{root}\n\n{sig}"), "an origin that is no key's name: none of our logs"),
        (format!("o\n01\n{root}\n\n{sig}"), "leading zeros"),
        (format!("o\n00\n{root}\n\n{sig}"), "leading zeros"),
        (format!("o\n+1\n{root}\n\n{sig}"), "a sign"),
        (format!("o\n-1\n{root}\n\n{sig}"), "a sign"),
        (format!("o\n 1\n{root}\n\n{sig}"), "a space"),
        (format!("o\n0x1\n{root}\n\n{sig}"), "not decimal"),
        (format!("o\n18446744073709551616\n{root}\n\n{sig}"), "2⁶⁴"),
        (format!("o\n\n{root}\n\n{sig}"), "no size"),
        (format!("o\n1\n\n{sig}"), "no root"),
        (format!("o\n1\n{}\n\n{sig}", &root[..40]), "30 bytes"),
        (format!("o\n1\n{root}{root}\n\n{sig}"), "two roots"),
        (format!("o\n1\n{}\n\n{sig}", root.replace("q2I=", "q2J=")), "RFC 4648, 3.5: bits behind the end"),
        (format!("o\n1\n{}\n\n{sig}", root.replace('/', "_")), "RFC 4648, 4: not the URL alphabet"),
        (format!("o\n1\n{}\n\n{sig}", root.replace('=', "")), "no padding"),
        (format!("o\n1\n{root}\n\nextension\n\n{sig}"), "an empty extension line"),
        (format!("o\n0\n{root}\n\n{sig}"), "tlog-witness: size zero with the root of something"),
        (format!("o\n1\n{root}\n{}\n\n{sig}", "x".repeat(300_000)), "larger than we read"),
    ] {
        assert!(
            matches!(parse(&note), Err(CheckpointError::Malformed(_))),
            "{whence}: {:?}",
            &note[..note.len().min(80)]
        );
    }
    assert!(UnverifiedCheckpoint::parse(b"o\n1\n\xff\n\n").is_err(), "not UTF-8");
}

/// A log of two entries, and the proof of the second.
fn proof_of_two(extra: Option<&[u8]>) -> TlogProof {
    let (left, right) = (leaf_hash(b"first"), leaf_hash(b"second"));
    let note = checkpoint(2, node_hash(&left, &right)).note();
    TlogProof {
        extra: extra.map(<[u8]>::to_vec),
        index: 1,
        path: vec![left],
        checkpoint: UnverifiedCheckpoint::parse(&note).unwrap(),
    }
}

#[test]
fn a_proof_file_proves_its_entry_and_no_other() {
    let file = proof_of_two(Some(b"context")).to_bytes();
    let text = String::from_utf8(file.clone()).unwrap();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nextra Y29udGV4dA==\nindex 1\n"), "{text}");
    assert_eq!(TlogProof::parse(&file).unwrap(), proof_of_two(Some(b"context")));
    let proven = check(&file, b"second", &log_keys()).unwrap();
    assert_eq!((proven.index, proven.checkpoint.size()), (1, 2));
    assert_eq!(check(&file, b"first", &log_keys()), Err(ProofError::AnotherRoot));
    assert_eq!(check(&file, b"second\n", &log_keys()), Err(ProofError::AnotherRoot));
    let stranger = LocalSigner::from_seed(ORIGIN, &[1; 32]).unwrap();
    let unsigned = Err(ProofError::Checkpoint(CheckpointError::NotSigned));
    assert_eq!(check(&file, b"second", &keys([(&stranger, KeyKind::Log)])), unsigned);
    let moved = text.replace("index 1", "index 0");
    assert_eq!(check(moved.as_bytes(), b"second", &log_keys()), Err(ProofError::AnotherRoot));
    let beyond = text.replace("index 1", "index 2");
    assert_eq!(check(beyond.as_bytes(), b"second", &log_keys()), Err(ProofError::OutOfRange));
}

#[test]
fn what_is_no_proof_file_is_refused() {
    let good = String::from_utf8(proof_of_two(None).to_bytes()).unwrap();
    assert!(TlogProof::parse(good.as_bytes()).is_ok());
    let hash = STANDARD.encode(leaf_hash(b"first").0);
    for (bent, whence) in [
        (String::new(), "tlog-proof, Format"),
        (good.replace("@v1", "@v2"), "the first line"),
        (format!("\n{good}"), "the first line"),
        (good.replace("index 1\n", ""), "an index"),
        (good.replace("index 1", "index 01"), "no leading zeros"),
        (good.replace("index 1", "index +1"), "digits alone"),
        (good.replace("index 1", "index  1"), "one space"),
        (good.replace("index 1", "Index 1"), "lower case"),
        (good.replace("index 1", "index 18446744073709551616"), "2⁶⁴"),
        (good.replace("index 1", "extra \nindex 1"), "without data the line is left out"),
        (good.replace("index 1", "extra !\nindex 1"), "base64"),
        (good.replace("index 1", "extra QQ==\nextra QQ==\nindex 1"), "one extra line"),
        (good.replace("index 1", "index 1\nextra QQ=="), "extra comes first"),
        (good.replace(&hash, &hash[..40]), "32 bytes"),
        (good.replace(&hash, hash.trim_end_matches('=')), "padding"),
        (good.replace(&hash, &format!(" {hash}")), "a hash per line"),
        (good.replace('\n', "\r\n"), "newlines are U+000A"),
        (good.replacen("\n\n", "\n\n\n", 1), "one empty line"),
        (good.replacen("\n\n", "\n", 1), "an empty line before the checkpoint"),
        (format!("{good}\n"), "the checkpoint verbatim, and nothing after it"),
    ] {
        assert!(TlogProof::parse(bent.as_bytes()).is_err(), "{whence}: {bent}");
    }
    let long = TlogProof { extra: Some(vec![0; 1 << 20]), ..proof_of_two(None) };
    assert_eq!(TlogProof::parse(&long.to_bytes()), Err(ProofError::Malformed));
}

#[test]
fn keys_that_cannot_be_told_apart_are_refused() {
    let one = log_signer().verifying_key(KeyKind::Log);
    let set = VerifyingKeys::new([one.clone(), one.clone(), log_signer().verifying_key(KeyKind::Witness)]).unwrap();
    assert_eq!(set.iter().count(), 2);
    assert_eq!(VerifyingKeys::parse([one.vkey()]).unwrap().find(ORIGIN, one.id()), Some(&one));
    // Two keys of one name whose ids, four bytes of a SHA-256, are the same.
    let twins = [104_291_u64, 197_956].map(|number| {
        let mut seed = [0; 32];
        seed[24..].copy_from_slice(&number.to_be_bytes());
        LocalSigner::from_seed("k", &seed).unwrap().verifying_key(KeyKind::Log)
    });
    assert_eq!((twins[0].id(), twins[1].id()), (0xf035_64a9, 0xf035_64a9));
    assert_eq!(VerifyingKeys::new(twins).unwrap_err(), KeyError::Ambiguous);
    assert_eq!(VerifyingKeys::parse(["nonsense"]).unwrap_err(), KeyError::Format);
}

proptest! {
    #[test]
    fn no_bytes_panic_a_reader(bytes in proptest::collection::vec(any::<u8>(), 0..400), text in "(\\PC|\n)*") {
        for bytes in [&bytes[..], text.as_bytes()] {
            let _ = UnverifiedCheckpoint::parse(bytes);
            let _ = TlogProof::parse(bytes);
            let _ = public_key_of_spki(bytes);
        }
        let _ = VerifyingKey::parse(&text);
        let _ = LocalSigner::parse(&text);
    }

    /// Nearly right: spliced, cut and bent notes and proofs. What is read, is written again as it was.
    #[test]
    fn what_is_nearly_right_is_refused_or_comes_back(at in any::<prop::sample::Index>(), cut in 0_usize..4, with in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b' '), Just(b'='), Just(b'+'), Just(b'0'), any::<u8>()], 0..4)) {
        let proof = proof_of_two(Some(b"x")).to_bytes();
        let note = checkpoint(2, leaf_hash(b"x")).note();
        let bend = |bytes: &[u8]| {
            let from = at.index(bytes.len());
            let to = (from + cut).min(bytes.len());
            [&bytes[..from], &with, &bytes[to..]].concat()
        };
        let (bent, was) = (bend(&note), note);
        if let Ok(read) = UnverifiedCheckpoint::parse(&bent) {
            prop_assert_eq!(read.note(), bent.clone());
            if let Ok(verified) = read.verify(&log_keys()) {
                // Nothing but a whole further line by nobody we know can be added.
                prop_assert_eq!((verified.size(), verified.note()), (2, bent.clone()));
                prop_assert_eq!(bent, was);
            }
        }
        let bent = bend(&proof);
        if let Ok(read) = TlogProof::parse(&bent) {
            prop_assert_eq!(read.to_bytes(), bent);
        }
        for text in [log_signer().verifying_key(KeyKind::Log).vkey(), log_signer().skey().to_string()] {
            if let Ok(bent) = String::from_utf8(bend(text.as_bytes())) {
                prop_assert!(VerifyingKey::parse(&bent).is_ok_and(|key| key.vkey() == bent) || VerifyingKey::parse(&bent).is_err());
                let _ = LocalSigner::parse(&bent);
            }
        }
    }
}
