SELECT step.task_id, step.step, step.instance, step.input::text
FROM unnest($1::uuid[], $2::int4[], $3::int4[]) AS given (task_id, step, instance)
JOIN {schema}.step
    ON step.task_id = given.task_id AND step.step = given.step AND step.instance = given.instance
WHERE step.input IS NOT NULL
