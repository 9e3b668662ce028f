import { useMutation } from "@connectrpc/connect-query";

import type { EventFlowFunction } from "@/api/functions";
import type { FunctionVersion } from "@/api/generated/eventflow/v1/function_pb";
import { FunctionService } from "@/api/generated/eventflow/v1/function_service_pb";
import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { DiffView } from "@/components/DiffView";
import { ErrorNote } from "@/components/states";
import { toast } from "@/components/toast";

type Props = {
    value: EventFlowFunction;
    target: FunctionVersion;
    before: string;
    after: string;
    onClose: () => void;
};

export function RollbackDialog({ value, target, before, after, onClose }: Props) {
    const { namespace, name } = value;
    const rollback = useMutation(FunctionService.method.rollbackFunction);
    const run = () =>
        rollback.mutate(
            { namespace, name, version: target.version },
            {
                onSuccess: (answer) => {
                    toast(
                        `${name} is as it was in version ${target.version}, now as version ${answer.function?.version ?? "new"}.`,
                    );
                    onClose();
                },
            },
        );
    return (
        <Dialog title={`Roll back to version ${target.version}?`} wide onClose={onClose}>
            <div className="flex flex-col gap-4">
                <p className="text-ink-soft">
                    Its declaration is applied again, as a new version; copies, retries and queue bounds stay
                    as they are. Calls that run go on with their version.
                </p>
                <DiffView before={before} after={after} label="What would change" />
                {rollback.error && <ErrorNote error={rollback.error} />}
                <div className="flex justify-end gap-2">
                    <Button kind="quiet" onClick={onClose}>
                        Keep the current version
                    </Button>
                    <Button kind="primary" busy={rollback.isPending} onClick={run}>
                        Roll back
                    </Button>
                </div>
            </div>
        </Dialog>
    );
}
