//! Identifiers: what names a person at a source, normalised so that one thing has one spelling.
//!
//! Invariant: normalisation is idempotent, and a value that names nobody (withheld, malformed, too short) is no
//! identifier at all. The rules are part of a pseudonym's version: changing one needs a new version of the key.

use std::fmt;
use std::str::FromStr;

use crate::personal::Personal;
use crate::phone;

/// What sort of thing an identifier is. Closed: the label goes into the HMAC, so it never changes for a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A telephone number, E.164.
    Phone,
    /// An e-mail address.
    Email,
    /// A customer's account number.
    Account,
    /// The id of an external contact in the contact centre's directory.
    ExternalContact,
    /// An address on a messaging service that is no phone and no e-mail.
    MessagingAddress,
    /// A hash of a phone made upstream: an identifier of its own, hashed again.
    PhoneHash,
    /// A hash of an e-mail address made upstream: hashed again.
    EmailHash,
    /// A hash of an account number made upstream: hashed again.
    AccountHash,
    /// A customer's name or hash made upstream, such as `resolvedCustomerId`: hashed again.
    CustomerIdHash,
    /// An agent's user id.
    Agent,
    /// What a source sent in place of a lineage token: a name, a number, a sentence.
    LineageToken,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 11] = [
        Self::Phone,
        Self::Email,
        Self::Account,
        Self::ExternalContact,
        Self::MessagingAddress,
        Self::PhoneHash,
        Self::EmailHash,
        Self::AccountHash,
        Self::CustomerIdHash,
        Self::Agent,
        Self::LineageToken,
    ];

    /// The stable label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Account => "account",
            Self::ExternalContact => "external_contact",
            Self::MessagingAddress => "messaging_address",
            Self::PhoneHash => "phone_hash",
            Self::EmailHash => "email_hash",
            Self::AccountHash => "account_hash",
            Self::CustomerIdHash => "customer_id_hash",
            Self::Agent => "agent",
            Self::LineageToken => "lineage_token",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// The country calling code that national numbers belong to, 1 to 999.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallingCode(u16);

impl CallingCode {
    /// The North American Numbering Plan, the default.
    pub const NANP: Self = Self(1);

    /// The number of the code.
    pub fn number(self) -> u16 {
        self.0
    }
}

/// A text that is no country calling code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a country calling code: one to three digits such as 1, 44 or 353, without + and leading zeros")]
pub struct BadCallingCode;

impl FromStr for CallingCode {
    type Err = BadCallingCode;

    fn from_str(text: &str) -> Result<Self, BadCallingCode> {
        let plain = (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        if plain { text.parse().map(Self).map_err(|_| BadCallingCode) } else { Err(BadCallingCode) }
    }
}

/// A normalised identifier: the one input of pseudonyms.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identifier {
    kind: Kind,
    value: Personal,
}

impl Identifier {
    /// Normalises a raw value; `None` when it names nobody. `calling_code` is where national numbers belong to.
    pub fn parse(kind: Kind, raw: &str, calling_code: CallingCode) -> Option<Self> {
        // Of a text that was damaged on its way nobody knows whom it named.
        if raw.contains(ledgerline_json::DAMAGE) {
            return None;
        }
        let value = match kind {
            Kind::Phone => phone::normalise(raw, calling_code)?,
            Kind::Email => normalise_email(raw)?,
            Kind::Account => normalise_account(raw)?,
            Kind::ExternalContact | Kind::Agent => normalise_opaque(raw, is_uuid)?,
            Kind::MessagingAddress | Kind::LineageToken => normalise_opaque(raw, |_| false)?,
            Kind::PhoneHash | Kind::EmailHash | Kind::AccountHash | Kind::CustomerIdHash => {
                normalise_opaque(raw, is_hex)?
            }
        };
        Some(Self { kind, value: Personal::new(value) })
    }

    /// An address whose kind only its spelling tells, as messages carry them: an international phone number, an e-mail
    /// address, or else an address of the messaging service itself. A bare run of digits stays the service's own.
    pub fn from_address(raw: &str, calling_code: CallingCode) -> Option<Self> {
        let trimmed = raw.trim();
        if trimmed.starts_with('+') || phone::has_scheme(trimmed) {
            return Self::parse(Kind::Phone, trimmed, calling_code);
        }
        Self::parse(Kind::Email, trimmed, calling_code)
            .or_else(|| Self::parse(Kind::MessagingAddress, trimmed, calling_code))
    }

    /// What sort of identifier it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The normalised value: personal all the same.
    pub fn value(&self) -> &Personal {
        &self.value
    }
}

/// The address without display name, scheme and query, lower-cased character by character (not by context, as a final
/// sigma would be), or `None` if it is none.
fn normalise_email(raw: &str) -> Option<String> {
    let address = phone::inside_brackets(raw.trim());
    let address = phone::strip_prefix_ignoring_case(address, "mailto:").unwrap_or(address);
    let address = address.split('?').next().unwrap_or_default().trim().trim_end_matches('.');
    let (local, domain) = address.split_once('@')?;
    let fits = !local.is_empty() && !domain.is_empty() && address.len() <= MAX_EMAIL_BYTES;
    let plain = |part: &str| part.chars().all(|c| !c.is_whitespace() && !c.is_control() && !"@<>,;:\"".contains(c));
    (fits && plain(local) && plain(domain)).then(|| address.chars().flat_map(char::to_lowercase).collect())
}

/// The account number without any white space. Dashes and case stay: where they do tell accounts apart, dropping them
/// would show one customer's data to another.
fn normalise_account(raw: &str) -> Option<String> {
    let value: String = raw.chars().filter(|c| !c.is_whitespace()).collect();
    names_somebody(&value).then_some(value)
}

/// The value trimmed, and lower-cased if it is of a sort (a UUID, a hex digest) that has no case.
fn normalise_opaque(raw: &str, caseless: impl Fn(&str) -> bool) -> Option<String> {
    let value = raw.trim();
    if !names_somebody(value) {
        return None;
    }
    Some(if caseless(value) { value.to_ascii_lowercase() } else { value.to_owned() })
}

pub(crate) fn names_somebody(value: &str) -> bool {
    !value.is_empty()
        && value.len() <= MAX_OPAQUE_BYTES
        && !value.chars().any(char::is_control)
        && !phone::is_withheld(value)
        && value.bytes().any(|byte| byte != b'0')
        && !NO_VALUE.iter().any(|none| value.eq_ignore_ascii_case(none))
}

/// Whether the text is a UUID in its usual form, in any case.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// RFC 5321: a path is at most 256 octets with its angle brackets.
const MAX_EMAIL_BYTES: usize = 254;

/// Longer than every id or hash that we know of (a SHA-512 in hex has 128 characters), shorter than a text.
const MAX_OPAQUE_BYTES: usize = 512;

/// What systems write where they have nothing to write: words, and MD5, SHA-1, SHA-256 and SHA-512 of nothing.
const NO_VALUE: &[&str] = &[
    "null",
    "none",
    "nil",
    "undefined",
    "n/a",
    "-",
    "00000000-0000-0000-0000-000000000000",
    "d41d8cd98f00b204e9800998ecf8427e",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(kind: Kind, raw: &str) -> Option<String> {
        Identifier::parse(kind, raw, CallingCode::NANP).map(|id| id.value().expose_for_pseudonym().to_owned())
    }

    #[test]
    fn labels_are_stable_and_unambiguous() {
        let labels = Kind::ALL.map(Kind::label);
        let expected = [
            "phone",
            "email",
            "account",
            "external_contact",
            "messaging_address",
            "phone_hash",
            "email_hash",
            "account_hash",
            "customer_id_hash",
            "agent",
            "lineage_token",
        ];
        assert_eq!(labels, expected);
        for kind in Kind::ALL {
            assert!(!kind.label().contains('\u{1f}'));
        }
    }

    #[test]
    fn each_kind_has_one_spelling() {
        for (kind, raw, value) in [
            (Kind::Email, " Jane.Doe@Example.COM ", "jane.doe@example.com"),
            (Kind::Email, "mailto:jane.doe@example.com?subject=x", "jane.doe@example.com"),
            (Kind::Email, "MAILTO:Jane.Doe@example.com", "jane.doe@example.com"),
            (Kind::Email, "Jane Doe <jane.doe@example.com>", "jane.doe@example.com"),
            (Kind::Email, "jane.doe@example.com.", "jane.doe@example.com"),
            (Kind::Email, "ΑΣ@example.com", "ασ@example.com"),
            (Kind::Account, " 12 34\t56 ", "123456"),
            (Kind::Account, "ACC-0042", "ACC-0042"),
            (Kind::ExternalContact, " CD68E249-e098-5dc9-9073-5e6b8a2b8180", "cd68e249-e098-5dc9-9073-5e6b8a2b8180"),
            (Kind::ExternalContact, "Contact-7", "Contact-7"),
            (Kind::MessagingAddress, " U1234abcD ", "U1234abcD"),
            (Kind::PhoneHash, "AB01", "ab01"),
            (Kind::EmailHash, " AB01 ", "ab01"),
            (Kind::EmailHash, "mailto:AB01", "mailto:AB01"),
            (Kind::AccountHash, "B109F3BB", "b109f3bb"),
            (Kind::AccountHash, "acct-X1", "acct-X1"),
            (Kind::CustomerIdHash, "cust-X1", "cust-X1"),
            (Kind::Agent, "9BBAA26B-2E33-5109-94F8-F0E345FE703D", "9bbaa26b-2e33-5109-94f8-f0e345fe703d"),
            (Kind::Phone, "tel:+15555550142", "+15555550142"),
        ] {
            assert_eq!(parse(kind, raw).as_deref(), Some(value), "{kind} {raw}");
        }
    }

    #[test]
    fn what_names_nobody_is_no_identifier() {
        for kind in Kind::ALL {
            for raw in ["", "  ", "null", "anonymous", "unknown", "N/A", "-", "Restricted", "a\u{0}b", "0", "0000"] {
                assert_eq!(parse(kind, raw), None, "{kind} {raw:?}");
            }
        }
        for raw in ["@", "a@", "@b", "a b@c", "a@b@c", "jane", "a@b c", "a,b@c", &format!("{}@b", "a".repeat(300))] {
            assert_eq!(parse(Kind::Email, raw), None, "{raw}");
        }
        assert_eq!(parse(Kind::Account, &"9".repeat(MAX_OPAQUE_BYTES + 1)), None);
        assert_eq!(parse(Kind::ExternalContact, "00000000-0000-0000-0000-000000000000"), None);
    }

    #[test]
    fn an_address_is_what_its_spelling_says() {
        for (raw, kind) in [
            ("+15555550142", Some(Kind::Phone)),
            ("tel:+15555550142", Some(Kind::Phone)),
            ("Jane@example.com", Some(Kind::Email)),
            ("15555550142", Some(Kind::MessagingAddress)),
            ("U1234abcd", Some(Kind::MessagingAddress)),
            ("tel:anonymous", None),
            ("+12", None),
            ("", None),
        ] {
            assert_eq!(Identifier::from_address(raw, CallingCode::NANP).map(|id| id.kind()), kind, "{raw}");
        }
    }

    #[test]
    fn calling_codes_have_one_to_three_digits() {
        for (text, number) in [("1", 1), ("44", 44), ("353", 353)] {
            assert_eq!(text.parse::<CallingCode>().map(CallingCode::number), Ok(number));
        }
        for text in ["", "0", "01", "+1", "1234", "x", "-1", " 1"] {
            assert_eq!(text.parse::<CallingCode>(), Err(BadCallingCode), "{text}");
        }
    }

    #[test]
    fn debug_shows_the_kind_and_no_value() {
        let id = Identifier::parse(Kind::Email, "jane@example.com", CallingCode::NANP).unwrap();
        assert_eq!(format!("{id:?}"), "Identifier { kind: Email, value: *** }");
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(kind in 0..Kind::ALL.len(), raw in "\\PC{0,30}") {
            let kind = Kind::ALL[kind];
            if let Some(once) = parse(kind, &raw) {
                prop_assert_eq!(parse(kind, &once), Some(once));
            }
        }

        #[test]
        fn normalising_an_email_twice_changes_nothing(raw in "(mailto:|<| |)[A-Za-zİΣß.+<>]{1,9}@[A-Za-zİ.]{1,9}(\\?x|>|\\.| |)") {
            if let Some(once) = parse(Kind::Email, &raw) {
                prop_assert_eq!(parse(Kind::Email, &once), Some(once));
            }
        }
    }
}
