import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { breaks, judge, lastVersion, mayBreak, release } from "./breaking.js";

const now = readFileSync(new URL("../../schema.graphqls", import.meta.url), "utf8");
const unreleased = "# Changelog\n\n## [Unreleased]\n";
const changelog = (version) => `${unreleased}\n## [${version}] - 2026-01-31\n`;

// changed returns the schema with one text in place of another, which has to be there.
function changed(from, to) {
  assert.ok(now.includes(from), `the schema has no ${from}`);
  return now.replace(from, to);
}

for (const [name, from, to] of [
  ["a field is gone", "\n  emailVerified: Boolean!", "\n  verified: Boolean!"],
  ["a field may be null", "\n  expiresIn: Int!", "\n  expiresIn: Int"],
  ["an argument is required", "user(\n", "user(\n    region: String!\n"],
  ["an input field is required", "\n  refreshToken: String\n}", "\n  refreshToken: String!\n}"],
  ["a code is gone", "\n  USERNAME_TAKEN\n", "\n  USERNAME_GONE\n"],
]) {
  test(`breaks: ${name}`, async () => assert.notDeepEqual(await breaks(now, changed(from, to)), []));
}

for (const [name, from, to] of [
  ["the same", "type Query", "type Query"],
  ["a new field", "\n  expiresIn: Int!", "\n  expiresIn: Int!\n  scope: String!"],
  ["a new code", "\n  USERNAME_TAKEN\n", "\n  USERNAME_TAKEN\n  NEW_CODE\n"],
  ["an argument with a default", "user(\n", "user(\n    region: String = \"\"\n"],
]) {
  test(`breaks nothing: ${name}`, async () => assert.deepEqual(await breaks(now, changed(from, to)), []));
}

test("versions", () => {
  assert.equal(lastVersion(unreleased), undefined);
  assert.equal(lastVersion(changelog("1.2.3") + changelog("1.2.2")), "1.2.3");
  assert.ok(mayBreak("2.0.0", "1.9.9") && mayBreak("0.2.0", "0.1.5") && mayBreak("1.0.0", "0.9.0"));
  assert.ok(!mayBreak("1.3.0", "1.2.0") && !mayBreak("0.1.6", "0.1.5"));
});

test("before the first release there is nothing to break", async () => {
  assert.deepEqual(await judge({ changelog: unreleased, kept: undefined, now }), []);
});

test("a release without its schema is noticed", async () => {
  const kept = await release({ changelog: changelog("1.0.0"), kept: undefined, now });
  assert.deepEqual(await judge({ changelog: changelog("1.0.0"), kept, now }), []);
  assert.match((await judge({ changelog: changelog("1.1.0"), kept, now }))[0], /schema of 1\.1\.0 is not kept/);
  assert.match((await judge({ changelog: changelog("1.0.0"), kept: undefined, now }))[0], /schema of 1\.0\.0 is not kept/);
  assert.match((await judge({ changelog: unreleased, kept, now }))[0], /does not name/);
});

test("only a major version breaks", async () => {
  const kept = await release({ changelog: changelog("1.0.0"), kept: undefined, now });
  const broken = changed("\n  emailVerified: Boolean!", "\n  verified: Boolean!");
  assert.match((await judge({ changelog: changelog("1.0.0"), kept, now: broken }))[0], /User\.emailVerified/);
  await assert.rejects(release({ changelog: changelog("1.1.0"), kept, now: broken }), /User\.emailVerified/);
  assert.match(await release({ changelog: changelog("2.0.0"), kept, now: broken }), /^# The schema of 2\.0\.0\.\n/);
});
