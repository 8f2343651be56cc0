-- A search for common words reads thousands of rows: what is not looked at for each of them lies elsewhere, and what fits best is
-- judged by name, keywords and summary alone.

ALTER TABLE "program" ADD COLUMN "heading" tsvector GENERATED ALWAYS AS (
    setweight(to_tsvector('simple', "words"), 'A') ||
    setweight(to_tsvector('english', "words"), 'A') ||
    setweight(to_tsvector('english', "summary"), 'B')
) STORED;

ALTER TABLE "program"
    ALTER COLUMN "heading" SET STORAGE MAIN,
    ALTER COLUMN "phrase" SET STORAGE MAIN,
    ALTER COLUMN "words" SET STORAGE MAIN,
    ALTER COLUMN "summary" SET STORAGE MAIN,
    ALTER COLUMN "hooks" SET STORAGE MAIN;

ALTER TABLE "program" SET (toast_tuple_target = 128);

-- Compiling a query costs more than any of these takes.
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET jit = off', current_database());
END $$;
