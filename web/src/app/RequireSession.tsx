import { Navigate, Outlet, useLocation } from "react-router";

import { session } from "@/auth/session";
import { useSession } from "@/auth/useSession";
import { paths } from "@/paths";

/** Pages behind it need a session; without one the login comes first and leads back here. */
export function RequireSession() {
    const current = useSession();
    const { pathname, search } = useLocation();
    if (current) return <Outlet />;
    // Who logged out on purpose starts afresh.
    const next =
        session.ended() === "logged-out" || pathname === paths.home() ? undefined : `${pathname}${search}`;
    return <Navigate to={paths.login(next)} replace />;
}
