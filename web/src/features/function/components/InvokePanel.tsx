import { History, Play, Square, SquareTerminal } from "lucide-react";
import { useState } from "react";

import type { EventFlowFunction } from "@/api/functions";
import { useAccess } from "@/api/useAccess";
import { Button } from "@/components/Button";
import { CodeView } from "@/components/CodeView";
import { TextField } from "@/components/fields";
import { Panel } from "@/components/Page";
import { relativeText } from "@/lib/time";
import { useNow } from "@/lib/useNow";

import { invokeCommands } from "../api/commands";
import { useInvokeForm, type InvokeForm } from "../api/useInvokeForm";
import { HeaderRows } from "./HeaderRows";
import { OutcomeView } from "./OutcomeView";
import { PayloadFields } from "./PayloadFields";

export function InvokePanel({ value }: { value: EventFlowFunction }) {
    const { namespace, name } = value;
    const form = useInvokeForm(namespace, name);
    const off =
        useAccess().missing("invoker", namespace) ??
        (form.kind === "file" && !form.file ? "Choose a file first" : undefined);
    const [shown, setShown] = useState<"commands" | "history" | null>(null);
    const toggle = (which: "commands" | "history") => setShown(shown === which ? null : which);
    return (
        <div className="grid items-start gap-4 xl:grid-cols-2">
            <Panel title="Call">
                <form
                    aria-label={`Invoke ${name}`}
                    className="flex flex-col gap-4"
                    onSubmit={(event) => {
                        event.preventDefault();
                        if (off === undefined && !form.busy) void form.run();
                    }}
                >
                    <PayloadFields form={form} />
                    <WaitFields form={form} current={value.version} />
                    <HeaderRows headers={form.headers} onChange={form.setHeaders} />
                    <div className="flex flex-wrap gap-2">
                        <Button type="submit" kind="primary" busy={form.busy} disabledWhy={off}>
                            <Play aria-hidden />
                            Invoke
                        </Button>
                        {form.busy && (
                            <Button onClick={form.stop}>
                                <Square aria-hidden />
                                Stop waiting
                            </Button>
                        )}
                        <Button
                            kind="quiet"
                            aria-expanded={shown === "commands"}
                            onClick={() => toggle("commands")}
                        >
                            <SquareTerminal aria-hidden />
                            As a command
                        </Button>
                        {form.history.length > 0 && (
                            <Button
                                kind="quiet"
                                aria-expanded={shown === "history"}
                                onClick={() => toggle("history")}
                            >
                                <History aria-hidden />
                                Past payloads
                            </Button>
                        )}
                    </div>
                    {shown === "commands" && (
                        <ul className="flex flex-col gap-3">
                            {invokeCommands(window.location.origin, namespace, name, form.command).map(
                                ({ label, text }) => (
                                    <li key={label}>
                                        <p className="mb-1 text-[0.87rem] font-medium text-ink-soft">
                                            {label}
                                        </p>
                                        <CodeView text={text} label={label} wrap />
                                    </li>
                                ),
                            )}
                        </ul>
                    )}
                    {shown === "history" && <PastPayloads form={form} />}
                </form>
            </Panel>
            <OutcomeView namespace={namespace} name={name} outcome={form.outcome} busy={form.busy} />
        </div>
    );
}

function WaitFields({ form, current }: { form: InvokeForm; current: number | undefined }) {
    return (
        <div className="grid gap-4 sm:grid-cols-2">
            <fieldset className="flex flex-col gap-1">
                <legend className="mb-1 text-[0.87rem] font-medium text-ink-soft">Answer</legend>
                <label className="flex min-h-8 items-center gap-2">
                    <input
                        type="radio"
                        name="waits"
                        checked={form.waits}
                        className="accent-accent"
                        onChange={() => form.setWaits(true)}
                    />
                    Wait for the result
                </label>
                <label className="flex min-h-8 items-center gap-2">
                    <input
                        type="radio"
                        name="waits"
                        checked={!form.waits}
                        className="accent-accent"
                        onChange={() => form.setWaits(false)}
                    />
                    Only accept it (async)
                </label>
            </fieldset>
            <div className="flex flex-col gap-3">
                {form.waits ? (
                    <TextField
                        label="Longest wait, seconds"
                        inputMode="numeric"
                        value={form.waitSeconds}
                        onChange={(event) => form.setWaitSeconds(event.target.value)}
                    />
                ) : (
                    <TextField
                        label="Delay"
                        mono
                        placeholder="at once, or 5m"
                        value={form.delay}
                        onChange={(event) => form.setDelay(event.target.value)}
                    />
                )}
                <TextField
                    label="Version"
                    inputMode="numeric"
                    placeholder={current === undefined ? "the current one" : `${current}, the current one`}
                    value={form.version}
                    onChange={(event) => form.setVersion(event.target.value.replace(/\D/g, ""))}
                />
            </div>
        </div>
    );
}

function PastPayloads({ form }: { form: InvokeForm }) {
    const now = useNow(10_000);
    return (
        <ul aria-label="Past payloads" className="divide-y divide-line rounded-md border border-line">
            {form.history.map((sent) => (
                <li key={`${sent.at} ${sent.text}`}>
                    <button
                        type="button"
                        onClick={() => form.recall(sent)}
                        className="flex w-full items-center gap-3 px-3 py-2 text-left hover:bg-raised"
                    >
                        <code className="min-w-0 grow truncate text-[0.87rem]">{sent.text || "(empty)"}</code>
                        <span className="shrink-0 text-[0.82rem] text-ink-faint">
                            {relativeText(sent.at, now)}
                        </span>
                    </button>
                </li>
            ))}
        </ul>
    );
}
