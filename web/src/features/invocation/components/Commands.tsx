import { SquareTerminal } from "lucide-react";
import { useState } from "react";

import type { Invocation } from "@/api/generated/eventflow/v1/invocation_pb";
import { Button } from "@/components/Button";
import { CodeView } from "@/components/CodeView";
import { Dialog } from "@/components/Dialog";
import { callCommands } from "@/lib/calls/commands";

/** What does the same in a terminal, to copy. */
export function Commands({ call }: { call: Invocation }) {
    const [open, setOpen] = useState(false);
    return (
        <>
            <Button onClick={() => setOpen(true)}>
                <SquareTerminal /> Commands
            </Button>
            {open && (
                <Dialog title="The same in a terminal" onClose={() => setOpen(false)} wide>
                    <ul className="flex flex-col gap-3">
                        {callCommands(window.location.origin, call).map(({ label, text }) => (
                            <li key={label}>
                                <p className="mb-1 text-[0.87rem] font-medium text-ink-soft">{label}</p>
                                <CodeView text={text} label={label} wrap />
                            </li>
                        ))}
                    </ul>
                </Dialog>
            )}
        </>
    );
}
