-- What a worker says of itself; `namespaces` is a list as JSON, and NULL for all.
ALTER TABLE worker ADD COLUMN host TEXT NOT NULL DEFAULT '';
ALTER TABLE worker ADD COLUMN version TEXT NOT NULL DEFAULT '';
ALTER TABLE worker ADD COLUMN namespaces TEXT;
ALTER TABLE worker ADD COLUMN handlers INTEGER NOT NULL DEFAULT 0;
ALTER TABLE worker ADD COLUMN concurrency INTEGER NOT NULL DEFAULT 0;
