// A walk through the API with generated types. Every misspelt field or forgotten variable is an error of the compiler.
import { randomUUID } from "node:crypto";
import { argv, env } from "node:process";

import { ask, RequestError } from "./ask.js";
import { LogoutDocument, MeDocument, RegisterDocument, SessionsDocument, type ErrorCode } from "./gql/graphql.js";

const url = env.GATEHOUSE_URL ?? "http://localhost:8080";
const byHash = argv.includes("--by-hash");

// advice says what a form would show. The default is for codes that this program was not built with.
function advice(code: ErrorCode, message: string): string {
  switch (code) {
    case "EMAIL_TAKEN":
      return `${message} Log in instead?`;
    case "PASSWORD_TOO_SHORT":
    case "PASSWORD_TOO_LONG":
    case "PASSWORD_COMPROMISED":
      return `Another password, please: ${message}`;
    default:
      return message;
  }
}

const email = `ada-${randomUUID()}@example.com`;

const refused = await ask(url, RegisterDocument, { input: { email, password: "tulips" } }, { byHash });
for (const { code, message } of refused.register.userErrors) console.log(`${code}: ${advice(code, message)}`);

const { register } = await ask(url, RegisterDocument, { input: { email, password: "nine tulips by the canal" } }, { byHash });
if (!register.tokens) throw new Error(register.userErrors.map((e) => e.message).join(" "));
const signedIn = { accessToken: register.tokens.accessToken, byHash };

const { me } = await ask(url, MeDocument, {}, signedIn);
console.log(`signed in as ${me?.email}`);

const sessions = await ask(url, SessionsDocument, { first: 5 }, signedIn);
for (const s of sessions.me?.sessions?.nodes ?? []) console.log(`${s.device}, since ${s.createdAt}${s.current ? ", this one" : ""}`);

const { logout } = await ask(url, LogoutDocument, { input: { everywhere: true } }, signedIn);
console.log(`sessions ended: ${logout.endedSessions}`);

try {
  await ask(url, MeDocument, {}, signedIn);
} catch (error) {
  if (!(error instanceof RequestError) || !error.has("UNAUTHENTICATED")) throw error;
  console.log("and signed out");
}
