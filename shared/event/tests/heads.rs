//! The one pass and the adapters: whatever the pass says of a document, the adapter says, too, in whichever order the
//! document's members stand.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use ledgerline_event::document::{Fragment, parse, split};
use ledgerline_event::head::Head;
use ledgerline_event::{Context, adapt};
use proptest::prelude::*;
use serde_json::Value;

const CONTEXT: Context<'_> = Context { default_org: "default", numeric_id_sources: &[] };

/// A member as it is written: its key, in whichever spelling, and its value.
type Member = (String, String);

/// The description, read as a document: what is generated below is generated from it.
static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("builtin.toml");
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
});

/// All texts below a part of the description.
fn texts(part: &Value) -> Vec<String> {
    match part {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(members) => members.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// A name in its four spellings; of a path, its first part.
fn spelled(name: &str) -> Vec<String> {
    let name = name.trim_start_matches('=').split(['.', '[', '*']).next().unwrap_or_default();
    let mut words: Vec<String> = Vec::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() || words.is_empty() {
            words.push(String::new());
        }
        words.last_mut().unwrap().push(letter.to_ascii_lowercase());
    }
    let pascal =
        words.iter().map(|word| format!("{}{}", word[..1].to_ascii_uppercase(), &word[1..])).collect::<String>();
    let all = [name.to_owned(), words.join("_"), pascal, words.join("-")];
    all.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

/// Members of these names, in every spelling, with each of these values.
fn members(names: &[String], values: &[&str]) -> Vec<Member> {
    let keys = names.iter().flat_map(|name| spelled(name));
    keys.flat_map(|key| values.iter().map(move |value| (key.clone(), (*value).to_owned()))).collect()
}

const IDS: &[&str] = &["\"c-1\"", "\"c-2\"", "\"evt_1\"", "77"];
const TIMES: &[&str] =
    &["1772460000001", "\"2026-03-02T14:00:02Z\"", "\"20260302140003\"", "\"2026-03-02T14:00:04.5+0100\""];
const TOKENS: &[&str] = &["\"0b7e1f4a-55aa-4c9e-8f10-2b1d3c4e5f60\"", "\"lt-98765\""];
const ORGS: &[&str] = &["\"acme\"", "\"globex\""];
const WORDS: &[&str] = &["\"User\"", "\"Interaction\"", "\"CONTACT\"", "\"crm\""];
/// What misleads: values that are not what their name says.
const ODD: &[&str] = &[
    "null",
    "\"\"",
    "\" \"",
    "7",
    "true",
    "{}",
    "[]",
    "\"15555550177\"",
    "12345678901234567890123",
    "\"n/a\"",
    "\"..\"",
    "\"yesterday\"",
    "1.772460000005e12",
    "\"Avery Quinn\"",
    "\"20260302\"",
    "\"glob\\u0065x\"",
    "1772460000350123456",
    "{\"id\":\"e-2\"}",
    "{\"conversationId\":\"c-4\",\"orgId\":\"umbrella\"}",
    "[{\"caseId\":\"c-5\",\"endTime\":1772460000009}]",
    "{\"lineage_token\":\"1c8f205b-66bb-4dae-9021-3c2e4d5f6071\"}",
    "{\"lineageToken\":\"Avery Quinn\"}",
];

/// What any layer of a document may say: every name of the description.
static SHARED: LazyLock<Vec<Member>> = LazyLock::new(|| {
    let names = &DESCRIPTION["names"];
    let of = |name: &str| texts(&names[name]);
    let bags: Vec<String> = DESCRIPTION["bag"].as_array().unwrap().iter().flat_map(|bag| texts(&bag["key"])).collect();
    [
        members(&of("interaction"), IDS),
        members(&of("time"), TIMES),
        members(&of("token"), TOKENS),
        members(&of("org"), ORGS),
        members(&of("entity_type"), WORDS),
        members(&["entityId".to_owned()], IDS),
        members(&["entity".to_owned()], &["{\"id\":\"e-2\"}", "{\"Id\":\"e-3\"}"]),
        members(
            &bags,
            &["{\"lineageToken\":\"1c8f205b-66bb-4dae-9021-3c2e4d5f6071\"}", "{\"interaction_id\":\"c-6\"}"],
        ),
        members(&of("kind_word"), WORDS),
    ]
    .concat()
});

/// The members by which shapes are told, and the fields, with values of every kind.
static OTHERS: LazyLock<Vec<Member>> = LazyLock::new(|| {
    let shapes = DESCRIPTION["shape"].as_array().unwrap().iter();
    let of_shapes =
        shapes.flat_map(|shape| ["all", "any", "objects", "record", "native", "time"].map(|part| texts(&shape[part])));
    let layers = DESCRIPTION["layer"].as_array().unwrap().iter();
    let of_layers = layers.flat_map(|layer| ["key", "when", "needs"].map(|part| texts(&layer[part])));
    let of_fields = DESCRIPTION["field"].as_array().unwrap().iter().map(|field| texts(&field["from"]));
    let names: Vec<String> = of_shapes.chain(of_layers).chain(of_fields).flatten().collect();
    let flat = ["audit.interactionId", "audit.customerId", "audit.timestamp"]
        .map(|key| (key.to_owned(), "\"c-7\"".to_owned()));
    let topics = members(
        &["topicName".to_owned()],
        &["\"v2.audits.entitytype.{id}.entityid.e-9\"", "\"v2.detail.events.conversation.c-1.acw\""],
    );
    [members(&names, IDS), members(&names, &[TIMES[0], WORDS[2]]), topics, flat.to_vec()].concat()
});

/// What the outermost layer says beside.
static ENVELOPE: LazyLock<Vec<Member>> = LazyLock::new(|| {
    let source = [
        "\"aws.partner/genesys.com/cloud/partner/x\"",
        r#""aws.partner\/genesys.com\/cloud\/partner\/x""#,
        "\"aws.s3\"",
        r#""aws\u002es3""#,
        "\"aws.partnership\"",
        "7",
    ];
    let detail_type = [
        "\"v2.audits.entitytype.{id}.entityid.{id}\"",
        "\"v2.conversations.{id}.transcription\"",
        "\"Object Created\"",
        "null",
    ];
    let of = |key: &str, values: &[&str]| {
        values.iter().map(|value| (key.to_owned(), (*value).to_owned())).collect::<Vec<_>>()
    };
    [of("source", &source), of("detail-type", &detail_type)].concat()
});

/// An object of some of the members, no key twice, in any order.
fn object(members: &[Member], inner: Vec<(String, BoxedStrategy<String>)>) -> BoxedStrategy<String> {
    let own = prop::collection::vec(prop::sample::select(members.to_vec()), 0..12);
    let inner =
        inner.into_iter().map(|(key, value)| proptest::option::of(value.prop_map(move |value| (key.clone(), value))));
    (own, inner.collect::<Vec<_>>())
        .prop_map(|(own, inner)| own.into_iter().chain(inner.into_iter().flatten()).collect::<Vec<_>>())
        .prop_shuffle()
        .prop_map(|members| {
            let mut seen = BTreeSet::new();
            let members = members.into_iter().filter(|(key, _)| seen.insert(key.clone()));
            let members: Vec<String> = members.map(|(key, value)| format!("\"{key}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        })
        .boxed()
}

fn document() -> impl Strategy<Value = String> {
    let odd: Vec<Member> =
        SHARED.iter().flat_map(|(key, _)| ODD.iter().map(|value| (key.clone(), (*value).to_owned()))).collect();
    let plain = SHARED.clone();
    let few: Vec<Member> = plain.iter().filter(|(key, _)| key.contains('i')).cloned().collect();
    prop_oneof![
        document_of(plain.clone()),
        document_of([plain.clone(), ENVELOPE.clone()].concat()),
        document_of([few, OTHERS.iter().step_by(7).cloned().collect(), ENVELOPE.clone()].concat()),
        document_of([plain, odd, OTHERS.clone(), ENVELOPE.clone()].concat()),
    ]
}

/// Documents of every nesting of the description's layers, right and wrong ones, in any spelling of their keys.
fn document_of(members: Vec<Member>) -> BoxedStrategy<String> {
    let keys: Vec<String> =
        DESCRIPTION["layer"].as_array().unwrap().iter().flat_map(|layer| texts(&layer["key"])).collect();
    let spelled_one = |key: &str, at: usize| {
        let all = spelled(key);
        all[at % all.len()].clone()
    };
    let body = || object(&members, vec![("auditEvent".to_owned(), Just("{\"org\":\"umbrella\"}".to_owned()).boxed())]);
    let layer = |at: usize, spelling: usize| object(&members, vec![(spelled_one(&keys[at], spelling), body())]);
    let both = object(&members, vec![("eventBody".to_owned(), body()), ("auditEvent".to_owned(), body())]);
    let within = |inner: BoxedStrategy<String>| object(&members, vec![("detail".to_owned(), inner)]);
    let one = (1..keys.len(), 0..4_usize).prop_flat_map({
        let layers: Vec<Vec<BoxedStrategy<String>>> =
            (0..keys.len()).map(|at| (0..4).map(|spelling| layer(at, spelling)).collect()).collect();
        move |(at, spelling)| layers[at][spelling].clone()
    });
    let one = one.boxed();
    prop_oneof![object(&members, vec![]), within(one.clone()), within(both.clone()), both, one].boxed()
}

fn head_of(document: &str) -> Head<'_> {
    match split(document.as_bytes()).next() {
        Some(Fragment::Document(_, head)) => head,
        other => panic!("{other:?}"),
    }
}

/// What ingest does with a head: it is used where it names a family and a time.
fn assert_agreement(document: &str) -> Result<bool, TestCaseError> {
    let head = head_of(document);
    let (Some(family), Some(occurred_at_ms)) = (head.family(), head.occurred_at_ms()) else { return Ok(false) };
    let value = parse(document.as_bytes()).unwrap();
    let event = match adapt(&value, &CONTEXT) {
        Ok(event) => event,
        Err(reason) => return Err(TestCaseError::fail(format!("{document}: {reason}, but {head:?}"))),
    };
    let record = head.interaction().map(str::to_owned).or_else(|| head.entity()).unwrap_or_default();
    let token = head.lineage_token().map_or_else(|| ledgerline_event::lineage::derived_token(&record), str::to_owned);
    prop_assert_eq!(family, event.record.family(), "{}", document);
    prop_assert_eq!(record, event.record.id(), "{}", document);
    prop_assert_eq!(occurred_at_ms, event.occurred_at_ms, "{}", document);
    prop_assert_eq!(head.org().unwrap_or("default"), &event.org, "{}", document);
    prop_assert_eq!(token, event.lineage_token, "{}", document);
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn what_the_pass_says_the_adapter_says(document in document()) {
        assert_agreement(&document)?;
    }
}

/// All orders of the members.
fn orders(members: &[&str]) -> Vec<Vec<String>> {
    if members.is_empty() {
        return vec![vec![]];
    }
    let with_first = |at: usize| {
        let rest: Vec<&str> = members.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, member)| *member).collect();
        orders(&rest).into_iter().map(move |rest| [vec![members[at].to_owned()], rest].concat())
    };
    (0..members.len()).flat_map(with_first).collect()
}

#[test]
fn of_several_orgs_the_same_one_counts_in_every_order() {
    let names =
        ["\"organizationId\":\"first\"", "\"orgId\":\"second\"", "\"org\":\"third\"", "\"tenantId\":\"fourth\""];
    let enveloped = ["\"conversationId\":\"c\"", "\"source\":\"crm\"", "\"time\":1772460000001", "\"orgId\":\"far\""];
    for names in orders(&names) {
        let body = names.join(",");
        let flat = format!("{{{body},\"conversationId\":\"c\",\"time\":1772460000001}}");
        assert_eq!(head_of(&flat).org(), Some("first"), "{flat}");
        assert!(assert_agreement(&flat).unwrap(), "{flat}");
        for outer in orders(&enveloped) {
            let layers =
                format!("{{{},\"detail\":{{\"tenantId\":\"near\",\"eventBody\":{{{body}}}}}}}", outer.join(","));
            assert_eq!(head_of(&layers).org(), Some("first"), "{layers}");
            assert!(assert_agreement(&layers).unwrap(), "{layers}");
        }
    }
    // A better name that is no organisation's gives way, wherever it stands.
    for number in ["15555550177", "1-555-555-0177", "317.555.0142", "-5550177"] {
        let source = format!("\"source\":\"aws.partner/genesys.com/cloud/{number}/ledger\"");
        let orgs = format!("\"orgId\":\"{number}\",\"tenantId\":\"fourth\"");
        for members in [orgs.clone(), format!("{source},{orgs}")] {
            let flat = format!("{{{members},\"conversationId\":\"c\",\"time\":1772460000001}}");
            assert_eq!(head_of(&flat).org(), Some("fourth"), "{flat}");
            assert!(assert_agreement(&flat).unwrap(), "{flat}");
        }
    }
}

#[test]
fn an_aws_services_own_event_is_left_to_the_adapter_whatever_its_detail_names() {
    let members = [
        "\"source\":\"aws.connect\"",
        "\"time\":\"2026-03-02T14:00:00Z\"",
        "\"detail-type\":\"Contact\"",
        "\"detail\":{\"conversationId\":\"c-1\",\"interactionId\":\"c-2\"}",
    ];
    for members in orders(&members) {
        let document = format!("{{{}}}", members.join(","));
        assert_eq!(head_of(&document).family(), None, "{document}");
        let value = parse(document.as_bytes()).unwrap();
        let event = adapt(&value, &CONTEXT).unwrap();
        assert_eq!((event.source, event.record.family()), ("aws-service", "entity"));
    }
}

#[test]
fn the_pass_knows_what_sources_send() {
    let envelope = "\"source\":\"aws.partner/genesys.com/cloud/acme/x\",\"time\":\"2026-03-02T14:00:09Z\"";
    for (document, family) in [
        (
            format!(
                "{{{envelope},\"detail-type\":\"v2.detail.events.conversation.{{id}}.acw\",\"detail\":{{\"topicName\":\
            \"v2.detail.events.conversation.c.acw\",\"eventBody\":{{\"conversationId\":\"c\",\"eventTime\":1772460000001}}}}}}"
            ),
            "interaction",
        ),
        (
            format!(
                "{{{envelope},\"detail-type\":\"v2.audits.entitytype.{{id}}.entityid.{{id}}\",\"detail\":{{\"eventBody\":\
            {{\"entityType\":\"User\",\"entity\":{{\"id\":\"e\"}}}}}}}}"
            ),
            "entity",
        ),
        (
            "{\"auditEvent\":{\"entityType\":\"User\",\"entityId\":\"e\",\"timestamp\":1772460000001}}".to_owned(),
            "entity",
        ),
        ("{\"interactionId\":\"c\",\"timestamp\":1772460000001}".to_owned(), "interaction"),
    ] {
        assert_eq!(head_of(&document).family(), Some(family), "{document}");
        assert!(assert_agreement(&document).unwrap(), "{document}");
    }
}
