import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { splitStatements } from "./migrate.mjs";

test("a script is cut at the semicolons that end a statement", () => {
  const sql = `-- why; not here
    CREATE TABLE a (x TEXT DEFAULT 'it''s; fine') STRICT; /* nor; here */
    INSERT INTO a VALUES ("b;c");`;
  assert.deepEqual(splitStatements(sql), ["CREATE TABLE a (x TEXT DEFAULT 'it''s; fine') STRICT", 'INSERT INTO a VALUES ("b;c")']);
});

test("a trigger keeps its body", () => {
  const trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET x = CASE WHEN 1 THEN 'y' END; DELETE FROM b; END";
  assert.deepEqual(splitStatements(`${trigger};\nSELECT 1`), [trigger, "SELECT 1"]);
});

test("a table whose column is named like a keyword of triggers is no trigger", () => {
  assert.deepEqual(splitStatements("CREATE TABLE a (begin TEXT); SELECT 1;"), ["CREATE TABLE a (begin TEXT)", "SELECT 1"]);
});

test("no statement of this project's migrations is empty or holds a comment", () => {
  const folder = new URL("../../migrations/", import.meta.url);
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".sql"))) {
    const statements = splitStatements(readFileSync(new URL(name, folder), "utf8"));
    assert.ok(statements.length > 0, name);
    for (const statement of statements) assert.match(statement, /^(CREATE|ALTER|DROP|INSERT|UPDATE|DELETE)\b/, name);
  }
});
