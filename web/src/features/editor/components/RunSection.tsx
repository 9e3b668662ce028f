import { useFormContext, useWatch } from "react-hook-form";

import type { Values } from "../api/values";
import { Columns, FormText, Section } from "./bound";

const COPIES: { value: Values["copies"]; label: string; about: string }[] = [
    { value: "default", label: "Default", about: "none in job mode, one in http mode" },
    { value: "fixed", label: "Fixed", about: "always exactly so many" },
    { value: "scaled", label: "Scaled", about: "between bounds, by load; 0 when idle" },
];

/** Port, warm copies, and what a run may use. */
export function RunSection() {
    const { register, control } = useFormContext<Values>();
    const copies = useWatch({ control, name: "copies" });
    return (
        <>
            <Section title="Serving" about="port and warm copies">
                <Columns>
                    <FormText
                        name="port"
                        label="Port"
                        placeholder="8080"
                        inputMode="numeric"
                        hint="Where the code listens in http mode; it is told as $PORT."
                    />
                    <FormText
                        name="probe.path"
                        label="Readiness path"
                        mono
                        placeholder="/healthz"
                        hint="Empty: a TCP connection is enough."
                    />
                </Columns>
                <fieldset className="flex flex-col gap-2">
                    <legend className="mb-1 text-[0.87rem] font-medium text-ink-soft">Warm copies</legend>
                    <div className="grid gap-2 sm:grid-cols-3">
                        {COPIES.map(({ value, label, about }) => (
                            <label
                                key={value}
                                className="flex cursor-pointer items-start gap-2 rounded-md border border-line p-2.5 has-checked:border-accent has-checked:bg-accent-wash"
                            >
                                <input
                                    type="radio"
                                    value={value}
                                    className="mt-1 accent-accent"
                                    {...register("copies")}
                                />
                                <span>
                                    {label}
                                    <span className="block text-[0.82rem] text-ink-faint">{about}</span>
                                </span>
                            </label>
                        ))}
                    </div>
                </fieldset>
                {copies === "fixed" && (
                    <Columns>
                        <FormText name="replicas" label="Copies" placeholder="1" inputMode="numeric" />
                    </Columns>
                )}
                {copies === "scaled" && (
                    <Columns>
                        <FormText name="scaling.min" label="At least" placeholder="0" inputMode="numeric" />
                        <FormText name="scaling.max" label="At most" placeholder="20" inputMode="numeric" />
                        <FormText
                            name="scaling.concurrency"
                            label="Requests per copy"
                            placeholder="10"
                            inputMode="numeric"
                            hint="At once; more of them add a copy."
                        />
                        <FormText
                            name="scaling.cpu"
                            label="CPU target, percent"
                            placeholder="80"
                            inputMode="numeric"
                            hint="Of the CPU request, in a cluster."
                        />
                    </Columns>
                )}
            </Section>
            <Section title="Limits" about="what one run may use, and how long it may take">
                <Columns>
                    <FormText name="resources.cpu" label="CPU" placeholder="100m" mono />
                    <FormText name="resources.memory" label="Memory" placeholder="128Mi" mono />
                    <FormText
                        name="timeout"
                        label="Timeout"
                        placeholder="30s"
                        mono
                        hint="Of one run: 1s to 24h."
                    />
                    <FormText
                        name="startDeadline"
                        label="Start deadline"
                        placeholder="2m"
                        mono
                        hint="For pulling, scheduling and starting."
                    />
                    <FormText
                        name="concurrency"
                        label="Concurrency"
                        placeholder="no bound"
                        inputMode="numeric"
                        hint="Most runs of this function at once."
                    />
                </Columns>
            </Section>
            <Section title="Queue and retries" about="what happens to calls that wait or fail" open={false}>
                <Columns>
                    <FormText
                        name="queue.max"
                        label="Calls that may wait"
                        placeholder="10000"
                        inputMode="numeric"
                    />
                    <FormText name="queue.maxAge" label="Longest wait" placeholder="24h" mono />
                    <FormText
                        name="retry.maxAttempts"
                        label="Attempts in all"
                        placeholder="1"
                        inputMode="numeric"
                        hint="1: a failed call is not tried again."
                    />
                    <FormText
                        name="retry.backoff.initial"
                        label="First wait between attempts"
                        placeholder="1s"
                        mono
                    />
                    <FormText
                        name="retry.backoff.max"
                        label="Longest wait between attempts"
                        placeholder="5m"
                        mono
                    />
                    <FormText
                        name="retry.backoff.factor"
                        label="Factor"
                        placeholder="2"
                        inputMode="decimal"
                        hint="Each wait is so many times the one before."
                    />
                    <FormText
                        name="retry.backoff.jitter"
                        label="Jitter"
                        placeholder="0.2"
                        inputMode="decimal"
                        hint="The share by which a wait is spread."
                    />
                </Columns>
            </Section>
        </>
    );
}
