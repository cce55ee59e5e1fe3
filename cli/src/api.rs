//! A deployment's API, asked as anybody would: by HTTPS, with a bearer token.
//!
//! Invariant: the token goes to the URL that was named and nowhere else: no redirect is followed, and without TLS only this machine is
//! asked. Neither token nor key stands in a fault.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::http::uri::InvalidUri;
use hyper::{Request, Uri};
use ledgerline_https::{AskError, Bounds, Client, is_private};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::cloud::runtime;
use crate::context::{Context, Secret};
use crate::fault::Fault;

/// The environment variable of the token.
pub(crate) const TOKEN: &str = "LEDGERLINE_TOKEN";
/// The environment variable of the usage plan's key.
pub(crate) const API_KEY: &str = "LEDGERLINE_API_KEY";
/// API Gateway waits for 29 seconds, and its largest answer is 10 MB.
const BOUNDS: Bounds = Bounds { patience: Duration::from_secs(35), body_bytes: 10 * 1024 * 1024 };

/// The API, and who asks.
pub(crate) struct Api {
    base: String,
    token: Secret,
    key: Option<Secret>,
    client: Client,
    runtime: Runtime,
}

impl Api {
    /// The API at this URL, asked with what the environment has.
    pub(crate) fn open(url: &str, context: &Context) -> Result<Self, Fault> {
        let remedy = "name the API's URL, the stack's output ApiUrl, such as https://….amazonaws.com/live";
        let unreadable = |error: InvalidUri| Fault::caused_by("the URL of --api cannot be read", &error, remedy);
        let parsed = url.parse::<Uri>().map_err(unreadable)?;
        if !is_private(&parsed) {
            return Err(Fault::new("the URL of --api is not https: the token would be read on the way", remedy));
        }
        let token = context.token.clone().ok_or_else(|| {
            Fault::new(format!("{TOKEN} is not set"), "set it to a bearer token of your identity provider")
        })?;
        let runtime = runtime()?;
        let client = {
            let _entered = runtime.enter();
            Client::new().map_err(|error| {
                Fault::caused_by("this machine trusts no certificates", &error, "install its certificates")
            })?
        };
        let base = url.trim_end_matches('/').to_owned();
        Ok(Self { base, token, key: context.api_key.clone(), client, runtime })
    }

    /// What a path says.
    pub(crate) fn get(&self, path: &str) -> Result<Value, Fault> {
        self.send("GET", path, String::new()).map(|(_, said)| said)
    }

    /// What a path says, as text of whatever type.
    pub(crate) fn text(&self, path: &str) -> Result<String, Fault> {
        let (status, body) = self.bytes("GET", path, String::new())?;
        if !(200..300).contains(&status) {
            return Err(refused(status, &serde_json::from_slice(&body).unwrap_or_default()));
        }
        String::from_utf8(body.into()).map_err(|error| {
            Fault::caused_by("the API answers with what is no text", &error, "see whether the URL of --api is right")
        })
    }

    /// What comes of a body, and its status: 201 where something was made.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<(u16, Value), Fault> {
        self.send("POST", path, body.to_string())
    }

    fn send(&self, method: &str, path: &str, body: String) -> Result<(u16, Value), Fault> {
        let (status, body) = self.bytes(method, path, body)?;
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        if (200..300).contains(&status) { Ok((status, said)) } else { Err(refused(status, &said)) }
    }

    fn bytes(&self, method: &str, path: &str, body: String) -> Result<(u16, Bytes), Fault> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/api/v1/compliance/{path}", self.base))
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.token.expose_for_header()));
        if let Some(key) = &self.key {
            request = request.header("x-api-key", key.expose_for_header());
        }
        // An error of the builder's may quote a header.
        let request = request.body(Full::new(Bytes::from(body))).map_err(|_| {
            let remedy = format!("see that {TOKEN} and {API_KEY} are plain text without line breaks");
            Fault::new("the request cannot be written", remedy)
        })?;
        let unreachable = "see whether the URL of --api is right, and whether it is reached from here";
        let answered = self.runtime.block_on(self.client.ask(request, BOUNDS));
        let answer = answered.map_err(|error| match error {
            AskError::Late(_) => Fault::new("the API does not answer in time", "run the same command again"),
            error => Fault::caused_by("the API does not answer", &error, unreachable),
        })?;
        Ok((answer.status, answer.body))
    }
}

/// What a problem document says.
fn refused(status: u16, problem: &Value) -> Fault {
    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    let (title, detail, instance) = (text("title"), text("detail"), text("instance"));
    let what = match (title.is_empty(), instance.is_empty()) {
        (true, _) => format!("the API answers {status}"),
        (false, true) => format!("the API answers {status}: {title}"),
        (false, false) => format!("the API answers {status}: {title} ({instance})"),
    };
    let detail = if detail.is_empty() { "see whether the URL of --api is right".to_owned() } else { detail };
    Fault::new(what, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_problem_is_told_with_what_to_do() {
        let problem = json!({ "title": "Somebody else must approve", "detail": "You made it.", "instance": "urn:x:1" });
        let told = refused(403, &problem).to_string();
        assert_eq!(told, "the API answers 403: Somebody else must approve (urn:x:1)\n  to do: You made it.");
        assert!(refused(502, &Value::Null).to_string().starts_with("the API answers 502\n"));
    }
}
