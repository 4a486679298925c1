-- What is known of an action beyond its word, as JSON: of a task that was given up, where it was and
-- why; of an investigation, what it came to.
ALTER TABLE action ADD COLUMN details TEXT;

-- Tasks that were given up are few among all, and are listed by this.
CREATE INDEX action_given_up ON action (task_id) WHERE action = 'give_up';
