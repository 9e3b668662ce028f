import { expect, test } from "vitest";

import { PHONE } from "./harness/browser.ts";
import { accessibility, settled, sticksOut } from "./harness/checks.ts";
import { stage } from "./harness/stage.ts";

const { server, visit } = stage();

test("the development login leads in, and the token lies in this tab's storage only", async () => {
    const { page } = await visit({ loggedIn: false });
    await page.goto("/");
    await page.getByRole("heading", { name: "Log in to EventFlow" }).waitFor();
    await page.getByRole("button", { name: "Get Dev Token & Login" }).click();
    await page.getByRole("heading", { name: "No functions yet" }).waitFor();

    const stored = await page.evaluate(() => [
        JSON.stringify(localStorage),
        JSON.stringify(sessionStorage),
        document.cookie,
    ]);
    expect(stored[0]).not.toContain("token");
    expect(stored[1]).toContain("token");
    expect(stored[2]).toBe("");
    expect(page.url(), "the token is in no address").not.toContain("ey");
});

test("a login leads back to the page that was asked for, with its filters", async () => {
    const { page } = await visit({ loggedIn: false });
    await page.goto("/n/default/functions?q=hello&sort=p99");
    await page.getByLabel("Username").fill("admin");
    await page.getByLabel("Password").fill("admin");
    await page.getByRole("button", { name: "Log in", exact: true }).click();
    await page.getByRole("heading", { name: "Functions", exact: true }).waitFor();
    expect(new URL(page.url()).search).toBe("?q=hello&sort=p99");
});

test("a login never leads to another site", async () => {
    const { page } = await visit({ loggedIn: false });
    await page.goto("/login?next=//evil.example/");
    await page.getByRole("button", { name: "Get Dev Token & Login" }).click();
    await page.getByRole("heading", { name: "Functions", exact: true }).waitFor();
    expect(new URL(page.url()).origin).toBe(server.url);
});

test("a wrong password is said in words, and empty fields are named", async () => {
    const { page } = await visit({ loggedIn: false });
    await page.goto("/login");
    await page.getByRole("button", { name: "Log in", exact: true }).click();
    await page.getByText("Give your username.").waitFor();
    await page.getByLabel("Username").fill("admin");
    await page.getByLabel("Password").fill("wrong");
    await page.getByRole("button", { name: "Log in", exact: true }).click();
    await expect
        .poll(() => page.getByRole("alert").textContent())
        .toContain("User and password do not match");
});

test("an ended session leads to the login, says why, and back", async () => {
    const { page } = await visit({ lifetimeMs: 4_000 });
    await page.goto("/n/default/functions?q=a");
    await page.getByRole("heading", { name: "Functions", exact: true }).waitFor();
    await page.getByText("Your session has ended.").waitFor();
    await page.getByRole("button", { name: "Get Dev Token & Login" }).click();
    await page.getByRole("heading", { name: "Functions", exact: true }).waitFor();
    expect(new URL(page.url()).search).toBe("?q=a");
});

test("a token that the server takes no longer ends the session", async () => {
    const { page } = await visit({ loggedIn: false });
    await page.addInitScript(() => {
        if (sessionStorage.getItem("e2e")) return;
        sessionStorage.setItem("e2e", "1");
        const forged = { token: "not.a.token", username: "admin", expiresAt: Date.now() + 60_000 };
        sessionStorage.setItem("eventflow.session", JSON.stringify(forged));
    });
    await page.goto("/n/default/functions");
    await page.getByText("Your session has ended.").waitFor();
    expect(await page.evaluate(() => sessionStorage.getItem("eventflow.session"))).toBeNull();
});

test("logging out forgets the token", async () => {
    const { page } = await visit();
    await page.goto("/");
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByRole("heading", { name: "Log in to EventFlow" }).waitFor();
    expect(await page.evaluate(() => sessionStorage.getItem("eventflow.session"))).toBeNull();
});

test("the login meets WCAG 2.2 AA in both themes, and fits a phone", async () => {
    const { page } = await visit({ loggedIn: false, viewport: PHONE });
    await page.goto("/login");
    await page.getByRole("button", { name: "Get Dev Token & Login" }).waitFor();
    await settled(page);
    expect(await accessibility(page)).toEqual([]);
    expect(await sticksOut(page)).toEqual([]);
    await page.evaluate(() => localStorage.setItem("eventflow.theme", "light"));
    await page.reload();
    await page.getByRole("button", { name: "Get Dev Token & Login" }).waitFor();
    expect(await page.evaluate(() => document.documentElement.dataset["theme"])).toBe("light");
    expect(await accessibility(page)).toEqual([]);
});
