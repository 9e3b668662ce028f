import { useEffect, useMemo, useState } from "react";

import { CodeView } from "@/components/CodeView";
import { contentOf } from "@/lib/calls/content";
import { bytesText } from "@/lib/numbers";

type ContentViewProps = { bytes: Uint8Array<ArrayBuffer>; contentType: string; label: string };

/** Longer texts are cut in the view; the file has all of it. */
const MOST_SHOWN = 200_000;

/** Bytes of a user: text, or an image that can run nothing; never HTML. */
export function ContentView({ bytes, contentType, label }: ContentViewProps) {
    const content = useMemo(() => contentOf(bytes, contentType), [bytes, contentType]);
    switch (content.kind) {
        case "empty":
            return <p className="text-ink-faint">Empty.</p>;
        case "image":
            return <Picture bytes={bytes} type={content.type} label={label} />;
        case "binary":
            return (
                <p className="text-ink-soft">
                    {bytesText(bytes.length)} that are no text and no image of a known kind: download them to
                    look inside.
                </p>
            );
        default:
            return (
                <>
                    <CodeView text={content.text.slice(0, MOST_SHOWN)} label={label} wrap />
                    {content.text.length > MOST_SHOWN && (
                        <p className="mt-2 text-[0.9rem] text-ink-soft">
                            The first {MOST_SHOWN.toLocaleString()} of {content.text.length.toLocaleString()}{" "}
                            characters are shown: the download has all of it.
                        </p>
                    )}
                </>
            );
    }
}

function Picture({ bytes, type, label }: { bytes: Uint8Array<ArrayBuffer>; type: string; label: string }) {
    const [shown, setShown] = useState<{ url: string; text: string } | null>(null);
    const [broken, setBroken] = useState(false);
    useEffect(() => {
        const url = URL.createObjectURL(new Blob([bytes], { type }));
        setShown({ url, text: "" });
        setBroken(false);
        return () => URL.revokeObjectURL(url);
    }, [bytes, type]);
    if (broken)
        return (
            <p className="text-ink-soft">It says that it is {type}, but it is no image that can be shown.</p>
        );
    if (!shown) return null;
    return (
        <figure className="flex flex-col gap-2">
            <img
                src={shown.url}
                alt={`${label} of this call`}
                className="max-h-96 max-w-full self-start rounded-md border border-line bg-[repeating-conic-gradient(var(--line)_0_25%,transparent_0_50%)] bg-size-[16px_16px]"
                onError={() => setBroken(true)}
                onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) =>
                    setShown({ url: shown.url, text: `${naturalWidth} × ${naturalHeight} pixels` })
                }
            />
            <figcaption className="text-[0.85rem] text-ink-faint">{shown.text}</figcaption>
        </figure>
    );
}
