-- Statements by which logs were begun anew, after a restore lost entries.

-- CreateTable
CREATE TABLE "log_recovery" (
    "log" TEXT NOT NULL,
    "epoch" INTEGER NOT NULL,
    "note" TEXT NOT NULL,

    CONSTRAINT "log_recovery_pkey" PRIMARY KEY ("log","epoch")
);
