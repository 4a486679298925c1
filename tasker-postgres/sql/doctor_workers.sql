SELECT id, nullif(beat_at, '-infinity') AS last_beat, {is_alive} AS is_alive
FROM {schema}.worker
