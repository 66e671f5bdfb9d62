// Against a server whose access tokens last two seconds, and that forgives no refresh token that comes twice.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { env } from "node:process";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { ask } from "./ask.js";
import { LogoutDocument, MeDocument, RegisterDocument } from "./gql/graphql.js";
import { Session } from "./session.js";

const url = env.GATEHOUSE_URL ?? "http://localhost:8080";
const plain = globalThis.fetch;

// refreshes counts how often fetch sends the mutation refresh.
let refreshes = 0;
globalThis.fetch = (input, init) => {
  if (String(init?.body).includes("mutation Refresh")) refreshes++;
  return plain(input, init);
};

async function signedIn(): Promise<Session> {
  const input = { email: `ada-${randomUUID()}@example.com`, password: "nine tulips by the canal" };
  const { register } = await ask(url, RegisterDocument, { input });
  assert.ok(register.tokens);
  const session = new Session(url);
  // As if they lasted: it is the server that says otherwise.
  session.take({ ...register.tokens, expiresIn: 600 });
  refreshes = 0;
  return session;
}

test("eight queries on an expired token: eight answers, one refresh", async () => {
  const session = await signedIn();
  await sleep(2500);
  const answers = await Promise.all(Array.from({ length: 8 }, () => session.ask(MeDocument, {})));
  assert.ok(answers.every(({ me }) => me?.email));
  assert.equal(refreshes, 1);
});

test("a token that is about to end is renewed before it is sent", async () => {
  const session = await signedIn();
  await sleep(2500);
  await session.ask(MeDocument, {});
  assert.equal(refreshes, 1);
  await session.ask(MeDocument, {}); // two seconds are less than the margin
  assert.equal(refreshes, 2);
});

test("a session that was ended is over", async () => {
  const session = await signedIn();
  await session.ask(LogoutDocument, { input: {} });
  await assert.rejects(session.ask(MeDocument, {}), /UNAUTHENTICATED/);
  assert.ok(!session.signedIn);
});
