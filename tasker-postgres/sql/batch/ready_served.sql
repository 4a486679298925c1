-- As in `ready.sql`; each namespace is looked at for itself, in the order of its own part of the index.
ready AS MATERIALIZED (
    SELECT ready.task_id, ready.step, ready.instance, ready.rank
    FROM unnest($6::text[]) AS served (namespace)
    CROSS JOIN LATERAL (
        SELECT task_id, step, instance, rank
        FROM {schema}.step
        WHERE step.namespace = served.namespace AND rank IS NOT NULL AND due_at IS NULL
        AND (template_id, step) NOT IN (SELECT * FROM unnest($4::uuid[], $5::int4[]))
        ORDER BY rank, task_id, step, instance
        LIMIT CASE WHEN {unwritten} THEN 0 ELSE $3 + 1 END
        FOR UPDATE SKIP LOCKED
    ) AS ready
)
