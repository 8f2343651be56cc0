-- A fleet is listed by what stands in a few lines of each report: reading all reports for it would take seconds.
-- Empty for a report from before; the node's next one has it.

ALTER TABLE "node_observed" ADD COLUMN "summary" JSON;
