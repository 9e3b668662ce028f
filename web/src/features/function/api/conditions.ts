import {
    FunctionState,
    type Condition,
    type Function as EventFlowFunction,
} from "@/api/generated/eventflow/v1/function_pb";

/** Whether a condition says that something is wrong. */
export function isTrouble({ type, status }: Pick<Condition, "type" | "status">): boolean {
    return type === "Degraded" ? status === "True" : status === "False" && type === "Ready";
}

/** The state in a sentence: what it means for calls. */
export function stateSentence(value: Pick<EventFlowFunction, "state" | "conditions">): string {
    switch (value.state) {
        case FunctionState.READY:
            return "It is ready: calls run at once.";
        case FunctionState.PENDING:
            return "It is being made ready. Calls are taken and wait.";
        case FunctionState.DEGRADED:
            return "Something is wrong. Calls are taken; the conditions say what to do.";
        case FunctionState.PAUSED:
            return "It is paused: new calls are refused, waiting calls wait.";
        case FunctionState.DELETING:
            return "It is being deleted: new calls are refused.";
        case FunctionState.UNSPECIFIED:
            return "The server did not say in which state it is.";
    }
}
