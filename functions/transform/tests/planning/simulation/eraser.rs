//! The eraser: what the functions that carry an erasure out do to the stores, in their order, through the port that they have.

use std::collections::BTreeSet;

use ledgerline_ledger::store::StoreError;
use ledgerline_store::alias::{self, Aliases};
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::party::{Parties, Reach};
use ledgerline_store::subject::{Subjects, identifier_key, link_key, state_key};
use ledgerline_store::table::{Beside, Condition, IntoValue as _, Row, Write};
use ledgerline_store::tombstone::Tombs;
use ledgerline_store::{gone, table::Table};
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::{Dice, Faults};
use std::sync::Arc;

use super::stage::{By, Stage};
use super::traffic::{Sort, Who};
use crate::erasures::destroy;
use crate::world::{T0, settings};

/// Until when tombstones live here: long after every history's clock.
const EXPIRES_S: i64 = T0 / 1_000 + 86_400;

/// The erasure of a person in an org, and how far it has come.
pub(crate) struct Erasure {
    org: &'static str,
    /// The identifiers that the request names.
    who: Vec<Who>,
    cutoff_ms: i64,
    /// What becomes of a record that nobody shares.
    of_record: Option<Cutoff>,
    step: usize,
    subjects: BTreeSet<String>,
    records: BTreeSet<(String, String)>,
}

/// How many steps it takes.
pub(crate) const STEPS: usize = 5;

impl Erasure {
    /// Of one of these, each given once for every event that names them in an org.
    pub(crate) fn draw(dice: &mut Dice, people: &[(&'static str, u64)], now_ms: i64) -> Self {
        let (org, person) = people[dice.below(people.len() as u64) as usize];
        let who = match dice.below(4) {
            // By one identifier alone.
            0 => vec![Who { person, sort: Sort::Phone }],
            1 => vec![Who { person, sort: Sort::Email }],
            _ => Who::all(person).to_vec(),
        };
        let of_record = match dice.below(4) {
            0 => Some(Cutoff::Closed),
            1 => Some(Cutoff::At(now_ms)),
            _ => None,
        };
        let (subjects, records) = (BTreeSet::new(), BTreeSet::new());
        Self { org, who, cutoff_ms: now_ms, of_record, step: 0, subjects, records }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.step == STEPS
    }

    /// Does its next steps, so many of them.
    pub(crate) async fn advance(&mut self, stage: &Stage, steps: usize) -> Result<(), StoreError> {
        for _ in 0..steps {
            match self.step {
                0 => self.plant(stage).await?,
                1 => self.say_who_is_gone(stage).await?,
                2 => self.enumerate(stage).await?,
                3 => self.take_from_records(stage).await?,
                4 => self.delete(stage).await?,
                _ => return Ok(()),
            }
            self.step += 1;
        }
        Ok(())
    }

    /// 1. Tombstones.
    async fn plant(&self, stage: &Stage) -> Result<(), StoreError> {
        let tombs = Tombs::new(control(stage));
        for who in &self.who {
            let (ring, name) = (settings().suppression, who.pseudonym());
            loop {
                match tombs.put(&ring, self.org, &name, self.cutoff_ms, EXPIRES_S).await {
                    Ok(()) => break,
                    // A slow run's transaction holds the row.
                    Err(StoreError::Conflict(_)) => tokio::task::yield_now().await,
                    Err(error) => return Err(error),
                }
            }
            stage.covers(By::Tomb(self.org, *who), Cutoff::At(self.cutoff_ms));
        }
        Ok(())
    }

    /// 2. Each subject is gone, erasing and without its identifier in one transaction; so is a contact's alias.
    async fn say_who_is_gone(&mut self, stage: &Stage) -> Result<(), StoreError> {
        let subjects = Subjects::new(keys(stage));
        for who in self.who.clone() {
            let name = who.pseudonym();
            while let Some(found) = subjects.identifiers(&[(self.org, &name)]).await?.remove(0) {
                let id = found.subject_id.clone();
                let of_subject = Condition::equals("subjectId", &id);
                let writes = vec![
                    Write::delete(identifier_key(self.org, &name)).when(of_subject),
                    Write::update(state_key(&id)).set("state", "erasing").when(Condition::equals("state", "active")),
                ];
                if transacted(stage, writes, &id).await? {
                    stage.met("subject that went");
                    let mut seen = stage.seen.borrow_mut();
                    seen.gone.insert(id.clone());
                    seen.subjects.entry((self.org, who)).or_default().insert((id.clone(), found.customer_ref));
                    self.subjects.insert(id);
                }
            }
            self.say_alias_is_gone(stage, who, &name).await?;
        }
        Ok(())
    }

    async fn say_alias_is_gone(&self, stage: &Stage, who: Who, name: &str) -> Result<(), StoreError> {
        let aliases = Aliases::new(keys(stage));
        while let Some(found) = aliases.read(&[(self.org, name)]).await?.remove(0) {
            let is_gone = stage.seen.borrow().gone.contains(&found);
            let unchanged = Write::check(alias::key(self.org, name), Condition::equals("alias", &found));
            if is_gone || transacted(stage, vec![unchanged], &found).await? {
                let mut seen = stage.seen.borrow_mut();
                seen.gone.insert(found.clone());
                seen.aliases.entry((self.org, who.person)).or_default().insert(found);
                drop(seen);
                stage.covers(By::Alias(self.org, who.person), Cutoff::Closed);
                stage.met("alias that went");
                break;
            }
        }
        Ok(())
    }

    /// 3. Their records, after 2: nobody links them any more.
    async fn enumerate(&mut self, stage: &Stage) -> Result<(), StoreError> {
        let subjects = Subjects::new(keys(stage));
        for subject in &self.subjects {
            let links = subjects.links(subject).await?.into_iter();
            self.records.extend(links.map(|(record, _)| (record, subject.clone())));
        }
        Ok(())
    }

    /// 4. Each record counts the erasure, loses the subject and the subject's keys, and has a cutoff and no key if nobody shares it.
    async fn take_from_records(&self, stage: &Stage) -> Result<(), StoreError> {
        let parties = Parties::new(keys(stage));
        for (record, subject) in &self.records {
            loop {
                let seen = parties.read(&[record]).await?.remove(0);
                let is_alone = seen.subjects.is_subset(&self.subjects) && stage.traffic.interactions().contains(record);
                let cutoff = self.of_record.filter(|_| is_alone).max(seen.cutoff);
                let (take, control) = (BTreeSet::from([subject.clone()]), control(stage));
                let reach = Reach { take: &take, cutoff };
                match parties.reach(&control, record, &seen, &reach).await {
                    Ok(()) => {
                        let goes_whole = is_alone && self.of_record.is_some();
                        let reach = Some(Cutoff::At(self.cutoff_ms)).max(cutoff).expect("a cutoff");
                        destroy(&stage.world, record, reach, |key| key.subjects.contains(subject));
                        if let Some(cutoff) = cutoff.filter(|_| goes_whole) {
                            destroy(&stage.world, record, cutoff, |_| true);
                        }
                        if seen.subjects.contains(subject) {
                            stage.seen.borrow_mut().taken.insert((subject.clone(), record.clone()), reach);
                        }
                        if let Some(cutoff) = cutoff.filter(|cutoff| Some(*cutoff) != seen.cutoff) {
                            stage.met("cutoff of a record");
                            stage.covers(By::Record(record.clone()), cutoff);
                        }
                        break;
                    }
                    Err(StoreError::Conflict(_)) => tokio::task::yield_now().await,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// 5. Their links, and aliases that are gone.
    async fn delete(&self, stage: &Stage) -> Result<(), StoreError> {
        for (record, subject) in &self.records {
            keys(stage).batch_write("delete a link", vec![Write::delete(link_key(subject, record))]).await?;
        }
        for who in &self.who {
            let key = alias::key(self.org, &who.pseudonym());
            let found = Aliases::new(keys(stage)).read(&[(self.org, &who.pseudonym())]).await?.remove(0);
            if found.is_some_and(|found| stage.seen.borrow().gone.contains(&found)) {
                // A transform that replaces it meanwhile has another one: here nothing lies between the two.
                stage.world.keys.tamper(|rows| rows.remove(&key));
            }
        }
        Ok(())
    }
}

/// One transaction that also says that a name is gone; whether it was done.
async fn transacted(stage: &Stage, writes: Vec<Write>, name: &str) -> Result<bool, StoreError> {
    let row = Row::from([("v".to_owned(), 1_u32.into_value())]);
    let beside = Beside { table: control(stage), writes: vec![Write::put(gone::key(name), row)] };
    match keys(stage).transact("say who is gone", writes, vec![beside]).await {
        Ok(()) => Ok(true),
        Err(StoreError::Conflict(_)) => {
            tokio::task::yield_now().await;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// The tables as the eraser has them: its own faults are the eraser's tests'.
fn control(stage: &Stage) -> Arc<dyn Table> {
    stage.world.others_control()
}

fn keys(stage: &Stage) -> Arc<dyn Table> {
    stage.world.keys.seen_by(Faults::none(), Calls::default()).port()
}
