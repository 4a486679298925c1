tagged AS (
    INSERT INTO {schema}.tag ({columns})
    SELECT given.*
    FROM (VALUES {rows}) AS given ({columns})
    WHERE EXISTS (SELECT FROM created)
    ON CONFLICT DO NOTHING
)
