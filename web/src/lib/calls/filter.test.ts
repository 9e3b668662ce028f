import { create } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import {
    InvocationSchema,
    InvocationSource,
    InvocationState,
    StartKind,
} from "@/api/generated/eventflow/v1/invocation_pb";
import {
    type Filter,
    filterFromParams,
    filterToParams,
    filterToWire,
    holds,
    isEmpty,
    NO_FILTER,
    watchFilter,
} from "./filter";
import { QUICK, readSaved, withSaved } from "./quick";
import { agoMillis } from "./since";

const FULL: Filter = {
    states: [InvocationState.QUEUED, InvocationState.FAILED],
    function: "resize",
    version: 7,
    caller: "ann & bob?",
    source: InvocationSource.SYNC,
    reason: "ExitCode",
    start: StartKind.COLD,
    deadLetter: false,
    replayOf: "0190",
    since: "1h",
    from: Date.UTC(2026, 0, 2),
    to: Date.UTC(2026, 0, 3),
};

const read = (query: string) => filterFromParams(new URLSearchParams(query));

describe("the filter in the URL", () => {
    it.each([NO_FILTER, FULL, ...QUICK.map((quick) => quick.filter)])(
        "comes back as it was: %#",
        (filter) => {
            expect(read(filterToParams(filter).toString())).toEqual(filter);
        },
    );

    it("is short where nothing is asked for", () => {
        expect(filterToParams(NO_FILTER).toString()).toBe("");
        expect(isEmpty(NO_FILTER)).toBe(true);
        expect(isEmpty(FULL)).toBe(false);
    });

    it.each([
        "state=exploded&source=moon&start=tepid",
        "version=-1",
        "version=1e9",
        "version=99999999999999999999",
        "since=yesterday",
        "since=0h",
        "from=never&to=",
        "dead=maybe",
        `function=${"x".repeat(1000)}`,
    ])("passes over what makes no sense: %s", (query) => {
        expect(read(query)).toEqual(NO_FILTER);
    });

    it("takes states in any case, each once, in one order", () => {
        expect(read("state=FAILED&state=queued&state=failed").states).toEqual([
            InvocationState.QUEUED,
            InvocationState.FAILED,
        ]);
    });
});

describe("the filter on the wire", () => {
    it("counts back from now", () => {
        const wire = filterToWire({ ...NO_FILTER, since: "1h" }, 10_000_000);
        expect(wire.createdAfter && timestampMs(wire.createdAfter)).toBe(6_400_000);
    });

    it("leaves out what was not asked for", () => {
        const wire = filterToWire(NO_FILTER, 0);
        expect([wire.deadLetter, wire.createdAfter, wire.createdBefore]).toEqual([
            undefined,
            undefined,
            undefined,
        ]);
    });
});

describe("holds", () => {
    const call = create(InvocationSchema, {
        function: "resize",
        version: 7,
        caller: "ann",
        source: InvocationSource.SYNC,
        state: InvocationState.FAILED,
        reason: "ExitCode",
        deadLetter: true,
        start: StartKind.COLD,
        createTime: timestampFromMs(5000),
    });
    const with_ = (filter: Partial<Filter>) => holds({ ...NO_FILTER, ...filter }, call, 10_000);

    it("is true where every field that is set fits", () => {
        expect(with_({})).toBe(true);
        expect(
            with_({
                function: "resize",
                version: 7,
                caller: "ann",
                deadLetter: true,
                start: StartKind.COLD,
                from: 5000,
                to: 5001,
            }),
        ).toBe(true);
        expect(with_({ since: "6s" })).toBe(true);
    });

    it.each<Partial<Filter>>([
        { states: [InvocationState.QUEUED] },
        { function: "other" },
        { version: 6 },
        { caller: "bob" },
        { source: InvocationSource.URL },
        { reason: "Timeout" },
        { deadLetter: false },
        { replayOf: "x" },
        { start: StartKind.WARM },
        { since: "4s" },
        { from: 5001 },
        { to: 5000 },
    ])("is false where one does not: %j", (filter) => {
        expect(with_(filter)).toBe(false);
    });
});

describe("watchFilter", () => {
    it("asks for states only where no call can leave them", () => {
        const failed = { ...NO_FILTER, function: "f", states: [InvocationState.FAILED], reason: "Timeout" };
        const running = { ...failed, states: [InvocationState.RUNNING, InvocationState.FAILED] };
        const asked = [failed, running, { ...failed, deadLetter: true }].map((filter) =>
            watchFilter(filter, 0),
        );
        expect(asked.map((wire) => [wire.function, wire.state, wire.reason, wire.deadLetter])).toEqual([
            ["f", [InvocationState.FAILED], "Timeout", undefined],
            ["f", [], "", undefined],
            ["f", [], "", undefined],
        ]);
    });
});

describe("agoMillis", () => {
    it.each([
        ["30s", 30_000],
        ["15m", 900_000],
        ["1h", 3_600_000],
        ["7d", 604_800_000],
        ["", undefined],
        ["1w", undefined],
        ["-1h", undefined],
        ["1.5h", undefined],
        ["99999d", undefined],
    ])("%s is %s", (text, millis) => {
        expect(agoMillis(text)).toBe(millis);
    });
});

describe("saved filters", () => {
    it("come back, the newest last, one per name", () => {
        const one = withSaved([], "mine", FULL);
        const two = withSaved(withSaved(one, "other", NO_FILTER), "mine", NO_FILTER);
        expect(readSaved(JSON.stringify(two)).map((saved) => saved.name)).toEqual(["other", "mine"]);
        expect(read(one[0]?.query ?? "")).toEqual(FULL);
    });

    it.each([null, "", "{", '"x"', '[1, null, {"name": 1, "query": ""}, {"name": "x"}]'])(
        "are none in %j",
        (text) => {
            expect(readSaved(text)).toEqual([]);
        },
    );

    it("are at most twenty", () => {
        let saved = withSaved([], "first", FULL);
        for (let n = 0; n < 30; n += 1) saved = withSaved(saved, `n${n}`, FULL);
        expect(saved.length).toBe(20);
    });
});
