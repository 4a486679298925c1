-- Of tasks with an identity, those whose identity is not taken.
created AS (
    INSERT INTO {schema}.task ({columns}, state)
    SELECT {given}, 'in_progress'
    FROM unnest({arrays}, {next}::bytea[]) AS given ({columns}, hash)
    WHERE given.hash IS NULL OR given.id IN (SELECT task_id FROM identified)
    ON CONFLICT (id) DO NOTHING
    RETURNING id
)
