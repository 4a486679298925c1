UPDATE {schema}.worker
SET beat_at = '-infinity'
WHERE id = ANY ($1)
