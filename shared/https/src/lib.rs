//! Asks an https URL that somebody configured: an issuer's keys, a deployment's API.
//!
//! Invariant: nothing is sent where others on the way could read it ([`is_private`]), no redirect is followed, and an answer is bounded in
//! time and size. Left out: what is asked, and what an answer's status means.

use std::error::Error;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{HeaderMap, Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Whether nobody on the way reads what goes there: by TLS, or to this machine itself, as in the local stack. A URL that names a user is
/// taken for a trick: `http://127.0.0.1@elsewhere` goes elsewhere.
pub fn is_private(url: &Uri) -> bool {
    let is_local = matches!(url.host(), Some("127.0.0.1" | "[::1]" | "localhost"));
    let names_a_user = url.authority().is_some_and(|authority| authority.as_str().contains('@'));
    !names_a_user
        && match url.scheme_str() {
            Some("https") => url.host().is_some_and(|host| !host.is_empty()),
            Some("http") => is_local,
            _ => false,
        }
}

/// How much of an answer is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// From the first byte that is sent to the last one that comes.
    pub patience: Duration,
    /// The longest body.
    pub body_bytes: usize,
}

/// An answer of whatever status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// What stands before the body.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// Why there is no answer. No text repeats a header or a body.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Others could read it on the way.
    #[error("the URL is neither https nor this machine's")]
    NotPrivate,
    /// It took too long.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// No connection, or one that broke.
    #[error("no answer")]
    Unreachable(#[source] legacy::Error),
    /// The body broke off, or is too long.
    #[error("the answer cannot be read")]
    Unreadable(#[source] Box<dyn Error + Send + Sync>),
}

/// A client with the certificates that the system trusts. It is made and used within a tokio runtime.
#[derive(Clone, Debug)]
pub struct Client(legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Client {
    /// A client without a connection yet.
    ///
    /// # Errors
    /// The system trusts no certificate.
    pub fn new() -> Result<Self, std::io::Error> {
        // Plain HTTP for this machine alone: `ask` looks before anything is sent.
        let connector = HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().build();
        Ok(Self(legacy::Client::builder(TokioExecutor::new()).build(connector)))
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// There is none, or not within these bounds.
    pub async fn ask(&self, request: Request<Full<Bytes>>, bounds: Bounds) -> Result<Answer, AskError> {
        if !is_private(request.uri()) {
            return Err(AskError::NotPrivate);
        }
        let asked = async {
            let answer = self.0.request(request).await.map_err(AskError::Unreachable)?;
            let (parts, body) = answer.into_parts();
            let body = Limited::new(body, bounds.body_bytes).collect().await;
            let body = body.map_err(AskError::Unreadable)?.to_bytes();
            Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
        };
        tokio::time::timeout(bounds.patience, asked).await.unwrap_or(Err(AskError::Late(bounds.patience)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_goes_by_tls_or_to_this_machine() {
        for good in [
            "https://id.example/keys",
            "https://a1.execute-api.eu-central-1.amazonaws.com/live",
            "http://127.0.0.1:8080/keys",
            "http://localhost/k",
            "http://[::1]:1/k",
        ] {
            assert!(is_private(&good.parse().unwrap()), "{good}");
        }
        for bad in [
            "http://id.example/keys",
            "http://127.0.0.1.example/keys",
            "http://127.0.0.1@id.example/keys",
            "https://user:word@id.example/keys",
            "ftp://id.example/keys",
            "/keys",
            "id.example:443",
        ] {
            assert!(!is_private(&bad.parse().unwrap()), "{bad}");
        }
    }

    #[tokio::test]
    async fn nothing_is_sent_where_others_could_read_it() {
        let client = Client::new().unwrap();
        let bounds = Bounds { patience: Duration::from_secs(1), body_bytes: 1 };
        let request = Request::get("http://id.example/keys").body(Full::default()).unwrap();
        assert!(matches!(client.ask(request, bounds).await, Err(AskError::NotPrivate)));
    }
}
