// The playground of a real server, in headless Chromium: what somebody does there, and sees.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { after, before } from "node:test";
import { launch, serve, until, watch } from "../../../tools/browser/chromium.js";

export const binary = process.env.GATEHOUSE ?? fileURLToPath(new URL("../../../gatehouse", import.meta.url));
export const password = "nine tulips by the canal";

export let browser;
export let server;

before(async () => {
  server = await serve(binary, { ACCESS_TOKEN_TTL: "8s" });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Opens the playground of a server; what it asks for and what it complains of is checked when the visit ends. */
export async function visit(t, { origin = server.origin, ...options } = {}) {
  const { context, seen } = await watch(browser, [origin, origin.replace("http", "ws")], options);
  t.after(async () => {
    await context.close();
    assert.deepEqual(seen.foreign, [], "requests to other hosts");
    assert.deepEqual(seen.complaints, [], "complaints of the browser");
  });
  return { context, seen, page: await open(context, origin) };
}

export async function open(context, origin = server.origin) {
  const page = await context.newPage();
  await page.goto(origin);
  await page.locator(".graphiql-editors .monaco-editor textarea, .graphiql-editors .monaco-editor .inputarea").first().waitFor();
  return page;
}

/** Runs the operation of the given starter tab, and waits for the answer to hold what is expected. */
export async function run(page, tab, expected) {
  await page.locator(".graphiql-tab-button").nth(tab).click();
  const execute = page.getByRole("button", { name: /^Execute query/ }); // while something runs, it is one that stops that
  let sent = false;
  page.on("request", (request) => (sent ||= operation.test(request.postData() ?? "")));
  // On a busy machine GraphiQL has lost a click that came while it was still taking in the tab: then nothing runs.
  while (!sent) {
    await execute.click();
    await until(() => sent, 2000);
    if (!sent) await execute.waitFor();
  }
  await answered(page, expected);
}

const operation = /(mutation Register|query Me|mutation Refresh|mutation Revoke)\b/;

export async function answered(page, expected) {
  if (await answers(page, expected, 30_000)) return;
  assert.fail(`the answer does not hold ${expected}:\n${await answer(page)}`);
}

/** Returns whether the answer comes to hold what is expected, within some ms. */
export async function answers(page, expected, ms) {
  const deadline = Date.now() + ms;
  while (Date.now() < deadline) {
    if ((await answer(page)).includes(expected)) return true;
    await page.waitForTimeout(50);
  }
  return false;
}

export async function answer(page) {
  const pane = page.locator(".graphiql-response .view-lines").first();
  return (await pane.innerText({ timeout: 1000 }).catch(() => "")).replaceAll("\u00a0", " ");
}

/** Asks the server from elsewhere. */
export async function ask(query, input, token) {
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  const body = JSON.stringify({ query, variables: { input } });
  return (await fetch(`${server.origin}/graphql`, { method: "POST", headers, body })).json();
}

/** Waits until the panel says so: nobody being signed in is something else. */
export const signedIn = (page) => page.getByText("Signed in.", { exact: true }).waitFor();

export async function register(page, email) {
  await page.getByRole("button", { name: "I have no account yet" }).click();
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("region", { name: "Account" }).getByRole("button", { name: "Register", exact: true }).click();
  await signedIn(page);
}

export const me = 1;
export const login = "mutation ($input: LoginInput!) { login(input: $input) { tokens { accessToken } } }";
