-- Who made a webhook; of those that were made before nobody knows.

-- AlterTable
ALTER TABLE "webhook" ADD COLUMN     "created_by" TEXT;
