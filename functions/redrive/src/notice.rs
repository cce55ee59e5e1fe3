//! S3 notifications as SQS carries them.

use serde::Deserialize;

/// An object that a notification names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) bucket: String,
    /// The key as S3 stores it.
    pub(crate) key: String,
}

/// A message that is no S3 notification.
#[derive(Debug, thiserror::Error)]
#[error("the message is no S3 notification")]
pub(crate) struct NotANotice;

#[derive(Deserialize)]
struct Notification {
    #[serde(rename = "Records")]
    records: Option<Vec<Record>>,
    #[serde(rename = "Event")]
    event: Option<String>,
}

#[derive(Deserialize)]
struct Record {
    s3: Entity,
}

#[derive(Deserialize)]
struct Entity {
    bucket: Named,
    object: Keyed,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Keyed {
    key: String,
}

/// The objects that a message names; none for the test event that S3 sends when notifications are set up.
pub(crate) fn read(body: &str) -> Result<Vec<Notice>, NotANotice> {
    let notification: Notification = serde_json::from_str(body).map_err(|_| NotANotice)?;
    match (notification.records, notification.event.as_deref()) {
        (Some(records), _) => {
            let notice =
                |record: Record| Notice { bucket: record.s3.bucket.name, key: url_decode(&record.s3.object.key) };
            Ok(records.into_iter().map(notice).collect())
        }
        (None, Some("s3:TestEvent")) => Ok(Vec::new()),
        (None, _) => Err(NotANotice),
    }
}

/// Undoes the form encoding of keys in notifications; what is no escape stays as it is.
fn url_decode(key: &str) -> String {
    let bytes = key.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = match byte {
            b'%' => key.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok()),
            _ => None,
        };
        out.push(escaped.unwrap_or(if byte == b'+' { b' ' } else { byte }));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_as_forms_encode_them() {
        assert_eq!(url_decode("errors/a%3Db/c+d%2Be%C3%A9"), "errors/a=b/c d+eé");
        assert_eq!(url_decode("50%"), "50%");
        assert_eq!(url_decode("%é0"), "%é0");
    }

    #[test]
    fn the_test_event_names_nothing_and_other_messages_are_refused() {
        assert_eq!(read(r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#).unwrap(), []);
        for body in ["", "{}", "[]", r#"{"Event":"other"}"#, r#"{"Records":[{"s3":{}}]}"#] {
            assert!(read(body).is_err(), "{body}");
        }
    }
}
