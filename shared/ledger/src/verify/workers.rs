//! Work in parallel, results in order, only a window of them at a time.
//!
//! Invariant: at most a window of results waits to be taken, however far one worker is ahead, so memory does not grow
//! with the work; the first error stops all workers.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Does `work` on every job with so many threads and gives the results to `take` in the jobs' order, on this thread.
/// Each thread has its own scratch space.
pub(crate) fn in_order<J: Sync, S: Default, R: Send, E: Send>(
    threads: usize,
    jobs: &[J],
    work: impl Fn(&mut S, &J) -> Result<R, E> + Sync,
    mut take: impl FnMut(&J, R) -> Result<(), E>,
) -> Result<(), E> {
    let threads = threads.clamp(1, jobs.len().max(1));
    let queue = Queue { state: Mutex::new(State::default()), changed: Condvar::new(), window: 2 * threads };
    std::thread::scope(|scope| {
        // Dropped on every way out, a panic of `take` included: workers must not wait for a taker that is gone.
        let _stop = StopOnDrop(&queue);
        for _ in 0..threads {
            scope.spawn(|| {
                let _stop = StopOnPanic(&queue);
                let mut scratch = S::default();
                while let Some(index) = queue.next(jobs.len()) {
                    queue.put(index, work(&mut scratch, &jobs[index]));
                }
            });
        }
        for (index, job) in jobs.iter().enumerate() {
            let Some(result) = queue.get(index) else { break };
            take(job, result?)?;
        }
        Ok(())
    })
}

struct Queue<R, E> {
    state: Mutex<State<R, E>>,
    changed: Condvar,
    window: usize,
}

struct State<R, E> {
    next: usize,
    taken: usize,
    done: BTreeMap<usize, Result<R, E>>,
    stopped: bool,
}

impl<R, E> Default for State<R, E> {
    fn default() -> Self {
        Self { next: 0, taken: 0, done: BTreeMap::new(), stopped: false }
    }
}

impl<R, E> Queue<R, E> {
    fn lock(&self) -> MutexGuard<'_, State<R, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job, once it is inside the window.
    fn next(&self, jobs: usize) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if state.stopped || state.next == jobs {
                return None;
            }
            if state.next < state.taken + self.window {
                state.next += 1;
                return Some(state.next - 1);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn put(&self, index: usize, result: Result<R, E>) {
        self.lock().done.insert(index, result);
        self.changed.notify_all();
    }

    /// The result of a job; `None` if a worker died.
    fn get(&self, index: usize) -> Option<Result<R, E>> {
        let mut state = self.lock();
        loop {
            if let Some(result) = state.done.remove(&index) {
                state.taken = index + 1;
                drop(state);
                self.changed.notify_all();
                return Some(result);
            }
            if state.stopped {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }
}

struct StopOnDrop<'a, R, E>(&'a Queue<R, E>);

impl<R, E> Drop for StopOnDrop<'_, R, E> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

struct StopOnPanic<'a, R, E>(&'a Queue<R, E>);

impl<R, E> Drop for StopOnPanic<'_, R, E> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn results_come_in_order_and_no_further_ahead_than_the_window() {
        let jobs: Vec<usize> = (0..500).collect();
        let (started, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut seen = Vec::new();
        let result: Result<(), ()> = in_order(
            4,
            &jobs,
            |_: &mut (), job| {
                started.fetch_add(1, Ordering::SeqCst);
                assert!(*job < taken.load(Ordering::SeqCst) + 8 + 1, "job {job} ran ahead");
                if job % 7 == 0 {
                    std::thread::yield_now();
                }
                Ok(job * 2)
            },
            |job, result| {
                assert_eq!(result, job * 2);
                seen.push(*job);
                taken.store(job + 1, Ordering::SeqCst);
                Ok(())
            },
        );
        assert_eq!(result, Ok(()));
        assert_eq!(seen, jobs);
        assert_eq!(started.load(Ordering::SeqCst), 500);
    }

    #[test]
    fn the_first_error_ends_the_run() {
        let jobs: Vec<usize> = (0..500).collect();
        let run = |failing_take: usize| {
            in_order(
                3,
                &jobs,
                |_: &mut (), job| if *job == 40 { Err("work") } else { Ok(*job) },
                |job, _| if *job == failing_take { Err("take") } else { Ok(()) },
            )
        };
        assert_eq!(run(1_000), Err("work"));
        assert_eq!(run(39), Err("take"));
        let none: Result<(), ()> = in_order(3, &[], |_: &mut (), _: &usize| Ok(()), |_, ()| Ok(()));
        assert_eq!(none, Ok(()));
    }
}
