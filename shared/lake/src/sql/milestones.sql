SELECT org, interaction_id AS case_id,
       row_number() OVER (PARTITION BY org, interaction_id
                          ORDER BY occurred_at_ms, CASE WHEN source_sequence IS NULL THEN 0 ELSE 1 END, source_sequence,
                                   event_rank, event_id) AS event_order,
       activity, 'complete' AS transition, occurred_at_ms,
       occurred_at_ms - lag(occurred_at_ms) OVER (PARTITION BY org, interaction_id
                          ORDER BY occurred_at_ms, CASE WHEN source_sequence IS NULL THEN 0 ELSE 1 END, source_sequence,
                                   event_rank, event_id) AS since_previous_ms,
       agent_ref AS resource, event_type, queue_id AS queue, flow_id AS flow, outbound_campaign_id AS campaign,
       coalesce(session_id, communication_id, participant_id) AS leg, media, direction, acd_outcome, disconnect_type, wrapup_code,
       flow_outcome
FROM silver_events
WHERE "date" BETWEEN '{from}' AND '{to}' AND interaction_id IS NOT NULL
ORDER BY 1, 2, 3
