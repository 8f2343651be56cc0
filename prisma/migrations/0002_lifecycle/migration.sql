-- What becomes of programs and releases after they are published.

ALTER TABLE "program"
    ADD COLUMN "deprecated" TEXT,
    ADD COLUMN "quarantined" TEXT;

ALTER TABLE "release"
    ADD COLUMN "yanked" TEXT,
    ADD COLUMN "deprecated" TEXT,
    ADD COLUMN "quarantined" TEXT,
    ADD COLUMN "deleted_at" TIMESTAMPTZ(6);

-- CreateTable
CREATE TABLE "channel" (
    "program_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "version" TEXT NOT NULL,
    "moved_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "channel_pkey" PRIMARY KEY ("program_id","name")
);

-- CreateTable
CREATE TABLE "report" (
    "id" UUID NOT NULL,
    "program_id" UUID NOT NULL,
    "version" TEXT,
    "reason" TEXT NOT NULL,
    "text" TEXT NOT NULL,
    "account" TEXT NOT NULL,
    "reported_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "resolution" TEXT,

    CONSTRAINT "report_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "report_program_id_idx" ON "report"("program_id");

-- AddForeignKey
ALTER TABLE "channel" ADD CONSTRAINT "channel_program_id_version_fkey" FOREIGN KEY ("program_id", "version") REFERENCES "release"("program_id", "version") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "report" ADD CONSTRAINT "report_program_id_fkey" FOREIGN KEY ("program_id") REFERENCES "program"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
