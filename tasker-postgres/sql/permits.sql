-- Permits of workers that are alive: no others count. Conditions may be added.
SELECT permit.scope, permit.name, permit.worker_id, permit.held, permit.wanted, permit.starved_since
FROM {schema}.permit
JOIN {schema}.worker ON worker.id = permit.worker_id
WHERE {is_alive}
