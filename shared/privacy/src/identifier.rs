//! Identifiers: what names a person at a source, normalised so that one thing has one spelling.
//!
//! Invariant: normalisation is idempotent, and a value that names nobody (withheld, malformed, too short, a digest of
//! nothing) is not an identifier at all. The rules are part of a pseudonym's version, see [`RULES`].

use std::fmt;

use crate::personal::Personal;
use crate::phone;
use crate::region::Region;

mod email;
mod nothing;

pub use nothing::is_full_digest;

/// The version of the rules by which identifiers are normalised. Whoever changes what any value is normalised to counts it
/// up: transform then makes a new version of the pseudonym key, so that no pseudonym ever stands for two normal forms, and
/// look-ups try them all.
pub const RULES: u32 = 2;

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

    /// The kind of this label.
    pub fn of_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.label() == label)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// A normalised identifier: the one input of pseudonyms.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identifier {
    kind: Kind,
    value: Personal,
}

/// An identifier as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Whom it names.
    pub identifier: Identifier,
    /// Only a region says which country's number it is.
    pub country_assumed: bool,
}

impl Identifier {
    /// Normalises a raw value; `None` when it names nobody. `region` is where phone numbers without their country belong to.
    pub fn parse(kind: Kind, raw: &str, region: Region) -> Option<Self> {
        Self::read(kind, raw, region).map(|read| read.identifier)
    }

    /// [`Identifier::parse`], and what was assumed on the way.
    pub fn read(kind: Kind, raw: &str, region: Region) -> Option<Read> {
        // Of a text that was damaged on its way nobody knows whom it named.
        if raw.contains(ledgerline_json::DAMAGE) {
            return None;
        }
        let mut country_assumed = false;
        let value = match kind {
            Kind::Phone => {
                let number = phone::normalise(raw, region)?;
                country_assumed = number.country_assumed;
                number.e164
            }
            Kind::Email => email::normalise(raw)?,
            Kind::Account => normalise_account(raw)?,
            Kind::ExternalContact | Kind::Agent => normalise_opaque(raw, is_uuid)?,
            Kind::MessagingAddress | Kind::LineageToken => normalise_opaque(raw, |_| false)?,
            Kind::PhoneHash | Kind::EmailHash | Kind::AccountHash | Kind::CustomerIdHash => {
                normalise_opaque(raw, |value| is_uuid(value) || (is_hex(value) && nothing::is_full_digest(value)))?
            }
        };
        Some(Read { identifier: Self { kind, value: Personal::new(value) }, country_assumed })
    }

    /// An address whose kind only its spelling tells, as messages carry them: an international phone number, an e-mail
    /// address, or else an address of the messaging service itself. A bare run of digits stays the service's own.
    pub fn from_address(raw: &str, region: Region) -> Option<Self> {
        let trimmed = raw.trim();
        if trimmed.starts_with('+') || phone::has_scheme(trimmed) {
            return Self::parse(Kind::Phone, trimmed, region);
        }
        Self::parse(Kind::Email, trimmed, region).or_else(|| Self::parse(Kind::MessagingAddress, trimmed, region))
    }

    /// The kind of an address that may be a telephone's or a mailbox: what its spelling tells, else `otherwise`, by what
    /// carried it. `None` if it is a telephone's word for a caller who is not shown, or many people's: a group, a broadcast.
    pub fn kind_of_address(raw: &str, otherwise: Kind) -> Option<Kind> {
        let visible = phone::visible(raw);
        let address = phone::inside_brackets(visible.trim())?;
        if address.starts_with('+') || phone::has_scheme(address) {
            return Some(Kind::Phone);
        }
        let Some((local, host)) = address.split_once('@') else { return Some(otherwise) };
        let host_is = |names: &[&str]| names.iter().any(|name| host.eq_ignore_ascii_case(name));
        if host_is(HOSTS_OF_MANY) {
            return None;
        }
        if host_is(HOSTS_OF_OPAQUE_IDS) {
            return Some(Kind::MessagingAddress);
        }
        if otherwise != Kind::Phone {
            return Some(Kind::Email);
        }
        // A telephone's address without its scheme.
        let nobody = phone::is_withheld(local)
            || phone::is_nobodys_host(host)
            || EXCHANGES.iter().any(|name| local.eq_ignore_ascii_case(name));
        let is_number = local.bytes().any(|byte| byte.is_ascii_digit())
            && local.bytes().all(|byte| byte.is_ascii_digit() || b"+-.() ".contains(&byte));
        (!nobody).then_some(if is_number || local.starts_with("%2") { Kind::Phone } else { Kind::Email })
    }

    /// The address of a service whose numbers begin with their country's code, with or without a plus: what
    /// [`Identifier::parse`] reads so whatever the region is.
    pub fn address_of_service(raw: &str) -> Option<String> {
        let visible = phone::visible(raw);
        let address = phone::inside_brackets(visible.trim())?;
        Some(if phone::has_scheme(address) { address.to_owned() } else { format!("whatsapp:{address}") })
    }

    /// Whether it is a name given upstream that is too short to be one customer's alone: a digest that was cut, such as
    /// `cust_hash_9f86d08`. Two customers may share it by chance, and anybody may find one who does.
    pub fn is_weak(&self) -> bool {
        let value = self.value.expose_for_pseudonym();
        let digits = value.rsplit(['_', '-', ':']).next().unwrap_or_default();
        let cut = digits.bytes().any(|b| b.is_ascii_digit())
            && digits.bytes().any(|b| b.is_ascii_alphabetic())
            && is_hex(digits);
        let whole = is_uuid(value) || nothing::is_full_digest(value) || nothing::is_full_digest(digits);
        match self.kind {
            Kind::PhoneHash | Kind::EmailHash | Kind::AccountHash => !whole,
            Kind::CustomerIdHash => !whole && (cut || value.to_ascii_lowercase().contains("hash")),
            _ => false,
        }
    }

    /// What the same person may be known by, too, and another may be: nothing of it was folded into this one.
    pub fn other_spelling(&self) -> Option<Self> {
        let other = match self.kind {
            Kind::Phone => phone::other_spelling(self.value.expose_for_pseudonym())?,
            _ => return None,
        };
        Some(Self { kind: self.kind, value: Personal::new(other) })
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
    value.len() <= MAX_OPAQUE_BYTES && !value.chars().any(char::is_control) && !nothing::is_nothing(value)
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

/// Hosts at which WhatsApp writes what many people read.
const HOSTS_OF_MANY: &[&str] = &["g.us", "broadcast", "newsletter"];

/// The host at which WhatsApp writes digits that are not a number, for people who hide theirs.
const HOSTS_OF_OPAQUE_IDS: &[&str] = &["lid"];

/// What telephone exchanges call themselves where they know no caller.
const EXCHANGES: &[&str] = &["asterisk", "freeswitch", "pbx", "trunk", "gateway"];

/// Longer than every id or hash that we know of (a SHA-512 in hex has 128 characters), shorter than a text.
const MAX_OPAQUE_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(kind: Kind, raw: &str) -> Option<String> {
        Identifier::parse(kind, raw, Region::US).map(|id| id.value().expose_for_pseudonym().to_owned())
    }

    #[test]
    fn an_address_of_many_or_of_an_exchange_is_nobodys() {
        for (raw, kind) in [
            ("14155550171@s.whatsapp.net", Some(Kind::Phone)),
            ("1-415-555-0171@edge.example", Some(Kind::Phone)),
            ("%2B14155550171@edge.example", Some(Kind::Phone)),
            ("jane.doe@example.com", Some(Kind::Email)),
            ("14155550171-1234567890@g.us", None),
            ("status@broadcast", None),
            ("491512345678901@lid", Some(Kind::MessagingAddress)),
            ("asterisk@sip.example.net", None),
        ] {
            assert_eq!(Identifier::kind_of_address(raw, Kind::Phone), kind, "{raw}");
        }
    }

    #[test]
    fn a_value_of_any_length_is_read_in_one_pass() {
        for kind in Kind::ALL {
            for part in
                ["<", ">", "(0)", "+", ";phone-context=+", "@", "0", "1", "/", "\"", "\u{301}", "xn--", ".", "ext"]
            {
                // A second look at what was looked at before would take hours.
                assert_eq!(parse(kind, &part.repeat(4 << 20)), None, "{kind} {part}");
            }
        }
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
            (Kind::Account, " 12 34\t56 ", "123456"),
            (Kind::Account, "ACC-0042", "ACC-0042"),
            (Kind::ExternalContact, " CD68E249-e098-5dc9-9073-5e6b8a2b8180", "cd68e249-e098-5dc9-9073-5e6b8a2b8180"),
            (Kind::ExternalContact, "Contact-7", "Contact-7"),
            (Kind::MessagingAddress, " U1234abcD ", "U1234abcD"),
            (Kind::PhoneHash, " D41D8CD98F00B204E9800998ECF8427F", "d41d8cd98f00b204e9800998ecf8427f"),
            // What is not a whole digest may be an id of a system that tells case apart.
            (Kind::EmailHash, " AB01 ", "AB01"),
            (Kind::EmailHash, "mailto:AB01", "mailto:AB01"),
            (Kind::CustomerIdHash, "001D000000ABcdE", "001D000000ABcdE"),
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
            assert_eq!(Identifier::from_address(raw, Region::US).map(|id| id.kind()), kind, "{raw}");
        }
    }

    #[test]
    fn digests_of_nothing_name_nobody_whatever_they_stand_for() {
        let of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for kind in [
            Kind::PhoneHash,
            Kind::EmailHash,
            Kind::AccountHash,
            Kind::CustomerIdHash,
            Kind::Account,
            Kind::ExternalContact,
        ] {
            assert_eq!(parse(kind, of_nothing), None, "{kind}");
            assert_eq!(parse(kind, &of_nothing.to_uppercase()), None, "{kind}");
            let other = format!("f{}", &of_nothing[1..]);
            assert_eq!(parse(kind, &other), Some(other), "{kind}");
        }
    }

    #[test]
    fn a_name_given_upstream_is_weak_if_others_may_have_it() {
        let whole = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let weak = |kind, raw: &str| Identifier::parse(kind, raw, Region::US).unwrap().is_weak();
        for raw in ["cust_hash_9f86d08", "9f86d08", "hash-A1", "cust_9f86d081"] {
            assert!(weak(Kind::CustomerIdHash, raw), "{raw}");
        }
        for raw in [
            whole,
            &format!("cust_hash_{whole}"),
            "CRM-10023",
            "10023",
            "cd68e249-e098-5dc9-9073-5e6b8a2b8180",
            "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",
        ] {
            assert!(!weak(Kind::CustomerIdHash, raw), "{raw}");
        }
        for kind in [Kind::PhoneHash, Kind::EmailHash, Kind::AccountHash] {
            assert!(weak(kind, "ab01") && !weak(kind, whole), "{kind}");
        }
        assert!(!weak(Kind::Account, "9f86d08") && !weak(Kind::Phone, "+15555550142"));
    }

    #[test]
    fn debug_shows_the_kind_and_no_value() {
        let id = Identifier::parse(Kind::Email, "jane@example.com", Region::US).unwrap();
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
    }
}
