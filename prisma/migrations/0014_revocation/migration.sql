-- Revocations, signed outside the registry: nodes must stop running what they name.

-- CreateTable
CREATE TABLE "revocation" (
    "digest" TEXT NOT NULL,
    "program" TEXT,
    "version" TEXT,
    "file" TEXT,
    "private" BOOLEAN NOT NULL,
    "reason" TEXT NOT NULL,
    "message" TEXT NOT NULL,
    "at" TIMESTAMPTZ(6) NOT NULL,
    "envelope" TEXT NOT NULL,
    "signer" TEXT NOT NULL,
    "spki" BYTEA NOT NULL,
    "received_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "revocation_pkey" PRIMARY KEY ("digest")
);

-- CreateIndex
CREATE INDEX "revocation_program_version_idx" ON "revocation"("program", "version");

-- CreateIndex
CREATE INDEX "revocation_file_idx" ON "revocation"("file");

-- AlterTable
ALTER TABLE "release" ADD COLUMN     "revoked" TEXT;
