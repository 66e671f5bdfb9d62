// One of the example apps, built for each mode and served beside a server of that mode, and what people do with it. The app is
// APP, the server is the binary GATEHOUSE.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before } from "node:test";
import { launch, serve, sleep, watch } from "./chromium.js";
import { site } from "./wire.js";

const app = process.env.APP;
const binary = process.env.GATEHOUSE ?? fileURLToPath(new URL("../../gatehouse", import.meta.url));
const source = fileURLToPath(new URL(`../../examples/${app}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "examples-"));
const password = "a long enough secret";

export const modes = {}; // bearer and cookie: the server, and the app that was built for it, at another port
let browser;

before(async () => {
  for (const [mode, settings] of Object.entries({ bearer: {}, cookie: { COOKIE_MODE: "true" } })) {
    const server = await serve(binary, settings);
    modes[mode] = { server };
    const built = join(folder, mode);
    const build = mode === "bearer" ? ["run", "--silent", "build", "--"] : ["exec", "--", "vite", "build"];
    execFileSync("npm", [...build, "--logLevel", "warn", "--outDir", built, "--emptyOutDir"], {
      cwd: source,
      env: { ...process.env, VITE_GATEHOUSE_URL: server.origin, VITE_GATEHOUSE_MODE: mode },
      stdio: ["ignore", "ignore", "inherit"],
    });
    modes[mode].page = await site(built);
  }
  browser = await launch();
});

after(async () => {
  await browser?.close();
  for (const { server, page } of Object.values(modes)) {
    page?.close();
    await server.stop();
  }
  rmSync(folder, { recursive: true });
});

/** Starts the mode's server anew, with access tokens that live so long, for as long as the test runs. */
export async function lifetime(t, { server }, duration) {
  const restart = async (duration) => {
    await server.stop();
    server.house.settings.ACCESS_TOKEN_TTL = duration;
    await server.start();
  };
  await restart(duration);
  t.after(() => restart("10m"));
}

/** Tries again until check, which asserts something, holds. */
export async function eventually(check, ms = 20_000) {
  const end = Date.now() + ms;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await sleep(20);
  }
}

// What the browser says of a network that the test has cut, and of answers that are no 200. Nothing else may be said.
export const cut = /net::ERR_|^WebSocket connection to/;
export const refused = /status of 401/;

/**
 * Opens a window, and pages of the app in it. What goes to the server and comes back is written down; what the browser complains
 * of, beside what is expected, fails the test.
 */
export async function visit(t, { server, page: { url } }, { expected = [], script, ...options } = {}) {
  const { context, seen } = await watch(browser, [url, server.origin], options);
  context.setDefaultTimeout(20_000);
  if (script) await context.addInitScript(script);
  const said = [];
  context.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") said.push(message.text());
  });
  const refreshes = []; // the credential that each was sent with
  const answers = [];
  const unanswered = [];
  context.on("request", (request) => {
    if (!/\brefresh\(input/.test(request.postData() ?? "")) return;
    const { refreshToken } = request.postDataJSON().variables.input;
    if (refreshToken) refreshes.push(refreshToken);
    else request.allHeaders().then(({ cookie }) => refreshes.push(cookie ?? "none"), () => undefined);
  });
  context.on("response", (response) => {
    if (response.url().startsWith(`${server.origin}/graphql`) && response.request().method() === "POST") {
      const note = (text) => answers.push({ status: response.status(), text, at: Date.now() });
      response.text().then(note, () => undefined); // the page has gone meanwhile
    }
  });
  context.on("requestfailed", (request) => unanswered.push(request.postData() ?? ""));
  t.after(async () => {
    await context.close();
    assert.deepEqual(seen.foreign, [], "requests to other hosts");
    assert.deepEqual(seen.complaints, [], "broken policies and uncaught errors");
    assert.deepEqual(said.filter((text) => !expected.some((pattern) => pattern.test(text))), [], "what the console says");
  });
  const open = async () => {
    const page = await context.newPage();
    await page.goto(url);
    return page;
  };
  return { context, seen, refreshes, answers, unanswered, open, page: await open() };
}

export async function enter(page, button, email, secret = password) {
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password").fill(secret);
  await page.getByRole("button", { name: button }).click();
}

export const signedIn = (page, email) => page.getByRole("heading", { level: 2, name: `Signed in as ${email}` }).waitFor();
export const region = (page, name) => page.getByRole("region", { name });
export const items = (page, name) => region(page, name).getByRole("listitem");
export const says = (page, name, text, ms) =>
  region(page, name).getByRole("status").filter({ hasText: text }).waitFor(ms && { timeout: ms });
export const live = (page, ms) => says(page, "Security events", /^live$/, ms);
const unreachable = "The server cannot be reached. You are still signed in.";
export const lost = (page) => page.getByRole("alert").filter({ hasText: unreachable });

/** Says to try again until there is an answer; the page may come to that by itself. */
export const tryAgain = (page) =>
  eventually(async () => {
    await lost(page).getByRole("button", { name: "Try again" }).click({ timeout: 200 }).catch(() => undefined);
    assert.equal(await lost(page).count(), 0);
  });

export async function register(page, email) {
  await enter(page, "Register", email);
  await signedIn(page, email);
  await live(page);
}

/** Waits until the list of events is what the server has, newest first, each once, and returns it. */
export const shows = ({ house }, page) =>
  eventually(async () => {
    const token = await page.evaluate(() => /eyJ[^"]+/.exec(JSON.stringify(localStorage))[0].replace(/\\$/, ""));
    const { me } = await house.ask("{ me { securityLog { nodes { event } } } }", token);
    const events = me.securityLog.nodes.map((node) => node.event);
    const shown = await items(page, "Security events").allInnerTexts();
    assert.deepEqual(shown.map((text) => /^\w+/.exec(text)[0]), events);
    return events;
  });

/** Returns the last access token that was given, and when it ends by a page's clock. */
export function given(answers) {
  const { text, at } = answers.findLast((answer) => answer.text.includes('"accessToken"'));
  const [, accessToken, seconds] = /"accessToken":"([^"]+)".*"expiresIn":(\d+)/.exec(text);
  return { accessToken, end: at + 1000 * seconds };
}

/** Waits until the last access token that was given has expired, by the server's clock and by a page's. */
export async function expired({ house }, answers) {
  await eventually(async () => {
    const { accessToken, end } = given(answers); // which may be written down only now
    const headers = { "Content-Type": "application/json", Authorization: `Bearer ${accessToken}` };
    const answer = await fetch(house.url, { method: "POST", headers, body: '{"query":"{ me { id } }"}' });
    assert.equal((await answer.json()).errors?.[0].extensions.reason, "EXPIRED");
    assert.ok(Date.now() > end);
  });
}

// A page comes to hold a token that has expired in two ways: it takes it for one that lives longer, and learns from refusals; or
// its timers slept while the time passed, as they do behind a closed lid, and it looks at the clock.
export function unaware() {
  const plain = globalThis.fetch;
  globalThis.fetch = async (...request) => {
    const answer = await plain(...request);
    const text = (await answer.text()).replace(/"expiresIn":\d+/, '"expiresIn":3600');
    return new Response(text, { status: answer.status, headers: answer.headers });
  };
}

export function asleep() {
  Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
}

/** Writes down when the page tried to open a socket, by its own clock. */
export function attempts() {
  globalThis.attempts = [];
  globalThis.WebSocket = class extends WebSocket {
    constructor(...target) {
      globalThis.attempts.push(performance.now());
      super(...target);
    }
  };
}
