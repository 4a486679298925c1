created AS (
    INSERT INTO {schema}.task ({columns}, state)
    SELECT given.*, 'in_progress'
    FROM (VALUES {rows}) AS given ({columns})
    WHERE EXISTS (SELECT FROM identified)
    RETURNING id, template_id
)
