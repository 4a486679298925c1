acted AS (
    INSERT INTO {schema}.action ({columns}, number)
    SELECT
        {given},
        (SELECT count(*) + 1 FROM {schema}.action AS earlier WHERE earlier.task_id = given.task_id)
    FROM unnest({arrays}) AS given ({columns})
    WHERE given.task_id IN (SELECT id FROM written)
)
