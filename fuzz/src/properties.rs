//! The properties, each over any bytes.

#![allow(clippy::panic, reason = "a property that does not hold panics")]

use std::borrow::Cow;

use ledgerline_capture::body::{self, ITEMS_MAX, Item, UNPACKED_BYTES};
use ledgerline_capture::signature::Signature;
use ledgerline_event::content_id::ContentId;
use ledgerline_event::document::{Fragment, parse, split};
use ledgerline_event::head::Head;
use ledgerline_event::sensitive::{self, CUTS_MAX};
use ledgerline_event::{Context, adapt, batch, content_id, lineage};
use ledgerline_json::Json;
use ledgerline_ledger::entry::{Block, Party, Sealed};
use ledgerline_sealed::unlisted::{EVENT_BYTES, POINTER_BYTES, Taker, VALUE_BYTES, Walk, holds_card_number};
use ledgerline_sealed::{Buffer, Member, PartyKey, Place, open};

const CONTEXT: Context<'_> = Context { default_org: "default", numeric_id_sources: &[] };

/// Every byte lies in exactly one fragment, in order, or is white space (a byte order mark between documents is); what is split off as
/// a document reads as one and splits into itself; what stands before a record, good or bad, changes nothing about it.
pub fn splitter(record: &[u8]) {
    let mut at = 0;
    for fragment in split(record) {
        let bytes = fragment.bytes();
        let start = bytes.as_ptr() as usize - record.as_ptr() as usize;
        assert!(start >= at, "a fragment begins at {start}, and the one before ends at {at}");
        assert!(is_space(&record[at..start]), "bytes {at} to {start} are lost");
        at = start + bytes.len();
        match fragment {
            Fragment::Document(bytes, head) => {
                assert!(parse(bytes).is_ok(), "a document that cannot be read");
                let again: Vec<Fragment<'_>> = split(bytes).collect();
                assert!(matches!(again[..], [Fragment::Document(same, _)] if same == bytes), "split again: {again:?}");
                if head.is_batch() {
                    elements(bytes);
                }
            }
            Fragment::Garbage(bytes, reason) => {
                assert!(parse(bytes).is_err(), "{reason}, but it can be read");
            }
        }
    }
    assert!(is_space(&record[at..]), "bytes from {at} on are lost");
    if !is_space(record) {
        behind(b"{\"z\":1}\n", record);
    }
    // After what cannot be read, reading goes on at a line that begins with a brace.
    if record.starts_with(b"{") {
        behind(b"x\n", record);
    }
}

/// Every item of a body is a document, or says why it is none, in places that white space around the body does not change; an element
/// of an array is what it is alone. What is no signature is none, whatever else it is.
pub fn capture(input: &[u8]) {
    let header = String::from_utf8_lossy(&input[..input.len().min(600)]);
    if let Some(signature) = Signature::parse(&header) {
        assert!(header.len() <= 512 && header.contains("v1="), "a signature of nothing");
        assert_eq!(signature.digest(input).len(), 64);
    }
    let Ok(body) = body::unpacked(Cow::Borrowed(input)) else { return };
    assert!(body.len() <= UNPACKED_BYTES.max(input.len()), "{} bytes of {}", body.len(), input.len());
    let Ok(items) = body::items(&body) else { return };
    assert!((1..=ITEMS_MAX).contains(&items.len()), "{} items", items.len());
    for item in &items {
        if let Item::Document(bytes) = item {
            assert!(parse(bytes).is_ok(), "a document that cannot be read");
        }
    }
    let around = [b"\n ".as_slice(), &*body, b" \n"].concat();
    assert!(body::items(&around).is_ok_and(|same| same == items), "white space around the body changes its items");
    // One alone may be an object around a list, and lists in lists are many.
    if body.trim_ascii().starts_with(b"{") && items.len() > 1 {
        return;
    }
    let documents: Vec<&[u8]> = items.iter().filter_map(document_of).collect();
    if documents.len() == items.len() {
        let array = [b"[".as_slice(), &documents.join(&b","[..]), b"]"].concat();
        let again = body::items(&array).unwrap_or_default();
        assert!(again.iter().filter_map(document_of).eq(documents), "as an array they are others");
    }
}

fn document_of<'i>(item: &'i Item<'_>) -> Option<&'i [u8]> {
    match item {
        Item::Document(bytes) => Some(bytes),
        Item::Bad(_) => None,
    }
}

/// A record behind one more fragment is that fragment and then the same ones.
fn behind(first: &[u8], record: &[u8]) {
    let both = [first, record].concat();
    let mut fragments = split(&both).map(told);
    assert_eq!(fragments.next().map(|(_, bytes)| bytes), Some(first.trim_ascii()));
    assert!(fragments.eq(split(record).map(told)), "behind {} it is another record", shown(first));
}

/// What a fragment is. Binary data at a record's start keeps what looks like white space before it, and nowhere else.
fn told(fragment: Fragment<'_>) -> (bool, &[u8]) {
    match fragment {
        Fragment::Document(bytes, _) => (true, bytes),
        Fragment::Garbage(bytes, _) => (false, without_space_before(bytes.trim_ascii())),
    }
}

fn without_space_before(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_prefix(b"\xEF\xBB\xBF") {
        bytes = rest.trim_ascii_start();
    }
    bytes
}

/// The documents of a batch are documents, as many and as long as it says.
fn elements(document: &[u8]) {
    let Some(batch) = batch::split(document) else { return };
    let (mut count, mut bytes) = (0, 0);
    for one in batch.documents() {
        assert!(parse(&one).is_ok(), "an element that cannot be read");
        count += 1;
        bytes += one.len();
    }
    assert_eq!((count, bytes), (batch.count(), batch.bytes()));
}

fn is_space(mut bytes: &[u8]) -> bool {
    const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
    loop {
        bytes = match bytes {
            [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] => rest,
            _ => match bytes.strip_prefix(BYTE_ORDER_MARK) {
                Some(rest) => rest,
                None => return bytes.is_empty(),
            },
        };
    }
}

/// Of every document: where the pass names a family and a time, the adapter names the same, and the same record, org and token.
pub fn byte_pass(record: &[u8]) {
    each_document(record, |bytes, head| {
        let (Some(family), Some(occurred_at_ms)) = (head.family(), head.occurred_at_ms()) else { return };
        let Ok(value) = parse(bytes) else { panic!("a document that cannot be read") };
        let event = adapt(&value, &CONTEXT).unwrap_or_else(|reason| panic!("{reason}, but {head:?}"));
        let id = head.interaction().map(str::to_owned).or_else(|| head.entity()).unwrap_or_default();
        let token = head.lineage_token().map_or_else(|| lineage::derived_token(&id), str::to_owned);
        assert_eq!(family, event.record.family());
        assert_eq!(id, event.record.id());
        assert_eq!(occurred_at_ms, event.occurred_at_ms);
        assert_eq!(head.org().unwrap_or(CONTEXT.default_org), &*event.org);
        assert_eq!(token, event.lineage_token);
    });
}

/// Every document is adapted or refused; white space between its parts and the order of its members change neither that nor its name.
/// What no description lists is where the event says.
pub fn adapters(record: &[u8]) {
    each_document(record, |bytes, _| {
        let name = named(bytes);
        assert_eq!(name, named(&with_spaces(bytes)), "white space changes it");
        assert_eq!(name, named(&members_reversed(bytes)), "the order of its members changes it");
    });
}

/// What names the event in a document; the refusal, if it is refused.
fn named(document: &[u8]) -> Result<ContentId, String> {
    let value = parse(document).map_err(|reason| reason.to_string())?;
    let event = adapt(&value, &CONTEXT).map_err(|reason| reason.to_string())?;
    assert!(!event.record.id().is_empty(), "a record without an id");
    // Of a hundred thousand members each would be looked for among all.
    for member in event.extra.iter().chain(&event.bags).take(64) {
        let found = event.path_to(member).try_fold(&value, |at, key| match at {
            Json::Array(items) => items.get(key.parse::<usize>().ok()?),
            other => other.as_object()?.get(key),
        });
        let path: Vec<&str> = event.path_to(member).collect();
        assert!(found.is_some_and(|found| std::ptr::eq(found, member.value)), "a member is elsewhere than at {path:?}");
    }
    Ok(content_id(&event, &value))
}

/// Of every document: what was cut of it is a document, has no sensitive value left, and loses nothing when it is cut again (unless a
/// string of it holds what only looks like JSON: that is searched by signs). What the pass takes for free of such values stays as it is.
pub fn cutter(record: &[u8]) {
    each_document(record, |bytes, head| {
        let (kept, cuts) = sensitive::cut(bytes);
        assert!(cuts.len() <= CUTS_MAX + 1, "{} cuts are listed", cuts.len());
        assert!(head.is_sensitive() || kept == bytes, "the pass found nothing, and something was cut");
        let Ok(value) = parse(&kept) else { panic!("what was cut cannot be read: {}", shown(&kept)) };
        assert_eq!(survivor(&value), None, "in {}", shown(&kept));
        assert!(is_searched_by_signs(&value) || sensitive::cut(&kept).0 == kept, "cut twice: {}", shown(&kept));
    });
}

/// The name of a sensitive member that has a value still, in the document or in JSON that a string of it holds.
fn survivor(value: &Json<'_>) -> Option<String> {
    match value {
        Json::Object(members) => members.iter().find_map(|(key, value)| {
            let holds = matches!(value, Json::Number(_)) || value.as_str().is_some_and(|text| !text.trim().is_empty());
            let left = sensitive::is_certain(key.as_bytes()) && holds;
            if left { Some(key.to_owned()) } else { survivor(value) }
        }),
        Json::Array(values) => values.iter().find_map(survivor),
        Json::String(text) => parse(text.as_bytes()).ok().and_then(|inner| survivor(&inner)),
        _ => None,
    }
}

/// Whether a string holds something like `name: value`, and no JSON that can be read.
fn is_searched_by_signs(value: &Json<'_>) -> bool {
    match value {
        Json::Object(members) => members.iter().any(|(_, value)| is_searched_by_signs(value)),
        Json::Array(values) => values.iter().any(is_searched_by_signs),
        Json::String(text) if text.contains([':', '=']) => {
            ledgerline_json::parse(text.as_bytes()).map_or(true, |inner| is_searched_by_signs(&inner))
        }
        _ => false,
    }
}

/// Bytes of any kind are cut without a panic: what is kept is the bytes around what was cut, in their order.
pub fn garbage(bytes: &[u8]) {
    let (kept, cuts) = sensitive::cut_garbage(bytes);
    assert!(cuts.len() <= CUTS_MAX + 1, "{} cuts are listed", cuts.len());
    assert!(kept == bytes || !cuts.is_empty(), "something is gone, and no cut says so");
    let mut rest = bytes;
    for part in parts(&kept) {
        let found = rest.windows(part.len().max(1)).position(|window| window == part || part.is_empty());
        let Some(at) = found else { panic!("{} was not there", shown(part)) };
        rest = &rest[at + part.len()..];
    }
}

/// What stands between the words that replace values.
fn parts(kept: &[u8]) -> Vec<&[u8]> {
    let (mut parts, mut from) = (Vec::new(), 0);
    while let Some(at) = kept[from..].windows(4).position(|window| window == b"null") {
        parts.push(&kept[from..from + at]);
        from += at + 4;
    }
    parts.push(&kept[from..]);
    parts.retain(|part| !part.is_empty());
    parts
}

/// Of every document: what a walk takes and its pointer are printable ASCII without a card's number, and four kibibytes together at most.
pub fn unlisted(record: &[u8]) {
    each_document(record, |bytes, _| {
        let Ok(value) = parse(bytes) else { panic!("a document that cannot be read") };
        let mut taken = Taken(0);
        Walk::new().through(["event"], &value, &mut taken);
        assert!(taken.0 <= EVENT_BYTES, "{} bytes of one event", taken.0);
    });
}

/// The bytes of what was taken.
struct Taken(usize);

impl Taker for Taken {
    fn is_out(&self, _: &str) -> bool {
        false
    }

    fn is_listed(&self, _: &str) -> bool {
        false
    }

    fn wants(&self, _: &Json<'_>) -> bool {
        true
    }

    fn take(&mut self, pointer: &str, value: &Json<'_>) {
        let text = match value {
            Json::String(text) => text,
            Json::Number(number) => number.lexeme(),
            Json::Bool(_) => "",
            other => panic!("{other:?} is no scalar"),
        };
        assert!(pointer.len() <= POINTER_BYTES && text.len() <= VALUE_BYTES, "{pointer} {text}");
        assert!(pointer.bytes().chain(text.bytes()).all(|byte| byte.is_ascii_graphic()), "{pointer} {text}");
        assert!(!holds_card_number(text) && !pointer.split('/').any(holds_card_number), "{pointer} {text}");
        self.0 += pointer.len() + text.len();
    }
}

/// Bytes of any kind are no block that opens, whatever entry says so; a document that is sealed opens as one value, or is told to be too
/// large.
pub fn sealed(record: &[u8]) {
    let key = PartyKey::of(&[7; 32]);
    let place = Place { deployment: "d-1", record: "acme/c-1", event_id: "00112233445566778899aabbccddeeff" };
    let text = Block { b: String::from_utf8_lossy(record).into_owned(), k: 0, p: Party::Joint };
    assert!(open(&text, key.id().as_str(), &place, &key).is_err(), "a block of any bytes opens");
    if let Ok(entry) = serde_json::from_slice::<Sealed>(record) {
        let is_good = entry.check().is_ok();
        for block in &entry.blocks {
            let id = entry.key_ids.get(block.k).map_or("", String::as_str);
            assert!(!is_good || !id.is_empty(), "a block's key id is nowhere");
            assert!(open(block, key.id().as_str(), &place, &key).is_err(), "somebody else's block opens");
        }
    }
    each_document(record, |bytes, _| {
        let Ok(value) = parse(bytes) else { panic!("a document that cannot be read") };
        let mut buffer = Buffer::new();
        let mut content = buffer.event(true, &[0; 32]);
        content.add_field(Party::Customer, "field", &value);
        let seals = content.seal(&place, &|bytes| bytes.fill(1), |_| PartyKey::of(&[7; 32]).into());
        assert_eq!(seals.sealed.check(), Ok(()));
        let [block] = &seals.sealed.blocks[..] else { panic!("a document in several blocks") };
        let opened = open(block, key.id().as_str(), &place, &key);
        let opened = opened.unwrap_or_else(|reason| panic!("{reason}: {}", shown(bytes)));
        let holds_it = opened.expose_for_owner().starts_with(r#"{"field":{"#);
        assert_eq!(seals.masked.is_empty(), holds_it, "{:?}", seals.masked);
        assert!(holds_it || seals.masked == [Member::Field("field")]);
    });
}

fn each_document(record: &[u8], check: impl Fn(&[u8], &Head<'_>)) {
    for fragment in split(record) {
        if let Fragment::Document(bytes, head) = fragment {
            check(bytes, &head);
        }
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The document with white space after each sign between its values.
fn with_spaces(document: &[u8]) -> Vec<u8> {
    let mut spaced = Vec::with_capacity(document.len() * 2);
    outside_strings(document, |byte, outside, _| {
        spaced.push(byte);
        if outside && matches!(byte, b'{' | b'[' | b',' | b':') {
            spaced.extend_from_slice(b"\r\n\t ");
        }
    });
    spaced
}

/// The document with its members, not those of its members, in the other order.
fn members_reversed(document: &[u8]) -> Vec<u8> {
    let mut members: Vec<Vec<u8>> = vec![Vec::new()];
    outside_strings(document, |byte, outside, depth| match (outside, depth, byte) {
        (true, 1, b',') => members.push(Vec::new()),
        (true, 1, b'{') | (true, 0, b'}') => {}
        (_, 0, _) => {}
        _ => {
            if let Some(member) = members.last_mut() {
                member.push(byte);
            }
        }
    });
    members.reverse();
    [b"{".as_slice(), &members.join(&b','), b"}"].concat()
}

/// Goes over a document's bytes: each with whether it lies outside of strings, and how many brackets are open once it is read.
fn outside_strings(document: &[u8], mut each: impl FnMut(u8, bool, usize)) {
    let (mut in_string, mut escaped, mut depth) = (false, false, 0_usize);
    for &byte in document {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = byte == b'\\' && !escaped;
            each(byte, false, depth);
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        each(byte, byte != b'"', depth);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_laid_out_otherwise_is_the_same_document() {
        let document = br#" {"a":[1,{"b":"}\","}],"c":{"d":2,"e":"x"},"f":"\\"}"#;
        let reversed = br#"{"f":"\\","c":{"d":2,"e":"x"},"a":[1,{"b":"}\","}]}"#;
        assert_eq!(shown(&members_reversed(document)), shown(reversed));
        assert_eq!(parse(&with_spaces(document)), parse(document));
        assert!(with_spaces(document).len() > document.len() + 20);
        assert_eq!(members_reversed(b"{}"), b"{}");
    }

    #[test]
    fn a_value_that_survived_is_found_in_a_string_too() {
        let in_string = serde_json::json!({ "a": ["{\"x\":{\"card_cvv\":737}}"] });
        let left = |value: &serde_json::Value| survivor(&ledgerline_json::parse(value.to_string().as_bytes()).unwrap());
        assert_eq!(left(&in_string).as_deref(), Some("card_cvv"));
        assert_eq!(left(&serde_json::json!({ "cvv": null, "shipping": "737" })), None);
    }

    #[test]
    fn lost_bytes_are_seen() {
        assert!(is_space(b" \xEF\xBB\xBF\n") && is_space(b""));
        assert!(!is_space(b"\xEF\xBB") && !is_space(b"\0"));
    }
}
