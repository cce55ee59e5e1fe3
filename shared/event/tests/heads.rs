//! The one pass and the adapters: whatever the pass says of a document, the adapter says, too, in whichever order the
//! document's members stand.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use ledgerline_event::document::{Fragment, parse, split};
use ledgerline_event::head::Head;
use ledgerline_event::{Context, adapt};
use proptest::prelude::*;

const CONTEXT: Context<'_> = Context { default_org: "default" };

/// A member as it is written.
type Member = (&'static str, &'static str);

/// What any layer of a document may say.
const SHARED: &[Member] = &[
    ("organizationId", "\"acme\""),
    ("orgId", "\"globex\""),
    ("org", "\"initech\""),
    ("tenantId", "\"hooli\""),
    ("conversationId", "\"c-1\""),
    ("interactionId", "\"c-2\""),
    ("entityType", "\"User\""),
    ("entityId", "\"e-1\""),
    ("entity", r#"{"id":"e-2"}"#),
    ("eventTime", "1772460000001"),
    ("occurredAt", "\"2026-03-02T14:00:02Z\""),
    ("timestamp", "\"2026-03-02T14:00:03Z\""),
    ("time", "\"2026-03-02T14:00:04Z\""),
    ("lineageToken", "\"0b7e1f4a-55aa-4c9e-8f10-2b1d3c4e5f60\""),
    ("lineage_token", "\"1c8f205b-66bb-4dae-9021-3c2e4d5f6071\""),
    ("attributes", r#"{"lineageToken":"1c8f205b-66bb-4dae-9021-3c2e4d5f6071"}"#),
    ("customFields", r#"{"lineage_token":"0b7e1f4a-55aa-4c9e-8f10-2b1d3c4e5f60"}"#),
    ("metadata", r#"{"lineageToken":"0b7e1f4a-55aa-4c9e-8f10-2b1d3c4e5f60","org":"umbrella"}"#),
    ("details", r#"{"lineageToken":"1c8f205b-66bb-4dae-9021-3c2e4d5f6071"}"#),
    ("source", "\"crm\""),
];

/// What it may say instead, to mislead.
const ODD: &[Member] = &[
    ("organizationId", "\"15555550177\""),
    ("organizationId", "12345678901234567890123"),
    ("orgId", "\"..\""),
    ("orgId", r#""glob\u0065x""#),
    ("org", "7"),
    ("tenantId", "null"),
    ("conversationId", "\"\""),
    ("conversationId", "\"n/a\""),
    ("conversationId", "null"),
    ("interactionId", "77"),
    ("interactionId", r#""c\u002d3""#),
    ("entityType", "\"Avery Quinn\""),
    ("entityId", "\"\""),
    ("occurredAt", "\"yesterday\""),
    ("timestamp", r#""2026-03-02T14\u003a00:03Z""#),
    ("time", "1.772460000005e12"),
    ("lineageToken", "\"Avery Quinn\""),
    ("payload", r#"{"conversationId":"c-4","orgId":"umbrella"}"#),
    ("data", r#"{"interactionId":"c-5"}"#),
    ("customFields", "{}"),
    ("topicName", "\"v2.audits.entitytype.{id}.entityid.e-9\""),
    ("topicName", "\"v2.detail.events.conversation.c-1.acw\""),
    ("aggregateId", "\"a-1\""),
    ("eventBody", "7"),
    ("detail", "{\"org\":\"umbrella\",\"time\":1772460000006}"),
];

/// What the outermost layer says beside.
const ENVELOPE: &[Member] = &[
    ("source", "\"aws.partner/genesys.com/cloud/partner/x\""),
    ("source", r#""aws.partner\/genesys.com\/cloud\/partner\/x""#),
    ("source", "\"aws.s3\""),
    ("source", r#""aws\u002es3""#),
    ("source", "\"aws.partnership\""),
    ("source", "7"),
    ("detail-type", "\"v2.audits.entitytype.{id}.entityid.{id}\""),
    ("detail-type", "\"v2.conversations.{id}.transcription\""),
    ("detail-type", "\"Object Created\""),
    ("detail-type", "null"),
];

/// An object of some of the members, no key twice, in any order.
fn object(members: &[Member], inner: Vec<(&'static str, BoxedStrategy<String>)>) -> BoxedStrategy<String> {
    let texts = members.iter().map(|(key, value)| (*key, (*value).to_owned())).collect::<Vec<_>>();
    let own = prop::sample::subsequence(texts, 0..=members.len().min(12));
    let inner = inner.into_iter().map(|(key, value)| proptest::option::of(value.prop_map(move |value| (key, value))));
    (own, inner.collect::<Vec<_>>())
        .prop_map(|(own, inner)| own.into_iter().chain(inner.into_iter().flatten()).collect::<Vec<_>>())
        .prop_shuffle()
        .prop_map(|members| {
            let mut seen = std::collections::BTreeSet::new();
            let members = members.into_iter().filter(|(key, _)| seen.insert(*key));
            let members: Vec<String> = members.map(|(key, value)| format!("\"{key}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        })
        .boxed()
}

fn document() -> impl Strategy<Value = String> {
    let odd: Vec<Member> = [SHARED, ODD, ENVELOPE].concat();
    let sensible: Vec<Member> = [SHARED, &ENVELOPE[6..7]].concat();
    prop_oneof![document_of(odd), document_of(SHARED.to_vec()), document_of(sensible)]
}

fn document_of(members: Vec<Member>) -> BoxedStrategy<String> {
    let stray = || Just("{\"org\":\"umbrella\"}".to_owned()).boxed();
    let body = || object(&members, vec![("auditEvent", stray())]);
    let detail = object(&members, vec![("eventBody", body())]);
    let either = object(&members, vec![("eventBody", body()), ("auditEvent", body())]);
    let audit = object(&members, vec![("auditEvent", body())]);
    let within = |inner: BoxedStrategy<String>| object(&members, vec![("detail", inner)]);
    prop_oneof![object(&members, vec![]), within(detail), within(audit.clone()), within(either.clone()), either, audit]
        .boxed()
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
    #![proptest_config(ProptestConfig::with_cases(2_000))]

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
    let flat = "\"orgId\":\"15555550177\",\"tenantId\":\"fourth\",\"conversationId\":\"c\",\"time\":1772460000001";
    assert_eq!(head_of(&format!("{{{flat}}}")).org(), Some("fourth"));
    assert!(assert_agreement(&format!("{{{flat}}}")).unwrap());
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
