-- Writes what was decided, and deletes the permits that dead workers had under the same limits.
WITH decided AS (
    SELECT *
    FROM unnest({arrays}) AS given ({columns})
),
starts AS (
    UPDATE {schema}.fleet_limit
    SET next_start = decided.next_start
    FROM decided
    WHERE fleet_limit.scope = decided.scope AND fleet_limit.name = decided.name
    AND decided.next_start IS NOT NULL
),
freed AS (
    DELETE FROM {schema}.permit
    USING decided
    WHERE permit.scope = decided.scope AND permit.name = decided.name
    AND CASE
        WHEN permit.worker_id = decided.worker_id THEN decided.held = 0 AND decided.wanted = 0
        ELSE NOT EXISTS (
            SELECT FROM {schema}.worker
            WHERE worker.id = permit.worker_id
            AND {is_alive}
        )
    END
)
INSERT INTO {schema}.permit AS permit (scope, name, worker_id, held, wanted, starved_since)
SELECT scope, name, worker_id, held, wanted, starved_since
FROM decided
WHERE held > 0 OR wanted > 0
ON CONFLICT (scope, name, worker_id) DO UPDATE
SET held = excluded.held, wanted = excluded.wanted, starved_since = excluded.starved_since
WHERE (permit.held, permit.wanted, permit.starved_since)
    IS DISTINCT FROM (excluded.held, excluded.wanted, excluded.starved_since)
