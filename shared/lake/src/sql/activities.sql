WITH ev AS (
  SELECT org, interaction_id, occurred_at_ms, CASE WHEN source_sequence IS NULL THEN 0 ELSE 1 END AS numbered, source_sequence,
         event_rank, event_id, agent_ref, queue_id, media, direction, acd_outcome,
         coalesce(session_id, communication_id, participant_id, '') AS leg,
         CASE WHEN event_type IN ('flow.start', 'flow.end') THEN 'IVR'
              WHEN event_type IN ('acd.start', 'acd.end') THEN 'Queue'
              WHEN event_type IN ('user.start', 'user.end') THEN 'Agent'
              WHEN event_type IN ('voicemail.start', 'voicemail.end') THEN 'Voicemail'
              ELSE 'After-call work' END AS activity,
         CASE WHEN event_type IN ('flow.start', 'acd.start', 'user.start', 'voicemail.start') THEN 'start'
              WHEN event_type = 'acw' THEN 'done' ELSE 'end' END AS edge,
         CASE WHEN wrapup_duration_ms BETWEEN 0 AND 31622400000 THEN wrapup_duration_ms END AS took_ms
  FROM silver_events
  WHERE "date" BETWEEN '{from}' AND '{to}' AND interaction_id IS NOT NULL
    AND event_type IN ('flow.start', 'flow.end', 'acd.start', 'acd.end', 'user.start', 'user.end', 'voicemail.start',
                       'voicemail.end', 'acw')
),
placed AS (
  SELECT ev.org, ev.interaction_id, ev.occurred_at_ms, ev.numbered, ev.source_sequence, ev.event_rank, ev.event_id, ev.agent_ref,
         ev.queue_id, ev.media, ev.direction, ev.acd_outcome, ev.leg, ev.activity, ev.edge, ev.took_ms,
         row_number() OVER (PARTITION BY org, interaction_id, activity, leg
                            ORDER BY occurred_at_ms, numbered, source_sequence, event_rank, event_id) AS place
  FROM ev
),
lasted AS (
  SELECT e.org, e.interaction_id, e.activity, e.acd_outcome, e.edge, e.occurred_at_ms AS end_ms,
         CASE WHEN e.edge = 'done' THEN e.occurred_at_ms - coalesce(e.took_ms, 0)
              ELSE coalesce(s.occurred_at_ms, e.occurred_at_ms) END AS start_ms,
         CASE WHEN e.edge = 'done' AND e.took_ms IS NOT NULL THEN 1 ELSE 0 END AS imputed,
         coalesce(e.agent_ref, s.agent_ref) AS agent_ref, coalesce(e.queue_id, s.queue_id) AS queue_id,
         coalesce(e.media, s.media) AS media, coalesce(e.direction, s.direction) AS direction,
         coalesce(s.numbered, e.numbered) AS numbered,
         CASE WHEN s.event_id IS NULL THEN e.source_sequence ELSE s.source_sequence END AS source_sequence,
         coalesce(s.event_rank, e.event_rank) AS event_rank, coalesce(s.event_id, e.event_id) AS event_id
  FROM placed e
  LEFT JOIN placed s ON e.edge = 'end' AND s.edge = 'start' AND s.org = e.org AND s.interaction_id = e.interaction_id
                    AND s.activity = e.activity AND s.leg = e.leg AND s.place = e.place - 1
  LEFT JOIN placed n ON e.edge = 'start' AND n.edge = 'end' AND n.org = e.org AND n.interaction_id = e.interaction_id
                    AND n.activity = e.activity AND n.leg = e.leg AND n.place = e.place + 1
  WHERE n.event_id IS NULL
)
SELECT org, interaction_id AS case_id,
       row_number() OVER (PARTITION BY org, interaction_id
                          ORDER BY start_ms, numbered, source_sequence, event_rank, event_id) AS event_order,
       activity, CASE WHEN edge = 'start' THEN 'start' WHEN edge = 'end' AND acd_outcome = 'ABANDON' THEN 'abort'
                      ELSE 'complete' END AS transition,
       start_ms, end_ms, imputed, agent_ref AS resource, queue_id AS queue, media, direction
FROM lasted
ORDER BY 1, 2, 3
