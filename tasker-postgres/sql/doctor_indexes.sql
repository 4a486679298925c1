-- The indexes of the schema, and whether each is in use.
SELECT index.relname::text AS name, pg_index.indisvalid AND pg_index.indisready AS is_valid
FROM pg_index
JOIN pg_class AS index ON index.oid = pg_index.indexrelid
JOIN pg_namespace ON pg_namespace.oid = index.relnamespace
WHERE pg_namespace.nspname = $1
