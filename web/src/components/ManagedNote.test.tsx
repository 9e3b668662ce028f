import { create } from "@bufbuild/protobuf";
import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";

import { FunctionSchema, Manager } from "@/api/generated/eventflow/v1/function_pb";

import { ManagedBadge, ManagedNote } from "./ManagedNote";

const of = (managedBy: Manager) => create(FunctionSchema, { name: "resize", managedBy });

test("a function that kubectl or GitOps manages has a badge, and the editor warns of what becomes of a change", () => {
    const { rerender } = render(<ManagedBadge value={of(Manager.KUBECTL)} />);
    expect(screen.getByText("kubectl")).toHaveAttribute(
        "title",
        expect.stringContaining("next kubectl apply"),
    );
    rerender(<ManagedBadge value={of(Manager.GITOPS)} />);
    expect(screen.getByText("GitOps")).toHaveAttribute("title", expect.stringContaining("change it there"));
    rerender(<ManagedNote value={of(Manager.GITOPS)} />);
    expect(screen.getByText(/overwritten by the next sync/)).toBeVisible();
});

test("what EventFlow's own API manages has neither", () => {
    const { container } = render(
        <>
            <ManagedBadge value={of(Manager.API)} />
            <ManagedNote value={of(Manager.API)} />
            <ManagedNote value={of(Manager.UNSPECIFIED)} />
        </>,
    );
    expect(container).toBeEmptyDOMElement();
});
