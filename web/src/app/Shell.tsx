import { Menu } from "lucide-react";
import { useEffect, useState } from "react";
import { Outlet, useLocation, useNavigation, useParams } from "react-router";

import { useAccess } from "@/api/useAccess";
import { useWatchFunctions } from "@/api/useFunctions";
import { IconButton } from "@/components/Button";
import { Logo } from "@/components/Logo";
import { ErrorState } from "@/components/states";
import { rememberNamespace } from "@/lib/useNamespace";
import { ALL_NAMESPACES } from "@/paths";

import { NamespacePicker } from "./NamespacePicker";
import { Sidebar } from "./Sidebar";

/** The frame around all pages: navigation at the side, on small screens behind a button. */
export function Shell() {
    const [open, setOpen] = useState(false);
    const { pathname } = useLocation();
    const { namespace = "default" } = useParams();
    const loading = useNavigation().state === "loading";
    const [openedAt, setOpenedAt] = useState(pathname);
    if (openedAt !== pathname) {
        setOpenedAt(pathname);
        setOpen(false);
    }
    const access = useAccess();
    useWatchFunctions(access.everywhere ? ALL_NAMESPACES : namespace, access.known);
    useEffect(() => rememberNamespace(namespace), [namespace]);
    useEffect(() => {
        const onKey = (event: KeyboardEvent) => event.key === "Escape" && setOpen(false);
        window.addEventListener("keydown", onKey);
        return () => window.removeEventListener("keydown", onKey);
    }, []);
    return (
        <div className="min-h-dvh lg:grid lg:grid-cols-[15rem_minmax(0,1fr)]">
            <a
                href="#main"
                className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded-md focus:bg-accent focus:px-3 focus:py-1.5 focus:text-accent-ink"
            >
                To the content
            </a>
            {open && (
                <button
                    type="button"
                    aria-label="Close the menu"
                    className="fixed inset-0 z-30 bg-shade lg:hidden"
                    onClick={() => setOpen(false)}
                />
            )}
            <div
                className={`fixed inset-y-0 left-0 z-40 w-60 border-r border-line bg-panel lg:sticky lg:top-0 lg:block lg:h-dvh lg:w-auto ${open ? "block" : "hidden"}`}
            >
                <Sidebar namespace={namespace} />
            </div>
            <div className="flex min-w-0 flex-col">
                <header className="sticky top-0 z-20 flex min-h-13 items-center gap-3 border-b border-line bg-ground px-3 sm:px-6">
                    <IconButton
                        label="Menu"
                        aria-expanded={open}
                        className="lg:hidden"
                        onClick={() => setOpen(true)}
                    >
                        <Menu />
                    </IconButton>
                    <span className="lg:hidden">
                        <Logo className="size-6" />
                    </span>
                    <NamespacePicker namespace={namespace} />
                </header>
                <div
                    aria-hidden
                    className={`sticky top-13 z-20 -mt-0.5 h-0.5 bg-accent transition-opacity ${loading ? "animate-pulse opacity-100" : "opacity-0"}`}
                />
                <main id="main" tabIndex={-1} className="min-w-0 grow outline-none">
                    {access.error ? <ErrorState error={access.error} /> : <Outlet />}
                </main>
            </div>
        </div>
    );
}
