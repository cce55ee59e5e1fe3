WITH ev AS (
  SELECT org, division, interaction_id, session_id, event_type, media, direction, queue_id, acd_outcome, disconnect_type,
         occurred_at_ms, "date",{ev}
         CASE WHEN connected_duration_ms BETWEEN 0 AND 31622400000 THEN connected_duration_ms ELSE 0 END AS wait_ms,
         CASE WHEN interacting_duration_ms BETWEEN 0 AND 31622400000 THEN interacting_duration_ms ELSE 0 END AS talk_ms,
         CASE WHEN held_duration_ms BETWEEN 0 AND 31622400000 THEN held_duration_ms ELSE 0 END AS held_ms,
         CASE WHEN contacting_duration_ms BETWEEN 0 AND 31622400000 THEN contacting_duration_ms ELSE 0 END
           + CASE WHEN dialing_duration_ms BETWEEN 0 AND 31622400000 THEN dialing_duration_ms ELSE 0 END AS dial_ms,
         CASE WHEN alerting_duration_ms BETWEEN 0 AND 31622400000 THEN alerting_duration_ms ELSE 0 END AS alert_ms,
         CASE WHEN wrapup_duration_ms BETWEEN 0 AND 31622400000 THEN wrapup_duration_ms ELSE 0 END AS acw_ms,
         CASE WHEN survey_score_centi BETWEEN 0 AND 1000000 THEN survey_score_centi END AS survey_score_centi
  FROM silver_events
  WHERE "date" BETWEEN '{from}' AND '{to}' AND interaction_id IS NOT NULL
    AND event_type IN ('acd.start', 'acd.end', 'user.end', 'acw', 'survey')
),
callback AS (
  SELECT DISTINCT org, interaction_id FROM ev WHERE event_type IN ('acd.start', 'acd.end') AND media = 'CALLBACK'
),
sessions AS (
{sessions}
),
answer AS (
  SELECT org, interaction_id, division, queue_id, media, direction FROM (
    SELECT org, interaction_id, division, queue_id, media, direction,
           row_number() OVER (PARTITION BY org, interaction_id
                              ORDER BY occurred_at_ms DESC, coalesce(queue_id, ''), coalesce(session_id, '')) AS n
    FROM ev WHERE event_type = 'acd.end' AND acd_outcome = 'ANSWERED') ranked
  WHERE n = 1
),
fact AS (
  SELECT ev.org,{fact} coalesce(ev.division, s.division, a.division) AS division, ev.event_type, ev.occurred_at_ms,
         coalesce(ev.queue_id, s.queue_id, a.queue_id) AS queue_id,
         ev.media AS leg_media,
         CASE WHEN c.interaction_id IS NOT NULL THEN 'CALLBACK' ELSE coalesce(ev.media, s.media, a.media, 'UNKNOWN') END AS media,
         CASE WHEN c.interaction_id IS NOT NULL THEN 'INBOUND'
              ELSE coalesce(ev.direction, s.direction, a.direction, 'UNKNOWN') END AS direction,
         ev.acd_outcome, coalesce(ev.disconnect_type, '') AS disconnect_type, ev.wait_ms, ev.talk_ms, ev.held_ms, ev.dial_ms,
         ev.alert_ms, ev.acw_ms, ev.survey_score_centi, ev.talk_ms + ev.held_ms + ev.dial_ms AS contact_ms,
         CASE WHEN ev.event_type = 'user.end' THEN coalesce(s.acw_ms, 0) ELSE 0 END AS session_acw_ms
  FROM ev
  LEFT JOIN sessions s ON ev.event_type IN ('acw', 'user.end') AND s.org = ev.org AND s.interaction_id = ev.interaction_id
                      AND s.session_id = ev.session_id
  LEFT JOIN callback c ON c.org = ev.org AND c.interaction_id = ev.interaction_id
  LEFT JOIN answer a ON ev.event_type = 'survey' AND a.org = ev.org AND a.interaction_id = ev.interaction_id
  WHERE ev."date" = '{date}'
)
SELECT f.org, f.division, f.queue_id, f.media, f.direction,
       f.occurred_at_ms - f.occurred_at_ms % 1800000 AS interval_start_ms,
       sum(CASE WHEN f.event_type = 'acd.start' THEN 1 ELSE 0 END) AS offered,
       sum(CASE WHEN f.event_type = 'acd.end' AND f.acd_outcome = 'ANSWERED' THEN 1 ELSE 0 END) AS answered,
       sum(CASE WHEN f.event_type = 'acd.end' AND f.acd_outcome = 'ABANDON' THEN 1 ELSE 0 END) AS abandoned,
       sum(CASE WHEN f.event_type = 'acd.end' AND f.acd_outcome = 'ABANDON' AND f.wait_ms < 5000 THEN 1 ELSE 0 END) AS abandoned_short,
       sum(CASE WHEN f.event_type = 'acd.end' AND f.acd_outcome = 'FLOW_OUT' THEN 1 ELSE 0 END) AS flow_out,
       sum(CASE WHEN f.event_type = 'acd.end' AND coalesce(f.acd_outcome, 'UNKNOWN') NOT IN ('ANSWERED', 'ABANDON', 'FLOW_OUT')
                THEN 1 ELSE 0 END) AS outcome_unknown,
       {within}
       sum(CASE WHEN f.event_type = 'acd.end' AND f.acd_outcome = 'ANSWERED' THEN f.wait_ms ELSE 0 END) AS answer_wait_ms,
       sum(CASE WHEN f.event_type = 'acd.end' AND f.acd_outcome = 'ABANDON' THEN f.wait_ms ELSE 0 END) AS abandon_wait_ms,
       sum(CASE WHEN f.event_type = 'user.end' AND (f.contact_ms > 0 OR NOT (
                     f.disconnect_type IN ('NO_ANSWER_TRANSFER', 'NOT_AVAILABLE_TRANSFER', 'DND_TRANSFER', 'DND_ENDPOINT')
                     OR coalesce(f.leg_media, '') = 'CALLBACK')) THEN 1 ELSE 0 END) AS handled,
       sum(CASE WHEN f.event_type = 'user.end' AND (f.contact_ms > 0 OR f.session_acw_ms > 0) THEN 1 ELSE 0 END) AS handle_sessions,
       sum(CASE WHEN f.event_type = 'user.end' AND f.talk_ms = 0 AND f.alert_ms > 0
                     AND f.disconnect_type IN ('NO_ANSWER_TRANSFER', 'NOT_AVAILABLE_TRANSFER', 'DND_TRANSFER')
                THEN 1 ELSE 0 END) AS not_responding,
       sum(CASE WHEN f.event_type = 'user.end' THEN f.talk_ms ELSE 0 END) AS talk_ms,
       sum(CASE WHEN f.event_type = 'user.end' THEN f.held_ms ELSE 0 END) AS held_ms,
       sum(CASE WHEN f.event_type = 'user.end' THEN f.dial_ms ELSE 0 END) AS dial_ms,
       sum(CASE WHEN f.event_type = 'acw' THEN f.acw_ms ELSE 0 END) AS acw_ms,
       sum(CASE WHEN f.event_type = 'user.end' AND f.disconnect_type = 'TRANSFER' THEN 1 ELSE 0 END) AS transfers_blind,
       sum(CASE WHEN f.event_type = 'user.end' AND f.disconnect_type IN ('CONSULT_TRANSFER', 'CONFERENCE_TRANSFER', 'FORWARD_TRANSFER')
                THEN 1 ELSE 0 END) AS transfers_consulted,
       sum(CASE WHEN f.event_type = 'survey' AND f.survey_score_centi IS NOT NULL THEN 1 ELSE 0 END) AS surveys,
       sum(CASE WHEN f.event_type = 'survey' THEN coalesce(f.survey_score_centi, 0) ELSE 0 END) AS survey_score_centi,
       sum(1) AS events
FROM fact f
GROUP BY 1, 2, 3, 4, 5, 6
ORDER BY 1, 2, 3, 4, 5, 6
