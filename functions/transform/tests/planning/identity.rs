//! Whom events name: the same person in every spelling, two people never as one, and nobody where a value names nobody. The
//! inputs of public bug reports where the corpus is, and inputs of the same kinds everywhere.

use ledgerline_privacy::{Identifier, KeyRing, Kind, PseudonymKey, RULES, Region, Regions};
use ledgerline_transform::config::Settings;
use ledgerline_transform::reading::Read;
use serde_json::{Value, json};

use crate::cases::{case_file, flat, read_with};
use crate::subjects::subjects;
use crate::world::{World, key, lines, settings};

fn in_region(region: &str) -> Settings {
    Settings { regions: region.parse::<Region>().unwrap().into(), ..settings() }
}

/// For each event which of these identifiers it names, by their places; what it names beside them has the place 99.
fn named(read: &Read, identifiers: &[(Kind, &str)]) -> Vec<Vec<usize>> {
    let settings = settings();
    let pseudonym = |(kind, value): &(Kind, &str)| {
        let identifier = Identifier::parse(*kind, value, Region::US).unwrap();
        settings.pseudonyms.newest().pseudonym(&identifier).as_str().to_owned()
    };
    let known: Vec<String> = identifiers.iter().map(pseudonym).collect();
    let place = |at: &usize| known.iter().position(|one| *one == read.identifiers[*at].pseudonyms[0]).unwrap_or(99);
    read.events.iter().map(|event| event.adapted.identifiers.iter().map(place).collect()).collect()
}

fn voice(from: &str) -> Value {
    json!({"channel": "voice", "direction": "INBOUND", "ani": from})
}

fn message(message_type: &str, from: &str) -> Value {
    json!({"channel": "message", "messageType": message_type, "direction": "INBOUND", "addressFrom": from})
}

/// One event of each of these.
fn each(members: &[Value]) -> Vec<String> {
    let timed = |members: &Value| {
        let mut members = members.clone();
        members["timestamp"] = "2026-03-02T14:00:00.000Z".into();
        members
    };
    members.iter().zip(1..).map(|(members, n)| flat(n, timed(members))).collect()
}

#[test]
fn case_01_withheld_callers_are_nobody() {
    let Some(raws) = case_file("01", "events.ndjson") else { return };
    assert_eq!(named(&read_with(&settings(), &raws), &[]), vec![Vec::<usize>::new(); 5]);
}

#[test]
fn case_02_a_caller_is_one_person_in_brackets_or_without_a_scheme() {
    let Some(raws) = case_file("02", "events.ndjson") else { return };
    assert_eq!(named(&read_with(&settings(), &raws), &[(Kind::Phone, "+15555550142")]), vec![vec![0]; 5]);
}

#[test]
fn case_03_digits_of_whatsapp_begin_with_their_country() {
    let both = [(Kind::Phone, "+14795550142"), (Kind::Phone, "+4795550142")];
    if let Some(raws) = case_file("03", "events.ndjson") {
        let mut named = named(&read_with(&settings(), &raws), &both);
        named.sort();
        assert_eq!(named, [[0], [1]]);
    }
    if let Some(raws) = case_file("03", "events-49.ndjson") {
        assert_eq!(named(&read_with(&in_region("DE"), &raws), &[(Kind::Phone, "+15555550142")]), [[0]]);
    }
}

#[test]
fn case_04_a_number_behind_its_services_name_is_the_number() {
    let Some(raws) = case_file("04", "events.ndjson") else { return };
    assert_eq!(named(&read_with(&settings(), &raws), &[(Kind::Phone, "+15555550143")]), vec![vec![0]; 4]);
}

#[test]
fn case_06_a_zero_stays_where_it_belongs_to_the_number() {
    if let Some(raws) = case_file("06", "events.ndjson") {
        assert_eq!(named(&read_with(&settings(), &raws), &[(Kind::Phone, "+390655550142")]), vec![vec![0]; 3]);
    }
    if let Some(raws) = case_file("06", "events-225.ndjson") {
        let read = read_with(&in_region("CI"), &raws);
        assert_eq!(named(&read, &[(Kind::Phone, "+2250755550142")]), [[0], [0]]);
        assert!(read.events[1].country_assumed);
    }
}

#[test]
fn case_13_numbers_as_json_numbers_are_their_digits() {
    let Some(raws) = case_file("13", "events.ndjson") else { return };
    let both = [(Kind::Phone, "+15555550146"), (Kind::Account, "40017722")];
    assert_eq!(named(&read_with(&settings(), &raws), &both), [vec![0, 1], vec![0], vec![1], vec![0]]);
}

#[test]
fn case_15_a_hash_of_nothing_is_nobodys() {
    let Some(raws) = case_file("15", "events.ndjson") else { return };
    let digest = "a2b2543f392f295f75c8ae1d544d037dee4a5414a3fb6753969e2791caca5c23";
    let named = named(&read_with(&settings(), &raws), &[(Kind::PhoneHash, digest)]);
    assert_eq!(named, [vec![], vec![], vec![], vec![], vec![], vec![], vec![0], vec![0]]);
}

#[test]
fn every_spelling_of_a_caller_is_that_caller() {
    let spelled = [
        voice("<sip:4155550171@198.51.100.7>;tag=7"),
        voice("\"J. D.\" <tel:+1-415-555-0171>"),
        voice("14155550171@carrier.example:5060"),
        voice("sips:%2B14155550171@carrier.example;user=phone"),
        message("WHATSAPP", "14155550171"),
        message("whatsapp", "1 415 555 0171"),
        message("VIBER", "14155550171"),
        message("WHATSAPP", "whatsapp:14155550171"),
        message("WHATSAPP", "\u{202a}<14155550171>"),
        message("WHATSAPP", "14155550171@s.whatsapp.net"),
        message("SMS", "sms:4155550171"),
        json!({"channel": "message", "customerPhone": "whatsapp:+14155550171"}),
        json!({"channel": "voice", "customerPhone": 14_155_550_171_u64}),
        json!({"channel": "voice", "customerPhone": 1.4155550171e10}),
        json!({"channel": "voice", "callbackNumbers": [4_155_550_171_u64, "+1 415 555 0171"]}),
    ];
    let caller = [(Kind::Phone, "+14155550171")];
    let named = named(&read_with(&settings(), &each(&spelled)), &caller);
    assert_eq!(named.len(), spelled.len());
    for (event, spelled) in named.iter().zip(&spelled) {
        assert!(!event.is_empty() && event.iter().all(|place| *place == 0), "{spelled}");
    }
}

#[test]
fn a_country_is_assumed_only_where_nothing_says_it_and_by_its_source() {
    let spelled = [voice("0151 23456789"), voice("+49 151 23456789"), message("WHATSAPP", "4915123456789")];
    let mut raws = each(&spelled);
    raws[0] = raws[0].replacen('{', "{\"source\":\"dialer-berlin\",", 1);
    let regions = Regions::new(Region::US, "dialer-berlin=DE").unwrap();
    let read = read_with(&Settings { regions, ..settings() }, &raws);
    assert_eq!(named(&read, &[(Kind::Phone, "+4915123456789")]), vec![vec![0]; 3]);
    let assumed: Vec<bool> = read.events.iter().map(|event| event.country_assumed).collect();
    assert_eq!(assumed, [true, false, false]);
    // Another source's is not a German number, nor any.
    assert_eq!(named(&read_with(&settings(), &raws), &[])[0], Vec::<usize>::new());
}

#[test]
fn two_people_with_like_numbers_are_two() {
    let both = [(Kind::Phone, "+6581234567"), (Kind::Phone, "+16581234567")];
    let read = read_with(&settings(), &each(&[message("WHATSAPP", "6581234567"), voice("6581234567")]));
    assert_eq!(named(&read, &both), [[0], [1]]);
    // What a source calls a phone may be spelled as at home, whatever service carried it.
    let own = json!({"channel": "message", "messageType": "WHATSAPP", "customerPhone": "479-555-0142"});
    assert_eq!(named(&read_with(&settings(), &each(&[own])), &[(Kind::Phone, "+14795550142")]), [[0]]);
    // A service's own ids may be anybody's digits, and a group's are nobody's.
    let untold = json!({"messageType": "TELEGRAM", "direction": "INBOUND", "addressFrom": "4155550171"});
    assert_eq!(named(&read_with(&settings(), &each(&[untold])), &[(Kind::MessagingAddress, "4155550171")]), [[0]]);
    let group = message("WHATSAPP", "14155550171-1234567890@g.us");
    assert_eq!(named(&read_with(&settings(), &each(&[group])), &[])[0], Vec::<usize>::new());
    let read = read_with(&settings(), &each(&[message("FACEBOOK", "4155550171")]));
    assert_eq!(named(&read, &[(Kind::MessagingAddress, "4155550171")]), [[0]]);
}

#[test]
fn what_stands_for_no_caller_names_nobody() {
    let nobody = [
        voice("unavailable@gateway.example"),
        voice("<sip:restricted@192.0.2.9>"),
        voice("\"Anonymous\" <sip:14155550171@anonymous.invalid>"),
        voice("9999999999"),
        voice("2562533"),
        json!({"channel": "email", "customerEmail": "no-reply@example.com"}),
        json!({"channel": "email", "customerEmail": "someone@host.invalid"}),
        json!({"channel": "voice", "customerPhone": 0, "accountNumber": 0}),
        json!({"channel": "voice", "accountNumber": "n/a", "customerId": "000-000"}),
        json!({"channel": "voice", "emailHash": "da39a3ee5e6b4b0d3255bfef95601890afd80709"}),
        json!({"channel": "voice", "accountHash": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}),
        json!({"channel": "voice", "accountNumber": 9_007_199_254_740_993_u64}),
        json!({"channel": "voice", "accountNumber": -7}),
    ];
    let read = read_with(&settings(), &each(&nobody));
    for (event, nobody) in read.events.iter().zip(&nobody) {
        assert!(event.adapted.identifiers.is_empty(), "{nobody}");
    }
    assert_eq!(read.events.len(), nobody.len());
    // In an e-mail the same word may be a mailbox.
    let mailbox = json!({"channel": "email", "direction": "INBOUND", "addressFrom": "unknown@example.com"});
    assert_eq!(read_with(&settings(), &each(&[mailbox])).events[0].adapted.identifiers.len(), 1);
}

/// What other rules normalised may be somebody else's value: the American's of today was the Norwegian's before.
#[tokio::test]
async fn a_subject_that_was_named_under_other_rules_is_not_linked_to_any_more() {
    let ring_key = |rules: u32, version: u32| PseudonymKey::under_rules(rules, version, [version as u8; 32]);
    for (rules_before, expected) in [(RULES - 1, 2), (RULES, 1)] {
        let mut world = World::new();
        // As if those rules had been in force then.
        world.pseudonyms = Some(KeyRing::new([ring_key(RULES, 1)]).unwrap());
        world.bronze.seed(&key("a"), lines(&each(&[voice("+1 415 555 0171")])));
        world.settle(&[&key("a")]).await;
        world.pseudonyms = Some(KeyRing::new([ring_key(rules_before, 1), ring_key(RULES, 2)]).unwrap());
        let mut later = each(&[voice("+1 415 555 0171")]);
        later[0] = later[0].replace("c-1", "c-2").replace("e-1", "e-2");
        world.bronze.seed(&key("b"), lines(&later));
        world.settle(&[&key("b")]).await;
        assert_eq!(subjects(&world).len(), expected, "rules {rules_before}");
    }
}

#[tokio::test]
async fn no_spelling_of_an_identifier_is_stored_anywhere_but_in_bronze() {
    let world = World::new();
    let planted = ["4155550171", "2065550188", "40017799", "grace.planted", "a2b2543f392f295f", "Planted Name"];
    let spelled = [
        voice("\"Planted Name\" <sip:4155550171@198.51.100.7>;tag=7"),
        voice("14155550171@carrier.example:5060"),
        message("WHATSAPP", "14155550171"),
        message("VIBER", "viber://+12065550188"),
        json!({"channel": "voice", "customerPhone": 12_065_550_188_u64, "accountNumber": 40_017_799}),
        json!({"channel": "voice", "callbackNumbers": [4_155_550_171_u64], "customerId": 40_017_799}),
        json!({"channel": "email", "customerEmail": "Planted Name <grace.planted@B\u{fc}cher.example>"}),
        json!({"channel": "voice", "emailHash": "a2b2543f392f295f75c8ae1d544d037dee4a5414a3fb6753969e2791caca5c23"}),
        json!({"channel": "voice", "accountHash": "A2B2543F392F295F75C8AE1D544D037DEE4A5414A3FB6753969E2791CACA5C23"}),
    ];
    world.bronze.seed(&key("a"), lines(&each(&spelled)));
    world.settle(&[&key("a")]).await;
    assert_eq!(world.check().counts.planned, spelled.len() as u64);
    let everything = world.everything_but_bronze().to_lowercase();
    for planted in planted {
        assert!(!everything.contains(&planted.to_lowercase()), "{}", planted.len());
    }
}
