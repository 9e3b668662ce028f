import { useMutation } from "@connectrpc/connect-query";
import { useEffect, useState } from "react";

import { problemOf } from "@/api/errors";
import { FunctionService } from "@/api/generated/eventflow/v1/function_service_pb";
import { functionOf, ManifestError, type Manifest } from "@/manifest/manifest";

import type { Editor } from "./useEditor";
import { place } from "./violations";

type Placed = ReturnType<typeof place>["placed"][number];

export type Refusal = { error: unknown; others: readonly string[] };

/** Checks and saves what the editor holds. Rules that fields break are shown at those fields. */
export function useSave(editor: Editor) {
    const apply = useMutation(FunctionService.method.applyFunction);
    const [refusal, setRefusal] = useState<Refusal | null>(null);
    /** The first field that breaks a rule. */
    const [first, setFirst] = useState<Placed | null>(null);

    const refuse = (error: unknown) => {
        // A value of the wrong kind never reaches the server.
        const violations = error instanceof ManifestError ? [error] : problemOf(error).violations;
        const { placed, others } = place(violations, editor.form.getValues());
        placed.forEach(({ at, message }) => editor.form.setError(at, { type: "server", message }));
        setRefusal({ error, others });
        setFirst(placed[0] ?? null);
    };

    // Not before the fields show what is wrong with them.
    const { setFocus } = editor.form;
    useEffect(() => {
        if (!first) return undefined;
        const frame = requestAnimationFrame(() => {
            unfold();
            setFocus(first.at);
        });
        return () => {
            cancelAnimationFrame(frame);
        };
    }, [first, setFocus]);

    const send = async (
        manifest: Manifest,
        options: { createOnly?: boolean; etag?: string; dryRun?: boolean },
    ) => {
        editor.form.clearErrors();
        setRefusal(null);
        try {
            return await apply.mutateAsync({ function: functionOf(manifest), ...options });
        } catch (error) {
            refuse(error);
            return null;
        }
    };

    return { send, refusal, busy: apply.isPending, forget: () => setRefusal(null) };
}

/** A folded section has to be open before a field in it can take the focus. */
function unfold() {
    document.querySelectorAll<HTMLDetailsElement>("form details").forEach((section) => {
        if (section.querySelector("[aria-invalid='true']")) section.open = true;
    });
}
