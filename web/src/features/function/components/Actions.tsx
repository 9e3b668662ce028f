import { useMutation } from "@connectrpc/connect-query";
import { Pause, Pencil, Play, Trash2 } from "lucide-react";
import { useState } from "react";
import { useNavigate } from "react-router";

import { lineOf } from "@/api/errors";
import type { EventFlowFunction } from "@/api/functions";
import { FunctionState } from "@/api/generated/eventflow/v1/function_pb";
import { FunctionService } from "@/api/generated/eventflow/v1/function_service_pb";
import { useAccess } from "@/api/useAccess";
import { Button, LinkButton } from "@/components/Button";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { toast } from "@/components/toast";
import { plural } from "@/lib/numbers";
import { paths } from "@/paths";

export function Actions({ value }: { value: EventFlowFunction }) {
    const { namespace, name } = value;
    const off = useAccess().missing("developer", namespace);
    const pause = useMutation(FunctionService.method.pauseFunction);
    const resume = useMutation(FunctionService.method.resumeFunction);
    const [deleting, setDeleting] = useState(false);
    const paused = value.state === FunctionState.PAUSED;
    const done = (word: string) => ({
        onSuccess: () => toast(`${name} is ${word}.`),
        onError: (error: unknown) => toast(lineOf(error), "bad"),
    });

    return (
        <>
            {off ? (
                <Button disabledWhy={off}>
                    <Pencil aria-hidden />
                    Edit
                </Button>
            ) : (
                <LinkButton to={paths.function(namespace, name, "edit")}>
                    <Pencil aria-hidden />
                    Edit
                </LinkButton>
            )}
            {paused ? (
                <Button
                    disabledWhy={off}
                    busy={resume.isPending}
                    onClick={() => resume.mutate({ namespace, name }, done("resumed"))}
                >
                    <Play aria-hidden />
                    Resume
                </Button>
            ) : (
                <Button
                    disabledWhy={off}
                    busy={pause.isPending}
                    onClick={() => pause.mutate({ namespace, name }, done("paused"))}
                >
                    <Pause aria-hidden />
                    Pause
                </Button>
            )}
            <Button kind="danger" disabledWhy={off} onClick={() => setDeleting(true)}>
                <Trash2 aria-hidden />
                Delete
            </Button>
            {deleting && (
                <DeleteDialog namespace={namespace} name={name} onClose={() => setDeleting(false)} />
            )}
        </>
    );
}

function DeleteDialog({
    namespace,
    name,
    onClose,
}: {
    namespace: string;
    name: string;
    onClose: () => void;
}) {
    const navigate = useNavigate();
    const remove = useMutation(FunctionService.method.deleteFunction);
    return (
        <ConfirmDialog
            title={`Delete ${name}?`}
            action="Delete"
            danger
            typed={name}
            busy={remove.isPending}
            error={remove.error}
            onClose={onClose}
            onConfirm={() =>
                remove.mutate(
                    { namespace, name },
                    {
                        onSuccess: ({ cancelled }) => {
                            toast(
                                cancelled > 0n
                                    ? `${name} is deleted; ${plural(cancelled, "call")} ended for it.`
                                    : `${name} is deleted.`,
                            );
                            void navigate(paths.functions(namespace));
                        },
                    },
                )
            }
        >
            <p>
                Calls that wait or run are cancelled. Records, logs and results of its calls are kept; its
                versions go. This cannot be undone.
            </p>
        </ConfirmDialog>
    );
}
