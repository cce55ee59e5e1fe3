//! S3 notifications as SQS carries them: which objects came to be.
//!
//! Foreign bytes: nothing here panics. A body that is no notification is named as such by a closed reason, and so is each
//! record of one that names no object; the other records stand.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

/// An object that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The bucket that says so.
    pub bucket: String,
    /// The object's key, decoded.
    pub key: String,
}

/// A body or a record that is no S3 notification. Says nothing of what it is instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotANotification;

impl fmt::Display for NotANotification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the message is no S3 notification")
    }
}

impl std::error::Error for NotANotification {}

/// Reads a message body: the objects that it says were created, in its order, and in place of each record that cannot
/// be read an error. None for the test event that S3 sends when a notification is set up, and for events that create
/// nothing.
///
/// # Errors
/// [`NotANotification`] if the body is not JSON of either shape.
pub fn created(body: &str) -> Result<Vec<Result<Created, NotANotification>>, NotANotification> {
    let message: Message<'_> = serde_json::from_str(body).map_err(|_| NotANotification)?;
    match (message.records, message.event.as_deref()) {
        (Some(records), _) => {
            Ok(records.into_iter().filter_map(|record| created_by(record.get()).transpose()).collect())
        }
        (None, Some("s3:TestEvent")) => Ok(Vec::new()),
        (None, _) => Err(NotANotification),
    }
}

/// The object that a record says was created; none if it says something else of it.
fn created_by(record: &str) -> Result<Option<Created>, NotANotification> {
    let record: Record = serde_json::from_str(record).map_err(|_| NotANotification)?;
    // `ObjectCreated:Put`, `s3:ObjectCreated:CompleteMultipartUpload`, …
    if !record.event_name.trim_start_matches("s3:").starts_with("ObjectCreated:") {
        return Ok(None);
    }
    let key = decode_key(&record.s3.object.key).ok_or(NotANotification)?;
    Ok(Some(Created { bucket: record.s3.bucket.name, key }))
}

/// Notifications carry keys as HTML forms do: `+` is a space, `%XX` a byte. A `%` that no two digits follow is refused.
fn decode_key(encoded: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
                high << 4 | low
            }
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "Records")]
    records: Option<Vec<&'a RawValue>>,
    #[serde(rename = "Event")]
    event: Option<String>,
}

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "eventName")]
    event_name: String,
    s3: S3,
}

#[derive(Deserialize)]
struct S3 {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(name: &str, key: &str) -> String {
        format!(
            r#"{{"Records":[{{"eventName":"{name}","s3":{{"bucket":{{"name":"b"}},"object":{{"key":"{key}"}}}}}}]}}"#
        )
    }

    fn keys(body: &str) -> Vec<String> {
        created(body).unwrap().into_iter().map(|created| created.unwrap().key).collect()
    }

    #[test]
    fn keys_are_decoded_as_forms_are() {
        let encoded = "bronze/event_type%3Dinteraction/a+b%2Bc%25/%C3%A9.gz";
        assert_eq!(keys(&body("ObjectCreated:Put", encoded)), ["bronze/event_type=interaction/a b+c%/é.gz"]);
    }

    #[test]
    fn test_events_and_removals_name_nothing() {
        assert!(keys(r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#).is_empty());
        assert!(keys(&body("ObjectRemoved:Delete", "k")).is_empty());
        assert!(keys(r#"{"Records":[]}"#).is_empty());
        assert_eq!(keys(&body("s3:ObjectCreated:Copy", "k")), ["k"]);
    }

    #[test]
    fn what_is_no_notification_is_refused() {
        for body in ["", "{", "[]", "{}", r#"{"Event":"other"}"#, r#"{"Records":7}"#] {
            assert_eq!(created(body), Err(NotANotification), "{body}");
        }
    }

    #[test]
    fn a_record_that_names_no_object_leaves_the_others_standing() {
        let record = |key: &str| body("ObjectCreated:Put", key)[12..].trim_end_matches("]}").to_owned();
        let good = |key: &str| Ok(Created { bucket: "b".to_owned(), key: key.to_owned() });
        let bad = [record("%"), record("%4"), record("%zz"), record("%ff"), "7".to_owned(), "{}".to_owned()];
        for bad in bad.into_iter().chain([r#"{"eventName":"ObjectCreated:Put"}"#.to_owned()]) {
            let body = format!(r#"{{"Records":[{},{bad},{}]}}"#, record("first"), record("last"));
            assert_eq!(created(&body), Ok(vec![good("first"), Err(NotANotification), good("last")]), "{bad}");
        }
    }
}
