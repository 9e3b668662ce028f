import { useFormContext, useWatch } from "react-hook-form";

import type { Values } from "../api/values";
import { choices, Columns, FormSelect, FormText, Section } from "./bound";
import { ListRows } from "./Rows";
import { WasmUpload } from "./WasmUpload";

const IMAGE_HINTS: Record<string, string> = {
    wasm: "The digest of an uploaded module: choose a file above, or paste artifact@sha256:…",
    process: "None for the runtime process: name the command instead.",
};

export function CodeSection({ isNew, runtimes }: { isNew: boolean; runtimes: readonly string[] }) {
    const { control } = useFormContext<Values>();
    const runtime = useWatch({ control, name: "runtime" });
    const offered = runtimes.length > 0 ? runtimes : ["container", "wasm", "process"];
    const shown = ["container", "wasm", "process"].filter(
        (each) => offered.includes(each) || each === runtime,
    );
    return (
        <Section title="Code" about="what runs, and where">
            <Columns>
                <FormText
                    name="name"
                    label="Name"
                    mono
                    readOnly={!isNew}
                    {...(isNew && {
                        hint: "Small letters, digits and hyphens; begins with a letter; at most 44.",
                    })}
                />
                <FormText name="namespace" label="Namespace" mono readOnly={!isNew} />
                <FormSelect
                    name="runtime"
                    label="Runtime"
                    options={choices(
                        "container (default)",
                        ...shown.map((each): [string, string] => [each, RUNTIME_LABELS[each] ?? each]),
                    )}
                />
                <FormSelect
                    name="mode"
                    label="Mode"
                    hint="job: one run per call. http: a server that takes requests."
                    options={choices("http if a port is set, else job", ["job", "job"], ["http", "http"])}
                />
            </Columns>
            {runtime === "wasm" && <WasmUpload />}
            {runtime !== "process" && (
                <FormText
                    name="image"
                    label={runtime === "wasm" ? "Artifact" : "Image"}
                    mono
                    placeholder={runtime === "wasm" ? "artifact@sha256:…" : "registry.example/resize:1.4"}
                    hint={IMAGE_HINTS[runtime] ?? "An OCI image."}
                />
            )}
            <ListRows
                name="command"
                legend="Command"
                item="Part of the command"
                hint={
                    runtime === "process"
                        ? "The program and its first arguments, one in each row."
                        : "Runs instead of the image's own program. One word in each row."
                }
                add="Add a part"
                placeholder={runtime === "process" ? "python3" : "/bin/resize"}
            />
            <ListRows
                name="args"
                legend="Arguments"
                item="Argument"
                add="Add an argument"
                placeholder="--fast"
            />
        </Section>
    );
}

const RUNTIME_LABELS: Record<string, string> = {
    container: "container: OCI image",
    wasm: "wasm: WebAssembly",
    process: "process: a local command",
};
