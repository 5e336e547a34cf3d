import assert from "node:assert/strict";
import { test } from "node:test";
import { lastDue, parseCron } from "./cron.mjs";

const at = (text) => Date.parse(`2026-11-24T${text}Z`);

test("a schedule is due at its minutes and hours, in UTC", () => {
  const everyFive = parseCron("*/5 * * * *");
  assert.equal(lastDue(everyFive, at("10:04:59.999")), at("10:00:00"));
  assert.equal(lastDue(everyFive, at("10:05:00")), at("10:05:00"));
  const nightly = parseCron("0 4 * * *");
  assert.equal(lastDue(nightly, at("04:00:30")), at("04:00:00"));
  assert.equal(lastDue(nightly, at("03:59:59")), at("04:00:00") - 86_400_000);
});

test("lists, ranges and steps are understood", () => {
  assert.deepEqual([...parseCron("1,3-5,50-59/5 */12 * * *").minutes], [1, 3, 4, 5, 50, 55]);
  assert.deepEqual([...parseCron("30/10 * * * *").minutes], [30, 40, 50]);
  assert.deepEqual([...parseCron("0 */12 * * *").hours], [0, 12]);
});

test("what is not understood is refused, not guessed", () => {
  for (const expression of ["* * * * 1", "60 * * * *", "*/0 * * * *", "5-1 * * * *", "x * * * *", "* *"]) {
    assert.throws(() => parseCron(expression), expression);
  }
});
