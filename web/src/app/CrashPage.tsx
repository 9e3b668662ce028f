import { isRouteErrorResponse, useRouteError } from "react-router";

import { Button } from "@/components/Button";
import { EmptyState } from "@/components/states";

import { NotFoundPage } from "./NotFoundPage";

/** What is shown when a page breaks: the rest of the UI goes on. */
export function CrashPage() {
    const error = useRouteError();
    if (isRouteErrorResponse(error) && error.status === 404) return <NotFoundPage />;
    // A new release of the server has other file names: the old page cannot load its parts any more.
    const outdated = error instanceof TypeError && /import|module/i.test(error.message);
    return (
        <EmptyState title={outdated ? "EventFlow was updated" : "This page broke"}>
            <p>
                {outdated
                    ? "Load the page again to get the new version."
                    : "That is a fault of the page, not of your functions. Load it again; if it breaks again, report it."}
            </p>
            {!outdated && (
                <p className="font-mono text-[0.85rem] text-ink-faint">
                    {error instanceof Error ? error.message : "unknown error"}
                </p>
            )}
            <Button kind="primary" onClick={() => window.location.reload()}>
                Load again
            </Button>
        </EmptyState>
    );
}
