-- The notice goes out with the caller's commit.
INSERT INTO {schema}.step ({columns}, namespace)
SELECT given.*, template.namespace
FROM created
JOIN {schema}.template ON template.id = created.template_id
CROSS JOIN LATERAL (SELECT pg_notify({channel}, '')) AS notice
CROSS JOIN (VALUES {rows}) AS given ({columns})
