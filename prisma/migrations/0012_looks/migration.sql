-- What looks like "cl" by way of "c1" or "ci" looks like "d" as well. Names that turn out to be alike stay as they are.

UPDATE "namespace" "n" SET "look" = replace("look", 'cl', 'd') WHERE "look" LIKE '%cl%'
    AND NOT EXISTS (SELECT 1 FROM "namespace" "o" WHERE "o"."id" <> "n"."id" AND replace("o"."look", 'cl', 'd') = replace("n"."look", 'cl', 'd'));

UPDATE "account" "n" SET "look" = replace("look", 'cl', 'd') WHERE "look" LIKE '%cl%'
    AND NOT EXISTS (SELECT 1 FROM "account" "o" WHERE "o"."id" <> "n"."id" AND replace("o"."look", 'cl', 'd') = replace("n"."look", 'cl', 'd'));

UPDATE "program" "n" SET "look" = replace("look", 'cl', 'd') WHERE "look" LIKE '%cl%'
    AND NOT EXISTS (SELECT 1 FROM "program" "o" WHERE "o"."id" <> "n"."id" AND "o"."namespace_id" = "n"."namespace_id"
        AND replace("o"."look", 'cl', 'd') = replace("n"."look", 'cl', 'd'));
