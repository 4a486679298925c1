SELECT task_id, step, instance, template_id, attempts, attempts_before_reset, rank
FROM taken
UNION ALL
SELECT task_id, -1, instance, NULL, 0, 0, rank
FROM (SELECT * FROM ready EXCEPT SELECT * FROM chosen) AS left_over
