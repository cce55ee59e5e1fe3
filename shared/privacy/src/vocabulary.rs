//! The closed vocabularies of the policy: enumerations of the Genesys models, and those that our own adapters define.
//!
//! Invariant: no word here can name a person. Sources write them in any case; what is stored is the spelling here. A rule
//! names a vocabulary by the name that it has in [`ALL`].

/// A closed list of words and its name in rules.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Vocabulary {
    pub(crate) name: &'static str,
    pub(crate) words: &'static [&'static str],
}

impl Vocabulary {
    /// The vocabulary of this name.
    pub(crate) fn of(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|vocabulary| vocabulary.name == name)
    }

    /// The word as it is stored, if the text is one of these in any case.
    pub(crate) fn spelling(&self, text: &str) -> Option<&'static str> {
        self.words.iter().find(|word| word.eq_ignore_ascii_case(text)).copied()
    }
}

/// All vocabularies, sorted by name.
pub(crate) const ALL: &[Vocabulary] = &[
    Vocabulary { name: "acd_outcome", words: ACD_OUTCOME },
    Vocabulary { name: "action", words: ACTION },
    Vocabulary { name: "direction", words: DIRECTION },
    Vocabulary { name: "disconnect_type", words: DISCONNECT_TYPE },
    Vocabulary { name: "entity_type", words: ENTITY_TYPE },
    Vocabulary { name: "exit_reason", words: EXIT_REASON },
    Vocabulary { name: "flow_outcome", words: FLOW_OUTCOME },
    Vocabulary { name: "flow_type", words: FLOW_TYPE },
    Vocabulary { name: "media", words: MEDIA },
    Vocabulary { name: "message_type", words: MESSAGE_TYPE },
    Vocabulary { name: "outcome", words: OUTCOME },
    Vocabulary { name: "provider", words: PROVIDER },
    Vocabulary { name: "resolution_source", words: RESOLUTION_SOURCE },
    Vocabulary { name: "routing", words: ROUTING },
    Vocabulary { name: "service_name", words: SERVICE_NAME },
    Vocabulary { name: "status", words: STATUS },
    Vocabulary { name: "transfer_type", words: TRANSFER_TYPE },
    Vocabulary { name: "wrapup_code", words: WRAPUP_CODE },
];

/// What carried the interaction: the models' media types and the flat shapes' channels.
pub const MEDIA: &[&str] = &[
    "CALLBACK", "CHAT", "COBROWSE", "EMAIL", "INTERNALMESSAGE", "MESSAGE", "PHONE", "SCREENMONITORING", "SCREENSHARE",
    "SMS", "SOCIAL", "UNKNOWN", "VIDEO", "VOICE", "WEBCHAT",
];

/// The messaging service.
const MESSAGE_TYPE: &[&str] = &[
    "APPLE", "FACEBOOK", "INSTAGRAM", "LINE", "LINKEDIN", "OPEN", "SMS", "TWITTER", "UNKNOWN", "WEBMESSAGING",
    "WHATSAPP",
];

/// Who started it.
const DIRECTION: &[&str] = &["INBOUND", "OUTBOUND", "UNKNOWN"];

/// Why a leg ended.
const DISCONNECT_TYPE: &[&str] = &[
    "CLIENT", "CONFERENCE_TRANSFER", "CONSULT_TRANSFER", "DND_ENDPOINT", "DND_TRANSFER", "ENDPOINT", "ERROR",
    "FORWARD_TRANSFER", "INACTIVITY", "NOT_AVAILABLE_TRANSFER", "NO_ANSWER_TRANSFER", "OTHER", "PEER",
    "SESSION_EXPIRED", "SPAM", "SYSTEM", "TAKEOVER", "TIMEOUT", "TRANSFER", "TRANSPORT_FAILURE", "UNCALLABLE",
    "UNKNOWN",
];

/// How waiting in a queue ended.
const ACD_OUTCOME: &[&str] = &["ABANDON", "ANSWERED", "FLOW_OUT", "UNKNOWN"];

/// How a flow ended.
const FLOW_OUTCOME: &[&str] = &["FAILURE", "SUCCESS", "UNKNOWN"];

/// What a flow serves.
const FLOW_TYPE: &[&str] = &[
    "BOT", "COMMONMODULE", "DIGITALBOT", "INBOUNDCALL", "INBOUNDCHAT", "INBOUNDEMAIL", "INBOUNDSHORTMESSAGE",
    "INQUEUECALL", "INQUEUEEMAIL", "INQUEUESHORTMESSAGE", "OUTBOUNDCALL", "SECURECALL", "SURVEYINVITE", "UNKNOWN",
    "VOICE", "VOICEMAIL", "VOICESURVEY", "WORKFLOW", "WORKITEM",
];

/// Why a flow was left.
const EXIT_REASON: &[&str] = &[
    "DISCONNECT", "FLOW_DISCONNECT", "FLOW_ERROR_DISCONNECT", "FLOW_ERROR_EXIT", "FLOW_EXIT",
    "RECOGNITION_FAILURE_DISCONNECT", "RECOGNITION_FAILURE_EXIT", "SESSION_EXPIRE_DISCONNECT", "TRANSFER", "UNKNOWN",
    "USER_EXIT",
];

/// What a flow handed over to.
const TRANSFER_TYPE: &[&str] = &[
    "ACD", "ACD_VOICEMAIL", "FLOW", "GROUP", "GROUP_VOICEMAIL", "NUMBER", "RETURN_TO_AGENT", "SECURE_FLOW", "UNKNOWN",
    "USER", "USER_VOICEMAIL",
];

/// The routing methods of a queue.
const ROUTING: &[&str] =
    &["BULLSEYE", "CONDITIONAL", "LAST", "MANUAL", "OTHER", "PREDICTIVE", "PREFERRED", "STANDARD", "UNKNOWN", "VIP"];

/// The service that an audit is about.
const SERVICE_NAME: &[&str] = &[
    "AgentConfig", "Alerting", "AnalyticsReporting", "AnomalyDetection", "Architect", "Assistants", "Billing",
    "BusinessRules", "Callback", "Coaching", "ContactCenter", "ContentManagement", "ConversationRefinement",
    "Conversations", "DSAR", "Datatables", "Directory", "Emails", "EmbeddedAnalytics", "EmployeeEngagement",
    "EmployeePerformance", "ExternalContacts", "ExternalContactsExport", "GDPR", "Gamification", "GenesysCloudCopilot",
    "Groups", "Integrations", "JourneyAnalytics", "Knowledge", "LanguageUnderstanding", "Learning", "Limits",
    "Locations", "LogCapture", "Marketplace", "Messaging", "NerService", "NumberPurchasing", "Onboarding", "Outbound",
    "PeoplePermissions", "PredictiveEngagement", "Presence", "ProcessAutomation", "Quality", "ResponseManagement",
    "Routing", "SCIM", "Scripter", "SocialEscalationRules", "SocialListening", "SpeechAndTextAnalytics",
    "Supportability", "TaskManagement", "Telephony", "Triggers", "UsersRules", "WebDeployments", "Webhooks",
    "WorkforceManagement",
];

/// What an audit says was done.
const ACTION: &[&str] = &[
    "Abandon", "Activate", "Active", "Add", "AddPairingRole", "Append", "ApplyProtection", "Approve", "Approved",
    "Archive", "AsgInservice", "AsgSwapInstanceType", "AsgTerminate", "Assign", "Authenticate", "AuthenticationFailed",
    "AuthorizationChanged", "Authorize", "AwsOutofservice", "Block", "BlockUpgrade", "BulkDelete", "Calculate",
    "Cancel", "ChangeImplemented", "ChangePassword", "Checkin", "Checkout", "Complete", "ContactsDeleted",
    "ContactsUpdated", "Convert", "Copy", "Create", "Cycle", "Deactivate", "Deauthorize", "Debug", "Delete",
    "DeleteAll", "DeleteGhostEdgeRecord", "DeleteUnconfiguredEdge", "Deleted", "Detach", "Disable", "Download",
    "DownloadCapture", "Edit", "Enable", "EnableCapture", "Execute", "Export", "Failed", "Fax", "GetAllResults",
    "GetAllResultsDownload", "GetAsg", "GetAsgList", "GetAwsConfig", "GetChartResults", "GetChartResultsDownload",
    "HardDelete", "ImplementingChange", "ImplementingRollback", "InReview", "Initiate", "IpAllowlistClear",
    "LicenseUpdate", "MemberAdd", "MemberRemove", "MemberUpdate", "Move", "Open", "Processed", "Provisioned", "Publish",
    "Purge", "Read", "Reassign", "Receive", "RecreateAsg", "Recycle", "Reject", "Rejected", "Remove", "Replace",
    "Reschedule", "Reset", "Restore", "RestoreAll", "RestoreComplete", "RestoreDeleted", "RestoreRequest", "Reverse",
    "ReverseManually", "Revert", "Revoke", "RevokeProtection", "Rollback", "RollbackImplemented", "Rotate", "Save",
    "Scale", "Send", "ShareAdd", "ShareRemove", "SingleLogout", "SingleLogoutFailed", "SoftDelete", "Start", "Stop",
    "Submit", "Succeeded", "TagAdd", "TagRemove", "TagUpdate", "Terminate", "Transcode", "Unarchive", "Unassign",
    "Unblock", "UnblockUpgrade", "Unpublish", "Update", "UpdateAborted", "UpdateAwsConfig", "UpdateInService",
    "UpdateOutOfService", "UpdateRetention", "UpgradeCleanup", "UpgradeOrganizationSite", "Upload", "Verify",
    "VersionCreate", "View", "WrapupCodeAdd", "WrapupCodeRemove", "Write",
];

/// What an audit says it was done to.
const ENTITY_TYPE: &[&str] = &[
    "AccessToken", "Action", "ActionDraft", "ActionMap", "ActionTemplate", "ActivityCode", "ActivityPlan",
    "ActivityPlanOccurrence", "ActivityPlanOccurrenceSession", "ActivityPlanOccurrenceSessionUser",
    "AdherenceAdjustment", "AdherenceAdjustmentReasonCode", "AdherenceExplanation", "Agent", "AgentRoutingInfo",
    "AgentSchedulingPreferences", "AgentScoringRule", "AlertablePresencesOverrides", "AllowAndBlockNumber",
    "AlternativeShift", "Analyses", "AnalyticsLakehouseSettings", "AnalyticsReportingSettings", "Annotation",
    "AnomalyDetectionSettings", "Appointment", "Assignment", "Assistant", "AssistantQueue", "AttemptLimits",
    "AuthOrganization", "AuthUser", "Bulk", "BulkActions", "BulkDisconnectRequest", "BulkJob", "BusinessUnit",
    "Calibration", "CallAnalysisResponseSet", "CallableTimeSet", "CallerIdGroup", "Campaign", "CampaignRule",
    "CampaignSchedule", "CapacityPlan", "Category", "ChangeRequest", "ClickstreamSettings", "ComposerPage",
    "ComposerPublishedScript", "ComposerScript", "ComposerTemplate", "Configuration", "ConfigurationVersion", "Contact",
    "ContactList", "ContactListFilter", "ContactListTemplate", "ContactSchema", "Contest", "Conversation",
    "ConversationAccessAttributes", "ConversationAccount", "ConversationAttributes",
    "ConversationDefaultSupportedContent", "ConversationPhoneNumber", "ConversationRecipient",
    "ConversationThreadingWindow", "Credential", "CustomCalculations", "CustomEntity", "DID", "DIDPool", "DNCList",
    "Dashboard", "DashboardSettings", "DecisionMetrics", "DecisionTable", "DecisionTableExportJob",
    "DecisionTableImportJob", "DecisionTableRow", "DecisionTableSnapshot", "DecisionTableVersion",
    "DefaultPanelSettings", "DependencyTrackingBuild", "Deployment", "DictionaryFeedback", "DigitalRuleSet",
    "DirectoryFeature", "DirectoryGroup", "Document", "DsarRequest", "Edge", "EdgeGroup", "EdgeLog", "EdgeLogZip",
    "EdgePcaps", "EdgePreferences", "EdgeTraceLevel", "EmailCampaignSchedule", "EmailSetting", "EmergencyGroup",
    "EnterpriseAgreement", "EscalationRule", "Evaluation", "EvaluationForm", "EventType", "ExportPdfTemplates",
    "ExportRequest", "Exports", "Extension", "ExtensionPool", "ExternalMetricsData", "ExternalMetricsDefinition",
    "ExternalOrg", "ExternalOrganizationSchema", "Feedback", "FileSpecificationTemplate", "Flow", "FlowMilestone",
    "FlowOutcome", "Forecast", "GcvByocBlock", "GdprRequest", "Grammar", "GrammarLanguage", "GraphSettings",
    "HistoricalData", "IVR", "IdentityProvider", "ImportTemplate", "InboundDomain", "InboundRoute", "InsightSettings",
    "Integration", "IntentMiner", "InteractionReprocessingJob", "JourneyView", "KnowledgeBase", "KnowledgeBaseSource",
    "KnowledgeCategory", "KnowledgeContext", "KnowledgeContextValue", "KnowledgeDocument", "KnowledgeDocumentVariation",
    "KnowledgeFabricSource", "KnowledgeLabel", "KnowledgeSearchFeedback", "KnowledgeTraining", "KpiSpecification",
    "Line", "LineBase", "Location", "MFAVerifier", "ManagementUnit", "MaxOrgRoutingUtilizationCapacity",
    "MediaDiagnosticsTraceFile", "MessagingCampaign", "MessagingCampaignSchedule", "Metric", "Migration", "Module",
    "MonitoredQueue", "Note", "NumberOrder", "NumberPlan", "NumberRouting", "OAuthClient", "OAuthClientAuthorization",
    "OperationalEvent", "Opportunity", "Organization", "OrganizationAuthorizationTrust",
    "OrganizationAuthorizationUserTrust", "OrganizationFeature", "OrganizationIntegrationsAccess", "OrganizationLimits",
    "OrganizationLink", "OrganizationSettings", "OrganizationSuspension", "OrphanedRecording", "OutboundDomain",
    "OutboundRoute", "Outcome", "Participant", "Pcaps", "Phone", "PhoneBase", "PlanningGroup", "Policy", "Predictor",
    "Product", "Profile", "ProfileMembers", "Program", "Prompt", "PromptResource", "Queue", "QueueAnomaly",
    "Recognition", "Recording", "RecordingAnnotation", "RecordingKey", "RecordingKeyConfig", "RecordingSettings",
    "RefinementConfiguration", "Relationship", "Response", "ResponseAsset", "ResponseLibrary", "Role", "RoleSettings",
    "RoutingLanguage", "RoutingSkill", "RoutingTranscriptionSettings", "RoutingUtilizationTag", "Row", "Rule",
    "RuleCategory", "RuleSet", "Rules", "RulesOfBehavior", "SavedViews", "Schedule", "ScheduleGroup", "ScheduleSetBid",
    "ScheduleSetBidGroup", "ScheduledExports", "Schema", "ScreenMonitoring", "ScreenRecording", "Segment",
    "SelfSchedule", "Sender", "SentimentFeedback", "Sequence", "SequenceSchedule", "ServiceGoalTemplate", "SessionType",
    "Settings", "ShiftTrade", "Site", "SkillGroup", "SkillGroupDefinition", "SnippetRecording",
    "SnippetRecordingSettings", "SocialMediaMessage", "SoftSuspension", "SpeechTextAnalyticsSettings", "StaffingGroup",
    "Status", "SupportFile", "SupportedContent", "Survey", "SurveyForm", "Suspension", "Tag", "Team", "TimeOffLimit",
    "TimeOffPlan", "TimeOffRequest", "Topic", "TopicMiner", "TranscriptionSettings", "Trigger", "Trunk", "TrunkBase",
    "User", "UserPresence", "UserSamlAuthentication", "Users", "VendorListing", "VoicemailPolicy",
    "VoicemailUserPolicy", "Webhook", "WhatsAppCampaignSchedule", "WorkPlan", "WorkPlanBid", "WorkPlanBidGroup",
    "WorkPlanRotation", "Workbin", "Workspace", "Worktype", "WrapUpCodeMapping", "WrapupCode",
];

/// The media providers of the platform, as its events name them.
const PROVIDER: &[&str] = &[
    "Edge", "PureCloud Callback", "PureCloud Cobrowse", "PureCloud Email", "PureCloud Messaging", "PureCloud Video",
    "PureCloud Voice", "PureCloud Voicemail", "PureCloud Webchat", "PureCloud Webchat v2",
];

/// Wrap-up codes that the platform itself sets; all others are UUIDs.
const WRAPUP_CODE: &[&str] = &[
    "ININ-OUTBOUND-AMBIGUOUS", "ININ-OUTBOUND-BUSY", "ININ-OUTBOUND-CAMPAIGN-FORCED-OFF", "ININ-OUTBOUND-DISCONNECT",
    "ININ-OUTBOUND-FAILED-TO-REACH-AGENT", "ININ-OUTBOUND-FAX", "ININ-OUTBOUND-MACHINE", "ININ-OUTBOUND-NO-ANSWER",
    "ININ-OUTBOUND-TRANSFERRED-TO-FLOW", "ININ-WRAP-UP-FORCED", "ININ-WRAP-UP-SKIPPED", "ININ-WRAP-UP-TIMEOUT",
];

/// How an interaction ended, in the words of the flat shapes.
const OUTCOME: &[&str] = &[
    "ABANDONED", "ANSWERED", "BUSY", "CALLBACK_REQUESTED", "COMPLETED", "CONTAINED", "DROPPED", "ESCALATED", "FAILED",
    "NO_ANSWER", "RESOLVED", "TRANSFERRED", "UNKNOWN", "UNRESOLVED", "VOICEMAIL",
];

/// How a request, a deletion, an action or a survey went.
const STATUS: &[&str] = &[
    "CANCELLED", "COMPLETED", "ERROR", "EXPIRED", "FAILED", "FAILURE", "FINISHED", "INPROGRESS", "IN_PROGRESS",
    "INITIATED", "OPTOUT", "PARTIAL", "PENDING", "REJECTED", "SENT", "SUCCESS", "UNKNOWN",
];

/// What told who a customer is.
const RESOLUTION_SOURCE: &[&str] = &[
    "AGENT", "ANI", "ARCHITECT", "CDP", "CRM", "DATA_ACTION", "IDENTITY_PROVIDER", "IVR", "LOGIN", "MANUAL", "OTP",
    "UNKNOWN", "VOICE_BIOMETRICS", "WEB",
];
