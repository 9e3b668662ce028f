import { timestampMs } from "@bufbuild/protobuf/wkt";
import { useMutation, useQuery } from "@connectrpc/connect-query";
import { useEffect } from "react";
import { Navigate, useSearchParams } from "react-router";

import { AuthService } from "@/api/generated/eventflow/v1/auth_service_pb";
import { queryClient, whyNot } from "@/api/query";
import { session } from "@/auth/session";
import { useSession } from "@/auth/useSession";
import { Logo } from "@/components/Logo";
import { ErrorNote } from "@/components/states";
import { safeNext } from "@/paths";

import { DevLogin } from "../components/DevLogin";
import { PasswordForm, type Credentials } from "../components/PasswordForm";

export default function LoginPage() {
    const current = useSession();
    const next = safeNext(useSearchParams()[0].get("next"));
    const options = useQuery(AuthService.method.getLoginOptions, {});
    const notAnswering = whyNot(options);
    const login = useMutation(AuthService.method.issueToken);
    useEffect(() => {
        document.title = "Log in · EventFlow";
    }, []);

    if (current) return <Navigate to={next} replace />;

    const logIn = (credentials: Credentials) =>
        login.mutate(credentials, {
            onSuccess: ({ token, expireTime }) => {
                // What another user saw is not for this one.
                queryClient.clear();
                session.start({
                    token,
                    username: credentials.username,
                    expiresAt: expireTime ? timestampMs(expireTime) : Date.now() + 3_600_000,
                });
            },
        });

    return (
        <main className="grid min-h-dvh place-items-center p-4">
            <div className="flex w-full max-w-sm flex-col gap-6">
                <div className="flex flex-col items-center gap-3 text-center">
                    <Logo className="size-12" />
                    <h1 className="text-2xl font-semibold tracking-tight">Log in to EventFlow</h1>
                    <p className="text-ink-soft">See every function and every call, live.</p>
                </div>
                {session.ended() === "expired" && (
                    <p role="status" className="rounded-md border border-wait/40 bg-wait/10 px-3 py-2">
                        Your session has ended. Log in again to go on where you were.
                    </p>
                )}
                <div className="panel flex flex-col gap-4 p-5">
                    {login.error && <ErrorNote error={login.error} />}
                    {!login.error && notAnswering !== null && <ErrorNote error={notAnswering} />}
                    <PasswordForm busy={login.isPending} onSubmit={logIn} />
                    {options.data?.devLogin && <DevLogin busy={login.isPending} onLogin={logIn} />}
                </div>
            </div>
        </main>
    );
}
