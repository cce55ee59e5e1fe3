//! The names of fields that hold sensitive authentication data, in all the ways that sources spell them.

use super::SensitiveKind;

/// The fields: names in lower case, letters and digits only.
pub(super) const NAMES: [(&str, SensitiveKind); 47] = {
    use SensitiveKind::{CardVerification as C, Password as W, Pin as P, Track as T};
    [
        ("cvv", C),
        ("cvv1", C),
        ("cvv2", C),
        ("cvvcode", C),
        ("cvvnumber", C),
        ("cvc", C),
        ("cvc1", C),
        ("cvc2", C),
        ("cvccode", C),
        ("csc", C),
        ("cav2", C),
        ("cardcvv", C),
        ("cardcvc", C),
        ("cardsecuritycode", C),
        ("cardverificationcode", C),
        ("cardverificationnumber", C),
        ("cardverificationvalue", C),
        ("cardpin", P),
        ("securitycode", C),
        ("pin", P),
        ("pin1", P),
        ("pin2", P),
        ("pinblock", P),
        ("pincode", P),
        ("pinnumber", P),
        ("pvv", P),
        ("track1", T),
        ("track2", T),
        ("track3", T),
        ("track1data", T),
        ("track2data", T),
        ("track3data", T),
        ("trackdata", T),
        ("tracks", T),
        ("magstripe", T),
        ("magstripedata", T),
        ("magneticstripe", T),
        ("magneticstripedata", T),
        ("password", W),
        ("passwords", W),
        ("passwd", W),
        ("pwd", W),
        ("passcode", W),
        ("passphrase", W),
        ("oldpassword", W),
        ("newpassword", W),
        ("userpassword", W),
    ]
};

/// Longest name above, with room for separators: a longer key is none of them.
pub(super) const KEY_BYTES_MAX: usize = 64;

/// A cheap necessary condition for [`kind_of_key`]: most keys end here.
#[inline]
pub(crate) fn may_be_sensitive(key: &[u8]) -> bool {
    let [a, b, c, ..] = *key else { return false };
    if !(a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric() && c.is_ascii_alphanumeric()) {
        return true;
    }
    ends_like_one(key)
        || matches!(
            &[a | 0x20, b | 0x20, c | 0x20],
            b"cvv"
                | b"cvc"
                | b"csc"
                | b"cav"
                | b"car"
                | b"sec"
                | b"pin"
                | b"pvv"
                | b"tra"
                | b"mag"
                | b"pas"
                | b"pwd"
                | b"old"
                | b"new"
                | b"use"
        )
}

/// The ends of [`SUFFIXES`], and a sign that may follow one.
#[inline]
fn ends_like_one(key: &[u8]) -> bool {
    let [.., x, y, z] = *key else { return false };
    !z.is_ascii_alphanumeric()
        || matches!(&[x | 0x20, y | 0x20, z | 0x20], b"cvv" | b"vv2" | b"cvc" | b"cvn" | b"pin" | b"ord")
        || key.contains(&b'.')
}

/// The words that make a name sensitive at whose end they stand, as in `customerCvv`, `card_pin` or `dbPassword`.
const SUFFIXES: [(&str, SensitiveKind); 6] = [
    ("cvv", SensitiveKind::CardVerification),
    ("cvv2", SensitiveKind::CardVerification),
    ("cvc", SensitiveKind::CardVerification),
    ("cvn", SensitiveKind::CardVerification),
    ("pin", SensitiveKind::Pin),
    ("password", SensitiveKind::Password),
];

/// The kind of data that a key of this name holds, its case, spaces and separators aside; of a dotted path the last name
/// counts, of a name of several words the last word.
pub fn kind_of_key(key: &[u8]) -> Option<SensitiveKind> {
    let last = key.rsplit(|byte| *byte == b'.').next().unwrap_or(key);
    let of_path = || if last.len() < key.len() { listed(last) } else { None };
    listed(key).or_else(of_path).or_else(|| ends_in_word(last))
}

/// Whether one of [`SUFFIXES`] is the last word of a name: in camel case or after a sign, so that `shipping` is none.
fn ends_in_word(name: &[u8]) -> Option<SensitiveKind> {
    let end = name.iter().rposition(u8::is_ascii_alphanumeric)? + 1;
    let name = &name[..end];
    let is_last_word = |word: &str| {
        let Some(start) = name.len().checked_sub(word.len()) else { return false };
        let (before, tail) = name.split_at(start);
        let begins = before.last().is_none_or(|byte| !byte.is_ascii_alphanumeric())
            || (tail[0].is_ascii_uppercase() && before.last().is_some_and(|byte| !byte.is_ascii_uppercase()));
        // Nobody's word ends in `password` or `cvv` by chance.
        let always = word != "pin" && word != "cvc" && word != "cvn";
        tail.eq_ignore_ascii_case(word.as_bytes()) && (begins || always)
    };
    SUFFIXES.iter().find(|(word, _)| is_last_word(word)).map(|(_, kind)| *kind)
}

fn listed(key: &[u8]) -> Option<SensitiveKind> {
    if key.len() > KEY_BYTES_MAX {
        return None;
    }
    let mut name = [0; KEY_BYTES_MAX];
    let mut length = 0;
    for byte in key.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        name[length] = byte.to_ascii_lowercase();
        length += 1;
    }
    NAMES.iter().find(|(listed, _)| listed.as_bytes() == &name[..length]).map(|(_, kind)| *kind)
}

/// Whether a member of this name may name its siblings, as in `{"property": "password", "newValues": ["…"]}`.
#[inline]
pub(crate) fn names_siblings(key: &[u8]) -> bool {
    ["property", "name", "key", "field", "attribute"].iter().any(|word| key.eq_ignore_ascii_case(word.as_bytes()))
}

/// The siblings that such a member speaks of.
pub(super) fn is_named_value(key: &[u8]) -> bool {
    ["value", "values", "oldValue", "newValue", "oldValues", "newValues"]
        .iter()
        .any(|word| key.eq_ignore_ascii_case(word.as_bytes()))
}
