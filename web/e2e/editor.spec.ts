import type { Page } from "playwright-core";
import { expect, test } from "vitest";

import { PHONE } from "./harness/browser.ts";
import { accessibility, sticksOut } from "./harness/checks.ts";
import { stage } from "./harness/stage.ts";

const { server, visit } = stage();

/** Answers its payload's length-independent greeting: WebAssembly as text, no tool needed. */
const WAT = `(module
  (memory (export "memory") 1)
  (data (i32.const 0) "hello from wasm")
  (func (export "ef_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "ef_handle") (param i32 i32) (result i64) (i64.const 15)))`;

const yamlOf = (page: Page) => page.getByRole("textbox", { name: "YAML" });

test("a wasm function is uploaded, created by the form, and runs", async () => {
    const { page } = await visit();
    await page.goto("/n/default/new-function");
    await page.getByLabel("Name", { exact: true }).fill("greet");
    await page.getByLabel("Runtime").selectOption("wasm");
    await page
        .getByLabel("Choose a WebAssembly file")
        .setInputFiles({ name: "greet.wat", mimeType: "text/plain", buffer: Buffer.from(WAT) });
    await page.getByText("is uploaded.").waitFor();
    await expect
        .poll(() => page.getByLabel("Artifact").inputValue())
        .toMatch(/^artifact@sha256:[0-9a-f]{64}$/);
    await page.getByRole("button", { name: "Create Function" }).click();

    await page.getByRole("heading", { name: "greet" }).waitFor();
    await page.getByText("It is ready: calls run at once.").waitFor();
    await page.getByRole("link", { name: "Invoke" }).click();
    await page.getByRole("button", { name: "Invoke", exact: true }).click();
    await page.getByText("hello from wasm").first().waitFor();
});

test("form and YAML say the same, whichever is edited", async () => {
    const { page } = await visit();
    await page.goto("/n/default/new-function");
    await page.getByLabel("Name", { exact: true }).fill("both");
    await page.getByLabel("Runtime").selectOption("process");
    await page.getByRole("button", { name: "Add a part" }).click();
    await page.getByRole("textbox", { name: "Part of the command 1" }).fill("/bin/cat");
    await page.getByRole("button", { name: "Add a variable" }).click();
    await page.getByLabel("Variable 1: name").fill("ENV");
    await page.getByLabel("Variable 1: value").fill("production");
    await page.getByLabel("Timeout").fill("12s");
    await page.getByRole("radio", { name: /Scaled/ }).check();
    await page.getByLabel("At most").fill("7");
    const text = async () => yamlOf(page).inputValue();
    await expect.poll(text).toContain("name: both");
    expect(await text()).toContain("- /bin/cat");
    expect(await text()).toContain("ENV: production");
    expect(await text()).toContain("timeout: 12s");
    expect(await text()).toMatch(/scaling:\s+max: 7/);

    await yamlOf(page).fill(
        (await text()).replace("timeout: 12s", "timeout: 45s # longer").replace("max: 7", "max: 9"),
    );
    await expect.poll(async () => page.getByLabel("Timeout").inputValue()).toBe("45s");
    await expect.poll(() => page.getByLabel("At most").inputValue()).toBe("9");
    await page.getByLabel("Memory").fill("64Mi");
    await expect.poll(text).toContain("memory: 64Mi");
    expect(await text(), "a comment survives an edit of the form").toContain("timeout: 45s # longer");
});

test("what is wrong in the YAML is said with its line, and is not sent", async () => {
    const { page } = await visit();
    await page.goto("/n/default/new-function");
    const text = await yamlOf(page).inputValue();
    await yamlOf(page).fill(`${text}  timout: 5s\n`);
    await page.getByText("unknown field spec.timout: did you mean timeout?").waitFor();
    await page.getByText("Line 8:").waitFor();
    const button = page.getByRole("button", { name: "Create Function" });
    expect(await button.getAttribute("aria-disabled")).toBe("true");
    expect(await button.getAttribute("title")).toBe("Correct the YAML first");
});

test("the server's refusals stand at their fields, also in folded parts and rows", async () => {
    const { page } = await visit();
    await page.goto("/n/default/new-function");
    await page.getByLabel("Name", { exact: true }).fill("Wrong_Name");
    await page.getByLabel("Runtime").selectOption("process");
    await page.getByRole("button", { name: "Add a part" }).click();
    await page.getByRole("textbox", { name: "Part of the command 1" }).fill("/bin/cat");
    await page.getByRole("button", { name: "Add a variable" }).click();
    await page.getByLabel("Variable 1: name").fill("PORT");
    await page.getByLabel("Timeout").fill("soon");
    const text = await yamlOf(page).inputValue();
    await yamlOf(page).fill(`${text}  retry: {maxAttempts: 1000}\n`);
    await page.getByRole("button", { name: "Create Function" }).click();
    const refused = page.getByRole("alert").getByText("Some fields break rules");
    await refused.waitFor();

    const error = async (label: string) => {
        const field = page.getByLabel(label, { exact: true });
        expect(await field.getAttribute("aria-invalid"), label).toBe("true");
        const id = (await field.getAttribute("aria-describedby"))
            ?.split(" ")
            .find((each) => each.endsWith("-error"));
        return page.locator(`[id="${id}"]`).textContent();
    };
    await expect
        .poll(async () => page.getByLabel("Name", { exact: true }).getAttribute("aria-invalid"))
        .toBe("true");
    expect(await error("Name"), "a bad name is said before all else").toContain(
        "Must contain lower-case letters",
    );
    await page.getByLabel("Name", { exact: true }).fill("right-name");
    await page.getByRole("button", { name: "Create Function" }).click();
    await expect.poll(async () => page.getByLabel("Timeout").getAttribute("aria-invalid")).toBe("true");
    expect(await error("Timeout")).toContain("Must be a duration");
    expect(await error("Variable 1: name")).toContain("EventFlow sets itself");
    expect(await error("Attempts in all")).toContain("Must be from 1 to 100");
    // Its part is unfolded.
    await page.getByLabel("Attempts in all").waitFor();
    expect(await page.getByLabel("Name", { exact: true }).getAttribute("aria-invalid")).toBeNull();
    expect(await accessibility(page)).toEqual([]);
});

test("a taken name is said", async () => {
    await server.applyShell("taken", "true");
    const { page } = await visit();
    await page.goto("/n/default/new-function");
    await page.getByLabel("Name", { exact: true }).fill("taken");
    await page.getByLabel("Runtime").selectOption("process");
    await page.getByRole("button", { name: "Add a part" }).click();
    await page.getByRole("textbox", { name: "Part of the command 1" }).fill("/bin/cat");
    await page.getByRole("button", { name: "Create Function" }).click();
    await page.getByRole("alert").getByText("This name is taken").waitFor();
});

test("secrets are offered by name, and their values are nowhere in the page", async () => {
    await server.rest("PUT", "/v1/secrets/keys", { values: { API_KEY: "top-secret-value" } });
    const { page } = await visit();
    await page.goto("/n/default/new-function");
    await page.getByRole("button", { name: "Add a secret or config" }).click();
    await expect.poll(async () => page.locator("#known-secrets option").count()).toBe(1);
    await page.getByLabel("Source 1: name").fill("keys");
    await expect.poll(async () => yamlOf(page).inputValue()).toMatch(/secretRef:\s+name: keys/);
    expect(await page.content()).not.toContain("top-secret-value");
});

test("the editor meets WCAG 2.2 AA and fits a phone", async () => {
    const { page } = await visit({ viewport: PHONE });
    await page.goto("/n/default/new-function");
    await page.getByLabel("Name", { exact: true }).waitFor();
    for (const section of ["Queue and retries", "Access and record", "Kubernetes"]) {
        await page.getByText(section, { exact: true }).click();
    }
    await page.getByRole("button", { name: "Add a toleration" }).click();
    expect(await accessibility(page)).toEqual([]);
    expect(await sticksOut(page)).toEqual([]);
    await page.getByRole("button", { name: "YAML", exact: true }).click();
    expect(await accessibility(page)).toEqual([]);
    expect(await sticksOut(page)).toEqual([]);
});
