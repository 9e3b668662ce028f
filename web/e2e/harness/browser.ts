import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";

import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

import type { Server } from "./server.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 360, height: 740 };

function executable(): string {
    const given = process.env["CHROMIUM_BIN"];
    const known = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    const found = given ?? known.find((path) => existsSync(path));
    if (found === undefined)
        throw new Error("no Chromium: install the package chromium, or set CHROMIUM_BIN");
    return found;
}

export async function launch(): Promise<Browser> {
    return chromium.launch({ executablePath: executable(), args: FLAGS });
}

/** What went wrong in a page beside what it shows. */
export class Troubles {
    readonly found: string[] = [];

    watch(page: Page): void {
        page.on("pageerror", (error) => this.found.push(`uncaught: ${error.message}`));
        page.on("console", (message) => {
            if (/Content.Security.Policy|Refused to/i.test(message.text())) {
                this.found.push(`policy: ${message.text()}`);
            }
        });
        page.on("dialog", (dialog) => {
            this.found.push(`dialog: ${dialog.message()}`);
            void dialog.dismiss();
        });
    }
}

export type Visit = { context: BrowserContext; page: Page; troubles: Troubles };

/** A fresh profile with one page; `loggedIn` by a token as the login would have left it. */
export async function visit(
    browser: Browser,
    server: Server,
    options: { viewport?: { width: number; height: number }; loggedIn?: boolean; lifetimeMs?: number } = {},
): Promise<Visit> {
    const context = await browser.newContext({
        baseURL: server.url,
        viewport: options.viewport ?? DESKTOP,
        acceptDownloads: true,
        permissions: ["clipboard-read", "clipboard-write"],
    });
    context.setDefaultTimeout(20_000);
    if (options.loggedIn ?? true) {
        const session = {
            token: server.token,
            username: "admin",
            expiresAt: Date.now() + (options.lifetimeMs ?? 3_600_000),
        };
        await context.addInitScript((stored) => {
            // Once for the tab: a logout stays one.
            if (sessionStorage.getItem("e2e") !== null) return;
            sessionStorage.setItem("e2e", "1");
            sessionStorage.setItem("eventflow.session", stored);
        }, JSON.stringify(session));
    }
    const page = await context.newPage();
    const troubles = new Troubles();
    troubles.watch(page);
    return { context, page, troubles };
}

/** Keeps a picture of the page under docs/screenshots, where `EVENTFLOW_SCREENSHOTS=1` asks for them. */
export async function picture(page: Page, name: string): Promise<void> {
    if (process.env["EVENTFLOW_SCREENSHOTS"] !== "1") return;
    const folder = join(ROOT, "docs/screenshots");
    await mkdir(folder, { recursive: true });
    await page.screenshot({ path: join(folder, `${name}.png`), animations: "disabled" });
}
