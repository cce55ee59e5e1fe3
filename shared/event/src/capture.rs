//! The envelope that capture puts around an event that a client of its own sent, so that the event's way through the stream keeps who
//! sent it and for which organisation.
//!
//! Invariant: an event is read alike with and without the envelope, but for its organisation, which is the client's where the client has
//! one, whatever the event itself says; and its content id is the same, so that what comes by two ways is one event. There is no time in
//! the envelope: a body that says none would be another event each time it is sent. Left out: who may be a client.

/// What the `source` of an envelope begins with.
pub const PREFIX: &str = "ledgerline.capture/";

/// Who sent an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Captured<'a> {
    /// The client's id.
    pub client: &'a str,
    /// What the client calls its source: regions and sources of numeric ids are configured by this name.
    pub source: &'a str,
    /// The organisation that the client sends for; none, and the event's own counts.
    pub org: Option<&'a str>,
}

impl Captured<'_> {
    /// The envelope's `source`.
    pub fn to_source(self) -> String {
        let Self { client, source, org } = self;
        match org {
            Some(org) => format!("{PREFIX}{client}/{source}/{org}"),
            None => format!("{PREFIX}{client}/{source}"),
        }
    }

    /// The document, an I-JSON object, in the envelope.
    pub fn wrap(self, document: &[u8]) -> Vec<u8> {
        // Its parts are names: nothing in them needs an escape.
        [b"{\"source\":\"", self.to_source().as_bytes(), b"\",\"detail\":", document, b"}"].concat()
    }
}

/// Whether an event of this type is journaled while it is on its way: those that an audit is about, and that an access request must not
/// miss for the minutes that the stream takes.
pub fn is_journaled(event_type: &str) -> bool {
    JOURNALED.contains(&event_type)
}

/// Identity, consent, deletion, audit.
const JOURNALED: [&str; 8] = [
    "identity.resolution",
    "identity.unresolved",
    "identity.merged",
    "identity.anonymized",
    "consent",
    "data.deletion",
    "data.access",
    "audit",
];

/// Whether a text may be a client's id or the name of its source: `[A-Za-z0-9._-]{1,64}`.
pub fn is_name(text: &str) -> bool {
    crate::adapters::is_org(text)
}

/// Who sent what has this `source`; `None` if it did not come through capture.
pub fn read(source: &str) -> Option<Captured<'_>> {
    let mut parts = source.strip_prefix(PREFIX)?.split('/');
    let (client, source, org) = (parts.next()?, parts.next()?, parts.next());
    let are_names = is_name(client) && is_name(source) && org.is_none_or(is_name);
    (are_names && parts.next().is_none()).then_some(Captured { client, source, org })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Fragment, parse, split};
    use crate::{Context, adapt, content_id};

    const CONTEXT: Context<'_> = Context { default_org: "default", numeric_id_sources: &[] };
    const BY: Captured<'_> = Captured { client: "flows", source: "architect", org: Some("acme") };

    /// Organisation, record, type, source name, topic and content id.
    fn read_as(document: &[u8]) -> (String, String, &'static str, Vec<String>, String, String) {
        let value = parse(document).unwrap();
        let event = adapt(&value, &CONTEXT).unwrap();
        let names = event.names_of_source().map(str::to_owned).collect();
        let id = content_id(&event, &value).to_hex();
        (event.org.to_string(), event.record.id().into_owned(), event.event_type, names, event.topic.to_string(), id)
    }

    #[test]
    fn what_is_journaled_is_a_type_of_the_description() {
        let described = include_str!("../builtin.toml");
        for kind in JOURNALED {
            assert!(described.contains(&format!("type = \"{kind}\"")), "{kind}");
        }
        assert!(!is_journaled("survey"));
    }

    #[test]
    fn what_is_written_is_read_back_and_nothing_else_is() {
        for by in [BY, Captured { org: None, ..BY }] {
            assert_eq!(read(&by.to_source()), Some(by));
        }
        for other in [
            "",
            "ledgerline.capture/",
            "ledgerline.capture/a",
            "ledgerline.capture/a/",
            "ledgerline.capture/a/b/c/d",
            "ledgerline.capture/a b/c",
            "ledgerline.capture/a/b/..",
            "x/ledgerline.capture/a/b",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn an_event_is_read_alike_with_and_without_the_envelope() {
        for document in [
            r#"{"auditEvent":{"eventType":"IDENTITY_RESOLUTION","timestamp":"2026-03-02T14:00:00Z","interactionId":"i-1"}}"#,
            r#"{"process_name":"P","records":[{"case_id":"c-1","activity":"A","start_time":"2026-03-02T14:00:00Z","end_time":"2026-03-02T14:05:00Z"}]}"#,
            r#"{"id":"i-1","interactionType":"VOICE","startTime":"2026-03-02T14:00:00.000Z","customFields":{"lineageToken":"lt-98765"}}"#,
            r#"{"version":"0","detail-type":"v2.conversations.x.user.end","source":"aws.partner/genesys.com/cloud/acme/x","detail":{"eventBody":{"conversationId":"c-1","eventTime":1772460000000}}}"#,
            r#"{"source":"crm","detail":{"conversationId":"c-1","eventTime":1772460000000,"eventType":"survey"}}"#,
        ] {
            let plain = read_as(document.replace("\"acme\"", "acme").as_bytes());
            let none = Captured { org: None, ..BY };
            let captured = read_as(&none.wrap(document.as_bytes()));
            assert_eq!((&captured.0, &captured.1, captured.2, &captured.4), (&plain.0, &plain.1, plain.2, &plain.4));
            if plain.0 == captured.0 {
                assert_eq!(captured.5, plain.5, "{document}");
            }
            assert!(captured.3.contains(&"architect".to_owned()), "regions go by the client's source");
        }
    }

    #[test]
    fn a_client_with_an_organisation_names_no_other() {
        for document in [
            r#"{"org":"victim","conversationId":"c-1","eventTime":1772460000000,"eventType":"survey"}"#,
            r#"{"detail-type":"x","source":"aws.partner/genesys.com/cloud/victim/x","detail":{"conversationId":"c-1","eventTime":1772460000000}}"#,
            r#"{"detail-type":"x","source":"ledgerline.capture/a/b/victim","detail":{"conversationId":"c-1","eventTime":1772460000000}}"#,
        ] {
            let wrapped = BY.wrap(document.as_bytes());
            assert_eq!(read_as(&wrapped).0, "acme", "{document}");
            // Ingest's line has the same, and leaves the rest to the adapter.
            let Some(Fragment::Document(_, head)) = split(&wrapped).next() else { panic!("not a document") };
            assert_eq!((head.org(), head.family()), (Some("acme"), None));
        }
    }
}
