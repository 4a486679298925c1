-- One more than can be claimed is looked at, to tell whether there is more. Nothing is claimed when a task
-- was not written (`{unwritten}`): how many claims are made depends on that.
ready AS MATERIALIZED (
    SELECT task_id, step, instance, rank
    FROM {schema}.step
    WHERE rank IS NOT NULL AND due_at IS NULL
    AND (template_id, step) NOT IN (SELECT * FROM unnest($4::uuid[], $5::int4[]))
    ORDER BY rank, task_id, step, instance
    LIMIT CASE WHEN {unwritten} THEN 0 ELSE $3 + 1 END
    FOR UPDATE SKIP LOCKED
)
