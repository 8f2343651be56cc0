-- Signers by identity beside those by key; both can be taken back, and what they signed stays.

ALTER TABLE "signing_key" ADD COLUMN "removed_at" TIMESTAMPTZ(6);

-- CreateTable
CREATE TABLE "signing_identity" (
    "id" UUID NOT NULL,
    "namespace_id" UUID NOT NULL,
    "identity" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "added_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "signing_identity_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "signing_identity_namespace_id_identity_issuer_key" ON "signing_identity"("namespace_id", "identity", "issuer");

-- AddForeignKey
ALTER TABLE "signing_identity" ADD CONSTRAINT "signing_identity_namespace_id_fkey" FOREIGN KEY ("namespace_id") REFERENCES "namespace"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE "release" ALTER COLUMN "signer" DROP NOT NULL;
ALTER TABLE "release" ADD COLUMN "signer_identity" TEXT;
ALTER TABLE "release" ADD COLUMN "signer_issuer" TEXT;
ALTER TABLE "release" ADD CONSTRAINT "release_is_signed" CHECK (
    num_nonnulls("signer", "signer_identity") = 1 AND ("signer_identity" IS NULL) = ("signer_issuer" IS NULL));
