import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import { HISTORY_PLUGIN } from "@graphiql/plugin-history";
import { GraphiQL } from "graphiql";
import { createRoot } from "react-dom/client";
import { Session } from "../../session/session.ts";
import { accountPlugin } from "./account.tsx";
import { Editors } from "./editors.ts";
import { fetcherFor } from "./fetcher.ts";
import { Results } from "./narrow.ts";
import { starters } from "./starters.ts";
import { storage } from "./storage.ts";

// Renewed when it is next needed, not before: people can watch a token end, and a page left open keeps no session alive.
const session = new Session({ endpoint: "graphql", mode: "server", renewEarly: false });
const account = accountPlugin(session);
const page = document.getElementById("page");
if (!page) throw new Error("index.html has no element for the page");

// GraphiQL shows the variables of the first tab only once somebody has been there.
const [starter] = starters;
const kept = storage();
const untouched = kept.getItem("graphiql:query") === null;

createRoot(page).render(
  <GraphiQL
    fetcher={fetcherFor(session)}
    storage={kept}
    plugins={[account, HISTORY_PLUGIN]}
    visiblePlugin={account}
    defaultTabs={starters}
    {...(untouched ? { initialQuery: starter.query, initialVariables: starter.variables } : {})}
    defaultEditorToolsVisibility="variables"
    shouldPersistHeaders={false}
  >
    <GraphiQL.Logo>Gatehouse</GraphiQL.Logo>
    <GraphiQL.Footer>
      <p id="keys">In an editor: Enter to edit, Escape to leave, Ctrl and Enter to run.</p>
    </GraphiQL.Footer>
    <Editors />
    <Results />
  </GraphiQL>,
);
