//! The eraser's reader says of every line what transform says of it: whom it names, what it is about, and up to where a cutoff must reach.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use ledgerline_custody::erasure::{LineOf, LineReader, LineRecord, WantsList, cutoff_from};
use ledgerline_custody::own::{OwnList, parse_list};
use ledgerline_event::catalogue::built_in;
use ledgerline_event::{LineageFrom, Rejection};
use ledgerline_lake::ObjectId;
use ledgerline_ledger::entry::Record;
use ledgerline_privacy::Region;
use ledgerline_testkit::faults::Dice;
use ledgerline_transform::config::Settings;
use ledgerline_transform::reading::{Alias, Found, Read, Reading};
use serde_json::json;

use crate::erasures::{PHONE, call, identity, told};
use crate::own::answered;
use crate::simulation::traffic::Traffic;
use crate::world::{T0, World, counting, event, line, settings};

type Lists = BTreeMap<String, Arc<OwnList>>;

/// The orgs of these tests.
const ORGS: [&str; 3] = ["acme", "beta", "globex"];

/// What transform reads in an object: each person's alias is a new one, and these are the orgs' lists.
fn read(settings: &Settings, lists: &Lists, object: &[u8]) -> Read {
    let random = counting();
    let mut reading =
        Reading::new(settings, ObjectId::of("bronze", "bronze/lines"), T0 + 60_000, lists.clone(), &random);
    reading.push(object).unwrap();
    let ended = reading.end().unwrap();
    let wanted = ended.wanted();
    let aliases = wanted.unnamed.into_keys().zip(1..).map(|(person, nth)| (person, Alias::of(format!("x_{nth:032x}"))));
    let lists = wanted.orgs.into_iter().map(|org| (org, Arc::default())).collect();
    ended.finish(Found { aliases: aliases.collect(), lists }).unwrap()
}

/// What the eraser reads in a line.
fn said(settings: &Settings, lists: &Lists, line: &[u8]) -> Option<LineOf> {
    let mut reader = LineReader {
        ring: &settings.pseudonyms,
        regions: &settings.regions,
        own: HashMap::new(),
        parameter: &settings.own_numbers,
        default_org: &settings.default_org,
        numeric_id_sources: &settings.numeric_id_sources,
    };
    for _ in 0..2 {
        match reader.read(line) {
            Ok(said) => return said,
            Err(WantsList(org)) => {
                let list = lists.get(&org).cloned().unwrap_or_default();
                assert!(reader.own.insert(org, list).is_none(), "it asks for a list that it has");
            }
        }
    }
    panic!("a line wants two lists");
}

/// What a record is called where the line's own id may not stand.
fn record_of(record: &Record, org: &str) -> LineRecord {
    match record {
        Record::Entity { kind, .. } if !built_in().is_impersonal(kind) => LineRecord::Entity { kind: kind.clone() },
        other => LineRecord::Key(other.key(org)),
    }
}

/// What transform says of a line that is alone in its object; `Err` with the reason if it is not an event.
fn transforms(settings: &Settings, lists: &Lists, line: &[u8]) -> Result<Option<LineOf>, String> {
    let read = read(settings, lists, line);
    let Some(adapted) = read.adapted().next() else {
        return match read.quarantined.keys().next() {
            Some(reason) => Err((*reason).to_owned()),
            None => Ok(None),
        };
    };
    let record = &read.records[adapted.record];
    let of_people = adapted.identifiers.iter().flat_map(|&at| &read.identifiers[at].pseudonyms);
    let sent = read.events.first().filter(|event| event.lineage_from == LineageFrom::Source);
    Ok(Some(LineOf {
        org: record.org.clone(),
        record: record_of(&record.about, &record.org),
        names: of_people.chain(&record.names).cloned().collect(),
        reached_ms: cutoff_from(adapted.occurred_at_ms, adapted.received_at_ms, adapted.only_widens),
        token: sent.map(|event| event.lineage_token.clone()),
    }))
}

/// Holds the two against each other; whether the line is an event.
fn check(settings: &Settings, lists: &Lists, line: &[u8], case: &str) -> bool {
    let (theirs, ours) = (transforms(settings, lists, line), said(settings, lists, line));
    match theirs {
        Ok(Some(theirs)) => {
            let mut ours = ours.unwrap_or_else(|| panic!("{case}: the eraser reads nothing"));
            // Of a filtered line nobody keeps the token.
            if theirs.token.is_none() {
                ours.token = None;
            }
            assert_eq!(ours, theirs, "{case}");
            true
        }
        Ok(None) => {
            assert_eq!(ours, None, "{case}");
            false
        }
        // What is set aside although it is an event is read all the same: it goes with the rest.
        Err(reason) => {
            let is_event = [Rejection::ImplausibleTime, Rejection::TooLong].iter().any(|one| one.code() == reason);
            assert!(ours.is_none() || is_event, "{case}: {reason}");
            false
        }
    }
}

/// A line as ingest writes it, and as others load it.
fn both(raw: &str) -> [Vec<u8>; 2] {
    let loaded = serde_json::from_str::<serde_json::Value>(raw).map_or_else(|_| raw.to_owned(), |raw| raw.to_string());
    [line(raw), format!("{loaded}\n").into_bytes()]
}

#[test]
fn every_file_of_events_is_read_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    let (mut events, mut files) = (0, 0);
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let Ok(document) = serde_json::from_str::<serde_json::Value>(&text) else { continue };
        files += 1;
        for line in both(&document.to_string()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            events += usize::from(check(&settings(), &Lists::new(), &line, &name));
        }
    }
    assert!(files > 50 && events > 60, "{events} events in {files} files");
}

/// Lines of every kind that decides: named and not, one's own, deletions, filtered ones, people's records.
fn kinds() -> Vec<String> {
    let audit = |kind: &str, id: &str| {
        json!({"detail-type": "v2.audits.entitytype.{id}.entityid.{id}", "source": "aws.partner/genesys.com/cloud/acme/fixture",
            "detail": {"topicName": format!("v2.audits.entitytype.{kind}.entityid.{id}"), "version": "2", "eventBody": {
                "id": "671caae1-a237-5bee-a4ad-000000000001", "serviceName": "X", "eventTime": "2026-03-02T14:00:00Z",
                "action": "Update", "entityType": kind, "entity": {"id": id, "name": "Avery Quill"}}}})
        .to_string()
    };
    let beat = json!({"interactionId": "beat-1", "eventType": "heartbeat", "timestamp": "2026-03-02T14:00:00Z",
        "mediaType": "VOICE", "customerPhone": PHONE});
    let with_token = json!({"interactionId": "c-1", "eventType": "answered", "timestamp": "2026-03-02T14:00:05Z",
        "mediaType": "VOICE", "customerPhone": PHONE, "customFields": {"lineageToken": "lt-10001"}});
    let at_no_time = json!({"interactionId": "c-1", "eventType": "answered", "timestamp": "1990-03-02T14:00:05Z",
        "mediaType": "VOICE", "customerPhone": PHONE});
    let mut all = vec![
        call("c-1", PHONE),
        call("c-1", "+1 (555) 555-0142"),
        told("c-2", "ended", "anonymous"),
        answered("beta", "c-1", "answered", json!({"customerPhone": PHONE, "customerEmail": "Ada@Example.com"})),
        answered("acme", "c-3", "answered", json!({})),
        identity("IDENTITY_RESOLUTION", "20"),
        identity("DATA_DELETION", "25"),
        audit("Contact", "cd68e249-e098-5dc9-9073-5e6b8a2b8181"),
        audit("User", "cd68e249-e098-5dc9-9073-5e6b8a2b8182"),
        audit("Queue", "8b315b72-a4ce-5e30-a09f-addad0059a02"),
        audit("Customer", "cust_hash_0a1b2c3"),
        beat.to_string(),
        with_token.to_string(),
        at_no_time.to_string(),
        "garbage".to_owned(),
        "{}".to_owned(),
        String::new(),
    ];
    all.extend((0..4).map(|nth| event(1, nth)));
    all
}

#[test]
fn lines_of_every_kind_are_read_alike_whatever_is_the_companys_own() {
    let list = |text: &str| Arc::new(OwnList::of(&parse_list(text, Region::US).unwrap(), Some(&settings().pseudonyms)));
    for (parameter, own) in [("", ""), (PHONE, ""), ("", PHONE), ("example.com", "+15555550101"), ("", "@example.com")]
    {
        let settings = Settings { own_numbers: (*list(parameter)).clone(), ..settings() };
        let lists: Lists = ORGS.map(|org| (org.to_owned(), list(if org == "acme" { own } else { "" }))).into();
        let mut events = 0;
        for raw in kinds() {
            for line in both(&raw) {
                events += usize::from(check(&settings, &lists, &line, &format!("{parameter:?} {own:?} {raw}")));
            }
        }
        assert!(events >= 30, "{events}");
    }
}

#[test]
fn in_generated_objects_the_records_have_the_lines_that_the_eraser_finds() {
    let (mut repeated, mut filtered, mut people, mut deletions) = (0, 0, 0, 0);
    for seed in 0..300 {
        let mut world = World::new();
        Traffic::draw(&mut Dice::new(seed)).seed(&mut world);
        let own_numbers = OwnList::of(&world.own_numbers, Some(&settings().pseudonyms));
        let settings = Settings { own_numbers, ..settings() };
        for (key, object) in world.bronze.under("bronze/") {
            let read = read(&settings, &Lists::new(), &object);
            let lines: Vec<Option<LineOf>> =
                object.split(|byte| *byte == b'\n').map(|line| said(&settings, &Lists::new(), line)).collect();
            for record in &read.records {
                let kind = record_of(&record.about, &record.org);
                let is_of = |line: &LineOf| {
                    line.org == record.org && line.record == kind && record.names.is_subset(&line.names)
                };
                let found = (0..).zip(&lines).filter(|(_, line)| line.as_ref().is_some_and(is_of)).map(|(at, _)| at);
                assert_eq!(found.collect::<Vec<u64>>(), record.at, "{seed} {key} {}", record.key);
                people += usize::from(matches!(kind, LineRecord::Entity { .. }));
            }
            // Whom all lines name that are asked, whatever becomes of them.
            let of_line = |line: &ledgerline_transform::reading::Adapted| {
                let names = line.identifiers.iter().flat_map(|&at| &read.identifiers[at].pseudonyms);
                let names: BTreeSet<String> = names.chain(&read.records[line.record].names).cloned().collect();
                (cutoff_from(line.occurred_at_ms, line.received_at_ms, line.only_widens), names)
            };
            let mut theirs: Vec<_> = read.adapted().map(of_line).collect();
            let mut ours: Vec<_> = lines.into_iter().flatten().map(|line| (line.reached_ms, line.names)).collect();
            theirs.sort();
            ours.sort();
            assert_eq!(ours, theirs, "{seed} {key}");
            repeated += read.repeated_lines.len();
            filtered += read.filtered_lines.len();
            deletions += read.adapted().filter(|line| line.only_widens).count();
        }
    }
    assert!(
        [repeated, filtered, people, deletions].iter().all(|met| *met > 0),
        "{repeated} {filtered} {people} {deletions}"
    );
}
