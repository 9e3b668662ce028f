export type Theme = "dark" | "light";

/** The same key as in public/theme.js, which sets the theme before the first paint. */
const KEY = "eventflow.theme";
const listeners = new Set<() => void>();

export const themeStore = {
    get: (): Theme => (document.documentElement.dataset["theme"] === "light" ? "light" : "dark"),
    set: (theme: Theme) => {
        document.documentElement.dataset["theme"] = theme;
        try {
            localStorage.setItem(KEY, theme);
        } catch {
            // Storage is switched off: it holds for this visit.
        }
        listeners.forEach((listener) => listener());
    },
    subscribe: (listener: () => void) => {
        listeners.add(listener);
        return () => {
            listeners.delete(listener);
        };
    },
};
