//! 6 and 7. Each bronze object without the lines that go, and its silver files; see [`crate::object`].
//!
//! Each is rewritten once for all of the person's records in it. One that is not planned is left for a later pass; a later pass leaves
//! alone what was done before and cannot have changed since.
//!
//! | crash leaves | done again |
//! |---|---|
//! | objects up to the last cursor, and some behind it | these have nothing that goes; what lies behind them is deleted |

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_saga::{Outcome, Position, Step};
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::request::Who;

use crate::list::{List, ListObject, ListRecord};
use crate::object::{Deciding, Erased, OfAlias, Target, erase};
use crate::people::{Name, Others, Whom, flat, groups};
use crate::record::{self, Coming, Erasure};
use crate::request::Request;
use crate::rules::{OfRecords, of_records, tombs_of};
use crate::{CALLS_AT_ONCE, LargeObjects, OBJECTS_AT_ONCE, at_once};

pub(super) const NAME: &str = "objects";

pub(super) struct Objects;

/// Objects between two savings of the position.
const OBJECTS_PER_SAVE: usize = 100;
/// Objects whose records are asked for at once.
pub(super) const OBJECTS_PER_READ: usize = 25;

#[async_trait]
impl<'a> Step<Request<'a>> for Objects {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn run(&self, request: &Request<'a>, at: &Position, _: i64) -> Result<Outcome, StoreError> {
        let (call, about) = (&request.call, About::read(request, at.pass).await?);
        let settled = match at.pass.checked_sub(1) {
            // Sent back here, it looks at all of them.
            Some(before) if at.backs == 0 => {
                let drained_ms = request.cutoff_ms - call.settings.drain_ms;
                about.list.settled_in(&*request.list(before).await?, drained_ms)
            }
            _ => BTreeSet::new(),
        };
        let (large, mut done) = (LargeObjects::default(), at.cursor as usize);
        for objects in about.list.objects.get(done..).unwrap_or_default().chunks(OBJECTS_PER_READ) {
            if call.is_over() || done - at.cursor as usize >= OBJECTS_PER_SAVE {
                return Ok(Outcome::More(done as u64));
            }
            let is_due = |one: &&ListObject| one.planned_at_ms.is_some() && !settled.contains(&one.object);
            let targets: Vec<Target> =
                objects.iter().filter(is_due).map(|one| about.target(one)).collect::<Result<_, _>>()?;
            let OfRecords { rules, whole } = about.rules(request, &targets).await?;
            about.pass_over(request, &rules.held).await?;
            let (keys, refs, rules, whole) = (&*request.keys, &about.whom.refs, &rules, &whole);
            let deciding = Deciding { call, keys, rules, refs, whole, large: &large };
            let erasures = targets.iter().map(|target| erase(&deciding, target));
            let erased: Vec<Erased> = at_once(OBJECTS_AT_ONCE, erasures.collect()).await?;
            done += objects.len();
            request.count(|counts| {
                counts.objects += erased.iter().filter(|one| one.rewritten).count() as u64;
                counts.lines += erased.iter().map(|one| one.lines).sum::<u64>();
                counts.silver_rows += erased.iter().map(|one| one.rows).sum::<u64>();
            });
        }
        Ok(Outcome::Done)
    }
}

/// What a pass is about, as far as objects ask it.
pub(super) struct About {
    pub(super) list: Arc<List>,
    pub(super) whom: Whom,
    who: Who,
    tombs: HashMap<Name, Cutoff>,
    /// The names of each alias, and whether it is gone.
    aliases: BTreeMap<(String, String), (BTreeSet<String>, bool)>,
}

impl About {
    pub(super) async fn read(request: &Request<'_>, pass: u32) -> Result<Self, StoreError> {
        let (row, who, list) = (request.row().await?, request.who().await?, request.list(pass).await?);
        // Lines of these orgs want their lists of own numbers; several objects at once would each read them.
        let own = row.orgs.iter().map(|org| request.call.stores.own.of(org, request.call.now_ms()));
        at_once(CALLS_AT_ONCE, own.collect()).await?;
        let names = flat(&groups(&row, &who)).into_iter().collect();
        let tombs = tombs_of(&request.call, &request.keys, &names).await?;
        let whom = request.whom(&who).await?;
        let mut aliases = BTreeMap::new();
        let gone = request.call.stores.gone.among(list.aliases.iter().map(|(_, alias)| alias.as_str())).await?;
        for (org, alias) in &list.aliases {
            // Where its rows are deleted, the request's own names are what is left of it.
            let stored = request.call.stores.aliases.names(org, alias).await?;
            let own = names.iter().filter(|(of, _)| of == org).map(|(_, name)| name.clone());
            let names = stored.into_iter().chain(own).collect();
            aliases.insert((org.clone(), alias.clone()), (names, gone.contains(alias.as_str())));
        }
        Ok(Self { list, whom, who, tombs, aliases })
    }

    pub(super) fn target(&self, one: &ListObject) -> Result<Target, StoreError> {
        let record = |place: &usize| self.list.records.get(*place).map(|one| one.record.clone());
        let of_alias = |(place, at): (&usize, &Option<Vec<u64>>)| {
            let record = record(place)?;
            let (org, alias) = (record.split('/').next()?.to_owned(), record.rsplit('/').next()?.to_owned());
            let (names, is_gone) = self.aliases.get(&(org, alias)).cloned()?;
            let at = at.as_ref().map(|at| at.iter().copied().collect());
            Some(OfAlias { record, names, at, is_gone })
        };
        let object = one.object.parse();
        let object = object.map_err(|error| StoreError::Corrupt(Failure::caused_by("read a list's object", error)))?;
        Ok(Target {
            object,
            key: one.key.clone(),
            records: one.records.iter().filter_map(record).collect(),
            dates: one.dates.clone(),
            of_aliases: one.of_aliases.iter().filter_map(of_alias).collect(),
        })
    }

    /// The rules for these objects' lines.
    pub(super) async fn rules(&self, request: &Request<'_>, targets: &[Target]) -> Result<OfRecords, StoreError> {
        let wanted: BTreeSet<&str> = targets.iter().flat_map(|one| &one.records).map(String::as_str).collect();
        self.rules_of(request, &wanted).await
    }

    /// The rules for lines of these records.
    pub(super) async fn rules_of(
        &self,
        request: &Request<'_>,
        records: &BTreeSet<&str>,
    ) -> Result<OfRecords, StoreError> {
        let others = Others::new(request.call.stores, request.call.settings.fan_out_cap);
        let coming = self.coming(records);
        of_records(&request.call, &self.erasure(request, &others), &self.tombs, &coming).await
    }

    /// Notes that lines of these are passed over, since a hold is on them.
    async fn pass_over(&self, request: &Request<'_>, held: &BTreeSet<String>) -> Result<(), StoreError> {
        let others = Others::new(request.call.stores, request.call.settings.fan_out_cap);
        let erasure = self.erasure(request, &others);
        for coming in self.coming(&held.iter().map(String::as_str).collect()) {
            record::pass_over(&request.call, &erasure, &coming).await?;
        }
        Ok(())
    }

    pub(super) fn erasure<'e>(&'e self, request: &'e Request<'_>, others: &'e Others<'_>) -> Erasure<'e> {
        let acts = Some(&request.acts);
        Erasure { name: request.id, own: &self.whom.own, cutoff_ms: request.cutoff_ms, others, acts }
    }

    /// These records, as the list has them.
    pub(super) fn coming(&self, records: &BTreeSet<&str>) -> Vec<Coming<'_>> {
        let wanted = self.list.records.iter().filter(|one| records.contains(one.record.as_str()));
        wanted
            .map(|ListRecord { record, listed, last_ms }| {
                let is_decided = self.who.erase_shared.contains(record);
                Coming { record, is_listed: *listed, last_ms: *last_ms, is_decided, is_new: false }
            })
            .collect()
    }
}
