import { ApolloProvider } from "@apollo/client/react";
import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import type { Ending } from "../../../web/session/session.ts";
import { Account, SignedOut } from "./account.tsx";
import { createClient, type SocketStatus } from "./client.ts";
import { Events } from "./events.tsx";
import { Many } from "./many.tsx";
import { session } from "./session.ts";
import { Sessions } from "./sessions.tsx";

export function App() {
  const state = useSyncExternalStore(session.subscribe, () => session.state);
  const [untold, setUntold] = useState(false);
  // A page that keeps its tokens itself is logged out all the same, and says so until somebody logs in.
  useEffect(() => {
    if (state.signedIn) setUntold(false);
  }, [state.signedIn]);

  function logOut() {
    setUntold(false);
    session.logout().catch(() => setUntold(true));
  }

  return (
    <main>
      <h1>Gatehouse with Apollo Client</h1>
      {/* Stays there whoever is signed in: what is read out is a change, not what is new on the page. */}
      <p role="status">{state.signedIn ? "" : endings[state.because]}</p>
      {untold && <p role="alert">The server could not be told to end your session.</p>}
      {state.signedIn ? <SignedIn key={state.id} onLogOut={logOut} /> : <SignedOut />}
    </main>
  );
}

const endings: Record<Ending, string> = {
  none: "",
  loggedOut: "You have logged out.",
  revoked: "This session was revoked.",
  ended: "Your session has ended.",
};

function SignedIn({ onLogOut }: { onLogOut: () => void }) {
  const [reachable, setReachable] = useState(true);
  const [status, setStatus] = useState<SocketStatus>("connecting");
  const [client] = useState(() => createClient(setReachable, setStatus));
  const askAgain = useCallback(() => void client.refetchQueries({ include: "active" }), [client]);

  // The socket comes back by itself, and the page with it.
  useEffect(() => {
    if (status === "live" && !reachable) askAgain();
  }, [status, reachable, askAgain]);

  return (
    <ApolloProvider client={client}>
      <Account onLogOut={onLogOut} />
      {!reachable && <Unreachable onRetry={askAgain} />}
      <Sessions />
      <Events status={status} />
      <Many />
    </ApolloProvider>
  );
}

function Unreachable({ onRetry }: { onRetry: () => void }) {
  return (
    <p role="alert">
      The server cannot be reached. You are still signed in.{" "}
      <button type="button" onClick={onRetry}>
        Try again
      </button>
    </p>
  );
}
