//! What must hold in the end, by what was sent and by whom was asked to be erased up to when.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_lake::silver::is_erased;
use ledgerline_ledger::entry::Party;
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::subject::parse_link_key;
use ledgerline_store::{Family, party};

use super::history::{History, KINDS, RECORDS};
use super::traffic::{About, Event, PEOPLE, Sent, Who, word};
use crate::crm::record;
use crate::world::Place;

/// Whom requests erase, each with the latest end of theirs.
type Erased = BTreeMap<Who, i64>;

/// Holds everything that is stored against the model.
pub(crate) async fn check(history: &History) -> Result<(), String> {
    let mut erased = Erased::new();
    for requested in &history.requests {
        let cutoff_ms = history.cutoff_of(requested).await;
        for who in &requested.who {
            let latest = erased.entry(*who).or_insert(cutoff_ms);
            *latest = cutoff_ms.max(*latest);
        }
    }
    check_lines(history, &erased)?;
    check_silver(history)?;
    check_events(history)?;
    check_keys(history, &erased)?;
    check_people(history)?;
    check_crm(history, &erased)?;
    check_figures(history).await?;
    check_left(history)
}

/// The lines that were sent, by their places.
fn sent(history: &History) -> impl Iterator<Item = (Place, &Sent, &Event)> {
    let traffic = &history.traffic;
    traffic.objects.iter().flat_map(move |(name, lines)| {
        let place = move |(number, sent)| ((name.clone(), number as u64), sent, &traffic.events[sent_event(sent)]);
        lines.iter().enumerate().map(place)
    })
}

fn sent_event(sent: &Sent) -> usize {
    sent.event
}

/// A line went if it names somebody who was erased after it, or all of its record went; and no other line did.
fn check_lines(history: &History, erased: &Erased) -> Result<(), String> {
    let (redacted, lines) = (history.world.redacted(), history.world.lines());
    let mut seen = BTreeSet::new();
    for (place, sent, event) in sent(history) {
        let reached_ms = history.traffic.reached_ms(sent);
        let has_gone = redacted.contains(&place);
        let by_name = event.who.iter().any(|who| erased.get(who).is_some_and(|cutoff_ms| reached_ms <= *cutoff_ms));
        let by_record = match &event.about {
            About::Interaction(record) => history.world.keys.party(record).cutoff,
            About::Contact(..) => None,
        };
        let by_record = by_record.is_some_and(|cutoff| cutoff.covers(reached_ms, reached_ms));
        // A line about a contact whose alias went with it, or was another one by then.
        let of_erased =
            |org: &str, person| erased.keys().any(|who| who.0 == org && who.1 == person && who.2 == "external_contact");
        let may_go = matches!(&event.about, About::Contact(org, person) if of_erased(org, *person));
        if (by_name || by_record) && !has_gone {
            return Err(format!("{place:?} is there, by name: {by_name}, by its record: {by_record}: {event:?}"));
        }
        if has_gone && !(by_name || by_record || may_go) {
            return Err(format!("{place:?} has gone: {event:?}"));
        }
        note(history, event, erased, sent, (by_name, by_record, has_gone), !seen.insert(sent.event));
    }
    let all: BTreeSet<Place> = sent(history).map(|(place, ..)| place).collect();
    if all == lines.into_keys().collect() { Ok(()) } else { Err("an object has another number of lines".to_owned()) }
}

fn note(
    history: &History,
    event: &Event,
    erased: &Erased,
    sent: &Sent,
    (by_name, by_record, has_gone): (bool, bool, bool),
    again: bool,
) {
    let names_erased = event.who.iter().any(|who| erased.contains_key(who));
    let is_late = erased.values().all(|cutoff_ms| history.traffic.reached_ms(sent) > *cutoff_ms);
    let met = [
        (by_name, "went by a name"),
        (by_record && event.who.is_empty(), "record that went whole"),
        (has_gone && again, "came again, and went"),
        (names_erased && is_late && !has_gone, "later than the cutoff, and kept"),
        (is_late && by_record, "later than the cutoff, and gone with its record"),
        (is_shared(history, event) && !has_gone, "kept in a shared record"),
    ];
    met.into_iter().filter(|(is, _)| *is).for_each(|(_, what)| history.met(what));
}

/// Whether an erasure came to the event's record and left it.
fn is_shared(history: &History, event: &Event) -> bool {
    let About::Interaction(record) = &event.about else { return false };
    let party = history.world.keys.party(record);
    party.erasures > 0 && party.cutoff.is_none()
}

/// A row of silver is an erased one's if and only if its line went; but for lines about a contact, which transform may have found without
/// content when the eraser had closed.
fn check_silver(history: &History) -> Result<(), String> {
    let (redacted, nulled, rows) = (history.world.redacted(), history.world.nulled(), history.world.silver());
    for (place, _, event) in sent(history).filter(|(place, ..)| rows.contains_key(place)) {
        let (has_gone, is_nulled) = (redacted.contains(&place), nulled.contains(&place));
        let is_contact = matches!(event.about, About::Contact(..));
        if has_gone != is_nulled && !(is_contact && is_nulled) {
            return Err(format!("{place:?}: the line went: {has_gone}, the row: {is_nulled}: {event:?}"));
        }
        let from = rows[&place]["lineage_from"].as_str();
        if is_nulled && rows[&place].keys().any(|column| is_erased(column, from)) {
            return Err(format!("{place:?} is nulled, and names somebody: {:?}", rows[&place]));
        }
    }
    Ok(())
}

/// Each event that is kept is committed once, whatever became of its line.
fn check_events(history: &History) -> Result<(), String> {
    let mut committed = BTreeSet::new();
    for (name, number) in history.world.entries().into_keys() {
        let (_, lines) = history.traffic.objects.iter().find(|(of, _)| *of == name).ok_or("an entry of no object")?;
        let event = lines.get(number as usize).ok_or("an entry of no line")?.event;
        if history.traffic.events[event].is_filtered || !committed.insert(event) {
            return Err(format!("event {event} is committed, and should not be, or twice"));
        }
    }
    let kept: BTreeSet<usize> =
        sent(history).filter(|(.., event)| !event.is_filtered).map(|(_, sent, _)| sent.event).collect();
    if committed == kept { Ok(()) } else { Err(format!("committed are {committed:?}, kept {kept:?}")) }
}

/// Of what went nothing opens but the agents' side; a key that was destroyed sealed something that went. A line about a contact who came
/// again after the cutoff may have gone with the contact's alias, although what it sealed is not the erased one's, and stays.
fn check_keys(history: &History, erased: &Erased) -> Result<(), String> {
    let (contents, entries, redacted) = (history.world.contents(), history.world.entries(), history.world.redacted());
    let mut of_key: BTreeMap<&String, (Party, bool, bool, bool)> = BTreeMap::new();
    let told = |id: &String| {
        let of = |(place, entry): (&Place, &ledgerline_ledger::entry::Entry)| {
            let event = event_at(history, place).1;
            entry.key_ids.contains(id).then(|| format!("{place:?} went: {}, {event:?}", redacted.contains(place)))
        };
        let lines: Vec<String> = entries.iter().filter_map(of).collect();
        let rows = history.world.keys.look(|rows| {
            let of_keys = rows.iter().filter(|(key, _)| ledgerline_store::party_key::parse_key(key).is_some());
            of_keys
                .filter_map(|(key, row)| {
                    let row = ledgerline_store::party_key::read(row.clone()).unwrap();
                    let found = row.keys.get(id)?;
                    Some(format!("{key}: {:?} {:?} {}", found.subjects, found.party, found.first))
                })
                .collect::<Vec<_>>()
        });
        format!("{lines:#?} {rows:?}")
    };
    for (place, entry) in &entries {
        for block in &entry.sealed {
            let id = &entry.key_ids[block.k];
            let is_open = contents[place][&block.p].is_some();
            let sealed = of_key.entry(id).or_insert((block.p, is_open, false, false));
            let has_gone = redacted.contains(place);
            sealed.2 |= has_gone;
            sealed.3 |= has_gone && !is_of_who_came_again(history, place, erased);
        }
    }
    for (id, (party, is_open, some_went, must_not_open)) in of_key {
        match (party, is_open, if is_open { must_not_open } else { some_went }) {
            (Party::Agent, false, _) => return Err(format!("the agents' key {id} is destroyed")),
            (Party::Agent, true, _) | (_, true, false) => {}
            (_, true, true) => {
                return Err(format!("the {party:?} key {id} opens, and something of it went: {}", told(id)));
            }
            (_, false, true) => history.met("destroyed key"),
            (_, false, false) => {
                return Err(format!("the {party:?} key {id} is destroyed, and nothing of it went: {}", told(id)));
            }
        }
    }
    Ok(())
}

/// A line and its event.
fn event_at<'h>(history: &'h History, place: &Place) -> (&'h Sent, &'h Event) {
    let (_, lines) = history.traffic.objects.iter().find(|(of, _)| *of == place.0).expect("an object that was sent");
    let sent = &lines[place.1 as usize];
    (sent, &history.traffic.events[sent.event])
}

/// Whether a line is about a contact, and nobody's end covers it.
fn is_of_who_came_again(history: &History, place: &Place, erased: &Erased) -> bool {
    let (sent, event) = event_at(history, place);
    let reached_ms = history.traffic.reached_ms(sent);
    let is_covered = event.who.iter().any(|who| erased.get(who).is_some_and(|cutoff_ms| reached_ms <= *cutoff_ms));
    matches!(event.about, About::Contact(..)) && !is_covered
}

/// Whoever is gone is linked to nothing and takes part in nothing.
fn check_people(history: &History) -> Result<(), String> {
    let gone = history.world.gone();
    history.world.keys.look(|rows| {
        for (key, row) in rows {
            if let Some((subject, record)) = parse_link_key(key)
                && gone.contains(subject)
            {
                return Err(format!("{subject} is gone, and linked to {record}"));
            }
            if let Some(record) = party::parse_key(key) {
                let party = party::read(row.clone()).unwrap();
                if let Some(subject) = party.subjects.iter().find(|subject| gone.contains(*subject)) {
                    return Err(format!("{subject} is gone, and has part in {record}"));
                }
                if party.pending_until.is_some() {
                    return Err(format!("something of {record} is put off yet"));
                }
                if party.cutoff == Some(Cutoff::Closed) && !record.contains("/Contact/") {
                    return Err(format!("{record} is closed, and had an event yesterday"));
                }
            }
        }
        Ok(())
    })
}

/// A CRM says nothing any more of whom was erased, nor of a record that went whole; of all others what it said.
fn check_crm(history: &History, erased: &Erased) -> Result<(), String> {
    let (world, mut expected) = (&history.world, BTreeSet::new());
    for org in ["acme", "beta"] {
        for (person, kind) in PEOPLE.into_iter().flat_map(|person| KINDS.map(|kind| (person, kind))) {
            if !erased.contains_key(&(org, person, word(kind))) {
                expected.insert((org.to_owned(), world.in_crm(person, kind)));
            }
        }
        let is_there = |id: &&str| world.keys.party(&format!("{org}/{id}")).cutoff.is_none();
        expected.extend(RECORDS.into_iter().filter(is_there).map(|id| (org.to_owned(), record(id))));
    }
    let said = world.said();
    if said == expected { Ok(()) } else { Err(format!("a CRM says {said:?}, and should say {expected:?}")) }
}

/// No figures stay that are of silver which is not there any more.
async fn check_figures(history: &History) -> Result<(), String> {
    let outdated = history.world.outdated().await;
    if outdated.is_empty() { Ok(()) } else { Err(format!("nobody marked {outdated:?}")) }
}

/// Of requests nothing is left that they needed on the way; of each object there is one version.
fn check_left(history: &History) -> Result<(), String> {
    let left = [Family::RequestWho, Family::Asked, Family::Wake, Family::Waiting];
    for table in [&history.world.keys, &history.world.control] {
        let found = table.look(|rows| {
            let family = |key| Family::of_key(key).filter(|family| left.contains(family));
            rows.keys().find_map(|key| family(key).map(|family| format!("{family:?} is left: {key}")))
        });
        if let Some(found) = found {
            return Err(found);
        }
    }
    if !history.world.staged.keys("erasure/").is_empty() {
        return Err("a list is left".to_owned());
    }
    let versions = history.world.bronze.all();
    match versions.iter().find(|(_, versions)| versions.len() != 1) {
        Some((key, versions)) => Err(format!("{key} has {} versions", versions.len())),
        None => Ok(()),
    }
}
