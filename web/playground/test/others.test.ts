// What others do to a session while this tab waits for an answer: tabs without locks, and pages of other origins.
import { describe, expect, test, vi } from "vitest";
import type { Session } from "../../session/session.ts";
import { credentials, locks, me, server, storage, tab } from "./fakes.ts";

const bob = { email: "bob@example.com", password: "another one" };
const id = (session: Session) => (session.state.signedIn ? session.state.id : "");
const stored = () => JSON.parse(storage.getItem("gatehouse.session") ?? "null") as unknown;
const answer = (mutation: string, payload: object) => new Response(JSON.stringify({ data: { [mutation]: payload } }));

/** Keeps the next answer to the operation on the line, as it was when it was given, until it is let go. */
function slow(word: string, payload: () => object): () => void {
  let letGo = () => {};
  const held = new Promise<void>((resolve) => (letGo = resolve));
  let given: Response | undefined;
  server.instead = (asked) => {
    if (asked !== word || given) return undefined;
    given = answer(word, payload());
    const late = given;
    return held.then(() => late);
  };
  return letGo;
}

test("an answer that a later refresh has overtaken is not kept, in tabs without locks", async () => {
  const session = tab({ locks: undefined });
  await session.login(credentials);
  const other = tab({ locks: undefined });
  const letGo = slow("refresh", () => {
    server.generation++;
    return { tokens: server.tokens(), userErrors: [] };
  });
  const asked = session.refresh("access 0");
  await vi.advanceTimersByTimeAsync(0);
  // Within the grace another tab is given the same successor, and soon the one after that.
  storage.setItem("gatehouse.session", JSON.stringify({ ...(stored() as object), refreshToken: "refresh 1" }));
  expect(await other.refresh("access 0")).toBe("access 2");
  letGo();
  expect(await asked).toBe("access 2");
  expect(stored()).toMatchObject({ accessToken: "access 2", refreshToken: "refresh 2" });
});

describe("a cookie that pages of other origins share", () => {
  const payload = (account: string) => ({
    user: { id: account },
    tokens: { accessToken: `access of ${account}`, expiresIn: 10, refreshToken: null },
    userErrors: [],
  });
  const answers = (account: string) => {
    server.instead = (word) => (word === "me" ? undefined : answer(word, payload(account)));
  };

  test("and that is somebody else's now is not taken for the same session", async () => {
    answers("ada");
    const session = tab({ mode: "cookie" });
    await session.login(credentials);
    const other = tab({ mode: "cookie" });
    const before = id(session);
    vi.advanceTimersByTime(11_000);
    await session.ask(me);
    expect(id(session)).toBe(before);
    answers("bob");
    expect(await session.refresh("access of ada")).toBeNull();
    expect(session.state).toMatchObject({ signedIn: true, user: "bob", accessToken: "access of bob" });
    expect(id(session)).not.toBe(before);
    expect((await other.ask(me)).data).toEqual({ me: "Bearer access of bob" });
    expect(id(other)).toBe(id(session));
  });
});

describe("logging out", () => {
  test("does not log out who has signed in before its turn came", async () => {
    const session = tab();
    await session.login(credentials);
    const letGo = slow("login", () => ({ tokens: { ...server.tokens(), accessToken: "bob's" }, userErrors: [] }));
    const login = tab().login(bob);
    await vi.advanceTimersByTimeAsync(0);
    const out = session.logout();
    letGo();
    await Promise.all([login, out]);
    expect(session.state).toMatchObject({ signedIn: true, accessToken: "bob's" });
    expect(server.asked.filter(({ query }) => query.includes("logout("))).toEqual([]);
  });

  test("does not forget who has signed in where its turn never comes", async () => {
    const session = tab();
    await session.login(credentials);
    void locks.request("gatehouse.session", {}, () => new Promise(() => undefined));
    const out = expect(session.logout()).rejects.toThrow();
    await tab({ locks: undefined }).login(bob);
    await vi.advanceTimersByTimeAsync(20_000);
    await out;
    expect(session.state.signedIn).toBe(true);
  });
});
