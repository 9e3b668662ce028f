import { NavLink, type To } from "react-router";

export type TabLink = { to: To; label: string; end?: boolean; badge?: string };

/** Tabs that are pages: each has an address of its own. */
export function TabNav({ tabs, label }: { tabs: readonly TabLink[]; label: string }) {
    return (
        <nav aria-label={label} className="overflow-x-auto border-b border-line">
            <ul className="flex gap-1">
                {tabs.map((tab) => (
                    <li key={tab.label}>
                        <NavLink
                            to={tab.to}
                            end={tab.end ?? false}
                            className={({ isActive }) =>
                                `block border-b-2 px-3 py-2 whitespace-nowrap outline-offset-[-2px] ${
                                    isActive
                                        ? "border-accent text-ink"
                                        : "border-transparent text-ink-soft hover:text-ink"
                                }`
                            }
                        >
                            {tab.label}
                            {tab.badge && (
                                <span className="ml-1.5 text-[0.8rem] text-ink-faint">{tab.badge}</span>
                            )}
                        </NavLink>
                    </li>
                ))}
            </ul>
        </nav>
    );
}
