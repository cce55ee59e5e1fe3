//! Words and digests that stand where a system had nothing to say.
//!
//! Whoever hashes a missing field gets one well-known digest for everybody, and whoever takes it for an identifier makes one
//! person of all of them. Only digests of *nothing* are in the table: that of a common password or a greeting is a digest
//! that somebody's systems gave to a customer.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::phone;

/// Whether the value, which is trimmed, says that there is none: a usual word, zeros, one digit again and again, or a digest of
/// these, be it cut.
pub(crate) fn is_nothing(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let letters: String = value.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect();
    let is_filler = |other: &[u8]| value.bytes().all(|byte| byte.is_ascii_digit() || other.contains(&byte));
    let first = value.bytes().find(u8::is_ascii_digit);
    let repeated = value.bytes().filter(u8::is_ascii_digit).all(|digit| Some(digit) == first);
    value.is_empty()
        || (digits == 0 && value.is_ascii() && (letters.is_empty() || is_word(&letters)))
        || (is_filler(b"-. +") && repeated && (first == Some(b'0') || digits >= REPEATED_FROM))
        || value == "-1"
        || value.eq_ignore_ascii_case("ffffffff-ffff-ffff-ffff-ffffffffffff")
        || value.eq_ignore_ascii_case("uuid_v4_generated")
        || is_digest_of_nothing(value)
}

fn is_word(letters: &str) -> bool {
    WORDS.contains(&letters) || phone::WITHHELD.contains(&letters)
}

/// A digest, whole or cut to seven digits and more, alone or behind a name: `sha256:e3b0…`, `cust_hash_e3b0c44`.
fn is_digest_of_nothing(value: &str) -> bool {
    let tail = value.rsplit(|c: char| !c.is_ascii_hexdigit()).find(|tail| !tail.is_empty()).unwrap_or_default();
    let tail = tail.get(..HEAD_DIGITS.min(tail.len())).unwrap_or_default().to_ascii_lowercase();
    let begins = |head: &str| {
        let at = DIGESTS.partition_point(|digest| *digest < head);
        DIGESTS.get(at).is_some_and(|digest| digest.starts_with(head))
    };
    let decoded = || digest_head(value).map(|head| head.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    (tail.len() >= CUT_DIGITS && begins(&tail)) || decoded().is_some_and(|head| begins(&head))
}

/// Whether the value is as long as a digest that two customers do not share by chance: 128 bits or more, in hex or base64.
pub fn is_full_digest(value: &str) -> bool {
    digest_head(value).is_some()
}

/// The first 16 bytes of a digest in hex or base64, of one of the lengths that digests have.
fn digest_head(value: &str) -> Option<[u8; 16]> {
    let is_hex = value.len().is_multiple_of(2) && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    let bytes = match value.len() {
        32.. if is_hex && value.len() <= 128 => from_hex(&value[..32]),
        // 16, 20, 32 and 64 bytes, padded or not.
        22 | 24 | 27 | 28 | 43 | 44 | 86 | 88 => from_base64(value),
        _ => None,
    }?;
    bytes.get(..16)?.try_into().ok()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [STANDARD, URL_SAFE].iter().find_map(|alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok())
}

/// What systems write where they have nothing to write, letters only, lower case; beside the words for a caller who is not
/// shown.
const WORDS: &[&str] = &[
    "anonymouscaller",
    "anonymouscustomer",
    "anonymoususer",
    "default",
    "defaultuser",
    "empty",
    "false",
    "guest",
    "guestuser",
    "na",
    "nan",
    "nil",
    "no",
    "nocustomer",
    "noid",
    "none",
    "notapplicable",
    "notfound",
    "notprovided",
    "notset",
    "null",
    "objectobject",
    "tbd",
    "true",
    "undefined",
    "unidentified",
    "unknowncontact",
    "unknowncustomer",
    "unknownuser",
    "xxx",
];

/// One digit so many times is a filler, and fewer may be somebody's account.
const REPEATED_FROM: usize = 6;

/// Hex digits of a digest that the table has.
const HEAD_DIGITS: usize = 32;

/// Hex digits that a cut digest has at least; that another begins with these of any in the table is one in half a million.
const CUT_DIGITS: usize = 7;

/// The heads of the table's digests, in their order.
static DIGESTS: LazyLock<Vec<&str>> =
    LazyLock::new(|| TABLE.lines().filter_map(|line| line.get(..HEAD_DIGITS)).collect());

/// Written by `digests_of_nothing.py`.
const TABLE: &str = include_str!("digests_of_nothing.txt");

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest as _, Sha256, Sha512};

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn each_sha_2_line_of_the_table_is_the_digest_of_its_word() {
        let mut recomputed = 0;
        for line in TABLE.lines() {
            let (head, rest) = line.split_once(' ').unwrap();
            let (algorithm, word) = rest.split_once(' ').unwrap();
            let word: String = serde_json::from_str(word).unwrap();
            let digest = match algorithm {
                "sha256" => Sha256::digest(&word).to_vec(),
                "sha512" => Sha512::digest(&word).to_vec(),
                "md5" | "sha1" => continue,
                other => panic!("{other}"),
            };
            assert_eq!(head, hex(&digest[..16]), "{line}");
            recomputed += 1;
        }
        assert!(recomputed > 200 && DIGESTS.is_sorted() && DIGESTS.len() == TABLE.lines().count(), "{recomputed}");
    }

    #[test]
    fn every_word_for_nothing_has_its_digests_in_the_table() {
        let digests = |word: &str| [Sha256::digest(word).to_vec(), Sha512::digest(word).to_vec()];
        for word in WORDS.iter().chain(phone::WITHHELD).chain(&["", " ", "0", "266696687", "+266696687"]) {
            for digest in digests(word) {
                assert!(is_nothing(&hex(&digest)), "{word:?}");
                assert!(is_nothing(&hex(&digest).to_uppercase()), "{word:?}");
            }
        }
    }

    #[test]
    fn digests_of_nothing_are_known_in_every_spelling_and_others_are_not() {
        for nothing in [
            "d41d8cd98f00b204e9800998ecf8427e",
            "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709",
            "1B2M2Y8AsgTpgAmY7PhCfg==",
            "1B2M2Y8AsgTpgAmY7PhCfg",
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
            "2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
            "2f183a4e64493af3f377f745eda502363cd3e7ef6e4d266d444758de0a85fcc8",
            "0",
            "000-000",
            "N/A",
            "Null",
        ] {
            assert!(is_nothing(nothing), "{nothing}");
        }
        // SHA-256 of "test", its first digits, and SHA-512 of a common password.
        for somebody in [
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "9f86d08",
            "cust_hash_9f86d08",
            "b109f3bbbc244eb82441917ed06d618b9008dd09b3befd1b5e07394c706a8bb980b1d7785e5976ec049b46df5f1326af5a2ea6d103fd07c95385ffab0cacbc86",
            "e3b0c4",
            "10",
            "11111",
            "111-112",
            "test-7",
            "王",
        ] {
            assert!(!is_nothing(somebody), "{somebody}");
        }
    }
}
