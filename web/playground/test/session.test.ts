import { describe, expect, test, vi } from "vitest";
import { type Answer, type State, Unreachable } from "../../session/session.ts";
import { credentials, me, type Server, server, storage, tab } from "./fakes.ts";

describe("a session", () => {
  test("attaches the token, and nothing before there is one", async () => {
    const session = tab();
    expect((await session.ask(me)).errors?.[0]?.extensions?.reason).toBe("MISSING");
    expect(session.state).toEqual({ signedIn: false, because: "none" });
    expect(await session.login(credentials)).toEqual([]);
    expect((await session.ask(me)).data).toEqual({ me: "Bearer access 0" });
  });

  test("refreshes an expired token once for eight queries in each of two tabs", async () => {
    const first = tab();
    await first.login(credentials);
    const second = tab();
    vi.advanceTimersByTime(11_000);
    const answers = await Promise.all([first, second].flatMap((s) => Array.from({ length: 8 }, () => s.ask(me))));
    expect(answers.map((a: Answer) => a.data?.me)).toEqual(Array(16).fill("Bearer access 1"));
    expect(server.refreshes).toBe(1);
  });

  test("refreshes and asks again where the server finds the token expired before the page does", async () => {
    const session = tab();
    await session.login(credentials);
    server.reason = "EXPIRED";
    const answers = await Promise.all(Array.from({ length: 8 }, () => session.ask(me)));
    expect(answers.map((a) => a.data?.me)).toEqual(Array(8).fill("Bearer access 1"));
    expect(server.refreshes).toBe(1);
  });

  test("is renewed before the token ends", async () => {
    const session = tab({ renewEarly: true });
    await session.login(credentials);
    await vi.advanceTimersByTimeAsync(8_500);
    expect(server.refreshes).toBe(0);
    await vi.advanceTimersByTimeAsync(600);
    expect(server.refreshes).toBe(1);
    session.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.refreshes).toBe(1);
  });

  test("survives refreshes that get no answer", async () => {
    const session = tab();
    await session.login(credentials);
    vi.advanceTimersByTime(11_000);
    server.failures = 2;
    const answer = session.ask(me);
    await vi.advanceTimersByTimeAsync(2_000);
    expect((await answer).data).toEqual({ me: "Bearer access 1" });

    vi.advanceTimersByTime(11_000);
    server.failures = 10;
    const failed = expect(session.ask(me)).rejects.toThrow(Unreachable);
    await vi.advanceTimersByTimeAsync(10_000);
    await failed;
    expect(session.state.signedIn).toBe(true);
    server.failures = 0;
    expect((await session.ask(me)).data).toEqual({ me: "Bearer access 2" });
  });

  test.each<[string, (s: Server) => void, State]>([
    ["revoked", (s) => (s.reason = "REVOKED"), { signedIn: false, because: "revoked" }],
    ["ended", (s) => ((s.reason = "EXPIRED"), (s.ended = true)), { signedIn: false, because: "ended" }],
  ])("that was %s is shown as such, in all tabs", async (_, end, want) => {
    const session = tab();
    await session.login(credentials);
    end(server);
    expect((await session.ask(me)).errors?.[0]?.extensions?.code).toBe("UNAUTHENTICATED");
    expect(session.state).toEqual(want);
    expect(tab().state).toEqual(want);
  });

  test("ends for the page also where the server cannot be told", async () => {
    const session = tab();
    await session.login(credentials);
    const unreachable = tab({ fetch: () => Promise.reject(new TypeError("Failed to fetch")) });
    await expect(unreachable.logout()).rejects.toThrow();
    expect(tab().state).toEqual({ signedIn: false, because: "loggedOut" });
  });

  test("in a cookie stores no token, and says so to the server", async () => {
    const session = tab({ mode: "cookie" });
    await session.login(credentials);
    expect([...storage.items.values()].join()).not.toMatch(/access 0|refresh 0/);
    const second = tab({ mode: "cookie" });
    expect((await second.ask(me)).data).toEqual({ me: "Bearer access 1" });
    expect(server.asked.at(-1)).toMatchObject({ mode: "cookie", credentials: "include" });
    expect(server.asked.every((a) => !a.query.includes("refresh 0"))).toBe(true);
    expect((await session.ask(me)).data).toEqual({ me: "Bearer access 0" });
  });

  test("without locks is still refreshed once in a tab", async () => {
    const session = tab({ locks: undefined });
    await session.login(credentials);
    vi.advanceTimersByTime(11_000);
    await Promise.all([session.ask(me), session.ask(me), session.ask(me)]);
    expect(server.refreshes).toBe(1);
  });

  test.each(["", "null", "[", "7", '{"signedIn":"yes"}'])("does not stumble over %j in the storage", (text) => {
    storage.setItem("gatehouse.session", text);
    expect(tab().state).toEqual({ signedIn: false, because: "none" });
  });
});
