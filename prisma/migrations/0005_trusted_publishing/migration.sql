-- Pipelines that may publish without a secret, and tokens that are theirs.

CREATE TYPE "ci_provider" AS ENUM ('github', 'gitlab');

-- CreateTable
CREATE TABLE "trusted_publisher" (
    "id" UUID NOT NULL,
    "namespace_id" UUID NOT NULL,
    "program" TEXT NOT NULL,
    "provider" "ci_provider" NOT NULL,
    "issuer" TEXT NOT NULL,
    "repository" TEXT NOT NULL,
    "workflow" TEXT NOT NULL,
    "environment" TEXT,
    "ref" TEXT,
    "owner_id" TEXT,
    "repository_id" TEXT,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "trusted_publisher_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "used_id_token" (
    "digest" BYTEA NOT NULL,
    "expires_at" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "used_id_token_pkey" PRIMARY KEY ("digest")
);

-- CreateIndex
CREATE INDEX "trusted_publisher_program_idx" ON "trusted_publisher"("program");

-- CreateIndex
CREATE INDEX "trusted_publisher_namespace_id_idx" ON "trusted_publisher"("namespace_id");

-- CreateIndex
CREATE INDEX "used_id_token_expires_at_idx" ON "used_id_token"("expires_at");

ALTER TABLE "token" ALTER COLUMN "account_id" DROP NOT NULL;
ALTER TABLE "token" ADD COLUMN "publisher_id" UUID;
ALTER TABLE "token" ADD CONSTRAINT "token_is_somebodys" CHECK (num_nonnulls("account_id", "publisher_id") = 1);

-- CreateIndex
CREATE INDEX "token_publisher_id_idx" ON "token"("publisher_id");

-- AddForeignKey
ALTER TABLE "trusted_publisher" ADD CONSTRAINT "trusted_publisher_namespace_id_fkey" FOREIGN KEY ("namespace_id") REFERENCES "namespace"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "token" ADD CONSTRAINT "token_publisher_id_fkey" FOREIGN KEY ("publisher_id") REFERENCES "trusted_publisher"("id") ON DELETE CASCADE ON UPDATE CASCADE;
