//! Re-derives, from nothing but what is stored, that transform planned every event exactly once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use ledgerline_event::catalogue::built_in;
use ledgerline_event::lineage::derived_token;
use ledgerline_event::{Context, adapt, content_id, document, text_layer};
use ledgerline_lake::bronze::{self, BronzeLine};
use ledgerline_lake::keys::PlanOf;
use ledgerline_lake::plan::{ChunkLines, Counts, Header};
use ledgerline_lake::{ObjectId, keys, silver};
use ledgerline_ledger::entry::{Entry, Line};
use ledgerline_ledger::tree::Hash;
use ledgerline_privacy::EventKey;
use ledgerline_privacy::pseudonym::is_alias;
use ledgerline_store::{alias, gone, subject, token};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Row, RowAccessor as _};

use crate::bucket::FakeBucket;
use crate::opener::{Contents, Opener, Unnamed, raw};
use crate::queue::FakeQueue;
use crate::table::{FakeTable, item};

/// The stores that a transform run writes.
#[derive(Clone, Copy, Debug)]
pub struct Stores<'a> {
    /// Bronze, with quarantine.
    pub bronze: &'a FakeBucket,
    /// Silver.
    pub lake: &'a FakeBucket,
    /// Plans.
    pub staged: &'a FakeBucket,
    /// Bronze objects' rows.
    pub rows: &'a FakeTable,
    /// Claims, pins, bronze rows.
    pub index: &'a FakeTable,
    /// Subjects, links, who takes part, wrapped keys.
    pub keys: &'a FakeTable,
    /// Pointers.
    pub queue: &'a FakeQueue,
    /// The key of claim ids.
    pub event_key: &'a EventKey,
    /// The organisation of events that name none.
    pub default_org: &'a str,
    /// The deployment's id, to which what is sealed is bound.
    pub deployment: &'a str,
}

/// What all plans hold together.
#[derive(Debug, Default)]
pub struct Planned {
    /// How many objects there are.
    pub objects: usize,
    /// The sum of the objects' counts.
    pub counts: Counts,
    /// Every planned event's claim id, made again from its bronze line, and its plan's object.
    pub events: BTreeMap<String, String>,
    /// Entries in the order of their plans and chunks.
    pub entries: Vec<Entry>,
    /// What each of them holds sealed, opened.
    pub contents: Vec<Contents>,
    /// Keys that no entry names.
    pub unnamed: Unnamed,
}

/// Checks everything that can be checked of the objects under `bronze/`, all of which must be planned.
///
/// # Panics
/// At the first thing that does not hold.
pub fn check_plans(stores: Stores<'_>, bucket: &str) -> Planned {
    let mut all = Planned::default();
    let mut ids = BTreeSet::new();
    let mut opener = Opener::of(stores.deployment, stores.keys, stores.rows).expect("keys that open");
    for (key, bytes) in stores.bronze.under(keys::BRONZE) {
        let object = ObjectId::of(bucket, &key);
        let plan =
            stores.staged.get(&keys::staged(PlanOf::Bronze, object)).unwrap_or_else(|| panic!("{key} has no plan"));
        let (header, header_bytes) = Header::read(&plan).expect("a plan's header");
        assert_eq!((&header.key, header.object), (&key, object));
        let bronze = lines(&bytes);
        let input = bronze.iter().filter(|line| !is_blank(line)).count();
        assert_eq!(header.counts.input, input as u64, "{key}: in is not the number of its lines");
        check_row(stores, &header);
        let entries = entries(&plan, &header, header_bytes);
        check_silver(stores, object, &entries);
        check_quarantine(stores, &header);
        check_index(stores, &header, &entries);
        for pointer in header.pointers(header_bytes) {
            let body = pointer.to_body().expect("a pointer's body");
            assert!(
                stores.queue.messages().iter().any(|message| message.body == body),
                "{key}: a chunk without pointer"
            );
        }
        add(&mut all.counts, header.counts);
        all.objects += 1;
        for entry in entries {
            let by_hand = format!("ledgerline event{object}{}", entry.source.line);
            assert_eq!(entry.event_id, Hash::of_object(by_hand.as_bytes()).hex()[..32], "an event's id");
            assert!(ids.insert(entry.event_id.clone()), "event {} is planned twice", entry.event_id);
            let names_nobody =
                entry.entity.as_ref().is_none_or(|of| built_in().is_impersonal(&of.kind) || is_alias(&of.id));
            assert!(names_nobody, "event {} is about somebody by name", entry.event_id);
            let line = &bronze[entry.source.line as usize];
            let contents = opener.open(&entry).unwrap_or_else(|problem| panic!("{problem}"));
            if let Some(raw) = raw(&contents) {
                assert_eq!(raw, digest_of(line), "event {}: the digest of its bytes", entry.event_id);
            }
            all.contents.push(contents);
            let claim_id = claim_id(stores, line);
            let before = all.events.insert(claim_id, object.to_hex());
            assert_eq!(before, None, "what event {} says is planned twice", entry.event_id);
            all.entries.push(entry);
        }
    }
    all.unnamed = opener.unnamed();
    assert!(all.counts.balanced());
    let owners = stores.index.owners();
    assert_eq!(owners, all.events, "claims and plans disagree about who owns what");
    check_parties(stores.keys);
    check_aliases(stores);
    let planned: BTreeSet<String> =
        stores.bronze.under(keys::BRONZE).keys().map(|key| ObjectId::of(bucket, key).to_hex()).collect();
    for message in stores.queue.messages() {
        let object = message.deduplication_id.split('-').next().unwrap_or_default().to_owned();
        assert!(planned.contains(&object), "a pointer to a plan of no object");
    }
    all
}

/// What the event of a bronze line must have been claimed by.
fn claim_id(stores: Stores<'_>, line: &[u8]) -> String {
    let BronzeLine::Event(event) = bronze::read(line) else { panic!("an entry of no event") };
    let undone = text_layer::undone(&event.raw);
    let tree = document::parse(&undone).expect("a document");
    let context = Context { default_org: event.org.as_deref().unwrap_or(stores.default_org), numeric_id_sources: &[] };
    let event = adapt(&tree, &context).expect("an event");
    stores.event_key.claim_id(content_id(&event, &tree).as_bytes())
}

/// The digest of the event's bytes as the line has them.
fn digest_of(line: &[u8]) -> String {
    let BronzeLine::Event(event) = bronze::read(line) else { panic!("an entry of no event") };
    Hash::of_object(&event.raw).hex()
}

fn check_row(stores: Stores<'_>, header: &Header) {
    let row = stores.rows.progress(PlanOf::Bronze, &header.object.to_hex());
    assert_eq!((row.counts, row.chunks), (header.counts, header.chunks.len() as u64), "the row of {}", header.key);
    assert!(row.planned_at_ms.is_some(), "{} is not planned", header.key);
}

/// Every entry of the plan, checked line by line; each chunk in event order, of one log.
fn entries(plan: &Bytes, header: &Header, header_bytes: u64) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut last = BTreeMap::new();
    for chunk in &header.chunks {
        let start = (header_bytes + chunk.offset) as usize;
        let lines = ChunkLines::read(&plan[start..start + chunk.length as usize], chunk.count).expect("a chunk");
        for line in lines.iter() {
            Line::check(line).expect("a canonical line");
            let entry = Entry::read(line.as_bytes()).expect("an entry");
            let org = chunk.log.split('/').next().unwrap_or_default();
            assert_eq!((entry.org.as_str(), &entry.source.object), (org, &header.object.to_hex()));
            let before = last.insert(chunk.log.clone(), entry.occurred_at.clone());
            assert!(before.is_none_or(|before| before <= entry.occurred_at), "{} is out of order", entry.event_id);
            entries.push(entry);
        }
    }
    assert_eq!(entries.len() as u64, header.counts.planned);
    entries
}

/// The object's silver rows are its plan's entries, each in the file of its day.
fn check_silver(stores: Stores<'_>, object: ObjectId, entries: &[Entry]) {
    let mut wanted: Vec<(String, String)> =
        entries.iter().map(|entry| (entry.occurred_at[..10].to_owned(), entry.event_id.clone())).collect();
    let by_id: BTreeMap<&str, &Entry> = entries.iter().map(|entry| (entry.event_id.as_str(), entry)).collect();
    let mut found = Vec::new();
    for (key, bytes) in stores.lake.under(keys::SILVER) {
        match keys::parse_silver_events(&key) {
            Some((date, of)) if of == object => {
                for row in silver_rows(bytes) {
                    if let Some(entry) = by_id.get(row.id.as_str()) {
                        check_token(stores, entry, &row);
                        // What an erasure covered before it was planned has no block, nor has a deletion; each other event has one.
                        let is_open = row.erased || built_in().only_widens(&entry.event_type);
                        let case = format!("event {}, {}, erased: {}", entry.event_id, entry.event_type, row.erased);
                        assert_eq!(entry.sealed.is_empty(), is_open, "{case}");
                        assert_eq!(entry.key_ids.is_empty(), is_open, "{case}");
                    }
                    found.push((keys::iso_date(date), row.id));
                }
            }
            Some(_) => {}
            None => panic!("{key} is no silver file"),
        }
    }
    wanted.sort();
    found.sort();
    assert_eq!(found, wanted, "silver and plan of {object} differ");
}

/// What a silver row says of its event and the event's token.
struct SilverRow {
    id: String,
    token: Option<String>,
    from: Option<String>,
    derived: Option<String>,
    erased: bool,
}

fn silver_rows(bytes: Bytes) -> Vec<SilverRow> {
    assert_eq!(silver::version_of(&bytes), Ok(silver::VERSION), "a silver file of another schema");
    let reader = SerializedFileReader::new(bytes).expect("a Parquet file");
    let schema = reader.metadata().file_metadata().schema().get_fields().to_vec();
    let column = |name: &str| schema.iter().position(|field| field.name() == name).expect("a column of this name");
    let columns = ["event_id", "lineage_token", "lineage_from", "lineage_derived", "erased"].map(column);
    let rows = reader.get_row_iter(None).expect("rows");
    let read = |row: Row| {
        let text = |at: usize| row.get_string(columns[at]).ok().cloned();
        let (id, token, from, derived) = (text(0).expect("an id"), text(1), text(2), text(3));
        SilverRow { id, token, from, derived, erased: row.get_bool(columns[4]).unwrap_or_default() }
    };
    rows.map(|row| read(row.expect("a row"))).collect()
}

/// The entry's token is the source's only if its record is noted to have it and no erasure covers it; else it is the derived one.
fn check_token(stores: Stores<'_>, entry: &Entry, silver: &SilverRow) {
    let record = entry.record().expect("a record").key(&entry.org);
    let noted = |token: &str| stores.index.peek(&token::key(token, &record)).is_some();
    match (silver.from.as_deref(), &silver.token) {
        (Some("source"), Some(token)) => {
            let is_noted = !silver.erased && entry.lineage_token == *token && noted(token);
            assert!(is_noted, "{record} is not noted to have {token}");
        }
        (Some("source"), None) => panic!("{record}: what an erasure covers was planned with its source's token"),
        (Some("shared"), _) => assert_eq!(Some(&entry.lineage_token), silver.derived.as_ref(), "{record}"),
        _ => {}
    }
}

fn check_quarantine(stores: Stores<'_>, header: &Header) {
    let kept = stores.bronze.get(&keys::quarantine_of(header.object)).map(|bytes| lines(&bytes)).unwrap_or_default();
    let lines = kept.iter().filter(|line| !is_blank(line)).count();
    assert_eq!(lines as u64, header.counts.quarantined, "quarantined lines of {}", header.key);
}

/// The records' bronze rows exist, their pins are the plan's logs, and each is found by the token that is derived from its id.
fn check_index(stores: Stores<'_>, header: &Header, entries: &[Entry]) {
    let mut by_record: BTreeMap<String, u64> = BTreeMap::new();
    for entry in entries {
        let record = entry.record().expect("a record").key(&entry.org);
        *by_record.entry(record).or_default() += 1;
    }
    for (record, planned) in by_record {
        let lines = stores.index.bronze_lines(&record, &header.object.to_hex());
        assert!(lines >= Some(planned), "{record}: the object's row says {lines:?} lines, {planned} are planned");
        let pin = stores.index.pin(&record).expect("a pin");
        assert!(header.chunks.iter().any(|chunk| pin.as_str() == chunk.log), "{record} is pinned elsewhere");
        let id = record.split_once('/').map_or("", |(_, id)| id);
        let derived = token::key(&derived_token(id), &record);
        assert!(stores.index.peek(&derived).is_some(), "{record} is pinned, and its derived token is not noted");
    }
}

/// Every alias leads back to the names that it lies under, and each of them to it, unless it is gone.
fn check_aliases(stores: Stores<'_>) {
    let rows = stores.keys.rows();
    for (key, row) in &rows {
        if let Some((org, name)) = alias::parse_key(key) {
            let back = alias::names_key(org, item(row)["alias"].as_str().expect("an alias"));
            let names = rows.get(&back).map(|row| alias::read_names(row.clone()).expect("names"));
            assert!(names.is_some_and(|names| names.contains(name)), "nothing leads back to {key}");
        }
        if let Some((org, alias)) = alias::parse_names_key(key) {
            let is_under =
                |name: &String| rows.get(&alias::key(org, name)).is_some_and(|row| item(row)["alias"] == alias);
            let names = alias::read_names(row.clone()).expect("names");
            let is_gone = stores.rows.peek(&gone::key(alias)).is_some();
            assert!(is_gone || names.iter().all(is_under), "{key} names what has another alias");
        }
    }
}

/// Every subject that is linked to a record takes part in it: the way back.
fn check_parties(keys: &FakeTable) {
    let links: Vec<(String, String)> = keys.look(|rows| {
        let links = rows.keys().filter_map(subject::parse_link_key);
        links.map(|(subject, record)| (subject.to_owned(), record.to_owned())).collect()
    });
    for (subject, record) in links {
        let party = keys.party(&record);
        let is_told = party.subjects.contains(&subject) || party.is_full();
        assert!(is_told, "{subject} is linked to {record} and does not take part in it");
    }
}

fn add(sum: &mut Counts, counts: Counts) {
    sum.input += counts.input;
    sum.filtered += counts.filtered;
    sum.duplicate += counts.duplicate;
    sum.quarantined += counts.quarantined;
    sum.planned += counts.planned;
}

fn lines(bytes: &Bytes) -> Vec<Vec<u8>> {
    let text = if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut text = Vec::new();
        MultiGzDecoder::new(&bytes[..]).read_to_end(&mut text).expect("gzip");
        text
    } else {
        bytes.to_vec()
    };
    text.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}
