import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";

import { closing, launch, opening, type Visit, type VisitOptions } from "./browser.ts";
import { Server } from "./server.ts";

/**
 * One server and one browser for all tests of a file. Each visit has a profile of its own, which ends with its test;
 * a test fails where one of its pages threw, broke its policy or opened a dialog of the browser.
 */
export function stage(...settings: string[]) {
    const server = new Server(settings);
    const visits: Visit[] = [];
    let browser: Browser | undefined;
    beforeAll(async () => {
        [browser] = await Promise.all([launch(), server.start()]);
    });
    afterAll(async () => {
        await browser?.close();
        await server.stop();
    });
    afterEach(async ({ task }) => {
        const ended = visits.splice(0);
        for (const visit of ended) await closing(visit, task.result?.state === "fail" ? task.name : null);
        expect(ended.flatMap(({ troubles }) => troubles.found)).toEqual([]);
    });
    return {
        server,
        visit: async (options: VisitOptions = {}): Promise<Visit> => {
            if (!browser) throw new Error("the browser does not run yet");
            const visit = await opening(browser, server, options);
            visits.push(visit);
            return visit;
        },
    };
}
