//! Each form as a reader of it finds it.

use quick_xml::events::Event as Xml;
use quick_xml::{Reader, XmlVersion};
use serde_json::Value;

use super::*;

/// Names and values of the attributes below an element, one list for each such element.
fn elements(xes: &str, name: &str) -> Vec<Vec<(String, String, String)>> {
    let mut reader = Reader::from_str(xes);
    let (mut all, mut inside) = (Vec::new(), 0_u32);
    loop {
        match reader.read_event().unwrap() {
            Xml::Start(start) if start.name().as_ref() == name => {
                inside = 1;
                all.push(Vec::new());
            }
            Xml::Start(_) if inside > 0 => inside += 1,
            Xml::End(_) if inside > 0 => inside -= 1,
            Xml::Empty(empty) if inside == 1 && empty.try_get_attribute("key").unwrap().is_some() => {
                let of = |name: &str| {
                    empty
                        .try_get_attribute(name)
                        .unwrap()
                        .unwrap()
                        .normalized_value(XmlVersion::Explicit1_0)
                        .unwrap()
                        .into_owned()
                };
                let told = (empty.name().as_ref().to_owned(), of("key"), of("value"));
                all.last_mut().unwrap().push(told);
            }
            Xml::Eof => return all,
            _ => {}
        }
    }
}

fn value<'a>(element: &'a [(String, String, String)], key: &str) -> Option<&'a str> {
    element.iter().find(|(_, name, _)| name == key).map(|(_, _, value)| value.as_str())
}

#[test]
fn xes_has_what_every_reader_asks_for_and_each_event_its_name_time_and_transition() {
    for view in [View::Milestones, View::Intervals] {
        let case = case(call());
        let xes = written(view, &People::default(), std::slice::from_ref(&case)).remove(0);
        assert!(xes.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<log xes.version=\"1849.2016\""), "{xes}");
        for prefix in ["concept", "lifecycle", "org", "time"] {
            assert!(xes.contains(&format!("prefix=\"{prefix}\" uri=\"http://www.xes-standard.org/{prefix}.xesext\"")));
        }
        assert_eq!((xes.matches("<global scope=").count(), xes.matches("<classifier ").count()), (2, 2));
        let log = elements(&xes, "log").remove(0);
        assert_eq!(value(&log, "activityMap"), Some(activity_map().as_str()));
        assert_eq!((value(&log, "view"), value(&log, "from")), (Some(view.as_str()), Some("2026-03-02")));
        assert_eq!(value(&log, "concept:name"), Some("Support & <more>"));
        let traces = elements(&xes, "trace");
        assert_eq!((traces.len(), value(&traces[0], "concept:name")), (1, Some("c-1")));
        let (events, steps) = (elements(&xes, "event"), view.steps(&case));
        assert_eq!(events.len(), steps.len());
        for (event, step) in events.iter().zip(&steps) {
            assert_eq!(value(event, "concept:name"), Some(step.activity));
            assert_eq!(value(event, "lifecycle:transition"), Some(step.transition.as_str()));
            assert_eq!(value(event, "eventOrder"), Some(step.order.to_string().as_str()));
            let time = value(event, "time:timestamp").unwrap();
            assert!(time.ends_with("+00:00") && time.len() == "2026-03-02T23:59:00.000+00:00".len(), "{time}");
            assert_eq!(value(event, "imputed").is_some(), step.imputed);
        }
        // Among globals, too, each key has one kind.
        let kinds: BTreeSet<(String, String)> =
            events.into_iter().chain(elements(&xes, "global")).flatten().map(|(kind, key, _)| (key, kind)).collect();
        let keys: BTreeSet<&String> = kinds.iter().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), kinds.len(), "{kinds:?}");
    }
}

#[test]
fn whatever_an_id_is_made_of_it_is_read_back_from_xes_and_json() {
    let hostile = "\"/><event a='1'>]]>&amp;\n\t\u{e9}\u{1f600}";
    let case = case(vec![Event { case: hostile.to_owned(), ..event("acd.start", 0, "l") }]);
    let forms = written(View::Milestones, &People::default(), &[case]);
    assert_eq!(value(&elements(&forms[0], "trace")[0], "concept:name"), Some(hostile));
    let ocel: Value = serde_json::from_str(&forms[1]).unwrap();
    let named = |id: &str| ocel["objects"].as_array().unwrap().iter().any(|object| object["id"] == id);
    assert!(named(&format!("conversation/{hostile}")));
    // XML has no way to say these.
    let unspeakable = Event { case: "a\u{0}b\u{1b}c".to_owned(), ..event("acd.start", 0, "l") };
    let forms = written(View::Milestones, &People::default(), &[super::case(vec![unspeakable])]);
    assert_eq!(value(&elements(&forms[0], "trace")[0], "concept:name"), Some("a\u{fffd}b\u{fffd}c"));
}

#[test]
fn every_object_that_ocel_names_is_there_once_and_every_type_is_declared() {
    let other: Vec<Event> = call().into_iter().map(|event| Event { case: "c-2".to_owned(), ..event }).collect();
    let cases = [case(call()), case(other)];
    for view in [View::Milestones, View::Intervals] {
        let people = People::new(None, true);
        let ocel: Value = serde_json::from_str(&written(view, &people, &cases)[1]).unwrap();
        let list = |name: &str| ocel[name].as_array().unwrap().clone();
        let names = |list: &[Value], member: &str| -> BTreeSet<String> {
            list.iter().map(|one| one[member].as_str().unwrap().to_owned()).collect()
        };
        let (objects, events) = (list("objects"), list("events"));
        let ids = names(&objects, "id");
        assert_eq!(ids.len(), objects.len(), "an object is there twice");
        assert_eq!(names(&events, "id").len(), events.len(), "an event is there twice");
        for one in objects.iter().chain(&events) {
            for related in one["relationships"].as_array().unwrap() {
                assert!(ids.contains(related["objectId"].as_str().unwrap()), "{related}");
            }
        }
        for (types, members) in [("objectTypes", &objects), ("eventTypes", &events)] {
            let types = list(types);
            assert_eq!(names(&types, "name"), names(members, "type"));
            for one in members {
                let of = types.iter().find(|of| of["name"] == one["type"]).unwrap();
                let declared = names(of["attributes"].as_array().unwrap(), "name");
                assert!(names(one["attributes"].as_array().unwrap(), "name").is_subset(&declared), "{one}");
            }
        }
        assert_eq!(ids.iter().filter(|id| id.starts_with("queue/")).count(), 1, "cases share the queue");
        let export = objects.iter().find(|object| object["type"] == "export").unwrap();
        let map = export["attributes"].as_array().unwrap().iter().find(|said| said["name"] == "activityMap").unwrap();
        assert_eq!(map["value"], activity_map());
    }
}

#[test]
fn tables_say_the_order_the_difference_and_the_map_and_no_cell_is_a_formula() {
    let case = case(vec![
        Event {
            case: "=cmd|' /C calc'!A0".to_owned(),
            queue: Some("+49 queue".to_owned()),
            ..event("acd.start", 0, "-l")
        },
        Event { case: "=cmd|' /C calc'!A0".to_owned(), queue: Some("@q".to_owned()), ..event("acd.end", 1_500, "-l") },
    ]);
    let tables = written(View::Milestones, &People::default(), &[case]).split_off(2);
    let rows = |table: &str| -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(table.as_bytes());
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
    };
    let events = rows(&tables[0]);
    let cell =
        |row: usize, name: &str| events[row][events[0].iter().position(|column| column == name).unwrap()].as_str();
    assert_eq!((cell(1, "event_order"), cell(2, "event_order"), events.len()), ("1", "2", 3));
    assert_eq!((cell(1, "since_previous_ms"), cell(2, "since_previous_ms")), ("", "1500"));
    assert_eq!((cell(1, "case_id"), cell(1, "queue"), cell(2, "queue")), ("'=cmd|' /C calc'!A0", "'+49 queue", "'@q"));
    for table in &tables {
        let rows = rows(table);
        let map = rows[0].iter().position(|column| column == "activity_map").unwrap();
        assert!(rows.len() > 1 && rows[1..].iter().all(|row| row[map] == activity_map()));
        let formulas = rows.iter().flatten().filter(|cell| cell.starts_with(['=', '+', '-', '@', '\t', '\r'])).count();
        assert_eq!(formulas, 0);
    }
    let resources = rows(&tables[2]);
    assert_eq!(resources[1][..4], ["'+49 queue", "queue", "1", "1"]);
}
