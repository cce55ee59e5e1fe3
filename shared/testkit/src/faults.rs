//! Fault injection: the n-th write of a run is lost, or persisted and still reported as an error; or, by a seed, any call
//! of a run may fail in any way that a store knows ([`Weather`]). Calls may also take their time, for measuring.
//!
//! Every strict fake asks [`Faults::strike`] once per write, before it touches its state. A run without faults counts
//! the writes; the fault matrix then repeats the run once per write and kind of fault.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ledgerline_ledger::store::{Failure, StoreError};

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// The write never reached the store; the caller sees an error.
    Lost,
    /// The store kept the write; the caller sees an error all the same.
    PersistedButErrored,
    /// The store asked for patience and kept nothing.
    Throttled,
    /// The store was busy with another writer (HTTP 409, a transaction conflict) and kept nothing.
    Conflict,
    /// The store kept some rows of a batch, and never got to the others.
    Partly,
    /// A read that was not answered.
    Unread,
    /// The store refused the write for want of a permission.
    Denied,
}

/// Both kinds that matter to a caller of one write, for the matrix.
pub const ALL_FAULTS: [Fault; 2] = [Fault::Lost, Fault::PersistedButErrored];

/// How often calls fail by themselves, or take long: of a thousand writes so many per kind, of a thousand reads so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// Lost.
    pub lost: u64,
    /// Persisted, and reported as an error.
    pub persisted: u64,
    /// Throttled.
    pub throttled: u64,
    /// A conflict without anybody's change.
    pub conflict: u64,
    /// Batches of which a part was kept.
    pub partly: u64,
    /// Reads that were not answered.
    pub unread: u64,
    /// Calls of either kind that take [`SLOW`], of a thousand.
    pub slow: u64,
}

/// Longer than between two turns to sign, so that whoever has one may meet the next.
pub const SLOW: Duration = Duration::from_secs(12);

/// Numbers that look random and follow from their seed.
#[derive(Clone, Debug, Default)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number: SplitMix64.
    pub fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }
}

/// The faults of one run, shared by all fakes of that run.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    planned: BTreeMap<usize, Fault>,
    log: Vec<String>,
    struck: usize,
    weather: Weather,
    latency: Duration,
    dice: Dice,
    weathered: BTreeMap<(Fault, String), u64>,
}

impl Faults {
    /// A run in which nothing fails.
    pub fn none() -> Self {
        Self::default()
    }

    /// A run in which write number `nth` (from 0) suffers `fault`.
    pub fn at(nth: usize, fault: Fault) -> Self {
        let faults = Self::default();
        faults.plan(nth, fault);
        faults
    }

    /// A run whose weather, once there is any, follows from a seed.
    pub fn seeded(seed: u64) -> Self {
        let faults = Self::default();
        faults.lock().dice = Dice::new(seed);
        faults
    }

    /// Adds one more fault.
    pub fn plan(&self, nth: usize, fault: Fault) {
        self.lock().planned.insert(nth, fault);
    }

    /// Changes the weather.
    pub fn set_weather(&self, weather: Weather) {
        self.lock().weather = weather;
    }

    /// Makes every call take so long; with tokio's paused time that costs none.
    pub fn set_latency(&self, latency: Duration) {
        self.lock().latency = latency;
    }

    /// Called by a fake at the beginning of each call: others get their turn, or the call takes its time.
    pub async fn latency(&self) {
        let latency = self.lock().next_latency();
        if latency.is_zero() { tokio::task::yield_now().await } else { tokio::time::sleep(latency).await }
    }

    /// Called by a fake once per write, with the write's name. `Some` says what to do to it.
    pub fn strike(&self, write: &str) -> Option<Fault> {
        self.strike_row(write, true)
    }

    fn strike_row(&self, write: &str, clashes: bool) -> Option<Fault> {
        let mut state = self.lock();
        let nth = state.log.len();
        state.log.push(write.to_owned());
        if let Some(fault) = state.planned.get(&nth).copied() {
            state.struck += 1;
            return Some(fault);
        }
        let Weather { lost, persisted, throttled, conflict, .. } = state.weather;
        let (throttled, conflict) = if clashes { (throttled, conflict) } else { (throttled + conflict, 0) };
        let odds = [
            (Fault::Lost, lost),
            (Fault::PersistedButErrored, persisted),
            (Fault::Throttled, throttled),
            (Fault::Conflict, conflict),
        ];
        state.draw(write, &odds)
    }

    /// One write by a fake: done, or struck. Whoever calls it checks all conditions before it changes anything.
    ///
    /// # Errors
    /// What `change` returns, or the fault.
    pub fn write<T>(&self, write: &str, change: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.write_row(write, true, change)
    }

    /// The same. Where it does not clash with anybody's transaction, nothing but its own condition makes a conflict of a
    /// row's update, and families rely on that: the weather throttles it instead.
    ///
    /// # Errors
    /// What `change` returns, or the fault.
    pub fn write_row<T>(
        &self,
        write: &str,
        clashes: bool,
        change: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self.strike_row(write, clashes) {
            None => change(),
            Some(Fault::PersistedButErrored) => {
                change()?;
                Err(Self::error(write))
            }
            Some(Fault::Throttled | Fault::Partly) => Err(StoreError::Throttled(struck(write))),
            Some(Fault::Conflict) => Err(StoreError::Conflict(struck(write))),
            Some(Fault::Denied) => Err(StoreError::Denied(struck(write))),
            Some(Fault::Lost | Fault::Unread) => Err(Self::error(write)),
        }
    }

    /// Called by a fake once per batch of `rows` rows, before [`Faults::write`]. `Some` says that the store keeps this
    /// many of them only, and leaves the others unprocessed.
    pub fn processed_of(&self, write: &str, rows: usize) -> Option<usize> {
        let mut state = self.lock();
        let partly = [(Fault::Partly, state.weather.partly)];
        state.draw(write, &partly)?;
        Some(state.dice.below(rows.max(1) as u64) as usize)
    }

    /// Called by a fake once per read.
    ///
    /// # Errors
    /// The weather's.
    pub fn read(&self, read: &str) -> Result<(), StoreError> {
        let mut state = self.lock();
        let unread = [(Fault::Unread, state.weather.unread)];
        match state.draw(read, &unread) {
            None => Ok(()),
            Some(_) if state.dice.below(2) == 0 => Err(StoreError::Throttled(struck(read))),
            Some(_) => Err(Self::error(read)),
        }
    }

    /// How many writes were asked for so far.
    pub fn writes(&self) -> usize {
        self.lock().log.len()
    }

    /// The names of the writes so far, in order.
    pub fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    /// How many of the planned faults have struck: a matrix row whose fault never struck proves nothing.
    pub fn struck(&self) -> usize {
        self.lock().struck
    }

    /// How often the weather struck, by kind and call.
    pub fn weathered(&self) -> BTreeMap<(Fault, String), u64> {
        self.lock().weathered.clone()
    }

    /// The error that a struck write reports: its outcome is unknown to the caller.
    pub fn error(write: &str) -> StoreError {
        StoreError::Unknown(struck(write))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What the next call takes; no roll where none is slow.
    fn next_latency(&mut self) -> Duration {
        let slow = self.weather.slow;
        if slow > 0 && self.dice.below(1_000) < slow { SLOW } else { self.latency }
    }

    /// Rolls once per call, and not at all in fine weather: a run without weather needs no seed.
    fn draw(&mut self, call: &str, odds: &[(Fault, u64)]) -> Option<Fault> {
        if self.weather == Weather::default() {
            return None;
        }
        let mut rolled = self.dice.below(1_000);
        for (fault, per_thousand) in odds {
            if rolled < *per_thousand {
                *self.weathered.entry((*fault, call.to_owned())).or_default() += 1;
                return Some(*fault);
            }
            rolled -= per_thousand;
        }
        None
    }
}

fn struck(call: &str) -> Failure {
    Failure::new(format!("{call} (injected fault)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_planned_write_is_struck() {
        let faults = Faults::at(1, Fault::Lost);
        assert_eq!(faults.strike("a"), None);
        assert_eq!(faults.strike("b"), Some(Fault::Lost));
        assert_eq!(faults.strike("c"), None);
        assert_eq!((faults.writes(), faults.struck()), (3, 1));
        assert_eq!(faults.log(), ["a", "b", "c"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_takes_its_time_and_no_longer() {
        let (faults, began) = (Faults::none(), tokio::time::Instant::now());
        faults.latency().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        faults.set_latency(Duration::from_millis(50));
        faults.latency().await;
        assert_eq!(began.elapsed(), Duration::from_millis(50));
        faults.set_weather(Weather { slow: 1_000, ..Weather::default() });
        faults.latency().await;
        assert_eq!(began.elapsed(), Duration::from_millis(50) + SLOW);
    }

    #[test]
    fn weather_follows_from_its_seed_and_strikes_in_every_way() {
        let run = |seed: u64| {
            let faults = Faults::seeded(seed);
            let (lost, persisted, throttled, conflict, partly, unread) = (100, 100, 100, 100, 100, 100);
            faults.set_weather(Weather { lost, persisted, throttled, conflict, partly, unread, slow: 0 });
            let outcomes: Vec<_> = (0..200)
                .map(|_| {
                    let mut kept = 0;
                    let write = faults.write("w", || {
                        kept += 1;
                        Ok(())
                    });
                    let processed = faults.processed_of("w", 25);
                    (write.map_err(|error| error.kind()), kept, processed, faults.read("r").is_err())
                })
                .collect();
            (outcomes, faults.weathered())
        };
        let alone = Faults::seeded(1);
        alone.set_weather(Weather { conflict: 1_000, ..Weather::default() });
        assert_eq!(alone.write_row("w", false, || Ok(())).unwrap_err().kind(), "throttled");
        let (outcomes, weathered) = run(1);
        assert_eq!(run(1).0, outcomes);
        assert_ne!(run(2).0, outcomes);
        assert_eq!(weathered.len(), 6, "{weathered:?}");
        for seen in [(Ok(()), 1), (Err("unknown"), 0), (Err("unknown"), 1), (Err("throttled"), 0), (Err("conflict"), 0)]
        {
            assert!(outcomes.iter().any(|(write, kept, ..)| (*write, *kept) == seen), "{seen:?}");
        }
    }
}
