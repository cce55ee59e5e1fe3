//! What is asked: the schedules' inputs, as the template gives them, and a person's.

use ledgerline_gold::{Request, Schedule};

use crate::world::World;

#[test]
fn the_schedules_say_which_they_are() {
    let read = |text: &str| serde_json::from_str::<Request>(text).unwrap();
    let frequent = read(include_str!("../../../../events/schedule-gold-frequent.json"));
    let nightly = read(include_str!("../../../../events/schedule-gold-nightly.json"));
    assert_eq!((frequent.run, nightly.run), (Schedule::Frequent, Schedule::Nightly));
    let one = read(include_str!("../../../../events/invoke-gold-date.json"));
    assert_eq!(one, Request { run: Schedule::Frequent, date: Some("2026-03-02".to_owned()) });
    let scheduled =
        read(r#"{"version":"0","detail-type":"Scheduled Event","time":"2026-03-02T14:00:00Z","detail":{}}"#);
    assert_eq!(scheduled, Request::default());
    assert!(serde_json::from_str::<Request>(r#"{"run":"hourly"}"#).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_date_that_is_none_is_refused() {
    let world = World::zoned("Pacific/Apia");
    for date in ["", "2026-02-30", "yesterday", "1989-12-31", "2026-3-2", "2011-12-30"] {
        let error = world.one(date).await.unwrap_err().to_string();
        assert!(error.contains("YYYY-MM-DD"), "{date}: {error}");
    }
    assert!(world.one("2011-12-29").await.unwrap().told == ["2011-12-29"]);
}
