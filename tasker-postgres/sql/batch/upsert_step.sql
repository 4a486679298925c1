upserted AS (
    INSERT INTO {schema}.step ({columns}, namespace)
    SELECT
        {given},
        (SELECT template.namespace FROM {schema}.template WHERE template.id = given.template_id)
    FROM unnest({arrays}) AS given ({columns})
    WHERE given.task_id IN (SELECT id FROM written)
    ON CONFLICT (task_id, step, instance) DO UPDATE
    SET {updates}
)
