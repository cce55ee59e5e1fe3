//! What may happen in an episode.

use crate::simulation::stage::Delivery;

/// What may happen next.
#[derive(Debug)]
pub(crate) enum Op {
    /// A bronze object is planned, and its pointers are queued: so many entries of each log.
    Plan(Vec<(usize, u64)>),
    /// Messages are delivered; with them perhaps some that were acknowledged, or the same twice.
    Deliver(Delivery),
    /// The same, and the process dies.
    Crash(Delivery),
    /// Two processes at once.
    Twins([Delivery; 2]),
    /// Whoever appends nothing finishes all logs.
    Sweep { process: usize, dies_after: Option<u64> },
    /// The next signing key is announced in every log.
    AnnounceKey,
    /// It may sign, where a checkpoint covers its announcement.
    AllowKey,
    /// A process comes back with another key: the newest, or any.
    DeployKey { process: usize, key: usize },
    /// All clocks jump.
    ClockJump { by_ms: i64 },
    /// The table is put back to what it was before something was signed; then it is put right.
    Restore { snapshot: usize },
}

impl Op {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Plan(_) => "plan",
            Self::Deliver(_) => "deliver",
            Self::Crash(_) => "crash",
            Self::Twins(_) => "twins",
            Self::Sweep { .. } => "sweep",
            Self::AnnounceKey => "announce key",
            Self::AllowKey => "allow key",
            Self::DeployKey { .. } => "deploy key",
            Self::ClockJump { .. } => "clock jump",
            Self::Restore { .. } => "restore",
        }
    }

    /// In one line, ids and numbers only.
    pub(crate) fn tell(&self) -> String {
        let told = |delivery: &Delivery| {
            let ids: Vec<String> =
                delivery.pointers.iter().map(|one| format!("{}#{}", one.log, &one.deduplication_id()[..6])).collect();
            let Delivery { process, deadline_ms, dies_after, .. } = delivery;
            format!("to process {process} for {deadline_ms} ms, dies after {dies_after:?}: {}", ids.join(" "))
        };
        match self {
            Self::Deliver(delivery) | Self::Crash(delivery) => format!("{} {}", self.name(), told(delivery)),
            Self::Twins([one, other]) => format!("twins {} | {}", told(one), told(other)),
            _ => format!("{self:?}"),
        }
    }
}

/// Their names.
pub(crate) const NAMES: [&str; 10] =
    ["plan", "deliver", "crash", "twins", "sweep", "announce key", "allow key", "deploy key", "clock jump", "restore"];
