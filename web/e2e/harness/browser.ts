import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";

import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

import type { Server, Session } from "./server.ts";

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
export const FOUR_K = { width: 3840, height: 2160 };
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

/** Answers and errors that a failed test tells: the last ones. */
const TOLD = 30;

/** What went wrong in a page beside what it shows. */
export class Troubles {
    readonly found: string[] = [];
    /** No trouble by themselves, since many tests are about them; where a test fails, they may say why. */
    readonly heard: string[] = [];

    watch(page: Page): void {
        const hear = (line: string) => {
            this.heard.push(line);
            if (this.heard.length > TOLD) this.heard.shift();
        };
        page.on("requestfailed", (request) => {
            hear(`${request.method()} ${request.url()}: ${request.failure()?.errorText ?? "failed"}`);
        });
        page.on("response", (response) => {
            if (response.status() >= 400) hear(`${String(response.status())} ${response.url()}`);
        });
        page.on("console", (message) => {
            if (message.type() === "error") hear(`console: ${message.text()}`);
        });
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

export type VisitOptions = {
    viewport?: { width: number; height: number };
    /** By the token of `admin`, as a login would have left it; or of another session. */
    loggedIn?: boolean | Session;
    /** Of the session, in milliseconds. */
    lifetimeMs?: number;
    /** The address of the page; default: the server's own. */
    url?: string;
};

/** A fresh profile with one page. */
export async function opening(browser: Browser, server: Server, options: VisitOptions): Promise<Visit> {
    const { viewport = DESKTOP, loggedIn = true, lifetimeMs = 3_600_000, url = server.url } = options;
    const context = await browser.newContext({
        baseURL: url,
        viewport,
        acceptDownloads: true,
        permissions: ["clipboard-read", "clipboard-write"],
    });
    context.setDefaultTimeout(60_000);
    if (loggedIn !== false) {
        const who = loggedIn === true ? { token: server.token, username: "admin" } : loggedIn;
        const session = { ...who, expiresAt: Date.now() + lifetimeMs };
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

/** Ends a visit. Where its test failed, what its pages showed then is kept in target/web-failures. */
export async function closing({ context, troubles }: Visit, failed: string | null): Promise<void> {
    if (failed !== null) {
        for (const line of troubles.heard) process.stderr.write(`${failed}: ${line}\n`);
        const name = failed.replace(/[^a-z0-9]+/gi, "-").slice(0, 100);
        for (const [at, page] of context.pages().entries()) {
            const path = join(ROOT, "target/web-failures", `${name}-${at}.png`);
            await page.screenshot({ path, timeout: 5_000 }).catch(() => undefined);
            process.stderr.write(`${failed}: the page was ${page.url()}, see ${path}\n`);
        }
    }
    await context.close();
}

/** Keeps a picture of the page under docs/screenshots, where `EVENTFLOW_SCREENSHOTS=1` asks for them. */
export async function picture(page: Page, name: string): Promise<void> {
    if (process.env["EVENTFLOW_SCREENSHOTS"] !== "1") return;
    const folder = join(ROOT, "docs/screenshots");
    await mkdir(folder, { recursive: true });
    await page.screenshot({ path: join(folder, `${name}.png`), animations: "disabled" });
}
