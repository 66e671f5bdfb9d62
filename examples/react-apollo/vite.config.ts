import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  server: {
    port: Number(process.env.PORT ?? 5173),
    // src/session.ts imports a file from outside this folder.
    fs: { allow: [".", "../../web/session"] },
  },
});
