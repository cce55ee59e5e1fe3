//! A report of a run that never was, to look at pages and screens without a stack.

use serde_json::json;

use super::*;

pub(crate) fn report() -> Report {
    let span = |text: &str, personal| Span { text: text.to_owned(), personal };
    let plain = |path: &str, text: &str| (path.to_owned(), vec![span(text, false)]);
    let held = |id: &str, from: &str, to: &str, types: &[&str]| Held {
        interaction_id: id.to_owned(),
        from: format!("2026-03-02T{from}.350Z"),
        to: format!("2026-03-02T{to}.120Z"),
        types: types.iter().map(|t| (*t).to_owned()).collect(),
    };
    let call = ["customer.start", "flow.start", "flow.end", "acd.start", "acd.end", "user.start", "user.end", "acw"];
    let check = |name: &str, detail: &str| Check {
        name: name.to_owned(),
        passed: true,
        detail: detail.to_owned(),
        remedy: None,
    };
    Report {
        v: 1,
        started_at: "2026-03-03T09:41:07.201Z".to_owned(),
        seconds: 41.8,
        seed: 20_260_303,
        date: "2026-03-02".to_owned(),
        tally: Tally { r#in: 6_395, committed: 5_265, filtered: 0, duplicate: 1_065, quarantined: 65, in_flight: 0 },
        sent: Counts {
            interactions: 500,
            records: 6_388,
            documents: 6_395,
            events: 5_265,
            duplicates: 1_065,
            malformed: 65,
            drifted: 0,
            guides: 1_402,
        },
        pace: Pace { seconds: 23.4, documents_per_second: 273.3, bronze_objects: 61 },
        caller: Caller {
            topic: "v2.detail.events.conversation.{id}.acw".to_owned(),
            interaction_id: "11111111-1111-4111-8111-111111111111".to_owned(),
            raw: vec![
                plain("eventTime", "1772460258200"),
                plain("conversationId", "11111111-1111-4111-8111-111111111111"),
                plain("participantId", "b2fa0473-813f-575a-bf34-a1da7d7b5e59"),
                plain("mediaType", "VOICE"),
                plain("direction", "INBOUND"),
                ("ani".to_owned(), vec![span("tel:", false), span("+12025550143", true)]),
                plain("dnis", "tel:+18005550100"),
                plain("queueId", "5169b6fa-0543-5428-8d60-2e3d7a1d2909"),
                (
                    "wrapupNotes".to_owned(),
                    vec![
                        span("spoke with ", false),
                        span("Ada Quillfeather", true),
                        span(", wants a call back on ", false),
                        span("202-555-0143", true),
                    ],
                ),
                plain("wrapupDurationMs", "15000"),
                (
                    "conversationExternalContactIds/0".to_owned(),
                    vec![span("cd68e249-e098-5dc9-9073-5e6b8a2b8180", true)],
                ),
            ],
            silver: vec![
                ("event_id".to_owned(), json!("9f2c11d07a5b4e0f8c3d6b1a2e4f5061")),
                ("interaction_id".to_owned(), json!("11111111-1111-4111-8111-111111111111")),
                ("event_type".to_owned(), json!("acw")),
                ("activity".to_owned(), json!("After-call work")),
                ("occurred_at".to_owned(), json!("2026-03-02T14:04:18.200Z")),
                ("media".to_owned(), json!("VOICE")),
                ("direction".to_owned(), json!("INBOUND")),
                ("queue_id".to_owned(), json!("5169b6fa-0543-5428-8d60-2e3d7a1d2909")),
                ("wrapup_duration_ms".to_owned(), json!(15_000)),
                ("customer_ref".to_owned(), json!("c_5b1f0c9a7d3e42b8a6f0d1c2e3b4a596")),
                ("masked_fields".to_owned(), json!("ani,dnis,wrapup_notes,external_contact_ids")),
                ("lineage_token".to_owned(), json!("0d0f8a52-6b61-5f0e-9b0b-0b1c2d3e4f50")),
            ],
            silver_object: "silver/events/date=2026-03-02/0f1e2d3c4b5a69788796a5b4c3d2e1f0.parquet".to_owned(),
            searched: 1_284,
            searched_rows: 5_265,
            searched_entries: 5_265,
            found: 0,
        },
        identity: identity(),
        access: Access {
            phone: "+12025550143".to_owned(),
            milliseconds: 64,
            interactions: 3,
            entries: 24,
            complete: true,
            as_of: "2026-03-03T09:41:39.004Z".to_owned(),
            timeline: vec![
                held("11111111-1111-4111-8111-111111111111", "09:12:04", "09:19:44", &call),
                held("22222222-2222-4222-8222-222222222222", "11:40:00", "11:44:18", &call),
                held("33333333-3333-4333-8333-333333333333", "16:02:31", "16:20:07", &call),
            ],
            example: json!({"v": 1, "eventId": "9f2c11d07a5b4e0f8c3d6b1a2e4f5061", "type": "acw",
                "occurredAt": "2026-03-02T14:04:18.200Z", "masked": ["ani", "wrapupNotes"], "keyIds": []})
            .as_object()
            .cloned()
            .unwrap_or_default(),
        },
        at_once: AtOnce {
            interaction_id: "demo-19cae5d1a3e".to_owned(),
            status: 202,
            journaled: true,
            milliseconds_to_send: 38,
            milliseconds_to_answer: 92,
            at_once: 1,
            on_its_way: 1,
            committed: 1,
            still_on_its_way: 0,
        },
        lock: Lock {
            key: "ledger/acme/interaction/1/0/segment/00000000000000000000-256-3f9a1c0be4d7a815.jsonl.gz".to_owned(),
            version_id: "3HL4kqtJvjVBH40Nrjfkd".to_owned(),
            mode: "GOVERNANCE".to_owned(),
            retain_until: "2026-03-04T09:41:20Z".to_owned(),
            attempts: [
                ("delete this version", "DeleteObject"),
                ("shorten its retention to a minute from now", "PutObjectRetention"),
            ]
            .map(|(what, call)| Attempt {
                what: what.to_owned(),
                call: call.to_owned(),
                status: 403,
                code: "AccessDenied".to_owned(),
                message: "Access Denied because object protected by object lock.".to_owned(),
            })
            .into(),
            unchanged: true,
        },
        tamper: Tamper {
            log: "acme/interaction/1/0".to_owned(),
            size: 5_215,
            head_root: "8c1f".repeat(16),
            root: "8c1f".repeat(16),
            altered_root: "d04b".repeat(16),
            index: 2_417,
            event_id: "9f2c11d07a5b4e0f8c3d6b1a2e4f5061".to_owned(),
            segment: "00000000000000002304-256-77aa01b2c3d4e5f6.jsonl.gz".to_owned(),
            around: [
                "\"occurredAt\":\"2026-03-02T1".to_owned(),
                "4".to_owned(),
                "5".to_owned(),
                ":04:18.200Z\"".to_owned(),
            ],
            leaf: "1a2b".repeat(16),
            altered_leaf: "9e8d".repeat(16),
            copy: "target/demo/export/entries.jsonl".to_owned(),
            altered_copy: "target/demo/export/entries.altered.jsonl".to_owned(),
        },
        figures: figures(),
        segments: vec![
            "ledger/acme/interaction/1/0/segment/00000000000000000000-256-3f9a1c0be4d7a815.jsonl.gz".to_owned(),
        ],
        checks: vec![
            check("Every document sent is accounted for", "6,395 sent, 6,395 in, 0 in flight"),
            check("Each event is committed once", "5,265 distinct events, 5,265 committed, 1,065 duplicates"),
            check(
                "No planted identifier in clear outside bronze",
                "1,284 searched in 10,530 rows and entries, 0 found",
            ),
            check("S3 refuses deletion", "AccessDenied"),
            check(
                "The identity event is read whole",
                "in clear: event_type identity.resolution, media VOICE, resolution_source CRM_API_LOOKUP, consent_gdpr true, \
                 request_pending false, queue_id q-sales-support; 0 planted values found in row and entry",
            ),
            check(
                "No function opens what is sealed",
                "transform asks for the key: 400 AccessDeniedException; dsar asks for the key: 400 AccessDeniedException",
            ),
            check(
                "The holder of the month's private key reads who it was",
                "1 of 1 blocks opened; 2 of 2 names of the person read",
            ),
        ],
        next: vec![
            ("This run as data".to_owned(), "target/demo/report.json".to_owned()),
            ("Send events of your own".to_owned(), "cargo xtask send FILE".to_owned()),
        ],
    }
}

fn identity() -> Identity {
    let id = "11111111-1111-4111-8111-111111111111";
    let at = "2026-03-02T14:03:11.870Z";
    let event = |path: &str, text: &str, personal| {
        (format!("auditEvent/{path}"), vec![Span { text: text.to_owned(), personal }])
    };
    let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let resolved = [
        ("consent_gdpr", json!(true)),
        ("media", json!("VOICE")),
        ("queue_id", json!("q-sales-support")),
        ("request_pending", json!(false)),
        ("resolution_source", json!("CRM_API_LOOKUP")),
    ];
    let key_id = "m1h7Zc0Tq2vJp9yW4nRk8sXbLd3fGu6eAoHiVtBxCyE";
    let named = |name: &str, value: Value| (name.to_owned(), value);
    let mut entry = vec![
        named("type", json!("identity.resolution")),
        named("activity", json!("Identity resolved")),
        named("occurredAt", json!(at)),
        named("interactionId", json!(id)),
    ];
    entry.extend(resolved.iter().map(|(name, value)| named(&format!("fields/{name}"), value.clone())));
    entry.extend([
        named("keyIds", json!(key_id)),
        named("sealed/customer", json!(format!("{}… (550 characters)", "Qk3jZ0yN".repeat(12)))),
        named("lineageToken", json!("0d0f8a52-6b61-5f0e-9b0b-0b1c2d3e4f50")),
        named("policyVersion", json!("builtin-6")),
        named("eventId", json!("5b1f0c9a7d3e42b8a6f0d1c2e3b4a596")),
        named("org", json!("demo")),
        named("salt", json!("Jq3cB2n0V7l1u8wq0sKx4g")),
        named("schemaVersion", json!("unknown")),
        named("source/line", json!(14)),
        named("source/object", json!("0f1e2d3c4b5a69788796a5b4c3d2e1f0")),
        named("v", json!(1)),
    ]);
    let mut silver = vec![
        named("event_id", json!("5b1f0c9a7d3e42b8a6f0d1c2e3b4a596")),
        named("interaction_id", json!(id)),
        named("org", json!("demo")),
        named("source", json!("audit-event")),
        named("event_type", json!("identity.resolution")),
        named("activity", json!("Identity resolved")),
        named("lifecycle", json!("complete")),
        named("occurred_at", json!(at)),
        named("occurred_at_from", json!("own")),
    ];
    silver.extend(resolved.iter().map(|(name, value)| named(name, value.clone())));
    silver.extend([
        named("customer_ref", json!("c_5b1f0c9a7d3e42b8a6f0d1c2e3b4a596")),
        named("masked_fields", json!("account_number_hash,phone_hash_sent,resolved_customer_id")),
        named("policy_version", json!("builtin-6")),
        named("lineage_token", json!("0d0f8a52-6b61-5f0e-9b0b-0b1c2d3e4f50")),
        named("lineage_from", json!("derived")),
        named("bronze_object", json!("0f1e2d3c4b5a69788796a5b4c3d2e1f0")),
        named("bronze_line", json!(14)),
    ]);
    Identity {
        interaction_id: id.to_owned(),
        raw: vec![
            event("eventType", "IDENTITY_RESOLUTION", false),
            event("timestamp", at, false),
            event("interactionId", id, false),
            event("channelType", "VOICE", false),
            event("resolvedCustomerId", &format!("cust_hash_{hash}"), true),
            event("resolutionSource", "CRM_API_LOOKUP", false),
            event("piiContext/accountNumberHash", hash, true),
            event("piiContext/emailHash", "null", false),
            event("piiContext/phoneHash", hash, true),
            event("complianceFlags/dataSubjectRequestPending", "false", false),
            event("complianceFlags/gdprConsentRecorded", "true", false),
            event("agentId", "null", false),
            event("queueId", "q-sales-support", false),
            ("orgId".to_owned(), vec![Span { text: "demo".to_owned(), personal: false }]),
        ],
        silver,
        silver_object: "silver/events/date=2026-03-02/0f1e2d3c4b5a69788796a5b4c3d2e1f0.parquet".to_owned(),
        entry,
        segment: "ledger/demo/interaction/1/0/segment/00000000000000000000-256-3f9a1c0be4d7a815.jsonl.gz".to_owned(),
        sealed: Sealed {
            attempts: ["transform", "dsar"].map(refused).into(),
            opened: vec![Opened {
                party: "customer".to_owned(),
                key_id: key_id.to_owned(),
                content: vec![
                    named("account_hash", json!(hash)),
                    named("customer_id_hash", json!(format!("cust_hash_{hash}"))),
                    named("phone_hash", json!(hash)),
                    named("raw", json!("3c9a".repeat(16))),
                ],
            }],
        },
    }
}

fn refused(function: &str) -> Attempt {
    Attempt {
        what: format!("{function} asks for the key"),
        call: "Decrypt".to_owned(),
        status: 400,
        code: "AccessDeniedException".to_owned(),
        message: format!("{function}'s role is not authorized to perform: kms:Decrypt"),
    }
}

fn figures() -> Figures {
    let queue = |id: Option<&str>, contacts, abandoned, level, handled| Queue {
        queue_id: id.map(str::to_owned),
        contacts,
        abandoned,
        service_level_pct: level,
        avg_duration_sec: handled,
        fcr_rate_pct: level.map(|level| level / 2.0),
        customer_satisfaction_avg: None,
    };
    let half_hour = |hour: u32, answered: u64| HalfHour {
        start: format!("2026-03-02T{:02}:{:02}:00.000Z", hour / 2, hour % 2 * 30),
        offered: answered + 3,
        answered,
        abandoned: u64::from(hour % 3),
    };
    Figures {
        date: "2026-03-02".to_owned(),
        time_zone: "UTC".to_owned(),
        as_of: "2026-03-03T09:41:41.120Z".to_owned(),
        revision: 2,
        milliseconds: 18,
        totals: queue(None, 441, 37, Some(63.27), Some(214.5)),
        queues: vec![
            queue(None, 0, 0, None, Some(88.25)),
            queue(Some("5169b6fa-0543-5428-8d60-2e3d7a1d2909"), 302, 20, Some(71.52), Some(201.75)),
            queue(Some("632e14a0-91c3-5c1a-9a4e-0d1e2f3a4b5c"), 139, 17, Some(45.6), Some(243.0)),
        ],
        half_hours: (14..40).map(|hour| half_hour(hour, u64::from(40 - hour.abs_diff(22)))).collect(),
        table: "queue     contacts\n5169b6fa       302\n632e14a0       139".to_owned(),
    }
}
