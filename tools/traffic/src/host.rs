//! Runs one function's real binary for one event, and ends it in the middle if told to: Lambda's runtime API on one side
//! of it, its AWS calls, counted, on the other.
//!
//! Invariant: a strike falls exactly between two AWS calls or between a call and its answer, by SIGKILL: the process
//! runs nothing of its own any more. What the emulator did by then stays done.
#![expect(clippy::unwrap_used, reason = "only tests stand on it, and a test fails by panicking")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Where Lambda's runtime API lies; every other path is an AWS call.
const RUNTIME_API: &str = "/2018-06-01/runtime/";
/// How long an invocation may take on a busy machine before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(120);

/// A function's binary and its environment.
#[derive(Debug, Clone)]
pub struct Function {
    /// The `bootstrap` that Lambda would run.
    pub bootstrap: PathBuf,
    /// Its environment, as the template sets it.
    pub environment: Vec<(String, String)>,
    /// Where its AWS calls go.
    pub endpoint: SocketAddr,
}

/// The process ends at this call.
#[derive(Debug, Clone, Copy)]
pub struct Strike {
    /// Counted from 1.
    pub call: u32,
    /// Before the call reaches AWS, or after it took effect and before its answer comes.
    pub moment: Moment,
}

/// On which side of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The call is lost.
    Before,
    /// The call persisted; nobody hears of it.
    After,
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The function's answer.
    Answered(Value),
    /// The function failed: its own words.
    Failed(String),
    /// The strike fell.
    Killed,
}

/// What came of an invocation.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// How it ended.
    pub outcome: Outcome,
    /// AWS calls that were begun.
    pub calls: u32,
}

struct Shared {
    event: Bytes,
    strike: Option<Strike>,
    calls: AtomicU32,
    upstream: SocketAddr,
    process: u32,
    outcome: Mutex<Option<Outcome>>,
    ended: Notify,
}

impl Function {
    /// Runs the function for one event.
    ///
    /// # Panics
    /// If the binary cannot be started, or hangs.
    pub async fn run(&self, event: &Value, strike: Option<Strike>) -> Run {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut child = tokio::process::Command::new(&self.bootstrap)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_ENDPOINT_URL", format!("http://{address}"))
            .env("AWS_LAMBDA_FUNCTION_NAME", "under-fire")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.bootstrap.display()));
        let shared = Arc::new(Shared {
            event: Bytes::from(event.to_string()),
            strike,
            calls: AtomicU32::new(0),
            upstream: self.endpoint,
            process: child.id().unwrap(),
            outcome: Mutex::new(None),
            ended: Notify::new(),
        });
        let mut connections = JoinSet::new();
        let patience = tokio::time::sleep(PATIENCE);
        tokio::pin!(patience);
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (stream, _) = accepted.unwrap();
                    let shared = Arc::clone(&shared);
                    connections.spawn(async move {
                        let service = service_fn(|request| answer(Arc::clone(&shared), request));
                        // The process may be killed in the middle of an answer.
                        let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                    });
                }
                () = shared.ended.notified() => break,
                status = child.wait() => {
                    shared.end(Outcome::Failed(format!("the process ended by itself: {status:?}")));
                    break;
                }
                () = &mut patience => panic!("{} has not ended after {PATIENCE:?}", self.bootstrap.display()),
            }
        }
        // A process that answered waits for its next event.
        let _ = child.kill().await;
        let outcome = shared.outcome.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap();
        Run { outcome, calls: shared.calls.load(Ordering::SeqCst) }
    }
}

impl Shared {
    /// The first outcome counts.
    fn end(&self, outcome: Outcome) {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(outcome);
        self.ended.notify_one();
    }

    fn kill(&self) {
        if let Some(process) = i32::try_from(self.process).ok().and_then(rustix::process::Pid::from_raw) {
            // It may have ended at this very moment.
            let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
        }
        self.end(Outcome::Killed);
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
        // The process was killed while it sent.
        return std::future::pending().await;
    };
    match parts.uri.path().strip_prefix(RUNTIME_API) {
        Some(place) => runtime_api(&shared, place, &body).await,
        None => aws_call(&shared, parts, body).await,
    }
}

async fn runtime_api(shared: &Shared, place: &str, body: &[u8]) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = || String::from_utf8_lossy(body).into_owned();
    if place == "invocation/next" {
        let answered = shared.outcome.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if answered {
            return std::future::pending().await;
        }
        return Ok(Response::builder()
            .header("lambda-runtime-aws-request-id", "00000000-0000-4000-8000-000000000000")
            // Before anybody calls it hung, and with room for verification, which stops reading 30 s earlier.
            .header("lambda-runtime-deadline-ms", (now_ms() + 110_000).to_string())
            .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:under-fire")
            .header("content-type", "application/json")
            .body(Full::new(shared.event.clone()))
            .unwrap());
    }
    match place.rsplit('/').next() {
        Some("response") => shared.end(Outcome::Answered(serde_json::from_slice(body).unwrap_or(Value::Null))),
        _ => shared.end(Outcome::Failed(text())),
    }
    Ok(Response::builder().status(StatusCode::ACCEPTED).body(Full::default()).unwrap())
}

async fn aws_call(
    shared: &Shared,
    parts: hyper::http::request::Parts,
    body: Bytes,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let call = shared.calls.fetch_add(1, Ordering::SeqCst) + 1;
    let strike = shared.strike.filter(|strike| strike.call == call);
    if strike.is_some_and(|strike| strike.moment == Moment::Before) {
        shared.kill();
        return std::future::pending().await;
    }
    let answer = forward(shared.upstream, parts, body).await;
    if strike.is_some() {
        shared.kill();
        return std::future::pending().await;
    }
    Ok(answer
        .unwrap_or_else(|_| Response::builder().status(StatusCode::SERVICE_UNAVAILABLE).body(Full::default()).unwrap()))
}

/// One connection per call: what a killed process leaves half-done must not spoil another's.
async fn forward(
    upstream: SocketAddr,
    mut parts: hyper::http::request::Parts,
    body: Bytes,
) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(upstream).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    parts.headers.insert(hyper::header::HOST, upstream.to_string().parse()?);
    parts.headers.remove(hyper::header::TRANSFER_ENCODING);
    let is_head = parts.method == Method::HEAD;
    let (mut parts, body) = sender.send_request(Request::from_parts(parts, Full::new(body))).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    connection.abort();
    parts.headers.remove(hyper::header::TRANSFER_ENCODING);
    if !is_head {
        // Ours is whole: its length is set again.
        parts.headers.remove(hyper::header::CONTENT_LENGTH);
    }
    Ok(Response::from_parts(parts, Full::new(body)))
}

#[expect(clippy::disallowed_methods, reason = "the deadline that Lambda would give")]
fn now_ms() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_millis()
}
