import { Link } from "react-router";

import { paths } from "@/paths";

type ShortIdProps = { namespace: string; id: string };

/** A call's id as a link to its page. Ids of one moment begin alike, so the end is what is shown. */
export function ShortId({ namespace, id }: ShortIdProps) {
    return (
        <Link
            to={paths.invocation(namespace, id)}
            title={id}
            className="inline-flex min-h-6 items-center font-mono text-[0.92em] underline decoration-line-strong underline-offset-3 hover:decoration-accent"
        >
            {id.slice(-12)}
        </Link>
    );
}
