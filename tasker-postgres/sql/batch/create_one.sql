created AS (
    INSERT INTO {schema}.task ({columns}, state)
    VALUES ({values}, 'in_progress')
    ON CONFLICT (id) DO NOTHING
    RETURNING id
)
