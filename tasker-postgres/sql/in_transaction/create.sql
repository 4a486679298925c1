created AS (
    INSERT INTO {schema}.task ({columns}, state)
    SELECT given.*, 'in_progress'
    FROM (VALUES {rows}) AS given ({columns})
    RETURNING id, template_id
)
