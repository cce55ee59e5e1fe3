WITH ev AS (
  SELECT org, interaction_id, event_type, media, direction, queue_id, session_id, acd_outcome, customer_ref, occurred_at_ms
  FROM silver_events
  WHERE "date" BETWEEN '{from}' AND '{to}' AND interaction_id IS NOT NULL
),
contact AS (
  SELECT org, interaction_id, min(customer_ref) AS customer_ref, min(occurred_at_ms) AS first_ms,
         max(CASE WHEN event_type = 'acd.end' AND acd_outcome = 'ANSWERED' THEN 1 ELSE 0 END) AS answered,
         max(CASE WHEN event_type = 'customer.start' AND direction = 'INBOUND' THEN 1 ELSE 0 END) AS inbound
  FROM ev GROUP BY 1, 2
),
callback AS (
  SELECT DISTINCT org, interaction_id FROM ev WHERE event_type IN ('acd.start', 'acd.end') AND media = 'CALLBACK'
),
answer AS (
  SELECT org, interaction_id, queue_id, media, occurred_at_ms FROM (
    SELECT org, interaction_id, queue_id, media, occurred_at_ms,
           row_number() OVER (PARTITION BY org, interaction_id
                              ORDER BY occurred_at_ms DESC, coalesce(queue_id, ''), coalesce(session_id, '')) AS n
    FROM ev WHERE event_type = 'acd.end' AND acd_outcome = 'ANSWERED') ranked
  WHERE n = 1
),
any_next AS (
  SELECT org, interaction_id, first_ms, lead(first_ms) OVER (PARTITION BY org, customer_ref ORDER BY first_ms, interaction_id) AS next_ms
  FROM contact WHERE customer_ref IS NOT NULL AND inbound = 1
),
answered_next AS (
  SELECT org, interaction_id, first_ms, lead(first_ms) OVER (PARTITION BY org, customer_ref ORDER BY first_ms, interaction_id) AS next_ms
  FROM contact WHERE customer_ref IS NOT NULL AND inbound = 1 AND answered = 1
)
SELECT a.org, a.queue_id, CASE WHEN c.interaction_id IS NOT NULL THEN 'CALLBACK' ELSE coalesce(a.media, 'UNKNOWN') END AS media,
       a.occurred_at_ms - a.occurred_at_ms % 1800000 AS interval_start_ms,
       sum(1) AS fcr_eligible,
       sum(CASE WHEN r.next_ms IS NULL OR r.next_ms > r.first_ms + 604800000 THEN 1 ELSE 0 END) AS fcr_resolved,
       sum(CASE WHEN y.next_ms IS NULL OR y.next_ms > y.first_ms + 604800000 THEN 1 ELSE 0 END) AS no_contact_7d
FROM answer a
JOIN answered_next r ON r.org = a.org AND r.interaction_id = a.interaction_id
JOIN any_next y ON y.org = a.org AND y.interaction_id = a.interaction_id
LEFT JOIN callback c ON c.org = a.org AND c.interaction_id = a.interaction_id
WHERE a.occurred_at_ms >= {first_ms} AND a.occurred_at_ms < {end_ms}
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
