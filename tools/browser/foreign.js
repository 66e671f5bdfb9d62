// What pages of other sites can do to somebody who is signed in with a cookie: nothing. GATEHOUSE=BINARY node --test foreign.js
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { launch, serve, until } from "./chromium.js";
import { site, tap } from "./wire.js";

const binary = process.env.GATEHOUSE ?? fileURLToPath(new URL("../../gatehouse", import.meta.url));
const password = "a long enough secret";

let browser;
let friend; // an app that the server knows
let stranger; // any other page: of its own site as http://evil.test, and of the server's as http://localhost with another port

before(async () => {
  [browser, friend, stranger] = await Promise.all([launch("--host-resolver-rules=MAP evil.test 127.0.0.1"), site(), site()]);
});

after(async () => {
  await browser?.close();
  friend?.close();
  stranger?.close();
});

/** What the page may try. Each runs in the page; what it returns, a word, is what the page came to know. */
const attempts = {
  form: ({ url, enctype, fields, whole }) => {
    const make = (name, properties) => document.body.appendChild(Object.assign(document.createElement(name), properties));
    const target = whole ? "" : make("iframe", { name: `frame${Math.random()}` }).name;
    const form = make("form", { action: url, method: "post", enctype, target });
    for (const [name, value] of Object.entries(fields)) form.append(make("input", { name, value }));
    setTimeout(() => form.submit()); // where the whole page goes, this has to have an end before
    return "nothing";
  },
  fetch: ({ url, init }) =>
    fetch(url, { credentials: "include", ...init }).then(
      (answer) => (answer.type === "opaque" ? "nothing" : `status ${answer.status}`),
      () => "nothing",
    ),
  beacon: ({ url, body, type }) => (navigator.sendBeacon(url, new Blob([body], { type })), "nothing"),
  image: ({ url }) => ((new Image().src = url), "nothing"),
  events: ({ url }) =>
    new Promise((resolve) => {
      const source = new EventSource(url, { withCredentials: true });
      source.onopen = () => resolve("a stream");
      source.onerror = () => (source.close(), resolve("nothing"));
    }),
  socket: ({ url }) =>
    new Promise((resolve) => {
      const socket = new WebSocket(url.replace("http", "ws"), "graphql-transport-ws");
      socket.onopen = () => (socket.close(), resolve("a socket"));
      socket.onclose = ({ code }) => resolve(code === 1006 ? "nothing" : `code ${code}`);
    }),
};

const mutations = {
  logout: "mutation { logout(input: {everywhere: true}) { endedSessions } }",
  refresh: "mutation { refresh { tokens { accessToken } } }",
  login: `mutation { login(input: {email: "eve@example.com", password: "${password}"}) { tokens { accessToken } } }`,
  register: `mutation { register(input: {email: "new@example.com", password: "${password}"}) { tokens { accessToken } } }`,
};

/** Every way in which every mutation can be smuggled: how, with what, and what a server that sets no cookies answers. */
function smuggles(url) {
  const ways = [];
  const get = (query) => `${url}?${new URLSearchParams({ query })}`;
  const post = (body, headers) => ({ url, init: { method: "POST", body, headers } });
  const simply = (body, type) => ({ url, init: { method: "POST", mode: "no-cors", body, headers: { "Content-Type": type } } });
  for (const [name, query] of Object.entries(mutations)) {
    const json = JSON.stringify({ query });
    const form = new URLSearchParams({ query }).toString();
    const split = { [`${json.slice(0, -1)},"x":"`]: '"}' }; // with the = between them, text/plain makes JSON of it
    ways.push(
      [`${name}: form`, "form", { url, enctype: "application/x-www-form-urlencoded", fields: { query } }, 415],
      [`${name}: form with files`, "form", { url, enctype: "multipart/form-data", fields: { operations: json, query } }, 415],
      [`${name}: form as text/plain`, "form", { url, enctype: "text/plain", fields: split }, 415],
      [`${name}: form that takes the page along`, "form", { url, enctype: "text/plain", fields: split, whole: true }, 415],
      [`${name}: fetch of text/plain`, "fetch", simply(json, "text/plain"), 415],
      [`${name}: fetch of a form`, "fetch", simply(form, "application/x-www-form-urlencoded"), 415],
      [`${name}: fetch of JSON without asking before`, "fetch", simply(json, "application/json"), 415],
      [`${name}: beacon as text/plain`, "beacon", { url, body: json, type: "text/plain" }, 415],
      [`${name}: image`, "image", { url: get(query) }, 405],
      [`${name}: fetch of JSON`, "fetch", post(json, { "Content-Type": "application/json" }), preflight],
      [`${name}: beacon of JSON`, "beacon", { url, body: json, type: "application/json" }, preflight],
      [`${name}: fetch that chooses the cookie`, "fetch", post(json, { "Gatehouse-Session": "cookie" }), preflight],
      [`${name}: fetch that chooses no cookie`, "fetch", post(json, { "Gatehouse-Session": "bearer" }), preflight],
    );
  }
  ways.push(
    ["a socket", "socket", { url }, 403],
    // Whoever asks gets these from a server without cookies; but no such page may read them.
    ["server-sent events", "events", { url: get("subscription { securityEvents { id } }") }, 200],
    ["fetch of a query", "fetch", { url: get("{ __typename }") }, 200],
    ["fetch of a query, as nobody", "fetch", { url: get("{ __typename }"), init: { credentials: "omit" } }, 200],
  );
  return ways;
}

const preflight = "preflight"; // 403, and the request itself is not sent

/** A server behind a wire, and a window with two pages: an app in which somebody is signed in, and one at the given address. */
async function scene(t, address, cookies) {
  const wire = await tap();
  t.after(() => wire.close());
  const server = await serve(binary, {
    COOKIE_MODE: String(cookies),
    MODE: "production",
    ISSUER: wire.url,
    CORS_ORIGINS: friend.url,
  });
  t.after(() => server.stop());
  wire.target = server.origin;
  await createAdministrator(server.house.settings.DATABASE_URL);
  const admin = await server.house.login("admin@example.com", password);
  await server.house.register("eve@example.com");

  const context = await browser.newContext();
  t.after(() => context.close());
  const app = await context.newPage();
  await app.goto(friend.url);
  const ask = (query) =>
    app.evaluate(
      async ({ url, query, credentials }) => {
        const headers = { "Content-Type": "application/json" };
        const answer = await fetch(url, { method: "POST", credentials, headers, body: JSON.stringify({ query }) });
        return (await answer.json()).data;
      },
      { url: `${wire.url}/graphql`, query, credentials: cookies ? "include" : "omit" },
    );
  // What the app can do with the same means: what is refused below is the page.
  const input = `{email: "ada@example.com", password: "${password}"}`;
  const { register } = await ask(`mutation { register(input: ${input}) { tokens { accessToken refreshToken } } }`);
  assert.equal(register.tokens.refreshToken === null, cookies);
  assert.equal(await app.evaluate(attempts.socket, { url: `${wire.url}/graphql` }), "a socket");

  const page = await context.newPage();
  await page.goto(address);
  return { wire, context, page, ask, state: state(server.house, admin.accessToken, register.tokens.accessToken, context) };
}

/** Returns a function that tells all that could change: everybody's audit log, the sessions of who is attacked, the cookies. */
function state(house, admin, victim, context) {
  return async () => {
    const { auditLog } = await house.ask("{ auditLog(first: 100) { nodes { id event } } }", admin);
    const { me } = await house.ask("{ me { sessions { nodes { id expiresAt } } } }", victim);
    return { log: auditLog.nodes, sessions: me.sessions.nodes, cookies: await context.cookies() };
  };
}

async function createAdministrator(database) {
  const create = spawn(binary, ["user", "create", "--email=admin@example.com", "--role=ADMIN"], {
    env: { ...process.env, DATABASE_URL: database },
    stdio: ["pipe", "ignore", "inherit"],
  });
  create.stdin.end(password);
  assert.deepEqual(await once(create, "exit"), [0, null]);
}

const scenes = {
  "a page of another site": { host: "evil.test", cookies: true },
  // Its host is the server's, so the browser sends the cookie along: here the server alone stands in the way.
  "a page of the same site, with another port": { host: "localhost", cookies: true },
  "a page of another site, to a server without cookies": { host: "evil.test", cookies: false },
};

for (const [name, { host, cookies }] of Object.entries(scenes)) {
  test(name, async (t) => {
    const origin = `http://${host}:${stranger.port}/`;
    const { wire, context, page, ask, state } = await scene(t, origin, cookies);
    const before = await state();
    const kept = before.cookies.map((c) => [c.name, c.httpOnly, c.secure, c.sameSite]);
    assert.deepEqual(kept, cookies ? [["__Host-gatehouse-refresh", true, true, "Strict"]] : []);
    let sent = 0; // cookies
    for (const [way, attempt, what, without] of smuggles(`${wire.url}/graphql`)) {
      await t.test(way, async () => {
        wire.exchanges.length = 0;
        const gone = what.whole && page.waitForURL(`${wire.url}/graphql`);
        assert.equal(await page.evaluate(attempts[attempt], what), "nothing", "what the page came to know");
        assert.ok(await until(() => wire.exchanges.some((exchange) => exchange.status), 15_000), "nothing was sent");
        if (what.whole) await gone.then(() => page.goto(origin));
        for (const exchange of wire.exchanges) {
          assert.equal(exchange.status, cookies || without === preflight ? 403 : without, JSON.stringify(exchange));
          assert.equal(exchange.method === "OPTIONS", without === preflight, JSON.stringify(exchange));
          assert.equal(exchange.set, undefined, "a cookie was set");
          if (exchange.cookie) sent++;
        }
        assert.deepEqual(await state(), before);
      });
    }
    if (host === "localhost") assert.ok(sent > 0, "the browser sends the cookie along");
    else assert.equal(sent, 0, "cookies were sent");
    assert.equal(await page.evaluate(() => document.cookie), "");
    if (cookies) {
      const { refresh } = await ask(mutations.refresh);
      assert.ok(refresh.tokens.accessToken, "the session goes on");
    }
  });
}
