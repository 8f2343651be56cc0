-- What a hidden entry is about, a program or a namespace: once that is public its entries are opened.

-- AlterTable
ALTER TABLE "log_entry" ADD COLUMN     "about" TEXT;

-- What is added says nothing that the log signed: entries stay as they are.
ALTER TABLE "log_entry" DISABLE TRIGGER "log_entry_append_only";
UPDATE "log_entry"
SET "about" = COALESCE(
    convert_from("hidden", 'UTF8')::jsonb ->> 'program',
    convert_from("hidden", 'UTF8')::jsonb #>> '{revoked,program}',
    convert_from("hidden", 'UTF8')::jsonb ->> 'namespace'
)
WHERE "hidden" IS NOT NULL;
ALTER TABLE "log_entry" ENABLE TRIGGER "log_entry_append_only";

-- CreateIndex
CREATE INDEX "log_entry_log_about_index_idx" ON "log_entry"("log", "about", "index");
