tagged AS (
    INSERT INTO {schema}.tag ({columns})
    SELECT {given}
    FROM unnest({arrays}) AS given ({columns})
    WHERE given.task_id IN (SELECT id FROM written)
    ON CONFLICT DO NOTHING
)
