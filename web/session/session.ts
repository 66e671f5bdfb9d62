// A session with Gatehouse, kept for a web page: who is signed in, and an access token that is good whenever one is asked for.
// It knows no framework. Tabs of one origin share the session: they refresh one at a time, and log out together.

/** What `tokens` holds in the payloads of register, login, refresh and changePassword. */
export interface Tokens {
  accessToken: string;
  /** Seconds from now. The page's own clock counts them, so it need not agree with the server's. */
  expiresIn: number;
  /** Null where the server keeps it in a cookie. */
  refreshToken: string | null;
}

/** A mistake that a person can put right. */
export interface UserError {
  code: string;
  message: string;
  field?: string[] | null;
}

const endings = ["none", "loggedOut", "revoked", "ended"] as const;

/** Why nobody is signed in: never was, logged out, somebody revoked the session, or it ended by itself. */
export type Ending = (typeof endings)[number];

/** What a page shows. A new object for each change, so that it can be compared by identity. */
export type State =
  | {
      signedIn: true;
      /** The same in all tabs for as long as somebody is signed in; another one is somebody else, maybe. */
      id: string;
      /** Whose account it is; undefined until the server has said so. */
      user?: string | undefined;
      accessToken: string | null;
      refreshToken: string | null;
      /** When the access token ends, in ms, by this machine's clock. */
      expiresAt: number;
    }
  | { signedIn: false; because: Ending };

export interface Options {
  /** Where GraphQL answers. */
  endpoint: string;
  /**
   * Who keeps the refresh token: this page, or the browser in a cookie that no script can read. Pages of the server itself can
   * leave it to the server, which has COOKIE_MODE for that.
   */
  mode?: "bearer" | "cookie" | "server";
  /** Whether the access token is renewed shortly before it ends while the page is visible; else when it is next needed. */
  renewEarly?: boolean;
  /** What stands for the browser's own, in tests. */
  fetch?: typeof globalThis.fetch;
  storage?: Storage;
  locks?: LockManager | undefined;
}

/** An answer of GraphQL, as far as a session looks into it. */
export interface Answer {
  data?: Record<string, unknown> | null;
  errors?: { message: string; extensions?: { code?: string; reason?: string; retryAfter?: number } }[];
}

/** There was no answer, or none of Gatehouse: the line, a proxy or the server itself failed. The session goes on. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
  /** How many seconds the server asks to be left alone; 0 where it did not say. */
  readonly retryAfter: number;

  constructor(message: string, retryAfter = 0, options?: ErrorOptions) {
    super(message, options);
    this.retryAfter = retryAfter;
  }
}

export interface GraphQLRequest {
  query: string;
  variables?: unknown;
  operationName?: string | null | undefined;
}

const tokenFields = "user { id } tokens { accessToken expiresIn refreshToken } userErrors { code message field }";
const documents = {
  register: `mutation Register($input: RegisterInput!) { register(input: $input) { ${tokenFields} } }`,
  login: `mutation Login($input: LoginInput!) { login(input: $input) { ${tokenFields} } }`,
  refresh: `mutation Refresh($input: RefreshInput!) { refresh(input: $input) { ${tokenFields} } }`,
  logout: "mutation Logout($input: LogoutInput!) { logout(input: $input) { endedSessions userErrors { code message } } }",
};

/** The name under which tabs share the session, in the storage and for the lock. */
const key = "gatehouse.session";

/** How long to wait before a refresh that got no answer is tried again, in ms. */
const retryDelays = [250, 1000, 3000];

/**
 * How long after it was asked for a refresh is tried again, in ms: within the server's grace period, 30 s by default. Later a
 * refresh token whose successor was lost on the way counts as stolen.
 */
const retryWindow = 25_000;

/**
 * How long the server may take to answer, in ms, which gives up by itself a little earlier, and other tabs to let this one ask.
 * To refresh, both together.
 */
const timeout = 15_000;

/** How long before its end an access token is renewed, in ms: a tenth of what is left, and no more than this. */
const longestMargin = 30_000;

/** The least and the most that a timer waits, in ms. The least keeps tokens of no length from being renewed without a pause. */
const shortestWait = 1000;
const longestWait = 2 ** 31 - 1;

/** How long the storage may take to tell other tabs what was written, in ms: locks are passed on faster. */
const storageDelay = 2000;

/** What begins the name of the lock that a tab holds for that long. When it wrote follows, in ms. */
const writtenAt = `${key} written at `;

/** How many of its latest access tokens a tab knows as those of the present sign-in. */
const tokensKept = 8;

export class Session {
  readonly #endpoint: string;
  readonly #mode: "bearer" | "cookie" | "server";
  readonly #renewEarly: boolean;
  readonly #fetch: typeof globalThis.fetch;
  readonly #locks: LockManager | undefined;
  readonly #listeners = new Set<() => void>();
  #storage: Store;
  #state: State = { signedIn: false, because: "none" };
  #ends = 0; // when the access token does, by the clock that nobody sets
  #tokens: string[] = []; // access tokens of the present sign-in, the last one last
  #timer: ReturnType<typeof setTimeout> | undefined;
  #refreshing: { id: string; next: Promise<string | null>; controller: AbortController } | undefined;
  #last: Promise<unknown> = Promise.resolve(); // what this tab does alone, where there are no locks

  constructor(options: Options) {
    this.#endpoint = options.endpoint;
    this.#mode = options.mode ?? "bearer";
    this.#renewEarly = options.renewEarly ?? true;
    this.#fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
    const storage = options.storage ?? shared();
    this.#storage = storage ?? memory();
    // Outside a secure context there are none. Two tabs may then refresh at once, which the server's grace period forgives.
    // Where a browser forbids the storage it has locks, but gives nobody any.
    this.#locks = "locks" in options ? options.locks : storage && globalThis.navigator?.locks;
    this.#read();
    globalThis.addEventListener?.("storage", this.#onStorage);
    globalThis.addEventListener?.("pageshow", this.#onWake);
    globalThis.document?.addEventListener("visibilitychange", this.#onWake);
  }

  /** Stops the timer and stops listening to other tabs. */
  close(): void {
    clearTimeout(this.#timer);
    globalThis.removeEventListener?.("storage", this.#onStorage);
    globalThis.removeEventListener?.("pageshow", this.#onWake);
    globalThis.document?.removeEventListener("visibilitychange", this.#onWake);
    this.#listeners.clear();
  }

  get state(): State {
    return this.#state;
  }

  /** Whether accessToken has to ask the server: somebody is signed in, and no access token is at hand that is still good. */
  get stale(): boolean {
    const state = this.#state;
    if (!state.signedIn) return false;
    // One clock may be set, and the other stands still while the machine sleeps.
    return state.accessToken === null || state.expiresAt <= Date.now() || this.#ends <= performance.now();
  }

  /** Calls listener after each change, until the returned function is called. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Opens an account and signs in; returns what stands in the way. */
  register(input: { email: string; password: string; username?: string; name?: string }): Promise<UserError[]> {
    return this.#signIn("register", input);
  }

  /** Signs in; returns what stands in the way. */
  login(input: { email?: string; username?: string; password: string }): Promise<UserError[]> {
    return this.#signIn("login", input);
  }

  /**
   * In cookie mode, signs in where the browser has the cookie of a session that this page knows nothing of: a page of another
   * origin began it, or the storage was cleared. To be called once, at the start.
   */
  async restore(): Promise<void> {
    const unknown = () => this.#storage.getItem(key) === null;
    if (this.#mode !== "cookie" || !unknown()) return;
    await this.#withLock(async () => {
      if (!unknown()) return;
      const { tokens, user } = await this.#send("refresh", {}, null);
      this.adopt(tokens, user?.id);
    });
  }

  /**
   * Signs out here and in all tabs; with everywhere, on all devices. Throws where the server could not be told. This page has
   * forgotten its tokens then all the same, unless what was to end is beyond it: a cookie, or the other devices' sessions.
   */
  async logout(everywhere = false): Promise<void> {
    const before = this.#state;
    if (!before.signedIn) return;
    this.#refreshing?.controller.abort(); // any of the session's refresh tokens ends it
    try {
      await this.#withLock(async () => {
        const state = this.#stillSignedIn(before.id);
        if (!state) return;
        const { userErrors } = await this.#send("logout", { everywhere, ...credential(state) }, state.accessToken);
        const tooLate = everywhere && userErrors.length > 0; // to speak for the others
        this.#set({ signedIn: false, because: tooLate ? "ended" : "loggedOut" });
      });
    } catch (error) {
      if (this.#stillSignedIn(before.id)?.refreshToken && !everywhere) this.#set({ signedIn: false, because: "loggedOut" });
      throw error;
    }
  }

  /** Takes over tokens that came in another way, of the account with the id user. This counts as signing in. */
  adopt(tokens: Tokens | null | undefined, user?: string): void {
    if (tokens) this.#hold(tokens, `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`, user);
  }

  /** Returns an access token that has not ended, refreshing where need be; null where nobody is signed in. */
  async accessToken(): Promise<string | null> {
    const state = this.#state;
    if (!state.signedIn) return null;
    if (!this.stale) return state.accessToken;
    const next = await this.refresh(state.accessToken);
    return next === null && !this.#stillSignedIn(state.id) ? this.accessToken() : next;
  }

  /**
   * Replaces the access token stale, and returns its successor; null where the session has ended. However many ask at once, in
   * however many tabs, one of them asks the server. Throws where the server cannot be reached: the session goes on.
   */
  refresh(stale: string | null): Promise<string | null> {
    const state = this.#state;
    if (!state.signedIn) return Promise.resolve(null);
    if (this.#refreshing?.id === state.id) return this.#refreshing.next;
    const controller = new AbortController();
    const next = this.#refreshWithRetries(state.id, stale, controller.signal).finally(() => {
      if (this.#refreshing?.controller === controller) this.#refreshing = undefined; // else somebody else has signed in
    });
    this.#refreshing = { id: state.id, next, controller };
    return next;
  }

  /**
   * Sends a request with the access token attached. Where the server no longer takes that, it is refreshed and the request sent
   * once more: denied as a whole, it has changed nothing.
   */
  async ask(request: GraphQLRequest, headers: Record<string, string> = {}): Promise<Answer> {
    const token = await this.accessToken();
    const answer = await this.#post(request, token, headers);
    if (token === null) return answer;
    const next = await this.refused(token, denial(answer));
    if (next === null) return answer;
    const again = await this.#post(request, next, headers);
    if (denial(again) === "REVOKED") await this.refused(next, "REVOKED");
    return again;
  }

  /**
   * Is fetch for a GraphQL client's requests: says who keeps the refresh token, which changePassword brings as well, and lets the
   * cookie through where the browser does.
   */
  readonly fetch: typeof globalThis.fetch = (input, init) => {
    const headers = new Headers(init?.headers);
    if (this.#mode !== "server") headers.set("Gatehouse-Session", this.#mode);
    return this.#fetch(input, { ...init, headers, credentials: this.#mode === "cookie" ? "include" : "same-origin" });
  };

  /** Sends a request with headers that have a credential of their own, or none. */
  askAs(request: GraphQLRequest, headers: Record<string, string>): Promise<Answer> {
    return this.#post(request, null, headers);
  }

  /**
   * Is told that the server refused token, for the reason in the error's extensions. Returns another token to try with; null
   * where there is none, or somebody has signed in since: what one user has asked is not asked again as another.
   */
  async refused(token: string, reason: unknown): Promise<string | null> {
    if (reason !== "EXPIRED" && reason !== "INVALID" && reason !== "REVOKED") return null;
    const state = this.#read();
    if (!state.signedIn || !this.#tokens.includes(token)) return null;
    if (reason === "REVOKED") {
      await this.#withLock(async () => {
        if (this.#stillSignedIn(state.id)) this.#set({ signedIn: false, because: "revoked" }); // no other tab was logging out
      });
      return null;
    }
    return this.refresh(token);
  }

  /**
   * Is told that a socket was closed for its token, and learns from the server why. Nothing is asked where that came of a logout,
   * also one that is under way.
   */
  async check(): Promise<void> {
    await this.#withLock(() => Promise.resolve(this.#read()));
    if (this.#state.signedIn) await this.ask({ query: "{ me { id } }" });
  }

  // The server is asked while no other tab asks it, so that the cookie and what the tabs know are the same user's.
  #signIn(mutation: "register" | "login", input: object): Promise<UserError[]> {
    return this.#withLock(async () => {
      const { tokens, user, userErrors } = await this.#send(mutation, input, null);
      this.adopt(tokens, user?.id);
      return userErrors;
    });
  }

  /**
   * Refreshes again where no answer came: within the grace period the same successor is handed out. Other tabs have their turns
   * in between: none of them waits for this one to give up.
   */
  async #refreshWithRetries(id: string, stale: string | null, signal: AbortSignal): Promise<string | null> {
    const began = performance.now();
    for (let tried = 0; !signal.aborted; tried++) {
      try {
        await this.#withLock((limited) => this.#refreshOnce(id, stale, limited), signal);
        const state = this.#state;
        return state.signedIn && state.id === id ? state.accessToken : null;
      } catch (error) {
        if (signal.aborted) break;
        const least = retryDelays[tried] ?? Infinity;
        const wait = error instanceof Unreachable ? Math.max(least, error.retryAfter * 1000) : Infinity;
        if (performance.now() - began + wait > retryWindow) throw error;
        await delay(wait, signal);
      }
    }
    return null;
  }

  async #refreshOnce(id: string, stale: string | null, signal?: AbortSignal): Promise<void> {
    const before = this.#stillSignedIn(id);
    if (!before || (before.accessToken !== stale && !this.stale)) return; // another tab was here before
    const { tokens, user } = await this.#send("refresh", credential(before), null, signal);
    const now = this.#stillSignedIn(id);
    if (!now || now.refreshToken !== before.refreshToken) return; // a tab without locks was faster: what it has is no older
    if (!tokens) this.#set({ signedIn: false, because: "ended" });
    else if (before.user && user?.id !== before.user) this.adopt(tokens, user?.id); // the cookie is another origin's, too
    else this.#hold(tokens, id, user?.id);
  }

  /** Sends one of the session's own mutations. */
  async #send(mutation: keyof typeof documents, input: object, token: string | null, signal?: AbortSignal): Promise<Payload> {
    // Whatever the server would do for a page that says nothing: a refresh token that the page has is in no cookie.
    const own = this.#mode === "server" && "refreshToken" in input;
    const headers: Record<string, string> = own ? { "Gatehouse-Session": "bearer" } : {};
    const request = { query: documents[mutation], variables: { input } };
    const answer = await withTimeout((limited) => this.#post(request, token, headers, limited), signal);
    return payloadOf(answer, mutation);
  }

  async #post(
    request: GraphQLRequest,
    token: string | null,
    headers: Record<string, string>,
    signal?: AbortSignal,
  ): Promise<Answer> {
    let response: Response;
    let text: string;
    try {
      response = await this.fetch(this.#endpoint, {
        method: "POST",
        headers: {
          Accept: "application/graphql-response+json, application/json;q=0.9",
          "Content-Type": "application/json",
          ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
          ...headers,
        },
        body: JSON.stringify(request),
        ...(signal ? { signal } : {}),
      });
      text = await response.text();
    } catch (error) {
      throw new Unreachable("The server cannot be reached.", 0, { cause: error });
    }
    const answer = answerIn(text);
    if (answer) return answer;
    const wait = Number(response.headers.get("Retry-After"));
    throw new Unreachable(`The server cannot be reached: what is there answers ${response.status}.`, wait > 0 ? wait : 0);
  }

  /**
   * Does the work while no other tab does any. Throws where its turn does not come in time, or is no longer wanted. The signal that
   * work is given ends the time for its turn and the work together.
   */
  #withLock<T>(work: (limited?: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const locks = this.#locks;
    const alone = () => work(signal);
    if (!locks) return (this.#last = this.#last.then(alone, alone));
    const turn = async (limited: AbortSignal) => {
      await upToDate(locks, this.#storage);
      return work(limited);
    };
    return withTimeout((limited) => locks.request(key, { signal: limited }, () => turn(limited)), signal);
  }

  /** What the tabs share, where the one with that id is still who is signed in. */
  #stillSignedIn(id: string): SignedIn | undefined {
    const state = this.#read();
    return state.signedIn && state.id === id ? state : undefined;
  }

  /** Takes over what the tabs share. Of a session in a cookie that is only which it is: each tab has its own access token. */
  #read(): State {
    const { state } = parse(this.#storage.getItem(key));
    const own = this.#state;
    const inCookie = state.signedIn && state.accessToken === null;
    const unchanged = inCookie ? own.signedIn && own.id === state.id : JSON.stringify(state) === JSON.stringify(own);
    if (!unchanged) this.#show(state);
    return this.#state;
  }

  #hold({ accessToken, expiresIn, refreshToken }: Tokens, id: string, user: string | undefined): void {
    this.#set({ signedIn: true, id, user, accessToken, refreshToken, expiresAt: Date.now() + expiresIn * 1000 });
  }

  #set(state: State): void {
    const at = Date.now();
    const kept = state.signedIn && state.refreshToken === null ? { ...state, accessToken: null } : state;
    const text = JSON.stringify({ ...kept, at });
    // Before this tab's turn ends: the tab whose turn is next knows what to wait for.
    this.#locks?.request(writtenAt + at, { mode: "shared" }, () => delay(storageDelay)).catch(() => undefined);
    try {
      this.#storage.setItem(key, text);
    } catch {
      // It is full. What it holds is out of date: a page loaded anew would be taken for a thief with it.
      this.#storage.removeItem(key);
      this.#storage = memory();
      this.#storage.setItem(key, text);
    }
    this.#show(state);
  }

  #show(state: State): void {
    const before = this.#state;
    this.#state = state;
    if (!state.signedIn || !before.signedIn || before.id !== state.id) this.#tokens = [];
    if (state.signedIn) {
      this.#ends = performance.now() + state.expiresAt - Date.now();
      if (state.accessToken !== null) this.#tokens = [...this.#tokens, state.accessToken].slice(-tokensKept);
    }
    this.#schedule();
    for (const listener of this.#listeners) listener();
  }

  readonly #onStorage = (event: StorageEvent): void => {
    if (event.key === key || event.key === null) this.#read();
  };

  // A page that was set aside has heard nothing of other tabs, and its timers stood still.
  readonly #onWake = (): void => {
    this.#read();
    this.#schedule();
  };

  #schedule(): void {
    clearTimeout(this.#timer);
    const state = this.#state;
    if (!this.#renewEarly || !state.signedIn || state.accessToken === null) return;
    if (globalThis.document?.visibilityState === "hidden") return;
    const left = Math.min(state.expiresAt - Date.now(), this.#ends - performance.now());
    const wait = Math.min(Math.max(left - Math.min(longestMargin, left / 10), shortestWait), longestWait);
    // Where that fails, whoever needs a token next tries again.
    this.#timer = setTimeout(() => void this.refresh(state.accessToken).catch(() => undefined), wait);
  }
}

type SignedIn = State & { signedIn: true };

type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

interface Payload {
  tokens?: Tokens | null;
  user?: { id: string } | null;
  userErrors: UserError[];
}

/** What tells the server which session is meant; nothing where the browser adds a cookie that does. */
function credential({ refreshToken }: SignedIn): { refreshToken?: string } {
  return refreshToken ? { refreshToken } : {};
}

/** Returns why the answer was denied for want of a good access token; undefined where it was not. */
function denial(answer: Answer): string | undefined {
  return answer.errors?.find((error) => error.extensions?.code === "UNAUTHENTICATED")?.extensions?.reason;
}

function payloadOf(answer: Answer, mutation: string): Payload {
  const payload = answer.data?.[mutation];
  if (payload) return payload as Payload;
  const [error] = answer.errors ?? [];
  const message = error?.message ?? `The server did not say what came of ${mutation}.`;
  const { code, retryAfter } = error?.extensions ?? {};
  // The cookie has gone, and there is no access token any more: nothing that could be ended.
  if (mutation === "logout" && code === "UNAUTHENTICATED") return { userErrors: [{ code, message }] };
  throw code === "SERVICE_UNAVAILABLE" ? new Unreachable(message, retryAfter) : new Error(message);
}

/** Returns the answer in the text; undefined where there is none, as in a proxy's page about its own errors. */
function answerIn(text: string): Answer | undefined {
  try {
    const answer = JSON.parse(text) as Answer | null;
    if (typeof answer?.data === "object" || Array.isArray(answer?.errors)) return answer;
  } catch {
    // No JSON.
  }
  return undefined;
}

/** Does the work until signal is aborted, or it takes too long. */
async function withTimeout<T>(work: (limited: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(new Unreachable("The server cannot be reached: it takes too long.")), timeout);
  try {
    return await work(signal ? AbortSignal.any([signal, limit.signal]) : limit.signal);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits that many ms, or until signal is aborted. */
function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

/** Waits until the storage holds what other tabs have written. */
async function upToDate(locks: LockManager, storage: Store): Promise<void> {
  const { held = [] } = await locks.query();
  const times = held.map(({ name = "" }) => (name.startsWith(writtenAt) ? Number(name.slice(writtenAt.length)) : 0));
  const patience = performance.now() + storageDelay;
  while (parse(storage.getItem(key)).at < Math.max(...times) && performance.now() < patience) await delay(10);
}

/** Returns what the tabs of this origin share; undefined where the browser keeps it from them, and where there is no browser. */
function shared(): Storage | undefined {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined;
  }
}

/** Stands in where tabs share nothing: a session of this tab alone, until it is loaded anew. */
function memory(): Store {
  let item: string | null = null;
  return { getItem: () => item, setItem: (_, value) => void (item = value), removeItem: () => void (item = null) };
}

/** Returns what the tabs share, and when it was written, in ms. */
function parse(text: string | null): { state: State; at: number } {
  try {
    const { at = 0, ...state } = JSON.parse(text ?? "null") as State & { at?: number };
    if (state.signedIn === false && endings.includes(state.because)) return { state, at };
    if (state.signedIn === true && typeof state.id === "string" && Number.isFinite(state.expiresAt)) return { state, at };
  } catch {
    // What another program left there is nobody's session.
  }
  return { state: { signedIn: false, because: "none" }, at: 0 };
}
