-- Namespaces that proved whose they are, what they may hold, and requests of nodes that were seen.

ALTER TABLE "namespace" ADD COLUMN "challenge" TEXT NOT NULL DEFAULT replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
ALTER TABLE "namespace" ADD COLUMN "stored_bytes" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "program" ADD COLUMN "verified" BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE "operator_key" ADD COLUMN "removed_at" TIMESTAMPTZ(6);

-- CreateTable
CREATE TABLE "namespace_proof" (
    "namespace_id" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "of" TEXT NOT NULL,
    "at" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "namespace_proof_pkey" PRIMARY KEY ("namespace_id","kind","of")
);

-- AddForeignKey
ALTER TABLE "namespace_proof" ADD CONSTRAINT "namespace_proof_namespace_id_fkey" FOREIGN KEY ("namespace_id") REFERENCES "namespace"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- What is in it counts for minutes: it need not outlive a crash.
CREATE UNLOGGED TABLE "node_nonce" (
    "digest" BYTEA NOT NULL,
    "expires_at" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "node_nonce_pkey" PRIMARY KEY ("digest")
);

-- CreateIndex
CREATE INDEX "node_nonce_expires_at_idx" ON "node_nonce"("expires_at");

-- What a namespace holds already.
UPDATE "namespace" SET "stored_bytes" = coalesce((
    SELECT sum("b"."size") FROM "release" "r" JOIN "release_file" "f" ON "f"."release_id" = "r"."id"
    JOIN "blob" "b" ON "b"."digest" = "f"."digest" WHERE "r"."namespace_id" = "namespace"."id"), 0);
