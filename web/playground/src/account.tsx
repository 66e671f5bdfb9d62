import type { GraphiQLPlugin } from "@graphiql/react";
import {
  type FormEvent,
  type RefObject,
  useCallback,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import type { Ending, Session, State, UserError } from "../../session/session.ts";
import { claims } from "./claims.ts";
import { narrow } from "./narrow.ts";

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
  const state = useSyncExternalStore(session.subscribe, () => session.state);
  const [said, setSaid] = useState("");
  const [problem, setProblem] = useState("");
  const heading = useRef<HTMLHeadingElement>(null);
  const panel = useKeptFocus(session, state.signedIn, heading);
  useEffect(() => {
    setSaid("");
    if (state.signedIn) setProblem(""); // whoever has logged out still has to know
  }, [state.signedIn]);
  const ended = !state.signedIn && (state.because === "revoked" || state.because === "ended");
  return (
    <section className="account" aria-label="Account" ref={panel}>
      <h2 ref={heading} tabIndex={-1}>
        Account
      </h2>
      {/* Stays there whoever is signed in: what is read out is a change, not what is new on the page. */}
      <p role="status" className={ended ? "warning" : ""}>
        {state.signedIn ? said || "Signed in." : endings[state.because]}
      </p>
      <p role="alert" className="mistakes">
        {problem}
      </p>
      {state.signedIn ? (
        <SignedIn key={state.id} session={session} state={state} say={setSaid} complain={setProblem} />
      ) : (
        <SignedOut session={session} />
      )}
    </section>
  );
}

/** Puts the focus on target where it was in the panel and what had it is gone: somebody has signed in or out. */
function useKeptFocus(session: Session, signedIn: boolean, target: RefObject<HTMLElement | null>): RefObject<HTMLElement | null> {
  const panel = useRef<HTMLElement>(null);
  const held = useRef(false);
  useEffect(() => session.subscribe(() => (held.current = !!panel.current?.contains(document.activeElement))), [session]);
  useLayoutEffect(() => {
    if (held.current && !panel.current?.contains(document.activeElement)) target.current?.focus();
    held.current = false;
  }, [signedIn, target]);
  return panel;
}

const endings: Record<Ending, string> = {
  none: "Nobody is signed in.",
  loggedOut: "You have logged out.",
  revoked: "This session was revoked. Its tokens ended with it.",
  ended: "The session has ended. Log in again.",
};

function SignedOut({ session }: { session: Session }) {
  const [registering, setRegistering] = useState(false);
  const [errors, setErrors] = useState<UserError[]>([]);
  const [busy, setBusy] = useState(false);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    if (busy) return;
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
      <button type="submit" aria-disabled={busy} className="primary">
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

interface SignedInProps {
  session: Session;
  state: State & { signedIn: true };
  say: (text: string) => void;
  complain: (text: string) => void;
}

function SignedIn({ session, state, say, complain }: SignedInProps) {
  const attempt = (work: Promise<unknown>, failure: string) => {
    complain("");
    work.catch((error: unknown) => {
      say("");
      complain(`${failure} ${error instanceof Error ? error.message : String(error)}`);
    });
  };
  async function refresh() {
    say("Asking the server for the next token …"); // several times, where it is away
    if (await session.refresh(state.accessToken)) say("The access token was refreshed.");
  }
  const logOut = (everywhere: boolean) =>
    attempt(session.logout(everywhere), "The server could not be told to end the session.");
  return (
    <>
      <Life state={state} />
      <div className="actions">
        <button type="button" onClick={() => attempt(refresh(), "The token could not be refreshed.")}>
          Refresh now
        </button>
        <button type="button" onClick={() => logOut(false)}>
          Log out
        </button>
        <button type="button" onClick={() => logOut(true)}>
          Log out everywhere
        </button>
      </div>
      <Sessions session={session} token={state.accessToken} attempt={attempt} say={say} />
      <Claims token={state.accessToken} />
    </>
  );
}

function Life({ state: { expiresAt, refreshToken } }: { state: State & { signedIn: true } }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.ceil((expiresAt - now) / 1000));
  const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  return (
    <p className="life">
      Access token: <output role="timer">{seconds > 0 ? `${clock} left` : "renewed when it is next needed"}</output>
      <small>Refresh token: in {refreshToken === null ? "a cookie that no script can read" : "the storage of this page"}</small>
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

const seen = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "short" });

interface SessionsProps {
  session: Session;
  token: string | null;
  attempt: (work: Promise<unknown>, failure: string) => void;
  say: (text: string) => void;
}

function Sessions({ session, token, attempt, say }: SessionsProps) {
  const [me, setMe] = useState<{ email: string; sessions: { nodes: Device[] } } | null>(null);
  const [problem, setProblem] = useState("");
  const heading = useRef<HTMLHeadingElement>(null);
  const load = useCallback(async () => {
    try {
      const { data, errors } = await session.ask({ query: sessionsQuery });
      setMe((data?.me as typeof me) ?? null);
      setProblem(errors?.[0]?.message ?? "");
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  }, [session]);
  useEffect(() => void load(), [load, token]);

  async function revoke({ id, device, current }: Device) {
    const answer = await session.ask({ query: revokeMutation, variables: { input: { sessionId: id } } });
    const payload = answer.data?.revokeSession as { userErrors: UserError[] } | null | undefined;
    const mistake = payload ? payload.userErrors[0] : answer.errors?.[0];
    await load();
    if (mistake) throw new Error(mistake.message);
    if (current) return; // which says enough
    say(`The session of ${device} was revoked.`);
    heading.current?.focus(); // the button is gone
  }

  return (
    <>
      {me && <p className="who">{me.email}</p>}
      <h3 ref={heading} tabIndex={-1}>
        Sessions
      </h3>
      <p role="alert" className="mistakes">
        {problem && (
          <>
            The sessions could not be loaded. {problem}{" "}
            <button type="button" onClick={() => void load()}>
              Try again
            </button>
          </>
        )}
      </p>
      <ul className="sessions">
        {me?.sessions.nodes.map((one) => (
          <li key={one.id}>
            <span>
              <strong>{one.device}</strong> {one.current && <em>this one</em>}
              <small>
                {one.ipAddress ?? "address not known"}, last seen {seen.format(new Date(one.lastSeenAt))}
              </small>
            </span>
            <button
              type="button"
              aria-label={`Revoke ${one.device}`}
              onClick={() => attempt(revoke(one), "The session could not be revoked.")}
            >
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
    // Folded up where the editor is below them.
    <details open={!narrow.matches}>
      <summary>
        <h3>Claims of the access token</h3>
      </summary>
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
    </details>
  );
}
