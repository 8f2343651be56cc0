-- What programs are found by, and how often releases are fetched.

CREATE EXTENSION IF NOT EXISTS pg_trgm;

ALTER TABLE "release"
    ADD COLUMN "main_object" TEXT NOT NULL DEFAULT '',
    ADD COLUMN "readme" TEXT NOT NULL DEFAULT '',
    ADD COLUMN "downloads" BIGINT NOT NULL DEFAULT 0;

ALTER TABLE "program"
    ADD COLUMN "words" TEXT NOT NULL DEFAULT '',
    ADD COLUMN "readme" TEXT NOT NULL DEFAULT '',
    ADD COLUMN "hooks" TEXT[] NOT NULL DEFAULT '{}',
    ADD COLUMN "license" TEXT NOT NULL DEFAULT '',
    ADD COLUMN "min_kernel" INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN "signed_by" TEXT NOT NULL DEFAULT 'key',
    ADD COLUMN "downloads" BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN "updated_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP;

ALTER TABLE "program"
    ADD COLUMN "search" tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('simple', "words"), 'A') ||
        setweight(to_tsvector('english', "words"), 'A') ||
        setweight(to_tsvector('english', "summary"), 'B') ||
        setweight(to_tsvector('english', "readme"), 'D')
    ) STORED,
    ADD COLUMN "phrase" TEXT GENERATED ALWAYS AS (lower("words" || ' ' || "summary")) STORED;

-- less than the 0.6 that is usual: "fierwall" still looks like "firewall"; and disks that seek for free, as most do now
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET pg_trgm.word_similarity_threshold = 0.35', current_database());
    EXECUTE format('ALTER DATABASE %I SET random_page_cost = 1.1', current_database());
END $$;

-- CreateTable
CREATE TABLE "release_download" (
    "release_id" UUID NOT NULL,
    "day" DATE NOT NULL,
    "count" BIGINT NOT NULL,

    CONSTRAINT "release_download_pkey" PRIMARY KEY ("release_id","day")
);

-- CreateIndex
CREATE INDEX "program_search_idx" ON "program" USING GIN ("search");

-- CreateIndex
CREATE INDEX "program_phrase_idx" ON "program" USING GIN ("phrase" gin_trgm_ops);

-- CreateIndex
CREATE INDEX "program_downloads_idx" ON "program"("downloads" DESC, "ref");

-- CreateIndex
CREATE INDEX "program_updated_at_idx" ON "program"("updated_at" DESC, "ref");

-- AddForeignKey
ALTER TABLE "release_download" ADD CONSTRAINT "release_download_release_id_fkey" FOREIGN KEY ("release_id") REFERENCES "release"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
