import { fileURLToPath } from "node:url";

import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

import { loadBudget } from "./build/budget.ts";
import { compressed } from "./build/compress.ts";

/** The server that `npm run dev` passes API calls on to. */
const server = process.env["EVENTFLOW_URL"] ?? "http://127.0.0.1:8080";

// The server refuses a foreign Host and Origin, so both say its own address.
const pass = { target: server, changeOrigin: true, headers: { origin: server }, ws: true };

export default defineConfig({
    plugins: [
        react(),
        tailwindcss(),
        loadBudget({ scriptKilobytes: 250, styleKilobytes: 20, files: 36 }),
        compressed(),
    ],
    resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
    server: {
        host: "127.0.0.1",
        proxy: {
            "^/eventflow\\.v1\\.": pass,
            "^/(v1|auth|fn)/": pass,
            "^/(healthz|readyz|openapi\\.json)$": pass,
        },
    },
    build: {
        target: "es2023",
        // Data URLs and inline scripts would need a weaker Content-Security-Policy.
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        chunkSizeWarningLimit: 600,
        rolldownOptions: {
            output: {
                // Else each icon that two pages share is a file of its own.
                codeSplitting: { groups: [{ name: "icons", test: /node_modules\/lucide-react\// }] },
            },
        },
    },
    test: {
        environment: "happy-dom",
        include: ["src/**/*.test.{ts,tsx}", "build/**/*.test.ts"],
        setupFiles: ["./build/test-setup.ts"],
        restoreMocks: true,
        reporters: ["default", "./build/count.ts"],
    },
});
