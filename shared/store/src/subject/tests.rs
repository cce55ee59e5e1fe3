use super::*;
use crate::table::Action;

const FILTERED: Link = Link { span: None };

fn spanned(first: &str, last: &str) -> Link {
    Link { span: Some(Span { log: "acme/interaction/1/0".into(), first: first.into(), last: last.into() }) }
}

/// The row that a new link is put as, or what is set in the row of one that is there; and the condition.
fn put(link: Link, replaces: Option<Link>) -> (Row, Condition) {
    let write =
        link_write("s_1", &LinkWrite { record: "acme/User/u-1".into(), link, replaces, party: PartySeen::default() })
            .unwrap();
    assert_eq!(write.key, Key::new("SUB#s_1", "INT#acme/User/u-1"));
    let row = match write.action {
        Action::Put(row) => row,
        Action::Update(changes) => changes
            .into_iter()
            .map(|change| match change {
                Change::Set(name, value) => (name, value),
                other => panic!("a link is widened: {other:?}"),
            })
            .collect(),
        other => panic!("a link is written: {other:?}"),
    };
    (row, write.condition.unwrap())
}

fn phone_in(org: &str) -> SubjectName {
    SubjectName { org: org.into(), kind: Kind::Phone, pseudonym: "p1_x".into() }
}

#[test]
fn an_identifier_has_a_row_in_each_org() {
    let key = identifier_key("acme", "p1_x");
    assert_eq!(key, Key::new("ID#acme/p1_x", "SUBJECT"));
    assert_eq!(parse_identifier_key(&key), Some(("acme", "p1_x")));
    assert_ne!(key, identifier_key("beta", "p1_x"));
    for key in [Key::new("ID#p1_x", "SUBJECT"), Key::new("ID#acme/p1_x", "STATE"), state_key("s_1")] {
        assert_eq!(parse_identifier_key(&key), None, "{key}");
    }
}

#[test]
fn new_links_are_counted_on_an_open_row_and_into_their_day_as_it_was_read() {
    let open = || {
        vec![
            Condition::equals("state", "active"),
            Condition::equals("generation", 1_u64),
            Condition::at_most("links", 4_998_u64),
            Condition::lacks("sharedAt"),
        ]
    };
    let (date, before) = ("2026-03-02".to_owned(), Some("2026-03-01".to_owned()));
    let update = || Write::update(Key::new("SUB#s_1", "STATE")).add("links", 2_u64).when(Condition::All(open()));
    let first = || update().set("day", "2026-03-02").set("inDay", 2_u64);
    for (day, fills, wanted) in [
        (DayCount::First { date: date.clone(), before: None }, false, first().when(Condition::lacks("day"))),
        (
            DayCount::First { date: date.clone(), before },
            true,
            first().when(Condition::equals("day", "2026-03-01")).set("missed", true),
        ),
        (
            DayCount::More { date: date.clone(), at_most: None },
            false,
            update().add("inDay", 2_u64).when(Condition::equals("day", "2026-03-02")),
        ),
        (
            DayCount::More { date, at_most: Some(97) },
            true,
            update()
                .add("inDay", 2_u64)
                .when(Condition::equals("day", "2026-03-02"))
                .when(Condition::at_most("inDay", 97_u64))
                .set("missed", true),
        ),
    ] {
        assert_eq!(extend("s_1", 1, 4_998, Some(&Growth { new: 2, fills, day })), wanted);
    }
    let check = extend("s_1", 1, 4_998, None);
    assert_eq!(check, Write::check(Key::new("SUB#s_1", "STATE"), Condition::All(open())), "not widened either");
}

#[test]
fn a_state_row_reads_back_as_it_was_created_and_without_a_day_as_older_ones_are() {
    let subject = SubjectRef { subject_id: "s_1".into(), customer_ref: "c_1".into() };
    let party = PartySeen::default();
    let links = [LinkWrite { record: "acme/c-1".into(), link: FILTERED, replaces: None, party }];
    for fills in [false, true] {
        let writes = create(&phone_in("acme"), None, &subject, "2026-03-02T14:00:00.000Z", fills, &links).unwrap();
        assert!(writes[..3].iter().all(|write| write.condition == Some(Condition::Absent)));
        assert_eq!(writes[3..], [party::joined("acme/c-1", PartySeen::default(), "s_1")]);
        let Action::Put(mut row) = writes[1].action.clone() else { panic!("a state is put") };
        let day = Some(Day { date: "2026-03-02".into(), links: 1 });
        let name = Some(phone_in("acme"));
        let made = SubjectState { name: name.clone(), links: 1, missed: fills, day, ..SubjectState::NEW };
        assert!(made.is_of("acme") && !made.is_of("beta") && !SubjectState::NEW.is_of("acme"));
        assert_eq!(read_state(row.clone()).unwrap(), made);
        assert_eq!(row.contains_key("missed"), fills);
        row.insert("sharedAt".to_owned(), "2026-03-03T09:00:00.000Z".into_value());
        assert_eq!(read_state(row.clone()).unwrap().shared_at.as_deref(), Some("2026-03-03T09:00:00.000Z"));
        row.remove("inDay");
        assert!(read_state(row.clone()).is_err());
        row.retain(|name, _| !["day", "sharedAt", "missed"].contains(&name.as_str()));
        assert_eq!(read_state(row.clone()).unwrap(), SubjectState { name, links: 1, ..SubjectState::NEW });
        row.insert("state".to_owned(), "erasing".into_value());
        assert!(!read_state(row.clone()).unwrap().active);
        for name in ["state", "generation", "links", "org", "kind", "pseudonym"] {
            let mut row = row.clone();
            row.remove(name);
            assert!(matches!(read_state(row), Err(StoreError::Corrupt(_))), "without {name}");
        }
        row.insert("kind".to_owned(), "fax".into_value());
        assert!(matches!(read_state(row), Err(StoreError::Corrupt(_))), "of no kind");
    }
}

#[test]
fn a_links_row_has_all_of_its_span_or_nothing_of_it() {
    for stored in [FILTERED, spanned("a", "b")] {
        let (row, _) = put(stored.clone(), None);
        assert_eq!(row.len(), if stored == FILTERED { 0 } else { 3 });
        assert_eq!(read_link(row).unwrap(), stored);
    }
    for missing in ["log", "first", "last"] {
        let (mut row, _) = put(spanned("a", "b"), None);
        row.remove(missing);
        assert!(matches!(read_link(row), Err(StoreError::Corrupt(_))), "without {missing}");
        let only = Row::from([(missing.to_owned(), "a".into_value())]);
        assert!(matches!(read_link(only), Err(StoreError::Corrupt(_))), "{missing} alone");
    }
}

#[test]
fn a_link_is_replaced_only_as_it_was_read() {
    assert_eq!(put(FILTERED, None).1, Condition::Absent);
    let first = put(spanned("a", "b"), Some(FILTERED)).1;
    assert_eq!(first, Condition::All(vec![Condition::Exists, Condition::lacks("first")]));
    let (set, wider) = put(spanned("a", "c"), Some(spanned("a", "b")));
    assert_eq!(wider, Condition::All(vec![Condition::equals("first", "a"), Condition::equals("last", "b")]));
    // What the journal added to the row stays.
    assert_eq!(read_link(set).unwrap(), spanned("a", "c"));
}

#[test]
fn a_subjects_two_names_share_no_bytes() {
    let mut random = [7; 32];
    random[16..].fill(9);
    let subject = SubjectRef::from_random(random);
    assert_eq!(subject.subject_id, format!("s_{}", "07".repeat(16)));
    assert_eq!(subject.customer_ref, format!("c_{}", "09".repeat(16)));
}
