import { useRef, useState } from "react";

import type { Header } from "../components/HeaderRows";
import type { CommandCall } from "./commands";
import { readHistory, remember, type Sent } from "./history";
import { invoke, type Call, type Outcome } from "./invoke";

export type BodyKind = "json" | "text" | "file";

const TYPES: Record<BodyKind, string> = {
    json: "application/json",
    text: "text/plain; charset=utf-8",
    file: "",
};
/** The server's own bound of a wait. */
const LONGEST_WAIT = 600;

/** What the invoke panel holds, and the call that it makes. */
export function useInvokeForm(namespace: string, name: string) {
    const [history, setHistory] = useState<readonly Sent[]>(() => readHistory(namespace, name));
    const [last] = history;
    const [kind, setKind] = useState<BodyKind>(last?.kind ?? "json");
    const [text, setText] = useState(last?.text ?? "{}");
    const [file, setFile] = useState<File | null>(null);
    const [contentType, setContentType] = useState(last?.contentType ?? TYPES.json);
    const [headers, setHeaders] = useState<readonly Header[]>([]);
    const [waits, setWaits] = useState(true);
    const [waitSeconds, setWaitSeconds] = useState("30");
    const [delay, setDelay] = useState("");
    const [version, setVersion] = useState("");
    const [busy, setBusy] = useState(false);
    const [outcome, setOutcome] = useState<Outcome | null>(null);
    const running = useRef<AbortController | null>(null);

    const seconds = Math.min(LONGEST_WAIT, Math.max(1, Number(waitSeconds) || 30));
    const shared = {
        contentType,
        headers,
        waitSeconds: waits ? seconds : undefined,
        delay: delay.trim(),
        version,
    };
    const jsonProblem = kind === "json" ? jsonError(text) : undefined;

    const run = async () => {
        const call: Call = { ...shared, body: kind === "file" ? (file ?? new Blob()) : new Blob([text]) };
        const life = new AbortController();
        running.current = life;
        setBusy(true);
        const told = await invoke(namespace, name, call, life.signal);
        if (running.current !== life) return;
        running.current = null;
        setOutcome(told);
        setBusy(false);
        if (kind !== "file")
            setHistory(remember(namespace, name, { at: Date.now(), kind, text, contentType, id: told.id }));
    };

    return {
        ...{ kind, text, setText, file, contentType, setContentType, headers, setHeaders },
        ...{ waits, setWaits, waitSeconds, setWaitSeconds, delay, setDelay, version, setVersion },
        ...{ busy, outcome, history, jsonProblem, run },
        setKind: (next: BodyKind) => {
            setKind(next);
            setContentType(next === "file" ? (file?.type ?? "") : TYPES[next]);
        },
        setFile: (next: File | null) => {
            setFile(next);
            setContentType(next?.type ?? "");
        },
        /** Stops waiting; what was accepted goes on. */
        stop: () => {
            running.current?.abort();
        },
        recall: (sent: Sent) => {
            setKind(sent.kind);
            setText(sent.text);
            setContentType(sent.contentType);
        },
        command: {
            ...shared,
            payload: kind === "file" ? { file: file?.name ?? "FILE" } : { text },
        } satisfies CommandCall,
    };
}

export type InvokeForm = ReturnType<typeof useInvokeForm>;

/** Why a text is no JSON; an empty one is an empty payload. */
export function jsonError(text: string): string | undefined {
    if (text.trim() === "") return undefined;
    try {
        JSON.parse(text);
        return undefined;
    } catch (error) {
        return `This is no JSON yet: ${error instanceof Error ? error.message : "it cannot be read"}`;
    }
}
