//! What must hold in the end, by what was sent and by what erasures covered where and when. It knows nothing of how transform decides.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_event::instant;
use ledgerline_lake::plan::Counts;
use ledgerline_ledger::entry::{Entry, Party};
use ledgerline_privacy::pseudonym::is_alias;
use ledgerline_sealed::WrappedKey;
use ledgerline_store::subject::{parse_identifier_key, parse_link_key, parse_state_key};
use ledgerline_store::{alias, party};
use ledgerline_testkit::table::item;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;

use super::stage::{Fate, Stage};
use super::traffic::{About, Event, Form, Line, ORGS, PEOPLE, SHARED, Sort, Who};
use crate::erasures::key_rows;
use crate::world::event_key;

/// An identifier's subject and its name in silver, by org and pseudonym.
pub(crate) type Subjects = BTreeMap<(String, String), (String, String)>;

/// The subjects of all identifiers.
pub(crate) fn subjects(stage: &Stage) -> Subjects {
    stage.world.keys.look(|rows| {
        let named = rows.iter().filter_map(|(key, row)| Some((parse_identifier_key(key)?, item(row))));
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let own = |(org, name): (&str, &str)| (org.to_owned(), name.to_owned());
        named.map(|(name, row)| (own(name), (text(&row["subjectId"]), text(&row["customerRef"])))).collect()
    })
}

/// Holds everything that is stored against the model.
pub(crate) fn check(stage: &Stage) -> Result<(), String> {
    note_what_is_left(stage);
    let planned = stage.world.check();
    check_counts(stage, planned.counts)?;
    let rows = silver(stage);
    let mut owners = BTreeMap::new();
    for entry in &planned.entries {
        let (object, at) = place(stage, entry)?;
        let line = &stage.traffic.objects[object].lines[at];
        let event = line.event.ok_or("an entry of rubbish")?;
        if owners.insert(event, (object, entry)).is_some() {
            return Err(format!("event {event} is planned twice"));
        }
        let row = rows.get(&entry.event_id).ok_or("an entry without a row")?;
        let case = format!("object {object}, line {at}, {:?}", stage.traffic.events[event]);
        check_entry(stage, object, line, entry, row).map_err(|problem| format!("{problem}: {case}"))?;
    }
    check_messages(stage, &rows, &planned.entries)?;
    check_tokens(stage, &owners)?;
    check_sealed(stage, &owners, &rows)?;
    let world = Justified::of(stage, &owners);
    world.check_subjects()?;
    world.check_links()?;
    world.check_aliases()
}

/// What nobody took yet belongs to what was ever seen.
fn note_what_is_left(stage: &Stage) {
    let left = subjects(stage);
    let aliases = stored_aliases(stage);
    let mut seen = stage.seen.borrow_mut();
    for (org, who) in everybody() {
        if let Some(found) = left.get(&(org.to_owned(), who.pseudonym())) {
            seen.subjects.entry((org, who)).or_default().insert(found.clone());
        }
        if let Some(found) = aliases.get(&(org.to_owned(), who.pseudonym())) {
            seen.aliases.entry((org, who.person)).or_default().insert(found.clone());
        }
    }
}

fn everybody() -> impl Iterator<Item = (&'static str, Who)> {
    let people = (0..PEOPLE).chain([SHARED]).flat_map(Who::all);
    people.flat_map(|who| ORGS.map(|org| (org, who)))
}

fn stored_aliases(stage: &Stage) -> BTreeMap<(String, String), String> {
    stage.world.keys.look(|rows| {
        let aliases = rows.iter().filter_map(|(key, row)| Some((alias::parse_key(key)?, item(row))));
        let text = |row: &serde_json::Value| row.as_str().unwrap().to_owned();
        aliases.map(|((org, name), row)| ((org.to_owned(), name.to_owned()), text(&row["alias"]))).collect()
    })
}

/// Each line is counted once; an event that comes again is a duplicate, wherever it was planned.
fn check_counts(stage: &Stage, counts: Counts) -> Result<(), String> {
    let mut expected = Counts::default();
    let mut sent = BTreeSet::new();
    for line in stage.traffic.objects.iter().flat_map(|object| &object.lines) {
        expected.input += 1;
        match line.event.map(|at| (at, stage.traffic.events[at].form)) {
            None => expected.quarantined += 1,
            Some((_, Form::Filtered)) => expected.filtered += 1,
            Some((at, _)) if sent.insert(at) => expected.planned += 1,
            Some(_) => expected.duplicate += 1,
        }
    }
    if counts == expected { Ok(()) } else { Err(format!("{counts:?}, expected are {expected:?}")) }
}

fn place(stage: &Stage, entry: &Entry) -> Result<(usize, usize), String> {
    let of = |id: &String| *id == entry.source.object;
    let object = stage.traffic.objects.iter().position(|object| of(&object.id)).ok_or("an entry of no object")?;
    Ok((object, entry.source.line as usize))
}

type Row = BTreeMap<String, String>;

/// The rows of silver by event, each by column; a column that is null is not there.
fn silver(stage: &Stage) -> BTreeMap<String, Row> {
    let mut all = BTreeMap::new();
    for (_, bytes) in stage.world.lake.under("silver/") {
        for row in SerializedFileReader::new(bytes).unwrap().get_row_iter(None).unwrap() {
            let row = row.unwrap();
            let there = row.get_column_iter().filter(|(_, field)| !matches!(field, Field::Null));
            let text = |field: &Field| field.to_string().trim_matches('"').to_owned();
            let row: Row = there.map(|(name, field)| (name.clone(), text(field))).collect();
            all.insert(row["event_id"].clone(), row);
        }
    }
    all
}

fn check_entry(stage: &Stage, object: usize, line: &Line, entry: &Entry, row: &Row) -> Result<(), String> {
    let event = &stage.traffic.events[line.event.unwrap_or_default()];
    let (fate, is_erased) = (stage.fate(object, line), row["erased"] == "true");
    match (fate, is_erased) {
        (Fate::Open, true) => return Err("erased, and nothing covers it".to_owned()),
        (Fate::Covered, false) => return Err("covered before any run that could plan it, and not erased".to_owned()),
        (Fate::Covered, true) => stage.met("covered, and erased"),
        (Fate::Either, true) => stage.met("in flight, and erased"),
        (Fate::Either, false) if row.contains_key("customer_ref") => stage.met("in flight, and named"),
        _ => {}
    }
    if event.form == Form::Deletion && fate == Fate::Covered {
        stage.met("deletion that was covered");
    }
    check_contact(stage, object, event, entry, fate)?;
    if is_erased { check_erased(event, entry, row) } else { check_name(stage, line, event, entry, row, fate) }
}

/// A contact's record has an alias of the contact's; what is covered has one of its own.
fn check_contact(stage: &Stage, object: usize, event: &Event, entry: &Entry, fate: Fate) -> Result<(), String> {
    let About::Contact(person) = event.about else { return Ok(()) };
    let id = entry.entity.as_ref().map(|entity| entity.id.clone()).ok_or("a contact's event is about no entity")?;
    let of_line = event_key().alias_of_line(&stage.traffic.objects[object].id, entry.source.line);
    let seen = stage.seen.borrow();
    let is_persons = seen.aliases.get(&(event.org, person)).is_some_and(|aliases| aliases.contains(&id));
    let holds = match fate {
        Fate::Covered => id == of_line,
        Fate::Either => id == of_line || is_persons,
        Fate::Open => is_persons,
    };
    if id == of_line {
        stage.met("alias of a line");
    }
    if holds { Ok(()) } else { Err(format!("the alias {id} is not one that it may have, which is {fate:?}")) }
}

/// Nothing of a person is in it.
fn check_erased(event: &Event, entry: &Entry, row: &Row) -> Result<(), String> {
    let personal = |column: &&String| {
        column.ends_with("_ref") || ["masked", "extra", "lineage_provenance", "custom"].contains(&column.as_str())
    };
    if let Some(column) = row.keys().find(personal) {
        return Err(format!("erased, and its row has {column}"));
    }
    let has_token = event.token.as_ref().is_some_and(|token| *token == entry.lineage_token);
    if has_token { Err("erased, and its entry has its source's token".to_owned()) } else { Ok(()) }
}

/// It names one of those whom its event names, and somebody unless nobody of them may be named.
fn check_name(stage: &Stage, line: &Line, event: &Event, entry: &Entry, row: &Row, fate: Fate) -> Result<(), String> {
    let somebody: Vec<Who> = event.who.iter().copied().filter(|who| !who.is_own()).collect();
    let is_certain = fate == Fate::Open && event.form == Form::Said && somebody.iter().any(|who| who.person != SHARED);
    let Some(name) = row.get("customer_ref") else {
        return if is_certain { Err("it names nobody".to_owned()) } else { Ok(()) };
    };
    let seen = stage.seen.borrow();
    let of = |who: &Who| {
        let subjects = seen.subjects.get(&(event.org, *who))?;
        Some((*who, subjects.iter().find(|(_, of)| of == name)?.0.clone()))
    };
    let (who, subject) = somebody.iter().find_map(of).ok_or("it names somebody whom its event does not name")?;
    match fate {
        Fate::Open if stage.is_erased(event.org, who) => stage.met("later than the cutoff, and named"),
        Fate::Open => stage.met("uncovered, and named"),
        _ => {}
    }
    // Whoever was erased with this line in flight may be named only as the subject that the eraser took from its record: a subject
    // that came after it knows nothing of the line.
    let record = entry.record().ok_or("an entry of no record")?.key(&entry.org);
    let was_taken = seen.taken.contains_key(&(subject.clone(), record));
    if fate == Fate::Either && stage.is_erased_of(line, event.org, who) && !was_taken {
        return Err(format!(
            "in flight when its {:?} was erased, it names whom the eraser has not found there",
            who.sort
        ));
    }
    Ok(())
}

/// The eraser was told of every object that holds what an erasure covers, before it was planned, and of no other.
fn check_messages(stage: &Stage, rows: &BTreeMap<String, Row>, entries: &[Entry]) -> Result<(), String> {
    let bodies = stage.world.erase_queue.bodies();
    for (at, object) in stage.traffic.objects.iter().enumerate() {
        let fate = object.lines.iter().map(|line| stage.fate(at, line)).max().unwrap_or(Fate::Open);
        let of_object = |entry: &&Entry| entry.source.object == object.id;
        let is_erased = entries.iter().filter(of_object).any(|entry| rows[&entry.event_id]["erased"] == "true");
        let is_told = bodies.iter().any(|body| body.contains(&object.id));
        if (fate == Fate::Covered || is_erased) && !stage.was_told(at) {
            return Err(format!("object {at} was planned, and the eraser not told of it before"));
        }
        if fate == Fate::Covered && !is_erased {
            stage.met("filtered or repeated, and covered");
        }
        // A run that another one overtook may tell of what was planned before the erasure.
        if is_told && !object.lines.iter().any(|line| stage.is_covered(line)) {
            return Err(format!("the eraser was told of object {at}, which holds nothing that an erasure covers"));
        }
    }
    let told = |body: &String| {
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let object = stage.traffic.objects.iter().find(|object| body["object"] == object.id.as_str());
        object.is_some_and(|object| body["kind"] == "suppressed" && body["key"] == object.key.as_str())
    };
    if bodies.iter().all(told) { Ok(()) } else { Err("the eraser was told of something else".to_owned()) }
}

type Owners<'e> = BTreeMap<usize, (usize, &'e Entry)>;

/// A source's token is in the entries of one record at most; of a record that alone ever brought it, in all that nothing covers.
fn check_tokens(stage: &Stage, owners: &Owners<'_>) -> Result<(), String> {
    let mut of_token: BTreeMap<&String, BTreeSet<String>> = BTreeMap::new();
    let mut brought: BTreeMap<&String, BTreeSet<String>> = BTreeMap::new();
    for event in &stage.traffic.events {
        if let (Some(token), Form::Said) = (&event.token, event.form) {
            brought.entry(token).or_default().extend(event.interaction());
        }
    }
    for (at, (object, entry)) in owners {
        let event = &stage.traffic.events[*at];
        let Some(token) = &event.token else { continue };
        let has_it = entry.lineage_token == *token;
        if has_it {
            of_token.entry(token).or_default().extend(event.interaction());
        }
        let line = &stage.traffic.objects[*object].lines[entry.source.line as usize];
        if !has_it && brought[token].len() == 1 && stage.fate(*object, line) == Fate::Open {
            return Err(format!("{token} is one record's alone, and event {at} is without it"));
        }
    }
    if brought.values().any(|records| records.len() > 1) {
        stage.met("token of two records");
    }
    match of_token.iter().find(|(_, records)| records.len() > 1) {
        Some((token, records)) => Err(format!("{token} is in the entries of {records:?}")),
        None => Ok(()),
    }
}

/// What an erasure covered at its planning has no block, nor has a deletion. Every other entry's keys are kept, but for those that
/// sealed something that an erasure covers; and of the kept ones nobody who was erased owns any.
fn check_sealed(stage: &Stage, owners: &Owners<'_>, rows: &BTreeMap<String, Row>) -> Result<(), String> {
    let of_runs = key_rows(&stage.world);
    let kept: BTreeMap<&String, &WrappedKey> = of_runs.values().flat_map(|row| &row.keys).collect();
    let line = |object: usize, entry: &Entry| &stage.traffic.objects[object].lines[entry.source.line as usize];
    let covered = owners.values().filter(|(object, entry)| stage.is_covered(line(*object, entry)));
    let covered: BTreeSet<&String> = covered.flat_map(|(_, entry)| &entry.key_ids).collect();
    for (at, (object, entry)) in owners {
        let (event, line) = (&stage.traffic.events[*at], line(*object, entry));
        let is_erased = rows[&entry.event_id]["erased"] == "true";
        if (is_erased || event.form == Form::Deletion) != entry.key_ids.is_empty() {
            return Err(format!("event {at} has {} keys; erased: {is_erased}, {:?}", entry.key_ids.len(), event.form));
        }
        for id in &entry.key_ids {
            match (kept.contains_key(id), covered.contains(id)) {
                (false, false) => {
                    return Err(format!("a key of event {at} is gone, and sealed nothing that is covered"));
                }
                (false, true) => stage.met("destroyed key"),
                (true, _) => {}
            }
        }
        // Whom an erasure took from a record has no key there that the erasure reaches, nor gets one later.
        for (id, key) in entry.key_ids.iter().filter_map(|id| Some((id, *kept.get(id)?))) {
            let record = entry.record().ok_or("an entry of no record")?.key(&entry.org);
            let first_ms = instant::parse(&key.first).ok_or("a key's first is no time")?;
            let seen = stage.seen.borrow();
            let reach = |subject: &String| seen.taken.get(&(subject.clone(), record.clone())).copied();
            if key.subjects.iter().filter_map(reach).any(|reach| reach.covers(first_ms, first_ms)) {
                return Err(format!("the key {id} of event {at} is there, and an erasure took whom it is of"));
            }
        }
        // Who was erased once: an earlier erasure that does not reach the line leaves it with a subject that nothing finds any more.
        let owns = |who: &&Who| !who.is_own() && who.person != SHARED && matches!(who.sort, Sort::Phone | Sort::Email);
        let once = |who: &&Who| stage.erasures(event.org, **who) == 1 && stage.is_erased_of(line, event.org, **who);
        let customers = entry.sealed.iter().find(|block| block.p == Party::Customer);
        let customers = customers.and_then(|block| kept.get(&entry.key_ids[block.k]));
        if let Some(key) = customers.filter(|_| event.form == Form::Said)
            && let Some(who) = event.who.iter().filter(owns).find(once)
        {
            let fate = stage.fate(*object, line);
            return Err(format!(
                "event {at} is under {key:?}, which is kept, though {who:?} was erased: {fate:?}, {event:?}"
            ));
        }
    }
    let named: BTreeSet<&String> = owners.values().flat_map(|(_, entry)| &entry.key_ids).collect();
    if kept.keys().any(|id| !named.contains(*id)) {
        stage.met("keys of no plan");
    }
    Ok(())
}

/// The record of a contact, whatever the alias.
const ANY_CONTACT: &str = "Contact/x_";

/// What lines justify, filtered and repeated ones, too.
struct Justified<'s> {
    stage: &'s Stage,
    subjects: Subjects,
    /// Whom a line that may make links names, in which record, and the line.
    mentions: Vec<(&'static str, Who, String, usize, &'s Line)>,
}

impl<'s> Justified<'s> {
    fn of(stage: &'s Stage, owners: &Owners<'_>) -> Self {
        let mut mentions = Vec::new();
        for (at, object) in stage.traffic.objects.iter().enumerate() {
            for (number, line) in object.lines.iter().enumerate() {
                let Some(event) = line.event.map(|at| &stage.traffic.events[at]) else { continue };
                let owner = owners.get(&line.event.unwrap_or_default());
                let entry = owner.filter(|(of, entry)| *of == at && entry.source.line == number as u64);
                let record = match (event.form, entry) {
                    (Form::Filtered, _) => event.interaction(),
                    (Form::Said, Some((_, entry))) => Some(entry.record().unwrap().key(&entry.org)),
                    (Form::Said, None) => event.interaction(),
                    _ => None,
                };
                // A repeated line about a contact, or a run that died, may have met another alias than the entry has.
                let is_about_contact = matches!(event.form, Form::Said) && event.interaction().is_none();
                let any = is_about_contact.then(|| format!("{}/{ANY_CONTACT}", event.org));
                for record in record.into_iter().chain(any) {
                    let somebody = event.who.iter().filter(|who| !who.is_own());
                    mentions.extend(somebody.map(|who| (event.org, *who, record.clone(), at, line)));
                }
            }
        }
        Self { stage, subjects: subjects(stage), mentions }
    }

    /// The lines that justify a subject of an identifier, each with its record: the identifier's own tombstones do not cover them, and
    /// nothing else did before any run of theirs began.
    fn of_identifier(
        &self,
        org: &str,
        who: Who,
    ) -> impl Iterator<Item = &(&'static str, Who, String, usize, &'s Line)> {
        let mentions = self.mentions.iter().filter(move |(of, named, ..)| *of == org && *named == who);
        mentions.filter(|(org, who, _, object, line)| {
            !self.stage.is_erased_of(line, org, *who) && self.stage.may_have_linked(*object, line)
        })
    }

    /// Whoever has a subject is named by a line that no tombstone of theirs covers; who is gone is found by nothing.
    fn check_subjects(&self) -> Result<(), String> {
        let names: BTreeMap<(String, String), (&'static str, Who)> =
            everybody().map(|(org, who)| ((org.to_owned(), who.pseudonym()), (org, who))).collect();
        for (name, (subject, _)) in &self.subjects {
            let (org, who) = names.get(name).ok_or_else(|| format!("a subject of nobody's: {name:?}"))?;
            if self.stage.seen.borrow().gone.contains(subject) {
                return Err(format!("{who:?} of {org} is found as a subject that is gone"));
            }
            if self.of_identifier(org, *who).next().is_none() {
                return Err(format!("{who:?} of {org} has a subject, and no line makes one"));
            }
        }
        let known: BTreeSet<&String> = self.subjects.values().map(|(subject, _)| subject).collect();
        let seen = self.stage.seen.borrow();
        self.stage.world.keys.look(|rows| {
            let mut states = rows.keys().filter_map(parse_state_key).map(str::to_owned);
            match states.find(|subject| !known.contains(subject) && !seen.gone.contains(subject)) {
                Some(subject) => Err(format!("{subject} is found by nothing, and is not gone")),
                None => Ok(()),
            }
        })
    }

    /// Each link is some line's, and each line has its links; records and subjects know of each other.
    fn check_links(&self) -> Result<(), String> {
        let keys = &self.stage.world.keys;
        let own = |(subject, record): (&str, &str)| (subject.to_owned(), record.to_owned());
        let links: BTreeSet<(String, String)> =
            keys.look(|rows| rows.keys().filter_map(parse_link_key).map(own).collect());
        let mut may_be = BTreeSet::new();
        for (org, who) in everybody() {
            let Some((subject, _)) = self.subjects.get(&(org.to_owned(), who.pseudonym())) else { continue };
            for (.., record, object, line) in self.of_identifier(org, who) {
                let link = (subject.clone(), record.clone());
                let is_certain =
                    who.person != SHARED && !self.stage.is_erased(org, who) && !record.ends_with(ANY_CONTACT);
                if is_certain && self.stage.fate(*object, line) == Fate::Open && !links.contains(&link) {
                    return Err(format!("{who:?} of {org} is not linked to {record}"));
                }
                may_be.insert(link);
            }
        }
        let is_some_lines = |link: &&(String, String)| {
            let of_contact = link.1.find(ANY_CONTACT).map(|at| link.1[..at + ANY_CONTACT.len()].to_owned());
            may_be.contains(*link) || of_contact.is_some_and(|record| may_be.contains(&(link.0.clone(), record)))
        };
        if let Some((subject, record)) = links.iter().find(|link| !is_some_lines(link)) {
            return Err(format!("{subject} is linked to {record}, and no line makes that link"));
        }
        let records: BTreeSet<String> =
            keys.look(|rows| rows.keys().filter_map(party::parse_key).map(str::to_owned).collect());
        let parts = records
            .iter()
            .flat_map(|record| keys.party(record).subjects.into_iter().map(|subject| (subject, record.clone())));
        let parts: BTreeSet<(String, String)> = parts.collect();
        match parts.symmetric_difference(&links).next() {
            Some((subject, record)) => {
                Err(format!("{subject} is either linked to {record} or takes part in it, not both"))
            }
            None => Ok(()),
        }
    }

    /// Whoever has an alias is named by a line about them that no tombstone of theirs covers, and the alias is not gone.
    fn check_aliases(&self) -> Result<(), String> {
        for ((org, name), alias) in stored_aliases(self.stage) {
            let known = everybody().find(|(of, who)| *of == org && who.pseudonym() == name);
            let (org, who) = known.ok_or_else(|| format!("{alias} is nobody's"))?;
            let mut lines = self.stage.traffic.objects.iter().flat_map(|object| &object.lines);
            let is_about = |line: &Line| {
                let event = line.event.map(|at| &self.stage.traffic.events[at]);
                event.is_some_and(|event| event.org == org && event.about == About::Contact(who.person))
            };
            let is_justified = lines.any(|line| is_about(line) && !self.stage.is_erased_of(line, org, who));
            let is_gone = self.stage.seen.borrow().gone.contains(&alias);
            if !is_alias(&alias) || is_gone || !is_justified || who.sort != Sort::Contact {
                return Err(format!(
                    "{who:?} of {org} has the alias {alias}: gone, {is_gone}; of a line, {is_justified}"
                ));
            }
        }
        Ok(())
    }
}
