-- The audit is found by namespace and by who did it, and never changes.

ALTER TABLE "audit" ADD COLUMN "namespace" TEXT;

-- CreateIndex
CREATE INDEX "audit_namespace_id_idx" ON "audit"("namespace", "id");

-- CreateIndex
CREATE INDEX "audit_actor_id_idx" ON "audit"("actor", "id");

CREATE FUNCTION "audit_is_append_only"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is only ever added to';
END $$;

CREATE TRIGGER "audit_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "audit"
    FOR EACH STATEMENT EXECUTE FUNCTION "audit_is_append_only"();
