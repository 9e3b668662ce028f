import { expect, it } from "vitest";

import { traceLink } from "./trace";

it.each([
    ["https://t.example/trace/{trace_id}?x={trace_id}", "ab12", "https://t.example/trace/ab12?x=ab12"],
    ["https://t.example/{trace_id}", "a/../b", "https://t.example/a%2F..%2Fb"],
    ["", "ab", undefined],
    ["javascript:alert('{trace_id}')", "ab", undefined],
    ["/relative/{trace_id}", "ab", undefined],
])("the link of %j for %j is %j", (template, id, link) => {
    expect(traceLink(template, id)).toBe(link);
});
