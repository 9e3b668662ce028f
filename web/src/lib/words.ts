import { FunctionState, Mode, Runtime } from "@/api/generated/eventflow/v1/function_pb";

export const RUNTIMES: Record<Runtime, string> = {
    [Runtime.UNSPECIFIED]: "container",
    [Runtime.CONTAINER]: "container",
    [Runtime.WASM]: "wasm",
    [Runtime.PROCESS]: "process",
};

export const MODES: Record<Mode, string> = {
    [Mode.UNSPECIFIED]: "job",
    [Mode.JOB]: "job",
    [Mode.HTTP]: "http",
};

export const FUNCTION_STATES: Record<FunctionState, string> = {
    [FunctionState.UNSPECIFIED]: "Unknown",
    [FunctionState.PENDING]: "Pending",
    [FunctionState.READY]: "Ready",
    [FunctionState.DEGRADED]: "Degraded",
    [FunctionState.PAUSED]: "Paused",
    [FunctionState.DELETING]: "Deleting",
};
