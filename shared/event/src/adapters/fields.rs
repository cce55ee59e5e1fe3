//! The members that sources are known to have, and the canonical name of each.
//!
//! A canonical name is a silver column or the source's name in snake case, so that the policy can list it. What is in
//! neither table is extra. The lists are sorted by the source's name; members are looked up by hash, since every member
//! of every event is.

use std::collections::HashMap;
use std::sync::LazyLock;

/// One known member: the source's name, the canonical name.
type Known = (&'static str, &'static str);

/// Known members by the source's name.
pub(super) type Table = LazyLock<HashMap<&'static str, Known>>;

fn by_name(members: &[Known]) -> HashMap<&'static str, Known> {
    members.iter().map(|known| (known.0, *known)).collect()
}

/// Members that an adapter takes for itself (ids, times): known, but no fields.
const CONSUMED: &str = "";

/// The bodies of all Genesys topics on EventBridge.
pub(super) static GENESYS: Table = LazyLock::new(|| by_name(GENESYS_MEMBERS));

const GENESYS_MEMBERS: &[Known] = &[
    ("acdOutcome", "acd_outcome"),
    ("action", "action"),
    ("addressFrom", "address_from"),
    ("addressTo", "address_to"),
    ("alertingDurationMs", "alerting_duration_ms"),
    ("ani", "ani"),
    ("answeredUserId", "answered_agent_ref"),
    ("attributes", "attributes"),
    ("callbackDurationMs", "callback_duration_ms"),
    ("callbackNumbers", "callback_numbers"),
    ("callbackScheduledTime", "callback_scheduled_time"),
    ("callbackUserName", "callback_user_name"),
    ("clientId", "client_id"),
    ("communicationId", "communication_id"),
    ("communications", "communications"),
    ("connectedDurationMs", "connected_duration_ms"),
    ("contactingDurationMs", "contacting_duration_ms"),
    ("context", "context"),
    ("conversationExternalContactIds", "conversation_external_contact_ids"),
    ("conversationExternalOrganizationIds", "conversation_external_organization_ids"),
    ("conversationId", CONSUMED),
    ("dialingDurationMs", "dialing_duration_ms"),
    ("direction", "direction"),
    ("disconnectType", "disconnect_type"),
    ("divisionId", "division"),
    ("dnis", "dnis"),
    ("entity", "entity"),
    ("entityType", "entity_type"),
    ("eventTime", CONSUMED),
    ("exitReason", "exit_reason"),
    ("externalContactId", "external_contact_id"),
    ("externalOrganizationId", "external_organization_id"),
    ("flowId", "flow_id"),
    ("flowMilestones", "flow_milestones"),
    ("flowOutcomeEndTime", "flow_outcome_end_time"),
    ("flowOutcomeId", "flow_outcome_id"),
    ("flowOutcomeStartTime", "flow_outcome_start_time"),
    ("flowOutcomeValue", "flow_outcome"),
    ("flowType", "flow_type"),
    ("flowVersion", "flow_version"),
    ("heldDurationMs", "held_duration_ms"),
    ("id", CONSUMED),
    ("interactingDurationMs", "interacting_duration_ms"),
    ("journeyContext", "journey_context"),
    ("journeyCustomer", "journey_customer"),
    ("level", "level"),
    ("lineageProvenance", CONSUMED),
    ("lineageToken", CONSUMED),
    ("lineage_token", CONSUMED),
    ("mediaType", "media"),
    ("message", "message"),
    ("messageType", "message_type"),
    ("organizationId", "organization_id"),
    ("outboundCampaignId", "outbound_campaign_id"),
    ("outboundContactId", "outbound_contact_id"),
    ("outboundContactListId", "outbound_contact_list_id"),
    ("participantId", "participant_id"),
    ("participantStartTime", "participant_start_time"),
    ("propertyChanges", "property_changes"),
    ("provider", "provider"),
    ("queueId", "queue_id"),
    ("remoteIp", "remote_ip"),
    ("requestedLanguageId", "requested_language_id"),
    ("requestedRoutingSkillIds", "requested_routing_skill_ids"),
    ("requestedRoutingUserIds", "requested_routing_agent_refs"),
    ("requestedRoutings", "requested_routings"),
    ("requestedSkillExpressionIds", "requested_skill_expression_ids"),
    ("routingPriority", "routing_priority"),
    ("serviceName", "service_name"),
    ("sessionId", "session_id"),
    ("sessionStartTimeMs", "session_start_time"),
    ("skillExpressionApplied", "skill_expression_applied"),
    ("speechTextAnalyticsProgramId", "speech_text_analytics_program_id"),
    ("status", "status"),
    ("subject", "subject"),
    ("transcriptionStartTimeMs", "transcription_start_time"),
    ("transcripts", "transcripts"),
    ("transferType", "transfer_type"),
    ("usedRouting", "used_routing"),
    ("userDisplay", "user_display"),
    ("userHomeOrgId", "user_home_org_id"),
    ("userId", "agent_ref"),
    ("username", "username"),
    ("utilizationLabel", "utilization_label"),
    ("voicemailDurationMs", "voicemail_duration_ms"),
    ("wrapupCode", "wrapup_code"),
    ("wrapupDurationMs", "wrapup_duration_ms"),
    ("wrapupNotes", "wrapup_notes"),
];

/// The flat shapes' own members, and those by which they name a Genesys member differently.
pub(super) static FLAT: Table = LazyLock::new(|| by_name(FLAT_MEMBERS));

const FLAT_MEMBERS: &[Known] = &[
    ("accountId", "account_id"),
    ("accountNumber", "account_number"),
    ("actor", "actor"),
    ("agentId", "agent_ref"),
    ("agentName", "agent_name"),
    ("aggregateId", CONSUMED),
    ("aggregateType", CONSUMED),
    ("aggregateVersion", CONSUMED),
    ("channel", "media"),
    ("consent", CONSUMED),
    ("consentGiven", "consent_given"),
    ("contactId", "contact_id"),
    ("customFields", "custom_fields"),
    ("customerEmail", "customer_email"),
    ("customerId", "customer_id"),
    ("customerIdHash", "customer_id_hash"),
    ("customerName", "customer_name"),
    ("customerPhone", "customer_phone"),
    ("data", "data"),
    ("details", "details"),
    ("durationMs", "duration_ms"),
    ("email", "email"),
    ("entityId", "entity_id"),
    ("eventId", CONSUMED),
    ("eventType", "source_event_type"),
    ("eventVersion", CONSUMED),
    ("interactionId", CONSUMED),
    ("marketingConsent", "consent_marketing"),
    ("metadata", "metadata"),
    ("notes", "notes"),
    ("occurredAt", CONSUMED),
    ("org", CONSUMED),
    ("orgId", CONSUMED),
    ("outcome", "outcome"),
    ("payload", "payload"),
    ("phone", "phone"),
    ("phoneHash", "phone_hash"),
    ("phoneNumber", "phone_number"),
    ("piiCollected", "pii_collected"),
    ("recordingConsent", "consent_recording"),
    ("resolutionSource", "resolution_source"),
    ("resolvedCustomerId", "resolved_customer_id"),
    ("schemaVersion", CONSUMED),
    ("sequence", CONSUMED),
    ("sequenceNumber", CONSUMED),
    ("source", "source_name"),
    ("startedAt", "started_at"),
    ("tenantId", CONSUMED),
    ("time", CONSUMED),
    ("timestamp", CONSUMED),
    ("topicName", CONSUMED),
    ("transcript", "transcript"),
    ("type", "source_event_type"),
    ("version", CONSUMED),
];

/// The members of a flat event's `consent` object.
pub(super) static CONSENT: Table = LazyLock::new(|| by_name(CONSENT_MEMBERS));

const CONSENT_MEMBERS: &[Known] =
    &[("given", "consent_given"), ("marketing", "consent_marketing"), ("recording", "consent_recording")];

/// What a table says of a member.
pub(super) enum Member {
    /// A field: the source's name and the canonical one.
    Field(&'static str, &'static str),
    /// An id or time that the adapter takes for itself.
    Consumed,
    /// Drift.
    Unknown,
}

/// Looks a member up in the tables, the first that knows it.
pub(super) fn member(tables: &[&'static Table], key: &str) -> Member {
    for table in tables {
        if let Some(&(known, name)) = table.get(key) {
            return if name == CONSUMED { Member::Consumed } else { Member::Field(known, name) };
        }
    }
    Member::Unknown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_name_no_member_twice() {
        for table in [GENESYS_MEMBERS, FLAT_MEMBERS, CONSENT_MEMBERS] {
            for pair in table.windows(2) {
                assert!(pair[0].0 < pair[1].0, "{} {}", pair[0].0, pair[1].0);
            }
        }
    }
}
