import { useSyncExternalStore } from "react";

import { session } from "./session";

/** The session of this tab, or null; the caller is drawn again when it changes. */
export function useSession() {
    return useSyncExternalStore(session.subscribe, session.get);
}
