UPDATE {schema}.task
SET context = $2::json
WHERE id = $1
