import { describe, expect, it } from "vitest";

import { type LogQuery, logQueryFromParams, logQueryToQuery } from "./logQuery";

const NONE: LogQuery = { function: "", version: 0, invocation: "", stream: "", contains: "" };
const read = (query: string) => logQueryFromParams(new URLSearchParams(query));

describe("the log query in the address", () => {
    it("comes back as it was", () => {
        const query: LogQuery = {
            function: "f",
            version: 3,
            invocation: "0190",
            stream: "stderr",
            contains: " a&b ",
        };
        const params = new URLSearchParams(logQueryToQuery(query) as Record<string, string>);
        expect(logQueryFromParams(params)).toEqual(query);
        expect(read("")).toEqual(NONE);
    });

    it.each(["stream=stdlog", "version=-3", "version=x", `contains=${"ä".repeat(129)}`])(
        "passes over %s",
        (query) => {
            expect(read(query)).toEqual(NONE);
        },
    );
});
