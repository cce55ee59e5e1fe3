//! The built-in masking policy, as data: which named values may be stored in clear, and what each must look like.
//!
//! Invariant: what is not known to be harmless is treated as personal. A value is stored in clear only if its name is
//! on the list *and* it looks as its kind must; everything else is masked, and only its name is kept. Interaction ids,
//! lineage tokens and an event's own times never come here: their callers keep them as they are.
//!
//! Left out on purpose: profiles other than the built-in one, and sealing of what is masked.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clear::Clear;
use crate::identifier::{CallingCode, Identifier, Kind, is_uuid};
use crate::pseudonym::PseudonymKey;
use crate::vocabulary as words;

/// The built-in policy's version, which every entry and silver row carries. Change it with any rule.
pub const VERSION: &str = "builtin-1";

/// A masking policy. For now there is one.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    // Sorted by name: looked up by binary search.
    rules: &'static [(&'static str, Rule)],
}

/// What became of an event's fields.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Masked {
    /// The values that may be stored, by canonical name.
    pub clear: BTreeMap<&'static str, Clear>,
    /// The names of those that may not, sorted, each once.
    pub masked: Vec<&'static str>,
}

impl Policy {
    /// The policy that is built in.
    pub fn built_in() -> Self {
        Self { rules: RULES }
    }

    /// Splits fields into what may be stored and the names of the rest. `null` is neither: it says nothing.
    pub fn mask<'v>(&self, key: &PseudonymKey, fields: impl IntoIterator<Item = (&'static str, &'v Value)>) -> Masked {
        let mut result = Masked::default();
        for (name, value) in fields {
            match value {
                Value::Null => {}
                Value::String(text) => self.mask_one(key, name, Raw::Text(text), &mut result),
                other => self.mask_one(key, name, Raw::Json(other), &mut result),
            }
        }
        result
    }

    /// Adds one more value, which its caller holds as a text.
    pub fn mask_text(&self, key: &PseudonymKey, name: &'static str, text: &str, result: &mut Masked) {
        self.mask_one(key, name, Raw::Text(text), result);
    }

    fn mask_one(&self, key: &PseudonymKey, name: &'static str, value: Raw<'_>, result: &mut Masked) {
        match self.rule(name).and_then(|rule| rule.clear(value, key)) {
            Some(clear) => {
                result.clear.insert(name, clear);
            }
            None => {
                if let Err(at) = result.masked.binary_search(&name) {
                    result.masked.insert(at, name);
                }
            }
        }
    }

    /// The names that have a rule, sorted.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.rules.iter().map(|(name, _)| *name)
    }

    /// SHA-256 over the version and every rule, 64 hex digits: equal hashes mean equal decisions.
    pub fn hash(&self) -> String {
        let mut text = String::from(VERSION);
        for (name, rule) in self.rules {
            // Writing into a String cannot fail.
            let _ = write!(text, "\n{name}={rule:?}");
        }
        let mut hash = String::with_capacity(64);
        for byte in Sha256::digest(text.as_bytes()) {
            let _ = write!(hash, "{byte:02x}");
        }
        hash
    }

    fn rule(&self, name: &str) -> Option<&'static Rule> {
        let at = self.rules.binary_search_by(|(rule_name, _)| rule_name.cmp(&name)).ok()?;
        Some(&self.rules[at].1)
    }
}

/// Whether the policy drops an event before it is claimed, counted as filtered. The built-in policy drops what AWS
/// services say about themselves on the bus: they are about no interaction. `source` is the event's source as its
/// adapter named it (`aws-service`) or as its envelope spells it (`aws.s3`); a partner's events are not AWS' own.
pub fn filters(source: &str, _topic: &str) -> bool {
    source == AWS_SERVICE || (source.starts_with("aws.") && !is_partner(source))
}

fn is_partner(source: &str) -> bool {
    source == "aws.partner" || source.starts_with("aws.partner/")
}

/// What may be said about fields that no adapter knows: their keys, if these look like plain words, and the JSON kind
/// of their values. A key that may itself be personal (a phone number, a sentence) becomes `*`.
pub fn describe_extra<'k>(
    unknown: impl IntoIterator<Item = (&'k str, &'static str)>,
) -> BTreeMap<String, &'static str> {
    unknown.into_iter().map(|(key, kind)| (plain_key(key).to_owned(), kind)).collect()
}

/// The key itself if it looks like a plain word, else `*`.
pub fn plain_key(key: &str) -> &str {
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    let plain = key.len() <= MAX_KEY_BYTES
        && digits < MAX_KEY_DIGITS
        && key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if plain { key } else { "*" }
}

/// What a value must look like to be stored in clear.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// A UUID; stored in lower case.
    Uuid,
    /// A UUID, or one of a few words.
    UuidOr(&'static [&'static str]),
    /// One of these words, in any case; stored as spelled here.
    Word(&'static [&'static str]),
    /// A whole number from 0 to [`MAX_COUNT`].
    Count,
    /// A whole number of milliseconds from 0 to [`MAX_DURATION_MS`].
    DurationMs,
    /// A time: epoch milliseconds or RFC 3339.
    Time,
    /// A flag.
    Bool,
    /// A version such as `7.0`.
    Version,
    /// An identifier of this kind: its pseudonym is stored.
    Pseudonym(Kind),
    /// A list of at most [`MAX_LIST`] items, each of which looks as this rule says.
    List(&'static Rule),
}

/// A value as its source sent it: a text, or anything else.
#[derive(Clone, Copy)]
enum Raw<'v> {
    Text(&'v str),
    Json(&'v Value),
}

impl<'v> Raw<'v> {
    fn of(value: &'v Value) -> Self {
        value.as_str().map_or(Self::Json(value), Self::Text)
    }

    fn text(self) -> Option<&'v str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Json(_) => None,
        }
    }
}

impl Rule {
    fn clear(&self, value: Raw<'_>, key: &PseudonymKey) -> Option<Clear> {
        match self {
            Self::Uuid => uuid(value.text()?),
            Self::UuidOr(list) => uuid(value.text()?).or_else(|| word(value.text()?, list)),
            Self::Word(list) => word(value.text()?, list),
            Self::Count => whole_number(value).filter(|n| (0..=MAX_COUNT).contains(n)).map(Clear::int),
            Self::DurationMs => whole_number(value).filter(|n| (0..=MAX_DURATION_MS).contains(n)).map(Clear::int),
            Self::Time => epoch_ms(value).filter(|ms| PLAUSIBLE_MS.contains(ms)).map(Clear::time),
            Self::Bool => flag(value).map(Clear::bool),
            Self::Version => version(value.text()?),
            Self::Pseudonym(kind) => {
                // No kind that a rule names is a phone, so the calling code plays no part.
                let identifier = Identifier::parse(*kind, value.text()?, CallingCode::NANP)?;
                Some(Clear::text(key.pseudonym(&identifier).as_str().to_owned()))
            }
            Self::List(rule) => {
                let Raw::Json(Value::Array(items)) = value else { return None };
                if items.len() > MAX_LIST {
                    return None;
                }
                items.iter().map(|item| rule.clear(Raw::of(item), key)).collect::<Option<Vec<_>>>().map(Clear::list)
            }
        }
    }
}

fn uuid(text: &str) -> Option<Clear> {
    is_uuid(text).then(|| Clear::text(text.to_ascii_lowercase()))
}

fn word(text: &str, list: &'static [&'static str]) -> Option<Clear> {
    list.iter().find(|word| word.eq_ignore_ascii_case(text)).map(|word| Clear::text(*word))
}

/// A whole number, also when it is written as `30000.0`; not a text of digits, which is how telephone numbers come.
fn whole_number(value: Raw<'_>) -> Option<i64> {
    match value {
        Raw::Json(Value::Number(number)) => number.as_i64().or_else(|| {
            let float = number.as_f64()?;
            // Exact below 2^53, far above every limit here.
            (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
        }),
        _ => None,
    }
}

fn epoch_ms(value: Raw<'_>) -> Option<i64> {
    match value {
        Raw::Json(Value::Number(number)) => number.as_i64(),
        Raw::Text(text) => {
            let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
            i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
        }
        Raw::Json(_) => None,
    }
}

fn flag(value: Raw<'_>) -> Option<bool> {
    match value {
        Raw::Json(Value::Bool(flag)) => Some(*flag),
        Raw::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Raw::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// One to three groups of one to four digits, six digits in all: too few for a telephone number.
fn version(text: &str) -> Option<Clear> {
    let groups_fit = text.split('.').count() <= 3
        && text.split('.').all(|group| (1..=4).contains(&group.len()) && group.bytes().all(|b| b.is_ascii_digit()));
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (groups_fit && digits <= 6).then(|| Clear::text(text.to_owned()))
}

/// Longest key that is shown. Keys of the sources' models have at most 40 characters.
const MAX_KEY_BYTES: usize = 64;

/// A key with as many digits may be a number that somebody has.
const MAX_KEY_DIGITS: usize = 5;

/// Six digits: below every telephone number, above every priority, position or attempt.
const MAX_COUNT: i64 = 999_999;

/// 400 days, as long as claims live: 400 × 86,400 × 1,000 ms. An e-mail may wait for months.
const MAX_DURATION_MS: i64 = 400 * 86_400 * 1_000;

/// 2000-01-01 to 2100-01-01. Epoch milliseconds of that span have 12 or 13 digits, and RFC 3339 four-digit years.
const PLAUSIBLE_MS: std::ops::Range<i64> = 946_684_800_000..4_102_444_800_000;

/// Longest list that is stored; the models' lists (skills, routing methods) have a handful.
const MAX_LIST: usize = 64;

/// The list. Sorted by name; the names are silver's columns, or a source's field in snake case.
const RULES: &[(&str, Rule)] = &[
    ("acd_outcome", Rule::Word(words::ACD_OUTCOME)),
    ("action", Rule::Word(words::ACTION)),
    ("agent_ref", Rule::Pseudonym(Kind::Agent)),
    ("alerting_duration_ms", Rule::DurationMs),
    ("answered_agent_ref", Rule::Pseudonym(Kind::Agent)),
    ("callback_duration_ms", Rule::DurationMs),
    ("callback_scheduled_time", Rule::Time),
    ("communication_id", Rule::Uuid),
    ("connected_duration_ms", Rule::DurationMs),
    ("consent_given", Rule::Bool),
    ("consent_marketing", Rule::Bool),
    ("consent_recording", Rule::Bool),
    ("contacting_duration_ms", Rule::DurationMs),
    ("dialing_duration_ms", Rule::DurationMs),
    ("direction", Rule::Word(words::DIRECTION)),
    ("disconnect_type", Rule::Word(words::DISCONNECT_TYPE)),
    ("division", Rule::Uuid),
    ("duration_ms", Rule::DurationMs),
    ("entity_type", Rule::Word(words::ENTITY_TYPE)),
    ("exit_reason", Rule::Word(words::EXIT_REASON)),
    ("flow_id", Rule::Uuid),
    ("flow_outcome", Rule::Word(words::FLOW_OUTCOME)),
    ("flow_outcome_end_time", Rule::Time),
    ("flow_outcome_id", Rule::Uuid),
    ("flow_outcome_start_time", Rule::Time),
    ("flow_type", Rule::Word(words::FLOW_TYPE)),
    ("flow_version", Rule::Version),
    ("held_duration_ms", Rule::DurationMs),
    ("interacting_duration_ms", Rule::DurationMs),
    ("media", Rule::Word(words::MEDIA)),
    ("message_type", Rule::Word(words::MESSAGE_TYPE)),
    ("organization_id", Rule::Uuid),
    ("outbound_campaign_id", Rule::Uuid),
    ("outbound_contact_list_id", Rule::Uuid),
    ("outcome", Rule::Word(words::OUTCOME)),
    ("participant_id", Rule::Uuid),
    ("participant_start_time", Rule::Time),
    ("pii_collected", Rule::Bool),
    ("provider", Rule::Word(words::PROVIDER)),
    ("queue_id", Rule::Uuid),
    ("requested_language_id", Rule::Uuid),
    ("requested_routing_agent_refs", Rule::List(&Rule::Pseudonym(Kind::Agent))),
    ("requested_routing_skill_ids", Rule::List(&Rule::Uuid)),
    ("requested_routings", Rule::List(&Rule::Word(words::ROUTING))),
    ("requested_skill_expression_ids", Rule::List(&Rule::Uuid)),
    ("resolution_source", Rule::Word(words::RESOLUTION_SOURCE)),
    ("routing_priority", Rule::Count),
    ("service_name", Rule::Word(words::SERVICE_NAME)),
    ("session_id", Rule::Uuid),
    ("session_start_time", Rule::Time),
    ("skill_expression_applied", Rule::Bool),
    ("speech_text_analytics_program_id", Rule::Uuid),
    ("started_at", Rule::Time),
    ("transcription_start_time", Rule::Time),
    ("transfer_type", Rule::Word(words::TRANSFER_TYPE)),
    ("used_routing", Rule::Word(words::ROUTING)),
    ("user_home_org_id", Rule::Uuid),
    ("voicemail_duration_ms", Rule::DurationMs),
    ("wrapup_code", Rule::UuidOr(words::WRAPUP_CODE)),
    ("wrapup_duration_ms", Rule::DurationMs),
];

/// What the event adapters call the source of an AWS service's own event.
const AWS_SERVICE: &str = "aws-service";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn key() -> PseudonymKey {
        PseudonymKey::new(3, [9; 32])
    }

    fn mask_one(name: &'static str, value: Value) -> Masked {
        Policy::built_in().mask(&key(), [(name, &value)])
    }

    fn clear_json(name: &'static str, value: Value) -> Option<Value> {
        let result = mask_one(name, value);
        assert_eq!(result.clear.len() + result.masked.len(), 1, "either clear or masked");
        result.clear.get(name).map(Clear::to_json)
    }

    #[test]
    fn rules_and_words_are_sorted_so_that_every_rule_is_found() {
        for pair in RULES.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{} {}", pair[0].0, pair[1].0);
        }
        for (name, rule) in RULES {
            if let Rule::Word(list) | Rule::UuidOr(list) = rule {
                assert!(list.iter().all(|word| !word.is_empty() && !word.contains('@')), "{name}");
            }
        }
    }

    #[test]
    fn clear_values_are_normalised() {
        for (name, value, stored) in [
            ("media", json!("voice"), json!("VOICE")),
            ("flow_type", json!("inqueuecall"), json!("INQUEUECALL")),
            ("provider", json!("Edge"), json!("Edge")),
            ("entity_type", json!("oauthclient"), json!("OAuthClient")),
            ("queue_id", json!("5169B6FA-0543-5428-8d60-2e3d7a1d2909"), json!("5169b6fa-0543-5428-8d60-2e3d7a1d2909")),
            ("wrapup_code", json!("inin-wrap-up-timeout"), json!("ININ-WRAP-UP-TIMEOUT")),
            ("held_duration_ms", json!(30000), json!(30000)),
            ("held_duration_ms", json!(30000.0), json!(30000)),
            ("routing_priority", json!(0), json!(0)),
            ("skill_expression_applied", json!(false), json!(false)),
            ("consent_given", json!("TRUE"), json!(true)),
            ("flow_version", json!("7.0"), json!("7.0")),
            ("started_at", json!(1_772_460_000_350_i64), json!("2026-03-02T14:00:00.350Z")),
            ("started_at", json!("2026-03-02T15:00:00.350999+01:00"), json!("2026-03-02T14:00:00.350Z")),
            ("requested_routings", json!(["Standard", "LAST"]), json!(["STANDARD", "LAST"])),
        ] {
            assert_eq!(clear_json(name, value.clone()), Some(stored), "{name} {value}");
        }
    }

    #[test]
    fn what_does_not_look_as_its_name_promises_is_masked() {
        for (name, value) in [
            ("media", json!("+15555550142")),
            ("media", json!("VOICE ")),
            ("media", json!("jane.doe@example.com")),
            ("media", json!(["VOICE"])),
            ("queue_id", json!("test-queue-id")),
            ("queue_id", json!("+15555550142")),
            ("queue_id", json!(5)),
            ("wrapup_code", json!("Jane asked for a refund")),
            ("held_duration_ms", json!(-1)),
            ("held_duration_ms", json!(0.5)),
            ("held_duration_ms", json!(MAX_DURATION_MS + 1)),
            ("held_duration_ms", json!("+15555550142")),
            ("held_duration_ms", json!("15555550142")),
            ("held_duration_ms", json!(u64::MAX)),
            ("routing_priority", json!(5_555_550)),
            ("skill_expression_applied", json!("yes")),
            ("flow_version", json!("5555550142")),
            ("flow_version", json!("555.555.0142")),
            ("flow_version", json!("7.")),
            ("started_at", json!(15_555_550_142_i64)),
            ("started_at", json!("yesterday")),
            ("agent_ref", json!("")),
            ("agent_ref", json!({"id": "x"})),
            ("requested_routing_skill_ids", json!(["5169b6fa-0543-5428-8d60-2e3d7a1d2909", "Jane"])),
            ("requested_routings", json!(vec!["LAST"; MAX_LIST + 1])),
        ] {
            let result = mask_one(name, value.clone());
            assert_eq!((result.clear.len(), result.masked), (0, vec![name]), "{name} {value}");
        }
    }

    #[test]
    fn a_name_without_a_rule_is_masked_whatever_its_value() {
        for value in [json!(1), json!("VOICE"), json!(true), json!({}), json!([])] {
            assert_eq!(mask_one("ani", value.clone()).masked, vec!["ani"]);
            assert_eq!(mask_one("wrapup_notes", value).masked, vec!["wrapup_notes"]);
        }
    }

    #[test]
    fn null_is_neither_clear_nor_masked() {
        assert_eq!(mask_one("ani", Value::Null), Masked::default());
        assert_eq!(mask_one("media", Value::Null), Masked::default());
    }

    #[test]
    fn masked_names_are_sorted_and_stand_once() {
        let value = json!("x");
        let fields = [("dnis", &value), ("ani", &value), ("dnis", &value), ("address_from", &value)];
        assert_eq!(Policy::built_in().mask(&key(), fields).masked, vec!["address_from", "ani", "dnis"]);
    }

    #[test]
    fn agents_are_stored_as_pseudonyms_whatever_their_spelling() {
        let upper = clear_json("agent_ref", json!("9BBAA26B-2E33-5109-94F8-F0E345FE703D"));
        let lower = clear_json("agent_ref", json!("9bbaa26b-2e33-5109-94f8-f0e345fe703d"));
        assert_eq!(upper, lower);
        assert!(lower.is_some_and(|text| text.as_str().is_some_and(|text| text.starts_with("p3_"))));
    }

    #[test]
    fn a_text_that_its_caller_holds_is_masked_alike() {
        let mut result = Masked::default();
        let id = "5169b6fa-0543-5428-8d60-2e3d7a1d2909";
        Policy::built_in().mask_text(&key(), "session_id", id, &mut result);
        Policy::built_in().mask_text(&key(), "participant_id", "+15555550142", &mut result);
        assert_eq!(result.clear.get("session_id").and_then(Clear::as_text), Some(id));
        assert_eq!(result.masked, vec!["participant_id"]);
    }

    #[test]
    fn keys_that_may_be_personal_become_a_star() {
        for plain in ["organizationId", "x-y.z_1", "a1234", &"k".repeat(64)] {
            assert_eq!(plain_key(plain), plain);
        }
        for other in ["", "1a", "+15555550142", "jane doe", "jane@example.com", "é", "tel15555550142", &"k".repeat(65)]
        {
            assert_eq!(plain_key(other), "*", "{other}");
        }
        let extra = describe_extra([("organizationId", "string"), ("Jane Doe", "number")]);
        assert_eq!(serde_json::to_string(&extra).unwrap(), r#"{"*":"number","organizationId":"string"}"#);
    }

    #[test]
    fn only_what_aws_says_about_itself_is_filtered() {
        for source in ["aws-service", "aws.s3", "aws.health", "aws.partnership"] {
            assert!(filters(source, "Object Created"), "{source}");
        }
        for source in ["aws.partner/genesys.com/cloud/org/suffix", "genesys-eventbridge", "awsome", "", "my.aws.s3"] {
            assert!(!filters(source, "v2.detail.events.conversation.{id}.acw"), "{source}");
        }
    }

    #[test]
    fn policy_hash_is_pinned_to_the_version() {
        // Whoever changes a rule or a vocabulary changes VERSION and this line in the same commit.
        assert_eq!(
            (VERSION, Policy::built_in().hash().as_str()),
            ("builtin-1", "e55d731aaae832155a74baa36f34fc14487979224a80836695ac366f3a5fdf07")
        );
    }

    proptest! {
        #[test]
        fn no_rule_lets_a_phone_an_email_or_a_sentence_through(
            rule in 0..RULES.len(),
            value in prop_oneof![
                "\\+?[1-9][0-9]{6,14}",
                "(tel|sip):\\+?[1-9][0-9]{6,14}",
                "[a-z]{1,8}\\.[a-z]{1,8}@[a-z]{1,8}\\.com",
                "[A-Z][a-z]{2,8} [A-Z][a-z]{2,8}",
            ],
        ) {
            let (name, rule) = RULES[rule];
            let result = mask_one(name, json!(value.clone()));
            match result.clear.get(name).map(Clear::to_json) {
                None => {}
                // A pseudonym replaces the value.
                Some(Value::String(text)) => prop_assert!(matches!(rule, Rule::Pseudonym(_)) && !text.contains(&value)),
                Some(other) => prop_assert!(false, "{name} {other}"),
            }
        }
    }
}
