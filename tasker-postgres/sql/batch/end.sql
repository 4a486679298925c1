ended AS (
    INSERT INTO {schema}.attempt ({columns})
    SELECT {given}
    FROM unnest({arrays}) AS given ({columns})
    WHERE given.task_id IN (SELECT id FROM written)
)
