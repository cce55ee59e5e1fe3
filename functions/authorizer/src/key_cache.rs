//! The issuer's keys, given once or fetched and kept.
//!
//! Invariant: tokens cannot make the issuer busy. Whatever ids they name, there is one attempt in [`RETRY_MS`] at most, whether it
//! succeeded or not. Keys that the issuer took back are not used for longer than [`KEYS_TTL_MS`] while the issuer answers, and never
//! for longer than [`STALE_MS`].

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::keys::{Key, KeySet};

/// How long fetched keys are used before they are fetched again.
pub const KEYS_TTL_MS: i64 = 10 * 60 * 1000;
/// Between two attempts to fetch.
pub const RETRY_MS: i64 = 30 * 1000;
/// For how long keys are used while the issuer does not answer: tokens that it gave before last about as long.
pub const STALE_MS: i64 = 60 * 60 * 1000;

/// Where a JWK set comes from.
#[async_trait]
pub trait JwkSource: Send + Sync {
    /// The document.
    ///
    /// # Errors
    /// Why there is none; the text goes into the log and holds nothing of a token.
    async fn fetch(&self) -> Result<Vec<u8>, String>;
}

/// No keys are at hand, so that nothing can be said of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoKeysNow;

/// The issuer's keys.
pub enum Keys {
    /// Given with the configuration.
    Given(KeySet),
    /// Fetched when they are needed.
    Fetched(KeyCache),
}

/// Fetched keys, and since when.
pub struct KeyCache {
    source: Arc<dyn JwkSource>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    fetched: Option<(i64, Arc<KeySet>)>,
    tried_ms: Option<i64>,
}

impl Keys {
    /// Keys that are not fetched yet.
    pub fn from(source: Arc<dyn JwkSource>) -> Self {
        Self::Fetched(KeyCache { source, state: Mutex::default() })
    }

    /// The key of this id; `None` if the issuer has none.
    pub(crate) async fn get(&self, id: &str, now_ms: i64) -> Result<Option<Key>, NoKeysNow> {
        match self {
            Self::Given(keys) => Ok(keys.get(id).cloned()),
            Self::Fetched(cache) => cache.get(id, now_ms).await,
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given(_) => "Given",
            Self::Fetched(_) => "Fetched",
        })
    }
}

impl KeyCache {
    async fn get(&self, id: &str, now_ms: i64) -> Result<Option<Key>, NoKeysNow> {
        let (held, may_try) = self.look(id, now_ms);
        let held = match held {
            Held::Fresh(key) => return Ok(Some(key)),
            Held::Old(keys) => keys,
        };
        if may_try {
            match self.source.fetch().await.and_then(|document| read(&document)) {
                Ok(keys) => {
                    let keys = Arc::new(keys);
                    self.state().fetched = Some((now_ms, Arc::clone(&keys)));
                    return Ok(keys.get(id).cloned());
                }
                Err(cause) => tracing::error!(cause, "cannot fetch the issuer's keys"),
            }
        }
        held.map(|keys| keys.get(id).cloned()).ok_or(NoKeysNow)
    }

    /// What is in memory, and whether it is time to fetch. An attempt is noted before it begins: what comes meanwhile makes none.
    fn look(&self, id: &str, now_ms: i64) -> (Held, bool) {
        let mut state = self.state();
        let age = |since: i64| now_ms.saturating_sub(since);
        let held = state.fetched.as_ref().filter(|(since, _)| age(*since) < STALE_MS);
        if let Some((since, keys)) = held
            && age(*since) < KEYS_TTL_MS
            && let Some(key) = keys.get(id)
        {
            return (Held::Fresh(key.clone()), false);
        }
        let held = Held::Old(held.map(|(_, keys)| Arc::clone(keys)));
        // A clock that was put back does not keep the keys from being fetched until it has caught up.
        let may_try = state.tried_ms.is_none_or(|tried| !(0..RETRY_MS).contains(&age(tried)));
        if may_try {
            state.tried_ms = Some(now_ms);
        }
        (held, may_try)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Held {
    /// The key, young enough.
    Fresh(Key),
    /// Keys without it, or older ones.
    Old(Option<Arc<KeySet>>),
}

fn read(document: &[u8]) -> Result<KeySet, String> {
    KeySet::parse(document).map_err(|_| "the document is no JWK set with a key that can be used".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// An issuer that answers what it is told to, and counts.
    struct Issuer(Mutex<(Result<Vec<u8>, String>, usize)>);

    impl Issuer {
        fn with(ids: &[&str]) -> Arc<Self> {
            Arc::new(Self(Mutex::new((Ok(set(ids)), 0))))
        }

        fn says(&self, document: Result<Vec<u8>, String>) {
            self.0.lock().unwrap().0 = document;
        }

        fn asked(&self) -> usize {
            self.0.lock().unwrap().1
        }
    }

    #[async_trait]
    impl JwkSource for Issuer {
        async fn fetch(&self) -> Result<Vec<u8>, String> {
            let mut issuer = self.0.lock().unwrap();
            issuer.1 += 1;
            issuer.0.clone()
        }
    }

    fn set(ids: &[&str]) -> Vec<u8> {
        let key = |id: &&str| json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": "A".repeat(43) });
        json!({ "keys": ids.iter().map(key).collect::<Vec<_>>() }).to_string().into_bytes()
    }

    async fn found(keys: &Keys, id: &str, now_ms: i64) -> Result<bool, NoKeysNow> {
        keys.get(id, now_ms).await.map(|key| key.is_some())
    }

    #[tokio::test]
    async fn keys_are_fetched_once_and_again_when_they_are_old() {
        let issuer = Issuer::with(&["a"]);
        let keys = Keys::from(issuer.clone());
        for at in [0, 1, KEYS_TTL_MS - 1] {
            assert_eq!(found(&keys, "a", at).await, Ok(true));
        }
        assert_eq!(issuer.asked(), 1);
        // Rotated: the new key is found at once, the old one is gone.
        issuer.says(Ok(set(&["b"])));
        assert_eq!(found(&keys, "a", KEYS_TTL_MS).await, Ok(false));
        assert_eq!(found(&keys, "b", KEYS_TTL_MS).await, Ok(true));
        assert_eq!(issuer.asked(), 2);
    }

    #[tokio::test]
    async fn an_unknown_id_fetches_at_once_and_a_storm_of_them_does_not() {
        let issuer = Issuer::with(&["a"]);
        let keys = Keys::from(issuer.clone());
        assert_eq!(found(&keys, "a", 0).await, Ok(true));
        issuer.says(Ok(set(&["a", "b"])));
        assert_eq!(found(&keys, "b", RETRY_MS).await, Ok(true), "a rotated key waits for no one");
        // Ten minutes of a token every ten milliseconds, each with an id of its own.
        for at in (RETRY_MS..KEYS_TTL_MS).step_by(10) {
            assert_eq!(found(&keys, &format!("unknown-{at}"), at).await, Ok(false));
        }
        let most = usize::try_from(KEYS_TTL_MS / RETRY_MS).unwrap() + 1;
        assert!(issuer.asked() <= most, "{} fetches", issuer.asked());
        assert_eq!(found(&keys, "a", KEYS_TTL_MS).await, Ok(true));
    }

    #[tokio::test]
    async fn while_the_issuer_is_silent_its_keys_hold_for_an_hour() {
        let issuer = Issuer::with(&["a"]);
        let keys = Keys::from(issuer.clone());
        assert_eq!(found(&keys, "a", 0).await, Ok(true));
        for silence in [Err("no answer".to_owned()), Ok(b"<html>".to_vec()), Ok(set(&[]))] {
            issuer.says(silence);
            assert_eq!(found(&keys, "a", STALE_MS - 1).await, Ok(true));
            assert_eq!(found(&keys, "b", STALE_MS - 1).await, Ok(false));
            assert_eq!(found(&keys, "a", STALE_MS).await, Err(NoKeysNow));
        }
        issuer.says(Ok(set(&["a"])));
        assert_eq!(found(&keys, "a", STALE_MS + RETRY_MS).await, Ok(true));
    }

    #[tokio::test]
    async fn a_silent_issuer_is_not_asked_by_every_token() {
        let issuer = Issuer::with(&[]);
        issuer.says(Err("no answer".to_owned()));
        let keys = Keys::from(issuer.clone());
        for at in 0..RETRY_MS {
            assert_eq!(found(&keys, "a", at).await, Err(NoKeysNow));
        }
        assert_eq!(issuer.asked(), 1);
        // A clock that was put back a day.
        assert_eq!(found(&keys, "a", -86_400_000).await, Err(NoKeysNow));
        assert_eq!(issuer.asked(), 2);
    }
}
