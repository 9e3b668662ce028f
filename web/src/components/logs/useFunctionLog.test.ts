import { create, toBinary } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";

import { StreamLogsRequestSchema } from "@/api/generated/eventflow/v1/function_service_pb";

import { request } from "./useFunctionLog";

const query = { namespace: "default", name: "resize" };

test("the first question is for the last lines", () => {
    expect(request(query, undefined)).toMatchObject({ follow: true, tail: 1_000 });
});

test("after a loss it goes on five seconds before the last line, whatever fraction of a millisecond that has", () => {
    const asked = create(StreamLogsRequestSchema, request(query, 1_700_000_000_886.125));
    expect(asked.since && timestampMs(asked.since)).toBe(1_699_999_995_886);
    expect(() => toBinary(StreamLogsRequestSchema, asked)).not.toThrow();
});
