import { X } from "lucide-react";
import { useId, useLayoutEffect, useRef, type ReactNode } from "react";

import { IconButton } from "./Button";

type DialogProps = { title: string; onClose: () => void; children: ReactNode; wide?: boolean };

/** A modal dialog. The browser keeps the focus inside and closes it on Escape. */
export function Dialog({ title, onClose, children, wide = false }: DialogProps) {
    const ref = useRef<HTMLDialogElement>(null);
    const titleId = useId();
    // Before it leaves the page: closed later, it could not give the focus back.
    useLayoutEffect(() => {
        const dialog = ref.current;
        if (!dialog?.open) dialog?.showModal();
        return () => dialog?.close();
    }, []);
    return (
        <dialog
            ref={ref}
            aria-labelledby={titleId}
            onCancel={(event) => {
                event.preventDefault();
                onClose();
            }}
            className={`m-auto max-h-[calc(100dvh-2rem)] w-[calc(100vw-2rem)] rounded-xl border border-line bg-panel p-0 text-ink shadow-2xl backdrop:bg-shade ${wide ? "max-w-5xl" : "max-w-lg"}`}
        >
            <header className="flex items-center justify-between gap-3 border-b border-line py-2 pr-2 pl-5">
                <h2 id={titleId} className="font-semibold">
                    {title}
                </h2>
                <IconButton label="Close" onClick={onClose}>
                    <X />
                </IconButton>
            </header>
            <div className="p-5">{children}</div>
        </dialog>
    );
}
