//! What is stored where. One module per stored family holds its key, its row, everything that is ever asked of it, and
//! what an erasure does to it; the ports [`table::Table`] and [`bucket::Bucket`] carry that to AWS, or to the fakes of the
//! tests.
//!
//! Invariant: no key and no attribute of a stored row is spelled outside of this crate.

pub mod act_note;
pub mod alias;
pub mod athena;
pub mod bronze_object;
pub mod bucket;
pub mod checkpoint;
pub mod claim;
pub mod crm;
pub mod cutoff;
pub mod data_key;
pub mod dead_letter;
pub mod delivery;
pub mod error_object;
pub mod gold;
pub mod gold_date;
pub mod gold_repeats;
pub mod gone;
pub mod head;
pub mod held;
pub mod hold;
pub mod journal;
pub mod kept_object;
pub mod ledger;
pub mod lines;
pub mod month_key;
pub mod nonce;
pub mod object_row;
pub mod orgs;
pub mod own;
pub mod party;
pub mod party_key;
pub mod plan;
pub mod planned;
pub mod poison;
pub mod posting;
pub mod principal;
pub mod quarantine;
pub mod queue;
pub mod record;
pub mod replay_mark;
pub mod request;
pub mod segment;
pub mod signer;
pub mod silver;
pub mod spill;
pub mod stream;
pub mod subject;
pub mod sweep_state;
pub mod table;
pub mod tile;
pub mod token;
pub mod tombstone;
pub mod usage;
pub mod watch;
pub mod wrapping;

use ledgerline_lake::keys;
use ledgerline_ledger::segment::SegmentName;
use ledgerline_ledger::tile::Tile;

use table::Key;

/// Every stored family: rows of the three tables, then objects of the four buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Heads of logs.
    Head,
    /// The list of logs.
    LogList,
    /// Markers of committed chunks.
    Marker,
    /// What the scheduled verification remembers.
    Watch,
    /// Legal holds.
    Hold,
    /// Rows of bronze objects and acts.
    ObjectRow,
    /// Own numbers, addresses and domains.
    Own,
    /// Notes of acts by the hour.
    ActNote,
    /// How far bronze is planned.
    Planned,
    /// Lines that were put back into the stream.
    ReplayMark,
    /// The list of orgs.
    Org,
    /// Orgs that have rows of a CRM.
    CrmOrg,
    /// Dates whose figures may have changed.
    GoldDate,
    /// Up to when somebody's events are suppressed.
    Tombstone,
    /// Names that are gone for good.
    Gone,
    /// Which records holds are on.
    Held,
    /// Wrapped data keys.
    DataKey,
    /// Requests of persons.
    Request,
    /// Orgs' lists of requests.
    RequestList,
    /// Which request asks for something already.
    SameRequest,
    /// Uses of what is counted.
    Usage,
    /// Months' keys, to which party keys are wrapped.
    MonthKey,
    /// Claims of events.
    Claim,
    /// The logs that records are pinned to.
    Pin,
    /// The bronze objects that hold lines about a record.
    BronzeNote,
    /// Postings.
    Posting,
    /// Events of capture's that are not committed yet.
    Journal,
    /// The same by the hour.
    JournalList,
    /// Signatures that were accepted.
    Nonce,
    /// The records of lineage tokens.
    Token,
    /// Whom identifiers name.
    Identifier,
    /// Subjects' states.
    SubjectState,
    /// Subjects' links to records.
    SubjectLink,
    /// Who takes part in records.
    Party,
    /// Wrapped party keys.
    PartyKey,
    /// What a CRM says of customers.
    Crm,
    /// What stands for people's ids in records' ids.
    Alias,
    /// What stands for those who call the API.
    Principal,
    /// Whom requests are about.
    RequestWho,
    /// The pseudonyms that aliases lie under.
    AliasNames,
    /// Segments of the ledger.
    Segment,
    /// Hash tiles of the ledger.
    Tile,
    /// Archived checkpoints.
    ArchivedCheckpoint,
    /// Live checkpoints.
    LiveCheckpoint,
    /// Source events as they were delivered.
    Bronze,
    /// Lines that are not events.
    Quarantine,
    /// What could not be delivered.
    Error,
    /// What the stream refused.
    Spill,
    /// Parquet for analysts.
    Silver,
    /// Figures: counters, days, documents, runs.
    Gold,
    /// Which dates' repeats were told, and as of how many marks.
    GoldRepeats,
    /// What Athena answered to gold.
    QueryResult,
    /// What the deployment's owner tells figures by.
    Reference,
    /// Plans.
    Plan,
    /// Messages that no retry can help.
    Poison,
    /// What sweep carries from one run to the next.
    SweepState,
}

/// What an erasure does to a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erasure {
    /// Nothing: it holds nothing of a person, only ids, counts and times of records, objects and logs.
    HoldsNoPerson,
    /// Nothing: it expires this many days after it was written. Where the template has a parameter, its default.
    ExpiresAfterDays(u32),
    /// It deletes or rewrites what is the person's, in the step of this name.
    Erased(&'static str),
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 56] = [
        Self::Head,
        Self::LogList,
        Self::Marker,
        Self::Watch,
        Self::Hold,
        Self::ObjectRow,
        Self::Own,
        Self::ActNote,
        Self::Planned,
        Self::ReplayMark,
        Self::Org,
        Self::CrmOrg,
        Self::GoldDate,
        Self::Tombstone,
        Self::Gone,
        Self::Held,
        Self::DataKey,
        Self::Request,
        Self::RequestList,
        Self::SameRequest,
        Self::Usage,
        Self::MonthKey,
        Self::Claim,
        Self::Pin,
        Self::BronzeNote,
        Self::Posting,
        Self::Journal,
        Self::JournalList,
        Self::Nonce,
        Self::Token,
        Self::Identifier,
        Self::SubjectState,
        Self::SubjectLink,
        Self::Party,
        Self::PartyKey,
        Self::Crm,
        Self::Alias,
        Self::Principal,
        Self::RequestWho,
        Self::AliasNames,
        Self::Segment,
        Self::Tile,
        Self::ArchivedCheckpoint,
        Self::LiveCheckpoint,
        Self::Bronze,
        Self::Quarantine,
        Self::Error,
        Self::Spill,
        Self::Silver,
        Self::Gold,
        Self::GoldRepeats,
        Self::QueryResult,
        Self::Reference,
        Self::Plan,
        Self::Poison,
        Self::SweepState,
    ];

    /// What an erasure does to it. Exhaustive, so that no new family escapes the eraser.
    pub fn erasure(self) -> Erasure {
        match self {
            Self::Head | Self::LogList | Self::Marker | Self::Watch | Self::Hold | Self::ObjectRow => {
                Erasure::HoldsNoPerson
            }
            // Only KMS opens a wrapped key. A removed own number may name a customer since: its pseudonym stays, and leads
            // to nothing once the identifier is gone.
            Self::Own | Self::DataKey | Self::MonthKey | Self::Planned => Erasure::HoldsNoPerson,
            // Which line of which object, and when: an object's key names a time and a function.
            Self::ReplayMark => Erasure::HoldsNoPerson,
            // Names of orgs and holds; random names of whom no row knows any more.
            Self::Org | Self::Held | Self::Gone => Erasure::HoldsNoPerson,
            // Names of orgs and kinds of identifiers; dates and counts.
            Self::CrmOrg | Self::GoldDate => Erasure::HoldsNoPerson,
            Self::Pin | Self::BronzeNote | Self::Posting => Erasure::HoldsNoPerson,
            // What was decided, when, and by whose alias; whose alias it is. Those who decide are no customers.
            Self::Request | Self::RequestList | Self::Principal => Erasure::HoldsNoPerson,
            Self::Usage => Erasure::ExpiresAfterDays(usage::KEPT_DAYS),
            // An entry names its record. Only links say whose record it is.
            Self::Segment | Self::Tile | Self::ArchivedCheckpoint | Self::LiveCheckpoint => Erasure::HoldsNoPerson,
            Self::SweepState => Erasure::HoldsNoPerson,
            // Sums by queue and half hour, dates, targets: no ref of a person is asked for, but to count repeats.
            Self::Gold | Self::GoldRepeats | Self::Reference => Erasure::HoldsNoPerson,
            Self::QueryResult => Erasure::ExpiresAfterDays(7),
            Self::Plan => Erasure::ExpiresAfterDays(30),
            Self::Poison => Erasure::ExpiresAfterDays(365),
            Self::ActNote => Erasure::ExpiresAfterDays(act_note::KEPT_DAYS),
            // Digests of events, under a key of the deployment's.
            Self::Claim => Erasure::ExpiresAfterDays(400),
            // Made by the erasure itself: digests, under a key of the deployment's.
            Self::Tombstone => Erasure::ExpiresAfterDays(760),
            Self::Quarantine | Self::Error | Self::Spill => Erasure::ExpiresAfterDays(30),
            Self::Identifier => Erasure::Erased("subjects"),
            Self::Party => Erasure::Erased("records"),
            Self::PartyKey => Erasure::Erased("keys"),
            Self::SubjectLink | Self::Alias | Self::AliasNames | Self::Token | Self::Crm => Erasure::Erased("links"),
            // A masked line, whose subjects it names; sweep deletes it once the event is committed.
            Self::Journal | Self::JournalList => Erasure::Erased("links"),
            // Digests of signatures of clients.
            Self::Nonce => Erasure::HoldsNoPerson,
            Self::Bronze => Erasure::Erased("bronze"),
            Self::Silver => Erasure::Erased("silver"),
            // The last to go: until then it says that the subject is being erased.
            Self::SubjectState | Self::RequestWho | Self::SameRequest => Erasure::Erased("certificate"),
        }
    }

    /// The family of a row; `None` if no family has such keys.
    pub fn of_key(key: &Key) -> Option<Self> {
        let families = [
            (head::parse_head_key(key).is_some(), Self::Head),
            (head::parse_listed_key(key).is_some(), Self::LogList),
            (head::parse_marker_key(key).is_some(), Self::Marker),
            (watch::parse_key(key).is_some(), Self::Watch),
            (hold::is_key(key), Self::Hold),
            (object_row::parse_key(key).is_some(), Self::ObjectRow),
            (own::parse_key(key).is_some(), Self::Own),
            (act_note::is_key(key), Self::ActNote),
            (*key == planned::key(), Self::Planned),
            (replay_mark::parse_key(key).is_some(), Self::ReplayMark),
            (orgs::parse_key(key).is_some(), Self::Org),
            (crm::is_org_key(key), Self::CrmOrg),
            (gold_date::parse_key(key).is_some(), Self::GoldDate),
            (gold_repeats::parse_key(key).is_some(), Self::GoldRepeats),
            (tombstone::is_key(key), Self::Tombstone),
            (gone::parse_key(key).is_some(), Self::Gone),
            (held::parse_key(key).is_some(), Self::Held),
            (data_key::is_key(key), Self::DataKey),
            (request::parse_key(key).is_some(), Self::Request),
            (request::is_listed_key(key), Self::RequestList),
            (request::is_duplicate_key(key), Self::SameRequest),
            (usage::is_key(key), Self::Usage),
            (month_key::parse_key(key).is_some(), Self::MonthKey),
            (claim::is_key(key), Self::Claim),
            (record::parse_pin_key(key).is_some(), Self::Pin),
            (record::parse_bronze_key(key).is_some(), Self::BronzeNote),
            (posting::is_key(key), Self::Posting),
            (journal::parse_key(key).is_some(), Self::Journal),
            (journal::parse_listed_key(key).is_some(), Self::JournalList),
            (nonce::is_key(key), Self::Nonce),
            (token::parse_key(key).is_some(), Self::Token),
            (subject::parse_identifier_key(key).is_some(), Self::Identifier),
            (subject::parse_state_key(key).is_some(), Self::SubjectState),
            (subject::parse_link_key(key).is_some(), Self::SubjectLink),
            (party::parse_key(key).is_some(), Self::Party),
            (party_key::parse_key(key).is_some(), Self::PartyKey),
            (crm::parse_key(key).is_some(), Self::Crm),
            (alias::parse_key(key).is_some(), Self::Alias),
            (principal::parse_key(key).is_some(), Self::Principal),
            (request::parse_who_key(key).is_some(), Self::RequestWho),
            (alias::parse_names_key(key).is_some(), Self::AliasNames),
        ];
        families.into_iter().find_map(|(is, family)| is.then_some(family))
    }

    /// The family of an object; `None` if no family has such keys.
    pub fn of_object(key: &str) -> Option<Self> {
        let folder = key.split_inclusive('/').next()?;
        let families = [
            (SegmentName::parse(key).is_some(), Self::Segment),
            (Tile::parse_key(key).is_some(), Self::Tile),
            (checkpoint::is_archived_key(key), Self::ArchivedCheckpoint),
            (checkpoint::is_live_key(key), Self::LiveCheckpoint),
            (folder == keys::BRONZE, Self::Bronze),
            (quarantine::is_key(key), Self::Quarantine),
            (folder == keys::ERRORS, Self::Error),
            (spill::is_key(key), Self::Spill),
            (keys::parse_silver_events(key).is_some(), Self::Silver),
            (keys::is_gold(key), Self::Gold),
            (folder == keys::QUERY_RESULTS, Self::QueryResult),
            (key == keys::REFERENCE_QUEUES, Self::Reference),
            (keys::parse_staged(key).is_some(), Self::Plan),
            (folder == keys::POISON, Self::Poison),
            (folder == sweep_state::FOLDER, Self::SweepState),
        ];
        families.into_iter().find_map(|(is, family)| is.then_some(family))
    }
}
