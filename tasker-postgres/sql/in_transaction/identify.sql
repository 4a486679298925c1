identified AS (
    INSERT INTO {schema}.identity ({columns})
    VALUES {rows}
    ON CONFLICT DO NOTHING
    RETURNING task_id
)
