//! Changes of bytes, drawn from a seeded generator: what makes one document into many that are nearly one.
//!
//! Invariant: a function of its arguments alone. Sizes stay below [`LENGTH_MAX`].

/// Draws numbers: SplitMix64, which is short and good enough to choose places by.
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is above zero.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.number() % limit.max(1) as u64).unwrap_or(0)
    }

    fn one_of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// Longest result: longer ones only take longer.
pub const LENGTH_MAX: usize = 16 * 1024;

/// What JSON, and whatever reads it wrongly, is made of.
pub const TOKENS: [&[u8]; 44] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b"\\",
    b"\\\"",
    b"\\\\\"",
    b"\\u0022",
    b"\\ud83d",
    b"\\ude00",
    b"\\u0000",
    b"\xEF\xBB\xBF",
    b"\xC3",
    b"\xFF",
    b"\xED\xA0\x80",
    b"\n",
    b"\n{",
    b"}\n{",
    b"}{",
    b"\t",
    b"\0",
    b"null",
    b"1e400",
    b"-0",
    b"12345678901234567890",
    b"1772460000001",
    b"\"2026-03-02T14:00:02Z\"",
    b"{\"a\":1}",
    b"\"cvv\":\"737\",",
    b"\\\"pin\\\":1234,",
    b"cvv=737",
    b"\"password\":{\"a\":[1]},",
    b"\"name\":\"cvv\",\"value\":737,",
    b"\"conversationId\":\"c-1\",",
    b"\"interaction_id\":\"c-2\",",
    b"\"lineageToken\":\"lt-98765\",",
    b"\"timestamp\":\"2026-03-02T14:00:02Z\",",
    b"\"detail\":{",
    b"\"eventBody\":{",
    b"\"source\":\"aws.partner/genesys.com/cloud/acme/x\",",
    b"\"records\":[{\"caseId\":\"c-5\"},{\"caseId\":\"c-6\"}],\"batchId\":1,",
];

/// One of the seeds, changed one to eight times.
pub fn changed(draw: &mut Draw, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = pick(draw, seeds).to_vec();
    for _ in 0..=draw.below(8) {
        change(draw, &mut bytes, seeds);
        bytes.truncate(LENGTH_MAX);
    }
    bytes
}

fn pick<'a>(draw: &mut Draw, seeds: &'a [Vec<u8>]) -> &'a [u8] {
    seeds.get(draw.below(seeds.len())).map_or(b"{}", Vec::as_slice)
}

fn change(draw: &mut Draw, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let at = draw.below(bytes.len() + 1);
    let end = at + draw.below((bytes.len() - at).min(64) + 1);
    match draw.below(10) {
        0 if at < bytes.len() => bytes[at] ^= 1 << draw.below(8),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let part = bytes[at..end].to_vec();
            insert(bytes, at, &part);
        }
        // A token right behind a sign: there it is most often a member or a value.
        3..=5 => {
            let token = draw.one_of(&TOKENS);
            let place = bytes[at..].iter().position(|byte| b"{[,:\"".contains(byte)).map_or(at, |ahead| at + ahead + 1);
            insert(bytes, place, token);
        }
        6 => {
            let token = draw.one_of(&TOKENS);
            bytes.splice(at..end, token.iter().copied());
        }
        7 => {
            let other = pick(draw, seeds);
            let from = draw.below(other.len() + 1);
            let to = from + draw.below(other.len() - from + 1);
            insert(bytes, at, &other[from..to]);
        }
        8 => {
            // As JSON in a string.
            let text = String::from_utf8_lossy(bytes).into_owned();
            let quoted = serde_json::to_vec(&text).unwrap_or_default();
            let key = draw.one_of(&[&b"{\"payload\":"[..], b"{\"detail\":", b"{\"customFields\":{\"lineageToken\":"]);
            let close = &b"}}"[..key.iter().filter(|byte| **byte == b'{').count()];
            *bytes = [key, &quoted, close].concat();
        }
        _ => {
            let count = draw.below(40);
            let token = draw.one_of(&TOKENS).repeat(count);
            insert(bytes, at, &token);
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
    bytes.splice(at..at, part.iter().copied());
}
