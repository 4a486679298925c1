SELECT id
FROM written
