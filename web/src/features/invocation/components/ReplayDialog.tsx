import { useState, type FormEvent } from "react";
import { useNavigate } from "react-router";

import type { Invocation } from "@/api/generated/eventflow/v1/invocation_pb";
import { Button } from "@/components/Button";
import { CodeView } from "@/components/CodeView";
import { Dialog } from "@/components/Dialog";
import { SelectField, TextArea, TextField } from "@/components/fields";
import { ErrorNote, Loading } from "@/components/states";
import { toast } from "@/components/toast";
import { replayCommand } from "@/lib/calls/commands";
import { contentOf } from "@/lib/calls/content";
import { bytesText } from "@/lib/numbers";
import { paths } from "@/paths";
import { useContent } from "../api/useContent";
import { useReplay, useVersions } from "../api/useReplay";

type ReplayDialogProps = { call: Invocation; onClose: () => void };

/** Larger payloads are not edited in a page. */
const MOST_EDITED = 256 * 1024;

/** Makes the call again: with the same payload or an edited one, on the current version or another. */
export function ReplayDialog({ call, onClose }: ReplayDialogProps) {
    const editable = call.payloadSize <= BigInt(MOST_EDITED);
    const recorded = useContent(call.namespace, call.id, "payload", editable && call.payloadSize > 0n);
    const loading = editable && call.payloadSize > 0n && recorded.isPending;
    return (
        <Dialog title="Replay this call" onClose={onClose} wide>
            {loading ? (
                <Loading label="Loading the payload" rows={3} />
            ) : (
                <ReplayForm
                    call={call}
                    recorded={editable ? textOf(recorded.data?.bytes) : undefined}
                    onClose={onClose}
                />
            )}
        </Dialog>
    );
}

/** Undefined: it is no text. */
function textOf(bytes: Uint8Array | undefined): string | undefined {
    if (!bytes) return "";
    const { kind } = contentOf(bytes, "");
    return kind === "binary" || kind === "image" ? undefined : new TextDecoder().decode(bytes);
}

function ReplayForm({ call, recorded, onClose }: ReplayDialogProps & { recorded: string | undefined }) {
    const [payload, setPayload] = useState(recorded ?? "");
    const [contentType, setContentType] = useState(call.payloadContentType);
    const [version, setVersion] = useState("0");
    const versions = useVersions(call.namespace, call.function);
    const replay = useReplay();
    const navigate = useNavigate();
    const edited =
        recorded !== undefined && (payload !== recorded || contentType !== call.payloadContentType);
    const options = [
        { value: "0", label: "the current one" },
        ...(versions.data?.versions ?? []).map((one) => ({
            value: String(one.version),
            label: `${one.version}${one.current ? " (current)" : ""}${one.version === call.version ? " (of this call)" : ""}`,
        })),
    ];
    const submit = (event: FormEvent) => {
        event.preventDefault();
        const { namespace, id } = call;
        const body = { contentType, data: new TextEncoder().encode(payload) };
        replay.mutate(
            { namespace, id, version: Number(version), ...(edited && { payload: body }) },
            {
                onSuccess: ({ invocation }) => {
                    toast("Replayed: this is the new call.");
                    onClose();
                    if (invocation) void navigate(paths.invocation(namespace, invocation.id));
                },
            },
        );
    };
    const command = replayCommand(window.location.origin, call, edited ? payload : null, Number(version));
    return (
        <form className="flex flex-col gap-4" onSubmit={submit}>
            <p className="text-ink-soft">A new call is made. The record of this one stays as it is.</p>
            {recorded === undefined ? (
                <p className="rounded-md border border-line bg-raised px-3 py-2">
                    The recorded payload ({bytesText(call.payloadSize)}) is sent again as it was: it is no
                    text, or too long to be edited here.
                </p>
            ) : (
                <>
                    <TextArea
                        label="Payload"
                        mono
                        rows={10}
                        spellCheck={false}
                        value={payload}
                        onChange={(event) => setPayload(event.target.value)}
                        hint={
                            edited
                                ? "Edited: this is sent in place of the recorded one."
                                : "As it was recorded."
                        }
                    />
                    <TextField
                        label="Content type"
                        mono
                        value={contentType}
                        onChange={(event) => setContentType(event.target.value)}
                    />
                </>
            )}
            <SelectField
                label="Version"
                value={version}
                options={options}
                onChange={(event) => setVersion(event.target.value)}
            />
            <div>
                <p className="mb-1 text-[0.87rem] font-medium text-ink-soft">The same in a terminal</p>
                <CodeView text={command} label="the command" wrap maxHeight="8rem" />
            </div>
            {replay.error && <ErrorNote error={replay.error} />}
            <div className="flex flex-wrap justify-end gap-2">
                {edited && (
                    <Button
                        kind="quiet"
                        onClick={() => {
                            setPayload(recorded);
                            setContentType(call.payloadContentType);
                        }}
                    >
                        Back to the recorded payload
                    </Button>
                )}
                <Button kind="quiet" onClick={onClose}>
                    Close
                </Button>
                <Button type="submit" kind="primary" busy={replay.isPending}>
                    {edited ? "Replay with this payload" : "Replay"}
                </Button>
            </div>
        </form>
    );
}
