-- Keys of nodes are replaced: since when a node has its key, the one that it offered, and the one that it had before.

-- AlterTable
ALTER TABLE "node" ADD COLUMN     "key_since" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
ADD COLUMN     "next_spki" BYTEA,
ADD COLUMN     "retired_spki" BYTEA;

-- Until now a node kept the key that it joined with.
UPDATE "node" SET "key_since" = "enrolled_at";
