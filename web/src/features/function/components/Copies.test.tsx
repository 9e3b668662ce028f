import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { render, screen, within } from "@testing-library/react";
import { expect, test } from "vitest";

import { FunctionEventSchema, WarmCopySchema, WarmCopyState } from "@/api/generated/eventflow/v1/function_pb";

import { Copies, Events } from "./Copies";

const time = timestampFromMs(Date.UTC(2026, 0, 2, 3, 4, 5));

test("a copy that crashed tells its reason, its exit code, and what it said last", () => {
    const message = "cannot open the database\n<b>really</b>";
    const copies = [
        create(WarmCopySchema, {
            name: "resize-7f9c",
            state: WarmCopyState.FAILED,
            restarts: 3,
            lastExit: { reason: "OOMKilled", exitCode: 137, message, time },
        }),
        create(WarmCopySchema, { name: "resize-a0b1", state: WarmCopyState.READY }),
    ];
    render(<Copies copies={copies} desired={2} ready={1} />);
    expect(screen.getByRole("heading")).toHaveTextContent("Warm copies: 1 of 2 ready");
    const crashed = within(screen.getByRole("row", { name: /resize-7f9c/ }));
    expect(crashed.getByText("Waiting to restart")).toBeVisible();
    expect(crashed.getByText(/OOMKilled.*\(exit code 137\)/)).toBeVisible();
    expect(crashed.getByText(/cannot open the database\s+<b>really<\/b>/)).toBeVisible();
    expect(within(screen.getByRole("row", { name: /resize-a0b1/ })).getByText("none")).toBeVisible();
});

test("Kubernetes events are listed where there are any, and take no room where there are none", () => {
    const { container, rerender } = render(<Events events={[]} />);
    expect(container).toBeEmptyDOMElement();
    const event = {
        type: "Warning",
        reason: "FailedScheduling",
        object: "Pod/resize-7f9c",
        message: "0/3 nodes are available: insufficient memory.",
        count: 4,
        time,
    };
    rerender(<Events events={[create(FunctionEventSchema, event)]} />);
    const row = within(screen.getByRole("row", { name: /FailedScheduling/ }));
    expect(row.getByText("×4")).toBeVisible();
    expect(row.getByText("Pod/resize-7f9c")).toBeVisible();
    expect(row.getByText(/insufficient memory/)).toBeVisible();
    expect(row.getByText(/ago$|2026/).closest("time")).toHaveAttribute(
        "title",
        expect.stringContaining("2026-01-02T03:04:05"),
    );
});
