created AS (
    INSERT INTO {schema}.task ({columns}, state)
    SELECT {given}, 'in_progress'
    FROM unnest({arrays}) AS given ({columns})
    ON CONFLICT (id) DO NOTHING
    RETURNING id
)
