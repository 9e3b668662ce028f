import type { InvocationFilter } from "@/api/generated/eventflow/v1/invocation_pb";

/** What a person asked for, before it is confirmed. */
export type Wish = {
    kind: "redrive" | "discard";
    namespace: string;
    filter: InvocationFilter;
    /** Which dead letters these are. */
    words: string;
};
