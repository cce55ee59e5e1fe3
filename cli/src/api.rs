//! A deployment's API, asked as anybody would: by HTTPS, with a bearer token.
//!
//! Invariant: the token goes to the URL that was named and nowhere else: no redirect is followed, and without TLS only this machine is
//! asked. Neither token nor key stands in a fault.

use std::error::Error;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::http::uri::InvalidUri;
use hyper::{Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::cloud::runtime;
use crate::context::{Context, Secret};
use crate::fault::Fault;

/// The environment variable of the token.
pub(crate) const TOKEN: &str = "LEDGERLINE_TOKEN";
/// The environment variable of the usage plan's key.
pub(crate) const API_KEY: &str = "LEDGERLINE_API_KEY";
/// What paths are below that do not begin with a slash.
const COMPLIANCE: &str = "/api/v1/compliance/";
/// API Gateway waits for 29 seconds.
const PATIENCE: Duration = Duration::from_secs(35);
/// API Gateway's largest answer is 10 MB.
const MAX_BYTES: usize = 10 * 1024 * 1024;

/// The API, and who asks.
pub(crate) struct Api {
    base: String,
    token: Secret,
    key: Option<Secret>,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
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
            let connector = HttpsConnectorBuilder::new().with_native_roots().map_err(|error| {
                Fault::caused_by("this machine trusts no certificates", &error, "install its certificates")
            })?;
            Client::builder(TokioExecutor::new()).build(connector.https_or_http().enable_http1().build())
        };
        let base = url.trim_end_matches('/').to_owned();
        Ok(Self { base, token, key: context.api_key.clone(), client, runtime })
    }

    /// What a path says.
    pub(crate) fn get(&self, path: &str) -> Result<Value, Fault> {
        self.send("GET", path, String::new())
    }

    /// What comes of a body.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, Fault> {
        self.send("POST", path, body.to_string())
    }

    fn send(&self, method: &str, path: &str, body: String) -> Result<Value, Fault> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{}{path}", self.base, if path.starts_with('/') { "" } else { COMPLIANCE }))
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
        let failed = |error: &(dyn Error + 'static)| Fault::caused_by("the API does not answer", error, unreachable);
        let answered = self.runtime.block_on(async {
            let asked = async {
                let answer = self.client.request(request).await.map_err(|error| failed(&error))?;
                let status = answer.status().as_u16();
                let body = Limited::new(answer.into_body(), MAX_BYTES).collect().await;
                let body =
                    body.map_err(|error| Fault::new(format!("the answer cannot be read: {error}"), unreachable))?;
                Ok::<_, Fault>((status, body.to_bytes()))
            };
            tokio::time::timeout(PATIENCE, asked).await
        });
        let (status, body) =
            answered.map_err(|_| Fault::new("the API does not answer in time", "run the same command again"))??;
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        if (200..300).contains(&status) { Ok(said) } else { Err(refused(status, &said)) }
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

/// Whether nobody on the way reads what goes there: TLS, or this machine itself.
fn is_private(url: &Uri) -> bool {
    let names_a_user = url.authority().is_some_and(|authority| authority.as_str().contains('@'));
    let is_local = matches!(url.host(), Some("127.0.0.1" | "[::1]" | "localhost"));
    !names_a_user
        && match url.scheme_str() {
            Some("https") => url.host().is_some_and(|host| !host.is_empty()),
            Some("http") => is_local,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_token_goes_by_tls_or_to_this_machine() {
        for (url, good) in [
            ("https://a1.execute-api.eu-central-1.amazonaws.com/live", true),
            ("http://127.0.0.1:4566/live", true),
            ("http://api.example/live", false),
            ("http://127.0.0.1.example/live", false),
            ("https://me:word@api.example/live", false),
            ("/live", false),
        ] {
            assert_eq!(is_private(&url.parse().unwrap()), good, "{url}");
        }
    }

    #[test]
    fn a_problem_is_told_with_what_to_do() {
        let problem = json!({ "title": "Somebody else must approve", "detail": "You made it.", "instance": "urn:x:1" });
        let told = refused(403, &problem).to_string();
        assert_eq!(told, "the API answers 403: Somebody else must approve (urn:x:1)\n  to do: You made it.");
        assert!(refused(502, &Value::Null).to_string().starts_with("the API answers 502\n"));
    }
}
