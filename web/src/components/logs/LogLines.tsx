import { useVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useImperativeHandle, useLayoutEffect, useRef, useState, type Ref } from "react";

import type { LogBuffer } from "./buffer";
import { LogRow, type Columns } from "./LogRow";
import type { Query } from "./search";

export type LinesHandle = { scrollTo: (line: number) => void; focus: () => void };

type LogLinesProps = {
    buffer: LogBuffer;
    first: number;
    end: number;
    follow: boolean;
    onFollow: (follow: boolean) => void;
    wrap: boolean;
    columns: Columns;
    query: Query;
    current: number;
    label: string;
    ref: Ref<LinesHandle>;
};

/** Height of a row in the unit of the page's text, so that it grows with it; with a link in it 24 pixels at least. */
const ROW_REM = 1.36;
const LINK_ROW_REM = 1.6;

function rowHeight(rem: number): number {
    return Math.round(rem * (parseFloat(getComputedStyle(document.documentElement).fontSize) || 15));
}

/** The lines in sight, and only these, in a frame that scrolls through all of them. */
export function LogLines(props: LogLinesProps) {
    const { buffer, first, end, follow, onFollow, wrap, columns, query, current, label, ref } = props;
    const frame = useRef<HTMLDivElement>(null);
    const [height] = useState(() => rowHeight(columns.callPath ? LINK_ROW_REM : ROW_REM));
    const getItemKey = useCallback((index: number) => first + index, [first]);
    const virtualizer = useVirtualizer<HTMLDivElement, Element>({
        count: Math.max(0, end - first),
        getScrollElement: () => frame.current,
        estimateSize: () => height,
        overscan: 15,
        getItemKey,
    });
    const items = virtualizer.getVirtualItems();
    const total = virtualizer.getTotalSize();
    useAnchor(frame, virtualizer, first, follow);
    useLayoutEffect(() => {
        if (follow && frame.current) frame.current.scrollTop = frame.current.scrollHeight;
    }, [follow, total, end, wrap]);
    // Heights of another way of showing are of no use.
    useLayoutEffect(() => virtualizer.measure(), [virtualizer, wrap]);
    useImperativeHandle(ref, () => ({
        scrollTo: (line) => virtualizer.scrollToIndex(line - first, { align: "center" }),
        focus: () => frame.current?.focus(),
    }));
    const lastTop = useRef(0);
    const onScroll = () => {
        const element = frame.current;
        if (!element) return;
        const { scrollTop, scrollHeight, clientHeight } = element;
        const atEnd = scrollHeight - scrollTop - clientHeight < height;
        // Only the person moves up; growing content moves nothing.
        if (follow && scrollTop < lastTop.current - 1 && !atEnd) onFollow(false);
        if (!follow && scrollTop > lastTop.current && atEnd) onFollow(true);
        lastTop.current = scrollTop;
    };
    return (
        <div
            ref={frame}
            // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolling region has to be reachable by keyboard
            tabIndex={0}
            role="region"
            aria-label={label}
            onScroll={onScroll}
            // The anchor below is ours; two of them would both move the view.
            className="min-h-0 grow overflow-auto bg-code py-2 font-mono text-[0.83rem] outline-offset-[-2px] [overflow-anchor:none]"
        >
            <div className="relative w-full" style={{ height: `${total}px`, lineHeight: `${height}px` }}>
                {items.map((item) => {
                    const line = buffer.at(first + item.index);
                    return (
                        <div
                            key={item.key}
                            data-index={item.index}
                            ref={wrap ? virtualizer.measureElement : undefined}
                            className={`absolute top-0 left-0 min-w-full ${wrap ? "w-full" : "w-max"}`}
                            style={{
                                transform: `translateY(${item.start}px)`,
                                ...(!wrap && { height: `${height}px` }),
                            }}
                        >
                            {line && (
                                <LogRow
                                    line={line}
                                    query={query}
                                    current={first + item.index === current}
                                    wrap={wrap}
                                    columns={columns}
                                />
                            )}
                        </div>
                    );
                })}
            </div>
        </div>
    );
}

type LinesVirtualizer = ReturnType<typeof useVirtualizer<HTMLDivElement, Element>>;

/** Keeps the line at the top of the frame where it is when older lines are dropped above it. */
function useAnchor(
    frame: { current: HTMLDivElement | null },
    virtualizer: LinesVirtualizer,
    first: number,
    follow: boolean,
) {
    const anchor = useRef({ first, line: first, offset: 0 });
    useLayoutEffect(() => {
        const element = frame.current;
        if (!element) return;
        if (anchor.current.first !== first) {
            if (follow) {
                // Heights of dropped lines would be kept for ever.
                virtualizer.measure();
            } else {
                const index = anchor.current.line - first;
                const start = index < 0 ? 0 : (virtualizer.measurementsCache[index]?.start ?? 0);
                element.scrollTop = Math.max(0, start + (index < 0 ? 0 : anchor.current.offset));
            }
        }
        const top = element.scrollTop;
        const item = virtualizer.getVirtualItemForOffset(top);
        anchor.current = { first, line: first + (item?.index ?? 0), offset: top - (item?.start ?? 0) };
    });
}
