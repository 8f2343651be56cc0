-- Whether an operator signed a revocation: his are not counted among those that a program's publishers may have. And where it stands in
-- both logs, so that it can be proven to be there. Of those that were made before, files were an operator's to revoke, and the keys of
-- today's operators are known.

-- AlterTable
ALTER TABLE "revocation" ADD COLUMN     "by_operator" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "catalog_index" BIGINT,
ADD COLUMN     "revocations_index" BIGINT;

UPDATE "revocation" SET "by_operator" = true
WHERE "program" IS NULL OR "signer" IN (SELECT "fingerprint" FROM "operator_key");

-- entries are canonical JSON: an entry of one kind has this text in it, and no other has
CREATE TEMPORARY TABLE "place" AS
SELECT "log", "index", "entry"::json->>'envelope' AS "digest"
FROM (SELECT "log", "index", convert_from(COALESCE("hidden", "data"), 'UTF8') AS "entry" FROM "log_entry") AS "read"
WHERE "entry" LIKE '%"kind":"revoke"%';

UPDATE "revocation" SET
  "catalog_index" = (SELECT min("index") FROM "place" WHERE "log" = 'catalog' AND "place"."digest" = "revocation"."digest"),
  "revocations_index" = (SELECT min("index") FROM "place" WHERE "log" = 'revocations' AND "place"."digest" = "revocation"."digest");

DROP TABLE "place";
