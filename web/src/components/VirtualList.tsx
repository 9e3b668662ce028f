import { useVirtualizer, type Virtualizer } from "@tanstack/react-virtual";
import { useRef, type ReactNode, type UIEvent } from "react";

export type ListVirtualizer = Virtualizer<HTMLDivElement, Element>;

type VirtualListProps = {
    count: number;
    /** The height of a row in pixels, as long as it was not measured. */
    rowHeight: number;
    row: (index: number) => ReactNode;
    rowKey?: (index: number) => string | number;
    label: string;
    className?: string;
    /** Rows differ in height: each is measured. */
    measure?: boolean;
    onScroll?: (event: UIEvent<HTMLDivElement>) => void;
    /** Given once per drawing, to scroll by. */
    onReady?: (virtualizer: ListVirtualizer) => void;
};

/** A list of any length: only rows in sight are in the page. */
export function VirtualList(props: VirtualListProps) {
    const {
        count,
        rowHeight,
        row,
        rowKey,
        label,
        className = "",
        measure = false,
        onScroll,
        onReady,
    } = props;
    const frame = useRef<HTMLDivElement>(null);
    const virtualizer: ListVirtualizer = useVirtualizer<HTMLDivElement, Element>({
        count,
        getScrollElement: () => frame.current,
        estimateSize: () => rowHeight,
        overscan: 12,
        ...(rowKey && { getItemKey: rowKey }),
    });
    onReady?.(virtualizer);
    return (
        <div
            ref={frame}
            // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolling region has to be reachable by keyboard
            tabIndex={0}
            role="region"
            aria-label={label}
            onScroll={onScroll}
            className={`overflow-auto ${className}`}
        >
            <div className="relative w-full" style={{ height: `${virtualizer.getTotalSize()}px` }}>
                {virtualizer.getVirtualItems().map((item) => (
                    <div
                        key={item.key}
                        data-index={item.index}
                        ref={measure ? virtualizer.measureElement : undefined}
                        className="absolute inset-x-0 top-0"
                        style={{
                            transform: `translateY(${item.start}px)`,
                            ...(!measure && { height: `${rowHeight}px` }),
                        }}
                    >
                        {row(item.index)}
                    </div>
                ))}
            </div>
        </div>
    );
}
