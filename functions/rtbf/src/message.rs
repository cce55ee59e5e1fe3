//! What a message asks for.
//!
//! Foreign bytes: whoever may send to the queue may send anything. A message that is none of ours is kept as poison; one that is says
//! where to look, and what is done follows from what is found there.

use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::BRONZE;
use ledgerline_store::queue::EraseNote;

/// What is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// A request.
    Erase { request: String },
    /// A bronze object in which transform found lines that an erasure covers.
    Suppressed { key: String, object: ObjectId },
    /// A record on which no hold is any more, `<org>/<record>`.
    Released { record: String },
    /// A day, `yyyy-mm-dd`, on which acts of deletion are recorded.
    Pool { day: String },
}

/// What a body asks for; else why it is poison, a closed word.
pub(crate) fn work_of(body: &str, bronze_bucket: &str) -> Result<Work, &'static str> {
    match EraseNote::parse(body).ok_or("not_a_note")? {
        EraseNote::Erase { request } => Ok(Work::Erase { request }),
        EraseNote::Suppressed { bucket, .. } if bucket != bronze_bucket => Err("foreign_bucket"),
        EraseNote::Suppressed { key, .. } if !key.starts_with(BRONZE) => Err("not_a_bronze_object"),
        EraseNote::Suppressed { bucket, key, .. } => {
            let object = ObjectId::of(&bucket, &key);
            Ok(Work::Suppressed { key, object })
        }
        EraseNote::Released { record } => Ok(Work::Released { record }),
        EraseNote::Pool { day } => Ok(Work::Pool { day }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suppressed(bucket: &str, key: &str) -> Result<Work, &'static str> {
        let object = ObjectId::of(bucket, key);
        let body = format!(r#"{{"v":1,"kind":"suppressed","bucket":"{bucket}","key":"{key}","object":"{object}"}}"#);
        work_of(&body, "bronze-bucket")
    }

    #[test]
    fn a_note_says_where_to_look() {
        let request = "req_00112233445566778899aabbccddeeff".to_owned();
        let erase = work_of(&format!(r#"{{"v":1,"kind":"erase","request":"{request}"}}"#), "b");
        assert_eq!(erase, Ok(Work::Erase { request }));
        let released = work_of(r#"{"v":1,"kind":"released","record":"acme/c-1"}"#, "b");
        assert_eq!(released, Ok(Work::Released { record: "acme/c-1".to_owned() }));
        let pool = work_of(r#"{"v":1,"kind":"pool","day":"2026-03-02"}"#, "b");
        assert_eq!(pool, Ok(Work::Pool { day: "2026-03-02".to_owned() }));
        let (key, object) = ("bronze/a".to_owned(), ObjectId::of("bronze-bucket", "bronze/a"));
        assert_eq!(suppressed("bronze-bucket", "bronze/a"), Ok(Work::Suppressed { key, object }));
    }

    #[test]
    fn what_nobody_of_ours_sent_is_poison() {
        assert_eq!(suppressed("other", "bronze/a"), Err("foreign_bucket"));
        assert_eq!(suppressed("bronze-bucket", "quarantine/a"), Err("not_a_bronze_object"));
        assert_eq!(work_of("", "b"), Err("not_a_note"));
        assert_eq!(work_of(r#"{"v":1,"kind":"erase","request":"everybody"}"#, "b"), Err("not_a_note"));
    }
}
