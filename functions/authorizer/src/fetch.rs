//! Fetches the issuer's keys over HTTPS: one GET, no redirect followed, bounded in time and size.

use std::time::Duration;

use async_trait::async_trait;
use http_body_util::Full;
use hyper::{Request, StatusCode, Uri};
use ledgerline_https::{Bounds, Client};

use crate::key_cache::JwkSource;

/// One URL, and the client for it.
#[derive(Debug)]
pub(crate) struct JwkUrl {
    url: Uri,
    client: Client,
}

impl JwkUrl {
    /// A URL that is private ([`ledgerline_https::is_private`]), with the certificates that the system trusts.
    ///
    /// # Errors
    /// The system trusts none.
    pub(crate) fn new(url: Uri) -> Result<Self, std::io::Error> {
        Ok(Self { url, client: Client::new()? })
    }
}

#[async_trait]
impl JwkSource for JwkUrl {
    async fn fetch(&self) -> Result<Vec<u8>, String> {
        let request = Request::get(&self.url).header("accept", "application/json");
        let request = request.body(Full::default()).map_err(|error| error.to_string())?;
        let answer = self.client.ask(request, BOUNDS).await.map_err(|error| chain(&error))?;
        if answer.status != StatusCode::OK {
            return Err(format!("the issuer answers {}", answer.status));
        }
        Ok(answer.body.to_vec())
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// API Gateway waits, and the caller with it; a set of ten RSA keys with certificate chains is some 40 KB.
const BOUNDS: Bounds = Bounds { patience: Duration::from_secs(3), body_bytes: 128 * 1024 };

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// Serves the same bytes to everybody; says where, and how often it was asked.
    async fn serve(answer: Vec<u8>) -> (Uri, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(&answer).await;
            }
        });
        (url, asked)
    }

    fn http(head: &str, body: &[u8]) -> Vec<u8> {
        let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    }

    async fn fetched(answer: Vec<u8>) -> Result<Vec<u8>, String> {
        JwkUrl::new(serve(answer).await.0).unwrap().fetch().await
    }

    #[tokio::test]
    async fn a_document_comes_whole() {
        assert_eq!(fetched(http("200 OK", b"{}")).await.as_deref(), Ok(&b"{}"[..]));
    }

    #[tokio::test]
    async fn a_redirect_is_an_error_and_its_target_is_never_asked() {
        let (target, asked) = serve(http("200 OK", b"{}")).await;
        let error = fetched(http(&format!("302 Found\r\nlocation: {target}"), b"")).await.unwrap_err();
        assert!(error.contains("302"), "{error}");
        assert_eq!(asked.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_document_that_is_too_long_or_cut_is_an_error() {
        assert!(fetched(http("200 OK", &vec![b' '; BOUNDS.body_bytes + 1])).await.is_err());
        assert!(fetched(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}".to_vec()).await.is_err());
        assert!(fetched(b"nonsense".to_vec()).await.is_err());
        assert!(fetched(http("500 Oh", b"{}")).await.unwrap_err().contains("500"));
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let error = JwkUrl::new(url).unwrap().fetch().await.unwrap_err();
        assert!(error.contains("3s"), "{error}");
    }
}
