import { defineConfig } from "vite";

export default defineConfig({
  // Relative, so that the page works behind a proxy that serves it under a path.
  base: "./",
  build: {
    target: "es2023",
    // Nothing becomes a data: URL, which the page's policy would have to allow.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4096,
    // "use client" means something to servers that render; there is none here.
    rolldownOptions: { onLog: (level, log, handle) => log.code !== "MODULE_LEVEL_DIRECTIVE" && handle(level, log) },
  },
  worker: { format: "es" },
});
