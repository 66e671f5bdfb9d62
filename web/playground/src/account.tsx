import type { GraphiQLPlugin } from "@graphiql/react";
import { type FormEvent, useCallback, useEffect, useState, useSyncExternalStore } from "react";
import type { Ending, Session, State, UserError } from "../../session/session.ts";
import { claims } from "./claims.ts";

/** The panel that signs in, and shows what it means to be. */
export function accountPlugin(session: Session): GraphiQLPlugin {
  return { title: "Account", icon: AccountIcon, content: () => <Account session={session} /> };
}

function AccountIcon() {
  return (
    <svg viewBox="0 0 24 24" height="1em" fill="none" stroke="currentColor" strokeWidth="1.7" aria-hidden="true">
      <circle cx="12" cy="8" r="4" />
      <path d="M4 21c0-4.4 3.6-7 8-7s8 2.6 8 7" strokeLinecap="round" />
    </svg>
  );
}

function Account({ session }: { session: Session }) {
  const state = useSyncExternalStore(
    useCallback((listener: () => void) => session.subscribe(listener), [session]),
    () => session.state,
  );
  return (
    <section className="account" aria-label="Account">
      <h2>Account</h2>
      {state.signedIn ? <SignedIn session={session} state={state} /> : <SignedOut session={session} because={state.because} />}
    </section>
  );
}

const endings: Record<Ending, string> = {
  none: "Nobody is signed in.",
  loggedOut: "You have logged out.",
  revoked: "This session was revoked. Its tokens ended with it.",
  ended: "The session has ended. Log in again.",
};

function SignedOut({ session, because }: { session: Session; because: Ending }) {
  const [registering, setRegistering] = useState(false);
  const [errors, setErrors] = useState<UserError[]>([]);
  const [busy, setBusy] = useState(false);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const field = (name: string) => String(form.get(name) ?? "");
    const password = field("password");
    setBusy(true);
    try {
      const who = field("who");
      const login = who.includes("@") ? { email: who, password } : { username: who, password };
      const name = field("name");
      const register = { email: who, password, ...(name ? { name } : {}) };
      setErrors(await (registering ? session.register(register) : session.login(login)));
    } catch (error) {
      setErrors([{ code: "", message: error instanceof Error ? error.message : String(error) }]);
    } finally {
      setBusy(false);
    }
  }

  return (
    <>
      <p role="status" className={because === "revoked" || because === "ended" ? "warning" : ""}>
        {endings[because]}
      </p>
      <form onSubmit={(event) => void submit(event)}>
        <label>
          {registering ? "E-mail address" : "E-mail address or username"}
          <input name="who" type={registering ? "email" : "text"} autoComplete="username" required />
        </label>
        {registering && (
          <label>
            Name (may be left out)
            <input name="name" autoComplete="name" />
          </label>
        )}
        <label>
          Password
          <input name="password" type="password" autoComplete={registering ? "new-password" : "current-password"} required />
        </label>
        <Mistakes errors={errors} />
        <button type="submit" disabled={busy} className="primary">
          {registering ? "Register" : "Log in"}
        </button>
        <button
          type="button"
          className="quiet"
          onClick={() => {
            setErrors([]);
            setRegistering(!registering);
          }}
        >
          {registering ? "I have an account" : "I have no account yet"}
        </button>
      </form>
    </>
  );
}

function Mistakes({ errors }: { errors: UserError[] }) {
  return (
    <ul role="alert" className="mistakes">
      {errors.map((error) => (
        <li key={error.code + error.message}>
          {error.message} {error.code && <code>{error.code}</code>}
        </li>
      ))}
    </ul>
  );
}

function SignedIn({ session, state }: { session: Session; state: State & { signedIn: true } }) {
  const [problem, setProblem] = useState("");
  const attempt = (work: () => Promise<unknown>) => {
    setProblem("");
    work().catch((error: unknown) => setProblem(error instanceof Error ? error.message : String(error)));
  };
  return (
    <>
      <Life expiresAt={state.expiresAt} />
      <div className="actions">
        <button type="button" onClick={() => attempt(() => session.refresh(state.accessToken))}>
          Refresh now
        </button>
        <button type="button" onClick={() => attempt(() => session.logout())}>
          Log out
        </button>
        <button type="button" onClick={() => attempt(() => session.logout(true))}>
          Log out everywhere
        </button>
      </div>
      {problem && <p role="alert">{problem}</p>}
      <Sessions session={session} token={state.accessToken} />
      <Claims token={state.accessToken} />
    </>
  );
}

function Life({ expiresAt }: { expiresAt: number }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.ceil((expiresAt - now) / 1000));
  const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  return (
    <p className="life">
      Signed in. Access token: <output role="timer">{seconds > 0 ? `${clock} left` : "renewed when it is next needed"}</output>
    </p>
  );
}

interface Device {
  id: string;
  device: string;
  ipAddress: string | null;
  lastSeenAt: string;
  current: boolean;
}

const sessionsQuery = "query Sessions { me { email sessions(first: 100) { nodes { id device ipAddress lastSeenAt current } } } }";
const revokeMutation =
  "mutation Revoke($input: RevokeSessionInput!) { revokeSession(input: $input) { userErrors { message } } }";

function Sessions({ session, token }: { session: Session; token: string | null }) {
  const [me, setMe] = useState<{ email: string; sessions: { nodes: Device[] } } | null>(null);
  const load = useCallback(async () => {
    const answer = await session.ask({ query: sessionsQuery });
    setMe((answer.data?.me as typeof me) ?? null);
  }, [session]);
  useEffect(() => {
    load().catch(() => setMe(null));
  }, [load, token]);

  async function revoke(id: string) {
    await session.ask({ query: revokeMutation, variables: { input: { sessionId: id } } });
    await load();
  }

  if (!me) return null;
  return (
    <>
      <p className="who">{me.email}</p>
      <h3>Sessions</h3>
      <ul className="sessions">
        {me.sessions.nodes.map((one) => (
          <li key={one.id}>
            <span>
              <strong>{one.device}</strong> {one.current && <em>this one</em>}
              <small>
                {one.ipAddress ?? "address not known"}, last seen {new Date(one.lastSeenAt).toLocaleTimeString()}
              </small>
            </span>
            <button type="button" aria-label={`Revoke ${one.device}`} onClick={() => void revoke(one.id).catch(() => undefined)}>
              Revoke
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

const times = new Set(["exp", "iat", "auth_time"]);

function Claims({ token }: { token: string | null }) {
  const inside = claims(token);
  if (!inside) return null;
  return (
    <>
      <h3>Claims of the access token</h3>
      <dl className="claims">
        {Object.entries(inside).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              {typeof value === "string" ? value : JSON.stringify(value)}
              {times.has(name) && <small>{new Date(Number(value) * 1000).toLocaleTimeString()}</small>}
            </dd>
          </div>
        ))}
      </dl>
    </>
  );
}
