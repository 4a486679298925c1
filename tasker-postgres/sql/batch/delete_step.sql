deleted AS (
    DELETE FROM {schema}.step
    USING unnest({arrays}) AS given ({columns})
    WHERE step.task_id = given.task_id AND step.step = given.step AND step.instance = given.instance
    AND given.task_id IN (SELECT id FROM written)
)
