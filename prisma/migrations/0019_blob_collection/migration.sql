-- When bytes were last claimed or named, and since when they are being removed: what nothing names does not stay.

-- AlterTable
ALTER TABLE "blob" ADD COLUMN     "touched_at" TIMESTAMPTZ(6) DEFAULT CURRENT_TIMESTAMP,
ADD COLUMN     "condemned_at" TIMESTAMPTZ(6);

-- What releases name need not be looked at
UPDATE "blob" SET "touched_at" = NULL WHERE "digest" IN (SELECT "digest" FROM "release_file");

-- CreateIndex
CREATE INDEX "blob_touched_at_idx" ON "blob"("touched_at");

-- CreateIndex
CREATE INDEX "blob_condemned_at_idx" ON "blob"("condemned_at");

-- What was sent ahead has a row of its own from now on
INSERT INTO "blob" ("digest", "size") SELECT "digest", min("size") FROM "staged_file" GROUP BY "digest"
ON CONFLICT DO NOTHING;
