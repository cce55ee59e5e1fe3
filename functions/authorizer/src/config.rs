//! What the function is told at cold start.

use hyper::Uri;
use ledgerline_https::is_private;
use ledgerline_lambda::config::{ConfigError, Env};

use crate::keys::KeySet;
use crate::person::PersonClaims;

/// The function's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whose tokens are accepted; none in a deployment whose API lets nobody in.
    pub issuer: Option<(Issuer, KeyPlace)>,
}

/// An issuer of tokens.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Its `iss`.
    pub name: String,
    /// What stands in `aud` of tokens for this deployment.
    pub audience: String,
    /// What a token says of a person who signed in.
    pub person: PersonClaims,
}

/// Where an issuer's keys are.
#[derive(Clone, Debug)]
pub enum KeyPlace {
    /// Here.
    Given(KeySet),
    /// There.
    Url(Uri),
}

impl Config {
    /// Reads and checks the environment.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn from_env(mut env: Env) -> Result<Self, ConfigError> {
        let person = env.text_or(PERSON_CLAIMS, "");
        let [name, audience, given, url] = [ISSUER, AUDIENCE, JWKS, JWKS_URL].map(|name| env.text_or(name, ""));
        if [&name, &audience, &given, &url].iter().all(|text| text.is_empty()) {
            return env.finish().map(|()| Self { issuer: None });
        }
        for (variable, text, parameter) in [(ISSUER, &name, "TokenIssuer"), (AUDIENCE, &audience, "TokenAudience")] {
            if !(1..=MAX_BYTES).contains(&text.len()) || text.chars().any(char::is_control) {
                let remedy = format!("set the template's parameter {parameter} to 1 to {MAX_BYTES} characters");
                env.reject(variable, "is not what a token can say", &remedy);
            }
        }
        let place = match (given.as_str(), url.as_str()) {
            (given, "") if !given.is_empty() => KeySet::parse(given.as_bytes()).map(KeyPlace::Given).map_err(|_| {
                (JWKS, "has no key that can be used", "set a JWK set: RS256, ES256 or EdDSA, each key with its kid")
            }),
            ("", url) if !url.is_empty() => match url.parse() {
                Ok(url) if is_private(&url) => Ok(KeyPlace::Url(url)),
                _ => Err((JWKS_URL, "is not an https URL", "set the jwks_uri of the issuer's metadata")),
            },
            _ => Err((JWKS, "and TOKEN_JWKS_URL are both set, or neither", "set one of them")),
        };
        let person = if person.is_empty() { Some(PersonClaims::default()) } else { PersonClaims::parse(&person) };
        let person = person.unwrap_or_else(|| {
            env.reject(PERSON_CLAIMS, "names no claim that only a person's token has", PersonClaims::REMEDY);
            PersonClaims::default()
        });
        match place {
            Ok(place) => env.finish().map(|()| Self { issuer: Some((Issuer { name, audience, person }, place)) }),
            Err((variable, problem, remedy)) => {
                env.reject(variable, problem, remedy);
                env.finish().map(|()| Self { issuer: None })
            }
        }
    }
}

const ISSUER: &str = "TOKEN_ISSUER";
const AUDIENCE: &str = "TOKEN_AUDIENCE";
const JWKS: &str = "TOKEN_JWKS";
const JWKS_URL: &str = "TOKEN_JWKS_URL";
const PERSON_CLAIMS: &str = "PERSON_CLAIMS";
/// Of an issuer or an audience; the issuer travels to the functions behind the API.
const MAX_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    const SET: &str =
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#;

    fn config(pairs: &[(&str, &str)]) -> Result<Config, String> {
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let read = move |name: &str| pairs.iter().find(|(one, _)| one == name).map(|(_, value)| value.clone());
        Config::from_env(Env::from_lookup(read)).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_an_api_that_lets_nobody_in() {
        assert!(config(&[]).unwrap().issuer.is_none());
    }

    #[test]
    fn keys_are_given_or_have_a_place() {
        let named = [(ISSUER, "https://id.example"), (AUDIENCE, "ledgerline")];
        let with = |more: &[(&str, &str)]| config(&[&named, more].concat());
        assert!(matches!(with(&[(JWKS, SET)]).unwrap().issuer, Some((_, KeyPlace::Given(_)))));
        let url = with(&[(JWKS_URL, "https://id.example/keys")]).unwrap().issuer;
        assert!(matches!(url, Some((Issuer { name, .. }, KeyPlace::Url(_))) if name == "https://id.example"));
        for (more, named) in [
            (&[][..], JWKS_URL),
            (&[(JWKS, SET), (JWKS_URL, "https://id.example/keys")], JWKS_URL),
            (&[(JWKS, "{}")], JWKS),
            (&[(JWKS_URL, "http://id.example/keys")], JWKS_URL),
            (&[(JWKS_URL, "secret word")], JWKS_URL),
        ] {
            let error = with(more).unwrap_err();
            assert!(error.contains(named) && !error.contains("secret") && !error.contains("id.example"), "{error}");
        }
    }

    #[test]
    fn a_persons_claims_are_the_usual_ones_or_those_that_are_named() {
        let with = |more: &[(&str, &str)]| {
            config(&[&[(ISSUER, "https://id.example"), (AUDIENCE, "ledgerline"), (JWKS, SET)], more].concat())
        };
        let claims = |more: &[(&str, &str)]| with(more).unwrap().issuer.unwrap().0.person;
        assert_eq!(claims(&[]), PersonClaims::default());
        assert_eq!(claims(&[(PERSON_CLAIMS, "auth_time,amr")]), PersonClaims::default());
        assert_ne!(claims(&[(PERSON_CLAIMS, "idtyp=user")]), PersonClaims::default());
        for bad in ["sub", "auth_time,,amr", "planted name", "auth_time,iss"] {
            let error = with(&[(PERSON_CLAIMS, bad)]).unwrap_err();
            assert!(error.contains("PERSON_CLAIMS") && error.contains("PersonClaims"), "{error}");
            assert!(!error.contains("planted"), "{error}");
        }
    }

    #[test]
    fn an_issuer_without_a_name_or_an_audience_is_none() {
        let error = config(&[(JWKS, SET)]).unwrap_err();
        assert!(error.contains(ISSUER) && error.contains(AUDIENCE), "{error}");
        let long = "x".repeat(513);
        assert!(config(&[(JWKS, SET), (ISSUER, &long), (AUDIENCE, "a")]).unwrap_err().contains("TokenIssuer"));
    }
}
