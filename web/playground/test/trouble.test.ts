// What goes wrong between a session, its server, the other tabs and the machine that they run on.
import { describe, expect, test, vi } from "vitest";
import { Session, type State, Unreachable } from "../../session/session.ts";
import { credentials, happen, me, server, Store, storage, tab } from "./fakes.ts";

const json = (body: unknown, init?: ResponseInit) => new Response(JSON.stringify(body), init);
const unavailable = (retryAfter: number) =>
  json({ errors: [{ message: "not now", extensions: { code: "SERVICE_UNAVAILABLE", retryAfter } }] }, { status: 503 });
const stored = () => JSON.parse(storage.getItem("gatehouse.session") ?? "null") as State | null;
const id = (session: Session) => (session.state.signedIn ? session.state.id : "");

/** Makes the answer to an operation wait until it is let go. */
function hold(word: string): () => void {
  let letGo = () => {};
  const held = new Promise<void>((resolve) => (letGo = resolve));
  let once = true;
  server.instead = (asked) => {
    if (asked !== word || !once) return undefined;
    once = false;
    const tokens = { ...server.tokens(), accessToken: "late access", refreshToken: "late refresh" };
    return held.then(() => json({ data: { [word]: { tokens, userErrors: [] } } }));
  };
  return letGo;
}

describe("an answer to a refresh that comes late", () => {
  test.each(["with", "without"])("does not sign in again who has logged out in this tab, %s locks", async (how) => {
    const session = tab(how === "without" ? { locks: undefined } : {});
    await session.login(credentials);
    const letGo = hold("refresh");
    const refreshed = session.refresh("access 0");
    await vi.advanceTimersByTimeAsync(0);
    const out = session.logout();
    letGo();
    await out;
    await refreshed;
    expect(session.state).toEqual({ signedIn: false, because: "loggedOut" });
    expect(stored()).toMatchObject({ signedIn: false, because: "loggedOut" });
  });

  test("does not sign in again who has logged out in a tab without locks", async () => {
    const session = tab({ locks: undefined });
    await session.login(credentials);
    const other = tab({ locks: undefined });
    const letGo = hold("refresh");
    const refreshed = session.refresh("access 0");
    await vi.advanceTimersByTimeAsync(0);
    await other.logout();
    letGo();
    expect(await refreshed).toBeNull();
    expect(session.state).toEqual({ signedIn: false, because: "loggedOut" });
    expect(stored()).toMatchObject({ signedIn: false, because: "loggedOut" });
  });

  test("does not put out who has signed in meanwhile in a tab without locks", async () => {
    const session = tab({ locks: undefined });
    await session.login(credentials);
    const letGo = hold("refresh");
    const asked = session.accessToken();
    vi.advanceTimersByTime(11_000);
    const late = session.accessToken();
    await vi.advanceTimersByTimeAsync(0);
    server.generation = 5;
    const other = tab({ locks: undefined });
    await other.login({ email: "bob@example.com", password: "another one" });
    letGo();
    expect(await asked).toBe("access 0");
    expect(await late).toBe("access 5");
    expect(id(session)).toBe(id(other));
    expect(stored()).toMatchObject({ accessToken: "access 5", refreshToken: "refresh 5" });
  });
});

describe("logging out", () => {
  test("does not wait for a refresh that gets no answer", async () => {
    const session = tab();
    await session.login(credentials);
    server.failures = 100;
    const refreshed = session.refresh("access 0");
    await vi.advanceTimersByTimeAsync(100);
    await session.logout();
    expect(await refreshed).toBeNull();
    expect(server.refreshes).toBe(1);
    expect(session.state).toEqual({ signedIn: false, because: "loggedOut" });
  });

  test.each([
    ["cookie", false, () => Promise.reject(new TypeError("Failed to fetch"))],
    ["cookie", false, () => unavailable(1)],
    ["bearer", true, () => unavailable(1)],
  ] as const)("stays signed in (%s, everywhere: %s) where it needs the server for that", async (mode, everywhere, answer) => {
    const session = tab({ mode });
    await session.login(credentials);
    server.instead = answer;
    await expect(session.logout(everywhere)).rejects.toThrow(Unreachable);
    expect(session.state.signedIn).toBe(true);
    server.instead = () => undefined;
    await session.logout(everywhere);
    expect(session.state).toEqual({ signedIn: false, because: "loggedOut" });
  });

  test("succeeds where the browser has lost the cookie, and the page its access token", async () => {
    await tab({ mode: "cookie" }).login(credentials);
    const session = tab({ mode: "cookie" });
    const extensions = { code: "UNAUTHENTICATED", reason: "MISSING" };
    server.instead = () => json({ data: null, errors: [{ message: "Sign in first", extensions }] });
    await session.logout();
    expect(session.state).toEqual({ signedIn: false, because: "loggedOut" });
  });

  test("everywhere says so where the session had ended before", async () => {
    const session = tab();
    await session.login(credentials);
    const tooLate = { endedSessions: 0, userErrors: [{ code: "INVALID_REFRESH_TOKEN", message: "no" }] };
    server.instead = () => json({ data: { logout: tooLate } });
    await session.logout(true);
    expect(session.state).toEqual({ signedIn: false, because: "ended" });
  });
});

describe("an answer that is none of Gatehouse's", () => {
  const pages: [string, () => Response][] = [
    ["a proxy's page", () => new Response("<h1>502 Bad Gateway</h1>", { status: 502 })],
    ["nothing", () => new Response("")],
    ["null", () => json(null)],
    ["a text", () => json("no")],
    ["a gateway's JSON", () => json({ message: "no route" }, { status: 404 })],
  ];

  test.each(pages)("such as %s ends no session", async (_, page) => {
    const session = tab();
    server.instead = page;
    await expect(session.login(credentials)).rejects.toThrow(Unreachable);
    server.instead = () => undefined;
    await session.login(credentials);
    server.instead = page;
    await expect(session.ask(me)).rejects.toThrow(Unreachable);
    vi.advanceTimersByTime(11_000);
    const failed = expect(session.ask(me)).rejects.toThrow(Unreachable);
    await vi.advanceTimersByTimeAsync(5_000);
    await failed;
    expect(session.state.signedIn).toBe(true);
    server.instead = () => undefined;
    expect((await session.ask(me)).data).toEqual({ me: "Bearer access 1" });
  });

  test("such as one without a payload says what the server said", async () => {
    const session = tab();
    await session.login(credentials);
    server.instead = () => json({ data: null, errors: [{ message: "internal error" }] });
    await expect(session.refresh("access 0")).rejects.toThrow("internal error");
    expect(server.refreshes).toBe(0);
    expect(session.state.signedIn).toBe(true);
  });
});

describe("a server that asks for time", () => {
  test("is given it", async () => {
    const session = tab();
    await session.login(credentials);
    let times = 0;
    server.instead = (word) => (word === "refresh" && times++ === 0 ? unavailable(2) : undefined);
    const next = session.refresh("access 0");
    await vi.advanceTimersByTimeAsync(1_900);
    expect(times).toBe(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(await next).toBe("access 1");
  });

  test.each([
    ["in its answer", () => unavailable(60)],
    ["in a header", () => new Response("later", { status: 503, headers: { "Retry-After": "60" } })],
  ])("for longer than a used refresh token is good for, is asked by whoever comes next (%s)", async (_, answer) => {
    const session = tab();
    await session.login(credentials);
    server.instead = answer;
    await expect(session.refresh("access 0")).rejects.toMatchObject({ name: "Unreachable", retryAfter: 60 });
    expect(session.state.signedIn).toBe(true);
  });

  test("and never answers is given up, within the grace period", async () => {
    const session = tab();
    await session.login(credentials);
    const tries: number[] = [];
    const began = performance.now();
    server.instead = (_, signal) => {
      tries.push(performance.now() - began);
      return new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    };
    const failed = expect(session.refresh("access 0")).rejects.toThrow(Unreachable);
    await vi.advanceTimersByTimeAsync(60_000);
    await failed;
    expect(tries.length).toBeGreaterThan(1);
    expect(Math.max(...tries)).toBeLessThan(28_000);
    expect(session.state.signedIn).toBe(true);
  });
});

describe("somebody else who signs in in another tab", () => {
  test.each(["bearer", "cookie"] as const)("is who this one is from then on (%s)", async (mode) => {
    const session = tab({ mode });
    await session.login(credentials);
    const before = id(session);
    server.generation = 5;
    const other = tab({ mode });
    await other.login({ email: "bob@example.com", password: "another one" });
    happen("storage", { key: "gatehouse.session" });
    expect(id(session)).not.toBe(before);
    expect(id(session)).toBe(id(other));
    expect((await session.ask(me)).data?.me).not.toBe("Bearer access 0");
  });

  test.each(["EXPIRED", "REVOKED"])("is not asked what the one before was refused (%s)", async (reason) => {
    const session = tab();
    await session.login(credentials);
    let letGo = () => {};
    const held = new Promise<void>((resolve) => (letGo = resolve));
    const refusal = json({ errors: [{ message: "no", extensions: { code: "UNAUTHENTICATED", reason } }] });
    server.instead = (word) => (word === "me" ? held.then(() => refusal) : undefined);
    const answer = session.ask(me);
    await vi.advanceTimersByTimeAsync(0);
    server.generation = 5;
    await tab().login({ email: "bob@example.com", password: "another one" });
    const asked = server.asked.length;
    letGo();
    expect((await answer).errors?.[0]?.extensions?.reason).toBe(reason);
    expect(server.asked).toHaveLength(asked);
    expect(session.state.signedIn).toBe(true);
  });

  test("is known where a page was set aside meanwhile", async () => {
    const session = tab();
    await session.login(credentials);
    await tab().logout();
    happen("pageshow");
    expect(session.state).toEqual({ signedIn: false, because: "loggedOut" });
  });
});

test("a session that is being logged out in another tab was not revoked", async () => {
  const session = tab();
  await session.login(credentials);
  const letGo = hold("logout");
  const out = tab().logout();
  await vi.advanceTimersByTimeAsync(100);
  const refused = session.refused("access 0", "REVOKED");
  await vi.advanceTimersByTimeAsync(100);
  letGo();
  await Promise.all([out, refused]);
  expect(session.state).toEqual({ signedIn: false, because: "loggedOut" });
});

describe("a session that is refused with its next token, too", () => {
  test("is shown as revoked", async () => {
    const session = tab();
    await session.login(credentials);
    let reason = "EXPIRED";
    server.instead = (word) => {
      if (word !== "me") return undefined;
      const refusal = json({ errors: [{ message: "no", extensions: { code: "UNAUTHENTICATED", reason } }] });
      reason = "REVOKED";
      return refusal;
    };
    await session.ask(me);
    expect(session.state).toEqual({ signedIn: false, because: "revoked" });
  });

  test("is refreshed once, not for ever", async () => {
    const session = tab();
    await session.login(credentials);
    const refusal = { errors: [{ message: "no", extensions: { code: "UNAUTHENTICATED", reason: "INVALID" } }] };
    server.instead = (word) => (word === "me" ? json(refusal) : undefined);
    expect(await session.ask(me)).toEqual(refusal);
    expect(server.refreshes).toBe(1);
  });
});

describe("a clock", () => {
  test.each([-3_600_000, 3_600_000])("that is set by %i ms keeps no token alive and ends no session", async (jump) => {
    const session = tab();
    await session.login(credentials);
    vi.setSystemTime(Date.now() + jump);
    expect(session.stale).toBe(jump > 0);
    await vi.advanceTimersByTimeAsync(11_000);
    expect(session.stale).toBe(true);
    expect(await session.accessToken()).toBe("access 1");
    expect(session.stale).toBe(false);
    expect(server.refreshes).toBe(1);
  });

  test.each([
    [0, 5, 7],
    [1, 5, 7],
    [60 * 24 * 3600, 0, 0],
  ])("renews tokens that live for %i s between %i and %i times in six seconds", async (lifetime, least, most) => {
    server.lifetime = lifetime;
    const session = tab({ renewEarly: true });
    await session.login(credentials);
    await vi.advanceTimersByTimeAsync(6_000);
    expect(server.refreshes).toBeGreaterThanOrEqual(least);
    expect(server.refreshes).toBeLessThanOrEqual(most);
  });
});

test("a tab that nobody sees renews nothing, and does when it is seen again", async () => {
  const view = Object.assign(new EventTarget(), { visibilityState: "visible" });
  vi.stubGlobal("document", view);
  const session = tab({ renewEarly: true });
  await session.login(credentials);
  view.visibilityState = "hidden";
  view.dispatchEvent(new Event("visibilitychange"));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(server.refreshes).toBe(0);
  view.visibilityState = "visible";
  view.dispatchEvent(new Event("visibilitychange"));
  await vi.advanceTimersByTimeAsync(1_100);
  expect(server.refreshes).toBe(1);
  expect(session.stale).toBe(false);
});

test("tokens that are none are not adopted", async () => {
  const session = tab();
  session.adopt(null);
  session.adopt(undefined);
  expect(session.state).toEqual({ signedIn: false, because: "none" });
  expect(storage.length).toBe(0);
});

describe("where there is nothing to share", () => {
  test("a session lives in its tab: on a server, or where the browser forbids it", async () => {
    for (const forbidden of [false, true]) {
      if (forbidden) {
        Object.defineProperty(globalThis, "localStorage", {
          configurable: true,
          get: () => {
            throw new DOMException("no", "SecurityError");
          },
        });
        // A browser that forbids the storage forbids the locks, too.
        vi.stubGlobal("navigator", { locks: { request: () => Promise.reject(new DOMException("no", "SecurityError")) } });
      }
      const session = new Session({ endpoint: "/graphql", fetch: server.fetch, renewEarly: false });
      await session.login(credentials);
      vi.advanceTimersByTime(11_000);
      expect((await session.ask(me)).errors).toBeUndefined();
      session.close();
      Reflect.deleteProperty(globalThis, "localStorage");
    }
  });

  test("a full storage costs no token", async () => {
    const full = new Store();
    const session = tab({ storage: full });
    await session.login(credentials);
    full.setItem = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
    vi.advanceTimersByTime(11_000);
    expect((await session.ask(me)).data).toEqual({ me: "Bearer access 1" });
    vi.advanceTimersByTime(11_000);
    expect((await session.ask(me)).data).toEqual({ me: "Bearer access 2" });
    expect(full.getItem("gatehouse.session")).toBeNull(); // a refresh token that was used would count as stolen
  });
});

describe("a cookie", () => {
  test("that lives on where the page knows nothing signs in, by being asked for once", async () => {
    const session = tab({ mode: "cookie" });
    await session.restore();
    expect(session.state.signedIn).toBe(true);
    expect((await session.ask(me)).data).toEqual({ me: "Bearer access 1" });
    await tab({ mode: "cookie" }).restore();
    expect(server.refreshes).toBe(1);
  });

  test("that is not there, or has been logged out, signs nobody in", async () => {
    server.ended = true;
    const session = tab({ mode: "cookie" });
    await session.restore();
    expect(session.state).toEqual({ signedIn: false, because: "none" });
    await session.login(credentials);
    await session.logout();
    await session.restore();
    expect(server.refreshes).toBe(1);
    const bearer = tab({ storage: new Store() });
    await bearer.restore();
    expect(server.refreshes).toBe(1);
  });

  test("is what the server wants, where the page leaves it to the server", async () => {
    const session = tab({ mode: "server" });
    await session.login(credentials);
    expect(server.asked.at(-1)?.mode).toBeNull();
    await session.refresh("access 0");
    expect(server.asked.at(-1)).toMatchObject({ mode: "bearer", input: { refreshToken: "refresh 0" } });
    expect(stored()).toMatchObject({ refreshToken: "refresh 1" });

    server.cookies = true;
    await session.login(credentials);
    expect(stored()).toMatchObject({ signedIn: true, accessToken: null, refreshToken: null });
    expect((await tab({ mode: "server" }).ask(me)).data).toEqual({ me: "Bearer access 2" });
    expect(server.asked.at(-2)).toMatchObject({ mode: null, input: {} });
    expect(session.state).toMatchObject({ accessToken: "access 1", refreshToken: null });
  });
});
