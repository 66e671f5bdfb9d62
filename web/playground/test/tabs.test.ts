// Several tabs of one session, whose server is gone: none of them waits for the others to give up.
import { describe, expect, test, vi } from "vitest";
import { type Session, Unreachable } from "../../session/session.ts";
import { credentials, locks, me, server, storage, tab, View } from "./fakes.ts";

const loggedOut = { signedIn: false, because: "loggedOut" };
const began = () => {
  const start = performance.now();
  return () => performance.now() - start;
};

/** Signs in, and opens so many tabs that find the token expired. */
async function tabs(count: number): Promise<Session[]> {
  const first = tab();
  await first.login(credentials);
  const all = [first, ...Array.from({ length: count - 1 }, () => tab())];
  await vi.advanceTimersByTimeAsync(11_000);
  return all;
}

describe("six tabs whose server cannot be reached", () => {
  test("all say so after the time that one takes, and go on when it is back", async () => {
    const all = await tabs(6);
    server.failures = Infinity;
    const passed = began();
    const failed = all.map((session) =>
      session.ask(me).then(
        () => 0,
        (error: unknown) => (expect(error).toBeInstanceOf(Unreachable), passed()),
      ),
    );
    await vi.advanceTimersByTimeAsync(30_000);
    for (const ms of await Promise.all(failed)) {
      expect(ms).toBeGreaterThan(4_000);
      expect(ms).toBeLessThan(6_000);
    }
    expect(server.refreshes).toBe(24); // four tries each
    server.failures = 0;
    const answers = await Promise.all(all.flatMap((session) => Array.from({ length: 8 }, () => session.ask(me))));
    expect(answers.map((answer) => answer.data?.me)).toEqual(Array(48).fill("Bearer access 1"));
    expect(server.refreshes).toBe(25);
  });

  test("do not try what one of them has been answered meanwhile", async () => {
    const all = await tabs(6);
    server.failures = 6;
    const asked = Promise.all(all.map((session) => session.accessToken()));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await asked).toEqual(Array(6).fill("access 1"));
    expect(server.refreshes).toBe(7);
  });

  test("log out within one try", async () => {
    const all = await tabs(6);
    server.instead = () => Promise.reject(new TypeError("Failed to fetch"));
    const asked = all.map((session) => session.accessToken().catch((error: unknown) => error));
    await vi.advanceTimersByTimeAsync(100);
    const passed = began();
    const out = all[5]?.logout().catch((error: unknown) => (expect(error).toBeInstanceOf(Unreachable), passed()));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await out).toBeLessThan(1_000);
    await Promise.all(asked);
    expect(tab().state).toEqual(loggedOut);
    expect(all[5]?.state).toEqual(loggedOut);
  });
});

describe("a tab that keeps the others waiting", () => {
  test("and a server that never answers: all are told in twice the time of one try", async () => {
    const all = await tabs(6);
    server.instead = (_, signal) =>
      new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason as Error)));
    const passed = began();
    const failed = all.map((session) => session.accessToken().then(() => 0, passed));
    await vi.advanceTimersByTimeAsync(120_000);
    for (const ms of await Promise.all(failed)) expect(ms).toBeLessThan(32_000);
    expect(all[0]?.state.signedIn).toBe(true);
  });

  test("for ever keeps nobody from logging out, and is not waited for by who asks", async () => {
    const [first, second] = await tabs(2);
    void locks.request("gatehouse.session", {}, () => new Promise(() => undefined));
    const asked = first?.accessToken().catch((error: unknown) => error);
    const passed = began();
    const out = second?.logout().catch((error: unknown) => (expect(error).toBeInstanceOf(Unreachable), passed()));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await out).toBeLessThan(16_000);
    expect(await asked).toBeInstanceOf(Unreachable);
    expect(second?.state).toEqual(loggedOut);
    expect(tab().state).toEqual(loggedOut);
  });
});

describe("a storage that is slower than the locks", () => {
  test("makes a tab wait for what another one wrote", async () => {
    const [first, second] = [new View(storage, 300), new View(storage, 300)];
    await tab({ storage: first }).login(credentials);
    await vi.advanceTimersByTimeAsync(11_000);
    const asked = Promise.all([first, second].map((view) => tab({ storage: view }).accessToken()));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await asked).toEqual(["access 1", "access 1"]);
    expect(server.refreshes).toBe(1);
  });

  test("is not waited for without end", async () => {
    const [first, second] = [0, 1].map(() => tab({ storage: new View(storage, 60_000) }));
    await first?.login(credentials);
    const passed = began();
    const signedIn = second?.login(credentials).then(passed);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await signedIn).toBeLessThan(3_000);
  });
});

describe("a socket that is closed for its token", () => {
  test.each(["with", "without"])("asks nothing where this tab is logging out, %s locks", async (how) => {
    const session = tab(how === "without" ? { locks: undefined } : {});
    await session.login(credentials);
    const out = session.logout();
    const checked = session.check();
    await out;
    await checked;
    await session.check();
    expect(server.asked.filter(({ query }) => query.startsWith("{ me"))).toEqual([]);
    expect(session.state).toEqual(loggedOut);
  });

  test("learns that the session was revoked", async () => {
    const session = tab();
    await session.login(credentials);
    server.reason = "REVOKED";
    await session.check();
    expect(session.state).toEqual({ signedIn: false, because: "revoked" });
  });
});
