//! The question that API Gateway asks: a REQUEST authorizer's event.
//!
//! Invariant: only the members of [`Event`] are read. Headers are what a caller likes to send, null, doubled, in any script: of them the
//! token alone is read, and it must be the only one, in each of the two places where API Gateway writes it.

use std::net::IpAddr;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::members::Members;
use crate::refusal::Refusal;

/// Longest token that is looked at: the sum of API Gateway's headers is 10,240 bytes.
pub const TOKEN_BYTES: usize = 8 * 1024;
/// API Gateway's ids are UUIDs.
const MAX_ID_BYTES: usize = 64;
/// What stands for an id or an address that is not there.
const NONE: &str = "none";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event<'a> {
    pub(crate) method_arn: String,
    pub(crate) resource: String,
    pub(crate) http_method: String,
    #[serde(borrow)]
    headers: Option<&'a RawValue>,
    #[serde(borrow)]
    multi_value_headers: Option<&'a RawValue>,
    request_context: Option<RequestContext>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    request_id: Option<String>,
    identity: Option<Identity>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    source_ip: Option<String>,
}

impl<'a> Event<'a> {
    /// Reads an invocation's payload. `serde_json`'s own error may quote it, and goes nowhere.
    pub(crate) fn read(payload: &'a str) -> Option<Self> {
        serde_json::from_str(payload).ok()
    }

    /// API Gateway's id of the request, for the log.
    pub(crate) fn id(&self) -> &str {
        let id = self.request_context.as_ref().and_then(|context| context.request_id.as_deref()).unwrap_or(NONE);
        let fits = (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if fits { id } else { NONE }
    }

    /// Where the request comes from, for the log: an address, or nothing. Behind the local stack it is a header of the caller's.
    pub(crate) fn source(&self) -> String {
        let identity = self.request_context.as_ref().and_then(|context| context.identity.as_ref());
        let address = identity.and_then(|identity| identity.source_ip.as_deref()?.parse::<IpAddr>().ok());
        address.map_or_else(|| NONE.to_owned(), |address| address.to_string())
    }

    /// The bearer token, the only one of its header.
    pub(crate) fn token(&self) -> Result<String, Refusal> {
        let mut values = self.authorization()?;
        let value = values.pop().ok_or(Refusal::NoToken)?;
        if !values.is_empty() {
            return Err(Refusal::SeveralTokens);
        }
        let (scheme, token) = value.trim_matches(' ').split_once(' ').ok_or(Refusal::NoBearer)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Refusal::NoBearer);
        }
        let token = token.trim_start_matches(' ');
        if token.len() > TOKEN_BYTES {
            return Err(Refusal::TooLong);
        }
        let is_compact = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if token.bytes().all(is_compact) { Ok(token.to_owned()) } else { Err(Refusal::Malformed) }
    }

    /// All values of the header, whatever the case of its name. API Gateway lists all of them, and repeats the last one elsewhere: where the
    /// two disagree, which of them counts depends on who reads them.
    fn authorization(&self) -> Result<Vec<String>, Refusal> {
        let last = authorization(self.headers, |value| {
            serde_json::from_str::<Option<String>>(value).map(|value| value.into_iter().collect())
        })?;
        let all = authorization(self.multi_value_headers, |value| {
            serde_json::from_str::<Option<Vec<String>>>(value).map(Option::unwrap_or_default)
        })?;
        match (all, last) {
            (Some(all), Some(last)) if last.len() > 1 || last.iter().any(|value| !all.contains(value)) => {
                Err(Refusal::SeveralTokens)
            }
            (Some(values), _) | (None, Some(values)) => Ok(values),
            (None, None) => Ok(Vec::new()),
        }
    }
}

/// What one of the two places says of the header; `None` where no headers are.
fn authorization(
    headers: Option<&RawValue>,
    read: fn(&str) -> serde_json::Result<Vec<String>>,
) -> Result<Option<Vec<String>>, Refusal> {
    let Some(text) = headers.map(RawValue::get).filter(|text| text.starts_with('{')) else { return Ok(None) };
    // An object that cannot be read, such as one whose names hold half a character, is not taken for one that is not there.
    let Members(all): Members<&RawValue> = serde_json::from_str(text).map_err(|_| Refusal::Malformed)?;
    let mut values = Vec::new();
    for (_, value) in all.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
        values.extend(read(value.get()).map_err(|_| Refusal::Malformed)?);
    }
    Ok(Some(values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn event(members: Value) -> String {
        let mut event = json!({ "type": "REQUEST", "methodArn": "a", "resource": "/", "httpMethod": "GET" });
        event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        event.to_string()
    }

    fn token(members: Value) -> Result<String, Refusal> {
        Event::read(&event(members)).unwrap().token()
    }

    #[test]
    fn a_token_is_found_whatever_the_spelling_of_its_header() {
        for (headers, multiple) in [
            (json!({ "Authorization": "Bearer a.b.c" }), json!(null)),
            (json!({ "authorization": "bearer  a.b.c " }), json!(null)),
            (json!(null), json!({ "AUTHORIZATION": ["BEARER a.b.c"] })),
            (json!({ "Authorization": "Bearer a.b.c" }), json!({ "Authorization": ["Bearer a.b.c"], "x": ["ä", 7] })),
            (json!({ "authorization": "Bearer a.b.c", "x": null, "\u{130}": ["a"] }), json!("none")),
        ] {
            let members = json!({ "headers": headers, "multiValueHeaders": multiple });
            assert_eq!(token(members.clone()).as_deref(), Ok("a.b.c"), "{members}");
        }
    }

    #[test]
    fn anything_else_is_refused_by_its_reason() {
        let long = format!("Bearer {}", "a".repeat(TOKEN_BYTES + 1));
        for (members, reason) in [
            (json!({}), Refusal::NoToken),
            (json!({ "headers": null, "multiValueHeaders": null }), Refusal::NoToken),
            (json!({ "headers": {}, "multiValueHeaders": { "authorization": null } }), Refusal::NoToken),
            (json!({ "headers": { "authorization": null } }), Refusal::NoToken),
            (json!({ "multiValueHeaders": { "authorization": [] } }), Refusal::NoToken),
            (json!({ "multiValueHeaders": { "authorization": ["Bearer a", "Bearer a"] } }), Refusal::SeveralTokens),
            (
                json!({ "multiValueHeaders": { "authorization": ["Bearer a"], "Authorization": ["Bearer b"] } }),
                Refusal::SeveralTokens,
            ),
            (json!({ "headers": { "authorization": "Bearer a", "AUTHORIZATION": "Basic b" } }), Refusal::SeveralTokens),
            (json!({ "headers": { "authorization": "Bearer" } }), Refusal::NoBearer),
            (json!({ "headers": { "authorization": "" } }), Refusal::NoBearer),
            (json!({ "headers": { "authorization": "Basic dXNlcjp3b3Jk" } }), Refusal::NoBearer),
            (json!({ "headers": { "authorization": "Bearer a, Bearer b" } }), Refusal::Malformed),
            (json!({ "headers": { "authorization": "Bearer ä" } }), Refusal::Malformed),
            (json!({ "headers": { "authorization": "Bearer a\n" } }), Refusal::Malformed),
            (json!({ "headers": { "authorization": 7 } }), Refusal::Malformed),
            (json!({ "multiValueHeaders": { "authorization": "Bearer a" } }), Refusal::Malformed),
            (json!({ "headers": { "authorization": long } }), Refusal::TooLong),
        ] {
            assert_eq!(token(members.clone()), Err(reason), "{members}");
        }
    }

    /// The token of an event whose two places of headers are these texts, as no `Value` could hold them.
    fn token_of(headers: &str, multiple: &str) -> Result<String, Refusal> {
        let text = format!(
            r#"{{"methodArn":"a","resource":"/","httpMethod":"GET","headers":{headers},"multiValueHeaders":{multiple}}}"#
        );
        Event::read(&text).unwrap().token()
    }

    #[test]
    fn a_header_that_two_readers_would_read_differently_is_refused() {
        for (headers, multiple) in [
            // Named twice in one spelling.
            (r#"{"authorization":"Bearer a","authorization":"Bearer b"}"#, "null"),
            (r#"{"authorization":"Bearer b","authorization":"Bearer b"}"#, "null"),
            (r#"{"authorization":"Bearer b","authorization":"Bearer b"}"#, r#"{"authorization":["Bearer b"]}"#),
            ("null", r#"{"authorization":["Bearer a"],"authorization":["Bearer b"]}"#),
            (r#"{"authorization":"Bearer b"}"#, r#"{"authorization":["Bearer a"],"authorization":["Bearer b"]}"#),
            // One place says this, the other that.
            (r#"{"authorization":"Bearer a"}"#, r#"{"authorization":["Bearer b"]}"#),
            (r#"{"Authorization":"Basic a"}"#, r#"{"authorization":["Bearer b"]}"#),
            (r#"{"authorization":"Bearer a"}"#, r#"{"authorization":null}"#),
            (r#"{"authorization":"Bearer a"}"#, "{}"),
        ] {
            assert_eq!(token_of(headers, multiple), Err(Refusal::SeveralTokens), "{headers} {multiple}");
        }
        for (headers, multiple) in [
            ("null", r#"{"authorization":["Bearer a",null]}"#),
            ("null", r#"{"authorization":[null,"Bearer a"]}"#),
            ("null", r#"{"authorization":[["Bearer a"]]}"#),
            (r#"{"authorization":7}"#, r#"{"authorization":["Bearer a"]}"#),
            // Half a character, in the value, or in a name beside it.
            (r#"{"authorization":"Bearer a\ud800"}"#, "null"),
            ("null", r#"{"authorization":["Bearer \udfff"]}"#),
            (r#"{"authorization":"Bearer a"}"#, r#"{"\ud800":["x"],"authorization":["Bearer a"]}"#),
            (r#"{"\ud800":"x","authorization":"Bearer a"}"#, r#"{"authorization":["Bearer a"]}"#),
        ] {
            assert_eq!(token_of(headers, multiple), Err(Refusal::Malformed), "{headers} {multiple}");
        }
        // In the value of another header it is nobody's business.
        let beside = r#"{"x":["\ud800"],"x":[7],"authorization":["Bearer a"]}"#;
        assert_eq!(token_of(r#"{"x":"\ud800","authorization":"Bearer a"}"#, beside).as_deref(), Ok("a"));
        let twice = r#"{"methodArn":"a","resource":"/","httpMethod":"GET","headers":{},"headers":{}}"#;
        assert!(Event::read(twice).is_none());
    }

    #[test]
    fn a_space_is_a_space_and_nothing_that_looks_like_one() {
        for (value, reason) in [
            ("Bearer\u{a0}a", Refusal::NoBearer),
            ("Bearer\ta", Refusal::NoBearer),
            ("Bearer\u{3000}a", Refusal::NoBearer),
            ("\u{a0}Bearer a", Refusal::NoBearer),
            ("Bearer \u{a0}a", Refusal::Malformed),
            ("Bearer a\u{a0}", Refusal::Malformed),
            ("Bearer a\u{a0}b", Refusal::Malformed),
            ("Bearer \ta", Refusal::Malformed),
        ] {
            assert_eq!(token(json!({ "headers": { "authorization": value } })), Err(reason), "{value:?}");
        }
    }

    #[test]
    fn a_log_gets_an_address_and_an_id_or_nothing() {
        let told = |id: Value, ip: Value| {
            let text = event(json!({ "requestContext": { "requestId": id, "identity": { "sourceIp": ip } } }));
            let event = Event::read(&text).unwrap();
            (event.id().to_owned(), event.source())
        };
        let as_is = |id: &str, ip: &str| (id.to_owned(), ip.to_owned());
        assert_eq!(told(json!("6f0d3a52-4f3e"), json!("192.0.2.10")), as_is("6f0d3a52-4f3e", "192.0.2.10"));
        assert_eq!(told(json!("a b"), json!("2001:db8::1")), as_is("none", "2001:db8::1"));
        assert_eq!(told(json!(null), json!("eyJhbGciOi.x.y")), as_is("none", "none"));
    }
}
