//! Decides who may call which method of the API: API Gateway asks before each one, and calls no function whose method is refused.
//!
//! Invariant: whatever is not expressly allowed is refused. A token is believed once its signature, issuer, audience and time hold, and a
//! method is open to the scopes that [`ledgerline_lambda::routes::ROUTES`] lists for it, to no other. An answer is for one request: API Gateway keeps none.
//! A log line names the caller, where the request came from and the reason, and nothing of a token. Left out: the API key, which API Gateway
//! checks and which is for quotas alone; and what a caller may see behind the method, which is the function's to say.

mod config;
mod event;
mod fetch;
mod key_cache;
mod keys;
mod members;
mod person;
mod refusal;
mod ring_provider;
mod token;

use std::collections::BTreeMap;
use std::sync::Arc;

use lambda_runtime::Diagnostic;
use ledgerline_lambda::caller::Caller;
use ledgerline_lambda::clock::Clock;
use ledgerline_lambda::config::StartError;
use ledgerline_lambda::routes::Route;
use serde::Serialize;
use serde_json::{Value, json};

pub use config::{Config, Issuer};
pub use event::TOKEN_BYTES;
pub use key_cache::{JwkSource, KEYS_TTL_MS, Keys, RETRY_MS, STALE_MS};
pub use keys::KeySet;
pub use person::PersonClaims;
pub use refusal::Refusal;
pub use token::LEEWAY_SECONDS;

use config::KeyPlace;
use event::Event;
use fetch::JwkUrl;
use token::TokenError;

/// The function: whose tokens it accepts, and by which keys.
#[derive(Debug)]
pub struct Authorizer {
    issuer: Option<(Issuer, Keys)>,
}

impl Authorizer {
    /// As the configuration says.
    ///
    /// # Errors
    /// The system trusts no certificate, so that no keys could be fetched.
    pub fn new(config: Config) -> Result<Self, StartError> {
        let Some((issuer, place)) = config.issuer else {
            tracing::warn!("no issuer is configured: the API lets nobody in");
            return Ok(Self::with(None));
        };
        let keys = match place {
            KeyPlace::Given(keys) => Keys::Given(keys),
            KeyPlace::Url(url) => Keys::from(Arc::new(JwkUrl::new(url).map_err(|error| {
                StartError::new("cannot fetch the issuer's keys", &error, "give the function the system's certificates")
            })?)),
        };
        Ok(Self::with(Some((issuer, keys))))
    }

    /// With this issuer; with none nobody is let in.
    pub fn with(issuer: Option<(Issuer, Keys)>) -> Self {
        ring_provider::install();
        Self { issuer }
    }
}

/// What API Gateway is told of a token that holds: a policy for the method that was asked for, and who calls.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    principal_id: String,
    policy_document: Value,
    context: BTreeMap<&'static str, String>,
}

/// What API Gateway is told otherwise. It goes by the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// 401: the caller has to sign in.
    Unauthorized,
    /// 503: the issuer's keys cannot be fetched, so that nobody can tell.
    NoKeys,
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        let (kind, message) = match failure {
            // API Gateway makes a 401 of this one word, and a server error of any other.
            Failure::Unauthorized => ("Unauthorized", "Unauthorized"),
            Failure::NoKeys => ("NoKeys", "the issuer's keys cannot be fetched"),
        };
        Self { error_type: kind.to_owned(), error_message: message.to_owned() }
    }
}

/// Decides one request: a REQUEST authorizer's event, as its JSON text.
///
/// # Errors
/// Nobody is known to call.
pub async fn handle(authorizer: &Authorizer, clock: &impl Clock, payload: &str) -> Result<Answer, Failure> {
    let Some(event) = Event::read(payload) else {
        tracing::info!(reason = Refusal::NoEvent.code(), "refused");
        return Err(Failure::Unauthorized);
    };
    let (request_id, source) = (event.id(), event.source());
    let route = Route::find(&event.http_method, &event.resource);
    // Of the table, not of the event.
    let (method, path) = route.map_or(("none", "none"), |route| (route.method, route.path));
    let caller = match caller(authorizer, &event, clock.now_ms()).await {
        Ok(caller) => caller,
        Err(TokenError::Refused(refusal)) => {
            tracing::info!(request_id, source, method, path, reason = refusal.code(), "refused");
            return Err(Failure::Unauthorized);
        }
        Err(TokenError::NoKeysNow) => {
            tracing::error!(request_id, source, method, path, "the issuer's keys cannot be fetched");
            return Err(Failure::NoKeys);
        }
    };
    let principal = caller.name();
    match allowed(route, &event, &caller) {
        Ok(resource) => {
            tracing::info!(request_id, source, method, path, principal, "allowed");
            Ok(Answer::new(principal, "Allow", &resource, caller.context()))
        }
        Err(refusal) => {
            tracing::info!(request_id, source, method, path, principal, reason = refusal.code(), "refused");
            Ok(Answer::new(principal, "Deny", "*", BTreeMap::new()))
        }
    }
}

async fn caller(authorizer: &Authorizer, event: &Event<'_>, now_ms: i64) -> Result<Caller, TokenError> {
    let token = event.token()?;
    let (issuer, keys) = authorizer.issuer.as_ref().ok_or(Refusal::NoIssuer)?;
    token::caller(&token, issuer, keys, now_ms).await
}

/// What of the API a policy opens to the caller.
fn allowed(route: Option<&Route>, event: &Event<'_>, caller: &Caller) -> Result<String, Refusal> {
    let route = route.ok_or(Refusal::NoRoute)?;
    if !route.scopes.iter().any(|scope| caller.scopes.contains(*scope)) {
        return Err(Refusal::Scope);
    }
    route.resource(&event.method_arn).ok_or(Refusal::NoEvent)
}

impl Answer {
    fn new(principal_id: String, effect: &str, resource: &str, context: BTreeMap<&'static str, String>) -> Self {
        let statement = json!({ "Action": "execute-api:Invoke", "Effect": effect, "Resource": resource });
        let policy_document = json!({ "Version": "2012-10-17", "Statement": [statement] });
        Self { principal_id, policy_document, context }
    }
}
