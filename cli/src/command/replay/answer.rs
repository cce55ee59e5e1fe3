//! What `replay` tells: counts by day, source and reason; what is left, and what to do about it.

use std::collections::BTreeMap;
use std::io;

use ledgerline_custody::replay::{Group, LettersReport, Origin, Report, Seen, Tally};
use ledgerline_event::instant;
use serde_json::{Value, json};

use crate::answer::{Answer, Outcome};
use crate::screen::{Mark, Screen, counted, grouped};

/// Dead letters and damaged objects that a person is shown; JSON has more.
const SHOWN: usize = 20;

/// Lines of objects.
pub(super) struct Lines {
    pub(super) origin: Origin,
    pub(super) applied: bool,
    pub(super) report: Report,
}

/// Messages of dead-letter queues.
pub(super) struct Messages {
    pub(super) applied: bool,
    pub(super) report: LettersReport,
}

impl Answer for Lines {
    /// What no run puts back needs a person.
    fn outcome(&self) -> Outcome {
        Outcome::of(!self.report.needs_somebody())
    }

    fn json(&self) -> Value {
        let report = &self.report;
        json!({
            "of": name(self.origin), "applied": self.applied, "groups": groups(&report.groups), "objects": report.objects,
            "open": report.open(), "sent": report.sent_lines(), "replayedBefore": report.marked, "notWanted": report.not_wanted,
            "unreadable": report.unreadable, "tooLarge": report.too_large, "damaged": report.damaged,
            "damagedObjects": report.damaged_keys, "deletedObjects": report.deleted,
            "firstExpiry": report.first_expiry_ms.map(instant::to_rfc3339),
        })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let report = &self.report;
        screen.title("REPLAY", name(self.origin))?;
        draw_groups(screen, &report.groups, self.applied)?;
        screen.fact("objects read", &grouped(report.objects))?;
        screen.fact("replayed before", &counted(report.marked, "line", "lines"))?;
        if report.not_wanted > 0 {
            screen.fact("not chosen", &counted(report.not_wanted, "line", "lines"))?;
        }
        if report.deleted > 0 {
            screen.fact(
                "deleted",
                &counted(report.deleted, "error object, all of it back", "error objects, all of them back"),
            )?;
        }
        screen.gap()?;
        let left = [
            (report.unreadable, "of no form that is known", "they stay until they expire"),
            (report.too_large, "larger than the stream takes", "cut them by hand, or let them expire"),
        ];
        for (lines, what, advice) in left.into_iter().filter(|(lines, ..)| *lines > 0) {
            let what = format!("{} {what}", counted(lines, "line is", "lines are"));
            screen.check(Mark::Bad, &what, advice)?;
        }
        for key in report.damaged_keys.iter().take(SHOWN) {
            screen.check(Mark::Bad, key, "is damaged: what could be read of it went its way")?;
        }
        if let Some(expires) = report.first_expiry_ms.filter(|_| !self.applied && report.open() > 0) {
            let what = format!("the first of them expires at {}", instant::to_rfc3339(expires));
            screen.check(Mark::Look, &what, "what is not replayed by then is gone")?;
        }
        let (mark, verdict) = verdict(self.applied, report.open(), report.sent_lines(), ["line", "lines"]);
        screen.verdict(mark, &verdict)
    }
}

impl Answer for Messages {
    fn outcome(&self) -> Outcome {
        Outcome::of(self.report.unreadable == 0)
    }

    fn json(&self) -> Value {
        let report = &self.report;
        let pointer = |seen: &Seen| json!({ "queue": seen.queue, "isBack": seen.is_back, "message": seen.pointer });
        json!({
            "of": "dlq", "applied": self.applied, "groups": groups(&report.groups), "open": report.open(),
            "sent": report.sent_letters(), "waitForTheirLine": report.waiting, "notWanted": report.not_wanted,
            "unreadable": report.unreadable, "moreIn": report.cut_short,
            "pointers": report.pointers.iter().map(pointer).collect::<Vec<_>>(),
        })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let report = &self.report;
        screen.title("REPLAY", "dlq")?;
        draw_groups(screen, &report.groups, self.applied)?;
        for seen in report.pointers.iter().filter(|seen| !seen.is_back).take(SHOWN) {
            let names = seen.pointer.events.iter().map(|names| {
                let (id, token) = (names.interaction_id.as_deref(), names.lineage_token.as_deref());
                format!("interaction {}, token {}", id.unwrap_or("–"), token.unwrap_or("–"))
            });
            let names: Vec<String> = names.collect();
            let what = format!("line {} of {}", seen.pointer.line, seen.pointer.key);
            screen.check(Mark::Look, &what, &names.join("; "))?;
        }
        if report.waiting > 0 {
            let what =
                format!("{} at a line that is not back", counted(report.waiting, "message points", "messages point"));
            let advice = "`ledgerline replay quarantine` or `replay spill` puts the lines back, and this command then takes the messages away";
            screen.check(Mark::Look, &what, advice)?;
        }
        if report.unreadable > 0 {
            let what = format!("{} not go back", counted(report.unreadable, "message can", "messages can"));
            screen.check(Mark::Bad, &what, "look at it in its queue; it stays until it expires")?;
        }
        for queue in &report.cut_short {
            screen.check(
                Mark::Look,
                &format!("there is more in {queue}"),
                "choose by --reason, --source and --since",
            )?;
        }
        let (mark, verdict) = verdict(self.applied, report.open(), report.sent_letters(), ["message", "messages"]);
        screen.verdict(mark, &verdict)
    }
}

fn name(origin: Origin) -> &'static str {
    match origin {
        Origin::Quarantine => "quarantine",
        Origin::Errors => "errors",
        Origin::Spill => "spill",
    }
}

fn groups(groups: &BTreeMap<Group, Tally>) -> Value {
    let one = |(Group { day, source, reason }, tally): (&Group, &Tally)| {
        json!({
            "day": day, "source": source, "reason": reason, "open": tally.open, "sent": tally.sent, "refusedAgain": tally.again,
            "replayedMost": tally.replayed_most,
        })
    };
    groups.iter().map(one).collect()
}

fn draw_groups(screen: &mut Screen<'_>, groups: &BTreeMap<Group, Tally>, applied: bool) -> io::Result<()> {
    if groups.is_empty() {
        return Ok(());
    }
    let rows: Vec<Vec<String>> = groups
        .iter()
        .map(|(Group { day, source, reason }, tally)| {
            let mut row = vec![day.clone(), source.clone(), reason.clone(), grouped(tally.open)];
            row.extend(applied.then(|| grouped(tally.sent)));
            row.push(grouped(tally.again));
            row
        })
        .collect();
    let headings: &[&str] = match applied {
        true => &["day", "source", "reason", "found", "put back", "refused before"],
        false => &["day", "source", "reason", "found", "refused before"],
    };
    screen.table(headings, &rows)?;
    screen.gap()
}

fn verdict(applied: bool, open: u64, sent: u64, [one, many]: [&str; 2]) -> (Mark, String) {
    match (applied, open) {
        (_, 0) => (Mark::Good, "There is nothing to put back.".to_owned()),
        (true, _) => {
            let verb = if sent == 1 { "is" } else { "are" };
            (
                Mark::Good,
                format!("{} {verb} back. What came twice is counted as a duplicate.", counted(sent, one, many)),
            )
        }
        (false, _) => (
            Mark::Look,
            format!("{} would go back. Nothing was changed: --apply puts them back.", counted(open, one, many)),
        ),
    }
}

#[cfg(test)]
mod tests {
    use ledgerline_event::names::Names;
    use ledgerline_store::dead_letter::{Kind, Pointer};
    use ledgerline_store::replay_mark::Place;

    use super::*;

    fn drawn(answer: &dyn Answer) -> String {
        let mut out = Vec::new();
        answer.draw(&mut Screen::new(&mut out, 100, false)).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn group() -> Group {
        Group { day: "2026-03-02".into(), source: "transform".into(), reason: "no_time".into() }
    }

    #[test]
    fn counts_are_by_day_source_and_reason_and_what_was_refused_before_shows() {
        let tally = Tally { open: 1_200, sent: 0, again: 3, replayed_most: 2 };
        let report = Report {
            groups: BTreeMap::from([(group(), tally)]),
            marked: 7,
            first_expiry_ms: Some(1_772_460_000_000),
            ..Report::default()
        };
        let look = Lines { origin: Origin::Quarantine, applied: false, report: report.clone() };
        let text = drawn(&look);
        for wanted in ["2026-03-02", "transform", "no_time", "1,200", "--apply", "2026-03-02T14:00:00.000Z", "7 lines"]
        {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
        assert_eq!(look.json()["groups"][0]["refusedAgain"], 3);
        let groups = BTreeMap::from([(group(), Tally { sent: 1_200, ..tally })]);
        let sent = Lines { origin: Origin::Quarantine, applied: true, report: Report { groups, ..report } };
        assert!(drawn(&sent).contains("1,200 lines are back"), "{}", drawn(&sent));
        assert_eq!(sent.outcome(), Outcome::Holds);
    }

    #[test]
    fn what_no_run_puts_back_needs_a_person() {
        for report in [
            Report { unreadable: 1, ..Report::default() },
            Report { too_large: 1, ..Report::default() },
            Report { damaged: 1, damaged_keys: vec!["errors/x".into()], ..Report::default() },
        ] {
            let answer = Lines { origin: Origin::Errors, applied: true, report };
            assert_eq!(answer.outcome(), Outcome::Broken);
            assert!(drawn(&answer).contains('1') || drawn(&answer).contains("errors/x"));
        }
    }

    #[test]
    fn a_dead_letter_shows_line_interaction_and_token() {
        let names = Names { lineage_token: Some("t-1".into()), interaction_id: Some("c-1".into()) };
        let place = Place { object_key: "quarantine/redrive/x.jsonl".into(), line: 3 };
        let pointer = Pointer::new(Kind::Kept, place, "unprocessable", vec![names]);
        let pointers = vec![Seen { queue: "ErrorsDeadLetterQueue".into(), pointer, is_back: false }];
        let report = LettersReport { pointers, waiting: 1, ..LettersReport::default() };
        let answer = Messages { applied: false, report };
        let text = drawn(&answer);
        for wanted in ["line 3 of quarantine/redrive/x.jsonl", "interaction c-1, token t-1", "replay quarantine"] {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
        assert_eq!(answer.json()["pointers"][0]["message"]["events"][0]["lineageToken"], "t-1");
    }
}
