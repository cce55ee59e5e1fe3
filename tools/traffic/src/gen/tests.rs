//! The generator against the models, its own counts, and itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;
use time::macros::date;

use super::*;

fn busy(seed: u64) -> GenArgs {
    GenArgs {
        duplicates: 20.0,
        disorder: 15.0,
        drift: 10.0,
        malformed: 5.0,
        ..GenArgs::calm(150, seed, date!(2026 - 03 - 02))
    }
}

fn documents(traffic: &Traffic) -> Vec<Value> {
    traffic.records.iter().map(|record| serde_json::from_slice(record).unwrap()).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let once = generate(&busy(7));
    assert_eq!(once.records, generate(&busy(7)).records);
    assert_ne!(once.records, generate(&busy(8)).records);
}

#[test]
fn a_knob_turned_leaves_the_distinct_events_as_they_were() {
    let args = GenArgs { drift: 0.0, ..busy(3) };
    let calm = generate(&GenArgs::calm(150, 3, args.date));
    let busy = generate(&args);
    assert_eq!(calm.planted.per_record, busy.planted.per_record);
    let bodies = |traffic: &Traffic| -> BTreeSet<String> {
        let whole = traffic.records.iter().flat_map(|record| {
            serde_json::Deserializer::from_slice(record).into_iter::<Value>().map_while(Result::ok).collect::<Vec<_>>()
        });
        whole.filter_map(|event| event.pointer("/detail/eventBody").map(Value::to_string)).collect()
    };
    assert!(bodies(&busy).is_superset(&bodies(&calm)));
}

#[test]
fn counts_are_those_of_the_records() {
    let args = GenArgs { malformed: 0.0, drift: 0.0, ..busy(11) };
    let traffic = generate(&args);
    let counts = &traffic.planted.counts;
    assert_eq!(counts.records, traffic.records.len() as u64);
    assert_eq!(counts.documents, counts.records);
    assert!(counts.duplicates * 100 / counts.events >= 15, "about one in five is sent again");
    let mut distinct = BTreeMap::<String, u64>::new();
    let mut envelopes = BTreeSet::new();
    for event in documents(&traffic) {
        *distinct.entry(event.pointer("/detail/eventBody").unwrap().to_string()).or_default() += 1;
        assert!(envelopes.insert(event["id"].to_string()), "every sending has an envelope id of its own");
    }
    assert_eq!(distinct.len() as u64, counts.events);
    assert_eq!(distinct.values().sum::<u64>() - distinct.len() as u64, counts.duplicates);
    assert_eq!(traffic.planted.per_record.values().sum::<u64>(), counts.events);
    assert_eq!(traffic.planted.per_topic.values().sum::<u64>(), counts.events);
}

#[test]
fn broken_and_glued_records_are_counted() {
    let traffic = generate(&GenArgs { drift: 0.0, malformed: 30.0, ..busy(5) });
    let counts = &traffic.planted.counts;
    assert!(counts.malformed > 0 && counts.records < counts.documents, "some are broken, some are glued");
    let envelopes = |record: &[u8]| {
        let begins = b"{\"version\":\"0\"";
        record.windows(begins.len()).filter(|window| window == begins).count() as u64
    };
    let mut documents = 0;
    for record in &traffic.records {
        assert!(!record.contains(&b'\n'), "a record is one line");
        documents += envelopes(record).max(1);
    }
    assert_eq!(documents, counts.documents);
    assert_eq!(counts.documents, counts.events + counts.duplicates + counts.malformed);
}

#[test]
fn drift_alone_breaks_no_document() {
    let traffic = generate(&GenArgs { drift: 100.0, ..GenArgs::calm(150, 9, date!(2026 - 03 - 02)) });
    assert_eq!(traffic.planted.counts.drifted, traffic.planted.counts.events);
    for record in &traffic.records {
        let event: serde_json::Map<String, Value> = serde_json::from_slice(record).unwrap();
        let keys = |text: &str| text.matches("\"organizationId\":").count();
        assert!(keys(std::str::from_utf8(record).unwrap()) <= 1, "a key twice in one object");
        assert!(event["detail"]["eventBody"].get("eventTime").is_some());
    }
}

#[test]
fn every_planted_value_is_in_the_traffic_and_in_its_place() {
    let traffic = generate(&busy(13));
    let text: String = traffic.records.iter().map(|r| String::from_utf8_lossy(r).into_owned()).collect();
    let kinds: BTreeSet<_> = traffic.planted.identifiers.iter().map(|i| i.kind).collect();
    let expected = ["account", "agent", "card", "cvv", "email", "externalContact", "ip", "name", "phone", "pin"];
    assert_eq!(kinds, BTreeSet::from(expected));
    for identifier in &traffic.planted.identifiers {
        for needle in &identifier.needles {
            assert!(text.contains(needle.as_str()), "a {} needle is not in the traffic", identifier.kind);
        }
        assert!(!identifier.places.is_empty() && identifier.records.is_superset(&identifier.resolves));
    }
    for place in [
        "customer.start:/ani",
        "customer.start:/dnis",
        "customer.start:/addressFrom",
        "acw:/wrapupNotes",
        "customer.start:/callbackUserName",
        "customer.start:/subject",
        "audit:/entity/name",
        "audit:/entity/id",
        "audit:/userDisplay",
        "transcription:/transcripts/*/alternatives/*/transcript",
        "attributes:/attributes/ callback number",
    ] {
        assert!(traffic.planted.identifiers.iter().any(|i| i.places.contains(place)), "nothing planted at {place}");
    }
}

#[test]
fn contacts_are_named_by_conversations_and_audits_alike() {
    let traffic = generate(&GenArgs::calm(400, 2, date!(2026 - 03 - 02)));
    let contacts = traffic.planted.identifiers.iter().filter(|i| i.kind == "externalContact");
    let both = contacts.filter(|i| i.places.contains("audit:/entity/id") && !i.resolves.is_empty());
    assert!(both.count() > 2, "an access by a contact's id finds calls and audits");
}

#[test]
fn people_call_again_and_the_day_has_a_shape() {
    let traffic = generate(&GenArgs::calm(400, 2, date!(2026 - 03 - 02)));
    let phones = || traffic.planted.identifiers.iter().filter(|i| i.kind == "phone");
    assert!(phones().any(|i| i.resolves.len() >= 5), "somebody calls all the time");
    assert!(phones().filter(|i| i.resolves.len() == 1).count() > 20, "many call once");
    let mut by_hour = [0u32; 24];
    for event in documents(&traffic) {
        if event["detail-type"].as_str().unwrap().ends_with("customer.start") {
            by_hour[event["time"].as_str().unwrap()[11..13].parse::<usize>().unwrap()] += 1;
        }
    }
    assert!(by_hour[10] > 5 * by_hour[3].max(1), "ten in the morning is busier than three at night");
}

#[test]
fn numbers_addresses_and_cards_belong_to_nobody() {
    let traffic = generate(&busy(17));
    for identifier in &traffic.planted.identifiers {
        let value = &identifier.value;
        match identifier.kind {
            "phone" => assert!(value.len() == 12 && value.starts_with("+1") && &value[5..10] == "55501"),
            "email" => assert!([".com", ".net", ".org"].iter().any(|tld| value.ends_with(&format!("@example{tld}")))),
            "card" => assert_eq!(luhn(value), 0),
            "ip" => assert!(value.starts_with("203.0.113.")),
            _ => {}
        }
    }
}

#[test]
fn a_wrong_argument_is_refused_with_its_reason() {
    assert!(percent("101").unwrap_err().contains("between 0 and 100"));
    assert_eq!(percent("20%").unwrap(), 20.0);
    assert!(day("2 March").unwrap_err().contains("YYYY-MM-DD"));
    assert!(organization("a/b").is_err());
}

#[test]
fn every_event_conforms_to_its_model() {
    let Some(models) = corpus() else { return };
    let traffic = generate(&GenArgs::calm(300, 23, date!(2026 - 03 - 02)));
    let mut seen = BTreeSet::new();
    for event in documents(&traffic) {
        let model = models.for_topic(event["detail-type"].as_str().unwrap());
        seen.insert(model.to_owned());
        models.check(model, &event["detail"]["eventBody"], model);
    }
    let unseen: Vec<_> = models.topics.values().filter_map(Value::as_str).filter(|m| !seen.contains(*m)).collect();
    assert!(unseen.is_empty(), "topics never generated: {unseen:?}");
}

fn luhn(digits: &str) -> u32 {
    let doubled = |(place, digit): (usize, u32)| match place % 2 {
        0 => digit,
        _ => digit * 2 / 10 + digit * 2 % 10,
    };
    digits.chars().rev().filter_map(|c| c.to_digit(10)).enumerate().map(doubled).sum::<u32>() % 10
}

/// The models that Genesys publishes with its SDK.
struct Models {
    models: Value,
    topics: serde_json::Map<String, Value>,
}

#[expect(clippy::disallowed_methods, clippy::print_stderr)]
fn corpus() -> Option<Models> {
    let Ok(folder) = std::env::var("LEDGERLINE_CORPUS") else {
        eprintln!("SKIPPED: LEDGERLINE_CORPUS is not set, generated events are not compared with the models");
        return None;
    };
    let read = |path: &str| -> Value {
        serde_json::from_slice(&std::fs::read(PathBuf::from(&folder).join(path)).unwrap()).unwrap()
    };
    let Value::Object(topics) = read("genesys/eventbridge/topic_to_model.json") else { panic!("not an object") };
    Some(Models { models: read("genesys/genesys_models.json")["models"].take(), topics })
}

impl Models {
    fn for_topic(&self, detail_type: &str) -> &str {
        self.topics[detail_type].as_str().unwrap()
    }

    fn check(&self, model: &str, value: &Value, path: &str) {
        let fields = self.models[model].as_object().unwrap_or_else(|| panic!("no model {model}"));
        for (key, value) in value.as_object().unwrap_or_else(|| panic!("{path} is no object")) {
            let path = format!("{path}/{key}");
            let field = fields.get(key).unwrap_or_else(|| panic!("{path} is not in the model"));
            self.check_type(field["type"].as_str().unwrap(), value, &path);
            if let (Some(allowed), Some(text)) = (field["enum"].as_array(), value.as_str()) {
                assert!(allowed.iter().any(|a| a == text), "{path}: {text} is not in the enum");
            }
        }
    }

    fn check_type(&self, kind: &str, value: &Value, path: &str) {
        let fits = match kind {
            "str" => value.is_string(),
            "int" => value.is_i64(),
            "float" => value.is_number(),
            "bool" => value.is_boolean(),
            "datetime" => value.as_str().is_some_and(|text| text.len() == 24 && text.ends_with('Z')),
            "dict(str, str)" => value.as_object().is_some_and(|map| map.values().all(Value::is_string)),
            _ => match kind.strip_prefix("list[").and_then(|rest| rest.strip_suffix(']')) {
                Some(inner) => {
                    for item in value.as_array().unwrap_or_else(|| panic!("{path} is no list")) {
                        self.check_type(inner, item, path);
                    }
                    true
                }
                None => {
                    self.check(kind, value, path);
                    true
                }
            },
        };
        assert!(fits, "{path} is no {kind}");
    }
}
