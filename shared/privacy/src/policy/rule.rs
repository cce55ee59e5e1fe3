//! What a value must look like to be stored in clear: one rule, written as a text such as `uuid|phrase`.
//!
//! Invariant: a rule lets through what it describes and nothing else; no alternative lets a telephone number, a card
//! number, an address or a person's name through as it came.

use std::borrow::Cow;
use std::fmt;

use ledgerline_json::Json;

use crate::clear::Clear;
use crate::identifier::{Identifier, Kind, is_uuid};
use crate::instant;
use crate::pseudonym::PseudonymKey;
use crate::region::Region;
use crate::vocabulary::{self, Vocabulary};
use crate::words::is_phrase;

/// What a value must look like: one of some alternatives, the first that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule(Vec<Form>);

/// Why a text is not a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    /// No such form.
    #[error(
        "unknown rule {0:?}; known are uuid, phrase, word:<vocabulary>, count, whole:<most>, duration_ms, time, bool, version, \
         pseudonym:<kind of identifier> and list:<one of these>, joined by |"
    )]
    Unknown(String),
    /// No such vocabulary.
    #[error("unknown vocabulary {0:?}; known are {known}", known = vocabularies())]
    UnknownVocabulary(String),
    /// No such kind of identifier.
    #[error("unknown kind of identifier {0:?}; known are {known}", known = kinds())]
    UnknownKind(String),
    /// How a telephone number is read depends on the event's region, of which a rule knows nothing.
    #[error("pseudonym:phone cannot be a rule: a rule does not know the number's region")]
    Phone,
    /// Lists of lists are not stored.
    #[error("{0:?} is a list of lists")]
    NestedList(String),
}

/// One alternative.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// A UUID; stored in lower case.
    Uuid,
    /// Words of the word list, stored as they came.
    Phrase,
    /// One of a vocabulary's words, in any case; stored as spelled there.
    Word(&'static Vocabulary),
    /// A whole number from 0 to [`MAX_COUNT`].
    Count,
    /// A whole number from 0 to this, which is no more than [`MAX_COUNT`]; a text that is one, too.
    Whole(i64),
    /// A whole number of milliseconds from 0 to [`MAX_DURATION_MS`].
    DurationMs,
    /// A time.
    Time,
    /// A flag.
    Bool,
    /// A version such as `7.0`.
    Version,
    /// An identifier of this kind: its pseudonym is stored.
    Pseudonym(Kind),
    /// A list of at most [`MAX_LIST`] items, each of which looks as this says.
    List(Box<Form>),
}

/// A value as its source sent it: a text, or anything else.
#[derive(Clone, Copy)]
pub(super) enum Raw<'v> {
    Text(&'v str),
    Other(&'v Json<'v>),
}

impl Rule {
    /// Reads alternatives joined by `|`, such as `word:resolution_source|phrase`.
    ///
    /// # Errors
    /// If one is unknown; the error names it and what is known.
    pub fn parse(text: &str) -> Result<Self, BadRule> {
        text.split('|').map(Form::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether what it lets through may stand for a person.
    pub(super) fn names_person(&self) -> bool {
        self.0.iter().any(|form| matches!(form.item(), Form::Pseudonym(_)))
    }

    /// The vocabularies that it names, in its order.
    pub(super) fn vocabularies(&self) -> impl Iterator<Item = &'static Vocabulary> {
        self.0.iter().filter_map(|form| match form.item() {
            Form::Word(vocabulary) => Some(*vocabulary),
            _ => None,
        })
    }

    /// The value as it may be stored.
    pub(super) fn clear(&self, value: Raw<'_>, key: &PseudonymKey) -> Option<Clear> {
        self.0.iter().find_map(|form| form.clear(value, key))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, form) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("|")?;
            }
            form.fmt(f)?;
        }
        Ok(())
    }
}

impl Form {
    fn parse(text: &str) -> Result<Self, BadRule> {
        let known = Self::PLAIN.into_iter().find(|form| form.label() == text);
        match (known, text.split_once(':')) {
            (Some(form), _) => Ok(form),
            (None, Some(("word", name))) => {
                Vocabulary::of(name).map(Self::Word).ok_or_else(|| BadRule::UnknownVocabulary(name.to_owned()))
            }
            (None, Some(("pseudonym", label))) => match Kind::ALL.into_iter().find(|kind| kind.label() == label) {
                Some(Kind::Phone) => Err(BadRule::Phone),
                Some(kind) => Ok(Self::Pseudonym(kind)),
                None => Err(BadRule::UnknownKind(label.to_owned())),
            },
            (None, Some(("whole", most))) => match most.parse() {
                Ok(most @ 1..=MAX_COUNT) => Ok(Self::Whole(most)),
                _ => Err(BadRule::Unknown(text.to_owned())),
            },
            (None, Some(("list", item))) => match Self::parse(item)? {
                Self::List(_) => Err(BadRule::NestedList(text.to_owned())),
                item => Ok(Self::List(Box::new(item))),
            },
            (None, _) => Err(BadRule::Unknown(text.to_owned())),
        }
    }

    /// The forms whose label is all there is to them.
    const PLAIN: [Self; 7] =
        [Self::Uuid, Self::Phrase, Self::Count, Self::DurationMs, Self::Time, Self::Bool, Self::Version];

    fn label(&self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Phrase => "phrase",
            Self::Word(_) => "word",
            Self::Count => "count",
            Self::Whole(_) => "whole",
            Self::DurationMs => "duration_ms",
            Self::Time => "time",
            Self::Bool => "bool",
            Self::Version => "version",
            Self::Pseudonym(_) => "pseudonym",
            Self::List(_) => "list",
        }
    }

    /// What each item must look like, if it is a list; else the form itself.
    fn item(&self) -> &Self {
        match self {
            Self::List(item) => item,
            other => other,
        }
    }

    fn clear(&self, value: Raw<'_>, key: &PseudonymKey) -> Option<Clear> {
        match self {
            Self::Uuid => {
                let text = value.text()?;
                is_uuid(text).then(|| Clear::text(text.to_ascii_lowercase()))
            }
            Self::Phrase => value.text().filter(|text| is_phrase(text)).map(|text| Clear::text(text.to_owned())),
            Self::Word(vocabulary) => vocabulary.spelling(value.text()?).map(Clear::text),
            Self::Count => whole_number(value).filter(|n| (0..=MAX_COUNT).contains(n)).map(Clear::int),
            Self::Whole(most) => {
                let digits = value.text().filter(|text| (1..=MAX_DIGITS).contains(&text.len()));
                let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
                let number = whole_number(value).or_else(|| digits?.parse().ok());
                number.filter(|number| (0..=*most).contains(number)).map(Clear::int)
            }
            Self::DurationMs => whole_number(value).filter(|n| (0..=MAX_DURATION_MS).contains(n)).map(Clear::int),
            Self::Time => time(value).map(Clear::time),
            Self::Bool => flag(value).map(Clear::bool),
            Self::Version => version(value.text()?),
            Self::Pseudonym(kind) => {
                let number = || match value {
                    Raw::Other(Json::Number(number)) => number.as_whole().map(|whole| whole.to_string()),
                    _ => None,
                };
                let text = value.text().map(Cow::Borrowed).or_else(|| number().map(Cow::Owned))?;
                // No kind that a rule names is a phone, so the region plays no part.
                let identifier = Identifier::parse(*kind, &text, Region::US)?;
                Some(Clear::text(key.pseudonym(&identifier).as_str().to_owned()))
            }
            Self::List(form) => {
                let Raw::Other(Json::Array(items)) = value else { return None };
                if items.len() > MAX_LIST {
                    return None;
                }
                items.iter().map(|item| form.clear(Raw::of(item), key)).collect::<Option<Vec<_>>>().map(Clear::list)
            }
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())?;
        match self {
            Self::Word(vocabulary) => write!(f, ":{}", vocabulary.name),
            Self::Whole(most) => write!(f, ":{most}"),
            Self::Pseudonym(kind) => write!(f, ":{kind}"),
            Self::List(item) => write!(f, ":{item}"),
            _ => Ok(()),
        }
    }
}

impl<'v> Raw<'v> {
    pub(super) fn of(value: &'v Json<'v>) -> Self {
        value.as_str().map_or(Self::Other(value), Self::Text)
    }

    fn text(self) -> Option<&'v str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Other(_) => None,
        }
    }
}

/// A whole number, also when it is written as `30000.0`; not a text of digits, which is how telephone numbers come.
fn whole_number(value: Raw<'_>) -> Option<i64> {
    match value {
        Raw::Other(Json::Number(number)) => number.as_i64().or_else(|| {
            let float = number.as_f64();
            // Exact below 2^53, far above every limit here.
            (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
        }),
        _ => None,
    }
}

/// A time that is plausible, in any spelling that an event's own time may have. One that is written as a bare number must be told from
/// a telephone number and a card number, too: see [`SECONDS_BELOW`] and [`NUMBERS_BEFORE_MS`].
fn time(value: Raw<'_>) -> Option<i64> {
    let (ms, number) = match value {
        Raw::Text(text) => (instant::parse(text), bare_number(text)),
        Raw::Other(json @ Json::Number(number)) => (instant::parse_value(json), Some(number.as_f64())),
        Raw::Other(_) => return None,
    };
    let before_ms = match number {
        Some(number) if (SECONDS_BELOW..MILLISECONDS_FROM).contains(&number) => return None,
        Some(_) => NUMBERS_BEFORE_MS,
        None => PLAUSIBLE_MS.end,
    };
    ms.filter(|ms| (PLAUSIBLE_MS.start..before_ms).contains(ms))
}

/// The number that a text is, if it is written with digits and no signs of a date.
fn bare_number(text: &str) -> Option<f64> {
    let text = text.trim();
    text.bytes().all(|byte| byte.is_ascii_digit() || b"+.,eE".contains(&byte)).then(|| text.parse().unwrap_or(0.0))
}

fn flag(value: Raw<'_>) -> Option<bool> {
    match value {
        Raw::Other(Json::Bool(flag)) => Some(*flag),
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

fn vocabularies() -> String {
    vocabulary::ALL.iter().map(|vocabulary| vocabulary.name).collect::<Vec<_>>().join(", ")
}

fn kinds() -> String {
    Kind::ALL.iter().filter(|kind| **kind != Kind::Phone).map(|kind| kind.label()).collect::<Vec<_>>().join(", ")
}

/// Six digits: below every telephone number, above every priority, position or attempt.
pub(super) const MAX_COUNT: i64 = 999_999;

/// Its digits.
const MAX_DIGITS: usize = 6;

/// Nine digits, eleven and a half days: below every telephone number with its area code. What waits longer is masked.
pub(super) const MAX_DURATION_MS: i64 = 999_999_999;

/// 2010-01-01 to 2100-01-01.
const PLAUSIBLE_MS: std::ops::Range<i64> = 1_262_304_000_000..4_102_444_800_000;

/// A bare number of ten digits counts seconds. American telephone numbers have ten digits, too, and begin with 2 to 9: only what begins
/// with 1 is a time, up to May 2033. Some national numbers elsewhere begin with 1; one in a member that promises a time is read as one.
const SECONDS_BELOW: f64 = 2e9;
/// Where counts of milliseconds begin.
const MILLISECONDS_FROM: f64 = 1e11;

/// September 2039. A bare number of 13 digits before it begins with 12 to 21: the shortest calling code of which a number has 13
/// digits is 225 (2.25e12). The lowest 16-digit card, 2200…, is a later microsecond.
const NUMBERS_BEFORE_MS: i64 = 2_200_000_000_000;

/// Longest list that is stored; the models' lists (skills, routing methods) have a handful.
pub(super) const MAX_LIST: usize = 64;
