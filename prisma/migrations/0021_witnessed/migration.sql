-- What witnesses signed, with the checkpoint that they signed: the newest that enough of them know can be served, too. Cosignatures
-- from before are given again within a second.

DELETE FROM "log_cosignature";

-- AlterTable
ALTER TABLE "log_cosignature" DROP CONSTRAINT "log_cosignature_pkey",
ADD COLUMN     "at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
ADD COLUMN     "checkpoint" TEXT NOT NULL,
ADD CONSTRAINT "log_cosignature_pkey" PRIMARY KEY ("log", "witness", "size");
