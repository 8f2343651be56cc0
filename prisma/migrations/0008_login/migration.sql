-- People who log in at an identity provider (OpenID Connect).

-- CreateTable
CREATE TABLE "account_login" (
    "issuer" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "account_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "account_login_pkey" PRIMARY KEY ("issuer","subject")
);

-- CreateTable
CREATE TABLE "login_attempt" (
    "state" BYTEA NOT NULL,
    "attempt" JSON NOT NULL,
    "expires_at" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "login_attempt_pkey" PRIMARY KEY ("state")
);

-- CreateTable
CREATE TABLE "login_code" (
    "hash" BYTEA NOT NULL,
    "account_id" UUID NOT NULL,
    "challenge" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "login_code_pkey" PRIMARY KEY ("hash")
);

-- CreateIndex
CREATE INDEX "account_login_account_id_idx" ON "account_login"("account_id");

-- CreateIndex
CREATE INDEX "login_attempt_expires_at_idx" ON "login_attempt"("expires_at");

-- CreateIndex
CREATE INDEX "login_code_expires_at_idx" ON "login_code"("expires_at");

-- AddForeignKey
ALTER TABLE "account_login" ADD CONSTRAINT "account_login_account_id_fkey" FOREIGN KEY ("account_id") REFERENCES "account"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "login_code" ADD CONSTRAINT "login_code_account_id_fkey" FOREIGN KEY ("account_id") REFERENCES "account"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
