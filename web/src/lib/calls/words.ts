import { exactText } from "@/lib/time";
import type { Filter } from "./filter";
import { SOURCES, STARTS, STATES } from "./states";

/** What a filter holds, to read before a bulk action: `state failed or cancelled, function resize, accepted in the last 1h`. */
export function filterInWords(filter: Filter): string {
    const parts = [
        filter.states.length > 0 && `state ${filter.states.map(STATES.word).join(" or ")}`,
        filter.function && `function ${filter.function}`,
        filter.version > 0 && `version ${filter.version}`,
        filter.caller && `caller ${filter.caller}`,
        filter.source && `came in ${SOURCES.word(filter.source)}`,
        filter.reason && `reason ${filter.reason}`,
        filter.start && `${STARTS.word(filter.start)} start`,
        filter.deadLetter !== undefined && (filter.deadLetter ? "dead letters only" : "no dead letters"),
        filter.replayOf && `replays of ${filter.replayOf}`,
        filter.since && `accepted in the last ${filter.since}`,
        filter.from !== undefined && `accepted at or after ${exactText(filter.from)}`,
        filter.to !== undefined && `accepted before ${exactText(filter.to)}`,
    ].filter((part) => typeof part === "string");
    return parts.filter((part) => part !== "").join(", ") || "all of them";
}
