SELECT task_id FROM {schema}.identity WHERE hash = $1
