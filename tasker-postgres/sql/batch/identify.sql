identified AS (
    INSERT INTO {schema}.identity ({columns})
    SELECT {given}
    FROM unnest({arrays}) AS given ({columns})
    WHERE given.hash IS NOT NULL
    ORDER BY given.hash
    ON CONFLICT DO NOTHING
    RETURNING task_id
)
