-- How long a service was down in an incident that is over, and after how long that was proved, both in microseconds from the
-- first failure seen. NULL where that is not known: in what an earlier version recorded, and where nothing was seen to fail.
ALTER TABLE incidents ADD COLUMN down INTEGER;
ALTER TABLE incidents ADD COLUMN proved INTEGER;
