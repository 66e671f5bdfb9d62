import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { session } from "./session.ts";
import "./app.css";

const root = document.getElementById("app");
if (!root) throw new Error("index.html has no element for the app");

// A cookie may know somebody of whom this page knows nothing yet. Where the server cannot be asked, they log in again.
session.restore().catch(() => undefined);

createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
