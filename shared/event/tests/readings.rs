//! What reviewers tried to get past the description: events that look like another shape's, blanks, bags in bags, records of records.
//!
//! Each case was a wrong reading once, or would be with a plausible mistake in the description.

use crate::support::{plain, tree};
use ledgerline_event::document::{Fragment, Rejection, split};
use ledgerline_event::source_event::Links;
use ledgerline_event::{Context, LineageFrom, SourceEvent, adapt, content_id};
use ledgerline_privacy::Kind;
use serde_json::{Value, json};

const AT: &str = "2026-03-02T14:00:00Z";

fn read<T>(document: &Value, check: impl FnOnce(Result<SourceEvent<'_>, Rejection>) -> T) -> T {
    check(adapt(tree(document), &Context { default_org: "acme", numeric_id_sources: &[] }))
}

/// Event type and record id.
fn kind_and_record(document: &Value) -> (String, String) {
    read(document, |event| {
        let event = event.unwrap_or_else(|reason| panic!("{reason}: {document}"));
        (event.event_type.to_owned(), event.record.id().into_owned())
    })
}

fn identifiers(document: &Value) -> Vec<(Kind, String)> {
    read(document, |event| {
        let event = event.unwrap();
        event.identifiers.iter().map(|(kind, value)| (*kind, value.expose_for_pseudonym().to_owned())).collect()
    })
}

fn field(document: &Value, name: &str) -> Option<Value> {
    read(document, |event| {
        event.unwrap().fields.iter().find(|field| field.name == name).map(|field| plain(&field.value))
    })
}

fn id_of(document: &Value) -> [u8; 32] {
    read(document, |event| *content_id(&event.unwrap(), tree(document)).as_bytes())
}

/// One event of interaction `i-1`, with these members beside.
fn flat(members: Value) -> Value {
    let mut event = json!({"interactionId": "i-1", "timestamp": AT});
    event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    event
}

#[test]
fn one_dotted_key_makes_no_identity_event_of_an_ordinary_one() {
    let call = flat(json!({"eventType": "call.ended", "customerId": "4711", "audit.user": "svc"}));
    assert_eq!(kind_and_record(&call).0, "customer.end");
    assert_eq!(identifiers(&call), [(Kind::Account, "4711".to_owned())]);
    let inside = flat(json!({"eventType": "call.ended", "audit": {"customerId": "4711", "user": "bob"}}));
    assert_eq!(kind_and_record(&inside).0, "customer.end");
    let flow = json!({"audit.interactionId": "i-1", "audit.timestamp": AT, "audit.customerId": null, "audit.resolutionMethod": "IVR-CallerID"});
    assert_eq!(kind_and_record(&flow), ("identity.unresolved".to_owned(), "i-1".to_owned()));
}

#[test]
fn an_audit_of_an_entity_is_about_the_entity_and_a_record_in_a_bag_comes_before_a_shapes_own_id() {
    for (document, record) in [
        (
            json!({"audit_id": "A-100", "timestamp": AT, "entityType": "User", "entityId": "u-1", "action": "Update"}),
            "User/u-1",
        ),
        (
            json!({"audit_id": "evt_1", "timestamp": AT, "data": {"interactionId": "A", "payload": {"interactionId": "B"}}}),
            "A",
        ),
        (
            json!({"id": "d-1", "interactionType": "Voice", "startTime": AT, "timestamp": AT, "payload": {"interactionId": "i-1"}}),
            "i-1",
        ),
        (
            json!({"event_type": "CONTACT", "contact_id": "c-1", "timestamp": AT, "data": {"interactionId": "i-1"}}),
            "i-1",
        ),
        (
            json!({"id": "x", "startTime": AT, "timestamp": AT, "contactCenterId": "c", "entityType": "Queue", "entityId": "q-1"}),
            "Queue/q-1",
        ),
    ] {
        assert_eq!(kind_and_record(&document).1, record, "{document}");
    }
}

#[test]
fn what_only_a_shape_calls_an_id_is_no_telephone_number_in_groups() {
    for contact in ["317-555-0142", "4111-1111-1111-1111", "31.7555.0142"] {
        let row = json!({"event_type": "CONTACT", "contact_id": contact, "timestamp": AT});
        read(&row, |event| assert_eq!(event.err(), Some(Rejection::NumericId), "{contact}"));
    }
    assert_eq!(kind_and_record(&json!({"event_type": "contact", "contact_id": "c-9821", "timestamp": AT})).1, "c-9821");
}

#[test]
fn an_id_that_names_nothing_or_the_interaction_names_no_event() {
    let at =
        |second: u8, id: Value| flat(json!({"eventId": id, "timestamp": format!("2026-03-02T14:00:{second:02}Z")}));
    for id in [json!(" "), json!("null"), json!("N/A"), json!("0"), json!("uuid_v4_generated"), json!("i-1")] {
        assert_ne!(id_of(&at(1, id.clone())), id_of(&at(2, id.clone())), "{id}");
    }
    assert_eq!(id_of(&at(1, json!("e-1"))), id_of(&at(2, json!("e-1"))));
    // An audit id that repeats another name of the interaction.
    let audit = |state: &str| {
        json!({"audit_id": "i-1", "timestamp": AT, "event_type": "call.stateChange",
            "data": {"conversationId": "c-1", "interactionId": "i-1", "payload": {"state": state}}})
    };
    assert_ne!(id_of(&audit("queued")), id_of(&audit("answered")));
}

#[test]
fn a_state_refines_a_change_of_state_and_nothing_else() {
    for (members, event_type) in [
        (json!({"eventType": "ticket.updated", "payload": {"state": "closed"}}), "other"),
        (json!({"eventType": "x", "data": {"state": "CA"}}), "other"),
        (json!({"eventType": "call.stateChange", "payload": {"state": "completed"}}), "customer.end"),
        (json!({"eventType": "stateChange", "newState": "Mystery"}), "state"),
        (json!({"stateName": "Mystery"}), "state"),
        (json!({"type": "voice", "stateName": "Answered"}), "user.start"),
        (json!({"eventType": "AUDIT", "payload": {"action": "ended"}}), "audit"),
        (json!({"eventType": "", "type": "ended"}), "customer.end"),
        (json!({"eventType": "chat.ended"}), "customer.end"),
        (json!({"eventType": "email.transferred"}), "transfer"),
        (json!({"eventType": "message.received"}), "other"),
    ] {
        assert_eq!(kind_and_record(&flat(members.clone())).0, event_type, "{members}");
    }
}

#[test]
fn a_blank_hides_no_spelling_and_no_synonym() {
    let document = flat(
        json!({"queueId": "", "queue_id": "q-sales-support", "userId": "", "agentId": "a-1", "newState": "", "stateName": "Held"}),
    );
    assert_eq!(field(&document, "queue_id"), Some(json!("q-sales-support")));
    assert_eq!(field(&document, "agent_ref"), Some(json!("a-1")));
    assert_eq!(field(&document, "state_name"), Some(json!("Held")));
    let document = flat(json!({"sequence": null, "sequenceNumber": 5}));
    read(&document, |event| assert_eq!(event.unwrap().sequence, Some(5)));
}

#[test]
fn a_deletion_and_an_anonymization_make_nobody_known() {
    for (word, links) in [
        ("DATA_DELETION", Links::WidenOnly),
        ("IDENTITY_ANONYMIZED", Links::WidenOnly),
        ("IDENTITY_RESOLUTION", Links::Create),
        ("IDENTITY_MERGED", Links::Create),
    ] {
        let document = json!({"auditEvent": {"eventType": word, "timestamp": AT, "interactionId": "i-1", "resolvedCustomerId": "cust_x"}});
        read(&document, |event| assert_eq!(event.unwrap().links, links, "{word}"));
    }
}

#[test]
fn a_customer_id_of_an_identity_event_is_in_the_namespace_that_is_asked_for() {
    let identity = flat(json!({"eventType": "IDENTITY_RESOLUTION", "customerId": "cust_hash_9f86d08"}));
    assert_eq!(identifiers(&identity), [(Kind::CustomerIdHash, "cust_hash_9f86d08".to_owned())]);
    let other = flat(json!({"eventType": "answered", "customerId": "A-1"}));
    assert_eq!(identifiers(&other), [(Kind::Account, "A-1".to_owned())]);
    let nobody = flat(json!({"eventType": "IDENTITY_RESOLUTION", "payload": {"customerId": null}}));
    assert_eq!(kind_and_record(&nobody).0, "identity.unresolved");
}

#[test]
fn an_agents_address_in_an_audit_names_no_customer_and_a_chat_id_is_no_number() {
    let audit = json!({"audit_id": "A-9", "timestamp": AT, "data": {"interactionId": "i-1", "action": "View", "email": "agent7@example.net"}});
    assert_eq!(identifiers(&audit), []);
    let chat = flat(json!({"channel": "WEBCHAT", "direction": "INBOUND", "addressFrom": "4155550142"}));
    assert_eq!(identifiers(&chat), [(Kind::MessagingAddress, "4155550142".to_owned())]);
    let call = flat(json!({"channel": "voice", "direction": "inbound", "ani": "4155550142"}));
    assert_eq!(identifiers(&call), [(Kind::Phone, "4155550142".to_owned())]);
    let journey = flat(json!({"journey_customer": {"customer_id": "avery@example.com", "customer_id_type": "email"}}));
    assert_eq!(identifiers(&journey), [(Kind::Email, "avery@example.com".to_owned())]);
}

#[test]
fn what_stands_around_a_list_is_of_no_element_alone() {
    let batch =
        |record: Value| json!({"process_name": "Claims", "batch_id": "b", "lineageToken": "lt-1", "records": [record]});
    let element = batch(
        json!({"case_id": "c-1", "activity": "Call_Queued", "start_time": AT, "end_time": "2026-03-02T14:05:00Z"}),
    );
    read(&element, |event| {
        let event = event.unwrap();
        assert_eq!((event.lineage_from, event.lifecycle.as_str()), (LineageFrom::Derived, "complete"));
    });
    assert_eq!(field(&element, "process_name"), Some(json!("Claims")));
    let timed = batch(json!({"case_id": "c-1", "activity": "Queued", "eventTime": AT}));
    assert_eq!(kind_and_record(&timed), ("acd.start".to_owned(), "c-1".to_owned()));
    // Records of an event are no batch.
    let event = flat(
        json!({"eventType": "ended", "processName": "P", "records": [{"recordingId": "r1"}, {"recordingId": "r2"}]}),
    );
    assert_eq!(kind_and_record(&event), ("customer.end".to_owned(), "i-1".to_owned()));
    for document in [
        event,
        json!({"batchId": "b", "records": ["x", "y"]}),
        json!({"batchId": "b", "records": [{"x": 1}, {"x": 2}]}),
    ] {
        let bytes = document.to_string().into_bytes();
        let Some(Fragment::Document(bytes, head)) = split(&bytes).next() else { panic!("no document") };
        assert!(!head.is_batch() || ledgerline_event::batch::split(bytes).is_none(), "{document}");
    }
}

#[test]
fn what_passes_middleware_or_is_delivered_again_is_one_event() {
    let summary = |members: Value| {
        let mut event =
            json!({"id": "i-1", "interactionType": "Voice", "startTime": AT, "endTime": "2026-03-02T14:05:00Z"});
        event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        event
    };
    let first = id_of(&summary(json!({})));
    let token = |at: &str| json!({"lineageToken": json!({"id": "lt-1", "metadata": {"processedAt": at}}).to_string()});
    for members in [
        json!({"customFields": token("2026-03-02T14:05:01Z")}),
        json!({"customFields": token("2026-03-02T14:09:01Z"), "attempt": 2}),
        json!({"attempt": 3}),
    ] {
        assert_eq!(id_of(&summary(members.clone())), first, "{members}");
    }
    assert_ne!(id_of(&summary(json!({"customFields": {"caseNumber": "7"}}))), first);
    let webhook = |at: &str| flat(json!({"eventType": "ended", "customFields": token(at)}));
    assert_eq!(id_of(&webhook("2026-03-02T14:05:01Z")), id_of(&webhook("2026-03-02T14:06:01Z")));
}

#[test]
fn what_was_refused_for_a_token_is_told_however_it_was_wrapped() {
    let refused = |sent: Value| {
        read(&flat(json!({"customFields": sent})), |event| {
            let event = event.unwrap();
            let raw = event.refused_token.as_ref().map(|raw| raw.expose_for_pseudonym().to_owned());
            (event.lineage_from, raw)
        })
    };
    let jane = Some("lt-jane-doe".to_owned());
    let wrapped = |at: &str| json!({"id": "lt-jane-doe", "metadata": {"processedAt": at}}).to_string();
    assert_eq!(refused(json!({"lineageToken": "lt-jane-doe"})), (LineageFrom::Refused, jane.clone()));
    assert_eq!(refused(json!({"lineageToken": wrapped("2026-03-02T14:05:01Z")})), (LineageFrom::Refused, jane.clone()));
    assert_eq!(refused(json!({"lineageToken": wrapped("2026-03-02T14:07:01Z")})), (LineageFrom::Refused, jane.clone()));
    assert_eq!(refused(json!({"lineageProvenance": wrapped("x")})), (LineageFrom::Refused, jane));
    let number = Some("15555550142".to_owned());
    assert_eq!(refused(json!({"lineageToken": {"id": 15_555_550_142_u64}})), (LineageFrom::Refused, number));
    assert_eq!(refused(json!({"lineageToken": ""})), (LineageFrom::Derived, None));
}

#[test]
fn a_time_of_no_calendar_of_ours_is_implausible_and_not_unreadable() {
    for (time, reason) in [
        (json!("0001-01-01T00:00:00Z"), Rejection::ImplausibleTime),
        (json!("1969-12-31T23:59:59Z"), Rejection::ImplausibleTime),
        (json!("0001-13-01T00:00:00Z"), Rejection::NoTime),
        (json!(0), Rejection::NoTime),
    ] {
        let document = json!({"interactionId": "i-1", "timestamp": time});
        read(&document, |event| assert_eq!(event.err(), Some(reason), "{time}"));
    }
}

#[test]
fn every_outcome_that_the_look_up_makes_may_be_stored() {
    // Compiling the description refuses any other; here the word that was missing once.
    let row =
        |word: &str| json!({"event_type": "CONTACT", "contact_id": "c-1", "timestamp": AT, "outcome_status": word});
    for (word, outcome) in
        [("Answered", "ANSWERED"), ("handled", "ANSWERED"), ("Cancelled", "ABANDONED"), ("??", "UNKNOWN")]
    {
        assert_eq!(field(&row(word), "outcome"), Some(json!(outcome)), "{word}");
    }
}
