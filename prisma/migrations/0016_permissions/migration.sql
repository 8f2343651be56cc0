-- What a release was found able to do, with where; and what a program is found by.

-- AlterTable
ALTER TABLE "release" ADD COLUMN     "findings" JSON NOT NULL DEFAULT '[]';

-- AlterTable
ALTER TABLE "program" ADD COLUMN     "permissions" TEXT[] NOT NULL DEFAULT '{}';
