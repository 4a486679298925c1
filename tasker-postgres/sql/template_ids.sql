SELECT id
FROM {schema}.template
