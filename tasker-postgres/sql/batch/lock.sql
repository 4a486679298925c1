-- Tasks whose epoch is the one that we know, locked in the order of their ids, as everybody does it.
locked AS MATERIALIZED (
    SELECT task.id
    FROM {schema}.task
    JOIN unnest({arrays}) AS given ({columns}) ON given.id = task.id
    WHERE task.epoch = given.epoch
    ORDER BY task.id
    FOR NO KEY UPDATE OF task
)
