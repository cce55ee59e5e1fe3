//! Sensitive authentication data (card verification values, PINs, track data, passwords) in known fields: found and
//! cut on bytes, before anything is stored.
//!
//! Invariant: what [`cut`] returns holds no value of a listed field, says where each stood, and nothing about what it
//! was: no length, no digest. The list of places is bounded ([`CUTS_MAX`], [`POINTER_BYTES_MAX`]) whatever the
//! document is; the cutting is not. A document without any is not copied. In bytes that are no JSON the search is
//! lexical and errs on the side of cutting too much.

use crate::scan::{Lexer, MAX_DEPTH, Text, unescape};

/// What kind of sensitive data a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SensitiveKind {
    /// A card verification value.
    CardVerification,
    /// A PIN or PIN block.
    Pin,
    /// The content of a magnetic stripe.
    Track,
    /// A password or pass phrase.
    Password,
}

impl SensitiveKind {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CardVerification => "card_verification",
            Self::Pin => "pin",
            Self::Track => "track",
            Self::Password => "password",
        }
    }
}

/// One value that was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The value's pointer (RFC 6901) in the document; empty for bytes that are no JSON. A longer one ends in `…` after
    /// at most [`POINTER_BYTES_MAX`] bytes; `…` alone stands for all cuts that the list has no room for.
    pub pointer: String,
    /// What kind of data stood there.
    pub kind: SensitiveKind,
}

/// Longest pointer that is kept: keys are the source's, and each of many cuts would repeat a long one.
pub const POINTER_BYTES_MAX: usize = 256;

/// Most cuts that are listed one by one. One more entry, of the last cut's kind, stands for all others.
pub const CUTS_MAX: usize = 64;

/// What ends a pointer that was cut short.
const ELLIPSIS: &str = "…";

/// The fields: names in lower case, letters and digits only.
const NAMES: [(&str, SensitiveKind); 47] = {
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
const KEY_BYTES_MAX: usize = 64;

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
    listed(key).or_else(|| listed(last)).or_else(|| ends_in_word(last))
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
fn is_named_value(key: &[u8]) -> bool {
    ["value", "values", "oldValue", "newValue", "oldValues", "newValues"]
        .iter()
        .any(|word| key.eq_ignore_ascii_case(word.as_bytes()))
}

/// Replaces the values of sensitive fields in a document by `null`. Only for documents that a pass found well-formed;
/// anything else is [`cut_garbage`]'s.
pub fn cut(document: &[u8]) -> (Vec<u8>, Vec<Cut>) {
    let mut finder =
        Finder { lexer: Lexer::new(document), pointer: Pointer::default(), found: Vec::new(), room: CUTS_MAX };
    if finder.lexer.after_space().is_err() || finder.value(0).is_none() {
        return cut_garbage(document);
    }
    replace(document, finder.found)
}

/// A value's bytes and what it is.
struct Found {
    start: usize,
    end: usize,
    kind: SensitiveKind,
    /// Where it stood; `None` once the list is full.
    pointer: Option<String>,
}

fn replace(bytes: &[u8], mut found: Vec<Found>) -> (Vec<u8>, Vec<Cut>) {
    found.sort_by_key(|value| (value.start, std::cmp::Reverse(value.end)));
    let mut out = Vec::with_capacity(bytes.len());
    let mut cuts = Vec::with_capacity(found.len().min(CUTS_MAX + 1));
    let mut unlisted = None;
    let mut copied = 0;
    for value in found {
        // A value inside one that is cut already is gone with it.
        if value.start < copied {
            continue;
        }
        out.extend_from_slice(&bytes[copied..value.start]);
        out.extend_from_slice(b"null");
        copied = value.end;
        match value.pointer {
            Some(pointer) if cuts.len() < CUTS_MAX => cuts.push(Cut { pointer, kind: value.kind }),
            _ => unlisted = Some(value.kind),
        }
    }
    cuts.extend(unlisted.map(|kind| Cut { pointer: ELLIPSIS.to_owned(), kind }));
    out.extend_from_slice(&bytes[copied..]);
    (out, cuts)
}

struct Finder<'a> {
    lexer: Lexer<'a>,
    pointer: Pointer,
    found: Vec<Found>,
    /// How many more pointers the list has room for.
    room: usize,
}

/// The pointer of the value that is being read, up to [`POINTER_BYTES_MAX`] bytes of it.
#[derive(Default)]
struct Pointer {
    text: String,
    /// Whether something is missing at the end.
    short: bool,
}

impl Pointer {
    /// What [`Self::back_to`] goes back to.
    fn mark(&self) -> (usize, bool) {
        (self.text.len(), self.short)
    }

    fn back_to(&mut self, (length, short): (usize, bool)) {
        self.text.truncate(length);
        self.short = short;
    }

    fn push(&mut self, key: &str) {
        self.push_character('/');
        for character in key.chars() {
            match character {
                '~' => "~0".chars().for_each(|c| self.push_character(c)),
                '/' => "~1".chars().for_each(|c| self.push_character(c)),
                other => self.push_character(other),
            }
            if self.short {
                return;
            }
        }
    }

    fn push_character(&mut self, character: char) {
        self.short |= self.text.len() + character.len_utf8() > POINTER_BYTES_MAX;
        if !self.short {
            self.text.push(character);
        }
    }

    fn to_text(&self) -> String {
        if self.short { [&self.text, ELLIPSIS].concat() } else { self.text.clone() }
    }
}

impl<'a> Finder<'a> {
    fn value(&mut self, depth: usize) -> Option<()> {
        match self.lexer.after_space().ok()? {
            b'"' => self.lexer.string().ok().map(|_| ()),
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b'-' | b'0'..=b'9' => self.lexer.number().ok().map(|_| ()),
            _ => self.lexer.literal().ok().map(|_| ()),
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.lexer.at += 1;
        let kept = self.pointer.mark();
        for index in 0.. {
            if self.lexer.after_space().ok()? == b']' {
                break;
            }
            self.pointer.push(&index.to_string());
            self.value(depth)?;
            self.pointer.back_to(kept);
            if self.lexer.after_space().ok()? == b',' {
                self.lexer.at += 1;
            }
        }
        self.lexer.at += 1;
        Some(())
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.lexer.at += 1;
        let kept = self.pointer.mark();
        let mut named = None;
        let mut siblings: Vec<(Text<'a>, usize, usize)> = Vec::new();
        while self.lexer.after_space().ok()? != b'}' {
            let key = self.lexer.string().ok()?;
            self.lexer.after_space().ok()?;
            self.lexer.at += 1;
            self.lexer.after_space().ok()?;
            let decoded = key.decode();
            self.pointer.push(&decoded);
            let start = self.lexer.at;
            self.value(depth)?;
            let end = self.lexer.at;
            self.note(kind_of_key(decoded.as_bytes()), start, end);
            if names_siblings(decoded.as_bytes()) && self.lexer.bytes[start] == b'"' {
                let content = unescape(&self.lexer.bytes[start + 1..end - 1]);
                named = named.or_else(|| kind_of_key(&content));
            }
            if is_named_value(decoded.as_bytes()) {
                siblings.push((key, start, end));
            }
            self.pointer.back_to(kept);
            if self.lexer.after_space().ok()? == b',' {
                self.lexer.at += 1;
            }
        }
        self.lexer.at += 1;
        for (key, start, end) in siblings {
            self.pointer.push(&key.decode());
            self.note(named, start, end);
            self.pointer.back_to(kept);
        }
        Some(())
    }

    /// Notes a value, unless it is `null`: there is nothing to cut, or it was cut before.
    fn note(&mut self, kind: Option<SensitiveKind>, start: usize, end: usize) {
        let Some(kind) = kind.filter(|_| &self.lexer.bytes[start..end] != b"null") else { return };
        // What was found inside this value goes with it, and its place in the list is free again.
        while let Some(inside) = self.found.pop_if(|found| found.start >= start && found.end <= end) {
            self.room += usize::from(inside.pointer.is_some());
        }
        let pointer = (self.room > 0).then(|| self.pointer.to_text());
        self.room -= usize::from(pointer.is_some());
        self.found.push(Found { start, end, kind, pointer });
    }
}

/// Replaces what follows a sensitive name and `:` or `=` in bytes that are no JSON, whatever the quotes: up to the
/// closing quote or bracket, or to the end where there is none.
pub fn cut_garbage(bytes: &[u8]) -> (Vec<u8>, Vec<Cut>) {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(ahead) = bytes[at..].iter().position(|byte| matches!(byte, b':' | b'=')) {
        let sign = at + ahead;
        at = sign + 1;
        let Some(kind) = name_before(&bytes[..sign]) else { continue };
        let (start, end) = value_after(bytes, sign + 1);
        if start < end && &bytes[start..end] != b"null" {
            found.push(Found { start, end, kind, pointer: Some(String::new()) });
        }
        at = end.max(at);
    }
    replace(bytes, found)
}

/// NUL counts as space, so that UTF-16 is searched, too.
fn is_gap(byte: u8) -> bool {
    byte <= b' '
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`' | b'\\')
}

/// The kind of the name that ends right before a `:` or `=`.
fn name_before(bytes: &[u8]) -> Option<SensitiveKind> {
    let window = &bytes[bytes.len().saturating_sub(2 * KEY_BYTES_MAX)..];
    let end = window.iter().rposition(|byte| !is_gap(*byte))? + 1;
    let (name, quoted) = match window[end - 1] {
        b'"' | b'\'' | b'`' => {
            let quote = window[end - 1];
            // An escaped quote, as in JSON within a string, belongs to the quote.
            let inside = window[..end - 1].strip_suffix(b"\\").unwrap_or(&window[..end - 1]);
            let start = inside.iter().rposition(|byte| *byte == quote).map_or(0, |quote| quote + 1);
            (&inside[start..], true)
        }
        _ => (&window[..end], false),
    };
    if quoted {
        return kind_of_key(&unescape(name));
    }
    let start = name.iter().rposition(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | 0)));
    let word = &name[start.map_or(0, |before| before + 1)..];
    // `card.cvv=`, `data-pin=`: the last part names the field, too.
    let last = word.rsplit(|byte| matches!(byte, b'.' | b'-')).next();
    kind_of_key(word).or_else(|| last.and_then(kind_of_key))
}

/// The range of the value that begins after a `:` or `=`.
fn value_after(bytes: &[u8], from: usize) -> (usize, usize) {
    let gap = bytes[from..].iter().take_while(|byte| is_gap(**byte)).count();
    let start = from + gap;
    let Some(&first) = bytes.get(start) else { return (start, start) };
    let end = match first {
        byte if is_quote(byte) => end_of_quoted(bytes, start),
        b'{' | b'[' => end_of_bracketed(bytes, start),
        _ => {
            let stop = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b'&' | b';' | b'\n' | b'\r' | b'"');
            start + bytes[start..].iter().position(stop).unwrap_or(bytes.len() - start)
        }
    };
    (start, end)
}

/// The position after the closing quote of the string at `start`, which may be `\"` within a string.
fn end_of_quoted(bytes: &[u8], start: usize) -> usize {
    let opening = bytes[start..].iter().take_while(|byte| **byte == b'\\').count();
    let Some(&quote) = bytes.get(start + opening) else { return bytes.len() };
    let mut at = start + opening + 1;
    let mut slashes = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'\\' => slashes += 1,
            // The closing quote bears as many backslashes as the opening one; more of them escape it.
            byte if byte == quote && (slashes == opening || (opening == 0 && slashes % 2 == 0)) => return at,
            _ => slashes = 0,
        }
    }
    bytes.len()
}

/// The position after the bracket that closes the one at `start`; strings inside are skipped.
fn end_of_bracketed(bytes: &[u8], start: usize) -> usize {
    let mut open = 0_usize;
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = end_of_quoted(bytes, at);
                continue;
            }
            b'{' | b'[' => open += 1,
            b'}' | b']' => {
                open -= 1;
                if open == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_text(document: &str) -> (String, Vec<(String, SensitiveKind)>) {
        let (bytes, cuts) = cut(document.as_bytes());
        let cuts = cuts.into_iter().map(|cut| (cut.pointer, cut.kind)).collect();
        (String::from_utf8(bytes).unwrap(), cuts)
    }

    #[test]
    fn listed_fields_are_cut_at_any_depth_and_whatever_their_value_is() {
        let (text, cuts) = cut_text(
            r#"{"a":{"Card CVV":"737"," CVV_2 ":12,"card":[{"track2":{"x":"4111"}},{"pin":["1",2]}]},"\u0070assword":"x","keep":"y"}"#,
        );
        assert_eq!(
            text,
            r#"{"a":{"Card CVV":null," CVV_2 ":null,"card":[{"track2":null},{"pin":null}]},"\u0070assword":null,"keep":"y"}"#
        );
        let pointers: Vec<&str> = cuts.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(pointers, ["/a/Card CVV", "/a/ CVV_2 ", "/a/card/0/track2", "/a/card/1/pin", "/password"]);
    }

    #[test]
    fn pointers_escape_as_rfc_6901_says() {
        let (_, cuts) = cut_text(r#"{"a/b":{"m~n":{"pwd":"x"}}}"#);
        assert_eq!(cuts[0].0, "/a~1b/m~0n/pwd");
    }

    #[test]
    fn a_long_key_over_many_cuts_is_not_repeated_and_every_value_is_cut() {
        let key = "ü~".repeat(100_000);
        let document = format!("{{\"{key}\":[{}]}}", vec![r#"{"cvv":"737"}"#; 60_000].join(","));
        let (kept, cuts) = cut(document.as_bytes());
        assert_eq!(cuts.len(), CUTS_MAX + 1);
        let bytes: usize = cuts.iter().map(|cut| cut.pointer.capacity()).sum();
        assert!(bytes <= (CUTS_MAX + 1) * (POINTER_BYTES_MAX + ELLIPSIS.len()), "{bytes}");
        assert!(cuts[..CUTS_MAX].iter().all(|cut| cut.pointer.starts_with("/ü~0ü~0") && cut.pointer.ends_with('…')));
        assert_eq!(cuts[CUTS_MAX], Cut { pointer: "…".to_owned(), kind: SensitiveKind::CardVerification });
        let text = String::from_utf8(kept).unwrap();
        assert!(!text.contains("737"));
        assert_eq!(text.matches(r#"{"cvv":null}"#).count(), 60_000);
        let (_, cuts) = cut_garbage("cvv=1,".repeat(1_000).as_bytes());
        assert_eq!((cuts.len(), cuts[CUTS_MAX].pointer.as_str()), (CUTS_MAX + 1, "…"));
    }

    #[test]
    fn what_goes_with_an_outer_value_takes_no_room_in_the_list() {
        let document = format!("{{\"pin\":[{}],\"cvv\":1}}", vec![r#"{"pwd":"x"}"#; 100].join(","));
        let (text, cuts) = cut_text(&document);
        assert_eq!(text, r#"{"pin":null,"cvv":null}"#);
        assert_eq!(cuts.iter().map(|(pointer, _)| pointer.as_str()).collect::<Vec<_>>(), ["/pin", "/cvv"]);
    }

    #[test]
    fn a_property_that_names_its_siblings_is_cut_wherever_the_name_stands() {
        for document in [
            r#"{"property":"password","oldValues":["a1"],"newValues":["b2"]}"#,
            r#"{"newValues":["b2"],"oldValues":["a1"],"property":"Pass\u0077ord"}"#,
            r#"{"name":"cvv","value":"b2"}"#,
            r#"{"Name":"card.cvv","VALUE":"b2"}"#,
        ] {
            let (text, cuts) = cut_text(document);
            assert!(!text.contains("a1") && !text.contains("b2"), "{text}");
            assert_eq!(cuts.len(), document.to_ascii_lowercase().matches("value").count(), "{document}");
        }
        let harmless = r#"{"property":"scopes","newValues":["users"]}"#;
        assert_eq!(cut_text(harmless), (harmless.to_owned(), vec![]));
    }

    #[test]
    fn cutting_twice_cuts_nothing_more() {
        let (once, _) = cut_text(r#"{"cvv":"1","outer":{"password":{"password":"x"}}}"#);
        assert_eq!(cut_text(&once), (once.clone(), vec![]));
    }

    #[test]
    fn similar_names_are_kept() {
        for key in
            ["pinned", "tracking", "securityLevel", "passengers", "carrier", "trackId", "shipping", "cvs", "newPin2"]
        {
            let document = format!("{{\"{key}\":\"kept\"}}");
            assert_eq!(cut_text(&document).0, document);
        }
    }

    #[test]
    fn the_last_word_of_a_name_counts() {
        for key in
            ["newPin", "card_pin", "PIN", "customerCvv", "CARD-CVV2", "dbpassword", "payment.track2", "x.cvc ", "a.pin"]
        {
            assert!(kind_of_key(key.as_bytes()).is_some() && may_be_sensitive(key.as_bytes()), "{key}");
            assert_eq!(cut_text(&format!("{{\"{key}\":1}}")).0, format!("{{\"{key}\":null}}"));
        }
        for key in ["shipping", "spin", "SPIN", "topin", "pin.code.id", "passwordless", "cvvs"] {
            assert_eq!(kind_of_key(key.as_bytes()), None, "{key}");
        }
    }

    #[test]
    fn every_listed_name_passes_the_quick_test() {
        for (name, _) in NAMES {
            assert!(may_be_sensitive(name.as_bytes()), "{name}");
            assert!(may_be_sensitive(name.to_ascii_uppercase().as_bytes()), "{name}");
            assert!(may_be_sensitive(format!(" {name}").as_bytes()), "{name}");
            assert!(may_be_sensitive(format!("{}_{}", &name[..1], &name[1..]).as_bytes()), "{name}");
        }
    }

    #[test]
    fn garbage_is_searched_whatever_its_quotes_and_brackets_are() {
        for garbage in [
            r#"{"a":1,"cvv":"SECRET"#,
            r#"{"cvv" : "SECRET\"SECRET", "b""#,
            r#"{'password': 'SECRET', x"#,
            "login?user=me&password=SECRET&x=1",
            r#"{"body":"{\"cvv\":\"SECRET\",\"b\":1}", "#,
            r#"{"track2":{"data":"SECRET}", "more":["SECRET"]}, ,"#,
            r#"{"track2":["SECRET", {"#,
            r#"{"cv\u0076":"SECRET" ]"#,
            r#"{"cvv":SECRET,"cvv":SECRET}"#,
            "card.cvv=SECRET; path=/",
            "{\"pin\"\n:\n\"SECRET\nSECRET",
        ] {
            let (kept, cuts) = cut_garbage(garbage.as_bytes());
            let text = String::from_utf8(kept).unwrap();
            assert!(!text.contains("SECRET"), "{garbage} became {text}");
            assert!(!cuts.is_empty(), "{garbage}");
        }
        let harmless = b"time: 12:30, tracking=4, {\"conversationId\": \"c\"";
        assert_eq!(cut_garbage(harmless), (harmless.to_vec(), vec![]));
    }

    #[test]
    fn utf_16_garbage_is_searched() {
        let wide: Vec<u8> = r#"{"cvv":"737","b":1}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let (kept, cuts) = cut_garbage(&wide);
        assert!(!kept.windows(2).any(|pair| pair == b"7\0"), "{kept:?}");
        assert_eq!(cuts.len(), 1);
    }
}
