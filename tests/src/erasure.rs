//! Erasures over the API, from receipt to the end, and what a test holds before and after against each other.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerline_privacy::{Identifier, KeyRing, Kind, Region};
use ledgerline_store::record;
use ledgerline_store::subject::identifier_key;
use ledgerline_traffic::host::Function;
use serde_json::{Value, json};

use crate::compliance::call;
use crate::org::Org;
use crate::stack::{Stack, key_of, text, unpacked};

/// A customer of a test's own: nobody else's number or address, and valid ones.
#[derive(Clone, Debug)]
pub struct Customer {
    /// `+1 212 …`.
    pub phone: String,
    /// `…@example.com`.
    pub mail: String,
}

impl Customer {
    /// One of an organisation's; of another `place`, another one.
    pub fn of(org: &Org<'_>, place: usize) -> Self {
        let digits: u32 = org.name.bytes().fold(13, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
        let areas = ["212", "312", "415", "617", "303"];
        let (exchange, line) = (200 + digits % 700, (digits / 700 + (place / areas.len()) as u32) % 10_000);
        let (local, area) = (format!("{exchange:03} {line:04}"), areas[place % areas.len()]);
        Self { phone: format!("+1 {area} {local}"), mail: format!("{}-{place}@example.com", org.name) }
    }

    /// Both, as a request names them.
    pub fn identifiers(&self) -> Value {
        json!([{ "kind": "phone", "value": self.phone }, { "kind": "email", "value": self.mail }])
    }

    /// The number's and the address's spellings that a store could hold: as sent, E.164, digits, national, URL-encoded, base64.
    pub fn spellings(&self) -> Vec<String> {
        let digits: String = self.phone.chars().filter(char::is_ascii_digit).collect();
        let e164 = format!("+{digits}");
        let url = |text: &str| text.replace('+', "%2B").replace(' ', "%20").replace('@', "%40");
        let mut all = vec![self.phone.clone(), digits[1..].to_owned(), self.mail.clone(), url(&e164), url(&self.mail)];
        all.extend([self.phone.as_str(), &e164, &self.mail].into_iter().flat_map(in_base64));
        all
    }

    /// The pseudonyms of both in this deployment.
    pub fn pseudonyms(&self, stack: &Stack) -> Vec<String> {
        let ring = KeyRing::new(stack.block(stack.data_keys().pseudonym_keys()).unwrap()).unwrap();
        let of = |kind, raw: &str| ring.pseudonyms(&Identifier::parse(kind, raw, Region::US).unwrap());
        let both = [of(Kind::Phone, &self.phone), of(Kind::Email, &self.mail)].concat();
        both.iter().map(|one| one.as_str().to_owned()).collect()
    }

    /// The subjects that they are in an organisation.
    pub fn subjects(&self, org: &Org<'_>) -> Vec<String> {
        let row = |name: &String| org.stack.item("KeysTable", &identifier_key(&org.name, name));
        self.pseudonyms(org.stack).iter().filter_map(row).map(|row| text(&row, "subjectId")).collect()
    }
}

/// What of a text's base64 is there however the text lies in what is encoded.
fn in_base64(text: &str) -> Vec<String> {
    let of = |before: usize| {
        let encoded = STANDARD.encode([&vec![b'x'; before], text.as_bytes()].concat());
        // The first characters are of what comes before, too, and the last ones of what comes behind.
        let (first, last) = ((before * 8).div_ceil(6), (before + text.len()) * 8 / 6);
        encoded[first..last].to_owned()
    };
    (0..3).map(of).collect()
}

/// An event of a call, as a webhook sends it; `members` beside the usual ones.
pub fn event(org: &Org<'_>, interaction: &str, kind: &str, at: &str, members: &[(&str, &str)]) -> Vec<u8> {
    let mut event = json!({ "interactionId": interaction, "timestamp": at, "eventType": kind, "orgId": org.name });
    for (name, value) in members {
        event[*name] = json!(value);
    }
    event.to_string().into_bytes()
}

/// An erasure that was asked for and verified.
pub struct Erasure<'a> {
    stack: &'a Stack,
    /// The request's id.
    pub id: String,
}

impl<'a> Erasure<'a> {
    /// Asks for one in this organisation, by these identifiers, and verifies who asks.
    ///
    /// # Panics
    /// If the API refuses.
    pub fn asked(org: &Org<'a>, identifiers: &Value) -> Self {
        let stack = org.stack;
        let body = json!({ "type": "ERASURE", "identifiers": identifiers, "org": org.name });
        let (status, made) = call(stack, "officer", "requests", Some(&body));
        assert_eq!(status, 201, "{made}");
        let erasure = Self { stack, id: made["requestId"].as_str().unwrap().to_owned() };
        erasure.step("verifier", "verify", &json!({ "method": "callback" }));
        erasure
    }

    /// What it would reach.
    pub fn preview(&self) -> Value {
        let (status, preview) = call(self.stack, "approver", &format!("requests/{}/preview", self.id), None);
        assert_eq!(status, 200, "{preview}");
        preview
    }

    /// Approves what the preview shows; of shared records the joint content of these goes.
    pub fn approve(&self, erase: &[&str]) -> Value {
        let shared: BTreeMap<&str, &str> = erase.iter().map(|record| (*record, "erase")).collect();
        let digest = self.preview()["digest"].clone();
        self.step("approver", "approve", &json!({ "previewDigest": digest, "shared": shared }))
    }

    /// How it stands.
    pub fn shown(&self) -> Value {
        let (status, shown) = call(self.stack, "approver", &format!("requests/{}", self.id), None);
        assert_eq!(status, 200, "{shown}");
        shown
    }

    /// Waits until it is done, sweeping, so that nothing waits for a minute of the schedule.
    pub fn done(&self) -> Value {
        self.stack.wait_for("the erasure to be done", || {
            let shown = self.shown();
            if shown["state"] == "done" {
                return Ok(shown);
            }
            self.stack.sweep();
            Err(format!("{} {}", shown["state"], shown["erasure"]))
        })
    }

    fn step(&self, part: &str, verb: &str, body: &Value) -> Value {
        let (status, answer) = call(self.stack, part, &format!("requests/{}/{verb}", self.id), Some(body));
        assert_eq!(status, 200, "{verb}: {answer}");
        answer
    }
}

impl<'a> Org<'a> {
    /// Erases whom these identifiers name, and gives the request as it ended.
    pub fn erase(&self, identifiers: &Value) -> Value {
        let erasure = Erasure::asked(self, identifiers);
        erasure.approve(&[]);
        erasure.done()
    }

    /// The keys of its bronze objects.
    pub fn bronze_keys(&self) -> Vec<String> {
        let rows = self.stack.items("IndexTable", &record::partition(&format!("{}/", self.name)));
        let is_bronze = |row: &&crate::stack::Item| record::parse_bronze_key(&key_of(row)).is_some();
        let mut keys: Vec<String> = rows.iter().filter(is_bronze).map(|row| text(row, "key")).collect();
        keys.sort();
        keys.dedup();
        keys
    }

    /// The lines of its bronze objects by object and place, another org's among them.
    pub fn bronze_lines(&self) -> Lines {
        let of = |key: String| {
            let lines = String::from_utf8(self.stack.text("BronzeBucket", &key)).unwrap();
            lines.lines().enumerate().map(|(at, line)| ((key.clone(), at), line.to_owned())).collect::<Vec<_>>()
        };
        self.bronze_keys().into_iter().flat_map(of).collect()
    }
}

/// Bronze lines by object and place.
pub type Lines = BTreeMap<(String, usize), String>;

/// Those that hold a word.
pub fn with(lines: &Lines, word: &str) -> Lines {
    lines.iter().filter(|(_, line)| line.contains(word)).map(|(at, line)| (at.clone(), line.clone())).collect()
}

/// Whether a bronze line is the placeholder of an erased one.
pub fn is_placeholder(line: &str) -> bool {
    serde_json::from_str::<Value>(line).is_ok_and(|line| line["erased"] == true && line["raw"].is_null())
}

/// A version of an object, or a delete marker.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The object.
    pub key: String,
    /// Its id.
    pub id: String,
    /// Of its bytes; none of a marker.
    pub etag: Option<String>,
}

/// All versions and delete markers of a bucket whose keys begin so.
pub fn versions(stack: &Stack, bucket: &str, prefix: &str) -> Vec<Version> {
    let (mut found, mut behind) = (Vec::new(), None::<(String, String)>);
    loop {
        let (key, id) = behind.take().unzip();
        let list = stack.s3.list_object_versions().bucket(stack.bucket(bucket)).prefix(prefix);
        let page = stack.block(list.set_key_marker(key).set_version_id_marker(id).send()).unwrap();
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        found.extend(page.versions().iter().map(|one| Version {
            key: text(one.key()),
            id: text(one.version_id()),
            etag: Some(text(one.e_tag())),
        }));
        found.extend(page.delete_markers().iter().map(|one| Version {
            key: text(one.key()),
            id: text(one.version_id()),
            etag: None,
        }));
        match (page.next_key_marker(), page.next_version_id_marker()) {
            (Some(key), Some(id)) if page.is_truncated() == Some(true) => {
                behind = Some((key.to_owned(), id.to_owned()))
            }
            _ => return found,
        }
    }
}

/// A version's bytes, unpacked.
pub fn version_text(stack: &Stack, bucket: &str, version: &Version) -> Vec<u8> {
    stack.block(async {
        let get = stack.s3.get_object().bucket(stack.bucket(bucket)).key(&version.key).version_id(&version.id);
        unpacked(get.send().await.unwrap().body.collect().await.unwrap().into_bytes().to_vec())
    })
}

/// A function that takes nothing from its queue as long as this lives.
pub struct Paused<'a> {
    stack: &'a Stack,
    mapping: String,
}

impl<'a> Paused<'a> {
    /// Stops a function's one source.
    ///
    /// # Panics
    /// If it has none.
    pub fn new(stack: &'a Stack, logical: &str) -> Self {
        let name = &stack.description().functions[logical];
        let list = stack.block(stack.lambda.list_event_source_mappings().function_name(name).send()).unwrap();
        let mapping = list.event_source_mappings()[0].uuid().unwrap().to_owned();
        let paused = Self { stack, mapping };
        paused.enable(false);
        paused
    }

    fn enable(&self, enabled: bool) {
        let update = self.stack.lambda.update_event_source_mapping().uuid(&self.mapping).enabled(enabled);
        self.stack.block(update.send()).unwrap();
    }
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        self.enable(true);
    }
}

/// A deployed function's binary with its environment, to be run one invocation at a time.
pub fn binary_of(stack: &Stack, logical: &str, binary: &str) -> Function {
    let (description, deployed) = (stack.description(), stack.deployed(logical));
    let variables = deployed.environment().and_then(|environment| environment.variables()).unwrap();
    let mut environment: Vec<(String, String)> =
        variables.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let own =
        [("AWS_REGION", description.region.as_str()), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
    environment.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Function {
        bootstrap: xtask::local::program(binary),
        environment,
        endpoint: description.endpoint.trim_start_matches("http://").trim_end_matches('/').parse().unwrap(),
    }
}

/// Lambda's event for one message of the erase queue.
pub fn message(body: &Value) -> Value {
    json!({ "Records": [{ "messageId": "m", "receiptHandle": "r", "body": body.to_string(), "attributes": {},
        "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:erase", "awsRegion": "us-east-1" }] })
}
