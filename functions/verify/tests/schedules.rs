//! The schedules' inputs, as the template gives them.

use ledgerline_verify::{Look, Request};

#[test]
fn the_schedules_say_how_much_to_look_at() {
    let new: Request = serde_json::from_str(include_str!("../../../events/schedule-verify-new.json")).unwrap();
    let all: Request = serde_json::from_str(include_str!("../../../events/schedule-verify-everything.json")).unwrap();
    assert_eq!((new.look, all.look), (Look::New, Look::Everything));
}

#[test]
fn an_event_without_a_look_asks_for_what_is_new() {
    let scheduled = r#"{"version":"0","detail-type":"Scheduled Event","source":"aws.events","detail":{}}"#;
    assert_eq!(serde_json::from_str::<Request>(scheduled).unwrap().look, Look::New);
    assert!(serde_json::from_str::<Request>(r#"{"look":"some"}"#).is_err());
}
