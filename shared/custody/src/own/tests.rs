use ledgerline_privacy::{Pseudonym, PseudonymKey};
use proptest::prelude::*;

use super::*;

fn ring(versions: &[u32]) -> KeyRing {
    KeyRing::new(versions.iter().map(|&version| PseudonymKey::new(version, [version as u8; 32]))).unwrap()
}

fn items(text: &str) -> Vec<OwnItem> {
    parse_list(text, Region::US).unwrap()
}

fn row(name: &OwnName, removed: bool) -> OwnRow {
    let removed_at = removed.then(|| "2026-03-03T00:00:00.000Z".to_owned());
    OwnRow { name: name.clone(), added_at: "2026-03-02T00:00:00.000Z".to_owned(), removed_at, formerly: false }
}

/// What a list says of a value, looked up as an event's or a request's identifier is.
fn standing(list: &OwnList, ring: &KeyRing, kind: Kind, value: &str) -> Standing {
    let identifier = Identifier::parse(kind, value, Region::US).unwrap();
    let pseudonyms = ring.pseudonyms(&identifier);
    list.standing(pseudonyms.iter().map(Pseudonym::as_str), domain_of(&identifier))
}

#[test]
fn a_row_under_any_version_of_the_key_matches() {
    let (old, both) = (ring(&[1]), ring(&[1, 2]));
    let listed_before = items("+1 555 555 0100")[0].names(Some(&old));
    let list = OwnList::new([row(&listed_before[0], false)]);
    assert_eq!(standing(&list, &both, Kind::Phone, "(555) 555-0100"), Standing::InForce);
    assert_eq!(standing(&list, &both, Kind::Phone, "(555) 555-0101"), Standing::Never);
    let listed_after = items("+1 555 555 0100")[0].names(Some(&both));
    assert_eq!((listed_after.len(), listed_after[0].name().starts_with("p2_")), (2, true));
    assert_eq!(
        standing(&OwnList::new([row(&listed_after[0], false)]), &both, Kind::Phone, "5555550100"),
        Standing::InForce
    );
}

#[test]
fn a_number_of_the_company_is_its_own_and_its_digits_as_anything_else_are_not() {
    let ring = ring(&[1]);
    let list = OwnList::of(&items("+15555550100"), Some(&ring));
    assert_eq!(standing(&list, &ring, Kind::Phone, "sip:15555550100@pbx.example"), Standing::InForce);
    for kind in [Kind::MessagingAddress, Kind::Account] {
        assert_eq!(standing(&list, &ring, kind, "15555550100"), Standing::Never, "{kind}");
    }
}

#[test]
fn a_domain_covers_its_addresses_in_any_case_and_those_of_no_other_domain() {
    let ring = ring(&[1]);
    for written in ["example.com", "@example.com", " @Example.COM ", "EXAMPLE.com."] {
        let list = OwnList::of(&items(written), Some(&ring));
        for (address, expected) in [
            ("help@example.com", Standing::InForce),
            ("Help <HELP@EXAMPLE.COM>", Standing::InForce),
            ("jane@mail.example.com", Standing::Never),
            ("jane@notexample.com", Standing::Never),
            ("jane@example.com.br", Standing::Never),
            ("example.com@example.org", Standing::Never),
        ] {
            assert_eq!(standing(&list, &ring, Kind::Email, address), expected, "{written}: {address}");
        }
        assert_eq!(standing(&list, &ring, Kind::MessagingAddress, "help@example.com"), Standing::Never);
    }
    let list = OwnList::of(&items("help@example.com"), Some(&ring));
    assert_eq!(standing(&list, &ring, Kind::Email, "jane@example.com"), Standing::Never, "one address is no domain");
}

#[test]
fn what_was_removed_is_formerly_own_and_in_force_anywhere_counts_more() {
    let ring = ring(&[1]);
    let address = items("help@example.com")[0].names(Some(&ring)).remove(0);
    let domain = OwnName::Domain("example.com".to_owned());
    let of = |rows: Vec<OwnRow>| standing(&OwnList::new(rows), &ring, Kind::Email, "help@example.com");
    assert_eq!(of(vec![row(&address, true)]), Standing::Formerly);
    assert_eq!(of(vec![row(&domain, true)]), Standing::Formerly);
    for rows in [
        vec![row(&address, true), row(&domain, false)],
        vec![row(&domain, true), row(&address, false)],
        // Two orgs' rows about one thing, in either order.
        vec![row(&address, true), row(&address, false)],
        vec![row(&address, false), row(&address, true)],
    ] {
        assert_eq!(of(rows), Standing::InForce);
    }
    let again = OwnRow { formerly: true, ..row(&address, false) };
    assert_eq!(of(vec![again]), Standing::InForce);
}

#[test]
fn bad_items_are_told_by_their_places_and_by_nothing_else() {
    let refused = parse_list(" +4930123456, nonsense, help@example.com, ,12, 1-800-FLOWERS ", Region::US);
    let told = refused.unwrap_err().to_string();
    assert_eq!(told, "item 2, item 4, item 5, item 6: not a phone number, an e-mail address or a domain");
    for one in [
        "@",
        "@com",
        "com",
        "a b.example",
        "example..com",
        ".example.com",
        "x@y@example.com",
        "ex_ample.com",
        "*.example.com",
        "example.com?x",
    ] {
        assert_eq!(parse_list(one, Region::US), Err(BadItems(vec![1])), "{one}");
    }
    for none in ["", "  "] {
        assert_eq!(parse_list(none, Region::US), Ok(Vec::new()));
    }
    assert_eq!(parse_list("example.com,@Example.COM", Region::US).unwrap().len(), 1, "each once");
    let germany = "DE".parse().unwrap();
    assert_eq!(parse_list("030 1234567", germany), parse_list("+49 30 1234567", Region::US));
}

#[test]
fn no_item_is_printed() {
    let printed = format!("{:?}", items("+15555550100, help@example.com"));
    assert!(!printed.contains("555") && !printed.contains("help"), "{printed}");
}

#[test]
fn without_a_key_a_list_has_its_domains_alone() {
    let list = OwnList::of(&items("example.com,+15555550100"), None);
    assert_eq!(list.standing([], Some("example.com")), Standing::InForce);
    assert!(items("+15555550100")[0].names(None).is_empty());
}

#[test]
fn a_sort_key_is_read_as_it_was_written() {
    let ring = ring(&[3]);
    for item in items("example.com,help@example.com,+15555550100") {
        for name in item.names(Some(&ring)) {
            assert_eq!(OwnName::parse(&name.to_key()), Some(name));
        }
    }
    for key in ["", "phone", "phone#+15555550100", "fax#p1_", "phone#p1_00"] {
        assert_eq!(OwnName::parse(key), None, "{key}");
    }
}

#[test]
fn adding_and_removing_again_changes_nothing() {
    let (old, both) = (ring(&[1]), ring(&[1, 2]));
    let (before, names) =
        (items("help@example.com")[0].names(Some(&old)), items("help@example.com")[0].names(Some(&both)));
    let (newest, older) = (names[0].clone(), before[0].clone());
    let all = [(newest.clone(), Change::Add), (older.clone(), Change::Add)];
    assert_eq!(plan_add(&[], &names), all, "a row under each version");
    assert_eq!(plan_add(&[row(&older, false)], &names), all[..1]);
    assert_eq!(plan_add(&[row(&older, true), row(&newest, false)], &names), [(older.clone(), Change::Restore)]);
    assert_eq!(plan_add(&[row(&older, false), row(&newest, false)], &names), []);
    assert_eq!(plan_add(&[], &[]), []);
    assert_eq!(plan_remove(&[row(&before[0], true)], &names), []);
    assert_eq!(
        plan_remove(&[row(&before[0], false), row(&names[0], false)], &names),
        [(before[0].clone(), Change::Remove), (names[0].clone(), Change::Remove)]
    );
    let other = OwnName::Domain("example.com".to_owned());
    assert_eq!(plan_remove(&[row(&other, false)], &names), [], "the domain is another item");
}

proptest! {
    #[test]
    fn no_text_panics_and_each_item_has_names(text in "\\PC{0,40}") {
        if let Ok(items) = parse_list(&text, Region::US) {
            prop_assert!(items.iter().all(|item| !item.names(Some(&ring(&[1]))).is_empty()));
        }
    }

    #[test]
    fn a_domain_is_read_to_what_its_addresses_have(domain in "[a-zA-Z0-9-]{1,9}(\\.[a-zA-Z0-9-]{1,5}){0,2}\\.[a-zA-Z]{2,5}") {
        if let Ok(items) = parse_list(&domain, Region::US) {
            let ring = ring(&[1]);
            let list = OwnList::of(&items, Some(&ring));
            prop_assert_eq!(standing(&list, &ring, Kind::Email, &format!("jane@{domain}")), Standing::InForce);
        }
    }
}
