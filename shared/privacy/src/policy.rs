//! The built-in masking policy, as data: which named values may be stored in clear, and what each must look like.
//!
//! Invariant: what is not known to be harmless is treated as personal. A value is stored in clear only if its name is
//! on the list *and* it looks as its kind must; everything else is masked, and only its name is kept. Interaction ids,
//! lineage tokens and an event's own times never come here: their callers keep them as they are.
//!
//! Left out on purpose: profiles other than the built-in one, and sealing of what is masked.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

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
    rules: &'static [(&'static str, Rule)],
    by_name: &'static LazyLock<HashMap<&'static str, &'static Rule>>,
}

/// What became of an event's fields.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Masked {
    /// The values that may be stored by canonical name, sorted, each name once.
    pub clear: Vec<(&'static str, Clear)>,
    /// The names of those that may not, sorted, each once.
    pub masked: Vec<&'static str>,
}

impl Policy {
    /// The policy that is built in.
    pub fn built_in() -> Self {
        Self { rules: RULES, by_name: &BY_NAME }
    }

    /// Whether the field's clear value is a pseudonym of a person: good for joining in silver, and for that very reason
    /// nothing for an entry, which must not be joinable to another by whom it is about.
    pub fn names_person(&self, name: &str) -> bool {
        matches!(self.by_name.get(name), Some(Rule::Pseudonym(_) | Rule::List(Rule::Pseudonym(_))))
    }

    /// Splits fields into what may be stored and the names of the rest. `null` is neither: it says nothing.
    pub fn mask<'v>(&self, key: &PseudonymKey, fields: impl IntoIterator<Item = (&'static str, &'v Value)>) -> Masked {
        let fields = fields.into_iter();
        let mut result = Masked { clear: Vec::with_capacity(fields.size_hint().0), masked: Vec::new() };
        for (name, value) in fields {
            match value {
                Value::Null => {}
                Value::String(text) => self.mask_one(key, name, Raw::Text(text), &mut result),
                other => self.mask_one(key, name, Raw::Json(other), &mut result),
            }
        }
        result
    }

    fn mask_one(&self, key: &PseudonymKey, name: &'static str, value: Raw<'_>, result: &mut Masked) {
        match self.rule(name).and_then(|rule| rule.clear(value, key)) {
            // Of two values of one name the later stays. A dozen names move faster in a vector than in a tree.
            Some(clear) => match result.clear.binary_search_by(|(known, _)| (*known).cmp(name)) {
                Ok(at) => result.clear[at].1 = clear,
                Err(at) => result.clear.insert(at, (name, clear)),
            },
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
        self.by_name.get(name).copied()
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

/// What may be said of a key that no adapter knows: the key itself if it is spelled as programs spell members, else `*`,
/// since it may be personal itself (a number, a sentence, a name). A name has a capital, a dot or a space: what begins in
/// lower case and has none of these is `agentSkills` or `agent_skills`. One that somebody wrote in small letters cannot
/// be told from a word; the keys of free-form maps, where such would stand, are never looked at.
pub fn plain_key(key: &str) -> &str {
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    let plain = key.len() <= MAX_KEY_BYTES
        && digits < MAX_KEY_DIGITS
        && key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
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

/// Nine digits, eleven and a half days: below every telephone number with its area code. What waits longer is masked.
const MAX_DURATION_MS: i64 = 999_999_999;

/// 2010-01-01 to 2100-01-01: 13 digits, one more than most numbers with their country code.
const PLAUSIBLE_MS: std::ops::Range<i64> = 1_262_304_000_000..4_102_444_800_000;

/// Longest list that is stored; the models' lists (skills, routing methods) have a handful.
const MAX_LIST: usize = 64;

/// The rules by name: every field of every event is looked up.
static BY_NAME: LazyLock<HashMap<&'static str, &'static Rule>> =
    LazyLock::new(|| RULES.iter().map(|(name, rule)| (*name, rule)).collect());

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
mod tests;
