// Drives the playground of a real server in headless Chromium, as somebody who builds on Gatehouse does.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

const binary = process.env.GATEHOUSE ?? fileURLToPath(new URL("../../../gatehouse", import.meta.url));
const password = "nine tulips by the canal";
const pictures = process.env.SCREENSHOTS; // a folder to leave pictures in, for people to look at

const folder = mkdtempSync(join(tmpdir(), "playground-"));
let browser;
let url;
let stop;

before(async () => {
  ({ url, stop } = await serve("8s"));
  browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync",
    ],
  });
});

after(async () => {
  await browser?.close();
  await stop?.();
  rmSync(folder, { recursive: true });
});

async function serve(lifetime) {
  const args = ["serve", `--database-url=sqlite://${join(folder, "gatehouse.db")}`, "--addr=127.0.0.1:0", "--log-format=json"];
  const server = spawn(binary, [...args, `--access-token-ttl=${lifetime}`], {
    env: { PATH: process.env.PATH, HOME: folder },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(server, "exit");
  const said = [];
  for await (const line of createInterface({ input: server.stderr })) {
    said.push(line);
    const address = line.startsWith("{") ? JSON.parse(line).url : undefined;
    if (address) {
      server.stderr.resume();
      return { url: address, stop: () => (server.kill(), ended) };
    }
  }
  throw new Error(`the server did not start:\n${said.join("\n")}`);
}

/** Opens the playground; what it asks for and what it complains of is written down, and checked when the visit ends. */
async function visit(t, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const seen = { foreign: [], complaints: [], refreshes: 0, bytes: 0 };
  context.on("request", (request) => {
    const target = new URL(request.url());
    if (target.protocol !== "data:" && target.protocol !== "blob:" && target.origin !== url) seen.foreign.push(request.url());
    if (request.postData()?.includes("refresh(input: $input)")) seen.refreshes++;
  });
  context.on("console", (message) => {
    const text = message.text();
    if (/content.security.policy|refused to|violates/i.test(text)) seen.complaints.push(text);
  });
  context.on("weberror", (error) => seen.complaints.push(String(error.error())));
  t.after(async () => {
    await context.close();
    assert.deepEqual(seen.foreign, [], "requests to other hosts");
    assert.deepEqual(seen.complaints, [], "complaints of the browser");
  });
  return { context, seen, page: await open(context) };
}

async function open(context) {
  const page = await context.newPage();
  await page.goto(url);
  await page.locator(".graphiql-editors .monaco-editor textarea, .graphiql-editors .monaco-editor .inputarea").first().waitFor();
  return page;
}

/** Runs the operation of the given starter tab, and waits for the answer to hold what is expected. */
async function run(page, tab, expected) {
  await page.locator('.graphiql-tab-button').nth(tab).click();
  await page.locator(".graphiql-execute-button").click();
  await answered(page, expected);
}

async function answered(page, expected) {
  const pane = page.locator(".graphiql-response .view-lines");
  const deadline = Date.now() + 15_000;
  let text = "";
  while (Date.now() < deadline) {
    text = (await pane.first().innerText().catch(() => "")).replaceAll("\u00a0", " ");
    if (text.includes(expected)) return;
    await page.waitForTimeout(50);
  }
  assert.fail(`the answer does not hold ${expected}:\n${text}`);
}

async function register(page, email) {
  await page.getByRole("button", { name: "I have no account yet" }).click();
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("region", { name: "Account" }).getByRole("button", { name: "Register", exact: true }).click();
  await page.getByText("Signed in.").waitFor();
}

const me = 1;

test("the first load is quick and small", async (t) => {
  const { page } = await visit(t);
  const loads = await page.evaluate(() => {
    const entries = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    return { bytes: entries.reduce((sum, e) => sum + e.transferSize, 0), files: entries.length, ms: performance.now() };
  });
  t.diagnostic(`${loads.files} files, ${(loads.bytes / 1e6).toFixed(2)} MB, ${Math.round(loads.ms)} ms`);
  assert.ok(loads.bytes < 2.5e6, `${loads.bytes} bytes`);
});

test("anonymous, then signed in", async (t) => {
  const { page } = await visit(t);
  await run(page, me, "UNAUTHENTICATED");
  await register(page, "ada@example.com");
  await run(page, me, '"email": "ada@example.com"');
  await page.getByRole("button", { name: "Log out", exact: true }).click();
  await page.getByText("You have logged out.").waitFor();
  await run(page, me, "UNAUTHENTICATED");
  await page.getByLabel("E-mail address or username").fill("ada@example.com");
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await page.getByText("INVALID_CREDENTIALS").waitFor();
  await page.getByLabel("Password").fill(password);
  await page.keyboard.press("Enter");
  await page.getByText("Signed in.").waitFor();
  await run(page, me, '"email": "ada@example.com"');
});

test("an access token that ends is refreshed once, in two tabs", async (t) => {
  const { context, page, seen } = await visit(t);
  await register(page, "two@example.com");
  const second = await open(context);
  await second.getByText("Signed in.").waitFor();
  assert.equal(seen.refreshes, 0);
  await page.waitForTimeout(8500);
  await Promise.all([run(page, me, "two@example.com"), run(second, me, "two@example.com")]);
  assert.equal(seen.refreshes, 1);
  await page.getByRole("button", { name: "Log out", exact: true }).click();
  await second.getByText("You have logged out.").waitFor();
});

test("the starter tabs walk through a session, which is shown as revoked at its end", async (t) => {
  const { page } = await visit(t);
  await run(page, 0, '"register"');
  if (await page.getByLabel("Password").isVisible()) {
    await page.getByLabel("E-mail address or username").fill("ada@example.com");
    await page.getByLabel("Password").fill(password);
    await page.keyboard.press("Enter");
  }
  await page.getByText("Signed in.").waitFor();
  await run(page, me, '"email": "ada@example.com"');
  await run(page, 2, '"userErrors": []');
  await run(page, me, '"email": "ada@example.com"');
  await run(page, 3, "revokedSessionId");
  await run(page, me, "REVOKED");
  await page.getByText("This session was revoked.").waitFor();
});

test("security events arrive as they happen", async (t) => {
  const { page } = await visit(t);
  await register(page, "events@example.com");
  await page.locator(".graphiql-tab-add").click();
  await page.locator(".graphiql-query-editor .view-lines").click();
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText("subscription Live { securityEvents { event } }");
  await page.waitForTimeout(500); // GraphiQL parses what is typed after a moment
  await page.locator(".graphiql-execute-button").click();
  await page.waitForTimeout(500); // the operation starts without an answer
  const login = "mutation ($input: LoginInput!) { login(input: $input) { userErrors { code } } }";
  await fetch(`${url}/graphql`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ query: login, variables: { input: { email: "events@example.com", password } } }),
  });
  await answered(page, "LOGGED_IN");
});

test("the keyboard is enough", async (t) => {
  const { page } = await visit(t);
  const reach = async (name) => {
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press("Tab");
      const focused = await page.evaluate(
        () => document.activeElement?.closest("label")?.textContent ?? document.activeElement?.textContent ?? "",
      );
      if (focused.startsWith(name)) return;
    }
    assert.fail(`Tab does not reach ${name}`);
  };
  await reach("E-mail address");
  await page.keyboard.type("ada@example.com");
  await reach("Password");
  await page.keyboard.type(password);
  await page.keyboard.press("Enter");
  await page.getByText("Signed in.").waitFor();
  await page.keyboard.press("Control+Enter");
});

test("pictures", { skip: !pictures }, async (t) => {
  mkdirSync(pictures, { recursive: true });
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 390]) {
      const { page } = await visit(t, { colorScheme, viewport: { width, height: 800 } });
      await page.screenshot({ path: join(pictures, `${colorScheme}-${width}-out.png`) });
      await page.getByLabel("E-mail address or username").fill("ada@example.com");
      await page.getByLabel("Password").fill(password);
      await page.keyboard.press("Enter");
      await page.getByText("Signed in.").waitFor();
      await run(page, me, "ada@example.com").catch((error) => t.diagnostic(error.message));
      await page.screenshot({ path: join(pictures, `${colorScheme}-${width}-in.png`), fullPage: true });
    }
  }
});
