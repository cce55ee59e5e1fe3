//! Silver's rows, as transform and the eraser leave them, and what a log makes of them.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledgerline_privacy::{Clear, FieldRule, Policy, PseudonymKey, Rule, Side, Store};
use serde_json::{Value, json};

use super::*;
use crate::ids::ObjectId;
use crate::silver::{ERASED, Row, SilverWriter};

/// Everything of a row that tells of its customer, and stands in no log.
const PLANTED: [&str; 6] =
    ["c_planted", "p1_lineage", "planted-tier", "planted-product", "planted-owner", "planted-token"];

fn fields() -> Vec<(&'static str, Clear)> {
    let rules = [
        ("acd_outcome", "word:acd_outcome"),
        ("agent_ref", "pseudonym:agent"),
        ("consent_given", "bool"),
        ("media", "word:media"),
        ("queue_id", "uuid|phrase"),
        ("session_id", "uuid"),
        ("wrapup_duration_ms", "duration_ms"),
    ];
    let rule = |(name, rule)| FieldRule {
        name,
        store: Store::Silver,
        rule: Some(Rule::parse(rule).unwrap()),
        side: Side::Centre,
    };
    let policy = Policy::new("test-1", rules.map(rule)).unwrap();
    let said = [
        ("acd_outcome", json!("ANSWERED")),
        ("agent_ref", json!("9bbaa26b-2e33-5109-94f8-f0e345fe703d")),
        ("consent_given", json!(true)),
        ("media", json!("VOICE")),
        ("queue_id", json!("5169b6fa-0543-5428-8d60-2e3d7a1d2909")),
        ("session_id", json!("4c7ab29e-0f03-51b9-8a86-cbb493eedfd5")),
        ("wrapup_duration_ms", json!(15_000)),
    ];
    let texts: Vec<(&'static str, String)> =
        said.iter().map(|(name, value)| (*name, Value::to_string(value))).collect();
    let trees: Vec<_> =
        texts.iter().map(|(name, text)| (*name, ledgerline_json::parse(text.as_bytes()).unwrap())).collect();
    policy.mask(&PseudonymKey::new(1, [7; 32]), trees.iter().map(|(name, tree)| (*name, tree))).clear
}

/// A file of three rows: of a customer, the same one erased, and of an entity.
fn file() -> Bytes {
    let (fields, extra) = (fields(), BTreeMap::from([("planted-key".to_owned(), "string")]));
    let mut writer = SilverWriter::new(ObjectId::of("bucket", "bronze/x")).unwrap();
    let row = Row {
        org: "acme",
        event_id: "c017ca9349716df434f7ea50dde47c16",
        interaction_id: Some("c-1"),
        entity_type: None,
        entity_id: None,
        source: "genesys-eventbridge",
        topic: "t",
        schema_version: "2",
        event_type: "acd.end",
        activity: "Answered from queue",
        lifecycle: Some("complete"),
        occurred_at_ms: LATE_MS,
        time_from_envelope: false,
        zone_assumed: false,
        country_assumed: false,
        flaws: None,
        sequence: Some(-4),
        event_rank: 48,
        ingested_at_ms: None,
        processed_at_ms: None,
        customer_ref: Some(PLANTED[0]),
        crm_tier: Some(PLANTED[2]),
        crm_product: Some(PLANTED[3]),
        crm_owner: Some(PLANTED[4]),
        outcome_map: None,
        fields: &fields,
        masked: &["planted-name"],
        policy_version: "test-1",
        lineage_token: PLANTED[5],
        lineage_from: "source",
        lineage_ref: Some(PLANTED[1]),
        lineage_derived: None,
        erased: false,
        lineage_provenance: "{\"planted-provenance\":1}",
        bronze_line: 0,
        extra: &extra,
    };
    let erased = Row { event_id: "d017ca9349716df434f7ea50dde47c16", interaction_id: Some("c-2"), erased: true, ..row };
    let entity = Row { interaction_id: None, entity_type: Some("Queue"), entity_id: Some("q"), ..row };
    let other = Row { org: "beta", interaction_id: Some("c-3"), ..row };
    for row in [row, erased, entity, other] {
        writer.push(&row).unwrap();
    }
    writer.finish().unwrap().remove(0).parquet
}

fn read(parquet: &Bytes) -> Vec<Event> {
    let mut events = Vec::new();
    read_events(parquet, "acme", &mut |event| events.push(event)).unwrap();
    events
}

#[test]
fn rows_of_the_organisations_conversations_are_read_as_they_were_written() {
    let events = read(&file());
    assert_eq!(events.iter().map(|event| event.case.as_str()).collect::<Vec<_>>(), ["c-1", "c-2"]);
    let event = &events[0];
    assert_eq!((event.at_ms, event.sequence, event.rank), (LATE_MS, Some(-4), 48));
    assert_eq!((event.kind.as_str(), event.activity.as_str()), ("acd.end", "Answered from queue"));
    assert_eq!((event.acd_outcome.as_deref(), event.wrapup_ms), (Some("ANSWERED"), Some(15_000)));
    assert_eq!(event.leg.as_deref(), Some("4c7ab29e-0f03-51b9-8a86-cbb493eedfd5"));
    assert!(event.agent.as_deref().is_some_and(|agent| agent.starts_with("p1_")));
    assert_eq!(event.customer.as_deref(), Some(PLANTED[0]));
    assert_eq!((&event.flow, &event.outcome), (&None, &None));
    assert_eq!(serde_json::from_str::<Event>(&serde_json::to_string(event).unwrap()).unwrap(), *event);
}

#[test]
fn what_an_erasure_takes_is_in_no_log_and_the_rest_of_the_row_is() {
    let events = read(&file());
    assert_eq!(
        events[1],
        Event { customer: None, case: "c-2".to_owned(), id: events[1].id.clone(), ..events[0].clone() }
    );
    for (view, customers) in
        [View::Milestones, View::Intervals].into_iter().flat_map(|view| [(view, false), (view, true)])
    {
        let people = People::new(None, customers);
        let cases = [case(vec![events[1].clone()])];
        for (form, text) in written(view, &people, &cases).iter().enumerate() {
            assert!(
                PLANTED.iter().chain(&["planted-"]).all(|planted| !text.contains(planted)),
                "{view:?} {form}: {text}"
            );
        }
        assert!(written(view, &people, &cases)[0].contains("5169b6fa-0543-5428-8d60-2e3d7a1d2909"), "the queue stays");
        // Of whom nothing was erased no more than the random name is told, and only where that is asked for.
        let cases = [case(vec![events[0].clone()])];
        for (form, text) in written(view, &people, &cases).iter().enumerate() {
            let is_named = text.contains(PLANTED[0]);
            // The tables of events and of resources name no customers.
            assert_eq!(is_named, customers && ![2, 4].contains(&form), "{view:?} {form}");
            assert!(PLANTED[1..].iter().all(|planted| !text.contains(planted)), "{view:?} {form}");
        }
    }
}

/// So that no new column of a person's gets into a log unseen.
#[test]
fn of_the_columns_that_an_erasure_nulls_the_customers_alone_is_read() {
    let source = include_str!("../read.rs");
    let named = |column: &&&str| source.contains(&format!("\"{column}\""));
    assert_eq!(ERASED.iter().filter(named).collect::<Vec<_>>(), [&"customer_ref"]);
}

#[test]
fn what_is_no_silver_file_is_refused() {
    let refused = read_events(&Bytes::from_static(b"PAR1"), "acme", &mut |_| panic!("an event of nothing"));
    assert!(matches!(refused, Err(ReadError::Schema(_))));
}
