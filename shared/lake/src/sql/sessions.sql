SELECT org, interaction_id, session_id,
       max(CASE WHEN event_type = 'user.end' THEN queue_id END) AS queue_id,
       max(CASE WHEN event_type = 'user.end' THEN media END) AS media,
       max(CASE WHEN event_type = 'user.end' THEN division END) AS division,
       max(CASE WHEN event_type = 'user.end' THEN direction END) AS direction,
       max(CASE WHEN event_type = 'user.end' THEN agent_ref END) AS agent_ref,
       max(CASE WHEN event_type = 'user.end' THEN disconnect_type END) AS disconnect_type,
       min(occurred_at_ms) AS first_ms,
       max(occurred_at_ms) AS last_ms,
       sum(CASE WHEN event_type = 'user.end' AND interacting_duration_ms BETWEEN 0 AND 31622400000 THEN interacting_duration_ms ELSE 0 END) AS talk_ms,
       sum(CASE WHEN event_type = 'user.end' AND held_duration_ms BETWEEN 0 AND 31622400000 THEN held_duration_ms ELSE 0 END) AS held_ms,
       sum(CASE WHEN event_type = 'acw' AND wrapup_duration_ms BETWEEN 0 AND 31622400000 THEN wrapup_duration_ms ELSE 0 END) AS acw_ms
FROM silver_events
WHERE "date" BETWEEN '{from}' AND '{to}' AND interaction_id IS NOT NULL AND session_id IS NOT NULL
  AND event_type IN ('user.start', 'user.end', 'acw')
GROUP BY 1, 2, 3
