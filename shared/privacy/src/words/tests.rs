//! The list holds no names, and what is no phrase of it does not pass.

use super::*;
use proptest::prelude::*;

/// The names of one section of `testdata/names.txt`, most common first.
fn names(section: &str) -> Vec<&'static str> {
    let text = include_str!("../../testdata/names.txt");
    let from = text.split_once(section).unwrap().1;
    from.lines().skip(1).take_while(|line| !line.starts_with('#')).collect()
}

const SURNAMES: &str = "# surnames";
const WOMEN: &str = "# first names of women";
const MEN: &str = "# first names of men";

/// A surname of a higher rank than this is borne by at least 16 in 100,000 people of the census: such a name is read as a
/// name first, so it is never a word, whatever needs it (`page`, `fields`, `price` and `day` fell to this cut).
const COMMON_SURNAMES: usize = 769;

/// Words that the guides or the models need and that are the surname of fewer people than that. Nothing personal passes by
/// them: since no first name is a word, a full name never is a phrase, and alone they are read as what they say here.
/// Surnames rarer than the 3,000 of the list (`sales`, `new`, `service`, `agent`) are surnames of fewer than 5 in 100,000.
const WORDS_THAT_ARE_RARE_SURNAMES: &[(&str, &str)] = &[
    ("block", "action Block"),
    ("call", "Call_Routed_To_Agent"),
    ("case", "case_id"),
    ("cloud", "provider PureCloud Voice"),
    ("field", "customField_A"),
    ("gold", "gold_daily_queue_metrics"),
    ("high", "the opposite of low, which is rarer"),
    ("key", "entity type RecordingKey"),
    ("link", "entity type OrganizationLink"),
    ("miner", "entity type TopicMiner"),
    ("numbers", "callbackNumbers"),
    ("pool", "entity type DIDPool"),
    ("read", "action Read"),
    ("ring", "routingRing"),
    ("self", "addressSelf"),
    ("silver", "the tier between bronze and gold"),
];

/// An error of the census: it counted `numbers` among the names of men, where it stands in no other list of names.
const NO_FIRST_NAME: &str = "numbers";

#[test]
fn the_list_is_sorted_short_and_holds_small_letters_only() {
    let words: Vec<&str> = all().collect();
    assert!(words.len() <= 2_000, "{}", words.len());
    for pair in words.windows(2) {
        assert!(pair[0] < pair[1], "{} {}", pair[0], pair[1]);
    }
    for word in &words {
        assert!(!word.is_empty() && word.len() <= MAX_WORD_BYTES, "{word}");
        assert!(word.bytes().all(|byte| byte.is_ascii_lowercase()), "{word}");
        assert!(is_word(word));
    }
    let letters: Vec<&&str> = words.iter().filter(|word| word.len() == 1).collect();
    assert_eq!(letters, [&"a", &"e", &"q", &"v", &"x"], "a letter is an initial unless a name of a member needs it");
}

#[test]
fn no_first_name_is_a_word() {
    for section in [WOMEN, MEN] {
        let names = names(section);
        assert_eq!(names.len(), 1_000, "{section}");
        let found: Vec<&str> = names.into_iter().filter(|name| is_word(name) && *name != NO_FIRST_NAME).collect();
        assert_eq!(found, [""; 0], "{section}");
    }
}

#[test]
fn no_common_surname_is_a_word_and_rarer_ones_have_a_reason() {
    let names = names(SURNAMES);
    assert_eq!(names.len(), 3_000);
    let found = |part: &[&'static str]| part.iter().copied().filter(|name| is_word(name)).collect::<Vec<_>>();
    assert_eq!(found(&names[..COMMON_SURNAMES]), [""; 0]);
    let mut rare = found(&names[COMMON_SURNAMES..]);
    rare.sort_unstable();
    assert_eq!(rare, WORDS_THAT_ARE_RARE_SURNAMES.iter().map(|(word, _)| *word).collect::<Vec<_>>());
}

#[test]
fn titles_and_particles_of_names_are_no_words() {
    for word in ["mr", "mrs", "miss", "dr", "prof", "herr", "frau", "madame", "monsieur", "senor", "senora", "dona"] {
        assert!(!is_word(word), "{word}");
    }
    for word in ["de", "la", "le", "du", "da", "dos", "del", "di", "von", "van", "der", "den", "bin", "ibn", "al", "mc"]
    {
        assert!(!is_word(word), "{word}");
    }
}

#[test]
fn the_generators_people_are_no_phrases() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/traffic/src/gen/centre.rs");
    let source = std::fs::read_to_string(path).unwrap();
    for list in ["FIRST_NAMES", "SURNAMES", "AGENT_SURNAMES"] {
        let from = source.split_once(&format!("const {list}: [&str; ")).unwrap().1.split_once("= [").unwrap().1;
        let names: Vec<&str> = from.split_once("];").unwrap().0.split('"').skip(1).step_by(2).collect();
        assert!(names.len() >= 12, "{list}");
        for name in names {
            assert!(!is_phrase(name) && plain_name(name) == "*", "{name}");
        }
    }
}

#[test]
fn phrases_of_the_guides_are_phrases() {
    for phrase in [
        "q-sales-support",
        "CRM_API_LOOKUP",
        "IVR-CallerID",
        "Digital-Email",
        "Call_Routed_To_Agent",
        "Customer_Support_Inbound",
        "RTBF_REQUEST",
        "SUCCESS",
        "IDENTITY_RESOLUTION",
        "DATA_DELETION",
        "call.stateChange",
        "interaction.stateChange",
        "Billing (voice)",
        "Claims",
        "Technical support",
        "New business",
        "Retention",
        "Complaints",
        "Wrap Up",
        "Call Answered",
        "End Call",
        "Abandoned",
        "Cancelled",
        "Transferred",
        "Completed",
        "IVRMenu",
        "Tier 2 support",
        "sales/support & billing",
        "Queue: new business",
        "Kundenservice",
        "Reclamos",
        "e-mail",
    ] {
        assert!(is_phrase(phrase), "{phrase}");
    }
}

#[test]
fn what_holds_more_than_words_is_no_phrase() {
    for text in [
        "",
        "-",
        " ",
        "()",
        "12",
        "5-5",
        "c-9821-voice",
        "Jane Doe",
        "jane",
        "sales jane",
        "SalesJane",
        "support555",
        "call 1 of 2",
        "+15555550142",
        "queue 123",
        "agent@example.com",
        "sales, support",
        "sales\u{a0}support",
        "sales\tsupport",
        "sales support ",
        " sales",
        "vertrieb für kunden",
        "\u{202e}sales",
        "call me at the office",
        "batch_20231027_001",
        "i-12345678-90ab-cdef-1234-567890abcdef",
        "cust_hash_9f86d08",
        "sha256",
        "A Smith",
        "Page",
        "customer Max",
    ] {
        assert!(!is_phrase(text), "{text:?}");
        assert_eq!(plain_name(text), "*", "{text:?}");
    }
    let long = "sales-".repeat(10) + "call";
    assert_eq!((long.len(), is_phrase(&long)), (64, true));
    assert!(!is_phrase(&(long + "s")));
}

#[test]
fn member_names_of_plain_words_are_shown() {
    for name in [
        "organizationId",
        "agentSkills",
        "agent_skills",
        "AgentSkills",
        "agent-skills",
        "contactCenterId",
        "customFields",
        "customField_A",
        "lineageToken",
        "lineageProvenance",
        "resolvedCustomerId",
        "accountNumberHash",
        "gdprConsentRecorded",
        "dataSubjectRequestPending",
        "OAuthClient",
        "GDPRRequest",
        "IVR",
        "WhatsAppCampaignSchedule",
        "MaxOrgRoutingUtilizationCapacity",
        "nNextContactAvoided",
        "eTag",
        "address2",
        "v2",
    ] {
        assert_eq!(plain_name(name), name);
    }
    for name in ["tel15555550142", "JaneDoe", "Jane_Doe", "jane.doe", "quinn", "DOE-jane", "x1234", "prénom", "{id}"] {
        assert_eq!(plain_name(name), "*", "{name}");
    }
}

#[test]
fn every_word_of_the_vocabularies_is_made_of_words() {
    for vocabulary in crate::vocabulary::ALL {
        for word in vocabulary.words {
            assert!(is_phrase(word), "{}: {word}", vocabulary.name);
        }
    }
}

/// The models of the platform and its topics, where `LEDGERLINE_CORPUS` says that they lie.
#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn members_and_enumerations_of_the_platform_are_made_of_words() {
    let Some(corpus) = std::env::var_os("LEDGERLINE_CORPUS").map(std::path::PathBuf::from) else {
        eprintln!("SKIPPED members_and_enumerations_of_the_platform: LEDGERLINE_CORPUS is not set");
        return;
    };
    let read = |name: &str| std::fs::read_to_string(corpus.join("genesys").join(name)).unwrap();
    let (models, topics) = (read("genesys_models.json"), read("eventbridge/topic_to_model.json"));
    // Q.850 is a standard with a number of three digits.
    let fits = |name: &str| is_phrase(&name.replace("q850", "q"));
    let models: serde_json::Value = serde_json::from_str(&models).unwrap();
    for (model, members) in models["models"].as_object().unwrap() {
        assert!(is_phrase(model) || model.len() > MAX_PHRASE_BYTES, "{model}");
        for (member, of) in members.as_object().unwrap() {
            assert!(fits(member), "{model}: {member}");
            for word in of["enum"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str) {
                assert!(fits(word), "{model}.{member}: {word}");
            }
        }
    }
    let topics: serde_json::Value = serde_json::from_str(&topics).unwrap();
    for topic in topics.as_object().unwrap().keys() {
        for part in topic.split('.').filter(|part| *part != "{id}") {
            assert!(is_phrase(part), "{topic}");
        }
    }
}

/// Two or three words of more than one letter, in one of the spellings that programs use.
fn spelled(words: &[&str], spelling: usize) -> String {
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    let capitals = || words.iter().map(|word| capital(word)).collect::<Vec<_>>();
    match spelling {
        0 => words.join("_"),
        1 => words.join("-"),
        2 => words.join("_").to_ascii_uppercase(),
        3 => capitals().concat(),
        4 => words[0].to_owned() + &capitals()[1..].concat(),
        5 => capitals().join(" "),
        6 => words.join("."),
        _ => format!("{} ({})", words[0], words[1..].join(" & ")),
    }
}

fn long_words() -> Vec<&'static str> {
    all().filter(|word| (2..=12).contains(&word.len())).collect()
}

fn first_and_last() -> impl Strategy<Value = (&'static str, &'static str)> {
    let first: Vec<&str> = [names(WOMEN), names(MEN)].concat();
    (prop::sample::select(first), prop::sample::select(names(SURNAMES)))
}

proptest! {
    #[test]
    fn any_text_is_read_and_a_phrase_is_short_and_plain(text in "\\PC{0,80}") {
        if is_phrase(&text) {
            prop_assert!(text.len() <= 64 && text.is_ascii());
            prop_assert!(text.bytes().filter(u8::is_ascii_digit).count() <= 2);
        }
        prop_assert!(plain_name(&text) == text || plain_name(&text) == "*");
        is_word(&text);
    }

    #[test]
    fn any_bytes_that_are_a_text_are_read(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = (is_word(&text), is_phrase(&text), plain_name(&text));
    }

    #[test]
    fn one_phrase_passes_however_it_is_spelled(
        words in prop::collection::vec(prop::sample::select(long_words()), 2..=3),
        spelling in 0..8_usize,
    ) {
        let text = spelled(&words, spelling);
        prop_assert!(is_phrase(&text), "{}", text);
        prop_assert_eq!(plain_name(&text), &text);
    }

    #[test]
    fn a_word_more_that_is_none_makes_it_no_phrase(
        words in prop::collection::vec(prop::sample::select(long_words()), 1..=2),
        other in "[b-df-hj-np-z]{5,9}",
        spelling in 0..8_usize,
        at in 0..3_usize,
    ) {
        let mut words = words;
        words.insert(at.min(words.len()), &other);
        let text = spelled(&words, spelling);
        prop_assert!(is_word(&other) || !is_phrase(&text), "{}", text);
    }

    #[test]
    fn no_name_passes_in_any_spelling((first, last) in first_and_last(), spelling in 0..8_usize) {
        // Only a name of which both halves are words could; `numbers` is the one first name that is.
        prop_assume!(first != NO_FIRST_NAME);
        prop_assert!(!is_phrase(&spelled(&[first, last], spelling)));
        prop_assert!(!is_phrase(&spelled(&[last, first], spelling)));
        prop_assert!(!is_phrase(&spelled(&["customer", first, last], spelling)));
        let initial = format!("{}. {last}", &first[..1]);
        prop_assert!(!is_phrase(&initial) || is_word(last));
    }

    #[test]
    fn no_phone_and_no_address_passes(
        text in prop_oneof![
            "\\+?[1-9][0-9]{2,14}",
            "(tel|sip|call|queue)[: -]?\\+?[1-9][0-9]{2,14}",
            "[1-9][0-9]{2} [0-9]{3} [0-9]{4}",
            "[0-9]{2}([ .-][0-9]{2}){1,6}",
            "sales [0-9]{2}([ .-][0-9]{2}){1,6}",
            "[a-z]{1,8}\\.[a-z]{1,8}@[a-z]{1,8}\\.com",
            "sales@[a-z]{1,8}\\.com",
        ],
    ) {
        prop_assert!(!is_phrase(&text), "{}", text);
    }
}
