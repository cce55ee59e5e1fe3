//! An engine that mines processes, as far as its bulk endpoint goes: it notes what arrives, and answers as it is told to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

/// What to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    /// Takes the batch and says so.
    Take,
    /// Takes the batch, and the line breaks off before the answer.
    TakeAndBreakOff,
    /// Takes nothing: this status, and when to come again.
    Refuse(u16, Option<&'static str>),
}

/// A request, as it came.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) line: String,
    pub(super) authorization: Option<String>,
    pub(super) body: Vec<u8>,
    pub(super) does: Does,
}

impl Request {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether the engine has what was sent.
    pub(super) fn arrived(&self) -> bool {
        matches!(self.does, Does::Take | Does::TakeAndBreakOff)
    }
}

/// The engine.
pub(super) struct Engine {
    pub(super) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Engine {
    /// Answers each request as `decide` says, which is given its number, from 0, and how many records it has.
    pub(super) fn start(mut decide: impl FnMut(usize, usize) -> Does + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let noted = requests.clone();
        // Ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let Some(mut request) = read(&stream) else { continue };
                let records = request.json()["records"].as_array().map_or(0, Vec::len);
                let mut noted = noted.lock().unwrap();
                request.does = decide(noted.len(), records);
                let does = request.does;
                noted.push(request);
                drop(noted);
                respond(stream, does);
            }
        });
        Self { url, requests }
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let (mut length, mut authorization) = (0, None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "authorization" => authorization = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Some(Request { line: line.trim_end().to_owned(), authorization, body, does: Does::Take })
}

fn respond(mut stream: TcpStream, does: Does) {
    let (status, retry_after) = match does {
        Does::TakeAndBreakOff => return,
        Does::Take => (202, None),
        Does::Refuse(status, retry_after) => (status, retry_after),
    };
    let retry_after = retry_after.map_or(String::new(), |when| format!("retry-after: {when}\r\n"));
    let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n{retry_after}\r\n");
    stream.write_all(answer.as_bytes()).unwrap();
}
