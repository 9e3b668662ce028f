import { expect, it } from "vitest";

import { InvocationState, StartKind } from "@/api/generated/eventflow/v1/invocation_pb";
import { NO_FILTER } from "./filter";
import { filterInWords } from "./words";

it("says what a filter holds", () => {
    expect(filterInWords(NO_FILTER)).toBe("all of them");
    const states = [InvocationState.FAILED, InvocationState.CANCELLED];
    expect(
        filterInWords({
            ...NO_FILTER,
            states,
            function: "resize",
            version: 2,
            start: StartKind.COLD,
            since: "1h",
        }),
    ).toBe("state failed or cancelled, function resize, version 2, cold start, accepted in the last 1h");
    expect(filterInWords({ ...NO_FILTER, deadLetter: false, caller: "ann" })).toBe(
        "caller ann, no dead letters",
    );
});
