-- Who made a join token, as the audit has it.

-- AlterTable
ALTER TABLE "join_token" ADD COLUMN     "created_by" TEXT;

UPDATE "join_token" SET "created_by" = (
  SELECT "actor" FROM "audit" WHERE "action" = 'join-token.create' AND "subject" = "join_token"."id"::text LIMIT 1
);
