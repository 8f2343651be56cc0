-- Whether an operator signed a revocation: his are not counted among those that a program's publishers may have. Of those that were
-- made before, files were an operator's to revoke, and the keys of today's operators are known.

-- AlterTable
ALTER TABLE "revocation" ADD COLUMN     "by_operator" BOOLEAN NOT NULL DEFAULT false;

UPDATE "revocation" SET "by_operator" = true
WHERE "program" IS NULL OR "signer" IN (SELECT "fingerprint" FROM "operator_key");
