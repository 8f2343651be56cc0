-- Which labels the nodes of a join token may have: orders are given by labels, and with an order goes what it names.

-- AlterTable
ALTER TABLE "join_token" ADD COLUMN     "labels" JSON NOT NULL DEFAULT '{}',
ADD COLUMN     "free_labels" TEXT[] NOT NULL DEFAULT '{}';
