//! What stays behind an erasure: one table, with why, until when, and who must do what about it.
//!
//! Invariant: what an erasure leaves anywhere is in the table. A certificate has a row of each kind that the erasure can have left; the
//! end of each follows from how the deployment is configured.

use serde::{Deserialize, Serialize};

/// A row of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Remains {
    /// What kind of thing it is: a closed word.
    pub kind: String,
    /// What it is, and why it stays.
    pub why: String,
    /// Until when: a day, or what ends it.
    pub until: String,
    /// Who must do what.
    pub who: String,
}

/// A kind of thing that stays.
#[derive(Debug, Clone, Copy)]
pub struct Residue {
    /// A closed word.
    pub kind: &'static str,
    /// What it is, and why it stays.
    pub why: &'static str,
    /// Until when.
    pub until: Until,
    /// Who must do what.
    pub who: &'static str,
    /// Whether an erasure with these facts left any.
    pub is_left: fn(&Facts) -> bool,
}

/// When a thing that stays is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// So long after the erasure.
    After(Period),
    /// What ends it.
    Said(&'static str),
}

/// A span of days that the deployment sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// `BronzeExpireDays`.
    Bronze,
    /// `QuarantineDays`.
    Quarantine,
    /// `StagedDays`.
    Staged,
    /// `KeysPitrDays`.
    KeysPitr,
    /// `ClaimDays`.
    Claims,
    /// `LogRetentionDays`.
    Logs,
    /// `CertificateDays`.
    Certificate,
    /// The queues' retention.
    Queues,
    /// The recovery window of the other tables.
    ControlPitr,
    /// Poison's.
    Poison,
    /// Tombstones' life: bronze's and thirty days more.
    Tombstones,
    /// That of the rows of acts of deletion.
    Acts,
}

/// What an erasure found, as far as the table asks, and how the deployment is configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Records that another person has part in.
    pub shared: u64,
    /// Records that a hold keeps.
    pub held: u64,
    /// Objects that were waited for in vain.
    pub given_up: u64,
    /// Identifiers that name no person.
    pub not_a_person: u64,
    /// Requests whose acts of deletion were recorded together.
    pub pooled: u64,
    /// `BronzeExpireDays`.
    pub bronze_days: i64,
    /// `QuarantineDays`.
    pub quarantine_days: i64,
    /// `StagedDays`.
    pub staged_days: i64,
    /// `KeysPitrDays`; 0: the table of keys has no recovery.
    pub keys_pitr_days: i64,
    /// `ClaimDays`.
    pub claim_days: i64,
    /// `LogRetentionDays`.
    pub log_days: i64,
    /// `CertificateDays`.
    pub certificate_days: i64,
}

impl Facts {
    /// How many days a period has.
    pub fn days(&self, period: Period) -> i64 {
        match period {
            Period::Bronze => self.bronze_days,
            Period::Quarantine => self.quarantine_days,
            Period::Staged => self.staged_days,
            Period::KeysPitr => self.keys_pitr_days,
            Period::Claims => self.claim_days,
            Period::Logs => self.log_days,
            Period::Certificate => self.certificate_days,
            Period::Tombstones => self.bronze_days + 30,
            // SQS's most, as the template sets it; DynamoDB's; as the template's rule for poison; as the eraser sets it.
            Period::Queues => 14,
            Period::ControlPitr => 35,
            Period::Poison => 365,
            Period::Acts => ACT_DAYS,
        }
    }
}

/// How long the rows of acts of deletion are kept.
pub const ACT_DAYS: i64 = 60;

/// The rows of a certificate: what an erasure with these facts left. `day` gives the day so many days after it, `yyyy-mm-dd`.
pub fn remaining(facts: &Facts, day: &dyn Fn(i64) -> String) -> Vec<Remains> {
    let left = RESIDUES.iter().filter(|residue| (residue.is_left)(facts));
    left.map(|residue| Remains {
        kind: residue.kind.to_owned(),
        why: residue.why.replace("{pooled}", &facts.pooled.to_string()),
        until: match residue.until {
            Until::After(period) => day(facts.days(period)),
            Until::Said(what) => what.to_owned(),
        },
        who: residue.who.to_owned(),
    })
    .collect()
}

const NOBODY: &str = "Nobody: it ends by itself.";
const ALWAYS: fn(&Facts) -> bool = |_| true;
const fn always(kind: &'static str, why: &'static str, until: Until, who: &'static str) -> Residue {
    Residue { kind, why, until, who, is_left: ALWAYS }
}

/// All kinds.
pub const RESIDUES: &[Residue] = &[
    Residue {
        kind: "held records",
        why: "A legal hold is on them, and nothing that is held is destroyed. The certificate lists them.",
        until: Until::Said(
            "the last hold on the record is lifted; it is erased then, with an act of deletion of its own",
        ),
        who: "Whoever placed the hold lifts it when its purpose is over.",
        is_left: |facts| facts.held > 0,
    },
    Residue {
        kind: "shared records",
        why: "Another person has part in them. What is the erased person's alone is gone; what is the other person's, and what is of both, stays unless the approver gave it up.",
        until: Until::Said("the other person is erased, or the data expires"),
        who: "Nobody, unless the other person asks.",
        is_left: |facts| facts.shared > 0,
    },
    Residue {
        kind: "identifiers that name no person",
        why: "They are marked as shared, or more interactions carry them than one person has: a switchboard, a company's address. Erasing by them would erase others.",
        until: Until::Said("somebody lists the interactions that are the person's, in another request"),
        who: "The officer asks the person for these interactions.",
        is_left: |facts| facts.not_a_person > 0,
    },
    Residue {
        kind: "objects that were not planned",
        why: "Objects in bronze that nobody planned in time: what they hold of the person is taken out when they are planned, since it is suppressed then.",
        until: Until::After(Period::Bronze),
        who: "The operator looks why they are not planned: `ledgerline status` counts them.",
        is_left: |facts| facts.given_up > 0,
    },
    always(
        "lines in quarantine",
        "Lines that could not be read as events. What they hold is unknown, and no identifier leads to them. Copies of them lie in quarantine for a shorter time.",
        Until::After(Period::Bronze),
        NOBODY,
    ),
    always(
        "error prefixes",
        "What the delivery stream could not deliver or transform. It is put back, or expires.",
        Until::After(Period::Quarantine),
        NOBODY,
    ),
    always(
        "queues and dead-letter queues",
        "Messages that name objects. The rule's dead-letter queue alone holds events, which EventBridge could not put. What comes from there now is suppressed.",
        Until::After(Period::Queues),
        "The operator empties the rule's dead-letter queue when its alarm rings.",
    ),
    always(
        "poison",
        "Messages that no function could read. They name objects, and hold no event.",
        Until::After(Period::Poison),
        NOBODY,
    ),
    Residue {
        kind: "recovery window of the keys",
        why: "Point-in-time recovery of the table of keys, links and identifiers: within it the destroyed keys can be restored. Whoever is gone stays gone in every reader.",
        until: Until::After(Period::KeysPitr),
        who: "After a restore the operator runs `ledgerline reconcile`.",
        is_left: |facts| facts.keys_pitr_days > 0,
    },
    always(
        "recovery window of the control table",
        "Point-in-time recovery of the table of requests, holds and tombstones. It holds no identifier and no key of a record.",
        Until::After(Period::ControlPitr),
        "After a restore the operator runs `ledgerline reconcile`, and repeats the erasure if it went back before this one.",
    ),
    always(
        "backups on demand",
        "Ledgerline makes none. If somebody made backups or copies of tables or buckets, they hold what was there then.",
        Until::Said("whoever made them deletes them"),
        "Whoever made them deletes them.",
    ),
    always(
        "plans",
        "What objects turned into, on its way to the ledger: blocks that are sealed under the destroyed keys, so that nobody reads them.",
        Until::After(Period::Staged),
        NOBODY,
    ),
    always(
        "claims",
        "Digests of events under a key of the deployment's: they tell an event that is sent again.",
        Until::After(Period::Claims),
        NOBODY,
    ),
    always("logs of functions", "Ids, counts and times. No event, no identifier.", Until::After(Period::Logs), NOBODY),
    always(
        "access logs and data events",
        "If the account keeps access logs of buckets or CloudTrail's data events, they name objects and rows by their keys, and when each was called.",
        Until::Said("as the account keeps them"),
        "Whoever runs the account sets how long.",
    ),
    always(
        "deletion entries",
        "The ledger says of each record that it was erased, and on which day. Entries stand beside each other; {pooled} requests were recorded together. One alone can be joined by position.",
        Until::Said("the ledger's retention"),
        NOBODY,
    ),
    always(
        "rows of deletion entries",
        "That the entries were planned and committed, and when.",
        Until::After(Period::Acts),
        NOBODY,
    ),
    always(
        "blocks and their lengths",
        "Sealed blocks in the ledger under the destroyed keys. Nobody opens them; their lengths, in steps, are to be seen.",
        Until::Said("the ledger's retention"),
        NOBODY,
    ),
    always(
        "clear metadata",
        "What the ledger, its index, the record's own row, silver and gold say of an interaction that is nobody's: its id, type, time, channel, queue, durations, codes.",
        Until::Said("the ledger's retention; silver's and gold's own"),
        NOBODY,
    ),
    always(
        "neighbourhood in bronze",
        "A line that was taken out leaves a placeholder, which says that a line was there, when it was received, and what stood before and behind it.",
        Until::After(Period::Bronze),
        NOBODY,
    ),
    always(
        "times of rewritten objects",
        "When the objects were rewritten. They say that somebody was erased then.",
        Until::Said("the objects expire: bronze as before, silver by its own rule"),
        NOBODY,
    ),
    always(
        "tokens that the source shares",
        "A token of the source's that several records have stays with the others.",
        Until::Said("the other records are erased, or the data expires"),
        NOBODY,
    ),
    always(
        "figures of gold",
        "Figures count interactions and name nobody. The provisional figure of calls that were not repeated was counted while the person was known.",
        Until::Said("the figure is final, or gold is made again"),
        NOBODY,
    ),
    always(
        "results of queries and exports",
        "What people took from silver, gold or the ledger before: tables, files, reports.",
        Until::Said("whoever has them deletes them"),
        "The officer asks those who made them.",
    ),
    always(
        "delivered answers and packages",
        "Answers to access requests and packages that were handed out before.",
        Until::Said("whoever has them deletes them"),
        "Nobody at Ledgerline: they are the recipients'.",
    ),
    always(
        "tombstones",
        "Digests of the person's identifiers under a key of the deployment's: what comes late, or again, is suppressed by them.",
        Until::After(Period::Tombstones),
        NOBODY,
    ),
    always(
        "names that are gone",
        "Random names of subjects and keys that are gone for good, so that a restored copy brings nobody back. They lead to nobody.",
        Until::Said("never"),
        NOBODY,
    ),
    always(
        "the request",
        "That there was a request, its clock, what was decided when and by whose alias. It names nobody, and has the digest of this certificate.",
        Until::Said("never"),
        NOBODY,
    ),
    always(
        "this certificate",
        "This file joins the deletion entries: it says that they are one person's.",
        Until::After(Period::Certificate),
        "Whoever has a copy keeps it as the law asks, and deletes it then. Ledgerline keeps its digest alone.",
    ),
    always(
        "the agents' side",
        "What agents said and did is theirs. This request does not concern it.",
        Until::Said("the ledger's retention"),
        "The agent may ask.",
    ),
    always(
        "other systems",
        "None is configured: Ledgerline told no other system of this erasure.",
        Until::Said("somebody erases the person there"),
        "The officer erases the person in the systems that the data came from: Genesys Cloud, the CRM, the dialler.",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn facts() -> Facts {
        let (bronze_days, quarantine_days, staged_days, keys_pitr_days) = (730, 30, 31, 1);
        Facts {
            bronze_days,
            quarantine_days,
            staged_days,
            keys_pitr_days,
            claim_days: 400,
            log_days: 32,
            certificate_days: 29,
            ..Facts::default()
        }
    }

    #[test]
    fn each_kind_stands_once_and_says_everything() {
        let kinds: BTreeSet<&str> = RESIDUES.iter().map(|residue| residue.kind).collect();
        assert_eq!(kinds.len(), RESIDUES.len());
        for residue in RESIDUES {
            let texts = [residue.kind, residue.why, residue.who];
            assert!(texts.iter().all(|text| !text.is_empty()), "{}", residue.kind);
        }
    }

    #[test]
    fn what_an_erasure_did_not_leave_is_not_told() {
        let day = |days: i64| format!("+{days}");
        let kinds = |facts: &Facts| -> Vec<String> { remaining(facts, &day).into_iter().map(|one| one.kind).collect() };
        let some = Facts { shared: 1, held: 1, given_up: 1, not_a_person: 1, ..facts() };
        assert_eq!(kinds(&some).len(), RESIDUES.len());
        assert_eq!(kinds(&facts()).len(), RESIDUES.len() - 4);
        let none = Facts { keys_pitr_days: 0, ..facts() };
        assert!(!kinds(&none).iter().any(|kind| kind == "recovery window of the keys"));
    }

    #[test]
    fn ends_follow_from_the_configuration() {
        let remains = remaining(&Facts { pooled: 7, ..facts() }, &|days| format!("+{days}"));
        let of = |kind: &str| remains.iter().find(|one| one.kind == kind).unwrap();
        for (kind, until) in [
            ("lines in quarantine", "+730"),
            ("error prefixes", "+30"),
            ("plans", "+31"),
            ("recovery window of the keys", "+1"),
            ("claims", "+400"),
            ("logs of functions", "+32"),
            ("this certificate", "+29"),
            ("tombstones", "+760"),
        ] {
            assert_eq!(of(kind).until, until, "{kind}");
        }
        assert!(of("deletion entries").why.contains("7 requests"));
    }
}
