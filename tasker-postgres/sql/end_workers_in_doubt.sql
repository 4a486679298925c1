-- As if the leases had just run out: a claim that is made after this by a statement of theirs is still found
-- by their rows, which are kept for as long as those of workers that have died.
UPDATE {schema}.worker
SET beat_at = clock_timestamp() - lease - interval '1 second'
WHERE id = ANY ($1)
