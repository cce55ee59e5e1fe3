//! `hold`: legal holds on the segments that keep a record's entries, each an entry of the record's log, too.
//!
//! **Placing**: (1) the hold's row says what is meant; (2) the record's row of holds keeps erasures off it; (3) S3 holds
//! each segment; (4) the act goes to the ledger; (5) S3 holds what came meanwhile, the act's own segment with it. S3 comes
//! before the act, since the opposite crash would leave a ledger that claims a hold while the evidence may be deleted; this
//! one leaves evidence that is held and not documented yet, and the row says by whom the command must be run again.
//! **Lifting**: (1) the act; (2) the hold's row; (3) S3 releases each segment that no other hold needs; (4) the record's row; (5) an erasure
//! that waited for the last hold is told to go on. A crash leaves more held than must be, or the erasure waiting until the command is run
//! again. Invariant: both may be repeated at any point and come to the same end; what rows and S3 need
//! for that, [`ledgerline_custody::holding`] does.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use ledgerline_custody::access::split_record;
use ledgerline_custody::acts::{Act, ActKind, Recorded};
use ledgerline_custody::holding::{Holding, Place, Released};
use ledgerline_ledger::entry::Field;
use ledgerline_ledger::log::LogId;
use ledgerline_store::hold::HoldRow;
use ledgerline_store::record::Records;
use serde_json::{Value, json};

use super::acts::Recorder;
use crate::answer::{Answer, Answered, Outcome};
use crate::args::{DeploymentArgs, HoldCommand, HoldPlaceArgs, WhichHold};
use crate::cloud::{Cloud, told};
use crate::context::Context;
use crate::fault::Fault;
use crate::reading::raw_id_fault;
use crate::screen::{Mark, Screen, counted, grouped};

/// Looks for the act's own segment, and how long between two: an act is committed within seconds.
const LOOKS: u32 = 10;
const BETWEEN: Duration = Duration::from_secs(2);

/// Places, lifts or lists.
pub(super) fn run(what: &HoldCommand, context: &Context) -> Answered {
    match what {
        HoldCommand::Place(args) => put(args, context),
        HoldCommand::Lift(args) => lift(args, context),
        HoldCommand::List(args) => list(args, context),
    }
}

fn put(args: &HoldPlaceArgs, context: &Context) -> Answered {
    let which = &args.which;
    check_name(&which.hold)?;
    check_date(&args.review)?;
    let cloud = Cloud::open(&which.deployment.stack)?;
    let key = format!("{}/{}", which.org, which.record);
    let (log, holding) = (log_of(&cloud, &key)?, holding(&cloud)?);
    if cloud.ask(holding.is_erased(&key))? {
        return Err(Fault::new(
            format!("{key} is erased: no hold brings anything of it back"),
            "its entries stay in the ledger, without their content, as long as their retention says",
        ));
    }
    let wanted = HoldRow {
        hold: which.hold.clone(),
        record_key: key.clone(),
        log: log.clone(),
        purpose: word(args.purpose),
        basis: word(args.basis),
        review: args.review.clone(),
        placed_at: context.now_text(),
        lifted_at: None,
    };
    // 1. What is meant. A crash after it leaves a row that `hold list` shows as not held.
    let row = cloud.ask(holding.holds.note(&wanted))?;
    if let Some(at) = &row.lifted_at {
        return Err(Fault::new(
            format!("hold {} of {key} was lifted at {at}", which.hold),
            "a hold that is lifted stays so: place another one under a new name",
        ));
    }
    if (&row.purpose, &row.basis, &row.review) != (&wanted.purpose, &wanted.basis, &wanted.review) {
        return Err(Fault::new(
            format!("hold {} of {key} stands for {} ({}), review {}", row.hold, row.purpose, row.basis, row.review),
            "repeat it with the same words, or place another one under a new name",
        ));
    }
    // 2, 3. The evidence is safe from here on.
    let before = cloud.ask(holding.place(&row))?;
    // 4. The ledger says so. The row's time makes a repetition the same act.
    let recorder = Recorder::new(&cloud)?;
    let purpose = format!("hold/{}/{key}", row.hold);
    let recorded = recorder.record(&purpose, &[act(ActKind::HoldPlaced, &row, &row.placed_at)?], context)?;
    // 5. What came meanwhile, and the act's own segment.
    let mut held = cloud.ask(holding.hold_all(&row))?;
    let progress = context.progress("waiting for the act's segment", None);
    for _ in 0..LOOKS {
        if held.len() > before.len() || matches!(recorded, Recorded::Before(_)) {
            break;
        }
        progress.inc(1);
        std::thread::sleep(BETWEEN);
        held = cloud.ask(holding.hold_all(&row))?;
    }
    progress.finish_and_clear();
    let own_held = held.len() > before.len() || matches!(recorded, Recorded::Before(_));
    let segments = held.into_iter().collect();
    Ok(Box::new(Placed { row, segments, own_held, lifted: false, kept: 0, erases: false }))
}

fn lift(args: &WhichHold, context: &Context) -> Answered {
    let cloud = Cloud::open(&args.deployment.stack)?;
    let key = format!("{}/{}", args.org, args.record);
    let holding = holding(&cloud)?;
    let row = cloud.ask(holding.holds.hold(&args.hold, &key))?.ok_or_else(|| {
        Fault::new(
            format!("there is no hold {} of {key}", args.hold),
            "see `ledgerline hold list` for those that there are",
        )
    })?;
    // 1. The ledger says so first: a crash after it leaves the evidence held, which harms nobody.
    let recorder = Recorder::new(&cloud)?;
    let purpose = format!("lift/{}/{key}", row.hold);
    recorder.record(&purpose, &[act(ActKind::HoldLifted, &row, &context.now_text())?], context)?;
    // 2 to 5. No longer meant; released, but for what another hold needs; erasures may go on, and one that waited is told.
    let Released { segments, kept, erases } = cloud.ask(holding.lift(&row, &context.now_text()))?;
    Ok(Box::new(Placed { row, segments, own_held: true, lifted: true, kept: kept as u64, erases }))
}

fn list(args: &DeploymentArgs, context: &Context) -> Answered {
    let cloud = Cloud::open(&args.stack)?;
    let holding = holding(&cloud)?;
    let rows = cloud.ask(holding.holds.all())?;
    let progress = context.progress("looking at holds", Some(rows.len() as u64));
    let mut holds = Vec::new();
    for row in rows {
        let (mut held, mut open) = (0, Vec::new());
        if row.lifted_at.is_none() {
            for (segment, version) in cloud.ask(holding.segments(&row.log, &row.record_key))? {
                let protection = cloud.ask(holding.ledger.segments.protection(&segment, &version))?;
                if protection.is_some_and(|protection| protection.legal_hold) { held += 1 } else { open.push(segment) }
            }
        }
        let due = row.lifted_at.is_none() && row.review.as_str() <= context.now_text().get(..10).unwrap_or_default();
        holds.push(Listed { row, held, open, due });
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(Box::new(Holds { name: args.stack.display().to_string(), holds }))
}

fn holding(cloud: &Cloud) -> Result<Holding, Fault> {
    let operator = &cloud.operator;
    let rows = |table| told(operator.rows_of(table));
    let (control, index, keys) = (rows("ControlTable")?, rows("IndexTable")?, rows("KeysTable")?);
    let (ledger, queue) = (told(operator.objects_of("LedgerBucket"))?, told(operator.messages_of("EraseQueue"))?);
    Ok(Holding::new(&control, &index, &keys, &ledger, &queue))
}

fn log_of(cloud: &Cloud, record_key: &str) -> Result<LogId, Fault> {
    let records = Records::new(told(cloud.operator.rows_of("IndexTable"))?);
    cloud.ask(records.pins(&[record_key]))?.into_iter().next().flatten().ok_or_else(|| {
        let raw_id = record_key.split_once('/').and_then(|(_, record)| raw_id_fault(record));
        raw_id.unwrap_or_else(|| {
            Fault::new(
                format!("{record_key} was never seen"),
                "name the org with --org and the interaction's id, or an entity as <type>/<id>; `ledgerline trace` finds both",
            )
        })
    })
}

fn act(kind: ActKind, row: &HoldRow, at: &str) -> Result<Act, Fault> {
    let (_, record) = split_record(&row.record_key).ok_or_else(|| {
        Fault::new(format!("{} names no record", row.record_key), "name an interaction id, or an entity as <type>/<id>")
    })?;
    let fields = [("hold", &row.hold), ("purpose", &row.purpose), ("basis", &row.basis), ("review", &row.review)];
    let fields: BTreeMap<String, Field> =
        fields.into_iter().map(|(name, value)| (name.to_owned(), Field::Text(value.clone()))).collect();
    Ok(Act { log: row.log.clone(), kind, record, occurred_at: at.to_owned(), fields, key_ids: Vec::new() })
}

/// A closed word, as the command line spells it.
fn word(value: impl clap::ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// The hold's name stands in the ledger and in keys.
fn check_name(name: &str) -> Result<(), Fault> {
    let fits = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    let remedy = "1 to 64 letters, digits, dots, hyphens and underscores, and no person's name: it stays in the ledger";
    if fits { Ok(()) } else { Err(Fault::new(format!("{name:?} cannot name a hold"), remedy)) }
}

fn check_date(text: &str) -> Result<(), Fault> {
    let format = time::macros::format_description!("[year]-[month]-[day]");
    time::Date::parse(text, format)
        .map(|_| ())
        .map_err(|error| Fault::caused_by(format!("{text:?} is no date"), &error, "write it as 2027-01-31"))
}

struct Placed {
    row: HoldRow,
    segments: Vec<Place>,
    own_held: bool,
    lifted: bool,
    kept: u64,
    erases: bool,
}

impl Answer for Placed {
    fn json(&self) -> Value {
        let segments = self.segments.iter().map(|(key, version)| json!({ "segment": key, "versionId": version }));
        json!({
            "hold": self.row.hold, "record": self.row.record_key, "log": self.row.log.as_str(),
            "purpose": self.row.purpose, "basis": self.row.basis, "review": self.row.review,
            "lifted": self.lifted, "segments": segments.collect::<Vec<_>>(),
            "keptByOtherHolds": self.kept, "actHeld": self.own_held, "erasureGoesOn": self.erases,
        })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title(if self.lifted { "HOLD LIFTED" } else { "HOLD PLACED" }, &self.row.hold)?;
        screen.fact("record", &self.row.record_key)?;
        screen.fact("purpose", &format!("{}, {}", self.row.purpose, self.row.basis))?;
        screen.fact("review", &self.row.review)?;
        screen.gap()?;
        for (segment, _) in &self.segments {
            screen.check(Mark::Good, segment, "")?;
        }
        if self.kept > 0 {
            let what = format!("{} held by other holds", counted(self.kept, "segment stays", "segments stay"));
            screen.check(Mark::Look, &what, "")?;
        }
        if !self.own_held {
            let advice = "run the same command again in a minute: it will hold the segment of the act itself, too";
            screen.check(Mark::Look, "the act is on its way into the ledger", advice)?;
        }
        if self.erases {
            let advice = "what it left of this record goes now";
            screen.check(Mark::Look, "an erasure waited for this hold", advice)?;
        }
        let count = counted(self.segments.len() as u64, "segment", "segments");
        if self.lifted {
            screen.verdict(Mark::Good, &format!("Released: {count}. Retention still holds what it holds."))
        } else {
            screen.verdict(Mark::Good, &format!("Held: {count}. Entries that come later are held by running it again."))
        }
    }
}

struct Listed {
    row: HoldRow,
    held: u64,
    open: Vec<String>,
    due: bool,
}

struct Holds {
    name: String,
    holds: Vec<Listed>,
}

impl Answer for Holds {
    fn outcome(&self) -> Outcome {
        Outcome::of(self.holds.iter().all(|hold| hold.open.is_empty()))
    }

    fn json(&self) -> Value {
        let holds = self.holds.iter().map(|hold| {
            json!({
                "hold": hold.row.hold, "record": hold.row.record_key, "log": hold.row.log.as_str(),
                "purpose": hold.row.purpose, "basis": hold.row.basis, "review": hold.row.review, "reviewDue": hold.due,
                "placedAt": hold.row.placed_at, "liftedAt": hold.row.lifted_at, "held": hold.held, "notHeld": hold.open,
            })
        });
        json!({ "holds": holds.collect::<Vec<_>>() })
    }

    fn draw(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.title("HOLDS", &self.name)?;
        if self.holds.is_empty() {
            screen.say("There is no hold.")?;
            return screen.gap();
        }
        let rows: Vec<Vec<String>> = self
            .holds
            .iter()
            .map(|hold| {
                let state = match &hold.row.lifted_at {
                    Some(at) => format!("lifted {}", at.get(..10).unwrap_or(at)),
                    None if hold.due => "review due".to_owned(),
                    None => "in force".to_owned(),
                };
                let row = &hold.row;
                vec![
                    row.hold.clone(),
                    row.record_key.clone(),
                    row.purpose.clone(),
                    row.review.clone(),
                    state,
                    grouped(hold.held),
                    grouped(hold.open.len() as u64),
                ]
            })
            .collect();
        screen.table(&["hold", "record", "purpose", "review", "state", "held", "not held"], &rows)?;
        for hold in self.holds.iter().filter(|hold| !hold.open.is_empty()) {
            for segment in &hold.open {
                let advice = format!(
                    "repeat `ledgerline hold place` with the words of {}: it holds what came since",
                    hold.row.hold
                );
                screen.check(Mark::Bad, segment, &advice)?;
            }
        }
        match self.outcome() {
            Outcome::Holds => screen.verdict(Mark::Good, "Every segment that a hold needs is held."),
            Outcome::Broken | Outcome::Unchecked => {
                screen.verdict(Mark::Bad, "A hold does not cover all of its evidence.")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{HoldBasis, HoldPurpose};

    #[test]
    fn words_of_a_hold_are_closed_and_names_are_plain() {
        assert_eq!(
            (word(HoldPurpose::Litigation), word(HoldBasis::LegalClaims)),
            ("litigation".into(), "legal-claims".into())
        );
        assert!(check_name("matter-2026.7_b").is_ok());
        assert!(check_name("Mr Smith").is_err() && check_name("").is_err());
        assert!(check_date("2027-02-29").is_err() && check_date("2027-02-28").is_ok());
    }
}
