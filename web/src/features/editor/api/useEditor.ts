import { useEffect, useRef, useState } from "react";
import { useForm } from "react-hook-form";

import type { Manifest } from "@/manifest/manifest";
import { editYaml, parseYaml, toYaml, type YamlProblem } from "@/manifest/yaml";

import { manifestFrom, valuesOf, type Values } from "./values";

/** A form and a text that say the same: each edit of one is taken over into the other. */
export function useEditor(initial: Manifest, fixed?: { name: string; namespace: string }) {
    const form = useForm<Values>({ defaultValues: valuesOf(initial) });
    const [text, setText] = useState(() => toYaml(initial));
    const [problems, setProblems] = useState<readonly YamlProblem[]>([]);
    const fromText = useRef(false);

    useEffect(() => {
        const { unsubscribe } = form.watch((values) => {
            // A reset by an edit of the text tells nothing new.
            if (fromText.current) return;
            setText((before) => editYaml(before, manifestFrom(values as Values)));
            setProblems([]);
        });
        return unsubscribe;
    }, [form]);

    const toForm = (manifest: Manifest) => {
        fromText.current = true;
        form.reset(valuesOf(manifest), { keepDefaultValues: true, keepIsSubmitted: true });
        fromText.current = false;
    };

    return {
        form,
        text,
        problems,
        editText: (next: string) => {
            setText(next);
            const parsed = parseYaml(next);
            if ("problems" in parsed) return setProblems(parsed.problems);
            const { name, namespace } = parsed.manifest;
            if (fixed && (name !== fixed.name || namespace !== fixed.namespace)) {
                return setProblems([
                    {
                        message: `name and namespace cannot change: they are ${fixed.name} in ${fixed.namespace}`,
                    },
                ]);
            }
            setProblems([]);
            toForm(parsed.manifest);
        },
        /** Begins anew with what somebody else declared. */
        load: (manifest: Manifest) => {
            setText(toYaml(manifest));
            setProblems([]);
            toForm(manifest);
        },
        manifest: () => manifestFrom(form.getValues()),
    };
}

export type Editor = ReturnType<typeof useEditor>;
