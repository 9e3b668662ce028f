import { Boxes, ListTree, LogOut, MailWarning, Moon, ScrollText, Sun } from "lucide-react";
import { useSyncExternalStore } from "react";
import { Link, NavLink } from "react-router";

import { queryClient } from "@/api/query";
import { session } from "@/auth/session";
import { useSession } from "@/auth/useSession";
import { IconButton } from "@/components/Button";
import { Logo } from "@/components/Logo";
import { themeStore } from "@/lib/theme";
import { paths } from "@/paths";

const ENTRIES = [
    { label: "Functions", icon: Boxes, to: paths.functions },
    { label: "Invocations", icon: ListTree, to: paths.invocations },
    { label: "Dead letters", icon: MailWarning, to: paths.deadLetters },
    { label: "Logs", icon: ScrollText, to: paths.logs },
];

export function Sidebar({ namespace }: { namespace: string }) {
    const user = useSession()?.username;
    return (
        <div className="flex h-full flex-col gap-4 p-3">
            <Link
                to={paths.home()}
                className="flex items-center gap-2 px-2 py-1.5 text-[1.07rem] font-semibold tracking-tight"
            >
                <Logo />
                EventFlow
            </Link>
            <nav aria-label="Main">
                <ul className="flex flex-col gap-0.5">
                    {ENTRIES.map(({ label, icon: Icon, to }) => (
                        <li key={label}>
                            <NavLink
                                to={to(namespace)}
                                className={({ isActive }) =>
                                    `flex min-h-10 items-center gap-3 rounded-md px-3 ${
                                        isActive
                                            ? "bg-accent-wash text-ink [&>svg]:text-accent"
                                            : "text-ink-soft hover:bg-raised hover:text-ink"
                                    }`
                                }
                            >
                                <Icon aria-hidden className="size-4.5" />
                                {label}
                            </NavLink>
                        </li>
                    ))}
                </ul>
            </nav>
            <div className="mt-auto flex items-center justify-between gap-2 border-t border-line pt-3 pl-3">
                <span className="truncate text-ink-soft" title={user}>
                    {user}
                </span>
                <span className="flex">
                    <ThemeButton />
                    <IconButton
                        label="Log out"
                        onClick={() => {
                            session.logOut();
                            queryClient.clear();
                        }}
                    >
                        <LogOut />
                    </IconButton>
                </span>
            </div>
        </div>
    );
}

function ThemeButton() {
    const theme = useSyncExternalStore(themeStore.subscribe, themeStore.get);
    const other = theme === "dark" ? "light" : "dark";
    return (
        <IconButton label={`Switch to ${other}`} onClick={() => themeStore.set(other)}>
            {theme === "dark" ? <Sun /> : <Moon />}
        </IconButton>
    );
}
