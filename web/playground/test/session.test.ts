import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Answer, type Options, Session, type State } from "../../session/session.ts";

/** A server that knows one session, as far as a client can tell. */
class Server {
  generation = 0;
  refreshes = 0;
  asked: { query: string; authorization: string | null; mode: string | null; credentials: string | undefined }[] = [];
  failures = 0; // how many refreshes get no answer
  reason: string | null = null; // why tokens are refused, if they are
  ended = false;

  tokens = () => ({ accessToken: `access ${this.generation}`, expiresIn: 10, refreshToken: `refresh ${this.generation}` });

  fetch = async (_: unknown, init?: RequestInit): Promise<Response> => {
    const { query, variables } = JSON.parse(String(init?.body)) as { query: string; variables?: { input?: { refreshToken?: string } } };
    const headers = new Headers(init?.headers);
    const authorization = headers.get("Authorization");
    this.asked.push({ query, authorization, mode: headers.get("Gatehouse-Session"), credentials: init?.credentials });
    await Promise.resolve();
    const answer = (body: unknown) => new Response(JSON.stringify(body));
    const payload = (name: string) => answer({ data: { [name]: { tokens: this.tokens(), userErrors: [] } } });
    if (query.includes("login(")) return payload("login");
    if (query.includes("logout(")) return answer({ data: { logout: { endedSessions: 1, userErrors: [] } } });
    if (query.includes("refresh(")) {
      this.refreshes++;
      if (this.failures-- > 0) throw new TypeError("Failed to fetch");
      const presented = variables?.input?.refreshToken;
      if (this.ended || (presented !== undefined && presented !== `refresh ${this.generation}`)) {
        return answer({ data: { refresh: { tokens: null, userErrors: [{ code: "INVALID_REFRESH_TOKEN", message: "no" }] } } });
      }
      this.generation++;
      this.reason = null;
      return payload("refresh");
    }
    if (authorization === null || this.reason) {
      const reason = this.reason ?? "MISSING";
      return answer({ errors: [{ message: "no", extensions: { code: "UNAUTHENTICATED", reason } }] });
    }
    return answer({ data: { me: authorization } });
  };
}

class Store implements Storage {
  readonly items = new Map<string, string>();
  get length() {
    return this.items.size;
  }
  clear = () => this.items.clear();
  getItem = (key: string) => this.items.get(key) ?? null;
  key = (index: number) => [...this.items.keys()][index] ?? null;
  removeItem = (key: string) => void this.items.delete(key);
  setItem = (key: string, value: string) => void this.items.set(key, value);
}

/** Locks as browsers have them: one holder at a time, in order. */
function newLocks(): LockManager {
  let last: Promise<unknown> = Promise.resolve();
  const request = (_: string, work: () => Promise<unknown>) => {
    const turn = last.then(work, work);
    last = turn.catch(() => undefined);
    return turn;
  };
  return { request } as unknown as LockManager;
}

const credentials = { email: "ada@example.com", password: "nine tulips by the canal" };
const me = { query: "{ me }" };
const heard: Session[] = [];
let server: Server;
let storage: Store;
let locks: LockManager;

function tab(options: Partial<Options> = {}): Session {
  const session = new Session({ endpoint: "/graphql", fetch: server.fetch, storage, locks, renewEarly: false, ...options });
  heard.push(session);
  return session;
}

beforeEach(() => {
  vi.useFakeTimers();
  server = new Server();
  storage = new Store();
  locks = newLocks();
});

afterEach(() => {
  for (const session of heard.splice(0)) session.close();
  vi.useRealTimers();
});

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
    await vi.advanceTimersByTimeAsync(8_900);
    expect(server.refreshes).toBe(0);
    await vi.advanceTimersByTimeAsync(200);
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
    const failed = expect(session.ask(me)).rejects.toThrow("Failed to fetch");
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

  test("that another tab opened anew is not ended by an old token's refusal", async () => {
    const old = tab();
    await old.login(credentials);
    server.generation = 5;
    await tab().login(credentials);
    expect(await old.refused("access 0", "REVOKED")).toBe("access 5");
    expect(old.state.signedIn).toBe(true);
  });

  test("ends for the page also where the server cannot be told", async () => {
    const session = tab();
    await session.login(credentials);
    session.subscribe(() => undefined);
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
