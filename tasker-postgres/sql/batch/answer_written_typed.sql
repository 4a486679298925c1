SELECT
    id AS task_id, NULL::int4 AS step, NULL::int4 AS instance, NULL::uuid AS template_id,
    NULL::int4 AS attempts, NULL::int4 AS attempts_before_reset, NULL::int8 AS rank
FROM written
