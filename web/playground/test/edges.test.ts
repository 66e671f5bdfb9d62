// What a session promises where little goes wrong, or much at once.
import { describe, expect, test, vi } from "vitest";
import { credentials, happen, locks, me, server, storage, tab } from "./fakes.ts";

const changed = () => happen("storage", { key: "gatehouse.session" });

/** A line on which a refresh gets no answer, and everything else does. */
const hanging: typeof server.instead = (word, signal) =>
  word === "refresh"
    ? new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason as Error)))
    : undefined;
const cut: typeof server.instead = (word) =>
  word === "refresh" ? Promise.reject(new TypeError("Failed to fetch")) : undefined;

describe("logging out", () => {
  test.each([
    ["is on its way", hanging],
    ["waits to be tried again", cut],
  ])("ends a refresh at once that %s", async (_, instead) => {
    for (const how of [{ locks }, { locks: undefined }]) {
      const session = tab(how);
      await session.login(credentials);
      server.instead = instead;
      const refreshed = session.refresh("access 0");
      await vi.advanceTimersByTimeAsync(500);
      const began = performance.now();
      await session.logout();
      expect(await refreshed).toBeNull();
      expect(performance.now() - began).toBeLessThan(200);
      server.instead = () => undefined;
    }
  });
});

test("a session that is closed hears nothing of other tabs, and keeps nobody's listener", async () => {
  const session = tab();
  await session.login(credentials);
  const listener = vi.fn();
  session.subscribe(listener);
  session.close();
  await tab().logout();
  changed();
  happen("pageshow");
  expect(session.state.signedIn).toBe(true);
  await session.login(credentials);
  expect(listener).not.toHaveBeenCalled();
});

test.each<object>([
  { signedIn: true, id: "1" },
  { signedIn: true, expiresAt: 1 },
  { signedIn: false, because: "x" },
])("%j in the storage is nobody's session", (state) => {
  storage.setItem("gatehouse.session", JSON.stringify(state));
  expect(tab().state).toEqual({ signedIn: false, because: "none" });
});

test("a storage that another tab empties signs out", async () => {
  const session = tab();
  await session.login(credentials);
  storage.clear();
  happen("storage", { key: null });
  expect(session.state).toEqual({ signedIn: false, because: "none" });
});

test("a request that was refused two refreshes ago is told the latest token", async () => {
  const session = tab();
  await session.login(credentials);
  await session.refresh("access 0");
  await session.refresh("access 1");
  expect(await session.refused("access 0", "EXPIRED")).toBe("access 2");
  expect(server.refreshes).toBe(2);
});

test("a token that was replaced long ago is not answered with one that has ended, too", async () => {
  const session = tab();
  await session.login(credentials);
  await session.refresh("access 0");
  vi.advanceTimersByTime(11_000);
  expect(await session.refresh("access 0")).toBe("access 2");
});

test("whoever signs in during the refresh of another's token has a refresh of their own", async () => {
  const session = tab({ locks: undefined });
  await session.login(credentials);
  server.instead = hanging;
  void session.refresh("access 0").catch(() => undefined);
  await vi.advanceTimersByTimeAsync(0);
  server.generation = 5;
  await tab({ locks: undefined }).login({ email: "bob@example.com", password: "another one" });
  changed();
  server.instead = () => undefined;
  const next = session.refresh("access 5");
  await vi.advanceTimersByTimeAsync(20_000); // in which the first is given up
  expect(await next).toBe("access 6");
});

test.each([
  ["bearer", "same-origin"],
  ["cookie", "include"],
  ["server", "same-origin"],
] as const)("a GraphQL client's requests, too, say who keeps the refresh token (%s)", async (mode, cookies) => {
  const session = tab({ mode });
  const says = { mode: mode === "server" ? null : mode, credentials: cookies };
  await session.fetch("/graphql", { method: "POST", headers: { Authorization: "Bearer access 0" }, body: JSON.stringify(me) });
  expect(server.asked.at(-1)).toMatchObject({ ...says, authorization: "Bearer access 0" });
  await session.ask(me);
  expect(server.asked.at(-1)).toMatchObject(says);
});

test("a date at which to come again is one that is not understood", async () => {
  const session = tab();
  server.instead = () => new Response("later", { status: 503, headers: { "Retry-After": "Wed, 21 Oct 2115 07:28:00 GMT" } });
  await expect(session.login(credentials)).rejects.toMatchObject({ name: "Unreachable", retryAfter: 0 });
});

test.each([
  ["that is set back", -3_600_000, 9_500],
  ["that goes on while the machine sleeps", 9_500, 1_100],
])("a clock %s while a page is set aside keeps no token from being renewed early", async (_, jump, wait) => {
  const session = tab({ renewEarly: true });
  await session.login(credentials);
  vi.setSystemTime(Date.now() + jump);
  happen("pageshow");
  await vi.advanceTimersByTimeAsync(wait);
  expect(server.refreshes).toBe(1);
});

describe("in a cookie", () => {
  test("each tab keeps the access token that it has while others refresh", async () => {
    server.cookies = true;
    const session = tab({ mode: "cookie" });
    await session.login(credentials);
    const other = tab({ mode: "cookie" });
    const listener = vi.fn();
    session.subscribe(listener);
    expect(await other.accessToken()).toBe("access 1");
    changed();
    expect(session.state).toMatchObject({ accessToken: "access 0" });
    expect(listener).not.toHaveBeenCalled();
    expect((await session.ask(me)).data).toEqual({ me: "Bearer access 0" });
  });

  test("a session is asked for once by two tabs that know nothing", async () => {
    await Promise.all([tab({ mode: "cookie" }).restore(), tab({ mode: "cookie" }).restore()]);
    expect(server.refreshes).toBe(1);
  });

  test("tokens that were adopted stay the same session's when the server says whose they are", async () => {
    const session = tab({ mode: "cookie" });
    session.adopt({ accessToken: "access 0", expiresIn: 10, refreshToken: null });
    const { state } = session;
    const tokens = { accessToken: "access 1", expiresIn: 10, refreshToken: null };
    const payload = { user: { id: "ada" }, tokens, userErrors: [] };
    server.instead = () => new Response(JSON.stringify({ data: { refresh: payload } }));
    expect(await session.refresh("access 0")).toBe("access 1");
    expect(session.state).toMatchObject({ id: state.signedIn && state.id, user: "ada" });
  });
});
