-- Further signatures over releases, their provenance, and when keys are valid.

-- AlterTable
ALTER TABLE "signing_key" ADD COLUMN     "valid_from" TIMESTAMPTZ(6),
ADD COLUMN     "valid_until" TIMESTAMPTZ(6);

-- AlterTable
ALTER TABLE "release" ADD COLUMN     "built" JSON,
ADD COLUMN     "provenance" TEXT;

-- CreateTable
CREATE TABLE "release_bundle" (
    "release_id" UUID NOT NULL,
    "position" INTEGER NOT NULL,
    "bundle" TEXT NOT NULL,
    "signer" TEXT,
    "signer_identity" TEXT,
    "signer_issuer" TEXT,
    "added_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "release_bundle_pkey" PRIMARY KEY ("release_id","position")
);

-- AddForeignKey
ALTER TABLE "release_bundle" ADD CONSTRAINT "release_bundle_release_id_fkey" FOREIGN KEY ("release_id") REFERENCES "release"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- CreateTable
CREATE TABLE "policy_revision" (
    "name" TEXT NOT NULL,
    "revision" BIGINT NOT NULL,
    "selector" JSON NOT NULL,
    "envelope" TEXT NOT NULL,
    "owner" BYTEA NOT NULL,
    "applied_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "policy_revision_pkey" PRIMARY KEY ("name","revision")
);
