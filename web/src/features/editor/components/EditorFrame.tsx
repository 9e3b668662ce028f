import { useState, type ReactNode } from "react";
import { FormProvider } from "react-hook-form";

import type { ServerKnown } from "../api/useServerKnown";
import type { Editor } from "../api/useEditor";
import { AccessSection, EnvironmentSection, KubernetesSection } from "./AccessSection";
import { CodeSection } from "./CodeSection";
import { RunSection } from "./RunSection";
import { YamlEditor } from "./YamlEditor";

type Props = {
    editor: Editor;
    isNew: boolean;
    known: ServerKnown;
    /** What stands above the form: errors and warnings. */
    notes: ReactNode;
    /** What can be done, below the form. */
    actions: ReactNode;
    onSubmit: () => void;
};

type Side = "form" | "yaml";

/** The form beside its YAML; on narrow screens one of the two. */
export function EditorFrame({ editor, isNew, known, notes, actions, onSubmit }: Props) {
    const [side, setSide] = useState<Side>("form");
    const hidden = (which: Side) => (side === which ? "" : "hidden xl:block");
    return (
        <FormProvider {...editor.form}>
            <form
                noValidate
                aria-label={isNew ? "New function" : "Edit function"}
                className="flex flex-col gap-4"
                onSubmit={(event) => {
                    event.preventDefault();
                    onSubmit();
                }}
            >
                {notes}
                <div
                    role="group"
                    aria-label="View"
                    className="flex w-fit rounded-md border border-line p-0.5 xl:hidden"
                >
                    {(["form", "yaml"] as const).map((each) => (
                        <button
                            key={each}
                            type="button"
                            aria-pressed={side === each}
                            onClick={() => setSide(each)}
                            className={`min-h-8 rounded px-4 ${side === each ? "bg-raised text-ink" : "text-ink-soft"}`}
                        >
                            {each === "form" ? "Form" : "YAML"}
                        </button>
                    ))}
                </div>
                <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,7fr)_minmax(0,5fr)]">
                    <div className={hidden("form")}>
                        <div className="flex flex-col gap-4">
                            <CodeSection isNew={isNew} runtimes={known.runtimes} />
                            <EnvironmentSection secrets={known.secrets} configs={known.configs} />
                            <RunSection />
                            <AccessSection />
                            <KubernetesSection />
                        </div>
                    </div>
                    <div className={`${hidden("yaml")} xl:sticky xl:top-17`}>
                        <div className="flex flex-col xl:max-h-[calc(100dvh-10rem)]">
                            <YamlEditor
                                text={editor.text}
                                problems={editor.problems}
                                onChange={editor.editText}
                            />
                        </div>
                    </div>
                </div>
                <div className="sticky bottom-0 z-10 -mx-4 flex flex-wrap justify-end gap-2 border-t border-line bg-ground px-4 py-3 sm:-mx-6 sm:px-6">
                    {actions}
                </div>
            </form>
        </FormProvider>
    );
}
