//! Two ways of doing the same work, timed in turns in one process, and the ratio of their CPU times.
//!
//! Machines are noisy; a ratio of neighbours in time is not. CPU time of the process is read before and after each turn;
//! the median over the turns is reported with the extremes beside it.

use std::fmt;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Turns of each side. Odd, so that the median is one of them.
const TURNS: usize = 9;

/// Times of two sides over the same turns.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    /// What the work cannot do without.
    pub(super) floor: Vec<Duration>,
    /// The product's own code.
    pub(super) ours: Vec<Duration>,
    /// Events handled in one turn.
    pub(super) events: usize,
}

/// Times `floor` and `ours` alternately, after one unmeasured turn of each.
pub(super) fn time_pair(events: usize, floor: impl FnMut(), ours: impl FnMut()) -> Pair {
    time_pair_beside(events, floor, ours, || ())
}

/// As [`time_pair`], with a turn of something else, which measures itself, after every turn of `ours`. The unmeasured turn is its
/// first, too.
pub(super) fn time_pair_beside(
    events: usize,
    mut floor: impl FnMut(),
    mut ours: impl FnMut(),
    mut beside: impl FnMut(),
) -> Pair {
    let mut pair = Pair { floor: Vec::new(), ours: Vec::new(), events };
    for turn in 0..=TURNS {
        let (floor, ours) = (cpu_time_of(&mut floor), cpu_time_of(&mut ours));
        beside();
        if turn > 0 {
            pair.floor.push(floor);
            pair.ours.push(ours);
        }
    }
    pair
}

impl Pair {
    /// Median, least and greatest of `ours / floor`, turn by turn.
    pub(super) fn ratios(&self) -> (f64, f64, f64) {
        let mut ratios: Vec<f64> =
            self.ours.iter().zip(&self.floor).map(|(ours, floor)| ours.as_secs_f64() / floor.as_secs_f64()).collect();
        ratios.sort_by(f64::total_cmp);
        (ratios[ratios.len() / 2], ratios[0], ratios[ratios.len() - 1])
    }

    /// Median microseconds per event.
    pub(super) fn per_event_us(&self, times: &[Duration]) -> f64 {
        let mut times = times.to_vec();
        times.sort();
        times[times.len() / 2].as_secs_f64() * 1e6 / self.events as f64
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ours, floor) = (self.per_event_us(&self.ours), self.per_event_us(&self.floor));
        let (median, least, greatest) = self.ratios();
        writeln!(f, "  floor  {floor:8.2} µs of CPU per event")?;
        writeln!(f, "  ours   {ours:8.2} µs of CPU per event, {:.0} events per second per core", 1e6 / ours)?;
        write!(
            f,
            "  ratio  {median:8.2}  (least {least:.2}, greatest {greatest:.2}, {TURNS} turns of {} events)",
            self.events
        )
    }
}

fn cpu_time_of(work: &mut impl FnMut()) -> Duration {
    let before = cpu_time();
    work();
    cpu_time().saturating_sub(before)
}

fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_the_median_of_the_turns() {
        let ms = |times: &[u64]| times.iter().copied().map(Duration::from_millis).collect();
        let pair = Pair { floor: ms(&[10, 10, 10]), ours: ms(&[30, 15, 20]), events: 1000 };
        assert_eq!(pair.ratios(), (2.0, 1.5, 3.0));
        assert!(pair.to_string().contains("50000 events per second per core"), "{pair}");
    }

    #[test]
    fn cpu_time_counts_work_and_not_waiting() {
        let waited = cpu_time_of(&mut || std::thread::park_timeout(Duration::from_millis(20)));
        let worked = cpu_time_of(&mut || {
            let mut sum = 0_u64;
            (0..20_000_000_u64).for_each(|n| sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(n)));
        });
        assert!(worked > waited, "worked {worked:?}, waited {waited:?}");
    }
}
