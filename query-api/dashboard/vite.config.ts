/** How the page is built, served while developing, and tested. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  build: {
    target: "es2022",
    // The Content-Security-Policy allows no inline script and no data: address.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        // What the main view shares with lazy parts stays in one file: a browser has six connections.
        codeSplitting: {
          groups: [
            {
              name: "page",
              test: /node_modules.(preact|d3-shape|d3-path)|src.(api|chart|format|panel|report|router|session|state|view)/,
            },
          ],
        },
      },
    },
  },
  server: { proxy: { "/api": "http://127.0.0.1:8000" } },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
