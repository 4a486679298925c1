-- Permits of workers that are dead, or have no row.
SELECT permit.scope, permit.name, permit.worker_id, permit.held
FROM {schema}.permit
WHERE permit.held > 0
AND NOT EXISTS (
    SELECT FROM {schema}.worker
    WHERE worker.id = permit.worker_id AND {is_alive}
)
