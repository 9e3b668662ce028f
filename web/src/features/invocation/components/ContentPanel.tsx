import { Download } from "lucide-react";
import { useState, type ReactNode } from "react";

import { whyNot } from "@/api/query";
import { Button, IconButton } from "@/components/Button";
import { Panel } from "@/components/Page";
import { ErrorNote, Loading } from "@/components/states";
import { extensionOf, mediaType, typeOf } from "@/lib/calls/content";
import { download } from "@/components/logs/export";
import { toast } from "@/components/toast";
import { lineOf } from "@/api/errors";
import { bytesText } from "@/lib/numbers";
import { READ_AT_ONCE, readPart, useContent, type Part } from "../api/useContent";
import { ContentView } from "@/components/calls/ContentView";

type ContentPanelProps = {
    title: string;
    namespace: string;
    id: string;
    part: Part;
    size: bigint;
    contentType: string;
    /** Said in place of the content; undefined: there is some. */
    none?: ReactNode;
};

/** The payload or the result of a call: as JSON, text or an image, and as a file. */
export function ContentPanel({ title, namespace, id, part, size, contentType, none }: ContentPanelProps) {
    const [wanted, setWanted] = useState(false);
    const small = size <= BigInt(READ_AT_ONCE);
    const read = none === undefined && size > 0n && (small || wanted);
    const query = useContent(namespace, id, part, read);
    const error = whyNot(query);
    const save = async () => {
        try {
            const { bytes, contentType: type } = query.data ?? (await readPart(namespace, id, part));
            download(
                new Blob([bytes], { type: type || "application/octet-stream" }),
                `${id}-${part}.${extensionOf(typeOf(bytes, type))}`,
            );
        } catch (error) {
            toast(lineOf(error), "bad");
        }
    };
    const actions = none === undefined && size > 0n && (
        <>
            <span className="text-[0.85rem] text-ink-faint [overflow-wrap:anywhere]">
                <span title={contentType}>{mediaType(contentType) || "no type"}</span> ·{" "}
                <span title={`${size} bytes`}>{bytesText(size)}</span>
            </span>
            <IconButton label="Download" onClick={() => void save()}>
                <Download />
            </IconButton>
        </>
    );
    return (
        <Panel title={title} actions={actions}>
            {none ?? (
                <>
                    {size === 0n && <p className="text-ink-faint">Empty.</p>}
                    {size > 0n && !read && (
                        <p className="flex flex-wrap items-center gap-3 text-ink-soft">
                            It is large: {bytesText(size)}.
                            <Button onClick={() => setWanted(true)}>Show it anyway</Button>
                        </p>
                    )}
                    {read && !error && !query.data && <Loading label={`Loading the ${part}`} rows={2} />}
                    {read && error && <ErrorNote error={error} />}
                    {query.data && <ContentView {...query.data} label={title} />}
                </>
            )}
        </Panel>
    );
}
