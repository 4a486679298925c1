ended AS (
    INSERT INTO {schema}.attempt ({columns})
    SELECT {values}
    FROM written
    WHERE id = $1
)
