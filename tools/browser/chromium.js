// Debian's Chromium without a window, and real servers for its pages to talk to.
import { execFileSync } from "node:child_process";
import { chromium } from "playwright-core";
import { House } from "../wsclient/house.js";

export { House, sleep, until } from "../wsclient/house.js";

/** Starts Chromium. It asks nobody anything by itself: what goes over the line is what pages send. */
export function launch(...args) {
  return chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", ...args,
    ],
  });
}

/** For so many ms, makes the browser tell no tab what another one writes into their storage. */
export async function stallStorage(browser, ms) {
  const cdp = await browser.newBrowserCDPSession();
  const { processInfo } = await cdp.send("SystemInfo.getProcessInfo");
  await cdp.detach();
  const { id } = processInfo.find(({ type }) => type === "storage.mojom.StorageService");
  process.kill(id, "SIGSTOP");
  setTimeout(() => process.kill(id, "SIGCONT"), ms);
}

/**
 * Starts a server of its own database at http://localhost on a free port, with settings as environment variables. Its origin is
 * what pages call it; run() runs a command beside it; stop(), kill() and start() are for those that it leaves alone for a while.
 */
export async function serve(binary, settings = {}) {
  const house = await House.build(binary, settings);
  return {
    house,
    origin: house.url.replace("127.0.0.1", "localhost").replace("/graphql", ""),
    run: (...command) => execFileSync(binary, command, { env: { ...process.env, ...house.settings }, stdio: "pipe" }),
    start: () => house.start(),
    stop: () => house.stop(),
    async kill() {
      house.process.kill("SIGKILL");
      await house.exited;
    },
  };
}

/**
 * A window of its own, in which what pages do is written down: requests to other origins than those given, what the browser says
 * of policies that were broken, errors that nobody caught, and the operations that were sent, by name.
 */
export async function watch(browser, origins, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const seen = { foreign: [], complaints: [], operations: [], refreshes: 0 };
  context.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:" && protocol !== "blob:" && !origins.includes(origin)) seen.foreign.push(request.url());
    if (request.method() !== "POST" || !request.postData()) return;
    const [, name] = /\b(?:query|mutation)\s+(\w+)/.exec(request.postData()) ?? [];
    if (name) seen.operations.push(name);
    if (/refresh\(input/.test(request.postData())) seen.refreshes++;
  });
  context.on("console", (message) => {
    const text = message.text();
    if (/content.security.policy|refused to|violates|CORS/i.test(text)) seen.complaints.push(text);
  });
  context.on("weberror", (error) => seen.complaints.push(String(error.error())));
  return { context, seen };
}

/** Lets no operation of that name out of the window, until the returned function is called. */
export async function withhold(context, name) {
  const withheld = new RegExp(`\\b(?:query|mutation)\\s+${name}\\b`);
  const cut = (route) => (withheld.test(route.request().postData() ?? "") ? route.abort() : route.fallback());
  await context.route("**/graphql", cut);
  return () => context.unroute("**/graphql", cut);
}
