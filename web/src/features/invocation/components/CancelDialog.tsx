import type { Invocation } from "@/api/generated/eventflow/v1/invocation_pb";
import { InvocationState } from "@/api/generated/eventflow/v1/invocation_pb";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { toast } from "@/components/toast";
import { useCancel } from "../api/useReplay";

type CancelDialogProps = { call: Invocation; onClose: () => void; onDone: () => void };

export function CancelDialog({ call, onClose, onDone }: CancelDialogProps) {
    const cancel = useCancel();
    const runs = call.state === InvocationState.RUNNING;
    return (
        <ConfirmDialog
            title="Cancel this call?"
            action="Cancel the call"
            danger
            busy={cancel.isPending}
            error={cancel.error}
            onClose={onClose}
            onConfirm={() =>
                cancel.mutate(
                    { namespace: call.namespace, id: call.id },
                    {
                        onSuccess: () => {
                            toast(runs ? "Its worker is told to end it." : "Cancelled.");
                            onDone();
                            onClose();
                        },
                    },
                )
            }
        >
            {runs
                ? `${call.function} runs just now. What it has done so far is not undone.`
                : `${call.function} does not start any more for this call.`}
        </ConfirmDialog>
    );
}
