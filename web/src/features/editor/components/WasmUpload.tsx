import { Upload } from "lucide-react";
import { useId, useState } from "react";
import { useFormContext } from "react-hook-form";

import { ErrorNote } from "@/components/states";
import { bytesText } from "@/lib/numbers";

import { uploadArtifact } from "../api/upload";
import type { Values } from "../api/values";

type State =
    | { phase: "idle" }
    | { phase: "busy" | "done"; file: string; size: number }
    | { phase: "failed"; error: unknown };

/** Takes a .wasm or .wat file, stores it on the server, and puts its digest into the form. */
export function WasmUpload() {
    const id = useId();
    const { getValues, setValue, clearErrors } = useFormContext<Values>();
    const [state, setState] = useState<State>({ phase: "idle" });

    const upload = async (file: File) => {
        const about = { file: file.name, size: file.size };
        setState({ phase: "busy", ...about });
        try {
            const digest = await uploadArtifact(getValues("namespace") || "default", file);
            setValue("image", `artifact@${digest}`, { shouldDirty: true });
            clearErrors("image");
            setState({ phase: "done", ...about });
        } catch (error) {
            setState({ phase: "failed", error });
        }
    };

    return (
        <div className="flex flex-col gap-2">
            <label
                htmlFor={id}
                className="flex cursor-pointer flex-col items-center gap-1 rounded-lg border border-dashed border-line-strong px-4 py-5 text-center hover:border-accent has-focus-visible:border-accent"
                onDragOver={(event) => event.preventDefault()}
                onDrop={(event) => {
                    event.preventDefault();
                    const [file] = event.dataTransfer.files;
                    if (file) void upload(file);
                }}
            >
                <Upload aria-hidden className="size-5 text-ink-faint" />
                <span>Choose a WebAssembly file, or drop it here</span>
                <span className="text-[0.82rem] text-ink-faint">.wasm or .wat</span>
                <input
                    id={id}
                    type="file"
                    accept=".wasm,.wat,application/wasm"
                    className="sr-only"
                    onChange={(event) => {
                        const [file] = event.target.files ?? [];
                        if (file) void upload(file);
                    }}
                />
            </label>
            <p role="status" className="text-[0.87rem] text-ink-soft empty:hidden">
                {state.phase === "busy" && `Uploading ${state.file}, ${bytesText(state.size)}…`}
                {state.phase === "done" && `${state.file}, ${bytesText(state.size)}, is uploaded.`}
            </p>
            {state.phase === "failed" && <ErrorNote error={state.error} />}
        </div>
    );
}
