import { useEffect, type ReactNode } from "react";

/** The frame of a page: its heading, what can be done with it, and its content. Sets the title of the browser's tab. */
export function Page({
    title,
    heading,
    actions,
    children,
}: {
    title: string;
    heading?: ReactNode;
    actions?: ReactNode;
    children: ReactNode;
}) {
    useEffect(() => {
        document.title = `${title} · EventFlow`;
    }, [title]);
    return (
        <div className="mx-auto flex w-full max-w-[110rem] flex-col gap-4 p-4 sm:p-6">
            <header className="flex flex-wrap items-center justify-between gap-x-6 gap-y-3">
                <div className="min-w-0">{heading ?? <h1 className="text-xl font-semibold">{title}</h1>}</div>
                {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
            </header>
            {children}
        </div>
    );
}

/** A box with a heading. */
export function Panel({
    title,
    actions,
    children,
    flush = false,
}: {
    title: string;
    actions?: ReactNode;
    children: ReactNode;
    flush?: boolean;
}) {
    return (
        <section aria-label={title} className="panel min-w-0">
            <header className="flex min-h-12 flex-wrap items-center justify-between gap-2 border-b border-line px-4 py-1.5">
                <h2 className="font-semibold">{title}</h2>
                {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
            </header>
            <div className={flush ? "" : "p-4"}>{children}</div>
        </section>
    );
}
