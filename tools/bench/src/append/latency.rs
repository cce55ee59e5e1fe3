//! Entries per second of one log when every call takes its time. In virtual time, so that the figure is exact: it counts
//! waits one after the other, and no CPU.

use std::time::Duration;

use tokio::time::Instant;

use super::world::{World, in_virtual_time};

const LATENCIES_MS: [u64; 3] = [5, 50, 200];
/// Chunks per invocation: a whole batch of the queue, and one.
const CHUNKS: [u64; 2] = [10, 1];
const ENTRIES_PER_CHUNK: u64 = 256;
/// Invocations in a row: six times the eight segments that are published at once.
const INVOCATIONS: u32 = 48;

/// A line per latency and size of a batch.
pub(crate) fn measure() -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    for chunks in CHUNKS {
        for latency_ms in LATENCIES_MS {
            let latency = Duration::from_millis(latency_ms);
            let took = in_virtual_time(append_in_a_row(chunks * ENTRIES_PER_CHUNK, INVOCATIONS, latency))?;
            let entries = u64::from(INVOCATIONS) * chunks * ENTRIES_PER_CHUNK;
            lines.push(format!(
                "  {latency_ms:>4} ms, {chunks:>2} chunks of {ENTRIES_PER_CHUNK}: {:>8.0} entries per second, {:>5.1} waits in a row per \
                 invocation",
                per_second(entries, took),
                waits(took / INVOCATIONS, latency)
            ));
        }
    }
    Ok(lines)
}

/// How long so many invocations take, one after the other, as the queue hands a log's messages over.
async fn append_in_a_row(entries: u64, invocations: u32, latency: Duration) -> Result<Duration, String> {
    let mut world = World::new()?;
    // Once only: the log's rows, and the look into its archive.
    world.append(entries).await?;
    world.set_latency(latency);
    let began = Instant::now();
    for _ in 0..invocations {
        world.append(entries).await?;
    }
    Ok(began.elapsed())
}

fn per_second(entries: u64, took: Duration) -> f64 {
    entries as f64 / took.as_secs_f64()
}

fn waits(took: Duration, latency: Duration) -> f64 {
    took.as_secs_f64() / latency.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_as_fast_as_its_calls_are_few_and_the_figure_can_be_had_again() {
        let run = |latency_ms| in_virtual_time(append_in_a_row(10, 8, Duration::from_millis(latency_ms))).unwrap();
        assert_eq!(run(50), run(50));
        // As many waits whatever one takes; none of these runs is as long as the time between two signatures.
        let (slow, fast) = (waits(run(50), Duration::from_millis(50)), waits(run(5), Duration::from_millis(5)));
        assert!((slow - fast).abs() < 1e-6, "{slow} and {fast} waits");
        assert!(slow >= 8.0 * 7.0, "an append of seven calls in a row took {slow} waits for eight");
        assert!((per_second(500, Duration::from_millis(250)) - 2_000.0).abs() < 1e-9);
    }
}
