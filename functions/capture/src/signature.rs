//! The signature of an authoritative client's call: `X-Ledgerline-Signature: t=<epoch seconds>,v1=<hex>`, where `v1` is HMAC-SHA-256 under
//! the client's secret over the time's digits, a full stop and the body's bytes as they were sent.
//!
//! Invariant: a signature holds for five minutes before and after its time, for one body, and is accepted once. While a secret is replaced
//! there may be several `v1`; one that holds is enough. Other schemes are passed over.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::clients::Secret;

/// The header.
pub const HEADER: &str = "x-ledgerline-signature";
/// How far a signature's time may be from ours, either way.
const TOLERANCE_S: i64 = 300;
/// A time, and four signatures.
const HEADER_BYTES: usize = 512;
const SIGNATURES_MAX: usize = 4;

/// A signature as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature<'h> {
    /// Its time, as it was written.
    time: &'h str,
    time_s: i64,
    macs: Vec<[u8; 32]>,
}

/// Why a signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Its time is too far from ours.
    Time,
    /// No secret of the client's made it of this body.
    Mac,
}

impl<'h> Signature<'h> {
    /// Reads the header; `None` for anything else.
    pub fn parse(header: &'h str) -> Option<Self> {
        if header.len() > HEADER_BYTES {
            return None;
        }
        let (mut time, mut macs) = (None, Vec::new());
        for part in header.split(',') {
            match part.trim().split_once('=')? {
                ("t", digits) if time.is_none() => time = Some(digits),
                ("t", _) => return None,
                ("v1", hex) => macs.push(mac(hex)?),
                _ => {}
            }
        }
        let time =
            time.filter(|digits| (1..=12).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()))?;
        let fits = (1..=SIGNATURES_MAX).contains(&macs.len());
        let time_s = time.parse().ok()?;
        fits.then_some(Self { time, time_s, macs })
    }

    /// Whether one of the secrets made it of this body, not long ago.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub fn verify(&self, secrets: &[Secret], body: &[u8], now_s: i64) -> Result<(), Refused> {
        // First the signature: of a forged one nothing is said about the clock.
        let holds = |secret: &Secret| self.macs.iter().any(|mac| self.is_by(secret, body, mac));
        if !secrets.iter().any(holds) {
            return Err(Refused::Mac);
        }
        if now_s.abs_diff(self.time_s) > TOLERANCE_S.unsigned_abs() { Err(Refused::Time) } else { Ok(()) }
    }

    /// What names it for good, whichever secret made it: 64 hex digits.
    pub fn digest(&self, body: &[u8]) -> String {
        let digest = Sha256::new().chain_update(self.time).chain_update(".").chain_update(body).finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// In constant time.
    fn is_by(&self, secret: &Secret, body: &[u8], mac: &[u8; 32]) -> bool {
        let Ok(keyed) = Hmac::<Sha256>::new_from_slice(secret.expose_for_signature()) else { return false };
        keyed.chain_update(self.time).chain_update(".").chain_update(body).verify_slice(mac).is_ok()
    }
}

fn mac(hex: &str) -> Option<[u8; 32]> {
    let mut mac = [0; 32];
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in mac.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(mac)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::clients::{Clients, Way};
    use ledgerline_lambda::api::Credential;

    /// Computed apart from this code, by Python: `hmac.new(b"s" * 32, b'1772460000.{"a":1}', "sha256").hexdigest()`.
    const MAC: &str = "dc879d302e14343a5647ff22378e06dd9b43fbb0f15792ce8a9474bb18d5c1e3";
    const NOW_S: i64 = 1_772_460_000;
    const BODY: &[u8] = br#"{"a":1}"#;

    fn clients(secrets: &[&str]) -> Clients {
        let hash = Sha256::digest(b"token").iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let one = json!([{ "id": "a", "tokenHashes": [hash], "authoritative": true, "secrets": secrets }]);
        Clients::parse(&one.to_string()).unwrap()
    }

    fn verify(header: &str, secrets: &[&str], body: &[u8], now_s: i64) -> Option<Result<(), Refused>> {
        let clients = clients(secrets);
        let client = clients.of(Way::Header, &Credential::of("token")).unwrap();
        Some(Signature::parse(header)?.verify(client.secrets(), body, now_s))
    }

    #[test]
    fn another_implementations_signature_holds_for_its_body_secret_and_time() {
        let (secret, other) = ("s".repeat(32), "o".repeat(32));
        let header = format!("t={NOW_S},v1={MAC}");
        for (header, secrets, body, now_s, expected) in [
            (&header, vec![&*secret], BODY, NOW_S, Ok(())),
            (&header, vec![&*other, &*secret], BODY, NOW_S + TOLERANCE_S, Ok(())),
            (&header, vec![&*secret], BODY, NOW_S - TOLERANCE_S, Ok(())),
            (&header, vec![&*secret], BODY, NOW_S + TOLERANCE_S + 1, Err(Refused::Time)),
            (&header, vec![&*secret], BODY, NOW_S - TOLERANCE_S - 1, Err(Refused::Time)),
            (&header, vec![&*other], BODY, NOW_S, Err(Refused::Mac)),
            (&header, vec![&*secret], b"{}", NOW_S, Err(Refused::Mac)),
            (&format!("t={},v1={MAC}", NOW_S + 1), vec![&*secret], BODY, NOW_S, Err(Refused::Mac)),
            (&format!("t=0{NOW_S},v1={MAC}"), vec![&*secret], BODY, NOW_S, Err(Refused::Mac)),
            (&format!("t={NOW_S}, v0=x, v1={}, v1={MAC}", "0".repeat(64)), vec![&*secret], BODY, NOW_S, Ok(())),
        ] {
            assert_eq!(verify(header, &secrets, body, now_s), Some(expected), "{header} {now_s}");
        }
    }

    #[test]
    fn what_is_not_a_signature_is_not_read() {
        for header in [
            "",
            "t=1",
            "v1=00",
            &format!("v1={MAC}"),
            &format!("t=,v1={MAC}"),
            &format!("t=-1,v1={MAC}"),
            &format!("t=1,t=1,v1={MAC}"),
            &format!("t=1;v1={MAC}"),
            &format!("t=1,v1={MAC}0"),
            &format!("t=1,v1={}", "é".repeat(32)),
            &format!("t=1{}", format!(",v1={MAC}").repeat(5)),
            &format!("t=1,v1={MAC},x={}", "y".repeat(HEADER_BYTES)),
        ] {
            assert_eq!(Signature::parse(header), None, "{header}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_refused_and_no_other_bodys_signature_holds(
            header in ".{0,200}",
            shaped in "t=[0-9]{1,12},v1=[0-9a-f]{64}(,v1=[0-9A-F]{64})?",
            body in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let secret = "s".repeat(32);
            let _ = Signature::parse(&header);
            let read = Signature::parse(&shaped);
            prop_assert!(read.is_some());
            // A signature that nobody made.
            prop_assert_eq!(verify(&shaped, &[&secret], &body, NOW_S), Some(Err(Refused::Mac)));
        }

        #[test]
        fn a_digest_follows_from_time_and_body_alone(time in 0i64..2_000_000_000, body in ".{0,40}", other in ".{0,40}") {
            let one = format!("t={time},v1={}", "0".repeat(64));
            let two = format!("t={time},v1={}", "1".repeat(64));
            let (one, two) = (Signature::parse(&one).unwrap(), Signature::parse(&two).unwrap());
            prop_assert_eq!(one.digest(body.as_bytes()), two.digest(body.as_bytes()));
            prop_assert_eq!(one.digest(body.as_bytes()) == two.digest(other.as_bytes()), body == other);
        }
    }
}
