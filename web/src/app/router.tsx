import type { ComponentType } from "react";
import { createBrowserRouter, Navigate, type RouteObject } from "react-router";

import { lastNamespace } from "@/lib/useNamespace";
import { paths, patterns } from "@/paths";

import { CrashPage } from "./CrashPage";
import { NotFoundPage } from "./NotFoundPage";
import { RequireSession } from "./RequireSession";
import { Shell } from "./Shell";

/** A page whose code is loaded when it is first opened. */
function page(load: () => Promise<{ default: ComponentType }>): Pick<RouteObject, "lazy"> {
    return { lazy: async () => ({ Component: (await load()).default }) };
}

const pages: RouteObject[] = [
    { path: patterns.functions, ...page(() => import("@/features/dashboard/pages/DashboardPage")) },
    { path: patterns.functionNew, ...page(() => import("@/features/editor/pages/NewFunctionPage")) },
    {
        path: patterns.function,
        ...page(() => import("@/features/function/pages/FunctionPage")),
        children: [
            { index: true, ...page(() => import("@/features/function/pages/OverviewTab")) },
            { path: "invoke", ...page(() => import("@/features/function/pages/InvokeTab")) },
            { path: "logs", ...page(() => import("@/features/function/pages/LogsTab")) },
            { path: "invocations", ...page(() => import("@/features/function/pages/InvocationsTab")) },
            { path: "metrics", ...page(() => import("@/features/function/pages/MetricsTab")) },
            { path: "versions", ...page(() => import("@/features/function/pages/VersionsTab")) },
            { path: "yaml", ...page(() => import("@/features/function/pages/YamlTab")) },
        ],
    },
    { path: `${patterns.function}/edit`, ...page(() => import("@/features/editor/pages/EditFunctionPage")) },
    { path: patterns.invocations, ...page(() => import("@/features/invocations/pages/InvocationsPage")) },
    { path: patterns.invocation, ...page(() => import("@/features/invocation/pages/InvocationPage")) },
    { path: patterns.deadLetters, ...page(() => import("@/features/dead-letters/pages/DeadLettersPage")) },
    { path: patterns.logs, ...page(() => import("@/features/logs/pages/LogsPage")) },
];

function Home() {
    return <Navigate to={paths.functions(lastNamespace())} replace />;
}

export const router = createBrowserRouter([
    {
        ErrorBoundary: CrashPage,
        HydrateFallback: () => null,
        children: [
            { path: patterns.login, ...page(() => import("@/features/login/pages/LoginPage")) },
            {
                Component: RequireSession,
                children: [
                    { path: patterns.home, Component: Home },
                    {
                        path: patterns.namespace,
                        Component: Shell,
                        children: [
                            {
                                ErrorBoundary: CrashPage,
                                children: [...pages, { path: "*", Component: NotFoundPage }],
                            },
                        ],
                    },
                ],
            },
            { path: "*", Component: NotFoundPage },
        ],
    },
]);
