import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";

import { Button, IconButton } from "./Button";
import { toast } from "./toast";

/** Copies a text; with `children` a button with words, else a picture only. */
export function CopyButton({
    text,
    label = "Copy",
    children,
}: {
    text: string;
    label?: string;
    children?: string;
}) {
    const [copied, setCopied] = useState(false);
    useEffect(() => {
        if (!copied) return;
        const timer = setTimeout(() => setCopied(false), 1500);
        return () => clearTimeout(timer);
    }, [copied]);
    const copy = () => {
        // Without https or localhost the browser offers no clipboard.
        void (navigator.clipboard?.writeText(text) ?? Promise.reject(new Error("no clipboard"))).then(
            () => setCopied(true),
            () => toast("The browser did not allow to copy: select the text and copy it yourself.", "bad"),
        );
    };
    const icon = copied ? <Check className="text-good" /> : <Copy />;
    if (children !== undefined) {
        return (
            <Button onClick={copy}>
                {icon}
                {copied ? "Copied" : children}
            </Button>
        );
    }
    return (
        <IconButton label={copied ? "Copied" : label} onClick={copy}>
            {icon}
        </IconButton>
    );
}
