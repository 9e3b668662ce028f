import { KeyRound } from "lucide-react";

import { Button } from "@/components/Button";

import type { Credentials } from "./PasswordForm";

/** The development login, which the server offers on the machine of a developer only. */
const DEVELOPER: Credentials = { username: "admin", password: "admin" };

export function DevLogin({ busy, onLogin }: { busy: boolean; onLogin: (it: Credentials) => void }) {
    return (
        <div className="flex flex-col gap-3">
            <div aria-hidden className="flex items-center gap-3 text-[0.85rem] text-ink-faint">
                <span className="h-px grow bg-line" />
                or
                <span className="h-px grow bg-line" />
            </div>
            <Button busy={busy} onClick={() => onLogin(DEVELOPER)}>
                <KeyRound aria-hidden />
                Get Dev Token & Login
            </Button>
            <p className="text-center text-[0.85rem] text-ink-faint">
                Development login is on: the user admin has the password admin.
            </p>
        </div>
    );
}
