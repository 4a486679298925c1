-- Those that had no claims a few leases ago are passed over: to look for claims reads all unfinished work.
SELECT id
FROM {schema}.worker
WHERE NOT ({is_alive})
AND (idle_at IS NULL OR idle_at < clock_timestamp() - 5 * lease)
