locked AS MATERIALIZED (
    SELECT id
    FROM {schema}.task
    WHERE id = $1 AND epoch = $2
    FOR NO KEY UPDATE
)
