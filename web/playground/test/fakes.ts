// What stands for a server and for a browser where sessions are tested.
import { afterEach, beforeEach, vi } from "vitest";
import { type Options, Session } from "../../session/session.ts";

interface Input {
  refreshToken?: string;
}

/** A server that knows one session, as far as a client can tell. */
export class Server {
  generation = 0;
  refreshes = 0;
  asked: {
    query: string;
    authorization: string | null;
    mode: string | null;
    credentials: string | undefined;
    input: Input | undefined;
  }[] = [];
  failures = 0; // how many refreshes get no answer
  reason: string | null = null; // why tokens are refused, if they are
  ended = false;
  cookies = false; // whether it keeps refresh tokens in cookies for those who say nothing else
  lifetime = 10;
  /** What is answered instead to an operation with that word in it, if anything. */
  instead: (word: string, signal: AbortSignal | null | undefined) => Response | Promise<Response> | undefined = () => undefined;

  tokens = (inCookie = false) => ({
    accessToken: `access ${this.generation}`,
    expiresIn: this.lifetime,
    refreshToken: inCookie ? null : `refresh ${this.generation}`,
  });

  fetch = async (_: unknown, init?: RequestInit): Promise<Response> => {
    const { query, variables } = JSON.parse(String(init?.body)) as { query: string; variables?: { input?: Input } };
    const headers = new Headers(init?.headers);
    const authorization = headers.get("Authorization");
    const mode = headers.get("Gatehouse-Session");
    this.asked.push({ query, authorization, mode, credentials: init?.credentials, input: variables?.input });
    await Promise.resolve();
    const other = this.instead(/\w+(?=\()|me/.exec(query.replace(/^mutation \w+\(/, ""))?.[0] ?? "", init?.signal);
    if (other) return other;
    const answer = (body: unknown) => new Response(JSON.stringify(body));
    const inCookie = mode === "cookie" || (mode === null && this.cookies);
    const payload = (name: string) => answer({ data: { [name]: { tokens: this.tokens(inCookie), userErrors: [] } } });
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

export class Store implements Storage {
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

/** What one tab sees of a storage: its own writing at once, and that of others after so many ms. */
export class View extends Store {
  constructor(shared: Store, ms: number) {
    super();
    const write = shared.setItem;
    shared.setItem = (key, value) => {
      write(key, value);
      setTimeout(() => this.items.set(key, value), ms);
    };
    this.setItem = (key, value) => {
      this.items.set(key, value);
      shared.setItem(key, value);
    };
  }
}

/** Locks as browsers have them: those who do not share one hold it in turn. Whoever gives up waiting has none. */
export function newLocks(): LockManager {
  const last = new Map<string, Promise<unknown>>();
  const held = new Set<{ name: string }>();
  const hold = async (name: string, work: () => Promise<unknown>) => {
    const lock = { name };
    held.add(lock);
    await work().finally(() => held.delete(lock));
  };
  const request = (name: string, { signal, mode }: LockOptions, work: () => Promise<unknown>) =>
    new Promise((resolve, reject) => {
      if (mode === "shared") return void hold(name, () => work().then(resolve, reject));
      const giveUp = () => reject(signal?.reason as Error);
      signal?.addEventListener("abort", giveUp);
      const turn = async () => {
        if (signal?.aborted) return;
        signal?.removeEventListener("abort", giveUp);
        await hold(name, () => work().then(resolve, reject));
      };
      last.set(name, (last.get(name) ?? Promise.resolve()).then(turn));
    });
  const query = () => Promise.resolve({ held: [...held] });
  return { request, query } as unknown as LockManager;
}

export const credentials = { email: "ada@example.com", password: "nine tulips by the canal" };
export const me = { query: "{ me }" };
const heard: Session[] = [];
export let server: Server;
export let storage: Store;
export let locks: LockManager;

export function tab(options: Partial<Options> = {}): Session {
  const session = new Session({ endpoint: "/graphql", fetch: server.fetch, storage, locks, renewEarly: false, ...options });
  heard.push(session);
  return session;
}

/** What happens to all windows, such as a change of the storage by another one. */
const windows = new EventTarget();

export function happen(event: string, details: object = {}): void {
  windows.dispatchEvent(Object.assign(new Event(event), details));
}

beforeEach(() => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  vi.stubGlobal("addEventListener", windows.addEventListener.bind(windows));
  vi.stubGlobal("removeEventListener", windows.removeEventListener.bind(windows));
  server = new Server();
  storage = new Store();
  locks = newLocks();
});

afterEach(() => {
  for (const session of heard.splice(0)) session.close();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});
