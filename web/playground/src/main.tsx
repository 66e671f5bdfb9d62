import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import { HISTORY_PLUGIN } from "@graphiql/plugin-history";
import { GraphiQL } from "graphiql";
import { createRoot } from "react-dom/client";
import { Session } from "../../session/session.ts";
import { accountPlugin } from "./account.tsx";
import { fetcherFor } from "./fetcher.ts";
import { starters } from "./starters.ts";

// Renewed when it is next needed, not before: people can watch a token end, and a page left open keeps no session alive.
const session = new Session({ endpoint: "graphql", renewEarly: false });
const account = accountPlugin(session);
const page = document.getElementById("page");
if (!page) throw new Error("index.html has no element for the page");

createRoot(page).render(
  <GraphiQL
    fetcher={fetcherFor(session)}
    plugins={[account, HISTORY_PLUGIN]}
    visiblePlugin={account}
    defaultTabs={starters}
    defaultEditorToolsVisibility="variables"
    shouldPersistHeaders={false}
  >
    <GraphiQL.Logo>Gatehouse</GraphiQL.Logo>
  </GraphiQL>,
);
