-- Files that were sent ahead of the release that they are for.

-- CreateTable
CREATE TABLE "staged_file" (
    "holder" UUID NOT NULL,
    "digest" TEXT NOT NULL,
    "size" INTEGER NOT NULL,
    "expires_at" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "staged_file_pkey" PRIMARY KEY ("holder","digest")
);

-- CreateIndex
CREATE INDEX "staged_file_expires_at_idx" ON "staged_file"("expires_at");
