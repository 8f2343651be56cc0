-- Revocations that identities signed.

-- AlterTable
ALTER TABLE "revocation" ADD COLUMN     "signer_identity" TEXT,
ADD COLUMN     "signer_issuer" TEXT,
ALTER COLUMN "signer" DROP NOT NULL,
ALTER COLUMN "spki" DROP NOT NULL;
