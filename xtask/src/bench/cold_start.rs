//! Cold starts: from starting the process to its first request for work, beside an empty binary of the same runtime.
//!
//! A tiny stand-in for Lambda's runtime API answers nothing: the first `GET …/next` ends the measurement and the process.

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Starts of each binary. Odd, so that the median is one of them.
const STARTS: usize = 15;
/// Longer than any start that is worth measuring.
const PATIENCE: Duration = Duration::from_secs(10);

/// Median wall time from spawn to the first request for work, over [`STARTS`] starts of `binary`.
///
/// # Errors
/// What kept the process from asking for work.
pub(super) fn median_start(binary: &Path, environment: &[(String, String)]) -> Result<Duration, String> {
    let mut times = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        times.push(one_start(binary, environment)?);
    }
    times.sort();
    Ok(times[STARTS / 2])
}

#[expect(clippy::disallowed_methods, reason = "wall time is what a cold start is")]
fn one_start(binary: &Path, environment: &[(String, String)]) -> Result<Duration, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| format!("cannot listen on loopback: {error}"))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?.to_string();
    let (asked, first_request) = mpsc::channel();
    // The thread ends with the process's connection, or with the listener's when nothing ever connects.
    thread::spawn(move || {
        if let Ok((mut stream, _)) = listener.accept() {
            let mut first_bytes = [0; 64];
            let read = stream.read(&mut first_bytes).unwrap_or(0);
            // The receiver is gone only if the measurement was given up.
            let _ = asked.send((Instant::now(), String::from_utf8_lossy(&first_bytes[..read]).into_owned()));
        }
    });
    let started = Instant::now();
    let child = Command::new(binary)
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .env("AWS_LAMBDA_RUNTIME_API", &address)
        .env("AWS_LAMBDA_FUNCTION_NAME", "cold-start")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "none")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "none")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{}: {error}", binary.display()))?;
    let mut child = EndedOnDrop(child);
    match first_request.recv_timeout(PATIENCE) {
        Ok((at, request)) if request.contains("/invocation/next") => Ok(at - started),
        Ok(_) => Err(format!("{} reported a failed start: its configuration was refused", binary.display())),
        Err(_) => {
            let status = child.0.try_wait().ok().flatten();
            Err(format!("{} asked for no work within {PATIENCE:?} (exit: {status:?})", binary.display()))
        }
    }
}

struct EndedOnDrop(Child);

impl Drop for EndedOnDrop {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing is left behind.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
