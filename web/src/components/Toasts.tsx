import { CircleCheck, TriangleAlert, X } from "lucide-react";
import { useSyncExternalStore } from "react";

import { IconButton } from "./Button";
import { dismissToast, toastStore } from "./toast";

export function Toasts() {
    const toasts = useSyncExternalStore(toastStore.subscribe, toastStore.get);
    return (
        <div
            aria-live="polite"
            className="pointer-events-none fixed inset-x-3 bottom-3 z-50 flex flex-col items-end gap-2 sm:left-auto sm:w-96"
        >
            {toasts.map(({ id, text, tone }) => (
                <div
                    key={id}
                    className="pointer-events-auto flex w-full items-start gap-2 rounded-lg border border-line bg-raised py-1 pr-1 pl-3 shadow-xl"
                >
                    <span aria-hidden className={`mt-2 ${tone === "good" ? "text-good" : "text-bad"}`}>
                        {tone === "good" ? (
                            <CircleCheck className="size-4" />
                        ) : (
                            <TriangleAlert className="size-4" />
                        )}
                    </span>
                    <p className="min-w-0 grow py-1.5 [overflow-wrap:anywhere]">{text}</p>
                    <IconButton label="Dismiss" onClick={() => dismissToast(id)}>
                        <X />
                    </IconButton>
                </div>
            ))}
        </div>
    );
}
