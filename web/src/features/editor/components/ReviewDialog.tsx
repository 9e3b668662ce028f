import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { DiffView } from "@/components/DiffView";

type Props = {
    before: string;
    after: string;
    changed: boolean;
    newVersion: boolean;
    busy: boolean;
    onSave: () => void;
    onClose: () => void;
};

/** What would change, before it does. */
export function ReviewDialog({ before, after, changed, newVersion, busy, onSave, onClose }: Props) {
    return (
        <Dialog title="Review the change" wide onClose={onClose}>
            <div className="flex flex-col gap-4">
                <p className="text-ink-soft">
                    {!changed
                        ? "Nothing differs from what is declared now."
                        : newVersion
                          ? "This makes a new version; calls that run go on with the old one."
                          : "This applies to the current version; no new one is made."}
                </p>
                <DiffView before={before} after={after} label="What would change" />
                <div className="flex justify-end gap-2">
                    <Button kind="quiet" onClick={onClose}>
                        Go on editing
                    </Button>
                    <Button
                        kind="primary"
                        busy={busy}
                        disabledWhy={changed ? undefined : "There is nothing to save"}
                        onClick={onSave}
                    >
                        Save
                    </Button>
                </div>
            </div>
        </Dialog>
    );
}
