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

/** Why nobody is signed in: never was, logged out, somebody revoked the session, or it ended by itself. */
export type Ending = "none" | "loggedOut" | "revoked" | "ended";

/** What a page shows. A new object for each change, so that it can be compared by identity. */
export type State =
  | { signedIn: true; accessToken: string | null; refreshToken: string | null; expiresAt: number }
  | { signedIn: false; because: Ending };

export interface Options {
  /** Where GraphQL answers. */
  endpoint: string;
  /** Who keeps the refresh token: this page, or the browser in a cookie that no script can read. */
  mode?: "bearer" | "cookie";
  /** The name under which tabs share the session. */
  name?: string;
  /** Whether the access token is renewed shortly before it ends while the page is visible; else when it is next needed. */
  renewEarly?: boolean;
  fetch?: typeof globalThis.fetch;
  storage?: Storage;
  locks?: LockManager | undefined;
  now?: () => number;
}

/** An answer of GraphQL, as far as a session looks into it. */
export interface Answer {
  data?: Record<string, unknown> | null;
  errors?: { message: string; extensions?: { code?: string; reason?: string } }[];
}

export interface GraphQLRequest {
  query: string;
  variables?: unknown;
  operationName?: string | null | undefined;
}

const tokenFields = "tokens { accessToken expiresIn refreshToken } userErrors { code message field }";
const documents = {
  register: `mutation Register($input: RegisterInput!) { register(input: $input) { ${tokenFields} } }`,
  login: `mutation Login($input: LoginInput!) { login(input: $input) { ${tokenFields} } }`,
  refresh: `mutation Refresh($input: RefreshInput!) { refresh(input: $input) { ${tokenFields} } }`,
  logout: "mutation Logout($input: LogoutInput!) { logout(input: $input) { endedSessions userErrors { code message } } }",
};

/** How long to wait before a refresh that got no answer is tried again, in ms: well within the server's grace period. */
const retries = [250, 1000, 3000];

/** The longest and the shortest time before its end that an access token is renewed, in ms; a tenth of its life in between. */
const longestMargin = 30_000;
const shortestMargin = 1000;

export class Session {
  readonly #endpoint: string;
  readonly #mode: "bearer" | "cookie";
  readonly #name: string;
  readonly #renewEarly: boolean;
  readonly #fetch: typeof globalThis.fetch;
  readonly #storage: Storage;
  readonly #locks: LockManager | undefined;
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();
  #state: State = { signedIn: false, because: "none" };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #refreshing: Promise<string | null> | undefined;

  constructor(options: Options) {
    this.#endpoint = options.endpoint;
    this.#mode = options.mode ?? "bearer";
    this.#name = options.name ?? "gatehouse.session";
    this.#renewEarly = options.renewEarly ?? true;
    this.#fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
    this.#storage = options.storage ?? globalThis.localStorage;
    // Outside a secure context there are none. Two tabs may then refresh at once, which the server's grace period forgives.
    this.#locks = "locks" in options ? options.locks : globalThis.navigator?.locks;
    this.#now = options.now ?? Date.now;
    this.#read();
    globalThis.addEventListener?.("storage", this.#onStorage);
    globalThis.document?.addEventListener("visibilitychange", this.#schedule);
    this.#schedule();
  }

  /** Stops the timer and stops listening to other tabs. */
  close(): void {
    clearTimeout(this.#timer);
    globalThis.removeEventListener?.("storage", this.#onStorage);
    globalThis.document?.removeEventListener("visibilitychange", this.#schedule);
    this.#listeners.clear();
  }

  get state(): State {
    return this.#state;
  }

  /** Calls listener after each change, until the returned function is called. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Opens an account and signs in; returns what stands in the way. */
  register(input: { email: string; password: string; username?: string; name?: string }): Promise<UserError[]> {
    return this.#enter("register", input);
  }

  /** Signs in; returns what stands in the way. */
  login(input: { email?: string; username?: string; password: string }): Promise<UserError[]> {
    return this.#enter("login", input);
  }

  /** Signs out here and in all tabs, also where the server cannot be told. With everywhere, on all devices. */
  async logout(everywhere = false): Promise<void> {
    await this.#exclusively(async () => {
      const state = this.#read();
      if (!state.signedIn) return;
      const input = { everywhere, ...(state.refreshToken ? { refreshToken: state.refreshToken } : {}) };
      try {
        await this.#post({ query: documents.logout, variables: { input } }, state.accessToken);
      } finally {
        this.#set({ signedIn: false, because: "loggedOut" });
      }
    });
  }

  /** Takes over tokens that came in another way. */
  adopt(tokens: Tokens): void {
    this.#set({
      signedIn: true,
      accessToken: tokens.accessToken,
      refreshToken: this.#mode === "bearer" ? tokens.refreshToken : null,
      expiresAt: this.#now() + tokens.expiresIn * 1000,
    });
  }

  /** Returns an access token that has not ended, refreshing where need be; null where nobody is signed in. */
  async accessToken(): Promise<string | null> {
    const state = this.#state;
    if (!state.signedIn) return null;
    return this.#fresh(state) ? state.accessToken : this.refresh(state.accessToken);
  }

  /**
   * Replaces the access token stale, and returns its successor; null where the session has ended. However many ask at once, in
   * however many tabs, one of them asks the server. Throws where the server cannot be reached: the session goes on.
   */
  refresh(stale: string | null): Promise<string | null> {
    this.#refreshing ??= this.#exclusively(() => this.#renew(stale)).finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
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
    return next === null ? answer : this.#post(request, next, headers);
  }

  /** Sends a request with headers that have a credential of their own, or none. */
  askAs(request: GraphQLRequest, headers: Record<string, string>): Promise<Answer> {
    return this.#post(request, null, headers);
  }

  /**
   * Is told that the server refused token, for the reason in the error's extensions. Returns another token to try with; null where
   * there is none.
   */
  async refused(token: string, reason: string | undefined): Promise<string | null> {
    if (reason !== "EXPIRED" && reason !== "INVALID" && reason !== "REVOKED") return null;
    const state = this.#read();
    if (!state.signedIn) return null;
    // Another tab has signed in anew since.
    if (state.accessToken !== null && state.accessToken !== token && this.#fresh(state)) return state.accessToken;
    if (reason === "REVOKED") {
      this.#set({ signedIn: false, because: "revoked" });
      return null;
    }
    return this.refresh(token);
  }

  async #enter(mutation: "register" | "login", input: unknown): Promise<UserError[]> {
    const answer = await this.#post({ query: documents[mutation], variables: { input } }, null);
    const payload = payloadOf(answer, mutation);
    if (payload.tokens) await this.#exclusively(async () => this.adopt(payload.tokens!));
    return payload.userErrors;
  }

  async #renew(stale: string | null): Promise<string | null> {
    const state = this.#read(); // another tab may have been here before, while this one waited for its turn
    if (!state.signedIn) return null;
    if (state.accessToken !== null && state.accessToken !== stale && this.#fresh(state)) return state.accessToken;
    const input = state.refreshToken ? { refreshToken: state.refreshToken } : {};
    const { tokens } = payloadOf(await this.#persistently({ query: documents.refresh, variables: { input } }), "refresh");
    if (tokens) {
      this.adopt(tokens);
      return tokens.accessToken;
    }
    const now = this.#read();
    if (now.signedIn && now.refreshToken !== state.refreshToken) return now.accessToken; // a tab without locks was faster
    this.#set({ signedIn: false, because: "ended" });
    return null;
  }

  /** Sends a refresh again where no answer came: within the grace period the same successor is handed out. */
  async #persistently(request: GraphQLRequest): Promise<Answer> {
    for (const wait of retries) {
      try {
        const answer = await this.#post(request, null);
        if (answer.errors?.[0]?.extensions?.code !== "SERVICE_UNAVAILABLE") return answer;
      } catch {
        // No answer is no verdict.
      }
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
    return this.#post(request, null);
  }

  async #post(request: GraphQLRequest, token: string | null, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await this.#fetch(this.#endpoint, {
      method: "POST",
      credentials: this.#mode === "cookie" ? "include" : "same-origin",
      headers: {
        Accept: "application/graphql-response+json, application/json;q=0.9",
        "Content-Type": "application/json",
        "Gatehouse-Session": this.#mode,
        ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
        ...headers,
      },
      body: JSON.stringify(request),
    });
    return (await response.json()) as Answer;
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#locks ? (this.#locks.request(this.#name, work) as Promise<T>) : work();
  }

  #fresh(state: State & { signedIn: true }): boolean {
    return state.accessToken !== null && state.expiresAt > this.#now();
  }

  /** Takes over what the tabs share. In cookie mode that is only whether somebody is signed in; each tab has a token of its own. */
  #read(): State {
    const text = this.#storage.getItem(this.#name);
    const shared = parse(text);
    const unchanged =
      this.#mode === "cookie"
        ? shared.signedIn && this.#state.signedIn
        : JSON.stringify(shared) === JSON.stringify(this.#state);
    if (!unchanged) this.#show(shared);
    return this.#state;
  }

  #set(state: State): void {
    const shared = this.#mode === "cookie" && state.signedIn ? { ...state, accessToken: null } : state;
    this.#storage.setItem(this.#name, JSON.stringify(shared));
    this.#show(state);
  }

  #show(state: State): void {
    this.#state = state;
    this.#schedule();
    for (const listener of this.#listeners) listener();
  }

  readonly #onStorage = (event: StorageEvent): void => {
    if (event.key === this.#name || event.key === null) this.#read();
  };

  readonly #schedule = (): void => {
    clearTimeout(this.#timer);
    const state = this.#state;
    if (!this.#renewEarly || !state.signedIn || state.accessToken === null) return;
    if (globalThis.document?.visibilityState === "hidden") return;
    const left = state.expiresAt - this.#now();
    const wait = Math.max(left - Math.min(longestMargin, Math.max(shortestMargin, left / 10)), 0);
    // Where that fails, whoever needs a token next tries again.
    this.#timer = setTimeout(() => void this.refresh(state.accessToken).catch(() => undefined), wait);
  };
}

/** Returns why the answer was denied for want of a good access token; undefined where it was not. */
export function denial(answer: Answer): string | undefined {
  return answer.errors?.find((error) => error.extensions?.code === "UNAUTHENTICATED")?.extensions?.reason;
}

function payloadOf(answer: Answer, mutation: string): { tokens: Tokens | null; userErrors: UserError[] } {
  const payload = answer.data?.[mutation];
  if (!payload) throw new Error(answer.errors?.[0]?.message ?? `${mutation} was not answered`);
  return payload as { tokens: Tokens | null; userErrors: UserError[] };
}

function parse(text: string | null): State {
  try {
    const state = JSON.parse(text ?? "null") as State | null;
    if (typeof state?.signedIn === "boolean") return state;
  } catch {
    // What another program left there is nobody's session.
  }
  return { signedIn: false, because: "none" };
}
