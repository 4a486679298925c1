updated AS (
    UPDATE {schema}.task
    SET
        epoch = given.epoch, state = given.state,
        settled_at = CASE WHEN given.state_changed THEN given.settled_at ELSE task.settled_at END,
        worker_id = CASE WHEN given.is_over THEN NULL ELSE task.worker_id END,
        claimed = CASE WHEN given.is_over THEN NULL ELSE task.claimed END
    FROM unnest({arrays}) AS given ({columns})
    JOIN locked ON locked.id = given.id
    WHERE task.id = locked.id
)
