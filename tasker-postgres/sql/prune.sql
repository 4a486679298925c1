-- Ids are ordered by the time of creation, and nothing settles before it is created.
WITH old AS MATERIALIZED (
    SELECT id
    FROM {schema}.task
    WHERE id < $1 AND state = ANY ($2) AND settled_at < $3
    ORDER BY id
    LIMIT $4
    FOR UPDATE SKIP LOCKED
),
attempts AS (DELETE FROM {schema}.attempt USING old WHERE attempt.task_id = old.id),
steps AS (DELETE FROM {schema}.step USING old WHERE step.task_id = old.id),
actions AS (DELETE FROM {schema}.action USING old WHERE action.task_id = old.id),
tags AS (DELETE FROM {schema}.tag USING old WHERE tag.task_id = old.id),
identities AS (DELETE FROM {schema}.identity USING old WHERE identity.task_id = old.id),
tasks AS (DELETE FROM {schema}.task USING old WHERE task.id = old.id RETURNING task.id)
SELECT count(*) AS pruned
FROM tasks
