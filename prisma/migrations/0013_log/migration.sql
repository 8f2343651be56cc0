-- The transparency log: entries, the hashes that readers fetch as tiles, and the newest signed checkpoint.

-- CreateTable
CREATE TABLE "log_tree" (
    "log" TEXT NOT NULL,
    "origin" TEXT NOT NULL,
    "size" BIGINT NOT NULL,
    "frontier" BYTEA NOT NULL,
    "checkpoint" TEXT NOT NULL,
    "signed_at" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "log_tree_pkey" PRIMARY KEY ("log")
);

-- CreateTable
CREATE TABLE "log_entry" (
    "log" TEXT NOT NULL,
    "index" BIGINT NOT NULL,
    "data" BYTEA NOT NULL,
    "hidden" BYTEA,
    "salt" BYTEA,

    CONSTRAINT "log_entry_pkey" PRIMARY KEY ("log","index")
);

-- CreateTable
CREATE TABLE "log_tile" (
    "log" TEXT NOT NULL,
    "level" INTEGER NOT NULL,
    "index" BIGINT NOT NULL,
    "hashes" BYTEA NOT NULL,

    CONSTRAINT "log_tile_pkey" PRIMARY KEY ("log","level","index")
);

-- CreateTable
CREATE TABLE "log_cosignature" (
    "log" TEXT NOT NULL,
    "witness" TEXT NOT NULL,
    "size" BIGINT NOT NULL,
    "line" TEXT NOT NULL,

    CONSTRAINT "log_cosignature_pkey" PRIMARY KEY ("log","witness")
);

-- AlterTable
ALTER TABLE "release" ADD COLUMN     "log_index" BIGINT;

CREATE FUNCTION "log_is_append_only"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entries of the log are only ever added';
END $$;

CREATE TRIGGER "log_entry_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "log_entry"
    FOR EACH STATEMENT EXECUTE FUNCTION "log_is_append_only"();
