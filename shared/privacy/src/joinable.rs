//! Refs: what stands in silver for a masked value, so that rows can be joined by it and by nothing else.
//!
//! Invariant: a ref is an HMAC-SHA-256 under a key that is derived from the newest pseudonym key for this alone. So nobody can
//! ask the access API for a person by a ref, values of two kinds never have one ref, and what names nobody has none.
//!
//! Left out on purpose: refs under older keys. After a rotation the same value has another ref, as agents have.

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::clear::Clear;
use crate::identifier::{self, Identifier, Kind};
use crate::phone;
use crate::pseudonym::{Label, MacKey, PseudonymKey, push_hex};

/// What a ref may stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joinable {
    /// A customer's telephone number.
    Phone,
    /// A customer's e-mail address.
    Email,
    /// A customer's account number.
    Account,
    /// A customer's name.
    Name,
    /// A payment provider's token for what a customer paid with.
    Payment,
}

impl Joinable {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Phone, Self::Email, Self::Account, Self::Name, Self::Payment];

    /// The stable label, which the HMAC covers.
    pub fn label(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Account => "account",
            Self::Name => "name",
            Self::Payment => "payment",
        }
    }

    /// Silver's column.
    pub fn column(self) -> &'static str {
        match self {
            Self::Phone => "phone_ref",
            Self::Email => "email_ref",
            Self::Account => "account_ref",
            Self::Name => "name_ref",
            Self::Payment => "payment_ref",
        }
    }

    /// What an identifier of this kind is here; `None` for those that have no column.
    fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Phone => Some(Self::Phone),
            Kind::Email => Some(Self::Email),
            Kind::Account => Some(Self::Account),
            _ => None,
        }
    }
}

/// Makes refs.
#[derive(Debug, Clone)]
pub struct JoinKey {
    prefix: String,
    mac: MacKey,
}

impl JoinKey {
    /// The key of this pseudonym key's version.
    pub fn derived_from(key: &PseudonymKey) -> Self {
        Self { prefix: format!("r{}_", key.version()), mac: key.derive(Label::JOINABLE) }
    }

    /// The column and ref of an identifier, if it is of a kind that has one.
    pub fn of_identifier(&self, identifier: &Identifier) -> Option<(&'static str, Clear)> {
        let what = Joinable::of(identifier.kind())?;
        Some((what.column(), self.of(what, identifier.value().expose_for_pseudonym())))
    }

    /// The ref of a customer's name or payment token as a source wrote it; `None` if it names nobody, or is of another kind: such
    /// values are identifiers.
    pub fn of_text(&self, what: Joinable, raw: &str) -> Option<Clear> {
        // Of a text that was damaged on its way nobody knows what it said.
        let raw = Some(raw).filter(|raw| !raw.contains(ledgerline_json::DAMAGE))?;
        let value = match what {
            Joinable::Name => normal_name(raw)?,
            Joinable::Payment => Some(raw.trim()).filter(|token| identifier::names_somebody(token))?.to_owned(),
            Joinable::Phone | Joinable::Email | Joinable::Account => return None,
        };
        Some(self.of(what, &value))
    }

    /// `r<version>_` + 64 hex digits of HMAC-SHA-256(derived key, label ‖ 0x1F ‖ normalised value).
    fn of(&self, what: Joinable, value: &str) -> Clear {
        let tag = self.mac.tag(&[what.label().as_bytes(), &[SEPARATOR], value.as_bytes()]);
        let mut text = String::with_capacity(self.prefix.len() + 64);
        text.push_str(&self.prefix);
        push_hex(&mut text, &tag);
        Clear::text(text)
    }
}

/// A name without white space around it, with one space for each run inside, in lower case (character by character, so that doing it
/// again changes nothing) and composed; `None` if it holds no letter, or only words that systems write for somebody whom they do not know.
fn normal_name(raw: &str) -> Option<String> {
    let words = raw.split_whitespace().collect::<Vec<_>>().join(" ");
    let name: String = words.chars().flat_map(char::to_lowercase).collect();
    let name = ComposingNormalizerBorrowed::new_nfc().normalize(&name).into_owned();
    let somebody = |word: &str| {
        let letters = word.trim_matches(|c: char| !c.is_alphanumeric());
        letters.chars().any(char::is_alphabetic) && !NOBODY.contains(&letters)
    };
    let fits = name.len() <= MAX_NAME_BYTES && !name.contains(char::is_control) && !phone::is_withheld(&name);
    (fits && name.split(' ').any(somebody)).then_some(name)
}

/// Words of which a name consists that is not one, such as `Unknown Caller` and `Guest user`.
const NOBODY: &[&str] = &[
    "a",
    "anonymous",
    "available",
    "blocked",
    "caller",
    "client",
    "contact",
    "customer",
    "default",
    "empty",
    "given",
    "guest",
    "id",
    "n",
    "n/a",
    "na",
    "name",
    "nil",
    "no",
    "none",
    "not",
    "null",
    "number",
    "provided",
    "restricted",
    "the",
    "unavailable",
    "undefined",
    "unidentified",
    "unknown",
    "user",
    "visitor",
    "wireless",
    "withheld",
];

/// Longer than any name, shorter than a text.
const MAX_NAME_BYTES: usize = 256;

/// Between label and value; no label holds it.
const SEPARATOR: u8 = 0x1F;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::Region;
    use proptest::prelude::*;

    fn key() -> PseudonymKey {
        let mut bytes = [0; 32];
        for (byte, value) in bytes.iter_mut().zip(0..) {
            *byte = value;
        }
        PseudonymKey::new(12, bytes)
    }

    fn of_identifier(kind: Kind, raw: &str) -> Option<(&'static str, String)> {
        let identifier = Identifier::parse(kind, raw, Region::US)?;
        let (column, clear) = JoinKey::derived_from(&key()).of_identifier(&identifier)?;
        Some((column, clear.as_text().unwrap().to_owned()))
    }

    fn of_text(what: Joinable, raw: &str) -> Option<String> {
        Some(JoinKey::derived_from(&key()).of_text(what, raw)?.as_text().unwrap().to_owned())
    }

    /// `hmac.new(hmac.new(bytes(range(32)), b"ledgerline/joinable/v1", "sha256").digest(), b"phone\x1f+15555550142", "sha256")`, and
    /// the same over `b"name\x1fjane doe"`.
    #[test]
    fn a_ref_is_an_hmac_under_a_derived_key() {
        let phone = "b907764caf116ad5b662f044d14226a7ab4f0a046ea83085f84e9181cb3c4097";
        let name = "0cade8c08350855d043d6d68ed6f1895bd901c1cf4450aa135f6333c786bc095";
        assert_eq!(of_identifier(Kind::Phone, "tel:+15555550142"), Some(("phone_ref", format!("r12_{phone}"))));
        assert_eq!(of_text(Joinable::Name, "Jane Doe"), Some(format!("r12_{name}")));
    }

    #[test]
    fn two_spellings_of_a_value_have_one_ref_and_two_kinds_of_it_two() {
        let spellings: [(Kind, &str, &str); 3] = [
            (Kind::Phone, "(555) 555-0142", "tel:+15555550142"),
            (Kind::Email, "Jane <JANE@example.com>", "mailto:jane@example.com"),
            (Kind::Account, "1234 5678", " 12345678"),
        ];
        for (kind, one, other) in spellings {
            assert!(of_identifier(kind, one).is_some(), "{kind}");
            assert_eq!(of_identifier(kind, one), of_identifier(kind, other), "{kind}");
        }
        for (one, other) in [("Jane  DOE ", "jane doe"), ("ÉMILIE\u{a0}ΑΣ", "émilie ασ"), ("İpek", "i\u{307}PEK")]
        {
            assert!(of_text(Joinable::Name, one).is_some(), "{one}");
            assert_eq!(of_text(Joinable::Name, one), of_text(Joinable::Name, other), "{one}");
        }
        assert_eq!(of_text(Joinable::Payment, " tok_A1"), of_text(Joinable::Payment, "tok_A1"));
        assert_ne!(of_text(Joinable::Payment, "tok_a1"), of_text(Joinable::Payment, "tok_A1"));
        assert_ne!(of_text(Joinable::Payment, "abcdefgh"), of_text(Joinable::Name, "abcdefgh"));
        let account = of_identifier(Kind::Account, "abcdefgh").map(|(_, text)| text);
        assert_ne!(account, of_text(Joinable::Payment, "abcdefgh"));
    }

    #[test]
    fn what_names_nobody_has_no_ref() {
        for raw in [
            "",
            "  ",
            "null",
            "Anonymous",
            "UNKNOWN caller",
            "Guest",
            "(unknown)",
            "N/A",
            "-",
            "no name",
            "+1 555 555 0142",
            "Private",
            "a\u{0}b",
            "Jane\u{fffd}d83d Doe",
        ] {
            assert_eq!(of_text(Joinable::Name, raw), None, "{raw:?}");
        }
        for raw in ["", " ", "null", "0000", "none", "-", "tok\u{0}"] {
            assert_eq!(of_text(Joinable::Payment, raw), None, "{raw:?}");
        }
        for name in ["Guest House Ltd", "Jane Unknown", "Null Island", "李", "O'Name"] {
            assert!(of_text(Joinable::Name, name).is_some(), "{name}");
        }
        assert_eq!(of_text(Joinable::Name, &"a ".repeat(200)), None);
        assert_eq!(of_text(Joinable::Phone, "+15555550142"), None, "an identifier's spelling is not read here");
        assert_eq!(of_identifier(Kind::ExternalContact, "c-1"), None, "no column");
    }

    #[test]
    fn labels_columns_and_debug() {
        for what in Joinable::ALL {
            assert_eq!(what.column(), format!("{}_ref", what.label()));
            assert!(!what.label().contains('\u{1f}'));
        }
        assert_eq!(format!("{:?}", JoinKey::derived_from(&key())), "JoinKey { prefix: \"r12_\", mac: MacKey(***) }");
    }

    proptest! {
        #[test]
        fn no_ref_contains_its_input_or_is_a_pseudonym(raw in "[0-9a-f]{7,64}|[a-zA-Z ]{7,30}|\\+1[2-9][0-9]{9}|[a-z]{1,9}@[a-z]{1,9}") {
            let identifiers = [Kind::Phone, Kind::Email, Kind::Account].map(|kind| of_identifier(kind, &raw).map(|(_, text)| text));
            let texts = [Joinable::Name, Joinable::Payment].map(|what| of_text(what, &raw));
            for text in identifiers.into_iter().chain(texts).flatten() {
                prop_assert!(!text.contains(raw.trim()) && !text.contains(&raw.trim().to_lowercase()));
                prop_assert!(crate::pseudonym::Pseudonym::parse(&text).is_none() && text.starts_with("r12_") && text.len() == 68);
                for kind in Kind::ALL {
                    if let Some(identifier) = Identifier::parse(kind, &raw, Region::US) {
                        let pseudonym = key().pseudonym(&identifier);
                        prop_assert_ne!(&pseudonym.as_str()[4..], &text[4..]);
                    }
                }
            }
        }

        #[test]
        fn normalising_a_name_twice_changes_nothing(raw in "\\PC{0,30}") {
            if let Some(once) = normal_name(&raw) {
                prop_assert_eq!(normal_name(&once), Some(once));
            }
        }
    }
}
